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
from lab.netns import wait_for  # noqa: E402
from lab.nwfilterd import Nwfilterd  # noqa: E402
from lab.wire import Port  # noqa: E402
from system.world import FILTERS, Station, define, nwfilter, run  # noqa: E402

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
    test_not_in_list(world)
    test_port_becomes_guest(world)
    test_retag(world)
    test_audit(world)
    test_bond(world)
    test_changes_of_pins(world)
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


def test_not_in_list(world):
    """The address of the tag attached-mac is a guest's own, also if MAC has others only."""
    world.guest("apart", 50, "open", MAC="52:54:00:00:00:51")
    world.sync()
    mac = world.mac("apart")
    world.wire.exchange([("apart", frame_from(world, mac))])
    moves(world, "an own address that MAC has not", mac, "apart")
    forge(world, mac, "eth1", "uplink", "thief")
    is_at(world, "    is pinned all the same", mac, "apart")
    world.guest("twin", 51, "open", MAC="52:54:00:00:00:52")
    world.set_tags("twin", attached_mac=mac)
    result = nwfilter("sync")
    world.check("    and nobody else's", result.status == 1 and world.status("apart") == "active"
                and f"address {mac} is that of apart" in world.status("twin"), result)
    world.unplug("twin", "apart")
    world.sync()


def test_port_becomes_guest(world):
    """What was seen on a trusted port is not a guest's when the port is."""
    stations = "02:77:00:00:00:01", "02:77:00:00:00:02"
    world.trusted("eth2", 60)
    world.sync()
    number = world.ovs.ofport("eth2")
    forge(world, stations[0], "eth2")
    moves(world, "a station behind a trusted port", stations[0], "eth2")
    nwfilter("bind", "eth2", "no-mac-spoofing", "MAC=02:00:00:00:00:3c")
    world.sync()
    world.check("    which becomes a guest's: it is forgotten", not learned(world, stations[0]))
    nwfilter("unbind", "eth2")
    world.sync()
    forge(world, stations[1], "eth2")
    world.unplug("eth2")
    world.guest("heir", 61, "open", {"ofport_request": number})
    world.sync()
    world.check("    whose number becomes a guest's: likewise",
                world.ovs.ofport("heir") == number and not learned(world, stations[1]))
    world.unplug("heir")
    world.sync()


def test_retag(world):
    """Who comes into a VLAN takes nobody's address there."""
    for name, vid in (("v5", 5), ("v6", 6)):
        world.guest(name, 0x46, "open", {"tag": vid})
    world.sync()
    world.hear("v5", "v6")
    world.ovs.vsctl("set", "Port", "v5", "tag=6")
    nwfilter("sync")
    world.check("retagged into the VLAN of another with the same address: the newcomer is refused",
                world.status("v6") == "active" and "is that of v6" in world.status("v5"),
                (world.status("v5"), world.status("v6")))
    world.unplug("v5", "v6")
    world.guest("old", 0x47, "open", {"tag": 5})
    world.sync()
    forge(world, NESTED, "old")
    world.ovs.vsctl("set", "Port", "old", "tag=6")
    world.sync()
    got = world.wire.exchange_each([("eth1", f.eth(NESTED, world.mac("eth1"), b"", 0x88b5, (5,)))])
    world.check("an address in a VLAN that its port has left is one that nobody knows",
                "uplink" in [name for name, _ in got[0]], got)
    world.unplug("old")
    world.sync()


def test_audit(world):
    """A guest whose frames a filter would drop is heard as well: they pass."""
    world.set_tags("rarp", nwfilter_IP="10.0.0.200")
    world.manage("--audit")
    mac = world.mac("rarp")
    world.wire.exchange([("rarp", world.ip("rarp"))])
    time.sleep(SILENCE)
    forge(world, mac, "eth1")
    is_at(world, "audit: who would be dropped is heard", mac, "rarp")
    world.set_tags("rarp", nwfilter_IP="10.0.0.20")
    world.manage()


def test_bond(world):
    """A guest's broadcast comes back by the other member of a bond."""
    world.guest("carp", 0x48, "own-macs", MAC=f"52:54:00:00:00:48,{VIRTUAL}")
    for name in ("bond-a", "bond-b"):
        world.ports[name] = Port(name)
        world.stations[name] = Station("02:00:00:00:00:b0", "10.0.0.176")
    world.ovs.vsctl("add-bond", "br0", "bond0", "bond-a", "bond-b", "bond_mode=active-backup")
    world.rewire()
    for name in ("bond-a", "bond-b"):
        world.ovs.ofport(name)
    wait_for(lambda: world.ovs.appctl("bond/show", "bond0").count("enabled") >= 2, "the bond")
    world.sync()
    forge(world, VIRTUAL, "carp")
    active = re.search(r"active member.*\((bond-.)\)", world.ovs.appctl("bond/show", "bond0"))[1]
    backup = "bond-a" if active == "bond-b" else "bond-b"
    time.sleep(SILENCE)
    forge(world, VIRTUAL, backup)
    moves(world, "a bond: what comes back by a member that is not active moves nothing", VIRTUAL,
          "carp")
    world.ovs.vsctl("del-port", "bond0")
    for name in ("bond-a", "bond-b"):
        world.ports.pop(name).remove()
    world.unplug("carp")
    world.sync()


def test_changes_of_pins(world):
    """A flow that has a pin's cookie and is none is not taken for one."""
    daemon = Nwfilterd(FILTERS)
    daemon.start()
    daemon.settle()
    pin, = re.findall(rf"cookie=(\w+).*reg11={world.ovs.ofport('rarp'):#x}/0xffff",
                      world.ovs.ofctl("dump-flows", "br0", "table=101"))
    before = daemon.counts("br0")["undone"]
    world.ovs.ofctl("add-flow", "br0", f"cookie={pin},table=0,priority=65000,"
                    f"in_port={world.ovs.ofport('rarp')},actions=output:{world.ovs.ofport('uplink')}")
    wait_for(lambda: daemon.counts("br0")["undone"] > before, "a repair")
    daemon.settle()
    world.check("a flow with a pin's cookie elsewhere is removed", "priority=65000" not in
                world.ovs.ofctl("dump-flows", "br0", "table=0"))
    world.ovs.ofctl("mod-flows", "br0", f"cookie={pin}/-1,table=101,actions="
                    f"set_field:{world.ovs.ofport('thief')}->reg2")
    daemon.settle()
    moves(world, "a pin that leads elsewhere is mended", world.mac("rarp"), "rarp")
    world.ovs.ofctl("add-flow", "br0", "cookie=0x6e77668100010000,table=0,priority=65000,"
                    f"in_port={world.ovs.ofport('rarp')},actions=output:{world.ovs.ofport('uplink')}")
    wait_for(lambda: "comes before its filter" in world.status("rarp"), "a status")
    world.check("one with the cookie of what is learned is told", True)
    world.ovs.ofctl("del-flows", "br0", "cookie=0x6e77668100010000/-1,table=0")
    daemon.settle()
    daemon.stop()


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
