#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Do we mean what libvirt means, where rules know connections?

As differential.py, for the L3/L4 elements (tcp, udp ... all-ipv6): each filter is bound by libvirt
to a port of a Linux bridge, where iptables sees what is bridged, and by ovs-nwfilter to a port of an
Open vSwitch bridge.  The same conversations are held over both, between the guest and another
guest, a trusted port and the host itself, and every step must fare alike.

    layer4.py [--only PATTERN] [--random N] [--seed S] [--minimise N] [--jobs N] [--show]
              [--libvirt-only]

The environment has defaults: DIFF_RANDOM_L4, DIFF_SEED; and OVS_NWFILTER, the program under test
(default: build/ovs-nwfilter).  The same seed gives the same filters.  A filter that fares
differently is made smaller and smaller while it still does, at most N of them.  Ends with one line:

    differential: F filters, N frames, S steps, D differences (seed S)
"""

import argparse
import collections
import concurrent.futures
import contextlib
import fnmatch
import itertools
import os
import queue
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))

import cases  # noqa: E402
import derive_layer4  # noqa: E402
import generate_layer4  # noqa: E402
import known_layer4  # noqa: E402
import minimise  # noqa: E402
import repertoire  # noqa: E402
from lab import netns  # noqa: E402
from lab.lab import main  # noqa: E402
from ours import StatefulOvsSide  # noqa: E402
from report import SIGNS, Report, compare_refusals, signs, tell  # noqa: E402
from theirs import Theirs  # noqa: E402

PROGRAM = os.environ.get("OVS_NWFILTER",
                         os.path.join(HERE, "..", "..", "build", "ovs-nwfilter"))


def arguments():
    parser = argparse.ArgumentParser(description="compare ovs-nwfilter with libvirt, L3/L4 rules")
    parser.add_argument("--only", metavar="PATTERN", default="*", help="filters of these names")
    parser.add_argument("--random", metavar="N", type=int, help="this many random filters",
                        default=int(os.environ.get("DIFF_RANDOM_L4", "25")))
    parser.add_argument("--seed", metavar="S", default=os.environ.get("DIFF_SEED", "1"))
    parser.add_argument("--limit", metavar="N", type=int, default=10,
                        help="differences shown of one filter (default: %(default)s)")
    parser.add_argument("--minimise", metavar="N", type=int, default=3,
                        help="filters made small (default: %(default)s)")
    parser.add_argument("--jobs", metavar="N", type=int, default=min(2, os.cpu_count() or 1),
                        help="libvirts at work at once (default: %(default)s)")
    parser.add_argument("--show", action="store_true", help="show what libvirt does with each")
    parser.add_argument("--libvirt-only", action="store_true",
                        help="no comparison: only what is expected of libvirt is checked")
    return parser.parse_args()


def compare(lab):
    options = arguments()
    report = Report(options.limit)
    ours = None if options.libvirt_only else StatefulOvsSide(lab.ovs, os.path.abspath(PROGRAM))
    if ours and ours.setup_complaint:
        raise netns.LabError(f"setup: {ours.setup_complaint}")
    with contextlib.closing(Reference(options.jobs)) as theirs:
        Comparison(theirs, ours, report, options).run(select(options))
    report.summary(options.seed)
    return 1 if report.differences else 0


def select(options):
    chosen = [*cases.hand_written(cases.HAND_WRITTEN_LAYER4),
              *cases.random(options.random, options.seed, generate_layer4)]
    return [case for case in chosen if fnmatch.fnmatch(case.name, options.only)]


def conversations_for(case):
    found = repertoire.fixed() + derive_layer4.conversations_for(case.files, case.params)
    return list(dict.fromkeys(found))


class Reference:
    """libvirts that are at work on the next cases."""

    def __init__(self, jobs):
        self.processes = [Theirs() for _ in range(jobs)]
        self.idle = queue.SimpleQueue()
        for process in self.processes:
            self.idle.put(process)
        self.threads = concurrent.futures.ThreadPoolExecutor(jobs)

    def ask(self, case, conversations):
        """A future of (complaint, outcomes, rules)."""
        return self.threads.submit(self._ask, case, conversations)

    def _ask(self, case, conversations):
        process = self.idle.get()
        try:
            return process.ask(case.files, case.name, case.params, conversations)
        finally:
            self.idle.put(process)

    def close(self):
        self.threads.shutdown(cancel_futures=True)
        for process in self.processes:
            process.stop()


class Comparison:
    def __init__(self, theirs, ours, report, options):
        self.theirs, self.ours = theirs, ours
        self.report, self.options = report, options
        self.to_minimise = options.minimise

    def run(self, chosen):
        waiting = collections.deque()
        remaining = iter(chosen)
        while True:
            for case in itertools.islice(remaining, self.options.jobs + 1 - len(waiting)):
                conversations = conversations_for(case)
                waiting.append((case, conversations, self.theirs.ask(case, conversations)))
            if not waiting:
                return
            case, conversations, answer = waiting.popleft()
            self._compare(case, conversations, *answer.result())

    def _compare(self, case, conversations, complaint, expected, rules):
        self.report.begin(case)
        if self.options.show:
            show(case, conversations, complaint, expected, rules)
        check_expected(case, conversations, expected, self.report)
        if self.ours is None:
            if bool(complaint) != ("libvirt" in case.refused_by):
                self.report.difference(f"libvirt: {complaint or 'accepts'}")
            self._count(conversations)
            return
        parties, our_complaint = self.ours.bind(case)
        if complaint or our_complaint:
            compare_refusals(case, complaint, our_complaint, self.report)
            if our_complaint:
                check_closed(parties, conversations, self.report)
                self._count(conversations)
            return
        if "us" in case.refused_by:
            self.report.difference(f"ours accepts what it should refuse ({case.word})")
        self._count(conversations)
        found = parties.hold(conversations)
        different = [each for each in zip(conversations, expected, found)
                     if each[1] != each[2] and not self._is_known(case, *each)]
        for each in different:
            self.report.difference(tell(*each))
        if different and self.to_minimise:
            self.to_minimise -= 1
            minimise.report(case, different[0], self._fares_differently)

    def _count(self, conversations):
        steps = [step for each in conversations for step in each.steps]
        self.report.steps += len(steps)
        self.report.frames += sum(len(step.frames) for step in steps)

    def _is_known(self, case, conversation, expected, found):
        reason = known_layer4.conversation_reason(case, conversation, expected, found)
        if reason:
            self.report.count_known(reason)
        return bool(reason)

    def _fares_differently(self, case, conversation):
        """For minimise: (expected, found, libvirt's rules), or None if all is the same."""
        complaint, expected, rules = self.theirs.ask(case, [conversation]).result()
        parties, our_complaint = self.ours.bind(case)
        if complaint or our_complaint:
            return None
        found = parties.hold([conversation])
        if expected == found or known_layer4.conversation_reason(
                case, conversation, expected[0], found[0]):
            return None
        return expected[0], found[0], rules


def check_expected(case, conversations, expected, report):
    """That libvirt itself does what the filter's author says: or the comparison is in vain."""
    outcomes = {each.name: signs(words) for each, words in zip(conversations, expected)}
    for name, pattern in case.expected.items():
        if outcomes.get(name) != pattern:
            report.difference(f"libvirt: {name}: {outcomes.get(name)}, expected {pattern}")


def check_closed(parties, conversations, report):
    """A port whose filter is refused lets nothing through."""
    for conversation, found in zip(conversations, parties.hold(conversations)):
        if any(not word.startswith("dropped") for word in found):  # its address may be flooded
            report.difference(tell(conversation, ["dropped"] * len(found), found))


def show(case, conversations, complaint, expected, rules):
    print(f"\n{case.name}: {complaint or 'bound'}\n{rules}")
    for conversation, words in zip(conversations, expected):
        odd = [word for word in words if word not in SIGNS]
        print(f"  {conversation.name}: {signs(words)} {' '.join(odd)}")


if __name__ == "__main__":
    arguments()
    if not os.access(PROGRAM, os.X_OK):
        netns.skip(f"needs {PROGRAM}")
    main(compare, ovs=True, libvirt=True)
