# SPDX-License-Identifier: Apache-2.0
"""What guests under clean-traffic-strict may send and may not, and what may reach them.

Each function yields rows of (whether it passes, what it is, frame).
"""

import dataclasses
import struct

from lab import frames as f

ALL_NODES, ALL_ROUTERS, MLD2, DHCP6 = "ff02::1", "ff02::2", "ff02::16", "ff02::1:2"
PEER_MAC, PEER, PEER6 = "02:00:00:00:00:63", "10.0.0.99", "2001:db8::99"
PEER_LL = "fe80::63"
FOREIGN_MAC, FOREIGN_LL = "52:54:00:00:00:77", "fe80::5054:ff:fe00:77"
ZERO, NOBODY = "0.0.0.0", "::"
NONCE = bytes([14, 1]) + b"nonce!"
ROUTER_ALERT = f.extension(f.HOP_BY_HOP, b"\x05\x02\0\0\x01\0")
PADDING = f.extension(f.DESTINATION)
RESERVED = ["01:80:c2:00:00:00", "01:80:c2:00:00:02", "01:80:c2:00:00:0e", "01:80:c2:00:00:0f",
            "01:00:0c:cc:cc:cc", "01:00:0c:cc:cc:cd"]


@dataclasses.dataclass
class Guest:
    name: str
    macs: list
    ips: list  # Some that are its own, and some that are not.
    foreign: list
    ip6s: list
    foreign6: list
    lls: list
    foreign_lls: list = dataclasses.field(default_factory=lambda: [FOREIGN_LL, PEER_LL])

    @property
    def mac(self):
        return self.macs[0]


def group_mac(address):
    """Of an IPv6 group."""
    return "33:33:" + f._ip(address)[-4:].hex(":")


def solicited(address):
    last = f._ip(address)[-3:].hex()
    return f"ff02::1:ff{last[:2]}:{last[2:]}"


def to6(mac, src, dst, payload, mac_dst=None, **more):
    """IPv6 from a station, to a group or to the peer."""
    dst_mac = mac_dst or (group_mac(dst) if dst.startswith("ff") else PEER_MAC)
    return f.eth(dst_mac, mac, f.ipv6(src, dst, payload, **more))


def to4(mac, src, dst, payload, mac_dst=None, **more):
    dst_mac = mac_dst or (f.BROADCAST if dst.endswith("255") else PEER_MAC)
    return f.eth(dst_mac, mac, f.ipv4(src, dst, payload, **more))


def sll(mac):
    return f.link_address(1, mac)


def tll(mac):
    return f.link_address(2, mac)


# ---- What a guest sends. ----


def arp(g):
    for mac in g.macs:
        for ip in g.ips:
            own = [(f.REQUEST, f.BROADCAST, PEER), (f.REQUEST, PEER_MAC, PEER),
                   (f.REPLY, PEER_MAC, PEER), (f.REPLY, f.BROADCAST, ip),
                   (f.REQUEST, f.BROADCAST, ip)]
            for op, to, target in own:
                yield True, "ARP", f.eth(to, mac, f.arp(op, mac, ip, f.MAC_ZERO, target))
            yield True, "probe", f.eth(f.BROADCAST, mac, f.arp(1, mac, ZERO, f.MAC_ZERO, ip))
            yield False, "probe by a reply", f.eth(
                f.BROADCAST, mac, f.arp(2, mac, ZERO, f.MAC_ZERO, ip))
            yield False, "probe to one", f.eth(PEER_MAC, mac, f.arp(1, mac, ZERO, f.MAC_ZERO, ip))
            for to in ("01:00:5e:00:00:01", "33:33:00:00:00:01"):
                yield False, "ARP to a group", f.eth(to, mac, f.arp(1, mac, ip, f.MAC_ZERO, PEER))
            for op in (0, 3, 4, 8, 9, 255, 256, 0x0101, 0x0201):
                yield False, f"ARP operation {op}", f.eth(
                    f.BROADCAST, mac, f.arp(op, mac, ip, f.MAC_ZERO, PEER))
            for sha in (FOREIGN_MAC, f.MAC_ZERO, f.BROADCAST, *(m for m in g.macs if m != mac)):
                for op in (1, 2):
                    yield False, f"ARP sender {sha}", f.eth(
                        f.BROADCAST, mac, f.arp(op, sha, ip, f.MAC_ZERO, PEER))
                yield False, f"probe of {sha}", f.eth(
                    f.BROADCAST, mac, f.arp(1, sha, ZERO, f.MAC_ZERO, ip))
            yield False, "ARP of another source", f.eth(
                f.BROADCAST, FOREIGN_MAC, f.arp(1, mac, ip, f.MAC_ZERO, PEER))
            for more in ({"htype": 6}, {"ptype": f.IPV6}, {"hlen": 8}, {"plen": 16}):
                yield False, f"ARP {more}", f.eth(
                    f.BROADCAST, mac, f.arp(1, mac, ip, f.MAC_ZERO, PEER, **more))
            yield False, "ARP cut", f.short(
                f.eth(f.BROADCAST, mac, f.arp(1, mac, ip, f.MAC_ZERO, PEER)), 36)
        for ip in [*g.foreign, "255.255.255.255"]:
            for op, to in ((1, f.BROADCAST), (2, PEER_MAC), (2, f.BROADCAST), (1, PEER_MAC)):
                yield False, f"ARP from {ip}", f.eth(to, mac, f.arp(op, mac, ip, PEER_MAC, PEER))
            yield False, f"announcement of {ip}", f.eth(
                f.BROADCAST, mac, f.arp(1, mac, ip, f.MAC_ZERO, ip))
            yield False, f"probe for {ip}", f.eth(
                f.BROADCAST, mac, f.arp(1, mac, ZERO, f.MAC_ZERO, ip))


def rarp(g):
    for mac in g.macs:
        announce = (f.REQUEST_REVERSE, mac, ZERO, mac, ZERO)
        yield True, "announcement", f.eth(f.BROADCAST, mac, f.rarp(*announce))
        yield False, "announcement to one", f.eth(PEER_MAC, mac, f.rarp(*announce))
        for bad in ((3, FOREIGN_MAC, ZERO, mac, ZERO), (3, mac, ZERO, FOREIGN_MAC, ZERO),
                    (3, mac, PEER, mac, ZERO), (3, mac, ZERO, mac, PEER), (4, mac, ZERO, mac, ZERO),
                    (1, mac, ZERO, mac, ZERO), (2, mac, PEER, mac, PEER)):
            yield False, "RARP", f.eth(f.BROADCAST, mac, f.rarp(*bad))
        yield False, "old QEMU's type", f.eth(f.BROADCAST, mac, f.Packet(0x835, bytes(28)))


def segments():
    """Of IPv4 and IPv6, whole and first fragments of them."""
    return [f.udp(5000, 5001), f.tcp(5000, 80), f.tcp(22, 5000, 0x12), f.sctp(5000, 80),
            f.udp(5000, 5001, proto=f.UDPLITE)]


def ipv4(g):
    mac = g.mac
    for own, ip in [(True, ip) for ip in g.ips] + [
            (False, ip) for ip in [*g.foreign, ZERO, "255.255.255.255", "224.0.0.1", "127.0.0.1"]]:
        for payload in (*segments(), f.icmp(8), f.icmp(0), f.icmp(3, 1), f.icmp(11)):
            yield own, f"IPv4 from {ip}", to4(mac, ip, PEER, payload)
        for payload in (f.udp(5000, 5001), f.tcp(5000, 80), f.icmp(8)):
            yield own, f"first fragment from {ip}", to4(mac, ip, PEER, payload, more=True)
        for more in (False, True):
            yield own, f"later fragment from {ip}", to4(mac, ip, PEER, bytes(16), proto=f.UDP,
                                                        offset=1480, more=more)
        yield own, f"broadcast from {ip}", to4(mac, ip, "10.0.0.255", f.udp(137, 137))
        yield own, f"group from {ip}", to4(mac, ip, "224.0.0.251", f.udp(5353, 5353),
                                           "01:00:5e:00:00:fb")
        yield own, f"IGMP from {ip}", to4(mac, ip, "224.0.0.22", f.igmp(), "01:00:5e:00:00:16",
                                          options=b"\x94\x04\0\0", ttl=1)
        yield own, f"ESP from {ip}", to4(mac, ip, PEER, bytes(24), proto=f.ESP)
        yield own, f"renewal from {ip}", to4(mac, ip, PEER, f.udp(68, 67))
        for ports in ((67, 68), (67, 67), (5000, 68), (67, 5000), (0, 0), (0, 68)):
            yield False, f"server from {ip}", to4(mac, ip, PEER, f.udp(*ports))
            yield False, f"server from {ip}", to4(mac, ip, "255.255.255.255", f.udp(*ports))
            yield False, f"server, fragment from {ip}", to4(mac, ip, PEER, f.udp(*ports), more=True)
        yield False, "short TCP", to4(mac, ip, PEER, b"", proto=f.TCP, more=True)
        yield False, "short TCP", to4(mac, ip, PEER, b"", proto=f.TCP)
        yield False, "redirect", to4(mac, ip, PEER, f.icmp(5, 1, bytes(28)))
        yield False, "router advertisement", to4(mac, ip, "224.0.0.1", f.icmp(9, 0, bytes(12)))
        yield False, "other source", to4(FOREIGN_MAC, ip, PEER, f.udp(5000, 5001))
    discover = ((mac, ZERO, "255.255.255.255", f.udp(68, 67)), {})
    for good, args, more in ((True, *discover), (False, discover[0], {"more": True}),
                             (False, discover[0], {"mac_dst": PEER_MAC}),
                             (False, (mac, ZERO, PEER, f.udp(68, 67)), {}),
                             (False, (mac, ZERO, "255.255.255.255", f.udp(5000, 67)), {}),
                             (False, (mac, ZERO, "255.255.255.255", f.udp(68, 5000)), {}),
                             (False, (mac, ZERO, "255.255.255.255", f.tcp(68, 67)), {}),
                             (False, (FOREIGN_MAC, *discover[0][1:]), {})):
        yield good, "DHCP client", to4(*args, **more)


def ipv6(g):
    mac = g.mac
    for own, ip in [(True, ip) for ip in g.ip6s + g.lls] + [
            (False, ip) for ip in [*g.foreign6, *g.foreign_lls, NOBODY, "::1", ALL_NODES]]:
        for payload in (*segments(), f.icmpv6(128), f.icmpv6(129), f.icmpv6(1, 4), f.icmpv6(3)):
            yield own, f"IPv6 from {ip}", to6(mac, ip, PEER6, payload)
        for kind in (f.HOP_BY_HOP, f.DESTINATION, f.ROUTING):
            yield own, f"extension from {ip}", to6(
                mac, ip, PEER6, f.udp(5000, 5001), extensions=[f.extension(kind, bytes(6))])
        for payload in (f.udp(5000, 5001), f.tcp(5000, 80)):
            yield own, f"first fragment from {ip}", to6(mac, ip, PEER6, payload,
                                                        extensions=[f.fragment()])
        yield own, f"later fragment from {ip}", to6(mac, ip, PEER6, bytes(16), proto=f.UDP,
                                                    extensions=[f.fragment(1480, False)])
        yield own, f"group from {ip}", to6(mac, ip, "ff02::fb", f.udp(5353, 5353))
        yield own, f"DHCPv6 client from {ip}", to6(mac, ip, DHCP6, f.udp(546, 547))
        for kind, dst in ((143, MLD2), (131, "ff02::1:ff00:1"), (132, ALL_ROUTERS)):
            yield own or ip == NOBODY, f"MLD {kind} from {ip}", to6(
                mac, ip, dst, f.icmpv6(kind, rest=bytes(20)), hops=1, extensions=[ROUTER_ALERT])
        for ports in ((547, 546), (547, 547), (5000, 546), (547, 5000), (0, 0)):
            yield False, f"server from {ip}", to6(mac, ip, PEER6, f.udp(*ports))
            yield False, f"server, fragment from {ip}", to6(
                mac, ip, PEER6, f.udp(*ports), extensions=[f.fragment()])
            yield False, f"server, extension from {ip}", to6(
                mac, ip, PEER6, f.udp(*ports), extensions=[PADDING])
        yield False, f"fragment of ICMPv6 from {ip}", to6(mac, ip, PEER6, f.icmpv6(128),
                                                          extensions=[f.fragment()])
        yield False, "short TCP", to6(mac, ip, PEER6, b"", proto=f.TCP, extensions=[f.fragment()])
        yield False, "cut extension", to6(mac, ip, PEER6, b"", proto=f.DESTINATION,
                                          extensions=[f.fragment()])
        yield False, "cut extension", to6(mac, ip, PEER6, b"", proto=f.DESTINATION)
        yield False, "cut extension", to6(mac, ip, PEER6, b"", proto=f.HOP_BY_HOP)
        yield False, "other source", to6(FOREIGN_MAC, ip, PEER6, f.udp(5000, 5001))
    for ip in (NOBODY, *g.lls[:1]):
        for more in ({"hops": 64}, {"hops": 1, "extensions": [f.fragment()]}):
            yield ip != NOBODY and more == {"hops": 64}, f"MLD from {ip} {more}", to6(
                mac, ip, MLD2, f.icmpv6(143, rest=bytes(20)), **more)
    yield False, "MLD to all nodes", to6(mac, NOBODY, ALL_NODES, f.icmpv6(143, rest=bytes(20)),
                                         hops=1)


# ---- Neighbour discovery. ----


def in_ways(good, what, mac, src, dst, message, code_at=1):
    """As it should be, and spoilt in several ways."""
    yield good, what, to6(mac, src, dst, message, hops=255)
    yield good, f"{what}, padded", to6(mac, src, dst, message, hops=255, extensions=[PADDING])
    for hops in (64, 254, 0):
        yield False, f"{what}, hop limit {hops}", to6(mac, src, dst, message, hops=hops)
    other = f.Segment(f.ICMPV6, message[:code_at] + b"\1" + message[code_at + 1:])
    yield False, f"{what}, code 1", to6(mac, src, dst, other, hops=255)
    # A header of fragments in a whole packet is an extension like others (RFC 6946).
    yield good, f"{what}, in one fragment", to6(mac, src, dst, message, hops=255,
                                                extensions=[f.fragment(0, False)])
    for extensions in ([f.fragment()], [f.fragment(), PADDING], [PADDING, f.fragment()]):
        yield False, f"{what}, fragment", to6(mac, src, dst, message, hops=255,
                                              extensions=extensions)


def solicitations(g):
    mac = g.mac
    for own, ip in [(True, ip) for ip in g.ip6s + g.lls] + [
            (False, ip) for ip in [*g.foreign6, *g.foreign_lls]]:
        for options in (b"", NONCE):
            yield from in_ways(own, f"DAD {ip}", mac, NOBODY, solicited(ip),
                               f.neighbour(135, ip, options))
        for dst in (PEER6, ALL_NODES):
            yield False, f"DAD {ip} to {dst}", to6(mac, NOBODY, dst, f.neighbour(135, ip), hops=255)
        for option in (sll(mac), sll(FOREIGN_MAC), sll(mac) * 2, sll(FOREIGN_MAC) * 2):
            yield False, f"DAD {ip} with an SLL", to6(mac, NOBODY, solicited(ip),
                                                      f.neighbour(135, ip, option), hops=255)
        for dst in (solicited(PEER6), PEER6):
            yield from in_ways(own, f"NS from {ip} to {dst}", mac, ip, dst,
                               f.neighbour(135, PEER6, sll(mac)))
        yield own, f"NS from {ip} without SLL", to6(mac, ip, PEER6, f.neighbour(135, PEER6),
                                                    hops=255)
        yield own, f"NS from {ip} with nonce", to6(
            mac, ip, solicited(PEER6), f.neighbour(135, PEER6, NONCE + sll(mac)), hops=255)
        yield False, "NS to a group without SLL", to6(mac, ip, solicited(PEER6),
                                                      f.neighbour(135, PEER6), hops=255)
        for option in (sll(FOREIGN_MAC), sll(mac) * 2, sll(FOREIGN_MAC) + sll(mac),
                       sll(mac) + sll(FOREIGN_MAC), sll(FOREIGN_MAC) * 2,
                       NONCE + sll(FOREIGN_MAC), sll(f.BROADCAST)):
            for dst in (solicited(PEER6), PEER6):
                yield False, f"NS from {ip}, options", to6(
                    mac, ip, dst, f.neighbour(135, PEER6, option), hops=255)
        yield False, "NS cut", to6(mac, ip, PEER6, f.icmpv6(135), hops=255)


def advertisements(g):
    mac, source = g.mac, g.lls[0]
    for own, ip in [(True, ip) for ip in g.ip6s + g.lls] + [
            (False, ip) for ip in [*g.foreign6, *g.foreign_lls]]:
        for dst, flags in ((PEER6, 0x60000000), (ALL_NODES, 0x20000000)):
            for src in {source, ip}:
                yield from in_ways(own, f"NA {ip} from {src}", mac, src, dst,
                                   f.neighbour(136, ip, tll(mac), flags))
        yield own, f"NA {ip} without TLL", to6(mac, source, PEER6, f.neighbour(136, ip), hops=255)
        yield False, f"NA {ip} from nobody", to6(mac, NOBODY, ALL_NODES,
                                                 f.neighbour(136, ip, tll(mac)), hops=255)
        for option in (tll(FOREIGN_MAC), tll(mac) * 2, tll(FOREIGN_MAC) + tll(mac),
                       tll(mac) + tll(FOREIGN_MAC), tll(FOREIGN_MAC) * 2, tll(f.BROADCAST)):
            yield False, f"NA {ip}, options", to6(mac, source, PEER6,
                                                  f.neighbour(136, ip, option), hops=255)
        yield False, f"NA {ip} of another", to6(mac, g.foreign_lls[0] if g.foreign_lls else PEER_LL,
                                                PEER6, f.neighbour(136, ip, tll(FOREIGN_MAC)),
                                                hops=255)
    if len(g.macs) > 1:  # Each address speaks for itself.
        yield True, "NA of its second MAC", to6(g.macs[1], source, PEER6,
                                                f.neighbour(136, source, tll(g.macs[1])), hops=255)
        yield False, "NA of its second MAC by the first", to6(
            mac, source, PEER6, f.neighbour(136, source, tll(g.macs[1])), hops=255)
        yield False, "NS of its second MAC by the first", to6(
            mac, source, PEER6, f.neighbour(135, PEER6, sll(g.macs[1])), hops=255)


def router_messages(g):
    mac = g.mac
    for own, ip in [(True, ip) for ip in (*g.lls, NOBODY)] + [(False, ip) for ip in g.foreign_lls]:
        options = b"" if ip == NOBODY else sll(mac)
        yield from in_ways(own, f"RS from {ip}", mac, ip, ALL_ROUTERS,
                           f.icmpv6(133, data=options))
    for ip in (*g.lls, *g.ip6s, *g.foreign_lls, NOBODY):
        for kind, rest in ((134, bytes(12)), (137, bytes(36))):
            yield from in_ways(False, f"router's {kind} from {ip}", mac, ip, ALL_NODES,
                               f.icmpv6(kind, rest=rest))
        # Headers alone in the first fragment, the message in the second.
        yield False, "RA behind headers", to6(
            mac, ip, ALL_NODES, b"", proto=f.DESTINATION, hops=255, extensions=[f.fragment()])


def other(g):
    mac, ip = g.mac, (g.ips or [PEER])[0]
    packets = [f.ipv4(ip, PEER, f.udp(5000, 5001)), f.arp(1, mac, ip, f.MAC_ZERO, PEER),
               f.ipv6(g.lls[0], PEER6, f.udp(5000, 5001))]
    for packet in packets:
        for tags in ((5,), (0,), ((0, 3),), ((5, 0, f.QINQ),), (5, 6)):
            yield False, f"tags {tags}", f.eth(PEER_MAC, mac, packet, tags=tags)
        for to in RESERVED:
            yield False, f"to {to}", f.eth(to, mac, packet)
    for ethertype in (0x600, 0x8847, 0x8863, 0x888e, 0x88cc, 0x88b5, 0x88e5, 0x9000, 0xffff):
        yield False, f"type {ethertype:#x}", f.eth(PEER_MAC, mac, bytes(46), ethertype)
    yield False, "BPDU", f.stp(mac)
    pvst = b"\xaa\xaa\x03\0\0\x0c\x01\x0b" + bytes(40)
    yield False, "PVST+", f.llc("01:00:0c:cc:cc:cd", mac, pvst)
    yield False, "LLC", f.llc(PEER_MAC, mac, b"\xe0\xe0\x03" + bytes(40))


def outgoing(g):
    for part in (arp, rarp, ipv4, ipv6, solicitations, advertisements, router_messages, other):
        yield from part(g)


# ---- What may reach a guest. ----


def towards(g, sender, sender_mac, is_trusted):
    """From a station that sends what it likes, on a trusted port or as another guest."""
    for to, own in ((g.mac, True), (f.BROADCAST, True), (FOREIGN_MAC, False)):
        def v4(src, dst, payload, to=to, **more):
            return f.eth(to, sender_mac, f.ipv4(src, dst, payload, **more))

        def v6(src, dst, payload, to=to, **more):
            return f.eth(to, sender_mac, f.ipv6(src, dst, payload, **more))

        yield own, "ARP", f.eth(to, sender_mac, f.arp(1, sender_mac, PEER, f.MAC_ZERO, PEER))
        for payload in (f.udp(5000, 5001), f.tcp(80, 5000), f.icmp(0), f.udp(53, 5000)):
            yield own, "IPv4", v4(PEER, "10.0.0.1", payload)
        yield own, "IPv4 fragment", v4(PEER, "10.0.0.1", bytes(16), proto=f.UDP, offset=1480)
        for payload in (f.udp(5000, 5001), f.tcp(80, 5000), f.icmpv6(129), f.icmpv6(2)):
            yield own, "IPv6", v6(PEER6, "2001:db8::1", payload)
        yield own, "IPv6 fragment", v6(PEER6, "2001:db8::1", bytes(16), proto=f.UDP,
                                       extensions=[f.fragment(1480, False)])
        yield own, "NS", v6(PEER6, ALL_NODES, f.neighbour(135, PEER6, sll(sender_mac)), hops=255)
        yield own, "NA", v6(PEER6, ALL_NODES, f.neighbour(136, PEER6, tll(sender_mac)), hops=255)
        yield own, "MLD query", v6(PEER_LL, ALL_NODES, f.icmpv6(130, rest=bytes(20)), hops=1,
                                   extensions=[ROUTER_ALERT])
        server = own and is_trusted
        for kind, rest in ((134, bytes(12)), (137, bytes(36))):
            message = f.icmpv6(kind, rest=rest)
            yield server, f"router's {kind}", v6(PEER_LL, ALL_NODES, message, hops=255)
            yield server, f"router's {kind}, padded", v6(PEER_LL, ALL_NODES, message, hops=255,
                                                         extensions=[PADDING])
            yield False, f"router's {kind}, hop limit", v6(PEER_LL, ALL_NODES, message, hops=64)
            yield server, f"router's {kind}, in one fragment", v6(
                PEER_LL, ALL_NODES, message, hops=255, extensions=[f.fragment(0, False)])
            for extensions in ([f.fragment()], [f.fragment(), PADDING]):
                yield False, f"router's {kind}, fragment", v6(PEER_LL, ALL_NODES, message,
                                                              hops=255, extensions=extensions)
        yield server, "DHCP answer", v4(PEER, "255.255.255.255", f.udp(67, 68))
        yield server, "DHCP answer, fragment", v4(PEER, "10.0.0.1", f.udp(67, 68), more=True)
        yield server, "DHCP answer of another port", v4(PEER, "10.0.0.1", f.udp(5000, 68))
        yield server, "DHCPv6 answer", v6(PEER_LL, "fe80::1", f.udp(547, 546))
        yield server, "DHCPv6 answer of another port", v6(PEER_LL, "fe80::1", f.udp(5000, 546))
        yield False, "tagged", f.eth(to, sender_mac, f.ipv4(PEER, "10.0.0.1", f.udp(1, 2)),
                                     tags=(7,))
        yield False, "cut extension", v6(PEER_LL, ALL_NODES, b"", proto=f.DESTINATION, hops=255,
                                         extensions=[f.fragment()])
        for ethertype in (0x8863, 0x88cc, 0x88b5):
            yield False, f"type {ethertype:#x}", f.eth(to, sender_mac, bytes(46), ethertype)
        yield False, "RARP", f.eth(to, sender_mac, f.rarp(3, sender_mac, ZERO, sender_mac, ZERO))
    yield False, "BPDU", f.stp(sender_mac)
