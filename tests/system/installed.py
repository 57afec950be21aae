#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Since when a guest's policy is enforced stands in a tag."""

import os
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system.world import nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"


def test(world):
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.9")
    world.guest("vnet1", 2, CLEAN, IP="10.0.0.2")
    world.manage()
    test_installed(world)


def installed(world, name):
    return int(world.tags(name).get("nwfilter-installed-ts", 0))


def test_installed(world):
    before = int(time.time() * 1000)
    world.set_tags("vnet0", nwfilter_IP="10.0.0.1")
    old = installed(world, "vnet0"), installed(world, "vnet1")
    nwfilter("sync")
    new = installed(world, "vnet0"), installed(world, "vnet1")
    world.check("nwfilter-installed-ts is that of the change, in milliseconds",
                old[0] < before <= new[0] <= time.time() * 1000 and 0 < old[1] == new[1], (old, new))
    nwfilter("sync")
    nwfilter("sync", "--full")
    nwfilter("sync", "--port=vnet0")
    world.check("    and stays without one", installed(world, "vnet0") == new[0])
    nwfilter("bind", "--sync", "vnet0", CLEAN, "IP=10.0.0.7")
    newer = installed(world, "vnet0")
    world.check("    bind --sync sets it", newer > new[0], (new, newer))
    world.set_tags("vnet0", nwfilter="nosuch")
    nwfilter("sync")
    world.check("    a guest that is quarantined has none", not installed(world, "vnet0"))
    world.set_tags("vnet0", nwfilter=CLEAN)
    nwfilter("sync")
    again = installed(world, "vnet0")
    nwfilter("unmanage", "br0")
    world.check("    nor one of a bridge that is given back", again > newer
                and not installed(world, "vnet0") and not installed(world, "vnet1"))


if __name__ == "__main__":
    run(test)
