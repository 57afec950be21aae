#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ovs-nwfilterd keeps the policy true, whatever comes, goes or changes, without being told.

Tags, filters and policy files, other people's flows; and the daemon's own end.  (Ports and bridges
are in daemon_ports.py, streams of frames through all of it in streams.py.)
"""

import json
import os
import signal
import subprocess
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import LabError, wait_for  # noqa: E402
from lab.nwfilterd import PROGRAM  # noqa: E402
from system.daemon_world import (  # noqa: E402
    ALL, CLEAN, POLICIES, check_policy, check_rows, check_shut, flows_of, manage, run_parts,
    settle)
from system.live import is_error, wait_status  # noqa: E402
from system.world import FILTERS, define, nwfilter, run  # noqa: E402


# --- tags

def test_managed(world):
    """A bridge that is not managed is not touched; managed while the daemon runs it is enforced."""
    world.check("a bridge that is not managed has no flow of ours", not [
        flow for flow in world.ovs.flows("br0") if "cookie=0x6e7766" in flow])
    wait_status(world, "vnet0", is_error("br0 is not managed"), "    and its guests' status says so")
    manage(world)
    world.check("managed: settles", settle(world).good)
    for name in ("vnet0", "vnet1"):
        world.check(f"    {name} is active", world.status(name) == "active", world.status(name))
    check_policy(world, "managed")
    flows = world.ovs.flows("plain")
    world.check("a bridge that nobody manages is not touched", len(flows) == 1
                and "actions=NORMAL" in flows[0] and "nwfilter" not in world.ovs.vsctl(
                    "get", "Bridge", "plain", "external_ids"), flows)
    show = world.daemon.appctl("port/show", "vnet0")
    world.check("ovs-appctl port/show", show.good and "guest, filter clean-traffic" in show.text,
                show)
    show = world.daemon.appctl("port/show", "nobody")
    world.check("    of a port that is not there: an error", not show.good
                and "nobody" in show.text, show)
    show = world.daemon.appctl("status")
    world.check("ovs-appctl status", show.good and "everything is enforced" in show.text, show)


def test_tags(world):
    world.set_tags("vnet0", nwfilter_IP="10.0.0.7")
    answer = settle(world, "vnet0")
    world.check("a tag changes: settle", answer.good and world.status("vnet0") == "active", answer)
    world.expect("    the new address passes", "vnet0", world.ip("vnet0", src="10.0.0.7"), ALL)
    world.expect("    the old one does not", "vnet0", world.ip("vnet0"), [])
    stamp = world.tags("vnet0")["nwfilter-installed-ts"]
    world.check("    since when is a time of now in ms", abs(int(stamp) / 1000 - time.time()) < 60,
                stamp)
    world.set_tags("vnet0", nwfilter_IP="10.0.0.1")
    wait_for(lambda: world.tags("vnet0")["nwfilter-installed-ts"] != stamp, "a new time")
    check_policy(world, "changed back, nobody asked")
    world.set_tags("vnet0", nwfilter="no-such")
    wait_status(world, "vnet0", is_error("no-such"), "a filter that is not there: the status says so")
    check_shut(world, "    quarantined", "vnet0", ["vnet1"])
    world.set_tags("vnet0", nwfilter=CLEAN)
    wait_status(world, "vnet0", "active")
    check_policy(world, "back")
    before = world.tags("vnet0")
    world.set_tags("vnet0", some_key="x")
    settle(world)
    world.check("somebody else's key changes nothing of ours",
                {k: v for k, v in world.tags("vnet0").items() if k != "some-key"} == before)
    for name in ("nwfilter-status", "nwfilter-installed-ts"):
        world.ovs.vsctl("remove", "Interface", "vnet0", "external_ids", name)
        wait_for(lambda: name in world.tags("vnet0"), f"{name} to be written again")
        world.check(f"{name} that somebody removes is written again", True)
    world.ovs.vsctl("set", "Interface", "vnet0", "external_ids:nwfilter-status=rubbish")
    wait_status(world, "vnet0", "active", "a status that somebody overwrites is written again")


def test_status_follows(world):
    """The status says "active" only after the switch enforces: looked at frame by frame."""
    wrong, times = None, []
    for i in range(20):
        old, new = ("10.0.0.1", "10.0.0.7") if i % 2 == 0 else ("10.0.0.7", "10.0.0.1")
        stamp = world.tags("vnet0")["nwfilter-installed-ts"]
        began = time.monotonic()
        world.set_tags("vnet0", nwfilter_IP=new)
        wait_for(lambda: world.tags("vnet0").get("nwfilter-installed-ts") != stamp, "a new time",
                 pause=0.001)
        times.append(1000 * (time.monotonic() - began))
        wrong = wrong or world.verdict("vnet0", world.ip("vnet0", src=new), ALL) \
            or world.verdict("vnet0", world.ip("vnet0", src=old), [])
    world.check(f"20 changes: once said to be in force they are (median {sorted(times)[10]:.0f} ms "
                "with ovs-vsctl to change and to look)", not wrong, wrong)


# --- files

GOOD = ("<rule action='drop' direction='out'><ip srcipaddr='10.0.5.5'/></rule>"
        "<rule action='drop' direction='in'><ip srcipaddr='10.0.6.6'/></rule>")


def test_filter_redefined(world):
    define("own", GOOD)
    for name in ("vnet0", "vnet1"):
        world.set_tags(name, nwfilter="own")
    settle(world)
    five, six = (world.ip("vnet0", src=f"10.0.{n}.{n}") for n in (5, 6))
    world.expect_all("a filter of the host", [("vnet0", five, []), ("vnet0", six, ["uplink"])])
    begin = world.daemon.counts()
    define("own", GOOD.replace("10.0.5.5", "10.0.7.7"))
    wait_for(lambda: world.daemon.counts() != begin, "the change to be seen")
    settle(world)
    seven = world.ip("vnet0", src="10.0.7.7")
    world.expect_all("redefined: in force of itself, for all that use it", [
        ("vnet0", five, ALL), ("vnet0", seven, []), ("vnet1", world.ip("vnet1", src="10.0.7.7"), []),
        ("vnet1", world.ip("vnet1", src="10.0.5.5"), ALL)])
    counts = world.daemon.counts()
    with open(f"{FILTERS}/own.xml", "w") as file:
        file.write("<filter name='own' chain='root'><rule action='drop' dire")
    for name in ("vnet0", "vnet1"):
        wait_status(world, name, is_error("own"), f"redefined and broken: {name}'s status says so")
    check_rows(world, "    the old one stays in force", [
        ("vnet0", five, ALL), ("vnet0", seven, []), ("vnet0", six, ["uplink"])])
    world.check("    no flow has changed", world.daemon.counts() == counts,
                (counts, world.daemon.counts()))
    world.set_tags("vnet0", unrelated="1")
    settle(world)
    check_rows(world, "    still, when something else changes", [
        ("vnet0", five, ALL), ("vnet0", seven, [])])
    define("own", GOOD)
    for name in ("vnet0", "vnet1"):
        wait_status(world, name, "active", f"mended: {name} is active")
    world.expect_all("    the new one is in force", [("vnet0", five, []), ("vnet0", seven, ALL)])
    os.rename(f"{FILTERS}/own.xml", f"{FILTERS}/own.old")
    wait_status(world, "vnet0", is_error("own"), "removed: the status says so")
    check_rows(world, "    the old one stays in force", [("vnet0", five, [])])
    os.rename(f"{FILTERS}/own.old", f"{FILTERS}/own.xml")
    wait_status(world, "vnet0", "active", "brought back by rename: active")
    define("part", "<rule action='drop' direction='out'><ip srcipaddr='10.0.8.8'/></rule>")
    define("own", GOOD + "<filterref filter='part'/>")
    settle_files(world)
    eight = world.ip("vnet0", src="10.0.8.8")
    world.expect("a filter that another refers to", "vnet0", eight, [])
    define("part", "<rule action='drop' direction='out'><ip srcipaddr='10.0.9.9'/></rule>")
    settle_files(world)
    world.expect_all("    redefined", [("vnet0", eight, ALL), ("vnet0", world.ip(
        "vnet0", src="10.0.9.9"), [])])
    define("part", "<filterref filter='own'/>")
    wait_status(world, "vnet0", is_error(), "    a circle: the status says so")
    check_rows(world, "    the old one stays in force",
               [("vnet0", world.ip("vnet0", src="10.0.9.9"), [])])
    for name in ("vnet0", "vnet1"):
        world.set_tags(name, nwfilter=CLEAN)
    settle(world)
    for name in ("own", "part"):
        os.unlink(f"{FILTERS}/{name}.xml")
    world.check("without it all is well", settle_files(world).good)
    check_policy(world, "their old filter")


def settle_files(world):
    """The kernel has told of a file that is closed when this begins; settle reads it then."""
    return settle(world)


def write(name, *entries, text=None):
    with open(f"{POLICIES}/{name}.json", "w") as file:
        file.write(json.dumps(entries) if text is None else text)


def others_of(world):
    return [("vnet0", world.ip("vnet0"), ALL), ("vnet0", world.ip("vnet0", src="10.0.0.9"), []),
            ("uplink", world.ip("uplink", "vnet1"), ["vnet1"])]


def entry(port, address):
    return {"port": port, "filter": CLEAN, "parameters": {"IP": address}}


def test_policy_files(world):
    world.guest("vnet2", 3)
    wait_status(world, "vnet2", is_error("no filter is bound"))
    write("a", entry("vnet2", "10.0.0.3"))
    wait_status(world, "vnet2", "active", "a policy file comes: active")
    settle(world)
    rows = [("vnet2", world.ip("vnet2"), ALL), ("vnet2", world.ip("vnet2", src="10.0.0.9"), [])]
    world.expect_all("    in force", rows)
    write("a", text="[{")
    wait_status(world, "vnet2", is_error("a.json"), "a broken file: who had its policy from there "
                "is quarantined, and its status says so")
    world.check("    the daemon's status, too", "policy files: " + POLICIES + "/a.json" in
                world.daemon.ctl("status").text, world.daemon.ctl("status"))
    check_rows(world, "    nothing passes from it", [("vnet2", world.ip("vnet2"), [])])
    check_rows(world, "    others go on", others_of(world))
    world.check("    it is in the log", "a.json" in world.daemon.log())
    write("a", entry("vnet2", "10.0.0.3"))
    wait_status(world, "vnet2", "active", "mended: active")
    write("b", entry("vnet2", "10.0.0.4"))
    wait_status(world, "vnet2", is_error("a.json", "b.json"), "two files that do not agree: "
                "the status names both")
    check_rows(world, "    others go on", others_of(world))
    check_rows(world, "    no forged frame passes",
               [("vnet2", world.ip("vnet2", src="10.0.0.9"), [])])
    os.unlink(f"{POLICIES}/a.json")
    wait_status(world, "vnet2", "active", "one goes: active")
    settle(world)
    world.expect_all("    the other's is in force", [
        ("vnet2", world.ip("vnet2", src="10.0.0.4"), ALL), ("vnet2", world.ip("vnet2"), [])])
    os.unlink(f"{POLICIES}/b.json")
    wait_status(world, "vnet2", is_error("no filter is bound"), "no file: quarantined")
    settle(world)
    check_shut(world, "    then", "vnet2", ["vnet0", "vnet1"])
    world.unplug("vnet2")
    settle(world)


def test_audit(world):
    forged = world.ip("vnet0", src="10.0.0.9")
    manage(world, "audit")
    settle(world)
    world.expect("audit: a forged frame passes", "vnet0", forged, ALL)
    before = world.daemon.counts()
    manage(world)
    settle(world)
    world.check("audit to enforce", "enforce" in world.daemon.ctl("bridge/show", "br0").text,
                (before, world.daemon.counts()))
    check_policy(world, "enforced")


# --- what the switch refuses

TRACKED = """<rule action='accept' direction='out'><tcp dstportstart='80'/></rule>
             <rule action='drop' direction='inout'><all/></rule>"""


def test_refused(world):
    define("tracked", TRACKED)
    world.guest("vnet2", 3, CLEAN, IP="10.0.0.3")
    settle(world)
    world.ovs.appctl("dpif/set-dp-features", "br0", "ct_state", "false")
    world.set_tags("vnet2", nwfilter="tracked")
    began = time.monotonic()
    wait_status(world, "vnet2", is_error("the switch refuses", "NXBMC_CT_DATAPATH_SUPPORT"),
                "flows that the switch refuses: the status names it")
    print(f"      {1000 * (time.monotonic() - began):.0f} ms")
    settle(world)
    check_shut(world, "    quarantined", "vnet2", ["vnet0", "vnet1"])
    check_policy(world, "    others")
    times = []
    for i in range(10):
        address = ("10.0.0.7", "10.0.0.1")[i % 2]
        stamp = world.tags("vnet0")["nwfilter-installed-ts"]
        began = time.monotonic()
        world.set_tags("vnet0", nwfilter_IP=address)
        wait_for(lambda: world.tags("vnet0").get("nwfilter-installed-ts", stamp) != stamp,
                 "another's change to be in force", pause=0.001)
        times.append(1000 * (time.monotonic() - began))
    world.check("another's changes are in force meanwhile", world.status("vnet0") == "active")
    print(f"      {' '.join(f'{ms:.0f}' for ms in times)} ms, with ovs-vsctl")
    world.check("    it stays refused", is_error("the switch refuses")(world.status("vnet2")),
                world.status("vnet2"))
    world.ovs.appctl("dpif/set-dp-features", "br0", "ct_state", "true")
    began = time.monotonic()
    world.daemon.ctl("resync", "br0")
    wait_status(world, "vnet2", "active", "the switch can do it: active")
    print(f"      {1000 * (time.monotonic() - began):.0f} ms after resync")
    world.unplug("vnet2")
    settle(world)


# --- other people

def test_foreign(world):
    """What others do to our flows is undone; what they put in front of them is told."""
    flows = flows_of(world)
    count = len(flows)
    for words in (("del-flows", "br0"), ("del-flows", "br0", "in_port=vnet0"),
                  ("del-flows", "br0", "table=10"), ("mod-flows", "br0", "actions=drop"),
                  ("mod-flows", "br0", "actions=NORMAL"),
                  ("mod-flows", "br0", "table=110,actions=output:1"),
                  ("add-flow", "br0", "cookie=0x6e77660100010001,table=10,priority=65000,"
                                      "actions=drop"),
                  ("del-flows", "br0", "cookie=0x6e77660000000000/0xffffff0000000000")):
        before = world.daemon.counts()["undone"]
        began = time.monotonic()
        subprocess.run(("ovs-ofctl", "-O", "OpenFlow15", "--names") + words, check=True)
        try:
            wait_for(lambda: flows_of(world) == flows, "flows to be repaired",
                     timeout=3)
            took = f"{1000 * (time.monotonic() - began):.0f} ms with ovs-ofctl to look"
            good = True
        except LabError:
            took, good = "", False
        world.check(f"{' '.join(words)}: repaired ({took})", good,
                    set(flows) ^ set(flows_of(world)))
        undone = world.daemon.counts()["undone"] - before
        world.check("    and counted", good and undone > 0, undone)
        world.daemon.settle()
    check_policy(world, f"{count} flows again")
    world.check("    in the log", "br0" in world.daemon.log())
    for flow, concerned in (("table=0,priority=500,actions=NORMAL", {"vnet0", "vnet1"}),
                            ("table=0,priority=101,in_port=vnet0,actions=output:uplink", {"vnet0"}),
                            ("table=101,priority=65535,actions=output:vnet1", {"vnet1"}),
                            ("table=7,priority=500,actions=NORMAL", set())):
        subprocess.run(("ovs-ofctl", "-O", "OpenFlow15", "--names", "add-flow", "br0", flow),
                       check=True)
        if concerned:
            for name in sorted(concerned):
                wait_status(world, name, is_error("flow"), f"{flow}: {name}'s status says so")
        else:
            time.sleep(0.3)
            settle(world)
        told = {name for name in ("vnet0", "vnet1") if world.status(name) != "active"}
        world.check("    nobody else's", told == concerned, told)
        subprocess.run(("ovs-ofctl", "-O", "OpenFlow15", "--names", "--strict", "del-flows", "br0",
                        flow[:flow.index(",actions")]), check=True)
        for name in ("vnet0", "vnet1"):
            wait_status(world, name, "active", f"    without it {name} is active")
    settle(world)
    check_policy(world, "without foreign flows")


# --- its own end

def test_fragments(world):
    """A first fragment keeps its ports, whatever somebody sets; the switch tells nobody of that."""
    for mode in ("normal", "drop"):
        world.ovs.ofctl("set-frags", "br0", mode)
        wait_for(lambda: world.ovs.ofctl("get-frags", "br0").strip() == "nx-match",
                 f"what was before {mode}")
        world.check(f"set-frags {mode}: set back", True)


def test_second(world):
    done = subprocess.run([PROGRAM, f"--filter-dir={FILTERS}"], text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    world.check("a second daemon refuses to start, in one line", done.returncode == 1
                and len(done.stdout.splitlines()) == 1, done)
    world.check("    and the first goes on", world.daemon.settle().good)
    check_policy(world, "    then")


def test_end(world):
    flows = flows_of(world)
    pid = world.daemon.pid
    for how in ("SIGTERM", "exit", "kill -9"):
        if how == "exit":
            world.daemon.ctl("exit")
            world.daemon.process.process.wait(10)
            status = world.daemon.process.process.returncode
        elif how == "SIGTERM":
            status = world.daemon.stop()
        else:
            world.daemon.crash()
            status = 0
        world.check(f"{how}: ends, the flows and the status stay", status == 0 and flows_of(world) == flows and world.status("vnet0") == "active", status)
        check_policy(world, "    without a daemon")
        began = time.monotonic()
        world.daemon.start()
        answer = world.daemon.settle()
        took = 1000 * (time.monotonic() - began)
        counts = world.daemon.counts()
        world.check(f"    starts again without one flow mod ({took:.0f} ms)", answer.good
                    and not any(counts.values()) and flows_of(world) == flows,
                    (answer, counts))
    world.check("    it was another process each time", pid != world.daemon.pid)
    world.daemon.crash()
    world.set_tags("vnet0", nwfilter_IP="10.0.0.7")
    world.guest("vnet2", 3, CLEAN, IP="10.0.0.3")
    world.ovs.ofctl("del-flows", "br0", "table=10")
    world.daemon.start()
    world.check("what changed while it was down is in force", world.daemon.settle().good)
    world.expect_all("    then", [
        ("vnet0", world.ip("vnet0", src="10.0.0.7"), ALL + ["vnet2"]), ("vnet0", world.ip("vnet0"), []),
        ("vnet2", world.arp("vnet2"), ALL)])
    world.unplug("vnet2")
    world.set_tags("vnet0", nwfilter_IP="10.0.0.1")
    settle(world)


def test_switch_restarts(world):
    for name, restart in (("ovs-vswitchd", world.ovs.restart_switch),
                          ("ovsdb-server", world.ovs.restart_server)):
        for sign in (15, 9):
            restart(sign)
            began = time.monotonic()
            wait_for(lambda: not world.verdict("vnet0", world.ip("vnet0"), ALL)
                     and world.daemon.settle().good, f"the policy after {name}'s restart", 30)
            print(f"      {name}, signal {sign}: {1000 * (time.monotonic() - began):.0f} ms")
            check_policy(world, f"{name} restarted")


def used(world):
    """The daemon's CPU time in seconds and its memory in KiB."""
    with open(f"/proc/{world.daemon.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return ((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
            int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024)


def test_gone(world):
    """The database, the switch, or both are gone for a while: no busy loop."""
    for what, programs in (("ovsdb-server", "d"), ("ovs-vswitchd", "s"), ("both", "ds")):
        cpu, memory = used(world)
        began = time.monotonic()
        if "d" in programs:
            world.ovs.server.kill()
        if "s" in programs:
            world.ovs.switch.kill()
        time.sleep(3)
        now, grown = used(world)
        world.check(f"{what} gone for 3 s: {1000 * (now - cpu):.0f} ms of CPU time, "
                    f"{grown - memory} KiB more", now - cpu < 0.1 * (time.monotonic() - began)
                    and grown - memory < 2048)
        if "d" in programs:
            world.ovs.start_server()
        if "s" in programs:
            world.ovs.start_switch()
        began = time.monotonic()
        wait_for(lambda: not world.verdict("vnet0", world.ip("vnet0"), ALL), f"{what}", 30)
        print(f"      {1000 * (time.monotonic() - began):.0f} ms after it is back")
        world.daemon.settled(f"{what} to be back")
        check_policy(world, f"{what} back")
        world.set_tags("vnet0", nwfilter_IP="10.0.0.7")
        wait_for(lambda: not world.verdict("vnet0", world.ip("vnet0", src="10.0.0.7"), ALL),
                 "a change after that", 20)
        world.set_tags("vnet0", nwfilter_IP="10.0.0.1")
        world.daemon.settled("the address")


def test_database_hangs(world):
    """What the switch tells needs no database: flows are repaired though no status can be written."""
    flows = flows_of(world)
    cpu, began = used(world)[0], time.monotonic()
    world.ovs.server.process.send_signal(signal.SIGSTOP)
    try:
        for words in (("del-flows", "br0"), ("mod-flows", "br0", "actions=NORMAL"),
                      ("del-flows", "br0", "table=10")):
            begin = time.monotonic()
            world.ovs.ofctl(*words)
            try:
                wait_for(lambda: flows_of(world) == flows, "flows", 3)
                good = True
            except LabError:
                good = False
            world.check(f"the database hangs: {' '.join(words)} is repaired "
                        f"({1000 * (time.monotonic() - begin):.0f} ms)", good)
        time.sleep(1)
        share = (used(world)[0] - cpu) / (time.monotonic() - began)
        world.check(f"    no busy loop ({100 * share:.0f} % of a CPU)", share < 0.2, share)
    finally:
        world.ovs.server.process.send_signal(signal.SIGCONT)
    world.daemon.settled("the database to go on")
    check_policy(world, "    it goes on")


def test_unmanage_frozen(world):
    """A daemon that does not answer would put back what unmanage removes."""
    flows = flows_of(world)
    world.daemon.freeze()
    result = nwfilter("--timeout=2", "unmanage", "br0")
    world.check("a daemon that hangs: unmanage fails in one line, and the flows stay",
                result.status == 1 and result.err.count("\n") == 1 and "run this again" in result.err
                and flows_of(world) == flows, result)
    world.daemon.thaw()
    result = nwfilter("unmanage", "br0")
    settle(world)
    world.check("    the same again gives the bridge back", result.status == 0
                and not any("0x6e7766" in flow for flow in flows_of(world)),
                (result, flows_of(world)))
    world.manage()
    check_policy(world, "    and it can be managed again")


PARTS = [test_managed, test_tags, test_status_follows, test_filter_redefined, test_policy_files,
         test_audit, test_refused, test_foreign, test_fragments, test_second, test_end,
         test_switch_restarts, test_gone, test_database_hangs, test_unmanage_frozen]
if os.environ.get("PART"):
    PARTS = [part for part in PARTS if part is test_managed or os.environ["PART"] in part.__name__]


def test(world):
    run_parts(world, PARTS)


if __name__ == "__main__":
    run(test)
