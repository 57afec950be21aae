#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What manage makes of an uplink, gateways and guarded NICs: tags and a record, or a refusal that
says why and changes nothing."""

import json
import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import run as command  # noqa: E402
from system.world import nwfilter, run  # noqa: E402

MAC = "02:00:00:00:00:99"
RECORD = "/etc/ovs-nwfilter/bridges.d/br0.json"


def bridge_state(world):
    columns = ("external_ids", "fail_mode", "other_config")
    row = [world.ovs.vsctl("get", "Bridge", "br0", column).strip() for column in columns]
    return row, world.ovs.flows("br0"), os.path.exists(RECORD)


def test(world):
    for name in ("up0", "bare0", "br9p", "kern0"):
        command("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}x")
    for name in ("up0", "br9p", "kern0"):
        command("ip", "address", "add", "192.0.2.2/24", "dev", name)
        command("ip", "link", "set", name, "up")
    command("ip", "link", "add", "kbr", "type", "bridge")
    command("ip", "link", "set", "kern0", "master", "kbr")
    world.ovs.add_bridge("br9")
    world.ovs.vsctl("add-port", "br9", "br9p")
    world.trusted("nic", 254)
    world.guest("vnet0", 1, "clean-traffic", IP="10.0.0.1", IPV6="2001:db8::/64")
    test_refused(world)
    test_taken(world)
    test_broken_tags(world)
    test_snippets(world)


def test_refused(world):
    routed = ["--mode=routed"]
    rows = [
        ("a mode that there is not", ["--mode=bridged"], "nwfilter-mode"),
        ("routed without an uplink", routed, "nwfilter-uplink is missing"),
        ("an unknown --via", routed + ["--uplink=up0", "--via=magic"], "via"),
        ("an uplink without the mode", ["--uplink=up0"], "nwfilter-mode=routed"),
        ("an uplink that does not exist", routed + ["--uplink=none0"], "none0: there is no such"),
        ("    or has no address", routed + ["--uplink=bare0"], "bare0 has no address"),
        ("    or is a guest", routed + ["--uplink=vnet0"], "vnet0 is a guest's port"),
        ("    or is in another bridge", routed + ["--uplink=br9p"], "br9p is in the bridge br9"),
        ("    or in one of the kernel", routed + ["--uplink=kern0"], "bridge of the kernel"),
        ("    or is the bridge", routed + ["--uplink=br0"], "the bridge itself"),
        ("    or on the bridge, with --via=host", routed + ["--uplink=nic"], "nic is a port of br0"),
        ("a gateway that is no address", routed + ["--uplink=up0", "--gateway=1.2.3"], '"1.2.3"'),
        ("    or a guest's", routed + ["--uplink=up0", "--gateway=10.0.0.1"], "the guest vnet0"),
        ("    or in a guest's subnet", routed + ["--uplink=up0", "--gateway=2001:db8::1"],
         "the guest vnet0"),
        ("a guarded NIC that is a guest", ["--guard=vnet0"], "vnet0 is a guest's port"),
        ("    or in another bridge", ["--guard=br9p"], "in the bridge br9"),
        ("    or the bridge", ["--guard=br0"], "the bridge itself"),
        ("    or none", ["--guard="], "--guard"),
        ("an address that may leave and is none", ["--guard=nic", f"--guard-mac={MAC}@5000"],
         f'"{MAC}@5000"'),
        ("    or no NIC by which", [f"--guard-mac={MAC}"], "no NIC is guarded"),
    ]
    before = bridge_state(world)
    for what, options, words in rows:
        result = nwfilter("manage", "br0", *options)
        world.check(f"refused: {what}", result.status == 1 and words in result.err
                    and result.err.count("\n") == 1 and bridge_state(world) == before, result)


def recorded():
    with open(RECORD) as file:
        return json.load(file)["external_ids"]


def test_taken(world):
    world.manage("--mode=routed", "--uplink=up0", "--gateway=192.0.2.2,fe80::1", "--guard=nic",
                 f"--guard-mac={MAC}@4000,{MAC}/192.0.2.9")
    ids = world.ovs.vsctl("get", "Bridge", "br0", "external_ids")
    wanted = {"nwfilter-mode": "routed", "nwfilter-uplink": "up0", "nwfilter-guard": "nic",
              "nwfilter-gateway": "192.0.2.2,fe80::1",
              "nwfilter-guard-mac": f"{MAC}@4000,{MAC}/192.0.2.9"}
    world.check("what holds goes into tags and the record", wanted.items() <= recorded().items()
                and all(f'{key}="{value}"' in ids or f"{key}={value}" in ids
                        for key, value in wanted.items()), (ids, recorded()))
    world.manage()
    ids = world.ovs.vsctl("get", "Bridge", "br0", "external_ids")
    world.check("    and out of them, if it is not given again",
                not wanted.keys() & recorded().keys() and "guard" not in ids and "uplink" not in ids,
                ids)


def test_broken_tags(world):
    world.manage("--guard=nic")
    for key, value, words in (("nwfilter-guard-mac", "ff:ff:ff:ff:ff:ff", "group"),
                              ("nwfilter-mode", "bridged", "nwfilter-mode"),
                              ("nwfilter-via", "flows", "nwfilter-via")):
        world.ovs.vsctl("set", "Bridge", "br0", f'external_ids:{key}="{value}"')
        result = nwfilter("sync")
        status = world.ovs.vsctl("get", "Bridge", "br0", "external_ids:nwfilter-status")
        world.check(f"a broken tag, {key}: said by sync and the bridge's status", result.status == 1
                    and words in result.err and "error: " in status and words in status,
                    (result, status))
        world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", key)
    result = nwfilter("sync")
    status = world.ovs.vsctl("get", "Bridge", "br0", "external_ids:nwfilter-status")
    world.check("    and not any more when it has gone", result.status == 0 and "active" in status,
                (result, status))


def test_snippets(world):
    """They keep the bridge's address, and netplan is told to leave the NIC alone."""
    with open("/sys/class/net/nic/address") as file:
        mac = file.read().strip()
    options = ["manage", "br0", "--guard=nic", f"--guard-mac={MAC}@4000"]
    out = nwfilter(*options, "--snippet=ifupdown").out
    world.check("ifupdown's snippet", f" other_config:hwaddr={mac} " in out
                and f'external_ids:nwfilter-guard-mac="{MAC}@4000"' in out, out)
    out = nwfilter(*options, "--snippet=netplan").out
    world.check("netplan's", f'hwaddr: "{mac}"' in out and "ovs-vsctl add-port br0 nic" in out, out)


if __name__ == "__main__":
    run(test)
