#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The uplink guard: nothing foreign leaves a NIC that is guarded, whoever sends it.

Guests whose filters let everything pass, a trusted port, an internal port and the bridge itself
send frames of every kind; on the wire behind the NIC only those of allowed stations come out.
"""

import os
import signal
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.host import SwitchHost  # noqa: E402
from lab.netns import run as command  # noqa: E402
from lab.nwfilterd import Nwfilterd  # noqa: E402
from system.world import FILTERS, define, nwfilter, retag, run  # noqa: E402

BOUGHT = "00:50:56:00:00:07"  # without a tag, from any address
LISTED = "00:50:56:00:00:08"  # without a tag, from its addresses
VSWITCH = "00:50:56:00:00:09"  # in VLAN 4000
LISTED_IP, LISTED_IP6 = "192.0.2.8", "2001:db8:8::8"
LISTED_LINK_LOCAL = "fe80::250:56ff:fe00:8"
ALLOWED = f"{BOUGHT},{LISTED}/{LISTED_IP},{LISTED}/{LISTED_IP6}/128,{VSWITCH}@4000"
FOREIGN = "52:54:00:00:00:66"
ROUTER = "00:00:5e:00:01:01"
SOLICIT_TO = "33:33:ff:00:00:01"


def test(world):
    define("open", "<rule action='accept' direction='inout'><all/></rule>")
    world.trusted("nic", 254)
    world.trusted("store", 253)
    world.guest("open0", 1, "open")
    world.guest("open1", 2, "open")
    command("ip", "link", "set", "nic", "address", "02:aa:00:00:00:01")
    world.ovs.vsctl("add-port", "br0", "int0", "--", "set", "Interface", "int0", "type=internal")
    world.manage("--guard=nic", f"--guard-mac={ALLOWED}")
    rewire(world, "br0", "int0")
    test_sources(world)
    test_senders(world)
    test_vlans(world)
    test_other_ports(world)
    test_known(world)
    test_untagged(world)
    test_flood(world)
    test_again(world)
    test_audit(world)
    test_shut(world)
    test_restarts(world)
    test_wiped(world)


def rewire(world, *names):
    """These are other devices now, or were down meanwhile: the userspace datapath takes the
    bridge's down to give it another address."""
    for name in names:
        world.ports[name] = SwitchHost(name)
    world.rewire()


def own(world):
    with open("/sys/class/net/nic/address") as file:
        return file.read().strip()


# --- frames from a station to the world behind the NIC

def ip(mac, src="192.0.2.77", to=ROUTER, tags=()):
    return f.eth(to, mac, f.ipv4(src, "198.51.100.1", f.udp(5000, 5001)), tags=tags)


def ip6(mac, src="2001:db8::77", tags=()):
    return f.eth(ROUTER, mac, f.ipv6(src, "2001:db8:ffff::1", f.udp(5000, 5001)), tags=tags)


def arp(mac, sha=None, spa="192.0.2.77", op=f.REQUEST, tags=(), to=f.BROADCAST):
    return f.eth(to, mac, f.arp(op, sha or mac, spa, f.MAC_ZERO, "192.0.2.1"), tags=tags)


def rarp(mac, sha=None):
    return f.eth(f.BROADCAST, mac, f.rarp(3, sha or mac, "0.0.0.0", sha or mac, "0.0.0.0"))


def lla(kind, mac):
    return bytes([kind, 1]) + f.mac(mac)


def target(address="2001:db8::1"):
    import ipaddress
    return ipaddress.ip_address(address).packed


def nd(mac, kind, data, src="2001:db8::77", hops=255, code=0, extensions=(), tags=()):
    return f.eth(SOLICIT_TO, mac, f.ipv6(src, "ff02::1:ff00:1", f.icmp(
        kind, code, data=data, proto=f.ICMPV6), hops=hops, extensions=extensions), tags=tags)


def solicit(mac, options=b"", of="2001:db8::1", **more):
    return nd(mac, 135, target(of) + options, **more)


def advertise(mac, options=b"", of="2001:db8::77", **more):
    return nd(mac, 136, target(of) + options, **more)


# --- what leaves

def leaves(world, sender, frames):
    """Of each frame whether it came out of the NIC, twice: by an upcall, and by a cached flow."""
    found = []
    for _ in range(2):
        world.wire.exchange([(sender, frame) for frame in frames])
        got = world.wire.got["nic"]
        found.append([f.stamp(frame, 0) in got for frame in frames])
    assert found[0] == found[1], found
    return found[0]


def expect(world, what, sender, good, bad):
    result = leaves(world, sender, [frame for _, frame in good + bad])
    lost = [name for (name, _), out in zip(good, result) if not out]
    leaked = [name for (name, _), out in zip(bad, result[len(good):]) if out]
    world.check(f"{what} ({len(good)} that may leave, {len(bad)} that may not)",
                not lost and not leaked, f"lost: {lost}, leaked: {leaked}")


def test_sources(world):
    mac = own(world)
    good = [("the NIC's IPv4", ip(mac)), ("its IPv6", ip6(mac)), ("its ARP", arp(mac)),
            ("a bought one's IPv4", ip(BOUGHT)), ("its IPv6", ip6(BOUGHT)),
            ("its ARP", arp(BOUGHT)), ("its RARP", rarp(BOUGHT)),
            ("an unknown protocol", f.eth(ROUTER, BOUGHT, bytes(50), 0x88b5)),
            ("listed IPv4", ip(LISTED, LISTED_IP)), ("listed IPv6", ip6(LISTED, LISTED_IP6)),
            ("its link-local IPv6", ip6(LISTED, LISTED_LINK_LOCAL)),
            ("its DHCP", f.eth(f.BROADCAST, LISTED, f.ipv4("0.0.0.0", "255.255.255.255",
                                                           f.udp(68, 67))))]
    bad = [("foreign IPv4", ip(FOREIGN)), ("IPv6", ip6(FOREIGN)), ("ARP", arp(FOREIGN)),
           ("RARP", rarp(FOREIGN)), ("unicast to nobody", ip(FOREIGN, to="02:00:00:00:77:77")),
           ("unknown protocol", f.eth(ROUTER, FOREIGN, bytes(50), 0x88b5)),
           ("LLC", f.llc(ROUTER, FOREIGN, b"\x42\x42\x03" + bytes(40))),
           ("BPDU", f.stp(FOREIGN)), ("a group as source", ip("03:00:00:00:00:01")),
           ("zero as source", ip(f.MAC_ZERO)), ("the broadcast address", ip(f.BROADCAST)),
           ("ARP of the NIC in a foreign frame", arp(FOREIGN, sha=mac)),
           ("another IPv4 address of a listed one", ip(LISTED)),
           ("another IPv6 address", ip6(LISTED)),
           ("another link-local one", ip6(LISTED, "fe80::1")),
           ("0.0.0.0 that is no DHCP", ip(LISTED, "0.0.0.0")),
           ("an unknown protocol of a listed one", f.eth(ROUTER, LISTED, bytes(50), 0x88b5))]
    bad += [(f"one bit off in {bit}", ip(flip(mac, bit))) for bit in range(0, 48, 5)]
    expect(world, "sources", "open0", good, bad)


def flip(mac, bit):
    value = int(mac.replace(":", ""), 16) ^ 1 << bit
    return ":".join(f"{value:012x}"[i:i + 2] for i in range(0, 12, 2))


def test_senders(world):
    sll, tll = lla(1, BOUGHT), lla(2, BOUGHT)
    bad_sll, bad_tll = lla(1, FOREIGN), lla(2, FOREIGN)
    good = [("a solicitation without options", solicit(BOUGHT)), ("with its own", solicit(
        BOUGHT, sll)), ("an advertisement without", advertise(BOUGHT)),
        ("with its own", advertise(BOUGHT, tll)), ("both", advertise(BOUGHT, sll + tll)),
        ("another option", solicit(BOUGHT, bytes([14, 1]) + bytes(6) + sll)),
        ("behind a hop-by-hop header", solicit(BOUGHT, sll, extensions=[f.extension(0)])),
        ("an echo request", nd(BOUGHT, 128, bytes(16), hops=64)),
        ("a multicast report", nd(BOUGHT, 143, bytes(16), hops=1)),
        ("a listed one's solicitation", solicit(LISTED, lla(1, LISTED), src=LISTED_IP6)),
        ("when it has no address yet", solicit(LISTED, src="::", of=LISTED_IP6)),
        ("its advertisement", advertise(LISTED, lla(2, LISTED), src=LISTED_IP6, of=LISTED_IP6)),
        ("of its link-local address", advertise(LISTED, lla(2, LISTED), src=LISTED_IP6,
                                                of=LISTED_LINK_LOCAL)),
        ("a listed one's ARP", arp(LISTED, spa=LISTED_IP)), ("a probe", arp(LISTED, spa="0.0.0.0"))]
    bad = [("ARP for another", arp(BOUGHT, sha=FOREIGN)), ("a reply", arp(
        BOUGHT, sha=FOREIGN, op=f.REPLY)), ("ARP for the NIC", arp(BOUGHT, sha=own(world))),
        ("ARP of Token Ring", f.eth(f.BROADCAST, BOUGHT, f.arp(
            1, FOREIGN, "192.0.2.7", f.MAC_ZERO, "192.0.2.1", htype=6))),
        ("RARP for another", rarp(BOUGHT, FOREIGN)),
        ("a foreign option", solicit(BOUGHT, bad_sll)), ("in an advertisement", advertise(
            BOUGHT, bad_tll)), ("a target's in a solicitation", solicit(BOUGHT, bad_tll)),
        ("a source's in an advertisement", advertise(BOUGHT, bad_sll)),
        ("behind one's own", solicit(BOUGHT, sll + bad_tll)),
        ("a second one", solicit(BOUGHT, sll + bad_sll)), ("twice", solicit(
            BOUGHT, bad_sll + bad_sll)), ("twice the target's", advertise(BOUGHT, tll + bad_tll)),
        ("behind another option", solicit(BOUGHT, bytes([14, 1]) + bytes(6) + bad_sll)),
        ("behind a hop-by-hop header", solicit(BOUGHT, bad_sll, extensions=[f.extension(0)])),
        ("with a smaller TTL", solicit(BOUGHT, bad_sll, hops=64)),
        ("with another code", solicit(BOUGHT, bad_sll, code=1)),
        ("in a fragment", solicit(BOUGHT, bad_sll, extensions=[f.fragment()])),
        ("a router's advertisement", nd(BOUGHT, 134, bytes(8) + bad_sll)),
        ("a redirect", nd(BOUGHT, 137, bytes(32) + bad_tll)),
        ("a guest's solicitation of routers", nd(BOUGHT, 133, bad_sll)),
        ("a listed one's ARP from another address", arp(LISTED)),
        ("its advertisement of another address", advertise(LISTED, lla(2, LISTED), src=LISTED_IP6)),
        ("a solicitation from another", solicit(LISTED, lla(1, LISTED)))]
    bad += [(f"one bit off in {bit}", solicit(BOUGHT, lla(1, flip(BOUGHT, bit))))
            for bit in range(0, 48, 7)]
    bad += [(f"one bit off in {bit}", arp(BOUGHT, sha=flip(BOUGHT, bit))) for bit in range(0, 48, 7)]
    expect(world, "ARP and neighbour discovery", "open0", good, bad)


def test_vlans(world):
    mac = own(world)
    good = [("the NIC's in any VLAN", ip(mac, tags=[100])), ("ARP", arp(mac, tags=[4000])),
            ("a listed VLAN", ip(VSWITCH, tags=[4000])), ("ARP there", arp(VSWITCH, tags=[4000])),
            ("with a priority", ip(VSWITCH, tags=[(4000, 5)])),
            ("a priority tag", ip(BOUGHT, tags=[(0, 5)]))]
    bad = [("a bought one in a VLAN", ip(BOUGHT, tags=[4000])), ("one of a VLAN without", ip(VSWITCH)),
           ("in another", ip(VSWITCH, tags=[4001])), ("foreign ones", ip(FOREIGN, tags=[4000])),
           ("ARP for another", arp(VSWITCH, sha=FOREIGN, tags=[4000])),
           ("ARP for another with a priority tag", arp(BOUGHT, sha=FOREIGN, tags=[(0, 5)])),
           ("a second tag, which hides ARP", arp(mac, sha=FOREIGN, tags=[(100, 0, 0x88a8), 5])),
           ("of two 802.1Q tags", arp(mac, sha=FOREIGN, tags=[100, 5]))]
    define("open", "<rule action='accept' direction='inout'><mac/></rule>")
    nwfilter("sync")
    expect(world, "VLANs", "open0", good, bad)


def test_other_ports(world):
    mac = own(world)
    for name in ("store", "int0", "br0"):
        good = [("the NIC's", ip(mac)), ("a solicitation of routers", nd(mac, 133, lla(1, mac)))]
        if name == "store":
            good = good[:1]
        bad = [("foreign IPv4", ip(FOREIGN)), ("a router solicitation", nd(FOREIGN, 133, b"")),
               ("a multicast report", nd(FOREIGN, 143, bytes(16), hops=1)), ("duplicate address "
               "detection", solicit(FOREIGN, src="::")), ("ARP for another", arp(mac, sha=FOREIGN))]
        expect(world, f"frames of {name}", name, good, bad)


def some(world):
    """Frames that may leave, and such that may not."""
    mac = own(world)
    good = [("the NIC's", ip(mac)), ("a bought one's", arp(BOUGHT)), ("a solicitation", solicit(
        BOUGHT, lla(1, BOUGHT)))]
    bad = [("foreign", ip(FOREIGN)), ("ARP", arp(FOREIGN)), ("for another", arp(mac, sha=FOREIGN)),
           ("an option", solicit(BOUGHT, lla(1, FOREIGN))), ("IPv6", ip6(FOREIGN))]
    return good, bad


def test_known(world):
    """Where the destination is known to be behind the NIC there is no flood."""
    world.wire.exchange([("nic", f.eth(f.BROADCAST, ROUTER, bytes(46), 0x88b5))])
    mac = own(world)
    expect(world, "a known address behind the NIC", "open0", [("the NIC's", ip(mac)), (
        "a bought one's", ip(BOUGHT))], [("foreign", ip(FOREIGN)), ("ARP", arp(FOREIGN, to=ROUTER)),
                                         ("ARP for another", arp(mac, sha=FOREIGN, to=ROUTER))])
    world.wire.exchange([("store", ip(BOUGHT, to=f.BROADCAST))])
    expect(world, "what comes in by another trusted port", "store", *some(world))
    world.check("what comes in by the NIC reaches guests and trusted ports", not world.verdict(
        "nic", ip(FOREIGN, to=f.BROADCAST), ["store", "open0", "open1", "int0", "br0"]))


def test_untagged(world):
    """The NIC is in a VLAN of its own: the tag comes off before the guard looks."""
    world.ovs.vsctl("set", "Port", "nic", "tag=40")
    nwfilter("sync")
    for name, frames in (("an access port", ip), ("ARP", arp)):
        result = []
        for mac in (own(world), BOUGHT, VSWITCH, FOREIGN):
            world.wire.exchange([("open0", frames(mac, tags=[40]))])
            result.append(retag(f.stamp(frames(mac, tags=[40]), 0), []) in world.wire.got["nic"])
        world.check(f"{name}: what counts is the VLAN that it leaves in", result == [
            True, True, False, False], result)
    world.ovs.vsctl("set", "Port", "nic", "vlan_mode=native-untagged")
    nwfilter("sync")
    world.wire.exchange([("open0", ip(mac, tags=[40])) for mac in (BOUGHT, VSWITCH, FOREIGN)])
    got = world.wire.got["nic"]
    world.check("a native VLAN", got == [f.stamp(ip(BOUGHT), 0)], got)
    expect(world, "    and others there", "open0", [("tagged", ip(VSWITCH, tags=[4000]))], [
        ("foreign", ip(FOREIGN, tags=[4000])), ("bought", ip(BOUGHT, tags=[4000]))])
    world.ovs.vsctl("clear", "Port", "nic", "vlan_mode", "tag")
    nwfilter("sync")


def test_flood(world):
    """Between each two of 300 good frames there are foreign ones."""
    good, bad = some(world)
    lot = [frame for i in range(300) for frame in (bad[i % len(bad)][1], good[i % len(good)][1],
                                                   ip(flip(FOREIGN, i % 40)))]
    world.wire.exchange([("open0", frame) for frame in lot])
    got = world.wire.got["nic"]
    world.check(f"a flood takes no good frames with it: {len(got)} of 300", len(got) == 300
                and set(got) == {f.stamp(frame, 0) for _, frame in good})


def test_again(world):
    result = nwfilter("diff")
    world.check("sync sends nothing the second time", result.status == 0
                and " 0 added, 0 changed, 0 removed" in nwfilter("sync").out, result)
    nwfilter("manage", "br0", "--guard=nic", f"--guard-mac={BOUGHT}")
    expect(world, "a list that is shorter", "open0", [("bought", ip(BOUGHT))], [
        ("listed", ip(LISTED, LISTED_IP)), ("in a VLAN", ip(VSWITCH, tags=[4000]))])
    command("ip", "link", "set", "nic", "address", "02:aa:00:00:00:02")
    world.ovs.vsctl("set", "Open_vSwitch", ".", "external_ids:lab=1")
    nwfilter("sync")
    rewire(world, "br0")
    expect(world, "the NIC's address has changed", "open0", [("the new one", ip(own(world)))], [
        ("the old one", ip("02:aa:00:00:00:01"))])


def test_audit(world):
    world.manage("--audit", "--guard=nic", f"--guard-mac={ALLOWED}")
    world.guest("bad0", 9, "no-such-filter")
    nwfilter("sync")
    for name in ("open0", "bad0"):
        expect(world, f"audit mode: {name}", name, *some(world))
    world.unplug("bad0")
    world.manage("--guard=nic", f"--guard-mac={ALLOWED}")


def bridge_status(world):
    return world.ovs.vsctl("get", "Bridge", "br0", "external_ids:nwfilter-status")


def test_shut(world):
    """What makes a guard impossible, or meaningless, shuts the NIC, and the status says so."""
    everything = [frame for part in some(world) for frame in part]
    rows = [("spanning tree", ["set", "Bridge", "br0", "rstp_enable=true"],
             ["set", "Bridge", "br0", "rstp_enable=false"], "spanning tree"),
            ("multicast snooping", ["set", "Bridge", "br0", "mcast_snooping_enable=true"],
             ["set", "Bridge", "br0", "mcast_snooping_enable=false"], "multicast snooping"),
            ("flood_vlans", ["set", "Bridge", "br0", "flood_vlans=7"],
             ["clear", "Bridge", "br0", "flood_vlans"], "flood_vlans"),
            ("a tunnel", ["set", "Port", "nic", "vlan_mode=dot1q-tunnel", "tag=9"],
             ["clear", "Port", "nic", "vlan_mode", "tag"], "dot1q-tunnel"),
            ("priority tags", ["set", "Port", "nic", "other_config:priority-tags=always"],
             ["remove", "Port", "nic", "other_config", "priority-tags"], "priority-tags"),
            ("a broken tag", ["set", "Bridge", "br0", "external_ids:nwfilter-guard-mac=x"],
             ["set", "Bridge", "br0", f'external_ids:nwfilter-guard-mac="{ALLOWED}"'],
             "nwfilter-guard-mac"),
            ("an uplink of the host's", ["set", "Bridge", "br0", "external_ids:nwfilter-mode=routed",
                                         "external_ids:nwfilter-uplink=nic", "--", "remove",
                                         "Bridge", "br0", "external_ids", "nwfilter-guard", "--",
                                         "remove", "Bridge", "br0", "external_ids",
                                         "nwfilter-guard-mac"],
             ["remove", "Bridge", "br0", "external_ids", "nwfilter-mode", "--", "remove", "Bridge",
              "br0", "external_ids", "nwfilter-uplink", "--", "set", "Bridge", "br0",
              "external_ids:nwfilter-guard=nic",
              f'external_ids:nwfilter-guard-mac="{ALLOWED}"'], "take it off the bridge")]
    for what, change, undo, words in rows:
        world.ovs.vsctl(*change)
        result = nwfilter("sync")
        expect(world, f"{what}: nothing leaves", "open0", [], everything)
        world.check("    and the bridge's status says why", result.status == 1 and words in
                    bridge_status(world) and words in result.err, (bridge_status(world), result))
        world.ovs.vsctl(*undo)
        result = nwfilter("sync")
        world.check("    until it has gone", result.status == 0
                    and bridge_status(world).startswith('"active'), (result, bridge_status(world)))
    world.set_tags("nic", nwfilter="open")
    nwfilter("sync")
    expect(world, "a guest's port that is guarded: nothing leaves", "open0", [], everything)
    world.check("    and its status says so", "guarded" in (world.status("nic") or ""))
    world.set_tags("nic", nwfilter=None)
    nwfilter("sync")
    expect(world, "what may leave does again", "open0", *some(world))


def test_restarts(world):
    world.ovs.restart_switch()
    rewire(world, "br0", "int0")
    everything = [frame for part in some(world) for frame in part]
    expect(world, "ovs-vswitchd has restarted: nothing leaves", "open0", [], everything)
    nwfilter("sync")
    expect(world, "    until it has its flows", "open0", *some(world))


def test_wiped(world):
    """A tool of the host's clears the bridge while the daemon runs, and foreign frames are sent all
    the time."""
    daemon = Nwfilterd(FILTERS)
    daemon.start()
    daemon.settle()
    for what, change in (
            ("the tags", ["clear", "Bridge", "br0", "external_ids"]),
            ("the guard's tags", ["remove", "Bridge", "br0", "external_ids", "nwfilter-guard", "--",
                                  "set", "Bridge", "br0", "external_ids:nwfilter-guard=nic"])):
        world.ovs.vsctl(*change)
        expect(world, f"{what} are cleared: nothing foreign leaves", "open0", [], some(world)[1])
        daemon.settle()
        expect(world, "    nor later", "open0", *some(world))
    for sign in (signal.SIGTERM, signal.SIGKILL):
        daemon.stop(sign)
        expect(world, f"the daemon is gone by signal {sign.value}", "open0", *some(world))
        daemon.start()
        daemon.settle()
        expect(world, "    and back", "open0", *some(world))
    world.ovs.restart_switch(signal.SIGKILL)
    rewire(world, "br0", "int0")
    daemon.settle()
    expect(world, "ovs-vswitchd was killed", "open0", *some(world))
    daemon.stop()


if __name__ == "__main__":
    run(test)
