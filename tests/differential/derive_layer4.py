# SPDX-License-Identifier: Apache-2.0
"""Conversations made to the measure of a filter's L3/L4 rules.

As derive.py does with frames: for each element one instance that matches all its attributes, held
in full, and for each attribute some that miss it narrowly, of which the beginning is held; begun by
the guest and by the others, as written and mirrored.
"""

import ipaddress
import itertools
import xml.etree.ElementTree as ElementTree

import conversations as c
import derive
from conversations import Conversation, End, Line
from lab import frames as f

ELEMENTS = {"tcp", "udp", "udplite", "esp", "ah", "sctp", "icmp", "igmp", "all", "icmpv6"} | {
    f"{name}-ipv6" for name in ("tcp", "udp", "udplite", "esp", "ah", "sctp", "all")}
PLAIN = {"esp": f.ESP, "igmp": f.IGMP}
EPHEMERAL = 30000
ENDS = {"srcportstart": "srcportend", "dstportstart": "dstportend", "srcipfrom": "srcipto",
        "dstipfrom": "dstipto"}
READ = {"srcmacaddr", "srcipaddr", "srcipmask", "dstipaddr", "dstipmask", "dscp", "type", "code",
        *ENDS, *ENDS.values()}
LIMIT = 8  # value combinations tried of one element
ECHO_REQUESTS = {"icmp": 8, "icmpv6": 128}
ERRORS = {"icmp": (3, 11, 12), "icmpv6": (1, 2, 3, 4)}
REMOTES = ("peer", "outside", "peer", "host")


def has_layer4(files):
    return any(element.tag in ELEMENTS for text in files.values()
               for element in ElementTree.fromstring(text).iterfind("rule/*"))


def conversations_for(files, params):
    filters = [ElementTree.fromstring(text) for text in files.values()]
    values = derive.all_values(filters, params)
    ports = itertools.count(EPHEMERAL)
    remotes = itertools.cycle(REMOTES)
    found, seen = [], set()
    for element in (element for root in filters for element in root.iterfind("rule/*")):
        if element.tag not in ELEMENTS:
            continue
        for attributes in _instances(element, values):
            for number, wanted in enumerate(_near(attributes)):
                key = element.tag, *sorted(wanted.items())
                if key not in seen:
                    seen.add(key)
                    found += _all_ways(element.tag, wanted, number > 0, ports, next(remotes))
    return found


def _instances(element, values):
    names = [name for name in element.keys() if name in READ]
    candidates = [derive.choices(element.get(name), values) for name in names]
    combinations = itertools.islice(itertools.product(*candidates), LIMIT)
    return [dict(zip(names, combination)) for combination in combinations]


def _near(attributes):
    """The attributes as they are, and with one of them missed narrowly."""
    single = {name: value for name, value in attributes.items() if name not in ENDS.values()}
    yield single
    for name in single:
        for other in _neighbours(name, attributes):
            yield {**single, name: other}


def _neighbours(name, attributes):
    value = attributes[name]
    if name.endswith("mask"):
        return []
    if name.endswith("ipfrom"):
        low = ipaddress.ip_address(value)
        high = type(low)(attributes.get(ENDS[name], value))
        return [str(low - 1), str(high), str(high + 1)]
    if name.endswith("portstart"):
        low, high = int(value, 0), int(attributes.get(ENDS[name], value), 0)
        return [str(port) for port in sorted({low - 1, high, high + 1} - {low})
                if 0 <= port < 0x10000]
    if name in ("dscp", "type", "code"):
        number = int(value, 0)
        return [str(other) for other in (number - 1, number + 1)
                if 0 <= other < (64 if name == "dscp" else 256)]
    return derive.neighbours(name, attributes)


def _all_ways(kind, wanted, brief, ports, remote):
    mirrored = {derive.swap(name): value for name, value in wanted.items()}
    ways = [wanted] if mirrored == wanted else [wanted, mirrored]
    for here, there in (("guest", remote), (remote, "guest")):
        for attributes in ways:
            try:
                on = _line(kind, attributes, here, there)
                scripts = list(_scripts(kind, attributes, on, brief, ports))
            except (ValueError, OverflowError, f.struct.error):
                continue  # there are no such packets
            words = " ".join(f"{name}={value}" for name, value in attributes.items())
            for name, steps in scripts:
                if _can_be(steps):
                    yield Conversation(f"{here} to {there}: {kind} {words}: {name}", tuple(steps))


def _line(kind, attributes, here, there):
    ends = []
    is_ipv6 = kind.endswith("v6")
    for side, role in (("src", here), ("dst", there)):
        ip = attributes.get(f"{side}ipaddr", attributes.get(f"{side}ipfrom"))
        mac = attributes.get(f"{side}macaddr")
        if mac and role in ("peer", "host"):
            role = "outside"  # whose address may be any
        party = c.end(role, is_ipv6)
        ip = ip or party.ip
        if (ipaddress.ip_address(ip).version == 6) != is_ipv6:
            raise ValueError("an address of the other family")
        ends.append(End(party.role, mac or party.mac, ip))
    if ends[0].ip == ends[1].ip:
        raise ValueError("nobody talks to itself over a wire")
    return Line(*ends, tos=int(attributes.get("dscp", "0"), 0) << 2)


def _scripts(kind, attributes, on, brief, ports):
    """(name, steps)"""
    base = kind.removesuffix("-ipv6")
    sport = int(attributes.get("srcportstart", str(next(ports))), 0)
    dport = int(attributes.get("dstportstart", "80"), 0)
    if base in ("icmp", "icmpv6"):
        yield from _icmp(base, attributes, on, ports)
    elif base in PLAIN:
        yield base, c.plain(PLAIN[base], f.igmp() if base == "igmp" else bytes(24))(on)
    elif base == "ah":
        yield base, c.ah(on, sport, dport)
    elif base == "sctp":
        yield base, c.sctp(on, sport, dport)[:2 if brief else 6]
    elif base == "udplite":
        yield base, c.udp(on, sport, dport, f.UDPLITE)[:2 if brief else 4]
    elif base == "tcp":
        yield base, c.tcp(on, sport, dport) if not brief else c.tcp_short(on, sport, dport)
        if not brief:
            yield "stray syn+ack", c.tcp_stray(c.SYN | c.ACK)(on, sport, dport)
            yield "reset", c.tcp_reset(on, sport, dport)
    else:  # udp, and all
        yield "udp", c.udp(on, sport, dport)[:2 if brief else 4]
        if not brief:
            kind_, code = (1, 4) if on.is_ipv6 else (3, 3)
            yield "error", c.error_about(kind_, code)(on, next(ports), dport)
            yield "unknown error", c.error_about(kind_, code, False)(on, next(ports), dport)
        if base == "all" and not brief:
            yield "tcp", c.tcp_short(on, sport, dport)
            yield "echo", c.echo(on, sport)


def _icmp(base, attributes, on, ports):
    kind, code = int(attributes.get("type", "-1"), 0), int(attributes.get("code", "0"), 0)
    if kind in (-1, ECHO_REQUESTS[base]) and code == 0:
        yield "echo", c.echo(on, next(ports))
    if kind in ERRORS[base]:
        yield "error", c.error_about(kind, code)(on, next(ports), 53)
        yield "unknown error", c.error_about(kind, code, False)(on, next(ports), 53)
    elif kind >= 0:
        yield "alone", c.icmp_alone(kind, code)(on, next(ports))


def _can_be(steps):
    """Whether all parties can be where the frames want them: the host only as itself, and no
    source that a kernel takes for a mistake."""
    for step in steps:
        if "host" in (step.sender, step.receiver):
            if any(not _is_plain(address) for frame in step.frames
                   for address in _addresses(frame)):
                return False
    return True


def _addresses(frame):
    is_ipv4 = frame[12:14] == b"\x08\0"
    start, size = (26, 4) if is_ipv4 else (22, 16)
    return [ipaddress.ip_address(bytes(frame[at:at + size])) for at in (start, start + size)]


def _is_plain(address):
    return not (address.is_multicast or address.is_unspecified or address.is_loopback
                or address.is_link_local or int(address) == 0xffffffff)
