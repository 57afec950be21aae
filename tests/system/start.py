#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""At the start, and at each moment of a change, a bridge is shut or as its policy says.

The relay (relay.py) stops the program before each message that it sends to the switch: then frames
show what holds at that moment, and the program is killed there and then.  The next sync must put
everything right.  (fail_closed.py kills at random moments, and kills the daemons.)
"""

import os
import subprocess
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system import relay as r  # noqa: E402
from system.world import FILTERS, PROGRAM, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"


def test(world):
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, CLEAN, IP="10.0.0.2")
    test_secure_first(world)
    test_killed_at_the_start(world)
    test_killed_in_a_change(world)
    test_lost_filters(world)


def is_open(world):
    return not world.verdict("vnet0", world.ip("vnet0", src="10.0.0.9"), ["uplink", "vnet1"])


def leak(world):
    """A frame that no policy of this test allows, and that passes; or None."""
    return (world.verdict("vnet0", world.ip("vnet0", src="10.0.0.9"), [])
            or world.verdict("vnet0", world.ip("vnet0", mac="uplink"), [])
            or world.verdict("vnet1", world.arp("vnet1", spa="10.0.0.1"), [])
            or world.verdict("uplink", world.ipv6("uplink", "vnet0"), []))


def not_in_force(world):
    """What is wrong with the policy when all is done."""
    return (leak(world)
            or world.verdict("vnet0", world.ip("vnet0"), ["uplink", "vnet1"])
            or world.verdict("uplink", world.ip("uplink", "vnet1"), ["vnet1"])
            or (nwfilter("diff").status and "diff finds a difference")
            or (world.status("vnet0") != "active" and world.status("vnet0")))


# What manage asks a bridge that is not its yet: whether its switch is there; the flows that it has.
LOOKS = ["hello", "hello", "stats"]


def test_secure_first(world):
    """Before the first message to the switch, but for those that look whether it is there and what
    flows it has, the bridge is secure, in fact and in the database."""
    world.check("before manage the bridge is open", is_open(world))
    seen, names = [], []

    def judge(message, _):
        names.append(message.name)
        if len(names) == len(LOOKS) + 1 or message.type == r.BUNDLE_CONTROL:
            mode = world.ovs.vsctl("get", "Bridge", "br0", "fail_mode").strip()
            seen.append((message.name, mode, len(world.ovs.flows("br0")), leak(world)))
    with r.SwitchRelay(world, judge) as relay:
        result = relay.nwfilter("manage", "br0")
    name, mode, n_flows, leaks = seen[0] if seen else (None,) * 4
    world.check("secure, empty and shut before the first message", name == "hello" and names[:len(LOOKS)] == LOOKS
                and mode == "secure" and n_flows == 0 and not leaks, seen)
    world.check("and at each step that follows", all(
        mode == "secure" and not leaks for _, mode, _, leaks in seen), seen)
    world.check("then the policy is in force", result.status == 0 and not not_in_force(world),
                (result, not_in_force(world)))


def killed(world, *words, at=0):
    """Run the program and kill it before one of its messages after the other (of the flows
    themselves a few), from the one at 'at' on, until a run ends by itself.  Yields how far each
    got."""
    while True:
        sent, process = [], None

        def judge(message, _):
            sent.append(message.name)
            if len(sent) == at + 1:
                started.wait(10)
                world.moment = leak(world)  # while it waits for an answer
                process.kill()
                return r.CLOSE
            return r.PASS
        started = r.threading.Event()
        with r.SwitchRelay(world, judge) as relay:
            process = subprocess.Popen(
                [PROGRAM, f"--filter-dir={FILTERS}", *words], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=os.environ | {"OVS_RUNDIR": relay.folder})
            started.set()
            status = process.wait(30)
        if status >= 0:
            return
        yield f"{sent[at]} ({at})"
        at += 5 if sent[at] == "bundle-add" else 1  # these are many


def test_killed_at_the_start(world):
    """manage, on an open bridge: once it talks to the switch nothing but the policy passes."""
    wrong = n = 0
    nwfilter("unmanage", "br0")
    for where in killed(world, "manage", "br0", at=len(LOOKS)):
        n += 1
        wrong = world.moment or leak(world)
        if not wrong and nwfilter("manage", "br0").status == 0:
            wrong = not_in_force(world)
        if wrong:
            wrong = f"killed at {where}: {wrong}"
            break
        nwfilter("unmanage", "br0")
    world.check(f"manage killed at {n} messages: shut, and the next one ends it",
                not wrong and n > 10, wrong)
    world.manage()


def test_killed_in_a_change(world):
    """sync, from one policy to another; after each death the next sync mends everything."""
    wrong = n = 0
    addresses = ["10.0.0.1", "10.0.0.1,10.0.0.7"]
    world.set_tags("vnet0", nwfilter_IP=addresses[1])
    for where in killed(world, "sync"):
        n += 1
        wrong = world.moment or leak(world)
        nwfilter("sync")
        wrong = wrong or not_in_force(world) or world.verdict(
            "vnet0", world.ip("vnet0", src="10.0.0.7"), ["uplink", "vnet1"] if n % 2 else [])
        if wrong:
            wrong = f"killed at {where}: {wrong}"
            break
        world.set_tags("vnet0", nwfilter_IP=addresses[n % 2 == 0])
    world.check(f"sync killed at {n} messages: what no policy allows is dropped, the next ends it",
                not wrong and n > 6, wrong)
    world.set_tags("vnet0", nwfilter_IP=addresses[0])
    world.sync()
    world.check("then the policy is in force", not not_in_force(world), not_in_force(world))


def test_lost_filters(world):
    """A filter goes while its guest runs: by its tag, its file, its address, or all tags."""
    def file(name, text):
        with open(f"{FILTERS}/{name}.xml", "w") as out:
            out.write(text)
    good = "<filter name='own' chain='root'><rule action='accept' direction='inout'/></filter>"
    losses = {
        "another filter, which is not there": lambda: world.set_tags("vnet0", nwfilter="no-such"),
        "its file is broken": lambda: file("own", good[:-9]),
        "its file is gone": lambda: os.unlink(f"{FILTERS}/own.xml"),
        "no filter": lambda: world.set_tags("vnet0", nwfilter=None),
        "an address that is none": lambda: world.set_tags("vnet0", attached_mac="no"),
    }
    for what, lose in losses.items():
        file("own", good)
        world.set_tags("vnet0", nwfilter="own", attached_mac=world.mac("vnet0"))
        world.sync()
        wrong = world.verdict("vnet0", world.ip("vnet0"), ["uplink", "vnet1"])
        lose()
        result = nwfilter("sync")
        wrong = wrong or (result.status != 1 and result)
        rows = [("vnet0", world.ip("vnet0"), []), ("vnet0", world.arp("vnet0"), []),
                ("vnet0", world.ip("vnet0", "vnet1"), []),
                ("uplink", world.ip("uplink"), ["vnet1"]),
                ("uplink", world.ip("uplink", "vnet0"), []),
                ("vnet1", world.arp("vnet1"), ["uplink"]),
                ("vnet1", world.ip("vnet1", "uplink"), ["uplink"])]
        for row in rows:
            wrong = wrong or world.verdict(*row)
        world.check(f"{what}: nothing passes the port, either way, and others are as they were",
                    not wrong and str(world.status("vnet0")).startswith("error: "), wrong)


if __name__ == "__main__":
    run(test)
