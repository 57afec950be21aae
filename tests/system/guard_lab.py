#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A bridged host at a provider that accepts the server's MAC and one that was bought: the guard.

The NIC is on the bridge.  vnet0 has the bought MAC; vnet1 and vnet2 have MACs of their own, which
may not leave.  No port has a filter: whatever the guests forge, and whatever the bridge and its
internal ports say by themselves, reaches the guard.
"""

import json
import os
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import provider as p  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.netns import LabError, run, wait_for  # noqa: E402
from lab.routed import BRIDGE, device_mac, shield  # noqa: E402
from lab.routed_probe import Endpoint, show  # noqa: E402
from lab.routed_spoof import MISLEADING, NAMES  # noqa: E402
from lab.routed_state import State, left_behind  # noqa: E402
from system.routed_world import HETZNER, World  # noqa: E402
from system.world import FILTERS, call  # noqa: E402

BOUGHT = "00:50:56:00:12:34"
HARMLESS = [name for name in NAMES if name not in MISLEADING]


class Guarded(World):
    def __init__(self):
        super().__init__(p.Hetzner, HETZNER)
        self.guests["vnet0"].mac = BOUGHT
        self.provider.port.allow(f"{BOUGHT}@none")
        self.bought4 = HETZNER["vnet0"][0][0]

    def pairs(self, guests=("vnet0",)):
        """Of the host, and of the guest with the bought MAC."""
        world = [Endpoint(self.provider.world, address) for address in p.WORLD]
        inside = self.host() + [end for end in self.of_guest("vnet0") if ":" not in end.address]
        return [pair for one in inside for other in world if (":" in one.address) == (
            ":" in other.address) for pair in ((one, other), (other, one))]

    def foreign_pairs(self):
        return [pair for name in ("vnet1", "vnet2") for end in self.of_guest(name)
                for other in [Endpoint(self.provider.world, p.WORLD[":" in end.address])]
                for pair in ((end, other), (other, end))]

    # --- set-up

    def plug(self):
        """Ports that nobody takes for a guest's."""
        for name, guest in self.guests.items():
            guest.cable()
            self.server.ovs.add_port(BRIDGE, name)
            guest.configure(*HETZNER[name], self.provider.gateway4, self.provider.gateway6)

    def set_up(self):
        """In the order that is safe: manage, then the NIC, then the addresses."""
        run("ip", "link", "set", BRIDGE, "up")
        self.nwfilter("manage", BRIDGE, "--guests=", f"--guard={p.NIC}",
                      f"--guard-mac={BOUGHT}/{self.bought4}")
        self.spoof(pace=0.002, kinds=HARMLESS)
        self.server.ovs.vsctl("add-port", BRIDGE, p.NIC)
        run("ip", "addr", "flush", "dev", p.NIC, "scope", "global")
        shield(p.NIC)
        self.server.daemon.settled("the NIC on the bridge")
        self.follow_mac()
        self.provider.configure(BRIDGE)

    def follow_mac(self):
        """The bridge has the NIC's MAC."""
        try:
            wait_for(lambda: device_mac(BRIDGE) == p.NIC_MAC, "the NIC's MAC", 3)
        except LabError:
            pass
        if not self.check(f"{BRIDGE} has the NIC's MAC", device_mac(BRIDGE) == p.NIC_MAC):
            self.server.ovs.vsctl("set", "Bridge", BRIDGE, f"other_config:hwaddr={p.NIC_MAC}")

    # --- checks

    def clean(self, what):
        report = self.provider.port.report()
        told = self.spoofer.report()["sent"] if self.spoofer else 0
        counts = report["counts"]
        wrong = [f"{entry['text']} ({entry['why']})" for entry in report["abuse"][:8]]
        self.check(f"{what}: of {report['frames']} frames at the provider, {told} forged ones sent, "
                   "0 are on the abuse list", not counts["abuse"],
                   "\n    ".join([str(counts["abuse"])] + wrong))

    def offenders(self):
        """[(port, MAC, count)]"""
        found = []

        def walk(value):
            if isinstance(value, dict):
                if "port" in value and "mac" in value:
                    found.append((value["port"], value["mac"], value))
                value = list(value.values())
            if isinstance(value, list):
                for item in value:
                    walk(item)
        walk(json.loads(self.nwfilter("guard", BRIDGE, "--format=json").out))
        return found

    def named(self, what):
        """Whoever was kept back."""
        result = call("guard", BRIDGE, "--format=json")
        if not self.check("ovs-nwfilter guard --format=json", result.status == 0, result.err):
            return
        def missing():
            pairs = {(port, mac) for port, mac, _ in self.offenders()}
            return {(name, self.guests[name].mac) for name in ("vnet1", "vnet2")} - pairs
        try:
            wait_for(lambda: not missing(), "offenders", 5)
        except LabError:
            pass
        self.check(f"{what}: the offenders are named", not missing(),
                   f"missing {missing()} in {self.offenders()}")
        text = self.nwfilter("guard", BRIDGE).out
        self.check("    and in the text", all(self.guests[name].mac in text
                                             for name in ("vnet1", "vnet2")), text)

    def everything(self, what):
        self.reach(what, patience=10)
        self.reach_not(f"{what}: the MACs that were not bought", self.foreign_pairs())
        self.transfers(what, [pair for pair in self.pairs() if pair[0].node is not
                              self.provider.world])
        self.clean(f"    {what}")

    def fault(self, name, happen):
        began = self.monitor.now()
        try:
            happen()
            lasted, last = self.monitor.recovered(began)
            self.check(f"{name}: not reachable for {lasted:.1f} s", True)
        except LabError as error:
            self.check(f"{name}: all is reached again", False, error)
        self.clean(f"    {name}")

    def calm(self):
        """A flood of foreign frames takes no good ones with it.  On a machine that is busy otherwise a
        ping may be late for other reasons, but not all the time."""
        for _ in range(5):
            began = self.monitor.now()
            time.sleep(2)
            lost = [pair for when, pair in zip(self.monitor.last_lost(), self.monitor.pairs)
                    if when and when > began]
            if not lost:
                break
        self.check("2 s of forged frames cost no ping of the others", not lost,
                   ", ".join(map(show, lost)))

    def all_kinds(self):
        """Those that mislead the bridge and the host, too: nobody need be reached."""
        self.spoofer.stop()
        self.spoof(pace=0.001)
        wait_for(lambda: self.spoofer.report()["rounds"] > 1, "rounds of forged frames", 60, 0.2)
        self.clean("all kinds")

    def crash_switch(self):
        """On the userspace datapath the bridge is a new device, and the host's network set-up gives
        it its addresses again."""
        self.server.crash_switch()
        self.follow_mac()
        self.provider.configure(BRIDGE)

    def new_internal_port(self):
        """It says MLD and router solicitations by itself, from an address of its own."""
        self.server.ovs.vsctl("add-port", BRIDGE, "int0", "--", "set", "Interface", "int0",
                              "type=internal")
        wait_for(lambda: os.path.exists("/proc/sys/net/ipv6/conf/int0"), "int0")
        run("ip", "link", "set", "int0", "up")


def test(lab):
    with Guarded() as world:
        world.configure()
        world.plug()
        before = State()
        world.server.start_daemon(FILTERS)
        world.set_up()
        world.serve()
        world.everything("guarded")
        world.named("guarded")
        world.watch()
        world.calm()
        server = world.server
        for name, happen in (("an internal port", world.new_internal_port),
                             ("kill -9 of ovs-vswitchd", world.crash_switch),
                             ("kill -9 of ovsdb-server", server.crash_database),
                             ("kill -9 of ovs-nwfilterd", server.crash_daemon),
                             ("ifreload", lambda: server.reload_network(p.NIC))):
            world.fault(name, happen)
        world.everything("after all that")
        world.unwatch()
        world.all_kinds()
        leave(world, before)
        return 1 if world.failures else 0


def leave(world, before):
    """The NIC leaves first; until then it is guarded."""
    server = world.server
    server.ovs.vsctl("del-port", "int0")
    server.ovs.vsctl("del-port", p.NIC)
    run("nft", "delete", "table", "netdev", f"lab-{p.NIC}")
    run("ip", "addr", "flush", "dev", BRIDGE, "scope", "global")
    world.nwfilter("unmanage", BRIDGE)
    server.daemon.settle()
    run("ip", "link", "set", BRIDGE, "down")
    world.configure()
    left = left_behind(before, (rf"links: . {BRIDGE}: .*link/ether",))
    world.check("unmanage leaves nothing behind", not left, "\n    ".join(["", *left]))
    world.clean("at the end")
    world.check("the daemon ends with status 0", server.daemon.stop() == 0)


if __name__ == "__main__":
    main(test)
