# SPDX-License-Identifier: Apache-2.0
"""scripts/bench flood: what a guest that floods costs the others.

A real Open vSwitch with the userspace datapath: a guest under clean-traffic, or clean-traffic-strict,
sends 20,000 frames of each kind (lab/flood.py).  Counted are the cached flows and distinct masks that
its frames leave behind.  Beside that stands how many packets of a neighbour, as many as the guest's,
the switch forwards for each second that it works while the flood goes on, as a ratio to when the
guest sends good frames to one station.  The same in the same run under the usual design: flows with
exact matches, as people write them with ovs-ofctl.

One thread does all of that, and some floods cost it time whatever flows there are: frames for a group
are forwarded to every port, and each Ethernet type is cached for itself.  So two controls stand
beside: as many copies of one frame of the flood, and the whole flood at a port with a single flow,
which drops all.  What a filter costs is the ratio to the dearer one of them.
"""

import time

from lab import flood
from lab import frames as f
from lab.netns import run

from bench_ports import FILTERS, PROGRAM, median

MAC, IP, IP6 = "52:54:00:00:00:01", "10.0.0.5", "2001:db8::5"
NEIGHBOUR, NEIGHBOUR_IP = "52:54:00:00:00:02", "10.0.0.6"
PORTS = 64  # of the neighbour's UDP packets
NEIGHBOURS_LOT = flood.LOT
BY_HAND, DROPPED = "exact matches by hand", "one flow that drops"
FILTERED = ("clean-traffic", "clean-traffic-strict")


def bench(lab, options):
    # The cache of exact matches would hide the masks; the kernel's datapath has none.
    lab.ovs.vsctl("set", "Open_vSwitch", ".", "other_config:emc-insert-inv-prob=0")
    dropped, by_hand, *filtered = [Bridge(lab.ovs, number, design) for number, design in
                                   enumerate((DROPPED, BY_HAND, *FILTERED))]
    print(f"{flood.FRAMES} frames from one guest; megaflows, masks, and a neighbour's packets a "
          "second of the switch's work\nduring the flood, as a ratio to those beside good frames; "
          "and that to the dearer control's:\n"
          f"copies of one frame of the flood, and the flood at a port with {DROPPED}:")
    print(f"  {'':22} {BY_HAND:>24}" + "".join(f"   {name + ': to control':>33}" for name in FILTERED)
          + f"   {'copies, dropped':>15}")
    for kind in flood.KINDS:
        rounds = [measure(kind, dropped, by_hand, filtered) for _ in range(options.rounds)]
        found = [[median(column) for column in zip(*rows)] for rows in zip(*rounds)]
        hand, *rows, controls = found
        print(f"  {kind:22} {'%7d %7d %8.2f' % tuple(hand)}"
              + "".join("   %8d %7d %7.2f: %7.2f" % tuple(row) for row in rows)
              + "   %7.2f %7.2f" % tuple(controls), flush=True)


def measure(kind, dropped, by_hand, filtered):
    """A row of figures for each design, and the two controls."""
    least = dropped.flood(kind)[2]
    rows = [by_hand.flood(kind)]
    copies = []
    for bridge in filtered:
        megaflows, masks, ratio = bridge.flood(kind)
        copies.append(bridge.flood(kind, one=True)[2])
        rows.append((megaflows, masks, ratio, ratio / min(least, copies[-1])))
    return [*rows, (min(copies), least)]


class Bridge:
    """An uplink, the guest that floods, and its neighbour."""

    def __init__(self, ovs, number, design):
        self.ovs = ovs
        self.name = name = f"br{number}"
        ovs.add_bridge(name)
        ovs.vsctl("set", "Bridge", name, f"other_config:hwaddr=02:00:00:00:01:{number:02x}")
        self.uplink = ovs.add_guest(name, f"uplink{number}")
        self.guest = ovs.add_guest(name, f"guest{number}", mac=MAC)
        self.neighbour = ovs.add_guest(name, f"next{number}", mac=NEIGHBOUR)
        if design in FILTERED:
            self._manage(number, design)
        else:
            self._write_flows(number, design)
        self.packets = [f.eth(flood.PEER, NEIGHBOUR,
                              f.ipv4(NEIGHBOUR_IP, flood.PEER_IP, f.udp(4000 + port, 53)))
                        for port in range(PORTS)]

    def _manage(self, number, filter_name):
        program = (PROGRAM, f"--filter-dir={FILTERS}")
        for port, ip, ip6 in ((f"guest{number}", IP, IP6), (f"next{number}", NEIGHBOUR_IP, "")):
            run(*program, "bind", port, filter_name, f"IP={ip}", f"IPV6={ip6}")
        run(*program, "manage", self.name, f"--trusted=uplink{number}")

    def _write_flows(self, number, design):
        flows = ["priority=0,actions=NORMAL"]
        for port, mac, ip in ((f"guest{number}", MAC, IP),
                              (f"next{number}", NEIGHBOUR, NEIGHBOUR_IP)):
            source = f"priority=100,in_port={self.ovs.ofport(port)},vlan_tci=0,dl_src={mac}"
            flows += [f"{source},ip,nw_src={ip},actions=NORMAL",
                      f"{source},arp,arp_sha={mac},arp_spa={ip},actions=NORMAL",
                      f"priority=50,in_port={self.ovs.ofport(port)},actions=drop"]
        if design == DROPPED:
            flows = ["priority=0,actions=NORMAL",
                     f"priority=100,in_port={self.ovs.ofport(self.guest.name)},actions=drop"]
        self.ovs.ofctl("--bundle", "replace-flows", self.name, "-", stdin="\n".join(flows))

    def flood(self, kind, one=False):
        """Megaflows, masks, and the neighbour's ratio; of copies of one frame, if 'one'."""
        guest = flood.Flooder(MAC, IP, IP6)
        frames = guest.frames(kind)
        frames = [frames[0]] * len(frames) if one else frames
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
