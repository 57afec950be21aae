# SPDX-License-Identifier: Apache-2.0
"""The demonstration behind scripts/demo: what clean-traffic does on Open vSwitch, frame by frame.

Three guests and an uplink on a private switch.  Each frame of demo_cases.py is sent for real; the
table shows where it came out and the flow that decided, found by its packet counter.  Then the
daemon is started, and things are broken: it shows how long it took until a clean frame passes and a
forged one does not.  The exit status is 1 if a frame went anywhere but where that file says.
"""

import os
import re
import signal
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from demo_cases import (ALL, GUESTS, IP, MAC, NONE, STRANGER_IP, arp, cases,  # noqa: E402
                        ip)
from lab.lab import main  # noqa: E402
from lab.netns import Daemon, LabError, run_status  # noqa: E402
from lab.wire import Port, Wire  # noqa: E402

PROGRAM = os.environ.get("OVS_NWFILTER", os.path.join(ROOT, "build", "ovs-nwfilter"))
DAEMON = os.environ.get("OVS_NWFILTERD", os.path.join(os.path.dirname(PROGRAM), "ovs-nwfilterd"))
BRIDGE = "br0"


# --- which flow decided

FLOW = re.compile(r"cookie=0x([0-9a-f]+), .*table=(\d+), n_packets=(\d+), .*?(priority=.*)")
FROM_VM, TO_VM = range(10, 99), range(110, 199)  # tables, see include/nwf/pipeline.h
NO_RULE = 0xfffe  # in a cookie: a table's end, or a comparison
PLACES = range(99, 104)  # where an address is
DROP = " actions=drop"


def read_counters(ovs):
    """{(cookie, table, match and actions): packets}"""
    counters = {}
    for line in ovs.ofctl("--no-names", "dump-flows", BRIDGE).splitlines():
        found = FLOW.search(line)
        if found:
            cookie, table, packets, text = found.groups()
            counters[int(cookie, 16), int(table), text] = int(packets)
    return counters


def deciding_flows(before, after):
    """Of the flows that counted the frame: the drops, else what the sender's filter said, else the
    receivers'; else the last one passed."""
    hit = [flow for flow in after if after[flow] > before.get(flow, 0)]
    for wanted in (lambda flow: flow[2].endswith(DROP) and flow[1] not in PLACES,
                   lambda flow: flow[1] in FROM_VM and flow[0] & 0xffff != NO_RULE,
                   lambda flow: flow[1] in FROM_VM,
                   lambda flow: flow[1] in TO_VM):
        chosen = sorted((flow for flow in hit if wanted(flow)), key=lambda flow: flow[0])
        if chosen:
            return chosen
    return sorted(hit, key=lambda flow: flow[1])[-1:]


def show_flow(flow, names):
    cookie, table, text = flow
    match, actions = text.split(" actions=", 1)
    verdict = "drop" if actions == "drop" else "pass"
    port, rule = names.get(cookie >> 16 & 0xffff), cookie & 0xffff
    whose = ""
    if table in FROM_VM or table in TO_VM:
        direction = "from" if table in FROM_VM else "to"
        whose = f"{direction} {port}, {'no rule' if rule == NO_RULE else f'rule {rule}'}: "
    return f"{verdict}  table {table}: {whose}{match}"


# --- the show

def say(command):
    print(f"# {command}")


def nwfilter(*words):
    say(" ".join(("ovs-nwfilter",) + words))
    status, out = run_status(PROGRAM, *words)
    print(out, end="")
    if status:
        raise LabError(f"ovs-nwfilter {words[0]}: exit {status}")


def plug(ovs, name, **tags):
    """The port, as libvirt or a person plugs it."""
    words = [f"external_ids:{key.replace('_', '-')}={value}" for key, value in tags.items()]
    say(" ".join(["ovs-vsctl add-port", BRIDGE, name]
                 + (["-- set Interface", name] + words if words else [])))
    port = Port(name)
    ovs.add_port(BRIDGE, name, **tags)
    return port


def set_up(ovs):
    """Returns the wire and the names of ports by their OpenFlow numbers."""
    print("A private Open vSwitch: three guests, an uplink.\n")
    ovs.add_bridge(BRIDGE)
    ports = [plug(ovs, name, attached_mac=MAC[name]) for name in GUESTS[:2]]
    ports.append(plug(ovs, "uplink"))
    for name in GUESTS[:2]:
        nwfilter("bind", name, "clean-traffic", f"IP={IP[name]}")
    nwfilter("manage", BRIDGE)
    ports.append(plug(ovs, "vnet2", attached_mac=MAC["vnet2"], nwfilter="clean-traffic",
                      nwfilter_IP=IP["vnet2"]))
    # Sentinels (see lab/wire.py) go by a switch of their own.
    ovs.add_bridge("clock")
    ports += [ovs.add_guest("clock", name) for name in ("tick", "tock")]
    names = {ovs.ofport(name): name for name in GUESTS + ("uplink",)}
    return Wire(ports, ("tick", "tock")), names


HEADINGS = ("from", "frame", "expected at", "seen at", "", "flow that decided")
LAYOUT = "{:<6}  {:<28}  {:<24}  {:<24}  {:<3}  {}"


def places(names):
    names = [name for name in ALL if name in names]
    if names == list(GUESTS):
        return "all guests"
    return "everywhere" if names == list(ALL) else " ".join(names) or "nowhere"


def show_case(ovs, wire, names, case):
    """Send the frame, print its line; return whether all was as expected."""
    sender, what, frame, receivers = case
    receivers = [name for name in receivers if name != sender]
    ovs.purge()  # so that each frame is counted at once
    before = read_counters(ovs)
    verdict = wire.verdict(sender, frame)
    flows = deciding_flows(before, read_counters(ovs))
    good = dict(verdict.seen) == dict.fromkeys(receivers, 1) and not verdict.mangled
    expected = "all others" if len(receivers) == 3 and sender != "uplink" else places(receivers)
    seen = "all others" if good and expected == "all others" else places(verdict.seen)
    shown = [show_flow(flow, names) for flow in flows] or ["?"]
    print(LAYOUT.format(sender, what, expected, seen, "ok" if good else "BAD", shown[0]))
    for more in shown[1:]:
        print(LAYOUT.format("", "", "", "", "", more))
    return good


def show_cases(ovs, wire, names, chosen):
    print()
    print(LAYOUT.format(*HEADINGS))
    return [show_case(ovs, wire, names, case) for case in chosen]


# --- the daemon

CONTROL = "/run/openvswitch/ovs-nwfilterd.{}.ctl"
LONGEST_WAIT = 30  # seconds, for the daemon to mend what was broken


def start_daemon(ovs):
    say("ovs-nwfilterd &")
    daemon = Daemon("ovs-nwfilterd", DAEMON, "-vconsole:info", "-vsyslog:off")
    daemon.wait_ready(lambda: os.path.exists(CONTROL.format(daemon.process.pid)))
    ask_daemon(ovs, "settle")
    return daemon


def ask_daemon(ovs, *words):
    say(" ".join(("ovs-appctl -t ovs-nwfilterd",) + words))
    print(ovs.appctl(*words, target="ovs-nwfilterd").rstrip())


def go_as_expected(ovs, wire, chosen):
    ovs.purge()  # so that it is the tables that decide, and no cached flow
    verdicts = wire.exchange([(sender, frame) for sender, _, frame, _ in chosen])
    return all(dict(verdict.seen) == dict.fromkeys(set(receivers) - {sender}, 1)
               for verdict, (sender, _, _, receivers) in zip(verdicts, chosen))


def show_repair(ovs, wire, names, daemon, scene):
    """Break something, send frames until they go as they should, and show where they went."""
    what, command, break_, chosen = scene
    print(f"\n{what}")
    say(command)
    break_()
    start = time.monotonic()
    while not go_as_expected(ovs, wire, chosen):
        if not daemon.alive():
            raise LabError(f"ovs-nwfilterd has ended; its log ends:\n{daemon.tail()}")
        if time.monotonic() > start + LONGEST_WAIT:
            break
        time.sleep(0.001)
    print(f"As it should be {1000 * (time.monotonic() - start):.0f} ms after the command was done.")
    return show_cases(ovs, wire, names, chosen)


def repairs(ovs):
    """(what happens, the command, what does it, a clean frame and a forged one)"""
    clean = ("vnet0", "IPv4 to vnet1", ip("vnet0", "vnet1", dst=IP["vnet1"]), ("vnet1",))
    forged = ("vnet0", "IPv4, foreign source IP", ip("vnet0", src=STRANGER_IP), NONE)
    moved = ("vnet0", "IPv4, its new address",
             ip("vnet0", "vnet1", src=STRANGER_IP, dst=IP["vnet1"]), ("vnet1",))
    left = ("vnet0", "IPv4, the one before", ip("vnet0", "vnet1", dst=IP["vnet1"]), NONE)
    wipe = ("clear", "Bridge", BRIDGE, "external_ids", "--", "clear", "Bridge", BRIDGE, "fail_mode")
    address = ("set", "Interface", "vnet0", f"external_ids:nwfilter-IP={STRANGER_IP}")
    return [
        ("Somebody deletes all flows.", f"ovs-ofctl del-flows {BRIDGE}",
         lambda: ovs.ofctl("del-flows", BRIDGE), [clean, forged]),
        ("A tool of the host clears the bridge, which then forwards everything.",
         " ".join(("ovs-vsctl",) + wipe), lambda: ovs.vsctl(*wipe), [clean, forged]),
        ("ovs-vswitchd restarts, and comes back without flows.",
         "kill $(cat /run/openvswitch/ovs-vswitchd.pid); ovs-vswitchd --pidfile &",
         ovs.restart_switch, [clean, forged]),
        ("A guest gets another address.  Nobody runs sync.", " ".join(("ovs-vsctl",) + address),
         lambda: ovs.vsctl(*address), [moved, left]),
    ]


def show_daemon(ovs, wire, names):
    print("\nFrom here on the daemon keeps the bridge as its tags say.")
    daemon, good = start_daemon(ovs), []
    try:
        for scene in repairs(ovs):
            good += show_repair(ovs, wire, names, daemon, scene)
        print()
        ask_daemon(ovs, "status")
        ask_daemon(ovs, "latency/show")
    except BaseException:
        daemon.stop()
        raise
    return daemon, good


def demo(lab):
    ovs = lab.ovs
    wire, names = set_up(ovs)
    print("\nvnet2 is plugged but not filtered yet: nothing passes, either way.")
    early = [("vnet2", "ARP request", arp("vnet2"), NONE),
             ("vnet0", "IPv4 to vnet2", ip("vnet0", "vnet2", dst=IP["vnet2"]),
              ("uplink",)),
             ("uplink", "ARP request", arp("uplink"), ("vnet0", "vnet1"))]
    good = show_cases(ovs, wire, names, early)
    print()
    nwfilter("sync")
    good += show_cases(ovs, wire, names, cases())
    print()
    nwfilter("bindings")
    say(f"ovs-ofctl dump-flows {BRIDGE} table=10,in_port={ovs.ofport('vnet0')}")
    print(ovs.ofctl("--no-stats", "dump-flows", BRIDGE,
                    f"table=10,in_port={ovs.ofport('vnet0')}"), end="")
    daemon, more = show_daemon(ovs, wire, names)
    good += more
    print(f"\n{len(good)} frames, {good.count(False)} not as expected")
    status = 0 if all(good) else 1
    try:
        if "--keep" in sys.argv[1:]:
            stay(status)
    finally:
        daemon.stop()
    return status


def stay(status):
    """Hand over the result, and wait for the end."""
    sys.stdout.flush()
    os.write(3, f"{status}\n".encode())
    os.close(3)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(demo, ovs=True)
