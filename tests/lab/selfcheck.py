#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does the laboratory itself tell the truth?

Stamps tell frames apart; frames pass an unmanaged Open vSwitch bridge once and unchanged; libvirt's clean-traffic, on a
Linux bridge, drops what it is known to drop and passes what it is known to pass; and the exchange
is fast enough for tests with tens of thousands of frames.
"""

import os
import struct
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.decode import describe  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.libvirt import LinuxBridge  # noqa: E402
from lab.wire import Wire  # noqa: E402

GUEST, PEER, OUTSIDE, STRANGER = (f"52:54:00:00:00:0{n}" for n in (1, 2, 3, 9))
IP, FOREIGN_IP = "10.0.0.5", "10.0.0.66"


def check(lab):
    check_stamps()
    check_ovs(lab.ovs)
    check_libvirt(lab.libvirt)
    return 0


def check_stamps():
    """An id comes back as it was, however many went before, and checksums stay what they were."""
    packet = f.ipv4(IP, FOREIGN_IP, f.udp(1, 2))
    frame = f.eth(GUEST, PEER, packet)
    assert f.read_stamp(b"") is None and f.read_stamp(bytes(60)) is None
    for number in (1, 0xfffe, 0xffff, 0x10000, 0x10001, 0x1fffe, 0x12345678, 0xffffffff):
        stamped = f.stamp(frame, number)
        assert f.read_stamp(stamped) == number, number
        assert f.read_stamp(stamped[:-1] + bytes([stamped[-1] ^ 1])) is None, number
        assert words_of(stamped) == words_of(frame), number


def words_of(frame):
    """What a checksum of the internet sees of a frame's packet."""
    return sum(struct.unpack(f"!{len(frame) // 2 - 7}H", frame[14:])) % 0xffff


def check_ovs(ovs):
    """NORMAL: each frame once at each other port, its tags intact.  (Of priority tags, VLAN 0,
    NORMAL itself takes off the outermost.)"""
    ovs.add_bridge("obr")
    ports = [ovs.add_guest("obr", name) for name in ("oguest", "opeer", "oout")]
    wire = Wire(ports, ("opeer", "oout"))
    packet = f.ipv4(IP, FOREIGN_IP, f.udp(1, 2))
    sent = [f.eth(f.BROADCAST, GUEST, packet, tags=tags)
            for tags in ((), (5,), ((5, 3),), (5, 6), ((7, 2, f.QINQ), 8))]
    sent += [f.stp(GUEST), f.eth(f.BROADCAST, GUEST, f.arp(1, GUEST, IP, f.MAC_ZERO, IP)),
             f.eth(f.BROADCAST, GUEST, b"short", 0x88b6)]
    for frame, verdict in zip(sent, wire.exchange([("oguest", frame) for frame in sent])):
        expect(frame, verdict, {"opeer": 1, "oout": 1})
    rate = measure(wire, "oguest", packet)
    print(f"ovs: {len(sent)} kinds of frames pass once and unchanged, {rate} frames/s")


def check_libvirt(libvirt):
    bridge = LinuxBridge("lbr")
    ports = [bridge.add_guest(*port) for port in
             (("lguest", GUEST), ("lpeer", PEER), ("lout", OUTSIDE))]
    wire = Wire(ports, ("lpeer", "lout"))
    started = time.monotonic()
    complaint = libvirt.bind("lguest", GUEST, "clean-traffic", {"IP": IP})
    assert not complaint, complaint
    taken = time.monotonic() - started
    for port, frame, seen in clean_traffic_cases():
        expect(frame, wire.verdict(port, frame), dict.fromkeys(seen, 1))
    complaint = libvirt.bind("lpeer", PEER, "no-such-filter", {})
    assert complaint and "no-such-filter" in complaint, complaint
    rate = measure(wire, "lguest", f.ipv4(IP, FOREIGN_IP, f.udp(1, 2)))
    print(f"libvirt: clean-traffic bound in {taken:.1f} s, does what it is known to do, "
          f"{rate} frames/s")


def clean_traffic_cases():
    """(from, frame, where it must be seen)"""
    data = f.udp(1, 2)
    everywhere, nowhere = ("lpeer", "lout"), ()

    def arp(sha, spa):
        return f.arp(f.REQUEST, sha, spa, f.MAC_ZERO, FOREIGN_IP)

    return [
        ("lguest", f.eth(f.BROADCAST, GUEST, f.ipv4(IP, FOREIGN_IP, data)), everywhere),
        ("lguest", f.eth(PEER, GUEST, f.ipv4(IP, FOREIGN_IP, data)), ("lpeer",)),
        ("lguest", f.eth(f.BROADCAST, STRANGER, f.ipv4(IP, FOREIGN_IP, data)), nowhere),
        ("lguest", f.eth(f.BROADCAST, GUEST, f.ipv4(FOREIGN_IP, IP, data)), nowhere),
        ("lguest", f.eth(f.BROADCAST, GUEST, f.ipv4("0.0.0.0", "255.255.255.255", data)),
         everywhere),
        ("lguest", f.eth(f.BROADCAST, GUEST, arp(GUEST, IP)), everywhere),
        ("lguest", f.eth(f.BROADCAST, GUEST, arp(STRANGER, IP)), nowhere),
        ("lguest", f.eth(f.BROADCAST, GUEST, arp(GUEST, FOREIGN_IP)), nowhere),
        ("lguest", f.eth(f.BROADCAST, GUEST, f.ipv6("fe80::1", "ff02::1", data)), nowhere),
        ("lguest", f.eth(f.BROADCAST, GUEST, f.ipv4(IP, FOREIGN_IP, data), tags=[5]), nowhere),
        ("lout", f.eth(f.BROADCAST, OUTSIDE, arp(OUTSIDE, FOREIGN_IP)), ("lguest", "lpeer")),
        ("lout", f.eth(f.BROADCAST, OUTSIDE, f.ipv4(FOREIGN_IP, IP, data)), ("lguest", "lpeer")),
        ("lout", f.eth(GUEST, OUTSIDE, f.ipv4(FOREIGN_IP, IP, data)), ("lguest",)),
        ("lout", f.eth(f.BROADCAST, OUTSIDE, f.ipv6("fe80::3", "ff02::1", data)), ("lpeer",)),
    ]


def expect(frame, verdict, seen):
    assert dict(verdict.seen) == seen and not verdict.mangled, \
        f"{describe(frame)}: seen at {verdict}, not at {','.join(seen) or 'nowhere'}"


def measure(wire, port, packet, count=5000):
    """Frames a second, each flooded to the two other ports; none may be lost."""
    frame = f.eth(f.BROADCAST, GUEST, packet)
    started = time.monotonic()
    verdicts = wire.exchange([(port, frame)] * count)
    taken = time.monotonic() - started
    lost = sum(len(verdict.seen) < 2 for verdict in verdicts)
    assert not lost, f"{lost} of {count} frames were lost"
    return round(count / taken)


if __name__ == "__main__":
    main(check, ovs=True, libvirt=True)
