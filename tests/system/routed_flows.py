#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Guests of a server that are routed by flows, at either provider; see routed_scenes.py.

    routed_flows.py [Hetzner|Ovh]     one of them

The uplink is a port of the bridge, which has the host's addresses.  What only flows do is looked at
here: that packets take them and not the kernel, and that they follow the gateway."""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import provider as p  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.netns import run, wait_for  # noqa: E402
from lab.routed import BRIDGE  # noqa: E402
from lab.routed_probe import Endpoint  # noqa: E402
from system.routed_scenes import Scenes  # noqa: E402
from system.routed_world import HETZNER, OVH  # noqa: E402

NEW_ROUTER_MAC = "d2:00:00:00:00:02"
# Tables of src/compile/route.c.
LEAVE = 218
PREFIX, IN_PREFIX = "c::/80", "c::1234"
PRIVATE = "10.0.3.2"
MASQUERADE = f"""
table ip private {{
    chain postrouting {{
        type nat hook postrouting priority srcnat
        ip saddr 10.0.3.0/24 oifname {BRIDGE} masquerade
    }}
}}
"""
GATEWAYS = {p.Hetzner: (), p.Ovh: ("192.168.0.1", "fe80::1")}
PLANS = {p.Hetzner: HETZNER, p.Ovh: OVH}


class FlowScenes(Scenes):
    def __init__(self, shape):
        super().__init__(shape, PLANS[shape], gateways=GATEWAYS[shape], via="flows")

    def scenes(self):
        return [self.all_of_it, self.fast, self.new_router, self.router_lost, self.too_big,
                self.prefix, self.private, self.policy, self.isolation, self.ports, self.faults, self.rewrites,
                self.at_the_end]

    def everything(self, what, **more):
        first = {"first4": self.gateways[0]} if self.gateways else {}
        super().everything(what, **first)

    # --- the NIC goes into the bridge, and back

    def manage(self):
        super().manage()
        self.move_in()

    def move_in(self):
        run("ip", "addr", "flush", "dev", p.NIC)
        self.server.ovs.vsctl("add-port", BRIDGE, p.NIC)
        run("ip", "link", "set", BRIDGE, "up")
        wait_for(lambda: p.NIC_MAC in run("ip", "link", "show", BRIDGE), "the bridge's address")
        self.configure(BRIDGE)

    def move_out(self):
        run("ip", "addr", "flush", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "down")
        self.server.ovs.vsctl("--if-exists", "del-port", p.NIC)
        run("ip", "link", "set", p.NIC, "down")
        run("ip", "link", "set", p.NIC, "up")
        self.configure()

    def leave(self, before, ignore):
        """An ovs-vswitchd that was killed has left the NIC promiscuous."""
        self.unwatch()
        self.move_out()
        super().leave(before, ignore and (*ignore, rf"links: . {p.NIC}@"))

    def _new_bridge(self):
        """The NIC comes first, as its file says."""
        self.server.ovs.vsctl("del-br", BRIDGE)
        self.server.add_bridge()
        self.move_in()
        for name, guest in self.guests.items():
            self.server.ovs.add_port(BRIDGE, name, attached_mac=guest.mac,
                                     iface_id=f"iface-{name}")
            self.bind(name)

    def _bounce_uplink(self):
        run("ip", "link", "set", p.NIC, "down")
        run("ip", "link", "set", p.NIC, "up")

    # --- scenes

    def counted(self, table, text=""):
        """Packets that the table's flows have taken."""
        flows = self.server.ovs.ofctl("dump-flows", BRIDGE, f"table={table}")
        return sum(int(line.split("n_packets=")[1].split(",")[0])
                   for line in flows.splitlines() if "n_packets=" in line and text in line)

    def to_world(self, back=True):
        there = [Endpoint(self.provider.world, address) for address in p.WORLD]
        pairs = [(end, there[":" in end.address]) for end in self.inside()]
        return pairs + [pair[::-1] for pair in pairs] if back else pairs

    def fast(self):
        """What flows can route the kernel does not see."""
        pairs = self.to_world(back=False)
        self.reach(f"{self.name}: to the world", pairs)
        before = self.counted(LEAVE, "dec_ttl")
        self.transfers(f"{self.name}: by flows", pairs)
        wait_for(lambda: self.counted(LEAVE, "dec_ttl") - before > 50 * len(pairs),
                 "packets that left by flows")

    def new_router(self):
        """The gateway has another MAC, and does not tell."""
        self.watch(self.to_world())
        self.fault("the router is another one", lambda: self.set_router_mac(NEW_ROUTER_MAC))
        self.fault("the first router is back", lambda: self.set_router_mac(p.ROUTER_MAC))
        self.unwatch()

    def set_router_mac(self, mac):
        self.provider.router.ip(f"link set port address {mac}")

    def router_lost(self):
        """Forwarded traffic alone brings it back."""
        self.watch(self.to_world())
        for gateway in (self.provider.gateway4, self.provider.gateway6):
            self.fault(f"{gateway}: the neighbour entry is lost",
                       lambda: run("ip", "neigh", "del", gateway, "dev", BRIDGE))
        self.unwatch()

    def too_big(self):
        """The uplink's own MTU is smaller."""
        run("ip", "link", "set", p.NIC, "mtu", "1300")
        self.provider.router.ip("link set port mtu 1300")
        self.transfers(f"{self.name}: with a smaller MTU at the uplink", self.to_world())
        run("ip", "link", "set", p.NIC, "mtu", "1500")
        self.provider.router.ip("link set port mtu 1500")

    def prefix(self):
        """A prefix is one guest's."""
        guest = self.guests["vnet2"]
        inside = self.provider.prefix6.replace("::/64", f":{IN_PREFIX}")
        guest.node.addresses(guest.interface, f"{inside}/128")
        end, there = Endpoint(guest.node, inside), Endpoint(self.provider.world, p.WORLD[1])
        pairs = [(end, there), (there, end)]
        self.reach_not(f"{self.name}: {inside}, not bound", pairs)
        self.rebind(guest, [self.provider.prefix6.replace("::/64", f":{PREFIX}")])
        self.reach(f"{self.name}: {inside}, of a prefix that is bound", pairs)
        guest.node.ip(f"addr del {inside}/128 dev {guest.interface}")
        self.rebind(guest)

    def private(self):
        """What is to be translated the host's kernel routes, and its NAT."""
        guest = self.guests["vnet1"]
        guest.node.ip(f"addr add {PRIVATE}/32 dev {guest.interface}")
        self.rebind(guest, more4=[PRIVATE])
        end, there = Endpoint(guest.node, PRIVATE), Endpoint(self.provider.world, p.WORLD[0])
        run("nft", "-f", "-", stdin=MASQUERADE)
        self.reach(f"{self.name}: a private address, by the host's NAT",
                   [(end, there), (end, self.host()[0]), (self.host()[0], end)])
        self.transfers(f"{self.name}: a private address", [(end, there)])
        guest.node.ip(f"addr del {PRIVATE}/32 dev {guest.interface}")
        self.rebind(guest)
        run("nft", "delete", "table", "ip", "private")

    def rebind(self, guest, more=(), more4=()):
        return self.nwfilter("bind", "--wait=10", guest.name, "clean-traffic-strict",
                             f"IP={','.join([*guest.addresses4, *more4])}",
                             f"IPV6={','.join([*guest.addresses6, *more])}", f"MAC={guest.mac}")


def test(lab):
    names = sys.argv[1:] or ["Hetzner", "Ovh"]
    failures = 0
    for name in names:
        with FlowScenes(getattr(p, name)) as scenes:
            scenes.run()
            failures += scenes.failures
    return 1 if failures else 0


if __name__ == "__main__":
    main(test)
