#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What stands on a guarded bridge's device, addresses and routes of the operator's, is there again
when the device has got another Ethernet address, or is another device."""

import os
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import run as command, sysctl, wait_for  # noqa: E402
from lab.nwfilterd import Nwfilterd
from lab.ovs import RUN  # noqa: E402
from system.pinned import device, set_mac  # noqa: E402
from system.world import FILTERS, nwfilter, run  # noqa: E402

ADDRESSES = ["192.0.2.2/24", "192.0.2.3/32", "2001:db8::2/64", "2001:db8::3/128",
             "fe80::2/64"]
ROUTES = ["198.51.100.0/24 via 192.0.2.1 dev br0", "203.0.113.9 dev br0 scope link metric 7",
          "default via 192.0.2.1 dev br0 proto static", "10.9.0.0/16 via 10.8.0.1 dev br0 onlink mtu 1400 advmss 1300"]
ROUTES6 = ["2001:db8:5::/48 via fe80::1 dev br0 metric 1024 hoplimit 9 pref high",
           "default via fe80::1 dev br0 metric 512"]
PINNED = "02:aa:00:00:00:01"


def test(world):
    for name in ("all", "default", "br0"):
        sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 0)
    world.trusted("nic", 254)
    set_mac("nic", 1)
    test_manage(world)
    test_daemon(world)
    test_unmanage(world)


def set_up():
    command("ip", "link", "set", "br0", "up")
    for address in ADDRESSES:
        command("ip", "address", "add", address, "dev", "br0", *(["nodad"] if ":" in address else []))
    for family, routes in (("-4", ROUTES), ("-6", ROUTES6)):
        for route in routes:
            command("ip", family, "route", "add", *route.split())


def missing():
    addresses = command("ip", "-o", "address", "show", "dev", "br0")
    routes = command("ip", "-4", "route"), command("ip", "-6", "route")
    return [a for a in ADDRESSES if f" {a} " not in addresses] + [
        (route, text) for family, text in zip((ROUTES, ROUTES6), routes) for route in family
        if not all(f" {word} " in f" {text} ".replace("\n", " ") for word in route.split())
        or route.split()[0] + " " not in text]


def test_manage(world):
    set_up()
    world.check("the operator has addresses and routes", not missing(), missing())
    world.ovs.vsctl("set", "Bridge", "br0", "other_config:hwaddr=02:00:00:00:00:44")
    wait_for(lambda: device() == "02:00:00:00:00:44", "another address")
    world.check("the userspace datapath takes them with another Ethernet address", missing())
    command("ip", "address", "flush", "dev", "br0")
    set_up()
    world.manage("--guard=nic")
    world.check("manage: they are there when the bridge has the NIC's", device() == PINNED
                and not missing(), (device(), missing()))
    result = nwfilter("sync")
    world.check("    and nothing is made twice", result.status == 0 and not missing(), result)


def test_daemon(world):
    daemon = Nwfilterd(FILTERS)
    daemon.start()
    daemon.settle()
    calm()
    for what, words in (("other_config is cleared", ["clear", "Bridge", "br0", "other_config"]),
                        ("all that ifupdown2 clears", ["clear", "Bridge", "br0", "other_config",
                                                       "external_ids", "fail_mode"])):
        world.ovs.vsctl(*words)
        wait_for(lambda: device() == PINNED and not missing(), f"{what}: {missing()}")
        world.check(f"{what}: they are there again", True)
        daemon.settle()
        calm()
    set_mac("nic", 7)
    wait_for(lambda: device() == "02:aa:00:00:00:07" and not missing(), "the new address")
    world.check("the NIC's address changes: they stay", True)
    calm()
    command("ip", "address", "del", ADDRESSES[1], "dev", "br0")
    command("ip", "route", "del", "203.0.113.9")
    calm()
    world.ovs.vsctl("clear", "Bridge", "br0", "other_config")
    wait_for(lambda: device() == "02:aa:00:00:00:07" and len(missing()) == 2, "the rest")
    world.check("what the operator has removed stays away", True)
    command("ip", "address", "add", ADDRESSES[1], "dev", "br0")
    command("ip", "route", "add", *ROUTES[1].split())
    calm()
    renew_device(world)
    wait_for(lambda: not missing(), f"the new device: {missing()}")
    world.check("ovs-vswitchd has cleaned up and started anew: br0 is a new device: they are on it", True)
    test_away(world, daemon)
    daemon.stop()


def test_away(world, daemon):
    """A wipe that nobody sees: the addresses of before are in a file."""
    calm()
    daemon.crash()
    world.ovs.vsctl("clear", "Bridge", "br0", "other_config", "external_ids", "fail_mode")
    wait_for(missing, "another address")
    daemon.start()
    wait_for(lambda: device() == "02:aa:00:00:00:07" and not missing(), f"away: {missing()}")
    world.check("cleared while the daemon is away: they are there again when it comes", True)
    calm()
    daemon.crash()
    renew_device(world)
    daemon.start()
    wait_for(lambda: not missing(), f"the new device: {missing()}")
    world.check("a new device while the daemon is away: they are on it", True)
    calm()
    daemon.crash()
    renew_device(world)
    command("ip", "link", "set", "br0", "up")
    command("ip", "address", "add", "192.0.2.99/24", "dev", "br0")
    daemon.start()
    daemon.settle()
    calm()
    world.check("    but not if somebody has given it other addresses", len(missing()) > 4
                and "192.0.2.99" in command("ip", "address", "show", "dev", "br0"), missing())
    command("ip", "address", "flush", "dev", "br0")
    set_up()
    calm()


def renew_device(world):
    """An exit without --cleanup leaves the device to the next ovs-vswitchd."""
    before = command("ip", "-o", "link", "show", "br0").split(":")[0]
    command("ovs-appctl", "-t", "ovs-vswitchd", "exit", "--cleanup")
    wait_for(lambda: not os.path.exists("/sys/class/net/br0"), "br0 to go")
    world.ovs.restart_switch()
    wait_for(lambda: command("ip", "-o", "link", "show", "br0").split(":")[0] != before, "a new br0")


def calm():
    """Longer than the daemon waits until it takes what is there for meant."""
    time.sleep(1.5)


def test_unmanage(world):
    nwfilter("unmanage", "br0")
    world.check("unmanage: the bridge has its own address, and they are there", device()
                != "02:aa:00:00:00:07" and not missing(), (device(), missing()))
    left = [name for name in os.listdir(RUN) if name.endswith(".device")]
    world.check("    and nothing is left of the file", not left, left)


if __name__ == "__main__":
    run(test)
