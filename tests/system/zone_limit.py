#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A guest that opens connections without end leaves room in the table for others."""

import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from system.conversation import Conversation  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402
from system.zones import NO_STATE, OUT  # noqa: E402

LIMIT, TABLE, LOT = 65536, 66000, 200
DATAPATH = "netdev@ovs-netdev"


def test(world):
    define("begins", OUT)
    define("no-state", NO_STATE)
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, "begins")
    world.guest("vnet1", 2, "begins")
    world.guest("vnet2", 3, "no-state")
    world.manage()
    test_flood(world)
    test_life(world)


def zone(world, name):
    return int(world.tags(name)["nwfilter-ct-zone"])


def limits(world):
    """Of each zone that has one: (limit, connections)."""
    text = world.ovs.appctl("dpctl/ct-get-limits", DATAPATH)
    return {int(z): (int(limit), int(count)) for z, limit, count in
            re.findall(r"zone=(\d+),limit=(\d+),count=(\d+)", text)}


def conversation(world, name, port):
    """A new connection and its answer: what is wrong with it."""
    talk = Conversation(world, name, "uplink")
    return (world.verdict(name, talk.udp(0, 40000, port), ["uplink"])
            or world.verdict("uplink", talk.udp(1, 40000, port), [name]))


def test_flood(world):
    world.ovs.appctl("dpctl/ct-set-maxconns", DATAPATH, str(TABLE))
    first = conversation(world, "vnet0", 53)
    source, uplink = world.ports["vnet0"], world.ports["uplink"]
    for number in range(TABLE + 100):
        source.send(f.eth(world.mac("uplink"), world.mac("vnet0"), f.ipv4(
            "10.0.0.1", "10.0.0.254", f.udp(1024 + number % 60000, 100 + number // 60000))))
        if number % LOT == LOT - 1:
            world.wire.settle()
    uplink.receive()
    found = limits(world).get(zone(world, "vnet0"))
    world.check("a guest's connections fill its room", found == (LIMIT, LIMIT), found)
    wrong = conversation(world, "vnet1", 53)
    world.check("    another guest begins some all the same", not wrong, wrong)
    talk = Conversation(world, "vnet0", "uplink")
    wrong = first or world.verdict("uplink", talk.udp(1, 40000, 53), ["vnet0"])
    world.check("    and the first one of the guest itself goes on", not wrong, wrong)
    wrong = world.verdict("uplink", talk.udp(1, 40000, 54), [])
    world.check("    no answer passes that nobody has asked for", not wrong, wrong)


def test_life(world):
    """A limit is there as long as its zone has a port."""
    def check(what, names):
        found = {z: limit for z, (limit, _) in limits(world).items()}
        wanted = {zone(world, name): LIMIT for name in names}
        world.check(f"{what}: whose zones are limited", found == wanted, (found, wanted))
    check("at first", ["vnet0", "vnet1"])
    world.ovs.restart_switch()
    world.rewire()
    world.sync()
    check("ovs-vswitchd has started anew", ["vnet0", "vnet1"])
    world.ovs.appctl("dpctl/ct-set-limits", DATAPATH, f"zone={zone(world, 'vnet0')},limit=7",
                     "zone=5,limit=9")
    world.sync("--port=vnet0")
    found = limits(world)
    world.check("somebody else's changes: ours is mended, his stays",
                found[zone(world, "vnet0")][0] == LIMIT and found[5][0] == 9, found)
    world.ovs.appctl("dpctl/ct-del-limits", DATAPATH, "zone=5")
    world.bind("vnet1", "no-state")
    world.sync()
    world.sync()
    check("a filter without connections", ["vnet0"])
    world.bind("vnet1", "begins")
    world.sync()
    world.unplug("vnet0")
    world.sync()
    check("a port is gone", ["vnet1"])
    nwfilter("unmanage", "br0")
    check("unmanaged", [])


if __name__ == "__main__":
    run(test)
