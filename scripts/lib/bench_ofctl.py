# SPDX-License-Identifier: Apache-2.0
"""Large flow tables by our program and by ovs-ofctl, run by run in turns.

For each command: the median time of both and their ratio, of wall and of the program's own
processor time, and the most memory that it used, which is never seen below what python itself
had when it started the program.  Most of the wall time is the switch's.
"""

import os
import statistics
import time

from lab.netns import WORK, LabError, which
from system.world import PROGRAM

FLOWS = 100000
# The words; whether the switch holds the flows before, or nothing; rounds, if not as many as asked for.
COMMANDS = (
    (("add-flows", "br0", f"{WORK}/flows"), False, 3),  # A barrier for each flow.
    (("--bundle", "add-flows", "br0", f"{WORK}/flows"), False, 0),
    (("dump-flows", "br0"), True, 0),
    (("--no-stats", "dump-flows", "br0"), True, 0),
    (("--sort", "dump-flows", "br0"), True, 0),
    (("diff-flows", "br0", f"{WORK}/others"), True, 0),
    (("-O", "OpenFlow13", "--bundle", "replace-flows", "br0", f"{WORK}/flows"), True, 0),
)


def write_flows(name, step):
    """A flow for each of many addresses; every step-th goes to another port."""
    with open(f"{WORK}/{name}", "w") as file:
        for i in range(FLOWS):
            port = 1 + (i + (i % step == 0)) % 2
            file.write(f"table={i % 8},cookie={i:#x},priority={100 + i % 5},ip,"
                       f"dl_src=02:00:00:{i >> 16 & 255:02x}:{i >> 8 & 255:02x}:{i & 255:02x},"
                       f"nw_dst=10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255},actions=output:{port}\n")


def run(program, words):
    """Seconds, of them the program's own, and kilobytes at most."""
    start = time.monotonic()
    child = os.fork()
    if not child:
        out = os.open("/dev/null", os.O_WRONLY)
        os.dup2(out, 1)
        os.execv(program, ["ovs-ofctl", *words])
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) not in (0, 2):
        raise LabError(f"{program} {' '.join(words)}: {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def bench(lab, options):
    write_flows("flows", FLOWS)
    write_flows("others", 10)
    theirs, ours = which("ovs-ofctl"), f"{WORK}/ovs-ofctl"
    os.symlink(PROGRAM, ours)
    lab.ovs.add_bridge("br0", fail_mode="secure", protocols="[OpenFlow10,OpenFlow13,OpenFlow14]")
    print(f"{FLOWS} flows, {options.rounds} rounds, medians: ours / ovs-ofctl = ratio")
    for words, full, rounds in COMMANDS:
        results = {theirs: [], ours: []}
        for number in range(rounds or options.rounds):
            for program in sorted(results, reverse=number % 2):
                run(theirs, ("del-flows", "br0"))
                if full:
                    run(theirs, ("--bundle", "add-flows", "br0", f"{WORK}/flows"))
                results[program].append(run(program, words))
        show(words, results[ours], results[theirs])


def show(words, ours, theirs):
    parts = []
    for name, column, form in (("wall", 0, "{:.2f} s"), ("own", 1, "{:.2f} s"), ("memory", 2, "{:.0f} kB")):
        a, b = (statistics.median(run[column] for run in runs) for runs in (ours, theirs))
        parts.append(f"{name} {form.format(a)} / {form.format(b)} = {a / b:.2f}")
    print(f"{' '.join(os.path.basename(word) for word in words):50} {'   '.join(parts)}", flush=True)
