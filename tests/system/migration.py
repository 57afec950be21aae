#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A machine moves to another host and back while others talk to it and forge its addresses.

The same migrations first without any filter, on bridges that do NORMAL: with filters as much may be
lost, but for noise, as without.  What is lost while the machine stands is nobody's fault, and does
not count on either side.  (What a machine sends is never lost: it waits in the guest.)
"""

import os
import statistics
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.lab import main  # noqa: E402
from lab.netns import LabError  # noqa: E402
from lab.vm import KINDS  # noqa: E402
from system import migrating as m  # noqa: E402
from system.world import FILTERS, define  # noqa: E402

# Pings (of 10 ms) that may be lost more than without filters.  On the way back the peer's host is
# the one that the machine leaves: there NORMAL too, now and then, needs 0.4 s to follow.
NOISE = {"there": 15, "back": 60}

# Whoever connects to the machine's echo server may talk; the machine itself may not begin.
SERVER = """\
<filterref filter='clean-traffic'/>
<rule action='accept' direction='in'>
  <tcp dstportstart='7' dstportend='7' state='{}'/>
</rule>
<rule action='accept' direction='out'>
  <tcp srcportstart='7' srcportend='7' state='{}'/>
</rule>
<rule action='accept' direction='inout'><icmp/></rule>
<rule action='accept' direction='out'><udp dstportstart='5001' dstportend='5001'/></rule>
<rule action='drop' direction='inout'><all/></rule>
"""


def bound(filter_name):
    return filter_name, f"IP={m.IP}"


# Entries of connections do not move with the machine.  Its transfer goes on by what comes first: a
# segment of the peer's, which as NEW may pass the first time that it is seen at all; and where
# only the machine may begin, one of its own, be it what TCP sends again or to see that the peer is
# there.  (What, policies, moves, and for how many ms longer than without filters the transfer may
# stall: TCP's timer doubles.)
FILTERED = (
    ("clean-traffic", (bound("clean-traffic"), bound("clean-traffic")), 4, 1500),
    ("connections to the machine", (bound("server"), bound("server")), 2, 1500),
    ("only the machine begins on the other host", (bound("server"), bound("client")), 1, 4000),
)


class Checks:
    def __init__(self):
        self.failures = 0

    def __call__(self, what, good, why=""):
        print(f"{'ok    ' if good else 'FAILED'} {what}{'' if good or not why else f': {why}'}",
              flush=True)
        self.failures += not good


def migrate_often(lab, check, what, policies, moves):
    """There and back; returns what was lost on the ways there, and on those back."""
    pair = m.Pair(lab, policies)
    try:
        pair.boot(pair.a)
        source, target = pair.a, pair.b
        seen = {"there": [], "back": []}
        for i in range(moves):
            report = pair.migrate(source, target)
            way = "back" if i % 2 else "there"
            show(what, way, report)
            seen[way].append(report)
            if policies:
                check_frames(check, pair, f"{what}, {way}")
            if report["broken"]:
                check(f"{what}, {way}: the transfer goes on", False, report["broken"])
            source, target = target, source
        if policies:
            check_daemons(check, pair, what)
        return seen
    finally:
        pair.stop()


def show(what, way, report):
    print(f"        {what}, {way}: {report['lost']} of {report['pings']} pings lost "
          f"({report['before']} before the machine moved), and {report['excused']} in the "
          f"{report['stood_ms']:.0f} ms that it stood; the transfer stalled for "
          f"{report['stall_ms']:.0f} ms", flush=True)


def check_frames(check, pair, what):
    spoofed = {f"{KINDS.get(kind, 'evil ' + str(kind))} at {port}": count
               for (port, kind), count in pair.spoofed().items()}
    check(f"{what}: no forged frame anywhere ({pair.forged} rounds by the neighbour)",
          not spoofed and pair.forged > 20, spoofed)
    for port in ("peer", "outside"):
        for kind, rounds in pair.clean_rounds(port).items():
            wanted = list(range(rounds[0], rounds[-1] + 1)) if rounds else [None]
            check(f"{what}: what the machine rightly sends arrives, {KINDS[kind]} at {port} "
                  f"({len(rounds)} frames)", rounds == wanted,
                  sorted(set(wanted) ^ set(rounds)) or "some twice")


def check_daemons(check, pair, what):
    for side in (pair.a, pair.b):
        with side:
            wrong = side.daemon.recompute()
        check(f"{what}: recompute finds no difference on host {side.name}", not wrong, wrong)


def lost(reports):
    return statistics.median(report["lost"] for report in reports)


def stall(reports):
    """For how long nothing came back beyond the time that the machine stood, in milliseconds."""
    return statistics.median(report["stall_ms"] - report["stood_ms"] for report in reports)


def compare(check, what, way, seen, plain, longer):
    check(f"{what}, {way}: {lost(seen[way]):g} pings lost, {lost(plain[way]):g} without filters",
          lost(seen[way]) < lost(plain[way]) + NOISE[way])
    more = stall(seen[way]) - stall(plain[way])
    check(f"{what}, {way}: the transfer stalls for {more:.0f} ms more than without filters",
          more < longer)
    check(f"{what}, {way}: and loses nothing", not any(r["missing"] for r in seen[way]),
          [r["missing"] for r in seen[way]])


def test(lab):
    check = Checks()
    os.makedirs(FILTERS, exist_ok=True)
    define("server", SERVER.format("NEW,ESTABLISHED", "ESTABLISHED"))
    define("client", SERVER.format("ESTABLISHED", "NEW,ESTABLISHED"))
    lab.ovs.add_bridge("wire")
    plain = migrate_often(lab, check, "no filter", None, 4)
    if any(report["missing"] for reports in plain.values() for report in reports):
        raise LabError("the transfer does not survive a migration without filters")
    for what, policies, moves, longer in FILTERED:
        seen = migrate_often(lab, check, what, policies, moves)
        for way in filter(seen.get, ("there", "back")):
            compare(check, what, way, seen, plain, longer)
    return 1 if check.failures else 0


if __name__ == "__main__":
    main(test, ovs=True, machines=True)
