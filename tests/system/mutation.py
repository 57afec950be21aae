#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Frames notice the loss of any kind of flow.

A set of frames is sent through an intact bridge, and what came of them is checked and noted.  Then
flows of each shape (what for, where, matching what) are deleted, one at a time, and the same frames
must fare differently: else either the flow is of no use, or nobody would notice if it were
forgotten.  After each, sync restores it.

What frames cannot notice is listed in INVISIBLE with the reason; for those, diff must find the
loss and "sync --full" must restore the flow.  Bridges in audit mode, with NORMAL and with very
long floods have kinds of flows of their own and are treated afterwards.
"""

import ipaddress
import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import flood  # noqa: E402
from lab import frames as f  # noqa: E402
from lab.netns import wait_for  # noqa: E402
from lab.wire import Port  # noqa: E402
from system.world import Station, define, nwfilter, run  # noqa: E402

OURS = "cookie=0x6e77660000000000/0xffffff0000000000"
KINDS = {1: "fixed", 2: "classify", 5: "deliver", 6: "trusted", 7: "flood", 8: "quarantine",
         9: "pending", 10: "pinned", 0x11: "from-vm", 0x12: "to-vm", 0x81: "learned"}
NATIVE = {"tag": 5, "vlan_mode": "native-untagged"}
UNKNOWN, STRANGE = "52:54:00:00:99:99", 0x88b5

# Flows whose loss no frame notices, by a regular expression that what shape() says matches.
INVISIBLE = {
    r"fixed 10[1345679] \S* (drop|resubmit)":
        "a table's end: a table miss is dropped as well, from OpenFlow 1.3 on; 106 is for bonds",
    r"fixed 11?[0-9]  drop": "likewise, the end of a table of stages",
    r"fixed 200 (dl_dst)? resubmit": "tells Open vSwitch how little of a group address it needs "
                                     "to look at: what is beneath leads to the same",
    r"fixed 2[2-5][0-9] (reg15)? drop": "how a comparison ends that has found no difference, or has one "
                                        "already: nothing is changed without it, too",
    r"flood 103 (arp|ip|ipv6|rarp),reg1 move": "a list for a kind of frames whose loss costs visits: "
                                               "that for other kinds leads to the guests' filters",
    r"fixed 0 vlan_tci,dl_type drop": "of frames that end inside of a tag, shorter than these: see "
                                      "two_tags.py",
    r"fixed 108 \S+ .*": "without a tunnel, and with vlan-limit=1, no second tag shows: see "
                     "test_two_tags()",
    r"pinned 101 \S+ set_field": "the guest's next frame brings it back: see addresses.py",
    r"classify 99 in_port learn": "what it teaches are addresses that move: see addresses.py",
    r"fixed 99  goto_table": "guests that are heard by their own address only send by no other",
    r"trusted 99 dl_src goto_table": "keeps the host's address from being learned: see addresses.py",
    r"flood 103 (reg1,)?reg11 clone": "of guests that were not heard: see addresses.py",
    r"(classify|trusted) 102 (reg1,)?reg2 goto_table": "what it does is what is done without it, but "
                                                       "for addresses in VLANs that a port has left",
    r"quarantine 102 reg2 move": "no address of a port without a filter is known",
    r"fixed 0  drop": "concerns ports that sync does not know: see test_unknown_port()",
    r"quarantine 0  (move|set_field)": "likewise, in audit mode",
    r"quarantine 0 in_port (move|set_field)": "in audit mode unknown ports pass as well",
    r"quarantine 0 in_port drop": "table 0's own drop is beneath it",
    r"quarantine 110 reg0 drop": "the table's own drop is beneath it, and nothing leads there",
    r"from-vm 10 in_port drop": "the table's own drop is beneath it",
    r"from-vm 1\d arp,reg14,in_port,vlan_tci drop": "a wrong sender's IP address: whatever ARP "
                                                    "is left is dropped by the next rule, too",
    r"(from|to)-vm 1?1\d .*(arp_op|vlan_tci(,nw_src)?,nw_proto).* drop":
        "what is in doubt here is dropped by the rule behind it; see malformed.py",
}

FILTER = """
<rule action='drop' direction='out'><mac match='no' srcmacaddr='$MAC'/></rule>
<rule action='drop' direction='out'><ip match='no' srcipaddr='$IP'/></rule>
<rule action='drop' direction='out'><ip dstipaddr='10.9.9.9'/></rule>
<rule action='drop' direction='out'><arp match='no' arpsrcmacaddr='$MAC'/></rule>
<rule action='drop' direction='out'><arp match='no' arpsrcipaddr='$IP'/></rule>
<rule action='drop' direction='in'><ip srcipaddr='10.9.9.9'/></rule>
<rule action='drop' direction='in'><arp match='no' arpdstipaddr='10.0.0.250'/></rule>
<rule action='drop' direction='in'><ip match='no' dstipaddr='10.0.0.255'/></rule>
<rule action='drop' direction='inout'><ipv6/></rule>
<rule action='drop' direction='in'><rarp/></rule>
"""
# To filters a tagged frame is of no kind but "vlan"; this one looks inside.
TAGGED = "".join("<rule action='drop' direction='in'>"
                 f"<vlan vlanid='{vid}' encap-protocol='{kind}'/></rule>"
                 for vid in (5, 9) for kind in ("arp", "ipv4", "ipv6", "0x8035"))


class Switch:
    """The flows, one missing at times."""

    def __init__(self, world):
        self.world = world

    def dump(self):
        return self.world.ovs.ofctl("--no-stats", "dump-flows", "br0", OURS).splitlines()

    def delete(self, flow):
        self.world.ovs.ofctl("--strict", "del-flows", "br0", key(flow))
        self.world.ovs.purge()


    def forget(self, flow):
        """Delete what this flow has learned; return that."""
        cookie = re.search(r"learn\(.*cookie=(0x\w+)", flow)
        if not cookie:
            return []
        learned = [other for other in self.dump() if f" cookie={cookie[1]}," in other]
        self.world.ovs.ofctl("del-flows", "br0", f"cookie={cookie[1]}/-1")
        return learned


def key(flow):
    """The flow's match, as ovs-ofctl takes it."""
    head = flow.strip().split(" actions=")[0]
    head = re.sub(r"(hard_timeout|idle_timeout)=\d+, *", "", head)
    return re.sub(r"cookie=(0x\w+), *", r"cookie=\1/-1,", head).replace(" ", "")


def kind(flow):
    """(what it is for, its table)."""
    table = re.match(r" cookie=\w+, table=(\d+),", flow)
    return KINDS[int(flow.split("0x")[1][6:8], 16)], int(table[1]) if table else 0


def shape(flow):
    """What the flow is like: its kind, the fields that it matches, what it does first."""
    head, actions = flow.split(" actions=")
    fields = [word.split("=")[0] for word in head.split("priority=")[1].split(",")[1:]]
    first = re.match(r"note:[\w.]+,", actions)
    return " ".join([*map(str, kind(flow)), ",".join(fields),
                     re.match(r"\w+", actions[first.end() if first else 0:])[0]])


def test(world):
    define("policy", FILTER.strip())
    define("tagged", TAGGED)
    define("open", "<rule action='accept' direction='inout'/>")
    world.trusted("uplink", 254)
    world.trusted("eth5", 253, tag=5)
    world.trusted("eth6", 252)
    world.trusted("eth8", 251)
    world.guest("trunk", 1, "policy", IP="10.0.0.1")
    world.guest("access", 2, "policy", {"tag": 5}, IP="10.0.0.2")
    world.guest("native", 3, "open", NATIVE)
    world.guest("limited", 4, "open", {"trunks": "6,7"})
    world.guest("inside", 5, "tagged")
    world.guest("lost", 6)
    world.manage()
    # Addresses are learned in VLANs that their ports leave then.
    world.wire.exchange([(name, world.ip(name, tags=tags)) for name in ("eth6", "eth8")
                         for tags in ((), (9,))])
    world.ovs.vsctl("set", "Port", "eth6", "trunks=6,7", "--", "set", "Port", "eth8", "tag=5",
                    "vlan_mode=native-untagged")
    nwfilter("sync")
    switch = Switch(world)
    check_intact(world)
    mutate(world, switch, frames(world), lambda flow: True)
    test_unknown_port(world, switch, "fixed 0  drop")
    world.manage("--audit")
    mutate(world, switch, frames(world), lambda flow: kind(flow)[0] == "quarantine")
    test_unknown_port(world, switch, "quarantine 0  move")
    world.manage()
    test_bond(world, switch)
    test_long_floods(world, switch)
    test_two_tags(world, switch)


def test_bond(world, switch):
    """The flows that NORMAL needs, and those of a bond's members."""
    for number, name in enumerate(("bond-a", "bond-b"), 20):
        world.ports[name] = Port(name)
        world.stations[name] = Station(f"02:00:00:00:00:{number:02x}", f"10.0.0.{number}")
    world.ovs.vsctl("add-bond", "br0", "bond0", "bond-a", "bond-b", "bond_mode=active-backup")
    world.rewire()
    for name in ("bond-a", "bond-b"):
        world.ovs.ofport(name)
    wait_for(lambda: "active-backup" in world.ovs.appctl("bond/show", "bond0")
             and world.ovs.appctl("bond/show", "bond0").count("enabled") >= 2, "the bond")
    nwfilter("sync")
    mutate(world, switch, frames(world), lambda flow: kind(flow) in [
        ("trusted", 0), ("trusted", 102), ("trusted", 105), ("trusted", 106), ("fixed", 106),
        ("fixed", 105), ("flood", 103)], teach=True)
    world.ovs.vsctl("del-port", "bond0")
    for name in ("bond-a", "bond-b"):
        world.ports.pop(name).remove()
    world.rewire()
    nwfilter("sync")


def test_long_floods(world, switch):
    """So many guests that a list of receivers is in parts.  Most have ports without devices."""
    n = 500
    words = []
    for i in range(n):
        name = f"patch{i}"
        words += ["--", "add-port", "br0", name, "--", "set", "Interface", name, "type=patch",
                  f"options:peer=peer{i}", "external_ids:nwfilter=choosy",
                  f"external_ids:attached-mac=52:54:00:00:{i // 256 + 1:02x}:{i % 256:02x}"]
    define("choosy", "<rule action='drop' direction='in'><arp arpsrcipaddr='10.9.9.9'/></rule>")
    world.ovs.vsctl(*words[1:])
    world.guest("behind", 30, "choosy")
    nwfilter("sync")
    parts = [flow for flow in switch.dump() if kind(flow) == ("flood", 109)]
    last = f"set_field:{world.ovs.ofport('behind'):#x}->reg0,"
    world.check("lists are in parts", len(parts) > 1, len(parts))
    mutate(world, switch, frames(world), lambda flow: flow in parts and last in flow)


def test_two_tags(world, switch):
    """The flows that look at a second tag."""
    world.ovs.vsctl("set", "Open_vSwitch", ".", "other_config:vlan-limit=2",
                    "--", "set", "Port", "eth6", "trunks=5")
    nwfilter("sync")
    # Cached flows of the userspace datapath do not tell second tags apart.
    lots = [[("uplink", world.ip("uplink", to, tags=(5, inner)))]
            for inner in (0, (0, 3), 7) for to in (f.BROADCAST, "eth5", "eth8", "native")]
    del INVISIBLE[r"fixed 108 \S+ .*"]
    mutate(world, switch, lots, lambda flow: kind(flow) == ("fixed", 108))


def check_intact(world):
    """The heart of the policy, so that what is noted is known to be right."""
    everybody = ["uplink", "trunk", "inside"]
    world.expect_all("the intact bridge", [
        ("trunk", world.ip("trunk"), ["uplink", "inside"]),
        ("trunk", world.ip("trunk", src="10.0.0.9"), []),
        ("trunk", world.ip("trunk", mac="access"), []),
        ("uplink", world.ip("uplink"), everybody),
        ("uplink", world.ip("uplink", src="10.9.9.9"), ["inside"]),
        ("uplink", world.ip("uplink", tags=[5]), {"eth5": [], "access": [], "native": [],
                                                  "eth8": [], "trunk": None}),
        ("uplink", world.ip("uplink", tags=[9]), ["trunk", "native", "eth8"]),
        ("lost", world.ip("lost"), [])])


def frames(world):
    """Two lots: those to learned addresses first, for the others teach them."""
    senders = list(world.ports)
    known = [(sender, world.ip(sender, to, tags=tags))
             for sender, tags in (("trunk", ()), ("trunk", (5,)), ("trunk", (6,)), ("native", ()),
                                  ("limited", (6,)), ("limited", (7,)), ("trunk", (7,)),
                                  ("trunk", (9,)))
             for to in ("uplink", "eth5", "eth6", "eth8")]
    lot = [(sender, world.ip(sender, to, tags=tags)) for sender in senders
           for tags in ((), (0,), (1,), (5,), (6,), (7,), (9,), (5, 7), (5, (7, 0, f.QINQ)))
           for to in (f.BROADCAST, UNKNOWN)]
    for sender in ("uplink", "trunk", "access"):
        lot += [(sender, world.ip(sender, to, tags=tags)) for to in senders if to != sender
                for tags in ((), (5,), (6,), (7,))]
        for tags in ((), (5,), (9,)):
            lot += [(sender, frame) for frame in (
                world.arp(sender, tags=tags), world.ipv6(sender, tags=tags),
                f.eth(f.BROADCAST, world.mac(sender), f.rarp(3, world.mac(sender), "0.0.0.0",
                      world.mac(sender), "0.0.0.0"), tags=tags),
                f.eth(f.BROADCAST, world.mac(sender), b"", STRANGE, tags=tags))]
        lot += [(sender, frame) for frame in (
            world.ip(sender, mac="52:54:00:00:77:77"), world.ip(sender, src="10.9.9.9"),
            world.ip(sender, dst="10.9.9.9"), world.arp(sender, spa="10.9.9.9"),
            world.ip(sender, mac="03:00:00:00:00:01"),
            f.eth(f.BROADCAST, world.mac(sender), f.arp(f.REQUEST, world.mac(sender),
                  world.stations[sender].ip, f.MAC_ZERO, "10.0.0.77")),
            world.ip(sender, f.STP_MAC), world.ip(sender, "01:00:0c:cc:cc:cc"),
            world.ip(sender, "01:00:0c:cd:cd:cd"))]
    return [known, lot + nearly_good(world, "trunk")]


def nearly_good(world, sender):
    """Addresses of which one bit is wrong, each bit once."""
    mac, ip = world.stations[sender]
    frames = [frame for bit in range(48) for frame in (
        world.ip(sender, mac=flood.flip(mac, bit)), world.arp(sender, sha=flood.flip(mac, bit)))]
    near = [str(ipaddress.ip_address(int(ipaddress.ip_address(ip)) ^ 1 << bit))
            for bit in range(32)]
    frames += [world.arp(sender, spa=address) for address in near]
    frames += [world.ip(sender, src=address) for address in near]
    return [(sender, frame) for frame in frames]


def send(world, lots):
    """A frame that is a lot of its own meets no cached flow."""
    got = []
    for lot in lots:
        if len(lot) == 1:
            world.ovs.purge()
        got += world.wire.exchange_each(lot)
    return got


def mutate(world, switch, lots, choose, teach=False):
    """teach: sync makes NORMAL forget its addresses, and frames teach them anew."""
    send(world, lots)
    intact = send(world, lots)
    before = switch.dump()
    seen, done = {}, set()
    for flow in filter(choose, before):
        # Of a shape, and of each rule, one that is noticed will do.
        rule = flow.split(",")[0][-4:] if kind(flow)[0].endswith("-vm") else None
        if (shape(flow), rule) not in done:
            if teach:
                send(world, lots)
            result = mutant(world, switch, flow, lots, intact)
            seen.setdefault(shape(flow), []).append(result)
            if result == "noticed":
                done.add((shape(flow), rule))
    for what, results in sorted(seen.items()):
        wrong = [result for result in results if result not in ("noticed", "not noticed")]
        n_noticed = results.count("noticed")
        hidden = any(re.fullmatch(pattern, what) for pattern in INVISIBLE)
        if hidden and n_noticed:
            wrong.append("it is said to be invisible, and was noticed")
        if not hidden and not n_noticed:
            wrong.append("no frame notices")
        world.check(f"{what}: {n_noticed} of {len(results)} that were deleted are missed by frames",
                    not wrong, wrong[:3])
    if teach:
        send(world, lots)
    # A mutant may have let the bridge learn what it must not.
    odd = [flow for flow in set(switch.dump()) ^ set(before) if kind(flow)[0] not in ("learned", "pinned")]
    world.check("all are there again, and frames fare as before",
                not odd and send(world, lots) == intact, odd)


def mutant(world, switch, flow, lots, intact):
    """Whether the flow's loss shows; or what is wrong with how it is found and mended."""
    learned = switch.forget(flow)
    switch.delete(flow)
    noticed = send(world, lots) != intact
    is_learned = kind(flow)[0] in ("learned", "pinned")
    for lost in learned + [flow] * is_learned:
        world.ovs.ofctl("add-flow", "br0", lost.strip().replace(", ", ","))
    if not is_learned:
        if not noticed and nwfilter("diff").status != 2:
            return f"diff does not find the loss of {flow}"
        result = nwfilter("sync", *([] if noticed else ["--full"]))
        if " 1 added, 0 changed, 0 removed" not in result.out:
            return f"sync does not restore {flow}: {result}"
    return "noticed" if noticed else "not noticed"


def test_unknown_port(world, switch, which):
    """A port that is not known yet, and somebody else's flow that would let it in."""
    world.trusted("late", 8)
    world.ovs.ofctl("add-flow", "br0", "table=0,priority=0,actions=set_field:9->reg9,NORMAL")
    world.wire.exchange([("late", world.ip("late"))])
    before = dict(world.wire.got)
    world.check(f"an unknown port's frames are {'passed' if before else 'dropped'} ({which})",
                bool(before) == ("move" in which), before)
    flow, = (flow for flow in switch.dump() if shape(flow) == which)
    switch.delete(flow)
    world.wire.exchange([("late", world.ip("late"))])
    world.check("and would not be without that flow", bool(world.wire.got) != bool(before),
                world.wire.got)
    world.ovs.ofctl("--strict", "del-flows", "br0", "table=0,priority=0")
    world.unplug("late")
    nwfilter("sync")


if __name__ == "__main__":
    run(test, **{"other_config:forward-bpdu": "false"})
