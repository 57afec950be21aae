# SPDX-License-Identifier: Apache-2.0
"""A frame in one line of text, for the reports of failed tests.

    52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff vlan 5 arp op 1 52:54:00:00:00:01 10.0.0.5 > ...

Only what filters look at is shown; what is cut off or odd is shown as far as it goes.
"""

import ipaddress
import struct

from . import frames

TAGS = {frames.VLAN: "vlan", frames.QINQ: "qinq"}
PROTOCOLS = {frames.ICMP: "icmp", frames.IGMP: "igmp", frames.TCP: "tcp", frames.UDP: "udp",
             frames.DCCP: "dccp", frames.ESP: "esp", frames.AH: "ah", frames.ICMPV6: "icmpv6",
             frames.SCTP: "sctp", frames.UDPLITE: "udplite"}
WITH_PORTS = {frames.TCP, frames.UDP, frames.DCCP, frames.SCTP, frames.UDPLITE}
EXTENSIONS = {frames.HOP_BY_HOP: "hop-by-hop", frames.ROUTING: "routing",
              frames.DESTINATION: "destination"}


def describe(frame):
    words = [_mac(frame[6:12]), ">", _mac(frame[0:6])]
    at = 12
    while len(frame) >= at + 6 and _u16(frame, at) in TAGS:
        tci = _u16(frame, at + 2)
        words.append(f"{TAGS[_u16(frame, at)]} {tci & 0xfff}")
        if tci >> 13:
            words.append(f"priority {tci >> 13}")
        at += 4
    ethertype = _u16(frame, at)
    body = frame[at + 2:]
    try:
        words.append(LAYER3.get(ethertype, _unknown)(ethertype, body))
    except (struct.error, ValueError, IndexError):
        words.append(f"0x{ethertype:04x} cut short, {len(frame)} bytes in all")
    return " ".join(words)


def _unknown(ethertype, body):
    if ethertype < 0x600:
        return "stp" if body[:3] == b"\x42\x42\x03" else f"llc length {ethertype}"
    return f"0x{ethertype:04x}"


def _arp(ethertype, body):
    htype, ptype, hlen, plen, op = struct.unpack_from("!HHBBH", body)
    odd = "" if (htype, ptype, hlen, plen) == (1, frames.IPV4, 6, 4) else \
        f" htype {htype} ptype 0x{ptype:04x} lengths {hlen},{plen}"
    struct.unpack_from("28s", body)  # a whole one?
    return (f"{'arp' if ethertype == frames.ARP else 'rarp'} op {op}{odd} {_mac(body[8:14])} "
            f"{_ip(body[14:18])} > {_mac(body[18:24])} {_ip(body[24:28])}")


def _ipv4(_, body):
    length = (body[0] & 15) * 4
    fragment, proto = _u16(body, 6), body[9]
    words = ["ipv4", _ip(body[12:16]), ">", _ip(body[16:20])]
    if body[1]:
        words.append(f"tos 0x{body[1]:02x}")
    if length > 20:
        words.append("options")
    return _transport(words, proto, body[length:], fragment & 0x1fff, fragment & 0x2000)


def _ipv6(_, body):
    proto, rest = body[6], body[40:]
    words = ["ipv6", _ip(body[8:24]), ">", _ip(body[24:40])]
    offset = more = 0
    while proto in EXTENSIONS or proto == frames.FRAGMENT:
        if proto == frames.FRAGMENT:
            offset, more = _u16(rest, 2) >> 3, _u16(rest, 2) & 1
            if not offset and not more:
                words.append("atomic fragment")
            length = 8
        else:
            words.append(EXTENSIONS[proto])
            length = rest[1] * 8 + 8
        proto, rest = rest[0], rest[length:]
        if offset:
            break
    return _transport(words, proto, rest, offset, more)


def _transport(words, proto, rest, offset, more):
    if offset or more:
        words.append(f"fragment at {offset * 8}{'+' if more else ''}")
    words.append(PROTOCOLS.get(proto, f"protocol {proto}"))
    if offset:
        return " ".join(words)
    if proto in WITH_PORTS:
        words.append(f"{_u16(rest, 0)} > {_u16(rest, 2)}")
        if proto == frames.TCP:
            words.append(f"flags 0x{rest[13]:02x}")
    elif proto in (frames.ICMP, frames.ICMPV6, frames.IGMP):
        words.append(f"type {rest[0]} code {rest[1]}")
    return " ".join(words)


LAYER3 = {frames.ARP: _arp, frames.RARP: _arp, frames.IPV4: _ipv4, frames.IPV6: _ipv6}


def _u16(data, at):
    return struct.unpack_from("!H", data, at)[0]


def _mac(data):
    return ":".join(f"{byte:02x}" for byte in data)


def _ip(data):
    return str(ipaddress.ip_address(bytes(data)))
