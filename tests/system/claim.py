#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A bridge that was claimed can be given back as it was: however it was claimed, whatever its
fail_mode had been, and wherever a run before was interrupted.
"""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import run as shell  # noqa: E402
from system import relay as r  # noqa: E402
from system.start import killed  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402
from system.zones import OUT  # noqa: E402

CLEAN = "clean-traffic"
MODES = ("[]", "standalone", "secure")


def test(world):
    define("states", OUT)
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, "states")
    for mode in MODES:
        test_given_back(world, "manage", mode)
        test_given_back(world, "a tag and sync", mode)
    test_killed(world)
    for words in (("manage", "br0"), ("unmanage", "br0")):
        test_database(world, words)
    test_note(world)
    test_raced(world)
    test_protocols(world)
    test_no_flood(world)


def set_mode(world, mode):
    world.ovs.vsctl("clear", "Bridge", "br0", "fail_mode")
    world.ovs.ofctl("del-flows", "br0")
    if mode != "[]":
        world.ovs.vsctl("set", "Bridge", "br0", f"fail_mode={mode}")
    if mode != "secure":
        world.ovs.ofctl("add-flow", "br0", "actions=NORMAL")


def claim(world, how="manage"):
    if how == "manage":
        return nwfilter("manage", "br0")
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter=enforce")
    return nwfilter("sync", "br0")


def not_protected(world):
    return (world.verdict("vnet0", world.ip("vnet0", src="10.0.0.9"), [])
            or world.verdict("vnet0", world.ip("vnet0"), ["uplink"])
            or (fail_mode(world) != "secure" and "fail_mode is not secure"))


def fail_mode(world):
    return world.ovs.vsctl("get", "Bridge", "br0", "fail_mode").strip()


def not_given_back(world, mode, was_shut=False):
    """What is left of us, or is not as it was."""
    tags = world.ovs.vsctl("get", "Bridge", "br0", "external_ids")
    ours = [line for line in world.ovs.flows("br0") if "cookie=0x6e7766" in line]
    kept = {key for name in ("vnet0", "vnet1") for key in world.tags(name)
            if key in ("nwfilter-status", "nwfilter-ct-zone")}
    return ((fail_mode(world) != mode and fail_mode(world)) or ("nwfilter" in tags and tags) or ours
            or kept or world.verdict("vnet0", world.ip("vnet0", src="10.0.0.9"),
                                     [] if was_shut else ["uplink", "vnet1"]))


def test_given_back(world, how, mode):
    set_mode(world, mode)
    result = claim(world, how)
    wrong = not_protected(world)
    world.check(f"fail_mode {mode}, {how}: protected", result.status == 0 and not wrong
                and "nwfilter-ct-zone" in world.tags("vnet1"), (result, wrong))
    nwfilter("sync", "--full")
    result = nwfilter("unmanage", "br0")
    wrong = not_given_back(world, mode)
    world.check("    and given back", result.status == 0 and not wrong, (result, wrong))
    result = nwfilter("unmanage", "br0")
    world.check("    once", result.err == "ovs-nwfilter: br0: not managed\n", result)


def test_killed(world):
    """unmanage, killed before each of its messages to the switch: the next one ends it."""
    for mode in ("[]", "secure"):
        set_mode(world, mode)
        claim(world)
        n = wrong = 0
        for where in killed(world, "unmanage", "br0"):
            n += 1
            result = nwfilter("unmanage", "br0")
            wrong = (result.status and result) or not_given_back(world, mode)
            if wrong:
                wrong = f"killed at {where}: {wrong}"
                break
            set_mode(world, mode)
            claim(world)
        world.check(f"fail_mode {mode}: unmanage killed at {n} messages", not wrong and n > 2, wrong)


def test_database(world, words):
    """The connection to the database is lost with each of the transactions, done or not."""
    for mode in ("[]", "secure"):
        prepare(world, words, mode)
        _, calls = r.record(world, *words, relay=r.DatabaseRelay)
        for at in [i for i, call in enumerate(calls) if call.method == "transact"]:
            for done in (False, True):
                prepare(world, words, mode)
                result = lost(world, words, at, done)
                again = nwfilter("unmanage", "br0")
                untouched = again.err == "ovs-nwfilter: br0: not managed\n"
                wrong = not_given_back(world, mode, untouched and words[0] == "manage"
                                       and mode == "secure")
                world.check(f"fail_mode {mode}: {words[0]}, transaction {at} "
                            f"{'done' if done else 'not done'}, then lost: unmanage ends it",
                            not wrong and (again.status == 0 or untouched), (result, again, wrong))


def prepare(world, words, mode):
    nwfilter("unmanage", "br0")
    set_mode(world, mode)
    if words[0] == "unmanage":
        claim(world)


def lost(world, words, at, done):
    seen = []

    def judge(call, _):
        seen.append(call)
        if len(seen) == at + 2 and done:
            return r.CLOSE
        return r.CLOSE if len(seen) == at + 1 and not done else r.PASS
    with r.DatabaseRelay(world, judge) as relay:
        return relay.nwfilter("--timeout=2", *words, timeout=30)


def test_note(world):
    """A managed bridge whose note of fail_mode somebody has removed."""
    set_mode(world, "secure")
    claim(world)
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "nwfilter-saved-fail-mode")
    for _ in killed(world, "unmanage", "br0"):
        break
    result = nwfilter("unmanage", "br0")
    wrong = not_given_back(world, "secure")
    world.check("no note of fail_mode, and unmanage killed", result.status == 0 and not wrong,
                (result, wrong))


def test_raced(world):
    """Somebody makes the bridge secure, or another one of it, while manage is about to."""
    set_mode(world, "[]")
    done = []

    def judge(call, _):
        if "fail_mode" in call.raw.decode() and call.method == "transact" and not done:
            done.append(world.ovs.vsctl("set", "Bridge", "br0", "fail_mode=secure"))
        return r.PASS
    with r.DatabaseRelay(world, judge) as relay:
        result = relay.nwfilter("manage", "br0")
    nwfilter("unmanage", "br0")
    world.check("fail_mode that became secure meanwhile stays so", done and result.status == 1
                and len(result.err.splitlines()) == 1 and fail_mode(world) == "secure", result)


def test_protocols(world):
    """What OpenFlow versions the bridge allows; nobody needs 1.0 where NORMAL forwards to none."""
    set_mode(world, "[]")
    world.ovs.vsctl("set", "Bridge", "br0", "protocols=OpenFlow13,OpenFlow14,OpenFlow15")
    results = [nwfilter(*words) for words in (("manage", "br0"), ("sync",), ("unmanage", "br0"))]
    wrong = not_given_back(world, "[]")
    world.check("without OpenFlow 1.0", not any(result.status for result in results) and not wrong,
                (results, wrong))
    world.ovs.vsctl("set", "Bridge", "br0", "stp_enable=true")
    refused = nwfilter("manage", "br0")
    result = nwfilter("unmanage", "br0")
    world.ovs.vsctl("set", "Bridge", "br0", "stp_enable=false")
    wrong = not_given_back(world, "[]")
    world.check("    but where it does: refused, and given back", refused.status == 1
                and "OpenFlow 1.0" in refused.err and result.status == 0 and not wrong,
                (refused, result, wrong))
    world.ovs.vsctl("set", "Bridge", "br0", "protocols=OpenFlow10")
    result = nwfilter("manage", "br0")
    world.ovs.vsctl("clear", "Bridge", "br0", "protocols")
    wrong = not_given_back(world, "[]")
    world.check("with nothing else: refused, and left alone", result.status == 1 and not wrong
                and result.err.endswith(" none of the OpenFlow versions asked for\n"), (result, wrong))


def no_flood(world):
    """The ports that NORMAL does not flood to."""
    ports = {}
    for line in shell("ovs-ofctl", "-O", "OpenFlow10", "show", "br0").splitlines():
        if "addr:" in line:
            name = line.split("(")[1].split(")")[0]
        elif "config:" in line:
            ports[name] = "NO_FLOOD" in line
    return {name for name, is_set in ports.items() if is_set}


def test_no_flood(world):
    """The setting is taken back where it is ours, and left alone where it is not."""
    set_mode(world, "[]")
    shell("ovs-ofctl", "-O", "OpenFlow10", "mod-port", "br0", "uplink", "no-flood")
    seen = []

    def step(*words):
        nwfilter(*words)
        seen.append(no_flood(world))
    step("manage", "br0")
    world.ovs.vsctl("set", "Bridge", "br0", "stp_enable=true")
    step("sync")
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-trusted=vnet1")
    step("sync")
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "nwfilter-trusted")
    step("sync")
    nwfilter("bind", "vnet1", CLEAN, "IP=10.0.0.2")
    step("unmanage", "br0")
    world.check("no-flood: ours comes and goes", seen == [
        {"uplink"}, {"uplink", "vnet0", "vnet1"}, {"uplink", "vnet0"},
        {"uplink", "vnet0", "vnet1"}, {"uplink"}], seen)
    world.check("    and no tag is left", not [tag for name in ("vnet0", "vnet1", "uplink")
                                               for tag in world.tags(name) if "no-flood" in tag])
    test_bad_ports(world)
    world.ovs.vsctl("set", "Bridge", "br0", "stp_enable=false")


def test_bad_ports(world):
    """The switch's list of ports, which tells what is set, is cut short or has no end."""
    def cut(message, reply):
        reply(r.openflow(1, 17, message.xid, message.body[:2] + bytes(2 + 10)))
        return r.DROP

    def endless(message, reply):
        part = r.openflow(1, 17, message.xid, message.body[:2] + b"\0\x01") * 100
        try:
            while True:
                reply(part)
        except OSError:  # the program has had enough
            return r.CLOSE
    nwfilter("manage", "br0")
    for answer, cause in ((cut, "reading ports"), (endless, "does not answer")):
        asked = []

        def judge(message, reply, answer=answer, asked=asked):
            if (message.version, message.type, message.body[:2]) == (1, 16, b"\0\x0d"):
                asked.append(message)
                return answer(message, reply)
            return r.PASS
        with r.SwitchRelay(world, judge) as relay:
            result = relay.nwfilter("--timeout=1", "sync", "--full", timeout=20)
        lines = result.err.splitlines()
        world.check(f"no-flood: a list of ports that is {answer.__name__}: one line, exit 1",
                    asked and result.status == 1 and len(lines) == 1 and cause in lines[0],
                    (len(asked), result))
    nwfilter("unmanage", "br0")


if __name__ == "__main__":
    run(test)
