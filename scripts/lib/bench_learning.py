# SPDX-License-Identifier: Apache-2.0
"""scripts/bench learning: what a flood of forged source addresses behind the uplink costs.

A real Open vSwitch with the userspace datapath: the same flood comes in by the uplink of a bridge
with one NORMAL flow and of a managed one, in turn, so that both see the same machine.  Beside the
switch's processor time stands how long a frame between two other ports takes that is sent in the
midst of it.
"""

import random
import time

from lab import frames as f
from lab.netns import run

from bench_packets import processor_time
from bench_ports import FILTERS, PROGRAM, median

ADDRESSES = 20000
LOT = 50  # flood frames for each frame whose way is timed
GUEST_MAC, PEER_MAC = "52:54:00:00:00:01", "02:00:00:00:00:02"
LEARNED = "cookie=0x6e77668100000000/0xffffffff00000000"


def bench(lab, options):
    bridges = [Bridge(lab.ovs, number, managed) for number, managed in enumerate((False, True))]
    found = [[] for _ in bridges]
    for round_ in range(options.rounds + 1):  # the first warms up
        for bridge, list_ in zip(bridges, found):
            list_.append(bridge.flood(round_))
    report([[median(column) for column in zip(*list_[1:])] for list_ in found])


def report(found):
    print(f"{ADDRESSES} frames from as many source addresses through the userspace datapath; "
          "meanwhile, frames between two other ports:")
    for name, (seconds, latency, worst) in zip(("NORMAL", "clean-traffic"), found):
        print(f"  {name:14} {seconds:6.2f} s of processor time   beside NORMAL: "
              f"{seconds / found[0][0]:.2f}   latency {1000 * latency:.2f} ms, beside NORMAL: "
              f"{latency / found[0][1]:.2f}; the slowest of a hundred {1000 * worst:.1f} ms",
              flush=True)


class Bridge:
    """An uplink, a second trusted port and a guest."""

    def __init__(self, ovs, number, managed):
        self.ovs = ovs
        self.name = name = f"br{number}"
        ovs.add_bridge(name)
        ovs.vsctl("set", "Bridge", name, f"other_config:hwaddr=02:00:00:00:01:{number:02x}")
        self.uplink = ovs.add_guest(name, f"uplink{number}")
        self.peer = ovs.add_guest(name, f"peer{number}")
        self.guest = ovs.add_guest(name, f"guest{number}", mac=GUEST_MAC)
        if managed:
            program = (PROGRAM, f"--filter-dir={FILTERS}")
            run(*program, "bind", f"guest{number}", "clean-traffic", "IP=10.0.0.5")
            run(*program, "manage", name, f"--trusted=uplink{number},peer{number}")
        self.to_peer = f.eth(PEER_MAC, GUEST_MAC, f.ipv4("10.0.0.5", "10.0.0.6", f.udp(1000, 53)))
        self.to_guest = f.eth(GUEST_MAC, PEER_MAC, f.ipv4("10.0.0.6", "10.0.0.5", f.udp(53, 1000)))

    def flood(self, seed):
        """Seconds of processor time, median and 99th percentile of the latency in seconds."""
        rng = random.Random(seed)
        body = f.ipv4("10.9.9.9", "10.0.0.6", f.udp(7, 9))
        lots = [[f.eth(PEER_MAC, "02:%02x:%02x:%02x:%02x:%02x" % tuple(rng.randbytes(5)), body)
                 for _ in range(LOT)] for _ in range(ADDRESSES // LOT)]
        self.ovs.appctl("fdb/flush", self.name)
        self.ovs.ofctl("del-flows", self.name, LEARNED)
        self.peer.send(self.to_guest)
        self.guest.send(self.to_peer)
        time.sleep(0.1)
        before = processor_time(self.ovs)
        latencies = sorted(self._latency(lot) for lot in lots)
        time.sleep(1)  # revalidators end what they have begun
        seconds = processor_time(self.ovs) - before
        return seconds, latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]

    def _latency(self, lot):
        self.peer.receive()
        for frame in lot:
            self.uplink.send(frame)
        start = time.monotonic()
        self.guest.send(self.to_peer)
        while self.to_peer not in self.peer.receive():
            if time.monotonic() > start + 5:
                raise SystemExit("a guest's frame did not arrive")
        return time.monotonic() - start
