# SPDX-License-Identifier: Apache-2.0
"""scripts/bench ports: many ports, each under clean-traffic.

One-port changes are measured as whole processes, from exec to exit.  A full sync starts from a
bridge without flows; ovs-ofctl then adds the same flows in one bundle, in turn with it, so that both
see the same machine.
"""

import os
import statistics
import subprocess
import tempfile
import time

from system.world import transact

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("OVS_NWFILTER", os.path.join(ROOT, "build", "ovs-nwfilter"))
FILTERS = os.path.join(ROOT, "flows", "filters")
BRIDGE = "br0"
BATCH = 1000  # ports added in one transaction: each writes the bridge's whole list of them


class Cost:
    """What a process took: seconds from exec to exit, and its peak memory in kB."""

    def __init__(self, *argv, quiet=True):
        start = time.monotonic()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL if quiet else None)
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.monotonic() - start
        self.memory = usage.ru_maxrss
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(argv)}: exit {process.returncode}")


def nwfilter(*argv):
    return Cost(PROGRAM, f"--filter-dir={FILTERS}", "--timeout=120", *argv)


def median(numbers):
    return statistics.median(numbers)


def bench(lab, options):
    sizes = sorted(int(word) for word in options.ports.split(","))
    world = World(lab.ovs)
    print(f"one port's address changed, whole processes, median of {options.rounds}; for comparison, "
          f"ovs-nwfilter --version: {1000 * idle(options.rounds):.1f} ms")
    world.grow(1)
    nwfilter("manage", BRIDGE)
    one_port(0, options.rounds)
    for size in sizes:
        world.grow(size)
        nwfilter("sync", BRIDGE)
        one_port(size - 1, options.rounds)
        full_sync(lab.ovs, size)


class World:
    """A bridge whose ports are all guests, under clean-traffic if no subclass knows better."""

    def __init__(self, ovs):
        self.ovs = ovs
        self.size = 0
        ovs.add_bridge(BRIDGE)

    def grow(self, size):
        """Straight into the database: ovs-vsctl takes minutes for thousands of ports."""
        while self.size < size:
            numbers = range(self.size + 1, min(self.size + BATCH, size) + 1)
            self.announce(numbers)
            operations = [row for number in numbers for row in self.rows(number)]
            ports = ["set", [["named-uuid", f"port{number}"] for number in numbers]]
            transact(*operations, {"op": "mutate", "table": "Bridge",
                                   "where": [["name", "==", BRIDGE]],
                                   "mutations": [["ports", "insert", ports]]})
            self.size = numbers[-1]
        # Any change makes ovs-vsctl wait until the switch has done all that was asked before.
        subprocess.run(["ovs-vsctl", "--timeout=300", "set", "Bridge", BRIDGE,
                        f"external_ids:bench={size}"], check=True)

    def rows(self, number):
        name = f"p{number}"
        return [{"op": "insert", "table": "Interface", "uuid-name": f"interface{number}",
                 "row": {"name": name, "type": "dummy",
                         "external_ids": ["map", list(self.tags(number).items())]}},
                {"op": "insert", "table": "Port", "uuid-name": f"port{number}",
                 "row": {"name": name, "interfaces": ["named-uuid", f"interface{number}"]}}]

    def announce(self, numbers):
        """What has to be said of ports before they come; and forget(), after they have gone."""

    def forget(self, number):
        pass

    @staticmethod
    def tags(number):
        high, low = divmod(number, 250)
        return {"attached-mac": f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}",
                "nwfilter": "clean-traffic",
                "nwfilter-IP": f"10.{high // 250}.{high % 250}.{low + 1}"}


def idle(rounds):
    """What a process takes that does nothing."""
    return median([nwfilter("--version").seconds for _ in range(rounds)])


def one_port(others, rounds):
    """The ways to give a guest another address, in turn, so that each sees the same machine.  The
    last is how one would do it by hand: a tag, and a flow, without a look at any other."""
    ways = {"bind --wait": [["bind", "--wait"]],
            "bind, sync --port": [["bind"], ["sync", "--port=p1"]],
            "bind, sync": [["bind"], ["sync", BRIDGE]],
            "ovs-vsctl, -ofctl": [["ovs-vsctl", "--no-wait", "set", "Interface", "p1"],
                                  ["ovs-ofctl", "--bundle", "-O", "OpenFlow14", "add-flow", BRIDGE]]}
    costs = {way: [] for way in ways}
    for number in range(len(ways) * (rounds + 1)):  # the first of each warms up
        way = list(ways)[number % len(ways)]
        address = f"10.9.{number // 250}.{number % 250 + 1}"  # never the one before
        costs[way].append([one_step(words, address) for words in ways[way]])
    for way, runs in costs.items():
        each = [1000 * median([run[i].seconds for run in runs[1:]]) for i in range(len(ways[way]))]
        both = 1000 * median([sum(cost.seconds for cost in run) for run in runs[1:]])
        print(f"  {others:6} other ports: {both:6.1f} ms  {way:18} "
              f"{' + '.join(f'{cost:.1f}' for cost in each) if len(each) > 1 else '':14}"
              f"  peak memory {max(cost.memory for cost in runs[-1]) / 1024:.0f} MB", flush=True)


def one_step(words, address):
    if words[0] == "ovs-vsctl":
        return Cost(*words, f'external_ids:nwfilter-IP="{address}"')
    if words[0] == "ovs-ofctl":
        return Cost(*words, f"table=200,ip,in_port=1,nw_src={address},actions=drop")
    return nwfilter(*words, *(["p1", "clean-traffic", f"IP={address}"] if words[0] == "bind" else []))


def full_sync(ovs, size):
    flows = [line for line in ovs.flows(BRIDGE) if "cookie=0x6e7766" in line]
    with tempfile.NamedTemporaryFile("w", suffix=".flows") as file:
        file.write("\n".join(flows) + "\n")
        file.flush()
        ours, theirs = [], []
        for _ in range(3):
            ovs.ofctl("del-flows", BRIDGE)
            theirs.append(Cost("ovs-ofctl", "-O", "OpenFlow14", "--bundle", "add-flows", BRIDGE,
                               file.name))
            ovs.ofctl("del-flows", BRIDGE)
            ours.append(nwfilter("sync", BRIDGE))
    report_full_sync(size, len(flows), ours, theirs)
    print("  then once more: ", end="", flush=True)
    Cost(PROGRAM, f"--filter-dir={FILTERS}", "sync", BRIDGE, quiet=False)


def report_full_sync(size, count, ours, theirs):
    rate, other = (count / median([cost.seconds for cost in costs]) for costs in (ours, theirs))
    print(f"full sync of {size} ports from empty, {count} flows, {count / size:.1f} a port:\n"
          f"  ovs-nwfilter sync      {rate:9.0f} flows/s  "
          f"{median([cost.memory for cost in ours]) / 1024:.0f} MB\n"
          f"  ovs-ofctl --bundle     {other:9.0f} flows/s  "
          f"{median([cost.memory for cost in theirs]) / 1024:.0f} MB\n"
          f"  ratio                  {rate / other:9.2f}", flush=True)

