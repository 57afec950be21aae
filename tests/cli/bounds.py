#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What hostile filters and policies may cost: a run takes at most 256 MB, and ends.

Each case is small, and within every other limit, and asks for something that multiplies: values of
several lists, lists in many rules, variables in many references, brackets in JSON.  What is too much
is refused with the limit that it meets, before it is made.  Memory is what the kernel says that the
process has had at most; a case that takes for ever ends by the limit for processor time.
"""

import json
import os
import re
import resource
import signal
import subprocess
import time

from cases import PROGRAM, run

MEMORY = 256 << 20
SPACE = 1 << 30  # so that a case which fails does not take the host with it
SECONDS = 60  # of processor time: some take two


def addresses(n, step=1):
    """Addresses no two of which are one prefix, if the step is 2."""
    return [f"10.{i * step >> 16}.{i * step >> 8 & 255}.{i * step & 255}" for i in range(n)]


def rule(elements, action="accept", direction="inout"):
    return f"<rule action='{action}' direction='{direction}'>{elements}</rule>"


def policy(n=1, filter="x", **parameters):
    return json.dumps([{"port": f"v{i}", "mac": f"52:54:00:00:00:{i:02x}", "filter": filter,
                        "parameters": parameters} for i in range(n)])


TWO = "srcipaddr='$A[@1]' dstipaddr='$B[@2]'"
SAME = {"A": ["1"] * 255, "B": ["1"] * 255}
FEW = {"A": addresses(255), "B": addresses(255)}
MANY = addresses(4096, 2)
PORTS = "srcportstart='1' srcportend='65534' dstportstart='1' dstportend='65534'"
RANGE = "srcipfrom='1.0.0.1' srcipto='223.255.255.254'"
FLOWS = r"[^\n]*the filter needs more than 16384 flows"
RULES = r"[^\n]*/x.xml:1: more than 65536 rules"
JSON = r"p.json: more than 65536 objects and arrays, or than 524288 values in them"

# What it is; the filter x (or several); the policy; what is said of it (None: it compiles).
CASES = [
    ("two negated lists of 255", rule(f"<ip match='no' {TWO}/>", direction="out"), policy(**FEW),
     FLOWS),
    ("two negated lists of one value, 255 times", rule(f"<ip match='no' {TWO}/>"),
     policy(A=["10.0.0.1"] * 255, B=["10.0.0.2"] * 255), None),
    ("lists that give millions of rules, all the same",
     rule(f"<ip match='no' {TWO} dscp='$C[@3]'/>"),
     policy(A=["10.0.0.1"] * 4096, B=["10.0.0.2"] * 4096, C=["1"] * 4096), RULES),
    ("rules by the million that the direction does not have",
     rule("<icmp dscp='$A[@1]' type='8' code='$B[@2]'/>") * 9000, policy(**SAME), RULES),
    ("a list in 12,000 rules", rule("<ip srcipaddr='$A'/>") * 12000, policy(A=MANY), None),
    ("the same where no frame comes", {
        "x": "<filterref filter='y'/>", "y": (rule("<ip srcipaddr='$A'/>") * 12000, "arp")},
     policy(A=MANY), None),
    ("a list under each mask", "".join(
        rule(f"<ip srcipaddr='$A' srcipmask='{m}' dscp='{m}'/>") for m in range(33)) * 300,
     policy(A=addresses(4096)), FLOWS),
    ("ranges, by lists of their ends", rule("<all srcipfrom='$A[@1]' srcipto='$B[@2]'/>"),
     policy(A=[f"1.0.{i}.1" for i in range(240)], B=[f"223.255.{i}.254" for i in range(240)]),
     FLOWS),
    ("ranges of ports", rule(f"<tcp {PORTS}/>") * 18, policy(), None),
    ("more ranges of ports", rule(f"<tcp {PORTS}/>") * 60, policy(), FLOWS),
    ("30,000 elements in a rule", rule("<ip srcipaddr='10.0.0.0'/>" * 30000 + "<ip dscp='$A'/>"),
     policy(A=["1", "2"] * 2000), r"[^\n]*/x.xml:1: more than 16 elements in one rule"),
    ("elements times values", rule("<all dstipaddr='10.0.0.1' srcipaddr='10.0.0.1' dscp='1'/>" * 14
                                   + "<all dscp='$A[@1]'/><all dscp='$B[@2]'/>"), policy(**SAME),
     r"[^\n]*/x.xml:1: the rules take more than 32 MiB"),
    ("exceptions of a list", rule("<all srcipaddr='$A'/>" + f"<all match='no' {RANGE}/>" * 15),
     policy(A=MANY),
     r"[^\n]*the filter's rules have more than 262144 values in lists and ranges"),
    ("exceptions of ranges", rule(f"<all {RANGE}/>" + f"<all match='no' {RANGE}/>" * 15), policy(),
     r"[^\n]*/x.xml:1: the ranges of this rule need too many flows"),
    ("a long <flow>", rule(f"<flow match='ip,nw_src=$A{' ' * 900_000}'/>", direction="out"),
     policy(A=MANY), r"[^\n]*/x.xml:1: match: longer than 4096 characters"),
    ("a <flow> of many variables", rule(f"<flow match='ip,{'$A' * 2000}'/>", direction="out"),
     policy(A=["x" * 128]),
     r"[^\n]*/x.xml:1: match: longer than 4096 characters with its variables"),
    ("1,000 references", {"x": "<filterref filter='y'/>" * 1000, "y": rule("<ip/>")},
     policy(**{f"V{i}": MANY[:160] for i in range(100)}), None),
    ("a megabyte of rules in each of nine filters", {
        "x": "".join(f"<filterref filter='y{i}'/>" for i in range(9)),
        **{f"y{i}": rule("<ip dscp='1'/>") * 16000 for i in range(9)}},
     policy(), r"[^\n]*more than (65536 rules|8 MiB of filters)"),
    ("filters that are read and refused", {
        "x": "".join(f"<filterref filter='y{i}'/>" for i in range(9)),
        **{f"y{i}": rule("<ip dscp='1'/>") * 6000 + " " * 600_000 for i in range(9)}},
     policy(), r"[^\n]*more than (65536 rules|8 MiB of filters)"),
    ("several guests with all that one may have", "".join(
        rule(f"<ip srcipaddr='$A' dscp='{i}'/>", "drop") for i in range(3)), policy(20, A=MANY),
     "v15: filter x: guests that need more than 2048 flows need more than 131072 together"),
    ("guests with thousands of addresses", rule("<ip/>"), json.dumps(
        [{"port": f"v{n}", "filter": "x", "parameters": {
            "MAC": [f"52:54:00:{i >> 8:02x}:{i & 255:02x}:{n:02x}" for i in range(4096)]}}
         for n in range(60)]), None),
    ("many values", "", policy(**{f"V{i}": ["1"] * 4096 for i in range(5)}),
     r"[^\n]*variable V4: more than 16384 values of all variables"),
    ("many variables", "", policy(**{f"V{i}": "1" for i in range(1025)}),
     r"[^\n]*variable V1024: more than 1024 variables"),
    ("objects in JSON", "", "[" + "{}," * 5_000_000 + "{}]", JSON),
    ("arrays in JSON", "", "[" + "[]," * 5_000_000 + "[]]", JSON),
    ("strings in JSON", "", "[" + '"",' * 5_000_000 + '""]', JSON),
    ("commas and brackets in a string of JSON", "", '["\\"' + ",[{" * 1_000_000 + '"]',
     "p.json: binding 0: not an object"),
    ("members of an object of JSON", "", '[{"parameters": {'
     + ",".join(f'"V{i}": "1"' for i in range(600_000)) + "}}]", JSON),
    ("16,384 ports", "", json.dumps([{"port": f"{'p' * 60}{i}", "filter": "x"}
                                     for i in range(16384)]),
     "[^\n]*its OpenFlow number is needed[^\n]*"),
]


def write_filters(world, filters):
    for name, content in (filters if isinstance(filters, dict) else {"x": filters}).items():
        text, chain = content if isinstance(content, tuple) else (content, "root")
        world.write(f"filters/{name}.xml", f"<filter name='{name}' chain='{chain}'>{text}</filter>")


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def start(world, *words, **more):
    ports = [f"--ofport=v{i}={i + 1}" for i in range(60) if f'"v{i}"' in more.get("text", '"v0"')]
    return subprocess.Popen([PROGRAM, f"--filter-dir={world.dir}/filters", *words, "compile",
                             "p.json", *ports], cwd=world.dir, env=world.env, text=True,
                            stdout=open(f"{world.dir}/out", "w"), stderr=subprocess.PIPE,
                            preexec_fn=limit)


def what_is_wrong(world, filters, text, error):
    write_filters(world, filters)
    world.write("p.json", text)
    process = start(world, text=text)
    err = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status = os.waitstatus_to_exitcode(status)
    if usage.ru_maxrss << 10 > MEMORY:
        return f"{usage.ru_maxrss >> 10} MB, status {status}: {err[:300]}"
    if error is None:
        return (status or err) and (status, err[:300])
    if status != 1 or not re.fullmatch(f"ovs-nwfilter: ({error})\n", err):
        return status, err[:300], error
    return None


def processor_time(pid):
    with open(f"/proc/{pid}/stat") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))


def check_alarm(world, check):
    """Time runs out in the midst of computing.  A case that takes a second is stopped for as long
    as it may take."""
    write_filters(world, rule("<ip srcipaddr='$A'/>") * 12000)
    world.write("p.json", policy(A=MANY))
    process = start(world, "--timeout=1")
    while process.poll() is None and processor_time(process.pid) < 10:
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    time.sleep(7)
    process.send_signal(signal.SIGCONT)
    err = process.stderr.read()
    process.wait()
    check("time runs out while it computes", (process.returncode, err) != (
        1, "ovs-nwfilter: not done after 6 seconds\n") and (process.returncode, err))


def check_all(world, check):
    for what, filters, text, error in CASES:
        check(what, what_is_wrong(world, filters, text, error))
    check_alarm(world, check)


if __name__ == "__main__":
    run(__file__, [], more=check_all)
