#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A switch that fails in the middle of a run: sync ends with one clear line, and nothing is open.

A relay (relay.py) stands in the switch's place.  It passes on what sync says, up to one message;
to that one it closes the connection, answers with garbage, half a message, another request's
answer or an error, or says nothing at all, or talks without end.  After each, what neither the old
policy nor the new one allows is dropped, and an undisturbed sync ends what was begun.  The control
socket, where cached flows are flushed, is treated likewise.
"""

import os
import struct
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import LabError  # noqa: E402
from system import relay as r  # noqa: E402
from system.world import nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
GARBAGE = b"HTTP/1.1 400 Bad Request\r\n\r\n"
PERMISSION_ERROR = struct.pack("!HH", 1, 5)  # OFPBRC_EPERM


def close(message, reply):
    return r.CLOSE


def garbage(message, reply):
    reply(GARBAGE)
    return r.CLOSE


def half(message, reply):
    """The beginning of an answer, and then nothing any more."""
    reply(r.openflow(message.version, message.type + 1, message.xid, bytes(40))[:20])
    return r.CLOSE


def short_length(message, reply):
    """A message that says that it is shorter than its header."""
    reply(struct.pack("!BBHI", message.version, r.MULTIPART_REPLY, 4, message.xid))
    return r.DROP


def wrong_answer(message, reply):
    """An answer, but of another kind: a port's status."""
    reply(r.openflow(message.version, r.ECHO_REQUEST + 1, message.xid))
    return r.DROP


def unknown_answer(message, reply):
    reply(r.openflow(message.version, 199, message.xid, bytes(16)))
    return r.DROP


def empty_answer(message, reply):
    """The right type with nothing in it."""
    answers = {r.MULTIPART_REQUEST: r.MULTIPART_REPLY, r.GET_CONFIG: r.GET_CONFIG + 1,
               r.BARRIER: r.BARRIER + 1}
    reply(r.openflow(message.version, answers.get(message.type, message.type), message.xid))
    return r.DROP


def endless(message, reply):
    """Answers to something else, without end."""
    other = r.openflow(message.version, r.BARRIER + 1, message.xid ^ 0x55555555) * 500
    try:
        while True:
            reply(other)
    except OSError:  # the program has had enough
        return r.CLOSE


def endless_stats(message, reply):
    """Parts of an answer that hold nothing and are followed by more, without end."""
    part = r.openflow(message.version, r.MULTIPART_REPLY, message.xid,
                      message.body[:2] + b"\0\x01" + bytes(4)) * 100
    try:
        while True:
            reply(part)
    except OSError:
        return r.CLOSE


def error(message, reply):
    """A refusal, as the switch would send it: of a bundle's messages, the inner one."""
    about = message.inner if message.type == r.BUNDLE_ADD else message
    reply(r.openflow(message.version, r.ERROR, about.xid, PERMISSION_ERROR + about.raw[:64]))
    return r.DROP


def silence(message, reply):
    return r.MUTE


FAULTS = [close, garbage, half, short_length, error]
# These take the place of an answer that sync waits for.
ANSWERS = [wrong_answer, unknown_answer, empty_answer]


def test(world):
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.manage()
    world.addresses = ["10.0.0.1", "10.0.0.7"]
    _, sent = change(world, lambda *_: None)
    names = [message.name for message in sent]
    world.check("a run has all the messages that are to be disturbed",
                {"hello", "stats", "get-config", "meters", "bundle-open", "bundle-add",
                 "barrier", "bundle-commit"}
                <= set(names), names)
    for fault in FAULTS:
        for at, name in enumerate(names):
            if fault is error and name == "meters":  # It has none: limits.py.
                continue
            # Of a row of additions the ends and the middle will do.
            if names[at - 1:at + 2] != ["bundle-add"] * 3 or at == names.index("bundle-add") + 2:
                disturb(world, fault, at, names)
    for fault in ANSWERS:
        for at, name in enumerate(names):
            # To a barrier the empty answer is the right one.
            if name in ("stats", "get-config", "meters", "bundle-open", "bundle-commit") or (
                    name == "barrier" and fault is not empty_answer):
                disturb(world, fault, at, names)
    for name in ("hello", "stats", "get-config", "meters", "bundle-open", "barrier",
                 "bundle-commit"):
        disturb(world, silence, names.index(name), names)
    disturb(world, silence, len(names) - 1, names)
    disturb(world, endless, names.index("stats"), names)
    disturb(world, endless, names.index("barrier"), names)
    disturb(world, endless, names.index("bundle-commit"), names)
    disturb(world, endless_stats, names.index("stats"), names)
    test_refused_flow(world)
    test_control(world)
    test_several_bridges(world)


def change(world, judge, timeout=20):
    """Turn to the guest's other address; return sync's result and the messages it sent."""
    world.addresses.reverse()
    world.set_tags("vnet0", nwfilter_IP=world.addresses[0])
    sent = []

    def note(message, reply):
        sent.append(message)
        return judge(message, reply, len(sent) - 1)
    with r.SwitchRelay(world, note) as relay:
        return relay.nwfilter("--timeout=1", "sync", timeout=timeout), sent


def disturb(world, fault, at, names):
    result, _ = change(world, lambda message, reply, i:
                       fault(message, reply) if i == at else r.PASS)
    check_end(world, f"{fault.__name__} at {names[at]} ({at})", result)


def check_end(world, what, result):
    """The line is about the bridge, or about the port whose flow is refused.  The last message,
    which takes a mark away, may get lost: the policy is in force by then."""
    lines = result.err.splitlines()
    wrong = None
    if "flow-mod" in what:
        wrong = (result.status and result) or new_policy(world)
    elif result.status != 1 or len(lines) != 1 or not is_clear(lines[0]) or not any(
            name in lines[0] for name in ("br0", "vnet0: ")):
        wrong = result
    wrong = wrong or neither_allows(world)
    again = nwfilter("sync")
    wrong = wrong or (again.status and again)
    wrong = wrong or new_policy(world)
    world.check(f"{what}: one line, exit 1, shut, and the next sync ends it", not wrong, wrong)


def is_clear(line):
    return line.isprintable() and 20 < len(line) < 600


def neither_allows(world):
    return (world.verdict("vnet0", world.ip("vnet0", src="10.0.0.9"), [])
            or world.verdict("vnet0", world.ip("vnet0", mac="uplink"), []))


def new_policy(world):
    new, old = world.addresses
    return (world.verdict("vnet0", world.ip("vnet0", src=new), ["uplink"])
            or world.verdict("vnet0", world.ip("vnet0", src=old), [])
            or (world.status("vnet0") != "active" and "the status is not active"))


def test_refused_flow(world):
    """The line says what the switch refuses: the flow."""
    seen = []

    def refuse_third(message, reply, _):
        if message.type == r.BUNDLE_ADD:
            seen.append(message)
            if len(seen) == 3:
                return error(message, reply)
        return r.PASS
    result, _ = change(world, refuse_third)
    world.check("an error in the middle of a bundle names the flow", "OFPBRC_EPERM" in result.err
                and "priority=" in result.err and "actions=" in result.err, result)
    check_end(world, "an error in the middle of a bundle", result)


def test_control(world):
    """Flushing cached flows fails, after the bundle."""
    answers = {
        "closed": lambda call, reply: r.CLOSE,
        "garbage": lambda call, reply: reply(b"\x00}garbage") or r.DROP,
        "half": lambda call, reply: reply(b'{"id": 0, "resu') or r.CLOSE,
        "an error": lambda call, reply: reply(
            b'{"id": %d, "error": "no", "result": null}' % call.id) or r.DROP,
        "silence": lambda call, reply: r.DROP,
    }
    for what, judge in answers.items():
        world.addresses.reverse()
        world.set_tags("vnet0", nwfilter_IP=world.addresses[0])
        with r.ControlRelay(world, judge) as relay:
            result = relay.nwfilter("--timeout=1", "sync", timeout=20)
        status = world.status("vnet0")
        world.check(f"control socket, {what}: the status is not \"active\"", status != "active")
        check_end(world, f"control socket, {what}", result)
        world.check(f"control socket, {what}: the line says what that means",
                    "cached flows of the old policy may be left" in result.err, result)


def test_several_bridges(world):
    """One bridge's bad switch does not keep another from being synced."""
    world.ovs.add_bridge("br1")
    if nwfilter("manage", "br1").status:
        raise LabError("br1 cannot be managed")
    world.ovs.ofctl("del-flows", "br1")
    with r.SwitchRelay(world, close) as relay:
        result = relay.nwfilter("--timeout=1", "sync")
    world.check("of two bridges the good one is synced, and exit 1 tells of the other",
                result.status == 1 and len(result.err.splitlines()) == 1 and "br0" in result.err
                and "br1:" in result.out and world.ovs.flows("br1"), result)


if __name__ == "__main__":
    run(test)
