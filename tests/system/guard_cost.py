#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the uplink guard costs: a guest that floods fills no cache with it.

What a guard adds to what is cached of a filtered guest is bounded as that is (see cost.py); of one
whose filter lets any source pass, Open vSwitch caches each source with a guard or without.
"""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import flood, frames as f  # noqa: E402
from system.cost import FLOWS_MAX, MASKS_MAX, MIXED_MASKS_MAX, cached_of  # noqa: E402
from system.guard import advertise, arp, ip, lla, solicit  # noqa: E402
from system.world import define, run  # noqa: E402

COUNT = 4000
BOUGHT = "00:50:56:00:00:07"
LISTED, LISTED_IP = "00:50:56:00:00:08", "192.0.2.8"


def test(world):
    world.trusted("nic", 1)
    world.guest("clean", 2, "clean-traffic", IP="10.0.0.5")
    define("open", "<rule action='accept' direction='inout'><mac/></rule>")
    define("own", "<rule action='accept' direction='out'><mac srcmacaddr='$MAC'/></rule>"
           "<rule action='drop' direction='out'><mac/></rule>")
    world.guest("own0", 3, "own", MAC=BOUGHT)
    world.guest("own1", 4, "own", MAC=LISTED)
    world.guest("open0", 5, "open")
    world.manage("--trusted=nic")
    without = measure(world)
    world.manage("--trusted=nic", "--guard=nic", f"--guard-mac={BOUGHT},{LISTED}/{LISTED_IP}")
    check(world, without, measure(world))
    for kind in flood.KINDS:
        found = cached_of(world, "clean", flood.Flooder(world.mac("clean"), "10.0.0.5").frames(
            kind, COUNT))
        masks_max = MIXED_MASKS_MAX if kind == "mixed" else MASKS_MAX
        world.check(f"clean-traffic: {kind}: {found.megaflows} flows, {found.masks} masks",
                    found.masks <= masks_max and (kind in ("ethertype", "mixed")
                                                  or found.megaflows <= FLOWS_MAX))


def kinds():
    """(what, guest, frames)"""
    random = flood.Flooder(BOUGHT, "10.0.0.5")
    macs = [random.any_mac() for _ in range(COUNT)]
    near = [flood.flip(BOUGHT, bit) for bit in range(48)]
    yield "ARP's sender", "own0", [arp(BOUGHT, sha=mac) for mac in macs]
    yield "ARP's sender, one bit off", "own0", [arp(BOUGHT, sha=mac) for mac in near]
    yield "solicitations' options", "own0", [solicit(BOUGHT, lla(1, mac)) for mac in macs]
    yield "    one bit off", "own0", [solicit(BOUGHT, lla(1, mac)) for mac in near]
    yield "    a target's", "own0", [solicit(BOUGHT, lla(2, mac)) for mac in macs]
    yield "advertisements' options", "own0", [advertise(BOUGHT, lla(2, mac)) for mac in macs]
    yield "a listed address's ARP", "own1", [arp(LISTED, spa=random.any_ip()) for _ in macs]
    yield "    IPv4 sources", "own1", [ip(LISTED, src=random.any_ip()) for _ in macs]


def measure(world):
    found = {what: cached_of(world, name, frames) for what, name, frames in kinds()}
    random = flood.Flooder(BOUGHT, "10.0.0.5")
    found["any source"] = cached_of(world, "open0", [ip(random.any_mac()) for _ in range(COUNT)])
    return found


def check(world, without, found):
    any_before, any_now = without.pop("any source"), found.pop("any source")
    for what, cached in found.items():
        world.check(f"{what}: {cached.megaflows} flows, {cached.masks} masks (without a guard "
                    f"{without[what].megaflows}, {without[what].masks})",
                    0 < cached.megaflows <= FLOWS_MAX and cached.masks <= MASKS_MAX)
    world.check(f"any source: {any_now.megaflows} flows, {any_now.masks} masks (without a guard "
                f"{any_before.megaflows}, {any_before.masks})",
                any_now.megaflows <= 1.1 * any_before.megaflows
                and any_now.masks <= any_before.masks + 8)


if __name__ == "__main__":
    run(test)
