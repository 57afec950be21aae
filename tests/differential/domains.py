#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What does libvirt make of domains before and after "hook convert"?

It must take the golden domains both ways, and keep what has come into the metadata: the definition
that it gives back says of every interface what the document said, and needs no conversion.  Before,
it must refuse to start a machine, which is why there is anything to convert, and after, start it.

The environment's OVS_NWFILTER is the program under test (default: build/ovs-nwfilter).
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "golden")]

from convert import BEFORE, NETWORKS, complain_of_meaning, convert  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.libvirt import Libvirt  # noqa: E402

REFUSAL = "filterref is not supported for network interfaces with virtualport type openvswitch"


class Test:
    def __init__(self):
        self.failures = 0

    def check(self, what, wrong):
        print(f"{'FAILED' if wrong else 'ok    '} {what}{f': {wrong}' if wrong else ''}",
              flush=True)
        self.failures += bool(wrong)


def read(name):
    with open(f"{BEFORE}/{name}.xml", "rb") as file:
        return file.read()


def virsh(*argv, stdin=None):
    """(complaint or None, output)"""
    status, output = Libvirt.machines(*argv, stdin=stdin)
    return (" ".join(output.split()) or f"status {status}") if status else None, output


def define(document):
    """The domain as libvirt has it, and its complaint or None."""
    complaint, _ = virsh("define", "/dev/stdin", stdin=document.decode())
    if complaint:
        return None, complaint
    complaint, names = virsh("list", "--all", "--name")
    if not complaint:
        complaint, output = virsh("dumpxml", "--inactive", *names.split())
    return output.encode(), complaint


def undefine(name):
    return virsh("undefine", name)[0]


def complain_of_copy(name, before, copy):
    """Whether the definition, which libvirt gives back, is another policy than the document."""
    again, complaint = convert(name, copy)
    if complaint or again != copy:
        return f"to be converted again: {complaint}"
    return complain_of_meaning(before, copy, NETWORKS.get(name, []))


def try_domain(test, name):
    before = read(name)
    after, complaint = convert(name, before)
    test.check(f"{name}: converted", complaint)
    _, complaint = define(before)
    test.check("    libvirt takes it before", complaint or undefine(name))
    copy, complaint = define(after)
    test.check("    libvirt takes it after", complaint)
    test.check("    it means the same", copy and complain_of_copy(name, before, copy))
    undefine(name)


def try_to_start(test, name):
    """Its only interface is on Open vSwitch."""
    before = read(name)
    define(before)
    complaint = virsh("start", name)[0]
    test.check(f"{name}: libvirt does not start it",
               not (complaint and REFUSAL in complaint) and f"says {complaint}")
    define(convert(name, before)[0])
    test.check("    converted, it does", virsh("start", name)[0])
    test.check("    and stops it", virsh("destroy", name)[0])


def test(lab):
    test = Test()
    lab.ovs.add_bridge("ovsbr0")
    for name in sorted(os.listdir(BEFORE)):
        try_domain(test, name.removesuffix(".xml"))
    try_to_start(test, "one-nic")
    print(f"{test.failures} failures")
    return 1 if test.failures else 0


if __name__ == "__main__":
    main(test, ovs=True, libvirt=True, machines=True)
