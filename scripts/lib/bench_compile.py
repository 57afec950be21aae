# SPDX-License-Identifier: Apache-2.0
"""scripts/bench compile: what it costs to make flows of filters.

"ovs-nwfilter compile" of many guests and of one, counted in instructions by valgrind: these are
the same whatever else the machine does.  With --beside, the same by the program of another
revision, with filters that both know, as a ratio.
"""

import json
import os
import re
import subprocess
import tempfile

from bench_ports import FILTERS, PROGRAM

CASES = (("clean-traffic", {"IP": "10.{}.{}.5"}),
         ("clean-traffic-strict", {"IP": "10.{}.{}.5", "IPV6": "2001:db8:{}:{}::5"}))


def bench(lab, options):
    n = int(options.ports)
    with tempfile.TemporaryDirectory() as folder:
        for name, parameters in CASES:
            policy = os.path.join(folder, f"{name}.json")
            write(policy, n, name, parameters)
            ours = count(PROGRAM, policy, n)
            theirs = count(options.beside, policy, n) if options.beside else None
            print(f"{n} guests under {name}: {show(ours)}"
                  + (f"; {options.beside}: {show(theirs)}, ratio {ours[1] / theirs[1]:.2f}"
                     if theirs else ""), flush=True)


def show(found):
    return f"{found[0]:.1f} flows and {found[1] / 1000:.0f} thousand instructions each"


def write(path, n, name, parameters):
    guests = [{"port": f"p{i}", "filter": name, "mac": f"52:54:00:00:{i >> 8:02x}:{i & 255:02x}",
               "parameters": {key: [text.format(i >> 8, i & 255)]
                              for key, text in parameters.items()}}
              for i in range(1, n + 1)]
    with open(path, "w") as file:
        json.dump(guests, file)


def count(program, policy, n):
    """Flows and instructions a guest, without what the first one takes, for all; None if the program
    does not know the filter."""
    found = callgrind(program, policy, n)
    with open(policy) as file, tempfile.NamedTemporaryFile("w", suffix=".json") as one:
        json.dump(json.load(file)[:1], one)
        one.flush()
        first = callgrind(program, one.name, 1)
    return found[0] and [(a - b) / (n - 1) for a, b in zip(found, first)]


def callgrind(program, policy, n):
    ports = [f"--ofport=p{i}={i}" for i in range(1, n + 1)]
    # A program of another revision brings filters of its own.
    filters = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(program))), "flows",
                           "filters")
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program,
         f"--filter-dir={filters if os.path.isdir(filters) else FILTERS}", "--timeout=3600",
         "compile", policy, *ports], capture_output=True, text=True)  # 1: some get no flooded RARP
    return done.stdout.count("\n"), int(re.search(r"Collected : (\d+)", done.stderr)[1])
