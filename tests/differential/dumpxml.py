#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bind --xml takes what a real "virsh nwfilter-binding-dumpxml" prints, unchanged.

The port in the database has the name of the one that libvirt filters on a Linux bridge.
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))

from lab.lab import main  # noqa: E402
from lab.libvirt import LinuxBridge  # noqa: E402

PROGRAM = os.environ.get("OVS_NWFILTER",
                         os.path.join(HERE, "..", "..", "build", "ovs-nwfilter"))
MAC = "52:54:00:00:00:01"
ROWS = [
    ("no variables", "allow-arp", {}),
    ("one value", "clean-traffic", {"IP": "10.0.0.5"}),
    ("lists", "clean-traffic", {"IP": ["10.0.0.5", "10.0.0.6", "10.0.0.7"],
                                "DHCPSERVER": ["10.0.0.1", "10.0.0.2"]}),
    ("another MAC", "clean-traffic", {"IP": "10.0.0.5", "MAC": "52:54:00:00:00:09"}),
]


def bind(document):
    return subprocess.run((PROGRAM, "bind", "--xml=-"), input=document, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def tags(lab):
    table = json.loads(lab.ovs.vsctl("--format=json", "--columns=external_ids", "list",
                                     "Interface", "vnet0"))
    return dict(table["data"][0][0][1])


def expected(name, params):
    values = {key: [value] if isinstance(value, str) else value for key, value in params.items()}
    return {"nwfilter": name, "nwfilter-MAC": MAC} | {
        f"nwfilter-{key}": ",".join(value) for key, value in values.items()}


def test(lab):
    failures = 0
    LinuxBridge("lbr").add_guest("vnet0", MAC)
    lab.ovs.vsctl("--no-wait", "add-br", "br0", "--", "add-port", "br0", "vnet0")
    for what, name, params in ROWS:
        wrong = lab.libvirt.bind("vnet0", MAC, name, params)
        status, document = lab.libvirt.virsh("nwfilter-binding-dumpxml", "vnet0")
        done = bind(document)
        if wrong or status or (done.returncode, done.stdout, done.stderr) != (0, "", ""):
            wrong = wrong or (status, document, done)
        elif tags(lab) != expected(name, params):
            wrong = (document, tags(lab), expected(name, params))
        print(f"FAILED {what}: {wrong}" if wrong else f"ok     {what}", flush=True)
        failures += bool(wrong)
        lab.libvirt.unbind("vnet0")
    return 1 if failures else 0


if __name__ == "__main__":
    main(test, ovs=True, libvirt=True)
