#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of ovs-ofctl: Open vSwitch's program and ours, on one switch, one after the other.

For each case of ofctl_cases.py: what is printed, what is complained of, the exit code, and the
flows, groups, meters, ports and tables afterwards are the same.  Transaction ids are compared
too, so both have sent the same messages.  What the two cannot share is replaced first: times.
Then flows that are spoiled at random are read by both: the same verdict in the same words.
SYSTEM_SEED sets the sequence; OFCTL_ONLY, a regular expression, picks cases.
"""

import collections
import os
import random
import re
import shlex
import socket
import subprocess
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.lab import main  # noqa: E402
from lab.netns import WORK, wait_for, which  # noqa: E402
from lab.ovs import RUN  # noqa: E402
from system import ofctl_cases as cases  # noqa: E402
from system.world import PROGRAM  # noqa: E402

Ended = collections.namedtuple("Ended", "status out err")
SPOILED = 400
BLANKS = [(re.compile(pattern), blank) for pattern, blank in (
    (r"duration=[\d.]+s", "duration=T"),
    (r"(idle|hard)_age=\d+", r"\1_age=T"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}: ", "WHEN: "),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\|\d+\|", "LOG|"),
    (r"connect to socket \((Protocol error|Broken pipe)\)", "connect"),  # Who is first to give up.
    (r"time=[\d.]+ ms", "time=T"),
    (r"Finished in [\d.]+ ms \(.*\)", "Finished"),
    (r"n_packets=\d+, n_bytes=\d+", "n_packets=N"),  # The switch sends some by itself.
    (r"(bytes|pkts|lookup|matched)=\d+", r"\1=N"),
)]
RESET = ("-O OpenFlow15 del-flows br0", "-O OpenFlow15 del-groups br0",
         "-O OpenFlow13 del-meters br0", "del-tlv-map br0", "set-frags br0 normal")
# What only some commands change, by a word in their lines.
RESET_ALSO = {
    "mod-port": [f"mod-port br0 {port} {setting}" for port in ("1", "2", "br0")
                 for setting in ("up", "flood", "receive", "forward", "packet-in")],
    "mod-table": ["-O OpenFlow15 mod-table br0 3 name:", "-O OpenFlow15 mod-table br0 all noevict",
                  "-O OpenFlow15 mod-table br0 all novacancy",
                  "-O OpenFlow11 mod-table br0 all controller"],
}
STATE = ("-O OpenFlow15 --no-stats dump-flows br0", "-O OpenFlow15 dump-groups br0",
         "-O OpenFlow13 dump-meters br0", "dump-tlv-map br0", "get-frags br0",
         "dump-ports-desc br0")
STATE_TABLES = ("-O OpenFlow15 dump-table-desc br0", "-O OpenFlow15 dump-table-features br0",
                "-O OpenFlow11 dump-tables br0")


class Program:
    def __init__(self, path, name="ovs-ofctl"):
        self.path, self.name = path, name

    def run(self, line):
        """Run it by that name, whatever the file's, and with neutral times in what it says."""
        line, found, text = line.partition(" <<<")
        text = text.strip().replace("\\n", "\n")
        if text.startswith("@"):
            text = cases.FILES[text[1:]]
        words = [re.sub(r"@P\b", cases.PACKET, word) for word in shlex.split(line)]
        words = [re.sub(r"^(unix:)?@(?=\w)", rf"\g<1>{WORK}/", word) for word in words]
        env = dict(os.environ)
        while words and re.match(r"[A-Z_]+=", words[0]):
            env.update([words.pop(0).split("=", 1)])
        done = subprocess.run([self.name, *words], executable=self.path, timeout=60, cwd="/",
                              env=env, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, errors="surrogateescape")
        return Ended(done.returncode, blank(done.stdout), blank(done.stderr))


def blank(text):
    for pattern, replacement in BLANKS:
        text = pattern.sub(replacement, text)
    return text


class Test:
    def __init__(self, lab):
        self.ovs = lab.ovs
        os.symlink(PROGRAM, f"{WORK}/ovs-ofctl")
        self.theirs = Program(which("ovs-ofctl"))
        self.ours = Program(f"{WORK}/ovs-ofctl")
        self.cases = self.differences = 0
        self.commands = set()
        for name, content in cases.FILES.items():
            with open(f"{WORK}/{name}", "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        lab.ovs.add_bridge("br0", fail_mode="secure", protocols="[" + ",".join(
            f"OpenFlow{n}" for n in range(10, 16)) + "]")
        lab.ovs.add_bridge("br1", fail_mode="secure", protocols="OpenFlow13")
        self.hanging = socket.socket(socket.AF_UNIX)
        self.hanging.bind(f"{WORK}/hanging")
        self.hanging.listen()
        for number in (1, 2):
            lab.ovs.vsctl("add-port", "br0", f"p{number}", "--", "set", "Interface",
                          f"p{number}", "type=dummy", f"ofport_request={number}")

    def compare(self, what, theirs, ours):
        if theirs == ours:
            return
        self.differences += 1
        print(f"FAILED {what}")
        for name, a, b in zip(theirs._fields, theirs, ours):
            if a != b:
                print(f"  {name}:\n    ovs-ofctl {shorten(a)}\n    ours      {shorten(b)}", flush=True)

    def note(self, lines):
        self.cases += 1
        for line in lines:
            words = shlex.split(line.partition(" <<<")[0])
            self.commands.update(word for word in words[:8] if word in self.known)

    def read(self, line):
        self.note([line])
        self.compare(line, self.theirs.run(line), self.ours.run(line))

    def reset(self, lines):
        for line in RESET:
            self.theirs.run(line)
        for word, more in RESET_ALSO.items():
            for line in more if any(word in line for line in lines) else ():
                self.theirs.run(line)

    def change(self, lines):
        """The same conversation with a switch in the same state; what comes of it."""
        self.note(lines)
        table = any("mod-table" in line for line in lines)
        ended = []
        for program in (self.theirs, self.ours):
            self.reset(lines)
            steps = [program.run(line) for line in lines]
            state = [self.theirs.run(line).out for line in STATE + (STATE_TABLES if table else ())]
            ended.append((steps, state))
        self.reset(lines)
        for line, theirs, ours in zip(lines, ended[0][0], ended[1][0]):
            self.compare(line, theirs, ours)
        if ended[0][1] != ended[1][1]:
            self.compare(f"what {' and '.join(lines)} leaves behind",
                         Ended(0, "\n".join(ended[0][1]), ""), Ended(0, "\n".join(ended[1][1]), ""))


class Monitor:
    """A monitor in the background, and what its control socket answers."""

    def __init__(self, program, words):
        self.log = f"{WORK}/monitor.log"
        self.pidfile = f"{WORK}/monitor.pid"
        self.control = f"{WORK}/monitor.ctl"
        with open(self.log, "w") as log:
            started = subprocess.run(
                ["ovs-ofctl", "--detach", "--no-chdir", f"--pidfile={self.pidfile}",
                 f"--unixctl={self.control}", *words], executable=program.path, timeout=30,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        self.said = [started.returncode, started.stdout, os.path.exists(self.pidfile)]

    def tell(self, *words):
        done = subprocess.run(["ovs-appctl", "-T", "10", "-t", self.control, *words], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.said.append((words, done.returncode, done.stdout, done.stderr))

    def end(self):
        self.tell("exit")
        wait_for(lambda: not os.path.exists(self.pidfile), "the monitor's end")
        with open(self.log) as log:  # The switch sends packets when it comes to it.
            return Ended(0, repr(self.said), "".join(sorted(blank(log.read()).splitlines(True))))


MONITORED = (
    ("-O", "OpenFlow13", "monitor", "br0", "65534"),
    ("monitor", "br0", "65534", "invalid_ttl"),
    ("-P", "standard", "-m", "monitor", "br0", "100", "watch:!initial"),
    ("-P", "nxm", "--names", "monitor", "br0", "100"),
    ("-O", "OpenFlow15", "-mm", "monitor", "br0", "watch:", "watch:!own,table=3"),
    ("-O", "OpenFlow14", "monitor", "br0", "resume"),
    ("-O", "OpenFlow14", "-m", "monitor", "br0", "resume"),
)
TOLD = (
    ("list-commands",), ("ofctl/send", "0108"), ("ofctl/send", "0500000800000001zz"),
    ("ofctl/send", "0502000c0000000a"), ("ofctl/send", "{v}02000800000010"), ("ofctl/barrier",),
    ("ofctl/send", "010d001a00000003ffffffffffff000000000000000000001122"), ("ofctl/barrier",),
    ("ofctl/send", "{v}02000800000012", "01"), ("ofctl/barrier",),
    ("ofctl/packet-out", f"in_port=1,packet={cases.PACKET},actions=controller"), ("ofctl/barrier",),
    ("ofctl/packet-out", f"in_port=p1,packet={cases.PACKET},actions=controller(pause),2"), ("ofctl/barrier",),
    ("ofctl/packet-out", "foo"), ("ofctl/packet-out",), ("ofctl/block",), ("ofctl/block",),
    ("ofctl/unblock",), ("ofctl/unblock",), ("ofctl/set-output-file", "/nowhere/file"),
)


def monitor(test, words):
    """What it prints of its own requests, of others' changes, and of packets."""
    version = {"OpenFlow13": "04", "OpenFlow14": "05", "OpenFlow15": "06"}.get(words[1], "01")
    test.note([" ".join(words)])
    ended = []
    for program in (test.theirs, test.ours):
        test.reset([])
        test.theirs.run("add-flow br0 table=3,in_port=5,actions=2")
        running = Monitor(program, words)
        for told in TOLD:
            running.tell(*(word.replace("{v}", version) for word in told))
        test.theirs.run("add-flow br0 table=3,in_port=6,actions=2")
        test.theirs.run("del-flows br0 table=3")
        running.tell("ofctl/barrier")
        ended.append(running.end())
    test.compare(" ".join(words), *ended)


def snoop(test):
    """A switch and its controller, which is nobody: what the switch tries to say to it."""
    test.note(["snoop br0"])
    ended = []
    with socket.socket() as controller:
        controller.bind(("127.0.0.1", 0))
        controller.listen()
        controller.settimeout(20)
        test.ovs.vsctl("set-controller", "br0", f"tcp:127.0.0.1:{controller.getsockname()[1]}")
        connection, _ = controller.accept()
        connection.settimeout(20)
        connection.recv(1000)
        connection.sendall(b"\x01\0\0\x08\0\0\0\x05")
        for program in (test.theirs, test.ours):
            running = Monitor(program, ("--timestamp", "snoop", "br0"))
            connection.sendall(b"\x01\x12\0\x08\0\0\0\x09")
            wait_for(lambda: "BARRIER_REPLY" in open(running.log).read(), "the snooped answer")
            ended.append(running.end())
        connection.close()
    test.ovs.vsctl("del-controller", "br0")
    test.compare("snoop br0", *ended)


def shorten(value):
    text = repr(value)
    return text if len(text) < 8000 else text[:4000] + " ... " + text[-4000:]


def spoil(rng, text):
    """The flow with one to three small changes."""
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(text) + 1)
        end = min(len(text), place + rng.randint(1, 5))
        text = rng.choice((
            lambda: text[:place] + text[end:],
            lambda: text[:place] + rng.choice("=,:()[]/->{} \"'%\\xg-9") + text[place:],
            lambda: text[:place] + text[place:end] * 2 + text[end:],
            lambda: text[:place] + rng.choice(SPLINTERS) + text[place:],
            lambda: re.sub(r"\d+", lambda m: rng.choice(NUMBERS), text, count=1),
            lambda: ",".join(rng.sample(text.split(","), len(text.split(",")))),
        ))()
    return text.replace("\0", "").replace("@", "")


SPLINTERS = ("actions=", "table=300", ",in_port=", "nw_src=1.2.3", "tp_dst=80", "/ff", "0x", "learn(",
             "output:", "resubmit(,", "set_field:", "->", "ct(commit,", "reg99=1", "=,", "::", "drop")
NUMBERS = ("-1", "0", "65536", "4294967296", "18446744073709551616", "0x", "1e3", "999999999999999999999")
WHOLE = (
    "in_port=1,tcp,nw_src=10.0.0.1/24,tp_dst=80,actions=output:2",
    "table=3,priority=5,dl_src=00:11:22:33:44:55,dl_vlan=5,actions=strip_vlan,NORMAL",
    "cookie=0x5,idle_timeout=3,ipv6,ipv6_src=fe80::1/64,icmp_type=128,actions=resubmit(,4)",
    "reg0=0x5/0xff,actions=load:5->NXM_NX_REG1[0..7],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
    "arp,arp_op=1,actions=learn(table=2,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
    "ip,ct_state=-trk,actions=ct(commit,zone=5,nat(src=10.0.0.1-10.0.0.9:10-20),exec(load:1->NXM_NX_CT_MARK[]))",
    "udp,actions=set_field:10.0.0.5->ip_dst,dec_ttl,controller(max_len=128,reason=no_match)",
    "importance=3,send_flow_rem,metadata=3/7,actions=write_metadata:5/7,goto_table:7",
    "mpls,mpls_label=5,actions=pop_mpls:0x0800,group:3,clone(output:1),conjunction(3,1/2)",
    "tun_id=5,tun_src=10.0.0.1,nw_tos=4,nw_ecn=1,actions=bundle(eth_src,0,hrw,ofport,members:1,2)",
    "vlan_tci=0x1005/0x1fff,actions=push_vlan:0x8100,set_field:5->vlan_vid,enqueue(1,2),multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])",
)


def read_spoiled(test):
    seed = int(os.environ.get("SYSTEM_SEED") or 14)
    rng = random.Random(seed)
    print(f"seed {seed}")
    refused = 0
    for number in range(SPOILED):
        flow = spoil(rng, rng.choice(WHOLE))
        line = f"{rng.choice(('', '-O OpenFlow13 ', '-F NXM '))}parse-flow -- {shlex.quote(flow)}"
        test.cases += 1
        theirs = test.theirs.run(line)
        refused += theirs.status != 0
        test.compare(line, theirs, test.ours.run(line))
    print(f"{refused} of {SPOILED} spoiled flows are refused")
    return refused > SPOILED // 3


# For tests of Open vSwitch; neither its manual nor its help has them.
HIDDEN = {"help", "list-commands", "parse-flow", "parse-flows", "parse-group", "parse-nx-match", "parse-nxm", "parse-oxm",
          "parse-actions", "parse-instructions", "parse-ofp10-match", "parse-ofp11-match", "parse-pcap",
          "check-vlan", "print-error", "encode-error-reply", "ofp-print", "encode-hello", "parse-key-value",
          "compose-packet", "parse-packet"}


def own_name(test):
    """As ovs-nwfilter, options stand before or behind the command, and our verbs are ours."""
    nwfilter = Program(PROGRAM, "ovs-nwfilter")
    wanted = test.theirs.run("-O OpenFlow13 --no-stats dump-flows br0")
    for line in ("-O OpenFlow13 --no-stats dump-flows br0", "dump-flows br0 -O OpenFlow13 --no-stats",
                 "--no-stats dump-flows -OOpenFlow13 br0", "--protocols OpenFlow13 dump-flows --no-st br0",
                 "--db=x -O OpenFlow13 --filter-dir=/nowhere --no-stats dump-flows br0",
                 "--db x --no-stats dump-flows -OOpenFlow13 br0"):
        test.cases += 1
        test.compare(f"ovs-nwfilter {line}", wanted, nwfilter.run(line))
    for line, words in (("--help", "usage: ovs-nwfilter"), ("dump-flow br0", "unknown command"),
                        ("--explain --db=unix:/nowhere dump-flows br0", "/nowhere"),
                        ("bindings extra", "usage: ovs-nwfilter bindings")):
        test.cases += 1
        ended = nwfilter.run(line)
        if words not in ended.out + ended.err:
            test.differences += 1
            print(f"FAILED ovs-nwfilter {line}: {ended}")
    help_text = test.ours.run("help").out
    unnamed = [name for name in test.known if f"  {name} " not in help_text]
    test.note(["help"])
    if "usage: ovs-ofctl [OPTIONS] COMMAND [ARG...]" not in help_text or set(unnamed) - HIDDEN:
        test.differences += 1
        print(f"FAILED help does not name {unnamed}")
    for line in ("--db=x dump-flows br0", "--filter-dir=x dump-flows br0", "--d br0 monitor"):
        test.cases += 1
        test.compare(f"ovs-ofctl {line}", test.theirs.run(line), test.ours.run(line))
    for line in ("diff", "sync", "bindings", "compile /nowhere"):
        test.cases += 1
        ended = test.ours.run(line)
        if ended.status != 1 or "unknown command" not in ended.err:
            test.differences += 1
            print(f"FAILED ovs-ofctl {line}: {ended}")


def test_all(lab):
    test = Test(lab)
    only = re.compile(os.environ.get("OFCTL_ONLY") or "")
    listed = test.theirs.run("list-commands").out.splitlines()[1:]
    test.known = {line.split()[0] for line in listed}
    for line in cases.READ.strip().splitlines():
        if only.search(line):
            test.read(line)
    for words in MONITORED:
        if only.search(" ".join(words)):
            monitor(test, words)
    if only.search("snoop br0"):
        snoop(test)
    for line in cases.CHANGE.strip().splitlines():
        if only.search(line):
            test.change(line.split(" \\ "))
    # Where ovs-nwfilter is at work the switch is asked for its flows first, and nothing shows it.
    with open(f"{RUN}/.ovs-nwfilter.~lock~", "w"):
        pass
    for line in cases.CHANGE.strip().splitlines()[::8]:
        if only.search(line):
            test.change(line.split(" \\ "))
    own_name(test)
    good = read_spoiled(test) if not only.pattern else True
    print(f"commands {len(test.commands)}, cases {test.cases}, differences {test.differences}")
    if not only.pattern and test.known - test.commands:
        print(f"FAILED not tested: {' '.join(sorted(test.known - test.commands))}")
        good = False
    return 1 if test.differences or not good else 0


if __name__ == "__main__":
    main(test_all, dummy=True)
