#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Filters and bridges become exactly the flows that are written down here.

    golden.py            compare, show differences, exit 1 if there are any
    golden.py --renew    write flows/*.flows anew (tests/golden/renew does that)

"bridge-" cases have all flows of a bridge; "filter-" cases those of one guest's filter, and "ip-"
cases those of one that has rules of the IP layers: table 10 and on for what it sends, 110 and on
for what it gets.  Every case must be what ovs-ofctl(8) takes as it is.
"""

import difflib
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.environ.get("OVS_NWFILTER") or os.path.join(ROOT, "build", "ovs-nwfilter")
STOCK = os.path.join(ROOT, "flows", "filters")
WRITTEN = os.path.join(ROOT, "tests", "differential", "filters")
IP_LAYERS = os.path.join(ROOT, "tests", "differential", "filters-l4")
MAC = "52:54:00:00:00:{:02x}"

STOCK_PARAMETERS = {"IP": "10.0.0.5", "IPV6": "2001:db8::5", "DHCPSERVER": "10.0.0.1",
                    "GATEWAY_MAC": "02:00:00:00:00:fe"}
OF_WRITTEN = ["arp-addresses", "arp-operations", "chain-return", "chain-merged", "inout-mirror",
              "ip-addresses", "ip-ports", "ipv6-icmp-types", "iterators-product", "list-values",
              "negated-return", "negated-several", "nested-outer-wins", "root-return",
              "stp-chain", "variable-masks", "vlan-ids", "vlan-inner-ipv4"]
OF_IP_LAYERS = ["all-ranges", "drop-in", "ethernet-mixed", "icmp-types", "list-product",
                "mac-alone", "negated-several", "ports-ipv6", "state-lists", "state-new",
                "stateful-fragments", "stateless-fragments", "tcp-flags", "typical-server"]


def guests(*parameters, name="clean-traffic"):
    return [{"port": f"vnet{i}", "filter": name, "mac": MAC.format(i), "parameters": p}
            for i, p in enumerate(parameters, 1)]


TWO = guests({"IP": "10.0.0.1"}, {"IP": ["10.0.0.2", "10.0.1.0/28"]})
UPLINK = ["--trusted=eth0", "--ofport=eth0=9"]
BRIDGES = {
    "guests": (TWO, UPLINK),
    "alone": (TWO[:1], []),
    "audit": (TWO, UPLINK + ["--audit"]),
    "audit-vlans": (TWO[:1], UPLINK + ["--audit", "--tag=vnet1=5", "--trunks=eth0=0,5"]),
    "forward-bpdu": (TWO[:1], UPLINK + ["--forward-bpdu"]),
    "access-vlans": (TWO, UPLINK + ["--tag=vnet1=5", "--tag=vnet2=6"]),
    "trunks": (TWO, UPLINK + ["--trunks=vnet1=5,6", "--tag=vnet2=5", "--trunks=eth0=0,5"]),
    "isolated": ([TWO[0] | {"isolated": True}, TWO[1]] + [
        {"port": f"vnet{i}", "filter": "allow-ipv4", "mac": MAC.format(i), "isolated": i != 5}
        for i in (3, 4, 5)], UPLINK + ["--unknown-unicast=trusted", "--tag=vnet4=6"]),
    "isolated-audit": ([TWO[0] | {"isolated": True}], UPLINK + ["--audit"]),
    "limits": ([TWO[0] | {"limits": {"broadcast": 100, "arp": 50}},
                TWO[1] | {"limits": {"arp": 5}}], UPLINK + ["--tag=vnet1=5"]),
    "routed": ([TWO[0] | {"parameters": {"IP": ["192.0.2.5", "10.0.0.5"],
                                          "IPV6": ["2001:db8::5", "2001:db8:5::/64"]}}],
               UPLINK + ["--guard=eth0=02:00:00:00:00:0a", "--uplink=eth0",
                         "--own-mac=02:00:00:00:00:0a",
                         "--gateway-mac=02:00:00:00:00:fe",
                         "--own-address=192.0.2.1,2001:db8::1"]),
    "guarded": (TWO[:1], UPLINK + ["--own-mac=02:aa:00:00:00:01", "--guard=eth0=02:aa:00:00:00:01",
                                   "--guard-mac=00:50:56:00:00:07,00:50:56:00:00:08/192.0.2.8,"
                                   "00:50:56:00:00:08/2001:db8:8::/64,00:50:56:00:00:09@4000"]),
    "guarded-access": (TWO[:1], UPLINK + ["--tag=eth0=5", "--guard=eth0=02:aa:00:00:00:01"]),
    "unknown-flooded": (TWO[:1], UPLINK + ["--unknown-unicast=flood"]),
    "two-addresses": ([TWO[0] | {"parameters": {
        "IP": "10.0.0.1", "MAC": [MAC.format(1), MAC.format(0x11)]}}], UPLINK),
}


def bindings_of(text):
    """What a filter of the differential test asks to be bound with (see its cases.py)."""
    words = re.search(r"^\s*bind:(.*?)(?:-->)?$", text, re.M).group(1).split()
    return {key: values.split(",") for key, values in (word.split("=") for word in words)}


def cases():
    """(name, policy, options, only the filter's flows)"""
    for name, (policy, options) in BRIDGES.items():
        yield f"bridge-{name}", policy, options, False
    for file in sorted(os.listdir(STOCK)):
        name = file.removesuffix(".xml")
        parameters = dict(STOCK_PARAMETERS)
        if name == "allow-dhcpv6-server":
            parameters["DHCPSERVER"] = "fe80::1"
        yield f"filter-{name}", guests(parameters, name=name), [], True
    for folder, prefix, chosen in ((WRITTEN, "filter", OF_WRITTEN), (IP_LAYERS, "ip", OF_IP_LAYERS)):
        for name in chosen:
            with open(f"{folder}/{name}.xml") as file:
                yield (f"{prefix}-{name}", guests(bindings_of(file.read()), name=name),
                       [f"--filter-dir={folder}"], True)


def compile_flows(policy, options):
    numbers = [f"--ofport={guest['port']}={i}" for i, guest in enumerate(policy, 1)]
    done = subprocess.run([PROGRAM, f"--filter-dir={STOCK}", *options, "compile", *numbers, "-"],
                          input=json.dumps(policy), text=True, capture_output=True)
    return (done.stdout, None) if done.returncode == 0 else (
        "", done.stderr.strip())


def of_filter(text):
    lines = [line for line in text.splitlines(keepends=True)
             if re.search(r"\btable=(\d\d|1[1-9]\d),", line)]
    return "".join(lines)


def refused_by_ofctl(text):
    """ovs-ofctl's complaint, or None."""
    done = subprocess.run(["ovs-ofctl", "-OOpenFlow13,OpenFlow14,OpenFlow15", "parse-flows", "-"],
                          input=text, text=True, capture_output=True)
    return done.stderr.strip() if done.returncode else None


def check(name, text):
    path = f"{HERE}/flows/{name}.flows"
    expected = open(path).read() if os.path.exists(path) else ""
    if text == expected:
        return True
    print(*difflib.unified_diff(expected.splitlines(), text.splitlines(), f"{name}: as written",
                                f"{name}: as compiled", n=0, lineterm=""), sep="\n")
    return False


def renew(name, text):
    with open(f"{HERE}/flows/{name}.flows", "w") as file:
        file.write(text)
    return True


def main(finish):
    wrong, names = [], []
    for name, policy, options, only_filter in cases():
        text, complaint = compile_flows(policy, options)
        complaint = complaint or refused_by_ofctl(text)
        if complaint:
            print(f"{name}: {complaint}")
        elif not text.strip():
            complaint = True
            print(f"{name}: no flows")
        if complaint or not finish(name, of_filter(text) if only_filter else text):
            wrong.append(name)
        names.append(name)
    left = sorted(set(os.listdir(f"{HERE}/flows")) - {f"{name}.flows" for name in names})
    if left:
        print("files of no case:", *left)
    print(f"{len(names)} cases, {len(wrong)} wrong{': ' if wrong else ''}{' '.join(wrong)}")
    return 1 if wrong or left else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--renew"]:
        shutil.rmtree(f"{HERE}/flows")
        os.mkdir(f"{HERE}/flows")
        sys.exit(main(renew))
    sys.exit(main(check))
