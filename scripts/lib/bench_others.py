# SPDX-License-Identifier: Apache-2.0
"""scripts/bench others: the same change under ovs-nwfilterd, OVN and libvirt.

A port's policy changes, and a guest comes; the clock stops when each system itself says that it is
enforced: ours when the status is "active", which it is once flows have been compared and no cached
one of the old policy is left; OVN when ovn-controller has had a barrier's answer behind its flows
(hv_cfg of the northbound database; of a new port, ovn-installed); libvirt when virsh returns.

Changes are made by a client of the database, so that no process is measured, and by each system's
own command, from exec to exit.  Every system has an Open vSwitch of its own, one after the other.
A new guest costs ovs-vswitchd something under any of them: shown is how long it takes alone until
the port has a number.  libvirt, which filters on a Linux bridge, cannot change a binding: it is
deleted, and the port is open until the new one is there; only making that is measured.
"""

import itertools
import os
import time

from lab import libvirt, ovn
from lab.libvirt import LinuxBridge
from lab.netns import wait_for, which
from lab.ovs import DATABASE

from bench_client import Watch
from bench_daemon import Daemon, changes, new_guests, quantile
from bench_ports import BRIDGE, Cost, World, median, nwfilter

CHANGES, COMMANDS, BINDINGS = 200, 50, 9
LIBVIRT_PORTS = 10  # a binding takes it about a second; the others are measured there too
INSTALLED = '["ovn-installed", "true"]'
PACKAGES = {"ovn-northd": "ovn-central", "ovn-controller": "ovn-host", "ovn-nbctl": "ovn-common",
            "libvirtd": "libvirt-daemon-system", "virsh": "libvirt-clients"}
ORDER = POLICY, COMMAND, GUEST = ("policy changed, by a client", "policy changed, by a command",
                                  "new guest")


def missing():
    """Debian's packages that are needed and not there."""
    programs = [name for name in ovn.PROGRAMS + libvirt.PROGRAMS if not which(name)]
    return sorted({PACKAGES.get(name, name) for name in programs})


def bench(lab, options):
    sizes = sorted({LIBVIRT_PORTS, *map(int, options.ports.split(","))})
    found = {}  # (what, size, way): seconds
    measure_ours(lab.ovs, sizes, found)
    renew(lab.ovs)
    measure_ovn(lab.ovs, sizes, found)
    renew(lab.ovs)
    measure_switch(lab.ovs, sizes, found)
    found[COMMAND, LIBVIRT_PORTS, "virsh nwfilter-binding-create"] = bindings(lab.libvirt)
    show(found)


def renew(ovs):
    """An Open vSwitch that knows nothing."""
    ovs.stop()
    os.unlink(DATABASE)
    ovs.start()


def show(found):
    print(f"{'':28}{'ports':>6}  {'':38}{'median':>10}{'p99':>11}{'beside ours':>13}")
    for what, size, way in sorted(found, key=lambda key: (ORDER.index(key[0]), key[1])):
        ours = next(found[key] for key in found if key[:2] == (what, size))  # Measured first.
        seconds = sorted(found[what, size, way])
        print(f"{what:28}{size:6}  {way:38}{1000 * median(seconds):7.1f} ms"
              f"{1000 * quantile(seconds, 99):8.1f} ms{median(seconds) / median(ours):13.1f}")


# --- ours

def measure_ours(ovs, sizes, found):
    world = World(ovs)
    world.grow(1)
    nwfilter("manage", BRIDGE)
    daemon, addresses = Daemon(), itertools.count(1)
    for size in sizes:
        world.grow(size)
        daemon.settle()
        found[POLICY, size, "ovs-nwfilterd"] = changes(addresses)
        found[COMMAND, size, "ovs-nwfilter bind --wait"] = [
            nwfilter("bind", "--wait", "p1", "clean-traffic", f"IP={address(number)}").seconds
            for number in range(COMMANDS)]
        check_in_force(ovs)
        found[GUEST, size, "ovs-nwfilterd"] = new_guests(world)
    daemon.stop()


def check_in_force(ovs):
    """That the last address is among the flows, whoever says so."""
    assert any(f"nw_src={address(COMMANDS - 1)}" in flow for flow in ovs.flows(BRIDGE))


def address(number):
    return f"10.8.{number // 250}.{number % 250 + 1}"


# --- OVN

class OvnWorld(World):
    """A logical switch, all of whose ports are here."""

    def __init__(self, ovs):
        super().__init__(ovs)
        self.northbound = Northbound()
        self.northbound.transact({"op": "insert", "table": "Logical_Switch", "row": {"name": "ls"}})

    def announce(self, numbers):
        rows = [self.logical_port(number) for number in numbers]
        ports = ["set", [["named-uuid", row["uuid-name"]] for row in rows]]
        self.northbound.transact(*rows, {"op": "mutate", "table": "Logical_Switch",
                                         "where": [["name", "==", "ls"]],
                                         "mutations": [["ports", "insert", ports]]})

    def forget(self, number):
        ovn.Ovn.nbctl("--wait=hv", "lsp-del", f"p{number}")

    def logical_port(self, number):
        tags = World.tags(number)
        addresses = f"{tags['attached-mac']} {tags['nwfilter-IP']}"
        return {"op": "insert", "table": "Logical_Switch_Port", "uuid-name": f"lsp{number}",
                "row": {"name": f"p{number}", "addresses": addresses, "port_security": addresses}}

    @staticmethod
    def tags(number):
        return {"attached-mac": World.tags(number)["attached-mac"], "iface-id": f"p{number}"}


class Northbound(Watch):
    """A client of the northbound database that asks, as ovn-nbctl --wait=hv does, to be told when
    its change is in force."""

    def __init__(self):
        super().__init__(None, ovn.NORTHBOUND, "OVN_Northbound", "NB_Global", ("hv_cfg",))

    def change(self, *operations):
        """Returns when the chassis has it."""
        results = self.transact(*operations,
                                {"op": "mutate", "table": "NB_Global", "where": [],
                                 "mutations": [["nb_cfg", "+=", 1]]},
                                {"op": "select", "table": "NB_Global", "where": [],
                                 "columns": ["nb_cfg"]})
        wanted = results[-1]["rows"][0]["nb_cfg"]
        self.wait_until(lambda message: any(
            row.get("modify", {}).get("hv_cfg", 0) >= wanted
            for row in message["params"][1]["NB_Global"].values()))


def measure_ovn(ovs, sizes, found):
    central = ovn.Ovn(ovs, BRIDGE)
    try:
        ovs.add_bridge(BRIDGE, fail_mode="secure")
        central.start()
        world = OvnWorld(ovs)
        for size in sizes:
            world.grow(size)
            wait_until_installed(ovs, size)
            found[POLICY, size, "OVN, port_security until hv_cfg"] = [
                security_change(world.northbound, number) for number in range(CHANGES)]
            found[COMMAND, size, "ovn-nbctl lsp-set-port-security"] = [
                security_command(number) for number in range(COMMANDS)]
            check_in_force(ovs)
            found[GUEST, size, "OVN, until ovn-installed"] = new_guests(world, INSTALLED)
    finally:
        central.stop()


def wait_until_installed(ovs, size):
    ovn.Ovn.nbctl("--wait=hv", "sync")
    wait_for(lambda: ovs.vsctl("find", "Interface", "external_ids:ovn-installed=true")
             .count("ovn-installed=") >= size, "OVN to have all ports", 300, 0.2)


def security(number):
    return f"{World.tags(1)['attached-mac']} {address(number)}"


def security_change(northbound, number):
    start = time.monotonic()
    northbound.change({"op": "update", "table": "Logical_Switch_Port",
                       "where": [["name", "==", "p1"]],
                       "row": {"port_security": security(number)}})
    return time.monotonic() - start


def security_command(number):
    return Cost("ovn-nbctl", "--wait=hv", "lsp-set-port-security", "p1", security(number)).seconds


# --- Open vSwitch

def measure_switch(ovs, sizes, found):
    world = World(ovs)
    for size in sizes:
        world.grow(size)
        found[GUEST, size, "Open vSwitch alone, until ofport"] = new_guests(world, '"ofport": ',
                                                                            "ofport")


# --- libvirt

def bindings(reference):
    """Seconds of each binding that is made anew, beside others."""
    bridge = LinuxBridge("lbr")
    for number in range(1, LIBVIRT_PORTS + 1):
        bridge.add_guest(f"v{number}", mac(number))
        bind(reference, number, number)
    seconds = []
    for number in range(BINDINGS):
        complaint = reference.unbind("v1")
        assert not complaint, complaint
        start = time.monotonic()
        bind(reference, 1, number)
        seconds.append(time.monotonic() - start)
    bridge.remove()
    return seconds


def mac(number):
    return World.tags(number)["attached-mac"]


def bind(reference, port, number):
    complaint = reference.bind(f"v{port}", mac(port), "clean-traffic", {"IP": address(number)})
    assert not complaint, complaint
