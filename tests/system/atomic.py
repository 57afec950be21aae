#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""While policies change under traffic, each frame meets the old one or the new one, whole.

Stations send without pause while the guests' policies turn many times: between sets of addresses
with overlapping prefixes (whose megaflows overlap, and are kept warm), and between two filters
that forbid the same frames in different tables, so that a mixture of both would let them pass.
Frames carry the number of the turn: what neither policy allows must never arrive, and what only
the old one allows must not have been sent after sync had returned.

The same is looked at on the wire: one change is one bundle, ordered and atomic.
"""

import os
import re
import sys
import threading
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.netns import wait_for  # noqa: E402
from system import relay as r  # noqa: E402
from system.world import define, run  # noqa: E402

TURNS = 40
ENOUGH = 20  # frames of each policy, before it is turned

FILTERS = {
    # Both drop 10.0.5.5, and each something else; the second does it behind a chain from
    # which frames return, which takes a table of its own.
    "first": "<rule action='drop' direction='out'><ip srcipaddr='10.0.5.5'/></rule>"
             "<rule action='drop' direction='out'><ip srcipaddr='10.0.6.6'/></rule>"
             "<rule action='drop' direction='in'><ip srcipaddr='10.0.5.5'/></rule>"
             "<rule action='drop' direction='in'><ip srcipaddr='10.0.6.6'/></rule>",
    "chain": "".join(f"<rule action='return' direction='{way}'><ip dstipaddr='10.0.{i}.0' "
                     "dstipmask='24'/></rule>" for i in range(9) for way in ("out", "in"))
             + "<rule action='drop' direction='out'/><rule action='drop' direction='in'/>",
    "second": "<filterref filter='chain'/>" + "".join(
        f"<rule action='drop' direction='{way}'><ip srcipaddr='{address}'/></rule>"
        for way in ("out", "in") for address in ("10.0.5.5", "10.0.7.7", "10.0.8.8")),
}

# The tags of each policy, and which sources pass under the two.
ADDRESSES = ["10.0.0.0/28", "10.0.0.7,10.0.0.64/26"]
POLICIES = [{"vnet0": {"nwfilter_IP": ADDRESSES[turn]},
             "vnet1": {"nwfilter": ("first", "second")[turn]}} for turn in (0, 1)]

# (sender, receiver, source address, policies that allow it)
STREAMS = [
    ("vnet0", "uplink", "10.0.0.1", {0}),
    ("vnet0", "uplink", "10.0.0.7", {0, 1}),
    ("vnet0", "uplink", "10.0.0.70", {1}),
    ("vnet0", "uplink", "10.0.0.200", set()),
    ("vnet0", "uplink", "10.0.1.7", set()),
    ("vnet1", "uplink", "10.0.5.5", set()),
    ("vnet1", "uplink", "10.0.6.6", {1}),
    ("vnet1", "uplink", "10.0.7.7", {0}),
    ("uplink", "vnet1", "10.0.5.5", set()),
    ("uplink", "vnet1", "10.0.6.6", {1}),
    ("uplink", "vnet1", "10.0.7.7", {0}),
]


class Traffic:
    """A thread that sends every stream in turn; `turn` is stamped on each frame."""

    def __init__(self, world):
        self.world = world
        self.frames = [(sender, world.ip(sender, receiver, src=source, dst="10.0.0.99"))
                       for sender, receiver, source, _ in STREAMS]
        self.turn = 0
        self.running = threading.Event()
        self.paused = threading.Event()
        self.ended = False
        self.thread = threading.Thread(target=self._send)
        self.thread.start()

    def _send(self):
        while not self.ended:
            if not self.running.is_set():
                self.paused.set()
                self.running.wait()
                continue
            turn = self.turn
            for number, (sender, frame) in enumerate(self.frames):
                try:
                    self.world.ports[sender].send(f.stamp(frame, turn << 5 | number))
                except BlockingIOError:  # the switch is slower
                    pass
            time.sleep(0.0005)  # leave some of the machine to the switch

    def start(self, turn):
        self.turn = turn
        self.running.set()

    def pause(self):
        """Return when all that was sent has gone through the switch."""
        self.paused.clear()
        self.running.clear()
        self.paused.wait()
        self.world.wire.settle()

    def end(self):
        self.ended = True
        self.running.set()
        self.thread.join()


def test(world):
    for name, text in FILTERS.items():
        chain = "ipv4" if name == "chain" else "root"
        define(name, f"<filter name='{name}' chain='{chain}'>{text}</filter>")
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, "no-ip-spoofing", IP=ADDRESSES[0])
    world.guest("vnet1", 2, "first")
    world.manage()
    world.set_tags("vnet1", nwfilter="second")
    world.sync()
    tables = {flow.split("table=")[1].split(",")[0] for flow in world.ovs.flows("br0")
              if "10.0.5.5" in flow}
    # What the guest itself sends is compared bit by bit, in front of both filters.
    world.check("the second filter drops in a table of its own", tables == {"111"}, tables)
    test_under_traffic(world)
    test_one_bundle(world)


def test_under_traffic(world):
    traffic = Traffic(world)
    arrived = {}  # (turn, stream): frames
    world.wire.exchange([])
    try:
        for turn in range(1, TURNS + 1):
            # Even numbers while the policy turns, odd ones when it has turned.
            traffic.start(2 * turn)
            apply(world, turn % 2)
            traffic.start(2 * turn + 1)
            wait_for(lambda: enough(world, arrived, turn), f"frames of turn {turn}")
            traffic.pause()
            collect(world, arrived)
    finally:
        traffic.end()
    print(f"{sum(arrived.values())} frames arrived", flush=True)
    forbidden, late = {}, {}
    for (turn, number), count in arrived.items():
        allowed = STREAMS[number][3]
        if not allowed:
            forbidden[turn, STREAMS[number][:3]] = count
        elif turn % 2 and turn // 2 % 2 not in allowed:
            late[turn, STREAMS[number][:3]] = count
    world.check(f"{TURNS} turns: what no policy allows never passes", not forbidden, forbidden)
    world.check(f"{TURNS} turns: once sync has returned the new policy holds", not late, late)


def apply(world, policy):
    for name, tags in POLICIES[policy].items():
        world.set_tags(name, **tags)
    world.sync()


def collect(world, arrived):
    for name in ("uplink", "vnet0", "vnet1"):
        for frame in world.ports[name].receive():
            number = f.read_stamp(frame)
            if number is not None:
                key = number >> 5, number & 31
                arrived[key] = arrived.get(key, 0) + 1


def enough(world, arrived, turn):
    collect(world, arrived)
    return all(arrived.get((2 * turn + 1, number), 0) >= ENOUGH
               for number, stream in enumerate(STREAMS) if turn % 2 in stream[3])


# --- on the wire

# Cookie and mask, all tables, OFPFC_DELETE (OpenFlow 1.5, 7.3.4.2).
REMOVAL = bytes.fromhex("6e7766090000ffff" + "ff" * 8 + "ff" + "03")
# The same of what cached flows have taught the switch of a guest when they went.
TAUGHT = re.compile(b"nwf[\x81\x0a].{4}" + b"\xff" * 9 + b"\x03", re.DOTALL)


def test_one_bundle(world):
    """Of any size: one tag, many guests at once, the first run on an empty switch."""
    changes = {
        "one address": lambda: world.set_tags("vnet0", nwfilter_IP="10.0.0.3"),
        "two guests": lambda: [world.set_tags(name, **tags)
                               for name, tags in POLICIES[1].items()],
        "a guest quarantined": lambda: world.set_tags("vnet0", nwfilter="no-such"),
        "a guest released": lambda: world.set_tags("vnet0", nwfilter="clean-traffic"),
        "an empty switch": lambda: world.ovs.ofctl("del-flows", "br0"),
    }
    for what, change in changes.items():
        change()
        _, sent = r.record(world, "sync")
        controls = [message.bundle for message in sent if message.type == r.BUNDLE_CONTROL]
        kinds = [kind for _, kind, _ in controls]
        at = [i for i, message in enumerate(sent) if message.type == r.BUNDLE_CONTROL]
        outside = [message.body for message in sent if message.type == r.FLOW_MOD]
        world.check(f"{what}: one bundle, and the removal of the mark that it brought",
                    kinds == [r.BUNDLE_OPEN, r.BUNDLE_COMMIT]
                    and outside[0].startswith(REMOVAL)
                    and all(TAUGHT.match(body) for body in outside[1:]), (kinds, outside))
        world.check(f"{what}: ordered and atomic", all(
            flags == r.ORDERED | r.ATOMIC for _, _, flags in controls), controls)
        world.check(f"{what}: all changes are in it", at[1] - at[0] > 2, at)


if __name__ == "__main__":
    run(test)
