# SPDX-License-Identifier: Apache-2.0
"""A switch with a domain's ports, and libvirt's hook: documents and words as libvirt gives them.

Ports are plugged and tagged as libvirt does before it runs the hook.
"""

import json
import os
import re

from system.live import finish, start
from system.world import SYNCS, nwfilter

CLEAN = "clean-traffic"
POLICIES = "/etc/ovs-nwfilter/policy.d"
UUID = "3b5f8a0e-7d0f-4c54-8a8b-6d1d2f3c4b5a"
OTHER = "c605bcf9-3648-57e3-8d84-5060ded851e8"
NOTES = {"nwfilter-status", "nwfilter-installed-ts", "nwfilter-ct-zone", "nwfilter-no-flood"}
# What each port of a domain that runs has.
MACHINE = {"vm-name": "web", "nwfilter-vm": UUID}
# Who hears a guest's broadcast, beside other guests that are enforced.
UPLINK = ["uplink"]


# --- documents, as libvirt hands them over

def nic(number, dev=None, bridge="br0", profile="", alias=None):
    port = (f"<virtualport type='openvswitch'><parameters interfaceid='{OTHER}'"
            f"{f' profileid={chr(39)}{profile}{chr(39)}' if profile else ''}/></virtualport>")
    return (f"    <interface type='bridge'>\n      <mac address='52:54:00:00:00:{number:02x}'/>\n"
            f"      <source bridge='{bridge}'/>\n      {port}\n"
            f"      <target dev='{dev or f'vnet{number - 1}'}'/>\n      <model type='virtio'/>\n"
            f"      <alias name='{alias or f'net{number - 1}'}'/>\n    </interface>\n")


def entry(number, name=CLEAN, **variables):
    values = "".join(f"<parameter name='{key}' value='{value}'/>"
                     for key, value in variables.items())
    return (f"      <port mac='52:54:00:00:00:{number:02x}'>\n"
            f"        <filterref filter='{name}'>{values}</filterref>\n      </port>\n")


def domain(*parts, entries="", metadata=None, name="web", uuid=UUID):
    if metadata is None and entries:
        metadata = f"    <ports xmlns='urn:ovs-nwfilter:domain:1'>\n{entries}    </ports>\n"
    metadata = f"  <metadata>\n{metadata}  </metadata>\n" if metadata else ""
    return (f"<domain type='kvm' id='7'>\n  <name>{name}</name>\n  <uuid>{uuid}</uuid>\n{metadata}"
            f"  <memory unit='KiB'>1024</memory>\n  <devices>\n{''.join(parts)}  </devices>\n"
            "  <seclabel type='dynamic'/>\n</domain>\n")


def tap(number, dev, kind="ethernet", inside=""):
    """An interface that is no port of libvirt's making."""
    return (f"<interface type='{kind}'><mac address='52:54:00:00:00:{number:02x}'/>{inside}"
            f"<target dev='{dev}'/></interface>\n")


def hook(document, operation="start", phase="begin", name="web", options=()):
    SYNCS[0] += 1
    return nwfilter(*options, "hook", "libvirt", "--", name, operation, phase, "-", stdin=document)


# --- ports

def plug(world, number, **columns):
    world.guest(f"vnet{number - 1}", number, columns=columns)
    world.set_tags(f"vnet{number - 1}", vm_id=UUID, iface_status="active")


def own_tags(world, name):
    """Those that a binding has, and the hook's."""
    return {key: value for key, value in world.tags(name).items() if key not in NOTES and (
        key.startswith("nwfilter") or key == "vm-name")}


def clear_tags(world, *names):
    for name in names:
        for key in own_tags(world, name):
            world.set_tags(name, **{key: None})
    catch_up(world)


def catch_up(world):
    """Without the hook, as somebody else's change would be put in force."""
    nwfilter("sync")


def write_policies(*entries):
    with open(f"{POLICIES}/policy.json", "w") as file:
        json.dump(entries, file)


def policy(address, **selector):
    return selector | {"filter": CLEAN, "parameters": {"IP": address}}


def check_good(world, what, result, **wanted):
    """The start succeeds, and the ports {name: (tags, address that passes)} are in force."""
    world.check(what, (result.status, result.out, result.err) == (0, "", ""), result)
    for name, (tags, address) in wanted.items():
        expected = {f"nwfilter-{key}" if key.isupper() else key.replace("_", "-"): value
                    for key, value in tags.items()} | MACHINE
        world.check(f"    {name} has the tags, and is active", own_tags(world, name) == expected
                    and world.status(name) == "active", world.tags(name))
        others = UPLINK + sorted(set(wanted) - {name})
        world.expect_all(f"    {name} sends as {address}, and as nobody else", [
            (name, world.ip(name, src=address), others),
            (name, world.ip(name, src="10.0.0.77"), []),
            (name, world.ip(name, mac="uplink", src=address), [])])


def check_shut(world, what, *names):
    world.expect_all(what, [row for name in names for row in (
        (name, world.ip(name), []), (name, world.arp(name), []))])


def check_refused(world, what, result, pattern, names=("vnet0", "vnet1")):
    """One line on stderr, and nothing is left."""
    world.check(f"{what}: refused with one line", result.status == 1 and not result.out
                and re.fullmatch(f"ovs-nwfilter: {pattern}\n", result.err), result)
    left = {name: own_tags(world, name) for name in names}
    world.check("    no tag is left", not any(left.values()), left)
    catch_up(world)
    check_shut(world, "    nothing passes", *names)


# --- a test

def run_parts(world, parts, last=()):
    """Runs the parts without the daemon, then all with it."""
    os.makedirs(POLICIES)
    world.trusted("uplink", 254)
    plug(world, 1)
    plug(world, 2)
    world.ovs.add_bridge("plain")
    world.ovs.vsctl("add-port", "plain", "vnet8", "--", "set", "Interface", "vnet8",
                    "type=internal")
    world.manage("--trusted=uplink")
    for daemon in (False, True):
        if daemon:
            start(world)
        print(f"--- {'with' if daemon else 'without'} the daemon", flush=True)
        for part in (*parts, *last) if daemon else parts:
            print(f"- {part.__name__[5:]}", flush=True)
            part(world)
    # The end wants no guest with an error.
    nwfilter("bind", "vnet0", CLEAN, "IP=10.0.0.1")
    nwfilter("bind", "vnet1", CLEAN, "IP=10.0.0.2")
    finish(world)
