#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Frames that nobody thought of do not get past clean-traffic-strict either.

The frames of strict_frames.py are sent shuffled, with empty caches, so that each finds what others
left there; and then with bytes changed, taken out and put in.  Of what arrives, a reader that is
independent of Open vSwitch, and reads as a receiver's stack does, says whether it does harm.
"""

import ipaddress
import os
import random
import struct
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.decode import describe  # noqa: E402
from system import strict_frames as s  # noqa: E402
from system.strict import STRICT, guests  # noqa: E402
from system.world import define, run  # noqa: E402

ROUNDS, N_FRAMES = 14, 3000
SERVERS = {f.IPV4: (67, 68), f.IPV6: (547, 546)}
FROM_NOBODY = (131, 132, 133, 135, 143)  # Types of ICMPv6 that may be from ::.
BYTES = (0, 1, 2, 4, 6, 17, 34, 35, 43, 44, 58, 60, 67, 68, 133, 134, 135, 136, 137, 254, 255)
PIECES = (b"\1\1\x52\x54\0\0\0\x77", b"\2\1\x52\x54\0\0\0\x77",  # Options of a foreign address,
          b"\x3c\0\1\4\0\0\0\0", b"\x3a\0\1\4\0\0\0\0", b"\x3a\0\0\1\0\0\0\7", bytes(8))  # headers.


class Owner:
    """What is a guest's own."""

    def __init__(self, g, tags):
        self.name, self.macs = g.name, g.macs
        words = [*tags.get("IP", "").split(","), *tags.get("IPV6", "").split(","),
                 *tags.get("IPV6_LL", ",".join(g.lls)).split(",")]
        self.nets = [ipaddress.ip_network(word) for word in words if word]

    def has(self, packed):
        address = ipaddress.ip_address(packed)
        return any(address in net for net in self.nets if net.version == address.version)


def text(mac):
    return mac.hex(":")


# ---- What harm a frame of a guest does; None if it does none. ----


def harm(owner, frame):
    mac, ethertype = text(frame[6:12]), int.from_bytes(frame[12:14], "big")
    if mac not in owner.macs:
        return "a foreign source"
    if text(frame[:5]) == "01:80:c2:00:00" and frame[5] < 16 or text(frame[:6]) in s.RESERVED:
        return "a bridge's address"
    readers = {f.ARP: harm_arp, f.RARP: harm_rarp, f.IPV4: harm_ipv4, f.IPV6: harm_ipv6}
    reader = readers.get(ethertype)
    return reader(owner, frame) if reader else f"type {ethertype:#x}"


def harm_rarp(_, frame):
    mac = text(frame[6:12])
    good = f.rarp(f.REQUEST_REVERSE, mac, s.ZERO, mac, s.ZERO)
    return None if frame[14:42] == good else "RARP"


def harm_arp(owner, frame):
    head, op = frame[14:20], int.from_bytes(frame[20:22], "big")
    sha, spa, tpa = frame[22:28], frame[28:32], frame[38:42]
    if head != bytes.fromhex("000108000604") or op not in (1, 2) or len(frame) < 42:
        return "ARP of another kind"
    if sha != frame[6:12] or (frame[0] & 1 and frame[:6] != b"\xff" * 6):
        return "ARP's Ethernet addresses"
    probes = op == f.REQUEST and spa == bytes(4) and owner.has(tpa)
    return None if probes or owner.has(spa) else "ARP's sender"


def harm_ports(family, proto, body):
    if proto != f.UDP or len(body) < 4:
        return None
    ports = struct.unpack("!HH", body[:4])
    return "a server" if ports[0] == SERVERS[family][0] or ports[1] == SERVERS[family][1] else None


def read_ipv4(frame):
    """(header, its fragment's bits, what is behind it), or None if no receiver reads it."""
    packet = frame[14:]
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    length, total = packet[0] % 16 * 4, int.from_bytes(packet[2:4], "big")
    if length < 20 or not length <= total <= len(packet):
        return None
    return packet[:length], int.from_bytes(packet[6:8], "big") & 0x3fff, packet[length:total]


def harm_ipv4(owner, frame):
    found = read_ipv4(frame)
    if not found:
        return None
    header, fragment, body = found
    if not owner.has(header[12:16]):
        asks = header[12:20] == bytes(4) + b"\xff" * 4 and header[9] == f.UDP and not fragment \
            and body[:4] == struct.pack("!HH", 68, 67)
        return None if asks else "a foreign IPv4 address"
    if fragment & 0x1fff:
        return None
    return "a router's ICMP" if header[9] == f.ICMP and body[:1] in (b"\5", b"\x09") else \
        harm_ports(f.IPV4, header[9], body)


def read_ipv6(frame):
    """(header, protocol, whether it is a fragment, what is behind all headers): the protocol is
    None of a later fragment, and the rest of one whose headers do not end."""
    packet = frame[14:]
    length = int.from_bytes(packet[4:6], "big")
    if len(packet) < 40 or packet[0] >> 4 != 6 or length > len(packet) - 40:
        return None
    proto, body, fragment = packet[6], packet[40:40 + length], False
    while proto in (f.HOP_BY_HOP, f.ROUTING, f.DESTINATION, f.FRAGMENT):
        size = 8 if proto == f.FRAGMENT else 8 + 8 * body[1] if len(body) > 1 else 8
        if size > len(body):
            return packet, proto, fragment, None
        if proto == f.FRAGMENT:
            bits = int.from_bytes(body[2:4], "big")
            fragment = fragment or bool(bits & 0xfff9)
            if bits & 0xfff8:
                return packet, None, True, b""
        proto, body = body[0], body[size:]
    return packet, proto, fragment, body


def harm_ipv6(owner, frame):
    found = read_ipv6(frame)
    if not found:
        return None
    header, proto, fragment, body = found
    nobody = header[8:24] == bytes(16)
    if body is None:
        return "headers that do not end"
    if not nobody and not owner.has(header[8:24]):
        return "a foreign IPv6 address"
    if proto == f.ICMPV6:
        return harm_icmpv6(owner, frame, header, fragment, body)
    if nobody:
        return "from nobody"
    if fragment and len(body) < {f.TCP: 20, f.UDP: 8, f.SCTP: 12}.get(proto, 0):
        return "a short first fragment"
    return harm_ports(f.IPV6, proto, body)


def harm_icmpv6(owner, frame, header, fragment, body):
    nobody = header[8:24] == bytes(16)
    if fragment or body[:1] in (b"\x86", b"\x89"):
        return "a fragment, or a router's"
    if nobody and body and body[0] not in FROM_NOBODY:
        return "from nobody"
    if header[7] != 255 or len(body) < 24 or body[0] not in (135, 136) or body[1]:
        return None
    target_is_own, found = owner.has(body[8:24]), options(body[24:])
    if not target_is_own and (nobody or body[0] == 136):
        return "a foreign target"
    if nobody or found is None:  # Of the latter nobody takes any notice.
        return None
    link = found.get(1 if body[0] == 135 else 2)
    return "a foreign option" if link and len(link) == 8 and link[2:] != frame[6:12] else None


def options(data):
    """Of each type the first, which is what Linux takes; None if it takes none."""
    found = {}
    while len(data) >= 2:
        size = data[1] * 8
        if not size or size > len(data):
            return None
        found.setdefault(data[0], data[:size])
        data = data[size:]
    return found


def harm_towards(owner, frame):
    """Of a frame from another guest that has no filter."""
    if not frame[0] & 1 and text(frame[:6]) not in owner.macs:
        return "somebody else's"
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == f.IPV4:
        found = read_ipv4(frame)
        return "a lease" if found and not found[1] & 0x1fff and found[0][9] == f.UDP \
            and found[2][2:4] == struct.pack("!H", 68) else None
    if ethertype != f.IPV6:
        return None if ethertype in (f.ARP, f.RARP) else f"type {ethertype:#x}"
    found = read_ipv6(frame)
    if not found or found[1] is None:
        return None
    if found[3] is None:
        return "headers that do not end"
    return "a router's" if found[1] == f.ICMPV6 and found[3][:1] in (b"\x86", b"\x89") else \
        "a lease" if found[1] == f.UDP and found[3][2:4] == struct.pack("!H", 546) else None


# ---- Frames. ----


def mutated(dice, frame):
    frame = bytearray(frame[:-8])
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 5))):
        at, behind = dice.randrange(12, min(len(frame), 110)), dice.randrange(14, len(frame) - 6)
        kind = dice.randrange(7)
        if kind == 0:
            frame[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            frame[at] = dice.choice(BYTES)
        elif kind == 2:
            frame[at] = dice.randrange(256)
        elif kind == 3:
            frame[dice.randrange(12)] ^= 1 << dice.randrange(8)
        elif kind == 4 and len(frame) > 68:
            del frame[behind:behind + 8]
        elif kind == 5:
            frame[behind:behind + 6] = frame[6:12]
        else:
            put_in(frame, behind, dice.choice(PIECES))
    return bytes(frame) + f.STAMP


def put_in(frame, at, piece):
    frame[at:at] = piece
    if frame[12:14] == b"\x86\xdd":  # As long as it says.
        frame[18:20] = struct.pack("!H", min(0xffff, int.from_bytes(frame[18:20], "big") + 8))


def test(world):
    define("open", "<rule action='accept' direction='inout'/>")
    world.trusted("uplink", 0x63)
    everybody = guests()
    for g, number, tags in everybody:
        world.guest(g.name, number, STRICT, **tags)
    world.guest("rogue", 0x50, "open")
    world.manage()
    dice = random.Random("strict")
    for g, _, _ in everybody:
        test_shuffled(world, dice, g)
    test_mutated(world, dice, [(g, Owner(g, tags)) for g, _, tags in everybody])
    test_mutated_towards(world, dice, [(g, Owner(g, tags)) for g, _, tags in everybody])


def test_shuffled(world, dice, g):
    rows = list(s.outgoing(g))
    dice.shuffle(rows)
    world.ovs.purge()
    verdicts = world.wire.exchange([(g.name, frame) for _, _, frame in rows])
    wrong = [f"{what}: {describe(frame)}: {verdict}" for (good, what, frame), verdict in
             zip(rows, verdicts) if good != ("uplink" in verdict.seen) or not good and verdict.seen]
    world.check(f"from {g.name}, shuffled: {len(rows)} frames", not wrong, wrong)


def test_mutated(world, dice, owners):
    n_passed, wrong = 0, []
    for _ in range(ROUNDS):
        g, owner = dice.choice(owners)
        rows = list(s.outgoing(g))
        good = [row for row in rows if row[0]]
        frames = [mutated(dice, dice.choice(good if dice.randrange(3) else rows)[2])
                  for _ in range(N_FRAMES)]
        world.ovs.purge()
        for frame, verdict in zip(frames, world.wire.exchange([(g.name, x) for x in frames])):
            n_passed += bool(verdict.seen)
            if verdict.seen and harm(owner, frame):
                wrong.append(f"{g.name}: {harm(owner, frame)}: {describe(frame)} {frame.hex()}")
    n = ROUNDS * N_FRAMES
    world.check(f"{n} mutated frames of guests, of which {n_passed} pass: none does harm",
                n // 20 < n_passed < n // 2 and not wrong, wrong[:10])


def test_mutated_towards(world, dice, owners):
    n_passed, wrong = 0, []
    mac = world.mac("rogue")
    for g, owner in owners:
        rows = list(s.towards(g, "rogue", mac, False))
        frames = [mutated(dice, dice.choice(rows)[2]) for _ in range(N_FRAMES // 3)]
        world.ovs.purge()
        for frame, verdict in zip(frames, world.wire.exchange([("rogue", x) for x in frames])):
            seen = [other for other in owners if other[1].name in verdict.seen]
            n_passed += bool(seen)
            wrong += [f"{other.name}: {harm_towards(other, frame)}: {describe(frame)} {frame.hex()}"
                      for _, other in seen if harm_towards(other, frame)]
    world.check(f"mutated frames of a guest without a filter, of which {n_passed} pass: none does "
                "harm", n_passed > N_FRAMES // 3 and not wrong, wrong[:10])


if __name__ == "__main__":
    run(test)
