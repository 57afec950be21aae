#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Zones of connection tracking, and connections that outlive a change.

Zones are the host's: ports of two bridges get different ones, a tag that cannot be right is
replaced, and a zone that changes hands is emptied.  A connection outlives whatever does not concern
it, and not the rule that allowed it.
"""

import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.wire import Port  # noqa: E402
from system import relay as r  # noqa: E402
from system.connections import ND, both, rule  # noqa: E402
from system.conversation import Conversation  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

OUT = ND + both("accept", "out", "<all/>") + both("drop", "inout", "<all/>")
IN = both("accept", "in", "<all/>") + both("drop", "inout", "<all/>")
NO_STATE = rule("accept", "out", "<udp dstportstart='53'/>", "statematch='false'") \
    + rule("drop", "inout", "<all/>")
NOTHING_SENT = " 0 added, 0 changed, 0 removed"


def test(world):
    for name, text in {"begins": OUT, "asked": IN, "no-state": NO_STATE}.items():
        define(name, text)
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, "begins")
    world.guest("vnet1", 2, "begins")
    world.guest("vnet2", 3, "no-state")
    world.manage()
    test_flows(world)
    test_tags(world)
    test_bridges(world)
    test_kept(world)
    test_policy(world)
    test_reuse(world)
    test_restart(world)
    test_tags_first(world)
    test_none(world)
    test_lost_tag(world)


def begin(world, port, who="vnet0"):
    """A connection to a port of the uplink's, with its answer."""
    talk = Conversation(world, who, "uplink")
    return (world.verdict(who, talk.udp(0, 40000, port), ["uplink"])
            or world.verdict("uplink", talk.udp(1, 40000, port), [who]))


def answers(world, port, receivers, who="vnet0"):
    return world.verdict("uplink", Conversation(world, who, "uplink").udp(1, 40000, port),
                         receivers)


def syncs_nothing(world, when):
    for options in ((), ("--full",)):
        result = nwfilter("sync", *options)
        world.check(f"{when}: sync {' '.join(options)} sends nothing",
                    result.status == 0 and NOTHING_SENT in result.out, result)


def test_flows(world):
    numbers = {name: world.ovs.ofport(name) for name in ("vnet0", "vnet1", "vnet2")}
    tracked = {name: [flow for flow in world.ovs.flows("br0")
                      if re.search(rf"cookie=0x6e77661[12]{number:04x}", flow)]
               for name, number in numbers.items()}
    has_ct = {name: any("ct(" in flow or "ct_" in flow for flow in flows)
              for name, flows in tracked.items()}
    world.check("tracked guests' flows track, a stateless one's know of no connection",
                all(tracked.values()) and has_ct == {"vnet0": True, "vnet1": True, "vnet2": False},
                has_ct)
    zones = {name: world.zone(name) for name in (*numbers, "uplink")}
    world.check("tracked guests have a zone of the upper half each, the others none",
                zones["vnet0"] and zones["vnet1"] and zones["vnet0"] != zones["vnet1"]
                and int(zones["vnet0"]) >= 0x8000 and int(zones["vnet1"]) >= 0x8000
                and zones["vnet2"] is zones["uplink"] is None, zones)
    world.check("and are active", {world.status(name) for name in numbers} == {"active"})
    syncs_nothing(world, "at first")
    talk = Conversation(world, "vnet2", "uplink")
    world.expect_all("stateless: an answer passes, asked for or not", [
        ("uplink", talk.udp(1, 1, 53), ["vnet2"]), ("uplink", talk.udp(1, 1, 54), []),
        ("vnet2", talk.udp(0, 1, 53), ["uplink"]), ("vnet2", talk.udp(0, 1, 54), [])])


def test_tags(world):
    """A zone's tag that nobody of ours wrote."""
    mine, others = world.zone("vnet0"), world.zone("vnet1")
    for hostile in ("0", "70000", "65536", "-1", "x", "", "0x9000", " 40000", others):
        wrong = begin(world, 1000)
        world.set_tags("vnet0", nwfilter_ct_zone=hostile)
        result = nwfilter("sync")
        now = world.zone("vnet0"), world.zone("vnet1")
        good = all(re.fullmatch(r"[1-9]\d*", n or "") and 0x8000 <= int(n) <= 0xffff for n in now)
        world.check(f'the tag "{hostile}" is replaced', not wrong and result.status == 0 and good
                    and now[0] != now[1] and hostile not in now[:1], (wrong, result, now))
        wrong = answers(world, 1000, []) or begin(world, 1001)
        world.check("    and the zone it gets is empty", not wrong, wrong)
    world.set_tags("vnet2", nwfilter_ct_zone=mine)
    world.set_tags("uplink", nwfilter_ct_zone="7")
    nwfilter("sync")
    world.check("who is not tracked keeps none", world.zone("vnet2") is world.zone("uplink")
                is None)
    syncs_nothing(world, "then")


def test_bridges(world):
    """Equal port numbers on another bridge."""
    world.ovs.add_bridge("br1")
    ports = [Port(name) for name in ("other0", "other1", "other2")]
    for number, name in enumerate(("other0", "other1", "other2"), 1):
        world.ovs.vsctl("add-port", "br1", name, "--", "set", "Interface", name,
                        f"ofport_request={number + 1}", f'external_ids:attached-mac='
                        f'"52:54:00:00:01:{number:02x}"', "external_ids:nwfilter=begins")
    names = ["vnet0", "vnet1", "other0", "other1", "other2"]
    nwfilter("manage", "br1")
    zones = [world.zone(name) for name in names]
    same = world.ovs.ofport("vnet0") == world.ovs.ofport("other0")
    world.check("ports of one number on two bridges have zones of their own",
                same and None not in zones and len(set(zones)) == len(zones), zones)
    # Both bridges at once, all zones new.
    for name in names:
        world.set_tags(name, nwfilter_ct_zone=None)
    nwfilter("sync")
    zones = [world.zone(name) for name in names]
    world.check("also when one sync gives all of them", None not in zones
                and len(set(zones)) == len(zones), zones)
    for name in names:
        world.set_tags(name, nwfilter_ct_zone="40000")
    nwfilter("sync")
    zones = [world.zone(name) for name in names]
    world.check("also when all had one and the same", None not in zones
                and len(set(zones)) == len(zones), zones)
    result = nwfilter("sync")
    world.check("and they stay", result.out.count(NOTHING_SENT) == 2
                and zones == [world.zone(name) for name in names], result)
    # As long as flows use a zone, nobody else gets it.
    nwfilter("unbind", "vnet0")
    world.set_tags("other0", nwfilter_ct_zone=None)
    nwfilter("sync", "br1")
    world.check("a zone is not given away before its last user's flows are gone",
                world.zone("vnet0") and world.zone("other0") not in (None, world.zone("vnet0")),
                (world.zone("vnet0"), world.zone("other0")))
    nwfilter("sync", "br0")
    world.check("and is free then", world.zone("vnet0") is None)
    world.bind("vnet0", "begins")
    world.sync()
    world.ovs.vsctl("del-br", "br1")
    for port in ports:
        port.remove()


def test_kept(world):
    """A zone stays its port's until the port is not tracked any more."""
    before = world.zone("vnet0")
    wrong = begin(world, 2000)
    world.bind("vnet0", "asked")
    world.sync()
    world.bind("vnet0", "begins")
    world.sync()
    world.check("another filter, and back: the zone is kept, and the connection",
                not wrong and world.zone("vnet0") == before and not answers(world, 2000, ["vnet0"]),
                (wrong, before, world.zone("vnet0")))
    for what, change in {"unbind": lambda: nwfilter("unbind", "vnet0"),
                         "a stateless filter": lambda: world.bind("vnet0", "no-state")}.items():
        wrong = begin(world, 2001)
        change()
        nwfilter("sync")
        gone = world.zone("vnet0")
        world.bind("vnet0", "begins")
        world.sync()
        wrong = wrong or answers(world, 2001, []) or begin(world, 2002)
        world.check(f"{what}: the zone is given up, and is empty when it is taken again",
                    gone is None and world.zone("vnet0") and not wrong, (gone, wrong))
    syncs_nothing(world, "then")


def test_policy(world):
    """A rule that goes takes its connections along."""
    udp = rule("accept", "out", "<udp/>") + rule("drop", "inout", "<all/>")
    tcp = rule("accept", "out", "<tcp/>") + rule("drop", "inout", "<all/>")
    define("changing", udp)
    world.bind("vnet1", "changing")
    world.sync()
    talk = Conversation(world, "vnet1", "uplink")
    wrong = begin(world, 3000, "vnet1")
    define("changing", tcp)
    world.sync()
    world.check("a connection passes no longer than its rule", not wrong and not answers(
        world, 3000, [], "vnet1"), wrong)
    world.expect("nor does the guest's side of it", "vnet1", talk.udp(0, 40000, 3000), [])
    define("changing", udp)
    world.sync()
    world.expect("with the rule it is back", "uplink", talk.udp(1, 40000, 3000), ["vnet1"])
    world.bind("vnet1", "begins")
    world.sync()


def test_reuse(world):
    """A new guest on an old one's number gets none of its connections."""
    number, old = world.ovs.ofport("vnet0"), world.zone("vnet0")
    wrong = begin(world, 4000)
    world.unplug("vnet0")
    world.guest("vnet0", 1, "begins", {"ofport_request": number})
    world.sync()
    world.check("the new guest has the old one's number and zone", (
        world.ovs.ofport("vnet0"), world.zone("vnet0")) == (number, old), world.zone("vnet0"))
    world.check("and not its connections", not wrong and not answers(world, 4000, [])
                and not begin(world, 4001), wrong)


def test_restart(world):
    """On the datapath that ends with ovs-vswitchd, connections end; the policy does not."""
    before = world.zone("vnet0")
    wrong = begin(world, 5000)
    world.ovs.restart_switch()
    world.rewire()
    shut = world.verdict("vnet0", Conversation(world, "vnet0", "uplink").udp(0, 1, 2), [])
    world.sync()
    world.check("restarted: shut, then as it was, in the same zone", not wrong and not shut
                and world.zone("vnet0") == before and not answers(world, 5000, [])
                and not begin(world, 5001), (wrong, shut))
    frame = f.eth(world.mac("vnet0"), world.mac("uplink"),
                  f.ipv4("10.0.0.254", "10.0.0.1", f.udp(5001, 40001)))
    world.expect("restarted: what nobody asked for is dropped", "uplink", frame, [])
    syncs_nothing(world, "restarted")


def test_none(world):
    """A guest whose filter needs a zone and fails gets none; what is not ours stays as it is."""
    for i in range(1, 181):
        side = "src" if i % 2 else "dst"
        define(f"deep{i}", f"<filter name='deep{i}' chain='ipv4-{i}'><rule action='return' "
               f"direction='out'><ip protocol='tcp' {side}portstart='{i}' {side}portend="
               f"'{65535 - i}'/></rule></filter>")
    define("deep", "".join(f"<filterref filter='deep{i}'/>" for i in range(1, 181)) + OUT)
    world.set_tags("vnet0", nwfilter="deep", nwfilter_ct_zone=None)
    for _ in range(2):
        _, sent = r.record(world, "sync")
        status = world.status("vnet0")
        world.check("no zone for a filter that fails", status.startswith("error: ")
                    and "tables" in status and not world.zone("vnet0")
                    and not any(message.type == r.EXPERIMENTER for message in sent),
                    (world.tags("vnet0"), [message.raw.hex() for message in sent]))
    world.set_tags("vnet0", nwfilter="begins", nwfilter_ct_zone="7")
    world.sync()
    world.check("a zone that is not from our range is replaced", int(world.zone("vnet0")) >= 32768)


def test_lost_tag(world):
    """A guest is plugged anew, and its tag is lost while its flows are still there: a guest of the
    same number on another bridge does not get its zone."""
    zone = world.zone("vnet0")
    number = world.ovs.ofport("vnet0")
    tags = world.tags("vnet0")
    world.ovs.vsctl("del-port", "vnet0", "--", "add-port", "br0", "vnet0", "--", "set", "Interface",
                    "vnet0", f"ofport_request={number}", *[
                        f'external_ids:{key}="{value}"' for key, value in tags.items()
                        if key in ("attached-mac", "nwfilter")])
    world.ovs.add_bridge("br7")
    port = Port("other7")
    world.ovs.vsctl("add-port", "br7", "other7", "--", "set", "Interface", "other7",
                    f"ofport_request={number}", 'external_ids:attached-mac="52:54:00:00:07:01"',
                    "external_ids:nwfilter=begins")
    nwfilter("manage", "br7")
    world.check("equal numbers on two bridges: zones of their own", world.ovs.ofport("other7")
                == number and world.zone("other7") and world.zone("other7") != zone,
                (zone, world.zone("other7")))
    world.ovs.vsctl("del-br", "br7")
    port.remove()
    world.sync()


def test_tags_first(world):
    """Before flows use a zone the database says whose it is: a run may be killed at any time."""
    for name in ("vnet0", "vnet1"):
        world.set_tags(name, nwfilter="no-state")
    world.sync()
    for name in ("vnet0", "vnet1"):
        world.set_tags(name, nwfilter="begins")
    seen = []

    def judge(message, _):
        if message.type == r.BUNDLE_CONTROL:
            seen.append({world.zone("vnet0"), world.zone("vnet1")})
        return r.PASS
    with r.SwitchRelay(world, judge) as relay:
        result = relay.nwfilter("sync")
    used = {str(int(zone, 0)) for flow in world.ovs.flows("br0")
            for zone in re.findall(r"ct\([^)]*zone=(\w+)", flow)}
    world.check("zones are in the database before they are in flows", result.status == 0
                and len(used) == 2 and seen and all(tags == used for tags in seen),
                (result, used, seen))


if __name__ == "__main__":
    run(test)
