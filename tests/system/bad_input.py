#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A port with bad tags or a bad filter is quarantined, says why, and harms no other port.

One port for each kind of bad input, all on one bridge beside two good guests.  Nothing passes a
bad port either way; its status begins with "error: "; sync exits 1 with a line for each, and what
it prints holds no control characters, whatever the tags hold.
"""

import json
import os
import re
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system.world import FILTERS, define, nwfilter, run, transact  # noqa: E402

CLEAN = "clean-traffic"
IP = "10.0.0.99"
MEGABYTE = 1 << 20

# What is bad, the tags beside attached-mac (None: without it), what the status says.
CASES = [
    ("no filter", {}, "no filter is bound"),
    ("an unknown filter", {"nwfilter": "no-such"}, "no such filter"),
    ("an empty filter name", {"nwfilter": ""}, ""),
    ("a filter name that leads elsewhere", {"nwfilter": "../../etc/passwd"}, ""),
    ("an absolute filter name", {"nwfilter": "/etc/passwd"}, ""),
    ("a filter name with control characters", {"nwfilter": "a\x1b[31m\nb\r"}, ""),
    ("a filter name of a megabyte", {"nwfilter": "x" * MEGABYTE}, ""),
    ("a variable that is missing", {"nwfilter": "need-x"}, "X"),
    ("an address that is none", {"nwfilter": CLEAN, "nwfilter-IP": "10.0.0.256"}, "10.0.0.256"),
    ("an address with its network's length", {"nwfilter": CLEAN, "nwfilter-IP": "10.0.0.9/24"},
     "write 10.0.0.9 or 10.0.0.0/24"),
    ("an empty address", {"nwfilter": CLEAN, "nwfilter-IP": ""}, "unknown variable $IP"),
    ("an address with control characters",
     {"nwfilter": CLEAN, "nwfilter-IP": "10.0.0.9\x1b]0;x\x07"}, "IP"),
    ("an address of a megabyte", {"nwfilter": CLEAN, "nwfilter-IP": "1" * MEGABYTE}, "longer"),
    ("a megabyte of addresses",
     {"nwfilter": CLEAN, "nwfilter-IP": ",".join(["10.0.0.9"] * (MEGABYTE // 9))}, "longer"),
    ("too many addresses",
     {"nwfilter": CLEAN, "nwfilter-IP": ",".join(["1.1.1.1"] * 5000)}, "more than"),
    ("a variable's name that is none", {"nwfilter": CLEAN, "nwfilter-I P": IP}, "name"),
    ("a variable without a name", {"nwfilter": CLEAN, "nwfilter-": IP}, "name"),
    ("a MAC that is a group address",
     {"nwfilter": CLEAN, "nwfilter-IP": IP, "attached-mac": "01:00:5e:00:00:01"}, "group"),
    ("a MAC that is none", {"nwfilter": CLEAN, "nwfilter-IP": IP, "attached-mac": "x"}, "MAC"),
    ("no MAC for a filter that needs it",
     {"nwfilter": CLEAN, "nwfilter-IP": IP, "attached-mac": None, "vm-id": "v"}, "MAC"),
    ("a filter that is no XML", {"nwfilter": "no-xml"}, "no-xml.xml:1"),
    ("a filter that is no filter", {"nwfilter": "no-filter"}, "no-filter.xml:1"),
    ("a filter with an unknown action", {"nwfilter": "bad-action"}, "bad-action.xml:1"),
    ("a filter that refers to itself", {"nwfilter": "loop"}, "loop"),
    ("a filter that refers to an unknown one", {"nwfilter": "dangling"}, "no-such"),
    ("filters that double at each level", {"nwfilter": "double0"}, ""),
    ("entities that multiply", {"nwfilter": "bomb"}, ""),
    ("an entity out of another file", {"nwfilter": "entity"}, ""),
    ("a filter in a FIFO", {"nwfilter": "fifo"}, "not a regular file"),
    ("a filter in a device", {"nwfilter": "device"}, "not a regular file"),
    ("a filter that is a folder", {"nwfilter": "folder"}, "not a regular file"),
    ("a filter of 2 MB", {"nwfilter": "large"}, "larger"),
    ("a profile that is a broken filter", {"port-profile": "no-xml"}, "no-xml.xml"),
    ("a profile that is no filter", {"port-profile": "no-such"}, "no filter is bound"),
]


def test(world):
    write_filters()
    world.trusted("uplink", 254)
    for number, name in enumerate(("vnet0", "vnet1"), 1):
        world.guest(name, number, CLEAN, IP=f"10.0.0.{number}")
    world.manage()
    ports = [f"bad{i}" for i in range(len(CASES))]
    for i, (name, (_, tags, _)) in enumerate(zip(ports, CASES)):
        world.guest(name, 100 + i)
        set_tags(name, tags, world.mac(name))
    started = time.monotonic()
    result = nwfilter("sync")
    check_report(world, result, ports, time.monotonic() - started)
    for name, case in zip(ports, CASES):
        check_port(world, name, case)
    check_others(world, "beside bad ports")
    check_listing(world)
    world.check("the second sync exits 1 and changes nothing", unchanged(nwfilter("sync")))
    world.unplug(*ports)
    world.sync()
    check_others(world, "bad ports gone")
    world.ovs.vsctl("set", "Bridge", world.bridge, "external_ids:nwfilter=enforced")
    result = world.sync()
    world.check("an unknown mode of the bridge is taken for \"enforce\", and said",
                "enforced" in result.err, result)
    check_others(world, "a bridge in an unknown mode")
    check_names(world)


def set_tags(name, tags, mac):
    tags = {key: value for key, value in ({"attached-mac": mac} | tags).items()
            if value is not None}
    transact({"op": "update", "table": "Interface", "where": [["name", "==", name]],
              "row": {"external_ids": ["map", [list(pair) for pair in tags.items()]]}})


def write_filters():
    define("need-x", "<rule action='accept' direction='inout'><ip srcipaddr='$X'/></rule>")
    define("bad-action", "<rule action='allow' direction='out'/>")
    define("loop", "<filterref filter='loop'/>")
    define("dangling", "<filterref filter='no-such'/>")
    for i in range(40):
        define(f"double{i}", f"<filterref filter='double{i + 1}'/>" * 2)
    define("double40", "<rule action='accept' direction='inout'/>")
    entities = "".join(f"<!ENTITY e{i + 1} '{f'&e{i};' * 10}'>" for i in range(12))
    raw = {
        "no-xml": "no XML at all",
        "no-filter": "<network name='no-filter'/>",
        "bomb": f"<!DOCTYPE filter [<!ENTITY e0 'lol'>{entities}]>"
                "<filter name='bomb' chain='root'>&e12;</filter>",
        "entity": "<!DOCTYPE filter [<!ENTITY e SYSTEM '/etc/passwd'>]>"
                  "<filter name='entity' chain='root'>&e;</filter>",
        "large": "<filter name='large' chain='root'>" + " " * (2 * MEGABYTE) + "</filter>",
    }
    for name, text in raw.items():
        with open(f"{FILTERS}/{name}.xml", "w") as file:
            file.write(text)
    os.mkfifo(f"{FILTERS}/fifo.xml")
    os.mkdir(f"{FILTERS}/folder.xml")
    os.symlink("/dev/zero", f"{FILTERS}/device.xml")


def check_report(world, result, ports, taken):
    world.check("sync exits 1", result.status == 1, result.status)
    lines = result.err.splitlines()
    missing = [name for name in ports
               if sum(line.startswith(f"ovs-nwfilter: {name}: ") for line in lines) != 1]
    world.check("sync prints one line for each bad port, and no others",
                not missing and len(lines) == len(ports), (missing, result.err))
    world.check("what sync prints has no control characters and no long lines",
                is_clean(result.err) and is_clean(result.out)
                and max(map(len, lines)) < 2500)
    world.check("it takes less than five seconds", taken < 5, taken)


def is_clean(text):
    return all(line.isprintable() for line in text.split("\n"))


def check_port(world, name, case):
    what, _, reason = case
    status = world.status(name) or ""
    world.check(f"{what}: \"error: ...\" is the status, with the cause",
                status.startswith("error: ") and reason in status and is_clean(status)
                and len(status) < 2500, status[:500])
    good = ["uplink", "vnet0", "vnet1"]
    world.expect_all(f"{what}: nothing passes, either way", [
        (name, world.ip(name), []), (name, world.arp(name), []), (name, world.ipv6(name), []),
        ("vnet0", world.ip("vnet0"), good), ("uplink", world.arp("uplink"), good)]
        + [("uplink", world.ip("uplink", name), []), ("uplink", world.ipv6("uplink", name), [])])


def check_others(world, when):
    good = ["uplink", "vnet0", "vnet1"]
    world.expect_all(f"{when}: good guests are as ever", [
        ("vnet0", world.ip("vnet0", "vnet1"), ["vnet1"]),
        ("vnet1", world.arp("vnet1"), good),
        ("vnet1", world.arp("vnet1", spa="10.0.0.1"), []),
        ("vnet0", world.ip("vnet0", mac="vnet1"), []),
        ("uplink", world.ipv6("uplink"), [])])
    world.check(f"{when}: their status is \"active\"",
                world.status("vnet0") == world.status("vnet1") == "active")


def check_names(world):
    """Names that speak to a terminal, of a bridge and of an Interface on it: they reach it in no
    output of any command, and JSON stays JSON."""
    bridge, guest = "b\x1b[31m", "g\x1b[2J\x07"
    world.ovs.add_bridge(bridge)
    world.ovs.vsctl("add-port", bridge, guest, "--", "set", "Interface", guest, "type=internal",
                    "external_ids:attached-mac=52:54:00:00:00:99", f"external_ids:nwfilter={CLEAN}",
                    "external_ids:nwfilter-IP=10.0.0.99")
    packet = "arp,dl_src=52:54:00:00:00:98"
    for words in (["manage", bridge], ["sync", bridge], ["sync", f"--port={guest}"], ["bindings"],
                  ["explain", guest, "out", packet], ["explain", guest, "out", packet, "--live"],
                  ["sync", "--full", bridge], ["diff", bridge], ["filter", "undefine", CLEAN],
                  ["bind", "--sync", guest, CLEAN, "IP=10.0.0.98"],
                  ["bind", guest, "no-such"], ["unbind", guest], ["sync", bridge],
                  ["sync", f"--port={guest}"]):
        for form in ("text", "json"):
            result = nwfilter(*words, f"--format={form}")
            world.check(f"{' '.join(words)}, as {form}: no control characters", is_clean(
                result.out + result.err) and (re.search("x1b", result.out + result.err)
                                              or words[0] in ("diff", "filter", "unbind", "bind")),
                        result)
            if form == "json" and words[0] in ("bindings", "explain", "manage", "sync") and result.out:
                world.check("    and it is JSON", is_json(result.out), result)
    world.ovs.vsctl("set", "Bridge", bridge, "external_ids:nwfilter=\x1b[31m")
    result = nwfilter("sync", bridge)
    world.check("a bridge of that name in such a mode", is_clean(result.err)
                and "is taken for" in result.err, result)
    result = nwfilter("unmanage", bridge)
    world.check("unmanage: no control characters", is_clean(result.out + result.err)
                and result.status == 0, result)
    world.ovs.vsctl("del-br", bridge)


def is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def check_listing(world):
    for form in ("text", "json"):
        result = nwfilter("bindings", f"--format={form}")
        world.check(f"bindings lists them, as {form}, without control characters",
                    not result.status and is_clean(result.out) and "bad0" in result.out, result.err)


def unchanged(result):
    return result.status == 1 and " 0 added, 0 changed, 0 removed" in result.out


if __name__ == "__main__":
    run(test)
