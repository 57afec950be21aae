# SPDX-License-Identifier: Apache-2.0
"""scripts/bench packets: what a filter costs each packet.

A real Open vSwitch with the userspace datapath forwards UDP packets of one guest to another port:
without a filter (NORMAL), under clean-traffic, and under a filter that tracks connections; in turn,
so that all see the same machine.
"""

import glob
import os
import tempfile
import time

from lab import frames as f
from lab.netns import run

from bench_ports import FILTERS, PROGRAM, median

PACKETS = 40000
LOT = 200  # on their way at once; a socket's buffer holds about 270
FLOWS = 64  # UDP source ports in use
GUEST_MAC, PEER_MAC = "52:54:00:00:00:01", "52:54:00:00:00:02"
STATEFUL = """<filter name='bench-stateful'>
  <filterref filter='clean-traffic'/>
  <rule action='accept' direction='in'><tcp dstportstart='22'/></rule>
  <rule action='accept' direction='out'><all/></rule>
  <rule action='drop' direction='inout'><all/></rule>
</filter>
"""
KINDS = (("no filter", None), ("clean-traffic", "clean-traffic"), ("stateful", "bench-stateful"))


def bench(lab, options):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "bench-stateful.xml"), "w") as file:
            file.write(STATEFUL)
        for name in os.listdir(FILTERS):
            os.symlink(os.path.join(FILTERS, name), os.path.join(folder, name))
        lines = [Line(lab.ovs, number, folder, filter_name)
                 for number, (_, filter_name) in enumerate(KINDS)]
        rates = [[] for _ in lines]
        for _ in range(options.rounds + 1):  # the first warms up
            for line, found in zip(lines, rates):
                found.append(line.packets_per_second())
        report([median(found[1:]) for found in rates])


def report(rates):
    print(f"{PACKETS} UDP packets of {FLOWS} flows through the userspace datapath, for each second "
          "of the switch's processor time:")
    for (name, _), rate in zip(KINDS, rates):
        print(f"  {name:14} {rate:8.0f} packets/s   beside no filter: {rate / rates[0]:.2f}",
              flush=True)


class Line:
    """A bridge with a guest and a peer."""

    def __init__(self, ovs, number, folder, filter_name):
        self.ovs = ovs
        bridge = f"line{number}"
        ovs.add_bridge(bridge)
        ovs.vsctl("set", "Bridge", bridge, f"other_config:hwaddr=02:00:00:00:01:{number:02x}")
        self.guest = ovs.add_guest(bridge, f"guest{number}", mac=GUEST_MAC)
        self.peer = ovs.add_guest(bridge, f"peer{number}")
        self.packets = [f.eth(PEER_MAC, GUEST_MAC,
                              f.ipv4("10.0.0.5", "10.0.0.6", f.udp(4000 + port, 53)))
                        for port in range(FLOWS)]
        if filter_name:
            program = (PROGRAM, f"--filter-dir={folder}")
            run(*program, "bind", f"guest{number}", filter_name, "IP=10.0.0.5")
            run(*program, "manage", bridge, f"--trusted=peer{number}")
        # The peer answers once, so that its address is known and connections are answered.
        for port in range(FLOWS):
            self.guest.send(self.packets[port])
        for port in range(FLOWS):
            self.peer.send(f.eth(GUEST_MAC, PEER_MAC, f.ipv4("10.0.0.6", "10.0.0.5",
                                                             f.udp(53, 4000 + port))))

    def packets_per_second(self):
        """Of processor time that the switch spends, whatever else the machine does."""
        self.peer.receive()
        before, received = processor_time(self.ovs), 0
        while received < PACKETS:
            for number in range(LOT):
                self.guest.send(self.packets[number % FLOWS])
            received += self._receive(LOT)
        return PACKETS / (processor_time(self.ovs) - before)

    def _receive(self, count):
        """Wait for so many packets: none may be lost, or the figure is none."""
        end, received = time.monotonic() + 5, 0
        while received < count:
            received += len(self.peer.receive())
            if time.monotonic() > end:
                raise SystemExit(f"{count - received} packets of {count} did not arrive")
        return received


def processor_time(ovs):
    """Of all threads of ovs-vswitchd, seconds."""
    total = 0
    for path in glob.glob(f"/proc/{ovs.switch.process.pid}/task/*/schedstat"):
        with open(path) as file:
            total += int(file.read().split()[0])
    return total / 1e9
