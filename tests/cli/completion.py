#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Completion and manual know every command of ovs-ofctl's and every option that there is.

No list stands here: what is completed is compared with the program's help and with the fields that
its manual's library has, so that a command that completion or the manual forgets fails the test.
"""

import os
import re
import subprocess
import sys

from cases import PROGRAM, ROOT

MANUAL = os.path.join(ROOT, "src", "cli", "ofctl", "ovs-nwfilter-ofctl.8")
SCRIPT = os.path.join(ROOT, "src", "cli", "ovs-nwfilter.bash")

failures = 0


def check(what, good, why=""):
    global failures
    print(f"{'ok    ' if good else 'FAILED'} {what}{'' if good else f': {why}'}")
    failures += not good


def program(*words):
    return subprocess.run((PROGRAM,) + words, text=True, timeout=60, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, check=True).stdout


def complete(*words):
    return program("complete", "--", *words).splitlines()


def bash(line):
    """What bash makes of the line's end, with the script as it is installed."""
    done = subprocess.run(
        ["bash", "--norc", "-c",
         'PATH="$1:$PATH"; complete() { :; }; compopt() { :; }; . "$2"; COMP_LINE=$3; '
         'COMP_POINT=${#COMP_LINE}; _ovs_nwfilter; printf "%s\\n" "${COMPREPLY[@]}"',
         "bash", os.path.dirname(os.path.abspath(PROGRAM)), SCRIPT, line],
        text=True, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    return done.stdout.split()


def test_commands():
    listed = program("--help").partition("commands:")[2].partition("\noptions:")[0]
    own, _, others = listed.partition("\ncommands on switches")
    commands = {*re.findall(r"^  ([a-z][-a-z]*)", own, re.MULTILINE),
                *others.partition("\n")[2].split()}
    as_ofctl = {line.split()[0] for line in program("list-commands").splitlines() if line.strip()}
    offered = complete("")
    check("there are commands", len(commands) > 60 and len(as_ofctl) > 50, len(commands))
    check("each command of the help is offered", commands <= set(offered),
          commands - set(offered))
    check("each of ovs-ofctl's is known", as_ofctl - {"help", "list-commands"} <= set(offered) | {
        name for name in as_ofctl if not complete(name)}, as_ofctl - set(offered))
    check("by its beginning", all(name in complete(name[:-1]) for name in commands))
    check("and nothing else", all(word.startswith("dump-f") for word in complete("dump-f")))
    for pair in re.findall(r"^  (hook|routed) ([a-z]+)", listed, re.MULTILINE):
        check(" ".join(pair), pair[1] in complete(pair[0], ""), complete(pair[0], ""))
    ways = re.search(r"^  filter (.*)", listed, re.MULTILINE)[1]
    for way in ways.split(" | "):
        check(f"filter {way}", way.split()[0] in complete("filter", ""))


def test_options():
    own = set(re.findall(r"(--[-a-z]+)", program("--help").partition("\noptions:")[2]
                         .partition("\n\n")[0]))
    offered = {word.rstrip("=") for word in complete("--")}
    check("options of all commands", len(own) > 5 and own <= offered, own - offered)
    for command in sorted({word for word in complete("")}):
        if command in ("hook", "routed", "filter"):
            continue
        words = re.findall(r"^  +(?:-., )?(--[-a-z]+)", program(command, "--help"), re.MULTILINE)
        offered = {word.rstrip("=") for word in complete(command, "--")}
        check(f"options of {command}", set(words) <= offered, set(words) - offered)
    options = {line.split()[0].rstrip(",") for line in program("--option", "show").splitlines()
               if line.startswith("--")}
    offered = {word.rstrip("=") for word in complete("add-flow", "--")}
    names = {name.partition("=")[0].partition("[")[0] for name in options}
    check("those that ovs-ofctl's commands say they have", len(names) > 20 and names <= offered,
          names - offered)


def test_operands():
    check("filters", "clean-traffic" in complete("bind", "vnet0", "clean"))
    check("filters of filter show", "clean-traffic" in complete("filter", "show", "clean-t"))
    check("behind an option with an argument", complete("--timeout", "5", "unbi") == ["unbind"])
    check("fields", {"nw_src=", "nw_dst=", "tcp_dst=", "in_port=", "table=", "priority=",
                     "actions="} <= set(complete("add-flow", "br0", "")))
    check("fields behind others", complete("del-flows", "br0", "in_port=1,nw_sr")
          == ["in_port=1,nw_src="])
    check("a match of dump-flows", complete("dump-flows", "br0", "icmp_ty") == ["icmp_type="])
    check("explain's direction", complete("explain", "vnet0", "") == ["in", "out"])
    check("nothing where nothing is known", complete("compile", "") == [])
    check("no bridge without a database", complete("sync", "x") == [])


def test_bash():
    check("bash: a command", bash("ovs-nwfilter unma") == ["unmanage"], bash("ovs-nwfilter unma"))
    check("bash: a field behind \"=\"", bash("ovs-nwfilter add-flow br0 in_port=1,nw_sr")
          == ["1,nw_src="], bash("ovs-nwfilter add-flow br0 in_port=1,nw_sr"))
    check("bash: a new word", "clean-traffic" in bash("ovs-nwfilter bind vnet0 "),
          bash("ovs-nwfilter bind vnet0 "))
    check("bash: an option", bash("ovs-nwfilter sync --dry") == ["--dry-run"],
          bash("ovs-nwfilter sync --dry"))


def test_manual():
    with open(MANUAL) as file:
        text = file.read().replace("\\-", "-")
    headings = re.sub(r"\\f[BIR]|\"", "", "\n".join(re.findall(r"^\.TP\n(.*)$", text,
                                                              re.MULTILINE)))
    for line in program("list-commands").splitlines()[1:]:
        words = line.split()
        hidden = not complete(words[0]) and words[0] not in ("help", "list-commands")
        if words and not hidden:
            check(f"the manual has {words[0]}", re.search(rf"(^|, ){words[0]}\b", headings,
                                                          re.MULTILINE), line)
    for option in complete("add-flow", "--"):
        name = option.rstrip("=")
        known = re.search(rf"(^|\s|,|\[){re.escape(name)}\b", re.sub(
            r"\\f[BIR]|\"", "", text), re.MULTILINE)
        check(f"the manual has {name}", known or name in OF_ALL_TOOLS)


# The manual only refers to them.
OF_ALL_TOOLS = {"--help", "--version", "--overwrite-pidfile", "--no-self-confinement", "--user",
                "--syslog-method", "--syslog-target",}

for part in (test_commands, test_options, test_operands, test_bash, test_manual):
    part()
sys.exit(failures > 0)
