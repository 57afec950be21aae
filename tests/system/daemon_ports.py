#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ovs-nwfilterd keeps the policy true while ports and bridges come, go and change.

New ports and such as get another's number, name, address or bridge; ports without a number; a bridge
that is made anew.
"""

import json
import os
import signal
import subprocess
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import wait_for  # noqa: E402
from lab.wire import Port  # noqa: E402
from system.daemon_world import (  # noqa: E402
    ALL, CLEAN, check_policy, check_shut, manage, run_parts, settle)
from system.live import is_error, wait_status  # noqa: E402
from system.world import run  # noqa: E402


def test_managed(world):
    manage(world)
    world.check("managed: settles", settle(world).good)


def test_new_port(world):
    """Nobody calls a hook.  Frozen, the daemon has not seen the port yet."""
    world.daemon.freeze()
    world.guest("vnet2", 3, CLEAN, IP="10.0.0.3")
    check_shut(world, "plugged, not seen by the daemon", "vnet2", ["vnet0", "vnet1"])
    world.daemon.thaw()
    began = time.monotonic()
    wait_status(world, "vnet2", "active", "hot-plugged: it becomes active")
    print(f"      {1000 * (time.monotonic() - began):.0f} ms")
    settle(world)
    world.expect("    its frames pass", "vnet2", world.arp("vnet2"), ALL)
    world.expect("    forged ones do not", "vnet2", world.ip("vnet2", src="10.0.0.9"), [])
    world.unplug("vnet2")
    world.guest("vnet2", 3)
    wait_status(world, "vnet2", is_error("no filter is bound"),
                "a guest without policy: the status says so")
    check_shut(world, "    quarantined", "vnet2", ["vnet0", "vnet1"])
    check_policy(world, "    others")
    world.set_tags("vnet2", nwfilter=CLEAN, nwfilter_IP="10.0.0.3")
    settle(world)
    world.expect("    bound: its frames pass", "vnet2", world.arp("vnet2"), ALL)
    world.unplug("vnet2")
    settle(world)
    left = [flow for flow in world.ovs.flows("br0") if "52:54:00:00:00:03" in flow]
    world.check("a port that is gone leaves no flow", not left, left)
    world.trusted("eth9", 9)
    settle(world)
    world.expect("a trusted port: its frames pass", "eth9", world.ipv6("eth9"), ["uplink"])
    world.unplug("eth9")
    settle(world)


def test_reused(world):
    """Another guest's port gets the number, in one transaction, or later."""
    number = world.ovs.ofport("vnet1")
    was = {"mac": "52:54:00:00:00:02", "src": "10.0.0.2"}
    world.guest("vnet3", 4, CLEAN, IP="10.0.0.4")
    settle(world)
    world.ovs.vsctl("del-port", "vnet1", "--", "set", "Interface", "vnet3",
                    f"ofport_request={number}")
    wait_for(lambda: world.ovs.ofport("vnet3") == number, "the number to change")
    gone = world.ports.pop("vnet1")
    gone.remove()
    world.rewire()
    world.check("a port takes the number of one that goes in the same transaction",
                settle(world).good)
    check_reuse(world, was)
    world.unplug("vnet3")
    world.guest("vnet3", 4, CLEAN, {"ofport_request": number}, IP="10.0.0.4")
    world.check("the same after del-port", settle(world).good
                and world.ovs.ofport("vnet3") == number)
    check_reuse(world, was)
    world.unplug("vnet3")
    world.trusted("eth1", 8, ofport_request=number)
    settle(world)
    world.expect("a trusted port takes it", "eth1", world.ipv6("eth1"), ["uplink"])
    learned = world.mac("eth1")
    world.unplug("eth1")
    world.guest("vnet1", 2, CLEAN, {"ofport_request": number}, IP="10.0.0.2")
    world.check("a guest takes a trusted port's", settle(world).good
                and world.ovs.ofport("vnet1") == number)
    world.expect("    what was learned does not bypass its filter", "uplink",
                 world.ipv6("uplink", learned), [])
    check_policy(world, "    then")


def check_reuse(world, was):
    world.expect_all("    it has its own rights and not its predecessor's", [
        ("vnet3", world.ip("vnet3", **was), []), ("vnet3", world.arp("vnet3"), ["uplink", "vnet0"]),
        ("vnet3", world.ip("vnet3", src="10.0.0.9"), []),
        ("uplink", world.ip("uplink", "vnet3"), ["vnet3"])])


def rename(world, old, new):
    """The device gets another name, and rows with that name the tags.  (Rows have one for life.)"""
    subprocess.run(["ip", "link", "set", old, "name", new], check=True)
    row = json.loads(world.ovs.vsctl("--format=json", "--columns=external_ids", "list",
                                     "Interface", old))["data"][0][0][1]
    tags = [f'external_ids:{key}="{value}"' for key, value in row]
    world.ovs.vsctl("del-port", old, "--", "add-port", "br0", new, "--", "set", "Interface", new,
                    *tags)
    for table in (world.ports, world.stations, world.vlans, world.plugged):
        table[new] = table.pop(old)
    world.ports[new].name = new
    world.guests.discard(old)
    world.guests.add(new)
    world.rewire()


def test_renamed(world):
    rename(world, "vnet1", "web1")
    world.check("a port is renamed", settle(world).good and world.status("web1") == "active")
    everybody = ["uplink", "vnet0", "web1"]
    world.expect_all("    its policy is in force", [
        ("web1", world.ip("web1"), everybody), ("web1", world.ip("web1", src="10.0.0.9"), []),
        ("uplink", world.ip("uplink", "web1"), ["web1"])])
    rename(world, "web1", "vnet1")
    world.check("    and back", settle(world).good)
    check_policy(world, "renamed back")


def test_mac(world):
    """The guest's card gets another address."""
    station = world.stations["vnet0"]
    world.set_tags("vnet0", attached_mac="52:54:00:00:00:71")
    settle(world)
    world.expect("another address: the old one is a forged one", "vnet0", world.ip("vnet0"), [])
    world.stations["vnet0"] = station._replace(mac="52:54:00:00:00:71")
    world.rewire()
    check_policy(world, "another address")
    world.set_tags("vnet0", attached_mac="rubbish")
    wait_status(world, "vnet0", is_error("rubbish"), "an address that is none: the status says so")
    check_shut(world, "    quarantined", "vnet0", ["vnet1"])
    world.set_tags("vnet0", attached_mac=station.mac)
    world.stations["vnet0"] = station
    wait_status(world, "vnet0", "active")
    settle(world)
    check_policy(world, "the old address again")


def move(world, name, source, target):
    row = world.ovs.vsctl("get", "Port", name, "_uuid").strip()
    world.ovs.vsctl("remove", "Bridge", source, "ports", row, "--", "add", "Bridge", target,
                    "ports", row)
    world.rewire()


def test_moved(world):
    world.bridge = "br1"
    world.trusted("uplink1", 253)
    world.bridge = "br0"
    move(world, "vnet1", "br0", "br1")
    world.check("a port moves to another managed bridge", settle(world).good
                and world.status("vnet1") == "active", world.status("vnet1"))
    # ("explain" is not asked: the world has one bridge for it.)
    wrong = (world.verdict("vnet1", world.ip("vnet1"), ["uplink1"])
             or world.verdict("vnet1", world.ip("vnet1", src="10.0.0.9"), [])
             or world.verdict("uplink1", world.ip("uplink1", "vnet1"), ["vnet1"])
             or world.verdict("uplink", world.ip("uplink", "vnet1"), []))  # Nobody has it here.
    world.check("    its policy is in force there", not wrong, wrong)
    left = [flow for flow in world.ovs.flows("br0") if "52:54:00:00:00:02" in flow]
    world.check("    no flow is left", not left, left)
    move(world, "vnet1", "br1", "plain")
    wait_status(world, "vnet1", is_error("plain"), "it moves to a bridge that is not managed: "
                "the status says so")
    move(world, "vnet1", "plain", "br0")
    world.check("and back", settle(world).good and world.status("vnet1") == "active",
                world.status("vnet1"))
    world.unplug("uplink1")
    settle(world)
    check_policy(world, "moved back")


def test_no_number(world):
    """ofport -1 and none: states to wait in."""
    world.ovs.vsctl("add-port", "br0", "ghost", "--", "set", "Interface", "ghost",
                    "external_ids:attached-mac=52:54:00:00:00:66", f"external_ids:nwfilter={CLEAN}",
                    "external_ids:nwfilter-IP=10.0.0.66")
    number = world.ovs.vsctl("get", "Interface", "ghost", "ofport").strip()
    settle(world)
    status = world.status("ghost")
    world.check(f"a port whose device is not there ({number}): not active", number == "-1"
                and status != "active", (number, status))
    print(f"      status {status}")
    check_policy(world, "    others")
    # Open vSwitch reads no more from a device that it finds before it is up.
    world.ovs.switch.process.send_signal(signal.SIGSTOP)
    port = Port("ghost")
    world.ovs.switch.process.send_signal(signal.SIGCONT)
    world.ovs.vsctl("set", "Interface", "ghost", "external_ids:x=y")  # it is tried again
    wait_status(world, "ghost", "active", "    the device comes: active")
    world.ports["ghost"] = port
    world.stations["ghost"] = world.stations["vnet0"]._replace(mac="52:54:00:00:00:66",
                                                               ip="10.0.0.66")
    world.vlans["ghost"], world.plugged["ghost"] = {}, 0
    world.guests.add("ghost")
    world.rewire()
    settle(world)
    world.expect_all("    its policy is in force", [
        ("ghost", world.ip("ghost"), ALL), ("ghost", world.ip("ghost", src="10.0.0.9"), [])])
    world.unplug("ghost")
    settle(world)
    world.ovs.switch.process.send_signal(signal.SIGSTOP)  # ofport stays empty
    world.ovs.vsctl("--no-wait", "add-port", "br0", "vnet5", "--", "set", "Interface", "vnet5",
                    "external_ids:attached-mac=52:54:00:00:00:05", f"external_ids:nwfilter={CLEAN}")
    time.sleep(0.3)
    status = world.status("vnet5")
    world.check("a port that the switch has not seen: not active", status != "active", status)
    print(f"      status {status}")
    world.ovs.vsctl("--no-wait", "del-port", "vnet5")
    world.ovs.switch.process.send_signal(signal.SIGCONT)
    world.check("    and away again", settle(world).good)


def test_bridge_made_anew(world):
    for steps in ("one transaction", "two transactions"):
        rows = [["--", "del-br", "br0"]]
        again = ["--", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev",
                 "other_config:forward-bpdu=true", "other_config:hwaddr=02:00:00:00:00:01"]
        for name in ALL:
            again += ["--", "add-port", "br0", name]
            if name != "uplink":
                again += ["--", "set", "Interface", name,
                          f"external_ids:attached-mac={world.mac(name)}",
                          f"external_ids:nwfilter={CLEAN}",
                          f"external_ids:nwfilter-IP={world.stations[name].ip}"]
        if steps.startswith("one"):
            rows[0] += again
        else:
            rows.append(again)
        for row in rows:
            world.ovs.vsctl(*row)
        began = time.monotonic()
        world.rewire()
        wait_status(world, "vnet0", "active", f"bridge deleted and made anew in {steps}: managed")
        world.check("    settled", settle(world).good)
        print(f"      {1000 * (time.monotonic() - began):.0f} ms")
        check_policy(world, "    made anew")


PARTS = [test_managed, test_new_port, test_reused, test_renamed, test_mac, test_moved,
         test_no_number, test_bridge_made_anew]
if os.environ.get("PART"):
    PARTS = [part for part in PARTS if part is test_managed or os.environ["PART"] in part.__name__]


def test(world):
    run_parts(world, PARTS)


if __name__ == "__main__":
    run(test)
