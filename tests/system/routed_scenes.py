# SPDX-License-Identifier: Apache-2.0
"""A routed host from set-up to unmanage, for either provider and either way of routing.

The guests forge all the time.  Each scene ends with the provider's list: nothing may be on it.
How long it took until everybody was reached again is printed; what is asserted is that it was.
"""

import time

from lab import provider as p
from lab.netns import LabError, run
from lab.routed import BRIDGE
from lab.routed_probe import Endpoint, unanswered
from lab.routed_state import State, left_behind
from system.routed_world import World
from system.world import FILTERS

STRICT = "clean-traffic-strict"
# The tags that bind guests are the operator's, and stay.
OPERATORS = (r"interfaces: . vnet\d external_ids:nwfilter",)
# Joined by the kernel while it forwards.
KERNELS = (rf"IPv6 routes: . anycast fe80:: dev {BRIDGE} table local proto kernel",)
# A bridge that is a new device, since ovs-vswitchd started anew, has other addresses of its own.
NEW_DEVICE = (rf"links: . ({BRIDGE}|ovs-netdev|vnet1@if\d+): .*link/ether",
              rf"{BRIDGE} .*fe80::[0-9a-f]+:[0-9a-f:]*ff:fe",
              rf"IPv6 routes: . (local|anycast|multicast|fe80).* dev {BRIDGE} ",
              r"IPv6 routes: . (local|anycast) fe80.* dev lo ")


class Scenes(World):
    def __init__(self, shape, plan, gateways=(), via=None):
        super().__init__(shape, plan)
        self.gateways, self.via = gateways, via
        self.gateway4 = gateways[0] if gateways else self.provider.main4
        self.name = f"{shape.__name__}, via {via or 'host'}"

    def run(self):
        self.configure()
        for name in self.guests:
            self.guests[name].addresses4, self.guests[name].addresses6 = self.plan[name]
        self.plug_guests(self.gateway4)
        self.serve()
        self.spoof()
        self.server.start_daemon(FILTERS)
        self.undone()
        before = State()
        self.set_up()
        for scene in self.scenes():
            began = time.monotonic()
            print(f"--- {scene.__name__}", flush=True)
            scene()
            self.clean(f"    {scene.__name__} ({time.monotonic() - began:.1f} s)")
        self.leave(before, OPERATORS + NEW_DEVICE)
        self.server.daemon.settle()
        self.check("the daemon ends with status 0", self.server.daemon.stop() == 0)

    def scenes(self):
        return [self.all_of_it, self.policy, self.isolation, self.ports, self.faults, self.rewrites,
                self.cleared, self.at_the_end]

    # --- set-up and end

    def manage(self):
        words = ["manage", BRIDGE, "--mode=routed", f"--uplink={p.NIC}"]
        words += [f"--via={self.via}"] if self.via else []
        words += [f"--gateway={','.join(self.gateways)}"] if self.gateways else []
        return self.nwfilter(*words)

    def set_up(self):
        """Managed, nothing is reached; bound, a guest is."""
        self.manage()
        self.spoof_anew()
        ends = self.inside()
        there = {six: Endpoint(self.provider.world, p.WORLD[six]) for six in (False, True)}
        self.reach_not(f"{self.name}: guests that are not bound",
                       [pair for end in ends for pair in ((end, there[":" in end.address]),
                                                          (there[":" in end.address], end))])
        for name in self.guests:
            self.bind_and_reach(name)
        self.watch()
        print("    reachable for", self.recovered("set-up", self.monitor.now()))

    def bind_and_reach(self, name):
        """Asserts that it is reached; says after how many seconds."""
        began = time.monotonic()
        self.bind(name)
        bound = time.monotonic() - began
        pairs = [(Endpoint(self.provider.world, p.WORLD[":" in end.address]), end)
                 for end in self.of_guest(name)]
        silent = unanswered(pairs, 20)
        self.check(f"{self.name}: {name} is bound in {bound:.2f} s, and reached "
                   f"{time.monotonic() - began:.2f} s after the command began", not silent, silent)

    def leave(self, before, ignore):
        """unmanage; then nobody is reached, and all is as before."""
        self.unwatch()
        self.nwfilter("unmanage", BRIDGE)
        self.server.daemon.settle()
        left = left_behind(before, ignore)
        self.check(f"{self.name}: unmanage leaves nothing behind", not left,
                   "\n    ".join(["", *left]))
        self.clean("    unmanaged", guests=False)

    def undone(self):
        """manage and unmanage, and nothing else happens: all is as before."""
        before = State()
        self.manage()
        for name in self.guests:
            self.bind(name)
        self.reach(f"{self.name}: at first")
        for name in self.guests:
            self.nwfilter("unbind", name)
        self.server.daemon.settle()
        theirs = {end.address for end in self.inside()}
        routes = State().parts["IPv4 routes"] + State().parts["IPv6 routes"]
        left = [line for line in routes
                if "unreachable" not in line and not theirs.isdisjoint(line.split())]
        self.check("    unbound, no guest has a route", not left, left)
        self.leave(before, KERNELS)

    # --- scenes

    def all_of_it(self):
        self.everything(self.name)
        self.nobody(self.name)

    def policy(self):
        """An address that is not bound is not routed, in either direction."""
        guest = self.guests["vnet1"]
        for address in ("203.0.113.12", self.provider.prefix6.replace("::/64", "::12")):
            six = ":" in address
            guest.node.ip(f"addr add {address}/{128 if six else 32} dev {guest.interface}"
                          f"{' nodad' if six else ''}")
            other = Endpoint(guest.node, address)
            pairs = [(other, Endpoint(self.provider.world, p.WORLD[six])),
                     (Endpoint(self.provider.world, p.WORLD[six]), other),
                     (other, self.host()[six]), (self.host()[six], other)]
            self.reach_not(f"{self.name}: {address}, which vnet1 has and is not bound to", pairs)
            guest.node.ip(f"addr del {address}/{128 if six else 32} dev {guest.interface}")

    def isolation(self):
        pairs = [pair for pair in self.pairs() if self.is_between_guests(pair)]
        self.reach(f"{self.name}: guest to guest", pairs)
        self.unwatch()
        for name in self.guests:
            self.server.ovs.vsctl("set", "Interface", name, "external_ids:nwfilter-isolated=true")
        self.server.daemon.settled("isolated")
        self.reach_not(f"{self.name}: isolated, guest to guest", pairs)
        self.isolated = True
        self.reach(f"{self.name}: isolated, all others")
        for name in self.guests:
            self.server.ovs.vsctl("remove", "Interface", name, "external_ids", "nwfilter-isolated")
        self.server.daemon.settled("not isolated")
        self.isolated = False
        self.reach(f"{self.name}: no longer isolated")

    def ports(self):
        """A guest goes, and comes again."""
        guest = self.guests["vnet1"]
        rest = [name for name in self.guests if name != "vnet1"]
        gone = [(end, other) for end in self.of_guest("vnet1") for other in self.outside()
                if (":" in end.address) == (":" in other.address)]
        self.watch(self.pairs(rest))
        began = self.monitor.now()
        guest.unplug(self.server)
        self.server.daemon.settled("without vnet1")
        routes = [line for name in ("IPv4 routes", "IPv6 routes", "permanent neighbours",
                                    "IPv4 proxies", "IPv6 proxies") for line in State().parts[name]
                  if set(line.split()) & set(guest.addresses4 + guest.addresses6)]
        self.check(f"{self.name}: unplugged, it has no route, neighbour or proxy", not routes, routes)
        self.reach_not(f"{self.name}: unplugged", [pair[::-1] for pair in gone])
        guest.plug(self.server)
        guest.set_addresses()
        self.bind_and_reach("vnet1")
        print("    others: not reachable for", self.recovered("ports", began))
        self.reach(f"{self.name}: plugged again")

    def faults(self):
        for name, happen in (("kill -9 of ovs-vswitchd", self.server.crash_switch),
                             ("kill -9 of ovsdb-server", self.server.crash_database),
                             ("kill -9 of ovs-nwfilterd", self.server.crash_daemon),
                             ("ovs-vswitchd's restart", self.server.ovs.restart_switch)):
            self.fault(name, happen)

    def rewrites(self):
        """Open vSwitch forwards everything from the moment in which its flows are cleared until the
        daemon has seen it.  What guests forge then with the host's MAC is not asserted."""
        for name, happen in (("ifreload", self.server.reload_network),
                             ("ifreload, while the daemon is away", self._reload_unseen)):
            self.fault(name, happen)
            print(f"    {self.forgive()} forged packets were routed meanwhile")
        for name, happen in (("a network restart that makes the bridge anew", self._new_bridge),
                             ("ifdown and ifup of the uplink", self._bounce_uplink)):
            self.fault(name, happen)

    def _reload_unseen(self):
        self.server.daemon.crash()
        self.server.reload_network()
        time.sleep(0.2)
        self.server.daemon.start()

    def cleared(self):
        """The bridge forwards whatever guests send, and nobody mends it: the host's kernel routes
        for nobody who is not a guest.  One guest may be another one there."""
        self.unwatch()
        self.server.daemon.crash()
        before = self.counts()
        self.server.ovs.vsctl("clear", "Bridge", BRIDGE, "external_ids", "fail_mode")
        time.sleep(2)
        after = self.counts()
        self.check(f"{self.name}: cleared for 2 s, no packet left from an address that is not ours",
                   after["sources"] == before["sources"], (before, after))
        self.watch()
        began = self.monitor.now()
        self.server.daemon.start()
        print("    not reachable for", self.recovered("cleared", began))
        print(f"    {self.forgive()} forged packets were routed meanwhile")

    def counts(self):
        return self.provider.port.report()["counts"]

    def _new_bridge(self):
        """Taps are lost with the bridge, and added again."""
        self.server.ovs.vsctl("del-br", BRIDGE)
        self.server.add_bridge()
        self.server.daemon.settle()  # It is managed again, by its record.
        for name, guest in self.guests.items():
            self.server.ovs.add_port(BRIDGE, name, attached_mac=guest.mac,
                                     iface_id=f"iface-{name}")
            self.bind(name)

    def _bounce_uplink(self):
        run("ip", "link", "set", p.NIC, "down")
        run("ip", "link", "set", p.NIC, "up")
        run("ip", "addr", "flush", "dev", p.NIC, "scope", "global")
        self.provider.configure()

    def at_the_end(self):
        self.everything(f"{self.name}, after all that")
        self.nobody(f"{self.name}, after all that")
        wrong = self.server.daemon.recompute()
        self.check("    recompute finds no difference", not wrong, wrong)

    # --- what happens, and how long it lasts

    def fault(self, name, happen):
        if not self.monitor:
            self.watch()
        began = self.monitor.now()
        try:
            happen()
            lasted = self.recovered(name, began)
        except LabError as error:
            self.check(f"{self.name}: {name}: all is reached again", False, error)
            return
        self.check(f"{self.name}: {name}: not reachable for {lasted}", True)
        abuse = self.provider.port.report()["counts"]["abuse"]
        if abuse:
            self.check(f"    {name}: nothing is on the abuse list", False, abuse)

    def recovered(self, name, began):
        lasted, last = self.monitor.recovered(began)
        return f"{lasted:.1f} s{' (the last: ' + last + ')' if last else ''}"

