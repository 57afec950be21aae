#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Guests that the host routes to: what its kernel has for them, when, and what is left behind."""

import os
import re
import signal
import socket
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.netns import run as command, run_status, sysctl, wait_for  # noqa: E402
from lab.nwfilterd import Nwfilterd  # noqa: E402
from system.world import FILTERS, nwfilter, run  # noqa: E402

MAIN4, MAIN6 = "203.0.113.10", "2001:db8::2"
LINK_LOCAL = "fe80::5054:ff:fe00:1"  # of vnet0
SETTINGS = {
    "net/ipv4/conf/up0/forwarding": "1", "net/ipv4/conf/br0/forwarding": "1",
    "net/ipv4/conf/all/send_redirects": "0", "net/ipv4/conf/br0/send_redirects": "0",
    "net/ipv4/conf/br0/accept_redirects": "0", "net/ipv6/conf/br0/accept_redirects": "0",
    "net/ipv6/conf/all/forwarding": "1", "net/ipv6/conf/up0/proxy_ndp": "1",
    "net/ipv6/conf/br0/proxy_ndp": "1", "net/ipv4/neigh/up0/proxy_delay": "0",
    "net/ipv6/neigh/up0/proxy_delay": "0", "net/ipv6/conf/up0/accept_ra": "2",
}
GUEST = [
    ("route", f"192.0.2.1 dev br0 proto 110 scope link"),
    ("route", f"198.51.100.8/29 via inet6 {LINK_LOCAL} dev br0 proto 110"),
    ("-6 route", "2001:db8::101 dev br0 proto 110 metric 1"),
    ("-6 route", f"2001:db8:0:1::/80 via {LINK_LOCAL} dev br0 proto 110"),
    ("neigh", "192.0.2.1 dev br0 lladdr 52:54:00:00:00:01 PERMANENT proto 110"),
    ("neigh", "2001:db8::101 dev br0 lladdr 52:54:00:00:00:01 PERMANENT"),
    ("neigh show proxy", "192.0.2.1 dev up0"),
    ("neigh show proxy", "2001:db8::101 dev up0"),
]
BRIDGE = [
    ("address show dev br0", f"inet {MAIN4}/32"),
    ("address show dev br0", "inet6 fe80::1/64"),
    ("neigh show proxy", f"{MAIN6} dev br0"),
    ("link show dev br0", "UP"),
]


def setting(path):
    with open(f"/proc/sys/{path}") as file:
        return file.read().strip()


def settings():
    return {path: setting(path) for path in SETTINGS}


def missing(rows):
    texts = {words: command("ip", *words.split()) for words, _ in rows}
    return [row for row in rows if not re.search(re.escape(row[1]) + r"(\s|<|,|$)", texts[row[0]])
            and row[1] not in texts[row[0]]]


def state():
    """What ip shows of all that we might have made, and of the rest."""
    out = "\n".join(command("ip", *words.split()) for words in (
        "route", "-6 route", "neigh show nud permanent", "neigh show proxy", "address"))
    return re.sub(r"(valid_lft|preferred_lft) \S+", "", out)


def bridge_status(world):
    return world.ovs.vsctl("get", "Bridge", "br0", "external_ids:nwfilter-status").strip()


def test(world):
    for family in ("all", "default"):
        sysctl(f"net.ipv6.conf.{family}.disable_ipv6", 0)
    command("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up0x")
    for name in ("up0", "up0x"):
        sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 0)
        command("ip", "link", "set", name, "up")
    sysctl("net.ipv6.conf.br0.disable_ipv6", 0)
    command("ip", "address", "add", f"{MAIN4}/24", "dev", "up0")
    command("ip", "address", "add", f"{MAIN6}/64", "dev", "up0", "nodad")
    command("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "up0", "proto", "ra")
    command("ip", "route", "add", "unreachable", "192.0.2.1", "metric", "9999")
    world.guest("vnet0", 1, "clean-traffic", IP="192.0.2.1,198.51.100.8/29",
                IPV6="2001:db8::101,2001:db8:0:1::/80,fe80::5054:ff:fe00:1")
    before = state(), settings()
    test_made(world)
    test_deaf(world)
    test_refused(world)
    test_one_port(world)
    test_snippets(world)
    test_advice(world)
    test_comes_again(world)
    test_given_back(world, before)


def test_made(world):
    world.manage("--mode=routed", "--uplink=up0")
    world.check("manage: routes, neighbours and proxies of the guest are there",
                not missing(GUEST), missing(GUEST))
    world.check("    and what the bridge needs", not missing(BRIDGE), missing(BRIDGE))
    world.check("    settings are as routed guests need them", settings() == SETTINGS, settings())
    world.check("    the guest is active", world.status("vnet0") == "active", world.status("vnet0"))
    world.check("    the bridge is active", "active" in bridge_status(world), bridge_status(world))
    once = state()
    result = nwfilter("sync")
    world.check("sync: nothing to do, nothing done", result.status == 0 and state() == once, result)


def answers(name):
    """The addresses by which the host answers a guest that looks for its gateway."""
    mac = "52:54:00:00:00:01"
    question = f.eth(f.BROADCAST, mac, f.arp(f.REQUEST, mac, "192.0.2.1", f.MAC_ZERO, MAIN4))
    found = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as guest:
        guest.bind((f"{name}x", 0))
        guest.settimeout(0.5)
        guest.send(question)
        try:
            while True:
                frame, where = guest.recvfrom(2000)
                if where[2] != socket.PACKET_OUTGOING and frame[20:22] == b"\0\2":
                    found.add(frame[6:12].hex(":"))
        except TimeoutError:
            return found


def device_mac(name):
    with open(f"/sys/class/net/{name}/address") as file:
        return file.read().strip()


def test_deaf(world):
    """What the userspace datapath reads from a guest's device the kernel would hear as well."""
    command("ip", "link", "set", "vnet0", "arp", "on")  # As any device has it.
    wait_for(lambda: answers("vnet0"), "an answer")
    got = answers("vnet0")
    world.check("a guest that looks for its gateway finds the bridge, and no other device",
                got == {device_mac("br0")}, (got, device_mac("br0"), device_mac("vnet0")))
    command("nft", "delete", "table", "netdev", "deaf-ovs-nwfilter-br0")
    got = answers("vnet0")
    world.check("    of which the kernel hears nothing", got == {device_mac("br0"),
                                                                 device_mac("vnet0")}, got)
    nwfilter("sync")
    got = answers("vnet0")
    world.check("    again after a sync", got == {device_mac("br0")}, got)
    command("ip", "link", "set", "vnet0", "arp", "off")


def test_refused(world):
    for what, address, words in (("the host's own address", MAIN4, "the host's own, on up0"),
                                 ("the gateway's", "fe80::1", "the gateway's"),
                                 ("another guest's", "192.0.2.1", "that of vnet0"),
                                 ("one in another guest's subnet", "198.51.100.9", "that of vnet0"),
                                 ("a subnet with the host's own", "2001:db8::/120",
                                  "the host's own, on up0")):
        key = "IPV6" if ":" in address else "IP"
        world.guest("vnet1", 2, "clean-traffic", **{key: address})
        result = nwfilter("sync")
        world.check(f"refused: {what}", result.status == 1 and words in world.status("vnet1")
                    and words in result.err, (result, world.status("vnet1")))
        world.check("    and who has it keeps it", world.status("vnet0") == "active"
                    and not missing(GUEST), missing(GUEST))
        world.unplug("vnet1")
    nwfilter("sync")
    command("ip", "route", "add", "192.0.2.3", "via", "203.0.113.77", "metric", "7")
    world.guest("vnet2", 3, "clean-traffic", IP="192.0.2.3,192.0.2.4")
    result = nwfilter("sync")
    world.check("a route of somebody else's is left alone, and the guest's status says so",
                result.status == 1 and "192.0.2.3 dev br0: left alone" in world.status("vnet2")
                and missing([("route", "192.0.2.4 dev br0")]), (result, world.status("vnet2")))
    command("ip", "route", "delete", "192.0.2.3")
    nwfilter("sync")
    world.check("    until it goes", world.status("vnet2") == "active"
                and not missing([("route", "192.0.2.3 dev br0"), ("route", "192.0.2.4 dev br0")]))
    world.unplug("vnet2")
    nwfilter("sync")
    world.check("an unplugged guest's routes go",
                len(missing([("route", "192.0.2.3 dev br0"), ("route", "192.0.2.4 dev br0")])) == 2)
    world.trusted("stray", 9)
    nwfilter("sync")
    world.check("a port that nobody has named is no way out",
                "error: nothing says what it is" in (world.status("stray") or ""),
                world.status("stray"))
    world.unplug("stray")


def test_one_port(world):
    nwfilter("unbind", "vnet0")
    nwfilter("sync")
    world.check("unbind: its routes go", len(missing(GUEST)) == len(GUEST))
    world.set_tags("vnet0", nwfilter="clean-traffic", nwfilter_IP="192.0.2.1,198.51.100.8/29",
                   nwfilter_IPV6="2001:db8::101,2001:db8:0:1::/80")
    nwfilter("sync")
    world.check("bound again, they are there again", not missing(GUEST), missing(GUEST))


def test_snippets(world):
    for tool in ("ifupdown", "netplan"):
        result = nwfilter("manage", "br0", "--mode=routed", "--uplink=up0", f"--snippet={tool}")
        world.check(f"the snippet for {tool} leaves the NIC to the host", result.status == 0
                    and "nwfilter-uplink" in result.out and "add-port" not in result.out, result)


def test_advice(world):
    """What the operator is to mend is said with the commands that do it."""
    command("nft", "-f", "-", stdin="table inet wall { chain forward { type filter hook forward "
            "priority 0; policy drop; }; }")
    result = nwfilter("sync")
    commands = re.findall(r"nft insert rule [^;\n]*", result.err)
    world.check("a firewall that drops what it forwards is told of, with commands that mend it",
                result.status == 0 and len(commands) == 2, result)
    for words in commands:
        command(*words.split())
    result = nwfilter("sync")
    world.check("    and not when they have been run", result.err == "", result)
    command("nft", "delete", "table", "inet", "wall")
    command("ip", "link", "add", "other", "type", "veth", "peer", "name", "otherx")
    command("ip", "link", "set", "other", "up")
    command("ip", "route", "add", "default", "dev", "other")
    sysctl("net.ipv4.conf.up0.rp_filter", 1)
    result = nwfilter("sync")
    commands = re.findall(r"sysctl -w \S*", result.err)
    world.check("a strict rp_filter where the default route is another one is told of",
                result.status == 0 and len(commands) == 1, result)
    command(*commands[0].split())
    result = nwfilter("sync")
    world.check("    and not when it has been mended", result.err == "", result)
    command("ip", "link", "delete", "other")
    sysctl("net.ipv4.conf.up0.rp_filter", 0)


def test_comes_again(world):
    daemon = Nwfilterd(FILTERS)
    daemon.start()
    daemon.settle()
    world.check("a daemon that starts finds all as it is", not missing(GUEST + BRIDGE))

    def is_whole():
        return not missing(GUEST + BRIDGE) and settings() == SETTINGS
    for words in ("ip route delete 192.0.2.1 dev br0", "ip -6 route flush dev br0",
                  "ip neigh flush dev br0 nud permanent", "ip neigh delete proxy 192.0.2.1 dev up0",
                  "ip address flush dev br0", "ip link set br0 down",
                  "ip link set up0 down", "sysctl -q -w net.ipv4.ip_forward=0",
                  "sysctl -q -w net.ipv6.conf.up0.proxy_ndp=0"):
        command(*words.split())
        if words.endswith("up0 down"):
            command("ip", "link", "set", "up0", "up")
            command("ip", "-6", "address", "add", f"{MAIN6}/64", "dev", "up0", "nodad")
        wait_for(is_whole, f"what goes with {words}")
        world.check(f"made again after {words}", True)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        world.ovs.restart_switch(sign)
        sysctl("net.ipv6.conf.br0.disable_ipv6", 0)
        wait_for(is_whole, "a restart of ovs-vswitchd")
        world.check(f"made again after ovs-vswitchd's restart ({sign.name})", True)
    world.ovs.vsctl("clear", "Bridge", "br0", "external_ids", "--", "clear", "Bridge", "br0",
                    "fail_mode")
    daemon.settle()
    wait_for(is_whole, "a clearing of the bridge")
    world.check("still there after somebody has cleared the bridge's tags", True)
    world.guest("vnet5", 5, "clean-traffic", IP="192.0.2.5")
    wait_for(lambda: not missing([("route", "192.0.2.5 dev br0")]), "a guest's route")
    world.unplug("vnet5")
    wait_for(lambda: missing([("route", "192.0.2.5 dev br0")]), "its end")
    world.check("a guest that comes and goes: so do its routes", True)
    test_flaps(world, daemon)
    daemon.settle()
    world.check("the guest is active", world.status("vnet0") == "active", world.status("vnet0"))
    world.daemon = daemon


def test_flaps(world, daemon):
    """Routes go while they are made, and what has been made is taken back."""
    world.guest("vnet6", 6, "clean-traffic", IP=",".join(f"198.51.100.{i}" for i in range(100, 200)))
    for _ in range(30):
        command("ip", "link", "set", "br0", "down")
        command("ip", "link", "set", "br0", "up")
    sysctl("net.ipv6.conf.br0.disable_ipv6", 0)
    wait_for(lambda: not missing(GUEST + BRIDGE + [("route", "198.51.100.199 dev br0")]),
             "the routes after a device that flaps")
    world.check("a device that flaps: the daemon makes all again", daemon.appctl("version").good)
    world.unplug("vnet6")


def test_given_back(world, before):
    result = nwfilter("unmanage", "br0")
    now = state(), settings()
    world.check("unmanage: nothing is left, and all is as it was", result.status == 0
                and "110" not in now[0] and now[1] == before[1] and not missing(
                    [("route", "unreachable 192.0.2.1 metric 9999")]), (result, now))
    tables = command("nft", "list", "tables")
    world.check("    no table of nftables either", "nwfilter" not in tables, tables)
    world.check("    the notes are gone",
                "nwfilter" not in world.ovs.vsctl("get", "Bridge", "br0", "external_ids"))
    world.manage("--mode=routed", "--uplink=up0")
    wait_for(lambda: not missing(GUEST + BRIDGE), "manage")
    world.manage()
    wait_for(lambda: len(missing(GUEST)) == len(GUEST) and settings() == before[1],
             "the end of the mode")
    world.check("manage without the mode: the same", True)
    world.manage("--mode=routed", "--uplink=up0")
    world.ovs.vsctl("del-br", "br0")
    wait_for(lambda: not command("ip", "neigh", "show", "proxy").strip()
             and setting("net/ipv4/conf/up0/forwarding") == "0", "the bridge's end")
    world.check("the bridge goes: so does what the uplink has for it", True)
    world.daemon.stop()
    world.ovs.add_bridge("br0")
    world.ovs.add_port("br0", "vnet0", nwfilter="clean-traffic", nwfilter_IP="192.0.2.1",
                       attached_mac=world.mac("vnet0"))
    world.manage("--mode=routed", "--uplink=up0")
    world.check("without a daemon: made", command("ip", "neigh", "show", "proxy").strip() != ""
                and setting("net/ipv4/conf/up0/forwarding") == "1")
    test_odd_ends(world)
    world.ovs.vsctl("del-br", "br0")
    result = nwfilter("unmanage", "br0")
    world.check("    and unmanage takes it away of a bridge that has gone", result.status == 0
                and not command("ip", "neigh", "show", "proxy").strip()
                and setting("net/ipv4/conf/up0/forwarding") == "0", result)
    result = nwfilter("unmanage", "br0")
    world.check("    once", result.status == 1 and result.err.count("\n") == 1, result)


def test_odd_ends(world):
    """What cannot be restored keeps nothing else, and the bridge's device may be away."""
    for tag, value in (("nwfilter-uplink", None), ("nwfilter-mode", "Routed")):
        before = world.ovs.vsctl("get", "Bridge", "br0", f"external_ids:{tag}").strip()
        tables = command("nft", "list", "tables")
        world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", tag)
        if value:
            world.ovs.vsctl("set", "Bridge", "br0", f"external_ids:{tag}={value}")
        result = nwfilter("sync")
        world.check(f"{tag} is wrong: told, and the locks hold", result.status == 1
                    and tag in result.err and command("nft", "list", "tables") == tables,
                    (result, command("nft", "list", "tables")))
        world.ovs.vsctl("set", "Bridge", "br0", f"external_ids:{tag}={before}")
        nwfilter("sync")
    note = world.ovs.vsctl("get", "Bridge", "br0", "external_ids:nwfilter-saved-settings")
    world.ovs.vsctl("set", "Bridge", "br0",
                    f"external_ids:nwfilter-saved-settings={note.strip()[:-1]} junk\"")
    result = nwfilter("unmanage", "br0")
    world.check("a note with a word that is no setting is told of", result.status == 1
                and "junk" in result.err and result.err.count("\n") == 1, result)
    left = [flow for flow in world.ovs.flows("br0") if "cookie=0x6e7766" in flow]
    world.check("    and nothing of ours is left", not left
                and "nwfilter" not in command("nft", "list", "tables")
                and setting("net/ipv4/conf/up0/forwarding") == "0", left[:3])
    result = nwfilter("unmanage", "br0")
    world.check("    not even the note", "not managed" in result.err, result)
    world.manage("--mode=routed", "--uplink=up0")
    command("ip", "link", "set", "br0", "down", "name", "away0")
    result = nwfilter("unmanage", "br0")
    world.check("the bridge's device has another name: unmanage ends", result.status in (0, 1)
                and result.err.count("\n") <= 1, result)
    command("ip", "link", "set", "away0", "name", "br0", "up")
    nwfilter("unmanage", "br0")
    world.check("    and has nothing left to do with it", "nwfilter" not in command(
        "nft", "list", "tables"))
    world.manage("--mode=routed", "--uplink=up0")


if __name__ == "__main__":
    run(test)
