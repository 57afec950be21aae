#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A bridge with an uplink has the uplink's address: on the bridge or outside of it, after a wipe,
when the NIC gets another; and its own again when there is no uplink any more."""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import run as command, sysctl, wait_for  # noqa: E402
from lab.nwfilterd import Nwfilterd  # noqa: E402
from lab.wire import Port  # noqa: E402
from system.world import FILTERS, nwfilter, run  # noqa: E402

BEFORE = "02:00:00:00:00:01"  # By lab/ovs.py.


def test(world):
    world.trusted("nic", 254)
    set_mac("nic", 1)
    command("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up0x")
    command("ip", "address", "add", "192.0.2.2/24", "dev", "up0")
    for name in ("up0", "up0x"):
        command("ip", "link", "set", name, "up")
    set_mac("up0", 2)
    for name in ("all", "default", "br0", "up0"):
        sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 0)
    test_guard(world)
    test_uplink(world)
    test_bond(world)
    test_wiped(world)
    test_given_back(world)


def set_mac(name, number):
    command("ip", "link", "set", name, "address", f"02:aa:00:00:00:{number:02x}")


def get(world, column):
    return world.ovs.vsctl("--if-exists", "get", "Bridge", "br0", column).strip().strip('"')


def device(name="br0"):
    with open(f"/sys/class/net/{name}/address") as file:
        return file.read().strip()


def is_pinned(world, number):
    mac = f"02:aa:00:00:00:{number:02x}"
    return get(world, "other_config:hwaddr") == device() == mac


def test_guard(world):
    world.manage("--guard=nic")
    world.check("the guarded NIC's address is the bridge's, and what it was is noted",
                is_pinned(world, 1) and get(world, "external_ids:nwfilter-saved-hwaddr") == BEFORE,
                device())
    result = nwfilter("sync")
    world.check("    which is nothing to do the second time", result.status == 0
                and " 0 added, 0 changed, 0 removed" in result.out, result)
    set_mac("nic", 3)
    wait_for(lambda: "02:aa:00:00:00:03" in world.ovs.vsctl("get", "Interface", "nic",
                                                            "mac_in_use"), "the address")
    nwfilter("sync")
    world.check("    another address of the NIC's is followed", is_pinned(world, 3), device())
    world.manage()
    world.check("without a guard it has its own", get(world, "other_config:hwaddr") == device()
                == BEFORE and not get(world, "external_ids:nwfilter-saved-hwaddr"), device())
    world.manage("--guard=later")
    world.check("a NIC that is not there changes nothing", device() == BEFORE, device())
    world.manage("--guard=up0")
    world.check("one that is not on the bridge yet does", is_pinned(world, 2), device())


def test_uplink(world):
    world.manage("--mode=routed", "--uplink=up0")
    world.check("the uplink of a routed bridge, outside of it", is_pinned(world, 2), device())
    daemon = Nwfilterd(FILTERS)
    daemon.start()
    daemon.settle()
    set_mac("up0", 4)
    wait_for(lambda: is_pinned(world, 4), "the uplink's new address")
    world.check("    is followed by the daemon", True)
    daemon.stop()


def test_bond(world):
    for number, name in ((0x11, "m0"), (0x12, "m1")):
        world.ports[name] = Port(name)
        set_mac(name, number)
    world.ovs.vsctl("add-bond", "br0", "bond0", "m0", "m1", "bond_mode=active-backup")
    first = min((world.ovs.ofport(name), number) for name, number in (("m0", 0x11), ("m1", 0x12)))
    world.rewire()
    world.manage("--guard=bond0,nic")
    world.check("a bond's first member", is_pinned(world, first[1]), device())


def test_wiped(world):
    world.manage("--guard=nic")
    daemon = Nwfilterd(FILTERS)
    daemon.start()
    daemon.settle()
    for what, columns in (("other_config", ["other_config"]),
                          ("all that ifupdown2 clears", ["other_config", "external_ids",
                                                         "fail_mode"])):
        world.ovs.vsctl(*(word for column in columns for word in ("--", "clear", "Bridge", "br0",
                                                                  column)))
        daemon.settle()
        wait_for(lambda: is_pinned(world, 3), "the address")
        world.check(f"{what}: restored, and the note is what it was", get(
            world, "external_ids:nwfilter-saved-hwaddr") == BEFORE)
    world.ovs.vsctl("set", "Bridge", "br0", "other_config:hwaddr=02:00:00:00:00:99")
    daemon.settle()
    wait_for(lambda: is_pinned(world, 3), "the address")
    set_mac("nic", 5)
    wait_for(lambda: is_pinned(world, 5), "the NIC's new address")
    world.check("the daemon follows the NIC", True)
    daemon.stop()


def test_given_back(world):
    nwfilter("unmanage", "br0")
    wait_for(lambda: device() == BEFORE, "the bridge's own address")
    world.check("unmanage gives it back", get(world, "other_config:hwaddr") == BEFORE
                and not get(world, "external_ids:nwfilter-saved-hwaddr"))
    world.ovs.vsctl("remove", "Bridge", "br0", "other_config", "hwaddr")
    world.manage("--guard=nic")
    world.check("where there was none", is_pinned(world, 5)
                and get(world, "external_ids:nwfilter-saved-hwaddr") == "", device())
    nwfilter("unmanage", "br0")
    world.check("    there is none again", not get(world, "other_config:hwaddr"))


if __name__ == "__main__":
    run(test)
