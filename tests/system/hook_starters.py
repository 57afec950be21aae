#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Guests that others than libvirt start: a real QEMU with its own tap, Proxmox VE by its
configuration files, and whatever can run a command.

Whoever starts them, the port is enforced before the guest is there, or the start fails with the
reason and nothing is left behind.  Everything is tested with the daemon and without it.
"""

import json
import os
import subprocess
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import WORK, run as command, skip, which  # noqa: E402
from lab.qemu import PROGRAM as QEMU, Qemu  # noqa: E402
from system.live import finish, start  # noqa: E402
from system.world import FILTERS, PROGRAM, Station, call, define, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
POLICIES = "/etc/ovs-nwfilter/policy.d"
PVE = "/etc/pve"
TAP = "tap0"
MAC = "52:54:00:00:00:07"


def test(world):
    os.makedirs(POLICIES)
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.manage("--trusted=uplink")
    world.ovs.add_bridge("plain")
    world.ovs.add_guest("plain", "other")
    world.daemon = None
    test_qemu(world)
    test_exec(world)
    test_proxmox(world)
    start(world)
    test_qemu(world)
    test_exec(world)
    test_proxmox(world)
    finish(world)


def when(world):
    return "with the daemon" if world.daemon else "without it"


def enforce(world):
    """What the operator does, or the daemon by itself."""
    return world.daemon.settle() if world.daemon else nwfilter("sync")


def not_enforced(world, port, to):
    """Whether clean frames of the port reach those, and forged ones nobody."""
    return (world.verdict(port, world.ip(port), to) or world.verdict(port, world.arp(port), to)
            or world.verdict(port, world.ip(port, src="10.0.0.77"), [])
            or world.verdict(port, world.ip(port, mac="02:00:00:00:00:77"), [])
            or world.verdict(port, world.arp(port, spa="10.0.0.77"), []))


def flows(world):
    """All but those that are learned."""
    return sorted(flow for flow in world.ovs.flows("br0") if "cookie=0x6e776681" not in flow)


def has_port(world, name):
    return name in world.ovs.vsctl("list-ifaces", "br0").split()


# --- QEMU

def script(name, *words):
    """What -netdev tap,script= names, as the manual has it."""
    path = f"{WORK}/{name}"
    with open(path, "w") as file:
        file.write("#!/bin/sh\n"
                   f"exec {PROGRAM} --filter-dir={FILTERS} hook qemu \"$1\" {' '.join(words)}\n")
    os.chmod(path, 0o755)
    return path


def qemu(world, *words, up=None):
    machine = Qemu(TAP, up or script("up", *words), script("down", "--bridge=br0", "--down"))
    machine.problem = machine.start()
    return machine


def plug(world, machine):
    world.stations[TAP] = Station(MAC, "10.0.0.7")
    world.ports[TAP] = machine
    world.rewire()


def unplug(world):
    world.ports.pop(TAP)
    world.rewire()


GOOD = ("--bridge=br0", CLEAN, f"MAC={MAC}", "IP=10.0.0.7")


def test_qemu(world):
    test_qemu_refuses(world)
    test_qemu_elsewhere(world)
    test_qemu_starts(world)
    test_qemu_killed(world)
    test_qemu_not_its_own(world)
    test_qemu_policies(world)
    test_qemu_switch_stopped(world)


REFUSED = {
    "a filter that is not there": (("--bridge=br0", "nosuch", f"MAC={MAC}"),
                                   f"{TAP}: filter nosuch"),
    "a variable that is missing": (("--bridge=br0", CLEAN, f"MAC={MAC}"), "$IP"),
    "a value that is none": (("--bridge=br0", CLEAN, f"MAC={MAC}", "'IP=10.0.0.$'"),
                             "is not a value"),
    "an address that is none": (("--bridge=br0", CLEAN, f"MAC={MAC}", "IP=10.0.0"), "10.0.0"),
    "a variable twice": (("--bridge=br0", CLEAN, "IP=10.0.0.7", "IP=10.0.0.8"),
                         "IP is given twice"),
    "a word that is no variable": (("--bridge=br0", CLEAN, "IP"), '"IP" is not NAME=VALUE'),
    "a tag of our own": (("--bridge=br0", CLEAN, "status=x"),
                         "cannot have this name: the tag nwfilter-status"),
    "no bridge": ((CLEAN, f"MAC={MAC}"), "--bridge is missing"),
    "a bridge that is not there": (("--bridge=br9", CLEAN, f"MAC={MAC}", "IP=10.0.0.7"),
                                   "br9: no such bridge"),
    "a bridge that is not managed": (("--bridge=plain", CLEAN, f"MAC={MAC}", "IP=10.0.0.7"),
                                     "bridge plain is not managed"),
    "no policy anywhere": (("--bridge=br0", f"MAC={MAC}"), "no filter is bound"),
    "neither policy nor address": (("--bridge=br0",), "no filter is bound"),
    "another guest's address": (("--bridge=br0", CLEAN, "MAC=52:54:00:00:00:01", "IP=10.0.0.1"),
                                "52:54:00:00:00:01"),
    "a VLAN that is none": (("--bridge=br0", "--vlan=4096", CLEAN, f"MAC={MAC}", "IP=10.0.0.7"),
                            '"4096" is not a VLAN'),
    "a VLAN in hexadecimal": (("--bridge=br0", "--vlan=0x10", CLEAN, f"MAC={MAC}", "IP=10.0.0.7"),
                              '"0x10" is not a VLAN'),
}


def test_qemu_refuses(world):
    before = flows(world)
    for what, (words, cause) in REFUSED.items():
        machine = qemu(world, *words)
        said = [line for line in (machine.problem or "").splitlines()
                if line.startswith("ovs-nwfilter: ")]
        world.check(f"QEMU does not start, {when(world)}: {what}",
                    machine.problem and len(said) == 1 and cause in said[0]
                    and "failed with status 256" in machine.problem, machine.problem)
        machine.close()
        world.check("    and nothing is left behind", not has_port(world, TAP)
                    and flows(world) == before, set(flows(world)) ^ set(before))


def test_qemu_elsewhere(world):
    """What QEMU's tap can not be."""
    for name, cause in (("nosuch0", "nosuch0: "),
                        ("other", "other: it is a port elsewhere already"),
                        ("sixteen-letters-", "is not an interface's name"), ("", '"" is not')):
        result = nwfilter("hook", "qemu", name, *GOOD)
        world.check(f"hook qemu {name!r} fails, {when(world)}", result.status == 1
                    and len(result.err.splitlines()) == 1 and cause in result.err
                    and not has_port(world, name), result)
    world.check("    and the port of another bridge is still there",
                "other" in world.ovs.vsctl("list-ports", "plain").split())


def test_qemu_starts(world):
    before = flows(world)
    machine = qemu(world, *GOOD)
    if not world.check(f"QEMU starts, {when(world)}", not machine.problem, machine.problem):
        return machine.close()
    world.check("    the port is enforced before its processor runs",
                machine.status() == "prelaunch" and world.status(TAP) == "active",
                (machine.status(), world.tags(TAP)))
    world.check("    and is up", "UP" in command("ip", "-o", "link", "show", TAP).split("<")[1]
                .split(">")[0].split(","))
    world.check("    its tags are those of the command line", {
        key: value for key, value in world.tags(TAP).items() if key in (
            "nwfilter", "nwfilter-IP", "nwfilter-MAC", "attached-mac", "iface-id")} == {
        "nwfilter": CLEAN, "nwfilter-IP": "10.0.0.7", "nwfilter-MAC": MAC, "attached-mac": MAC,
        "iface-id": TAP}, world.tags(TAP))
    plug(world, machine)
    machine.cont()
    wrong = not_enforced(world, TAP, ["uplink", "vnet0"])
    world.check("    clean frames of its guest pass, forged ones do not", not wrong, wrong)
    wrong = world.verdict("uplink", world.ip("uplink", TAP), [TAP])
    world.check("    and it gets what is for it", not wrong, wrong)
    unplug(world)
    world.check("    QEMU ends", machine.quit() == 0)
    machine.close()
    world.check("    port and flows have gone with it", not has_port(world, TAP)
                and flows(world) == before, set(flows(world)) ^ set(before))


def test_qemu_killed(world):
    """Its downscript did not run: the row is another interface's than the next tap."""
    first = qemu(world, *GOOD)
    world.check(f"a QEMU that is killed leaves its port, {when(world)}",
                not first.problem and first.kill() and has_port(world, TAP), first.problem)
    first.close()
    second = qemu(world, "--bridge=br0", "--vlan=5", CLEAN, f"MAC={MAC}", "IP=10.0.0.8")
    world.check("    the next one gets its own", not second.problem
                and world.tags(TAP).get("nwfilter-IP") == "10.0.0.8"
                and world.ovs.vsctl("get", "Port", TAP, "tag").strip() == "5", second.problem)
    if not second.problem:
        second.quit()
    second.close()
    world.check("    and takes it away", not has_port(world, TAP))
    result = call("hook", "qemu", TAP, "--bridge=br0", "--down")
    world.check("--down twice is no error", result.status == 0 and not result.err, result)


def rows(world):
    """Ports of the bridge, and what they say, but for the status."""
    return {name: {key: value for key, value in world.tags(name).items()
                   if not key.endswith("-status")}
            for name in world.ovs.vsctl("list-ports", "br0").split()}


NOT_ITS_OWN = {
    "a guest's port": ("vnet0", {}, '"hook qemu" has not made it'),
    "a trusted port": ("uplink", {}, "it is a trusted port"),
    "a trusted port with its mark": ("uplink", {"ovs-nwfilter-hook": "qemu", "iface-id": "uplink"},
                                     "it is a trusted port"),
    "a machine of libvirt with its mark": (
        "vnet0", {"ovs-nwfilter-hook": "qemu", "iface-id": "vnet0",
                  "vm-id": "0d7b53b5-6f8f-4f5e-9d0a-0d1b0a5f0001"}, "it is another machine's"),
    "another identity with its mark": (
        "vnet0", {"ovs-nwfilter-hook": "qemu", "iface-id": "lsp1"}, "it is another machine's"),
    "another mark": ("vnet0", {"ovs-nwfilter-hook": "other", "iface-id": "vnet0"},
                     '"hook qemu" has not made it'),
}


def test_qemu_not_its_own(world):
    """Ports that it has not made are not for it to replace or remove."""
    for what, (port, tags, cause) in NOT_ITS_OWN.items():
        for key, value in tags.items():
            world.ovs.vsctl("set", "Interface", port, f'external_ids:{key}="{value}"')
        before = rows(world), flows(world)
        for words in (["--bridge=br0", CLEAN, f"MAC={MAC}", "IP=10.0.0.7"],
                      ["--bridge=br0", "--down"]):
            result = nwfilter("hook", "qemu", port, *words)
            world.check(f"{what} stays, {when(world)}, {words[-1]}", result.status == 1
                        and len(result.err.splitlines()) == 1 and cause in result.err
                        and (rows(world), flows(world)) == before,
                        (result, rows(world), before[0]))
        for key in tags:
            world.ovs.vsctl("remove", "Interface", port, "external_ids", key)
    before = rows(world), flows(world)
    for words in (GOOD, ["--bridge=br0", "--down"]):
        result = nwfilter("hook", "qemu", "br0", *words)
        world.check(f"the bridge's own port, {when(world)}", result.status == 1
                    and len(result.err.splitlines()) == 1
                    and "br0: " in result.err and (rows(world), flows(world)) == before, result)
    enforce(world)


def test_qemu_policies(world):
    """No filter in the script: a policy file has one, or the bridge."""
    policy(TAP, port=TAP, mac=MAC, filter=CLEAN, parameters={"IP": "10.0.0.7"})
    machine = qemu(world, "--bridge=br0")
    world.check(f"a policy file's entry for the port, {when(world)}", not machine.problem
                and world.status(TAP) == "active", machine.problem)
    if not machine.problem:
        plug(world, machine)
        machine.cont()
        wrong = not_enforced(world, TAP, ["uplink", "vnet0"])
        world.check("    it is in force", not wrong, wrong)
        unplug(world)
        machine.quit()
    machine.close()
    policy(TAP, port=TAP, filter="nosuch")
    machine = qemu(world, "--bridge=br0", f"MAC={MAC}")
    world.check("    one that is bad: QEMU does not start", machine.problem
                and "filter nosuch" in machine.problem and not has_port(world, TAP),
                machine.problem)
    machine.close()
    os.unlink(f"{POLICIES}/{TAP}.json")


def test_qemu_switch_stopped(world):
    world.ovs.switch.process.send_signal(19)
    up = script("up", "--timeout=1", *GOOD)
    machine = qemu(world, up=up)
    world.check(f"QEMU does not start beside a switch that hangs, {when(world)}",
                machine.problem and "ovs-nwfilter: " in machine.problem, machine.problem)
    machine.close()
    world.ovs.switch.process.send_signal(18)
    world.ovs.vsctl("set", "Open_vSwitch", ".", "external_ids:lab=awake")
    enforce(world)
    world.check("    the port has not stayed", not has_port(world, TAP))


def policy(name, **entry):
    with open(f"{POLICIES}/{name}.json", "w") as file:
        json.dump([entry], file)


# --- a command

def test_exec(world):
    mark = f"{WORK}/ran"
    for what, ports, cause in (
            ("a port that is not there", ["nobody"], "nobody: no "),
            ("one of two", ["vnet0", "nobody"], "nobody: no "),
            ("a trusted port", ["uplink"], "uplink: not filtered: it is a trusted port")):
        result = nwfilter("hook", "exec", *ports, "--", "touch", mark)
        world.check(f"{what}: the command does not run, {when(world)}", result.status == 1
                    and cause in result.err and not os.path.exists(mark), result)
    world.set_tags("vnet0", nwfilter="nosuch")
    result = nwfilter("hook", "exec", "vnet0", "--", "touch", mark)
    world.check("a port whose filter is not there: it does not run", result.status == 1
                and "vnet0: filter nosuch" in result.err and not os.path.exists(mark), result)
    world.set_tags("vnet0", nwfilter=CLEAN, nwfilter_IP="10.0.0.21")
    result = nwfilter("hook", "exec", "vnet0", "--", "sh", "-c",
                      "ovs-vsctl get Interface vnet0 external_ids:nwfilter-status; "
                      "echo \"$1\"; exit 7", "-", "--sync")
    world.check("a port that is good: it runs, with its own words and its own status",
                result.status == 7 and result.out == "active\n--sync\n" and not result.err, result)
    wrong = world.verdict("vnet0", world.ip("vnet0", src="10.0.0.21"), ["uplink"])
    world.check("    and the port was enforced", not wrong, wrong)
    world.set_tags("vnet0", nwfilter_IP="10.0.0.1")
    test_exec_inherits(world)
    result = nwfilter("hook", "exec", "vnet0", "--", "/nonexistent")
    world.check("a command that is not there", result.status == 1
                and "/nonexistent: No such file" in result.err, result)
    result = nwfilter("hook", "exec", "vnet0", "true")
    world.check("no --", result.status == 1 and "usage: " in result.err, result)


def test_exec_inherits(world):
    """The command is started as if nobody had been before it."""
    words = ["sh", "-c", "ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> .*/\\1/p' | sort -n; "
             "grep SigIgn /proc/self/status; grep SigBlk /proc/self/status"]
    kept = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(kept, True)
    outputs = [subprocess.run(prefix + words, pass_fds=(kept,), text=True, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
               for prefix in ([], [PROGRAM, f"--filter-dir={FILTERS}", "hook", "exec", "vnet0",
                                   "--"])]
    os.close(kept)
    world.check("    it inherits what it would without us", outputs[0] == outputs[1]
                and f"\n{kept}\n" in outputs[0], outputs)
    result = nwfilter("hook", "exec", "vnet0", "--", PROGRAM, f"--filter-dir={FILTERS}", "sync")
    world.check("    and no lock is in its way", result.status == 0, result)


# --- Proxmox VE

M = "BC:24:11:00:00:{:02x}"
PORTS = {"tap100i0": 10, "tap100i1": 11, "fwln101o0": 12, "veth102i0": 13, "fwln103o0": 14}


def conf(kind, vmid, text, node=None):
    folder = f"{PVE}/nodes/{node}/{kind}" if node else f"{PVE}/{kind}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{vmid}.conf", "w") as file:
        file.write(text)


def machine(vmid, *lines, **more):
    conf("qemu-server", vmid, "\n".join(lines) + "\n", **more)


def net(number, station, bridge="br0", **more):
    """As "qm set" writes it."""
    rest = "".join(f",{key}={value}" for key, value in sorted(more.items()))
    return f"net{number}: virtio={M.format(station)},bridge={bridge}{rest}"


def firewall(name, text):
    os.makedirs(f"{PVE}/firewall", exist_ok=True)
    with open(f"{PVE}/firewall/{name}.fw", "w") as file:
        file.write(text)


def entries():
    """By port."""
    with open(f"{POLICIES}/proxmox.json") as file:
        return {entry["port"]: entry for entry in json.load(file)}


def hook(*words, env=None):
    return nwfilter("hook", "proxmox", *words, env=env)


def test_proxmox(world):
    furnish(world)
    test_proxmox_sync(world)
    test_proxmox_enforced(world)
    test_proxmox_broken(world)
    test_proxmox_choices(world)
    test_proxmox_operator(world)
    test_pre_start(world)
    test_too_many(world)
    test_at_once(world)
    test_migration(world)
    test_other_phases(world)
    clear(world)


def furnish(world):
    for name, number in PORTS.items():
        world._plug(name, Station(M.format(number), f"10.0.0.{number}"), {}, {})
    machine(100, "#a web server", "boot: order=scsi0;net0", "cores: 2",
            "ipconfig0: ip=10.0.0.10/24,gw=10.0.0.1,ip6=2001:db8::10/64",
            "ipconfig1: ip=10.0.0.11/24", "name: web", net(0, 10, tag=5),
            net(1, 11, firewall=0, queues=4, rate=12, mtu=1500),
            net(2, 99, bridge="vmbr9"), net(3, 98, bridge="plain"), "", "[PENDING]", "delete: net1",
            "", "[before]", net(0, 97), "snaptime: 1700000000")
    machine(101, "name: shielded\r", net(0, 12, firewall=1, link_down=1) + "\r",
            "ipconfig0: ip=dhcp\r")
    conf("lxc", 102, "arch: amd64\nhostname: dns\n"
         f"net0: name=eth0,bridge=br0,hwaddr={M.format(13)},ip=10.0.0.13/24,ip6=auto,type=veth\n"
         "lxc.apparmor.profile = unconfined\n")
    conf("lxc", 103, f"net0: name=eth0,bridge=br0,firewall=1,hwaddr={M.format(14)},"
         "ip=10.0.0.14/24,type=veth\n[pve:pending]\nnet0: x\n")
    firewall("cluster", "[ALIASES]\nfront 10.0.0.12\n")
    firewall(101, "[OPTIONS]\nenable: 1\nipfilter: 1\n\n[IPSET ipfilter-net0]\ndc/front # its own\n"
             "10.0.1.64/28\n\n[RULES]\nIN ACCEPT -p tcp\n")


def test_proxmox_sync(world):
    result = hook("sync")
    found = entries()
    world.check(f"sync writes the ports of managed bridges, {when(world)}", result.status == 0
                and not result.err and set(found) == set(PORTS), (result, found))
    world.check("    addresses without lengths, by their families",
                found["tap100i0"] == {
                    "port": "tap100i0", "mac": M.format(10), "filter": CLEAN, "parameters": {
                        "IP": ["10.0.0.10"], "IPV6": ["fe80::be24:11ff:fe00:a", "2001:db8::10"]}}
                and found["veth102i0"]["parameters"] == {"IP": ["10.0.0.13"]}, found)
    world.check("    those of the firewall's set", found["fwln101o0"]["parameters"]
                == {"IP": ["10.0.0.12", "10.0.1.64/28"]}, found["fwln101o0"])
    stamp = os.stat(f"{POLICIES}/proxmox.json")
    result = hook("sync")
    world.check("    a second run writes nothing", result.status == 0
                and result.out == f"{POLICIES}/proxmox.json: 5 entries, not changed\n"
                and os.stat(f"{POLICIES}/proxmox.json").st_ino == stamp.st_ino, result)


def test_proxmox_enforced(world):
    enforce(world)
    others = set(world.ports) - {"tick", "tock"}
    for port in PORTS:
        station = world.stations[port]
        to = [name for name in others if name not in (port, "tap100i0")]
        wrong = world.status(port) != "active" and world.status(port)
        if port != "tap100i0":  # It has no VLAN here: the tag is Proxmox VE's to set.
            to.append("tap100i0")
        wrong = wrong or not_enforced(world, port, to)
        world.check(f"    {port} is enforced: {station.mac}, {station.ip}", not wrong, wrong)


def test_proxmox_broken(world):
    """Who cannot be read keeps what he has; others go on."""
    before = entries()
    with open(f"{PVE}/qemu-server/100.conf") as file:
        good = file.read()
    for what, text, cause in (
            ("a line that is none", good.replace("cores: 2", "cores"), ':3: not "key: value"'),
            ("no MAC address", good.replace("virtio=" + M.format(10), "virtio"),
             ":7: net0 has no MAC address"),
            ("an address that is none", good.replace("10.0.0.10/24", "10.0.0.10/99"),
             ":4: ip: \"10.0.0.10/99\" is not an address"),
            ("a file with a zero", good.replace("web", "\0", 1), ":1: not a text")):
        machine(100, text)
        conf("lxc", 102, f"net0: name=eth0,bridge=br0,hwaddr={M.format(13)},ip=10.0.0.33/24\n")
        result = hook("sync")
        found = entries()
        world.check(f"{what}: named in one line, {when(world)}", result.status == 1
                    and len(result.err.splitlines()) == 1
                    and f"{PVE}/qemu-server/100.conf{cause}" in result.err, result)
        world.check("    its entries stay, others follow", found["tap100i0"] == before["tap100i0"]
                    and found["tap100i1"] == before["tap100i1"]
                    and found["veth102i0"]["parameters"]["IP"] == ["10.0.0.33"], found)
        conf("lxc", 102, f"net0: name=eth0,bridge=br0,hwaddr={M.format(13)},ip=10.0.0.13/24\n")
        hook("sync")
    machine(100, good)
    firewall(101, "[IPSET ipfilter-net0]\n!10.0.0.12\n")
    result = hook("sync")
    world.check("an exception in a set: named, its guest keeps what it has", result.status == 1
                and f"{PVE}/firewall/101.fw:2: an exception" in result.err
                and entries() == before, (result, entries()))
    firewall(101, "[IPSET ipfilter-net0]\n10.0.0.12\n10.0.1.64/28\n")
    os.rename(f"{PVE}/lxc", f"{PVE}/gone")
    result = hook("sync")
    world.check("Proxmox VE's file system is not there: nothing changes", result.status == 1
                and f"{PVE}/lxc: No such file" in result.err and entries() == before, result)
    os.rename(f"{PVE}/gone", f"{PVE}/lxc")
    test_proxmox_not_ours(world)


def test_proxmox_not_ours(world):
    """What somebody has written into the policy file by hand is not lost."""
    path = f"{POLICIES}/proxmox.json"
    with open(path) as file:
        good = file.read()
    foreign = [{"vm": "web", "filter": CLEAN, "parameters": {"IP": "10.9.0.1"}},
               {"mac": "52:54:00:00:09:02", "filter": CLEAN},
               {"port": "tap0100i0", "filter": CLEAN}]
    with open(f"{PVE}/qemu-server/100.conf") as file:
        conf100 = file.read()
    with open(path, "w") as file:
        json.dump(foreign + json.loads(good), file)
    machine(100, "garbage", conf100.rstrip("\n"))
    result = hook("sync")
    with open(path) as file:
        found = json.load(file)
    world.check(f"entries that are not of its making stay, {when(world)}", result.status == 1
                and len(result.err.splitlines()) == 1 and "100.conf" in result.err
                and all(one in found for one in foreign + json.loads(good))
                and len(found) == len(foreign + json.loads(good)), (result, found))
    machine(100, conf100.rstrip("\n"))
    for what, text in (("is no JSON", "[{]" + good), ("has an entry that is none", good.replace(
            "[", '[{"vm": "web"}, ', 1)), ("has half of itself", good[:len(good) // 2])):
        with open(path, "w") as file:
            file.write(text)
        for words in (["sync"], ["100", "pre-start"]):
            result = hook(*words)
            with open(path) as file:
                found = file.read()
            world.check(f"a policy file that {what}: nothing is changed, {words[-1]}",
                        result.status == 1 and len(result.err.splitlines()) == 1
                        and f"{path}:" in result.err and found == text, (result, found))
    os.unlink(path)
    result = hook("sync")
    with open(path) as file:
        found = file.read()
    world.check("    and all is well without it", result.status == 0 and found == good,
                (result, found))


def test_proxmox_choices(world):
    define("mine", "<rule action='accept' direction='inout'><mac/></rule>")
    with open(f"{PVE}/qemu-server/100.conf") as file:
        good = file.read()
    machine(100, "#nwfilter-net1%3A mine", good)
    result = hook("sync")
    world.check(f"a description may not ask for any filter, {when(world)}", result.status == 1
                and "guest 100: net1: the description (line 1) asks for the filter mine, which is "
                "not one of --choices" in result.err
                and entries()["tap100i1"]["filter"] == CLEAN, result)
    result = hook("sync", "--choices=none,mine")
    world.check("    but for one of --choices", result.status == 0 and not result.err
                and entries()["tap100i1"]["filter"] == "mine"
                and entries()["tap100i0"]["filter"] == CLEAN, (result, entries()))
    machine(100, "#nwfilter: none", good)
    result = hook("sync", "--choices=none,mine", "--filter=no-mac-spoofing")
    world.check("    none: it has no entries; and another filter for the others",
                result.status == 0 and not {"tap100i0", "tap100i1"} & set(entries())
                and entries()["veth102i0"]["filter"] == "no-mac-spoofing", (result, entries()))
    machine(100, good.replace("ipconfig1: ip=10.0.0.11/24", "ipconfig1: ip=dhcp"))
    hook("sync", "--without-ip=no-mac-spoofing")
    world.check("--without-ip is for those without an address", {
        port: entry["filter"] for port, entry in entries().items()} == {
        "tap100i0": CLEAN, "tap100i1": "no-mac-spoofing", "fwln101o0": CLEAN, "veth102i0": CLEAN,
        "fwln103o0": CLEAN}, entries())
    firewall(100, "[OPTIONS]\nipfilter: 1\nmacfilter: 0\n")
    result = hook("sync", "--without-ip=no-mac-spoofing")
    world.check("    and not where Proxmox VE is to check addresses",
                result.status == 0 and entries()["tap100i1"]["filter"] == CLEAN
                and 'guest 100: "macfilter: 0" of its firewall changes no filter' in result.err,
                (result, entries()))
    os.unlink(f"{PVE}/firewall/100.fw")
    machine(100, good)
    hook("sync")


def test_proxmox_operator(world):
    """An operator's file comes before what is made here; a guest that has gone goes."""
    policy("operator", port="tap100i1", mac=M.format(11), filter="mine")
    result = hook("sync")
    world.check(f"a port of which another file speaks is left to that, {when(world)}",
                result.status == 0 and "tap100i1" not in entries(), (result, entries()))
    os.unlink(f"{POLICIES}/operator.json")
    hook("sync")
    machine(105, net(0, 50), "ipconfig0: ip=10.0.0.50/24")
    hook("sync")
    there = "tap105i0" in entries()
    os.unlink(f"{PVE}/qemu-server/105.conf")
    os.rename(f"{PVE}/qemu-server/100.conf", f"{PVE}/100")
    result = hook("sync")
    world.check("a guest that has gone loses its entries, one whose port is there does not",
                there and "tap105i0" not in entries() and "tap100i0" in entries(), entries())
    os.rename(f"{PVE}/100", f"{PVE}/qemu-server/100.conf")


def test_pre_start(world):
    machine(104, net(0, 40), "ipconfig0: ip=10.0.0.40/24")
    result = hook("104", "pre-start")
    world.check(f"pre-start of a good guest, {when(world)}", result.status == 0 and not result.err
                and not result.out and entries()["tap104i0"]["parameters"] == {"IP": ["10.0.0.40"]}
                and "tap100i0" in entries(), result)
    for what, words, lines, cause in (
            ("a filter that is not there", ["--filter=nosuch"], [], "tap104i0: filter nosuch"),
            ("an address that is not known", [], ["ipconfig0: ip=dhcp"], "$IP"),
            ("a line that is none", [], ["foo"], f"{PVE}/qemu-server/104.conf:2: not"),
            ("a filter that it may not have", [], ["#nwfilter: mine"], "not one of --choices")):
        machine(104, net(0, 40), *lines)
        result = hook("104", "pre-start", *words)
        world.check(f"    {what}: the start is aborted", result.status == 1
                    and len(result.err.splitlines()) == 1 and cause in result.err, result)
    machine(104, "#nwfilter: none", net(0, 40))
    result = hook("104", "pre-start", "--choices=none")
    world.check("    no policy at all: the same", result.status == 1
                and "tap104i0: no policy file has an entry" in result.err, result)
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-default-filter=no-mac-spoofing")
    result = hook("104", "pre-start", "--choices=none")
    world.check("    under the bridge's default filter it is good, but for its address",
                result.status == 1 and "$MAC" in result.err, result)
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-default-filter=mine")
    result = hook("104", "pre-start", "--choices=none")
    world.check("    and good where that needs none", result.status == 0, result)
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "nwfilter-default-filter")
    machine(104, net(0, 40, bridge="vmbr9"))
    result = hook("104", "pre-start")
    world.check("    interfaces on other bridges are not ours", result.status == 0
                and "tap104i0" not in entries(), result)
    for words, cause in ((["999", "pre-start"], "it has no guest 999"),
                         (["x", "pre-start"], '"x" is not the number of a guest'),
                         (["0", "pre-start"], '"0" is not the number'),
                         (["0x68", "pre-start"], '"0x68" is not the number'),
                         (["0104", "pre-start"], '"0104" is not the number'),
                         (["1000000000", "pre-start"], '"1000000000" is not the number')):
        result = hook(*words)
        world.check(f"    {' '.join(words)}", result.status == 1 and cause in result.err, result)
    os.unlink(f"{PVE}/qemu-server/104.conf")


def test_too_many(world):
    """What one guest writes into its firewall's file does not fill the policy file."""
    machine(108, net(0, 80), net(1, 81))
    for number in (0, 1):
        text = "".join(f"10.{number}.{i // 256}.{i % 256}\n" for i in range(600))
        with open(f"{PVE}/firewall/108.fw", "w" if not number else "a") as file:
            file.write(f"[IPSET ipfilter-net{number}]\n{text}")
    result = hook("sync")
    world.check(f"a guest with too many addresses, {when(world)}", result.status == 1
                and "guest 108: more than 1024 addresses" in result.err
                and "tap108i0" not in entries(), result)
    os.unlink(f"{PVE}/firewall/108.fw")
    os.unlink(f"{PVE}/qemu-server/108.conf")
    hook("sync")


def test_at_once(world):
    """Hookscripts of many guests at the host's start: none loses what another has written."""
    for number in range(20):
        machine(200 + number, net(0, 100 + number), f"ipconfig0: ip=10.0.2.{number}/24")
    starts = [subprocess.Popen([PROGRAM, f"--filter-dir={FILTERS}", "hook", "proxmox",
                                str(200 + number), "pre-start"]) for number in range(20)]
    results = [one.wait(60) for one in starts]
    world.check(f"twenty at once, {when(world)}", results == [0] * 20
                and {f"tap{200 + number}i0" for number in range(20)} | set(PORTS)
                == set(entries()), (results, set(entries())))
    for number in range(20):
        os.unlink(f"{PVE}/qemu-server/{200 + number}.conf")
    hook("sync")


def test_migration(world):
    machine(106, net(0, 60), "ipconfig0: ip=10.0.0.60/24", node="far")
    result = hook("106", "pre-start")
    world.check(f"a guest that is another node's, {when(world)}", result.status == 1
                and "it has no guest 106" in result.err, result)
    result = hook("106", "pre-start", env={"PVE_MIGRATED_FROM": "far"})
    world.check("    and is on its way here", result.status == 0
                and entries()["tap106i0"]["parameters"] == {"IP": ["10.0.0.60"]}, result)
    result = hook("106", "pre-start", env={"PVE_MIGRATED_FROM": "../nodes/far"})
    world.check("    from a node that is none", result.status == 1
                and '"../nodes/far" is not a node' in result.err, result)
    result = hook("sync")
    world.check("    a sync before its port is there does not take its policy",
                result.status == 0 and "tap106i0" in entries(), (result, entries()))
    world._plug("tap106i0", Station(M.format(60), "10.0.0.60"), {}, {})
    hook("sync")
    world.check("    nor does one meanwhile", "tap106i0" in entries(), entries())
    enforce(world)
    wrong = not_enforced(world, "tap106i0", set(world.ports) - {"tap106i0"})
    world.check("    which is in force", not wrong, wrong)
    world.unplug("tap106i0")
    enforce(world)
    hook("sync")
    world.check("    afterwards it goes", "tap106i0" not in entries(), entries())
    test_migration_fails(world)


def come(world, *words):
    result = hook("106", "pre-start", *words, env={"PVE_MIGRATED_FROM": "far"})
    hook("sync")
    return result


def test_migration_fails(world):
    """A guest that does not come after all is not waited for without end."""
    note = "/run/openvswitch/.ovs-nwfilter.incoming.106"
    come(world)
    with open(note) as file:
        since = int(file.read())
    for what, text, stays in (("a minute ago", f"{since - 60}\n", True),
                              ("ten minutes ago", f"{since - 600}\n", False),
                              ("later than now", f"{since + 60}\n", False),
                              ("at no time", "x" * 100, False)):
        come(world)
        with open(note, "w") as file:
            file.write(text)
        hook("sync")
        world.check(f"an incoming guest that was expected {what}, {when(world)}",
                    ("tap106i0" in entries()) == stays == os.path.exists(note), entries())
    result = come(world, "--filter=nosuch")
    world.check("    one that is not let in is not waited for", result.status == 1
                and "tap106i0" not in entries() and not os.path.exists(note), entries())
    come(world)
    world._plug("tap106i0", Station(M.format(60), "10.0.0.60"), {}, {})
    hook("106", "post-start", env={"PVE_MIGRATED_FROM": "far"})
    world.unplug("tap106i0")
    hook("sync")
    world.check("    one whose port has come and gone goes", "tap106i0" not in entries()
                and not os.path.exists(note), entries())
    enforce(world)


def test_other_phases(world):
    before = flows(world)
    machine(107, net(0, 70), "ipconfig0: ip=10.0.0.70/24")
    hook("107", "pre-start")
    world._plug("tap107i0", Station(M.format(70), "10.0.0.70"), {}, {})
    result = hook("107", "post-start")
    wrong = not_enforced(world, "tap107i0", set(world.ports) - {"tap107i0"})
    world.check(f"after post-start the port is enforced, {when(world)}", result.status == 0
                and not result.err and not result.out and not wrong, (result, wrong))
    machine(107, net(0, 70), "ipconfig0: ip=dhcp")
    hook("sync")
    result = hook("107", "post-start")
    world.check("    one that is not: a warning, and no failure", result.status == 0
                and "tap107i0: " in result.err and "$IP" in result.err, result)
    world.check("pre-stop does nothing", hook("107", "pre-stop")[:3] == (0, "", ""))
    world.unplug("tap107i0")
    result = hook("107", "post-stop")
    world.check("after post-stop its flows have gone", result.status == 0 and not result.out
                and flows(world) == before, (result, set(flows(world)) ^ set(before)))
    for words in (["999", "post-start"], ["999", "post-stop"], ["107", "at-noon"]):
        result = hook(*words)
        world.check(f"    {' '.join(words)}: a warning", result.status == 0
                    and len(result.err.splitlines()) == 1, result)
    os.unlink(f"{PVE}/qemu-server/107.conf")


def clear(world):
    world.unplug(*PORTS)
    for kind in ("qemu-server", "lxc"):
        for name in os.listdir(f"{PVE}/{kind}"):
            os.unlink(f"{PVE}/{kind}/{name}")
    hook("sync")
    world.check("without guests there are no entries", entries() == {}, entries())
    enforce(world)


if __name__ == "__main__":
    if not which(QEMU):
        skip(f"needs {QEMU}")
    run(test)
