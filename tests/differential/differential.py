#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Do we mean what libvirt means?

Each filter is bound twice: by libvirt to a port of a Linux bridge, and by ovs-nwfilter to a port of
an Open vSwitch bridge.  The same frames go through both, from the guest and to it, and every frame
must fare alike.  Only the filters' meaning is compared here, not how a change of filters behaves
under traffic.

    differential.py [--only PATTERN] [--random N] [--seed S] [--limit N]

The environment has defaults for some: DIFF_RANDOM, DIFF_SEED; and OVS_NWFILTER, the program under
test (default: build/ovs-nwfilter).  The same seed gives the same filters.  Ends with one line:

    differential: F filters, N frames, D differences (seed S)
"""

import argparse
import concurrent.futures
import fnmatch
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))

import cases  # noqa: E402
from lab import netns  # noqa: E402
from lab.lab import main  # noqa: E402
from report import Report, compare_refusals  # noqa: E402
from sides import LibvirtSide, OvsSide  # noqa: E402

PROGRAM = os.environ.get("OVS_NWFILTER",
                         os.path.join(HERE, "..", "..", "build", "ovs-nwfilter"))


def arguments():
    parser = argparse.ArgumentParser(description="compare ovs-nwfilter with libvirt")
    parser.add_argument("--only", metavar="PATTERN", default="*", help="filters of these names")
    parser.add_argument("--random", metavar="N", type=int, help="this many random filters",
                        default=int(os.environ.get("DIFF_RANDOM", "40")))
    parser.add_argument("--seed", metavar="S", default=os.environ.get("DIFF_SEED", "1"))
    parser.add_argument("--limit", metavar="N", type=int, default=20,
                        help="differences shown of one filter (default: %(default)s)")
    return parser.parse_args()


def compare(lab):
    options = arguments()
    report = Report(options.limit)
    theirs, ours = LibvirtSide(lab.libvirt), OvsSide(lab.ovs, os.path.abspath(PROGRAM))
    if ours.setup_complaint:
        raise netns.LabError(f"manage: {ours.setup_complaint}")
    for case, wire, complaint in bound_ahead(theirs, select(options)):
        compare_case(case, wire, complaint, ours, report)
    report.summary(options.seed)
    return 1 if report.differences else 0


def select(options):
    chosen = [*cases.stock(), *cases.hand_written(), *cases.random(options.random, options.seed)]
    return [case for case in chosen if fnmatch.fnmatch(case.name, options.only)]


def bound_ahead(side, chosen):
    """Yield each case when libvirt has bound it; it binds the next one meanwhile."""
    with concurrent.futures.ThreadPoolExecutor(1) as worker:
        upcoming = [worker.submit(side.bind, case) for case in chosen[:1]]
        for number, case in enumerate(chosen):
            wire, complaint = upcoming.pop().result()
            upcoming += [worker.submit(side.bind, other)
                         for other in chosen[number + 1:number + 2]]
            yield case, wire, complaint


def compare_case(case, wire, complaint, ours, report):
    our_wire, our_complaint = ours.bind(case)
    report.begin(case)
    frames = case.frames()
    if complaint or our_complaint:
        compare_refusals(case, complaint, our_complaint, report)
        if our_complaint:
            check_closed(our_wire, frames, report)
        return
    if "us" in case.refused_by:
        report.difference(f"ours accepts what it should refuse ({case.word or 'as libvirt does'})")
    outcomes = zip(frames, wire.exchange(frames), our_wire.exchange(frames))
    for (direction, frame), expected, found in outcomes:
        if expected != found and not report.is_known(direction, frame, expected, found):
            report.frame(direction, frame, expected, found)
    report.frames += len(frames)


def check_closed(wire, frames, report):
    """A port whose filter is refused lets nothing through."""
    for (direction, frame), found in zip(frames, wire.exchange(frames)):
        if found != "dropped":
            report.frame(direction, frame, "refused, so dropped", found)
    report.frames += len(frames)


if __name__ == "__main__":
    arguments()
    if not os.access(PROGRAM, os.X_OK):
        netns.skip(f"needs {PROGRAM}")
    main(compare, ovs=True, libvirt=True)
