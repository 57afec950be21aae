# SPDX-License-Identifier: Apache-2.0
"""Frames made to a filter's measure.

For each element of each rule: a frame that matches all its attributes, and for each attribute one
or more that miss it narrowly (the next address outside a mask, the port below a range...); each of
them sent both ways, as written and mirrored.  So a rule that is matched too widely, too narrowly or
the wrong way round shows itself, whatever its numbers are.
"""

import ipaddress
import itertools
import xml.etree.ElementTree as ElementTree

from lab import frames as f
from world import GUEST, OUTSIDE, PEER

ETHERTYPES = {"arp": f.ARP, "rarp": f.RARP, "ipv4": f.IPV4, "ipv6": f.IPV6, "vlan": f.VLAN}
PROTOCOLS = {"tcp": f.TCP, "udp": f.UDP, "udplite": f.UDPLITE, "esp": f.ESP, "ah": f.AH,
             "icmp": f.ICMP, "igmp": f.IGMP, "sctp": f.SCTP, "icmpv6": f.ICMPV6}
OPCODES = {"request": 1, "reply": 2, "request_reverse": 3, "reply_reverse": 4, "drarp_request": 5,
           "drarp_reply": 6, "drarp_error": 7, "inarp_request": 8, "arp_nak": 9}
MIRROR = (("src", "dst"), ("dst", "src"))
RANGES = {"srcportstart": "srcportend", "dstportstart": "dstportend", "type": "typeend",
          "code": "codeend"}
KNOWN_ATTRIBUTES = {
    "protocolid", "vlanid", "encap-protocol", "opcode", "hwtype", "protocoltype", "gratuitous",
    "protocol", "dscp", "type", "typeend", "code", "codeend"} | {
        f"{prefix}{side}{suffix}" for side in ("src", "dst")
        for prefix, suffix in (("", "macaddr"), ("", "macmask"), ("", "ipaddr"), ("", "ipmask"),
                               ("arp", "macaddr"), ("arp", "ipaddr"), ("arp", "ipmask"),
                               ("", "portstart"), ("", "portend"))}
LIMIT = 24  # value combinations tried of one element


def frames_for(files, params):
    """(direction, frame) for all filters in files (name -> XML text)."""
    filters = [ElementTree.fromstring(text) for text in files.values()]
    values = all_values(filters, params)
    found = {}
    for element in (element for root in filters for element in root.iterfind("rule/*")):
        for attributes in _instances(element, values):
            for wanted in _near(attributes):
                found.update(dict.fromkeys(_both_ways(element.tag, wanted)))
    return list(found)


def all_values(filters, params):
    """Variable -> every value that it has anywhere."""
    values = {"MAC": [GUEST.mac], **{name: list(given) for name, given in params.items()}}
    for parameter in (found for root in filters for found in root.iterfind("filterref/parameter")):
        values.setdefault(parameter.get("name"), []).append(parameter.get("value"))
    return values


def _instances(element, values):
    """The element's attributes with values for the variables: every value at least once."""
    names = [name for name in element.keys() if name in KNOWN_ATTRIBUTES]
    candidates = [choices(element.get(name), values) for name in names]
    combinations = itertools.islice(itertools.product(*candidates), LIMIT)
    return [dict(zip(names, combination)) for combination in combinations]


def choices(text, values):
    return values.get(text[1:].split("[")[0], []) if text.startswith("$") else [text]


def _near(attributes):
    """The attributes as they are, and with one of them missed narrowly."""
    single = {name: value for name, value in attributes.items() if name not in RANGES.values()}
    yield single
    for name in single:
        for other in neighbours(name, attributes):
            yield {**single, name: other}


def neighbours(name, attributes):
    """Values near the edge of what the attribute matches, on both sides."""
    value = attributes[name]
    if name.endswith("mask") or name == "gratuitous":
        return []
    if name in RANGES:
        low, high = int(value, 0), int(attributes.get(RANGES[name], value), 0)
        return [str(n) for n in {low - 1, (low + high) // 2, high, high + 1} if n >= 0]
    if name.endswith("macaddr"):
        number = int.from_bytes(f.mac(value), "big")
        width, mask = 48, attributes.get(name[:-4] + "mask")
        ones = 48 if mask is None else bin(int.from_bytes(f.mac(mask), "big")).count("1")
        return [_mac_text(n) for n in _around(number, width, ones)]
    if name.endswith("ipaddr"):
        address = ipaddress.ip_address(value)
        ones = _prefix(attributes.get(name[:-4] + "mask"), address.max_prefixlen)
        return [str(type(address)(n))
                for n in _around(int(address), address.max_prefixlen, ones)]
    number = _number(name, value)
    return [str(n) for n in (number - 1, number + 1, number ^ 0x20) if n >= 0]


def _around(number, width, ones):
    """One number inside the prefix, and those that differ in its last and in its first bits."""
    free = width - ones
    inside = number ^ ((1 << free) - 1) & 0x5
    outside = [number ^ 1 << bit for bit in {free, width - 3} if free <= bit < width]
    return [inside] + outside


def _prefix(mask, width):
    if mask is None:
        return width
    if mask.isdigit():
        return int(mask)
    return bin(int(ipaddress.ip_address(mask))).count("1")


def _mac_text(number):
    return ":".join(f"{byte:02x}" for byte in number.to_bytes(6, "big"))


def _number(name, text):
    lower = text.lower()
    for table, of in ((OPCODES, "opcode"), (PROTOCOLS, "protocol"), (ETHERTYPES, "protocolid"),
                      (ETHERTYPES, "encap-protocol")):
        if name == of and lower in table:
            return table[lower]
    return int(text, 0)


# --- from attributes to frames

def _both_ways(kind, attributes):
    """From the guest and to it, as written and mirrored."""
    mirrored = {swap(name): value for name, value in attributes.items()}
    for direction, host, other in (("out", GUEST, PEER), ("in", OUTSIDE, GUEST)):
        for wanted in (attributes, mirrored):
            frame = _build(kind, wanted, host, other)
            if frame and not frame[6] & 1 and any(frame[6:12]):  # a source that bridges accept
                yield direction, frame


def swap(name):
    for old, new in MIRROR:
        if old in name:
            return name.replace(old, new)
    return name


def _build(kind, wanted, here, there):
    """The frame, or None where no such frame can be."""
    get = Wanted(wanted)
    source = get.text("srcmacaddr", here.mac)
    destination = get.text("dstmacaddr", f.STP_MAC if kind == "stp" else there.mac)
    try:
        if kind == "stp":
            return f.stp(source)
        payload = BUILDERS.get(kind, _any)(get, here, there)
        tags = [get.number("vlanid", 5) & 0xfff] if kind == "vlan" else []
        return f.eth(destination, source, payload, tags=tags)
    except (ValueError, OverflowError, f.struct.error):
        return None


class Wanted:
    """Attributes by name, with defaults."""

    def __init__(self, attributes):
        self.attributes = attributes

    def text(self, name, default):
        return self.attributes.get(name, default)

    def number(self, name, default):
        return _number(name, self.attributes[name]) if name in self.attributes else default


def _any(get, here, there):
    """mac, vlan: of the ethertype that is asked for, or IPv4."""
    ethertype = get.number("protocolid", get.number("encap-protocol", f.IPV4))
    if ethertype in (f.ARP, f.RARP):
        return f.arp(1, here.mac, here.ip, there.mac, there.ip, ethertype=ethertype)
    if ethertype == f.IPV4:
        return f.ipv4(here.ip, there.ip, f.udp(1024, 80))
    if ethertype == f.IPV6:
        return f.ipv6(here.ip6, there.ip6, f.udp(1024, 80))
    if ethertype == f.VLAN:
        return f.Packet(f.VLAN, b"\0\x05\x08\0" + f.ipv4(here.ip, there.ip, f.udp(1024, 80)))
    if ethertype < 0x600:
        raise ValueError("a length, not a type")
    return f.Packet(ethertype, bytes(46))


def _arp(get, here, there):
    return f.arp(get.number("opcode", 1), get.text("arpsrcmacaddr", here.mac),
                 get.text("arpsrcipaddr", here.ip), get.text("arpdstmacaddr", there.mac),
                 get.text("arpdstipaddr", get.text("arpsrcipaddr", here.ip)
                          if "gratuitous" in get.attributes else there.ip),
                 htype=get.number("hwtype", 1), ptype=get.number("protocoltype", f.IPV4))


def _rarp(get, here, there):
    packet = _arp(get, here, there)
    return f.Packet(f.RARP, packet)


def _ip(get, here, there):
    return f.ipv4(get.text("srcipaddr", here.ip), get.text("dstipaddr", there.ip),
                  *_layer4(get, f.UDP), tos=get.number("dscp", 0) << 2 & 0xff)


def _ipv6(get, here, there):
    proto = f.ICMPV6 if "type" in get.attributes else f.UDP
    return f.ipv6(get.text("srcipaddr", here.ip6), get.text("dstipaddr", there.ip6),
                  *_layer4(get, proto))


def _layer4(get, default):
    """(payload, protocol)"""
    proto = get.number("protocol", default)
    ports = get.number("srcportstart", 1024), get.number("dstportstart", 80)
    if proto in (f.ICMP, f.ICMPV6, f.IGMP):
        return f.icmp(get.number("type", 8), get.number("code", 0), proto=proto), proto
    if proto == f.TCP:
        return f.tcp(*ports), proto
    if proto == f.SCTP:
        return f.sctp(*ports), proto
    known = proto in PROTOCOLS.values()
    return f.udp(*ports, proto=proto) if known else bytes(24), proto


BUILDERS = {"arp": _arp, "rarp": _rarp, "ip": _ip, "ipv6": _ipv6}
