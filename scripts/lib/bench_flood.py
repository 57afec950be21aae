# SPDX-License-Identifier: Apache-2.0
"""scripts/bench flood: what a guest that floods costs the others.

A real Open vSwitch with the userspace datapath: a guest under clean-traffic sends 20,000 frames of
each kind (lab/flood.py).  Counted are the cached flows and distinct masks that its frames leave
behind.  Beside that stands how many packets of a neighbour, as many as the guest's, the switch
forwards for each second that it works while the flood goes on, as a ratio to when the guest sends
good frames.  The same in the same run under the usual design: flows with exact matches, as people
write them with ovs-ofctl.
"""

import time

from lab import flood
from lab import frames as f
from lab.netns import run

from bench_ports import FILTERS, PROGRAM, median

MAC, IP = "52:54:00:00:00:01", "10.0.0.5"
NEIGHBOUR, NEIGHBOUR_IP = "52:54:00:00:00:02", "10.0.0.6"
PORTS = 64  # of the neighbour's UDP packets
NEIGHBOURS_LOT = flood.LOT


def bench(lab, options):
    # The cache of exact matches would hide the masks; the kernel's datapath has none.
    lab.ovs.vsctl("set", "Open_vSwitch", ".", "other_config:emc-insert-inv-prob=0")
    designs = [Bridge(lab.ovs, number, managed) for number, managed in enumerate((False, True))]
    print(f"{flood.FRAMES} frames from one guest; megaflows, masks, and a neighbour's packets a "
          "second of the switch's work\nduring the flood, as a ratio to those beside good frames:")
    print(f"  {'':22} {'exact matches by hand':>27}   {'clean-traffic':>27}")
    for kind in flood.KINDS:
        rounds = [[bridge.flood(kind) for bridge in designs] for _ in range(options.rounds)]
        found = [[median(column) for column in zip(*rows)] for rows in zip(*rounds)]
        print(f"  {kind:22} " + "   ".join("%8d %8d %9.2f" % tuple(row) for row in found),
              flush=True)


class Bridge:
    """An uplink, the guest that floods, and its neighbour."""

    def __init__(self, ovs, number, managed):
        self.ovs = ovs
        self.name = name = f"br{number}"
        ovs.add_bridge(name)
        ovs.vsctl("set", "Bridge", name, f"other_config:hwaddr=02:00:00:00:01:{number:02x}")
        self.uplink = ovs.add_guest(name, f"uplink{number}")
        self.guest = ovs.add_guest(name, f"guest{number}", mac=MAC)
        self.neighbour = ovs.add_guest(name, f"next{number}", mac=NEIGHBOUR)
        if managed:
            self._manage(number)
        else:
            self._write_flows(number)
        self.packets = [f.eth(flood.PEER, NEIGHBOUR,
                              f.ipv4(NEIGHBOUR_IP, flood.PEER_IP, f.udp(4000 + port, 53)))
                        for port in range(PORTS)]

    def _manage(self, number):
        program = (PROGRAM, f"--filter-dir={FILTERS}")
        run(*program, "bind", f"guest{number}", "clean-traffic", f"IP={IP}")
        run(*program, "bind", f"next{number}", "clean-traffic", f"IP={NEIGHBOUR_IP}")
        run(*program, "manage", self.name, f"--trusted=uplink{number}")

    def _write_flows(self, number):
        flows = ["priority=0,actions=NORMAL"]
        for port, mac, ip in ((f"guest{number}", MAC, IP),
                              (f"next{number}", NEIGHBOUR, NEIGHBOUR_IP)):
            source = f"priority=100,in_port={self.ovs.ofport(port)},vlan_tci=0,dl_src={mac}"
            flows += [f"{source},ip,nw_src={ip},actions=NORMAL",
                      f"{source},arp,arp_sha={mac},arp_spa={ip},actions=NORMAL",
                      f"priority=50,in_port={self.ovs.ofport(port)},actions=drop"]
        self.ovs.ofctl("--bundle", "replace-flows", self.name, "-", stdin="\n".join(flows))

    def flood(self, kind):
        """Megaflows, masks, and the neighbour's ratio."""
        guest = flood.Flooder(MAC, IP)
        frames = guest.frames(kind)
        flood.purge(self.ovs)
        self._introduce(guest)
        before = self._neighbours_rate([guest.ipv4()] * len(frames))
        flood.purge(self.ovs)
        self._introduce(guest)
        during = self._neighbours_rate(frames)
        cached = flood.Cached(self.guest.name)
        flood.purge(self.ovs)
        return cached.megaflows, cached.masks, during / before

    def _introduce(self, guest):
        """All are known to be where they are."""
        self.uplink.send(f.eth(f.BROADCAST, flood.PEER,
                               f.arp(f.REQUEST, flood.PEER, flood.PEER_IP, f.MAC_ZERO, IP)))
        self.guest.send(guest.ipv4())
        self.neighbour.send(self.packets[0])
        time.sleep(0.2)

    def _neighbours_rate(self, frames):
        """Packets for each second that the datapath's thread works, on the guest's frames too."""
        before = self._seconds()
        flood.send(self.guest, frames, self._exchange_lot)
        return len(frames) // flood.LOT * NEIGHBOURS_LOT / (self._seconds() - before)

    def _seconds(self):
        """Of the thread that takes packets from veth ports, the main one."""
        with open(f"/proc/{self.ovs.switch.process.pid}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9

    def _exchange_lot(self):
        self.uplink.receive()
        for number in range(NEIGHBOURS_LOT):
            self.neighbour.send(self.packets[number % PORTS])
        wanted, end = set(self.packets), time.monotonic() + 5
        received = 0
        while received < NEIGHBOURS_LOT:
            received += sum(frame in wanted for frame in self.uplink.receive())
            if time.monotonic() > end:
                raise SystemExit(f"{NEIGHBOURS_LOT - received} of the neighbour's packets are lost")
