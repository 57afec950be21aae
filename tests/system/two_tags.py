#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Frames with two tags on a datapath that tells them from frames with one, as the kernel's does.

There is no such datapath in the laboratory.  Ports are dummies, and the bridge says that its
datapath is the system's, so that the program takes it for one; where a frame goes is what
ofproto/trace says, which knows no cached flows.  The oracle for filters that accept everything is
NORMAL.  SEED=N has other ports and frames.
"""

import os
import random
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.decode import describe  # noqa: E402
from lab.lab import main  # noqa: E402
from system.vlans import FILTERS, QINQ, VIDS, is_same, loses_tag, random_columns  # noqa: E402
from system.world import FILTERS as FOLDER, define, nwfilter  # noqa: E402

SEED = int(os.environ.get("SEED", "1"))
MAC = "52:54:00:00:00:{:02x}"


class Bench:
    """Dummy ports of one bridge, and where the switch says that frames go."""

    def __init__(self, ovs):
        self.ovs, self.failures, self.ports, self.guests = ovs, 0, {}, set()
        os.makedirs(FOLDER, exist_ok=True)
        ovs.add_bridge("br0")
        ovs.vsctl("set", "Bridge", "br0", "datapath_type=system",
                  "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15",
                  "--", "set", "Open_vSwitch", ".", "other_config:vlan-limit=2")

    def plug(self, name, filter_name=None, columns=None):
        columns = columns or {}
        number = len(self.ports) + 1
        words = [f"{key}={value}" for key, value in columns.items()]
        ids = [f'external_ids:attached-mac="{MAC.format(number)}"',
               f"external_ids:nwfilter={filter_name}"] if filter_name else []
        self.ovs.vsctl("add-port", "br0", name, *words, "--", "set", "Interface", name,
                       "type=dummy", f"ofport_request={number}", *ids)
        assert self.ovs.ofport(name) == number
        self.ports[name] = number
        if filter_name:
            self.guests.add(name)

    def is_guest(self, name):
        return name in self.guests

    def clear(self):
        self.ovs.vsctl(*(word for name in self.ports for word in ("--", "del-port", name)))
        self.ports, self.guests = {}, set()

    def frame(self, sender, to=f.BROADCAST, src="10.0.0.1", tags=()):
        mac = MAC.format(self.ports[to]) if to in self.ports else to
        return f.eth(mac, MAC.format(self.ports[sender]), f.ipv4(src, "10.0.0.9", f.udp(1, 2)),
                     tags=tags)

    def receivers(self, sender, frame):
        """[(name, frame)], as World has it.  Datapath ports are in the order of their numbers."""
        text = self.ovs.trace("br0", self.ports[sender], frame)
        actions = re.search(r"Datapath actions: (.*)", text)[1]
        return sorted(self._play(actions, frame))

    def _play(self, actions, frame):
        names = {self._datapath_port(name): name for name in self.ports}
        for action in re.findall(r"pop_vlan|push_vlan\([^)]*\)|\d+|drop", actions):
            if action == "pop_vlan":
                frame = frame[:12] + frame[16:]
            elif action.startswith("push"):
                frame = frame[:12] + pushed(action) + frame[12:]
            elif action != "drop" and int(action) in names:
                yield names[int(action)], frame

    def _datapath_port(self, name):
        if not hasattr(self, "_numbers") or name not in self._numbers:
            shown = self.ovs.appctl("dpif/show")
            self._numbers = {m[1]: int(m[2]) for m in re.finditer(r"^\s+(\S+) \d+/(\d+):", shown,
                                                                 re.M)}
        return self._numbers[name]

    def check(self, what, good, why=""):
        print(f"ok     {what}" if good else f"FAILED {what}: {why}", flush=True)
        self.failures += not good


def pushed(action):
    field = dict(pair.split("=") for pair in action[len("push_vlan("):-1].split(","))
    tpid = int(field.get("tpid", "0x8100"), 16)
    return (tpid << 16 | int(field["pcp"]) << 13 | int(field["vid"])).to_bytes(4, "big")


def test(lab):
    bench = Bench(lab.ovs)
    for name, text in FILTERS.items():
        define(name, text)
    test_filters(bench)
    test_cut(bench)
    nwfilter("unmanage", "br0")
    bench.clear()
    test_as_normal(bench)
    return 1 if bench.failures else 0


def test_filters(bench):
    """Each filter judges the frame as its guest gets it."""
    bench.plug("uplink")
    bench.plug("access", "no-66", {"tag": 5})
    bench.plug("native", "no-vlan", {"tag": 5, "vlan_mode": "native-untagged"})
    bench.plug("free", "open", {"tag": 5})
    bench.plug("encap", "encap", {"tag": 6})
    result = nwfilter("manage", "br0")
    status = bench.ovs.vsctl("get", "Interface", "encap", "external_ids:nwfilter-status")
    bench.check("a filter that asks for the type behind a tag is quarantined, and no other",
                "1 quarantined" in result.out and "encap.xml:1" in status, (result, status))
    plain = bench.frame("uplink")
    for tags, src, wanted in [
            ((5,), "10.0.0.1", {"access": (), "native": (), "free": ()}),
            ((5,), "10.0.0.66", {"native": (), "free": ()}),
            # The priority tag goes, and what is behind it is judged.
            ((5, 0), "10.0.0.1", {"access": (), "native": (), "free": ()}),
            ((5, 0), "10.0.0.66", {"native": (), "free": ()}),
            (((5, 0, QINQ), (0, 0, QINQ)), "10.0.0.66", {"native": (), "free": ()}),
            # It names a priority, and stays where NORMAL leaves it: a frame with a tag.
            ((5, (0, 3)), "10.0.0.66", {"free": ()}),
            ((5, (0, 3)), "10.0.0.1", {"access": (), "free": ()}),
            # No frame of VLAN 5.
            ((5, 7), "10.0.0.1", {}), ((5, 7, 8), "10.0.0.1", {}),
            # A third tag, which does not show.
            ((5, 0, 7), "10.0.0.66", {"free": (7,)})]:
        sent = bench.frame("uplink", src=src, tags=tags)
        got = {name: copy[12:-len(plain) + 12] for name, copy in bench.receivers("uplink", sent)
               if name != "uplink"}
        wanted = {name: f.eth(f.BROADCAST, f.BROADCAST, b"", 0, rest)[12:12 + 4 * len(rest)]
                  for name, rest in wanted.items()}
        bench.check(f"tags {tags} from {src}", got == wanted, (got, wanted))


def test_cut(bench):
    """A frame that ends inside of a tag goes nowhere, as under NORMAL."""
    for tpid in (b"\x81\0", b"\x88\xa8"):
        frame = bench.frame("uplink")[:12] + tpid + b"\0\5\x08"
        got = bench.ovs.trace("br0", bench.ports["uplink"], frame)
        bench.check(f"a frame that ends inside of a tag ({tpid.hex()})",
                    "Datapath actions: drop" in got and "0. " in got and "100. " not in got, got)


def test_as_normal(bench):
    dice = random.Random(SEED)
    n_frames = n_wrong = 0
    for _ in range(4):
        ports = {f"{'gt'[n % 2]}{n}": random_columns(dice, n % 2 == 0) for n in range(10)}
        for name, columns in ports.items():
            bench.plug(name, "open" if name[0] == "g" else None, columns)
        traffic = [row for row in (random_frame(bench, dice, ports) for _ in range(250))
                   if not loses_tag(ports, row[0], row[1])]
        before = [bench.receivers(sender, frame) for sender, _, frame in traffic]
        nwfilter("manage", "br0")
        after = [bench.receivers(sender, frame) for sender, _, frame in traffic]
        wrong = [(sender, ports[sender], tags, describe(frame), show(was), show(now))
                 for (sender, tags, frame), was, now in zip(traffic, before, after)
                 if not is_same(bench, ports, sender, tags, was, now, 2)]
        n_frames, n_wrong = n_frames + len(traffic), n_wrong + len(wrong)
        bench.check(f"{len(traffic)} frames as by NORMAL", not wrong,
                    "\n    ".join(["", str(ports), *map(str, wrong[:8])]))
        nwfilter("unmanage", "br0")
        bench.clear()
    print(f"seed {SEED}: {n_frames} frames, {n_wrong} differences")


def random_frame(bench, dice, ports):
    sender = dice.choice(list(ports))
    tags = tuple((dice.choice(VIDS), dice.choice([0, 0, 3]), dice.choice([f.VLAN, f.VLAN, QINQ]))
                 for _ in range(dice.choice([1, 1, 2, 2, 2, 3])))
    return sender, tags, bench.frame(sender, tags=tags)


def show(got):
    return [(name, copy[12:24].hex()) for name, copy in got]


if __name__ == "__main__":
    main(test, dummy=True)
