#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Isolated guests reach everybody but one another, and frames for nobody reach trusted ports alone.

The first half sends every kind of frame between all pairs of trusted ports, guests and isolated
guests, whose filters accept everything (and get their copies of floods by a plain output) or look
at each frame; without VLANs and with them, with NORMAL between the trusted ports, and in audit
mode.  The second half is about frames for an address that nobody knows.
"""

import collections
import json
import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.decode import describe  # noqa: E402
from system import live  # noqa: E402
from system.world import define, nwfilter, retag, run  # noqa: E402

FOLDER = "/etc/ovs-nwfilter/policy.d"
UNKNOWN, GROUP = "52:54:00:00:99:99", "01:00:5e:01:02:03"
ALL_NODES = "33:33:00:00:00:01"
ISOLATED = {"open-i1", "open-i2", "choosy-i1", "choosy-i2", "tracked-i1", "silent-i"}
SILENT = ["silent-g", "silent-i"]  # Guests that never send.

TEXTS = {
    "open": "<rule action='accept' direction='inout'/>",
    "choosy": "<rule action='drop' direction='inout'><mac srcmacaddr='02:00:00:00:00:99'/></rule>",
    "tracked": "<rule action='accept' direction='inout' statematch='false'><tcp/></rule>"
               "<rule action='accept' direction='in'><all state='NEW'/></rule>"
               "<rule action='accept' direction='out'><all state='NEW'/></rule>",
}
NAMES = ["uplink", "eth1", "open-g1", "open-i1", "open-i2", "choosy-g1", "choosy-i1", "choosy-i2",
         "tracked-i1", "silent-g", "silent-i"]
# Of the Port row.
VLANS = {"open-i1": {"tag": 5}, "choosy-i2": {"tag": 5}, "choosy-g1": {"tag": 5},
         "open-i2": {"tag": 5, "vlan_mode": "native-untagged"}, "choosy-i1": {"trunks": "5,6"},
         "eth1": {"tag": 5}}


def test(world):
    for name, text in TEXTS.items():
        define(name, text)
    test_policy(world)
    plug(world, {})
    world.manage()
    test_explained(world)
    test_pairs(world, "enforced")
    test_audit(world)
    test_normal(world)
    unplug(world)
    plug(world, VLANS)
    world.manage()
    test_pairs(world, "VLANs")
    unplug(world)
    test_unknown(world)
    test_flooded_vlan(world)
    test_live(world)


def plug(world, vlans):
    for number, name in enumerate(NAMES, 1):
        columns = vlans.get(name, {})
        if name in ("uplink", "eth1"):
            world.trusted(name, number, **columns)
            continue
        kind = name.split("-")[0]
        world.guest(name, number, "open" if kind == "silent" else kind, columns)
        if name in ISOLATED:
            world.set_tags(name, nwfilter_isolated="true")


def unplug(world):
    world.unplug(*list(world.ports))
    nwfilter("sync")


# --- who gets what

class Model:
    """Who gets a frame, by VLANs and isolation."""

    def __init__(self, world, isolates=True):
        self.world, self.isolates = world, isolates

    def vlan_of(self, sender, frame):
        columns = self.world.vlans[sender]
        tag = frame[12:14] == b"\x81\0" and int.from_bytes(frame[14:16], "big") & 0xfff
        return tag or columns.get("tag", 0)

    def admits(self, sender, vlan, tagged):
        columns = self.world.vlans[sender]
        if "tag" in columns:
            return "vlan_mode" in columns or not tagged
        return not columns or str(vlan) in columns["trunks"].split(",")

    def has(self, name, vlan):
        columns = self.world.vlans[name]
        if "vlan_mode" in columns:
            return vlan != 0
        if "tag" in columns:
            return vlan == columns["tag"]
        return not columns or str(vlan) in columns["trunks"].split(",")

    def meets(self, sender, name):
        return not (self.isolates and {sender, name} <= ISOLATED)

    def receivers(self, sender, frame, names):
        """{name: the frame as it gets it} of those of 'names' that get it."""
        vlan, tagged = self.vlan_of(sender, frame), frame[12:14] == b"\x81\0"
        if not self.admits(sender, vlan, tagged):
            return {}
        return {name: self._form(name, vlan, frame) for name in names
                if name != sender and self.has(name, vlan) and self.meets(sender, name)}

    def _form(self, name, vlan, frame):
        priority = frame[12:14] == b"\x81\0" and frame[14] >> 5
        untagged = self.world.vlans[name].get("tag") == vlan
        return f.stamp(retag(frame, () if untagged or not vlan else ((vlan, priority),)), 0)


def address(number):
    """A further address of guest n, which its filter lets pass."""
    return f"52:54:00:00:01:{number:02x}"


def frames_to(world, sender, to):
    """One of each kind for one station."""
    smac, tmac = world.mac(sender), world.mac(to)
    link = f.link_address(2, smac)
    return [
        world.ip(sender, to),
        world.arp(sender, to), world.arp(sender, to, op=2),
        f.eth(tmac, smac, f.ipv6("fe80::1", "fe80::2", f.icmpv6(135, data=bytes(16)), hops=255)),
        f.eth(tmac, smac, f.ipv6("fe80::1", "fe80::2", f.neighbour(136, "fe80::1", link),
                                 hops=255)),
        f.eth(tmac, smac, f.ipv4("10.0.0.1", "10.0.0.2", f.tcp(1000, 80))),
        f.eth(tmac, smac, b"other", 0x88b5),
    ]


def frames_to_many(world, sender):
    """One of each kind that is flooded."""
    smac = world.mac(sender)
    solicit = f.ipv6("fe80::1", "ff02::1:ff00:2", f.neighbour(135, "fe80::2"), hops=255)
    advertise = f.ipv6("fe80::1", "ff02::1", f.neighbour(136, "fe80::1"), hops=255)
    return [
        world.ip(sender), world.ip(sender, GROUP), world.ipv6(sender),
        world.arp(sender), world.arp(sender, op=2),
        f.eth("33:33:ff:00:00:02", smac, solicit), f.eth(ALL_NODES, smac, advertise),
        f.eth(f.BROADCAST, smac, f.rarp(3, smac, "0.0.0.0", smac, "0.0.0.0"), 0x8035),
        f.eth(f.BROADCAST, smac, b"other", 0x88b5),
        world.ip(sender, UNKNOWN), world.arp(sender, UNKNOWN, op=2),
        f.eth(UNKNOWN, smac, f.ipv6("fe80::1", "fe80::2", f.udp(1, 2))),
        f.eth(UNKNOWN, smac, b"other", 0x88b5),
    ]


def with_tags(frames):
    """The frames as they are, and in VLANs 5 and 6."""
    return [retag(frame, tags) for frame in frames for tags in ((), ((5, 0),), ((6, 3),))]


def teach(world):
    """Everybody but the silent is heard, and guests' further addresses."""
    for _ in range(2):
        talkers = [name for name in NAMES if name not in SILENT]
        world.wire.exchange([(name, retag(world.ip(name), tags)) for name in talkers
                             for tags in ((), ((5, 0),), ((6, 0),))])
        world.wire.exchange([(name, f.eth(f.BROADCAST, address(NAMES.index(name)),
                                          f.ipv4("10.0.0.1", "10.0.0.255", f.udp(1, 2)),
                                          tags=tags))
                             for name in talkers if name not in ("uplink", "eth1")
                             for tags in ((), ((5, 0),), ((6, 0),))])


def rows_of(world, isolates):
    """(kind, sender, frame, {receiver: frame}) of all pairs and kinds."""
    model = Model(world, isolates)
    trusted = ["uplink", "eth1"]
    for sender in NAMES:
        if sender in SILENT:
            continue
        for frame in with_tags(frames_to_many(world, sender)):
            yield "flooded", sender, frame, model.receivers(sender, frame, NAMES)
        for to in NAMES:
            if to == sender:
                continue
            for frame in with_tags(frames_to(world, sender, to)):
                vlan = model.vlan_of(sender, frame)
                known = ([to] + trusted if to in SILENT else [to] if knows(model, to, vlan)
                         else NAMES)
                yield ("to one not heard" if to in SILENT else "to one", sender, frame,
                       model.receivers(sender, frame, known))
            if to in trusted or to in SILENT:
                continue
            frame = world.ip(sender, address(NAMES.index(to)))
            for frame in with_tags([frame]):
                vlan = model.vlan_of(sender, frame)
                known = [to] if knows(model, to, vlan) else NAMES
                yield "to a floating address", sender, frame, model.receivers(sender, frame, known)


def knows(model, to, vlan):
    """Whether the station was heard in the VLAN, or the address is its own there."""
    return model.has(to, vlan) and any(
        model.vlan_of(to, frame) == vlan and model.admits(to, vlan, bool(tags))
        for tags in ((), ((5, 0),), ((6, 0),))
        for frame in [retag(model.world.ip(to), tags)])


def test_pairs(world, what, isolates=True):
    teach(world)
    rows = list(rows_of(world, isolates))
    for _ in range(2):  # An upcall; a cached flow.
        got = world.wire.exchange_each([(sender, frame) for _, sender, frame, _ in rows])
        wrong, count, kept = collections.defaultdict(list), collections.Counter(), 0
        for (kind, sender, frame, wanted), copies in zip(rows, got):
            count[kind] += 1
            kept += len(copies)
            if copies != sorted(wanted.items()):
                wrong[kind].append(f"{sender}: {describe(frame)}: reached "
                                   f"{[name for name, _ in copies]}, not {sorted(wanted)}")
    for kind, number in count.items():
        world.check(f"{what}: {kind} ({number} frames)", not wrong[kind],
                    "\n    ".join(["", *wrong[kind][:6], str(len(wrong[kind]))]))
    world.check(f"{what}: and much arrives", kept > len(rows) / 2, kept)


def test_explained(world):
    """Before anybody was heard, and after; "explain" is asked of each frame."""
    model = Model(world)
    world.hears_receivers = False
    rows = [(sender, world.ip(sender, to), [
        name for name in (to, "uplink", "eth1") if name != sender and model.meets(sender, name)])
        for sender in ("uplink", "open-i1", "choosy-i1", "open-g1") for to in SILENT]
    world.expect_all("guests that were not heard", rows)
    teach(world)
    rows = []
    for sender in ("open-i1", "choosy-i2", "choosy-g1", "eth1"):
        rows += [(sender, frame, list(model.receivers(sender, frame, NAMES)))
                 for frame in frames_to_many(world, sender)[:5]]
        rows += [(sender, world.arp(sender, to), [to] if model.meets(sender, to) else [])
                 for to in NAMES if to not in SILENT and to != sender]
    world.expect_all("heard", rows)
    world.hears_receivers = True
    frame = world.ip("open-i1", "choosy-i1").hex()
    result = nwfilter("explain", "choosy-i1", "in", frame, "--from=open-i1", "--live")
    world.check("explain says that it is isolation", result.status == 0 and re.search(
        r"choosy-i1 in: dropped\n.*\n110 .*dropped: sender and receiver are isolated guests\n"
        r"the switch agrees\n", result.out), result)
    result = nwfilter("explain", "choosy-g1", "in", frame, "--from=open-i1")
    world.check("    and that it is not", result.status == 0
                and result.out.startswith("choosy-g1 in: passes\n"), result)
    for words, error in (
            (["out", frame, "--from=open-i1"], "--from is for packets \"in\""),
            (["in", frame, "--from=eth7"], "--from=eth7: there is no such port on bridge br0")):
        result = nwfilter("explain", "choosy-i1", *words)
        world.check(f"    refused: {error}", result.status == 1 and error in result.err, result)


def isolation_counters(world):
    return sum(int(match[1]) for match in re.finditer(
        r"cookie=0x6e776612\w{4}fffd,.*n_packets=(\d+)", world.ovs.ofctl("dump-flows", "br0")))


def test_audit(world):
    world.ovs.purge()
    before = isolation_counters(world)
    world.check("what isolation drops is counted", before > 100, before)
    world.manage("--audit")
    before = isolation_counters(world)
    test_pairs(world, "audit mode", isolates=False)
    world.ovs.purge()
    after = isolation_counters(world)
    world.check("    and what would be dropped is counted", after - before > 100, (before, after))
    world.manage()


def test_normal(world):
    world.ovs.vsctl("set", "Bridge", "br0", "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15",
                    "--", "set", "Port", "eth1", "protected=true")
    nwfilter("sync")
    uses = "NORMAL" in "".join(world.ovs.flows("br0"))
    world.check("a protected port needs NORMAL", uses)
    test_pairs(world, "NORMAL")
    world.ovs.vsctl("set", "Port", "eth1", "protected=false")
    nwfilter("sync")


# --- policy

def test_policy(world):
    """Where it may stand, and what becomes of values that mean nothing."""
    world.trusted("uplink", 1)
    world.guest("vnet0", 2)
    world.guest("vnet1", 3, "open")
    world.set_tags("vnet1", nwfilter_isolated="true")
    world.manage()
    frame = world.ip("vnet1", "vnet0")
    passes, ends = ("vnet1", frame, ["vnet0"]), ("vnet1", frame, [])
    nwfilter("bind", "--wait", "vnet0", "open")
    world.expect("a guest that is not isolated gets an isolated one's frames", *passes)
    result = nwfilter("bind", "--wait", "--isolated", "vnet0", "open")
    world.check("bind --isolated writes the tag", result.status == 0
                and world.tags("vnet0").get("nwfilter-isolated") == "true", result)
    world.expect("    which holds", *ends)
    table = json.loads(nwfilter("bindings", "--format=json").out)
    shown = {row["port"]: row["isolated"] for row in table}
    world.check("    and is shown", shown["vnet0"] == "yes" and not shown["uplink"], table)
    for value in ("yes", "True", "1"):
        world.set_tags("vnet0", nwfilter_isolated=value)
        result = nwfilter("sync")
        error = f'error: nwfilter-isolated: "{value}" is neither true nor false'
        world.check(f"    {value}: quarantined", result.status == 1
                    and world.status("vnet0") == error, (result, world.status("vnet0")))
        world.expect("        nothing passes", "uplink", world.ip("uplink"), ["vnet1"])
    world.set_tags("vnet0", nwfilter_isolated="false")
    nwfilter("sync")
    world.expect("    false: not isolated", *passes)
    result = nwfilter("bind", "vnet0", "open", "isolated=true")
    world.check("a variable cannot have its name", result.status == 1
                and "nwfilter-isolated is for something else" in result.err, result)
    nwfilter("unbind", "vnet0")
    world.check("unbind removes it", "nwfilter-isolated" not in world.tags("vnet0"))
    test_file(world, passes, ends)
    world.trusted("lan0", 4)
    world.set_tags("lan0", nwfilter_isolated="true")
    result = nwfilter("sync")
    world.check("a port that is isolated and has no filter is no trusted one", result.status == 1
                and "it is isolated" in str(world.status("lan0")), world.status("lan0"))
    unplug(world)


def test_file(world, passes, ends):
    entry = {"port": "vnet0", "filter": "open", "isolated": True}
    write("a", entry)
    nwfilter("sync")
    world.expect("a policy file isolates", *ends)
    world.set_tags("vnet0", nwfilter_isolated="false")
    nwfilter("sync")
    world.expect("    unless the port's tag says otherwise", *passes)
    world.set_tags("vnet0", nwfilter_isolated=None)
    write("b", entry | {"isolated": False})
    result = nwfilter("sync")
    world.check("    entries that do not agree: quarantined", result.status == 1
                and "do not agree" in world.status("vnet0"), result)
    for name in ("a", "b"):
        os.unlink(f"{FOLDER}/{name}.json")


def write(name, *entries):
    os.makedirs(FOLDER, exist_ok=True)
    with open(f"{FOLDER}/{name}.json", "w") as file:
        json.dump(entries, file)


# --- addresses that nobody knows

def test_unknown(world):
    world.trusted("uplink", 1)
    world.trusted("eth1", 2)
    world.trusted("eth5", 3, tag=5)
    world.guest("vnet0", 4, "no-mac-spoofing")
    world.guest("vnet1", 5, "no-mac-spoofing", {"tag": 5})
    world.guest("vnet2", 6, "no-mac-spoofing")
    result = world.manage()
    kinds = [world.ip("uplink", UNKNOWN), world.arp("uplink", UNKNOWN, op=2),
             f.eth(UNKNOWN, world.mac("uplink"), b"other", 0x88b5)]
    spared = [("uplink", frame, ["eth1"]) for frame in kinds] + [
        ("vnet0", world.ip("vnet0", UNKNOWN), ["uplink", "eth1"]),
        ("vnet1", world.ip("vnet1", UNKNOWN), {"uplink": [5], "eth1": [5], "eth5": []}),
        ("uplink", world.ip("uplink", UNKNOWN, tags=(5,)), {"eth1": None, "eth5": []})]
    # To these filters, VLAN 5 is no matter.
    flooded = [("uplink", frame, ["eth1", "vnet0", "vnet2"]) for frame in kinds] + [
        ("vnet0", world.ip("vnet0", UNKNOWN), ["uplink", "eth1", "vnet2"])]
    world.expect_all("guests that are confined to their addresses are spared frames for others",
                     spared)
    world.expect_all("    and get those for their own, and for many", [
        ("uplink", world.ip("uplink", "vnet0"), ["vnet0"]),
        ("uplink", world.ip("uplink"), ["eth1", "vnet0", "vnet2"])])
    world.set_tags("vnet2", nwfilter="open")
    nwfilter("sync")
    world.expect_all("one may have another address: they are flooded", flooded)
    world.manage("--unknown-unicast=trusted")
    world.expect_all("--unknown-unicast=trusted", spared)
    world.set_tags("vnet2", nwfilter="no-mac-spoofing")
    world.manage("--unknown-unicast=flood")
    world.expect_all("--unknown-unicast=flood", flooded)
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-unknown-unicast=Flood")
    result = nwfilter("sync")
    world.check("a value that means nothing is told", 'is taken for "trusted"' in result.err,
                result)
    world.expect_all("    and taken for trusted", spared)
    result = nwfilter("manage", "br0", "--unknown-unicast=all")
    world.check("manage --unknown-unicast=all is refused", result.status == 1 and result.err ==
                "ovs-nwfilter: --unknown-unicast is flood or trusted, not \"all\"\n", result)
    world.manage()
    world.expect_all("without the tag they are spared again", spared)
    world.manage("--audit", "--unknown-unicast=trusted")
    world.expect_all("audit mode withholds nothing", flooded)


def test_flooded_vlan(world):
    world.manage("--unknown-unicast=trusted")
    world.ovs.vsctl("set", "Bridge", "br0", "flood_vlans=5,7",
                    "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15")
    nwfilter("sync")
    world.expect_all("in flood_vlans every frame is for all", [
        ("uplink", world.ip("uplink", UNKNOWN, tags=(5,)),
         {"eth1": None, "eth5": [], "vnet1": [], "vnet0": None, "vnet2": None}),
        ("uplink", world.ip("uplink", UNKNOWN, tags=(7,)),
         {"eth1": None, "vnet0": None, "vnet2": None}),
        ("uplink", world.ip("uplink", UNKNOWN), ["eth1"])])
    world.ovs.vsctl("clear", "Bridge", "br0", "flood_vlans")
    world.manage()
    unplug(world)


# --- with the daemon

def test_live(world):
    world.trusted("uplink", 1)
    for number in (2, 3, 4):
        world.guest(f"vnet{number}", number, "open")
        world.set_tags(f"vnet{number}", nwfilter_isolated="true")
    live.start(world)
    world.manage()
    many = world.ip("vnet2")
    one = world.ip("vnet2", "vnet3")
    world.expect_all("live: isolated", [("vnet2", many, ["uplink"]), ("vnet2", one, [])])
    world.set_tags("vnet3", nwfilter_isolated=None)
    world.daemon.settle()
    world.expect_all("    not any more", [("vnet2", many, ["uplink", "vnet3"]),
                                          ("vnet2", one, ["vnet3"])])
    world.set_tags("vnet3", nwfilter_isolated="true")
    world.daemon.settle()
    world.expect_all("    again", [("vnet2", many, ["uplink"]), ("vnet2", one, [])])
    shown = world.daemon.ctl("port/show", "vnet3").text
    world.check("    the daemon shows it", ", isolated" in shown, shown)
    repair(world, one)
    world.set_tags("vnet2", nwfilter_isolated="maybe")
    world.daemon.settle()
    world.check("    maybe: quarantined", "neither true nor false" in str(world.status("vnet2")),
                world.status("vnet2"))
    world.expect("        nothing passes", "vnet2", many, [])
    world.set_tags("vnet2", nwfilter_isolated="false")
    world.daemon.settle()
    world.expect("        false", "vnet2", many, ["uplink", "vnet3", "vnet4"])
    for name in ("vnet2", "vnet3", "vnet4"):
        world.set_tags(name, nwfilter="no-mac-spoofing")
    world.daemon.settle()
    unknown = world.ip("vnet2", UNKNOWN)
    world.expect("    unknown addresses: the last guest that floated is confined", "vnet2", unknown,
                 ["uplink"])
    world.set_tags("vnet3", nwfilter="open")
    world.daemon.settle()
    world.expect("    and one is not", "vnet2", unknown, ["uplink", "vnet3", "vnet4"])
    live.finish(world)


def repair(world, one):
    """What somebody removes, the daemon puts back."""
    before = world.daemon.counts("br0")["undone"]
    world.ovs.ofctl("del-flows", "br0", "table=110,reg5=0x10000/0x10000")
    world.daemon.settle()
    world.expect("    the daemon repairs it", "vnet2", one, [])
    after = world.daemon.counts("br0")["undone"]
    world.check("        and counts that", after > before, (before, after))


if __name__ == "__main__":
    run(test)
