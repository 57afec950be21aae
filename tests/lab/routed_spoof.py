# SPDX-License-Identifier: Apache-2.0
"""Guests that forge all the time, and where that came out.

    spoofer = Spoofer([guest, ...], surroundings)
    ...
    spoofer.sent()         # {(guest, kind): how often}
    spoofer.leaks()        # what came out at another guest: [(from, kind, at whom)]
    spoofer.kind_of(0x1000203)

Every frame of KINDS is one that a guest under clean-traffic-strict may not send.  Each carries a
stamp (see frames.py) whose id names the guest, the kind and the destination, so that whoever sees
it knows what it was: other guests here, and the provider's switch port.
"""

import collections
import json
import os
import random
import select
import signal
import socket
import struct
import time

from . import frames as f
from . import wire
from .netns import LabError, run_status

# What a forger knows of its surroundings.
Surroundings = collections.namedtuple(
    "Surroundings", "host_mac bridge_mac router_mac gateway4 gateway6 main4 main6 world4 world6")
# A forger, or one whose addresses are taken.
Station = collections.namedtuple("Station", "mac ip4 ip6 port_mac")

STRANGER = Station("52:54:00:66:66:66", "203.0.113.66", "2001:db8:6666::66", None)
ALL_NODES, ALL_ROUTERS = "ff02::1", "ff02::2"
PACE = 0.004  # seconds between two frames of one guest


class Forger:
    """The frames of one guest."""

    def __init__(self, me, victim, around, rng):
        self.me, self.victim, self.around, self.rng = me, victim, around, rng

    def destinations(self):
        return (f.BROADCAST, "33:33:00:00:00:01", self.around.host_mac, self.around.bridge_mac,
                self.around.router_mac, self.victim.mac, STRANGER.mac, self.me.port_mac)

    def ip4(self, dst, src=None, nw_src=None, nw_dst=None, tags=(), body=None, **more):
        return f.eth(dst, src or self.me.mac,
                     f.ipv4(nw_src or self.me.ip4, nw_dst or self.around.world4,
                            body or f.udp(4000, 4001), **more), tags=tags)

    def ip6(self, dst, src=None, nw_src=None, nw_dst=None, tags=(), body=None, **more):
        return f.eth(dst, src or self.me.mac,
                     f.ipv6(nw_src or self.me.ip6, nw_dst or self.around.world6,
                            body or f.udp(4000, 4001), **more), tags=tags)

    def arp(self, dst, op=f.REQUEST, src=None, sha=None, spa=None, tha=f.MAC_ZERO, tpa=None,
            tags=(), **more):
        return f.eth(dst, src or self.me.mac,
                     f.arp(op, sha or self.me.mac, spa or self.me.ip4, tha,
                           tpa or self.around.gateway4, **more), tags=tags)

    def solicit(self, dst, src_ip=None, sll=None, options=None, **more):
        option = f.link_address(1, sll or self.me.mac) if options is None else options
        return self.ip6(dst, nw_src=src_ip, nw_dst=ALL_NODES, hops=255,
                        body=f.neighbour(135, self.around.gateway6, option), **more)

    def advertise(self, dst, target, tll=None, src_ip=None, options=None, **more):
        option = f.link_address(2, tll or self.me.mac) if options is None else options
        return self.ip6(dst, nw_src=src_ip, nw_dst=ALL_NODES, hops=255,
                        body=f.neighbour(136, target, option, 0xe0000000), **more)

    def any_mac(self):
        return "%02x:%02x:%02x:%02x:%02x:%02x" % (self.rng.randrange(2, 256, 4),
                                                  *self.rng.randbytes(5))

    def any_type(self):
        return self.rng.choice((0x88b5, 0x8863, 0x8864, 0x8847, 0x22f0, 0x9000, 0x8906, 0x88f7,
                                0x0842, self.rng.randrange(0x600, 0x800),
                                self.rng.randrange(0x9100, 0xffff)))


def _advertisement(g, dst, lifetime=1800):
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 3600, 0) \
        + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
    return g.ip6(dst, nw_src=g.me.ip6, nw_dst=ALL_NODES, hops=255,
                 body=f.icmpv6(134, 0, struct.pack("!BBH", 64, 0, lifetime),
                               bytes(8) + f.link_address(1, g.me.mac) + prefix))


def _redirect(g, dst):
    address = socket.inet_pton(socket.AF_INET6, g.around.world6)
    return g.ip6(dst, nw_dst=g.victim.ip6, hops=255,
                 body=f.icmpv6(137, 0, bytes(4), address * 2 + f.link_address(2, g.me.mac)))


def _hidden_advertisement(g, dst, kind):
    return f.eth(dst, g.me.mac, f.ipv6(
        g.me.ip6, ALL_NODES, f.neighbour(136, g.victim.ip6, f.link_address(2, g.me.mac)),
        extensions=[f.extension(kind)], hops=255))


def _fragmented_advertisement(g, dst):
    message = f.whole(f.neighbour(136, g.victim.ip6, f.link_address(2, g.any_mac())), g.me.ip6,
                      ALL_NODES)
    return f.eth(dst, g.me.mac, f.ipv6(g.me.ip6, ALL_NODES, message, f.ICMPV6,
                                       extensions=[f.fragment(0, True)], hops=255))


def _twice(g, dst):
    options = f.link_address(2, g.me.mac) + f.link_address(2, STRANGER.mac)
    return g.advertise(dst, g.victim.ip6, options=options)


# name -> frame of a forger for a destination
KINDS = {
    # source MACs
    "IPv4 from a random MAC": lambda g, d: g.ip4(d, src=g.any_mac()),
    "IPv6 from a random MAC": lambda g, d: g.ip6(d, src=g.any_mac()),
    "IPv4 from the victim's MAC": lambda g, d: g.ip4(d, src=g.victim.mac),
    "IPv6 from the victim's MAC": lambda g, d: g.ip6(d, src=g.victim.mac),
    "IPv4 from the host's MAC": lambda g, d: g.ip4(d, src=g.around.host_mac),
    "IPv4 from the router's MAC": lambda g, d: g.ip4(d, src=g.around.router_mac),
    "IPv4 from a group MAC": lambda g, d: g.ip4(d, src="01:00:5e:00:00:01"),
    "IPv4 from no MAC": lambda g, d: g.ip4(d, src=f.MAC_ZERO),
    "victim's MAC and addresses": lambda g, d: g.ip4(d, src=g.victim.mac, nw_src=g.victim.ip4),
    # ARP, RARP
    "ARP from a random MAC": lambda g, d: g.arp(d, src=g.any_mac()),
    "ARP sender MAC random": lambda g, d: g.arp(d, sha=g.any_mac()),
    "ARP sender MAC the victim's": lambda g, d: g.arp(d, sha=g.victim.mac),
    "ARP reply: I am the gateway": lambda g, d: g.arp(d, f.REPLY, spa=g.around.gateway4),
    "ARP reply: I am the main address": lambda g, d: g.arp(d, f.REPLY, spa=g.around.main4),
    "ARP reply: I am the victim": lambda g, d: g.arp(d, f.REPLY, spa=g.victim.ip4),
    "ARP request from the gateway": lambda g, d: g.arp(d, spa=g.around.gateway4),
    "gratuitous ARP for the victim":
        lambda g, d: g.arp(d, spa=g.victim.ip4, tpa=g.victim.ip4),
    "ARP of an odd type": lambda g, d: g.arp(d, spa=g.victim.ip4, htype=6, sha=g.any_mac()),
    "ARP of an odd operation": lambda g, d: g.arp(d, 300, spa=g.victim.ip4, sha=g.any_mac()),
    "RARP for a random MAC": lambda g, d: f.eth(
        d, g.me.mac, f.rarp(3, g.any_mac(), "0.0.0.0", g.any_mac(), "0.0.0.0")),
    "RARP from a random MAC": lambda g, d: f.eth(
        d, g.any_mac(), f.rarp(3, g.me.mac, "0.0.0.0", g.me.mac, "0.0.0.0")),
    # neighbour discovery
    "NS with a random source option": lambda g, d: g.solicit(d, sll=g.any_mac()),
    "NS with the victim's source option": lambda g, d: g.solicit(d, sll=g.victim.mac),
    "NS from the victim's address": lambda g, d: g.solicit(d, src_ip=g.victim.ip6),
    "NA: I am the gateway": lambda g, d: g.advertise(d, g.around.gateway6),
    "NA: I am the main address": lambda g, d: g.advertise(d, g.around.main6),
    "NA: I am the victim": lambda g, d: g.advertise(d, g.victim.ip6),
    "NA: I am at a random MAC": lambda g, d: g.advertise(d, g.me.ip6, tll=g.any_mac()),
    "NA: I am at the victim's MAC": lambda g, d: g.advertise(d, g.me.ip6, tll=g.victim.mac),
    "NA with two options": _twice,
    "NA behind hop-by-hop": lambda g, d: _hidden_advertisement(g, d, f.HOP_BY_HOP),
    "NA behind destination options": lambda g, d: _hidden_advertisement(g, d, f.DESTINATION),
    "NA in a fragment": _fragmented_advertisement,
    "RS with a random source option": lambda g, d: g.ip6(
        d, nw_dst=ALL_ROUTERS, hops=255,
        body=f.icmpv6(133, 0, bytes(4), f.link_address(1, g.any_mac()))),
    # who plays the router, or the server
    "router advertisement": _advertisement,
    "router advertisement: none any more": lambda g, d: _advertisement(g, d, 0),
    "redirect": _redirect,
    "DHCP answer": lambda g, d: g.ip4(d, nw_dst="255.255.255.255", body=f.udp(67, 68)),
    "DHCPv6 answer": lambda g, d: g.ip6(d, nw_dst=g.victim.ip6, body=f.udp(547, 546)),
    # source addresses
    "IPv4 of the victim": lambda g, d: g.ip4(d, nw_src=g.victim.ip4),
    "IPv4 of the host": lambda g, d: g.ip4(d, nw_src=g.around.main4),
    "IPv4 of the gateway": lambda g, d: g.ip4(d, nw_src=g.around.gateway4),
    "IPv4 of the world": lambda g, d: g.ip4(d, nw_src=STRANGER.ip4),
    "IPv4 of the loopback": lambda g, d: g.ip4(d, nw_src="127.0.0.1"),
    "IPv4 of a group": lambda g, d: g.ip4(d, nw_src="224.0.0.5"),
    "IPv4 of nobody": lambda g, d: g.ip4(d, nw_src="0.0.0.0"),
    "IPv4 to the victim from the world": lambda g, d: g.ip4(
        d, nw_src=g.around.world4, nw_dst=g.victim.ip4),
    "IPv6 of the victim": lambda g, d: g.ip6(d, nw_src=g.victim.ip6),
    "IPv6 of the host": lambda g, d: g.ip6(d, nw_src=g.around.main6),
    "IPv6 of the gateway": lambda g, d: g.ip6(d, nw_src=g.around.gateway6),
    "IPv6 of the world": lambda g, d: g.ip6(d, nw_src=STRANGER.ip6),
    "IPv6 of a group": lambda g, d: g.ip6(d, nw_src="ff02::5"),
    "IPv6 of a random link-local": lambda g, d: g.ip6(d, nw_src="fe80::6666"),
    # tags
    "IPv4 in VLAN 5": lambda g, d: g.ip4(d, tags=(5,)),
    "IPv4 with a priority": lambda g, d: g.ip4(d, tags=((0, 5),)),
    "ARP in VLAN 4000": lambda g, d: g.arp(d, tags=(4000,)),
    "IPv6 in two tags": lambda g, d: g.ip6(d, tags=((7, 0, f.QINQ), 8)),
    "random MAC in VLAN 4000": lambda g, d: g.ip4(d, src=g.any_mac(), tags=(4000,)),
    # what talks to switches
    "STP": lambda g, d: f.stp(g.me.mac),
    "LLDP": lambda g, d: f.eth("01:80:c2:00:00:0e", g.me.mac, b"\2\7\4" + bytes(60), 0x88cc),
    "LACP": lambda g, d: f.eth("01:80:c2:00:00:02", g.me.mac, b"\1\1" + bytes(108), 0x8809),
    "pause": lambda g, d: f.eth("01:80:c2:00:00:01", g.me.mac, b"\0\1\xff\xff" + bytes(42), 0x8808),
    "CDP": lambda g, d: f.llc("01:00:0c:cc:cc:cc", g.me.mac, b"\xaa\xaa\3\0\0\x0c\x20\0" + bytes(40)),
    # the rest
    "another ethertype": lambda g, d: f.eth(d, g.me.mac, bytes(46), g.any_type()),
    "another ethertype, random MAC": lambda g, d: f.eth(d, g.any_mac(), bytes(46), g.any_type()),
    "LLC from a random MAC": lambda g, d: f.llc(d, g.any_mac(), b"\x42\x42\3" + bytes(40)),
    "IPv4 cut short": lambda g, d: f.short(g.ip4(d, src=g.any_mac()), 26),
    "IPv4 with a wrong length": lambda g, d: f.eth(
        d, g.any_mac(), f.Packet(f.IPV4, b"\x4f\0\xff\xff" + bytes(30))),
    "ARP cut short": lambda g, d: f.short(g.arp(d, src=g.any_mac()), 30),
    "IPv6 cut short": lambda g, d: f.short(g.ip6(d, src=g.any_mac()), 40),
    "a tag and nothing behind it": lambda g, d: f.short(g.ip4(d, tags=(5,), src=g.any_mac()), 26),
}
NAMES = list(KINDS)
# Where nothing filters guests, these mislead the bridge or the host, whatever may leave.
MISLEADING = [name for name in NAMES if "victim" in name or "gateway" in name
              or "main address" in name or "the host" in name or "router" in name
              or name == "redirect" or name in ("NA with two options", "NA in a fragment",
                                                "NA behind hop-by-hop",
                                                "NA behind destination options")]


def number(guest, kind, destination):
    return guest << 24 | kind << 8 | destination


def name_of(identifier):
    """(which guest, the kind)"""
    return identifier >> 24, NAMES[identifier >> 8 & 0xffff]


class Spoofer:
    """A process that forges in the name of guests.  A guest has .node (a Node), .interface in it,
    and .station."""

    def __init__(self, guests, around, kinds=tuple(NAMES), seed=1, pace=PACE):
        self.names = [guest.name for guest in guests]
        self.control, child_end = socket.socketpair()
        self.pid = os.fork()
        if not self.pid:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                self.control.close()
                _Spoofing(guests, around, kinds, random.Random(seed), pace).run(child_end)
            finally:
                os._exit(1)
        child_end.close()

    def report(self):
        """{"sent": frames, "rounds": how often all kinds were sent by all, "leaks": [(from, kind,
        at whom)]}"""
        try:
            self.control.sendall(b"?")
            text = b""
            while not text.endswith(b"\n"):
                part = self.control.recv(1 << 16)
                if not part:
                    raise OSError("it has died")
                text += part
        except OSError as error:
            raise LabError(f"the spoofer: {error}") from None
        report = json.loads(text)
        report["leaks"] = [(*self.kind_of(identifier), self.names[at])
                           for identifier, at in report["leaks"]]
        return report

    def kind_of(self, identifier):
        """(the guest's name, the kind)"""
        guest, kind = name_of(identifier)
        return self.names[guest], kind

    def stop(self):
        self.control.close()
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


class _Spoofing:
    def __init__(self, guests, around, kinds, rng, pace):
        self.rng, self.pace = rng, pace
        self.kinds = [NAMES.index(kind) for kind in kinds]
        self.guests = guests
        self.sockets = [None] * len(guests)
        self.forgers = [Forger(guest.station, guests[(i + 1) % len(guests)].station, around, rng)
                        for i, guest in enumerate(guests)]
        self.sent = self.rounds = 0
        self.leaks = set()

    def run(self, parent):
        plan = iter(())
        while True:
            self.listen()
            ready = select.select([parent], [], [], self.pace)[0]
            if ready:
                if not parent.recv(64):
                    return
                parent.sendall(json.dumps({"sent": self.sent, "rounds": self.rounds,
                                           "leaks": sorted(self.leaks)}).encode() + b"\n")
            for _ in self.guests:
                step = next(plan, None)
                if step is None:
                    self.rounds += self.sent > 0
                    plan = self.plan()
                    step = next(plan)
                self.send(*step)

    def plan(self):
        """All kinds from all guests, to all destinations, in an order of its own."""
        steps = [(guest, kind, destination) for guest in range(len(self.guests))
                 for kind in self.kinds
                 for destination in range(len(self.forgers[0].destinations()))]
        self.rng.shuffle(steps)
        return iter(steps)

    def send(self, guest, kind, destination):
        forger = self.forgers[guest]
        frame = KINDS[NAMES[kind]](forger, forger.destinations()[destination])
        try:
            self.socket(guest).send(f.stamp(frame, number(guest, kind, destination)))
            self.sent += 1
        except OSError:
            self.close(guest)  # The port is away, or is down.

    def socket(self, guest):
        if self.sockets[guest] is None:
            with self.guests[guest].node:
                self.sockets[guest] = wire.packet_socket(self.guests[guest].interface)
        return self.sockets[guest]

    def close(self, guest):
        if self.sockets[guest]:
            self.sockets[guest].close()
            self.sockets[guest] = None

    def listen(self):
        for at, raw in enumerate(self.sockets):
            try:
                received = wire.receive_all(raw) if raw else ()
            except OSError:
                self.close(at)
                continue
            for frame in received:
                identifier = f.read_stamp(frame)
                if identifier is not None and len(self.leaks) < 10000:
                    self.leaks.add((identifier, at))
