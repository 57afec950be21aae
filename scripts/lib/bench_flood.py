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

Behind that, floods of what a filter lets pass: unknown destinations; packets that are chosen to miss
each bit of what clean-traffic-strict looks at; and such packets under a filter that has a rule about
an address and one about a port.
"""

import itertools
import os
import random
import tempfile
import time

from lab import flood
from lab import frames as f
from lab.netns import run

from bench_ports import FILTERS, PROGRAM, median

MAC, IP, IP6 = "52:54:00:00:00:01", "10.0.0.5", "2001:db8::5"
NEIGHBOUR, NEIGHBOUR_IP = "52:54:00:00:00:02", "10.0.0.6"
PORTS = 64  # of the neighbour's UDP packets
NEIGHBOURS_LOT = flood.LOT
MORE = {
    "unknown unicast": lambda g: [g.ipv4(dst=g.any_mac()) for _ in range(flood.FRAMES)],
    "chosen packets": lambda g: many(g.chosen()),
}
RULES = {"address and port": lambda g: many([
    g.datagram(IP, target, port) for target in flood.near_ip(ADDRESS)
    for port in flood.near_port(PORT)])}
ADDRESS, PORT = "192.0.2.7", 53
RULES_FILTER = f"""<filter name='bench-rules' chain='root'>
  <filterref filter='no-mac-spoofing'/>
  <rule action='accept' direction='out'><ip srcipaddr='$IP' dstipaddr='{ADDRESS}'/></rule>
  <rule action='accept' direction='out'><ip srcipaddr='$IP' protocol='udp' dstportstart='{PORT}'/></rule>
  <rule action='drop' direction='out'/>
</filter>
"""
# Of a guest's flows written by hand, what of its IPv4 passes.
CLEAN, BY_RULES, DROPPED = ("",), (f",nw_dst={ADDRESS}", f",udp,tp_dst={PORT}"), ()


def many(frames):
    """So many of them, in the same order each time."""
    random.Random(1).shuffle(frames)
    return (frames * (1 + flood.FRAMES // len(frames)))[:flood.FRAMES]


def bench(lab, options):
    # The cache of exact matches would hide the masks; the kernel's datapath has none.
    lab.ovs.vsctl("set", "Open_vSwitch", ".", "other_config:emc-insert-inv-prob=0")
    print(f"{flood.FRAMES} frames from one guest; megaflows, masks, and a neighbour's packets a "
          "second of the switch's work\nduring the flood, as a ratio to those beside good frames; "
          "and that to the dearer control's: copies\nof one frame of the flood, and the flood at a "
          "port with one flow that drops:")
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "bench-rules.xml"), "w") as file:
            file.write(RULES_FILTER)
        for name in os.listdir(FILTERS):
            os.symlink(os.path.join(FILTERS, name), os.path.join(folder, name))
        least = Bridge(lab.ovs, next(numbers), flows=DROPPED)
        for kinds, by_hand, filters in (
                ([*flood.KINDS, *MORE], CLEAN, ("clean-traffic", "clean-traffic-strict")),
                (RULES, BY_RULES, ("bench-rules",))):
            compare(kinds, least, Bridge(lab.ovs, next(numbers), flows=by_hand),
                    {name: Bridge(lab.ovs, next(numbers), (folder, name)) for name in filters},
                    options)


def compare(kinds, least, by_hand, filtered, options):
    print(f"  {'':24} {'exact matches by hand':>24}"
          + "".join(f"   {name + ': to control':>34}" for name in filtered)
          + f"   {'copies, dropped':>15}")
    for kind in [kind for kind in kinds if kind in (options.kinds or kinds)]:
        rounds = [measure(kind, least, by_hand, filtered.values()) for _ in range(options.rounds)]
        hand, *rows, controls = [[median(column) for column in zip(*rows)]
                                 for rows in zip(*rounds)]
        print(f"  {kind:24} {'%7d %7d %8.2f' % tuple(hand)}"
              + "".join("   %9d %7d %7.2f: %7.2f" % tuple(row) for row in rows)
              + "   %7.2f %7.2f" % tuple(controls), flush=True)


def measure(kind, least, by_hand, filtered):
    """A row of figures for each design, and the two controls."""
    dropped = least.flood(kind)[2]
    rows = [by_hand.flood(kind)]
    copies = []
    for bridge in filtered:
        megaflows, masks, ratio = bridge.flood(kind)
        copies.append(bridge.flood(kind, one=True)[2])
        rows.append((megaflows, masks, ratio, ratio / min(dropped, copies[-1])))
    return [*rows, (min(copies), dropped)]


def frames_of(guest, kind, one):
    makers = MORE | RULES
    frames = makers[kind](guest) if kind in makers else guest.frames(kind)
    return frames[:1] * len(frames) if one else frames


class Bridge:
    """An uplink, the guest that floods, and its neighbour."""

    def __init__(self, ovs, number, filter_place=None, flows=None):
        """Managed, with a filter (folder, name); or the guest has a flow for each of 'flows'."""
        self.ovs = ovs
        self.name = name = f"br{number}"
        ovs.add_bridge(name)
        ovs.vsctl("set", "Bridge", name, f"other_config:hwaddr=02:00:00:00:01:{number:02x}")
        self.uplink = ovs.add_guest(name, f"uplink{number}")
        self.guest = ovs.add_guest(name, f"guest{number}", mac=MAC)
        self.neighbour = ovs.add_guest(name, f"next{number}", mac=NEIGHBOUR)
        if filter_place:
            self._manage(number, *filter_place)
        else:
            self._write_flows(number, flows)
        self.packets = [f.eth(flood.PEER, NEIGHBOUR,
                              f.ipv4(NEIGHBOUR_IP, flood.PEER_IP, f.udp(4000 + port, 53)))
                        for port in range(PORTS)]

    def _manage(self, number, folder, filter_name):
        program = (PROGRAM, f"--filter-dir={folder}")
        run(*program, "bind", f"guest{number}", filter_name, f"IP={IP}", f"IPV6={IP6}")
        run(*program, "bind", f"next{number}", "clean-traffic", f"IP={NEIGHBOUR_IP}")
        run(*program, "manage", self.name, f"--trusted=uplink{number}")

    def _write_flows(self, number, passes):
        flows = ["priority=0,actions=NORMAL"]
        for port, mac, ip, parts in ((f"guest{number}", MAC, IP, passes),
                                     (f"next{number}", NEIGHBOUR, NEIGHBOUR_IP, CLEAN)):
            port = self.ovs.ofport(port)
            source = f"priority=100,in_port={port},vlan_tci=0,dl_src={mac}"
            flows += [f"{source},ip,nw_src={ip}{part},actions=NORMAL" for part in parts]
            if parts:
                flows.append(f"{source},arp,arp_sha={mac},arp_spa={ip},actions=NORMAL")
            flows.append(f"priority=50,in_port={port},actions=drop")
        self.ovs.ofctl("--bundle", "replace-flows", self.name, "-", stdin="\n".join(flows))

    def flood(self, kind, one=False):
        """Megaflows, masks, and the neighbour's ratio; of copies of one frame, if 'one'."""
        guest = flood.Flooder(MAC, IP, IP6)
        frames = frames_of(guest, kind, one)
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
