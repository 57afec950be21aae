#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""src/filter/LANGUAGE.md says what the program does: each row's example, and no word left out.

Each example becomes a filter, or one for each element that the heading above its table names, and
"filter check" must say of it what the row says.  The argument is a program that prints the
elements and attributes that there are.
"""

import dataclasses
import os
import re
import subprocess
import sys

from cases import ROOT, run

PAGE = os.path.join(ROOT, "src", "filter", "LANGUAGE.md")
# Tables of this form have examples; others are for people only.
HEADING = ["example", "here"]


@dataclasses.dataclass
class Example:
    line: int
    xml: str
    words: str  # of the error; empty: it compiles
    note: str
    is_first: bool  # Of the elements that the row is for.


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def examples():
    """The examples of the page; rows that have none are an error."""
    elements, in_table = [], False
    with open(PAGE) as file:
        for number, line in enumerate(file, 1):
            if line.startswith("#"):
                elements = re.findall(r"`([a-z0-9-]+)`", line) if line.startswith("### ") else []
            if not line.startswith("|"):
                in_table = False
                continue
            cells = cells_of(line)
            if cells[1:3] == HEADING:
                in_table = True
            elif in_table and not cells[0].startswith("---"):
                yield from from_row(number, cells, elements)


def from_row(number, cells, elements):
    code = re.fullmatch(r"`(<.*>)`", cells[1])
    here = re.fullmatch(r"compiles(?: \(note: (.+)\))?|refused: (.+)", cells[2])
    if len(cells) != 4 or not code or not here:
        raise ValueError(f"{PAGE}:{number}: neither an example nor what becomes of it")
    for element in elements or [None]:
        xml = code[1]
        if element:
            xml = re.sub(rf"<{elements[0]}(?=[ />])", f"<{element}", xml)
        yield Example(number, xml, here[2] or "", here[1] or "", element in (None, *elements[:1]))


def document(name, xml):
    if "<filter " in xml or xml.startswith("<filter/"):
        return re.sub(r"(name|filter)='x'", rf"\1='{name}'", xml)
    if not xml.startswith("<rule"):
        xml = f"<rule action='accept' direction='out'>{xml}</rule>"
    return f"<filter name='{name}'>{xml}</filter>"


def said_of(name, out, err):
    """(whether it is good, its notes, its error)"""
    good = re.search(rf"^{name}: good.*\n((?:  .*\n)*)", out, re.MULTILINE)
    error = re.search(rf"^ovs-nwfilter: .*{name}\.xml:.*", err, re.MULTILINE)
    # How many masks there can be is the whole filter's, not the example's.
    notes = re.findall(r": note: (?!a guest that makes up)(.*)", good[1]) if good else []
    return bool(good), notes, error[0] if error else ""


def wrong(example, good, notes, error):
    if example.words:
        return (good or example.words not in error) and f"not refused so: {error!r}"
    if not good:
        return f"does not compile: {error!r}"
    if example.note and not any(example.note in note for note in notes):
        return f"has not this note, but {notes}"
    return (example.is_first and len(notes) > bool(example.note)) and f"has more notes: {notes}"


def check_examples(world, check):
    rows = {f"example-{i}": example for i, example in enumerate(examples())}
    for name, example in rows.items():
        world.write(f"{name}.xml", document(name, example.xml))
    _, out, err = world.call("--filter-dir={stock}", "filter", "check",
                             *(f"{name}.xml" for name in rows))
    for name, example in rows.items():
        check(f"LANGUAGE.md:{example.line}: {example.xml}",
              wrong(example, *said_of(name, out, err)))
    check("the page has examples of both kinds", not (
        any(e.words for e in rows.values()) and any(not e.words for e in rows.values())))
    return rows.values()


def check_words(check, rows):
    """Each attribute of each element stands in an example."""
    shown = set()
    for example in rows:
        for element, attrs in re.findall(r"<([a-z0-9-]+)((?: [a-z-]+='[^']*')*)", example.xml):
            shown.update((element, name) for name in re.findall(r" ([a-z-]+)=", attrs))
    table = subprocess.run(sys.argv[1:2], capture_output=True, text=True, check=True).stdout
    words = {tuple(line.split()) for line in table.splitlines()}
    check("the table of the language is not empty", len(words) < 100 and words)
    check("every attribute of every element has a row", sorted(words - shown))


def check_all(world, check):
    check_words(check, list(check_examples(world, check)))


if __name__ == "__main__":
    run(__file__, [], more=check_all)
