#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A second sync sends nothing, and what many small syncs have made one from scratch makes too.

Bridges with all that a flow can hold (VLANs of each mode, quarantined ports, audit mode, NORMAL,
long filters) are synced with each version of OpenFlow; the second run must not send one flow.
Then tags, filters, ports and the bridge's own settings change at random, one at a time, and are
synced one at a time, some by "sync --port"; every now and then an empty switch is filled from
scratch, with the same result.  SYSTEM_SEED sets the sequence, which the test prints.
"""

import os
import random
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system import relay as r  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
# A rule that tells a connection with an answer from one without marks it.
TRACKED = """<rule action='accept' direction='out'><tcp dstportstart='80'/></rule>
    <rule action='accept' direction='inout'><udp state='ESTABLISHED'/></rule>
    <rule action='drop' direction='inout'><all/></rule>"""
# What is written in several ways, and is one match.
ASKED = "".join(f"<rule action='drop' direction='in'><flow match='{match}'/></rule>" for match in (
    "vlan_tci=0x0000,arp", "dl_vlan=0xffff,dl_type=0x88cc", "dl_vlan_pcp=0", "ip,nw_frag=yes",
    "ipv6,nw_frag=not_later,nw_ttl=1", "ip,nw_tos=4", "ip,nw_ecn=1"))
OURS = "cookie=0x6e77660000000000/0xffffff8000000000"  # not the learned ones
STEPS = 60

# Each negated rule makes a table.
STAGES = "".join(f"<rule action='{action}' direction='inout'>"
                 f"<ip match='no' {side}addr='10.0.{i}.0' {side}mask='24'/></rule>"
                 for i, (action, side) in enumerate([("drop", "srcip"), ("drop", "dstip"), ("accept", "srcip")]))


def test(world):
    define_filters(0)
    world.trusted("uplink", 254)
    world.trusted("eth5", 253, tag=5)
    world.trusted("eth6", 252, tag=6, vlan_mode="native-untagged", trunks="7,8")
    world.guest("trunk", 1, CLEAN, IP="10.0.0.1,10.0.0.11")
    world.guest("access", 2, CLEAN, {"tag": 5}, IP="10.0.0.2")
    world.guest("native", 3, "stages", {"tag": 5, "vlan_mode": "native-untagged"})
    world.guest("nativet", 4, "stages", {"tag": 6, "vlan_mode": "native-tagged", "trunks": "5"})
    world.guest("limited", 5, "changing", {"trunks": "0,5,6,7,8,9"})
    world.guest("tracked", 8, "tracked")
    world.guest("asked", 9, "asked")
    world.guest("lost", 6)
    world.guest("broken", 7, "no-such")
    world.manage()
    test_second_sends_nothing(world, "")
    world.manage("--audit")
    test_second_sends_nothing(world, " in audit mode")
    world.manage()
    world.ovs.vsctl("set", "Bridge", "br0", "stp_enable=true",
                    "protocols=" + ",".join(f"OpenFlow{n}" for n in (10, 11, 12, 13, 14, 15)))
    nwfilter("sync")
    test_second_sends_nothing(world, " with NORMAL")
    world.ovs.vsctl("set", "Bridge", "br0", "stp_enable=false")
    nwfilter("sync")
    test_put_back(world)
    test_random(world)


def test_put_back(world):
    """A rule that accepts all, and was put there in place of one of ours."""
    for option in ((), ("--full",)):
        rule = next(line for line in world.ovs.ofctl("--no-stats", "dump-flows", "br0").splitlines()
                    if "cookie=0x6e776611" in line and "actions=drop" in line)
        match = re.sub(r"^ *cookie=(\w+), ?", r"cookie=\1,", rule.split(" actions=")[0])
        world.ovs.ofctl("add-flow", "br0", f"{match.replace(' ', '')},actions=resubmit(,100)")
        result = nwfilter("sync", *option)
        world.check(f"sync {' '.join(option)} looks at every flow", result.status == 1
                    and " 0 added, 1 changed, 0 removed" in result.out, result)
        world.check("    and puts the rule back", rule in world.ovs.ofctl(
            "--no-stats", "dump-flows", "br0"), rule)


def define_filters(variant):
    define("stages", STAGES)
    define("tracked", TRACKED)
    define("asked", ASKED)
    define("changing", f"<rule action='drop' direction='out'><ip dstipaddr='10.9.{variant}.0' "
                       "dstipmask='24'/></rule><filterref filter='inner'/>")
    define("inner", "<rule action='drop' direction='in'><arp/></rule>" if variant % 2 else
           "<rule action='accept' direction='inout'><ipv6/></rule>")


# --- twice

def test_second_sends_nothing(world, where):
    for version in ("OpenFlow13", "OpenFlow14", "OpenFlow15"):
        world.ovs.ofctl("del-flows", "br0")
        first = nwfilter("-O", version, "sync")
        world.check(f"{version}{where}: an empty switch is filled",
                    re.search(r" [1-9]\d+ added, 0 changed, 0 removed", first.out), first)
        for option in ((), ("--full",)):
            result, sent = r.record(world, "-O", version, "sync", *option)
            mods = [message.name for message in sent if not r.only_asks(message)]
            world.check(f"{version}{where}: the second sync {' '.join(option)} sends nothing",
                        not mods and " 0 added, 0 changed, 0 removed" in result.out,
                        (mods, result))
        result = nwfilter("-O", version, "diff")
        world.check(f"{version}{where}: diff finds nothing", result.status == 0
                    and not result.out, result)


# --- step by step

def test_random(world):
    seed = int(os.environ.get("SYSTEM_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"SYSTEM_SEED={seed}", flush=True)
    dice = random.Random(seed)
    history = []
    for step in range(STEPS):
        what, guest = change(world, dice)
        alone = guest is not None and dice.random() < 0.7
        history.append(what + alone * ", sync --port")
        result = nwfilter("sync", *[f"--port={guest}"] * alone)
        if alone and f"br0: {guest}: " not in result.out:
            wrong = f"sync --port={guest}: {result}"
            break
        if result.status and "bridge br0" in result.err:
            history.append(result.err)
        # From scratch takes long; diff computes the same without it.
        wrong = compare_with_scratch(world) if step % 6 == 5 else differences()
        if wrong:
            break
    world.check(f"{STEPS} changes, step by step as from scratch", not wrong,
                "\n    ".join(["", *history[-8:], wrong or ""]))


def differences():
    result = nwfilter("diff")
    return None if result.status == 0 else f"diff: exit {result.status}: {result.out}{result.err}"


def compare_with_scratch(world):
    """Deliveries stay: they tell who of two guests had an address first."""
    stepwise = our_flows(world)
    for table in sorted(tables_of(stepwise) - {100}):
        world.ovs.ofctl("del-flows", "br0", f"table={table}")
    nwfilter("sync", "--full")
    scratch = our_flows(world)
    if stepwise == scratch:
        return None
    return "\n    ".join([f"only step by step: {flow}" for flow in sorted(stepwise - scratch)]
                         + [f"only from scratch: {flow}" for flow in sorted(scratch - stepwise)])


def tables_of(flows):
    return {int(table[1]) if (table := re.search(r"\btable=(\d+)", flow)) else 0 for flow in flows}


def our_flows(world):
    return set(world.ovs.ofctl("--no-stats", "dump-flows", "br0", OURS).splitlines())


GUESTS = ("trunk", "access", "native", "nativet", "limited", "lost", "broken")
VLAN_CHOICES = ("tag=5", "tag=6", "trunks=5,6", "trunks=0,7", "vlan_mode=native-untagged",
                "vlan_mode=native-tagged", "vlan_mode=access")
FILTER_CHOICES = (CLEAN, CLEAN, "stages", "changing", "no-such", None)
PLUGGED = ("plug0", "plug1", "plug2")


def change(world, dice):
    """Change one thing at random; say what, and whose, if it is a single guest's."""
    guest = dice.choice(GUESTS)
    kind = dice.choice(["filter", "address", "address", "address", "vlan", "no vlan", "file",
                        "plug", "trusted", "mode", "mac", "bpdu", "identity", "delete a flow"])
    if kind == "filter":
        value = dice.choice(FILTER_CHOICES)
        world.set_tags(guest, nwfilter=value)
    elif kind == "address":
        value = ",".join(f"10.0.0.{dice.randrange(1, 20)}" for _ in range(dice.randrange(1, 4)))
        world.set_tags(guest, nwfilter_IP=value)
    elif kind == "vlan":
        value = dice.choice(VLAN_CHOICES)
        world.ovs.vsctl("set", "Port", guest, value)
    elif kind == "no vlan":
        value = ""
        world.ovs.vsctl(*(word for column in ("tag", "trunks", "vlan_mode")
                          for word in ("--", "clear", "Port", guest, column)))
    elif kind == "file":
        value = dice.randrange(6)
        define_filters(value)
    elif kind == "plug":
        guest = value = dice.choice(PLUGGED)
        if guest in world.ports:
            world.unplug(guest)
        else:
            world.guest(guest, 40 + PLUGGED.index(guest), dice.choice(FILTER_CHOICES),
                        {"tag": dice.choice((5, 6, 7))}, IP="10.0.0.40")
    elif kind == "trusted":
        value = dice.choice((guest, "uplink", "uplink," + guest))
        world.ovs.vsctl("set", "Bridge", "br0", f'external_ids:nwfilter-trusted="{value}"')
    elif kind == "mode":
        value = dice.choice(("audit", "enforce", "enforce"))
        world.ovs.vsctl("set", "Bridge", "br0", f"external_ids:nwfilter={value}")
    elif kind == "mac":
        value = f"52:54:00:00:00:{dice.randrange(1, 8):02x}"  # perhaps another's
        world.set_tags(guest, nwfilter_MAC=value)
    elif kind == "bpdu":
        value = dice.choice(("true", "false"))
        world.ovs.vsctl("set", "Bridge", "br0", f"other_config:forward-bpdu={value}")
    elif kind == "identity":
        value = dice.choice((world.mac(guest), None))
        world.set_tags(guest, attached_mac=value)
    else:
        flow = dice.choice(sorted(our_flows(world)))
        value = flow.split(" actions=")[0].split(", ", 1)[1].replace(" ", "")
        value = re.sub(r"^(?!table=)", "table=0,", value)
        world.ovs.ofctl("--strict", "del-flows", "br0", value)
    own = kind in ("filter", "address", "vlan", "no vlan", "mac", "identity")
    return f"{kind} {guest} {value}", guest if own else None


if __name__ == "__main__":
    run(test)
