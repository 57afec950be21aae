#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What Open vSwitch does past its flows is switched off for guests, or said in their status.

In-band control has hidden flows above all tables; spanning tree, LLDP, BFD, CFM and LACP take
their frames from a port before the flows see them.  Other people's flows come before ours.
"""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.netns import run as shell, wait_for  # noqa: E402
from system.world import nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
BRIDGE_MAC = "02:00:00:00:00:01"


def test(world):
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, CLEAN, IP="10.0.0.2")
    world.guest("lost", 3)
    test_in_band(world)
    for protocol in ("rstp", "stp"):
        test_spanning_tree(world, protocol)
    test_trees_given_back(world)
    test_protocols(world)
    test_foreign_flows(world)


# --- in-band control

def forged_arp():
    """ARP of the bridge's own address, which in-band control's hidden flows let pass."""
    return f.eth(f.BROADCAST, BRIDGE_MAC,
                 f.arp(f.REQUEST, BRIDGE_MAC, "10.0.0.254", f.MAC_ZERO, "10.0.0.2"))


def set_controller(world, **columns):
    world.ovs.vsctl("set-controller", "br0", "tcp:127.0.0.1:6653", "--", "set", "Controller", "br0",
                    *(f"{key}={value}" for key, value in columns.items()),
                    *([] if columns else ["connection_mode=in-band"]))


def in_band(world):
    return world.ovs.vsctl("get", "Bridge", "br0", "other_config")


def test_in_band(world):
    world.manage()
    set_controller(world)
    nwfilter("sync", "--full")
    world.expect("in-band controller: ARP with the bridge's address is dropped", "vnet0",
                 forged_arp(), [])
    world.ovs.vsctl("del-controller", "br0")
    world.ovs.vsctl("set-manager", "tcp:10.9.9.9:6640")
    nwfilter("sync")
    world.expect("active manager: the same", "vnet0", forged_arp(), [])
    world.ovs.vsctl("remove", "Bridge", "br0", "other_config", "disable-in-band")
    nwfilter("sync")
    world.expect("somebody allows in-band control again: sync forbids it", "vnet0",
                 forged_arp(), [])
    world.ovs.vsctl("del-manager")
    world.check("    in other_config", "disable-in-band=" in in_band(world), in_band(world))
    nwfilter("unmanage", "br0")
    world.check("    unmanage takes it back", "disable-in-band" not in in_band(world),
                in_band(world))
    for value in ("true", "false"):
        world.ovs.vsctl("set", "Bridge", "br0", f"other_config:disable-in-band={value}")
        world.manage()
        managed = in_band(world)
        nwfilter("unmanage", "br0")
        world.check(f"    disable-in-band={value} is as it was",
                    'disable-in-band="true"' in managed
                    and f'disable-in-band="{value}"' in in_band(world), (managed, in_band(world)))
    world.ovs.vsctl("remove", "Bridge", "br0", "other_config", "disable-in-band")
    world.manage()
    set_controller(world, connection_mode="out-of-band")
    result = nwfilter("sync")
    world.expect("out-of-band controller: allowed, and no way in", "vnet0", forged_arp(), [])
    world.check("    no error", "br0: " in result.out and result.status == 1
                and len(result.err.splitlines()) == 1, result)  # of "lost"
    world.ovs.vsctl("del-controller", "br0")
    nwfilter("sync")


# --- spanning tree

def bpdu(world, sender, rapid):
    """A bridge that claims to be the root, as no other here does."""
    identity = bytes.fromhex("0001") + f.mac(world.mac(sender))
    body = bytes([0, 0, 2 if rapid else 0, 2 if rapid else 0, 0x3c if rapid else 0]) + identity \
        + bytes(4) + identity + bytes.fromhex("8001") + bytes.fromhex("0000140002000f00")
    body += b"\0" if rapid else b""
    llc = b"\x42\x42\x03" + body
    return (f.mac("01:80:c2:00:00:00") + f.mac(world.mac(sender)) + len(llc).to_bytes(2, "big")
            + llc).ljust(60, b"\0")


def test_spanning_tree(world, protocol):
    world.ovs.vsctl("set", "Bridge", "br0", f"{protocol}_enable=true",
                    "other_config:forward-bpdu=false")
    nwfilter("sync")
    for _ in range(3):
        for name in ("vnet0", "lost"):
            world.ports[name].send(bpdu(world, name, protocol == "rstp"))
        world.wire.settle()
    tree = world.ovs.appctl(f"{protocol}/show", "br0")
    world.check(f"{protocol}: a guest's BPDU makes it no root port",
                "52:54:00" not in tree and BRIDGE_MAC in tree, tree)
    world.check("    guests take no part in it, trusted ports do",
                "uplink" in tree and "vnet0" not in tree and "lost" not in tree, tree)
    world.ovs.vsctl("set", "Bridge", "br0", f"{protocol}_enable=false",
                    "other_config:forward-bpdu=true")
    nwfilter("sync")
    wait_for(lambda: not world.verdict("vnet0", world.ip("vnet0"), ["uplink", "vnet1"]),
             "forwarding without spanning tree")


def port(world, name):
    return [world.ovs.vsctl("get", "Port", name, column).strip()
            for column in ("other_config", "external_ids")]


def test_trees_given_back(world):
    world.check("guests' ports are out of the tree before there is one",
                all(f'{key}="false"' in port(world, name)[0] for name in ("vnet0", "lost")
                    for key in ("stp-enable", "rstp-enable")),
                (port(world, "vnet0"), port(world, "lost")))
    world.ovs.vsctl("set", "Port", "vnet1", "other_config:stp-enable=true",
                    "external_ids:nwfilter-saved-stp-enable=true")
    nwfilter("sync")
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-trusted=vnet1")
    nwfilter("sync")
    world.check("a port that becomes trusted gets back what it had",
                port(world, "vnet1") == ['{stp-enable="true"}', "{}"], port(world, "vnet1"))
    nwfilter("unmanage", "br0")
    world.check("unmanage gives it back to all",
                port(world, "vnet0") == ["{}", "{}"] and port(world, "lost") == ["{}", "{}"],
                (port(world, "vnet0"), port(world, "lost")))
    world.ovs.vsctl("clear", "Port", "vnet1", "other_config")
    world.manage()


# --- protocols that a port speaks by itself

def test_protocols(world):
    for table, name, on, off in (
            ("Interface", "lldp", ["lldp:enable=true"], ["lldp", "enable"]),
            ("Interface", "bfd", ["bfd:enable=true"], ["bfd", "enable"]),
            ("Interface", "cfm_mpid", ["cfm_mpid=7"], None),
            ("Port", "lacp", ["lacp=active"], None)):
        world.ovs.vsctl("set", table, "vnet0", *on)
        whole = nwfilter("sync")
        status = world.status("vnet0")
        alone = nwfilter("sync", "--port=vnet0")
        world.check(f"{name} on a guest's port: its status says so", whole.status == 1
                    and alone.status == 1 and status.startswith("error: ") and name in status,
                    (whole, alone, status))
        if off:
            world.ovs.vsctl("remove", table, "vnet0", *off)
        else:
            world.ovs.vsctl("clear", table, "vnet0", name)
    nwfilter("sync")
    world.check("    and without them it is active", world.status("vnet0") == "active",
                world.status("vnet0"))


# --- other people's flows

# A flow, and the guests that it concerns.
FOREIGN = (
    ("table=0,priority=500,actions=NORMAL", {"vnet0", "vnet1"}),
    ("table=0,priority=101,in_port=vnet0,actions=output:uplink", {"vnet0"}),
    ("table=0,priority=2,dl_type=0x88b5,actions=FLOOD", {"vnet0", "vnet1"}),
    ("table=0,priority=300,in_port=uplink,ip,actions=output:vnet1", {"vnet1"}),
    ("table=0,priority=300,in_port=uplink,ip,actions=resubmit(,50)", {"vnet0", "vnet1"}),
    ("table=11,priority=65535,actions=goto_table:100", {"vnet0", "vnet1"}),
    ("table=110,priority=65535,actions=output:NXM_NX_REG0[]", {"vnet0", "vnet1"}),
    ("table=0,priority=0,actions=NORMAL", set()),
    ("table=0,priority=500,in_port=uplink,tcp,tp_dst=22,actions=LOCAL", set()),
    ("table=0,priority=500,ip,nw_src=192.0.2.1,actions=drop", set()),
    ("table=7,priority=500,actions=NORMAL", set()),
    # The operator's tables: what goes on as it would have without the flow, and what does not.
    ("table=3,priority=500,in_port=vnet0,actions=set_queue:1,note:01.02,goto_table:10", set()),
    ("table=3,priority=500,tcp,actions=drop", set()),
    ("table=3,priority=500,actions=goto_table:11", {"vnet0", "vnet1"}),
    ("table=3,priority=500,in_port=vnet0,actions=output:uplink", {"vnet0"}),
    ("table=3,priority=500,in_port=vnet0,actions=set_field:0->reg5,goto_table:10", {"vnet0"}),
    ("table=210,priority=500,actions=set_field:7->pkt_mark,resubmit(,100)", set()),
    ("table=210,priority=500,in_port=vnet0,actions=output:uplink,resubmit(,100)", set()),
    ("table=210,priority=500,tcp,tp_dst=25,actions=drop", set()),
    ("table=210,priority=500,actions=output:vnet1,resubmit(,100)", {"vnet1"}),
    ("table=210,priority=500,in_port=uplink,actions=resubmit(,110)", {"vnet0", "vnet1"}),
)


def test_foreign_flows(world):
    forged = world.ip("vnet0", src="10.0.0.9")
    world.ovs.ofctl("add-flow", "br0", FOREIGN[0][0])
    world.check("a flow above ours lets forged frames pass",
                not world.verdict("vnet0", forged, ["uplink", "vnet1", "lost", "br0"])
                or world.wire.got, dict(world.wire.got))
    world.ovs.ofctl("--strict", "del-flows", "br0", "priority=500")
    for flow, concerned in FOREIGN:
        shell("ovs-ofctl", "-O", "OpenFlow15", "--names", "add-flow", "br0", flow)
        results = [nwfilter("sync"), nwfilter("diff"), nwfilter("sync", "--port=vnet0")]
        told = {name for name in ("vnet0", "vnet1") if world.status(name) != "active"}
        lines = [{line.split(": ")[1] for line in result.err.splitlines()} - {"lost"}
                 for result in results]
        world.check(f"{flow}: told of {', '.join(sorted(concerned)) or 'nobody'}",
                    told == concerned and lines[:2] == [concerned] * 2
                    and results[1].status == (1 if concerned else 0)
                    and results[2].status == ("vnet0" in concerned), (told, results))
        shell("ovs-ofctl", "-O", "OpenFlow15", "--names", "--strict", "del-flows", "br0",
              flow[:flow.index(",actions")])
    result = nwfilter("sync")
    world.check("without them all are active", world.status("vnet0") == "active"
                and world.status("vnet1") == "active", result)


if __name__ == "__main__":
    run(test)
