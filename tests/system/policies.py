#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Policy that stands in files: of a port, an address, or a virtual machine.

A port's own tags come before files; files that do not agree on a port, or cannot be read, leave
nobody unprotected who was protected, and everybody else goes on.
"""

import json
import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system.world import nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
FOLDER = "/etc/ovs-nwfilter/policy.d"
VM = "3b5f8a0e-7d0f-4c54-8a8b-6d1d2f3c4b5a"


def test(world):
    os.makedirs(FOLDER)
    world.trusted("uplink", 254)
    world.guest("vnet0", 1)
    world.guest("vnet1", 2)
    world.trusted("lan0", 3)
    world.manage("--trusted=uplink")
    test_selectors(world)
    test_tags_first(world)
    test_disagree(world)
    test_broken(world)
    test_bad_entries(world)
    test_not_managed(world)


def write(name, *entries, text=None):
    with open(f"{FOLDER}/{name}.json", "w") as file:
        file.write(json.dumps(entries) if text is None else text)


def clear():
    for name in os.listdir(FOLDER):
        os.unlink(f"{FOLDER}/{name}")


def entry(address, **selector):
    return selector | {"filter": CLEAN, "parameters": {"IP": address}}


def not_enforced(world, name, address):
    """The receivers are those that are neither quarantined nor the sender."""
    receivers = [other for other in ("uplink", "lan0") if other != name]
    return (world.verdict(name, world.ip(name, src=address), receivers)
            or world.verdict(name, world.ip(name, src="10.0.0.77"), []))


def test_selectors(world):
    for what, selector in (("its name", {"port": "vnet0"}),
                           ("its address", {"mac": "52:54:00:00:00:01"}),
                           ("its machine", {"vm": VM.upper()}),
                           ("machine and address", {"vm": VM, "mac": "52:54:0:0:0:1"})):
        clear()
        write("a", entry("10.0.0.1", **selector), entry("10.0.0.9", vm=VM, mac="52:54:00:00:00:09"))
        world.set_tags("vnet0", vm_id=VM)
        for words in (("sync",), ("sync", "--port=vnet0")):
            result = nwfilter(*words)
            world.check(f"an entry by {what}: {' '.join(words)}",
                        not not_enforced(world, "vnet0", "10.0.0.1")
                        and (result.status == 0) == (words[-1] != "sync"), result)
        world.check("    another guest is not concerned", world.status("vnet1").startswith(
            "error: no filter is bound"), world.status("vnet1"))
    clear()
    write("a", entry("10.0.0.1", port="vnet0"), entry("10.0.0.2", port="vnet1"))
    write("b", {"port": "lan0", "mac": "02:00:00:00:00:03", "filter": CLEAN,
                "parameters": {"IP": ["10.0.0.3"]}})
    result = nwfilter("sync")
    world.check("a port without any identity, by its name", result.status == 0
                and world.status("lan0") == "active"
                and not world.verdict("lan0", world.ip("lan0", src="10.0.0.77"), []), result)
    rows = {row["port"]: row for row in json.loads(nwfilter("--format=json", "bindings").out)}
    world.check("bindings shows them", rows["lan0"]["filter"] == CLEAN
                and rows["lan0"]["variables"] == "IP=10.0.0.3 MAC=02:00:00:00:00:03"
                and rows["vnet0"]["role"] == "guest", rows)
    result = nwfilter("explain", "vnet0", "out", "arp,dl_src=52:54:00:00:00:01,"
                      "arp_sha=52:54:00:00:00:01,arp_spa=10.0.0.9")
    nwfilter("filter", "define", "-", stdin="<filter name='mine'><rule action='drop' direction='in'/>"
             "</filter>")
    write("g", {"port": "nobody", "filter": "mine"})
    refused = nwfilter("filter", "undefine", "mine")
    os.unlink(f"{FOLDER}/g.json")
    free = nwfilter("filter", "undefine", "mine")
    world.check("a filter of theirs cannot be undefined", refused.status == 1 and free.status == 0
                and f"{FOLDER}/g.json: entry 0 is bound to it" in refused.err, (refused, free))
    world.check("explain knows them", "vnet0 out: dropped" in result.out, result)


def test_tags_first(world):
    world.set_tags("vnet0", nwfilter_IP="10.0.0.8")
    result = nwfilter("sync")
    world.check("variables in tags come before those of a file", result.status == 0
                and not world.verdict("vnet0", world.ip("vnet0", src="10.0.0.1"), []), result)
    world.set_tags("vnet0", nwfilter="no-mac-spoofing")
    result = nwfilter("sync")
    world.check("    and a filter takes the place of a file's", result.status == 0
                and not world.verdict("vnet0", world.ip("vnet0", src="10.0.0.1"),
                                      ["uplink", "vnet1", "lan0"]), result)
    world.set_tags("vnet0", nwfilter=None, nwfilter_IP=None)


def test_disagree(world):
    write("c", entry("10.0.0.1", mac="52:54:00:00:00:01"))
    result = nwfilter("sync")
    world.check("two entries that say the same", result.status == 0
                and world.status("vnet0") == "active", result)
    write("c", entry("10.0.0.4", mac="52:54:00:00:00:01"))
    result = nwfilter("sync")
    world.check("two that do not agree: the port is quarantined, and both are named",
                result.status == 1 and f"{FOLDER}/a.json: entry 0 and {FOLDER}/c.json: entry 0 do "
                "not agree" in world.status("vnet0")
                and not world.verdict("vnet0", world.ip("vnet0"), []), result)
    world.check("    others go on", world.status("vnet1") == "active"
                and world.status("lan0") == "active")
    write("c", entry("10.0.0.3", port="lan0") | {"mac": "02:00:00:00:00:04"})
    result = nwfilter("sync")
    world.check("    nor two that name another address of the port", result.status == 1
                and "do not agree" in world.status("lan0")
                and not world.verdict("lan0", world.ip("lan0"), []), result)
    write("c", entry("10.0.0.3", port="lan0"))
    result = nwfilter("sync")
    world.check("    nor one that names an address, which its tags do not, and one that does not",
                result.status == 1 and "do not agree" in world.status("lan0")
                and not world.verdict("lan0", world.ip("lan0"), []), result)
    os.unlink(f"{FOLDER}/c.json")
    nwfilter("sync")


def test_broken(world):
    with open(f"{FOLDER}/b.json") as file:
        good = file.read()
    for what, text in (("no JSON", "[{"), ("no array", "{}"), ("an unknown key", '[{"ports": "x"}]')):
        write("b", text=text)
        results = [nwfilter("sync"), nwfilter("sync", "--full"), nwfilter("diff")]
        world.check(f"a file that is {what}: who had its policy from there passes nothing",
                    all(result.status == 1 and f"{FOLDER}/b.json" in result.err.splitlines()[0]
                        for result in results)
                    and names_file(world, "lan0")
                    and not world.verdict("lan0", world.ip("lan0", src="10.0.0.3"), []), results)
        world.check("    others go on", not world.verdict(
            "vnet0", world.ip("vnet0"), ["uplink", "vnet1"]) and world.status("vnet1") == "active")
    test_broken_without_memory(world)
    write("b", text=good)
    result = nwfilter("sync")
    world.check("    until it is mended", result.status == 0 and world.status("lan0") == "active",
                result)
    os.mkfifo(f"{FOLDER}/d.json")
    os.symlink("/dev/zero", f"{FOLDER}/e.json")
    result = nwfilter("sync")
    world.check("a FIFO and a device are no policies", result.status == 1
                and f"{FOLDER}/d.json: not a regular file" in result.err, result)
    os.unlink(f"{FOLDER}/d.json")
    os.unlink(f"{FOLDER}/e.json")


def names_file(world, port):
    return (world.status(port) or "").startswith(f"error: {FOLDER}/b.json")


def test_broken_without_memory(world):
    """The database may have been made anew, and the port may be: no status tells what it was."""
    for full in ((), ("--full",)):
        world.set_tags("lan0", nwfilter_status=None, nwfilter_installed_ts=None)
        result = nwfilter("sync", *full)
        world.check("    also where the database knows of no status", result.status == 1
                    and names_file(world, "lan0")
                    and not world.verdict("lan0", world.ip("lan0", src="10.0.0.77"), []), result)
    world.trusted("lan1", 4)
    result = nwfilter("sync", "--port=lan1")
    world.check("    a port that is new, and may have a policy there, passes nothing",
                result.status == 1 and names_file(world, "lan1")
                and not world.verdict("lan1", world.ip("lan1"), []), result)
    world.check("    the port that is named as trusted goes on", world.status("uplink") is None
                and not world.verdict("uplink", world.ip("uplink"), ["vnet0", "vnet1"]))
    world.ovs.vsctl("del-port", "br0", "lan1")


BAD = {
    "no selector": ({"filter": CLEAN}, 'none of "port", "mac" and "vm"'),
    "no filter": ({"port": "vnet0"}, '"filter" is missing'),
    "port and vm": ({"port": "vnet0", "vm": VM, "filter": CLEAN}, 'both "port" and "vm"'),
    "a bad address": ({"mac": "52:54", "filter": CLEAN}, '"52:54"'),
    "a bad address of a port": ({"port": "lan0", "mac": "bad mac!", "filter": CLEAN}, '"bad mac!"'),
    "an empty address of a port": ({"port": "lan0", "mac": "", "filter": CLEAN}, '""'),
    "a bad value": ({"port": "vnet0", "filter": CLEAN, "parameters": {"IP": "$"}}, '"$"'),
    "a number": ({"port": 1, "filter": CLEAN}, "port: not a string"),
}


def test_bad_entries(world):
    for what, (bad, cause) in BAD.items():
        write("f", entry("10.0.0.5", port="nobody"), bad)
        result = nwfilter("sync")
        world.check(f"an entry with {what}: named, nothing of the file holds, others do",
                    result.status == 1 and len(result.err.splitlines()) == 1
                    and f"{FOLDER}/f.json: entry 1: " in result.err and cause in result.err
                    and world.status("vnet0") == "active", result)
    os.unlink(f"{FOLDER}/f.json")


def test_not_managed(world):
    nwfilter("unmanage", "br0")
    result = nwfilter("sync")
    world.check("a policy for a port of a bridge that is not managed is an error",
                result.status == 1 and {line.split(": ")[1] for line in result.err.splitlines()}
                == {"vnet0", "vnet1", "lan0"}, result)


if __name__ == "__main__":
    run(test)
