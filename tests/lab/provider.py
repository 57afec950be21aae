# SPDX-License-Identifier: Apache-2.0
"""A provider of rented servers, in namespaces: Hetzner's shape and OVH's.

    server --- port [router] --- [core] --- [world]
                      |             \\-- MTU 1400 -- [narrow]
                      \\-- [neighbour]: another customer's server, in the same subnet

The port is watched (provider_port.py).  What both have in common: the switch accepts the server's
own MAC alone, the main address stands alone (/32) and its gateway is reached on the link, and
neighbours in the subnet are reached by way of the gateway.

Hetzner: the router asks by ARP for the main address and for SINGLE; SUBNET is routed to the main
address, and the /64 to the link-local address that EUI-64 makes of the server's MAC.  The IPv6
gateway is fe80::1.

Ovh: there are no further MACs.  The router asks for none of the additional addresses: they are
routed to the main address.  The /64 is on the link: the router asks for each address, by
solicitations that come from its global address, which lies outside of the /64; so does the gateway.
It answers no solicitation that comes from a link-local address.
"""

from .netns import run, wait_for
from .provider_node import Node, connect, forget_neighbours, link_local
from .provider_port import SwitchPort

NIC = "eth0"
NIC_MAC = "96:00:00:00:00:10"
ROUTER_MAC = "d2:00:00:00:00:01"
NEIGHBOUR_MAC = "96:00:00:00:00:20"

WORLD = "198.51.100.10", "2001:db8:100::10"
NARROW = "198.51.100.130", "2001:db8:101::10"
NARROW_MTU = 1400


class Provider:
    main4, gateway4 = "192.0.2.10", "192.0.2.1"
    neighbour4, neighbour6 = "192.0.2.20", "2001:db8:2:1::2"
    subnet = "203.0.113.8/29"
    prefix6, main6, gateway6 = "2001:db8:1:1::/64", "2001:db8:1:1::2", "fe80::1"
    router6 = "2001:db8:f::1"  # what the router calls itself in errors
    core4, core6 = "198.51.100.254", "2001:db8:f::2"

    def __init__(self, server):
        """server: a hosts.Host or a Node; it gets its NIC, without addresses."""
        self.server = server
        self.router = Node("router", forwarding=True)
        self.core = Node("core", forwarding=True)
        self.world, self.narrow = Node("world"), Node("narrow")
        self.neighbour = Node("neighbour")
        connect(self.router, "port", server, NIC, ROUTER_MAC, NIC_MAC)
        self.port = SwitchPort(self.router, "port", [NIC_MAC], self.sources())
        self._connect_world()
        self._connect_neighbour()
        self.set_up()

    @property
    def additional(self):
        """All that is the server's, besides its main addresses."""
        return [self.subnet, self.prefix6]

    def sources(self):
        """All that the server may send from."""
        return [self.main4, *self.additional, link_local(NIC_MAC)]

    def _connect_world(self):
        router, core = self.router, self.core
        connect(router, "core", core, "router")
        router.addresses("core", "198.51.100.253/30", f"{self.router6}/64")
        core.addresses("router", f"{self.core4}/30", f"{self.core6}/64")
        router.ip("route add default via 198.51.100.254", f"route add default via {self.core6}")
        core.ip("route add default via 198.51.100.253",
                f"route add default via {self.router6}")
        for node, net4, addresses, mtu in (
                (self.world, "198.51.100.{}/28", WORLD, 1500),
                (self.narrow, "198.51.100.{}/28", NARROW, NARROW_MTU)):
            first = 1 if node is self.world else 129
            net6 = addresses[1].replace("::10", "::1")
            connect(core, node.name, node, "eth0", mtu=mtu)
            core.addresses(node.name, net4.format(first), f"{net6}/64")
            node.addresses("eth0", f"{addresses[0]}/28", f"{addresses[1]}/64")
            node.ip(f"route add default via {net4.format(first)[:-3]}",
                    f"route add default via {net6}")

    def _connect_neighbour(self):
        """In the main address's subnet, and kept apart from it by the switch."""
        connect(self.router, "neighbour", self.neighbour, "eth0", other_mac=NEIGHBOUR_MAC)
        self.neighbour.addresses("eth0", f"{self.neighbour4}/32", f"{self.neighbour6}/64")
        self.neighbour.ip(f"route add {self.gateway4} dev eth0",
                          f"route add default via {self.gateway4}")
        self.router.addresses("neighbour", "fe80::1/64")
        self.neighbour.ip("route add default via fe80::1 dev eth0")
        self.router.ip(f"route add {self.neighbour4} dev neighbour",
                       "route add 2001:db8:2:1::/64 via "
                       f"{link_local(NEIGHBOUR_MAC)} dev neighbour")

    def set_up(self):
        """The router's side of the server's port."""
        raise NotImplementedError

    def forget(self):
        """The router asks anew for whatever it sends to."""
        forget_neighbours(self.router, "port")

    def configure(self, interface=NIC):
        """The server's own addresses, as the provider's manual says."""
        with self.server:
            run("ip", "link", "set", interface, "up")
        self.wait_for_link(interface)
        with self.server:
            run("ip", "-batch", "-", stdin="\n".join([
                f"addr replace {self.main4} peer {self.gateway4} dev {interface}",
                f"route replace default via {self.gateway4} dev {interface}",
                f"addr replace {self.main6}/128 dev {interface} nodad",
                f"route replace {self.gateway6} dev {interface}",
                f"route replace default via {self.gateway6} dev {interface}"]))

    def wait_for_link(self, interface):
        """Until the interface has its link-local address."""
        def is_up():
            with self.server:
                return "fe80:" in run("ip", "-6", "addr", "show", "dev", interface, "scope", "link")
        wait_for(is_up, f"the link-local address of {interface}")

    def stop(self):
        self.port.stop()


class Hetzner(Provider):
    single = "192.0.2.77"

    @property
    def additional(self):
        return [*super().additional, self.single]

    def set_up(self):
        self.router.addresses("port", f"{self.gateway4}/24", "fe80::1/64")
        self.router.ip(f"route add {self.subnet} via {self.main4} dev port",
                       f"route add {self.prefix6} via {link_local(NIC_MAC)} dev port")


# The router's solicitations leave from its global address, and it hears none from a link-local one.
OVH_NEIGHBOURS = """
table ip6 provider {{
    chain output {{
        type filter hook output priority 0
        oifname "port" icmpv6 type nd-neighbor-solicit ip6 saddr fe80::/10 ip6 saddr set {gateway}
    }}
    chain input {{
        type filter hook input priority 0
        iifname "port" icmpv6 type nd-neighbor-solicit ip6 saddr fe80::/10 counter drop
    }}
}}
"""


class Ovh(Provider):
    prefix6, main6 = "2001:db8:1:100::/64", "2001:db8:1:100::2"
    gateway6 = "2001:db8:1:1ff:ff:ff:ff:ff"

    def set_up(self):
        self.router.addresses("port", f"{self.gateway4}/32", f"{self.gateway6}/128")
        self.router.ip(f"route add {self.main4} dev port",
                       f"route add {self.subnet} via {self.main4} dev port",
                       f"route add {self.prefix6} dev port")
        with self.router:
            run("nft", "-f", "-", stdin=OVH_NEIGHBOURS.format(gateway=self.gateway6))
