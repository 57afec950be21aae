#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of what a guest sends: frames for many, ARP and neighbour discovery, by meters.

What is over a limit is dropped and counted.  Meters come and go as flows do, are repaired, and are
nobody else's; where the switch has none, the guest is filtered without, and its status says so.
"""

import json
import os
import re
import struct
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.netns import wait_for  # noqa: E402
from system import live  # noqa: E402
from system import relay as r  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

FOLDER = "/etc/ovs-nwfilter/policy.d"
FIRST, ARP, NEW = 0x6e760000, 0x10000, 0x20000  # nwf_meter_id()
METER_MOD, METER_MOD_FAILED, OUT_OF_METERS = 29, 12, 10
NO_LIMITS = "error: it has no limits: "


def test(world):
    define("open", "<rule action='accept' direction='inout'/>")
    world.trusted("uplink", 1)
    number = world.guest("vnet0", 2, "open")
    world.guest("vnet1", 3, "open")
    world.manage()
    # Of somebody else.
    world.ovs.ofctl("-O", "OpenFlow13", "add-meter", "br0", "meter=7,pktps,band=type=drop,rate=9")
    world.hear("uplink", "vnet0", "vnet1")
    test_bind(world, number)
    test_rates(world, number)
    test_changes(world, number)
    test_new(world, number)
    test_bad(world)
    test_file(world, number)
    test_audit(world)
    test_no_meters(world, number)
    test_live(world, number)
    nwfilter("bind", "--wait", "vnet1", "open", "--limit-arp=5")
    before = meters(world)
    nwfilter("unmanage", "br0")
    world.check("unmanage removes ours, and no others", len(before) == 2
                and meters(world) == {7: 9}, (before, meters(world)))


def meters(world):
    """The switch's meters: {number: rate}."""
    text = world.ovs.ofctl("-O", "OpenFlow13", "dump-meters", "br0")
    return {int(number): int(rate) for number, rate in re.findall(
        r"meter=(\d+)[^=]*bands=\s*type=drop rate=(\d+)", text)}


def dropped(world, number):
    text = world.ovs.ofctl("-O", "OpenFlow13", "meter-stats", "br0", f"meter={number}")
    return int(re.search(r"0:\s*packet_count:(\d+)", text)[1])


def arrived(world, sender, frame, count=400):
    """How many of so many frames got to the uplink, and how long that took."""
    time.sleep(1.2)  # A second's packets may come at once.
    begin = time.monotonic()
    got = world.wire.exchange_each([(sender, frame)] * count)
    return sum(("uplink" in [name for name, _ in copies]) for copies in got), \
        time.monotonic() - begin


def is_limited(world, sender, frame, rate):
    """None, or what is wrong."""
    count, took = arrived(world, sender, frame)
    good = rate * 0.8 <= count <= rate * (1 + took) + 5
    return None if good else f"{count} of 400 in {took:.2f} s, not {rate} a second"


def is_free(world, sender, frame):
    count, _ = arrived(world, sender, frame)
    return None if count == 400 else f"{count} of 400"


def test_bind(world, number):
    result = nwfilter("bind", "--wait", "vnet0", "open", "--limit-broadcast=50", "--limit-arp=20")
    world.check("bind --limit-broadcast --limit-arp", result.status == 0
                and world.tags("vnet0")["nwfilter-limit-broadcast"] == "50"
                and world.tags("vnet0")["nwfilter-limit-arp"] == "20"
                and world.status("vnet0") == "active", result)
    world.check("    there is a meter for each", meters(world) == {
        7: 9, FIRST + number: 50, FIRST + ARP + number: 20}, meters(world))
    result = nwfilter("diff")
    world.check("    and nothing to be changed", result.status == 0, result)
    _, sent = r.record(world, "sync")
    names = [message.name for message in sent]
    world.check("    a second sync asks for meters, and changes none", "meters" in names
                and not any(message.type == METER_MOD for message in sent), names)
    for option in ("--limit-arp=0", "--limit-broadcast=60001", "--limit-arp=x"):
        result = nwfilter("bind", "vnet0", "open", option)
        world.check(f"    {option} is refused", result.status == 1
                    and "is not a number from 1 to 60000" in result.err, result)


def test_rates(world, number):
    solicit = f.ipv6("fe80::1", "ff02::1:ff00:2", f.neighbour(135, "fe80::2"), hops=255)
    advertise = f.ipv6("fe80::1", "fe80::2", f.neighbour(136, "fe80::1"), hops=255)
    to_uplink = world.mac("uplink")
    limited = {
        "broadcasts": (world.ip("vnet0"), 50),
        "multicasts": (world.ip("vnet0", "01:00:5e:01:02:03"), 50),
        "ARP requests": (world.arp("vnet0"), 20),
        "ARP replies": (world.arp("vnet0", "uplink", op=2), 20),
        "solicitations": (f.eth("33:33:ff:00:00:02", world.mac("vnet0"), solicit), 20),
        "advertisements": (f.eth(to_uplink, world.mac("vnet0"), advertise), 20),
    }
    for what, (frame, rate) in limited.items():
        wrong = is_limited(world, "vnet0", frame, rate)
        world.check(f"{what}: {rate} a second", not wrong, wrong)
    echo = f.ipv6("fe80::1", "fe80::2", f.icmpv6(128), hops=255)
    free = {
        "unicast": ("vnet0", world.ip("vnet0", "uplink")),
        "other ICMPv6": ("vnet0", f.eth(to_uplink, world.mac("vnet0"), echo)),
        "another guest": ("vnet1", world.ip("vnet1")),
        "its ARP": ("vnet1", world.arp("vnet1")),
    }
    for what, (sender, frame) in free.items():
        wrong = is_free(world, sender, frame)
        world.check(f"    {what}: any number", not wrong, wrong)
    counts = dropped(world, FIRST + number), dropped(world, FIRST + ARP + number)
    world.check("    what was dropped is counted", all(count > 500 for count in counts), counts)
    result = nwfilter("diff")
    world.check("    and is no change", result.status == 0, result)


def test_changes(world, number):
    world.set_tags("vnet0", nwfilter_limit_broadcast="100", nwfilter_limit_arp=None)
    result = nwfilter("diff")
    world.check("other limits are a difference", result.status == 2, result)
    nwfilter("sync")
    world.check("    and put in force", meters(world) == {7: 9, FIRST + number: 100},
                meters(world))
    wrong = is_limited(world, "vnet0", world.ip("vnet0"), 100)
    world.check("    100 a second", not wrong, wrong)
    wrong = is_free(world, "vnet0", world.arp("vnet0", "uplink", op=2))
    world.check("    ARP: any number", not wrong, wrong)
    world.ovs.ofctl("-O", "OpenFlow13", "mod-meter", "br0",
                    f"meter={FIRST + number},pktps,band=type=drop,rate=5000")
    nwfilter("sync")
    world.check("what somebody else makes of a meter, sync repairs",
                meters(world) == {7: 9, FIRST + number: 100}, meters(world))
    world.ovs.ofctl("-O", "OpenFlow13", "del-meter", "br0", f"meter={FIRST + number}")
    nwfilter("sync")
    world.check("    and what somebody else removes", meters(world) == {7: 9, FIRST + number: 100},
                meters(world))
    world.ovs.ofctl("-O", "OpenFlow13", "add-meter", "br0",
                    f"meter={FIRST + 0x123},pktps,band=type=drop,rate=5000")
    nwfilter("sync")
    world.check("    one of ours that is no guest's goes",
                meters(world) == {7: 9, FIRST + number: 100}, meters(world))
    nwfilter("unbind", "vnet0")
    world.check("unbind removes the tags", not any(
        "limit" in key for key in world.tags("vnet0")), world.tags("vnet0"))
    nwfilter("sync")
    world.check("    and the meters go", meters(world) == {7: 9}, meters(world))


def test_new(world, number):
    """Connections that the guest begins; what belongs to one goes on, and so do those of others."""
    define("stateful", "<rule action='accept' direction='inout'><tcp state='NEW'/></rule>"
           "<rule action='accept' direction='inout'><udp/></rule>"
           "<rule action='accept' direction='inout'><all state='ESTABLISHED'/></rule>")
    result = nwfilter("bind", "--wait", "vnet0", "stateful", "--limit-new=30")
    world.check("bind --limit-new", result.status == 0
                and world.tags("vnet0")["nwfilter-limit-new"] == "30"
                and meters(world) == {7: 9, FIRST + NEW + number: 30}, (result, meters(world)))
    result = nwfilter("diff")
    world.check("    and nothing to be changed", result.status == 0, result)
    time.sleep(1.2)
    begin = time.monotonic()
    got = world.wire.exchange_each([("vnet0", datagram(world, port)) for port in range(400)])
    took = time.monotonic() - begin
    passed = [port for port, copies in enumerate(got) if "uplink" in [name for name, _ in copies]]
    world.check("    as many connections begin", 24 <= len(passed) <= 30 * (1 + took) + 5,
                f"{len(passed)} of 400 in {took:.2f} s")
    answer = f.eth(world.mac("vnet0"), world.mac("uplink"),
                   f.ipv4("10.0.0.99", world.stations["vnet0"].ip, f.udp(53, 20000 + passed[0])))
    world.wire.exchange_each([("uplink", answer)])
    wrong = is_free(world, "vnet0", datagram(world, passed[0]))
    world.check("    one that has begun goes on", not wrong, wrong)
    count = sum("vnet0" in [name for name, _ in copies] for copies in world.wire.exchange_each(
        [("uplink", f.eth(world.mac("vnet0"), world.mac("uplink"), f.ipv4(
            "10.0.0.98", world.stations["vnet0"].ip, f.udp(1000 + port, 7))))
         for port in range(200)]))
    world.check("    others begin any number", count == 200, count)
    world.set_tags("vnet0", nwfilter_limit_new="60")
    result = nwfilter("diff")
    world.check("    another limit is a difference", result.status == 2, result)
    nwfilter("sync")
    world.check("    and put in force", meters(world) == {7: 9, FIRST + NEW + number: 60},
                meters(world))
    result = nwfilter("bind", "--wait", "vnet0", "open", "--limit-new=30")
    world.check("    without connections to look at it is refused", result.status == 1
                and world.status("vnet0")
                == "error: filter open: nwfilter-limit-new: the filter looks at no connections",
                (result, world.status("vnet0")))
    nwfilter("bind", "--wait", "vnet0", "open", "--limit-broadcast=100")


def datagram(world, port):
    return f.eth(world.mac("uplink"), world.mac("vnet0"),
                 f.ipv4(world.stations["vnet0"].ip, "10.0.0.99", f.udp(20000 + port, 53)))


def test_bad(world):
    for name, value, error in (("broadcast", "0", "is not a number from 1 to 60000"),
                               ("arp", "ten", "is not a number from 1 to 60000"),
                               ("arp", "", "is not a number from 1 to 60000"),
                               ("new", "5", "the filter looks at no connections"),
                               ("old", "5", "nwfilter-limit-old: there is no such limit")):
        world.set_tags("vnet0", nwfilter="open", **{f"nwfilter_limit_{name}": value})
        nwfilter("sync")
        world.check(f"limit-{name}=\"{value}\": quarantined",
                    error in str(world.status("vnet0")), world.status("vnet0"))
        world.expect("    nothing passes", "vnet0", world.ip("vnet0"), [])
        world.set_tags("vnet0", **{f"nwfilter_limit_{name}": None})


def test_file(world, number):
    os.makedirs(FOLDER, exist_ok=True)
    world.set_tags("vnet0", nwfilter=None)
    for limits, error in (({"broadcast": 30, "arp": 31}, None),
                          ({"broadcast": "30"}, "limits: broadcast: not a number from 1 to 60000"),
                          ({"old": 1}, "limits: not an object of broadcast, arp and new"),
                          ([], "limits: not an object of broadcast, arp and new")):
        with open(f"{FOLDER}/a.json", "w") as file:
            json.dump([{"port": "vnet0", "filter": "open", "limits": limits}], file)
        result = nwfilter("sync")
        if error:
            world.check(f"a policy file: {error}", error in str(world.status("vnet0")), result)
        else:
            world.check("limits in a policy file", meters(world) == {
                7: 9, FIRST + number: 30, FIRST + ARP + number: 31}, (meters(world), result))
    os.unlink(f"{FOLDER}/a.json")


def test_audit(world):
    world.set_tags("vnet0", nwfilter="open", nwfilter_limit_broadcast="50")
    world.manage("--audit")
    wrong = is_free(world, "vnet0", world.ip("vnet0"))
    world.check("audit mode withholds nothing", not wrong and meters(world) == {7: 9},
                (wrong, meters(world)))
    world.manage()


def test_no_meters(world, number):
    """A switch that refuses meters."""
    define("no-ip", "<rule action='drop' direction='out'><ip dstipaddr='10.9.9.9'/></rule>")
    world.set_tags("vnet0", nwfilter="no-ip", nwfilter_limit_broadcast=None)
    nwfilter("sync")
    world.set_tags("vnet0", nwfilter_limit_broadcast="50")

    def judge(message, reply):
        if message.type != METER_MOD:
            return r.PASS
        body = struct.pack("!HH", METER_MOD_FAILED, OUT_OF_METERS) + message.raw[:64]
        reply(r.HEADER.pack(message.version, r.ERROR, r.HEADER.size + len(body), message.xid)
              + body)
        return r.DROP
    with r.SwitchRelay(world, judge) as relay:
        result = relay.nwfilter("sync")
    world.check("without meters: an error", result.status == 1
                and world.status("vnet0").startswith(NO_LIMITS)
                and "OFPMMFC_OUT_OF_METERS" in world.status("vnet0"),
                (result, world.status("vnet0")))
    wrong = is_free(world, "vnet0", world.ip("vnet0"))
    world.check("    nothing is limited", not wrong and meters(world) == {7: 9},
                (wrong, meters(world)))
    wrong = world.verdict("vnet0", world.ip("vnet0", dst="10.9.9.9"), [])
    world.check("    and the filter is in force", not wrong, wrong)
    nwfilter("sync")
    world.check("    with meters it is well again", world.status("vnet0") == "active"
                and meters(world) == {7: 9, FIRST + number: 50}, world.status("vnet0"))


def test_live(world, number):
    live.start(world)
    wanted = {7: 9, FIRST + number: 50}
    world.check("live: as before", meters(world) == wanted, meters(world))
    world.set_tags("vnet0", nwfilter_limit_broadcast="60")
    world.daemon.settle()
    wanted[FIRST + number] = 60
    world.check("    another limit", meters(world) == wanted, meters(world))
    world.ovs.ofctl("-O", "OpenFlow13", "del-meter", "br0", f"meter={FIRST + number}")
    world.daemon.settle()
    wrong = is_limited(world, "vnet0", world.ip("vnet0"), 60)
    world.check("    somebody removes the meter, and its flows with it: repaired",
                not wrong and meters(world) == wanted, (wrong, meters(world)))
    world.ovs.restart_switch()
    wait_for(lambda: FIRST + number in meters(world), "the meter")
    world.daemon.settle()
    world.check("    the switch restarts", {FIRST + number: 60} == meters(world), meters(world))
    world.set_tags("vnet0", nwfilter_limit_broadcast=None)
    world.daemon.settle()
    world.check("    no limit", meters(world) == {}, meters(world))
    world.ovs.ofctl("-O", "OpenFlow13", "add-meter", "br0", "meter=7,pktps,band=type=drop,rate=9")
    world.set_tags("vnet0", nwfilter_limit_broadcast="60")
    world.daemon.settle()
    world.unplug("vnet0")
    world.daemon.settle()
    world.check("    the guest goes, and its meter with it", meters(world) == {7: 9},
                meters(world))
    live.finish(world)


if __name__ == "__main__":
    run(test, fail_mode="secure")  # With another one, "manage" has Open vSwitch forget meters.
