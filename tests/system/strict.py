#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clean-traffic-strict lets pass what it should, and nothing else.

Guests with several addresses, prefixes, addresses of one family or none, two MACs, and with a
link-local address of their own choice send the frames of strict_frames.py, good and bad, and get
those of a trusted port and of a guest that sends whatever it likes.  A bad frame that anybody gets
is a leak, a good one that somebody does not get is a false drop.  Each frame goes twice: the second
time by the datapath's cache.  "explain" must say the same.
"""

import concurrent.futures
import json
import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.decode import describe  # noqa: E402
from system import strict_frames as s  # noqa: E402
from system.world import ROOT, call, define, run  # noqa: E402

STRICT = "clean-traffic-strict"
V4, V6 = ["10.0.0.1", "10.0.0.2", "192.0.2.7"], ["2001:db8::1", "2001:db8::2", "fd00::7"]
FOREIGN4 = ["10.0.0.99", "10.0.0.3", "10.0.1.16"]
FOREIGN6 = ["2001:db8::99", "2001:db8:3::1", "fd00::8"]
EVERY_4TH = 4  # The frames of a guest of which "explain" is asked.


def link_local(number):
    return f"fe80::5054:ff:fe00:{number:x}"


def guest(name, number, tags, ips=(), ip6s=(), lls=None, **more):
    """A guest and its tags.  Its MACs and link-local address follow from its number."""
    return s.Guest(name, more.pop("macs", [f"52:54:00:00:00:{number:02x}"]), list(ips), FOREIGN4,
                   list(ip6s), FOREIGN6, lls or [link_local(number)], **more), number, tags


def guests():
    macs = [f"52:54:00:00:00:{n:02x}" for n in (6, 0x16)]
    return [
        guest("three", 1, {"IP": ",".join(V4), "IPV6": ",".join(V6)}, V4, V6),
        guest("prefixes", 2,
              {"IP": "10.0.2.0/28,10.0.4.7", "IPV6": "2001:db8:2::/64,2001:db8:4::7"},
              ["10.0.2.0", "10.0.2.15", "10.0.4.7"],
              ["2001:db8:2::", "2001:db8:2::ffff:0:1", "2001:db8:4::7"]),
        guest("only4", 3, {"IP": "10.0.0.33"}, ["10.0.0.33"]),
        guest("only6", 4, {"IPV6": "2001:db8::44", "IP": ""}, [], ["2001:db8::44"]),
        guest("none", 5, {}),
        guest("two-macs", 6, {"MAC": ",".join(macs), "IP": "10.0.0.66", "IPV6": "2001:db8::66"},
              ["10.0.0.66"], ["2001:db8::66"], [link_local(6), link_local(0x16)], macs=macs),
        guest("private", 7, {"IPV6_LL": "fe80::/64", "IP": "10.0.0.77"}, ["10.0.0.77"], [],
              ["fe80::1234:5678:9abc:def0", link_local(7)], foreign_lls=["fe80:0:0:1::1"]),
    ]


class Count:
    def __init__(self):
        self.frames = self.leaks = self.false_drops = 0
        self.explained = 0

    def add(self, good, got, wanted):
        self.frames += 1
        self.leaks += not good and bool(got)
        self.false_drops += good and not wanted <= got
        return wanted <= got if good else not got


def test(world):
    define("open", "<rule action='accept' direction='inout'/>")
    world.trusted("uplink", 0x63)
    everybody = guests()
    for g, number, tags in everybody:
        world.guest(g.name, number, STRICT, **tags)
    world.guest("rogue", 0x50, "open")
    world.manage()
    statuses = {g.name: world.status(g.name) for g, _, _ in everybody}
    world.check("all are active", set(statuses.values()) == {"active"}, statuses)
    count = Count()
    for g, _, _ in everybody:
        test_outgoing(world, g, count)
    for g, _, _ in everybody[:6:2]:
        test_towards(world, g, "uplink", True, count)
        test_towards(world, g, "rogue", False, count)
    print(f"frames: {count.frames}, leaks: {count.leaks}, false drops: {count.false_drops}; "
          f"{count.explained} explained")
    test_pieces(world)
    define_examples(world)
    test_router(world)
    test_others(world)


def test_outgoing(world, g, count):
    rows = list(s.outgoing(g))
    wrong = []
    for _ in range(2):
        verdicts = world.wire.exchange([(g.name, frame) for _, _, frame in rows])
        for (good, what, frame), verdict in zip(rows, verdicts):
            if not count.add(good, set(verdict.seen), {"uplink"}) or verdict.mangled:
                wrong.append(f"{what}: {describe(frame)}: reached {verdict}, should "
                             f"{'pass' if good else 'not'}")
    n_good = sum(good for good, _, _ in rows)
    world.check(f"from {g.name}: {n_good} good frames and {len(rows) - n_good} bad ones",
                n_good and not wrong, "\n    ".join(["", *wrong]))
    check_explained(world, g, rows, count, "out", "--live")


def check_explained(world, g, rows, count, *how):
    """Whether "explain" says the same."""
    def ask(row):
        good, what, frame = row
        answer = call("--format=json", "explain", g.name, how[0], frame.hex(), *how[1:])
        verdict = answer.status == 0 and json.loads(answer.out)["verdict"]
        return None if verdict == ("passes" if good else "dropped") else (
            f"{what}: {describe(frame)}: {answer.status} {verdict} {answer.err}")
    rows = rows[::EVERY_4TH]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        wrong = [wrong for wrong in pool.map(ask, rows) if wrong]
    count.explained += len(rows)
    world.check(f"    explain {' '.join(how)} says the same", not wrong, wrong)


def test_towards(world, g, sender, is_trusted, count):
    rows = list(s.towards(g, sender, world.mac(sender), is_trusted))
    strict = {other.name for other, _, _ in guests()}
    wrong = []
    for _ in range(2):
        world.hear(*(name for name in strict if name == g.name and g.ips))
        verdicts = world.wire.exchange([(sender, frame) for _, _, frame in rows])
        for (good, what, frame), verdict in zip(rows, verdicts):
            # Everybody gets what is for all; of the others, only whom it is for.
            wanted = {g.name} if frame[:6] == f.mac(g.mac) else strict
            if not count.add(good, set(verdict.seen) & strict, wanted) or (
                    good and set(verdict.seen) & strict != wanted):
                wrong.append(f"{what}: {describe(frame)}: reached {verdict}, should "
                             f"{'reach ' + ','.join(wanted) if good else 'not'}")
    world.check(f"towards {g.name} from {sender}: {len(rows)} frames", not wrong,
                "\n    ".join(["", *wrong]))
    check_explained(world, g, rows, count, "in", *([] if is_trusted else ["--from-guest"]))


# ---- The pieces. ----


def test_pieces(world):
    """Each alone: what it is against is dropped, the rest passes."""
    for number, name in enumerate(PIECES, 0x60):
        world.guest(name[:13], number, name, IP="10.0.0.1", IPV6="2001:db8::1")
    world.sync()
    for number, (name, (drops, passes)) in enumerate(PIECES.items(), 0x60):
        port, mac = name[:13], f"52:54:00:00:00:{number:02x}"
        judge(world, f"{name} alone", port, [(False, what(mac)) for what in drops]
              + [(True, what(mac)) for what in passes])


def own4(mac, *more):
    return s.to4(mac, "10.0.0.1", s.PEER, *more)


def own6(mac, *more, src="2001:db8::1", dst=s.PEER6, **options):
    return s.to6(mac, src, dst, *more, **options)


def own4_udp(mac):
    return own4(mac, f.udp(1, 2))


PIECES = {
    "no-ra": (
        [lambda mac: own6(mac, f.icmpv6(134, rest=bytes(12)), dst=s.ALL_NODES, hops=255),
         lambda mac: own6(mac, f.icmpv6(134, rest=bytes(12)), extensions=[f.fragment()]),
         lambda mac: own6(mac, f.icmpv6(134, rest=bytes(12)), extensions=[s.PADDING]),
         lambda mac: own6(mac, b"", proto=f.DESTINATION, extensions=[f.fragment()]),
         lambda mac: own6(mac, f.icmpv6(137, rest=bytes(36)), hops=255),
         lambda mac: own4(mac, f.icmp(5, 1, bytes(28))), lambda mac: own4(mac, f.icmp(9))],
        [lambda mac: own6(mac, f.icmpv6(133), hops=255), lambda mac: own4(mac, f.udp(67, 68)),
         lambda mac: own6(mac, f.neighbour(136, s.PEER6), hops=255)]),
    "no-dhcp-server": (
        [lambda mac: own4(mac, f.udp(67, 68)), lambda mac: own4(mac, f.udp(5000, 68)),
         lambda mac: own6(mac, f.udp(547, 546)), lambda mac: own6(mac, f.udp(5000, 546)),
         lambda mac: own6(mac, f.udp(547, 546), extensions=[s.PADDING])],
        [lambda mac: own4(mac, f.udp(68, 67)), lambda mac: own6(mac, f.udp(546, 547)),
         lambda mac: own6(mac, f.icmpv6(134), hops=255)]),
    "no-bpdu": (
        [f.stp, *(lambda mac, to=to: f.eth(to, mac, bytes(46), 0x88cc) for to in s.RESERVED)],
        [lambda mac: f.eth("01:80:c2:00:00:10", mac, bytes(46), 0x88cc), own4_udp]),
    "no-nd-spoofing": (
        [lambda mac: own6(mac, f.neighbour(136, s.PEER6, s.tll(mac)), hops=255),
         lambda mac: own6(mac, f.neighbour(136, "2001:db8::1", s.tll(s.FOREIGN_MAC)), hops=255),
         lambda mac: own6(mac, f.neighbour(135, s.PEER6, s.sll(s.FOREIGN_MAC)), hops=255),
         lambda mac: own6(mac, f.icmpv6(134), hops=255)],
        [lambda mac: own6(mac, f.neighbour(136, "2001:db8::1", s.tll(mac)), hops=255),
         lambda mac: own6(mac, f.udp(1, 2), src=s.PEER6), own4_udp]),
    "no-ipv6-spoofing-strict": (
        [lambda mac: own6(mac, f.udp(1, 2), src=s.PEER6),
         lambda mac: own6(mac, f.udp(1, 2), src=s.FOREIGN_LL)],
        [lambda mac: own6(mac, f.udp(1, 2)), own4_udp,
         lambda mac: s.to4(mac, s.PEER, "10.0.0.1", f.udp(1, 2))]),
    "no-ip-spoofing-strict": (
        [lambda mac: s.to4(mac, s.PEER, "10.0.0.1", f.udp(1, 2)),
         lambda mac: s.to4(mac, "0.0.0.0", "255.255.255.255", f.udp(1, 67))],
        [own4_udp, lambda mac: own6(mac, f.udp(1, 2), src=s.PEER6)]),
}


def define_examples(world):
    """The man page's filters."""
    with open(f"{ROOT}/src/cli/ovs-nwfilter.8") as file:
        page = file.read()
    section = page[page.index(".SH \"STRICT FILTERING\""):page.index(".SH LIMITS")]
    examples = re.findall(r"<filter name=\"(.*?)\".*?</filter>\n", section, re.S)
    texts = [found[0] for found in re.finditer(r"<filter name=.*?</filter>\n", section, re.S)]
    for name, text in zip(examples, texts):
        define(name.replace("\\-", "-"), text.replace("\\-", "-"))
    names = [name.replace("\\-", "-") for name in examples]
    answer = call("filter", "check", *names)
    world.check(f"the man page's examples are good: {', '.join(names)}",
                len(names) == 6 and answer.status == 0, answer.err)


def judge(world, what, port, rows):
    """Rows of whether a frame passes, and the frame."""
    verdicts = world.wire.exchange([(port, frame) for _, frame in rows])
    wrong = [f"{describe(frame)}: {verdict}" for (good, frame), verdict in zip(rows, verdicts)
             if ("uplink" in verdict.seen) != good]
    world.check(f"{what} ({len(rows)} frames)", not wrong, wrong)


def test_others(world):
    """Other examples."""
    world.guest("ipv4-only", 0x71, "strict-ipv4-only", IP="10.0.0.71")
    world.guest("trunk", 0x72, "strict-trunk", IP="10.0.0.72", VLAN="5,7")
    world.sync()
    mac = "52:54:00:00:00:71"
    judge(world, "no IPv6 at all", "ipv4-only", [
        (True, s.to4(mac, "10.0.0.71", s.PEER, f.udp(1, 2))),
        (False, s.to6(mac, link_local(0x71), s.PEER6, f.udp(1, 2))),
        (False, s.to6(mac, s.NOBODY, s.MLD2, f.icmpv6(143, rest=bytes(20)), hops=1))])
    mac = "52:54:00:00:00:72"
    foreign = f.ipv4(s.PEER, "10.0.0.1", f.udp(67, 68))
    judge(world, "a trunk", "trunk", [
        (True, s.to4(mac, "10.0.0.72", s.PEER, f.udp(1, 2))),
        (False, f.eth(s.PEER_MAC, mac, foreign)),
        (True, f.eth(s.PEER_MAC, mac, foreign, tags=(5,))),
        (True, f.eth(s.PEER_MAC, mac, foreign, tags=(7,))),
        (False, f.eth(s.PEER_MAC, mac, foreign, tags=(6,))),
        (False, f.eth(s.PEER_MAC, s.FOREIGN_MAC, foreign, tags=(5,))),
        (False, f.eth(s.RESERVED[0], mac, foreign, tags=(5,)))])


def test_router(world):
    """The guards of clean-traffic-strict, but for what a router does."""
    world.guest("router", 0x70, "my-router", IP="10.0.0.70", IPV6="2001:db8::70")
    world.sync()
    mac, ll = "52:54:00:00:00:70", link_local(0x70)
    ra, redirect = f.icmpv6(134, rest=bytes(12)), f.icmpv6(137, rest=bytes(36))
    rows = [
        (True, s.to6(mac, ll, s.ALL_NODES, ra, hops=255)),
        (True, s.to6(mac, ll, s.PEER6, redirect, hops=255)),
        (True, s.to4(mac, "203.0.113.9", s.PEER, f.udp(1, 2))),
        (True, s.to4(mac, "203.0.113.9", s.PEER, f.icmp(5, 1, bytes(28)))),
        (True, s.to6(mac, "2001:db8:77::1", s.PEER6, f.tcp(1, 2))),
        (True, s.to6(mac, ll, s.PEER6, f.neighbour(136, "2001:db8::70", s.tll(mac)), hops=255)),
        (True, f.eth(f.BROADCAST, mac, f.arp(1, mac, "10.0.0.70", f.MAC_ZERO, s.PEER))),
        (False, s.to6(mac, s.FOREIGN_LL, s.ALL_NODES, ra, hops=255)),
        (False, s.to6(mac, "2001:db8::70", s.ALL_NODES, ra, hops=255)),
        (False, s.to6(mac, ll, s.ALL_NODES, ra, hops=64)),
        (False, s.to6(mac, ll, s.ALL_NODES, ra, hops=255, extensions=[f.fragment()])),
        (False, s.to6(mac, s.FOREIGN_LL, s.PEER6, f.udp(1, 2))),
        (False, s.to6(mac, "::1", s.PEER6, f.udp(1, 2))),
        (False, s.to6(mac, "2001:db8:77::1", s.PEER6,
                      f.neighbour(136, "2001:db8:77::1", s.tll(mac)), hops=255)),
        (False, s.to6(mac, ll, s.PEER6, f.neighbour(136, s.PEER6, s.tll(mac)), hops=255)),
        (False, s.to6(mac, "2001:db8:77::1", s.PEER6, f.udp(547, 546))),
        (False, s.to4(mac, "203.0.113.9", s.PEER, f.udp(67, 68))),
        (False, s.to4(mac, "127.0.0.1", s.PEER, f.udp(1, 2))),
        (False, s.to4(mac, "224.0.0.9", s.PEER, f.udp(1, 2))),
        (False, f.eth(f.BROADCAST, mac, f.arp(1, mac, "203.0.113.9", f.MAC_ZERO, s.PEER))),
    ]
    judge(world, "a router", "router", rows)


if __name__ == "__main__":
    run(test)
