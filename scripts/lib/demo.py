# SPDX-License-Identifier: Apache-2.0
"""The demonstration behind scripts/demo: what clean-traffic does on Open vSwitch, frame by frame.

Three guests and an uplink on a private switch.  Each frame of demo_cases.py is sent for real; the
table shows where it came out and the flow that decided, found by its packet counter.  The exit
status is 1 if a frame went anywhere but where that file says.
"""

import os
import re
import signal
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from demo_cases import ALL, GUESTS, IP, MAC, NONE, arp, cases, ip  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.netns import LabError, run_status  # noqa: E402
from lab.wire import Port, Wire  # noqa: E402

PROGRAM = os.environ.get("OVS_NWFILTER", os.path.join(ROOT, "build", "ovs-nwfilter"))
BRIDGE = "br0"


# --- which flow decided

FLOW = re.compile(r"cookie=0x([0-9a-f]+), .*table=(\d+), n_packets=(\d+), .*?(priority=.*)")
FROM_VM, TO_VM = range(10, 100), range(110, 200)  # tables, see include/nwf/pipeline.h
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
    for wanted in (lambda flow: flow[2].endswith(DROP),
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
        whose = f"{direction} {port}, {'no rule' if rule == 0xfffe else f'rule {rule}'}: "
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
    ovs.appctl("revalidator/purge")  # so that each frame is counted at once
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


def demo(lab):
    ovs = lab.ovs
    wire, names = set_up(ovs)
    print("\nvnet2 is plugged but not filtered yet: nothing passes, either way.")
    early = [("vnet2", "ARP request", arp("vnet2"), NONE),
             ("vnet0", "IPv4 to vnet2", ip("vnet0", "vnet2", dst=IP["vnet2"]),
              ("vnet1", "uplink")),
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
    print(f"\n{len(good)} frames, {good.count(False)} not as expected")
    status = 0 if all(good) else 1
    if "--keep" in sys.argv[1:]:
        stay(status)
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
