#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packets that Open vSwitch does not look into, since their lengths contradict or they are cut short.

All their fields read as zero there, where ebtables goes on as far as the bytes go.  A rule that drops
by such a field cannot be judged, and drops the packet; a rule that accepts by it does not accept.
"""

import os
import struct
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from system.world import define, run  # noqa: E402

BAD = "10.0.0.9"
# What a rule drops by; each filter accepts all the rest.
DROPS = {
    "by-source": "<ip srcipaddr='10.0.0.9'/>",
    "by-others": "<ip match='no' srcipaddr='10.0.0.1'/>",
    "by-list": "<ip srcipaddr='$LIST'/>",
    "by-protocol": "<ip protocol='udp'/>",
    "by-ports": "<ip protocol='udp' dstportstart='5001'/>",
    "by-dscp": "<ip dscp='4'/>",
    "by-ip-layer": "<all srcipaddr='10.0.0.9'/>",
    "by-udp": "<udp dstportstart='5001'/>",
}
DROPS6 = {
    "by-source6": "<ipv6 srcipaddr='fe80::9'/>",
    "by-protocol6": "<ipv6 protocol='udp'/>",
    "by-ip-layer6": "<all-ipv6 srcipaddr='fe80::9'/>",
}
IP = 14  # where its header begins


def changed(frame, offset, form, value):
    frame = bytearray(frame)
    struct.pack_into(form, frame, offset, value)
    return bytes(frame)


def malformed(frame):
    """What it is, and the frame with a header that is wrong in one way."""
    yield "a length of 0", changed(frame, IP + 2, "!H", 0)
    yield "a length that is shorter than the header", changed(frame, IP + 2, "!H", 19)
    yield "a length that is longer than the frame", changed(frame, IP + 2, "!H", len(frame))
    yield "the longest length", changed(frame, IP + 2, "!H", 0xffff)
    yield "a header of 16 bytes", changed(frame, IP, "!B", 0x44)
    yield "a header without bytes", changed(frame, IP, "!B", 0x40)
    yield "a header that is longer than the packet", changed(
        changed(frame, IP, "!B", 0x4f), IP + 2, "!H", 40)


def malformed6(frame):
    yield "a length that is longer than the frame", changed(frame, IP + 4, "!H", len(frame))
    yield "the longest length", changed(frame, IP + 4, "!H", 0xffff)


def test(world):
    world.trusted("uplink", 254)
    for name, elements in (DROPS | DROPS6).items():
        define(name, f"<rule action='drop' direction='inout' priority='1'>{elements}</rule>")
    define("accepts", "<rule action='accept' direction='inout' priority='1'>"
           "<ip match='no' srcipaddr='10.0.0.9'/></rule><rule action='drop' direction='inout'><ip/></rule>")
    define("returns", "<filter name='returns' chain='ipv4'>"
           "<rule action='return' direction='out'><ip srcipaddr='10.0.0.9'/></rule>"
           "<rule action='accept' direction='out'/></filter>")
    define("behind", "<filter name='behind' chain='root'><filterref filter='returns'/>"
           "<rule action='drop' direction='out'><ip/></rule></filter>")
    world.guest("vnet0", 1, "by-source", LIST=",".join(f"10.0.0.{i}" for i in range(9, 40)))
    world.manage()
    for name in [*DROPS, "accepts", "behind"]:
        check(world, name, world.ip("vnet0", src=BAD, body=f.udp(5000, 5001)), malformed)
    for name in DROPS6:
        check(world, name, f.eth("33:33:00:00:00:01", world.mac("vnet0"), f.ipv6(
            "fe80::9", "ff02::1", f.udp(5000, 5001))), malformed6)
    world.set_tags("vnet0", nwfilter="by-dscp")
    world.sync()
    world.expect("a good packet passes", "vnet0", world.ip("vnet0"), ["uplink"])
    check_arp(world)


def check(world, name, frame, ways):
    world.set_tags("vnet0", nwfilter=name)
    world.sync()
    if name == "by-dscp":
        frame = changed(frame, IP + 1, "!B", 4 << 2)
    world.expect_all(f"{name}: out, nothing passes", [
        ("vnet0", wrong, []) for _, wrong in ways(frame)])
    if name != "behind":
        world.expect_all(f"{name}: in, nothing passes", [
            ("uplink", mirrored(wrong, world), []) for _, wrong in ways(frame)])


def mirrored(frame, world):
    """The same packet on its way to the guest."""
    return f.mac(world.mac("vnet0")) + f.mac(world.mac("uplink")) + frame[12:]


def check_arp(world):
    """The same of ARP: cut short, and for other networks."""
    define("by-arp", "<rule action='drop' direction='out'><arp arpsrcipaddr='10.0.0.9'/></rule>")
    world.set_tags("vnet0", nwfilter="by-arp")
    world.sync()
    arp = world.arp("vnet0", spa=BAD)
    world.expect_all("by-arp: nothing passes", [
        ("vnet0", arp, []),
        ("vnet0", changed(arp, IP, "!H", 6), []),
        ("vnet0", changed(arp, IP + 2, "!H", 0x86dd), []),
        ("vnet0", changed(arp, IP + 4, "!B", 8), []),
        ("vnet0", changed(arp, IP + 5, "!B", 16), [])])


if __name__ == "__main__":
    run(test)
