#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Domains are converted to exactly the documents that are written down here.

    convert.py            compare, show differences, exit 1 if there are any
    convert.py --renew    write domains/after/*.xml anew (tests/golden/renew does that)

Whatever is written down, what a domain says of its interfaces must be the same before and after:
that is read here by another parser.  Converting the result again must change nothing.
"""

import difflib
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.environ.get("OVS_NWFILTER") or os.path.join(ROOT, "build", "ovs-nwfilter")
BEFORE, AFTER = f"{HERE}/domains/before", f"{HERE}/domains/after"
OURS = "{urn:ovs-nwfilter:domain:1}"
# Networks that the option names; all of the others' interfaces stay as they are.
NETWORKS = {"networks-named": ["ovs-net"]}


def convert(name, document):
    """(document, complaint or None)"""
    options = [f"--network={network}" for network in NETWORKS.get(name, [])]
    done = subprocess.run([PROGRAM, "hook", "convert", *options, "-"], input=document,
                          capture_output=True)
    return done.stdout, done.stderr.decode().strip() if done.returncode else None


def policy(element, prefix):
    return (element.get("filter"),
            [(p.get("name"), p.get("value")) for p in element.iter(f"{prefix}parameter")])


def is_moved(interface, networks):
    port, source = interface.find("virtualport"), interface.find("source")
    return (port is not None and port.get("type") == "openvswitch"
            or interface.get("type") == "network" and source.get("network") in networks)


def meaning(document, networks):
    """Of each interface: the filters that its own element and the metadata name."""
    root = ElementTree.fromstring(document)
    ports = {}
    for port in root.iterfind(f"metadata/{OURS}ports/{OURS}port"):
        ports[(port.get("mac") or port.get("alias")).lower()] = port.find(f"{OURS}filterref")
    found = []
    for interface in root.iterfind("devices/interface"):
        own, names = interface.find("filterref"), [interface.find("mac"), interface.find("alias")]
        keys = [(name.get("address") or name.get("name")).lower()
                for name in names if name is not None]
        entries = [policy(ports[key], OURS) for key in keys if key in ports]
        found.append((is_moved(interface, networks),
                      None if own is None else policy(own, ""), entries))
    return found


def complain_of_meaning(before, after, networks):
    """What has another meaning than before, or None."""
    old, new = meaning(before, networks), meaning(after, networks)
    if len(old) != len(new):
        return f"{len(new)} interfaces, not {len(old)}"
    for (moved, own, entries), result in zip(old, new):
        wanted = (True, None, [own] if own and not entries else entries) if moved else (
            False, own, entries)
        if result != wanted:
            return f"{result}, not {wanted}"
    return None


def check(name, document):
    path = f"{AFTER}/{name}.xml"
    expected = open(path, "rb").read() if os.path.exists(path) else b""
    if document == expected:
        return True
    print(*difflib.unified_diff(expected.decode().splitlines(), document.decode().splitlines(),
                                f"{name}: as written", f"{name}: as converted", n=0, lineterm=""),
          sep="\n")
    return False


def renew(name, document):
    with open(f"{AFTER}/{name}.xml", "wb") as file:
        file.write(document)
    return True


def complain(name, finish):
    with open(f"{BEFORE}/{name}.xml", "rb") as file:
        before = file.read()
    after, complaint = convert(name, before)
    if complaint:
        return complaint
    again, complaint = convert(name, after)
    if complaint or again != after:
        return f"a second run: {complaint or 'changes it'}"
    complaint = complain_of_meaning(before, after, NETWORKS.get(name, []))
    return complaint or (None if finish(name, after) else "not what is written down")


def main(finish):
    names = sorted(name.removesuffix(".xml") for name in os.listdir(BEFORE))
    wrong = 0
    for name in names:
        complaint = complain(name, finish)
        if complaint:
            wrong += 1
            print(f"{name}: {complaint}")
    left = sorted(set(os.listdir(AFTER)) - {f"{name}.xml" for name in names})
    if left:
        print("files of no domain:", *left)
    print(f"{len(names)} domains, {wrong} wrong")
    return 1 if wrong or left or not names else 0


if __name__ == "__main__":
    sys.exit(main(renew if sys.argv[1:] == ["--renew"] else check))
