#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Guests of a server at OVH, routed by the host's kernel; see routed_scenes.py.

Guests have a private gateway.  The provider's router asks for each of their IPv6 addresses, and
hears no question that comes from a link-local address: so the host's own entry for the gateway
never comes back by itself once it was lost, as long as all that the host sends was forwarded."""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import provider as p  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.netns import run  # noqa: E402
from lab.routed_probe import Endpoint  # noqa: E402
from system.routed_scenes import Scenes  # noqa: E402
from system.routed_world import OVH  # noqa: E402

GATEWAY = "192.168.0.1"


class OvhScenes(Scenes):
    def scenes(self):
        return [self.gateway_lost, *super().scenes()]

    def everything(self, what, **more):
        super().everything(what, first4=GATEWAY)

    def gateway_lost(self):
        """Forwarded traffic alone."""
        there = Endpoint(self.provider.world, p.WORLD[1])
        self.watch([pair for end in self.inside() if ":" in end.address
                    for pair in ((end, there), (there, end))])
        self.fault("the gateway's neighbour entry is lost",
                   lambda: run("ip", "neigh", "del", self.provider.gateway6, "dev", p.NIC))
        self.unwatch()


def test(lab):
    with OvhScenes(p.Ovh, OVH, gateways=(GATEWAY, "fe80::1")) as scenes:
        scenes.run()
        return 1 if scenes.failures else 0


if __name__ == "__main__":
    main(test)
