#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A managed bridge forwards as Open vSwitch does by itself, and filters what it floods.

The first half has an oracle: the same ports exchange the same frames before the bridge is managed,
when one NORMAL flow does everything, and afterwards, with filters that accept everything.  Ports
are trunks, limited trunks, access ports and both kinds of native VLANs, guests and trusted; frames
come without a tag and with those of several VLANs.  Each must come out of the same ports, once,
with the same tags.

The second half has filters that tell frames apart, and stations that lie about who they are.
"""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.decode import describe  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

# Of the Port row.
VLANS = {
    "trunk": {},
    "limited": {"trunks": "5,7"},
    "limited0": {"trunks": "0,6"},
    "access5": {"tag": 5},
    "access6": {"tag": 6},
    "nativet": {"tag": 5, "vlan_mode": "native-tagged"},
    "nativeu": {"tag": 5, "vlan_mode": "native-untagged"},
    "nativel": {"tag": 6, "vlan_mode": "native-untagged", "trunks": "5"},
}
TAGS = [(), (5,), (6,), (7,), ((5, 3),), (5, 6)]
MULTICAST, UNKNOWN = "01:00:5e:01:02:03", "52:54:00:00:99:99"

FILTERS = {
    "open": "<rule action='accept' direction='inout'/>",
    # Towards the guest: no ARP, and no IPv4 but from 10.0.0.1.
    "choosy": "<rule action='drop' direction='in'><arp/></rule>"
              "<rule action='accept' direction='in'><ip srcipaddr='10.0.0.1'/></rule>"
              "<rule action='drop' direction='in'><ip/></rule>",
    "shut-in": "<rule action='drop' direction='in'/>",
    "ipv6-only": "<rule action='accept' direction='in'><ipv6/></rule>"
                 "<rule action='drop' direction='in'/>",
}


def test(world):
    for name, text in FILTERS.items():
        define(name, text)
    plug(world)
    test_as_normal(world)
    world.unplug(*list(world.ports))
    test_floods(world)
    test_lies(world)


# --- beside NORMAL

def plug(world):
    """Of each kind a trusted port and a guest."""
    for number, (kind, columns) in enumerate(VLANS.items()):
        world.trusted(f"t-{kind}", 100 + number, **columns)
        world.guest(f"g-{kind}", number, "open", columns)


def test_as_normal(world):
    ports = list(world.ports)
    teach(world, ports)  # both ways of forwarding know then who is where
    traffic = [(sender, world.ip(sender, to, tags=tags)) for sender in ports for tags in TAGS
               for to in [f.BROADCAST, MULTICAST, UNKNOWN] + ports if to != sender]
    before = world.wire.exchange_each(traffic)
    n_received = sum(len(got) for got in before)
    world.check("NORMAL forwards much of it", n_received > len(traffic), n_received)
    for options in (["--audit"], []):
        world.manage(*options)
        teach(world, ports)
        after = world.wire.exchange_each(traffic)
        compare(world, " ".join(["manage", *options]), traffic, before, after)


def compare(world, command, traffic, before, after):
    for kind in VLANS:
        wrong = [(sender, describe(frame), "NORMAL:", show(was),
                  "managed:", show(now))
                 for (sender, frame), was, now in zip(traffic, before, after)
                 if was != now and sender.endswith("-" + kind)]
        count = sum(sender.endswith("-" + kind) for sender, _ in traffic)
        world.check(f"{command}: from {kind} ports as by NORMAL ({count} frames)", not wrong,
                    "\n    ".join(["", *map(str, wrong[:5])]))


def teach(world, ports):
    world.wire.exchange([(name, world.ip(name, tags=tags)) for name in ports for tags in TAGS])


def show(got):
    return [(name, copy[12:20].hex()) for name, copy in got]


# --- flooded copies

def test_floods(world):
    """Each copy passes its receiver's filter; those of the same kind that are not flooded too."""
    world.trusted("uplink", 1)
    world.trusted("eth5", 2, tag=5)
    for number, name in enumerate(("open", "choosy", "shut-in", "ipv6-only")):
        world.guest(name, 10 + number, name)
        world.guest(f"{name}5", 20 + number, name, {"tag": 5})
    world.sync()
    pass_filter = {
        "IPv4 from 10.0.0.1": (lambda to, tags: world.ip("uplink", to, tags=tags),
                               {"open", "choosy"}),
        "IPv4": (lambda to, tags: world.ip("uplink", to, src="10.0.0.2", tags=tags), {"open"}),
        "ARP": (lambda to, tags: world.arp("uplink", to, tags=tags), {"open"}),
        "IPv6": (lambda to, tags: world.ipv6("uplink", to, tags=tags),
                 {"open", "choosy", "ipv6-only"}),
        "of another type": (lambda to, tags: f.eth(world.mac(to), world.mac("uplink"), b"", 0x88b5,
                                                tags),
                            {"open", "choosy"}),
    }
    for kind, (frame, accept) in pass_filter.items():
        rows = []
        for to in (f.BROADCAST, MULTICAST, "33:33:00:00:00:09", UNKNOWN):
            rows += [("uplink", frame(to, ()), accept),
                     ("uplink", frame(to, (5,)), in_vlan_5(accept)),
                     ("open5", frame(to, ()), {"uplink": [5]} | in_vlan_5(accept, [5], None))]
        world.expect_all(f"flooded: {kind}", rows)
        world.expect_all(f"to a guest's address: {kind}", [
            row for name in FILTERS for row in (
                ("uplink", frame(name, ()), [name] if name in accept else []),
                ("uplink", frame(f"{name}5", (5,)), {f"{name}5": []} if name in accept else {}),
                # Nobody has it in this VLAN: flooded.
                ("uplink", frame(f"{name}5", ()), accept))])


def in_vlan_5(accept, tagged=None, untagged=()):
    """Receivers of a frame in VLAN 5.  To filters a tagged frame is none of IPv4, ARP or IPv6."""
    trunks = dict.fromkeys({"open", "choosy"}, tagged)
    return trunks | dict.fromkeys(["eth5"] + [f"{name}5" for name in accept], untagged)


# --- lies

def test_lies(world):
    """Nobody takes frames from a guest or a trusted port by forging its address."""
    victims = ["open", "choosy", "uplink", "open5"]
    deceivers = ["ipv6-only", "open", "uplink"]
    for victim in victims:
        lies = [(who, f.eth(to, world.mac(victim), f.ipv4("10.0.0.1", "10.0.0.255", f.udp(1, 2)),
                            tags=tags))
                for who in deceivers if who != victim
                # A trusted port may have moved, and says so from another trusted port.
                and not (who == "uplink" and victim == "uplink")
                for to in (f.BROADCAST, "02:00:00:00:00:77") for tags in ((), (5,))]
        world.wire.exchange(lies)
        tags = (5,) if victim.endswith("5") else ()
        sender = "open" if victim != "open" else "uplink"
        world.expect(f"after others forged {victim}'s address, frames for it still reach it alone",
                     sender, world.ip(sender, victim, src="10.0.0.1", tags=tags),
                     {victim: [] if tags else None})
    result = nwfilter("diff")
    world.check("and diff finds nothing", result.status == 0, result)
    world.expect("a frame from a group address goes nowhere", "open",
                 f.eth(f.BROADCAST, "03:00:00:00:00:01", f.ipv4("10.0.0.1", "10.0.0.2",
                                                                f.udp(1, 2))), [])


if __name__ == "__main__":
    run(test)
