# SPDX-License-Identifier: Apache-2.0
"""Two stations that talk to each other: the frames of their connections, in both directions.

    talk = Conversation(world, "vnet0", "uplink")
    world.expect("it begins", "vnet0", talk.syn(40000, 80), ["uplink"])
    world.expect("it is answered", "uplink", talk.syn_ack(40000, 80), ["vnet0"])

`there` is the one who begins, `back` the other.  Sequence numbers are those of an exchange in this
order; Open vSwitch's connection tracking looks at them.
"""

import struct

from lab import frames as f
from lab.netns import run, wait_for
from lab.wire import Port

from .explained import Frame

FIN, SYN, RST, ACK = 1, 2, 4, 16
DATA = len(f.STAMP)  # that a segment carries
FIRST, SECOND = 1000, 5000

# Shortest pieces of a packet that ovs-vswitchd puts together again
# (ovs-appctl dpctl/ipf-get-status), with some room for headers.
CUT = {4: 1208, 6: 1296}


class Conversation:
    def __init__(self, world, there, back, version=4, tags=((), ())):
        """tags: VLAN tags of the two stations' frames."""
        self.version = version
        self.ends = (world.stations[there], world.stations[back])
        self.tags = tags

    def address(self, end):
        number = int(self.ends[end].mac.rsplit(":", 1)[1], 16)
        return self.ends[end].ip if self.version == 4 else f"fd00::{number:x}"

    def packet(self, end, body, role=None, stray="new", **more):
        """The frame in which end 0 (there) or 1 sends the segment.  role, stray: see Frame."""
        build = f.ipv4 if self.version == 4 else f.ipv6
        frame = f.eth(self.ends[not end].mac, self.ends[end].mac,
                      build(self.address(end), self.address(not end), body, **more),
                      tags=self.tags[end])
        return Frame.of(frame, role or ("est|rpl" if end else "new"), stray)

    # --- TCP

    def tcp(self, end, sport, dport, flags, sent=0, acked=None):
        """sent, acked: segments with data that went before from this end, and from the other."""
        mine, others = (FIRST, SECOND) if end == 0 else (SECOND, FIRST)
        seq = mine + (sent and 1 + sent * DATA)
        ack = 0 if acked is None else others + 1 + acked * DATA
        ports = (sport, dport) if end == 0 else (dport, sport)
        return self.packet(end, f.tcp(*ports, flags, seq=seq, ack=ack),
                           "new" if flags == SYN else None if end else "est",
                           "new" if flags == SYN else "inv")

    def syn(self, sport, dport):
        return self.tcp(0, sport, dport, SYN)

    def syn_ack(self, sport, dport):
        return self.tcp(1, sport, dport, SYN | ACK, 0, 1)

    def ack(self, sport, dport):
        return self.tcp(0, sport, dport, ACK, 1, 1)

    def data_back(self, sport, dport):
        return self.tcp(1, sport, dport, ACK, 1, 2)

    # --- UDP, ICMP

    def udp(self, end, sport, dport):
        return self.packet(end, f.udp(*((sport, dport) if end == 0 else (dport, sport))))

    def echo(self, end, number=7):
        """The request comes from end 0."""
        kind = (8, 0) if self.version == 4 else (128, 129)
        build = f.icmp if self.version == 4 else f.icmpv6
        return self.packet(end, build(kind[end], 0, struct.pack("!HH", number, 1)), None,
                           "inv" if end else "new")

    def unreachable(self, end, about):
        """End `end` says that the other's frame found no port."""
        begin = 14 + 4 * len(self.tags[not end])
        about = about[begin:begin + (28 if self.version == 4 else 48)]
        body = f.icmp(3, 3, data=about) if self.version == 4 else f.icmpv6(1, 4, data=about)
        return self.packet(end, body, "rel", "inv")

    def fragments(self, end, sport, dport, number=1, cut=None):
        """One UDP packet in two frames: the first and a later fragment."""
        cut = cut or CUT[self.version]
        ports = (sport, dport) if end == 0 else (dport, sport)
        body = f.udp(*ports, bytes(cut - 8 - DATA) + f.STAMP + bytes(64))
        body = f.whole(body, self.address(end), self.address(not end))
        pieces = (body[:cut], 0, True), (body[cut:], cut, False)
        if self.version == 4:
            return [self.packet(end, piece, proto=f.UDP, offset=offset, more=more, number=number)
                    for piece, offset, more in pieces]
        return [self.packet(end, piece, proto=f.UDP,
                            extensions=[f.fragment(offset, more, number)])
                for piece, offset, more in pieces]


class LocalPort(Port):
    """The bridge's own interface, with a raw socket in the host's place."""

    def __init__(self, name):
        run("ip", "link", "set", name, "arp", "off", "up")
        self.name = self.wire_name = name
        self.index = -1  # ovs-vswitchd reads a tap by no packet socket
        self.socket = self._open()

    def remove(self):
        self.socket.close()


def send_as_host(world, frame):
    """Where a frame of the host goes: a sorted list of (port, frame).  No socket tells how far a
    tap has been read, so a second frame, which passes, follows it."""
    world.wire.exchange([])
    marker = f.stamp(f.eth(f.BROADCAST, "02:00:00:00:00:fe", b"marker", 0x88b5), 0xffff)
    world.ports[world.bridge].send(f.stamp(frame, 0xfffe))
    world.ports[world.bridge].send(marker)
    got = []

    def arrived():
        for name, port in world.ports.items():
            got.extend((name, copy) for copy in port.receive() if name != world.bridge)
        return ("uplink", marker) in got
    wait_for(arrived, "the host's second frame")
    arrived()
    return sorted((name, f.stamp(copy, 0)) for name, copy in got
                  if f.read_stamp(copy) == 0xfffe)
