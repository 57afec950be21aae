# SPDX-License-Identifier: Apache-2.0
"""The conversations that every filter with L3/L4 rules is tried with, whatever it says."""

import functools
import itertools
import struct

import conversations as c
from conversations import ACK, FIN, PSH, RST, SYN, Conversation, Tcp
from lab import frames as f
from traffic import ALL_NODES, ALL_ROUTERS
from world import SECOND_IP, STRANGER

EPHEMERAL = 20000
WITH_PORTS = {  # name -> script(line, source port, destination port); the ports servers have
    "tcp": (c.tcp, (80,)), "tcp short": (c.tcp_short, (22, 443)), "tcp reset": (c.tcp_reset, (80,)),
    "tcp refused": (c.tcp_refused, (80,)), "stray syn+ack": (c.tcp_stray(SYN | ACK), (80,)),
    "stray ack": (c.tcp_stray(ACK), (80,)), "stray data": (c.tcp_stray(PSH | ACK), (22,)),
    "stray rst": (c.tcp_stray(RST), (80,)), "stray fin": (c.tcp_stray(FIN | ACK), (80,)),
    "tcp unanswered": (c.tcp_unanswered, (80,)), "tcp goes on refused": (c.tcp_after_refusal, (80,)),
    "tcp odd flags": (c.tcp_odd_flags, (80,)), "tcp port 0": (c.tcp_short, (0,)),
    "udp port": (c.udp, (0,)),
    "udp": (c.udp, (53, 80)), "udp, wrong reply": (c.udp_wrong_reply, (53,)),
    "udp fragments": (c.udp_fragments, (53, 9)), "first fragment": (c.first_fragment, (53,)),
    "last fragment": (c.last_fragment, (53,)), "sctp": (c.sctp, (80,)),
    "ah": (c.ah, (80,)), "udplite": (functools.partial(c.udp, proto=f.UDPLITE), (80,)),
}
ERRORS = {4: ((3, 3), (3, 4), (11, 0)), 6: ((1, 4), (2, 0), (3, 0))}
PLAIN = {"esp": f.ESP, "gre": 47, "experiment": 253}
ICMP_TYPES = {4: ((0, 0), (3, 1), (5, 1), (9, 0), (13, 0), (14, 0), (17, 0), (12, 0)),
              6: ((1, 0), (129, 0), (137, 0), (139, 0), (200, 3))}
REQUESTS = {4: ((8, 0, 1), (13, 14, 0), (13, 14, 1), (17, 18, 0)), 6: ((128, 129, 1), (139, 140, 0))}
FEW = ("tcp short", "stray ack", "udp", "udp fragments")  # for all parties but the peer


def fixed():
    """Fresh conversations, each with ports of its own."""
    ports = itertools.count(EPHEMERAL)
    found = []
    for remote, is_ipv6 in itertools.product(("peer", "outside", "host"), (False, True)):
        for here, there in (("guest", remote), (remote, "guest")):
            found += between(c.line(here, there, is_ipv6), ports, f"{here} to {there}")
    found += bystanders(ports)
    return found


def between(on, ports, where):
    """What one end may begin."""
    family = 6 if on.is_ipv6 else 4
    parties = {on.here.role, on.there.role}

    def named(what, steps):
        return Conversation(f"{where}, IPv{family}: {what}", tuple(steps))

    for name, (script, servers) in WITH_PORTS.items():
        if "host" in parties and "fragment" in name or "peer" not in parties and name not in FEW:
            continue  # the host gets whole datagrams only
        for server in servers:
            yield named(f"{name} {server}", script(on, next(ports), server))
    yield named("echo", c.echo(on, next(ports)))
    yield named("error about port 0", c.error_about(*ERRORS[family][0])(on, next(ports), 0))
    for request, reply, code in REQUESTS[family]:
        yield named(f"request {request}/{code}", c.request(request, reply, code)(on, next(ports)))
    for kind, code in ERRORS[family][:3 if "peer" in parties else 1]:
        yield named(f"error {kind}/{code}", c.error_about(kind, code)(on, next(ports), 53))
    if "host" in parties:
        return
    kind, code = ERRORS[family][0]
    yield named("error of a router", c.error_about(kind, code, foreign=True)(on, next(ports), 53))
    yield named("unknown error", c.error_about(kind, code, known=False)(on, next(ports), 53))
    if "peer" not in parties:
        return
    yield named("echo fragments", c.echo_fragments(on, next(ports)))
    for kind, code in ICMP_TYPES[family]:
        yield named(f"icmp {kind}/{code}", c.icmp_alone(kind, code)(on, next(ports)))
    for name, proto in PLAIN.items():
        yield named(name, c.plain(proto, bytes(24))(on))


def bystanders(ports):
    """Frames that L3/L4 rules must not see or that have no connection; each alone."""
    for here, there in (("guest", "peer"), ("peer", "guest"), ("outside", "guest")):
        where = f"{here} to {there}"
        for is_ipv6 in (False, True):
            tagged = c.line(here, there, is_ipv6, tags=(5,))
            yield Conversation(f"{where}: VLAN 5 udp", tuple(c.udp(tagged, next(ports), 80)[:1]))
            yield Conversation(f"{where}: VLAN 5 tcp", tuple(
                [Tcp(tagged, next(ports), 80)(SYN)]))
        for name, step in (*_arps(here, there), *_discoveries(here, there),
                           *_for_many(here, there)):
            yield Conversation(f"{where}: {name}", (step,))


def _arps(here, there):
    on = c.line(here, there)
    mine, other = on.here, on.there
    request = f.arp(f.REQUEST, mine.mac, mine.ip, f.MAC_ZERO, other.ip)
    yield "arp request", on.step(request, destination=f.BROADCAST)
    yield "arp reply", on.step(f.arp(f.REPLY, mine.mac, mine.ip, other.mac, other.ip))
    yield "another type", on.step(f.Packet(0x88b5, bytes(46)))


def _discoveries(here, there):
    on = c.line(here, there, True)
    host = c.PARTIES[here]
    own = f.link_address(1, host.mac)
    many = "33:33:00:00:00:01"
    hop = f.extension(f.HOP_BY_HOP, b"\x05\x02\0\0\x01\0")  # router alert

    def packet(segment, to, source=host.link_local, **more):
        return f.ipv6(source, to, segment, hops=255, **more)

    yield "ns", on.step(packet(f.neighbour(135, on.there.ip, own), ALL_NODES), destination=many)
    yield "ns to one", on.step(packet(f.neighbour(135, on.there.ip, own), on.there.ip))
    yield "dad", on.step(packet(f.neighbour(135, on.here.ip), ALL_NODES, "::"), destination=many)
    yield "na", on.step(packet(f.neighbour(136, on.here.ip, f.link_address(2, host.mac)),
                               on.there.ip))
    yield "rs", on.step(packet(f.icmpv6(133), ALL_ROUTERS), destination=many)
    yield "ra", on.step(packet(f.icmpv6(134, rest=bytes(12)), ALL_NODES), destination=many)
    yield "mld report", on.step(packet(f.icmpv6(143, rest=struct.pack("!HHBBH16s", 0, 1, 4, 0, 0,
                                                                      bytes(16))), "ff02::16",
                                       extensions=[hop]), destination=many)
    yield "mld query", on.step(packet(f.icmpv6(130, rest=bytes(20)), ALL_NODES,
                                      extensions=[hop]), destination=many)


def _for_many(here, there):
    on = c.line(here, there)
    igmp = f.igmp(0x16, "224.1.2.3")
    many = "01:00:5e:01:02:03"
    yield "igmp", on.step(f.ipv4(on.here.ip, "224.1.2.3", igmp, options=b"\x94\x04\0\0", ttl=1),
                          destination=many)
    yield "igmp to one", on.step(f.ipv4(on.here.ip, on.there.ip, igmp, options=b"\x94\x04\0\0"))
    yield "dhcp request", on.step(f.ipv4("0.0.0.0", "255.255.255.255", f.udp(68, 67, c.FILL)),
                                  destination=f.BROADCAST)
    yield "multicast udp", on.step(f.ipv4(on.here.ip, "224.0.0.251", f.udp(5353, 5353, c.FILL)),
                                   destination=many)
    if here == "guest":
        for source in (SECOND_IP, STRANGER.ip):
            yield f"udp from {source}", on.step(f.ipv4(source, on.there.ip,
                                                       f.udp(1024, 80, c.FILL)))
