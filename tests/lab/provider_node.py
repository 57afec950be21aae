# SPDX-License-Identifier: Apache-2.0
"""Machines of a provider's network: a network namespace each, and sockets in it.

    node = Node("world")
    with node:                     # the test is there: programs, sockets, sysctls
        run("ip", "addr", "add", "192.0.2.1/24", "dev", "eth0")
    node.addresses("eth0", "192.0.2.1/24", "2001:db8::1/64")
    connect(node, "eth0", other, "port0", mac="02:00:00:00:00:01")

A socket belongs to the namespace in which it was made, so one process can talk for all machines.
Unlike a hosts.Host, a Node has no files and no daemons of its own.
"""

import os
import socket

from . import wire
from .hosts import CLONE_NEWNET, _call
from .netns import LabError, run, run_status, sysctl


class Node:
    def __init__(self, name, forwarding=False):
        self.name = name
        self._left = []
        back = _open()
        _call("unshare", CLONE_NEWNET)
        self.space = _open()
        _call("setns", back, CLONE_NEWNET)
        os.close(back)
        with self:
            run("ip", "link", "set", "lo", "up")
            settle_kernel(forwarding)

    def __enter__(self):
        self._left.append(_open())
        _call("setns", self.space, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        back = self._left.pop()
        _call("setns", back, CLONE_NEWNET)
        os.close(back)

    @property
    def network(self):
        """As ip(8) finds it, from wherever the test is."""
        return f"/proc/{os.getpid()}/fd/{self.space}"

    def run(self, *words, **more):
        with self:
            return run(*words, **more)

    def ip(self, *lines):
        """Lines of ip(8), in one go."""
        with self:
            run("ip", "-batch", "-", stdin="\n".join(lines))

    def addresses(self, interface, *addresses):
        self.ip(*(f"addr add {address} dev {interface}{' nodad' if ':' in address else ''}"
                  for address in addresses))

    def socket(self, *arguments):
        with self:
            return socket.socket(*arguments)


def _open():
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def settle_kernel(forwarding):
    """A namespace as on a fresh machine, but quick: no duplicate address detection, and errors are
    answered without a limit of their rate."""
    for name, value in (
            ("ipv4.ip_forward", int(forwarding)), ("ipv4.icmp_ratelimit", 0),
            ("ipv6.icmp.ratelimit", 0), ("ipv6.conf.all.disable_ipv6", 0),
            ("ipv6.conf.default.disable_ipv6", 0), ("ipv6.conf.default.accept_dad", 0),
            ("ipv6.conf.all.forwarding", int(forwarding)),
            ("ipv6.conf.default.forwarding", int(forwarding)),
            ("ipv6.conf.default.addr_gen_mode", 0), ("ipv6.conf.lo.disable_ipv6", 0)):
        sysctl(f"net.{name}", value)


_cables = [0]


def connect(one, name, other, other_name, mac=None, other_mac=None, mtu=1500):
    """A cable between two machines (Node or hosts.Host)."""
    _cables[0] += 1
    ends = f"cable{_cables[0]}a", f"cable{_cables[0]}b"
    run("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
    for end, node, final, address in zip(ends, (one, other), (name, other_name),
                                         (mac, other_mac)):
        run("ip", "link", "set", end, "netns", node.network)
        with node:
            run("ip", "link", "set", end, "name", final, "mtu", str(mtu))
            if address:
                run("ip", "link", "set", final, "address", address)
            wire.switch_offloads_off(final)
            run("ip", "link", "set", final, "up")


def forget_neighbours(node, interface):
    """What was learned; permanent entries stay."""
    with node:
        for family in ("-4", "-6"):
            status, out = run_status("ip", family, "neigh", "flush", "dev", interface)
            if status:
                raise LabError(f"{node.name}: ip neigh flush dev {interface}: {out}")


def link_local(mac):
    """The address that EUI-64 makes of a MAC."""
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 2
    octets[3:3] = [0xff, 0xfe]
    groups = [f"{octets[i] << 8 | octets[i + 1]:x}" for i in range(0, 8, 2)]
    return "fe80::" + ":".join(groups)
