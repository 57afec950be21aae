#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Several runs at once: each waits for its turn, and none puts back an older policy.

Hooks start as virtual machines do, at the same time.  A run that has read the old policy, and is
then overtaken by one that enforces a newer one, would put the old one back and call it active.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system import relay as r  # noqa: E402
from system.world import FILTERS, PROGRAM, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
LOCK = "/run/openvswitch/.ovs-nwfilter.~lock~"
BUSY = f"ovs-nwfilter: {LOCK.replace('/run/', '/var/run/')}: another ovs-nwfilter is at work\n"
GUESTS = 4


def test(world):
    world.trusted("uplink", 254)
    for number in range(GUESTS):
        world.guest(f"vnet{number}", number + 1, CLEAN, IP=f"10.0.0.{number + 1}")
    world.manage()
    test_overtaken(world)
    test_busy(world)
    test_killed(world)
    test_storm(world)


def start(*words):
    return subprocess.Popen((PROGRAM, f"--filter-dir={FILTERS}") + words, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def has_policy(world, guest, address, *others):
    wrong = [world.verdict(guest, world.ip(guest, src=other), []) for other in others]
    receivers = ["uplink"] + [f"vnet{i}" for i in range(GUESTS)]
    wrong.append(world.verdict(guest, world.ip(guest, src=address),
                               [name for name in receivers if name != guest]))
    diff = nwfilter("diff")
    return [why for why in wrong if why] + ([] if diff.status == 0 else [diff])


def test_overtaken(world):
    """The slow run has read the database and is about to read the switch."""
    for slow in (["sync"], ["sync", "--full"], ["sync", "--port=vnet0"], ["manage", "br0"]):
        for fast in (["bind --sync"], ["bind", "sync"]):
            world.set_tags("vnet0", nwfilter_IP="10.0.0.8")
            overtaking = []

            def judge(message, _):
                if message.type == r.MULTIPART_REQUEST and not overtaking:
                    overtaking.append(start(*fast[0].split(), "vnet0", CLEAN, "IP=10.0.0.9"))
                    for words in fast[1:]:
                        overtaking[-1].wait()
                        overtaking.append(start(words))
                    wait_a_while(overtaking[-1])
            with r.SwitchRelay(world, judge) as relay:
                result = relay.nwfilter(*slow)
            ends = [process.communicate()[1] for process in overtaking]
            wrong = [process for process in overtaking if process.returncode]
            wrong += has_policy(world, "vnet0", "10.0.0.9", "10.0.0.8", "10.0.0.1")
            world.check(f"{' '.join(slow)}, overtaken by {', '.join(fast)}: the newer policy holds",
                        result.status == 0 and overtaking and not wrong, (result, ends, wrong))


def wait_a_while(process):
    try:
        process.wait(0.5)
    except subprocess.TimeoutExpired:
        pass


def test_busy(world):
    """Somebody holds the lock for longer than one wants to wait."""
    world.set_tags("vnet0", nwfilter_IP="10.0.0.1")
    with open(LOCK, "r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        late = [(words, start("--timeout=1", *words)) for words in (
            ["sync"], ["sync", "--port=vnet0"], ["manage", "br0"], ["unmanage", "br0"],
            ["bind", "--sync", "vnet0", CLEAN, "IP=10.0.0.7"])]
        for words, process in late:
            end = process.communicate()
            world.check(f"{' '.join(words)}: busy", process.returncode == 1
                        and end == ("", BUSY), (end, BUSY))
        world.check("    and no tag is written", world.tags("vnet0")["nwfilter-IP"] == "10.0.0.1")
        for words, status in ((["sync", "--dry-run"], 0), (["diff"], 2), (["bindings"], 0),
                              (["bind", "vnet0", CLEAN, "IP=10.0.0.1"], 0)):
            result = nwfilter("--timeout=1", *words)
            world.check(f"{' '.join(words)}: not kept waiting", result.status == status
                        and not result.err, result)
        waiting = start("sync")
        time.sleep(0.2)
        world.check("a run waits", waiting.poll() is None)
    out, err = waiting.communicate(timeout=10)
    world.check("    until it is its turn", waiting.returncode == 0 and not err
                and not has_policy(world, "vnet0", "10.0.0.1", "10.0.0.9"), (out, err))


def test_killed(world):
    """A run that is killed keeps nobody waiting."""
    world.set_tags("vnet0", nwfilter_IP="10.0.0.5")
    with r.SwitchRelay(world, lambda *_: r.MUTE) as relay:
        stuck = subprocess.Popen((PROGRAM, f"--filter-dir={FILTERS}", "sync"),
                                 env=os.environ | {"OVS_RUNDIR": relay.folder})
        time.sleep(0.3)
        result = nwfilter("--timeout=1", "sync")
        world.check("beside a run that is stuck: busy", result.err == BUSY, result)
        stuck.send_signal(signal.SIGKILL)
        stuck.wait()
    result = nwfilter("sync")
    world.check("after that was killed: done", result.status == 0
                and not has_policy(world, "vnet0", "10.0.0.5", "10.0.0.1"), result)
    stalled = subprocess.Popen((PROGRAM, "bind", "--sync", "--xml=-"), stdin=subprocess.PIPE)
    time.sleep(0.3)
    result = nwfilter("--timeout=1", "sync")
    stalled.kill()
    stalled.communicate()
    world.check("beside one that waits for its standard input: done", result.status == 0, result)


def test_storm(world):
    """Policies of all guests change at the same time, by all ways."""
    for turn in range(1, 6):
        processes = [start("bind", "--sync", f"vnet{i}", CLEAN, f"IP=10.0.{turn}.{i}")
                     for i in range(GUESTS)]
        processes += [start(*words) for words in (["sync"], ["sync", "--full"],
                                                  ["sync", "--port=vnet1,vnet2"])]
        ends = [process.communicate(timeout=30)[1] for process in processes]
        wrong = [why for i in range(GUESTS) for why in has_policy(
            world, f"vnet{i}", f"10.0.{turn}.{i}", f"10.0.{turn}.{i + 1}", f"10.0.{turn - 1}.{i}")]
        world.check(f"{len(processes)} runs at once: each ends well, and all policies hold",
                    not any(process.returncode for process in processes) and not wrong,
                    (ends, wrong))


if __name__ == "__main__":
    run(test)
