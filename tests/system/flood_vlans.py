#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bridges that leave their trusted ports to NORMAL forward as NORMAL does by itself.

With flood_vlans: in such a VLAN nothing is learned and every frame is for all ports, guests by
their filters; in the other VLANs frames for a station go to it alone.  The oracle is that of
forwarding.py: the same ports and frames before the bridge is managed.
"""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from system import forwarding  # noqa: E402
from system.world import define, run  # noqa: E402


def test(world):
    for name, text in forwarding.FILTERS.items():
        define(name, text)
    world.ovs.vsctl("set", "Bridge", "br0", "flood_vlans=5,7")
    forwarding.plug(world)
    forwarding.test_as_normal(world)
    world.unplug(*list(world.ports))
    test_filters(world)
    test_change(world)


def test_filters(world):
    """What all get, guests get by their filters."""
    world.trusted("uplink", 1)
    world.trusted("eth1", 2)
    world.guest("open5", 20, "open", {"tag": 5})
    world.guest("choosy5", 21, "choosy", {"tag": 5})
    world.guest("open6", 22, "open", {"tag": 6})
    world.sync()
    forwarding.teach(world, list(world.ports))
    rows = []
    for sender, peer in (("uplink", "eth1"), ("eth1", "uplink")):
        for to in (peer, "open5", "choosy5", forwarding.UNKNOWN):
            rows += [(sender, world.ip(sender, to, src="10.0.0.1", tags=(5,)),
                      {peer: [5], "open5": [], "choosy5": []}),
                     (sender, world.ip(sender, to, src="10.0.0.9", tags=(5,)),
                      {peer: [5], "open5": []})]
        rows += [(sender, world.ip(sender, peer, tags=(6,)), {peer: [6]}),
                 (sender, world.ip(sender, "open6", tags=(6,)), {"open6": []})]
    rows += [("open5", world.ip("open5", to), {"uplink": [5], "eth1": [5]})
             for to in ("uplink", "choosy5", forwarding.UNKNOWN)]
    world.expect_all("every frame of a flooded VLAN is for all, of another for one", rows)


def test_change(world):
    """What was learned does not outlive the change, and what was not is learned then."""
    world.ovs.vsctl("set", "Bridge", "br0", "flood_vlans=6")
    world.sync()
    frames = [(sender, world.ip(sender, f.BROADCAST, tags=tags))
              for sender in ("uplink", "eth1") for tags in ((5,), (6,))]
    world.wire.exchange(frames)
    world.expect_all("another VLAN is flooded", [
        ("uplink", world.ip("uplink", "eth1", tags=(5,)), {"eth1": [5]}),
        ("uplink", world.ip("uplink", "open5", tags=(5,)), {"open5": []}),
        ("uplink", world.ip("uplink", "eth1", tags=(6,)), {"eth1": [6], "open6": []}),
        ("open6", world.ip("open6", "eth1"), {"eth1": [6], "uplink": [6]})])
    world.ovs.vsctl("clear", "Bridge", "br0", "flood_vlans")
    world.sync()
    world.wire.exchange(frames)
    world.expect_all("none is flooded", [
        ("uplink", world.ip("uplink", "eth1", tags=(6,)), {"eth1": [6]}),
        ("open6", world.ip("open6", "eth1"), {"eth1": [6]})])


if __name__ == "__main__":
    run(test)
