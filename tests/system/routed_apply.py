#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""routed plan, apply and confirm: the server's only NIC goes onto the bridge, and comes back unless
somebody confirms that he still reaches the server, whatever becomes of the session.

The server is the laboratory itself, reached by eth0 from a router in a namespace of its own.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import LabError, run as command, sysctl, wait_for  # noqa: E402
from lab.nwfilterd import Nwfilterd  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.wire import switch_offloads_off  # noqa: E402
from system.world import FILTERS, PROGRAM, call  # noqa: E402

RECORD = "/etc/ovs-nwfilter/bridges.d/br0.json"
SOCKET = "/run/openvswitch/ovs-nwfilter-routed.sock"
FLOWS = ("--uplink=eth0", "--via=flows")
MAIN4, GATEWAY4, MAIN6 = "192.0.2.10", "192.0.2.1", "2001:db8:1::2"
PORT = 7777

# A connection from the router to the server, by either protocol.
CONNECT = """
import socket, sys
for attempt in range(8):
    try:
        socket.create_connection((sys.argv[1], 7777), timeout=0.5).close()
        sys.exit(0)
    except OSError:
        pass
sys.exit(1)
"""


class Test:
    def __init__(self, lab):
        self.ovs = lab.ovs
        self.failures = 0
        self.daemon = None
        self.listeners = []

    def check(self, what, good, why=""):
        print(f"{'ok    ' if good else 'FAILED'} {what}{'' if good or not why else f': {why}'}",
              flush=True)
        self.failures += not good
        return good

    # --- the server and its router

    def set_up(self):
        os.makedirs(FILTERS, exist_ok=True)
        command("ip", "netns", "add", "router")
        command("ip", "link", "add", "eth0", "address", "96:00:00:00:00:10", "type", "veth", "peer",
                "name", "port", "netns", "router")
        for setting in ("default", "all", "eth0"):
            sysctl(f"net.ipv6.conf.{setting}.disable_ipv6", 0)
        router = """
            sysctl -q -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0
            sysctl -q -w net.ipv6.conf.port.disable_ipv6=0
            ip addr add 192.0.2.1/24 dev port; ip addr add 2001:db8:1::1/64 dev port nodad
            ip addr add fe80::1/64 dev port nodad; ip link set port up; ip link set lo up"""
        command("ip", "netns", "exec", "router", "sh", "-ec", router)
        switch_offloads_off("eth0")  # checksums are whole in what Open vSwitch reads
        command("ip", "netns", "exec", "router", "ethtool", "-K", "port", "tx", "off", "rx", "off")
        command("ip", "-batch", "-", stdin=f"""
            link set eth0 up
            addr add {MAIN4} peer {GATEWAY4} dev eth0
            route add default via {GATEWAY4} dev eth0 proto static
            addr add {MAIN6}/64 dev eth0 nodad
            route add default via fe80::1 dev eth0""")
        self.ovs.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev")
        for family, any_ in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            listener = socket.socket(family, socket.SOCK_STREAM)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((any_, PORT))
            listener.listen(100)
            self.listeners.append(listener)
        self.check("the server is reached before", not self.unreached(), self.unreached())

    def unreached(self):
        """The server's addresses that the router does not reach."""
        return [address for address in (MAIN4, MAIN6) if subprocess.run(
            ("ip", "netns", "exec", "router", sys.executable, "-c", CONNECT, address),
            stdin=subprocess.DEVNULL, check=False).returncode]

    def heard(self):
        """How often it hears one datagram of the router, by either protocol."""
        counts = []
        for family, address in ((socket.AF_INET, MAIN4), (socket.AF_INET6, MAIN6)):
            with socket.socket(family, socket.SOCK_DGRAM) as ear:
                ear.bind((address, PORT))
                ear.settimeout(0.5)
                command("ip", "netns", "exec", "router", sys.executable, "-c",
                        "import socket, sys; socket.socket(int(sys.argv[1]), 2).sendto(b'x', "
                        "(sys.argv[2], 7777))", str(int(family)), address)
                counts.append(0)
                try:
                    while ear.recv(10):
                        counts[-1] += 1
                except TimeoutError:
                    pass
        return counts

    def state(self):
        """All that the verbs may change."""
        def quiet(*words):
            return subprocess.run(words, text=True, capture_output=True, check=False).stdout
        return {
            "addresses": [quiet("ip", "-o", "addr", "show", "dev", device, "scope", "global")
                          for device in ("eth0", "br0")],
            "routes": [sorted(line for device in ("eth0", "br0")
                              for line in quiet("ip", family, "route", "show", "table", "all",
                                                "dev", device).splitlines()
                              if "local" not in line and "proto kernel" not in line)
                       for family in ("-4", "-6")],
            "up": "UP" in quiet("ip", "-br", "link", "show", "br0").split(),
            "sysctls": {path: open(f"/proc/sys/net/{path}").read() for path in (
                "ipv6/conf/eth0/disable_ipv6", "ipv4/conf/eth0/rp_filter",
                "ipv4/conf/eth0/forwarding",
                "ipv6/conf/all/forwarding", "ipv4/conf/all/send_redirects",
                "ipv4/neigh/eth0/proxy_delay", "ipv6/conf/eth0/proxy_ndp")},
            "ports": self.ovs.vsctl("list-ports", "br0"),
            "bridge": [self.ovs.vsctl("get", "Bridge", "br0", column)
                       for column in ("external_ids", "fail_mode", "other_config")],
            "record": os.path.exists(RECORD) and json.load(open(RECORD)),
            "rules": quiet("nft", "list", "ruleset"),
        }

    def is_as(self, before):
        now = self.state()
        return [f"{key}: {before[key]} -> {now[key]}" for key in now if now[key] != before[key]]

    def wait_as(self, before, what, timeout=20.0):
        """Until all is as before, and nobody waits any more."""
        try:
            wait_for(lambda: not os.path.exists(SOCKET) and not self.is_as(before), what, timeout,
                     0.1)
        except LabError:
            pass
        return self.check(what, not self.is_as(before) and not self.unreached(),
                          (self.is_as(before), self.unreached()))

    def is_moved(self):
        return MAIN4 in command("ip", "addr", "show", "dev", "br0") \
            and MAIN4 not in command("ip", "addr", "show", "dev", "eth0")


def apply(*options):
    return call("routed", "apply", "br0", *options)


def workers():
    """Processes that apply, or wait."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"\0apply\0" in file.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


# --- the tests

def test_plan(t):
    before = t.state()
    result = call("routed", "plan", "br0", *FLOWS)
    wanted = ("nwfilter-via", RECORD, f"{MAIN4}/32 peer {GATEWAY4}", f"{MAIN6}/64",
              f"0.0.0.0/0 via {GATEWAY4}", "::/0 via fe80::1", "on br0, guarded", "disable_ipv6",
              "rp_filter", "netdev ovs-nwfilter-br0", "has to answer")
    missing = [words for words in wanted if words not in result.out]
    t.check("plan, by flows, says what would change", result.status == 0 and not missing,
            (missing, result))
    result = call("--format=json", "routed", "plan", "br0", "--uplink=eth0")
    rows = json.loads(result.out)
    t.check("    and through the host, as JSON",
            {"kind": "sysctl", "what": "net/ipv4/conf/eth0/forwarding", "now": "0", "then": "1"}
            in rows and any(row["what"].startswith("fe80::1") for row in rows
                            if row["kind"] == "address"), rows)
    t.check("    and changes nothing", not t.is_as(before), t.is_as(before))


def test_refused(t):
    before = t.state()
    for what, options, words in (
            ("no uplink", (), "nwfilter-uplink is missing"),
            ("one that is not there", ("--uplink=none0",), "none0"),
            ("an unknown --via", ("--uplink=eth0", "--via=magic"), "via"),
            ("--confirm that is no number", (*FLOWS, "--confirm=x"), "--confirm"),
            ("a route that cannot be moved", FLOWS, "10.66.0.0/16")):
        if "moved" in what:
            command("ip", "route", "add", "10.66.0.0/16", "dev", "eth0", "congctl", "reno")
            before = t.state()
        for verb in ("plan", "apply"):
            if verb == "plan" and "--confirm" in what:
                continue
            result = call("routed", verb, "br0", *options)
            t.check(f"{verb} refuses {what}", result.status == 1 and words in result.err
                    and result.err.count("\n") == 1 and not t.is_as(before),
                    (result, t.is_as(before)))
    command("ip", "route", "del", "10.66.0.0/16")
    result = call("routed", "confirm")
    t.check("confirm, when nothing waits", result.status == 1
            and "nothing waits" in result.err, result)


def test_confirmed(t):
    before = t.state()
    result = apply(*FLOWS, "--confirm=60")
    t.check("apply moves the uplink", result.status == 0 and t.is_moved()
            and "routed confirm br0" in result.out, result)
    t.check("    and the server is reached", not t.unreached(), t.unreached())
    heard = t.heard()
    t.check("    and hears everything once", heard == [1, 1], heard)
    t.check("    through the bridge, guarded", "eth0" in t.ovs.vsctl("list-ports", "br0")
            and 'egress device "eth0"' in command("nft", "list", "ruleset"))
    result = apply(*FLOWS)
    t.check("    another apply has to wait", result.status == 1, result)
    result = call("routed", "confirm", "br9")
    t.check("    a confirmation of another bridge does not count", result.status == 1
            and "br0" in result.err, result)
    result = call("routed", "confirm", "br0")
    t.check("    confirmed", result.status == 0 and "br0: confirmed" in result.out, result)
    wait_for(lambda: not workers(), "the end of the one that waited")
    t.check("    it stays", t.is_moved() and not t.unreached())
    result = call("unmanage", "br0")
    t.check("unmanage puts everything back", result.status == 0, result)
    t.wait_as(before, "    as it was")


def test_not_confirmed(t):
    before = t.state()
    result = apply(*FLOWS, "--confirm=1")
    t.check("applied, and not confirmed", result.status == 0, result)
    t.wait_as(before, "    it is undone")
    result = call("routed", "confirm")
    t.check("    and it is too late to confirm", result.status == 1, result)


def start(*options):
    """An apply in a session of its own, as one by ssh; returns the process that its user sees."""
    return subprocess.Popen((PROGRAM, f"--filter-dir={FILTERS}", "routed", "apply", "br0", *options),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)


def test_session_dies(t):
    before = t.state()
    session = start(*FLOWS, "--confirm=2")
    first = session.stdout.readline()
    os.killpg(session.pid, signal.SIGHUP)
    session.wait()
    session.stdout.close()
    t.check("the session dies in the middle", "br0: " in first
            and session.returncode == -signal.SIGHUP, (first, session.returncode))
    wait_for(t.is_moved, "the move", 20)
    t.check("    what was begun is done", not t.unreached())
    t.wait_as(before, "    and undone")

    session = start(*FLOWS, "--confirm=60")
    wait_for(t.is_moved, "the move", 20)
    os.killpg(session.pid, signal.SIGHUP)
    session.wait()
    session.stdout.close()
    result = call("routed", "confirm")
    t.check("the session dies, and it is confirmed from another", result.status == 0, result)
    wait_for(lambda: not workers(), "the end of the one that waited")
    t.check("    it stays", t.is_moved() and not t.unreached())
    call("unmanage", "br0")
    t.wait_as(before, "    until unmanage")


def test_told_to_end(t):
    before = t.state()
    result = apply(*FLOWS, "--confirm=600")
    for pid in workers():
        os.kill(pid, signal.SIGTERM)
    t.check("applied, and the one that waits is told to end", result.status == 0, result)
    t.wait_as(before, "    it is undone")


def test_gateway_lost(t):
    """The bridge's device, and it alone, does not get through to the router."""
    command("nft", "add table netdev lost; add chain netdev lost c { type filter hook egress "
            "device br0 priority 0; policy drop; }")
    before = t.state()
    result = apply(*FLOWS, "--confirm=60")
    t.check("the gateway does not answer any more", result.status == 1 and "undone" in result.err
            and f"gateway {GATEWAY4}" in result.err, result)
    t.wait_as(before, "    it is undone at once")
    command("nft", "delete table netdev lost")


def test_step_fails(t):
    """The bridge does not become what it has to: its device keeps another MAC address."""
    t.ovs.vsctl("set", "Bridge", "br0", "other_config:hwaddr=02:00:00:00:00:77")
    command("ip", "link", "add", "dummy9", "type", "veth", "peer", "name", "dummy9x")
    before = t.state()
    t.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-guests=x*")
    t.ovs.switch.process.send_signal(signal.SIGSTOP)
    result = call("--timeout=1", "routed", "apply", "br0", *FLOWS)
    t.ovs.switch.process.send_signal(signal.SIGCONT)
    t.check("ovs-vswitchd does not act on it", result.status == 1 and "undone" in result.err
            or "not all could be undone" in result.err, result)
    call("unmanage", "br0")
    t.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "nwfilter-guests")
    t.wait_as(before, "    and it is as before, if need be after unmanage")
    command("ip", "link", "del", "dummy9")
    t.ovs.vsctl("remove", "Bridge", "br0", "other_config", "hwaddr")


def test_managed_before(t):
    result = call("manage", "br0", "--default=quarantine")
    t.check("managed before", result.status == 0, result)
    before = t.state()
    result = apply(*FLOWS, "--confirm=1")
    t.check("    another set-up is applied", result.status == 0 and t.is_moved(), result)
    t.wait_as(before, "    and the old one comes back")
    call("unmanage", "br0")


def test_through_host(t):
    before = t.state()
    result = apply("--uplink=eth0", "--confirm=1")
    t.check("through the host: applied, and the uplink stays where it is", result.status == 0
            and not t.is_moved() and not t.unreached(), result)
    t.wait_as(before, "    not confirmed: undone")
    result = apply("--uplink=eth0")
    confirmed = call("routed", "confirm")
    t.check("    confirmed: it stays", result.status == 0 and confirmed.status == 0
            and "nwfilter-mode=routed" in t.ovs.vsctl("get", "Bridge", "br0", "external_ids"),
            (result, confirmed))
    wait_for(lambda: not workers(), "the end of the one that waited")
    call("unmanage", "br0")
    t.wait_as(before, "    until unmanage")


def test_wiped(t):
    """A tool of the host clears the bridge; unmanage comes before anybody has restored it."""
    before = t.state()
    result = apply(*FLOWS, "--confirm=0")
    t.check("applied without a confirmation", result.status == 0
            and "confirm" not in result.out, result)
    wait_for(lambda: not os.path.exists(SOCKET), "the end of the one that applied it")
    t.ovs.vsctl("clear", "Bridge", "br0", "external_ids")
    result = call("unmanage", "br0")
    t.ovs.vsctl("clear", "Bridge", "br0", "external_ids", "--", "clear", "Bridge", "br0",
                "fail_mode", "--", "clear", "Bridge", "br0", "other_config")
    t.wait_as(before, "cleared, and unmanaged: all is back")


def test(lab):
    t = Test(lab)
    t.set_up()
    test_plan(t)
    test_refused(t)
    test_confirmed(t)
    test_not_confirmed(t)
    test_gateway_lost(t)
    test_managed_before(t)
    test_wiped(t)
    t.daemon = Nwfilterd(FILTERS)
    t.daemon.start()
    print("--- with the daemon")
    test_confirmed(t)
    test_not_confirmed(t)
    test_session_dies(t)
    test_told_to_end(t)
    test_gateway_lost(t)
    test_managed_before(t)
    test_through_host(t)
    test_step_fails(t)
    status = t.daemon.stop()
    t.check("the daemon ends with status 0", status == 0, status)
    return 1 if t.failures else 0


if __name__ == "__main__":
    main(test, ovs=True)
