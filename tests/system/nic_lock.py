#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The second lock: no foreign frame leaves a guarded NIC, not even while another tool has the
bridge cleared, and what nftables' other users do is mended."""

import json
import os
import subprocess
import sys
import threading
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import flood, frames as f  # noqa: E402
from lab.netns import LabError, run as command, wait_for  # noqa: E402
from system import live  # noqa: E402
from system.world import call, nwfilter, run  # noqa: E402

TABLE = "ovs-nwfilter-br0"
BOUGHT = "00:50:56:00:00:07"
WIPE = ("--", "clear", "Bridge", "br0", "fail_mode", "external_ids", "other_config")
SOURCE = slice(6, 12)


def test(world):
    world.trusted("nic", 254)
    world.trusted("lan", 9)
    world.guest("vnet0", 1, "clean-traffic", IP="10.0.0.1")
    world.nic_mac = mac_of("nic")
    test_by_sync(world)
    live.start(world)
    world.daemon.settled("the start")
    test_listed(world)
    test_wipes(world)
    test_wiped_while_nobody_acts(world)
    test_flushed(world)
    test_mac_follows(world)
    test_bond(world)
    test_cannot(world)
    test_unmanaged(world)
    world.daemon.stop()


# --- what is there

def mac_of(nic):
    with open(f"/sys/class/net/{nic}/address") as file:
        return file.read().strip()


def number(mac):
    """As nftables prints what is compared by offsets."""
    return hex(int(mac.replace(":", ""), 16))


def ruleset():
    return command("nft", "list", "ruleset")


def is_locked(nic="nic"):
    text = ruleset()
    return f"table netdev {TABLE}" in text and f'hook egress device "{nic}"' in text


def good_frame(world):
    return f.eth(f.BROADCAST, world.nic_mac, f.ipv4("10.0.0.250", "10.0.0.255", f.udp(1, 2)))


def foreign_frame(world):
    return world.ip("vnet0")


class Traffic:
    """A guest that floods foreign frames, and a port that sends good ones, until the end of the
    block; then 'good' and 'foreign' say how many of each have left the NIC."""

    def __init__(self, world):
        self.world = world
        self.sent = {"vnet0": 0, "lan": 0}

    def __enter__(self):
        self.world.ports["nic"].receive()
        self.done = threading.Event()
        rows = [("vnet0", foreign_frame(self.world)), ("lan", good_frame(self.world))]
        self.threads = [threading.Thread(target=self._send, args=row) for row in rows]
        for thread in self.threads:
            thread.start()
        self.wait(200)
        return self

    def _send(self, name, frame):
        while not self.done.is_set():
            try:
                for _ in range(16):
                    self.world.ports[name].send(frame)
                    self.sent[name] += 1
            except (BlockingIOError, OSError):
                pass
            time.sleep(0.0005)

    def wait(self, frames):
        """Until so many more of each have been sent."""
        end = {name: sent + frames for name, sent in self.sent.items()}
        wait_for(lambda: all(self.sent[name] >= end[name] for name in end), "frames to be sent")

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()
        self.world.wire.settle()
        received = [frame[SOURCE] for frame in self.world.ports["nic"].receive()]
        received += [frame[SOURCE] for frame in self.world.wire.got["nic"]]
        self.good = received.count(f.mac(self.world.nic_mac))
        self.foreign = len(received) - self.good

    def __repr__(self):
        return f"{self.good} good and {self.foreign} foreign frames of {self.sent}"


def restored(world):
    world.daemon.settled("the bridge's tags")
    wait_for(lambda: "secure" in world.ovs.vsctl("get", "Bridge", "br0", "fail_mode"),
             "the fail mode")


# --- the tests

def test_by_sync(world):
    world.check("without a lock there is no table of ours", "ovs-nwfilter" not in ruleset())
    world.manage("--guard=nic", f"--guard-mac={BOUGHT}@40")
    world.check("manage locks the NIC, without a daemon", is_locked(), ruleset())
    before = ruleset()
    world.sync()
    world.check("    and sync leaves the lock as it is", ruleset() == before)
    command("nft", "flush", "ruleset")
    world.sync()
    world.check("    and makes it again", is_locked(), ruleset())
    world.manage()
    world.check("manage without --guard takes it away", "ovs-nwfilter" not in ruleset(), ruleset())
    world.manage("--guard=nic", f"--guard-mac={BOUGHT}@40")


def test_listed(world):
    own = good_frame(world)
    foreign = f.eth(f.BROADCAST, "02:00:00:00:00:77", f.ipv4("10.0.0.9", "10.0.0.255", f.udp(1, 2)))
    in_vlan = f.eth(f.BROADCAST, BOUGHT, f.ipv4("10.0.0.9", "10.0.0.255", f.udp(1, 2)),
                    tags=((40, 0),))
    with Frozen(world):
        world.ovs.vsctl(*WIPE)
        rows = [("its own MAC", own, True), ("another MAC", foreign, False),
                ("a bought MAC in its VLAN", in_vlan, True),
                ("a bought MAC outside of it", own[:6] + f.mac(BOUGHT) + own[12:], False)]
        for what, frame, leaves in rows:
            got = world.wire.exchange([("lan", frame)])
            world.check(f"with NORMAL in force, frames with {what} "
                        f"{'leave' if leaves else 'do not leave'}",
                        ("nic" in got[0].seen) == leaves and "vnet0" in got[0].seen, got)
    restored(world)


class Frozen:
    """The daemon does nothing meanwhile."""

    def __init__(self, world):
        self.daemon = world.daemon

    def __enter__(self):
        self.daemon.freeze()

    def __exit__(self, *_):
        self.daemon.thaw()


def test_wipes(world):
    with Traffic(world) as traffic:
        for _ in range(10):
            world.ovs.vsctl(*WIPE)
            traffic.wait(50)
            restored(world)
    world.check("10 times cleared, the daemon runs: no foreign frame leaves",
                traffic.foreign == 0 and traffic.good > 0, traffic)


def test_counted(world):
    """By the lock alone: the flows were not there."""
    result = call("guard", "br0", "--format=json")
    records = [record for record in json.loads(result.out)
               if record["mac"] == world.mac("vnet0") and record["uplink"] == "nic"]
    world.check("guard adds up both locks' counters: who sent it, and how much the second kept",
                records and all(record["port"] == "vnet0" and record["packets"] >= record["locked"]
                                and record["last_seen"] for record in records)
                and sum(record["locked"] for record in records) > 100, result)


def test_wiped_while_nobody_acts(world):
    with Frozen(world):
        world.ovs.vsctl(*WIPE)
        with Traffic(world) as traffic:
            traffic.wait(2000)
        world.check("cleared, and nobody acts: no foreign frame leaves",
                    traffic.foreign == 0 and traffic.good > 0, traffic)
        test_batches(world)
    restored(world)
    test_counted(world)
    with Frozen(world):
        world.ovs.vsctl(*WIPE)
        command("nft", "delete", "table", "netdev", TABLE)
        with Traffic(world) as traffic:
            traffic.wait(200)
        world.check("    while without the lock they do leave", traffic.foreign > 0, traffic)
    restored(world)
    wait_for(is_locked, "the lock")


def test_batches(world):
    """Open vSwitch sends what it has read together in one go, and an error would end that."""
    foreign = world.ip("lan")
    world.ports["nic"].receive()
    flood.send(world.ports["lan"], [good_frame(world), foreign] * 1000)
    world.wire.settle()
    received = [frame[SOURCE] for frame in world.wire.got["nic"] + world.ports["nic"].receive()]
    world.check("    and of 1000 good frames, each sent with a foreign one, none is lost",
                received == [f.mac(world.nic_mac)] * 1000, len(received))


def test_flushed(world):
    command("nft", "add table netdev other; add chain netdev other c { type filter hook egress "
            "device nic priority 9; }; add rule netdev other c ip saddr 192.0.2.1 counter")
    other = command("nft", "list", "table", "netdev", "other")
    for damage in ("delete table netdev " + TABLE, "flush table netdev " + TABLE,
                   f"insert rule netdev {TABLE} out-nic accept"):
        command("nft", damage)
        wait_for(lambda: world.daemon.settle().good and is_whole(), f"the lock after: {damage}")
        world.check(f"nft {damage}: mended", True)
    world.check("another's rules are as they were",
                command("nft", "list", "table", "netdev", "other") == other)
    command("nft", "flush", "ruleset")
    wait_for(is_whole, "the lock after a flush")
    world.check("nft flush ruleset: mended, and only ours is there",
                "table netdev other" not in ruleset())
    world.check("    and the log says so", "somebody else has changed the second lock"
                in world.daemon.log())


def is_whole():
    """Its rules are there, and nobody's in front of them."""
    if not is_locked():
        return False
    rules = command("nft", "list", "chain", "netdev", TABLE, "out-nic").splitlines()
    return len(rules) == 7 and "goto tagged-nic" in rules[3] and "goto none-nic" in rules[4]


def test_mac_follows(world):
    old = world.nic_mac
    world.nic_mac = "02:00:00:00:00:aa"
    command("ip", "link", "set", "nic", "address", world.nic_mac)
    wait_for(lambda: number(world.nic_mac) in ruleset(), "the new MAC in the lock")
    world.check("the NIC's MAC is followed", number(old) not in ruleset())
    wait_for(lambda: world.nic_mac in world.ovs.vsctl("get", "Interface", "nic", "mac_in_use"),
             "the new MAC in the database")
    world.daemon.settled("the guard's flows")
    with Traffic(world) as traffic:
        traffic.wait(100)
    world.check("    by what leaves", traffic.foreign == 0 and traffic.good > 0, traffic)


def test_bond(world):
    for name in ("slave0", "slave1"):
        command("ip", "link", "add", name, "type", "veth", "peer", "name", name + "x")
        command("ip", "link", "set", name, "up")
    world.ovs.vsctl("add-bond", "br0", "bond7", "slave0", "slave1")
    world.manage("--guard=nic,bond7", f"--guard-mac={BOUGHT}@40")
    macs = [number(mac_of(name)) for name in ("slave0", "slave1")]
    wait_for(lambda: is_locked("slave0") and is_locked("slave1"), "the lock on both members")
    chains = [command("nft", "list", "chain", "netdev", TABLE, f"none-{name}")
              for name in ("slave0", "slave1")]
    world.check("a bond's members are locked, each with the MACs of both",
                all(mac in chain for mac in macs for chain in chains), chains)
    world.ovs.vsctl("del-port", "br0", "bond7")
    world.manage("--guard=nic", f"--guard-mac={BOUGHT}@40")
    wait_for(lambda: not is_locked("slave0"), "the lock of one NIC")
    world.check("    and no longer, when it is not guarded any more", is_locked())


def test_cannot(world):
    world.ovs.vsctl("add-port", "br0", "tun7", "--", "set", "Interface", "tun7", "type=vxlan",
                    "options:remote_ip=127.0.0.1")
    world.manage("--guard=nic,tun7")

    def status():
        return world.ovs.vsctl("get", "Bridge", "br0", "external_ids:nwfilter-status")
    try:
        wait_for(lambda: "no second lock: tun7 is of type vxlan" in status(), "the status")
    except LabError:
        pass
    world.check("what cannot be locked is said in the bridge's status",
                "no second lock: tun7 is of type vxlan" in status() and is_locked(), status())
    world.ovs.vsctl("del-port", "br0", "tun7")
    world.manage("--guard=nic")
    wait_for(lambda: "no second lock" not in status(), "the status without it")
    world.check("    and not any more when it has gone", "active" in status(), status())


def test_unmanaged(world):
    world.ovs.vsctl("--", "del-port", "br0", "vnet0")
    result = nwfilter("unmanage", "br0")
    world.check("unmanage takes the lock away", result.status == 0
                and "ovs-nwfilter" not in ruleset(), (result, ruleset()))
    got = world.wire.exchange([("lan", world.ip("lan"))])
    world.check("    and frames leave as before", "nic" in got[0].seen, got)
    world.manage("--guard=nic")
    wait_for(is_locked, "the lock")
    world.ovs.vsctl("del-br", "br0")
    world.daemon.settle()
    world.check("a bridge that is deleted leaves the lock", is_locked())
    result = nwfilter("unmanage", "br0")
    world.check("    until it is unmanaged", result.status == 0
                and "ovs-nwfilter" not in ruleset(), (result, ruleset()))
    left = subprocess.run(("ip", "-br", "link"), capture_output=True, text=True).stdout
    world.check("    and no device of ours is there", "nwf" not in left, left)


if __name__ == "__main__":
    run(test)
