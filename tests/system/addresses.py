#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Where an address is.

A guest's own address is pinned to its port by the first frame that its filter accepts; before that
it is where it was last seen, so that a port that waits for a migration takes nothing.  Further
addresses float: the latest sighting in an accepted frame decides, on guests and trusted ports.
Open vSwitch counts the frames of a cached flow about once a second, and learns from them then: so
who has an address falls silent that long before another has it.
"""

import os
import re
import statistics
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.nwfilterd import Nwfilterd  # noqa: E402
from system.world import FILTERS, define, nwfilter, run  # noqa: E402

VIRTUAL = "00:00:5e:00:01:07"  # of VRRP
NESTED = "00:16:3e:00:00:05"  # behind a guest, of a vendor's prefix
PATIENCE = 2.0  # seconds
SILENCE = 1.2  # seconds after which the switch has counted all frames of a cached flow
TIMES = []  # that moves took
FLOATS_MAX = 64  # see src/compile/sighting.c
ANY_COOKIE = "0xffffff0000000000"


def test(world):
    define("own-macs", "<filterref filter='no-mac-spoofing'/>")
    define("vendor", "<rule action='accept' direction='out'><mac srcmacaddr='$MAC'/></rule>"
           "<rule action='accept' direction='out'><mac srcmacaddr='00:16:3e:00:00:00' "
           "srcmacmask='ff:ff:ff:00:00:00'/></rule><rule action='drop' direction='out'/>")
    define("open", "<rule action='accept' direction='inout'/>")
    world.trusted("uplink", 1)
    world.trusted("eth1", 2)
    world.guest("peer", 10, "clean-traffic", IP="10.0.0.10")
    world.guest("thief", 66, "open")
    world.manage()
    world.hear("peer", "thief")
    for name, number, announce in announcements():
        test_pinned(world, name, number, announce)
    test_vlans(world)
    test_fail_over(world)
    test_pairs(world)
    test_nested(world)
    test_bounds(world)
    test_host(world)
    test_number_reused(world)
    test_restarts(world)


def frame_to(world, sender, mac):
    return f.eth(mac, world.mac(sender), f.ipv4(world.stations[sender].ip, "10.0.0.9",
                                                f.udp(7, 7)))


def frame_from(world, mac, tags=()):
    return f.eth(f.BROADCAST, mac, f.arp(f.REQUEST, mac, "10.0.0.99", f.MAC_ZERO, "10.0.0.99"),
                 tags=tags)


def forge(world, mac, *ports):
    """The ports send as if the address were there."""
    world.wire.exchange([(port, frame_from(world, mac)) for port in ports] * 3)


def is_at(world, what, mac, *places, senders=("peer", "eth1")):
    """Frames for the address go there, and nowhere else."""
    check(world, what, [(sender, frame_to(world, sender, mac), places) for sender in senders])


def check(world, what, rows):
    wrong = [why for why in (world.verdict(*row) for row in rows) if why]
    world.check(what, not wrong, "\n    ".join([""] + wrong))


def moves(world, what, mac, *places, **more):
    """The same, as soon as the switch has looked at its cached flows once more."""
    started = time.monotonic()
    while time.monotonic() < started + PATIENCE and any(
            world.verdict(sender, frame_to(world, sender, mac), places)
            for sender in more.get("senders", ("peer", "eth1"))):
        pass
    TIMES.append(time.monotonic() - started)
    is_at(world, what, mac, *places, **more)


def is_stable(world, what):
    """The next sync finds nothing to do, and so does diff."""
    out, different = world.sync().out, nwfilter("diff")
    world.check(what, " 0 added, 0 changed, 0 removed" in out and different.status == 0,
                (out, different))


# --- a guest's own

def announcements():
    """(port, its number, its first frame): what a system sends that has just moved."""
    zero = "0.0.0.0"
    return [
        ("rarp", 20, lambda mac, ip: f.eth(f.BROADCAST, mac, f.rarp(
            f.REQUEST_REVERSE, mac, zero, mac, zero))),
        ("garp", 21, lambda mac, ip: f.eth(f.BROADCAST, mac, f.arp(
            f.REQUEST, mac, ip, f.MAC_ZERO, ip))),
        ("na", 22, lambda mac, ip: f.eth("33:33:00:00:00:01", mac, f.ipv6(
            "fe80::1", "ff02::1", f.neighbour(136, "fe80::1", f.link_address(2, mac)), hops=255))),
    ]


def test_pinned(world, name, number, announce):
    filter_name = "own-macs" if name == "na" else "clean-traffic"
    world.guest(name, number, filter_name, IP=f"10.0.0.{number}")
    mac, ip = world.stations[name].mac, world.stations[name].ip
    world.sync()
    world.check(f"{name}: enforced before it runs", world.status(name) == "active")
    is_at(world, "    an address that was seen nowhere may be here, or behind a trusted port",
          mac, name, "uplink", "eth1")
    forge(world, mac, "eth1")
    moves(world, "    one that was seen is there, and the port that waits takes nothing",
          mac, "eth1", senders=("peer", "uplink"))
    world.wire.exchange([(name, frame_from(world, world.mac("peer"))),
                         (name, frame_from(world, "52:54:00:00:00:77"))])
    is_at(world, "    what its filter drops moves nothing", mac, "eth1", senders=("peer", "uplink"))
    is_at(world, "    nor does it take anybody else's", world.mac("peer"), "peer",
          senders=("uplink", "eth1"))
    world.wire.exchange([(name, announce(mac, ip))])
    moves(world, "    its announcement moves it", mac, name)
    forge(world, mac, "uplink", "eth1", "peer", "thief")
    is_at(world, "    for good: who forges it takes nothing", mac, name,
          senders=("peer", "eth1", "uplink", "thief"))
    is_stable(world, "    and nothing is to be done for that")
    is_at(world, "    it stays", mac, name)


def test_vlans(world):
    """Who is heard in one VLAN is there in all of its own."""
    world.guest("trunk", 30, "open", {"trunks": "5,6"})
    world.sync()
    mac = world.mac("trunk")
    world.wire.exchange([("eth1", frame_from(world, mac, tags=(vid,))) for vid in (5, 6, 7)])
    rows = [("uplink", f.eth(mac, world.mac("uplink"), b"", 0x88b5, (vid,))) for vid in (5, 6, 7)]
    check(world, "VLANs: seen elsewhere", [(*row, ["eth1"]) for row in rows])
    world.wire.exchange([("trunk", frame_from(world, mac, tags=(5,)))])
    time.sleep(SILENCE)
    check(world, "    heard in one, it has the address in both of its own", [
        (*row, [place]) for row, place in zip(rows, ("trunk", "trunk", "eth1"))])
    world.unplug("trunk")
    world.sync()


# --- those that move

def test_fail_over(world):
    """VRRP: two guests and a router behind the uplink share an address."""
    for name, number in (("left", 31), ("right", 32)):
        world.guest(name, number, "own-macs", MAC=f"52:54:00:00:00:{number:02x},{VIRTUAL}")
    world.sync()
    world.hear("left", "right")
    for place in ("left", "right", "left", "uplink", "right", "uplink", "left"):
        time.sleep(SILENCE)
        forge(world, VIRTUAL, place)
        moves(world, f"fail-over: to {place}", VIRTUAL, place)
    is_stable(world, "    a sync leaves it where it is")
    is_at(world, "    as frames show", VIRTUAL, "left")
    forge(world, VIRTUAL, "peer")
    is_at(world, "    a guest that does not share it takes nothing", VIRTUAL, "left")
    forge(world, world.mac("left"), "right")
    is_at(world, "    nor does one that shares it take what is pinned", world.mac("left"), "left")
    world.unplug("left")
    world.sync()
    world.check("    what was seen on a port goes with it", not learned(world, VIRTUAL),
                learned(world, VIRTUAL))
    time.sleep(SILENCE)
    forge(world, VIRTUAL, "right")
    moves(world, "    and the other has it", VIRTUAL, "right")


def test_pairs(world):
    """The manual's filter for VRRP: each address with its own IP address."""
    define("vrrp-router", """
        <rule action="accept" direction="out" priority="100">
          <arp srcmacaddr="$MAC[@1]" arpsrcmacaddr="$MAC[@1]" arpsrcipaddr="$IP[@1]"/>
        </rule>
        <rule action="accept" direction="out" priority="100">
          <ip srcmacaddr="$MAC[@1]" srcipaddr="$IP[@1]"/>
        </rule>
        <rule action="drop" direction="out" priority="200"/>""".strip())
    macs, ips = ("52:54:00:00:00:33", VIRTUAL), ("10.0.0.51", "10.0.0.1")
    world.guest("pairs", 0x33, "vrrp-router", MAC=",".join(macs), IP=",".join(ips))
    world.sync()
    rows = []
    for i, mac in enumerate(macs):
        for j, ip in enumerate(ips):
            good = ["peer", "thief", "uplink", "eth1", *others(world)] if i == j else []
            rows += [("pairs", f.eth(f.BROADCAST, mac, f.ipv4(ip, "10.0.0.255", f.udp(7, 7))), good),
                     ("pairs", f.eth(f.BROADCAST, mac, f.arp(f.REQUEST, mac, ip, f.MAC_ZERO, ip)),
                      good)]
    check(world, "pairs of addresses: each with its own", rows)
    world.unplug("pairs")
    world.sync()


def others(world):
    """Guests that get broadcasts as all do."""
    return [name for name in world.guests & set(world.ports) - {"peer", "thief", "pairs"}]


def test_nested(world):
    """Guests of guests, which a filter lets pass by their vendor's prefix."""
    for name, number in (("outer1", 35), ("outer2", 36)):
        world.guest(name, number, "vendor")
    world.sync()
    world.hear("outer1", "outer2")
    for place in ("outer1", "outer2", "eth1", "outer1"):
        time.sleep(SILENCE)
        forge(world, NESTED, place)
        moves(world, f"nested: to {place}", NESTED, place, senders=("peer", "uplink"))
    is_stable(world, "    a sync leaves it where it is")
    world.wire.exchange([("outer2", f.eth(f.BROADCAST, "00:16:3f:00:00:05", b"", 0x88b5))])
    world.check("    an address that the filter does not let pass is not learned",
                not learned(world, "00:16:3f:00:00:05"))


def learned(world, mac):
    """What the switch has learned of an address."""
    flows = world.ovs.ofctl("--no-stats", "dump-flows", "br0", "table=101").splitlines()
    return [flow for flow in flows if f"dl_dst={mac}" in flow]


def test_bounds(world):
    """One guest's addresses are few, and take nobody else's room; they age."""
    for number in range(4 * FLOATS_MAX):
        mac = f"02:99:00:00:{number >> 8:02x}:{number & 255:02x}"
        world.ports["thief"].send(frame_from(world, mac))
        if number % 64 == 63:
            world.wire.settle()
    n = sum("dl_dst=02:99:" in flow for flow in world.ovs.ofctl(
        "dump-flows", "br0", "table=101").splitlines())
    world.check("a guest of many addresses: some are learned, no more than there is room for",
                0 < n <= FLOATS_MAX + 1, n)
    forge(world, NESTED, "outer2")
    moves(world, "    others move as ever", NESTED, "outer2", senders=("peer", "uplink"))
    flow = learned(world, NESTED)
    world.check("    what is learned ages", len(flow) == 1 and "hard_timeout=300" in flow[0], flow)


def test_host(world):
    """The bridge's own address is nobody's."""
    host = world.ovs.vsctl("get", "Interface", "br0", "mac_in_use").strip().strip('"')
    number = world.ovs.ofport("thief")
    forge(world, host, "thief")
    world.check("the host's own address is not learned of a guest", not [
        flow for flow in learned(world, host)
        if re.search(rf"set_field:{number:#x}/0xffff->reg2", flow)], learned(world, host))


def test_number_reused(world):
    """A guest that comes by another's number has not been heard."""
    number = world.ovs.ofport("garp")
    world.unplug("garp")
    world.guest("later", 40, "clean-traffic", {"ofport_request": number}, IP="10.0.0.40")
    world.check("a number is used again", world.ovs.ofport("later") == number)
    world.sync()
    forge(world, world.mac("later"), "eth1")
    moves(world, "    and its new owner was not heard", world.mac("later"), "eth1",
          senders=("peer", "uplink"))
    world.hear("later")
    moves(world, "    until it is", world.mac("later"), "later")
    world.set_tags("later", attached_mac="52:54:00:00:00:41")
    world.sync()
    forge(world, "52:54:00:00:00:41", "eth1")
    moves(world, "    another address of its own was not", "52:54:00:00:00:41", "eth1",
          senders=("peer", "uplink"))


# --- the daemon

def test_restarts(world):
    """A daemon knows who was heard, though the switch does not any more."""
    daemon = Nwfilterd(FILTERS)
    daemon.start()
    daemon.settle()
    world.guest("new", 45, "clean-traffic", IP="10.0.0.45")
    daemon.settle()
    world.hear("new")
    daemon.settle()
    world.check("a daemon: a guest that is heard is no change of others",
                daemon.counts("br0")["undone"] == 0, daemon.counts("br0"))
    world.ovs.restart_switch()
    daemon.settle()
    world.rewire()
    for name in ("new", "rarp"):
        forge(world, world.mac(name), "eth1", "uplink", "thief")
        is_at(world, f"    the switch restarts: {name} is where it was", world.mac(name), name)
    world.ovs.ofctl("del-flows", "br0", "table=101")
    daemon.settle()
    forge(world, world.mac("new"), "eth1")
    is_at(world, "    somebody removes what the switch knows: it is undone", world.mac("new"), "new")
    daemon.restart(crash=True)
    daemon.settle()
    is_at(world, "    another daemon finds it", world.mac("new"), "new")
    answer = daemon.ctl("recompute")
    world.check("    and recompute no difference", answer.good, answer.text)
    daemon.stop()
    print(f"an address has moved after {statistics.median(TIMES) * 1000:.0f} ms (median of "
          f"{len(TIMES)}), at most {max(TIMES) * 1000:.0f} ms")


if __name__ == "__main__":
    run(test)
