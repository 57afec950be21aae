#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who has sent what the uplink guard kept back: port, address, VLAN and counter, by the verb "guard"
and in the daemon's log."""

import datetime
import json
import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import flood, frames as f  # noqa: E402
from lab.host import SwitchHost  # noqa: E402
from lab.netns import WORK, wait_for  # noqa: E402
from lab.nwfilterd import Nwfilterd  # noqa: E402
from system.guard import FOREIGN, advertise, arp, ip, lla, nd, solicit  # noqa: E402
from system.world import FILTERS, call, define, nwfilter, run  # noqa: E402

BOUGHT, LISTED = "00:50:56:00:00:07", "00:50:56:00:00:08"
OTHER = "52:54:00:00:00:67"


def test(world):
    define("open", "<rule action='accept' direction='inout'><mac/></rule>")
    world.trusted("nic", 254)
    world.guest("open0", 1, "open")
    world.guest("open1", 2, "open")
    test_none(world)
    world.manage("--guard=nic", f"--guard-mac={BOUGHT},{LISTED}/192.0.2.8")
    world.ports["br0"] = SwitchHost("br0")
    world.rewire()
    test_reasons(world)
    test_counts(world)
    test_others(world)
    test_room(world)
    test_daemon(world)
    test_bad(world)


def offenders(*options):
    result = call("guard", *options, "--format=json")
    assert result.status == 0, result
    return json.loads(result.out)


def found(**wanted):
    """The records that have these values."""
    return [record for record in offenders("br0") if wanted.items() <= record.items()]


def test_none(world):
    world.check("nothing is guarded: an empty list, and an error if a bridge is named",
                offenders() == [] and call("guard", "br0").status == 1)


def test_reasons(world):
    rows = [("source", FOREIGN, None, ip(FOREIGN)), ("source", FOREIGN, 7, ip(FOREIGN, tags=[7])),
            ("source", BOUGHT, 7, arp(BOUGHT, tags=[7])), ("ip", LISTED, None, ip(LISTED)),
            ("arp", BOUGHT, None, arp(BOUGHT, sha=FOREIGN)), ("nd", BOUGHT, None, solicit(
                BOUGHT, lla(1, FOREIGN))), ("nd", LISTED, None, nd(LISTED, 134, bytes(8)))]
    for reason, mac, vlan, frame in rows[:-1]:
        world.wire.exchange([("open0", frame)])
        records = found(bridge="br0", uplink="nic", port="open0", mac=mac, vlan=vlan, reason=reason)
        world.check(f"{reason}, {mac}, VLAN {vlan}: port and address in one record",
                    len(records) == 1, offenders())
    before = offenders("br0")
    world.check("    with the frame by which it was learned", all(
        record["packets"] == 1 and record["mac"] for record in before), before)
    world.wire.exchange([("open0", frame) for frame in (
        arp(BOUGHT), advertise(BOUGHT), nd(BOUGHT, 133, lla(1, FOREIGN)))])
    after = offenders("br0")
    world.check("what may leave is nobody's offence, nor are solicitations of routers", [
        record | {"last_seen": None} for record in before] == [
            record | {"last_seen": None} for record in after], (before, after))
    world.check("a record says when it was seen last", all(age(record) < 60 for record in before),
                before)
    text = call("guard").out
    world.check("as a table", text.startswith("bridge") and FOREIGN in text and "open0" in text,
                text)


def age(record):
    seen = datetime.datetime.fromisoformat(record["last_seen"].replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - seen).total_seconds()


def settled(world):
    """Open vSwitch writes counters back when it looks at its cached flows."""
    world.ovs.appctl("revalidator/wait")


def test_counts(world):
    for sender, mac in (("open1", OTHER), ("br0", FOREIGN)):
        world.wire.exchange([(sender, ip(mac)) for _ in range(100)])
        wait_for(lambda: settled(world) or sum(
            record["packets"] for record in found(port=sender)) == 100, "the counters")
        records = found(port=sender)
        world.check(f"{sender}'s frames are counted", len(records) == 1 and records[0]["packets"]
                    == 100 and records[0]["mac"] == mac, records)


def test_others(world):
    """What is not learned of."""
    world.wire.exchange([("nic", ip(FOREIGN, to=f.BROADCAST))])
    world.check("what comes in by the NIC itself is no offence", not found(port="nic"))
    world.check("nothing of this is a change of flows", nwfilter("diff").status == 0)


def test_room(world):
    random = flood.Flooder(BOUGHT, "10.0.0.5", seed=3)
    world.wire.exchange([("open1", ip(random.any_mac())) for _ in range(500)])
    wait_for(lambda: settled(world) or sum(
        record["packets"] for record in found(port="open1")) == 600, "the counters")
    learned = [record for record in found(port="open1") if record["mac"]]
    rest = found(port="open1", mac=None)
    world.check(f"a flood of addresses: {len(learned)} are named, the rest is counted, and who was "
                "there is still", len(learned) == 16 and len(rest) == 1
                and any(record["mac"] == OTHER for record in learned), (learned, rest))
    world.wire.exchange([("br0", ip("52:54:00:00:00:68"))])
    world.check("    and others are named as before", found(port="br0", mac="52:54:00:00:00:68"))


def test_daemon(world):
    daemon = Nwfilterd(FILTERS)
    daemon.start()
    daemon.settle()
    undone = daemon.counts("br0")
    world.wire.exchange([("open0", ip("52:54:00:00:00:99", tags=[9])) for _ in range(50)])

    def said():
        with open(f"{WORK}/ovs-nwfilterd.log") as log:
            return [line for line in log if "52:54:00:00:00:99" in line]
    wait_for(said, "a line in the daemon's log")
    line = said()
    world.check("the daemon names an offender once: port, uplink, address and VLAN", len(line) == 1
                and all(word in line[0] for word in ("WARN", "open0", "nic", "VLAN 9")), line)
    daemon.settle()
    world.check("    and repairs nothing", daemon.counts("br0") == undone, daemon.counts("br0"))
    world.check("    the verb works beside it", found(mac="52:54:00:00:00:99", vlan=9))
    world.unplug("open1")
    daemon.settle()
    world.check("a port that has gone has its number", any(
        record["port"].startswith("OpenFlow port ") for record in offenders()), offenders())
    daemon.stop()
    world.ovs.restart_switch()
    nwfilter("sync")
    world.check("a restart of ovs-vswitchd begins anew", offenders("br0") == [])


def test_bad(world):
    result = call("guard", "br7")
    world.check("a bridge that is not there", result.status == 1 and "br7: no such bridge" in
                result.err, result)
    world.ovs.switch.stop()
    result = call("guard", "br0", "--timeout=2")
    world.check("a switch that is not there", result.status == 1 and result.err.count("\n") == 1
                and "br0" in result.err, result)
    world.ovs.start_switch()


if __name__ == "__main__":
    run(test)
