# SPDX-License-Identifier: Apache-2.0
"""Frames, byte by byte.

    eth(dst, src, ipv4("10.0.0.5", "10.0.0.6", udp(68, 67)))
    eth(dst, src, arp(REQUEST, sha, spa, tha, tpa), tags=[5])

The builders of a layer return bytes; ipv4() and ipv6() fill in the transport's checksum.  Every
frame ends with a stamp of eight bytes, inside the innermost length that a header claims, so that
nothing on the way cuts it off:

    fd 01 id id  id id ck ck

To neighbour discovery it is an option of an experimental type.  The last two bytes complement the
id's, so to a checksum of the internet a stamp is always the same, and stamp() can put an id into
any finished frame.  No id is used twice: Open vSwitch's tracker sends the fragments of a packet
that never became whole 15 seconds later.
"""

import ipaddress
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
STP_MAC = "01:80:c2:00:00:00"
MAC_ZERO = "00:00:00:00:00:00"

VLAN, QINQ, ARP, RARP, IPV4, IPV6 = 0x8100, 0x88a8, 0x0806, 0x8035, 0x0800, 0x86dd
REQUEST, REPLY, REQUEST_REVERSE, REPLY_REVERSE = 1, 2, 3, 4
ICMP, IGMP, TCP, UDP, DCCP, ESP, AH, ICMPV6, SCTP, UDPLITE = 1, 2, 6, 17, 33, 50, 51, 58, 132, 136
HOP_BY_HOP, ROUTING, FRAGMENT, NO_NEXT, DESTINATION = 0, 43, 44, 59, 60

SHORTEST = 60  # of an Ethernet frame, without its check sequence
MAGIC = b"\xfd\x01"
STAMP = MAGIC + b"\0\0\0\0\xff\xff"


# --- stamps

def stamp(frame, number):
    """The frame with id `number` (32 bits) in its stamp."""
    assert frame[-8:-6] == MAGIC, "a frame without a stamp"
    return frame[:-6] + struct.pack("!IH", number, _complement(number))


def read_stamp(frame):
    """The id in the frame's stamp, or None."""
    if len(frame) < len(STAMP) or frame[-8:-6] != MAGIC:
        return None
    number, check = struct.unpack("!IH", frame[-6:])
    return number if check == _complement(number) else None


def _complement(number):
    total = (number >> 16) + (number & 0xffff)
    return ((total & 0xffff) + (total >> 16)) ^ 0xffff


# --- layer 2

def mac(text):
    return bytes(int(part, 16) for part in text.split(":"))


def eth(dst, src, payload, ethertype=None, tags=()):
    """A frame.  ethertype follows from the payload's builder when it is not given; each tag is a
    VLAN id or a tuple (id, priority[, ethertype of the tag])."""
    if ethertype is None:
        ethertype = payload.ethertype
    head = mac(dst) + mac(src) + b"".join(map(_tag, tags)) + struct.pack("!H", ethertype)
    return _close(head + payload)


def llc(dst, src, payload):
    """An IEEE 802.3 frame: a length where others have a type."""
    payload += STAMP
    return _pad(mac(dst) + mac(src) + struct.pack("!H", len(payload)) + payload)


def short(frame, length):
    """The frame cut to so many bytes, its stamp included."""
    return frame[:length - len(STAMP)] + STAMP


def _tag(tag):
    vid, priority, ethertype = ((tag if isinstance(tag, tuple) else (tag, 0)) + (VLAN,))[:3]
    return struct.pack("!HH", ethertype, priority << 13 | vid)


def _close(frame):
    return frame if frame.endswith(STAMP) else _pad(frame + STAMP)


def _pad(frame):
    missing = SHORTEST - len(frame)
    return frame if missing <= 0 else frame[:-len(STAMP)] + bytes(missing) + STAMP


class Packet(bytes):
    """A layer 3 packet that knows its ethertype."""
    ethertype = None

    def __new__(cls, ethertype, content):
        packet = super().__new__(cls, content)
        packet.ethertype = ethertype
        return packet


def arp(op, sha, spa, tha, tpa, htype=1, ptype=IPV4, hlen=6, plen=4, ethertype=ARP):
    return Packet(ethertype, struct.pack("!HHBBH", htype, ptype, hlen, plen, op)
                  + mac(sha) + _ip(spa) + mac(tha) + _ip(tpa))


def rarp(op, sha, spa, tha, tpa, **more):
    return arp(op, sha, spa, tha, tpa, ethertype=RARP, **more)


def stp(src, kind=0, flags=0, root=(0x8000, "02:00:00:00:00:0a"), cost=0,
        bridge=(0x8000, "02:00:00:00:00:0b"), port=0x8001, age=0, max_age=0x1400,
        hello=0x200, delay=0xf00):
    """A configuration BPDU, a whole frame."""
    return llc(STP_MAC, src, b"\x42\x42\x03" + struct.pack(
        "!HBBBH6sIH6sHHHHH", 0, 0, kind, flags, root[0], mac(root[1]), cost,
        bridge[0], mac(bridge[1]), port, age, max_age, hello, delay))


# --- layer 3

def _ip(address):
    return ipaddress.ip_address(address).packed


def ipv4(src, dst, payload=b"", proto=None, tos=0, ttl=64, options=b"", offset=0, more=False,
         number=0x1234):
    """offset is counted in bytes; offset or more make it a fragment."""
    proto = payload.proto if proto is None else proto
    whole = not offset and not more
    payload = _transport(proto, payload, _ip(src) + _ip(dst), whole)
    header = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, tos,
                         20 + len(options) + len(payload), number,
                         (0x2000 if more else 0) | offset >> 3, ttl, proto, 0)
    header += _ip(src) + _ip(dst) + options
    return Packet(IPV4, _with_checksum(header, 10) + payload)


def ipv6(src, dst, payload=b"", proto=None, extensions=(), hops=64, traffic_class=0):
    """extensions: (type, bytes) as extension() and fragment() return them, in order."""
    proto = payload.proto if proto is None else proto
    whole = all(kind != FRAGMENT for kind, _ in extensions)
    payload = _transport(proto, payload, _ip(src) + _ip(dst), whole)
    kinds = [kind for kind, _ in extensions] + [proto]
    chain = b"".join(bytes([following]) + body[1:]
                     for following, (_, body) in zip(kinds[1:], extensions))
    header = struct.pack("!IHBB", 6 << 28 | traffic_class << 20, len(chain + payload), kinds[0],
                         hops)
    return Packet(IPV6, header + _ip(src) + _ip(dst) + chain + payload)


def extension(kind, options=b"\x01\x04\0\0\0\0"):
    """A header of options (a multiple of 8 bytes, less 2), by default only padding."""
    return kind, struct.pack("!BB", 0, (len(options) + 2) // 8 - 1) + options


def fragment(offset=0, more=True, number=0x12345678):
    return FRAGMENT, struct.pack("!BBHI", 0, 0, offset | more, number)


# --- layer 4

class Segment(bytes):
    """A layer 4 segment that knows its protocol number."""
    proto = None

    def __new__(cls, proto, content):
        segment = super().__new__(cls, content)
        segment.proto = proto
        return segment


def udp(sport, dport, data=b"", proto=UDP):
    data += STAMP
    return Segment(proto, struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data)


def tcp(sport, dport, flags=0x02, options=b"", data=b"", seq=1, ack=0):
    return Segment(TCP, struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50 + len(options) * 4,
                                    flags, 8192, 0, 0) + options + data + STAMP)


def sctp(sport, dport):
    """An INIT chunk's head; the checksum is left at zero."""
    return Segment(SCTP, struct.pack("!HHIIBBH", sport, dport, 0, 0, 1, 0, 20) + bytes(16) + STAMP)


def icmp(kind, code=0, rest=bytes(4), data=b"", proto=ICMP):
    return Segment(proto, struct.pack("!BBH", kind, code, 0) + rest + data + STAMP)


def icmpv6(kind, code=0, rest=bytes(4), data=b""):
    return icmp(kind, code, rest, data, ICMPV6)


def neighbour(kind, target, option=b"", flags=0):
    """A neighbour solicitation (135) or advertisement (136)."""
    return icmpv6(kind, 0, struct.pack("!I", flags), _ip(target) + option)


def link_address(kind, address):
    """The option source (1) or target (2) link-layer address."""
    return bytes([kind, 1]) + mac(address)


def igmp(kind=0x16, group="224.1.2.3"):
    return icmp(kind, 0, _ip(group), proto=IGMP)


CHECKSUM_AT = {ICMP: 2, IGMP: 2, TCP: 16, UDP: 6, DCCP: 6, ICMPV6: 2, UDPLITE: 6}


def _transport(proto, payload, addresses, whole):
    """The payload with its stamp and, unless it is a fragment, its checksum."""
    if not payload.endswith(STAMP):
        payload += STAMP
    at = CHECKSUM_AT.get(proto)
    if at is None or not whole or not isinstance(payload, Segment):
        return payload
    pseudo = b"" if proto in (ICMP, IGMP) else addresses + struct.pack("!II", len(payload), proto)
    return _with_checksum(payload, at, pseudo)


def whole(segment, src, dst):
    """The segment with its checksum, as bytes: for packets that are sent in fragments."""
    return bytes(_transport(segment.proto, segment, _ip(src) + _ip(dst), True))


def _with_checksum(content, at, pseudo=b""):
    data = pseudo + content
    data += b"\0" * (len(data) & 1)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return content[:at] + struct.pack("!H", total ^ 0xffff or 0xffff) + content[at + 2:]


SENTINEL = eth("02:00:00:00:ff:02", "02:00:00:00:ff:01", b"sentinel", 0x88b5)
