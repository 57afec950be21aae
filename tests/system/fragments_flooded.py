#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fragments that are flooded, on a bridge where one guest's filter tracks connections.

Connection tracking keeps fragments until all of their packet are there, and then gives all of them
out.  Neither may concern the receivers that come after such a guest: they get each fragment when it
is sent, once, and by their own filters."""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from system.world import define, run  # noqa: E402

LONG = bytes(1280)  # Trackers keep no shorter fragment, but the last.


def test(world):
    define("tracked", "<rule action='accept' direction='in' priority='500'><udp/></rule>"
                      "<rule action='drop' direction='inout' priority='502'><all/></rule>")
    define("no-port", "<rule action='drop' direction='in'>"
                      "<ip protocol='udp' dstportstart='5001'/></rule>")
    define("no-66", "<rule action='drop' direction='in'><ip srcipaddr='10.0.0.66'/></rule>")
    world.trusted("uplink", 254)
    for number, name in enumerate(("tracks", "no-port", "no-66", "also-tracks"), 1):
        world.guest(name, number, "tracked" if "tracks" in name else name)
    world.manage()
    for what, tags in (("untagged", ()), ("in a VLAN", (5,))):
        test_fragments(world, what, tags)


def test_fragments(world, what, tags):
    """In a VLAN no rule for IP is met, and nothing tracked."""
    everybody = ["also-tracks", "no-66", "no-port", "tracks"]
    first = fragment(world, tags, f.udp(5000, 5001, LONG))
    last = fragment(world, tags, f.udp(1, 2), offset=1296)
    expected = [everybody if tags else [name for name in everybody if name != "no-port"], everybody]
    for when in ("an upcall", "cached"):
        got = world.wire.exchange_each([("uplink", first), ("uplink", last)])
        names = [[name for name, _ in copies] for copies in got]
        world.check(f"both fragments at once, {what}, {when}: each receiver gets, once, what its "
                    "filter takes", names == expected, names)
    before, after = [[name for name, _ in world.wire.exchange_each([("uplink", frame)])[0]]
                     for frame in (first, last)]
    world.check("    one after the other: those that do not track get each when it is sent",
                before == [name for name in expected[0] if tags or "tracks" not in name]
                and after == everybody, (before, after))


def fragment(world, tags, payload, offset=0):
    return f.eth(f.BROADCAST, world.mac("uplink"), f.ipv4(
        "10.0.0.254", "10.0.0.255", payload, offset=offset, more=not offset), tags=tags)


if __name__ == "__main__":
    run(test)
