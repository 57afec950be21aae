#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Routed by the host's kernel: kinds of addresses, addresses that cannot be had, and what somebody
takes away from what was made; see routed_scenes.py."""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import provider as p  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.netns import LabError, run, wait_for  # noqa: E402
from lab.routed import BRIDGE  # noqa: E402
from lab.routed_probe import Endpoint  # noqa: E402
from system.routed_scenes import STRICT, Scenes  # noqa: E402
from system.routed_world import HETZNER  # noqa: E402
from system.world import call  # noqa: E402

PREFIX, IN_PREFIX = "2001:db8:1:1:c::/80", "2001:db8:1:1:c::1234"
PRIVATE = "10.0.3.2"
NEW_MAC = "96:00:00:00:00:11"
MASQUERADE = f"""
table ip private {{
    chain postrouting {{
        type nat hook postrouting priority srcnat
        ip saddr 10.0.3.0/24 oifname {p.NIC} masquerade
    }}
}}
"""


class KindScenes(Scenes):
    def scenes(self):
        return [self.prefix, self.private, self.refused, self.foreign_route, self.vanished,
                self.new_mac, self.at_the_end]

    def there(self, address):
        return Endpoint(self.provider.world, p.WORLD[":" in address])

    def both_ways(self, end):
        return [(end, self.there(end.address)), (self.there(end.address), end)]

    # --- kinds

    def prefix(self):
        """A prefix is routed to the guest by way of its link-local address."""
        guest = self.guests["vnet2"]
        guest.node.addresses(guest.interface, f"{IN_PREFIX}/128")
        end = Endpoint(guest.node, IN_PREFIX)
        self.reach_not(f"{IN_PREFIX}, not bound", self.both_ways(end))
        self.rebind("vnet2", [], [PREFIX])
        self.reach(f"{IN_PREFIX}, of a prefix that is bound", self.both_ways(end))
        self.transfers(f"{IN_PREFIX}", self.both_ways(end))
        guest.node.ip(f"addr del {IN_PREFIX}/128 dev {guest.interface}")
        self.rebind("vnet2")

    def private(self):
        """An address of its own, and the host's NAT."""
        guest = self.guests["vnet1"]
        run("nft", "-f", "-", stdin=MASQUERADE)
        guest.node.ip(f"addr add {PRIVATE}/32 dev {guest.interface}")
        self.rebind("vnet1", [PRIVATE])
        end = Endpoint(guest.node, PRIVATE)
        self.reach("a private address, by the host's NAT",
                   [(end, self.there(PRIVATE)), (end, self.host()[0]), (self.host()[0], end)])
        self.transfers("a private address", [(end, self.there(PRIVATE))])
        guest.node.ip(f"addr del {PRIVATE}/32 dev {guest.interface}")
        self.rebind("vnet1")
        run("nft", "delete", "table", "ip", "private")

    def rebind(self, name, more4=(), more6=()):
        guest = self.guests[name]
        return self.nwfilter("bind", "--wait=10", name, STRICT,
                             f"IP={','.join([*guest.addresses4, *more4])}",
                             f"IPV6={','.join([*guest.addresses6, *more6])}", f"MAC={guest.mac}")

    # --- what cannot be had

    def status(self, name):
        return self.server.ovs.vsctl("--if-exists", "get", "Interface", name,
                                     "external_ids:nwfilter-status").strip().strip('"')

    def told(self, name, *words):
        """The guest's status is an error with these words."""
        try:
            wait_for(lambda: self.status(name).startswith("error: ")
                     and all(word in self.status(name) for word in words), "the status", 5)
        except LabError:
            pass
        status = self.status(name)
        return self.check(f"    the status of {name} says so", status.startswith("error: ") and
                          all(word in status for word in words), status)

    def refused(self):
        """One address of two guests, or the host's own: the first owner keeps it."""
        taken = self.guests["vnet0"].addresses4[0]
        for what, addresses in (("another guest's address", [taken]),
                                ("the host's own address", [self.provider.main4])):
            guest = self.guests["vnet1"]
            result = call("bind", "--wait=5", "vnet1", STRICT, f"IP={','.join(addresses)}",
                          f"IPV6={guest.addresses6[0]}", f"MAC={guest.mac}")
            self.check(f"{what}: bind does not say that it is in force", result.status != 0, result)
            self.told("vnet1", addresses[0])
            rest = [pair for pair in self.pairs(["vnet0", "vnet2"])
                    if self.guests["vnet1"].node not in (pair[0].node, pair[1].node)]
            self.reach(f"    {what}: all others", rest)
            self.rebind("vnet1")
            self.reach(f"    {what}: bound to its own again")

    def foreign_route(self):
        """What somebody else made is left alone."""
        address = self.guests["vnet1"].addresses4[0]
        self.nwfilter("unbind", "vnet1")
        self.server.daemon.settle()
        run("ip", "route", "add", "prohibit", address)
        guest = self.guests["vnet1"]
        call("bind", "--wait=5", "vnet1", STRICT, f"IP={address}",
             f"IPV6={','.join(guest.addresses6)}", f"MAC={guest.mac}")
        self.told("vnet1", address)
        route = run("ip", "route", "show", address)
        self.check("    somebody else's route is left alone",
                   f"prohibit {address}" in route, route)
        run("ip", "route", "del", "prohibit", address)
        wait_for(lambda: self.status("vnet1") == "active", "the guest's own route", 5)
        self.reach("    without it the guest is reached")

    # --- what is taken away

    def vanished(self):
        guest = self.guests["vnet0"]
        four, six = guest.addresses4[0], guest.addresses6[0]
        for what, words in (
                ("a route", ["ip", "route", "del", four, "dev", BRIDGE]),
                ("an IPv6 route", ["ip", "-6", "route", "del", six, "dev", BRIDGE]),
                ("all addresses of the bridge", ["ip", "addr", "flush", "dev", BRIDGE]),
                ("the bridge is down and up",
                 ["sh", "-c", f"ip link set {BRIDGE} down; ip link set {BRIDGE} up"]),
                ("the bridge is down", ["ip", "link", "set", BRIDGE, "down"]),
                ("a neighbour", ["ip", "neigh", "del", four, "dev", BRIDGE]),
                ("another neighbour",
                 ["ip", "neigh", "replace", four, "lladdr", "02:00:00:66:66:66", "dev", BRIDGE]),
                ("forwarding", ["sysctl", "-q", "net.ipv4.ip_forward=0"]),
                ("IPv6 forwarding", ["sysctl", "-q", "net.ipv6.conf.all.forwarding=0"])):
            self.fault(f"gone: {what}", lambda words=words: run(*words))
        for option in ("-4", "-6"):
            for line in run("ip", option, "neigh", "show", "proxy").splitlines():
                self.fault(f"gone: proxy {line.split()[0]}", lambda line=line: (
                    run("ip", "neigh", "del", "proxy", line.split()[0], "dev", line.split()[2]),
                    self.provider.forget()))

    def new_mac(self):
        """As a bond's changes that fails over: the bridge's follows, and both sides are told."""
        self.provider.port.allow(NEW_MAC)
        for mac in (NEW_MAC, p.NIC_MAC):
            self.fault(f"the uplink's MAC is {mac}",
                       lambda mac=mac: run("ip", "link", "set", p.NIC, "address", mac))
            found = self.server.ovs.vsctl("--if-exists", "get", "Bridge", BRIDGE,
                                           "other_config:hwaddr")
            self.check("    so is the bridge's", mac in found, found)


def test(lab):
    with KindScenes(p.Hetzner, HETZNER) as scenes:
        scenes.run()
        return 1 if scenes.failures else 0


if __name__ == "__main__":
    main(test)
