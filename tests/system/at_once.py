#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What keepers of two bridges share: guests that come to both in one transaction.

Conntrack zones and their limits are the host's.  A keeper knows the others' zones by the database,
where what they are about to take is not yet.  And what is said of somebody else's flow that takes
the place of one of ours, once that is repaired.
"""

import os
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system.live import finish, start, wait_status  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

STATEFUL = "<rule action='accept' direction='out'><all/></rule>" \
    "<rule action='drop' direction='inout'><all/></rule>"
ZONES = 0x8000  # that are guests'
ROUNDS = 6
CROWD = 12  # guests that come to one bridge while one comes to the other


def test(world):
    define("stateful", STATEFUL)
    world.ovs.add_bridge("br1")
    world.manage()
    nwfilter("manage", "br1")
    start(world)
    test_zones(world)
    test_limits(world)
    test_replaced(world)
    world.daemon.ctl("resync")
    finish(world)


def plug(*guests):
    """Words for ovs-vsctl; guests: (bridge, name, OpenFlow number)."""
    words = []
    for bridge, name, number in guests:
        words += ["--", "add-port", bridge, name, "--", "set", "Interface", name, "type=internal",
                  f"ofport_request={number}", "external_ids:nwfilter=stateful",
                  f'external_ids:attached-mac="52:54:00:00:{number >> 8:02x}:{number & 255:02x}"']
    return words


def zone(world, name):
    return int(world.zone(name))


def test_zones(world):
    """Numbers whose zones would be the same, plugged together."""
    world.ovs.vsctl(*plug(("br0", "a", 1), ("br1", "b", 1)))
    world.daemon.settled("the first guests")
    apart = (zone(world, "a") - zone(world, "b")) % ZONES
    shared = []
    for i in range(ROUNDS):
        mine, other = (2 + i, 2 + i + apart) if apart < ZONES - 1000 else (2 + i + ZONES - apart, 2 + i)
        world.ovs.vsctl(*plug(("br0", f"a{i}", mine), ("br1", f"b{i}", other)))
        world.daemon.settled("two more guests")
        if zone(world, f"a{i}") == zone(world, f"b{i}"):
            shared.append(zone(world, f"a{i}"))
    world.check(f"{ROUNDS} times two guests at once on two bridges: each has a zone of its own",
                not shared, shared)
    wrong = world.daemon.recompute()
    world.check("    recompute finds no difference", not wrong, wrong)


def test_limits(world):
    """One guest on a bridge, many on the other: none loses the limit that the other has set."""
    lost = []
    for i in range(ROUNDS):
        one = [("br1", f"c{i}", 700 + i)]
        crowd = [("br0", f"d{i}-{j}", 800 + CROWD * i + j) for j in range(CROWD)]
        guests = one + crowd if i % 2 else crowd + one
        world.ovs.vsctl(*plug(*guests))
        world.daemon.settled("a crowd")
        table = world.ovs.appctl("dpctl/ct-get-limits", "netdev@ovs-netdev")
        lost += [name for _, name, _ in guests if f"zone={zone(world, name)},limit=" not in table]
    world.check(f"{ROUNDS} times {CROWD + 1} guests at once: each one's zone has its limit",
                not lost, lost)


def test_replaced(world):
    """Somebody's flow in the place of one of ours is gone when that is repaired."""
    world.ovs.ofctl("add-flow", "br0", "table=0,priority=1,actions=NORMAL")
    time.sleep(0.3)
    world.daemon.settle()
    left = [flow for flow in world.ovs.flows("br0") if "NORMAL" in flow]
    world.check("a flow in the place of one of ours is replaced again", not left, left)
    wait_status(world, "a", "active", "    and a guest's status does not speak of it any more", 3)


if __name__ == "__main__":
    run(test)
