#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""More filters than one flooded frame can visit: who has room gets it, and the rest are told so.

Open vSwitch ends a packet's translation after 4,096 tables, and drops it for everybody.  75 guests
whose filters have 60 stages each are too many for that.
"""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

N_GUESTS, N_STAGES, N_FIT = 75, 60, 65
PASSES = "02:00:00:00:00:01"  # ARP that asks this station passes
# Rules that cannot be merged into fewer tables.
LONG = "".join(
    f"<rule action='drop' direction='in'><arp match='no' arpsrcipaddr='10.0.{i}.0' "
    f"arpsrcipmask='24' arpdstipaddr='10.1.{i}.0' arpdstipmask='24' "
    f"arpsrcmacaddr='02:00:00:00:00:{i:02x}' arpdstmacaddr='{PASSES}'/></rule>"
    for i in range(N_STAGES))
SHORT = "<rule action='drop' direction='in'><arp arpdstmacaddr='02:00:00:00:00:02'/></rule>"
# "Other" frames may have a tag that does not show, and so meet filters that do not forbid them.
REASON = ("error: gets no flooded frames (ARP, other): the bridge's filters have more stages than "
          "one frame can visit")
NOTHING_SENT = " 0 added, 0 changed, 0 removed"


def test(world):
    define("long", LONG)
    define("short", SHORT)
    world.trusted("uplink", 201)
    world.trusted("eth1", 202)
    guests = [f"g{number}" for number in range(N_GUESTS)]
    for number, name in enumerate(guests):
        world.guest(name, 1 + number, "long")
    result = nwfilter("manage", "br0")
    check(world, "75 filters of 60 stages", guests[:N_FIT], guests[N_FIT:])
    world.check("    and manage names some", f"{N_GUESTS - N_FIT} guests" in result.err
                and guests[N_FIT] in result.err and result.err.count("\n") == 1, result)
    test_again(world, guests)
    test_room(world, guests)


def arp(world, sender, to=f.BROADCAST, tha=PASSES):
    return f.eth(world.mac(to), world.mac(sender),
                 f.arp(f.REQUEST, world.mac(sender), "172.16.0.1", tha, "172.16.0.2"))


def expect(world, what, rows):
    """Without asking explain about each of so many receivers."""
    wrong = [why for why in (world.verdict(*row) for row in rows) if why]
    world.check(what, not wrong, wrong)


def check(world, what, reached, others):
    trusted = ["uplink", "eth1"]
    everybody = trusted + reached
    wrong = {name: world.status(name) for name in reached if world.status(name) != "active"}
    wrong |= {name: world.status(name) for name in others if world.status(name) != REASON}
    world.check(f"{what}: statuses say who gets flooded frames", not wrong, wrong)
    world.hear(others[0])
    expect(world, f"{what}: a broadcast reaches trusted ports and all whom it is said to", [
        ("uplink", arp(world, "uplink"), everybody),
        ("eth1", arp(world, "eth1", "52:54:00:00:99:99"), everybody),
        (reached[0], arp(world, reached[0]), everybody),
        (others[-1], arp(world, others[-1]), everybody),
        ("uplink", arp(world, "uplink", tha="02:00:00:00:00:77"),
         trusted + [name for name in reached if name.startswith("new")]),
        # What is for one alone finds everybody, and passes its filter.
        ("uplink", arp(world, "uplink", others[0]), [others[0]]),
        ("uplink", arp(world, "uplink", others[0], tha="02:00:00:00:00:77"), []),
        # Kinds of frames that the filters pass need no visit.
        ("uplink", world.ipv6("uplink"), everybody + others)])


def test_again(world, guests):
    """Guests that are not compiled again, and are asked about alone."""
    for options in ([], ["--full"], [f"--port={guests[-1]}"], [f"--port={guests[0]}"]):
        result = nwfilter("sync", *options)
        unwell = not options or options[0] != f"--port={guests[0]}"
        world.check(f"sync {' '.join(options)} again", NOTHING_SENT in result.out
                    and result.status == unwell and world.status(guests[0]) == "active"
                    and world.status(guests[-1]) == REASON, result)
    world.set_tags(guests[-1], nwfilter_status=None)
    result = nwfilter("sync", f"--port={guests[-1]}")
    world.check("    and whoever removes the status does not make it good",
                result.status == 1 and REASON[7:] in result.err
                and world.status(guests[-1]) == REASON, result)


def test_room(world, guests):
    """Who comes later takes nobody's room; who goes leaves his to the next."""
    world.guest("new", 101, "short")
    nwfilter("sync")
    check(world, "a guest comes", guests[:N_FIT], guests[N_FIT:] + ["new"])
    world.unplug(guests[0])
    nwfilter("sync")
    check(world, "one of the first goes", guests[1:N_FIT + 1], guests[N_FIT + 1:] + ["new"])
    # A cheap one finds room where a dear one does not.
    world.bind(guests[1], "short")
    nwfilter("sync")
    stays = [name for name in guests[2:N_FIT + 1]]
    statuses = {name: world.status(name) for name in stays + [guests[1], "new"]}
    world.check("a filter becomes short: that guest and a short one have room",
                set(statuses.values()) == {"active"}, statuses)
    result = nwfilter("diff")
    world.check("diff finds nothing", result.status == 0, result)
    for name in guests[N_FIT + 1:]:
        world.bind(name, "short")
    world.sync()
    expect(world, "all have room", [("uplink", arp(world, "uplink"),
                                     ["uplink", "eth1", "new"] + guests[1:])])


if __name__ == "__main__":
    run(test)
