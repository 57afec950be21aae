#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The hash of the sources changes with each of them, and the build knows when to make it anew.

Stamps on a switch have it: a program that compiles otherwise looks at every guest again.
"""

import os
import re
import shutil
import subprocess

from cases import ROOT, run

SCRIPT = os.path.join(ROOT, "scripts", "hash-sources")
OF_FLOWS = ["src/filter/expand.c", "src/policy/tags.c", "src/compile/rule.c", "src/compile/rule.h",
            "src/flow/flow.c", "include/nwf/pipeline.h", "flows/pipeline.flows"]


def generate(world, tree):
    """(the hash, what the depfile says that it depends on)"""
    subprocess.run([SCRIPT, tree, "header", "depfile"], cwd=world.dir, check=True)
    with open(f"{world.dir}/header") as file:
        text = file.read()
    with open(f"{world.dir}/depfile") as file:
        target, names = file.read().split(":", 1)
    return (re.fullmatch(r'#define NWF_SOURCES_HASH "([0-9a-f]{40})"\n', text).group(1),
            [target, *(name.replace("\\ ", " ") for name in re.split(r"(?<!\\)\s+", names) if name)])


def check_all(world, check):
    tree = f"{world.dir}/a tree"
    for name in ("src", "include", "flows"):
        shutil.copytree(f"{ROOT}/{name}", f"{tree}/{name}")
    before, depends = generate(world, tree)
    check("the same sources have the same hash",
          generate(world, tree)[0] != before and "they have not")
    check("the same in another place", generate(world, ROOT)[0] != before and "they have not")
    check("the depfile is about the header", depends[0] != "header" and depends[0])
    for name in OF_FLOWS + ["src", "src/compile", "include/nwf"]:
        check(f"the build looks at {name}", f"{tree}/{name}" not in depends and depends)
    seen = {before}
    for name in OF_FLOWS:
        with open(f"{tree}/{name}", "a") as file:
            file.write("\n")
        seen.add(generate(world, tree)[0])
    check("each change gives another hash", len(seen) != 1 + len(OF_FLOWS) and seen)
    os.rename(f"{tree}/src/compile/rule.c", f"{tree}/src/compile/rules.c")
    renamed, depends = generate(world, tree)
    check("another name too", renamed in seen and "it does not")
    check("    which the build looks at", f"{tree}/src/compile/rules.c" not in depends and depends)
    world.write("a tree/src/compile/new.c", "")
    check("a new file too", generate(world, tree)[0] in seen | {renamed} and "it does not")
    when = os.stat(f"{world.dir}/header").st_mtime_ns
    generate(world, tree)
    check("a header that is right is left alone",
          os.stat(f"{world.dir}/header").st_mtime_ns != when and "it is not")


if __name__ == "__main__":
    run(__file__, [], more=check_all)
