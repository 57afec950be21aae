#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The files of a folder of src stand in an order: none calls, by whatever way, one that calls it.

A circle of files can only be understood, tested and changed as a whole.  The calls are read from
the objects that were built: a file calls another if it has undefined what the other defines.

Usage: order.py BUILD-DIRECTORY
"""

import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What nm prints: an address or none, the kind of the symbol, its name.
SYMBOL = re.compile(r"^[0-9a-f]* +([A-Za-z]) (\S+)$", re.MULTILINE)
UNDEFINED = "Uvw"


def objects(build):
    """The objects of each folder of src: {folder: {file: object}}."""
    found = {}
    for path in sorted(glob.glob(f"{build}/*.p/src_*.c.o")):
        folder, name = re.fullmatch(r"src_([a-z]+)_(\w+\.c)\.o", os.path.basename(path)).groups()
        # A build keeps the objects of sources that have gone.
        if os.path.exists(f"{ROOT}/src/{folder}/{name}"):
            found.setdefault(folder, {})[name] = path
    return found


def symbols(path):
    """What an object defines for others, and what it takes from others."""
    text = subprocess.run(["nm", "--extern-only", path], check=True, capture_output=True,
                          text=True).stdout
    both = SYMBOL.findall(text)
    return ({name for kind, name in both if kind not in UNDEFINED},
            {name for kind, name in both if kind in UNDEFINED})


def calls(files):
    """Which files of a folder each of them calls: {file: {other: a function of it}}."""
    of = {name: symbols(path) for name, path in files.items()}
    return {name: {other: sorted(used & of[other][0])[0]
                   for other in sorted(of) if other != name and used & of[other][0]}
            for name, (_, used) in of.items()}


def reached(graph, start):
    """The files that 'start' calls, through others or not."""
    found, left = set(), [start]
    while left:
        new = set(graph[left.pop()]) - found
        found |= new
        left += new
    return found


def circles(graph):
    """Files of which each reaches all others, largest sets of such."""
    reach = {name: reached(graph, name) for name in graph}
    sets = {frozenset(other for other in reach[name] if name in reach[other])
            for name in graph if name in reach[name]}
    return sorted(sorted(names) for names in sets)


def check_folder(folder, files):
    graph = calls(files)
    wrong = []
    for names in circles(graph):
        wrong.append(f"src/{folder}: a circle of calls:")
        wrong += [f"    {name} calls {function}() of {other}" for name in names
                  for other, function in graph[name].items() if other in names]
    return wrong


def main():
    found = objects(sys.argv[1])
    wrong = [line for folder, files in found.items() for line in check_folder(folder, files)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{sum(map(len, found.values()))} objects in {len(found)} folders, "
          f"{sum(line.startswith('src/') for line in wrong)} circles that are not allowed")
    sys.exit(1 if wrong or not found else 0)


if __name__ == "__main__":
    main()
