# SPDX-License-Identifier: Apache-2.0
"""The host itself as one more party on a switch: its bridge's own interface.

What a filter says to a frame for the host is decided in different places.  In Open vSwitch it is
decided in the switch, so a packet socket on the bridge's interface (SwitchHost) sees the outcome.
On a Linux bridge it is decided by iptables' INPUT, behind any packet socket; so BridgeHost has raw
IP sockets, which get what INPUT lets through, and which send through OUTPUT and so past conntrack.
Both look like a wire.Port to wire.Wire.
"""

import select
import socket

from . import frames, wire
from .netns import run, sysctl

MARK = 0x6e7766  # on all that the test sends as the host
SO_BINDTODEVICE, SO_MARK = 25, 36
PROTOCOLS = (frames.ICMP, frames.IGMP, frames.TCP, frames.UDP, frames.ESP, frames.AH, frames.SCTP,
             frames.UDPLITE)
PROTOCOLS6 = (frames.ICMPV6, frames.TCP, frames.UDP, frames.ESP, frames.SCTP, frames.UDPLITE)
LOCAL_TABLE = "100"

# The kernel must not answer in the host's name: its answers would be part of the conversations.
SILENCE = f"""
table inet lab {{
    chain silence {{
        type filter hook output priority -300
        meta mark != {MARK} drop
    }}
}}
"""


class SwitchHost:
    """The interface of an Open vSwitch bridge.  Its address in the kernel should not be `mac`, the
    one that frames for the host have: then the kernel itself ignores them."""

    index = None  # The switch does not read from it by a packet socket.

    def __init__(self, bridge):
        self.name = bridge
        run("ip", "link", "set", bridge, "arp", "off", "up")
        self.socket = wire.packet_socket(bridge)

    def send(self, frame):
        self.socket.send(frame)

    def receive(self):
        return wire.receive_all(self.socket)

    is_same = staticmethod(wire.Port.is_same)


class BridgeHost:
    """The interface of a Linux bridge.  It takes IP packets to any address for its own, and sends
    to any as if all were neighbours.  Only one in a network namespace."""

    def __init__(self, bridge, mac):
        self.name = bridge
        self.neighbours = {}
        run("ip", "link", "set", bridge, "address", mac)
        _settings(bridge)
        _route(bridge, "-4", "0.0.0.0/0", "192.0.2.1/32")
        _route(bridge, "-6", "::/0", "2001:db8:ffff::1/128")
        run("nft", "-f", "-", stdin=SILENCE)
        self.index = socket.if_nametoindex(bridge)
        self.receivers = [_raw(socket.AF_INET, proto, bridge) for proto in PROTOCOLS]
        self.receivers += [_raw(socket.AF_INET6, proto, bridge) for proto in PROTOCOLS6]
        self.senders = {frames.IPV4: _raw(socket.AF_INET, socket.IPPROTO_RAW, bridge),
                        frames.IPV6: _raw(socket.AF_INET6, socket.IPPROTO_RAW, bridge)}
        self.socket = select.epoll()  # stands for all that receive
        for receiver in self.receivers:
            self.socket.register(receiver, select.EPOLLIN)

    def send(self, frame):
        ethertype = int.from_bytes(frame[12:14], "big")
        start, size = (30, 4) if ethertype == frames.IPV4 else (38, 16)
        address = frame[start:start + size]
        text = socket.inet_ntop(socket.AF_INET if size == 4 else socket.AF_INET6, address)
        self._know(text, frame[:6])
        target = (text, 0) if size == 4 else (text, 0, 0, self.index)
        self.senders[ethertype].sendto(frame[14:], target)

    def _know(self, address, mac):
        if self.neighbours.get(address) != mac:
            self.neighbours[address] = mac
            run("ip", "neigh", "replace", address, "lladdr", mac.hex(":"), "dev", self.name,
                "nud", "permanent")

    def receive(self):
        """What INPUT let through; no frames, but their ends with the stamps are whole."""
        received = []
        for receiver in self.receivers:
            while True:
                try:
                    received.append(receiver.recv(65535))
                except BlockingIOError:
                    break
        return received

    @staticmethod
    def is_same(_received, _sent):
        return True  # it has lost its headers


def _raw(family, proto, bridge):
    raw = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, proto)
    raw.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, bridge.encode())
    raw.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
    return raw


def _settings(bridge):
    for setting, value in (("all.rp_filter", 0), (f"{bridge}.rp_filter", 0),
                           (f"{bridge}.accept_local", 1)):
        sysctl(f"net.ipv4.conf.{setting}", value)
    for setting, value in (("accept_ra", 0), ("accept_dad", 0), ("autoconf", 0),
                           ("router_solicitations", 0), ("addr_gen_mode", 1), ("disable_ipv6", 0)):
        sysctl(f"net.ipv6.conf.{bridge}.{setting}", value)
    sysctl("net.ipv6.conf.lo.disable_ipv6", 0)


def _route(bridge, option, everything, source):
    """All that comes in by the bridge is for us, and all that goes out goes out there."""
    run("ip", option, "-batch", "-", stdin="\n".join([
        f"addr add {source} dev {bridge}",
        f"route add {everything} dev {bridge}",
        f"route add local {everything} dev lo table {LOCAL_TABLE}",
        f"rule add iif {bridge} lookup {LOCAL_TABLE}"]))
