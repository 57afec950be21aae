#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A switch that does not take all of a bundle: none of it is in force.

Flows are refused by a real switch, whose datapath is said not to track connections, or whose
table is full; and, one at a time, by a relay (relay.py) in its place.  The guests whose own flows
these are get quarantined, and say why; all the rest is put in force.  What is no guest's own ends
the run, and nothing has changed.  A bundle that pauses is one that Open vSwitch drops, and opens
anew without a word when it goes on: half of it is never committed.
"""

import os
import struct
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system import relay as r  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
TRACKED = """<rule action='accept' direction='out'><tcp dstportstart='80'/></rule>
             <rule action='drop' direction='inout'><all/></rule>"""
BAD_MATCH = struct.pack("!HH", 4, 6)  # OFPBMC_BAD_FIELD
TABLE_FULL = struct.pack("!HH", 5, 1)  # OFPFMFC_TABLE_FULL
PERMISSION = struct.pack("!HH", 1, 5)  # OFPBRC_EPERM
KIND = {"way in": 0x02, "out": 0x11, "in": 0x12, "delivery": 0x05}
ADD = 0  # A flow mod's command.


def test(world):
    define("tracked", TRACKED)
    world.trusted("uplink", 254)
    for number in range(4):
        world.guest(f"vnet{number}", number + 1, CLEAN, IP=f"10.0.0.{number + 1}")
    world.manage()
    world.addresses = ["10.0.0.2", "10.0.0.7"]
    test_no_room(world)
    test_datapath(world)
    test_several(world)
    test_many(world)
    test_one_port(world)
    test_bind(world)
    test_full_table(world)
    test_each_flow(world)
    test_shared_flow(world)
    test_everything(world)
    test_full_for_nothing(world)
    test_late_error(world)
    test_pause(world)
    test_pause_at_end(world)


def turn(world):
    """Give vnet1, which has nothing to do with what is refused, its other address."""
    world.addresses.reverse()
    world.set_tags("vnet1", nwfilter_IP=world.addresses[0])


def wrong_with_vnet1(world):
    new, old = world.addresses
    return (world.status("vnet1") != "active" and world.status("vnet1")
            or world.verdict("vnet1", world.ip("vnet1", src=new, to="uplink"), ["uplink"])
            or world.verdict("vnet1", world.ip("vnet1", src=old, to="uplink"), []))


def is_open(world, *names):
    """What is wrong with ports that nothing may pass."""
    others = [name for name in ("vnet0", "vnet1", "vnet2", "vnet3") if name not in names]
    for name in names:
        wrong = (world.verdict(name, world.ip(name, to="uplink"), [])
                 or world.verdict(name, world.arp(name), [])
                 or world.verdict("uplink", world.arp("uplink"), others))
        if wrong:
            return wrong
    return None


def check_quarantined(world, what, result, names, reason):
    """A line for each of the ports, which are shut; the rest is in force."""
    lines = result.err.splitlines()
    wrong = (result.status != 1 or len(lines) != len(names)) and result
    for name, line in zip(names, lines):
        words = f"filter {world.tags(name)['nwfilter']}: the switch refuses: {reason}: " + (
            "table 10 is full" if "FULL" in reason else "cookie=")
        status = world.status(name)
        wrong = wrong or (f"{name}: {words}" not in line and result) or (
            not status.startswith(f"error: {words}") and status) or (
            world.zone(name) and "it has a zone")
    wrong = wrong or is_open(world, *names) or wrong_with_vnet1(world)
    world.check(f"{what}: quarantined, with the flow; the rest is in force", not wrong, wrong)


def track(world, can):
    world.ovs.appctl("dpif/set-dp-features", world.bridge, "ct_state", str(can).lower())


def restore(world, *names):
    """Nothing is refused any more."""
    for name in names:
        world.set_tags(name, nwfilter=CLEAN)
    again = nwfilter("sync")
    wrong = (again.status and again) or wrong_with_vnet1(world)
    for name in names:
        wrong = wrong or (world.status(name) != "active" and world.status(name)) or world.verdict(
            name, world.ip(name, to="uplink"), ["uplink"])
    full = nwfilter("diff")
    world.check("... and the next sync ends it", not (wrong or full.status), wrong or full)


def test_no_room(world):
    """What OpenFlow has no room for is refused at its line, and not sent."""
    for match in ("vlan_tci=0x2000/0xe000", "vlan_tci=0x3000/0x3000", "vlan_tci=1",
                  "vlan_tci=0x6/0xe547", "arp,arp_op=256"):
        define("no-room", "<filter name='no-room' chain='root'>\n"
               f"<rule action='drop' direction='out'><flow match='{match}'/></rule></filter>")
        world.set_tags("vnet0", nwfilter="no-room")
        turn(world)
        result, sent = r.record(world, "sync")
        lines = result.err.splitlines()
        own = [message for message in sent if message.type == r.BUNDLE_ADD
               and message.inner.body[17] == ADD and message.inner.cookie >> 36 & 1]
        wrong = (result.status != 1 or len(lines) != 1 or "vnet0: filter no-room: " not in lines[0]
                 or "no-room.xml:2: match: " not in lines[0] or "refuses" in lines[0]) and result
        ofport = world.ovs.ofport("vnet0")
        wrong = wrong or [m for m in own if m.inner.cookie >> 16 & 0xffff == ofport]
        wrong = wrong or is_open(world, "vnet0") or wrong_with_vnet1(world)
        world.check(f"{match}: quarantined, with the line of the filter; the rest is in force",
                    not wrong, wrong)
        restore(world, "vnet0")


def test_datapath(world):
    """The switch itself refuses flows when they are added."""
    reason = "NXBMC_CT_DATAPATH_SUPPORT"
    track(world, False)
    for version in ("OpenFlow13", "OpenFlow14", "OpenFlow15"):
        world.set_tags("vnet0", nwfilter=CLEAN)
        world.sync()
        world.set_tags("vnet0", nwfilter="tracked")
        turn(world)
        check_quarantined(world, f"{version}: a guest whose flows the datapath cannot do",
                          nwfilter("-O", version, "sync"), ["vnet0"], reason)
    result, sent = r.record(world, "sync")
    check_quarantined(world, "the same once more", result, ["vnet0"], reason)
    world.check("... which is tried again, and changes nothing",
                [m.name for m in sent].count("bundle-open") == 1
                and "bundle-commit" not in [m.name for m in sent]
                and "0 added, 0 changed, 0 removed" in result.out, result)
    track(world, True)
    result = nwfilter("sync")
    world.check("once the datapath can do it, sync puts it in force",
                not result.status and world.status("vnet0") == "active"
                and world.zone("vnet0"), result)
    restore(world, "vnet0")


def test_several(world):
    track(world, False)
    names = ["vnet0", "vnet2", "vnet3"]
    for name in names:
        world.set_tags(name, nwfilter="tracked")
    turn(world)
    result, sent = r.record(world, "sync")
    check_quarantined(world, "several guests", result, names, "NXBMC_CT_DATAPATH_SUPPORT")
    kinds = [m.name for m in sent if m.name.startswith("bundle-") and m.name != "bundle-add"]
    world.check("... with one try more for all of them", kinds == [
        "bundle-open", "bundle-discard", "bundle-open", "bundle-commit"], kinds)
    track(world, True)
    restore(world, *names)


def test_many(world):
    """More refusals than the connection holds: the switch reads nothing while they wait."""
    define("many", "".join("<rule action='accept' direction='out'>"
                           f"<tcp dstportstart='{port}'/></rule>" for port in range(1, 4000))
           + TRACKED)
    track(world, False)
    world.set_tags("vnet0", nwfilter="many")
    turn(world)
    # One that waits for ever is stopped.
    result = nwfilter("--timeout=600", "sync", timeout=90)
    check_quarantined(world, "thousands of flows", result, ["vnet0"], "NXBMC_CT_DATAPATH_SUPPORT")
    track(world, True)
    restore(world, "vnet0")


def test_one_port(world):
    track(world, False)
    world.set_tags("vnet0", nwfilter="tracked")
    result = nwfilter("sync", "--port=vnet0")
    check_quarantined(world, "sync --port", result, ["vnet0"], "NXBMC_CT_DATAPATH_SUPPORT")
    track(world, True)
    restore(world, "vnet0")


def test_bind(world):
    """A binding is written before it is put in force: one that the switch refuses stays, and its
    guest is quarantined."""
    world.set_tags("vnet0", nwfilter="stateless")
    define("stateless", "<rule action='drop' direction='in'><arp/></rule>")
    world.sync()
    define("stateless", "<rule action='accept' direction='out'><mac/></rule>"
                        "<rule action='drop' direction='in'><arp/></rule>")
    turn(world)
    with r.SwitchRelay(world, Refuse(is_flow(world, "out", "vnet0"))) as relay:
        result = relay.nwfilter("bind", "vnet0", "stateless", "IP=10.0.0.1", "--sync")
    check_quarantined(world, "bind --sync", result, ["vnet0"], "OFPBMC_BAD_FIELD")
    world.check("... and the binding is there", world.tags("vnet0")["nwfilter"] == "stateless"
                and world.tags("vnet0")["nwfilter-IP"] == "10.0.0.1"
                and "nwfilter-installed-ts" not in world.tags("vnet0"), world.tags("vnet0"))
    restore(world, "vnet0")


def test_full_table(world):
    """The switch itself refuses a flow when the bundle is committed."""
    define_drops("large", 300)
    define_drops("medium", 60)
    for filters, shut in ((["large", "medium", "medium"], ["vnet0"]),
                          (["medium", "large", "large"], ["vnet2", "vnet3"]),
                          (["medium", "medium", "medium"], ["vnet0"])):
        limit_table(world, 170)
        for name, filter_name in zip(("vnet0", "vnet2", "vnet3"), filters):
            world.set_tags(name, nwfilter=filter_name)
        turn(world)
        result, sent = r.record(world, "sync")
        check_quarantined(world, f"a table that does not take {filters}", result, shut,
                          "OFPFMFC_TABLE_FULL")
        kinds = [m.name for m in sent if m.name.startswith("bundle-") and m.name != "bundle-add"]
        world.check("... with one try more", kinds == [
            "bundle-open", "bundle-commit", "bundle-discard", "bundle-open", "bundle-commit"], kinds)
        world.ovs.vsctl("clear", "Bridge", world.bridge, "flow_tables")
        restore(world, "vnet0", "vnet2", "vnet3")
    for option in ((), ("--full",)):
        limit_table(world, 5)
        world.set_tags("vnet0", nwfilter="medium")
        check_quarantined(world, f"a table that takes no more {' '.join(option)}",
                          nwfilter("sync", *option), ["vnet0"], "OFPFMFC_TABLE_FULL")
        world.ovs.vsctl("clear", "Bridge", world.bridge, "flow_tables")
        restore(world, "vnet0")
    limit_table(world, 5, 100)
    world.set_tags("vnet0", nwfilter="medium")
    world.ovs.vsctl("set", "Port", "vnet0", "trunks=0,5,6,7,8")
    flows = world.ovs.flows(world.bridge)
    check_unchanged(world, "a table of flows that are no guest's own", nwfilter("sync"), flows,
                    "OFPFMFC_TABLE_FULL")
    world.ovs.vsctl("clear", "Bridge", world.bridge, "flow_tables")
    world.ovs.vsctl("clear", "Port", "vnet0", "trunks")
    restore(world, "vnet0")


def define_drops(name, number):
    define(name, "".join("<rule action='drop' direction='out'>"
                         f"<mac dstmacaddr='02:00:00:00:{i >> 8:02x}:{i & 255:02x}'/></rule>"
                         for i in range(number)))


def limit_table(world, limit, table=10):
    world.ovs.vsctl("--", "--id=@t", "create", "Flow_Table", f"flow_limit={limit}", "--", "set",
                    "Bridge", world.bridge, f"flow_tables:{table}=@t")


# ---- One flow at a time, by a relay.

def error(message, reply, what=BAD_MATCH, about=None):
    about = about or message.inner
    reply(r.openflow(message.version, r.ERROR, about.xid, what + about.raw[:64]))
    return r.DROP


class Refuse:
    """A judge that refuses the flows that are chosen."""

    def __init__(self, choose, what=BAD_MATCH):
        self.choose, self.what = choose, what
        self.sent = []

    def __call__(self, message, reply):
        self.sent.append(message.name)
        if message.type == r.BUNDLE_ADD and self.choose(message.inner):
            return error(message, reply, self.what)
        return r.PASS


def is_flow(world, kind, name=None):
    port = world.ovs.ofport(name) if name else 0

    def is_it(flow_mod):
        return flow_mod.body[17] == ADD and (
            flow_mod.cookie >> 32 & 0xff, flow_mod.cookie >> 16 & 0xffff) == (KIND[kind], port)
    return is_it


def shut(world, name):
    """The port is one in quarantine."""
    world.set_tags(name, nwfilter="no-such")
    world.sync(status=1)


def test_each_flow(world):
    """Whichever of a guest's flows is refused, it is not let out without that flow."""
    define("arp-only", "<rule action='accept' direction='inout'><arp/></rule>"
                       "<rule action='drop' direction='inout'><all/></rule>")
    for kind in ("way in", "out", "in"):
        shut(world, "vnet0")  # The way in is that of any filter.
        world.set_tags("vnet0", nwfilter="arp-only")
        turn(world)
        judge = Refuse(is_flow(world, kind, "vnet0"))
        with r.SwitchRelay(world, judge) as relay:
            result = relay.nwfilter("sync")
        check_quarantined(world, f"a guest's flows, {kind}", result, ["vnet0"], "OFPBMC_BAD_FIELD")
        restore(world, "vnet0")


def check_unchanged(world, what, result, flows, reason):
    """One line about the bridge, and the switch is as it was."""
    now = world.ovs.flows(world.bridge)
    lines = result.err.splitlines()
    world.check(f"{what}: one line, exit 1, nothing has changed",
                result.status == 1 and len(lines) == 1 and f"bridge {world.bridge}:" in lines[0]
                and reason in lines[0] and sorted(now) == sorted(flows),
                (result, set(now) ^ set(flows)))


def test_shared_flow(world):
    """A flow that is no guest's own, alone and beside one that is."""
    for both in (False, True):
        world.set_tags("vnet0", attached_mac="52:54:00:00:00:71")
        turn(world)
        flows = world.ovs.flows(world.bridge)
        own, shared = is_flow(world, "out", "vnet0"), is_flow(world, "delivery", "vnet0")
        judge = Refuse(lambda flow_mod: shared(flow_mod) or both and own(flow_mod))
        with r.SwitchRelay(world, judge) as relay:
            result = relay.nwfilter("sync", "--full")
        check_unchanged(world, f"a flow that is no guest's own, {'beside' if both else 'without'} "
                        "one that is", result, flows, "OFPBMC_BAD_FIELD")
        world.check("... and the bundle was discarded", "bundle-commit" not in judge.sent
                    and judge.sent.count("bundle-discard") == judge.sent.count("bundle-open") == 1,
                    judge.sent)
        world.set_tags("vnet0", attached_mac=world.mac("vnet0"))
        restore(world, "vnet0")


def test_everything(world):
    """Everything is refused: that is about none of the guests."""
    turn(world)
    flows = world.ovs.flows(world.bridge)
    with r.SwitchRelay(world, Refuse(lambda _: True, PERMISSION)) as relay:
        result = relay.nwfilter("sync")
    check_unchanged(world, "a switch that refuses everything", result, flows, "OFPBRC_EPERM")
    restore(world)


def test_full_for_nothing(world):
    """A table that is said to be full for a flow that takes another's place."""
    shut(world, "vnet0")
    world.set_tags("vnet0", nwfilter="arp-only")
    turn(world)
    flows = world.ovs.flows(world.bridge)
    with r.SwitchRelay(world, Refuse(is_flow(world, "way in", "vnet0"), TABLE_FULL)) as relay:
        result = relay.nwfilter("sync")
    check_unchanged(world, "a full table where nothing is added", result, flows,
                    "OFPFMFC_TABLE_FULL")
    restore(world, "vnet0")


def test_late_error(world):
    """Refused behind the barrier, and committed all the same: whatever is true, the status is."""
    for before in (CLEAN, "no-such"):
        world.set_tags("vnet0", nwfilter=before)
        nwfilter("sync")
        test_late_error_after(world, before)


def test_late_error_after(world, before):
    world.set_tags("vnet0", nwfilter="arp-only")
    turn(world)
    own, refused = is_flow(world, "out", "vnet0"), []

    def judge(message, reply):
        if message.type == r.BUNDLE_ADD and own(message.inner):
            refused.append(message)
        if message.name == "bundle-commit" and refused:
            error(refused.pop(), reply)
            refused.clear()
        return r.PASS
    with r.SwitchRelay(world, judge) as relay:
        result = relay.nwfilter("sync")
    check_quarantined(world, f"an error behind the barrier, {before} before", result, ["vnet0"], "OFPBMC_BAD_FIELD")
    restore(world, "vnet0")


# ---- Pauses.

class Pause:
    """A judge that holds a message back until the switch has dropped the bundle."""

    def __init__(self, at):
        self.at = at
        self.names = []

    def __call__(self, message, reply):
        self.names.append(message.name)
        if self.at(message.name, self.names.count(message.name)):
            time.sleep(4)
        return r.PASS


PAUSES = {
    "before the first change": lambda name, n: (name, n) == ("bundle-add", 1),
    "between changes": lambda name, n: (name, n) == ("bundle-add", 2),
    "behind the last change": lambda name, n: (name, n) == ("barrier", 1),
    "before the commit": lambda name, n: (name, n) == ("bundle-commit", 1),
}


def test_pause(world):
    """Open vSwitch drops a bundle that gets nothing for a second (ten, unless told so)."""
    world.ovs.vsctl("set", "Open_vSwitch", ".", "other_config:bundle-idle-timeout=1")
    for where, at in PAUSES.items():
        turn(world)
        flows = world.ovs.flows(world.bridge)
        with r.SwitchRelay(world, Pause(at)) as relay:
            result = relay.nwfilter("--timeout=30", "sync")
        check_unchanged(world, f"a bundle that pauses {where}", result, flows, "OFPBFC_")
        restore(world)


def test_pause_at_end(world):
    """The same of the bundle that takes everything away."""
    for where in ("before the first change", "behind the last change", "before the commit"):
        flows = world.ovs.flows(world.bridge)
        with r.SwitchRelay(world, Pause(PAUSES[where])) as relay:
            result = relay.nwfilter("--timeout=30", "unmanage", world.bridge)
        check_unchanged(world, f"unmanage that pauses {where}", result, flows, "OFPBFC_")
    result = nwfilter("unmanage", world.bridge)
    left = world.ovs.flows(world.bridge)
    world.check("unmanage once more ends it", not result.status
                and not any("cookie=0x6e7766" in flow for flow in left), (result, left))


if __name__ == "__main__":
    run(test)
