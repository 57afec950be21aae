#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A fragment whose packet never comes together goes nowhere.

Open vSwitch's userspace datapath lets such a fragment out of conntrack after some 15 seconds, with
whatever packet passes through next: no rule has seen it, and it must not go where that packet goes.
"""

import os
import sys

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import frames as f  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.netns import WORK, run_status, wait_for  # noqa: E402
from system.world import PROGRAM  # noqa: E402

FILTERS = f"{WORK}/filters"
# Tracked, and what no rule names is accepted.
TRACKED = """<filter name='tracked'>
  <rule action='accept' direction='in'><tcp dstportstart='22'/></rule>
</filter>"""
GUEST, PEER = "52:54:00:00:00:01", "52:54:00:00:00:02"


def frame(payload, **more):
    return f.eth(PEER, GUEST, f.ipv4("10.0.0.5", "10.0.0.6", payload, **more))


def expired(ovs):
    lines = ovs.appctl("dpctl/ipf-get-status").splitlines()
    return [int(line.split(":")[1]) for line in lines if "v4 frags expired" in line] == [1]


def test(lab):
    ovs = lab.ovs
    ovs.add_bridge("br0")
    guest, peer = ovs.add_guest("br0", "guest", mac=GUEST), ovs.add_guest("br0", "peer")
    os.makedirs(FILTERS, exist_ok=True)
    with open(f"{FILTERS}/tracked.xml", "w") as file:
        file.write(TRACKED)
    for words in (("bind", "guest", "tracked"), ("manage", "br0")):
        status, output = run_status(PROGRAM, f"--filter-dir={FILTERS}", *words)
        assert status == 0, output
    lone = frame(b"y" * 1240, proto=f.UDP, offset=1232)
    guest.send(lone)
    sent, got = [], []

    def is_out():
        """Packets that pass, each the beginning of a connection, until one has taken it along."""
        sent.append(frame(f.udp(5000 + len(sent), 53)))
        guest.send(sent[-1])
        got.extend(peer.receive())
        return expired(ovs)

    wait_for(is_out, "the fragment to expire", 60)
    wait_for(lambda: got.extend(peer.receive()) or sent[-1] in got, "the last packet", 10)
    leaked = [one for one in got if len(one) > 1000]
    print(f"{len(sent)} packets sent, {len(leaked)} fragments leaked")
    return 1 if leaked or not got else 0


if __name__ == "__main__":
    main(test, ovs=True)
