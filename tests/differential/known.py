# SPDX-License-Identifier: Apache-2.0
"""Differences that are known and right as they are, each with its reason."""

import struct

VLAN, QINQ, IPV4, ARP, IPV6, RARP = 0x8100, 0x88A8, 0x0800, 0x0806, 0x86DD, 0x8035


def reason(case, direction, frame, expected, found):
    """Why this frame may fare differently, or None."""
    texts = " ".join(case.files.values())
    if _ethertype(frame) == QINQ:
        return "802.1ad: OpenFlow does not tell its tag from an 802.1Q one (ovs-fields(7), VLAN)"
    if direction == "in" and frame[12:16] == b"\x81\0\0\0":
        return ("a priority tag without a priority comes off, as under NORMAL, before the filter "
                "towards a guest")
    if "dscp=" in texts and _ethertype(frame) == IPV4 and frame[15]:
        return "dscp: libvirt compares the whole TOS byte with the unshifted value"
    if _no_next_header(frame) and "protocol=" in texts:
        return "IPv6 without a next header: ebtables never matches its protocol, 59"
    if (expected, found) == ("passes", "dropped") and _is_opaque(frame):
        return "cut short, or ARP not for Ethernet and IPv4: dropped, being in doubt"
    return None


def _ethertype(frame):
    return struct.unpack_from("!H", frame, 12)[0]


def _no_next_header(frame):
    return _ethertype(frame) == IPV6 and len(frame) > 20 and frame[20] == 59


def _is_opaque(frame):
    """Whether Open vSwitch reads the fields of this packet as zero."""
    ethertype, body = _ethertype(frame), frame[14:]
    if ethertype in (ARP, RARP):
        if len(body) < 28:
            return True
        htype, ptype, hlen, plen, op = struct.unpack_from("!HHBBH", body)
        return (htype, ptype, hlen, plen) != (1, IPV4, 6, 4) or not 1 <= op <= 255
    if ethertype == IPV4:
        return len(body) < 20 or _is_empty(body[9], body[(body[0] & 15) * 4:])
    return ethertype == IPV6 and (len(body) < 40 or _is_cut_ipv6(body[6], body[40:]))


def _is_cut_ipv6(proto, rest):
    """Whether the packet ends inside of its extension headers, or has an empty transport."""
    while proto in (0, 43, 44, 51, 60):
        if len(rest) < 8:
            return True
        length = 8 if proto == 44 else rest[1] * 4 + 8 if proto == 51 else rest[1] * 8 + 8
        if proto == 44 and struct.unpack_from("!H", rest, 2)[0] >> 3:
            return False
        if len(rest) < length:
            return True
        proto, rest = rest[0], rest[length:]
    return _is_empty(proto, rest)


def _is_empty(proto, transport):
    """Whether what Open vSwitch reads of the transport header is all zeros."""
    shortest = {6: 20, 17: 8, 132: 12, 58: 8}.get(proto)
    if shortest is None:
        return False
    used = transport[:2] if proto == 58 else transport[:4] + (transport[12:14] if proto == 6 else b"")
    return len(transport) < shortest or not any(used)
