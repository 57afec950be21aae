# SPDX-License-Identifier: Apache-2.0
"""What connection trackers are asked of: packets of every protocol, type, code and set of flags.

A probe is a conversation whose last step is the question.  Only that step has the DSCP `ASKED`.
Every probe has addresses of its own, so that no connection is another's.
"""

import dataclasses
import itertools
import struct

import conversations as c
from conversations import ACK, FIN, PSH, RST, SYN, End, Line, Tcp
from lab import frames as f
from world import GUEST, PEER

ASKED = 63
URG = 32
LETTERS = ((SYN, "SYN"), (ACK, "ACK"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (URG, "URG"))
DATA = bytes(16)
PORT = 4000
EXTENSIONS = (0, 43, 44, 51, 60)  # of IPv6, or taken for one
KNOWN = (f.ICMP, f.TCP, f.UDP, f.ICMPV6, f.SCTP, f.UDPLITE, f.DCCP)
ERRORS = {4: (3, 4, 5, 11, 12), 6: (1, 2, 3, 4)}
REQUESTS = {4: ((8, 0), (13, 14), (15, 16), (17, 18)), 6: ((128, 129), (139, 140))}


@dataclasses.dataclass(frozen=True)
class Probe:
    about: str  # the row's words; numbers and sets of flags of one row are gathered
    value: object  # a number, a text, or None
    family: int
    steps: tuple

    @property
    def is_answer(self):
        return self.steps[-1].sender == "peer"


def all_probes():
    found = []
    for family in (4, 6):
        makers = itertools.chain(_tcp(family), _ports(family), _icmp(family), _others(family))
        for about, value, script in makers:
            on = _line(family, len(found))
            steps = script(on)
            found.append(Probe(about, value, family, tuple(steps)))
    return found


def _line(family, number):
    a, b = number >> 8, number & 0xff
    ips = (f"10.1.{a}.{b}", f"10.2.{a}.{b}") if family == 4 else (
        f"2001:db8:1::{a:x}:{b:x}", f"2001:db8:2::{a:x}:{b:x}")
    return Line(End("guest", GUEST.mac, ips[0]), End("peer", PEER.mac, ips[1]))


def _ask(on, segment, back=False, **more):
    """The last step."""
    on.tos = ASKED << 2
    return on.say(segment, back, **more)


# --- TCP

def flags_text(flags):
    return ",".join(word for bit, word in LETTERS if flags & bit) or "none"


def _tcp(family):
    opened = [(SYN, False), (SYN | ACK, True), (ACK, False)]
    for about, before in (("TCP, the first segment", []),
                          ("TCP, behind a SYN", opened[:1]),
                          ("TCP, behind a SYN and its SYN,ACK", opened[:2]),
                          ("TCP, behind a handshake", opened),
                          ("TCP, behind a SYN and a refusal", [(SYN, False), (RST | ACK, True)]),
                          ("TCP, behind a SYN and its reset", [(SYN, False), (RST, False)]),
                          ("TCP, behind a SYN and the other's SYN", [(SYN, False), (SYN, True)]),
                          ("TCP, behind a SYN and an ACK for it", [(SYN, False), (ACK, True)]),
                          ("TCP, behind an ACK", [(ACK, False)])):
        for back in (False, True) if before else (False,):
            words = about + (", the answer" if back else "")
            for flags in range(64):
                yield words, flags, _segments(before, flags, back)


def _segments(before, flags, back):
    def script(on):
        say = Tcp(on, PORT, 80)
        steps = [say(*each) for each in before]
        on.tos = ASKED << 2
        return [*steps, say(flags, back)]
    return script


# --- ports

def _ports(family):
    kinds = {"TCP SYN": lambda s, d: f.tcp(s, d, SYN), "UDP": lambda s, d: f.udp(s, d, DATA),
             "UDP-Lite": lambda s, d: f.udp(s, d, DATA, f.UDPLITE), "DCCP request": _dccp,
             "SCTP INIT": _init}
    for name, build in kinds.items():
        for ports, text in (((PORT, 80), ""), ((0, 80), ", source port 0"),
                            ((PORT, 0), ", destination port 0"), ((0, 0), ", both ports 0")):
            yield name + text, None, _plain(build(*ports))
            if name not in ("TCP SYN", "SCTP INIT"):
                yield name + text + ", the answer", None, _answered(build(*ports),
                                                                    build(*ports[::-1]))
        if name == "TCP SYN":
            continue
        yield (name + ", an answer from another port", None,
               _answered(build(PORT, 80), build(81, PORT)))
    for kind in (*range(16), 63, 64, 128, 130, 192, 193, 255):
        yield "SCTP, the first chunk", kind, _plain(_chunk(PORT, 80, kind))
    for kind in (*range(16), 192):
        yield ("SCTP, behind an INIT, the answer", kind,
               _answered(_chunk(PORT, 80, 1), _chunk(80, PORT, kind)))
        yield ("SCTP, behind an INIT", kind,
               _answered(_chunk(PORT, 80, 1), _chunk(PORT, 80, kind), back=False))
    for kind in range(10):
        yield "DCCP, the first packet", kind, _plain(_dccp(PORT, 80, kind))


def _plain(segment, **more):
    return lambda on: [_ask(on, segment, **more)]


def _answered(segment, answer, back=True, **more):
    return lambda on: [on.say(segment, **more), _ask(on, answer, back, **more)]


def _init(sport, dport):
    return _chunk(sport, dport, 1)


def _chunk(sport, dport, kind):
    body = struct.pack("!IIHHI", 0x1111, 65535, 1, 1, 1)
    tag = 0 if kind == 1 else 0x1111
    return f.Segment(f.SCTP, struct.pack("!HHIIBBH", sport, dport, tag, 0, kind, 0,
                                         4 + len(body) + c.STAMP) + body)


def _dccp(sport, dport, kind=0):
    """Extended sequence numbers; what each type has behind them reads as zero."""
    return f.Segment(f.DCCP, struct.pack("!HHBBHBBHI", sport, dport, 6, 0, 0, kind << 1 | 1, 0, 0,
                                         1) + bytes(8))


# --- ICMP

def _icmp(family):
    name, proto = ("ICMP", f.ICMP) if family == 4 else ("ICMPv6", f.ICMPV6)
    for code in (0, 1):
        for kind in range(256):
            yield f"{name}, code {code}, type", kind, _plain(_message(kind, code, proto))
        for request, reply in REQUESTS[family]:
            yield (f"{name}, code {code}, answer to its request, type", reply,
                   _answered(_message(request, code, proto), _message(reply, code, proto)))
    for request, reply in REQUESTS[family]:
        yield (f"{name}, answer with code 1 to code 0, type", reply,
               _answered(_message(request, 0, proto), _message(reply, 1, proto)))
    about = {"a UDP datagram": f.udp(PORT, 80, DATA), "UDP with port 0": f.udp(PORT, 0, DATA),
             "a TCP SYN": f.tcp(PORT, 80, SYN), "an echo request": _message(REQUESTS[family][0][0],
                                                                            0, proto),
             "an echo request of code 1": _message(REQUESTS[family][0][0], 1, proto),
             "UDP-Lite": f.udp(PORT, 80, DATA, f.UDPLITE), "SCTP": _chunk(PORT, 80, 1)}
    for what, segment in about.items():
        for kind in ERRORS[family]:
            yield f"{name} error about {what}, type", kind, _error(kind, segment, True)
    for kind in ERRORS[family]:
        yield (f"{name} error about what was never sent, type", kind,
               _error(kind, about["a UDP datagram"], False))


def _message(kind, code, proto):
    return f.icmp(kind, code, struct.pack("!HH", 7, 1), DATA, proto)


def _error(kind, segment, known):
    def script(on):
        steps = [on.say(segment)] if known else []
        quoted = on.packet(segment)
        on.tos = ASKED << 2
        rest = struct.pack("!I", 1280 if kind == 2 and on.is_ipv6 else 0)
        quoted = quoted[:len(quoted) - c.STAMP] + bytes(c.STAMP)
        return [*steps, on.say(f.icmp(kind, 0, rest, quoted, on.icmp), True)]
    return script


# --- all others

def _others(family):
    for proto in range(256):
        if proto in KNOWN or family == 6 and proto in (*EXTENSIONS, f.NO_NEXT):
            continue
        yield "Other protocols", proto, _plain(bytes(24), proto=proto)
        yield ("Other protocols, the answer", proto,
               _answered(bytes(24), bytes(24), proto=proto))
