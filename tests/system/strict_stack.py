#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real stacks under clean-traffic-strict: a guest brings its network up, keeps it, and is attacked.

The guest is a network namespace behind its port, with Linux's own IPv4 and IPv6 and ISC's DHCP
clients; the router, on a trusted port, is another one with dnsmasq.  A second guest under the same
filter sends what well-known tools send, and a third one, whose filter accepts everything, what a
filter of its own does not stop.  That these frames do harm is seen at a fourth, without a guard.
"""

import os
import re
import signal
import socket
import struct
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab import wire  # noqa: E402
from lab.hosts import Host, join  # noqa: E402
from lab.netns import WORK, Daemon, LabError, skip, sysctl, wait_for, which  # noqa: E402
from lab.netns import run as run_program  # noqa: E402
from system import strict_frames as s  # noqa: E402
from system.world import define, run  # noqa: E402

STRICT = "clean-traffic-strict"
GUEST, PEER, NAIVE, EVIL, ROGUE = (f"52:54:00:00:00:{n:02x}" for n in (5, 6, 7, 0x66, 0x67))
ROUTER = "02:00:00:00:00:01"
LEASE6, EXTRA = "2001:db8::500", "2001:db8::55"
BAD_PREFIX = "2001:db8:bad::"
ACK, REPLY6 = b"\x35\x01\x05", 7  # What a server says in the end.
T1 = 3  # seconds until a lease is renewed


def eui64(mac, prefix="fe80::"):
    number = mac.rpartition(":")[2].lstrip("0")
    return f"{prefix}5054:ff:fe00:{number}"


SLAAC = eui64(GUEST, "2001:db8::")


class Station(Host):
    """A network namespace behind a port of the bridge; its interface is eth0."""

    def __init__(self, world, port, mac):
        super().__init__(port)
        self.mac = mac
        join(self, "eth0", None, port)
        with self:
            run_program("ip", "link", "set", "eth0", "address", mac)
            self.wire = wire.packet_socket("eth0")
        self.heard = []

    def ip(self, *words, check=True):
        with self:
            return run_program("ip", *words, check=check)

    def set(self, family, name, value):
        with self:
            sysctl(f"net.{family}.{name}", value)

    def bring_up(self, ra=0):
        self.set("ipv6", "conf.eth0.accept_ra", ra)
        self.set("ipv6", "conf.eth0.disable_ipv6", 0)

    def listen(self):
        """All that eth0 has got so far."""
        self.heard += wire.receive_all(self.wire)
        return self.heard

    def waits_for(self, condition, timeout=10):
        try:
            return wait_for(lambda: condition(self.listen()), "it", timeout, 0.05)
        except LabError:
            return None

    def has(self, *words, timeout=10):
        """Whether "ip addr", "ip neigh" or the like, the first word, comes to show the others."""
        command, *wanted = words
        return self.waits_for(lambda _: all(re.search(word, self.ip(*command.split()))
                                            for word in wanted), timeout)

    def pings(self, address):
        with self:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as udp:
                return bool(self._asks(udp, address))

    def _asks(self, udp, address):
        """An answer of the other's UDP port 7 (see echo)."""
        udp.settimeout(0.2)
        for _ in range(15):
            try:
                udp.sendto(b"hello", (address, 7))
                return udp.recv(16)
            except OSError:
                time.sleep(0.05)
        return None

    def echo(self):
        program = ("import socket\n"
                   "u=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM)\n"
                   "u.bind(('::',7))\n"
                   "while 1:\n u.sendto(*u.recvfrom(99))")
        with self:
            return Daemon(f"echo-{self.name}", "/usr/bin/python3", "-c", program)


def test(world):
    for program in ("dnsmasq", "dhclient"):
        if not which(program):
            skip(f"needs {program}")
    world.daemons = []
    try:
        stations = set_up(world)
        test_boot(world, *stations[:2])
        test_reach(world, *stations[:3])
        test_groups(world, *stations[:2])
        test_duplicates(world, *stations[:2], stations[3])
        test_expiry(world, *stations[:2])
        test_renewal(world, *stations[:2])
        test_attacks(world, *stations)
    finally:
        for daemon in world.daemons:
            daemon.stop(signal.SIGKILL)


def set_up(world):
    define("open", "<rule action='accept' direction='inout'/>")
    guest, router, peer, naive = (Station(world, name, mac) for name, mac in (
        ("vnet0", GUEST), ("uplink", ROUTER), ("vnet1", PEER), ("vnet2", NAIVE)))
    world.ovs.add_port("br0", "uplink")
    bind(world, "vnet0", GUEST, STRICT, IP="10.0.0.5", IPV6=f"{SLAAC},{LEASE6},{EXTRA}")
    bind(world, "vnet1", PEER, STRICT, IP="10.0.0.6", IPV6="2001:db8::6")
    bind(world, "vnet2", NAIVE, "open")
    world.guest("evil", 0x66, STRICT, IP="10.0.0.66", IPV6="2001:db8::66")
    world.guest("rogue", 0x67, "open")
    world.manage("--trusted=uplink")
    router.set("ipv6", "conf.all.forwarding", 1)  # Or its advertisements say that it is none.
    router.bring_up()
    router.ip("addr", "add", "10.0.0.1/24", "dev", "eth0")
    router.ip("addr", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
    peer.bring_up()
    peer.ip("addr", "add", "10.0.0.6/24", "dev", "eth0")
    peer.ip("addr", "add", "2001:db8::6/64", "dev", "eth0")
    naive.bring_up(ra=1)
    router.has("-6 addr show dev eth0 scope link -tentative", "fe80::")
    with router:
        world.daemons.append(Daemon(
            "dnsmasq", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
            "--interface=eth0", "--user=root", "--pid-file=", f"--dhcp-leasefile={WORK}/leases",
            "--dhcp-range=10.0.0.5,10.0.0.5,255.255.255.0,2m", f"--dhcp-option=58,{T1}",
            f"--dhcp-range={LEASE6},{LEASE6},slaac,64,2m", "--enable-ra", "--ra-param=eth0,4,600"))
    world.daemons += [router.echo(), peer.echo()]
    return guest, router, peer, naive


def bind(world, port, mac, filter_name, **variables):
    world.ovs.add_port("br0", port, attached_mac=mac, nwfilter=filter_name,
                       **{f"nwfilter_{name}": value for name, value in variables.items()})


# ---- Frames that were heard. ----


def from_(heard, mac):
    return [frame for frame in heard if frame[6:12] == f.mac(mac)]


def icmp6(heard, mac, kind):
    """Messages of ICMPv6, from their type on, with the address that they are from."""
    found = []
    for frame in from_(heard, mac):
        if frame[12:14] != b"\x86\xdd":
            continue
        at, following = 54, frame[20]
        if following == f.HOP_BY_HOP:
            following, at = frame[54], 54 + 8 + 8 * frame[55]
        if following == f.ICMPV6 and frame[at] == kind:
            found.append((socket.inet_ntop(socket.AF_INET6, frame[22:38]), frame[at:]))
    return found


def solicits(heard, target, nonce):
    """Whether somebody asks whether the address is taken."""
    wanted = socket.inet_pton(socket.AF_INET6, target)
    return [message for src, message in icmp6(heard, GUEST, 135)
            if src == "::" and message[8:24] == wanted and (b"\x0e\x01" in message[24:26]) == nonce]


def is_later_fragment(frame):
    """Without its first, which is dropped, it is nothing."""
    return frame[12:14] == b"\x86\xdd" and frame[20] == f.FRAGMENT and frame[56:58] > b"\0\7"


def to_port(heard, mac, port, proto=f.UDP):
    return [frame for frame in from_(heard, mac) for at in (
        [34] if frame[12:14] == b"\x08\0" and frame[23] == proto else
        [54] if frame[12:14] == b"\x86\xdd" and frame[20] == proto else [])
        if frame[at + 2:at + 4] == struct.pack("!H", port)]


# ---- The parts. ----


def test_boot(world, guest, router):
    guest.bring_up(ra=1)
    own = eui64(GUEST)
    world.check("link-local address, not tentative",
                guest.has("-6 addr show dev eth0 -tentative", own))
    heard = router.listen()
    world.check("    it asked whether it is taken, with a nonce", solicits(heard, own, True))
    world.check("    it reported its groups, from :: and from there",
                router.waits_for(lambda heard: {"::", own} <= {
                    src for src, _ in icmp6(heard, GUEST, 143)}))
    world.check("    it solicited routers", router.waits_for(lambda h: icmp6(h, GUEST, 133)))
    world.check("SLAAC: an address of the router's prefix",
                guest.has("-6 addr show dev eth0 -tentative", SLAAC))
    world.check("    and a route by the router",
                guest.has("-6 route show default", f"via {eui64_of_router()}"))
    client(world, guest, "-4")
    world.check("DHCPv4: a lease", guest.has("addr show dev eth0", r"10\.0\.0\.5/"))
    client(world, guest, "-6")
    world.check("DHCPv6: a lease", guest.has("-6 addr show dev eth0 -tentative", f"{LEASE6}/"))


def eui64_of_router():
    return "fe80::ff:fe00:1"


def client(world, guest, family):
    with guest:
        world.daemons.append(Daemon(
            f"dhclient{family}", "dhclient", family, "-d", "-lf", f"{WORK}/dhclient{family}",
            "-pf", f"{WORK}/dhclient{family}.pid", "eth0"))
    return world.daemons[-1]


def test_reach(world, guest, router, peer):
    for where, there in (("the router", ("10.0.0.1", "2001:db8::1")),
                         ("another guest", ("10.0.0.6", "2001:db8::6"))):
        for address in there:
            world.check(f"{address}, {where}, answers", guest.pings(address))
    world.check("no duplicate address was found",
                "dadfailed" not in guest.ip("-6", "addr") + peer.ip("-6", "addr"))


def test_groups(world, guest, router):
    for group, family in (("239.1.2.3", socket.AF_INET), ("ff05::1234", socket.AF_INET6)):
        got = receive_group(guest, router, group, family)
        world.check(f"{group}: joined, and its packets arrive", got == b"to all", got)


def receive_group(guest, router, group, family):
    is4 = family == socket.AF_INET
    with guest:
        receiver = socket.socket(family, socket.SOCK_DGRAM)
        receiver.bind(("", 5000))
        index = socket.if_nametoindex("eth0")
        packed = socket.inet_pton(family, group)
        receiver.setsockopt(
            socket.IPPROTO_IP if is4 else socket.IPPROTO_IPV6,
            socket.IP_ADD_MEMBERSHIP if is4 else socket.IPV6_JOIN_GROUP,
            packed + (struct.pack("=4si", bytes(4), index) if is4 else struct.pack("=i", index)))
        receiver.settimeout(2)
    # The report was heard: IGMP's, or MLD's of this group.
    if not router.waits_for(lambda heard: [
            frame for frame in from_(heard, GUEST) if packed in frame[34:]]):
        return "no report"
    with router:
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            index = socket.if_nametoindex("eth0")
            sender.setsockopt(*((socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack(
                "=4s4si", bytes(4), bytes(4), index)) if is4 else (
                    socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)))
            sender.sendto(b"to all", (group, 5000))
    with receiver:
        try:
            return receiver.recv(99)
        except TimeoutError:
            return "nothing"


def use_nonce(guest, value):
    for interface in ("all", "eth0"):
        guest.set("ipv6", f"conf.{interface}.enhanced_dad", value)


def test_duplicates(world, guest, router, other):
    """Without a nonce, and of an address that is taken."""
    for nonce in (0, 1):
        use_nonce(guest, nonce)
        how = "with" if nonce else "without"
        router.listen().clear()
        guest.ip("-6", "addr", "add", f"{EXTRA}/128", "dev", "eth0")
        world.check(f"one more address, {how} a nonce",
                    guest.has("-6 addr show dev eth0 -tentative", f"{EXTRA}/")
                    and solicits(router.listen(), EXTRA, bool(nonce)))
        guest.ip("-6", "addr", "del", f"{EXTRA}/128", "dev", "eth0")
        other.ip("-6", "addr", "add", f"{EXTRA}/128", "dev", "eth0", "nodad")
        guest.ip("-6", "addr", "add", f"{EXTRA}/128", "dev", "eth0")
        world.check("    where it is taken, that is found out",
                    guest.has("-6 addr show dev eth0", f"{EXTRA}.*dadfailed"))
        for station in (guest, other):
            station.ip("-6", "addr", "del", f"{EXTRA}/128", "dev", "eth0")


def test_expiry(world, guest, router):
    """Neighbours that are known and stale are asked again, by unicast, and answer."""
    for station in (guest, router):
        for family in ("ipv4", "ipv6"):
            station.set(family, "neigh.eth0.base_reachable_time_ms", 300)
            station.set(family, "neigh.eth0.delay_first_probe_time", 1)
    for address in ("10.0.0.1", "2001:db8::1"):
        back = re.search(r"src (\S+)", guest.ip("route", "get", address))[1]
        time.sleep(0.6)
        router.listen().clear()
        alive = guest.pings(address)
        again = [station.has(f"neigh show {other}", "REACHABLE", timeout=5)
                 for station, other in ((guest, address), (router, back))]
        world.check(f"{address}: stale neighbours are confirmed, both ways",
                    alive and all(again) and guest.pings(address), (alive, again))
    for address in ("10.0.0.1", "2001:db8::1"):
        for station in (guest, router):
            station.ip("neigh", "flush", "all", "nud", "all", check=False)
        world.check(f"{address}: forgotten neighbours are found again", guest.pings(address))


def test_renewal(world, guest, router):
    renewed = router.waits_for(lambda heard: [
        frame for frame in to_port(heard, GUEST, 67) if frame[26:30] == bytes([10, 0, 0, 5])], 8)
    world.check("DHCPv4: the lease is renewed, from its own address", renewed)
    world.check("    and the server agrees, once more", guest.waits_for(lambda heard: sum(
        ACK in frame for frame in to_port(heard, ROUTER, 68)) > 1))
    make_old(world, guest)
    for station in (guest, router):
        station.listen().clear()
    client(world, guest, "-6")
    world.check("DHCPv6: a lease of yesterday's client is confirmed and renewed",
                router.waits_for(lambda heard: {4, 5} <= {
                    frame[62] for frame in to_port(heard, GUEST, 547)}), [
                        frame[62] for frame in to_port(router.listen(), GUEST, 547)])
    world.check("    and the server agrees",
                guest.waits_for(lambda heard: [
                    frame[62] for frame in to_port(heard, ROUTER, 546)].count(REPLY6) > 1)
                and guest.has("-6 addr show dev eth0 -tentative", f"{LEASE6}/"))


def read(name):
    with open(f"{WORK}/{name}") as file:
        return file.read()


def make_old(world, guest):
    """The DHCPv6 client ends, and its lease is as old as one that is to be renewed."""
    client6 = [daemon for daemon in world.daemons if daemon.name == "dhclient-6"][-1]
    client6.stop(signal.SIGKILL)
    aged = re.sub(r"starts (\d+);", lambda found: f"starts {int(found[1]) - 70};",
                  read("dhclient-6"))
    with open(f"{WORK}/dhclient-6", "w") as file:
        file.write(aged)


# ---- Attacks. ----


def advertisement(src_mac, lifetime=1800, prefix=BAD_PREFIX):
    """A router advertisement as radvd and fake_router6 send it."""
    options = f.link_address(1, src_mac) + struct.pack(
        "!BBBBIII16s", 3, 4, 64, 0xc0, 3600, 1800, 0, socket.inet_pton(socket.AF_INET6, prefix))
    return f.icmpv6(134, 0, struct.pack("!BBHII", 64, 0, lifetime, 0, 0), options)


def in_fragments(mac, src, message):
    """Two frames, the first of which has headers alone."""
    whole = f.whole(message, src, s.ALL_NODES)
    packet = bytes([f.ICMPV6, 0, 1, 4, 0, 0, 0, 0]) + whole
    for start, end, more in ((0, 8, 1), (8, len(packet), 0)):
        part = packet[start:end]
        header = struct.pack("!IHBB", 6 << 28, 8 + len(part), f.FRAGMENT, 255)
        yield (f.mac("33:33:00:00:00:01") + f.mac(mac) + b"\x86\xdd" + header
               + socket.inet_pton(socket.AF_INET6, src)
               + socket.inet_pton(socket.AF_INET6, s.ALL_NODES)
               + struct.pack("!BBHI", f.DESTINATION, 0, start | more, 7) + part)


def offer(mac, to):
    """An answer of a rogue server, in short: who gets it is what counts."""
    return f.eth(to, mac, f.ipv4("10.0.0.66", "255.255.255.255", f.udp(67, 68, b"\2\1\6\0" + bytes(
        232) + b"\x63\x82\x53\x63\x35\x01\x02\xff")))


def attacks(mac):
    """What arpspoof, parasite6, fake_router6, kill_router6, redir6 and rogue servers send."""
    own_ll = eui64(mac)
    for victim, to in (("10.0.0.1", GUEST), ("10.0.0.5", ROUTER), ("10.0.0.1", f.BROADCAST)):
        yield f.eth(to, mac, f.arp(f.REPLY, mac, victim, to, "10.0.0.5"))
        yield f.eth(to, mac, f.arp(f.REQUEST, mac, victim, f.MAC_ZERO, victim))
    for victim in ("2001:db8::1", eui64_of_router(), SLAAC, eui64(GUEST)):
        for to, dst in ((GUEST, SLAAC), (ROUTER, "2001:db8::1")):
            yield s.to6(mac, victim, dst, f.neighbour(136, victim, s.tll(mac), 0x60000000), to,
                        hops=255)
            yield s.to6(mac, own_ll, dst, f.neighbour(136, victim, s.tll(mac), 0x60000000), to,
                        hops=255)
        yield s.to6(mac, victim, s.ALL_NODES, f.neighbour(136, victim, s.tll(mac), 0x20000000),
                    hops=255)
        yield s.to6(mac, victim, "ff02::1:ff00:1", f.neighbour(135, "2001:db8::1", s.sll(mac)),
                    hops=255)
    redirect = f.icmpv6(137, 0, bytes(4) + socket.inet_pton(socket.AF_INET6, own_ll)
                        + socket.inet_pton(socket.AF_INET6, "2001:db8:1::1"))
    yield s.to6(mac, eui64_of_router(), SLAAC, redirect, GUEST, hops=255)
    yield from servers(mac)


def servers(mac):
    """What routers and servers may send, and no other."""
    own_ll = eui64(mac)
    for extensions in ((), [s.PADDING], [s.PADDING, s.PADDING], [f.fragment(0, False)]):
        yield s.to6(mac, own_ll, s.ALL_NODES, advertisement(mac), hops=255, extensions=extensions)
        yield s.to6(mac, eui64_of_router(), s.ALL_NODES, advertisement(ROUTER, 0), hops=255,
                    extensions=extensions)
    yield from in_fragments(mac, own_ll, advertisement(mac))
    for to in (GUEST, f.BROADCAST):
        yield offer(mac, to)
    yield s.to6(mac, own_ll, eui64(GUEST), f.udp(547, 546, b"\7" + bytes(40)), GUEST)


def exhaustion(mac):
    """Neighbours by the thousand, for whoever keeps them."""
    for n in range(1000):
        src = f"2001:db8::{n + 1:x}:6"
        yield s.to6(mac, src, "2001:db8::1", f.neighbour(135, "2001:db8::1", s.sll(mac)), ROUTER,
                    hops=255)
        yield s.to6(mac, src, "2001:db8::1", f.icmpv6(128), ROUTER)


def send(world, port, frames):
    for frame in frames:
        world.ports[port].socket.send(frame)
        time.sleep(0.0002)
    time.sleep(0.3)


def test_attacks(world, guest, router, peer, naive):
    stations = guest, router, peer
    before = [neighbours(station) for station in stations]
    for station in stations:
        station.listen().clear()
    send(world, "evil", [*attacks(EVIL), *exhaustion(EVIL)])
    for station in stations:
        got = [frame for frame in from_(station.listen(), EVIL) if not is_later_fragment(frame)]
        world.check(f"nothing that the attacker sends reaches {station.name}", not got,
                    [frame.hex() for frame in got[:3]])
    check_unharmed(world, stations, before)
    send(world, "rogue", servers(ROGUE))
    world.check("of a guest without a filter, the attack works: an address of its prefix",
                naive.has("-6 addr show dev eth0", "2001:db8:bad:", timeout=5))
    for station in (guest, peer):
        got = [frame for frame in from_(station.listen(), ROGUE) if not is_later_fragment(frame)]
        world.check(f"    and its frames do not reach {station.name}", not got,
                    [frame.hex() for frame in got[:3]])
    check_unharmed(world, (guest, peer), before[::2])
    for address in ("10.0.0.1", "2001:db8::1", "10.0.0.6", "2001:db8::6"):
        world.check(f"    {address} still answers", guest.pings(address))


def neighbours(station):
    """Who is where, of those that are known."""
    return {line.split()[0]: found[1] for line in station.ip("neigh").splitlines()
            if (found := re.search(r"lladdr (\S+)", line))}


def check_unharmed(world, stations, before):
    guest = stations[0]
    for station, known in zip(stations, before):
        now = neighbours(station)
        moved = {ip: mac for ip, mac in now.items() if mac in (EVIL, ROGUE) or (
            known.get(ip, mac) != mac)}
        world.check(f"    {station.name}: neighbours are where they were, and no more",
                    not moved and len(now) < len(known) + 8, (moved, len(now)))
    routes = guest.ip("-6", "route", "show", "default")
    world.check("    the guest's addresses and route are the same",
                BAD_PREFIX[:-1] not in guest.ip("addr") and f"via {eui64_of_router()}" in routes
                and eui64(EVIL) not in routes and eui64(ROGUE) not in routes, routes)


if __name__ == "__main__":
    run(test)
