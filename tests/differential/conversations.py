# SPDX-License-Identifier: Apache-2.0
"""Conversations: frames in an order, each sent by one of the parties to another.

Rules of the L3/L4 elements know connections, so what becomes of a frame depends on the frames
before it.  A conversation is a list of steps; a step is one frame, or the fragments of one
datagram.  A frame that stands alone is a conversation of one step.  Whatever a filter does, all
steps are sent: a server that answers to what it never got is a test too.

A Line is where the parties and the addresses come from: two ends of which one is the guest.
"""

import collections
import dataclasses
import itertools
import struct

from lab import frames as f
from world import GUEST, HOST, OUTSIDE, PEER

PARTIES = {"guest": GUEST, "peer": PEER, "outside": OUTSIDE, "host": HOST}

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
# Without padding: br_netfilter cuts off what follows an IP packet, and the stamp with it.
FILL = bytes(16)
STAMP = len(f.STAMP)
# Where datagrams are cut in two.  The first part has a stamp of its own; and it makes an IPv6 packet
# of 1280 bytes, for the kernel makes no smaller ones when it cuts again what it has put together.
CUT = 1232
CUT_DATA = bytes(CUT - 8 - STAMP) + f.STAMP + bytes(64)

End = collections.namedtuple("End", "role mac ip")
Step = collections.namedtuple("Step", "sender receiver frames")


@dataclasses.dataclass(frozen=True)
class Conversation:
    name: str
    steps: tuple

    def connections(self):
        """What its frames have in a connection tracker's table: conversations that share some of
        it would be one conversation."""
        return frozenset(key for step in self.steps for frame in step.frames
                         for key in connection_keys(frame))


class Line:
    """Two ends, and what is the same for all frames between them."""

    def __init__(self, here, there, tos=0, tags=()):
        self.here, self.there = here, there
        self.tos, self.tags = tos, tags
        self.is_ipv6 = ":" in here.ip
        self.icmp = f.ICMPV6 if self.is_ipv6 else f.ICMP
        self.datagrams = itertools.count(next(_lines) << 6 & 0xffff)

    def packet(self, segment, back=False, source=None, **more):
        """An IP packet there, or back."""
        here, there = (self.there, self.here) if back else (self.here, self.there)
        build, tos = (f.ipv6, "traffic_class") if self.is_ipv6 else (f.ipv4, "tos")
        return build(source or here.ip, there.ip, segment, **{tos: self.tos, **more})

    def step(self, *packets, back=False, destination=None):
        here, there = (self.there, self.here) if back else (self.here, self.there)
        frames = tuple(f.eth(destination or PARTIES[there.role].mac, here.mac, packet,
                             tags=self.tags)
                       for packet in packets)
        return Step(here.role, there.role, frames)

    def say(self, segment, back=False, **more):
        """A step of one packet."""
        return self.step(self.packet(segment, back, **more), back=back)

    def fragments(self, head, back=False):
        """A step of one datagram in two fragments.  head: its transport header, as a function of
        its data."""
        number = 0x4000 + next(self.datagrams) & 0xffff
        whole = self.packet(head(CUT_DATA), back)
        header, proto = (40, whole[6]) if self.is_ipv6 else (20, whole[9])
        first, last = whole[header:header + CUT], whole[header + CUT:]
        return self.step(*(self._fragment(*part, proto, number, back)
                           for part in ((first, 0, True), (last, CUT, False))), back=back)

    def _fragment(self, part, offset, more, proto, number, back):
        if self.is_ipv6:
            header = f.fragment(offset, more, number)
            return self.packet(part, back, proto=proto, extensions=[header])
        return self.packet(part, back, proto=proto, offset=offset, more=more, number=number)


_lines = itertools.count()


def line(here, there, ipv6=False, **more):
    """Between two roles with their own addresses."""
    return Line(end(here, ipv6), end(there, ipv6), **more)


def end(role, ipv6=False, ip=None, mac=None):
    party = PARTIES[role]
    return End(role, mac or party.mac, ip or (party.ip6 if ipv6 else party.ip))


# --- TCP

class Tcp:
    """The segments of a connection with right numbers.  (Each carries at least the stamp.)"""

    def __init__(self, on, sport, dport):
        self.line, self.ports = on, (sport, dport)
        self.next = [1000, 50000]  # sequence numbers: here, there

    def __call__(self, flags, back=False):
        mine, other = int(back), int(not back)
        ports = self.ports[::-1] if back else self.ports
        segment = f.tcp(*ports, flags=flags, data=FILL, seq=self.next[mine],
                        ack=self.next[other] if flags & ACK else 0)
        self.next[mine] += len(FILL) + STAMP + bool(flags & (SYN | FIN))
        return self.line.say(segment, back)

    def open(self):
        return [self(SYN), self(SYN | ACK, True), self(ACK)]


def tcp(on, sport, dport):
    """From the handshake to the last acknowledgement."""
    say = Tcp(on, sport, dport)
    return [*say.open(), say(PSH | ACK), say(PSH | ACK, True), say(ACK), say(FIN | ACK),
            say(ACK, True), say(FIN | ACK, True), say(ACK)]


def tcp_short(on, sport, dport):
    return Tcp(on, sport, dport).open()


def tcp_reset(on, sport, dport):
    say = Tcp(on, sport, dport)
    return [*say.open(), say(PSH | ACK, True), say(RST | ACK)]


def tcp_refused(on, sport, dport):
    say = Tcp(on, sport, dport)
    return [say(SYN), say(RST | ACK, True)]


def tcp_unanswered(on, sport, dport):
    """The side that began goes on without an answer; what comes at last is none."""
    say = Tcp(on, sport, dport)
    return [say(SYN), say(ACK), say(PSH | ACK), say(ACK, True), say(PSH | ACK), say(SYN | ACK)]


def tcp_after_refusal(on, sport, dport):
    say = Tcp(on, sport, dport)
    return [say(SYN), say(RST | ACK, True), say(ACK), say(PSH | ACK, True), say(SYN | ACK, True)]


def tcp_odd_flags(on, sport, dport):
    say = Tcp(on, sport, dport)
    return [*say.open(), say(FIN | RST | ACK)]


def tcp_stray(flags):
    """A segment of a connection that nobody saw begin, and an answer."""
    def script(on, sport, dport):
        say = Tcp(on, sport, dport)
        return [say(flags), say(ACK, True)]
    return script


# --- UDP and others that have no state of their own

def udp(on, sport, dport, proto=f.UDP):
    there, back = f.udp(sport, dport, FILL, proto), f.udp(dport, sport, FILL, proto)
    return [on.say(there), on.say(back, True), on.say(there), on.say(back, True)]


def udp_wrong_reply(on, sport, dport):
    """The answer comes from another port."""
    return [on.say(f.udp(sport, dport, FILL)),
            on.say(f.udp(dport ^ 0x4000, sport, FILL), True)]


def udp_fragments(on, sport, dport):
    there, back = _udp_head(sport, dport), _udp_head(dport, sport)
    return [on.fragments(there), on.fragments(back, True), on.fragments(there)]


def first_fragment(on, sport, dport):
    """The rest never comes."""
    step = on.fragments(_udp_head(sport, dport))
    return [step._replace(frames=step.frames[:1])]


def last_fragment(on, sport, dport):
    step = on.fragments(_udp_head(sport, dport))
    return [step._replace(frames=step.frames[1:])]


def _udp_head(sport, dport):
    return lambda data: f.udp(sport, dport, data)


def sctp(on, sport, dport):
    """An association: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, and data."""
    def say(kind, body, back=False):
        # The stamp is inside the chunk: a second one would be a mistake.
        tag = 0 if kind == 1 else 0x2222 if not back else 0x1111
        ports = (dport, sport) if back else (sport, dport)
        return on.say(f.Segment(f.SCTP, struct.pack(
            "!HHIIBBH", *ports, tag, 0, kind, 3, 4 + len(body) + STAMP) + body), back)
    numbers = struct.pack("!IHHI", 65535, 1, 1, 1)
    return [say(1, struct.pack("!I", 0x1111) + numbers),
            say(2, struct.pack("!I", 0x2222) + numbers, True), say(10, bytes(8)),
            say(11, bytes(8), True), say(0, bytes(16)), say(0, bytes(16), True)]


def ah(on, sport, dport):
    """UDP behind AH, in order too: both switches' trackers take AH for an extension header of
    IPv6, and look at what follows."""
    def say(ports, back):
        body = struct.pack("!BBHII12x", f.UDP, 4, 0, 1, 1)
        segment = f.udp(*ports, FILL)
        if on.is_ipv6:
            return on.say(segment, back, extensions=[(f.AH, body)])
        return on.say(body + segment, back, proto=f.AH)
    return [say((sport, dport), False), say((dport, sport), True)]


def plain(proto, there, back=None):
    """Packets of a protocol without ports."""
    def script(on):
        return [on.say(there, proto=proto), on.say(back or there, True, proto=proto)]
    return script


# --- ICMP

def echo(on, number):
    request, reply = (128, 129) if on.is_ipv6 else (8, 0)
    there = f.icmp(request, 0, struct.pack("!HH", number, 1), FILL, on.icmp)
    back = f.icmp(reply, 0, struct.pack("!HH", number, 1), FILL, on.icmp)
    return [on.say(there), on.say(back, True), on.say(there), on.say(back, True)]


def echo_fragments(on, number):
    def head(kind):
        return lambda data: f.icmp(kind, 0, struct.pack("!HH", number, 1), data, on.icmp)
    request, reply = (128, 129) if on.is_ipv6 else (8, 0)
    return [on.fragments(head(request)), on.fragments(head(reply), True)]


def request(kind, reply, code=0):
    def script(on, number):
        rest = struct.pack("!HH", number, 1)
        return [on.say(f.icmp(kind, code, rest, FILL, on.icmp)),
                on.say(f.icmp(reply, code, rest, FILL, on.icmp), True)]
    return script


def icmp_alone(kind, code=0):
    def script(on, number):
        return [on.say(f.icmp(kind, code, struct.pack("!HH", number, 1), FILL, on.icmp))]
    return script


def error_about(kind, code, known=True, foreign=False):
    """An error about a datagram, from its receiver or from a router, that was (known) or was
    never sent; and one about the answer."""
    def script(on, sport, dport):
        there, back = f.udp(sport, dport, FILL), f.udp(dport, sport, FILL)
        source = ("2001:db8:5::1" if on.is_ipv6 else "10.9.9.9") if foreign else None
        steps = [on.say(there)] if known else []
        steps.append(_error(on, kind, code, on.packet(there), True, source))
        if known:
            steps += [on.say(back, True), _error(on, kind, code, on.packet(back, True), False)]
        return steps
    return script


def _error(on, kind, code, about, back, source=None):
    rest = struct.pack("!I", 1280 if kind == 2 and on.is_ipv6 else 0)
    quoted = about[:len(about) - STAMP] + bytes(STAMP)
    return on.say(f.icmp(kind, code, rest, quoted, on.icmp), back, source=source)


# --- what a connection tracker makes of a frame

def connection_keys(frame):
    """Keys of the connections that the frame belongs to or tells of."""
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == f.IPV4:
        later = int.from_bytes(frame[20:22], "big") & 0x1fff
        return [] if later else _keys(frame[26:30], frame[30:34], frame[23],
                                      frame[14 + (frame[14] & 15) * 4:])
    if ethertype == f.IPV6:
        proto, body = frame[20], frame[54:]
        while proto in (f.HOP_BY_HOP, f.ROUTING, f.DESTINATION, f.FRAGMENT, f.AH):
            if proto == f.FRAGMENT and int.from_bytes(body[2:4], "big") >> 3:
                return []
            length = {f.FRAGMENT: 8, f.AH: body[1] * 4 + 8}.get(proto, body[1] * 8 + 8)
            proto, body = body[0], body[length:]
        return _keys(frame[22:38], frame[38:54], proto, body)
    return []


def _keys(source, destination, proto, body):
    ends = frozenset((source, destination))
    if proto in (f.TCP, f.UDP):  # of others Open vSwitch's tracker does not see the ports
        return [(ends, proto, frozenset((body[0:2], body[2:4])))]
    if proto == f.ICMP and body[0] in (3, 4, 5, 11, 12):
        return _keys(body[20:24], body[24:28], body[17], body[28:])
    if proto == f.ICMPV6 and body[0] in (1, 2, 3, 4):
        return _keys(body[16:32], body[32:48], body[14], body[48:])
    return [(ends, proto, body[4:6] if proto in (f.ICMP, f.ICMPV6) else b"")]
