# SPDX-License-Identifier: Apache-2.0
"""The kernel's connection tracking and rules, in the network namespace that we are in."""

import os
import socket
import struct

from .netns import LabError, run, run_status

NETLINK_NETFILTER = 12
CONNTRACK_DELETE = 1 << 8 | 2  # subsystem ctnetlink, IPCTNL_MSG_CT_DELETE
REQUEST_ACK = 1 | 4
NLMSG_ERROR = 2


def flush_conntrack():
    """As "conntrack -F", without a process and without the package."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        body = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
        kernel.send(struct.pack("=IHHII", 16 + len(body), CONNTRACK_DELETE, REQUEST_ACK, 1, 0)
                    + body)
        kind, error = struct.unpack_from("=4xH10xi", kernel.recv(4096))
    if kind != NLMSG_ERROR or error:
        raise LabError(f"flushing connections: {os.strerror(-error)}")


def conntrack():
    """The connections as they are now, for a report."""
    path = "/proc/net/nf_conntrack"
    if not os.path.exists(path):
        return "(the kernel does not show them)\n"
    with open(path) as file:
        return file.read()


def rules():
    """All rules of libvirt's, for a report."""
    return "".join(run(program, *words) for program, *words in
                   (("ebtables", "-t", "nat", "-L"), ("iptables-save",), ("ip6tables-save",)))


def forget_rules():
    """Take away all that was made by iptables, ip6tables and ebtables: each of their calls takes
    longer the more is there."""
    for table in ("ip filter", "ip6 filter", "bridge nat"):
        run_status("nft", "delete", "table", *table.split())
