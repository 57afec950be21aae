#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A bond that is guarded is one NIC: what may leave does so once, by a member that is alive, and
comes in as from any port; without NORMAL, and beside a bond that is not guarded."""

import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.netns import run as command, wait_for  # noqa: E402
from lab.wire import Port  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402
from system.guard import FOREIGN, ROUTER, arp, ip, lla, solicit  # noqa: E402

BOUGHT = "00:50:56:00:00:07"
MEMBERS = ["m0", "m1"]  # Which has the lower number is Open vSwitch's choice.


def test(world):
    define("open", "<rule action='accept' direction='inout'><mac/></rule>")
    world.guest("open0", 1, "open")
    world.trusted("plain", 250)
    for number, name in enumerate(MEMBERS + ["s0", "s1"]):
        world.ports[name] = Port(name)
        command("ip", "link", "set", name, "address", f"02:aa:00:00:00:{number:02x}")
    world.ovs.vsctl("add-bond", "br0", "bond0", *MEMBERS, "bond_mode=active-backup")
    world.ovs.vsctl("add-bond", "br0", "bond1", "s0", "s1", "bond_mode=active-backup")
    for name in MEMBERS + ["s0", "s1"]:
        world.ovs.ofport(name)
    world.rewire()
    world.manage("--guard=bond0", f"--guard-mac={BOUGHT}")
    test_out(world)
    test_in(world)
    test_failover(world)
    for name in MEMBERS:
        test_member(world, name)
    test_uplink(world)
    test_lacp(world)
    test_given_back(world)


def out(world, sender, frame):
    """How often it came out of each port, twice the same."""
    found = []
    for _ in range(2):
        world.wire.exchange([(sender, frame)])
        found.append({name: len(got) for name, got in world.wire.got.items() if got})
    assert found[0] == found[1], found
    return found[0]


def by_members(world, sender, frame):
    return sum(out(world, sender, frame).get(name, 0) for name in MEMBERS)


def allowed(world):
    return [ip("02:aa:00:00:00:00"), ip("02:aa:00:00:00:01"), arp(BOUGHT), ip(BOUGHT),
            solicit(BOUGHT, lla(1, BOUGHT))]


def foreign():
    return [ip(FOREIGN), arp(FOREIGN), arp(BOUGHT, sha=FOREIGN), ip("02:aa:00:00:00:02"),
            solicit(BOUGHT, lla(1, FOREIGN)), ip(BOUGHT, tags=[5])]


def test_out(world):
    good = [by_members(world, "open0", frame) for frame in allowed(world)]
    bad = [by_members(world, "open0", frame) for frame in foreign()]
    world.check("what may leave does so once, and nothing else", good == [1] * len(good)
                and not any(bad), (good, bad))
    result = out(world, "open0", ip(FOREIGN, to=f.BROADCAST))
    world.check("a bond that is not guarded gets all, once", result.get("s0", 0)
                + result.get("s1", 0) == 1 and result.get("plain") == 1, result)
    normal = "NORMAL" in world.ovs.ofctl("dump-flows", "br0")
    world.check("    without NORMAL", not normal)


def test_in(world):
    frames = {name: out(world, name, ip("02:00:00:00:77:01", to=f.BROADCAST)) for name in MEMBERS}
    got = [frame for frame in frames.values() if frame]
    world.check("a frame for many comes in by one member, and does not go back", len(got) == 1
                and got[0].get("plain") == 1 and got[0].get("open0") == 1
                and not set(got[0]) & set(MEMBERS), frames)
    for name in MEMBERS:
        world.wire.exchange([(name, f.eth("02:00:00:00:77:02", ROUTER, bytes(46), 0x88b5))])
        world.ovs.purge()  # What was cached when nobody knew the address.
        good = [by_members(world, "open0", frame) for frame in (ip(BOUGHT), ip(FOREIGN))]
        result = out(world, "open0", ip(BOUGHT))
        world.check(f"what is learned behind {name} is behind the bond", good == [1, 0]
                    and set(result) <= set(MEMBERS), (good, result))


def active(world):
    return world.ovs.appctl("bond/show", "bond0").split("active-backup primary")[0]


def test_failover(world):
    before = [name for name in MEMBERS if out(world, "open0", ip(BOUGHT)).get(name)]
    command("ip", "link", "set", before[0], "down")
    other = [name for name in MEMBERS if name != before[0]]
    wait_for(lambda: "may_enable: false" in world.ovs.appctl("bond/show", "bond0"), "the member")
    world.ovs.purge()  # Open vSwitch does so too, a little later.
    good = [out(world, "open0", frame).get(other[0]) for frame in allowed(world)]
    bad = [by_members(world, "open0", frame) for frame in foreign()]
    world.check("the member that is left takes over, without a sync", good == [1] * len(good)
                and not any(bad), (good, bad))
    command("ip", "link", "set", before[0], "up")
    wait_for(lambda: "may_enable: false" not in world.ovs.appctl("bond/show", "bond0"), "it")
    nwfilter("sync")
    world.check("sync sends nothing the second time", nwfilter("diff").status == 0)


def test_member(world, name):
    """A guard that names a member is the bond's; a member's address is followed."""
    world.manage(f"--guard={name}", f"--guard-mac={BOUGHT}")
    command("ip", "link", "set", "m1", "address", "02:aa:00:00:00:11")
    wait_for(lambda: "02:aa:00:00:00:11" in world.ovs.vsctl("get", "Interface", "m1", "mac_in_use"),
             "the address in the database")
    nwfilter("sync")
    good = [by_members(world, "open0", frame) for frame in (
        ip("02:aa:00:00:00:00"), ip("02:aa:00:00:00:11"), ip(BOUGHT))]
    bad = [by_members(world, "open0", frame) for frame in foreign() + [ip("02:aa:00:00:00:01")]]
    world.check("a member names its bond, and its address is followed", good == [1, 1, 1]
                and not any(bad), (good, bad))


def setting(path):
    with open(f"/proc/sys/net/{path}") as file:
        return file.read().strip()


def flows(world):
    """Without what they count, whose they are, what was learned, and what the host has on br0."""
    return sorted(re.sub(r"(cookie|duration|n_packets|n_bytes|idle_age)=[^,]*, ", "", line)
                  for line in world.ovs.ofctl("dump-flows", "br0").splitlines()[1:]
                  if "hard_timeout" not in line and "table=217" not in line)


def test_uplink(world):
    """A bond as the uplink that flows route to: by its name, or by a member's."""
    command("ip", "address", "add", "192.0.2.2/24", "dev", "br0")
    before = [setting(f"ipv4/conf/{name}/arp_ignore") for name in MEMBERS]
    dumps = {}
    for name in ["bond0"] + MEMBERS:
        world.manage("--mode=routed", "--via=flows", f"--uplink={name}")
        status = world.ovs.vsctl("get", "Bridge", "br0", "external_ids:nwfilter-status")
        world.check(f"the uplink is {name}: the bridge is active", "active" in status
                    and "uplink" not in status, status)
        now = [setting(f"ipv4/conf/{name}/arp_ignore") for name in MEMBERS]
        world.check("    the kernel answers on none of its members", now == ["8", "8"], now)
        dumps[name] = flows(world)
    world.check("    and a member's name means the bond", dumps["m0"] == dumps["m1"]
                == dumps["bond0"], [set(dumps["bond0"]) ^ set(dumps[name]) for name in MEMBERS])
    world.manage(f"--guard=bond0", f"--guard-mac={BOUGHT}")
    after = [setting(f"ipv4/conf/{name}/arp_ignore") for name in MEMBERS]
    world.check("    undone with the mode", after == before, (before, after))


def test_lacp(world):
    """Whose other end is no bond: LACP takes its members for dead, and nothing leaves."""
    world.manage("--guard=bond0", f"--guard-mac={BOUGHT}")
    world.ovs.vsctl("set", "Port", "bond0", "bond_mode=balance-slb", "lacp=active",
                    "other_config:lacp-fallback-ab=true")
    nwfilter("sync")
    wait_for(lambda: "may_enable: true" in world.ovs.appctl("bond/show", "bond0"), "a fallback")
    good = [by_members(world, "open0", frame) for frame in (ip(BOUGHT), arp(BOUGHT))]
    bad = [by_members(world, "open0", frame) for frame in foreign()]
    world.check("LACP: by one of the members", good == [1, 1] and not any(bad), (good, bad))
    world.ovs.vsctl("clear", "Port", "bond0", "lacp", "bond_mode")
    nwfilter("sync")


def test_given_back(world):
    world.manage()
    world.check("without a guard the bridge uses NORMAL for bonds again",
                "NORMAL" in world.ovs.ofctl("dump-flows", "br0"))
    result = by_members(world, "open0", ip(FOREIGN, to=f.BROADCAST))
    world.check("    and foreign frames leave (so this test can fail)", result == 1, result)


if __name__ == "__main__":
    run(test)
