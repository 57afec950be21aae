# SPDX-License-Identifier: Apache-2.0
"""A rented server with guests: the server of provider.py, its bridge, and what is behind its ports.

    server = Server()
    provider = Hetzner(server)
    with server:
        server.start()                       # Open vSwitch, and a bridge without ports
        provider.configure()
        guest = Guest("vnet0", 1)
        guest.plug(server)
        guest.configure(["203.0.113.9"], ["2001:db8:1:1::9"], gateway4="192.0.2.10")

A guest is a namespace of its own behind a veth pair whose other end is a port of the bridge.
"""

import json
import signal
import socket

from . import wire
from .hosts import Host
from .netns import LabError, run, run_status, sysctl, wait_for
from .nwfilterd import Nwfilterd
from .provider_node import Node, link_local, settle_kernel
from .routed_spoof import Station

BRIDGE = "br0"
REFRESH = ("clear", "Bridge", BRIDGE, "auto_attach", "controller", "external-ids", "fail_mode",
           "flood_vlans", "ipfix", "mirrors", "netflow", "other_config", "protocols", "sflow")


class Server(Host):
    def __init__(self):
        super().__init__("server")
        self.daemon = None
        with self:
            settle_kernel(forwarding=False)
            sysctl("net.ipv4.icmp_ratelimit", 1000)  # The kernel's own: the guests' router is
            sysctl("net.ipv6.icmp.ratelimit", 1000)  # part of what is tested.

    def socket(self, *arguments):
        with self:
            return socket.socket(*arguments)

    def start(self):
        """Open vSwitch, and a bridge as ovs-vsctl(8) makes it."""
        self.ovs.start()
        self.add_bridge()

    def add_bridge(self):
        self.ovs.vsctl("add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=netdev")
        wait_for(lambda: run_status("ip", "link", "show", BRIDGE)[0] == 0, f"device {BRIDGE}")

    def start_daemon(self, filters, *options):
        self.daemon = Nwfilterd(filters, *options)
        self.daemon.start()

    def stop(self):
        with self:
            if self.daemon and self.daemon.is_alive():
                self.daemon.stop()
            self.ovs.stop()

    # --- what may happen to it

    def crash_switch(self):
        self.ovs.restart_switch(signal.SIGKILL)

    def crash_database(self):
        self.ovs.restart_server(signal.SIGKILL)

    def crash_daemon(self):
        self.daemon.restart(crash=True)

    def reload_network(self, *interfaces):
        """As ifupdown2's ifreload does: whatever it does not know of the bridge, and of ports that
        are in its file, is cleared."""
        more = (word for name in interfaces
                for word in ("--", "clear", "Interface", name, "external_ids"))
        self.ovs.vsctl(*REFRESH, *more)


class Guest:
    """Machines have names such as vnet0, which is their port's, and a number."""

    interface = "eth0"

    def __init__(self, name, number):
        self.name = name
        self.mac = f"52:54:00:00:01:{number:02x}"
        self.node = Node(name)
        self.addresses4, self.addresses6, self.gateways = [], [], {}
        self.port_mac = None  # of the device at the server's end

    @property
    def station(self):
        """Its first addresses."""
        return Station(self.mac, self.addresses4[0], self.addresses6[0].partition("/")[0],
                       self.port_mac)

    @property
    def link_local(self):
        return link_local(self.mac)

    def cable(self):
        """Its NIC, and the port's device in the server; called there."""
        run("ip", "link", "add", self.name, "type", "veth", "peer", "name", f"{self.name}g")
        run("ip", "link", "set", f"{self.name}g", "netns", self.node.network)
        wire.switch_offloads_off(self.name)
        sysctl(f"net.ipv6.conf.{self.name}.disable_ipv6", 1)  # as libvirt does with a tap
        shield(self.name)
        run("ip", "link", "set", self.name, "up")
        self.port_mac = device_mac(self.name)
        with self.node:
            run("ip", "link", "set", f"{self.name}g", "name", self.interface, "address", self.mac)
            wire.switch_offloads_off(self.interface)
            run("ip", "link", "set", self.interface, "up")

    def plug(self, server, bridge=BRIDGE, **tags):
        """As libvirt plugs it; tags: more external_ids."""
        self.cable()
        return server.ovs.add_port(bridge, self.name, attached_mac=self.mac,
                                   iface_id=f"iface-{self.name}", **tags)

    def unplug(self, server):
        server.ovs.vsctl("del-port", self.name)
        run("ip", "link", "del", self.name)

    def configure(self, addresses4, addresses6, gateway4, gateway6="fe80::1"):
        """Addresses that stand alone, and gateways on the link."""
        self.addresses4, self.addresses6 = list(addresses4), list(addresses6)
        self.gateways = {"-4": gateway4, "-6": gateway6}
        self.set_addresses()

    def set_addresses(self):
        """Again after its NIC was replaced."""
        device = self.interface
        lines = [f"addr add {address}/32 dev {device}" for address in self.addresses4]
        lines += [f"addr add {address if '/' in address else address + '/128'} dev {device} nodad"
                  for address in self.addresses6]
        lines += [f"route add default via {gateway} dev {device} onlink"
                  for gateway in self.gateways.values() if gateway]
        self.node.ip(*lines)

    def replug(self, server, **tags):
        """Off, and on again."""
        self.unplug(server)
        self.plug(server, **tags)
        self.set_addresses()


# Open vSwitch's userspace datapath listens to a device beside the kernel, which would answer ARP on
# a port, and route what is sent to the port's own MAC.  With the kernel's datapath it does not even
# see it.
SHIELD = """
table netdev lab-{name} {{}}
delete table netdev lab-{name}
table netdev lab-{name} {{
    chain ingress {{
        type filter hook ingress device {name} priority 0
        drop
    }}
}}
"""


def shield(name):
    """The kernel hears nothing from the device; Open vSwitch does."""
    run("nft", "-f", "-", stdin=SHIELD.format(name=name))


def device_mac(name):
    return json.loads(run("ip", "-j", "link", "show", name))[0]["address"]


def stop_all(*things):
    """Whatever is there; the first error is told once all are stopped."""
    errors = []
    for thing in things:
        try:
            if thing:
                thing.stop()
        except (LabError, OSError) as error:
            errors.append(error)
    if errors:
        raise LabError(str(errors[0]))
