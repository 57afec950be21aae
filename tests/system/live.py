# SPDX-License-Identifier: Apache-2.0
"""A world that ovs-nwfilterd keeps (lab/nwfilterd.py), and what its tests share."""

from lab.netns import LabError, wait_for
from lab.nwfilterd import Nwfilterd
from system.world import CHANGES, FILTERS, SYNCS


def start(world, *options):
    """Start a daemon, world.daemon, and wait until all is enforced or has an error."""
    world.daemon = Nwfilterd(FILTERS, *options)

    def on_settled():
        CHANGES[0] += 1
        SYNCS[0] += 1
    world.daemon.on_settled = on_settled
    world.daemon.start()
    return world.daemon.settle()


def finish(world):
    """What is computed step by step is what comes out from scratch; the switch has it."""
    world.daemon.settled("the end")  # what is not in force yet would be a difference
    wrong = world.daemon.recompute()
    world.check("recompute finds no difference", not wrong, wrong)
    before = {bridge: world.daemon.counts(bridge) for bridge in bridges(world)}
    answer = world.daemon.ctl("resync")
    after = {bridge: world.daemon.counts(bridge) for bridge in bridges(world)}
    world.check("resync finds none in the switch", before == after, (before, after, answer))
    world.check("the daemon ends with status 0", world.daemon.stop() == 0)


def bridges(world):
    return [line.split(":")[0] for line in world.daemon.ctl("bridge/show").text.splitlines()
            if line and line[0] not in " \n"]


def wait_status(world, name, wanted, what=None, timeout=10.0):
    """Wait until the port's status is as wanted (text, or a test of it); say what it was."""
    test = wanted if callable(wanted) else lambda status: status == wanted
    try:
        wait_for(lambda: test(world.status(name)), "status", timeout)
    except LabError:
        return world.check(what or f"{name} is {wanted}", False, world.status(name))
    return world.check(what or f"{name} is {wanted}", True)


def is_error(*words):
    """A test of a status: an error with all these words."""
    return lambda status: str(status).startswith("error: ") and all(w in status for w in words)
