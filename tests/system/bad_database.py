#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A database that fails in the middle of a run: the command ends with one clear line and exit 1.

As bad_switch.py, with the relay in front of ovsdb-server: it treats each call that sync makes (of
the schema, the monitors, the transaction that writes the status), and each one of manage, to a
closed connection, garbage, half an answer, an error, an answer that is none, and silence.
"""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system import relay as r  # noqa: E402
from system.world import nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"


def answer(call, reply, text):
    reply(text.replace("ID", str(call.id)).encode())
    return r.DROP


def close(call, reply):
    return r.CLOSE


def garbage(call, reply):
    reply(b"\x00\xffHTTP/1.1 400 Bad Request\r\n\r\n")
    return r.DROP


def half(call, reply):
    answer(call, reply, '{"id": ID, "error": null, "res')
    return r.CLOSE


def error(call, reply):
    return answer(call, reply, '{"id": ID, "result": null, "error": {"error": "no", '
                               '"details": "refused by the test"}}')


def empty_result(call, reply):
    return answer(call, reply, '{"id": ID, "error": null, "result": []}')


def null_result(call, reply):
    return answer(call, reply, '{"id": ID, "error": null, "result": null}')


def deep_result(call, reply):
    return answer(call, reply, '{"id": ID, "error": null, "result": ' + "[" * 5000 + "]" * 5000
                               + "}")


def silence(call, reply):
    return r.MUTE


FAULTS = [close, garbage, half, error, empty_result, null_result, deep_result]


def test(world):
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.manage()
    world.guest("vnet1", 2)  # no filter: from now on each sync has a status to write
    sent = []
    plug_anew(world)
    disturbed(world, lambda call, _: sent.append(call), ("sync",))
    methods = [call.method for call in sent]
    world.check("a run has all the calls that are to be disturbed",
                {"get_schema", "monitor_cond_since", "transact"} <= set(methods), methods)
    for fault in FAULTS:
        for at, method in enumerate(methods):
            # libopenvswitch takes a transaction without results for a good one.
            if (fault, method) != (empty_result, "transact"):
                test_sync(world, fault, methods, at)
    for method in sorted(set(methods)):
        test_sync(world, silence, methods, methods.index(method))
    test_port(world)
    test_manage(world)


def test_port(world):
    """The same of "sync --port" and "bind --sync": the exit status is vnet0's alone."""
    nwfilter("sync")
    for words in (["sync", "--port=vnet0"], ["bind", "--sync", "vnet0", CLEAN, "IP=10.0.0.1"]):
        calls = []
        disturbed(world, lambda call, _: calls.append(call), words)
        methods = [call.method for call in calls]
        world.check(f"{' '.join(words)}: all is disturbed", methods.count("transact")
                    == 1 + (words[0] == "bind") and methods.count("monitor_cond_since") == 1,
                    methods)
        for fault in FAULTS + [silence]:
            for at, method in enumerate(methods):
                if (fault, method) != (empty_result, "transact"):
                    test_port_at(world, fault, words, methods, at)
        nwfilter("sync")


def test_port_at(world, fault, words, methods, at):
    """One line and exit 1, and the flows are not said to be there; or all done."""
    result = disturbed(world, judge_of(fault, at), words)
    tags = world.tags("vnet0")
    failed = (result.status == 1 and not result.out and len(result.err.splitlines()) == 1
              and result.err.rstrip().isprintable())
    # What is written while the answer is lost is written.
    failed = failed and (tags.get("nwfilter-status") != "active" or methods[at] == "transact")
    done = (result.status == 0 and not result.err and tags.get("nwfilter-status") == "active"
            and methods[at] in OPTIONAL)
    wrong = (not (failed or done) and (result, tags)) or policy(world)
    world.check(f"{' '.join(words[:2])}: {fault.__name__} at {methods[at]} ({at}): "
                f"{'no harm' if done else 'one line, exit 1'}, and the policy holds",
                not wrong, wrong)


def disturbed(world, judge, words):
    """The status is reset, so that there is one to write."""
    world.set_tags("vnet0", nwfilter_status="error: reset by the test")
    with r.DatabaseRelay(world, judge) as relay:
        return relay.nwfilter("--timeout=1", *words, timeout=20)


def judge_of(fault, at):
    seen = []

    def judge(call, reply):
        seen.append(call)
        return fault(call, reply) if len(seen) == at + 1 else r.PASS
    return judge


# What a client may do without: an older server has no such call, and the database goes on.
OPTIONAL = {"monitor_cond", "monitor_cond_since", "set_db_change_aware", "get_schema"}


def plug_anew(world):
    """The port is as one that no sync has seen, so that there is all to write."""
    world.ovs.vsctl("clear", "Port", "vnet1", "other_config", "external_ids")


def test_sync(world, fault, methods, at):
    plug_anew(world)
    what = f"{fault.__name__} at {methods[at]} ({at})"
    result = disturbed(world, judge_of(fault, at), ("sync",))
    check_end(world, what, result, may_pass=methods[at] in OPTIONAL)


def check_end(world, what, result, may_pass=False):
    """One line and exit 1, or (vnet1 has no filter) all done, and one line that tells of vnet1."""
    lines = result.err.splitlines()
    good = result.status == 1 and len(lines) == 1 and lines[0].isprintable()
    done = good and "vnet1" in lines[0] and world.status("vnet0") == "active"
    # sync does not wait for the answers to all calls: such a one may fail when all is done.
    failed = good and is_about_database(lines[0]) and (may_pass or world.status("vnet0") != "active")
    wrong = None if failed or (done and may_pass) else result
    wrong = wrong or policy(world)
    world.check(f"{what}: {'no harm' if done else 'one line, exit 1'}, and the policy holds",
                not wrong, wrong)


def is_about_database(line):
    return "OVSDB" in line or "the database, or ovs-vswitchd, did not act on a change" in line


def policy(world):
    return (world.verdict("vnet0", world.ip("vnet0"), ["uplink"])
            or world.verdict("vnet0", world.ip("vnet0", src="10.0.0.9"), [])
            or world.verdict("vnet1", world.ip("vnet1"), []))


def test_manage(world):
    """Wherever manage is interrupted, the bridge is either as it was or shut, and never a managed
    one that is open."""
    world.unplug("vnet1")
    calls = []
    unmanage(world)
    with r.DatabaseRelay(world, lambda call, _: calls.append(call)) as relay:
        relay.nwfilter("--timeout=2", "manage", "br0")
    for fault in (close, error, silence):
        for at in [i for i, call in enumerate(calls) if call.method == "transact"]:
            unmanage(world)
            with r.DatabaseRelay(world, judge_of(fault, at)) as relay:
                result = relay.nwfilter("--timeout=1", "manage", "br0", timeout=20)
            what = f"manage, {fault.__name__} at {calls[at].method} ({at})"
            mode, tags = (world.ovs.vsctl("get", "Bridge", "br0", column).strip()
                          for column in ("fail_mode", "external_ids"))
            forged = world.verdict("vnet0", world.ip("vnet0", src="10.0.0.9"), [])
            world.check(f"{what}: exit 1, one line", result.status == 1
                        and len(result.err.splitlines()) == 1, result)
            world.check(f"{what}: secure and shut, or not managed",
                        not forged if mode == "secure" else "nwfilter=" not in tags,
                        (mode, tags, forged))
    world.manage()
    world.check("manage ends what was begun", not policy_of_one(world), policy_of_one(world))


def policy_of_one(world):
    return (world.verdict("vnet0", world.ip("vnet0"), ["uplink"])
            or world.verdict("vnet0", world.ip("vnet0", src="10.0.0.9"), []))


def unmanage(world):
    nwfilter("unmanage", "br0")
    world.ovs.vsctl("remove", "Bridge", "br0", "fail_mode", "secure")


if __name__ == "__main__":
    run(test)
