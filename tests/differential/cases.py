# SPDX-License-Identifier: Apache-2.0
"""The cases: a filter, what it needs, and where it comes from.

Hand-written filters say in a comment what the test shall do with them:

    bind: IP=10.0.0.5,10.0.0.6 PORT=80     bind this filter, with these parameters
    both refuse                            libvirt refuses the filter, and so must we
    libvirt refuses                        a shortcoming of its own: no frames are compared
    we refuse: WORD                        OpenFlow cannot say it: we refuse and name the WORD
    expect: CONVERSATION = ++..            what libvirt does with its steps (+ passes, . dropped)

A file without "bind:" is there to be referred to.
"""

import dataclasses
import glob
import os
import re

import derive
import generate
import traffic
import world

HERE = os.path.dirname(os.path.abspath(__file__))
HAND_WRITTEN = os.path.join(HERE, "filters")
HAND_WRITTEN_LAYER4 = os.path.join(HERE, "filters-l4")
STOCK = os.path.join(HERE, "..", "..", "flows", "filters")
OURS = ("<flow ", "$IPV6_LL")  # what libvirt has no words for
REFERENCE = re.compile(r"<filterref\s+filter=['\"]([^'\"]+)")


@dataclasses.dataclass
class Case:
    name: str  # of the filter to bind
    files: dict  # name -> XML text: the filter and those that it refers to
    params: dict  # name -> list of values
    origin: str  # stock, written, random
    refused_by: tuple = ()  # "libvirt", "us"
    word: str = ""  # in our refusal
    expected: dict = dataclasses.field(default_factory=dict)  # name of a conversation -> "++.."

    def frames(self):
        """[(direction, frame)], each once."""
        fixed = [(direction, frame) for direction in ("out", "in")
                 for frame in traffic.fixed(direction)]
        return list(dict.fromkeys(fixed + derive.frames_for(self.files, self.params)))


def stock():
    texts = read_filters(STOCK)
    for name in sorted(texts):
        if any(word in text for text in with_references(name, texts).values() for word in OURS):
            continue
        params = dict(world.PARAMETERS)
        if name == "allow-dhcpv6-server":
            params.update(world.DHCPV6_SERVER)
        yield Case(name, with_references(name, texts), params, "stock")


def hand_written(folder=HAND_WRITTEN):
    texts = read_filters(folder)
    known = {**read_filters(STOCK), **texts}
    for name, text in sorted(texts.items()):
        bind = re.search(r"^\s*bind:(.*?)(?:-->)?$", text, re.M)
        if not bind:
            continue
        params = {key: values.split(",")
                  for key, values in (word.split("=") for word in bind.group(1).split())}
        case = Case(name, with_references(name, known), params, "written")
        case.expected = dict(re.findall(r"^ *expect: (.*\S) *= *([+.]+)", text, re.M))
        refusal = re.search(r"we refuse: ([\w-]+)", text)
        if refusal:
            case.refused_by, case.word = ("us",), refusal.group(1)
        elif "both refuse" in text:
            case.refused_by = ("libvirt", "us")
        elif "libvirt refuses" in text:
            case.refused_by = ("libvirt",)
        yield case


def random(count, seed, generator=generate):
    for number in range(count):
        name, files, params = generator.filter_tree(seed, number)
        yield Case(name, files, params, "random")


def read_filters(folder):
    texts = {}
    for path in glob.glob(os.path.join(folder, "*.xml")):
        with open(path) as file:
            texts[os.path.basename(path)[:-len(".xml")]] = file.read()
    return texts


def with_references(name, texts):
    """The filter and all that it refers to, the deepest first."""
    files = {}
    for other in REFERENCE.findall(texts[name]):
        if other in texts:
            files.update(with_references(other, texts))
    files[name] = texts[name]
    return files
