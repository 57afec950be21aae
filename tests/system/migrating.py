# SPDX-License-Identifier: Apache-2.0
"""Two hosts and a switch between them, and a machine that moves from one to the other.

    outside --- switch --- a: vnet0
                       \\-- b: vnet0, peer (talks to the machine), evil (forges its addresses)

Each host has an Open vSwitch and, if there are filters, an ovs-nwfilterd of its own.  What is at
outside, and at the wire's end of peer and evil, is seen by the test.
"""

import time

from lab import frames as f
from lab import vm, wire
from lab.hosts import Host, join
from lab.netns import WORK, LabError, run, wait_for
from lab.nwfilterd import Nwfilterd
from lab.talk import Talk
from system.world import FILTERS, nwfilter

MAC, IP = "52:54:00:00:00:05", "10.0.0.5"
PEER_MAC, PEER_IP = "52:54:00:00:00:02", "10.0.0.2"
EVIL_MAC, EVIL_IP = "52:54:00:00:00:03", "10.0.0.3"
OUTSIDE_MAC = "02:00:00:00:00:09"

PACE_MS = 20  # of those who forge
WAIT = 1.0  # seconds that the target is ready before the migration begins
ROUND_TRIP = 0.05  # seconds; a ping sent so long before the machine stands may be lost by that
EVIL_KIND = 80  # the first of its frames' kinds; see vm.KINDS


class Side(Host):
    """One of the two hosts."""

    def __init__(self, name, lab, filtered):
        super().__init__(name)
        self.filtered = filtered
        self.machine = None
        join(self, "uplink", None, f"to-{name}")
        lab.ovs.add_port("wire", f"to-{name}")
        with self:
            self.ovs.start()
            self.ovs.add_bridge("br0")
            self.ovs.add_port("br0", "uplink")
            if filtered:
                self.daemon = Nwfilterd(FILTERS)
                self.daemon.start()
                must("manage", "br0", "--trusted=uplink")

    def add_station(self, name, mac, ip):
        with self:
            self.ovs.add_port("br0", name, attached_mac=mac)
            if self.filtered:
                must("bind", "--wait", name, "clean-traffic", f"IP={ip}")

    def plug(self, policy):
        """What libvirt does before QEMU is there, and the hook after it."""
        with self:
            run("ip", "tuntap", "add", "dev", "vnet0", "mode", "tap")
            run("ip", "link", "set", "vnet0", "up")
            self.ovs.add_port("br0", "vnet0", attached_mac=MAC)
            if self.filtered:
                must("bind", "--wait", "vnet0", *policy)

    def unplug(self):
        """What libvirt does where a machine has left."""
        self.machine.stop()
        self.machine = None
        with self:
            self.ovs.vsctl("del-port", "vnet0")
            run("ip", "link", "del", "vnet0")

    def stop(self):
        if self.machine:
            self.machine.stop()
        with self:
            if self.filtered:
                self.daemon.stop()
            self.ovs.stop()


class Pair:
    """Both hosts and all the others."""

    def __init__(self, lab, policies):
        """policies: the words of "bind", on the first host and on the second, or None."""
        self.lab = lab
        self.filtered = filtered = policies is not None
        self.image = vm.Image()
        self.outside = lab.ovs.add_guest("wire", "outside")
        self.a, self.b = (Side(name, lab, filtered) for name in "ab")
        self.policies = dict(zip((self.a, self.b), policies or (None, None)))
        self.peer = Host("peer")
        join(self.b, "peer", self.peer, "eth0")
        self.b.add_station("peer", PEER_MAC, PEER_IP)
        with self.peer:
            run("ip", "link", "set", "eth0", "address", PEER_MAC)
            run("ip", "addr", "add", f"{PEER_IP}/24", "dev", "eth0")
            self.peer_socket = wire.packet_socket("eth0")
        self.evil = None
        with self.b:
            evil = wire.Port("evil")
        self.b.add_station("evil", EVIL_MAC, EVIL_IP)
        self.evil = evil

    def boot(self, side):
        side.plug(self.policies[side])
        side.machine = self._machine(side)
        with side:
            side.machine.start()
        vm.wait_for_guest(side.machine.log)

    def _machine(self, side, incoming=None):
        words = {"ip": IP, "victim_ip": PEER_IP, "victim_mac": PEER_MAC}
        if self.filtered:  # without filters, forging would end all conversations
            words.update(first=20, pace_ms=PACE_MS)
        return vm.Qemu(self.image, f"vm-{side.name}", "vnet0", MAC, incoming, **words)

    def migrate(self, source, target):
        """Move the machine while the peer talks to it; returns what the peer has seen.  Pings that
        were lost while the machine stood are "excused", not "lost"."""
        with self.peer:
            talk = Talk(IP)
            talk.start()
        self._discard()
        self._forge_for(0.3)
        target.plug(self.policies[target])
        self._forge_for(WAIT)
        address = f"unix:{WORK}/migration"
        target.machine = self._machine(target, address)
        with target:
            target.machine.start()
        stood, moved = self._move(source, target, address)
        self._forge_for(1.0)
        report = talk.stop()
        self._collect()
        lost = [when for when in report["lost"] if not stood - ROUND_TRIP < when < moved]
        report.update(stood_ms=1000 * (moved - stood), excused=len(report["lost"]) - len(lost),
                      lost=len(lost), before=sum(when < stood for when in lost))
        return report

    def _move(self, source, target, address):
        """The machine stands while its memory is copied: without KVM, QEMU on a busy host may
        miss what the guest writes meanwhile, and the guest then crashes where it goes on."""
        source.machine.qmp("migrate-set-parameters", **{"max-bandwidth": 0})
        stood = time.monotonic()
        source.machine.qmp("stop")
        source.machine.qmp("migrate", uri=address)
        end = time.monotonic() + 60
        while source.machine.qmp("query-migrate")["status"] != "completed":
            state = source.machine.qmp("query-migrate")
            if state["status"] in ("failed", "cancelled") or time.monotonic() > end:
                raise LabError(f"migration: {state}; {target.machine.process.tail()}")
            time.sleep(0.002)
        wait_for(lambda: target.machine.qmp("query-status")["status"] == "paused",
                 "the machine's arrival")
        target.machine.qmp("cont")
        moved = time.monotonic()
        source.unplug()
        return stood, moved

    # --- forging, and what came of it

    def _discard(self):
        self.received = {"outside": [], "peer": [], "evil": []}
        self.forged = 0
        self._collect()
        self.received = {"outside": [], "peer": [], "evil": []}

    def _collect(self):
        for name, raw in (("outside", self.outside.socket), ("peer", self.peer_socket),
                          ("evil", self.evil.socket)):
            self.received[name] += wire.receive_all(raw)

    def _forge_for(self, seconds):
        end = time.monotonic() + seconds
        while True:
            if self.filtered:
                self._forge()
            self._collect()
            if time.monotonic() > end:
                return
            time.sleep(PACE_MS / 1000)

    def _forge(self):
        """Evil claims the machine's addresses, in all the ways that it could move them."""
        for kind, frame in enumerate((
                f.eth(f.BROADCAST, MAC, f.rarp(3, MAC, "0.0.0.0", MAC, "0.0.0.0")),
                f.eth(f.BROADCAST, MAC, f.arp(f.REQUEST, MAC, IP, f.MAC_ZERO, IP)),
                f.eth(f.BROADCAST, EVIL_MAC, f.arp(f.REQUEST, EVIL_MAC, IP, f.MAC_ZERO, IP)),
                f.eth(PEER_MAC, EVIL_MAC, f.arp(f.REPLY, EVIL_MAC, IP, PEER_MAC, PEER_IP)),
                f.eth(PEER_MAC, MAC, f.ipv4(IP, PEER_IP, f.udp(5000, 5001))))):
            self.evil.send(f.stamp(frame, EVIL_KIND + kind << 24 | self.forged & 0xffffff))
        self.forged += 1

    def spoofed(self):
        """Forged frames that came out somewhere: (port, kind) -> how many."""
        counts = {}
        for name, received in self.received.items():
            for number in filter(None, map(f.read_stamp, received)):
                if number >> 24 >= vm.FORGED:
                    counts[name, number >> 24] = counts.get((name, number >> 24), 0) + 1
        return counts

    def clean_rounds(self, name="peer"):
        """Rounds of the machine's own clean broadcasts that arrived."""
        return {kind: sorted(number & 0xffffff for number in
                             filter(None, map(f.read_stamp, self.received[name]))
                             if number >> 24 == kind) for kind in (1, 2)}

    def stop(self):
        for side in (self.a, self.b):
            side.stop()
            self.lab.ovs.vsctl("del-port", f"to-{side.name}")
            run("ip", "link", "del", f"to-{side.name}")
        self.lab.ovs.vsctl("del-port", "outside")
        self.outside.remove()


def must(*words):
    result = nwfilter(*words)
    if result.status:
        raise LabError(f"{' '.join(words)}: exit {result.status}: {result.err}")
    return result
