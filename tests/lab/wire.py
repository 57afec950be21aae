# SPDX-License-Identifier: Apache-2.0
"""Ports, and the exchange of frames between them.

A Port is a veth pair.  Its end NAME goes into a switch (Open vSwitch or a Linux bridge); at the
other end, NAMEx, the test sends and listens by a raw socket.  All ends stay in one network
namespace: without addresses, ARP or IPv6 the kernel has nothing of its own to say on them.

Wire.exchange() sends frames and tells for each where it came out.  It knows when to stop waiting:
after each lot of frames it sends a sentinel between two ports that nothing filters, waits until the
switch has read all that was sent, and sends a second one.  The kernel may hold frames back for a
moment before the switch can read them, but on one CPU it keeps their order: with the first
sentinel they are where the switch reads them.  The switch reads its ports one after another; what
it had read before the second sentinel is out before that.

A port may also be something else that has what Wire needs of a Port: see host.py.
"""

import collections
import os
import select
import socket
import struct
import time

from . import frames
from .netns import LabError, run

SOL_PACKET = 263
PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 8, 23
ETH_P_ALL = 3
VLAN_VALID, VLAN_TPID_VALID = 0x10, 0x40
AUXDATA = struct.Struct("=IIIHHHH")  # status, len, snaplen, mac, net, vlan_tci, vlan_tpid
SO_RCVBUFFORCE = 33

LOT = 128  # frames sent at once; about 270 of the short ones fit a socket's default buffer
LONGEST_WAIT = 5.0  # seconds, for a lot


class Port:
    """A veth pair, switch end `name`, with a raw socket on the other end."""

    def __init__(self, name):
        self.name = name
        self.wire_name = name + "x"
        run("ip", "-batch", "-", stdin="\n".join([
            f"link add {name} type veth peer name {self.wire_name}",
            f"link set {name} arp off up",
            f"link set {self.wire_name} arp off up"]))
        for end in (name, self.wire_name):
            switch_offloads_off(end)
        self.index = socket.if_nametoindex(name)
        self.socket = packet_socket(self.wire_name)

    def send(self, frame):
        self.socket.send(frame)

    def receive(self):
        return receive_all(self.socket)

    @staticmethod
    def is_same(received, sent):
        """Whether a frame arrived as it was sent."""
        return received == sent

    def remove(self):
        self.socket.close()
        run("ip", "link", "del", self.name, check=False)


def switch_offloads_off(end):
    """Frames must stay as they were written: whole checksums, VLAN tags in their place."""
    run("ethtool", "-K", end, "tx", "off", "rx", "off", "tso", "off", "gso", "off",
        "gro", "off", "txvlan", "off", "rxvlan", "off")


def packet_socket(interface):
    """A raw socket that sends and receives whole frames."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    raw.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
    raw.bind((interface, ETH_P_ALL))
    return raw


def receive_all(raw):
    """All frames that wait in a packet socket, their VLAN tags put back."""
    received = []
    while True:
        try:
            frame, ancillary, _, _ = raw.recvmsg(65535, 64)
        except BlockingIOError:
            return received
        for level, kind, data in ancillary:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                frame = _with_tag(frame, data)
        received.append(frame)


def _with_tag(frame, auxdata):
    """The kernel hands over the outermost 802.1Q or 802.1ad tag beside the frame."""
    status, _, _, _, _, tci, tpid = AUXDATA.unpack_from(auxdata)
    if not status & VLAN_VALID:
        return frame
    if not status & VLAN_TPID_VALID:
        tpid = 0x8100
    return frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]


class Verdict:
    """What became of one frame: how often each port got it, as what, and whether that was still
    the same."""

    __slots__ = ("seen", "copies", "mangled")

    def __init__(self):
        self.seen = collections.Counter()
        self.copies = {}
        self.mangled = False

    def __repr__(self):
        seen = ",".join(f"{p}*{n}" if n > 1 else p for p, n in sorted(self.seen.items()))
        return (seen or "nowhere") + (" mangled" if self.mangled else "")


class Wire:
    """A set of ports on one switch.

    `sentinel` names the two ports (from, to) between which the switch lets everything through.
    """

    def __init__(self, ports, sentinel):
        self.ports = {port.name: port for port in ports}
        self.sentinel = sentinel
        self.next_id = 0
        self.poll = select.poll()
        for port in ports:
            self.poll.register(port.socket, select.POLLIN)

    def exchange(self, traffic):
        """Send [(port name, frame)] and return a Verdict for each, in the same order.

        Every frame gets an id of its own, in its last bytes (see frames.stamp).
        """
        verdicts = [Verdict() for _ in traffic]
        pending = {}  # across lots: a fragment may come out only after the next one went in
        self._discard()
        # One CPU: its queue keeps the frames and the sentinel behind them in order.
        cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cpus)})
        try:
            for start in range(0, len(traffic), LOT):
                self._exchange_lot(traffic[start:start + LOT], verdicts[start:start + LOT],
                                   pending)
        finally:
            os.sched_setaffinity(0, cpus)
        return verdicts

    def verdict(self, port, frame):
        return self.exchange([(port, frame)])[0]

    def _exchange_lot(self, lot, verdicts, pending):
        for (port, frame), verdict in zip(lot, verdicts):
            stamped = frames.stamp(frame, self._new_id())
            pending[frames.read_stamp(stamped)] = stamped, verdict
            self.ports[port].send(stamped)
        self._drain(pending)

    def _new_id(self):
        self.next_id += 1
        return self.next_id

    def _drain(self, pending):
        """Until what was sent has come out; see above."""
        self._wait_for_sentinel(pending)
        wait_until_read({port.index for port in self.ports.values()})
        self._wait_for_sentinel(pending)

    def _wait_for_sentinel(self, pending):
        source, target = self.sentinel
        number = self._new_id()
        self.ports[source].send(frames.stamp(frames.SENTINEL, number))
        end = time.monotonic() + LONGEST_WAIT
        while not self._collect(pending, number, target):
            if time.monotonic() > end:
                raise LabError(f"no sentinel from {source} to {target} in {LONGEST_WAIT:g} s")
            self.poll.poll(100)
        self._collect(pending, number, target)  # what came to ports looked at just before

    def _collect(self, pending, sentinel, target):
        """File what has arrived; return whether the sentinel was among it."""
        arrived = False
        for name, port in self.ports.items():
            for frame in port.receive():
                number = frames.read_stamp(frame)
                if number in pending:
                    sent, verdict = pending[number]
                    verdict.seen[name] += 1
                    verdict.copies[name] = frame
                    verdict.mangled |= not port.is_same(frame, sent)
                elif number == sentinel and name == target:
                    arrived = True
        return arrived

    def _discard(self):
        for port in self.ports.values():
            port.receive()


def wait_until_read(indices):
    """A switch in user space reads from packet sockets; wait until those of the interfaces are
    empty."""
    end = time.monotonic() + LONGEST_WAIT
    while _unread_bytes(indices) > 0:
        if time.monotonic() > end:
            raise LabError(f"the switch has not read its ports for {LONGEST_WAIT:g} s")
        time.sleep(0.0003)


def _unread_bytes(indices):
    total = 0
    with open("/proc/net/packet") as file:
        next(file)
        for line in file:
            fields = line.split()
            if int(fields[4]) in indices:
                total += int(fields[6])
    return total
