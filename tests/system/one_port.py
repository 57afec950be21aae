#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sync --port and bind --sync: the port's whole bridge is in order, and the port's line tells of it.

Whatever has changed, the port's policy is in force afterwards, "diff" finds nothing left to do, and
the exit status is that of the port alone: another one has no filter all the time.
"""

import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.wire import Port  # noqa: E402
from system import relay as r  # noqa: E402
from system.conversation import Conversation  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
ALONE = r"br0: vnet0: \d+ flows: \d+ added, \d+ changed, \d+ removed\n"
SWITCH = r"ovs-nwfilter: bridge br0: .*\n"
MEANWHILE = r"ovs-nwfilter: .*\bvnet0: somebody else has changed its tags meanwhile\n"
PENDING = "cookie=0x6e7766090000ffff,table=0,priority=0,reg0=0xffffffff,actions=drop"


def test(world):
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, CLEAN, IP="10.0.0.2")
    world.guest("vnet2", 3)
    world.manage()
    test_alone(world)
    test_asked(world)
    test_tags_first(world)
    test_meanwhile(world)
    test_two_binds(world)
    test_other_ports(world)
    test_repair(world)
    test_whole(world)
    test_tracked(world)
    test_refused(world)


def synced(world, what, *words, status=0, differences=0, port="vnet0", timeout=60):
    """Run "sync --port=vnet0", or words; see that it tells of the port, and was all there was to
    do."""
    result = nwfilter(*(words or ("sync", "--port=vnet0")), timeout=timeout)
    diff = nwfilter("diff")
    world.check(what, result.status == status and diff.status == differences
                and re.fullmatch(ALONE.replace("vnet0", port), result.out)
                and len(result.err.splitlines()) == status, (result, diff))
    return result


def passes(world, src, *others):
    world.expect_all(f"    {src} passes, {' '.join(others)} not", [
        ("vnet0", world.ip("vnet0", src=src), ["uplink", "vnet1"]),
        *[("vnet0", world.ip("vnet0", src=other), []) for other in others]])


def test_alone(world):
    passes(world, "10.0.0.1", "10.0.0.7")
    world.bind("vnet0", CLEAN, "IP=10.0.0.7")
    passes(world, "10.0.0.1", "10.0.0.7")
    synced(world, "another address")
    world.check("    it is active", world.status("vnet0") == "active")
    passes(world, "10.0.0.7", "10.0.0.1")
    synced(world, "bind --sync", "bind", "--sync", "vnet0", CLEAN, "IP=10.0.0.8")
    world.check("    it is active", world.status("vnet0") == "active")
    passes(world, "10.0.0.8", "10.0.0.1", "10.0.0.7")
    before = flows(world)
    result = nwfilter("sync", "--port=vnet0,vnet1", "--dry-run")
    world.check("a dry run finds nothing to do", result.status == 0 and len(
        re.findall(r"vnet\d: \d+ flows: 0 added, 0 changed, 0 removed\n", result.out)) == 2, result)
    world.set_tags("vnet0", nwfilter_IP="10.0.0.1")
    result = nwfilter("sync", "--port=vnet0", "--dry-run")
    world.check("a dry run shows what it would do, and does not", result.status == 0
                and "+cookie" in result.out and "0xa000001" in result.out  # compared bit by bit
                and flows(world) == before, result)
    result = nwfilter("--format=json", "sync", "--port=vnet0")
    world.check("JSON", re.fullmatch(
        r'\{"bridge": "br0", "port": "vnet0", "flows": \d+, "added": \d+, "changed": [1-9]\d*, '
        r'"removed": \d+\}\n', result.out), result)
    passes(world, "10.0.0.1", "10.0.0.8")


def flows(world):
    return {re.sub(r" duration=\S+| n_\w+=\S+| (idle|hard)_age=\S+", "", flow)
            for flow in world.ovs.flows("br0") if "cookie=0x6e776681" not in flow}


def test_asked(world):
    """One connection, and one look at all flows."""
    world.set_tags("vnet0", nwfilter_IP="10.0.0.6")
    _, sent = r.record(world, "sync", "--port=vnet0")
    stats = [message for message in sent if message.name == "stats"]
    world.check("one connection, and one dump", len(stats) == 1
                and [message.name for message in sent].count("hello") == 1, sent)
    world.set_tags("vnet0", nwfilter_IP="10.0.0.1")
    nwfilter("sync")


def test_tags_first(world):
    """What keeps the flows away does not keep the tags away, and is not called active."""
    def refuse(message, reply):
        if message.type == r.BUNDLE_ADD:
            reply(r.openflow(message.version, r.ERROR, message.inner.xid, bytes([0, 5, 0, 0])))
            return r.DROP
        return r.PASS
    binding = ("bind", "--sync", "vnet0", CLEAN, "IP=10.0.0.9")
    for what, judge in (("an unreachable switch", lambda *_: r.CLOSE), ("a refused bundle", refuse)):
        world.bind("vnet0", CLEAN, "IP=10.0.0.1", "--sync")
        before = flows(world)
        with r.SwitchRelay(world, judge) as relay:
            result = relay.nwfilter(*binding)
        world.check(f"bind --sync: {what}: exit 1, one line, the tags are there, not active",
                    result.status == 1 and re.fullmatch(SWITCH, result.err) and not result.out
                    and world.tags("vnet0")["nwfilter-IP"] == "10.0.0.9"
                    and world.status("vnet0") != "active", (result, world.tags("vnet0")))
        world.check("    and the flows are as they were", flows(world) == before,
                    flows(world) ^ before)
        passes(world, "10.0.0.1", "10.0.0.9")
        synced(world, "    the next sync puts it in force")
        passes(world, "10.0.0.9", "10.0.0.1")
    world.bind("vnet0", CLEAN, "IP=10.0.0.1", "--sync")
    tags, before = world.tags("vnet0"), flows(world)
    for words in (("broken",), (CLEAN, "IP=10.0.0.300"), ("no-such",)):
        define_filters()
        result = nwfilter("bind", "--sync", "vnet0", *words)
        world.check(f"bind --sync {' '.join(words)}: nothing is written", result.status == 1
                    and re.fullmatch("ovs-nwfilter: vnet0: filter .*\n", result.err)
                    and not result.out and world.tags("vnet0") == tags
                    and flows(world) == before, (result, world.tags("vnet0")))
    writes = []

    def note(message, _):
        if message.name == "bundle-commit":
            writes.append(world.tags("vnet0"))
        return r.PASS
    with r.SwitchRelay(world, note) as relay:
        result = relay.nwfilter(*binding)
    world.check("    before the flows, the tags are there without a status", result.status == 0
                and len(writes) == 1 and writes[0]["nwfilter-IP"] == "10.0.0.9"
                and not {"nwfilter-status", "nwfilter-installed-ts"} & set(writes[0])
                and world.status("vnet0") == "active", (result, writes))
    world.bind("vnet0", CLEAN, "IP=10.0.0.1", "--sync")


def test_meanwhile(world):
    """Tags that somebody else writes while the flows are on their way: they are kept, and win.  If
    the binding is not what was asked for any more, that is an error of bind."""
    for words in (("sync", "--port=vnet0"), ("bind", "--sync", "vnet0", CLEAN, "IP=10.0.0.9")):
        for what, change in {
                "another value": lambda: world.set_tags("vnet0", nwfilter_IP="10.0.0.66"),
                "another binding": lambda: world.bind("vnet0", CLEAN, "IP=10.0.0.1"),
                "a new variable": lambda: world.set_tags("vnet0", nwfilter_MAC="52:54:00:00:00:76"),
                "an attached profile": lambda: world.set_tags("vnet0", port_profile="other"),
                "an attached address": lambda: world.set_tags("vnet0", attached_mac="52:54:00:00:00:77"),
        }.items():
            for address, status in (("10.0.0.7", None), ("10.0.0.8", "active")):
                world.set_tags("vnet0", nwfilter_IP="10.0.0.5")
                world.sync(status=1)
                world.set_tags("vnet0", nwfilter_IP=address, nwfilter_status=status)
                attached = world.tags("vnet0")["attached-mac"]
                changed = []

                def judge(message, _):
                    if message.type == r.BUNDLE_CONTROL and not changed:
                        change()
                        changed.append(lasting(world) | {"nwfilter-status": "active"})
                    return r.PASS
                with r.SwitchRelay(world, judge) as relay:
                    result = relay.nwfilter(*words)
                diff = nwfilter("diff")
                world.check(f"{' '.join(words[:2])}: meanwhile {what}, status {status}",
                            is_end(result, words[0] == "bind" and "attached" not in what)
                            and changed == [lasting(world)] and diff.status == 0,
                            (result, changed, world.tags("vnet0"), diff))
                world.set_tags("vnet0", attached_mac=attached, nwfilter_MAC=None, port_profile=None)
                world.sync(status=1)
    test_foreign_key(world)
    test_replaced(world)


def is_end(result, is_overtaken):
    if is_overtaken:
        return result.status == 1 and re.fullmatch(MEANWHILE, result.err)
    return result.status == 0 and not result.err


def lasting(world):
    """The tags but for the time of the last change."""
    return {key: value for key, value in world.tags("vnet0").items()
            if key != "nwfilter-installed-ts"}


def test_replaced(world):
    """The port is no guest any more, or gone, when tags are to be written, or put in force."""
    fresh = ("--", "--if-exists", "del-port", "vnet3", "--", "add-port", "br0", "vnet3")
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-guests=none")
    world.sync(status=1)
    binding = ("vnet3", CLEAN, "IP=10.0.0.3", "MAC=52:54:00:00:00:04")
    for what, change, error in (
            ("replaced by a trusted one", fresh,
             "(a trusted port, .* are not filtered|somebody else has changed its tags .*)"),
            ("gone", fresh[:4], "(not on the bridge any more|no such interface)")):
        world.guest("vnet3", 4)
        calls = []

        def judge(call, _):
            calls.append("mutate" in call.raw.decode())
            if calls[-1] and sum(calls) == 1:
                world.ovs.vsctl("--no-wait", *change)
            return r.PASS
        with r.DatabaseRelay(world, judge) as relay:
            result = relay.nwfilter("bind", "--sync", *binding)
        # bind may find the new one, and bind it.
        new = "replaced" in what and result.status == 0 and world.status("vnet3") == "active"
        world.check(f"bind --sync: as it writes the port is {what}", any(calls) and (
            result.status == 1 and re.fullmatch(f"ovs-nwfilter: vnet3: {error}\n", result.err)
            or new), result)
        world.ovs.vsctl("--may-exist", "add-port", "br0", "vnet3")
        world.unplug("vnet3")
        world.sync(status=1)
    world.guest("vnet3", 4)
    with r.DatabaseRelay(world, lambda call, _: "mutate" in call.raw.decode() and
                         world.ovs.vsctl("--if-exists", "del-port", "vnet3") and None) as relay:
        result = relay.nwfilter("bind", *binding)
    world.check("bind: the port goes", result.status == 1
                and re.fullmatch("ovs-nwfilter: .*\n", result.err), result)
    world.ovs.vsctl("--may-exist", "add-port", "br0", "vnet3")
    world.unplug("vnet3")
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "nwfilter-guests")
    world.sync(status=1)


def test_two_binds(world):
    """Of two bindings that are written at once one is in force, and no mixture."""
    both = [{"nwfilter-IP": "10.0.0.1"},
            {"nwfilter-IP": "10.0.0.8", "nwfilter-MAC": "52:54:00:00:00:01,52:54:00:00:00:78"}]
    words = [[f"{key[9:]}={value}" for key, value in binding.items()] for binding in both]
    for option in ((), ("--sync",)):
        world.bind("vnet0", CLEAN, *words[0])
        world.sync(status=1)
        done = []

        def judge(call, _):
            if "mutate" in call.raw.decode() and not done:
                done.append(world.bind("vnet0", CLEAN, *words[1]))
            return r.PASS
        with r.DatabaseRelay(world, judge) as relay:
            result = relay.nwfilter("bind", *option, "vnet0", CLEAN, *words[0])
        tags = {key: value for key, value in world.tags("vnet0").items()
                if key in ("nwfilter-IP", "nwfilter-MAC")}
        world.check(f"bind {' '.join(option)}: another bind meanwhile: this one's tags, or exit 1 and "
                    "the other's", done and (result.status, tags) in ((0, both[0]), (1, both[1])),
                    (result, tags))
    world.bind("vnet0", CLEAN, *words[0])
    world.sync(status=1)


def test_foreign_key(world):
    """A key that is none of ours may change, and a status is no policy."""
    count = []

    def judge(call, _):
        if "mutate" in call.raw.decode() and len(count) < 3:
            count.append(call)
            world.set_tags("vnet0", foreign=len(count), nwfilter_status=f"error: {len(count)}")
        return r.PASS
    for words in (("bind", "--sync"), ("bind",)):
        count.clear()
        world.set_tags("vnet0", foreign="0")
        with r.DatabaseRelay(world, judge) as relay:
            result = relay.nwfilter(*words, "vnet0", CLEAN, "IP=10.0.0.1")
        world.check(f"{' '.join(words)}: beside somebody who writes other keys", result.status == 0
                    and world.tags("vnet0")["foreign"] == str(len(count))
                    and world.status("vnet0") == ("active" if len(words) == 2 else None),
                    (result, world.tags("vnet0")))
        world.sync(status=1)


def test_other_ports(world):
    """Another port's new policy is put in force too; its errors are its status."""
    world.set_tags("vnet1", nwfilter_IP="10.0.0.22")
    synced(world, "another port's change is put in force too")
    world.expect("    it is", "vnet1", world.ip("vnet1", src="10.0.0.22"), ["uplink", "vnet0"])
    world.set_tags("vnet1", nwfilter="no-such")
    synced(world, "another port's error is none of this one's")
    world.check("    its status tells", "no such filter" in str(world.status("vnet1"))
                and world.status("vnet0") == "active", world.status("vnet1"))
    world.expect("    it is shut", "vnet1", world.ip("vnet1", src="10.0.0.22"), [])
    world.set_tags("vnet1", nwfilter=CLEAN, nwfilter_IP="10.0.0.2")
    world.sync(status=1)


def test_repair(world):
    """Every flow is compared."""
    number = world.ovs.ofport("vnet0")
    own = [line for line in world.ovs.ofctl("--no-stats", "dump-flows", "br0").splitlines()
           if re.search(rf"cookie=0x6e7766(02|11|12){number:04x}", line)]
    for flow in own:
        match = re.sub(r"^ *cookie=\w+, ?", "", flow.split(" actions=")[0])
        match = match.replace(" ", "") if "table=" in match else "table=0," + match.replace(" ", "")
        world.ovs.ofctl("--strict", "del-flows", "br0", match)
        synced(world, f"{match} is gone")
        world.ovs.ofctl("--strict", "mod-flows", "br0", match + ",actions=NORMAL")
        synced(world, f"{match} does something else")
    passes(world, "10.0.0.1", "10.0.0.7")


def test_whole(world):
    """What concerns other ports' flows, or the whole bridge."""
    for what, tags in (("another MAC address", {"nwfilter_MAC": "52:54:00:00:00:77"}),
                       ("its own MAC address", {"nwfilter_MAC": None}),
                       ("no filter", {"nwfilter": None}),
                       ("a filter again", {"nwfilter": CLEAN}),
                       ("a filter with more tables", {"nwfilter": "more"}),
                       ("one that wants no broadcasts", {"nwfilter": "quiet"}),
                       ("one that is broken", {"nwfilter": "broken"}),
                       ("one that is not", {"nwfilter": CLEAN})):
        define_filters()
        world.set_tags("vnet0", **tags)
        synced(world, what, status=what in ("no filter", "one that is broken"))
    passes(world, "10.0.0.1", "10.0.0.7")
    world.ovs.vsctl("set", "Port", "vnet0", "tag=5")
    synced(world, "another VLAN")
    world.ovs.vsctl("clear", "Port", "vnet0", "tag")
    synced(world, "no VLAN")
    world.ovs.ofctl("add-flow", "br0", PENDING)
    synced(world, "after a run that was interrupted")
    synced(world, "after that")
    synced(world, "--full", "sync", "--port=vnet0", "--full")
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter=audit")
    synced(world, "audit mode")
    synced(world, "in audit mode")
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter=enforce")
    synced(world, "enforced")
    world.ovs.vsctl("set", "Bridge", "br0", "stp_enable=true")
    synced(world, "NORMAL")
    synced(world, "with NORMAL")
    world.ovs.vsctl("set", "Bridge", "br0", "stp_enable=false")
    synced(world, "no NORMAL")
    test_normal_of_others(world)
    world.ovs.vsctl("clear", "Bridge", "br0", "fail_mode")
    synced(world, "fail_mode is not secure")
    world.check("    it is now", world.ovs.vsctl("get", "Bridge", "br0", "fail_mode").strip()
                == "secure")
    world.ovs.restart_switch()
    synced(world, "an empty switch")
    test_number(world)
    test_name(world)
    world.guest("vnet3", 4, CLEAN, IP="10.0.0.4")
    synced(world, "a new guest", "sync", "--port=vnet3", port="vnet3")
    world.expect("    it is one", "vnet3", world.ip("vnet3"), ["uplink", "vnet0", "vnet1"])
    world.unplug("vnet3")
    world.sync(status=1)


def test_number(world):
    """The number of a port that has gone, which had the same address: those flows are not its own."""
    address = "52:54:00:00:00:aa"
    world.guest("vnet4", 5, CLEAN, IP="10.0.0.5", MAC=address)
    world.set_tags("vnet0", nwfilter_MAC=address)
    world.sync(status=1)
    old, new = world.ovs.ofport("vnet0"), world.ovs.ofport("vnet4")
    world.unplug("vnet4")
    world.ovs.vsctl("set", "Interface", "vnet0", f"ofport_request={new}")
    world.check("    vnet0 has another's number", world.ovs.ofport("vnet0") == new)
    synced(world, "another's number")
    world.check("    nothing is left of its own", not any(
        re.search(rf"in_port={old}\b|reg0=0x{old:x}\b", flow) for flow in world.ovs.flows("br0")
        if "actions=drop" not in flow))
    world.set_tags("vnet0", nwfilter_MAC=None)
    world.sync(status=1)


def test_name(world):
    """An Interface in a Port of another name."""
    port = Port("nic")
    world.ovs.vsctl("--id=@i", "create", "Interface", "name=nic", "--", "--id=@p", "create", "Port",
                    "name=other", "interfaces=@i", "--", "add", "Bridge", "br0", "ports", "@p")
    for address in ("10.0.0.6", "10.0.0.66"):
        synced(world, f"a Port of another name: {address}", "bind", "--sync", "nic", CLEAN,
               f"IP={address}", "MAC=52:54:00:00:00:06", port="nic")
        world.check("    it is active", world.status("nic") == "active")
    world.ovs.vsctl("del-port", "other")
    port.remove()
    world.sync(status=1)


def define_filters():
    define("more", "".join(
        f"<rule action='drop' direction='out'><ip match='no' srcipaddr='10.0.{i}.0' srcipmask='16'/>"
        "</rule>" for i in range(3)))
    define("quiet", "<rule action='drop' direction='in'><mac dstmacaddr='ff:ff:ff:ff:ff:ff'/></rule>")
    define("broken", "<rule action='drop' direction='in'><ip srcipaddr='$NOBODY'/></rule>")


def test_normal_of_others(world):
    """A trusted bond makes the bridge need NORMAL; vnet0's rows do not tell."""
    members = [Port("bond-a"), Port("bond-b")]
    world.ovs.vsctl("add-bond", "br0", "bond", "bond-a", "bond-b", "bond_mode=active-backup")
    synced(world, "a bond came")
    synced(world, "beside a bond")
    synced(world, "a bond's member", "sync", "--port=bond-a", port="bond-a")
    result = nwfilter("bind", "--sync", "bond-a", CLEAN, "IP=10.0.0.9", "MAC=52:54:00:00:00:09",
                      timeout=20)
    error = "a guest's port can be no bond, .*"
    world.check("a bond's member can be no guest", result.status == 1
                and re.fullmatch(f"ovs-nwfilter: bond-a: {error}\n", result.err)
                and re.fullmatch(f"error: {error}", str(world.status("bond-a"))), result)
    result = nwfilter("sync", timeout=20)
    world.check("    and does not keep the others from being synchronised", result.status == 1
                and " 0 added, 0 changed, 0 removed" in result.out, result)
    nwfilter("unbind", "bond-a")
    synced(world, "it is none any more", timeout=20)
    world.ovs.vsctl("del-port", "bond")
    for port in members:
        port.remove()
    synced(world, "the bond is gone")
    synced(world, "and forgotten")


def test_tracked(world):
    """A guest whose connections are tracked keeps its zone, and its connections."""
    define("begins", "<rule action='accept' direction='out'><all state='NEW,ESTABLISHED'/></rule>"
           "<rule action='accept' direction='in'><all state='ESTABLISHED'/></rule>"
           "<rule action='drop' direction='inout'><all/></rule>")
    world.set_tags("vnet0", nwfilter="begins")
    synced(world, "tracked: a zone")
    zone = world.zone("vnet0")
    talk = Conversation(world, "vnet0", "uplink")
    world.expect("    the uplink is known", "uplink", world.arp("uplink"), ["vnet0", "vnet1"])
    begin = [("vnet0", talk.udp(0, 1, 53), ["uplink"]), ("uplink", talk.udp(1, 1, 53), ["vnet0"])]
    world.expect_all("    a connection", begin)
    define("begins", "<rule action='accept' direction='out'><all state='NEW,ESTABLISHED'/></rule>"
           "<rule action='accept' direction='in'><all state='ESTABLISHED'/></rule>"
           "<rule action='drop' direction='in'><udp/></rule>"
           "<rule action='drop' direction='inout'><all/></rule>")
    nwfilter("sync", "--port=vnet0")
    world.check("    another rule: the zone stays", world.zone("vnet0") == zone)
    world.expect_all("    and the connection", begin[1:])
    world.set_tags("vnet0", nwfilter_ct_zone="40000")
    synced(world, "another zone's tag")
    # Somebody has taken the zone while nothing said that it is vnet0's.
    world.set_tags("vnet0", nwfilter_ct_zone=None)
    world.set_tags("vnet1", nwfilter="begins", nwfilter_ct_zone=zone)
    nwfilter("sync", "--port=vnet1")
    world.set_tags("vnet0", nwfilter_ct_zone=world.zone("vnet1"))
    synced(world, "another's zone")
    world.check("    a zone each", world.zone("vnet0") != world.zone("vnet1"))
    world.set_tags("vnet1", nwfilter=CLEAN)
    nwfilter("sync")
    world.set_tags("vnet0", nwfilter=CLEAN)
    synced(world, "tracked no more")
    world.check("    it has no zone", world.zone("vnet0") is None)


def test_refused(world):
    world.ovs.add_bridge("br1")
    port = Port("other")
    world.ovs.vsctl("add-port", "br1", "other")
    for words, error in (
            (["sync", "--port=nobody"], "nobody: no such interface"),
            (["sync", "--port=other"], "other: bridge br1 is not managed; see ovs-nwfilter manage"),
            (["sync", "--port="], "--port names no port"),
            (["sync", "--port=vnet0", "br0"], "--port takes the place of BRIDGE"),
            (["diff", "--port=vnet0"], "diff does not take --port; see diff --help"),
            (["bind", "--sync", "other", CLEAN, "IP=10.0.0.1", "MAC=52:54:00:00:00:01"],
             "other: bridge br1 is not managed; see ovs-nwfilter manage")):
        result = nwfilter(*words)
        world.check(f"{' '.join(words)}: {error}", result.status == 1
                    and result.err == f"ovs-nwfilter: {error}\n", result)
    world.check("    and no status is written", world.status("other") is None)
    nwfilter("unbind", "other")
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-trusted=vnet1")
    unfiltered(world, "a trusted port")
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "nwfilter-trusted")
    nwfilter("sync")
    world.check("    it is a guest again", world.status("vnet1") == "active")
    world.ovs.vsctl("--", "--id=@p", "get", "Port", "vnet1", "--", "--id=@m", "create", "Mirror",
                    "name=m", "output_port=@p", "--", "set", "Bridge", "br0", "mirrors=@m")
    unfiltered(world, "a mirror's output")
    world.ovs.vsctl("clear", "Bridge", "br0", "mirrors")
    nwfilter("sync")
    world.set_tags("vnet0", nwfilter_IP="10.0.0.7")
    result = nwfilter("sync", "--port=nobody,vnet0")
    world.check("one port's error keeps no other", result.status == 1
                and re.fullmatch(ALONE, result.out) and len(result.err.splitlines()) == 1, result)
    passes(world, "10.0.0.7", "10.0.0.1")
    world.ovs.vsctl("del-br", "br1")
    port.remove()


def unfiltered(world, what):
    result = nwfilter("bind", "--sync", "vnet1", CLEAN, "IP=10.0.0.3")
    diff = nwfilter("diff")
    world.check(f"{what} gets no filter, and says so", result.status == 1
                and re.fullmatch(r"ovs-nwfilter: vnet1: a trusted port, .* are not filtered\n",
                                 result.err) and diff.status == 0, (result, diff))
    world.check("    and no status", world.status("vnet1") is None, world.tags("vnet1"))


if __name__ == "__main__":
    run(test)
