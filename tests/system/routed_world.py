# SPDX-License-Identifier: Apache-2.0
"""What the tests of routed hosts share: a provider, a server with three guests, and checks.

    class World: provider, server, guests; reach(), expect_clean(), ...

The matrix of endpoints: every address of every guest, the host, the router, two places in the world
(one behind a smaller MTU) and a neighbour in the provider's subnet, in both directions.  SEED=N has
the guests forge in another order.
"""

import os
import time

from lab import provider as p
from lab.netns import LabError, run
from lab.provider_node import forget_neighbours
from lab.provider_port import show as show_frames
from lab.routed import BRIDGE, Guest, Server, device_mac, stop_all
from lab.routed_monitor import Monitor
from lab.routed_probe import (Endpoint, Services, forget_path_mtu, hops, path_mtu, show, transfer,
                              unanswered)
from lab.routed_spoof import Spoofer, Surroundings
from system.world import FILTERS, call

# Of each provider's guests the addresses; a prefix is routed to the guest as a whole.
HETZNER = {
    "vnet0": (["192.0.2.77"], ["2001:db8:1:1::77"]),
    "vnet1": (["203.0.113.9"], ["2001:db8:1:1::9"]),
    "vnet2": (["203.0.113.10", "203.0.113.11"], ["2001:db8:1:1::10", "2001:db8:1:1::11"]),
}
OVH = {
    "vnet0": (["203.0.113.8"], ["2001:db8:1:100::8"]),
    "vnet1": (["203.0.113.9"], ["2001:db8:1:100::9"]),
    "vnet2": (["203.0.113.10", "203.0.113.11"], ["2001:db8:1:100::10", "2001:db8:1:100::11"]),
}
NOBODY = {"Hetzner": ("203.0.113.14", "2001:db8:1:1::dead"),
          "Ovh": ("203.0.113.14", "2001:db8:1:100::dead")}
# What Open vSwitch has no field for, and what does no harm among guests.
UNSEEN = {"RS with a random source option"}


class World:
    def __init__(self, shape, plan):
        os.makedirs(FILTERS, exist_ok=True)
        self.plan = plan
        self.failures, self.checked = 0, time.monotonic()
        self.forgiven = {"forged": 0, "sources": 0}
        self.services = self.spoofer = self.monitor = None
        self.server = Server()
        self.provider = shape(self.server)
        self.guests = {name: Guest(name, number)
                       for number, name in enumerate(plan, 1)}
        self.isolated = False

    def __enter__(self):
        self.server.__enter__()
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.__exit__()
        stop_all(self.spoofer, self.monitor, self.server, self.provider)
        if self.services:
            self.services.__exit__()

    # --- set-up

    def configure(self, interface=p.NIC):
        """The provider's manual, and what it does not say: what is routed to the server and has no
        guest would be sent back to the router, and come again."""
        self.provider.configure(interface)
        run("ip", "link", "set", BRIDGE, "up")
        run("ip", "-batch", "-", stdin="\n".join(
            f"route replace unreachable {net} metric 9999" for net in self.provider.additional))

    def plug_guests(self, gateway4, gateway6="fe80::1", names=None):
        for name in names or self.guests:
            self.guests[name].plug(self.server)
            self.guests[name].configure(*self.plan[name], gateway4, gateway6)

    def serve(self):
        """TCP on every machine."""
        self.services = Services([self.server, self.provider.router, self.provider.world,
                                  self.provider.narrow, self.provider.neighbour,
                                  *(guest.node for guest in self.guests.values())])

    def spoof(self, **more):
        """From now on, all the time."""
        provider = self.provider
        around = Surroundings(p.NIC_MAC, device_mac(BRIDGE), p.ROUTER_MAC,
                              provider.gateway4, provider.gateway6, provider.main4,
                              provider.main6, *p.WORLD)
        seed = int(os.environ.get("SEED", "1"))
        self.spoofer = Spoofer(list(self.guests.values()), around, seed=seed, **more)

    def spoof_anew(self, **more):
        """What the forgeries did until now is of no interest, nor what guests believe for it."""
        self.spoofer.stop()
        for guest in self.guests.values():
            forget_neighbours(guest.node, guest.interface)
        self.spoof(**more)

    def unwatch(self):
        if self.monitor:
            self.monitor.stop()
        self.monitor = None

    def watch(self, pairs=None):
        self.unwatch()
        self.monitor = Monitor(self.pairs() if pairs is None else pairs)

    # --- who there is

    def outside(self):
        provider = self.provider
        return [Endpoint(provider.router, provider.gateway4),
                Endpoint(provider.router, provider.router6),
                *(Endpoint(provider.world, address) for address in p.WORLD),
                *(Endpoint(provider.narrow, address) for address in p.NARROW),
                Endpoint(provider.neighbour, provider.neighbour4),
                Endpoint(provider.neighbour, provider.neighbour6)]

    def host(self):
        return [Endpoint(self.server, self.provider.main4),
                Endpoint(self.server, self.provider.main6)]

    def of_guest(self, name):
        guest = self.guests[name]
        return [Endpoint(guest.node, address.partition("/")[0])
                for address in guest.addresses4 + guest.addresses6]

    def inside(self):
        return [end for name in self.guests for end in self.of_guest(name)]

    def pairs(self, guests=None):
        """Guests and the host with everybody, both ways."""
        inside = [end for name in guests or self.guests for end in self.of_guest(name)]
        ends = self.host() + inside
        pairs = [pair for one in ends for other in self.outside()
                 for pair in ((one, other), (other, one))]
        pairs += [(one, other) for one in ends for other in ends if one.node is not other.node]
        pairs = [pair for pair in pairs if (":" in pair[0].address) == (":" in pair[1].address)]
        return [pair for pair in pairs if not (self.isolated and self.is_between_guests(pair))]

    def is_between_guests(self, pair):
        nodes = [guest.node for guest in self.guests.values()]
        return pair[0].node in nodes and pair[1].node in nodes

    # --- checks

    def check(self, what, good, why=""):
        lasted, self.checked = time.monotonic() - self.checked, time.monotonic()
        print(f"{'ok    ' if good else 'FAILED'} {what} ({lasted:.1f} s)"
              f"{'' if good or not why else ': ' + str(why)}", flush=True)
        self.failures += not good
        return good

    def reach(self, what, pairs=None, patience=5.0):
        pairs = self.pairs() if pairs is None else pairs
        silent = unanswered(pairs, patience)
        return self.check(f"{what}: {len(pairs)} pings", not silent, ", ".join(map(show, silent)))

    def reach_not(self, what, pairs, patience=1.0):
        silent = unanswered(pairs, patience)
        answered = [pair for pair in pairs if pair not in silent]
        return self.check(f"{what}: no answer to {len(pairs)} pings", not answered,
                          ", ".join(map(show, answered)))

    def transfers(self, what, pairs=None, size=200_000):
        pairs = self.pairs() if pairs is None else pairs
        wrong = [why for why in (transfer(pair, size) for pair in pairs) if why]
        return self.check(f"{what}: {len(pairs)} TCP transfers, {size // 1000} kB each way", not wrong,
                          ", ".join(wrong))

    def see_hops(self, what, first4=None, first6=None):
        """From a guest to the world and back: the host, the provider's router, its core."""
        provider = self.provider
        host4 = {provider.main4, first4 or provider.main4}
        host6 = {provider.main6, first6 or provider.main6}
        wrong, count = [], 0
        for name in self.guests:
            for end in self.of_guest(name):
                six = ":" in end.address
                host = host6 if six else host4
                router = {provider.router6, provider.gateway6} if six else {provider.gateway4}
                core = provider.core6 if six else provider.core4
                there = Endpoint(provider.world, p.WORLD[six])
                out, back = hops((end, there)), hops((there, end))
                count += 2
                if len(out) != 4 or out[0] not in host or out[1] not in router \
                        or out[2:] != [core, there.address]:
                    wrong.append(f"{show((end, there))}: {out}")
                if len(back) != 4 or back[2] not in host or back[3] != end.address:
                    wrong.append(f"{show((there, end))}: {back}")
        return self.check(f"{what}: {count} ways show their hops", not wrong, "; ".join(wrong))

    def see_path_mtus(self, what):
        wrong = []
        for name in self.guests:
            for end in self.of_guest(name):
                forget_path_mtu(end.node)
                there = Endpoint(self.provider.narrow, p.NARROW[":" in end.address])
                found = path_mtu((end, there))
                if found != p.NARROW_MTU:
                    wrong.append(f"{show((end, there))}: {found}")
        return self.check(f"{what}: the smaller MTU behind the router is found", not wrong,
                          "; ".join(wrong))

    def everything(self, what, **more):
        """All of the matrix.  Nobody watches meanwhile: where guests talk to each other by way of
        the host, the kernel tries to redirect them, and that shares its limit with errors."""
        self.unwatch()
        self.provider.forget()
        self.reach(what)
        self.transfers(what)
        self.see_hops(what, **more)
        self.see_path_mtus(what)

    def nobody(self, what):
        """Addresses that are routed to the server, and that no guest has."""
        for address in NOBODY[type(self.provider).__name__]:
            six = ":" in address
            there = Endpoint(self.provider.world, p.WORLD[six])
            self.reach_not(f"{what}: {address} is nobody's", [(there, Endpoint(None, address))])

    def clean(self, what, guests=True):
        """The provider has seen nothing that it complains about, and no guest another's forgery."""
        report = self.provider.port.report()
        counts = report["counts"]
        forged, sources = (counts[name] - self.forgiven[name] for name in ("forged", "sources"))
        self.check(f"{what}: of {report['frames']} frames at the provider 0 are on the abuse list",
                   not counts["abuse"], f"{counts['abuse']}{show_frames(report['abuse'])}")
        self.check(f"{what}: no packet left from an address that is not ours", not sources,
                   f"{sources}{show_frames(report['sources'])}")
        if not self.spoofer:
            return
        told = self.spoofer.report()
        names = [f"{self.spoofer.kind_of(int(entry['why'].split()[1], 16))}: {entry['text']}"
                 for entry in report["forged"][:10]]
        self.check(f"{what}: {told['sent']} forged frames ({told['rounds']} rounds), none left",
                   not forged, f"{forged}: {'; '.join(names)}")
        if guests:
            leaks = sorted({f"{kind}, from {sender}" for sender, kind, _ in told["leaks"]
                            if kind not in UNSEEN})
            self.check(f"{what}: none came out at another guest", not leaks, "; ".join(leaks[:10]))

    def forgive(self):
        """What is forged with the right MAC, and came out until now.  Returns how much."""
        counts = self.provider.port.report()["counts"]
        before, self.forgiven = self.forgiven, {name: counts[name] for name in self.forgiven}
        self.spoof_anew()
        return sum(self.forgiven.values()) - sum(before.values())

    # --- the program

    def nwfilter(self, *words, status=0):
        result = call(*words)
        if result.status != status:
            raise LabError(f"ovs-nwfilter {' '.join(words)}: exit {result.status}, not {status}: "
                           f"{result.err}{result.out}")
        return result

    def bind(self, name, *more):
        guest = self.guests[name]
        return self.nwfilter("bind", "--wait=10", name, "clean-traffic-strict",
                             f"IP={','.join(guest.addresses4)}",
                             f"IPV6={','.join(guest.addresses6)}", f"MAC={guest.mac}", *more)

    def show_server(self):
        """For who looks for a fault."""
        for words in (("ip", "addr"), ("ip", "route"), ("ip", "-6", "route"), ("ip", "neigh"),
                      ("ip", "neigh", "show", "proxy"), ("ip", "-6", "neigh", "show", "proxy"),
                      ("nft", "list", "ruleset"), ("ovs-vsctl", "show"),
                      ("ovs-ofctl", "dump-flows", BRIDGE)):
            print("---", *words)
            print(run(*words, check=False))
