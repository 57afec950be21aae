# SPDX-License-Identifier: Apache-2.0
"""Makes a filter and a conversation that fare differently as small as they get.

Rules, references, attributes and steps are left out one after the other, most at once at first, as
long as the rest still fares differently.  Each attempt costs libvirt a second or two, so there is a
limit to them.
"""

import dataclasses
import itertools
import xml.etree.ElementTree as ElementTree

from report import tell

ATTEMPTS = 40
_numbers = itertools.count()


def report(case, different, fares_differently):
    """Print the smallest case that was found, with its steps and libvirt's rules."""
    search = Search(case, different[0], fares_differently)
    search.run()
    print(f"  smallest, after {search.attempts} attempts:")
    for text in search.case.files.values():
        print("".join(f"  | {line}\n" for line in text.splitlines()), end="")
    if search.result is None:
        print("  (alone, this conversation fares alike)")
        return
    expected, found, rules = search.result
    print(f"  {tell(search.conversation, expected, found)}")
    print("".join(f"  {frame.hex()}\n" for step in search.conversation.steps
                  for frame in step.frames), end="")
    print("".join(f"  # {line}\n" for line in rules.splitlines() if line.startswith("-A F")), end="")


class Search:
    def __init__(self, case, conversation, fares_differently):
        self.case, self.conversation = case, conversation
        self.fares_differently = fares_differently
        self.attempts = 0
        self.result = None

    def run(self):
        if not self._try(self._trees(), self.conversation):
            return
        self._shorten()
        self._remove(_rules)
        self._remove(_attributes)
        self._shorten()

    def _trees(self):
        return {name: ElementTree.fromstring(text) for name, text in self.case.files.items()}

    def _try(self, trees, conversation):
        """Keep them if they still fare differently."""
        if self.attempts >= ATTEMPTS:
            return False
        self.attempts += 1
        case = self._renamed(trees)
        result = self.fares_differently(case, conversation)
        if result is None:
            return False
        self.case, self.conversation, self.result = case, conversation, result
        return True

    def _renamed(self, trees):
        """Other names for all: libvirt has filters of the old ones in use."""
        number = next(_numbers)
        names = {name: f"{name.split('-try')[0]}-try{number}" for name in trees}
        for tree in trees.values():
            tree.set("name", names[tree.get("name")])
            for reference in tree.iterfind("filterref"):
                reference.set("filter", names.get(reference.get("filter"),
                                                  reference.get("filter")))
        files = {names[name]: ElementTree.tostring(tree, "unicode") + "\n"
                 for name, tree in trees.items()}
        return dataclasses.replace(self.case, name=names[self.case.name], files=files)

    def _shorten(self):
        """Leave out the steps after the first that differs, and then those before it."""
        expected, found, _ = self.result
        first = next(number for number, words in enumerate(zip(expected, found))
                     if words[0] != words[1])
        self._steps(self.conversation.steps[:first + 1])
        for number in reversed(range(first)):
            steps = self.conversation.steps
            self._steps(steps[:number] + steps[number + 1:])

    def _steps(self, steps):
        if steps != self.conversation.steps:
            self._try(self._trees(), dataclasses.replace(self.conversation, steps=steps))

    def _remove(self, parts_of):
        """Leave out parts: halves, quarters and so on down to single ones."""
        size = max(1, len(parts_of(self._trees())) // 2)
        while True:
            at = 0
            while at < len(parts_of(self._trees())):
                trees = self._trees()
                for remove in parts_of(trees)[at:at + size]:
                    remove()
                if not self._try(trees, self.conversation):
                    at += size
            if size == 1:
                return
            size //= 2


def _rules(trees):
    """For each rule and reference, what takes it out of its filter."""
    return [lambda tree=tree, entry=entry: tree.remove(entry)
            for tree in trees.values() for entry in list(tree)]


def _attributes(trees):
    removable = []
    for element in (element for tree in trees.values() for element in tree.iterfind("rule/*")):
        removable += [lambda element=element, name=name: element.attrib.pop(name)
                      for name in element.keys()]
    for rule in (rule for tree in trees.values() for rule in tree.iterfind("rule")):
        removable += [lambda rule=rule, name=name: rule.attrib.pop(name)
                      for name in rule.keys() if name not in ("action", "direction")]
    return removable
