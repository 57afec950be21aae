# SPDX-License-Identifier: Apache-2.0
"""A guest that floods, and what that leaves in the datapath.

KINDS has, for each kind of flood, a function that makes one of its frames out of good ones: what
a clean-traffic guest sends, with one thing that is random.  "mixed" leaves each of these things as
it is or makes it random, independently of the others, so that every combination occurs.

What a packet costs is the number of masks, each of which the datapath looks up in turn; what they
take in memory and in the work of Open vSwitch's revalidators is the number of cached flows.
"""

import ipaddress
import random
import re

from . import frames as f
from .netns import run
from .wire import wait_until_read

FRAMES = 20000
LOT = 100  # sent at once; more do not fit a socket's buffer
PEER = "02:00:00:00:00:01"
PEER_IP = "10.0.0.1"
PEER_IP6 = "2001:db8::1"
# Types of their own make a megaflow each, whatever is matched.
COMMON_TYPES = (f.ARP, f.RARP, f.IPV4, f.IPV6, 0x88b5)


class Flooder:
    """A guest with its addresses, and random frames of it."""

    def __init__(self, mac, ip, ip6="2001:db8::5", seed=1):
        self.mac, self.ip, self.ip6 = mac, ip, ip6
        self.rng = random.Random(seed)

    def frames(self, kind, count=FRAMES):
        return [KINDS[kind](self) for _ in range(count)]

    # --- what may be random

    def any_mac(self):
        return "%02x:%02x:%02x:%02x:%02x:%02x" % (self.rng.randrange(0, 256, 2),
                                                  *self.rng.randbytes(5))

    def any_group(self):
        return "%02x:%02x:%02x:%02x:%02x:%02x" % (self.rng.randrange(1, 256, 2),
                                                  *self.rng.randbytes(5))

    def any_ip(self):
        return ".".join(map(str, self.rng.randbytes(4)))

    def any_ip6(self):
        return str(ipaddress.IPv6Address(self.rng.randbytes(16)))

    def any_type(self):
        return self.rng.randrange(0x600, 0x10000)

    def any_tag(self):
        return (self.rng.randrange(4096), self.rng.randrange(8))

    def maybe(self, good, make):
        return good if self.rng.random() < 0.5 else make()

    # --- frames

    def ipv4(self, dst=PEER, src=None, nw_src=None, tags=()):
        return f.eth(dst, src or self.mac, f.ipv4(nw_src or self.ip, PEER_IP, f.udp(1000, 53)),
                     tags=tags)

    def arp(self, dst=f.BROADCAST, src=None, sha=None, spa=None, op=f.REQUEST, tags=()):
        return f.eth(dst, src or self.mac,
                     f.arp(op, sha or self.mac, spa or self.ip, f.MAC_ZERO, PEER_IP), tags=tags)

    def rarp(self, sha=None, spa="0.0.0.0"):
        return f.eth(f.BROADCAST, self.mac,
                     f.rarp(3, sha or self.mac, spa, sha or self.mac, "0.0.0.0"))

    def ipv6(self, src=None):
        return f.eth(PEER, self.mac, f.ipv6(src or self.ip6, PEER_IP6, f.udp(1000, 53)))

    def datagram(self, source, target, port):
        return f.eth(PEER, self.mac, f.ipv4(source, target, f.udp(1000, port)))

    def chosen(self):
        """Frames from its own addresses that miss a strict filter's ports and types at each bit;
        and from nobody's, those of DHCP's addresses and ports."""
        segments = [make(a, b) for make in (f.tcp, f.sctp) for a in near_port(0)
                    for b in near_port(0)]
        frames = [f.eth(PEER, self.mac, f.ipv4(self.ip, PEER_IP, segment))
                  for segment in segments + [f.udp(a, b) for a in near_port(67) + near_port(0)
                                             for b in near_port(68) + near_port(0)]
                  + [f.icmp(kind) for kind in range(256)]]
        frames += [f.eth(PEER, self.mac, f.ipv6(self.ip6, PEER_IP6, segment))
                   for segment in segments + [f.udp(a, b) for a in near_port(547) + near_port(0)
                                              for b in near_port(546) + near_port(0)]
                   + [f.icmpv6(kind, code) for kind in range(256) for code in (0, 1)]]
        return frames + [f.eth(f.BROADCAST, self.mac, f.ipv4("0.0.0.0", target, f.udp(a, b)))
                         for target in near_ip("255.255.255.255") for a in near_port(68)
                         for b in near_port(67)]

    def solicitation(self, sll=None):
        return self.neighbour(135, PEER_IP6, f.link_address(1, sll or self.mac))

    def advertisement(self, target=None, tll=None):
        return self.neighbour(136, target or self.ip6, f.link_address(2, tll or self.mac))

    def neighbour(self, kind, target, option):
        return f.eth(PEER, self.mac, f.ipv6(self.ip6, PEER_IP6, f.neighbour(kind, target, option),
                                            hops=255))

    def other(self, eth_type, dst=PEER, src=None, tags=()):
        return f.eth(dst, src or self.mac, b"\0" * 46, eth_type, tags=tags)

    def mixed(self):
        eth_type = self.rng.choice(COMMON_TYPES)
        dst = self.rng.choice((PEER, f.BROADCAST, self.any_group()))
        src = self.maybe(self.mac, self.any_mac)
        tags = self.maybe((), lambda: (self.any_tag(),))
        if eth_type == f.IPV4:
            return self.ipv4(dst, src, self.maybe(self.ip, self.any_ip), tags)
        if eth_type == f.ARP:
            return self.arp(dst, src, self.maybe(self.mac, self.any_mac),
                            self.maybe(self.ip, self.any_ip), tags=tags)
        return self.other(eth_type, dst, src, tags)


KINDS = {
    "source MAC": lambda g: g.ipv4(src=g.any_mac()),
    "source IP": lambda g: g.ipv4(nw_src=g.any_ip()),
    "ARP sender MAC": lambda g: g.arp(sha=g.any_mac()),
    "ARP sender IP": lambda g: g.arp(spa=g.any_ip()),
    "RARP sender MAC": lambda g: g.rarp(sha=g.any_mac()),
    "RARP sender IP": lambda g: g.rarp(spa=g.any_ip()),
    "IPv6 source": lambda g: g.ipv6(src=g.any_ip6()),
    "ND source option": lambda g: g.solicitation(sll=g.any_mac()),
    "ND target": lambda g: g.advertisement(target=g.any_ip6()),
    "ND target option": lambda g: g.advertisement(tll=g.any_mac()),
    "multicast destination": lambda g: g.ipv4(dst=g.any_group()),
    "ethertype": lambda g: g.other(g.any_type()),
    "VLAN tag": lambda g: g.ipv4(tags=(g.any_tag(),)),
    "mixed": Flooder.mixed,
}
# Of these a filter that drops all IPv6 looks at nothing.
IPV6_KINDS = ("IPv6 source", "ND source option", "ND target", "ND target option")


def flip(mac, bit):
    """The address with one bit changed, bit 0 the last."""
    changed = int.from_bytes(f.mac(mac), "big") ^ 1 << bit
    return ":".join(f"{byte:02x}" for byte in changed.to_bytes(6, "big"))


def flip6(address, bit):
    """The same of an IPv6 address."""
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(address)) ^ 1 << bit))


def near_ip(address):
    """The IPv4 address, and those that differ from it in one bit."""
    number = int(ipaddress.IPv4Address(address))
    return [address] + [str(ipaddress.IPv4Address(number ^ 1 << bit)) for bit in range(32)]


def near_port(port):
    return [port] + [port ^ 1 << bit for bit in range(16)]


def send(port, frames, meanwhile=lambda: None):
    """Send the frames, none faster than the switch reads; 'meanwhile' is called between lots."""
    for start in range(0, len(frames), LOT):
        for frame in frames[start:start + LOT]:
            port.send(frame)
        wait_until_read({port.index})
        meanwhile()


class Cached:
    """What is in the datapath's cache for frames of one port."""

    def __init__(self, port_name):
        lines = [line for line in run("ovs-appctl", "dpctl/dump-flows", "-m").splitlines()
                 if f"in_port({port_name})" in line]
        self.megaflows = len(lines)
        self.masks = len(set(map(mask_of, lines)))


def mask_of(line):
    """Which bits a cached flow looks at: its match with the values left out."""
    match = re.sub(r"^ufid:[^ ]*,\s*", "", line).split(", packets:")[0]
    return re.sub(r"(?<=[=(])([^/(),=]+)(?:/([^(),]+))?(?=[,)])",
                  lambda found: found[2] or "exact", match)
