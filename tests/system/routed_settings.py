#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Routed by the host's kernel, on hosts that are set up in one way or another: what the operator had
is the same afterwards, and works meanwhile."""

import os
import socket
import struct
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import provider as p  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.netns import LabError, run, sysctl, wait_for  # noqa: E402
from lab.routed import BRIDGE  # noqa: E402
from lab.routed_probe import Endpoint, unanswered  # noqa: E402
from lab.routed_state import State  # noqa: E402
from system.routed_scenes import KERNELS, OPERATORS, Scenes  # noqa: E402
from system.routed_world import HETZNER, OVH  # noqa: E402
from system.world import FILTERS  # noqa: E402

FIREWALL = """
table inet firewall {
    chain forward {
        type filter hook forward priority filter; policy drop;
    }
}
"""


class Settings(Scenes):
    def try_it(self, what, prepare, scene):
        """Set up, routed, and undone again."""
        self.configure()
        prepare()
        self.plug_guests(self.gateway4)
        self.serve()
        self.server.start_daemon(FILTERS)
        before = State()
        self.manage()
        for name in self.guests:
            self.bind(name)
        scene(what)
        self.leave(before, OPERATORS + KERNELS)
        self.server.daemon.stop()


# --- the default route by router advertisements

def advertise(world):
    """The router says once that it is one, for half an hour."""
    with world.provider.router.socket(socket.AF_INET6, socket.SOCK_RAW,
                                      socket.IPPROTO_ICMPV6) as raw:
        with world.provider.router:
            index = socket.if_nametoindex("port")
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        raw.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0),
                   ("ff02::1", 0, 0, index))


def learn_route(world):
    run("ip", "-6", "route", "del", "default")
    sysctl(f"net.ipv6.conf.{p.NIC}.accept_ra", 1)
    advertise(world)
    wait_for(lambda: is_advertised(), "a default route by router advertisement")


def is_advertised():
    return "proto ra" in run("ip", "-6", "route", "show", "default")


def keep_route(world, what):
    world.check(f"{what}: the default route that was learned stays", is_advertised(),
                run("ip", "-6", "route", "show", "default"))
    advertise(world)
    world.everything(what)


# --- a host that routes already, for others

def route_for_others(world):
    """Virtual machines of another kind, with a strict reverse path, and an answer of the
    operator's."""
    for name, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1),
                        ("net.ipv4.conf.all.rp_filter", 1),
                        (f"net.ipv4.neigh.{p.NIC}.proxy_delay", 10)):
        sysctl(name, value)
    run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    run("ip", "link", "set", "lan0", "up")
    run("ip", "link", "set", "lan1", "up")
    for words in (["addr", "add", "10.9.9.1/24", "dev", "lan0"],
                  ["route", "add", "192.0.2.99", "dev", "lan0"],
                  ["route", "add", "192.0.2.88", "dev", "lan0"],
                  ["neigh", "add", "proxy", "192.0.2.88", "dev", p.NIC]):
        run("ip", *words)


def answer_for_nobody_else(world, what):
    """The router asks for an address that the host knows a way to, on another device."""
    world.everything(what)
    router = Endpoint(world.provider.router, world.provider.gateway4)
    unanswered([(router, Endpoint(None, address)) for address in ("192.0.2.99", "192.0.2.88")], 1.0)
    neighbours = world.provider.router.run("ip", "neigh", "show", "dev", "port")
    known = [line.split()[0] for line in neighbours.splitlines() if "lladdr" in line]
    world.check(f"{what}: no answer for an address behind another device",
                "192.0.2.99" not in known, neighbours)
    world.check("    the operator's own answer is given", "192.0.2.88" in known, neighbours)


def answer_for_bound(world, what):
    """On the link of OVH's router: for each address that is bound, and for no other."""
    there = Endpoint(world.provider.world, p.WORLD[1])
    others = [f"2001:db8:1:100::{i:x}" for i in (1, 3, 7, 0xc, 0xdead)]
    world.provider.forget()
    unanswered([(there, Endpoint(None, address)) for address in others], 2.0)
    world.reach(what)
    neighbours = world.provider.router.run("ip", "-6", "neigh", "show", "dev", "port")
    known = {line.split()[0] for line in neighbours.splitlines()
             if "lladdr" in line and line.startswith("2001:")}
    bound = {end.address for end in world.inside() + world.host() if ":" in end.address}
    world.check(f"{what}: the router has an answer for each address that is bound, and no other",
                known == bound, f"{known} and not {bound}")


# --- what would keep guests from being reached

def firewall(world):
    run("nft", "-f", "-", stdin=FIREWALL)


def told_of_firewall(world, what):
    there = Endpoint(world.provider.world, p.WORLD[0])
    end = world.of_guest("vnet1")[0]
    world.reach_not(f"{what}: guests", [(there, end)])
    said = ""

    def is_said():
        nonlocal said
        said = "\n".join([world.nwfilter("manage", BRIDGE, "--mode=routed", f"--uplink={p.NIC}").err,
                          world.server.daemon.log(), world.server.daemon.ctl("status").text])
        return "nft" in said and "forward" in said
    try:
        wait_for(is_said, "a warning", 3, 0.5)
    except LabError:
        pass
    world.check(f"{what}: it is said, with the command that mends it", is_said(), said)
    run("nft", "add", "rule", "inet", "firewall", "forward", "accept")
    world.reach(f"{what}: mended")
    run("nft", "flush", "chain", "inet", "firewall", "forward")


TESTS = (
    ("a default route by router advertisement", p.Hetzner, HETZNER, (), learn_route, keep_route),
    ("a host that routes already", p.Hetzner, HETZNER, (), route_for_others,
     answer_for_nobody_else),
    ("OVH's router", p.Ovh, OVH, ("192.168.0.1", "fe80::1"), lambda world: None, answer_for_bound),
    ("a firewall whose policy is to drop", p.Hetzner, HETZNER, (), firewall, told_of_firewall),
)


def test(lab):
    failures = 0
    for what, shape, plan, gateways, prepare, scene in TESTS:
        print(f"--- {what}", flush=True)
        with Settings(shape, plan, gateways) as world:
            world.try_it(what, lambda: prepare(world), lambda name: scene(world, name))
            failures += world.failures
    return 1 if failures else 0


if __name__ == "__main__":
    main(test)
