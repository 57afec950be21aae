# SPDX-License-Identifier: Apache-2.0
"""The frames that every filter is tried with, whatever it says.

fixed("out") are frames that the guest sends, fixed("in") frames that come from outside: clean and
spoofed ones of every kind that a filter can look at, and some that it should not stumble over.
"""

import functools

from lab import frames as f
from world import GUEST, OUTSIDE, PEER, SECOND_IP, STRANGER, UNKNOWN_MAC

ALL_NODES, ALL_ROUTERS, DHCP_SERVERS = "ff02::1", "ff02::2", "ff02::1:2"
MULTICAST_MACS = ("01:00:5e:01:02:03", "33:33:00:00:00:01")
TAGS = ((5,), (7,), ((0, 3),), (0,), ((5, 7),), (4094,), (5, 6), ((5, 0, f.QINQ), 7),
        ((100, 0, f.QINQ),))


@functools.lru_cache(None)
def fixed(direction):
    here, there = (GUEST, PEER) if direction == "out" else (OUTSIDE, GUEST)
    frames = [f.eth(_mac_for(packet, there), here.mac, packet)
              for packet in packets(here, there)]
    frames += addressed(here, there)
    frames += tagged(here, there)
    frames += odd(here, there)
    return tuple(dict.fromkeys(frames))


def packets(here, there):
    """What a host with an honest Ethernet address may say, the truth or not."""
    return [*arps(here, there), *rarps(here), *ipv4s(here, there), *ipv4_fragments(here, there),
            *ipv6s(here, there), *discoveries(here, there), *ipv6_extensions(here, there)]


def _mac_for(packet, there):
    """Multicast and broadcast packets go where they belong, the others to the other host."""
    if packet.ethertype == f.RARP or packet.ethertype == f.ARP and packet[7] == f.REQUEST:
        return f.BROADCAST
    if packet.ethertype == f.IPV4 and packet[16:20] == b"\xff" * 4:
        return f.BROADCAST
    if packet.ethertype == f.IPV4 and packet[16] >> 4 == 14:
        return MULTICAST_MACS[0]
    if packet.ethertype == f.IPV6 and packet[24] == 0xff:
        return MULTICAST_MACS[1]
    return there.mac


def arps(here, there):
    zero = f.MAC_ZERO
    yield f.arp(f.REQUEST, here.mac, here.ip, zero, there.ip)
    yield f.arp(f.REPLY, here.mac, here.ip, there.mac, there.ip)
    yield f.arp(f.REQUEST, here.mac, SECOND_IP, zero, there.ip)
    yield f.arp(f.REQUEST, here.mac, "0.0.0.0", zero, here.ip)  # a probe
    yield f.arp(f.REQUEST, here.mac, here.ip, zero, here.ip)  # an announcement
    yield f.arp(f.REPLY, here.mac, here.ip, f.BROADCAST, here.ip)
    yield f.arp(f.REQUEST, here.mac, STRANGER.ip, zero, STRANGER.ip)
    yield f.arp(f.REQUEST, STRANGER.mac, here.ip, zero, there.ip)
    yield f.arp(f.REQUEST, here.mac, STRANGER.ip, zero, there.ip)
    yield f.arp(f.REPLY, STRANGER.mac, STRANGER.ip, there.mac, there.ip)
    yield f.arp(f.REPLY, there.mac, there.ip, here.mac, here.ip)
    yield f.arp(f.REQUEST, zero, here.ip, zero, there.ip)
    for op in (0, 3, 4, 5, 8, 9, 255):
        yield f.arp(op, here.mac, here.ip, there.mac, there.ip)
    yield f.arp(f.REQUEST, here.mac, here.ip, zero, there.ip, htype=6)
    yield f.arp(f.REQUEST, here.mac, here.ip, zero, there.ip, ptype=f.IPV6)
    yield f.arp(f.REQUEST, here.mac, STRANGER.ip, zero, there.ip, ptype=f.IPV6)


def rarps(here):
    zero = "0.0.0.0"
    yield f.rarp(f.REQUEST_REVERSE, here.mac, zero, here.mac, zero)  # QEMU's announcement
    yield f.rarp(f.REQUEST_REVERSE, GUEST.mac, zero, GUEST.mac, zero)
    yield f.rarp(f.REQUEST_REVERSE, STRANGER.mac, zero, STRANGER.mac, zero)
    yield f.rarp(f.REQUEST_REVERSE, here.mac, zero, STRANGER.mac, zero)
    yield f.rarp(f.REQUEST_REVERSE, here.mac, here.ip, here.mac, zero)
    yield f.rarp(f.REPLY_REVERSE, here.mac, zero, here.mac, zero)
    yield f.rarp(f.REPLY_REVERSE, here.mac, here.ip, GUEST.mac, GUEST.ip)


def ipv4s(here, there):
    everyone = "255.255.255.255"
    for sport, dport in ((1024, 80), (80, 1024), (53, 53), (0, 65535), (68, 67), (67, 68)):
        yield f.ipv4(here.ip, there.ip, f.udp(sport, dport))
        yield f.ipv4(here.ip, there.ip, f.tcp(sport, dport))
    yield f.ipv4(here.ip, there.ip, f.tcp(80, 1024, flags=0x12))
    yield f.ipv4(here.ip, there.ip, f.sctp(1024, 80))
    for kind in (0, 3, 8, 11):
        yield f.ipv4(here.ip, there.ip, f.icmp(kind))
    yield f.ipv4(here.ip, "224.0.0.22", f.igmp(), options=b"\x94\x04\0\0", ttl=1)
    yield f.ipv4(here.ip, "224.0.0.251", f.udp(5353, 5353))
    yield f.ipv4(here.ip, "10.0.0.255", f.udp(137, 137))
    yield f.ipv4(here.ip, everyone, f.udp(1024, 7))
    yield f.ipv4(here.ip, there.ip, f.udp(1024, 80, proto=f.UDPLITE))
    yield f.ipv4(here.ip, there.ip, f.udp(1024, 80, proto=f.DCCP))
    for proto in (0, f.ESP, f.AH, 4, 41, 47, 255):
        yield f.ipv4(here.ip, there.ip, b"\0" * 24, proto=proto)
    yield f.ipv4("0.0.0.0", everyone, f.udp(68, 67))
    yield f.ipv4("0.0.0.0", everyone, f.udp(1024, 80))
    yield f.ipv4("0.0.0.0", everyone, f.tcp(68, 67))
    yield f.ipv4("0.0.0.0", "224.0.0.22", f.igmp())
    yield f.ipv4(here.ip, everyone, f.udp(67, 68))
    yield f.ipv4(STRANGER.ip, everyone, f.udp(67, 68))
    yield f.ipv4(SECOND_IP, there.ip, f.udp(1024, 80))
    for source in (STRANGER.ip, there.ip, "10.0.0.4", "10.0.1.5", "224.0.0.5", everyone):
        yield f.ipv4(source, there.ip, f.udp(1024, 80))
    for tos in (0x02, 0x0a, 0x28, 0xb8):
        yield f.ipv4(here.ip, there.ip, f.udp(1024, 80), tos=tos)
    yield f.ipv4(here.ip, there.ip, f.tcp(1024, 80), options=b"\x01\x01\x01\x00")


def ipv4_fragments(here, there):
    for source in (here.ip, STRANGER.ip, "0.0.0.0"):
        yield f.ipv4(source, there.ip, f.udp(1024, 80), more=True)
        yield f.ipv4(source, there.ip, b"\0" * 16, proto=f.UDP, offset=1480)
        yield f.ipv4(source, there.ip, b"\0" * 16, proto=f.UDP, offset=1480, more=True)
    yield f.ipv4(here.ip, there.ip, b"\0" * 24, proto=f.TCP, offset=8)
    yield f.ipv4(here.ip, there.ip, f.icmp(8), more=True)


def ipv6s(here, there):
    for source in (here.link_local, here.ip6, STRANGER.link_local, STRANGER.ip6, "::"):
        yield f.ipv6(source, there.ip6, f.udp(1024, 80))
        yield f.ipv6(source, there.ip6, f.tcp(1024, 80))
        yield f.ipv6(source, ALL_NODES, f.icmpv6(128))
    yield f.ipv6(here.ip6, there.ip6, f.tcp(80, 1024))
    yield f.ipv6(here.ip6, there.ip6, f.sctp(1024, 80))
    yield f.ipv6(here.ip6, there.ip6, f.udp(1024, 80, proto=f.UDPLITE))
    yield f.ipv6(here.ip6, there.ip6, b"\0" * 24, proto=f.ESP)
    yield f.ipv6(here.ip6, there.ip6, b"", proto=f.NO_NEXT)
    yield f.ipv6(here.link_local, DHCP_SERVERS, f.udp(546, 547))
    yield f.ipv6(STRANGER.link_local, DHCP_SERVERS, f.udp(546, 547))
    yield f.ipv6(here.ip6, DHCP_SERVERS, f.udp(546, 547))
    yield f.ipv6(here.link_local, there.link_local, f.udp(547, 546))
    yield f.ipv6(STRANGER.link_local, there.link_local, f.udp(547, 546))
    yield f.ipv6(here.ip6, "ff05::1:3", f.udp(1024, 80))


def discoveries(here, there):
    own, foreign = f.link_address(1, here.mac), f.link_address(2, STRANGER.mac)
    yield f.ipv6(here.link_local, ALL_NODES, f.neighbour(135, there.ip6, own), hops=255)
    yield f.ipv6("::", ALL_NODES, f.neighbour(135, here.link_local), hops=255)
    yield f.ipv6(here.ip6, there.ip6, f.neighbour(136, here.ip6, foreign, 0x60000000), hops=255)
    yield f.ipv6(STRANGER.ip6, there.ip6, f.neighbour(136, STRANGER.ip6, foreign), hops=255)
    yield f.ipv6(here.link_local, ALL_ROUTERS, f.icmpv6(133), hops=255)
    yield f.ipv6(here.link_local, ALL_NODES, f.icmpv6(134, rest=bytes(12)), hops=255)
    yield f.ipv6(here.link_local, there.ip6, f.icmpv6(137, rest=bytes(36)), hops=255)
    for kind, code in ((1, 0), (1, 4), (2, 0), (3, 1), (129, 0), (130, 0), (255, 255)):
        yield f.ipv6(here.ip6, there.ip6, f.icmpv6(kind, code))


def ipv6_extensions(here, there):
    hop = f.extension(f.HOP_BY_HOP, b"\x05\x02\0\0\x01\0")  # router alert
    yield f.ipv6(here.link_local, "ff02::16", f.icmpv6(143, rest=bytes(24)), extensions=[hop])
    for kind in (f.HOP_BY_HOP, f.DESTINATION, f.ROUTING):
        extension = f.extension(kind, b"\0" * 6)
        yield f.ipv6(here.ip6, there.ip6, f.udp(1024, 80), extensions=[extension])
        yield f.ipv6(STRANGER.ip6, there.ip6, f.tcp(1024, 80), extensions=[extension])
    yield f.ipv6(here.ip6, there.ip6, f.udp(1024, 80), extensions=[f.fragment(0)])
    yield f.ipv6(here.ip6, there.ip6, b"\0" * 16, f.UDP, [f.fragment(1480)])
    yield f.ipv6(here.ip6, there.ip6, b"\0" * 16, f.UDP, [f.fragment(1480, False)])
    yield f.ipv6(here.ip6, there.ip6, f.udp(1024, 80), extensions=[f.fragment(0, False)])
    yield f.ipv6(STRANGER.ip6, there.ip6, b"\0" * 16, f.UDP, [f.fragment(1480)])


def typical(here, there):
    """One packet of each kind, for trying addresses and tags."""
    return [f.arp(f.REQUEST, here.mac, here.ip, f.MAC_ZERO, there.ip),
            f.rarp(f.REQUEST_REVERSE, here.mac, "0.0.0.0", here.mac, "0.0.0.0"),
            f.ipv4(here.ip, there.ip, f.udp(1024, 80)),
            f.ipv4("0.0.0.0", "255.255.255.255", f.udp(68, 67)),
            f.ipv4(STRANGER.ip, there.ip, f.tcp(1024, 80)),
            f.ipv6(here.link_local, ALL_NODES, f.icmpv6(128)),
            f.ipv6(here.ip6, there.ip6, f.udp(546, 547)),
            f.Packet(0x835, b"\0" * 28),
            f.Packet(0x88b5, b"experiment")]


def addressed(here, there):
    """Other Ethernet addresses."""
    for packet in typical(here, there):
        for destination in (f.BROADCAST, *MULTICAST_MACS, UNKNOWN_MAC, there.mac):
            yield f.eth(destination, here.mac, packet)
        for source in (STRANGER.mac, PEER.mac, GUEST.mac):
            yield f.eth(f.BROADCAST, source, packet)
        yield f.eth(there.mac, STRANGER.mac, packet)
        if here is GUEST:
            yield f.eth(OUTSIDE.mac, GUEST.mac, packet)


def tagged(here, there):
    packets_ = typical(here, there)
    for tags in TAGS:
        for packet in (packets_[0], packets_[2], packets_[4], packets_[5], packets_[-1]):
            yield f.eth(f.BROADCAST, here.mac, packet, tags=tags)
        yield f.eth(there.mac, STRANGER.mac, packets_[2], tags=tags)


def odd(here, there):
    """What belongs to no chain, and what is too short for its own."""
    for source in (here.mac, STRANGER.mac):
        yield f.stp(source)
        yield f.stp(source, flags=1, root=(0x1000, "02:00:00:00:00:0c"))
    yield f.llc(there.mac, here.mac, b"\xe0\xe0\x03" + bytes(40))
    for ethertype in (0x600, 0x8847, 0x8863, 0x888e, 0x88cc, 0x88b6, 0x9000, 0xffff):
        yield f.eth(there.mac, here.mac, bytes(46), ethertype)
    yield f.eth("01:80:c2:00:00:0e", here.mac, bytes(46), 0x88cc)
    for packet in (f.arp(f.REQUEST, here.mac, here.ip, f.MAC_ZERO, there.ip),
                   f.ipv4(here.ip, there.ip, f.udp(1024, 80)),
                   f.ipv6(here.ip6, there.ip6, f.udp(1024, 80))):
        yield f.short(f.eth(f.BROADCAST, here.mac, packet), 22)
