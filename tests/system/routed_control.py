#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The laboratory of routed hosts, without the product: what it sees when nobody guards, and that a
set-up by hand is complete in it.

A plain bridge with the NIC in it and NORMAL: the provider's switch complains, and every kind of
forged frame is seen there or at another guest; so where a test sees none, none was let through.
Then routes, neighbours and proxies by hand, for Hetzner's shape and for OVH's: everybody reaches
everybody.
"""

import os
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import provider as p  # noqa: E402
from lab import routed_spoof as spoof  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.netns import run, sysctl, wait_for  # noqa: E402
from lab.routed import BRIDGE  # noqa: E402
from lab.routed_state import State  # noqa: E402
from system.routed_world import HETZNER, OVH, World  # noqa: E402


def plain(lab):
    with World(p.Hetzner, HETZNER) as world:
        world.configure()
        world.plug_guests(world.provider.gateway4, world.provider.gateway6)
        report = world.provider.port.report()
        world.check("a server alone is no abuse", report["frames"] and not report["counts"]["abuse"]
                    and not report["counts"]["sources"], report["counts"])
        world.server.ovs.add_port(BRIDGE, p.NIC)
        world.server.ovs.vsctl("set", "Bridge", BRIDGE, "other_config:forward-bpdu=true")
        world.spoof(pace=0.001)
        wait_for(lambda: world.spoofer.report()["rounds"], "a round of forged frames", 60, 0.2)
        told, report = world.spoofer.report(), world.provider.port.report()
        counts = report["counts"]
        world.check(f"bridged: the abuse list is long ({counts['abuse']} of {report['frames']} frames)",
                    counts["abuse"] > 100)
        for name, guest in world.guests.items():
            world.check(f"    {name} is on it", any(entry["mac"] == guest.mac
                                                   for entry in report["abuse"]))
        for where in ("source", "arp sender", "nd option 1", "nd option 2"):
            world.check(f"    for its {where}", any(f"{where} " in entry["why"]
                                                   for entry in report["abuse"]))
        world.check("    a VLAN is named", any(entry["vlan"] == 4000 for entry in report["abuse"]))
        world.check("    packets from foreign addresses", counts["sources"] > 10, counts)
        seen = {world.spoofer.kind_of(int(entry["why"].split()[1], 16))[1]
                for entry in report["forged"]} | {kind for _, kind, _ in told["leaks"]}
        missing = set(spoof.NAMES) - seen
        world.check(f"bridged: {len(seen)} kinds of {told['sent']} forged frames come out", not missing,
                    missing)
        return world.failures


def by_hand(world, mains):
    """mains: addresses that the host answers for on the wire."""
    provider = world.provider
    for name, value in (("net.ipv4.ip_forward", 1), (f"net.ipv4.conf.{BRIDGE}.send_redirects", 0),
                        ("net.ipv4.conf.all.send_redirects", 0),
                        ("net.ipv6.conf.all.forwarding", 1),
                        (f"net.ipv6.conf.{BRIDGE}.disable_ipv6", 0),
                        (f"net.ipv6.conf.{p.NIC}.proxy_ndp", 1),
                        (f"net.ipv6.conf.{BRIDGE}.proxy_ndp", 1),
                        (f"net.ipv4.neigh.{p.NIC}.proxy_delay", 0),
                        (f"net.ipv6.neigh.{p.NIC}.proxy_delay", 0)):
        sysctl(name, value)
    lines = [f"link set {BRIDGE} up", f"addr replace {provider.main4}/32 dev {BRIDGE}",
             f"addr replace fe80::1/64 dev {BRIDGE} nodad"]
    for guest in world.guests.values():
        lines += [f"route replace {address}/32 dev {BRIDGE}" for address in guest.addresses4]
        lines += [f"route replace {address}/128 dev {BRIDGE}" for address in guest.addresses6]
        lines += [f"neigh replace {address} lladdr {guest.mac} dev {BRIDGE} nud permanent"
                  for address in guest.addresses4 + guest.addresses6]
        lines += [f"neigh replace proxy {address} dev {p.NIC}"
                  for address in guest.addresses4 + guest.addresses6 if address in mains]
    run("ip", "-batch", "-", stdin="\n".join(lines))


def hand_made(shape, plan, answers):
    with World(shape, plan) as world:
        name = f"by hand, {shape.__name__}"
        world.configure()
        world.plug_guests(world.provider.main4)
        before = State()
        by_hand(world, answers)
        world.serve()
        world.reach(name)
        see_state(world, before, answers)
        measure(world)
        world.everything(name)
        world.nobody(name)
        world.clean(name)
        return world.failures


def see_state(world, before, answers):
    """Whatever is left behind would be seen."""
    left = State().differences(before)
    for what, words in (
            ("a route", f"IPv4 routes: + {world.plan['vnet1'][0][0]} "),
            ("an IPv6 route", f"IPv6 routes: + {world.plan['vnet1'][1][0]} "),
            ("a neighbour", "permanent neighbours: + "),
            ("a proxy", f"IPv{6 if ':' in answers[0] else 4} proxies: + {answers[0]} "),
            ("an address", f"addresses: + {BRIDGE} inet6 fe80::1/64"),
            ("a sysctl", "sysctls: + net/ipv4/ip_forward = 1")):
        world.check(f"    {what} that was left is seen",
                    any(line.startswith(words) for line in left), "\n".join([words, *left]))


def measure(world):
    """An outage is as long as it was."""
    world.watch()
    broken = world.monitor.now()
    run("ip", "link", "set", BRIDGE, "down")
    time.sleep(1)
    by_hand(world, ())
    lasted, pair = world.monitor.recovered(broken)
    world.check(f"    the bridge was down for a second: {lasted:.1f} s measured", lasted > 0.5, pair)


def test(lab):
    failures = plain(lab)
    failures += hand_made(p.Hetzner, HETZNER, [HETZNER["vnet0"][0][0]])
    failures += hand_made(p.Ovh, OVH, [a for _, sixes in OVH.values() for a in sixes])
    return 1 if failures else 0


if __name__ == "__main__":
    main(test)
