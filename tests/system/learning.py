#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A flood of source addresses behind the uplink takes nobody else's room.

What is learned has a bound for each trusted port and VLAN.  Who is learned stays so while he talks,
and in other VLANs and behind other ports addresses are learned as ever.
"""

import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from system.world import define, run  # noqa: E402

N_FLOOD, ROOM, LOT = 9000, 1024, 100
GATEWAY, SINK = "02:00:00:00:aa:01", "02:00:00:00:aa:02"
LEARNED = "cookie=0x6e77668100000000/0xffffffff00000000"


def test(world):
    define("open", "<rule action='accept' direction='inout'/>")
    world.trusted("uplink", 1)
    world.trusted("eth1", 2)
    world.trusted("eth6", 3, tag=6)
    world.guest("vnet5", 10, "open", {"tag": 5})
    world.guest("vnet6", 11, "open", {"tag": 6})
    world.guest("trunk", 12, "open")
    world.manage()
    for port, vid in (("eth1", 5), ("eth6", 6), ("eth1", 9)):
        teach(world, port, SINK, () if port == "eth6" else (vid,))  # the flood is for one
    for what, vid, others in (("a port's VLAN", 5, (6, 9)), ("a VLAN that no port names", 9, (6,))):
        test_flood(world, what, vid, others)


def teach(world, port, mac, tags):
    world.wire.exchange([(port, f.eth(f.BROADCAST, mac, b"", 0x88b5, tags))])


def flood(world, port, vid):
    """As many addresses as it takes, and the gateway talks in between as gateways do."""
    uplink, gateway = world.ports[port], f.eth(SINK, GATEWAY, b"", 0x88b5, (vid,))
    uplink.send(gateway)
    for number in range(N_FLOOD):
        mac = f"02:77:{vid:02x}:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        uplink.send(f.eth(SINK, mac, b"", 0x88b5, (vid,)))
        if number % LOT == LOT - 1:
            uplink.send(gateway)
            world.wire.settle()


def n_learned(world, port, vid):
    flows = world.ovs.ofctl("--no-stats", "dump-flows", "br0", LEARNED).splitlines()
    pattern = rf"reg1={vid:#x}/0xfff\b.*set_field:{world.ovs.ofport(port):#x}(/0xffff)?->reg2"
    return sum(bool(re.search(pattern, flow)) for flow in flows)


def check(world, what, rows):
    """Where frames go that no guest's filter decides about."""
    wrong = [why for why in (world.verdict(*row) for row in rows) if why]
    world.check(what, not wrong, wrong)


def frame(world, sender, to, tags):
    return f.eth(to, world.mac(sender), b"", 0x88b5, tags)


def test_flood(world, what, vid, others):
    late = f"02:00:00:00:bb:{vid:02x}"
    flood(world, "uplink", vid)
    found = n_learned(world, "uplink", vid)
    world.check(f"a flood in {what}: so much is learned, and no more", 0 < found <= ROOM, found)
    for other in others:
        teach(world, "uplink", late, (other,))
    teach(world, "eth1", late, (vid,))
    check(world, "    the gateway is known as before, and who comes by another port", [
        (sender, frame(world, sender, GATEWAY, (vid,)), ["uplink"]) for sender in ("trunk", "eth1")
    ] + [("uplink", frame(world, "uplink", late, (vid,)), ["eth1"])])
    check(world, "    as is who comes in another VLAN", [
        ("trunk", frame(world, "trunk", late, (other,)), ["uplink"]) for other in others])


if __name__ == "__main__":
    run(test)
