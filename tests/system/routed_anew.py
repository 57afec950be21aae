#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A bridge of routed guests is made anew, as a network restart does, and its guests are added and
bound at once, before anybody has seen that it is there: each time all of them are reached."""

import os
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import provider as p  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.routed import BRIDGE  # noqa: E402
from lab.routed_probe import Endpoint, unanswered  # noqa: E402
from system.routed_scenes import Scenes  # noqa: E402
from system.routed_world import HETZNER
from system.world import FILTERS  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "10"))


class Anew(Scenes):
    def run(self):
        self.configure()
        self.plug_guests(self.gateway4)
        self.server.start_daemon(FILTERS)
        self.manage()
        for name in self.guests:
            self.bind(name)
        self.expect("at first")
        for number in range(ROUNDS):
            self.make_anew()
            self.expect(f"round {number + 1}")
        self.clean("after all that")
        wrong = self.server.daemon.recompute()
        self.check("    recompute finds no difference", not wrong, wrong)

    def make_anew(self):
        """Guests' devices stay; the hypervisor adds them again."""
        self.server.ovs.vsctl("del-br", BRIDGE)
        self.server.add_bridge()
        for name, guest in self.guests.items():
            self.server.ovs.add_port(BRIDGE, name, attached_mac=guest.mac,
                                     iface_id=f"iface-{name}")
            self.bind(name)

    def expect(self, what):
        began = time.monotonic()
        there = [Endpoint(self.provider.world, address) for address in p.WORLD]
        pairs = [(there[":" in end.address], end) for end in self.inside()]
        silent = unanswered(pairs + [pair[::-1] for pair in pairs], 10)
        self.check(f"{what}: all guests are reached {time.monotonic() - began:.2f} s later",
                   not silent, silent)
        if silent:
            self.show_server()


def test(lab):
    with Anew(p.Hetzner, HETZNER) as scenes:
        scenes.run()
        return 1 if scenes.failures else 0


if __name__ == "__main__":
    main(test)
