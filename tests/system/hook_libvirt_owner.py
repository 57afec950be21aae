#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hook libvirt: whose a port and an address are.

A document may name any interface of the host, and a row may have outlived its machine.
"""

import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system.libvirt_world import (  # noqa: E402
    CLEAN, OTHER, UUID, catch_up, check_good, check_refused, check_shut, clear_tags, domain,
    entry, hook, nic, own_tags, run_parts, tap)
from system.world import nwfilter, run  # noqa: E402


def check_untouched(world, what, name, before, document, operation, phase):
    result = hook(document, operation, phase)
    good = result.status == (operation == "start") and not result.out
    world.check(f"{what}: {operation} leaves it as it is", good and world.tags(name) == before,
                (result, before, world.tags(name)))


def test_whose(world):
    """A name in a document makes no port its machine's."""
    world.guest("tap7", 7, CLEAN, IP="10.0.0.7")
    catch_up(world)
    linux = "<source bridge='virbr9'/>"
    for what, tags in (("no identity but iface-id", {}), ("os-vif", {"vm_uuid": OTHER}),
                       ("XenServer", {"xs_vm_uuid": OTHER}), ("libvirt", {"vm_id": OTHER})):
        world.set_tags("tap7", **tags)
        catch_up(world)
        before = world.tags("tap7")
        for kind in (tap(7, "tap7", "bridge", linux), nic(7, "tap7"), tap(7, "tap7")):
            for words in (("start", "begin"), ("reconnect", "begin"), ("stopped", "end"),
                          ("release", "end")):
                check_untouched(world, f"another's port, {what}", "tap7", before,
                                domain(kind, entries=entry(7, "allow-arp")), *words)
        world.set_tags("tap7", **dict.fromkeys(tags))
    world.unplug("tap7")
    for name in ("uplink", "br0"):
        before = world.tags(name)
        for words in (("start", "begin"), ("stopped", "end"), ("release", "end")):
            check_untouched(world, f"the host's port {name}", name, before,
                            domain(tap(7, name), entries=entry(7)), *words)
    result = hook(domain(tap(7, "br0")))
    world.check("the bridge's own port is refused without an entry, too", result.status == 1
                and re.fullmatch("ovs-nwfilter: br0: .*the bridge's own.* not filtered\n",
                                 result.err), result)
    result = hook(domain(tap(7, "uplink", "bridge", linux)))
    world.check("a Linux bridge's interface has such a name", result == (0, "", ""), result)


def test_taken(world):
    """A tap that somebody else has made, without a word of whose it is."""
    world.guest("tap8", 8)
    bare = {"attached_mac": None, "iface_id": None}
    world.set_tags("tap8", **bare)
    document = domain(tap(8, "tap8"), entries=entry(8, IP="10.0.0.8"))
    check_good(world, "a tap without any tags", hook(document), tap8=(
        {"nwfilter": CLEAN, "IP": "10.0.0.8", "nwfilter-added": "vm-id,attached-mac"},
        "10.0.0.8"))
    world.check("    it is the machine's", world.tags("tap8")["vm-id"] == UUID
                and world.tags("tap8")["attached-mac"] == world.mac("tap8"), world.tags("tap8"))
    result = hook(document, "stopped", "end")
    world.check("    stopped finds it", result == (0, "", "")
                and own_tags(world, "tap8").get("nwfilter") == "(stopped)", world.tags("tap8"))
    result = hook(document, "release", "end")
    left = {key for key in world.tags("tap8") if not key.startswith("nwfilter-")}
    world.check("    release makes it nobody's", result == (0, "", "") and not left
                and not own_tags(world, "tap8"), world.tags("tap8"))
    result = hook(domain(tap(8, "tap8"), entries=entry(8, "nosuch")))
    world.check("    a start that fails too", result.status == 1 and not own_tags(world, "tap8")
                and "vm-id" not in world.tags("tap8"), (result, world.tags("tap8")))
    world.set_tags("tap8", attached_mac="52:54:00:00:00:66")
    check_refused(world, "another address", hook(document),
                  "tap8: its attached-mac, 52:54:00:00:00:66, is not this interface's", ["tap8"])
    world.set_tags("tap8", attached_mac="52:54:00:00:00:08", nwfilter="allow-arp")
    result = hook(document)
    world.check("    somebody else's filter", result.status == 1
                and own_tags(world, "tap8") == {"nwfilter": "allow-arp"} and re.fullmatch(
                    "ovs-nwfilter: tap8: somebody else has bound filter allow-arp to it; .*\n",
                    result.err), (result, world.tags("tap8")))
    world.unplug("tap8")


def test_address(world):
    """The address in force is the document's."""
    document = domain(nic(1), entries=entry(1, IP="10.0.0.1"))
    world.set_tags("vnet0", attached_mac=None)
    check_good(world, "no attached-mac", hook(document), vnet0=(
        {"nwfilter": CLEAN, "IP": "10.0.0.1", "nwfilter-added": "attached-mac"}, "10.0.0.1"))
    clear_tags(world, "vnet0")
    world.set_tags("vnet0", attached_mac="52:54:00:00:00:66")
    check_refused(world, "another attached-mac", hook(document),
                  "vnet0: its attached-mac, 52:54:00:00:00:66, is not the interface's address, "
                  "52:54:00:00:00:01")
    world.set_tags("vnet0", attached_mac="52:54:00:00:00:01")


def test_shared_address(world):
    """A machine that comes with an address that others share puts none of them out of force."""
    shared = "00:00:5e:00:01:07"
    pair = "".join(entry(n, IP=f"10.0.0.{n}").replace(
        "<parameter", f"<parameter name='MAC' value='52:54:00:00:00:{n:02x}'/>"
        f"<parameter name='MAC' value='{shared}'/><parameter", 1) for n in (1, 2))
    hook(domain(nic(1), nic(2), entries=pair))
    world.guest("vnet4", 4)
    world.set_tags("vnet4", vm_id=OTHER, attached_mac=shared)
    document = domain(nic(4, "vnet4"), entries=entry(4, IP="10.0.0.4"), uuid=OTHER)
    result = hook(document.replace("52:54:00:00:00:04", shared))
    catch_up(world)
    world.check("a new machine with others' shared address is refused", result.status == 1
                and re.fullmatch(f"ovs-nwfilter: vnet4: address {shared} is that of vnet[01], .*\n",
                                 result.err), result)
    status = [world.status(name) for name in ("vnet0", "vnet1")]
    world.check("    and they run on", status == ["active"] * 2, status)
    world.unplug("vnet4")
    clear_tags(world, "vnet0", "vnet1")


def test_stale(world):
    """Rows that have outlived their machine, as after a power loss."""
    old = {"nwfilter": "allow-arp", "nwfilter_OLD": "1", "vm_name": "old", "nwfilter_vm": OTHER,
           "port_profile": "allow-arp"}
    world.set_tags("vnet0", **old)
    check_good(world, "start: nothing of an older machine counts", hook(
        domain(nic(1), entries=entry(1, IP="10.0.0.1"))),
        vnet0=({"nwfilter": CLEAN, "IP": "10.0.0.1"}, "10.0.0.1"))
    world.check("    its profileid neither", "port-profile" not in world.tags("vnet0"),
                world.tags("vnet0"))
    clear_tags(world, "vnet0")
    world.set_tags("vnet0", port_profile="allow-arp")
    result = hook(domain(nic(1)))
    world.check("only a profileid of an older machine: refused", result.status == 1
                and re.fullmatch("ovs-nwfilter: vnet0: no filter: .* has no profileid.*\n",
                                 result.err)
                and not own_tags(world, "vnet0"), (result, world.tags("vnet0")))
    world.set_tags("vnet0", **old | {"nwfilter": CLEAN, "nwfilter_IP": "10.0.0.1"})
    catch_up(world)
    world.check("plugged later, when no hook runs: quarantined", world.status("vnet0").startswith(
        f"error: its tags are those of another virtual machine, {OTHER}, "), world.tags("vnet0"))
    check_shut(world, "    nothing passes", "vnet0")
    result = nwfilter("bind", "vnet0", CLEAN, "IP=10.0.0.1")
    catch_up(world)
    world.check("    until somebody binds it", result.status == 0 and "vm-name" not in
                world.tags("vnet0") and world.status("vnet0") == "active", world.tags("vnet0"))
    world.set_tags("vnet0", port_profile=None)
    clear_tags(world, "vnet0")


PARTS = [test_whose, test_taken, test_address, test_shared_address, test_stale]


def test(world):
    run_parts(world, PARTS)


if __name__ == "__main__":
    run(test)
