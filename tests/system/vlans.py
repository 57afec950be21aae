#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VLANs: what a filter sees is what its guest gets, and who gets what is as under NORMAL.

The first half has filters that drop some frames, and frames with a tag inside of a tag, or a
priority tag in front, that would come past them.

The second half has filters that accept everything, random ports and random frames; the oracle is
the same bridge before it is managed.  With another vlan-limit than 1 each frame finds an empty
cache: the userspace datapath takes a frame with two tags for one with one that it has seen.

SEED=N has other ports and frames.
"""

import itertools
import os
import random
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.decode import describe  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

FILTERS = {
    "open": "<rule action='accept' direction='inout'/>",
    # What is accepted unless a rule says otherwise.
    "no-66": "<rule action='drop' direction='in'><ip srcipaddr='10.0.0.66'/></rule>",
    "no-vlan": "<rule action='drop' direction='in'><vlan/></rule>",
    "no-vlan-out": "<rule action='drop' direction='out'><vlan vlanid='7'/></rule>",
    "encap": "<rule action='accept' direction='in'><vlan encap-protocol='ipv4'/></rule>"
             "<rule action='drop' direction='in'/>",
}
QINQ = f.QINQ
PRIORITY_TAGS = [0, (0, 3), (0, 0, QINQ)]
SEED = int(os.environ.get("SEED", "1"))


def test(world):
    for name, text in FILTERS.items():
        define(name, text)
    world.ovs.vsctl("set", "Bridge", "br0", "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15")
    world.trusted("uplink", 254)
    for part in (test_inner_tags, test_vlan_0, test_tunnel, test_priority_tags):
        part(world)
        world.unplug(*set(world.ports) - {"uplink"})
    world.unplug("uplink")
    nwfilter("unmanage", "br0")
    test_as_normal(world)


def limit(world, number):
    world.ovs.vsctl("set", "Open_vSwitch", ".", f"other_config:vlan-limit={number}")
    world.ovs.purge()


# --- past the filter

def test_inner_tags(world):
    """A second tag, behind the one that is taken off."""
    world.guest("access", 1, "no-66", {"tag": 5})
    world.guest("native", 2, "no-66", {"tag": 5, "vlan_mode": "native-untagged"})
    world.guest("vlanless", 3, "no-vlan", {"tag": 5})
    world.guest("free", 4, "open", {"tag": 5})
    world.guest("trunk", 5, "open")
    world.manage()
    senders = ["uplink", "trunk"]
    for to in (f.BROADCAST, "access", "native", "vlanless"):
        rows = [(sender, tags, world.ip(sender, to, src="10.0.0.66", tags=tags))
                for sender in senders
                for outer in (5, (5, 0, QINQ)) for inner in PRIORITY_TAGS + [7, (7, 0, QINQ)]
                for tags in [(outer, inner)]]
        rows += [(sender, (5,), world.ip(sender, to, src="10.0.0.66", tags=(5,)))
                 for sender in senders]
        never(world, f"inner tags: to {to}", rows, {"access", "native", "vlanless"})
    got = world.wire.exchange_each([(sender, world.ip(sender, tags=(5, 7))) for sender in senders])
    world.check("    a guest that gets everything gets them, as under NORMAL",
                all("free" in dict(copies) for copies in got), got)
    world.expect("    frames with one tag pass", "uplink", world.ip("uplink", tags=(5,)),
                 {"access": [], "native": [], "vlanless": [], "free": [], "trunk": None})
    for name, tag, why in [("access", 0, "gets frames without a tag"),
                           ("access", 7, "gets frames without a tag"),
                           ("native", 5, "gets frames without a tag"),
                           ("native", 0, "does not belong to this VLAN")]:
        result = nwfilter("explain", name, "in", world.ip("uplink", tags=(tag,)).hex(), "--live")
        world.check(f"    explain {name}, with tag {tag}: dropped, and the switch agrees",
                    result.status == 0 and f"dropped: the port {why}" in result.out, result)
    test_limits(world)


def never(world, what, rows, victims):
    """None of the victims gets any of the frames that its filter drops."""
    got = world.wire.exchange_each([(sender, frame) for sender, _, frame in rows])
    wrong = [(sender, tags, name, copy[12:22].hex())
             for (sender, tags, _), copies in zip(rows, got) for name, copy in copies
             if name in victims and not (name == "vlanless" and len(tags) < 2)]
    world.check(f"{what} ({len(rows)} frames)", not wrong, "\n    ".join(["", *map(str, wrong)]))


def test_limits(world):
    """Where Open vSwitch may look at two tags, its caches do not tell them from one."""
    world.guest("encap", 6, "encap", {"tag": 6})
    frame = world.ip("uplink", src="10.0.0.66", tags=(5, 0))
    for number in (2, 0):
        limit(world, number)
        result = world.sync(status=1)
        said = {name: world.status(name) for name in ("access", "native", "vlanless")}
        world.check(f"vlan-limit={number}: filters that cannot judge are quarantined", all(
            "vlan-limit" in status for status in said.values()), (result, said))
        world.check("    the rest is not", [world.status(name) for name in ("free", "trunk")]
                    == ["active"] * 2)
        never(world, "    nothing reaches them, cached or not", [
            ("uplink", (5, 9), world.ip("uplink", tags=tags)) for tags in [(5,), (5, 7), (5, 0)]
        ] + [("uplink", (5, 0), frame)] * 2, {"access", "native", "vlanless"})
        result = nwfilter("sync", "--port=access")
        world.check("    sync --port says the same", result.status == 1, result)
        result = nwfilter("explain", "access", "in", world.ip("uplink").hex())
        world.check("    and explain", result.status == 1 and "vlan-limit" in result.err, result)
    limit(world, 1)
    world.sync()
    world.check("vlan-limit=1: all are active again", {
        world.status(name) for name in world.guests & set(world.ports)} == {"active"})


def test_vlan_0(world):
    """An access port of VLAN 0 is in the VLAN of trunks' untagged frames."""
    world.guest("zero", 1, "open", {"tag": 0})
    world.guest("zero2", 2, "open", {"tag": 0})
    world.guest("trunk", 3, "no-66")
    world.guest("free", 4, "open")
    world.guest("native", 5, "open", {"tag": 5, "vlan_mode": "native-untagged"})
    world.guest("tagged", 6, "open", {"tag": 5, "vlan_mode": "native-tagged"})
    world.sync()
    forged = world.ip("zero", src="10.0.0.66")
    world.expect_all("VLAN 0: its frames stay untagged, and meet filters", [
        ("zero", forged, ["uplink", "zero2", "free"]),
        ("zero", world.ip("zero"), ["uplink", "zero2", "free", "trunk"]),
        ("zero", world.ip("zero", "trunk", src="10.0.0.66"), []),
        ("zero", world.ip("zero", "trunk"), ["trunk"]),
        ("uplink", world.ip("uplink"), ["zero", "zero2", "trunk", "free"])])
    got = world.wire.exchange_each([("free", world.ip("free", tags=(tag,)))
                                    for tag in ((0, 0), (0, 3))])
    names = [sorted(name for name, _ in copies) for copies in got]
    world.check("VLAN 0: a priority-tagged broadcast reaches no native VLAN",
                names == [["trunk", "uplink", "zero", "zero2"]] * 2, names)
    got = world.wire.exchange_each([("uplink", world.ip("uplink", to, src="10.0.0.66", tags=(0,)))
                                    for to in (f.BROADCAST, "trunk")])
    world.check("VLAN 0: what has a priority tag without a priority is judged as what it is",
                all("trunk" not in dict(copies) for copies in got), got)
    test_behind_priority_tags(world)


def test_behind_priority_tags(world):
    """Such a tag comes off, and Open vSwitch does not show another one behind it."""
    world.guest("no-tags", 7, "no-vlan")
    world.guest("no-tags0", 8, "no-vlan", {"tag": 0})
    world.sync()
    victims = {"no-tags", "no-tags0"}
    for to in (f.BROADCAST, "52:54:00:00:99:99", *sorted(victims)):
        rows = [("uplink", (outer, inner), world.ip("uplink", to, tags=(outer, inner)))
                for outer in (0, (0, 0, QINQ)) for inner in PRIORITY_TAGS + [5, 7, (7, 0, QINQ)]]
        never(world, f"VLAN 0: tags behind a priority tag: to {to}", rows, victims)
    got = world.wire.exchange_each([("uplink", world.ip("uplink", tags=(0, 7)))])[0]
    world.check("    a guest that gets everything gets them, as under NORMAL",
                {"free", "zero", "zero2"} <= set(dict(got)), got)
    world.expect("    frames with that tag alone pass", "uplink", world.ip("uplink", tags=(0,)),
                 {name: [] for name in ["zero", "zero2", "trunk", "free", *victims]})


def test_tunnel(world):
    """What comes out of a tunnel is in its VLAN, whatever the customer's tag says."""
    world.trusted("tunnel", 50, tag=5, vlan_mode="dot1q-tunnel")
    world.guest("five", 1, "open", {"tag": 5})
    world.guest("seven", 2, "open", {"tag": 7})
    world.guest("trunk", 3, "open")
    world.sync()
    world.expect_all("tunnel: the customer's tag chooses no VLAN", [
        ("tunnel", world.ip("tunnel"), {"uplink": [(5, 0, QINQ)], "five": [],
                                        "trunk": [(5, 0, QINQ)]}),
        ("tunnel", world.ip("tunnel", tags=(7,)), {"uplink": [(5, 0, QINQ), 7],
                                                   "trunk": [(5, 0, QINQ), 7]}),
        ("tunnel", world.ip("tunnel", "seven", tags=(7,)), {"uplink": [(5, 0, QINQ), 7],
                                                            "trunk": [(5, 0, QINQ), 7]}),
        ("five", world.ip("five"), {"uplink": [5], "tunnel": [], "trunk": [5]}),
        ("seven", world.ip("seven", "tunnel"), {"uplink": [7], "trunk": [7]})])
    world.set_tags("trunk", nwfilter="encap")
    result = world.sync(status=1)
    world.check("tunnel: a rule that asks for the type behind a tag is refused",
                "dot1q-tunnel" in world.status("trunk"), (result, world.status("trunk")))


def test_priority_tags(world):
    """A guest whose frames would get a priority tag past its filter."""
    world.guest("prio", 1, "open", {"tag": 5, "other_config:priority-tags": "always"})
    result = world.sync(status=1)
    world.check("priority-tags on a guest's port: quarantined",
                "priority-tags" in (world.status("prio") or ""), (result, world.status("prio")))
    result = nwfilter("sync", "--port=prio")
    world.check("    by sync --port too", result.status == 1, result)


# --- beside NORMAL

VIDS = [0, 5, 6, 7]
TPIDS = (b"\x81\0", b"\x88\xa8")
MODES = ["unset", "access", "trunk", "native-tagged", "native-untagged"]


def test_as_normal(world):
    dice = random.Random(SEED)
    n_frames = n_received = n_wrong = 0
    for number in [1] * 6 + [2, 0] * 2:
        limit(world, number)
        ports = plug(world, dice)
        frames, received, wrong = compare(world, dice, ports, number)
        n_frames += frames
        n_received += received
        n_wrong += len(wrong)
        world.check(f"vlan-limit={number}: {len(ports)} random ports, {frames} frames as by NORMAL",
                    not wrong, "\n    ".join(["", str(ports), *map(str, wrong[:8])]))
        nwfilter("unmanage", "br0")
        world.unplug(*ports)
    print(f"seed {SEED}: {n_frames} frames, {n_received} copies, {n_wrong} differences")
    world.check("NORMAL forwards much of it", n_received > n_frames, (n_frames, n_received))


def plug(world, dice):
    """Random ports; returns the columns of each."""
    ports = {}
    for number in range(1, 11):
        guest = number % 2
        name = f"{'g' if guest else 't'}{number}"
        columns = random_columns(dice, guest or dice.random() < 0.5)
        (world.guest(name, number, "open", columns) if guest else
         world.trusted(name, number, **columns))
        ports[name] = columns
    return ports


def random_columns(dice, plain):
    mode = dice.choice(MODES if plain else MODES + ["dot1q-tunnel"])
    columns = {} if mode == "unset" else {"vlan_mode": mode}
    if mode != "trunk" and dice.random() < (0.6 if mode == "unset" else 0.9):
        columns["tag"] = dice.choice(VIDS)
    if dice.random() < 0.5:
        columns["trunks"] = ",".join(map(str, dice.sample(VIDS, dice.randint(1, 3))))
    if mode == "dot1q-tunnel":
        columns["other_config:qinq-ethtype"] = dice.choice(["802.1q", "802.1ad"])
        if dice.random() < 0.5:
            columns["cvlans"] = ",".join(map(str, dice.sample(VIDS, 2)))
    if not plain and dice.random() < 0.3:
        columns["other_config:priority-tags"] = dice.choice(["if-nonzero", "always", "never"])
    return columns


def random_frame(world, dice, sender, ports):
    tags = tuple((dice.choice(VIDS), dice.choice([0, 0, 3]), dice.choice([f.VLAN, f.VLAN, QINQ]))
                 for _ in range(dice.choice([0, 1, 1, 2, 2, 3])))
    to = dice.choice([f.BROADCAST, "01:00:5e:01:02:03", "33:33:00:00:00:09", "52:54:00:00:99:99",
                      dice.choice([name for name in ports if name != sender])])
    make = dice.choice([world.ip, world.ip, world.arp, world.ipv6])
    return sender, tags, make(sender, to, tags=tags)


def compare(world, dice, ports, number):
    traffic = [random_frame(world, dice, dice.choice(list(ports)), ports)
               for _ in range(800 if number == 1 else 300)]
    traffic = [row for row in traffic if number == 1 or not loses_tag(ports, *row[:2])]
    before = exchange(world, ports, traffic, number)
    world.manage()
    after = exchange(world, ports, traffic, number)
    wrong = [(sender, ports[sender], tags, describe(frame), "NORMAL:", show(was),
              "managed:", show(now))
             for (sender, tags, frame), was, now in zip(traffic, before, after)
             if not is_same(world, ports, sender, tags, was, now, number)]
    return len(traffic), sum(map(len, before)), wrong


def exchange(world, ports, traffic, number):
    """Once everybody is known.  NORMAL's cached flows do not tell priorities apart either."""
    world.wire.exchange([(name, world.ip(name, tags=tags)) for name in ports
                         for tags in [()] + [(vid,) for vid in VIDS]])
    got = []
    for is_cold, rows in itertools.groupby(traffic, lambda row: number != 1 or has_vid_0(row[1])):
        lots = [[row] for row in rows] if is_cold else [list(rows)]
        for lot in lots:
            if is_cold:
                world.ovs.purge()
            got += world.wire.exchange_each([(sender, frame) for sender, _, frame in lot])
    return got


def has_vid_0(tags):
    return bool(tags) and not tags[0][0]


def mode(columns):
    return columns.get("vlan_mode", "access" if "tag" in columns else "trunk")


def loses_tag(ports, sender, tags):
    """NORMAL loses a tag behind the priority tag that comes in by an access port, if it looks at
    two.  A managed bridge keeps it."""
    return mode(ports[sender]) == "access" and len(tags) > 1


def is_same(world, ports, sender, tags, was, now, number):
    """Whether the frame came out as by NORMAL, but for what filters have to do with it.

    NORMAL also takes off a priority tag without a priority that stands behind another tag, if it
    sees it.  Here it stays where that other one stays.  And with priority-tags=always it gives
    untagged frames of access ports such a tag, and those of trunks none."""
    was, now = [[(name, plain_if_always(ports[name], copy)) for name, copy in got]
                for got in (was, now)]
    if number != 1 or mode(ports[sender]) == "dot1q-tunnel":
        was, now = [[(name, without_blank(copy)) for name, copy in got] for got in (was, now)]
    if not world.is_guest(sender) or not tags or tags[0][0]:
        return was == now
    if mode(ports[sender]) != "trunk":
        return not now  # In the port's own VLAN its filter would take it for a tagged frame.
    if tags[0][1]:
        return was == now
    # The filter has judged it with its tag; it keeps that, and does not go where NORMAL would take
    # it off.
    names = {name for name, _ in now}
    return names <= {name for name, _ in was} and names >= {
        name for name, _ in was if world.is_guest(name)}


def plain_if_always(columns, copy):
    is_blank = copy[12:14] in TPIDS and copy[14:16] == b"\0\0"
    always = columns.get("other_config:priority-tags") == "always"
    return copy[:12] + copy[16:] if always and is_blank else copy


def without_blank(copy):
    """The frame without tags that say nothing, behind its first one."""
    while copy[12:14] in TPIDS and copy[16:18] in TPIDS and copy[18:20] == b"\0\0":
        copy = copy[:16] + copy[20:]
    return copy


def show(got):
    return [(name, copy[12:24].hex()) for name, copy in got]


if __name__ == "__main__":
    run(test)
