#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Filters that ask for a connection's state, on real frames and real connection tracking.

The guests may answer on port 22 and begin what they like; all else is dropped.  Handshakes,
requests and answers, errors about them, fragments, IPv6, access VLANs, two such guests with each
other, and the host; and what must not pass: what nobody asked for, and what only looks like it.
"""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from system.conversation import ACK, RST, SYN, Conversation, LocalPort, send_as_host  # noqa: E402
from system.explained import Frame  # noqa: E402
from system.world import Station, define, nwfilter, run  # noqa: E402


def rule(action, direction, element, more=""):
    return f"<rule action='{action}' direction='{direction}' {more}>{element}</rule>"


def both(action, direction, element):
    """The rule, and the one for IPv6."""
    name, rest = (element.rstrip("/>") + " ").split(" ", 1)
    return rule(action, direction, element) + rule(action, direction, f"{name}-ipv6 {rest}/>")


ND = "".join(rule("accept", direction, f"<icmpv6 type='{kind}' state='NONE'/>")
             for kind in (135, 136) for direction in ("in", "out"))
SERVER = ND + both("accept", "in", "<tcp dstportstart='22'/>") + both("accept", "out", "<all/>") \
    + both("drop", "inout", "<all/>")
RELATED = ND + both("accept", "out", "<udp/>") \
    + rule("accept", "in", "<icmp state='RELATED'/>") \
    + rule("accept", "in", "<icmpv6 state='RELATED'/>") + both("drop", "inout", "<all/>")
# Who has been answered may go on; nobody may begin but with port 7.
STATES = rule("accept", "out", "<udp dstportstart='7' state='NEW'/>") \
    + rule("accept", "in", "<udp state='ESTABLISHED'/>") \
    + rule("accept", "out", "<udp state='ESTABLISHED'/>") + rule("drop", "inout", "<all/>")
FILTERS = {"server": SERVER, "related": RELATED, "states": STATES,
           "open": rule("accept", "inout", "")}
GUESTS = ["vnet0", "vnet1"]


def test(world):
    for name, text in FILTERS.items():
        define(name, text)
    world.trusted("uplink", 254)
    for number, (name, filter_name) in enumerate([
            ("vnet0", "server"), ("vnet1", "server"), ("vnet2", "related"), ("vnet3", "states")]):
        world.guest(name, 1 + number, filter_name)
    world.guest("acc0", 10, "server", {"tag": 5})
    world.guest("acc1", 11, "server", {"tag": 5})
    world.manage()
    for version in (4, 6):
        test_tcp(world, version, "vnet0", "uplink")
        test_requests(world, version, "vnet0", "uplink")
        test_between_guests(world, version)
        test_errors(world, version)
        test_fragments(world, version)
    test_answered(world)
    test_neighbours(world)
    test_floods(world)
    test_vlan(world)
    test_host(world)
    test_explain_changes_nothing(world)
    result = nwfilter("diff")
    world.check("diff finds nothing", result.status == 0, result)


def test_tcp(world, version, guest, peer, port=80, tags=((), ()), receivers=None):
    """A connection each way, to the peer's port.  tags: of the guest's and the peer's frames."""
    out = Conversation(world, guest, peer, version, tags)
    into = Conversation(world, peer, guest, version, tags[::-1])
    to_peer, to_guest = receivers or ([peer], [guest])
    what = f"IPv{version} TCP, {guest}"
    world.expect_all(f"{what}: what nobody began", [
        (peer, out.syn_ack(40000, port), []), (peer, out.data_back(40000, port), []),
        (peer, into.syn(50000, 80), []), (peer, into.tcp(0, 50000, 80, ACK, 3, 3), []),
        (peer, into.tcp(0, 50001, 22, SYN | RST), []), (guest, into.syn_ack(50000, 22), [])])
    world.expect_all(f"{what}: it begins a connection", [
        (guest, out.syn(40001, port), to_peer), (peer, out.syn_ack(40001, port), to_guest),
        (guest, out.ack(40001, port), to_peer), (peer, out.data_back(40001, port), to_guest)])
    world.expect_all(f"{what}: beside the connection", [
        (peer, out.data_back(40002, port), []), (peer, out.data_back(40001, 81), []),
        (peer, out.tcp(1, 40001, port, ACK, 10**6, 2), [])])
    world.expect_all(f"{what}: its port 22", [
        (peer, into.syn(50002, 22), to_guest), (guest, into.syn_ack(50002, 22), to_peer),
        (peer, into.ack(50002, 22), to_guest), (guest, into.data_back(50002, 22), to_peer)])


def test_requests(world, version, guest, peer):
    out = Conversation(world, guest, peer, version)
    into = Conversation(world, peer, guest, version)
    world.expect_all(f"IPv{version} UDP: an answer needs a request", [
        (peer, out.udp(1, 40000, 53), []), (guest, out.udp(0, 40001, 53), [peer]),
        (peer, out.udp(1, 40001, 53), [guest]), (peer, out.udp(1, 40001, 54), []),
        (peer, out.udp(1, 40002, 53), []), (peer, into.udp(0, 50000, 22), [])])
    world.expect_all(f"IPv{version} ICMP: an answer needs a request", [
        (peer, out.echo(1, 1), []), (guest, out.echo(0, 2), [peer]),
        (peer, out.echo(1, 2), [guest]), (peer, out.echo(1, 3), []), (peer, into.echo(0, 2), [])])


def test_between_guests(world, version):
    """Both track the connection, each in a zone of its own."""
    test_tcp(world, version, "vnet0", "vnet1", 22)


def test_errors(world, version):
    """ICMP errors pass where "related" is asked for, and are about a connection that is there."""
    for guest, passes in (("vnet2", True), ("vnet0", False)):
        talk = Conversation(world, guest, "uplink", version)
        request = talk.udp(0, 40100, 99)
        world.expect_all(f"IPv{version} ICMP errors, {guest}: {'pass' if passes else 'do not'}", [
            (guest, request, ["uplink"]),
            ("uplink", talk.unreachable(1, request), [guest] if passes else []),
            ("uplink", talk.unreachable(1, talk.udp(0, 40101, 99)), []),
            ("uplink", talk.unreachable(1, talk.udp(1, 40100, 99)), [])])


def test_fragments(world, version):
    """A packet's fragments share its fate, in whatever order they come."""
    talk = Conversation(world, "vnet0", "uplink", version)
    number = 100

    def passes(end, sport, order):
        nonlocal number
        number += 1
        pieces = talk.fragments(end, sport, 53, number)
        sender, receiver = ("vnet0", "uplink") if end == 0 else ("uplink", "vnet0")
        traffic = [(sender, pieces[i]) for i in order]
        world.explained.left_out["a trace does not know a fragment's connection"] += 2
        got = world.wire.exchange_each(traffic)
        return [copies == [(receiver, f.stamp(piece, 0))]
                for (_, piece), copies in zip(traffic, got)], got
    for order in ([0, 1], [1, 0]):
        name = f"IPv{version} fragments, {'first first' if order[0] == 0 else 'last first'}"
        for end, sport, good in ((1, 40200, False), (0, 40201, True), (1, 40201, True),
                                 (1, 40202, False)):
            for time in (1, 2):  # an upcall; a cached flow
                said, got = passes(end, sport + 10 * order[0], order)
                world.check(f"{name}, {'back' if end else 'there'}, port {sport}: "
                            f"{'pass' if good else 'dropped'} ({time})", said == [good] * 2
                            and (good or not any(got)), got)


def test_answered(world):
    """state= lists: an answer makes a connection established, as in iptables."""
    talk = Conversation(world, "vnet3", "uplink")
    world.expect_all("states: nobody may begin but with port 7", [
        ("vnet3", talk.udp(0, 41000, 8), []), ("uplink", talk.udp(1, 41000, 7), []),
        ("vnet3", talk.udp(0, 41001, 7), ["uplink"]), ("vnet3", talk.udp(0, 41001, 8), []),
        ("uplink", talk.udp(1, 41001, 8), []), ("uplink", talk.udp(1, 41001, 7), ["vnet3"]),
        ("vnet3", talk.udp(0, 41001, 7), ["uplink"])])


def test_neighbours(world):
    """Neighbour discovery is of no state; what else is in ICMPv6 is not let through with it."""
    guest, peer = world.stations["vnet0"].mac, world.stations["uplink"].mac
    solicit = f.neighbour(135, "fd00::1", f.link_address(1, peer))
    advertise = f.neighbour(136, "fd00::1", f.link_address(2, guest), 0x60000000)
    wide = f.extension(f.HOP_BY_HOP)

    def frame(src, dst, body, **more):
        return Frame.of(f.eth(dst, src, f.ipv6("fd00::1", "fd00::fe", body, hops=255, **more)),
                        "inv", "inv")
    world.expect_all("neighbour discovery passes, both ways", [
        ("uplink", frame(peer, guest, solicit), ["vnet0"]),
        ("vnet0", frame(guest, peer, advertise), ["uplink"]),
        ("vnet0", frame(guest, peer, solicit), ["uplink"]),
        ("uplink", frame(peer, guest, advertise), ["vnet0"]),
        ("uplink", frame(peer, guest, solicit, extensions=[wide]), ["vnet0"])])
    world.expect_all("and nothing else does under its name", [
        ("uplink", frame(peer, guest, f.icmpv6(134, 0)), []),
        ("uplink", frame(peer, guest, f.icmpv6(137, 0)), []),
        ("uplink", frame(peer, guest, f.icmpv6(129, 0)), []),
        ("uplink", frame(peer, guest, f.icmp(135, 0, proto=f.ICMP)), []),
        *[("uplink", Frame.of(f.eth(guest, peer, f.ipv4("10.0.0.254", "10.0.0.1", body)), "inv",
                              "inv"), []) for body in (f.icmp(135, 0), f.icmpv6(135, 0))],
        ("uplink", frame(peer, guest, bytes(64), proto=f.ICMPV6,
                         extensions=[f.fragment(8, False)]), []),
        ("uplink", frame(peer, guest, f.udp(135, 22), extensions=[wide]), [])])


def test_floods(world):
    """Each copy of a flooded packet is tracked for its receiver alone."""
    talk = Conversation(world, "vnet0", "uplink")

    def broadcast(frame):
        return Frame.of(f.mac(f.BROADCAST) + frame[6:], frame.role, frame.stray)
    world.expect_all("flooded: an answer reaches only the one who asked", [
        ("vnet0", talk.udp(0, 42000, 53), ["uplink"]),
        ("uplink", broadcast(talk.udp(1, 42000, 53)), ["vnet0"]),
        ("uplink", broadcast(talk.udp(1, 42001, 53)), []),
        ("uplink", broadcast(Conversation(world, "uplink", "vnet0").syn(42002, 22)), GUESTS)])
    # Both guests' sets of connections now have one to port 22; each goes on by itself.
    for name in GUESTS:
        into = Conversation(world, "uplink", "vnet0")
        into.ends = (world.stations["uplink"], world.stations[name]._replace(ip="10.0.0.1"))
        world.expect(f"flooded: {name} may answer", name, into.syn_ack(42002, 22), ["uplink"])
    world.expect_all("flooded by a guest: its own connection is not the receivers'", [
        ("vnet0", broadcast(talk.udp(0, 42003, 53)), ["uplink"]),
        ("vnet0", broadcast(talk.tcp(0, 42003, 22, SYN)), ["uplink", "vnet1"])])


def test_vlan(world):
    """On access ports, and a tag does not get a packet past the IP layer."""
    test_tcp(world, 4, "acc0", "uplink", 80, ((), (5,)), ({"uplink": [5]}, {"acc0": []}))
    test_tcp(world, 4, "acc0", "acc1", 22)
    forbidden = f.ipv4("10.0.0.10", "10.0.0.9", f.tcp(22, 50000, SYN | ACK))
    for to in ("uplink", "acc1", f.BROADCAST):
        world.expect_all(f"tags on an access port, to {to}", [
            ("acc0", Frame.of(f.eth(world.mac(to), world.mac("acc0"), forbidden, tags=tags), "inv",
                              "inv"), [])
            for tags in ((), (5,), (6,), (0,), ((0, 3),), (0, 0), (0, 5), (0, 7), (0, 0, 0))])


def test_host(world):
    """The host's packets to a guest are not the IP layer's; a guest's to the host are."""
    port = LocalPort(world.bridge)
    world.ports[world.bridge] = port
    world.plugged[world.bridge] = 0
    world.stations[world.bridge] = Station("02:00:00:00:00:01", "10.0.0.200")
    world.rewire()
    into = Conversation(world, world.bridge, "vnet0")
    out = Conversation(world, "vnet0", world.bridge)

    def host(frame, receivers):
        got = send_as_host(world, frame)
        return world.check(f"from the host: reaches {receivers or 'nobody'}",
                           got == [(name, f.stamp(frame, 0)) for name in receivers], got)
    host(into.udp(0, 44000, 9999), ["vnet0"])
    host(into.syn(44000, 22), ["vnet0"])
    world.expect_all("to the host: what answers a connection that the guest may be asked for", [
        ("vnet0", Frame.of(into.udp(1, 44000, 9999), "est|rpl", "est|rpl"), []),
        ("vnet0", into.syn_ack(44000, 22), [world.bridge]),
        ("vnet0", into.syn_ack(44001, 22), []), ("vnet0", out.syn(44001, 80), [world.bridge])])
    define("shut", rule("drop", "inout", "<all/>"))
    world.bind("vnet1", "shut")
    world.sync()
    host(Conversation(world, world.bridge, "vnet1").udp(0, 44000, 9999), ["vnet1"])
    world.expect_all("a guest does not pass for the host", [
        ("vnet1", Conversation(world, "vnet1", world.bridge).udp(0, 1, 2), []),
        ("vnet0", world.ip("vnet0", "vnet1", mac=world.bridge), []),
        ("uplink", world.ip("uplink", "vnet1", mac=world.bridge), [])])
    world.ports.pop(world.bridge).remove()
    world.rewire()
    world.bind("vnet1", "server")
    world.sync()


def test_explain_changes_nothing(world):
    """Nobody's address is learned where explain says that its frame comes from."""
    before = world.ovs.flows("br0"), world.ovs.appctl("fdb/show", "br0")
    frame = f.eth(world.mac("vnet0"), "02:00:00:00:00:77",
                  f.ipv4("10.0.0.77", "10.0.0.1", f.tcp(50000, 22)))
    result = nwfilter("explain", "vnet0", "in", frame.hex(), "--live")
    after = world.ovs.flows("br0"), world.ovs.appctl("fdb/show", "br0")
    world.check("explain agrees with the switch, and changes nothing there", result.status == 0
                and "the switch agrees" in result.out and before == after, (result, after))


if __name__ == "__main__":
    run(test)
