# SPDX-License-Identifier: Apache-2.0
"""A switch with the daemon, two guests and an uplink, and what is to hold there."""

import os
import time

from lab.netns import LabError
from system.live import finish, start
from system.world import nwfilter

CLEAN = "clean-traffic"
POLICIES = "/etc/ovs-nwfilter/policy.d"
ALL = ["uplink", "vnet0", "vnet1"]


def run_parts(world, parts):
    """Each with a look at whether the daemon's flows are those of a daemon that starts now."""
    os.makedirs(POLICIES)
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, CLEAN, IP="10.0.0.2")
    world.ovs.add_bridge("br1")
    world.ovs.add_bridge("plain")
    nwfilter("manage", "br1")
    start(world)
    for part in parts:
        began = time.monotonic()
        print(f"--- {part.__name__[5:]}", flush=True)
        try:
            part(world)
        except LabError as error:
            world.check(f"{part.__name__} goes to its end", False, error)
            raise
        wrong = world.daemon.recompute() if world.daemon.is_alive() else "it is dead"
        world.check(f"    recompute finds no difference ({time.monotonic() - began:.1f} s)",
                    not wrong, wrong)
    finish(world)


def settle(world, port=None):
    return world.daemon.settle(port)


def manage(world, mode="enforce"):
    """As an operator may, by tags."""
    world.audited = mode == "audit"
    world.ovs.vsctl("set", "Bridge", "br0", f"external_ids:nwfilter={mode}",
                    "external_ids:nwfilter-trusted=uplink")


def check_rows(world, what, rows):
    """expect_all(), but "explain" is not asked: what it would say is of the files."""
    wrong = [why for why in (world.verdict(*row) for row in rows) if why]
    world.check(what, not wrong, "\n    ".join([""] + wrong))


def flows_of(world, bridge="br0"):
    """What is not learned."""
    return sorted(flow for flow in world.ovs.flows(bridge) if "cookie=0x6e776681" not in flow)


def check_policy(world, when):
    world.expect_all(f"{when}: the policy is in force", [
        ("vnet0", world.ip("vnet0"), ALL), ("vnet0", world.arp("vnet0"), ALL),
        ("vnet0", world.ip("vnet0", mac="uplink"), []),
        ("vnet0", world.ip("vnet0", src="10.0.0.9"), []),
        ("vnet1", world.arp("vnet1", spa="10.0.0.9"), []),
        ("uplink", world.ip("uplink", "vnet1"), ["vnet1"]),
        ("uplink", world.ipv6("uplink", "vnet0"), [])])


def check_shut(world, when, name, others=None):
    others = others or ALL
    world.expect_all(f"{when}: nothing passes to or from {name}", [
        (name, world.ip(name), []), (name, world.arp(name), []), (name, world.ipv6(name), []),
        (name, world.ip(name, "uplink"), []),
        ("uplink", world.arp("uplink"), others)])
