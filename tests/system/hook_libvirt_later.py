#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hook libvirt: after the start, and while parts of the host come and go.

Reconnect, attach, stopped and release; bridges that are cleared, a switch that is down, and a daemon
that hangs or ends.
"""

import os
import re
import subprocess
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import wait_for  # noqa: E402
from system.libvirt_world import (  # noqa: E402
    CLEAN, MACHINE, OTHER, UPLINK, UUID, catch_up, check_good, check_shut, clear_tags, domain,
    entry, hook, nic, own_tags, plug, policy, run_parts, tap, write_policies)
from system.world import PROGRAM, nwfilter, run  # noqa: E402


def test_silent(world):
    """What else libvirt runs us for, now or in future versions; documents of any kind."""
    document = domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1"))
    for operation, phase in (("prepare", "begin"), ("started", "begin"), ("migrate", "begin"),
                             ("restore", "begin"), ("start", "end"), ("stopped", "begin"),
                             ("future", "begin")):
        for text in (document, "?", "x" * (4 << 20)):
            result = hook(text, operation, phase)
            world.check(f"{operation} {phase}: nothing", result == (0, "", ""), result)
    world.check("    no tag was written", not own_tags(world, "vnet0"), world.tags("vnet0"))
    for text in ("", "?", "x" * (9 << 20), domain(nic(1), entries="<nic/>")):
        for operation, phase in (("reconnect", "begin"), ("stopped", "end"), ("release", "end")):
            result = hook(text, operation, phase)
            world.check(f"{operation}: a bad document is said, and is no failure",
                        result.status == 0 and not result.out and re.fullmatch(
                            r"ovs-nwfilter: domain web.*\n(ovs-nwfilter: vnet\d: no .*\n)*",
                            result.err), result)
    clear_tags(world, "vnet0", "vnet1")
    result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1"), name="-web"), name="-web")
    world.check("a name like an option's", result == (0, "", "")
                and own_tags(world, "vnet0")["vm-name"] == "-web", result)
    clear_tags(world, "vnet0")


def test_reconnect(world):
    document = domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2"))
    tags = {"nwfilter": CLEAN, "IP": "10.0.0.1"}
    hook(document)
    world.set_tags("vnet0", nwfilter=None, nwfilter_IP=None, vm_name=None)
    catch_up(world)
    check_shut(world, "tags that are lost", "vnet0")
    nwfilter("bind", "vnet1", CLEAN, "IP=10.0.0.22")
    check_good(world, "reconnect: they are back, and what was bound since stays",
               hook(document, "reconnect"), vnet0=(tags, "10.0.0.1"),
               vnet1=({"nwfilter": CLEAN, "IP": "10.0.0.22"}, "10.0.0.22"))
    unplugged = domain(nic(1), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2"))
    world.set_tags("vnet0", nwfilter=None)
    result = hook(unplugged, "attach")
    world.check("an entry of an interface that was unplugged is said, the others are back",
                result.status == 0 and not result.out and "is for none of" in result.err
                and own_tags(world, "vnet0")["nwfilter"] == CLEAN
                and world.status("vnet0") == "active", result)
    clear_tags(world, "vnet0")
    other = domain(nic(1), entries=entry(1, "allow-arp"))
    write_policies(policy("10.0.0.1", vm="web"))
    hook(domain(nic(1)))
    result = hook(other, "reconnect")
    world.check("metadata that is not what is in force: is said, and changes nothing",
                result.status == 0 and "do not agree" in result.err
                and own_tags(world, "vnet0") == MACHINE and world.status("vnet0") == "active",
                (result, own_tags(world, "vnet0")))
    write_policies()
    world.set_tags("vnet0", nwfilter="nosuch")
    result = hook(document, "reconnect")
    world.check("a filter that fails is said, and is no failure", result.status == 0
                and re.fullmatch("ovs-nwfilter: vnet0: .*nosuch.*\n", result.err), result)
    clear_tags(world, "vnet0", "vnet1")


def test_broken_since(world):
    """The metadata of a domain that runs has been edited, and has mistakes: that is said, and what
    is in order counts."""
    good = domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2"))
    for what, broken in (
            ("no address", "<port mac='zz'><filterref filter='allow-arp'/></port>"),
            ("no selector", "<port><filterref filter='allow-arp'/></port>"),
            ("an unknown attribute", entry(1, "allow-arp").replace(" mac=", " MAC=")),
            ("a bad alias", "<port alias='a b'><filterref filter='allow-arp'/></port>"),
            ("two filters", entry(1, "allow-arp").replace(
                "</port>", "<filterref filter='allow-ipv4'/></port>")),
            ("no filter", "<port mac='52:54:00:00:00:01'/>"),
            ("a variable's name that is taken", entry(1, status="1"))):
        hook(good)
        for name in ("vnet0", "vnet1"):
            world.set_tags(name, nwfilter=None, nwfilter_IP=None)
        bad = domain(nic(1), nic(2), entries=broken + entry(2, IP="10.0.0.2"))
        result = hook(bad, "reconnect")
        world.check(f"reconnect: {what}: is said, and is no failure", result.status == 0
                    and not result.out and re.match(r"ovs-nwfilter: domain web:\d: ", result.err),
                    result)
        world.check("    the other port has its filter back, this one has none",
                    own_tags(world, "vnet1").get("nwfilter") == CLEAN
                    and "nwfilter" not in own_tags(world, "vnet0"), world.tags("vnet0"))
        for words, tag in ((("stopped", "end"), "(stopped)"), (("release", "end"), None)):
            result = hook(bad, *words)
            left = [own_tags(world, name).get("nwfilter") for name in ("vnet0", "vnet1")]
            world.check(f"    {words[0]} cleans up both", result.status == 0 and not result.out
                        and left == [tag, tag], (result, left))
    clear_tags(world, "vnet0", "vnet1")


def test_stopped(world):
    document = domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2"))
    hook(document)
    write_policies(policy("10.0.0.1", mac="52:54:00:00:00:01"))
    result = hook(document.replace(UUID, OTHER), "stopped", "end")
    world.check("stopped: another machine's ports stay as they are", result == (0, "", "")
                and world.status("vnet0") == world.status("vnet1") == "active", result)
    # As libvirt gives it: without the names that it has made up, <target dev='vnet0'/>.
    document = re.sub("<target dev='vnet.'/>", "", document)
    result = hook(document, "stopped", "end")
    world.check("stopped: the tags are gone", result == (0, "", "") and all(
        own_tags(world, name) == {"nwfilter": "(stopped)"} for name in ("vnet0", "vnet1")),
        (result, own_tags(world, "vnet0")))
    check_shut(world, "    nothing passes, although policy.d has a filter", "vnet0", "vnet1")
    number = world.ovs.ofport("vnet1")
    world.ovs.vsctl("del-port", "br0", "vnet1")
    result = hook(document, "release", "end")
    left = [flow for flow in world.ovs.flows("br0") if f"in_port={number}," in flow
            or f"in_port={number} " in flow or f"reg0={number:#x}" in flow]
    world.check("release: no flow of a port that is gone is left", result == (0, "", "")
                and not left, (result, left))
    world.check("    a port that stays is nobody's", not own_tags(world, "vnet0"),
                world.tags("vnet0"))
    write_policies()
    world.ports["vnet1"].remove()
    plug(world, 2)
    catch_up(world)


def test_lost(world):
    """A tool of the host has cleared the bridge just before."""
    world.ovs.vsctl("clear", "Bridge", "br0", "external_ids", "fail_mode")
    result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1")))
    world.check("a bridge that has lost its tags is managed again", result.status == 0
                and not result.out and world.status("vnet0") == "active", result)
    world.expect_all("    and the port is enforced", [
        ("vnet0", world.ip("vnet0"), UPLINK), ("vnet0", world.ip("vnet0", src="10.0.0.77"), [])])
    clear_tags(world, "vnet0")
    write_policies(policy("10.0.0.1", vm="web"))
    record = "/etc/ovs-nwfilter/bridges.d/br0.json"
    with open(record) as file:
        text = file.read()
    with open(record, "w") as file:
        file.write("{")
    world.ovs.vsctl("clear", "Bridge", "br0", "external_ids", "fail_mode")
    result = hook(domain(nic(1)))
    world.check("    if its record cannot be read: refused", result.status == 1
                and "bridge br0 has lost its tags" in result.err
                and not own_tags(world, "vnet0"), (result, world.tags("vnet0")))
    with open(record, "w") as file:
        file.write(text)
    write_policies()
    catch_up(world)
    clear_tags(world, "vnet0")


def test_cleared_meanwhile(world):
    """A tool of the host clears the bridge at any moment."""
    command = "ovs-vsctl clear Bridge br0 external_ids fail_mode; sleep 0.02; "
    tool = subprocess.Popen(("sh", "-c", command * 40), stdout=subprocess.DEVNULL)
    results = []
    while tool.poll() is None:
        result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1")))
        results.append((result.status, own_tags(world, "vnet0").get("nwfilter")))
        for key in own_tags(world, "vnet0"):
            world.set_tags("vnet0", **{key: None})
    wrong = [each for each in results if each[0] == 0 and each[1] != CLEAN]
    world.check(f"of {len(results)} starts beside a tool that clears the bridge no port is left "
                "without its tags", not wrong, wrong)
    catch_up(world)
    clear_tags(world, "vnet0")


def test_no_switch(world):
    """Open vSwitch or a part of it is down."""
    document = domain(nic(1), entries=entry(1, IP="10.0.0.1"))
    options = ("--timeout=2",)
    world.ovs.switch.stop()
    began = time.monotonic()
    result = hook(document, options=options)
    world.check(f"no ovs-vswitchd ({time.monotonic() - began:.1f} s): refused with one line",
                result.status == 1 and not result.out
                and re.fullmatch("ovs-nwfilter: .*br0.*\n", result.err), result)
    world.check("    no tag is left", not own_tags(world, "vnet0"), world.tags("vnet0"))
    for words in (("reconnect", "begin"), ("stopped", "end"), ("release", "end")):
        result = hook(document, *words, options=options)
        world.check(f"    {words[0]} is no failure", result.status == 0 and not result.out, result)
    world.ovs.start_switch()
    catch_up(world)
    clear_tags(world, "vnet0")
    world.ovs.server.stop()
    result = hook(document, options=options)
    world.check("no ovsdb-server: refused with one line", result.status == 1 and not result.out
                and re.fullmatch("ovs-nwfilter: the switch's database does not answer; see that "
                                 "ovsdb-server runs: OVSDB .*\n", result.err), result)
    for words in (("reconnect", "begin"), ("stopped", "end"), ("release", "end")):
        result = hook(document, *words, options=options)
        world.check(f"    {words[0]} is no failure", result.status == 0 and not result.out
                    and result.err.count("\n") == 1, result)
    plain = ("<interface type='bridge'><source bridge='virbr0'/><target dev='vnet5'/>"
             "</interface>")
    for words in (("start", "begin"), ("stopped", "end")):
        result = hook(domain(plain), *words, options=options)
        world.check(f"    {words[0]}: a domain on a Linux bridge does not care",
                    result == (0, "", ""), result)
    world.ovs.start_server()
    wait_for(lambda: nwfilter("sync").status in (0, 1) and world.ovs.flows("br0"), "the switch")
    catch_up(world)


def test_slow_daemon(world):
    """A daemon that does not answer: the start fails in time, and takes back what it wrote."""
    world.daemon.freeze()
    result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1")), options=("--timeout=1",))
    world.check("a daemon that hangs: refused with one line", result.status == 1
                and result.err == "ovs-nwfilter: vnet0: not enforced in time\n", result)
    world.check("    no tag is left", not own_tags(world, "vnet0"), world.tags("vnet0"))
    both = domain(nic(1), nic(2))
    linux = domain(tap(9, "vnet9", "bridge", "<source bridge='virbr0'/>"))
    for what, document, most in (("two ports", both, 11), ("none", linux, 1)):
        for words in (("reconnect", "begin"), ("stopped", "end"), ("release", "end")):
            began = time.monotonic()
            result = hook(document, *words, options=("--timeout=1",))
            took = time.monotonic() - began
            world.check(f"    {words[0]} of a domain with {what} ({took:.1f} s)",
                        result.status == 0 and took < most, (result, took))
    world.daemon.thaw()
    world.daemon.settle()
    check_shut(world, "    nothing passes", "vnet0")


def test_daemon_ends(world):
    """A daemon that ends while we wait for it: the work is done without it."""
    world.daemon.freeze()
    words = (PROGRAM, "--filter-dir=/run/lab/filters", "hook", "libvirt", "web", "start", "begin",
             "-")
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    process.stdin.write(domain(nic(1), entries=entry(1, IP="10.0.0.1")))
    process.stdin.close()
    process.stdin = None
    wait_for(lambda: own_tags(world, "vnet0"), "the tags", 10)
    world.daemon.crash()
    out, err = process.communicate(timeout=60)
    world.check("a daemon that is killed meanwhile: the start goes on without it",
                (process.returncode, out, err) == (0, "", "")
                and world.status("vnet0") == "active", (process.returncode, out, err))
    world.daemon.start()
    world.daemon.settle()
    hook(domain(nic(1)), "stopped", "end")
    hook(domain(nic(1)), "release", "end")


PARTS = [test_silent, test_reconnect, test_broken_since, test_stopped, test_lost,
         test_cleared_meanwhile, test_no_switch]
# With the daemon alone.
LAST = [test_slow_daemon, test_daemon_ends]


def test(world):
    run_parts(world, PARTS, LAST)


if __name__ == "__main__":
    run(test)
