#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What do connection trackers make of a packet: Linux's, Open vSwitch's, and our rules behind it?

Asks both trackers of the packets of probes.py, and puts the program's rules to the test with the
same: for each state a filter that drops what is in it, and one that accepts nothing else.

    trackers.py [--renew] [--only WORDS]

Without --renew, the table must be the one that stands in src/filter/LANGUAGE.md; with it, it is
put there.  In either case no packet may pass a rule that drops its state to Linux, and none may be
accepted for a state that it has not to Linux, but those that `LISTED` has.  The environment's
OVS_NWFILTER is the program under test (default: build/ovs-nwfilter).
"""

import argparse
import collections
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))

import probes  # noqa: E402
from cases import Case  # noqa: E402
from lab import netfilter, netns  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.libvirt import LinuxBridge  # noqa: E402
from lab.wire import Port, Wire  # noqa: E402
from ours import StatefulOvsSide  # noqa: E402
from probes import ASKED  # noqa: E402
from world import GUEST, PEER  # noqa: E402

PROGRAM = os.environ.get("OVS_NWFILTER",
                         os.path.join(HERE, "..", "..", "build", "ovs-nwfilter"))
PAGE = os.path.join(HERE, "..", "..", "src", "filter", "LANGUAGE.md")
BEGIN, END = "<!-- trackers -->\n", "<!-- end of trackers -->\n"
STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID")
# What the packet's DSCP says on its way out.
SAYS = dict(enumerate(("invalid", "new", "established", "answer", "related", "untracked"), 1))
MEANS = {"answer": "ESTABLISHED", "untracked": None}  # to a rule; others their own name
LINUX = {"invalid": "ct state invalid", "new": "ct state new", "related": "ct state related",
         "established": "ct state established ct direction original",
         "answer": "ct state established ct direction reply", "untracked": "ct state untracked"}
OVS = {"invalid": "+inv", "related": "+rel-inv", "new": "+new-rel-inv", "answer": "+est+rpl-rel-inv",
       "established": "+est-rpl-rel-inv"}
# Where rules may pass here what libvirt's drop: the beginning of a row's words, and why.
LISTED = {
    "SCTP": "Open vSwitch's userspace datapath does not look into SCTP",
    "UDP-Lite, an answer from another port": "nor at ports of UDP-Lite",
    "TCP, behind a SYN, the answer SYN": "both sides begin at once: two connections",
    "TCP, behind a SYN and the other's SYN": "the same",
    "TCP, behind an ACK, the answer SYN": "it begins a connection of its own",
    "ICMP error about UDP with port 0": "whoever accepts INVALID accepts it",
    "ICMP error about an echo request of code 1": "the same",
    "ICMPv6 error about UDP with port 0": "the same",
    "ICMPv6 error about an echo request of code 1": "the same",
}


def arguments():
    parser = argparse.ArgumentParser(description="ask connection trackers of packets")
    parser.add_argument("--renew", action="store_true", help="put the table into LANGUAGE.md")
    parser.add_argument("--only", default="", help="rows that have these words; shown only")
    return parser.parse_args()


def ask(lab):
    options = arguments()
    asked = [probe for probe in probes.all_probes() if options.only in probe.about]
    linux = linux_says(asked)
    raw = ovs_says(lab.ovs, asked)
    drops, accepts = rules_do(StatefulOvsSide(lab.ovs, os.path.abspath(PROGRAM)), asked)
    rows = gather(asked, linux, raw, drops, accepts)
    text = table(rows)
    if options.only:
        print(text)
    failures = wrong(rows) + ([] if options.only else settle(text, options.renew))
    for failure in failures:
        print(failure)
    print(f"trackers: {len(asked)} packets, {len(rows)} rows, {len(failures)} failures")
    return 1 if failures else 0


# --- the two trackers

def linux_says(asked):
    netns.sysctl("net.netfilter.nf_conntrack_checksum", 0)
    bridge = LinuxBridge("lbr", layer4=True)
    ports = {"guest": bridge.add_guest("lguest", GUEST.mac),
             "peer": bridge.add_guest("lpeer", PEER.mac)}
    for family in ("ip", "ip6"):
        netns.run("nft", "-f", "-", stdin="\n".join([
            f"table {family} trackers {{", "chain forward {",
            "type filter hook forward priority 0", f"{family} dscp != {ASKED} accept",
            *(f"{LINUX[word]} {family} dscp set {number} accept" for number, word in SAYS.items()),
            "}", "}"]))
    found = hold(asked, ports)
    for family in ("ip", "ip6"):
        netns.run("nft", "delete", "table", family, "trackers")
    netfilter.flush_conntrack()
    for port in ports.values():
        port.remove()
    bridge.remove()
    return found


def ovs_says(ovs, asked):
    ovs.add_bridge("raw")
    ports = {"guest": ovs.add_guest("raw", "rguest"), "peer": ovs.add_guest("raw", "rpeer")}
    numbers = [ovs.ofport(port.name) for port in ports.values()]
    flows = ["priority=9,dl_type=0x88b5,actions=normal"]
    flows += [f"priority=5,{family},actions=ct(table=1,zone=9)" for family in ("ip", "ipv6")]
    for here, there in (numbers, numbers[::-1]):
        flows += [f"table=2,in_port={here},actions=output:{there}"]
    for number, word in SAYS.items():
        for family in ("ip", "ipv6") if word in OVS else ():
            commit = "ct(commit,zone=9)," if word == "new" else ""
            flows += [f"table=1,priority={20 - number},{family},nw_tos={ASKED << 2},"
                      f"ct_state=+trk{OVS[word]},actions={commit}mod_nw_tos:{number << 2},"
                      "resubmit(,2)",
                      f"table=1,priority={10 - number},{family},ct_state=+trk{OVS[word]},"
                      f"actions={commit}resubmit(,2)"]
    ovs.ofctl("del-flows", "raw")
    ovs.ofctl("add-flows", "raw", "-", stdin="\n".join(flows))
    return hold(asked, ports)


def hold(asked, ports):
    """Hold the conversations side by side; a word for each last step."""
    exchange(asked, ports, is_last=False)
    return [SAYS.get(dscp(copy), "lost") for copy in exchange(asked, ports, is_last=True)]


def exchange(asked, ports, is_last):
    """Send what comes before the last steps, or these; the frames as they arrived, or None."""
    wire = Wire(ports.values(), (ports["guest"].name, ports["peer"].name))
    copies = []
    longest = 1 if is_last else max(len(probe.steps) for probe in asked) - 1
    for number in range(longest):
        steps = [probe.steps[-1] if is_last else probe.steps[number] for probe in asked
                 if is_last or number < len(probe.steps) - 1]
        verdicts = wire.exchange([(ports[step.sender].name, step.frames[0]) for step in steps])
        copies = [verdict.copies.get(ports[step.receiver].name)
                  for step, verdict in zip(steps, verdicts)]
    return copies


def dscp(frame):
    if frame is None:
        return None
    tos = frame[15] if frame[12:14] == b"\x08\0" else (frame[14] & 15) << 4 | frame[15] >> 4
    return tos >> 2


# --- our rules

def rules_do(side, asked):
    """For each probe the states whose rule drops it, and those whose rule accepts it."""
    drops, accepts = [[] for _ in asked], [[] for _ in asked]
    for state in STATES:
        for found, is_drop in ((drops, True), (accepts, False)):
            name = f"{'drop' if is_drop else 'accept'}-{state.lower()}"
            parties, complaint = side.bind(Case(name, {name: document(name, state, is_drop)}, {},
                                                "written"))
            if complaint:
                raise netns.LabError(complaint)
            side.flush()
            exchange(asked, parties.ports, is_last=False)
            copies = exchange(asked, parties.ports, is_last=True)
            for states, copy in zip(found, copies):
                if (copy is None) == is_drop:
                    states.append(state)
    return drops, accepts


def document(name, state, is_drop):
    rules = [f"<rule action='{'drop' if is_drop else 'accept'}' direction='{direction}'>"
             f"<{element} dscp='{ASKED}' state='{state}'/></rule>"
             for direction in ("out", "in") for element in ("all", "all-ipv6")]
    if not is_drop:
        rules += [f"<rule action='drop' direction='inout'><{element} dscp='{ASKED}'/></rule>"
                  for element in ("all", "all-ipv6")]
    return "\n".join([f"<filter name='{name}'>", *rules, "</filter>", ""])


# --- the table

Row = collections.namedtuple("Row", "about family linux raw drops accepts values")


def gather(asked, linux, raw, drops, accepts):
    """Probes that differ in their number only, and fare alike, are one row."""
    rows = {}
    for probe, *fate in zip(asked, linux, raw, map(tuple, drops), map(tuple, accepts)):
        rows.setdefault((probe.about, probe.family, *fate), []).append(probe.value)
    both = {}
    for (about, family, *fate), values in rows.items():  # the same in both families: one row
        both.setdefault((about, tuple(values), *fate), []).append(family)
    return [Row(about, tuple(families), *fate, values)
            for (about, values, *fate), families in both.items()]


def table(rows):
    lines = ["| packet | over | Linux | Open vSwitch | rules here |", "|---|---|---|---|---|"]
    longest = {}
    for row in rows:
        longest[row.about] = max(longest.get(row.about, 0), len(row.values))
    for row in sorted(rows, key=lambda row: (row.about, is_rest(row, longest))):
        values = "all others" if is_rest(row, longest) else words(row)
        lines.append(f"| {row.about}{': ' if values else ''}{values} "
                     f"| {', '.join(f'IPv{family}' for family in row.family)} "
                     f"| {row.linux} | {row.raw} | {meaning(row)} |")
    return "\n".join(lines) + "\n"


def is_rest(row, longest):
    """Of the 64 sets of flags, most are invalid."""
    return row.about.startswith("TCP, ") and len(row.values) > 9 and \
        len(row.values) == longest[row.about]


def words(row):
    if row.values[0] is None:
        return ""
    if row.about.startswith("TCP"):
        return "; ".join(map(probes.flags_text, row.values))
    ranges = []
    for value in row.values:
        if ranges and value == ranges[-1][1] + 1:
            ranges[-1][1] = value
        else:
            ranges.append([value, value])
    return ", ".join(f"{low}" if low == high else f"{low} to {high}" for low, high in ranges)


def to_rules(row):
    """The state that the packet has to libvirt's rules; None: none."""
    return MEANS.get(row.linux, row.linux.upper())


def meaning(row):
    if row.drops == STATES and not row.accepts:
        return "in doubt"
    if row.drops == row.accepts:
        return row.drops[0] if row.drops else "no state"
    return f"drop {', '.join(row.drops) or 'none'}; accept {', '.join(row.accepts) or 'none'}"


def wrong(rows):
    """Rows where something passes here that libvirt's rule drops."""
    failures = []
    for row in rows:
        state = to_rules(row)
        leaks = state and state not in row.drops
        widens = [accepted for accepted in row.accepts if accepted != state]
        listed = f"{row.about} {words(row)}".startswith(tuple(LISTED))
        if (leaks or widens) and not listed:
            failures.append(f"FAILED {row.about} {words(row)}: Linux: {row.linux}; rules here: "
                            f"{meaning(row)}")
    return failures


def settle(text, renew):
    with open(PAGE) as file:
        page = file.read()
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    if renew:
        with open(PAGE, "w") as file:
            file.write(before + BEGIN + text + END + after)
        return []
    new_lines, old_lines = set(text.splitlines()), set(old.splitlines())
    return [f"FAILED not in LANGUAGE.md: {line}" for line in text.splitlines()
            if line not in old_lines] + [
                f"FAILED only in LANGUAGE.md: {line}" for line in old.splitlines()
                if line not in new_lines]


if __name__ == "__main__":
    arguments()
    if not os.access(PROGRAM, os.X_OK):
        netns.skip(f"needs {PROGRAM}")
    main(ask, ovs=True)
