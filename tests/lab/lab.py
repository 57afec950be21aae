# SPDX-License-Identifier: Apache-2.0
"""The laboratory under one roof.

    def test(lab):
        lab.ovs.add_bridge("br0")
        ...

    if __name__ == "__main__":
        main(test, ovs=True, libvirt=True)

main() enters the private namespaces, starts what is asked for, runs the test and stops everything
again, whatever happened.  The test's return value is the exit status; an assertion that fails is
reported in one line, with its place, and the ends of the daemons' logs where LAB_VERBOSE is set.
"""

import os
import sys
import traceback

from . import libvirt as libvirt_module
from . import netns
from . import ovs as ovs_module
from . import vm as vm_module


class Lab:
    def __init__(self, ovs=False, libvirt=False, dummy=False):
        self.ovs = ovs_module.Ovs(dummy) if ovs or dummy else None
        self.libvirt = libvirt_module.Libvirt() if libvirt else None
        self.daemons = [daemon for daemon in (self.ovs, self.libvirt) if daemon]

    def __enter__(self):
        try:
            for daemon in self.daemons:
                daemon.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            daemon.stop()


def main(test, ovs=False, libvirt=False, dummy=False, machines=False):
    """Run test(lab) in a laboratory of its own and exit."""
    if machines:
        vm_module.need_kernel()
    netns.enter(*(ovs_module.PROGRAMS if ovs or dummy else ()),
                *(libvirt_module.PROGRAMS if libvirt else ()),
                *(vm_module.PROGRAMS if machines else ()))
    if machines:
        netns.reap()
    sys.exit(_run(test, ovs, libvirt, dummy))


def _run(test, ovs, libvirt, dummy):
    try:
        with Lab(ovs, libvirt, dummy) as lab:
            return test(lab)
    except AssertionError as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        print(f"FAILED {os.path.basename(place.filename)}:{place.lineno}: {error or place.line}")
    except netns.LabError as error:
        print(f"ERROR {error}")
    if os.environ.get("LAB_VERBOSE"):
        _show_logs()
    return 1


def _show_logs():
    for name in sorted(os.listdir(netns.WORK)):
        if name.endswith(".log"):
            with open(f"{netns.WORK}/{name}", errors="replace") as log:
                print(f"--- {name}", *log.read().splitlines()[-20:], sep="\n")
