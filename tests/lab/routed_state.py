# SPDX-License-Identifier: Apache-2.0
"""What a host is set up like, to be compared: nothing may be left behind.

    before = State()
    ...
    left_behind(before)     # lines

Whoever calls is in the host's namespaces.
"""

import json
import os
import re
import time

from .netns import run, run_status

COMMANDS = {
    "addresses": ("ip", "-o", "addr"),
    "links": ("ip", "-o", "link"),
    "IPv4 routes": ("ip", "-4", "route", "show", "table", "all"),
    "IPv6 routes": ("ip", "-6", "route", "show", "table", "all"),
    "IPv4 rules": ("ip", "-4", "rule"),
    "IPv6 rules": ("ip", "-6", "rule"),
    "permanent neighbours": ("ip", "neigh", "show", "nud", "permanent"),
    "IPv4 proxies": ("ip", "-4", "neigh", "show", "proxy"),
    "IPv6 proxies": ("ip", "-6", "neigh", "show", "proxy"),
    "nftables": ("nft", "list", "ruleset"),
}
SYSCTLS = ("net/ipv4/conf", "net/ipv6/conf", "net/ipv4/neigh", "net/ipv6/neigh")
SINGLE = ("net/ipv4/ip_forward",)
UNSTABLE = {"stable_secret"}
# Numbers of devices, and what passes by itself.
NUMBER = re.compile(r"^\d+: ")
# Open vSwitch leaves a device promiscuous that was its port.
PASSING = re.compile(r",PROMISC\b| (expires|valid_lft|preferred_lft|age|qlen) \S+"
                     r"| (linkdown|dadfailed|tentative)")
BRIDGE = "name", "fail_mode", "external_ids", "other_config", "protocols", "controller"
# What the tool says of a guest goes with the port, and is as good as its binding.
OWN_NOTES = re.compile(r"nwfilter-(status|installed-ts|ct-zone|no-flood)")
FILES = "/etc/ovs-nwfilter"


class State:
    def __init__(self):
        self.parts = {name: _lines(command) for name, command in COMMANDS.items()}
        self.parts["sysctls"] = _sysctls()
        self.parts["bridges"] = _rows("Bridge", BRIDGE)
        self.parts["ports"] = _rows("Port", ("name", "tag", "other_config", "external_ids"))
        self.parts["interfaces"] = _rows("Interface", ("name", "type", "external_ids",
                                                       "other_config"))
        self.parts["files"] = sorted(f"{folder}/{name}" for folder, _, names in os.walk(FILES)
                                     for name in names)

    def differences(self, before, ignore=()):
        """Lines that are new (+) or gone (-), but those that match one of the patterns."""
        found = []
        for name, lines in self.parts.items():
            old = before.parts[name]
            found += [f"{name}: - {line}" for line in old if line not in lines]
            found += [f"{name}: + {line}" for line in lines if line not in old]
        return [line for line in found if not any(re.search(p, line) for p in ignore)]


def left_behind(before, ignore=(), patience=5.0):
    """The differences, once the kernel has had time to bring up what went down."""
    end = time.monotonic() + patience
    while True:
        left = State().differences(before, ignore)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.1)


def _lines(command):
    status, out = run_status(*command)
    if status:  # ip(8) says so of a family's table that was never used
        return [f"error: {out.strip()}"] if command[0] != "ip" else []
    lines = (re.sub(r"\s+", " ", PASSING.sub("", line)).strip() for line in out.splitlines())
    return [NUMBER.sub("", line) for line in lines if line]


def _sysctls():
    found = []
    for folder in SYSCTLS:
        for path, _, names in os.walk(f"/proc/sys/{folder}"):
            for name in sorted(names):
                found += _sysctl(f"{path}/{name}")
    for name in SINGLE:
        found += _sysctl(f"/proc/sys/{name}")
    return found


def _sysctl(path):
    if os.path.basename(path) in UNSTABLE:
        return []
    try:
        with open(path) as file:
            return [f"{path.removeprefix('/proc/sys/')} = {file.read().strip()}"]
    except OSError:
        return []


def _rows(table, columns):
    text = run("ovs-vsctl", "--timeout=10", "--format=json", f"--columns={','.join(columns)}",
               "list", table)
    lines = []
    for row in json.loads(text)["data"]:
        for column, value in zip(columns[1:], row[1:]):
            if isinstance(value, list) and value and value[0] == "map":
                lines += [f"{row[0]} {column}:{key}={val}" for key, val in value[1]
                          if not OWN_NOTES.fullmatch(key)]
            else:
                lines.append(f"{row[0]} {column}={json.dumps(value)}")
    return sorted(lines)
