#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A guest that floods costs the datapath little, whatever it makes up.

One guest sends thousands of frames of each kind of lab/flood.py; what its filter drops, and what it
sends to groups, leaves few cached flows and few masks.  An Ethernet type of its own is always a
cached flow of its own, whatever flows match: there, masks count.

The tables that compare what guests send are one for all.  While one of them is empty no bad frame
passes: what is not known to be a guest's own is not, and what is not known to be harmless is not.
"""

import os
import random
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import flood  # noqa: E402
from system import strict_frames  # noqa: E402
from system.world import FILTERS, define, nwfilter, run  # noqa: E402

FLOWS_MAX = MASKS_MAX = 64
MIXED_MASKS_MAX = 192
TABLE_COMPARE_FIRST, TABLE_COMPARE_LAST = 226, 253


def test(world):
    world.trusted("uplink", 1)
    world.guest("trunk", 2, "clean-traffic", IP="10.0.0.5")
    world.guest("access", 3, "clean-traffic", {"tag": 5}, IP="10.0.0.5")
    world.guest("lists", 4, "clean-traffic", IP="10.0.0.5,10.0.0.77,10.0.8.0/28")
    world.guest("strict", 5, "clean-traffic-strict", IP="10.0.0.5", IPV6="2001:db8::5")
    define("ports", """<rule action='accept' direction='out'><ip dstipaddr='192.0.2.7'/></rule>
        <rule action='accept' direction='out'><ip protocol='udp' dstportstart='53'/></rule>
        <rule action='drop' direction='out'/>""")
    define("many-ports", """<rule action='accept' direction='out'><ip dstipaddr='192.0.2.7'/></rule>
        <rule action='accept' direction='out'><ip protocol='udp' dstportstart='53' dstportend='65'/></rule>
        <rule action='accept' direction='out'><ip protocol='udp' dstportstart='2001' dstportend='2110'/></rule>
        <rule action='drop' direction='out'/>""")
    world.guest("ports", 6, "ports", IP="10.0.0.5")
    # NORMAL's behaviour: frames to the bridge's own groups are told from others.
    world.ovs.vsctl("remove", "Bridge", "br0", "other_config", "forward-bpdu")
    world.manage()
    world.hear("trunk", "access", "lists", "strict")
    for name in ("trunk", "access", "lists", "strict"):
        for kind in flood.KINDS:
            if name == "strict" or kind not in flood.IPV6_KINDS:
                check_flood(world, name, kind)
    check_neighbours(world)
    check_chosen(world)
    check_empty(world)


def check_flood(world, name, kind):
    found = cached_of(world, name, flood.Flooder(world.mac(name), "10.0.0.5").frames(kind))
    flows_max = None if kind in ("ethertype", "mixed") else FLOWS_MAX
    masks_max = MIXED_MASKS_MAX if kind == "mixed" else MASKS_MAX
    good = found.masks <= masks_max and (flows_max is None or found.megaflows <= flows_max)
    world.check(f"{name}: {kind}: {found.megaflows} flows, {found.masks} masks",
                good and found.megaflows, f"more than {flows_max}, {masks_max}")


def check_neighbours(world):
    """The worst that addresses can do: each differs from the guest's own in one bit more."""
    guest = flood.Flooder(world.mac("trunk"), "10.0.0.5")
    strict = flood.Flooder(world.mac("strict"), "10.0.0.5")
    near = [flood.flip(guest.mac, bit) for bit in range(48)]
    near6 = [flood.flip6(strict.ip6, bit) for bit in range(128)]
    for name, what, frames in (
            ("trunk", "source MAC", [guest.ipv4(src=mac) for mac in near]),
            ("trunk", "ARP sender MAC", [guest.arp(sha=mac) for mac in near]),
            ("strict", "IPv6 source", [strict.ipv6(src=address) for address in near6]),
            ("strict", "ND target", [strict.advertisement(target=address) for address in near6])):
        found = cached_of(world, name, frames)
        # Addresses that differ in one bit of a pair are cached apart.
        flows_max = len(frames) if name == "strict" else FLOWS_MAX
        world.check(f"near {what} addresses: {found.megaflows} flows, {found.masks} masks",
                    0 < found.megaflows <= flows_max and found.masks <= MASKS_MAX)


def check_chosen(world):
    """Addresses and ports that fail at every bit of each: "filter check" tells what that costs."""
    guest = flood.Flooder(world.mac("ports"), "10.0.0.5")
    for name, limit in (("ports", MIXED_MASKS_MAX), ("many-ports", None)):
        frames = [guest.datagram("10.0.0.5", target, port) for target in flood.near_ip("192.0.2.7")
                  for port in flood.near_port(53)]
        world.bind("ports", name)
        nwfilter("sync")
        check_told(world, "ports", name, frames, limit)
    for name, filter_name in (("trunk", "clean-traffic"), ("strict", "clean-traffic-strict")):
        guest = flood.Flooder(world.mac(name), "10.0.0.5")
        frames = [guest.datagram(source, target, 67) for source in flood.near_ip("10.0.0.5")
                  for target in flood.near_ip("0.0.0.0")]
        check_told(world, name, filter_name, frames, MIXED_MASKS_MAX)
    check_told(world, "strict", "clean-traffic-strict",
               flood.Flooder(world.mac("strict"), "10.0.0.5").chosen(), MIXED_MASKS_MAX)


def check_told(world, name, filter_name, frames, limit):
    """At most 'limit' masks; without a limit about as many as are told."""
    random.Random(1).shuffle(frames)
    found = cached_of(world, name, frames)
    said = re.search(r"about (\d+) masks", nwfilter("filter", "check", filter_name).out)
    good = not said and found.masks <= limit if limit else \
        bool(said) and int(said[1]) / 2 < found.masks <= int(said[1])
    world.check(f"{filter_name}: {len(frames)} chosen packets: {found.masks} masks", good,
                (limit, said))


def check_empty(world):
    guest = strict_frames.Guest("strict", [world.mac("strict")], ["10.0.0.5"], ["10.0.0.9"],
                                ["2001:db8::5"], ["2001:db8::9"], ["fe80::5054:ff:fe00:5"])
    rows = list(strict_frames.outgoing(guest))
    good = [("strict", frame) for passes, _, frame in rows if passes]
    bad = [("strict", frame) for passes, _, frame in rows if not passes]
    n_good = reached(world, good)
    world.check(f"{len(bad)} bad frames reach nobody, {len(good)} good ones do",
                n_good == len(good) and reached(world, bad) == 0, n_good)
    needed = 0
    for table in range(TABLE_COMPARE_FIRST, TABLE_COMPARE_LAST + 1):
        n_flows = world.ovs.ofctl("dump-flows", "br0", f"table={table}").count("priority=")
        world.ovs.ofctl("del-flows", "br0", f"table={table}")
        world.ovs.purge()
        needed += reached(world, good) < n_good
        leaked = reached(world, bad)
        world.check(f"nor do they while table {table} is empty ({n_flows} flows)", not leaked, leaked)
        nwfilter("sync", "--full")
    world.check(f"{needed} of the tables are missed by good frames", needed > 12, needed)
    world.check("all pass again", reached(world, good) == n_good)


def reached(world, traffic):
    """How many of the frames reach anybody."""
    return sum(bool(got) for got in world.wire.exchange_each(traffic))


def cached_of(world, name, frames):
    world.ovs.purge()
    flood.send(world.ports[name], frames)
    found = flood.Cached(name)
    world.ovs.purge()
    return found


if __name__ == "__main__":
    run(test)
