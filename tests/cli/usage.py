#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Help, manual and program name the same commands and options; a wrong word is refused.

The rows of wrong usage say what a user reads, word for word.  Behind them come checks that are made
for every command and every option that the help shows, so that a new one is covered when it comes.
"""

import os
import re
import subprocess

from cases import HOOK_MANUAL, MANUAL, PROGRAM, Row, run

# Those that scripts rely on; the help may have more.
COMMANDS = ["manage", "unmanage", "bind", "unbind", "bindings", "sync", "diff", "compile", "filter",
            "guard", "explain", "hook libvirt", "hook install", "hook uninstall", "hook convert", "hook qemu",
            "hook proxmox", "hook exec", "routed plan", "routed apply", "routed confirm"]
OF_FILTER = ["list", "show", "check", "define", "undefine"]
FILTER_USAGE = (r"usage: ovs-nwfilter filter list \| show NAME \| check NAME\|FILE\.\.\. \| "
                r"define FILE \| undefine NAME")
BIND_USAGE = (r"usage: ovs-nwfilter bind IFACE FILTER \[NAME=VALUE\[,VALUE\]\.\.\.\] "
              r"\| bind --xml=FILE")


def usage(text):
    return "usage: ovs-nwfilter " + re.escape(text)


ROWS = [
    Row("the version", ["--version"], out=r"ovs-nwfilter \d+\.\d+\.\d+\n"),
    Row("the version, short", ["-V"], out=r"ovs-nwfilter \d+\.\d+\.\d+\n"),
    Row("the version, before a command", ["-V", "sync"], out=r"ovs-nwfilter \d.*"),
    Row("help", ["--help"], out=".*usage: .*commands:.*options:.*Exit codes: .*"),
    Row("help, short", ["-h"], out=".*usage: .*"),

    Row("no word", [], error="no command; see --help"),
    Row("an empty command", [""], error='unknown command ""; see --help'),
    Row("an unknown command", ["synch"], error='unknown command "synch"; see --help'),
    Row("part of a command", ["syn"], error='unknown command "syn"; see --help'),
    Row("an unknown command with --help", ["synch", "--help"],
        error='unknown command "synch"; see --help'),
    Row("a command with control characters", ["a\x1b[31m\nb"],
        error=r'unknown command "a\\x1b\[31m\\x0ab"; see --help'),
    Row("a command that is no UTF-8", ["\udcff"], error=r'unknown command "\\xff"; see --help'),
    Row("a command of 100 kB", ["x" * 100_000], error='unknown command "x{80}"; see --help'),

    Row("an unknown option", ["--nosuch", "sync"],
        error="--nosuch: no such option, or one of several; see --help"),
    Row("an unknown option behind the command", ["sync", "--nosuch"],
        error="--nosuch: no such option, or one of several; see --help"),
    Row("an unknown letter", ["-x", "sync"], error="-x: no such option; see --help"),
    Row("an unknown letter before a known one", ["-xV"], error="-x: no such option; see --help"),
    Row("an unknown letter behind a known one", ["-Vx"], error="-x: no such option; see --help"),
    Row("part of several options", ["--t=5", "sync"],
        error="--t=5: no such option, or one of several; see --help"),
    Row("an argument too many", ["--audit=yes", "manage", "br0"],
        error="--audit=yes: this option takes no argument; see --help"),
    Row("no argument", ["sync", "--timeout"],
        error="--timeout: an argument is missing; see --help"),
    Row("no argument of a letter", ["sync", "-O"], error="-O: an argument is missing; see --help"),
    Row("a timeout of 0", ["--timeout=0", "sync"],
        error='--timeout: "0" is not a number of seconds'),
    Row("a negative timeout", ["--timeout=-1", "sync"],
        error='--timeout: "-1" is not a number of seconds'),
    Row("a timeout with a unit", ["--timeout=10s", "sync"],
        error='--timeout: "10s" is not a number of seconds'),
    Row("an empty timeout", ["--timeout=", "sync"],
        error='--timeout: "" is not a number of seconds'),
    Row("a timeout past a day", ["--timeout=86401", "sync"],
        error='--timeout: "86401" is not a number of seconds'),
    Row("a timeout past 64 bits", ["--timeout=99999999999999999999", "sync"],
        error='--timeout: "9{20}" is not a number of seconds'),
    Row("an unknown format", ["--format=xml", "bindings"],
        error='--format is text or json, not "xml"'),
    Row("an OpenFlow version that does not do", ["-O", "OpenFlow10", "sync"],
        error="-O OpenFlow10: none of OpenFlow13, OpenFlow14, OpenFlow15"),
    Row("an unknown OpenFlow version", ["-OOpenFlow13,OpenFlow99", "sync"],
        error='Unknown OpenFlow version: "OpenFlow99"'),
    Row("an unknown log module", ["-vnosuch", "sync"], error='processing "nosuch": .*"nosuch"'),

    Row("manage without a bridge", ["manage"], error=usage("manage BRIDGE")),
    Row("manage with two", ["manage", "br0", "br1"], error=usage("manage BRIDGE")),
    Row("unmanage without a bridge", ["unmanage"], error=usage("unmanage BRIDGE")),
    Row("unmanage with two", ["unmanage", "br0", "br1"], error=usage("unmanage BRIDGE")),
    Row("bind without words", ["bind"], error=BIND_USAGE),
    Row("bind without a filter", ["bind", "vnet0"], error=BIND_USAGE),
    Row("bind with a file and words", ["bind", "--xml=x.xml", "vnet0"],
        error="--xml takes the place of IFACE, FILTER and variables"),
    Row("bind with a word that is no variable", ["bind", "vnet0", "clean-traffic", "10.0.0.1"],
        error='"10.0.0.1" is not NAME=VALUE'),
    Row("bind with a variable twice", ["bind", "vnet0", "x", "IP=1.1.1.1", "IP=1.1.1.1"],
        error="variable IP is given twice"),
    Row("bind with a variable without a name", ["bind", "vnet0", "clean-traffic", "=1.1.1.1"],
        error='.*"" is not a variable\'s name.*'),
    Row("bind with a missing file", ["bind", "--xml=nosuch.xml"],
        error="nosuch.xml: No such file or directory"),
    Row("unbind without a port", ["unbind"], error=usage("unbind IFACE")),
    Row("unbind with two", ["unbind", "vnet0", "vnet1"], error=usage("unbind IFACE")),
    Row("bindings with a word", ["bindings", "br0"], error=usage("bindings")),
    Row("compile without a file", ["compile"], error=usage("compile FILE...")),
    Row("routed alone", ["routed"], error=usage("routed plan | apply | confirm ...")),
    Row("routed plan without a bridge", ["routed", "plan"], error=usage("routed plan BRIDGE")),
    Row("routed confirm of two bridges", ["routed", "confirm", "br0", "br1"],
        error=usage("routed confirm [BRIDGE]")),
    Row("a confirmation that takes too long", ["routed", "apply", "br0", "--confirm=3601"],
        error='--confirm: "3601" is not a number of seconds up to 3600'),
    Row("hook alone", ["hook"], error=r"usage: ovs-nwfilter hook libvirt \| install.* \.\.\."),
    Row("an unknown hook", ["hook", "nosuch"], error=r"usage: ovs-nwfilter hook libvirt \| .*"),
    Row("an unknown hook with --help", ["hook", "nosuch", "--help"],
        error=r"usage: ovs-nwfilter hook libvirt \| .*"),
    Row("part of a hook", ["hook", "inst"], error=r"usage: ovs-nwfilter hook libvirt \| .*"),
    Row("a hook of another command", ["sync", "install", "--port=x"],
        error="--port takes the place of BRIDGE"),
    Row("hook install alone", ["hook", "install"], error=usage("hook install libvirt")),
    Row("hook install for nobody", ["hook", "install", "nosuch"],
        error='"nosuch": only libvirt has hooks to install'),
    Row("hook uninstall for nobody", ["hook", "uninstall", "nosuch"],
        error='"nosuch": only libvirt has hooks to install'),
    Row("hook qemu alone", ["hook", "qemu"], error=usage("hook qemu IFACE --bridge=BRIDGE [FILTER] "
                                                         "[NAME=VALUE[,VALUE]...]")),
    Row("hook qemu without a bridge", ["hook", "qemu", "tap0", "clean-traffic"],
        error="--bridge is missing; see hook qemu --help"),
    Row("hook qemu --down with a filter", ["hook", "qemu", "tap0", "--bridge=br0", "--down", "x"],
        error="--down takes no filter and no variables"),
    Row("hook proxmox alone", ["hook", "proxmox"], error=usage("hook proxmox sync | VMID PHASE")),
    Row("hook proxmox with one word", ["hook", "proxmox", "100"],
        error=usage("hook proxmox sync | VMID PHASE")),
    Row("hook exec without ports", ["hook", "exec", "--", "true"],
        error=usage("hook exec IFACE... -- COMMAND [ARG...]")),
    Row("hook exec without a command", ["hook", "exec", "vnet0", "--"],
        error=usage("hook exec IFACE... -- COMMAND [ARG...]")),
    Row("filter alone", ["filter"], error=FILTER_USAGE),
    Row("filter with an unknown word", ["filter", "edit"], error=FILTER_USAGE),
    Row("filter list with a word", ["filter", "list", "x"], error=FILTER_USAGE),
    Row("filter show without a name", ["filter", "show"], error=FILTER_USAGE),
    Row("filter show with two", ["filter", "show", "x", "y"], error=FILTER_USAGE),
    Row("filter check without a name", ["filter", "check"], error=FILTER_USAGE),
    Row("filter define without a file", ["filter", "define"], error=FILTER_USAGE),
    Row("filter undefine without a name", ["filter", "undefine"], error=FILTER_USAGE),
]


def commands_in(text):
    """The names of commands, which have one word, or two behind "hook" and "routed"."""
    return re.findall(r"^  ((?:hook |routed )?[a-z]+) ?.*\n {8}\S", text, re.MULTILINE)


def options_in(text):
    """{option: whether it takes an argument}"""
    return {name: bool(argument)
            for name, argument in re.findall(r"^  (?:-., )?(--[a-z-]+)(=?)", text, re.MULTILINE)}


def unformatted(manual):
    """The words of a man page, without its requests, fonts and escapes."""
    text = re.sub(r"\\f[A-Z]|^\.[A-Z]+ ?|\"", "", manual, flags=re.MULTILINE)
    return text.replace("\\-", "-")


def check_commands(world, check):
    _, program_help, _ = world.call("--help")
    commands = commands_in(program_help)
    check("the help lists every command, once", (
        set(COMMANDS) - set(commands) or len(commands) != len(set(commands))) and commands)
    common = options_in(program_help)
    check("the help lists the common options", {"--db", "--timeout", "--help"} - set(common))
    own = {}
    for command in commands:
        status, out, err = world.call(*command.split(), "--help")
        pattern = rf"usage: ovs-nwfilter \[OPTIONS\] {command}\b[^\n]*\n  \S"
        check(f"{command} --help",
              (status or err or not re.match(pattern, out)) and (status, out, err))
        check(f"{command} --help, before the command",
              world.call("-h", *command.split()) != (status, out, err) and out)
        own[command] = options_in(out)
    check_options(world, check, own)
    check_manual(check, commands, common, own)


def check_options(world, check, own):
    """A command takes its own options and refuses those of the others, each by its name."""
    known = {name: takes for options in own.values() for name, takes in options.items()}
    check("there are commands with options of their own", not known and "none")
    for command, options in own.items():
        for name, takes in known.items():
            status, out, err = world.call(*command.split(),
                                          name + ("=x=1" if takes else ""))
            refusal = f"ovs-nwfilter: {command} does not take {name}; see {command} --help\n"
            if name in options:
                check(f"{command} takes {name}", "does not take" in err and err)
            else:
                check(f"{command} does not take {name}",
                      (status, out, err) != (1, "", refusal) and (status, out, err))


def check_manual(check, commands, common, own):
    """The commands of "hook" have a manual of their own."""
    hooks = [command for command in commands if command.startswith("hook ")]
    rest = [command for command in commands if command not in hooks and command != "filter"]
    pages = [("the manual", MANUAL, rest + [f"filter {verb}" for verb in OF_FILTER], set(common)),
             ("the hooks' manual", HOOK_MANUAL, hooks, set())]
    for what, path, names, options in pages:
        with open(path) as file:
            text = unformatted(file.read())
        section = re.search(r"^COMMANDS\n(.*?)^OPTIONS\n", text, re.DOTALL | re.MULTILINE).group(1)
        for name in names:
            check(f"{what} has {name}",
                  not re.search(rf"^{name}\b", section, re.MULTILINE) and "it has not")
        for name in sorted(options.union(*(own.get(name, {}) for name in names))):
            check(f"{what} has {name}",
                  not re.search(rf"(?<![\w-]){name}(?![\w-])", text) and "it has not")


def check_output(world, check):
    """Output that is lost is an error, whatever else went well."""
    for words in (["--help"], ["--version"], ["sync", "--help"], ["filter", "list"]):
        with open("/dev/full", "w") as full:
            status, _, err = world.call(*words, capture_output=False, stdout=full,
                                        stderr=subprocess.PIPE)
        expected = "ovs-nwfilter: standard output: No space left on device\n"
        check(f"{' '.join(words)} on a full device",
              (status, err) != (1, expected) and (status, err))
        done = subprocess.run(["/bin/sh", "-c", 'exec "$0" "$@" >&-', PROGRAM, *words],
                              env=world.env, cwd=world.dir, stderr=subprocess.PIPE, text=True)
        expected = "ovs-nwfilter: standard output: Bad file descriptor\n"
        check(f"{' '.join(words)} with standard output closed",
              (done.returncode, done.stderr) != (1, expected) and (done.returncode, done.stderr))


def check_all(world, check):
    check_commands(world, check)
    check_output(world, check)
    check("no run has left a file", (left := sorted(os.listdir(world.dir))) != ["etc", "run"]
          and left)


if __name__ == "__main__":
    run(__file__, ROWS, more=check_all)
