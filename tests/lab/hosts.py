# SPDX-License-Identifier: Apache-2.0
"""Hosts inside the laboratory, each with network and daemons of its own.

    host = Host("a")
    with host:                # the test itself is there: sockets, programs, daemons, files
        host.ovs.start()
        host.ovs.add_bridge("br0")

A host has a network namespace, and a mount namespace where the folders of Open vSwitch and of
ovs-nwfilter are its own, so that everything runs at its default paths.  The rest, as /run/lab but
for the logs in it, is shared.  join() lays a cable from one to another.
"""

import ctypes
import os

from . import wire
from .netns import WORK, LabError, run
from .ovs import Ovs

OWN = ("/run/openvswitch", "/var/log/openvswitch", "/var/lib/openvswitch", "/etc/openvswitch",
       "/etc/ovs-nwfilter")
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if getattr(_libc, function)(*arguments):
        raise LabError(f"{function}: {os.strerror(ctypes.get_errno())}")


class _Place:
    """A pair of namespaces that the test can go to, as long as it has one thread."""

    def __init__(self):
        self.spaces = [(os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), kind)
                       for name, kind in (("net", CLONE_NEWNET), ("mnt", CLONE_NEWNS))]

    def go(self):
        for space, kind in self.spaces:
            _call("setns", space, kind)


class Host:
    def __init__(self, name):
        self.name = name
        self.left = []  # where to go back to
        back = _Place()
        _call("unshare", CLONE_NEWNET | CLONE_NEWNS)
        try:
            run("ip", "link", "set", "lo", "up")
            self._furnish()
            self.place = _Place()
        finally:
            back.go()
        self.ovs = Ovs()

    def _furnish(self):
        for path in OWN:
            if os.path.isdir(path):
                run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
        for family in ("all", "default"):
            with open(f"/proc/sys/net/ipv6/conf/{family}/disable_ipv6", "w") as file:
                file.write("1")

    def __enter__(self):
        self.left.append(_Place())
        self.place.go()
        return self

    def __exit__(self, *_):
        back = self.left.pop()
        back.go()
        for space, _ in back.spaces:
            os.close(space)

    @property
    def network(self):
        """As ip(8) finds it, from wherever the test is."""
        return f"/proc/{os.getpid()}/fd/{self.place.spaces[0][0]}"


def join(one, name, other, other_name):
    """A cable from interface `name` of one host to `other_name` of another; None is the
    laboratory."""
    run("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1")
    for end, host, final in (("cable0", one, name), ("cable1", other, other_name)):
        if host:
            run("ip", "link", "set", end, "netns", host.network)
            with host:
                _bring_up(end, final)
        else:
            _bring_up(end, final)


def _bring_up(end, name):
    run("ip", "link", "set", end, "name", name)
    run("ip", "link", "set", name, "up")
    wire.switch_offloads_off(name)
