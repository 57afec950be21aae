#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ports that are not like others: a mirror's output, the members of a bond; and audit mode.

A mirror's output port gets no flows.  Behind a bond (active-backup) frames are forwarded by NORMAL,
and still reach guests only by their filters, and once, whichever member they come in by.  In audit
mode what would be dropped passes and is counted on the rule that would have dropped it.
"""

import json
import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.netns import wait_for  # noqa: E402
from lab.wire import Port  # noqa: E402
from system.world import Station, define, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
MEMBERS = ["bond-a", "bond-b"]


def test(world):
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, CLEAN, IP="10.0.0.2")
    world.guest("lost", 3)
    world.manage()
    test_audit(world)
    test_mirror(world)
    test_bond(world)
    test_bypasses(world)
    test_groups(world)
    test_static_addresses(world)


def test_audit(world):
    everybody = ["uplink", "vnet0", "vnet1"]
    forged = world.ip("vnet0", src="10.0.0.9")
    world.expect("enforced: a forged frame is dropped", "vnet0", forged, [])
    world.manage("--audit")
    everything = everybody + ["lost"]
    world.hears_receivers = False
    before = counters(world, "vnet0")
    world.expect_all("audited: what would be dropped passes, both ways", [
        ("vnet0", forged, everything), ("vnet0", world.ip("vnet0", mac="vnet1"), everything),
        ("vnet0", world.arp("vnet0", spa="10.0.0.2"), everything),
        ("uplink", world.ipv6("uplink"), everything),
        ("uplink", world.ipv6("uplink", "vnet0"), ["vnet0"]),
        ("lost", world.ip("lost"), everything),
        # Only guests are delivered to by address: it gets what is flooded.
        ("uplink", world.ip("uplink", "lost"), ["vnet0", "vnet1", "lost"])])
    world.ovs.purge()  # counts what the cache has
    after = counters(world, "vnet0")
    world.hears_receivers = True
    counted = [key for key in after if after[key] > before.get(key, 0)]
    # Each frame was sent twice.
    world.check("and is counted, by rule and direction", len(counted) >= 4
                and {kind for kind, _ in counted} == {0x11, 0x12}
                and all(after[key] - before.get(key, 0) >= 2 for key in counted),
                (before, after))
    world.manage()
    world.expect_all("enforced again: it is dropped", [
        ("vnet0", forged, []), ("lost", world.ip("lost"), []),
        ("uplink", world.ipv6("uplink", "vnet0"), []),
        ("uplink", world.ip("uplink"), ["vnet0", "vnet1"])])


def counters(world, name):
    """Packets by (kind, rule) of a port's rules."""
    totals = {}
    for line in world.ovs.ofctl("dump-flows", "br0").splitlines():
        match = re.search(r"cookie=0x6e7766(1[12])(\w{4})(\w{4}),.*n_packets=(\d+)", line)
        if match and int(match[2], 16) == world.ovs.ofport(name):
            key = int(match[1], 16), int(match[3], 16)
            totals[key] = totals.get(key, 0) + int(match[4])
    return totals


def role_of(port):
    rows = json.loads(nwfilter("bindings", "--format=json").out)
    return {row["port"]: row["role"] for row in rows}.get(port)


def test_mirror(world):
    number = world.trusted("span", 9)
    world.ovs.vsctl("--", "--id=@span", "get", "Port", "span", "--", "--id=@m", "create", "Mirror",
                    "name=m", "select_all=true", "output_port=@span",
                    "--", "set", "Bridge", "br0", "mirrors=@m")
    nwfilter("sync")
    world.unheard.add("span")
    world.ovs.purge()  # cached flows know of no mirror yet
    about = [flow for flow in world.ovs.flows("br0")
             if re.search(rf"in_port={number}\b|output:{number}\b|reg[02]={number:#x}\b", flow)]
    world.check("a mirror's output has no flows", not about, about)
    world.check("nor is it shown as trusted", role_of("span") == "mirror output", role_of("span"))
    nwfilter("bind", "span", "clean-traffic", "IP=10.0.0.99", "MAC=52:54:00:00:00:99")
    world.check("not even if it has a filter", role_of("span") == "mirror output", role_of("span"))
    nwfilter("unbind", "span")
    world.expect_all("it gets copies of what is switched, once, and sends nothing", [
        ("uplink", world.ip("uplink"), ["vnet0", "vnet1", "span"]),
        ("vnet0", world.ip("vnet0", "vnet1"), ["vnet1", "span"]),
        ("span", world.ip("span"), []), ("span", world.ip("span", "vnet0"), [])])
    world.ovs.vsctl("clear", "Bridge", "br0", "mirrors")
    world.unplug("span")
    nwfilter("sync")


def test_bypasses(world):
    """Settings by which ovs-vswitchd sends frames to a port whatever its flows say: no guest's."""
    def statuses():
        nwfilter("sync")
        return [world.status("vnet0"), world.status("vnet1")]
    error = "error: {}: it exchanges frames past its filter"
    world.ovs.vsctl("--", "--id=@m", "create", "Mirror", "name=m", "select_all=true",
                    "output_vlan=7", "--", "set", "Bridge", "br0", "mirrors=@m",
                    "--", "set", "Port", "vnet1", "tag=6")
    found = statuses()
    world.check("a trunk, and a mirror's VLAN",
                found == [error.format("a mirror's output_vlan"), "active"], found)
    world.ovs.vsctl("set", "Port", "vnet1", "tag=7")
    result = nwfilter("sync", "--port=vnet1")
    world.check("that VLAN's port", result.status == 1 and "output_vlan" in world.status("vnet1"),
                (result, world.status("vnet1")))
    world.ovs.vsctl("clear", "Bridge", "br0", "mirrors", "--", "clear", "Port", "vnet1", "tag",
                    "--", "set", "Port", "vnet0", "other_config:mcast-snooping-flood=true")
    found = statuses()
    world.check("no mirror, and no snooping", found == ["active"] * 2, found)
    world.ovs.vsctl("set", "Bridge", "br0", "mcast_snooping_enable=true")
    found = statuses()
    world.check("snooping", found == [error.format("other_config:mcast-snooping-flood"), "active"],
                found)
    world.ovs.vsctl("clear", "Port", "vnet0", "other_config")
    found = statuses()
    world.check("    and no such setting", found == ["active"] * 2, found)


def test_groups(world):
    """A guest that was in a multicast group before it was one is not when it is."""
    define("no-groups", "<rule action='drop' direction='in'><ip dstipaddr='239.0.0.0' "
           "dstipmask='8'/></rule>")
    world.set_tags("vnet0", nwfilter="no-groups")
    nwfilter("unmanage", "br0")
    group = f.eth("01:00:5e:01:01:01", world.mac("uplink"),
                  f.ipv4("10.0.0.254", "239.1.1.1", f.udp(5000, 5001)))
    world.verdict("vnet0", f.eth("01:00:5e:01:01:01", world.mac("vnet0"), f.ipv4(
        "10.0.0.1", "239.1.1.1", f.igmp(group="239.1.1.1"), ttl=1)), [])
    world.check("before manage it gets the group's frames",
                "239.1.1.1" in world.ovs.appctl("mdb/show", "br0")
                and not world.verdict("uplink", group, ["vnet0"]))
    world.manage()
    world.expect("managed, its filter drops them", "uplink", group, [active(world), "vnet1"])
    world.check("    and the group has no member", "239.1.1.1" not in
                world.ovs.appctl("mdb/show", "br0"), world.ovs.appctl("mdb/show", "br0"))
    world.ovs.vsctl("set", "Bridge", "br0", "mcast_snooping_enable=false")
    world.sync(status=1)


def test_static_addresses(world):
    """An address that somebody has nailed to a guest's port draws no frames past its filter."""
    define("shut-in", "<rule action='drop' direction='in'/>")
    world.bind("vnet0", "shut-in")
    world.ovs.vsctl("set", "Bridge", "br0", "mcast_snooping_enable=true")
    world.sync(status=1)
    elsewhere = "02:00:00:00:00:99"
    for mac in (world.mac("vnet0"), elsewhere):
        world.ovs.appctl("fdb/add", "br0", "vnet0", "0", mac)
    world.sync(status=1)
    table = world.ovs.appctl("fdb/show", "br0")
    world.check("sync removes static addresses from a guest's port", "static" not in table, table)
    others = ["vnet1", active(world)]
    world.expect_all("    and none of its frames passes its filter", [
        ("uplink", world.ip("uplink", elsewhere), others),
        ("uplink", world.ip("uplink", "vnet1", mac=world.mac("vnet0")), ["vnet1"])])
    world.ovs.appctl("fdb/add", "br0", "uplink", "0", elsewhere)
    world.sync(status=1)
    table = world.ovs.appctl("fdb/show", "br0")
    world.check("    a trusted port's stay", "static" in table, table)
    world.ovs.vsctl("set", "Bridge", "br0", "mcast_snooping_enable=false")
    world.sync(status=1)


# --- bonds

def test_bond(world):
    world.ovs.vsctl("set", "Bridge", "br0", "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15")
    for number, name in enumerate(MEMBERS, 20):
        world.ports[name] = Port(name)
        world.plugged[name] = 0
        world.stations[name] = Station(f"02:00:00:00:00:{number:02x}", f"10.0.0.{number}")
    world.ovs.vsctl("add-bond", "br0", "bond0", *MEMBERS, "bond_mode=active-backup")
    world.rewire()
    for name in MEMBERS:
        world.ovs.ofport(name)
    wait_for(lambda: active(world), "an active member")
    nwfilter("sync")
    check_bond(world, "at first")
    other = MEMBERS[active(world) == MEMBERS[0]]
    world.ovs.appctl("bond/set-active-member", "bond0", other)
    wait_for(lambda: active(world) == other, "the other member to be active")
    nwfilter("sync")
    check_bond(world, "the other member is active, and synced")
    world.check("a second sync sends nothing", " 0 added, 0 changed, 0 removed"
                in nwfilter("sync").out)


def active(world):
    """The active member's name."""
    text = world.ovs.appctl("bond/show", "bond0")
    match = re.search(r"(?:member|slave) ([\w-]+): enabled\s*\n\s*active", text)
    return match and match[1]


def check_bond(world, when):
    now = active(world)
    backup, = world.unheard = set(MEMBERS) - {now}
    guests = ["vnet0", "vnet1"]
    world.expect_all(f"bond, {when}: the policy is in force", [
        ("vnet0", world.ip("vnet0"), ["uplink", "vnet1", now]),
        ("vnet0", world.ip("vnet0", src="10.0.0.9"), []),
        ("vnet0", world.ip("vnet0", "vnet1"), ["vnet1"]),
        ("uplink", world.ip("uplink"), [now] + guests),
        ("uplink", world.ipv6("uplink"), [now]),
        # Nobody knows where that is, and no guest's filter lets it have such an address.
        ("uplink", world.ip("uplink", "52:54:00:00:99:99"), [now]),
        ("uplink", world.ipv6("uplink", "52:54:00:00:99:99"), [now]),
        ("uplink", world.ip("uplink", "lost"), [now]),
        ("lost", world.ip("lost"), [])])
    world.expect_all(f"bond, {when}: what comes in by it", [
        (now, world.ip(now), ["uplink"] + guests), (backup, world.ip(backup), []),
        (now, world.ip(now, "vnet0"), ["vnet0"]), (now, world.ipv6(now, "vnet0"), []),
        (now, world.ipv6(now), ["uplink"]), ("uplink", world.ip("uplink", now), [now]),
        ("vnet1", world.ip("vnet1", now), [now])])
    # A guest's address forged behind the bond does not draw its frames there.
    world.wire.exchange([(now, world.ip(now, mac="vnet1"))])
    world.expect(f"bond, {when}: a guest's frames cannot be stolen", "uplink",
                 world.ip("uplink", "vnet1"), ["vnet1"])


if __name__ == "__main__":
    run(test)
