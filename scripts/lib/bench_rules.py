# SPDX-License-Identifier: Apache-2.0
"""scripts/bench rules: ports whose filter is large.

200 rules, each for any of 100 addresses, half of them in each direction: written out that would be
20,000 flows a port.  Measured are the compilation of one binding and the sync of many such ports.
"""

import json
import os
import re
import subprocess
import tempfile

from bench_ports import BRIDGE, Cost, PROGRAM, World, median

RULES, ADDRESSES = 200, 100
NAME = "bench-rules"


def filter_text():
    lines = [f"<filter name='{NAME}'>"]
    for number in range(RULES // 2):
        port = 1000 + 7 * number
        lines += [f"  <rule action='accept' direction='in'><tcp dstipaddr='$IP' "
                  f"dstportstart='{port}'/></rule>",
                  f"  <rule action='accept' direction='out'><udp srcipaddr='$IP' "
                  f"dstportstart='{port}'/></rule>"]
    lines += ["  <rule action='drop' direction='inout' priority='1000'><all/></rule>", "</filter>"]
    return "\n".join(lines) + "\n"


def addresses(number):
    return [f"10.{number >> 8}.{number & 255}.{low}" for low in range(1, ADDRESSES + 1)]


class RulesWorld(World):
    @staticmethod
    def tags(number):
        return {"attached-mac": f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}",
                "nwfilter": NAME, "nwfilter-IP": ",".join(addresses(number))}


def bench(lab, options):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, f"{NAME}.xml"), "w") as file:
            file.write(filter_text())
        compile_one(folder, options.rounds)
        sync_many(lab.ovs, folder, options.rule_ports)


def compile_one(folder, rounds):
    policy = os.path.join(folder, "policy.json")
    with open(policy, "w") as file:
        json.dump([{"port": "p1", "filter": NAME, "mac": "52:54:00:00:00:01",
                    "parameters": {"IP": addresses(1)}}], file)
    argv = [PROGRAM, f"--filter-dir={folder}", "compile", policy, "--ofport=p1=1"]
    output = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    own = [line for line in output.splitlines() if re.match(r"cookie=0x6e77661[12]", line)]
    tables = {re.search(r"table=(\d+)", line)[1] for line in own}
    costs = [Cost(*argv) for _ in range(rounds)]
    print(f"a filter of {RULES} rules over {ADDRESSES} addresses: {len(own)} flows in "
          f"{len(tables)} tables, compiled in "
          f"{1000 * median([cost.seconds for cost in costs]):.1f} ms", flush=True)


def sync_many(ovs, folder, count):
    world = RulesWorld(ovs)
    world.grow(count)
    argv = [PROGRAM, f"--filter-dir={folder}", "--timeout=300"]
    Cost(*argv, "manage", BRIDGE)
    ovs.ofctl("del-flows", BRIDGE)
    cost = Cost(*argv, "sync", BRIDGE)
    again = Cost(*argv, "sync", BRIDGE)
    flows = int(re.search(r"flow_count=(\d+)",
                          ovs.ofctl("dump-aggregate", BRIDGE))[1])
    print(f"{count} such ports, {flows} flows: sync from empty {cost.seconds:.1f} s "
          f"({flows / cost.seconds:.0f} flows/s, peak memory {cost.memory / 1024:.0f} MB); "
          f"sync without a change {again.seconds * 1000:.0f} ms", flush=True)
