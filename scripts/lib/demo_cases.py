# SPDX-License-Identifier: Apache-2.0
"""The demonstration's stations and frames, and where clean-traffic lets each frame go."""

from lab import frames as f

GUESTS = ("vnet0", "vnet1", "vnet2")
MAC = {name: f"52:54:00:00:00:0{i}" for i, name in enumerate(GUESTS, 1)}
IP = {name: f"10.0.0.{i}" for i, name in enumerate(GUESTS, 1)}
MAC["uplink"], IP["uplink"] = "02:00:00:00:0f:fe", "10.0.0.254"
STRANGER_MAC, STRANGER_IP = "52:54:00:00:00:99", "10.0.0.99"
GROUP_MAC = "01:00:5e:00:00:01"
ALL, NONE = GUESTS + ("uplink",), ()


def ip(sender, to=f.BROADCAST, src_mac=None, src=None, dst="10.0.0.255", body=None, tags=()):
    packet = f.ipv4(src or IP[sender], dst, body or f.udp(5000, 5001))
    return f.eth(MAC.get(to, to), src_mac or MAC[sender], packet, tags=tags)


def arp(sender, sha=None, spa=None, op=f.REQUEST, to=f.BROADCAST, tpa="10.0.0.253"):
    return f.eth(MAC.get(to, to), MAC[sender],
                 f.arp(op, sha or MAC[sender], spa or IP[sender], f.MAC_ZERO, tpa))


def rarp(sender, station):
    return f.eth(f.BROADCAST, MAC[sender],
                 f.rarp(f.REQUEST_REVERSE, station, "0.0.0.0", station, "0.0.0.0"))


def ipv6(sender, to="33:33:00:00:00:01"):
    return f.eth(MAC.get(to, to), MAC[sender], f.ipv6("fe80::1", "ff02::1", f.udp(5000, 5001)))


def cases():
    """(sender, what it sends, the frame, who receives it besides the sender)"""
    dhcp = f.udp(68, 67)
    return [
        # clean; the first is what systems send when they start, and tells where they are
        *((guest, "gratuitous ARP", arp(guest, tpa=IP[guest]), ALL) for guest in GUESTS),
        ("uplink", "ARP reply to vnet0", arp("uplink", op=f.REPLY, to="vnet0"), ("vnet0",)),
        ("vnet0", "ARP request", arp("vnet0"), ALL),
        ("vnet0", "IPv4 broadcast", ip("vnet0"), ALL),
        ("vnet0", "IPv4 to vnet1", ip("vnet0", "vnet1", dst=IP["vnet1"]), ("vnet1",)),
        ("vnet0", "IPv4 to the uplink", ip("vnet0", "uplink", dst="192.0.2.1"), ("uplink",)),
        ("vnet1", "IPv4 to vnet2", ip("vnet1", "vnet2", dst=IP["vnet2"]), ("vnet2",)),
        ("vnet0", "DHCP request from 0.0.0.0",
         ip("vnet0", src="0.0.0.0", dst="255.255.255.255", body=dhcp), ALL),
        ("vnet0", "DHCP renewal, own address", ip("vnet0", body=dhcp), ALL),
        ("vnet0", "QEMU's RARP announcement", rarp("vnet0", MAC["vnet0"]), ("uplink",)),
        ("vnet0", "ethertype 0x0835 (old QEMU)",
         f.eth(f.BROADCAST, MAC["vnet0"], b"announcement", 0x0835), ("uplink",)),
        # forged, or none of clean-traffic's kinds
        ("vnet0", "IPv4, foreign source MAC", ip("vnet0", src_mac=STRANGER_MAC), NONE),
        ("vnet0", "IPv4, vnet1's source MAC", ip("vnet0", src_mac=MAC["vnet1"]), NONE),
        ("vnet0", "IPv4, source MAC is a group", ip("vnet0", src_mac=GROUP_MAC), NONE),
        ("vnet0", "IPv4, foreign source IP", ip("vnet0", src=STRANGER_IP), NONE),
        ("vnet0", "IPv4, vnet1's IP, to uplink", ip("vnet0", "uplink", src=IP["vnet1"]), NONE),
        ("vnet2", "IPv4, foreign IP (raw tags)", ip("vnet2", src=STRANGER_IP), NONE),
        ("vnet0", "ICMP from 0.0.0.0", ip("vnet0", src="0.0.0.0", body=f.icmp(8)), NONE),
        ("vnet0", "ARP, foreign sender MAC", arp("vnet0", sha=STRANGER_MAC), NONE),
        ("vnet0", "ARP, foreign sender IP", arp("vnet0", spa=STRANGER_IP), NONE),
        ("vnet0", "ARP reply for vnet1's IP",
         arp("vnet0", spa=IP["vnet1"], op=f.REPLY, to="uplink"), NONE),
        ("vnet0", "ARP probe (sender 0.0.0.0)", arp("vnet0", spa="0.0.0.0"), NONE),
        ("vnet0", "RARP for another station", rarp("vnet0", STRANGER_MAC), NONE),
        ("vnet0", "IPv6 multicast", ipv6("vnet0"), NONE),
        ("vnet0", "IPv4 in VLAN 5", ip("vnet0", tags=[5]), NONE),
        ("vnet0", "IPv4, priority tag", ip("vnet0", tags=[(0, 3)]), NONE),
        ("vnet0", "spanning tree", f.stp(MAC["vnet0"]), NONE),
        ("vnet0", "ethertype 0x88b6", f.eth(f.BROADCAST, MAC["vnet0"], b"other", 0x88b6), NONE),
        # towards the guests
        ("uplink", "ARP request", arp("uplink"), GUESTS),
        ("uplink", "IPv4 broadcast", ip("uplink"), GUESTS),
        ("uplink", "IPv4 to vnet1", ip("uplink", "vnet1", dst=IP["vnet1"]), ("vnet1",)),
        ("uplink", "IPv4 forging vnet1's MAC", ip("uplink", src_mac=MAC["vnet1"]), GUESTS),
        ("vnet0", "IPv4 to vnet1, not stolen", ip("vnet0", "vnet1", dst=IP["vnet1"]), ("vnet1",)),
        ("uplink", "RARP announcing vnet1", rarp("uplink", MAC["vnet1"]), ("vnet1",)),
        ("uplink", "IPv6 multicast", ipv6("uplink"), NONE),
        ("uplink", "IPv6 to vnet2", ipv6("uplink", "vnet2"), NONE),
        ("uplink", "IPv4 broadcast in VLAN 5", ip("uplink", tags=[5]), NONE),
        ("uplink", "IPv4 to vnet0 in VLAN 5", ip("uplink", "vnet0", tags=[5]), NONE),
        ("uplink", "ethertype 0x88b6", f.eth(f.BROADCAST, MAC["uplink"], b"other", 0x88b6), NONE),
    ]
