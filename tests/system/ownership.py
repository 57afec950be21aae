#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whose a flow is: other people's are never touched, and ours name their port and rule.

Foreign flows, with cookies that look almost like ours and in our tables too, go through manage,
syncs of all kinds and unmanage, and stay as they are.  Our own are read out of
ovs-ofctl's dump: each that belongs to a port matches that port, by in_port or by reg0, and its
cookie tells the port and the rule that a frame met.
"""

import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"

# Cookies beside ours, which are 0x6e7766 and any 40 bits; and of no likeness.
COOKIES = ["0x0", "0x1", "0x6e7765ffffffffff", "0x6e77670000000000", "0x6e77", "0x6e7766",
           "0x006e776601000000", "0xffffffffffffffff"]
TABLES = [0, 10, 11, 100, 101, 102, 103, 104, 105, 106, 108, 109, 110, 150, 200, 253]

RULES = ("<rule action='drop' direction='out' priority='100'><ip dstipaddr='10.0.0.91'/></rule>"
         "<rule action='accept' direction='out' priority='200'><ip dstipaddr='10.0.0.92'/></rule>"
         "<rule action='drop' direction='out' priority='300'><arp/></rule>"
         "<rule action='drop' direction='in' priority='400'><ip dstipaddr='10.0.0.93'/></rule>"
         "<rule action='drop' direction='out' priority='500'/>")


def test(world):
    define("rules", RULES)
    world.trusted("uplink", 254)
    world.trusted("eth5", 253, tag=5)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, "rules")
    world.guest("vnet2", 3, CLEAN, {"tag": 5}, IP="10.0.0.3,10.0.0.33")
    world.guest("lost", 4)
    test_foreign(world)
    test_ports(world)
    test_rules(world)


# --- other people's

def test_foreign(world):
    # Changing fail_mode empties the bridge, which is Open vSwitch's doing.
    world.ovs.vsctl("set", "Bridge", "br0", "fail_mode=secure")
    world.ovs.ofctl("del-flows", "br0")
    world.ovs.ofctl("add-flows", "br0", "-", stdin="\n".join(
        f"cookie={cookie},table={table},priority={7000 + i},dl_type=0x88b6,"
        f"dl_src=02:00:00:00:00:{i:02x},actions=NORMAL"
        for table in TABLES for i, cookie in enumerate(COOKIES)))
    before = foreign(world)
    world.check("foreign flows are there", len(before) == len(TABLES) * len(COOKIES), len(before))
    steps = {
        "manage": lambda: world.manage(),
        "sync": lambda: nwfilter("sync"),
        "a change and sync": lambda: [world.set_tags("vnet0", nwfilter_IP="10.0.0.9"),
                                      nwfilter("sync")],
        "sync --full": lambda: nwfilter("sync", "--full"),
        "a lost flow and sync": lambda: [
            world.ovs.ofctl("del-flows", "br0", "cookie=0x6e77660100000000/0xffffffff00000000"),
            nwfilter("sync")],
        "manage --audit": lambda: world.manage("--audit"),
        "a port that goes and sync": lambda: [world.unplug("vnet0"), nwfilter("sync")],
        "unmanage": lambda: nwfilter("unmanage", "br0"),
    }
    for what, step in steps.items():
        step()
        after = foreign(world)
        world.check(f"{what}: foreign flows are as they were", after == before,
                    sorted(set(before) ^ set(after))[:4])
    everything = world.ovs.flows("br0")
    world.check("unmanage leaves them and nothing else", len(everything) == len(before),
                len(everything))
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.ovs.ofctl("del-flows", "br0")
    world.manage()


def foreign(world):
    return sorted(re.sub(r"(duration|idle_age|hard_age|n_packets|n_bytes)=[\w.]+, ?", "", line)
                  for line in world.ovs.ofctl("dump-flows", "br0").splitlines()
                  if not line.startswith("OFPST_FLOW") and not re.search(r"cookie=0x6e7766\w{10},", line))


# --- ours

def ours(world):
    """(cookie's kind, port, rule; the flow's match; its packets) of each."""
    for line in world.ovs.ofctl("dump-flows", "br0").splitlines():
        if "cookie=" not in line:  # Each part of a long answer has a line of its own.
            continue
        cookie = int(re.search(r"cookie=(0x\w+)", line)[1], 16)
        if cookie >> 40 == 0x6e7766:
            match = re.search(r"priority=\d+,?(\S*) actions=", line)
            yield (cookie >> 32 & 0xff, cookie >> 16 & 0xffff, cookie & 0xffff,
                   match[1] if match else "", int(re.search(r"n_packets=(\d+)", line)[1]))


CLASSIFY, DELIVER, TRUSTED, QUARANTINE, PINNED, FROM_VM, TO_VM = 2, 5, 6, 8, 10, 0x11, 0x12
# By which a flow of a port's is for that port alone.
FIELDS = {CLASSIFY: {"in_port", "reg2"}, FROM_VM: {"in_port"}, TO_VM: {"reg0"},
          QUARANTINE: {"in_port", "reg0", "reg2"}, PINNED: {"reg11"}}


def test_ports(world):
    """Invariant 6.  In audit mode too, where a port that is not known has one flow of nobody's."""
    numbers = {world.ovs.ofport(name): name for name in world.ports}
    local = {"LOCAL": 0xfffe}
    for mode in ("enforce", "audit"):
        world.manage(*(["--audit"] if mode == "audit" else []))
        wrong, seen = [], {}
        for kind, port, rule, match, _ in ours(world):
            fields = dict(field.partition("=")[::2] for field in match.split(","))
            own = [int(str(local.get(value, value)).partition("/")[0], 0)
                   for name, value in fields.items()
                   if name in ("in_port", "reg0", "reg2") or (name, kind) == ("reg11", PINNED)]
            if kind in FIELDS and port:
                seen.setdefault(kind, set()).add(numbers[port])
                if own != [port] or not FIELDS[kind] & set(fields):
                    wrong.append((hex(kind), port, match))
            elif own and kind != TRUSTED:
                wrong.append((hex(kind), port, match))
        world.check(f"{mode}: each flow of a port's matches the port of its cookie", not wrong,
                    wrong)
        guests = {"vnet0", "vnet1", "vnet2"}
        world.check(f"{mode}: and each guest has them", seen.get(FROM_VM) == seen.get(TO_VM)
                    == guests and guests <= seen.get(CLASSIFY, set())
                    and seen.get(QUARANTINE) == {"lost"}, seen)
    world.manage()


def test_rules(world):
    """A frame counts on the flow whose cookie names the port and, of its direction, the rule."""
    number = world.ovs.ofport("vnet1")
    end = 0xfffe
    world.wire.exchange([("uplink", world.ip("uplink"))])  # or frames for it are flooded
    rows = [
        ("vnet1", world.ip("vnet1", dst="10.0.0.91"), FROM_VM, 0),
        ("vnet1", world.ip("vnet1", "uplink", dst="10.0.0.92"), FROM_VM, 1),
        ("vnet1", world.arp("vnet1"), FROM_VM, 2),
        ("vnet1", world.ipv6("vnet1"), FROM_VM, 3),
        ("uplink", world.ip("uplink", "vnet1", dst="10.0.0.93"), TO_VM, 0),
        ("uplink", world.ip("uplink", "vnet1", dst="10.0.0.94"), TO_VM, end),
    ]
    for sender, frame, kind, rule in rows:
        before = counters(world, number)
        world.wire.exchange([(sender, frame)])
        # A cached flow's packets are counted when it is revalidated, or goes.
        world.ovs.purge()
        after = counters(world, number)
        # Rows that are no rule's, as those that compare addresses, count where the end does.
        counted = {key for key in after if after[key] != before.get(key)}
        world.check(f"the frame counts on rule {rule}, {'out' if kind == FROM_VM else 'in'}",
                    counted - {(kind, end)} == {(kind, rule)} - {(kind, end)}
                    and (rule != end or (kind, end) in counted), counted)


def counters(world, number):
    totals = {}
    for kind, port, rule, _, packets in ours(world):
        if port == number and kind in (FROM_VM, TO_VM):
            totals[kind, rule] = totals.get((kind, rule), 0) + packets
    return totals


if __name__ == "__main__":
    run(test)
