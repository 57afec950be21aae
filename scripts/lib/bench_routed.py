# SPDX-License-Identifier: Apache-2.0
"""scripts/bench routed: what it costs to route a guest of a rented server.

Three servers at a provider of the tests' laboratory (lab/provider.py), in one run: a guest that is
bridged by NORMAL, as providers do not let it; one that the host's kernel routes; one that flows
route.  In turn, so that all see the same machine: packets of UDP and a TCP stream from the guest to
the provider's router.  Beside it the cached flows and masks that the guest's packets take, and how
long it takes from the command that binds the guest until it is reached from the world.
"""

import socket
import threading
import time

from lab import flood
from lab import provider as p
from lab.netns import run
from lab.routed import BRIDGE
from lab.routed_probe import Endpoint, unanswered
from system.routed_world import HETZNER, World
from system.world import FILTERS

from bench_ports import median

GUEST = "vnet0"
WAYS = (("NORMAL", None), ("via host", "host"), ("via flows", "flows"))
PACKETS, LOT, FLOWS, SIZE = 20000, 100, 64, 64
STREAM = 32 << 20  # bytes


def bench(lab, options):
    ways = [Way(name, via) for name, via in WAYS]
    try:
        for way in ways:
            way.set_up()
        rates = {way.name: ([], []) for way in ways}
        for number in range(options.rounds + 1):  # the first warms up
            for way in ways:
                for found, rate in zip(rates[way.name], (way.packets(), way.stream())):
                    found += [rate] if number else []
        report(ways, {name: [median(found) for found in both] for name, both in rates.items()})
        times = {way.name: [way.time_to_reach() for _ in range(options.rounds)]
                 for way in ways if way.via}
        for name, found in times.items():
            print(f"  {name:10} bound and reached from the world after {median(found):.3f} s "
                  f"({min(found):.3f} to {max(found):.3f})")
    finally:
        for way in ways:
            way.stop()


def report(ways, rates):
    first = rates[ways[0].name]
    print(f"guest to router; {PACKETS} UDP packets of {FLOWS} flows, {LOT} at once; {STREAM >> 20} MB "
          "by TCP; ratios are to NORMAL")
    for way in ways:
        packets, stream = rates[way.name]
        megaflows, masks = way.cached
        print(f"  {way.name:10} {packets:8.0f} packets/s {packets / first[0]:5.2f}   "
              f"{stream / 1e6:7.1f} MB/s {stream / first[1]:5.2f}   "
              f"{megaflows} megaflows, {masks} masks", flush=True)


class Way:
    """A server of its own, and its guest."""

    def __init__(self, name, via):
        self.name, self.via = name, via
        self.world = World(p.Hetzner, {GUEST: HETZNER[GUEST]})
        self.guest = self.world.guests[GUEST]
        self.router = self.world.provider.router
        self.gateway = self.world.provider.gateway4
        self.cached = 0, 0
        self.world.__enter__()
        self.world.server.__exit__()

    def stop(self):
        self.world.server.__enter__()
        self.world.__exit__()

    def set_up(self):
        with self.world.server:
            self.world.configure()
            self.world.plug_guests(self.world.provider.main4 if self.via else self.gateway)
            if not self.via:
                self.world.server.ovs.add_port(BRIDGE, p.NIC)
            else:
                self.world.server.start_daemon(FILTERS)
                self.world.nwfilter("manage", BRIDGE, "--mode=routed", f"--uplink={p.NIC}",
                                    f"--via={self.via}")
                self.join()
                self.world.bind(GUEST)
            pair = Endpoint(self.guest.node, self.guest.addresses4[0]), \
                Endpoint(self.router, self.gateway)
            if unanswered([pair], 10):
                raise SystemExit(f"{self.name}: the router does not answer")

    def join(self):
        if self.via == "flows":
            run("ip", "addr", "flush", "dev", p.NIC)
            self.world.server.ovs.add_port(BRIDGE, p.NIC)
            run("ip", "link", "set", BRIDGE, "up")
            self.world.server.daemon.settle()
            self.world.configure(BRIDGE)
            self.world.server.daemon.settle()

    # --- measurements

    def packets(self):
        """Packets a second; none may be lost, or the figure is none."""
        senders = [self.sender(port) for port in range(FLOWS)]
        receiver = self.router.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        receiver.bind((self.gateway, 4000))
        receiver.settimeout(5)
        began = time.monotonic()
        for _ in range(PACKETS // LOT):
            for number in range(LOT):
                senders[number % FLOWS].send(bytes(SIZE))
            for _ in range(LOT):
                receiver.recv(SIZE)
        rate = PACKETS / (time.monotonic() - began)
        self.look_at_cache()
        for each in (*senders, receiver):
            each.close()
        return rate

    def sender(self, port):
        sender = self.guest.node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((self.guest.addresses4[0], 5000 + port))
        sender.connect((self.gateway, 4000))
        return sender

    def look_at_cache(self):
        with self.world.server:
            cached = flood.Cached(GUEST)
        self.cached = max(self.cached, (cached.megaflows, cached.masks))

    def stream(self):
        """Bytes a second."""
        listener = self.router.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((self.gateway, 0))
        listener.listen(1)
        sender = self.guest.node.socket(socket.AF_INET, socket.SOCK_STREAM)
        sender.bind((self.guest.addresses4[0], 0))
        sender.settimeout(30)
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        receiver.settimeout(30)
        began = time.monotonic()
        thread = threading.Thread(target=lambda: (sender.sendall(bytes(STREAM)), sender.close()))
        thread.start()
        while receiver.recv(1 << 20):
            pass
        lasted = time.monotonic() - began
        thread.join()
        for each in (receiver, listener):
            each.close()
        return STREAM / lasted

    def time_to_reach(self):
        """From before the command that binds it."""
        pairs = [(Endpoint(self.world.provider.world, p.WORLD[":" in end.address]), end)
                 for end in self.world.of_guest(GUEST)]
        with self.world.server:
            self.world.nwfilter("unbind", GUEST)
            self.world.server.daemon.settle()
            self.world.provider.forget()
            began = time.monotonic()
            self.world.bind(GUEST)
            if unanswered(pairs, 20):
                raise SystemExit(f"{self.name}: not reached from the world")
        return time.monotonic() - began
