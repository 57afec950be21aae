#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A virtual machine is filtered before its first instruction, or it does not start.

A real libvirtd starts a real QEMU with our hook; the guest (lab/guest.c) forges from its first
moment on.  A second hook, which runs after ours, looks whether the policy is enforced while there
is no QEMU yet: a machine takes seconds to boot, so that its frames alone would prove nothing.
"""

import os
import signal
import statistics
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab import vm  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.libvirt import LinuxBridge  # noqa: E402
from lab.netns import WORK, LabError, wait_for  # noqa: E402
from lab.nwfilterd import Nwfilterd  # noqa: E402
from system.world import FILTERS, PROGRAM, nwfilter  # noqa: E402

OUR_FILTERS = "/etc/ovs-nwfilter/filters"  # where the hook looks without an option
MAC, IP = "52:54:00:00:00:05", "10.0.0.5"
PLUGGED_MAC, BARE_MAC = "52:54:00:00:00:06", "52:54:00:00:00:07"
VICTIM_MAC, VICTIM_IP = "52:54:00:00:00:02", "10.0.0.2"
FIRST = 40  # rounds before the guest has an address
PACE_MS = 20
STARTS = 3  # of which the median is shown
CONSOLE = f"{WORK}/vm.console"
NAMESPACE = "urn:ovs-nwfilter:domain:1"

# What 10-before does is written into the file TROUBLE by a test; both note the time.
TROUBLE, TIMES, WITNESS = (f"{WORK}/{name}" for name in ("trouble", "times", "witness"))
BEFORE = f"""#!/bin/sh
[ "$2" = start ] || exit 0
[ ! -e {TROUBLE} ] || . {TROUBLE}
date +%s%N >>{TIMES}
"""
AFTER = f"""#!/bin/sh
[ "$2" = start ] || exit 0
date +%s%N >>{TIMES}
{{
    {PROGRAM} --filter-dir={FILTERS} diff br0 >/dev/null 2>&1
    echo "diff $?"
    ovs-vsctl --bare --columns=external_ids find Interface 'external_ids:attached-mac="{MAC}"'
    grep -c 'guest=[v]m,' /proc/[0-9]*/cmdline 2>/dev/null | grep -v ':0$'
    echo seen
}} >{WITNESS}
exit 0
"""


class Machines:
    """A managed bridge, and libvirt's machines on it."""

    def __init__(self, lab):
        self.lab = lab
        self.failures = 0
        self.image = vm.Image()
        os.makedirs(OUR_FILTERS)
        os.symlink(OUR_FILTERS, FILTERS)
        lab.ovs.add_bridge("br0")
        self.uplink = lab.ovs.add_guest("br0", "uplink")
        self.victim = lab.ovs.add_guest("br0", "victim", VICTIM_MAC, nwfilter="clean-traffic",
                                        nwfilter_IP=VICTIM_IP)
        self.received = []
        self.daemon = Nwfilterd(FILTERS)
        self.daemon.start()
        good(nwfilter("manage", "br0", "--trusted=uplink"))
        lab.libvirt.add_hook("10-before", BEFORE)
        lab.libvirt.add_hook("60-after", AFTER)
        good(nwfilter("hook", "install", "libvirt"))
        lab.libvirt.restart()
        self.at_rest = self.flows()

    def check(self, what, good_, why=""):
        print(f"{'ok    ' if good_ else 'FAILED'} {what}{'' if good_ or not why else f': {why}'}",
              flush=True)
        self.failures += not good_
        return good_

    def virsh(self, *words, stdin=None):
        return self.lab.libvirt.machines(*words, stdin=stdin)

    def define(self, metadata, bridge="br0"):
        xml = vm.domain_xml(self.image, "vm", vm.interface_xml(("ovs", bridge), MAC), metadata,
                            ip=IP, first=FIRST, pace_ms=PACE_MS, victim_ip=VICTIM_IP,
                            victim_mac=VICTIM_MAC)
        self.done("define", "/dev/stdin", stdin=xml)

    def done(self, *words, stdin=None):
        status, output = self.virsh(*words, stdin=stdin)
        if status:
            raise LabError(f"virsh {' '.join(words)}: {output}")

    def flows(self):
        return sorted(self.lab.ovs.flows("br0"))

    def ports(self):
        """Those that libvirt has made."""
        return [name for name in self.lab.ovs.vsctl("list-ports", "br0").split()
                if name.startswith("vnet")]

    def tags(self, port):
        return self.lab.ovs.vsctl("get", "Interface", port, "external_ids")

    def leftovers(self):
        """What a machine that does not run has left behind: its ports, and other flows."""
        left = self.ports()
        try:
            wait_for(lambda: self.flows() == self.at_rest, "flows", 3, 0.1)
        except LabError:
            left += sorted(set(self.flows()) ^ set(self.at_rest))
        return left

    # --- frames

    def collect(self):
        """All that the uplink and the victim have got since the last time."""
        self.received = self.uplink.receive()
        return self.received

    def clean(self, first, kind):
        """Rounds of a kind at the uplink from `first` on that are missing or there twice.  (Of the
        one before, a part may have come in time to be taken for what was there already.)"""
        rounds = sorted(number & 0xffffff for number in map(f.read_stamp, self.received)
                        if number is not None and number >> 24 == kind
                        and number & 0xffffff >= first)
        wanted = list(range(first, max(rounds, default=first) + 1))
        return None if rounds == wanted else (rounds[:5], len(rounds), len(wanted))

    def forged(self):
        numbers = map(f.read_stamp, self.received + self.victim.receive())
        return sorted({vm.KINDS.get(n >> 24, n >> 24) for n in numbers
                       if n is not None and n >> 24 >= vm.FORGED})

    def last_round(self):
        return max((number & 0xffffff for number in map(f.read_stamp, self.received)
                    if number is not None), default=-1)

    def hear_more(self, seconds=0.5):
        time.sleep(seconds)
        return self.collect()


def good(result):
    if result.status:
        raise LabError(f"exit {result.status}: {result.err}")


def metadata(inner):
    return f"<ports xmlns='{NAMESPACE}'>{inner}</ports>"


def policy(filter_name="clean-traffic", mac=MAC, **parameters):
    inner = "".join(f"<parameter name='{name}' value='{value}'/>"
                    for name, value in parameters.items())
    return metadata(f"<port mac='{mac}'><filterref filter='{filter_name}'>{inner}</filterref>"
                    "</port>")


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def forget(*paths):
    for path in paths:
        if os.path.exists(path):
            os.unlink(path)


def check_witness(machines, what):
    """What the hook behind ours has seen."""
    seen = read(WITNESS).splitlines()
    machines.check(f"{what}: when the next hook runs, the port is enforced and there is no QEMU",
                   len(seen) == 3 and seen[0] == "diff 0" and seen[2] == "seen"
                   and "nwfilter-status=active" in seen[1], seen)
    forget(WITNESS)


# ---- The parts. ----


def test_first_frames(machines):
    machines.define(policy(IP=IP))
    machines.collect()
    status, output = machines.virsh("start", "vm")
    if not machines.check("virsh start", not status, output):
        raise LabError("without a machine there is nothing to test")
    check_witness(machines, "start")
    vm.wait_for_guest(CONSOLE)
    machines.hear_more()
    check_frames(machines, "from the guest's first moment", 0, FIRST)


def check_frames(machines, what, first, at_least):
    got = machines.last_round() - first + 1
    machines.check(f"{what}: every clean frame arrives ({got} rounds)", got >= at_least
                   and not machines.clean(first, 1) and not machines.clean(first, 2),
                   (machines.clean(first, 1), machines.clean(first, 2)))
    forged = machines.forged()
    machines.check(f"{what}: no forged one does", not forged, forged)


def test_hot_plug(machines):
    """No hook runs: the daemon does it."""
    xml = vm.interface_xml(("ovs", "br0"), PLUGGED_MAC,
                           "<parameters profileid='no-mac-spoofing'/>")
    machines.done("attach-device", "vm", "/dev/stdin", stdin=xml)
    new = machines.ports()[-1]
    check_status(machines, "hot-plugged with a profileid", new, "active")
    bare = vm.interface_xml(("ovs", "br0"), BARE_MAC)
    machines.done("attach-device", "vm", "/dev/stdin", stdin=bare)
    port = machines.ports()[-1]
    check_status(machines, "hot-plugged without a policy: quarantined, with what to do", port,
                 "error: no filter is bound", "ovs-nwfilter bind")
    # A machine with such a card cannot be restored: its policy is to be written first.
    machines.done("detach-device", "vm", "/dev/stdin", stdin=bare)
    machines.done("detach-device", "vm", "/dev/stdin", stdin=xml)
    gone = wait_gone(machines, new, port)
    machines.check("unplugged again: their ports are gone", not gone, gone)


def check_status(machines, what, port, *words):
    try:
        wait_for(lambda: all(word in machines.tags(port) for word in ("status", *words)),
                 "status", 5, 0.05)
    except LabError:
        return machines.check(what, False, machines.tags(port))
    return machines.check(what, True)


def wait_gone(machines, *ports):
    try:
        wait_for(lambda: not set(ports) & set(machines.ports()), "unplugging", 10, 0.1)
    except LabError:
        return machines.ports()
    return []


def test_libvirtd_restarts(machines):
    """To a running machine the hook says "reconnect"; an error there would kill it."""
    machines.collect()
    first = machines.last_round() + 1
    flows = machines.flows()
    machines.lab.libvirt.restart()
    machines.hear_more()
    state = machines.virsh("domstate", "vm")
    machines.check("libvirtd restarts: the machine goes on, and so do its flows",
                   state[1].strip() == "running" and machines.flows() == flows, state)
    check_frames(machines, "    its frames", first, 10)


def test_saved(machines):
    machines.collect()
    first = machines.last_round() + 1
    machines.done("save", "vm", f"{WORK}/saved")
    left = machines.leftovers()
    machines.check("saved: nothing is left", not left, left)
    status, output = machines.virsh("restore", f"{WORK}/saved")
    if machines.check("restored", not status, output):
        check_witness(machines, "    restore")
        machines.hear_more(1)
        check_frames(machines, "    its frames, across both", first, 10)
    forget(f"{WORK}/saved")


def test_destroyed(machines):
    machines.done("destroy", "vm")
    left = machines.leftovers()
    machines.check("virsh destroy: its port is gone, and all of its flows", not left, left)


def test_refused(machines):
    """virsh says why, and nothing is left behind."""
    rows = (
        ("an element that the schema does not know", metadata("<prot/>"), "br0", ("vm:", "<prot>")),
        ("a filter that is not there", policy("no-such", IP=IP), "br0", ("no-such",)),
        ("a filter's variable without a value", policy("needs-net"), "br0", ("needs-net", "NET")),
        ("a policy for a card that there is not", policy(mac=BARE_MAC), "br0",
         ("vm:", "none of the domain's interfaces")),
        ("a bridge that is not managed", policy(IP=IP), "br1", ("br1", "manage")),
    )
    with open(f"{OUR_FILTERS}/needs-net.xml", "w") as file:
        file.write("<filter name='needs-net' chain='root'><rule action='accept' direction='out'>"
                   "<ip srcipaddr='$NET'/></rule></filter>")
    machines.lab.ovs.add_bridge("br1")
    for what, text, bridge, words in rows:
        machines.define(text, bridge)
        check_refused(machines, what, words)


def check_refused(machines, what, words):
    began = time.monotonic()
    status, output = machines.virsh("start", "vm")
    took = 1000 * (time.monotonic() - began)
    machines.check(f"{what}: the start fails, and virsh says why ({took:.0f} ms)",
                   status and all(word in output for word in words), output)
    print("       ", output.rpartition("exit status 1:")[2].strip())
    if not status:
        machines.virsh("destroy", "vm")
    left = machines.leftovers()
    machines.check("    nothing is left behind", not left, left)
    forget(WITNESS)


def test_switch_gone(machines):
    """The switch dies when the port has been added already: before that, libvirt itself fails."""
    machines.define(policy(IP=IP))
    with open(TROUBLE, "w") as file:
        file.write(f"kill -9 {machines.lab.ovs.switch.process.pid}\n")
    began = time.monotonic()
    status, output = machines.virsh("start", "vm")
    took = 1000 * (time.monotonic() - began)
    machines.check(f"ovs-vswitchd dies: the start fails, and virsh says why ({took:.0f} ms)",
                   status and "ovs-vswitchd" in output, output)
    forget(TROUBLE, WITNESS)
    machines.lab.ovs.switch.kill()
    machines.lab.ovs.start_switch()
    machines.daemon.settled("the switch to be back")
    left = machines.leftovers()
    machines.check("    nothing is left behind once it is back", not left, left)


def test_without_daemon(machines):
    machines.daemon.stop()
    machines.define(policy(IP=IP))
    status, output = machines.virsh("start", "vm", "--paused")
    machines.check("without the daemon a machine starts all the same", not status, output)
    check_witness(machines, "    then too")
    machines.virsh("destroy", "vm")
    left = machines.leftovers()
    machines.check("    destroyed: its flows are gone", not left, left)
    check_refused_without_daemon(machines)
    machines.daemon.start()
    machines.daemon.settled("the daemon's return")


def check_refused_without_daemon(machines):
    machines.define(policy("no-such", IP=IP))
    check_refused(machines, "    a filter that is not there", ("no-such",))


def test_overhead(machines):
    """Beside the same machine on a Linux bridge, filtered by libvirt."""
    machines.define(policy(IP=IP))
    forget(TIMES)
    ours = start_times(machines)
    stamps = [int(line) for line in read(TIMES).split()]
    hook = [(after - before) / 1e6 for before, after in zip(stamps[::2], stamps[1::2])]
    LinuxBridge("lbr0")
    inner = (f"<filterref filter='clean-traffic'><parameter name='IP' value='{IP}'/>"
             "</filterref>")
    xml = vm.domain_xml(machines.image, "vm",
                        vm.interface_xml(("linux", "lbr0"), MAC, inner=inner), ip=IP)
    machines.done("define", "/dev/stdin", stdin=xml)
    theirs = start_times(machines)
    print(f"        virsh start, medians of {STARTS}: Open vSwitch and our hook {ours:.0f} ms "
          f"(of which the hook {statistics.median(hook):.0f} ms), Linux bridge and libvirt's "
          f"filter {theirs:.0f} ms")
    machines.check("a start with our hook takes no longer than one with libvirt's own filter",
                   len(hook) == STARTS and ours < theirs, (hook, ours, theirs))


def start_times(machines):
    """The median, in milliseconds."""
    times = []
    for _ in range(STARTS):
        began = time.monotonic()
        machines.done("start", "vm", "--paused")  # what the guest does is not measured
        times.append(1000 * (time.monotonic() - began))
        machines.done("destroy", "vm")
    return statistics.median(times)


PARTS = (test_first_frames, test_hot_plug, test_libvirtd_restarts, test_saved, test_destroyed,
         test_refused, test_switch_gone, test_without_daemon, test_overhead)


def test(lab):
    machines = Machines(lab)
    for part in PARTS:
        part(machines)
    wrong = machines.daemon.recompute()
    machines.check("recompute finds no difference", not wrong, wrong)
    machines.check("the daemon ends with status 0",
                   machines.daemon.stop(signal.SIGTERM) == 0)
    return 1 if machines.failures else 0


if __name__ == "__main__":
    main(test, ovs=True, libvirt=True, machines=True)
