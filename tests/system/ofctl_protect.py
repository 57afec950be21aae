#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of ovs-ofctl on a managed bridge: flows of network filters are safe from them.

A command that would delete, change or replace one of ours, put a flow above it (or have the switch
do so: learn()), or give others' flows a cookie of ours, is refused and changes nothing, unless
--force is given; flows of others are changed as on any bridge.  An operator's own flows have tables
of their own (3 and 210), where they are met, and where they stay.
"""

import os
import re
import socket
import struct
import subprocess
import sys
import threading

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.netns import WORK  # noqa: E402
from lab.ovs import RUN  # noqa: E402
from system.world import FILTERS, PROGRAM, Result, define, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
OURS = "cookie=0x6e77660000000000/0xffffff0000000000"
RULES = ("<rule action='drop' direction='out' priority='100'><ip dstipaddr='10.0.0.91'/></rule>"
         "<rule action='accept' direction='inout' priority='200'/>")

# A flow of ours has such a cookie.
COOKIE = 0x6e77660100000000

# A packet that does something, and a flow that it makes above all.
FRAME = "02" * 12 + "88b6" + "00" * 46
PACKET = f"in_port=1,packet={FRAME},actions="
ABOVE = "learn(table=0,priority=60000,NXM_OF_IN_PORT[],output:NXM_OF_IN_PORT[])"

# What the operator has there already.
OTHERS = ("table=3,priority=7,dl_type=0x88b6,cookie=5,actions=drop\n"
          "table=50,priority=9,in_port=9,cookie=6,actions=output:10\n"
          "table=50,priority=8,in_port=9,cookie=7,actions=drop\n"
          "table=210,priority=7,dl_type=0x88b6,actions=drop\n")


def ofctl(*words, stdin=None, program=None):
    done = subprocess.run((program or PROGRAM,) + words, text=True, timeout=60,
                          input=stdin or "", capture_output=True)
    return Result(done.returncode, done.stdout, done.stderr)


def flows(world, bridge="br0"):
    """(ours, others'), each a sorted list without counters."""
    sides = [], []
    for line in world.ovs.ofctl("dump-flows", bridge).splitlines():
        if "cookie=" not in line:
            continue  # the head of a part of the answer
        line = re.sub(r"(duration|idle_age|hard_age|n_packets|n_bytes)=[\w.]+, ?", "", line)
        sides[not re.search(r"cookie=0x6e7766\w{10},", line)].append(line.strip())
    return tuple(map(sorted, sides))


def reset(world):
    """The operator's flows as they were, by somebody who protects nothing."""
    for bit in range(40, 64):
        magic = 0x6e7766 << 40
        world.ovs.ofctl("del-flows", "br0", f"cookie={~magic & 1 << bit:#x}/{1 << bit:#x}")
    world.ovs.ofctl("add-flows", "br0", "-", stdin=OTHERS)


def test(world):
    define("rules", RULES)
    os.makedirs("/etc/ovs-nwfilter/filters", exist_ok=True)  # dump-flows has no --filter-dir
    os.symlink(f"{FILTERS}/rules.xml", "/etc/ovs-nwfilter/filters/rules.xml")
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, "rules")
    world.manage()
    world.hear("vnet0", "vnet1")
    reset(world)
    test_refused(world)
    test_allowed(world)
    test_everything(world)
    test_forced(world)
    test_empty(world)
    test_elsewhere(world)
    test_operator(world)
    test_meters(world)
    test_explain(world)
    test_manage(world)


# --- refusals

# Words, standard input, and what the refusal says.
REFUSED = [
    (("del-flows", "br0", "in_port=vnet0"), None, "delete"),
    (("del-flows", "br0", "table=10"), None, "delete"),
    (("del-flows", "br0", OURS), None, "delete"),
    (("del-flows", "br0", "cookie=0/1"), None, "delete"),
    (("del-flows", "br0", "ip"), None, "delete"),
    (("--strict", "del-flows", "br0", "table=0,priority=1"), None, "delete"),
    (("--strict", "del-flows", "br0", "table=3,priority=0"), None, "delete"),
    (("del-flows", "br0", "-"), "table=50\ntable=210\n", "delete"),
    (("mod-flows", "br0", "actions=drop"), None, "change"),
    (("mod-flows", "br0", "table=110,actions=output:1"), None, "change"),
    (("--strict", "mod-flows", "br0", "table=0,priority=1,actions=NORMAL"), None, "change"),
    (("mod-flows", "br0", "cookie=9,table=10,priority=65500,in_port=77,actions=drop"), None,
     "stand above"),
    (("mod-flows", "br0", "cookie=9,priority=65500,in_port=77,actions=drop"), None,
     "stand above"),
    (("add-flow", "br0", "actions=NORMAL"), None, "stand above"),
    (("add-flow", "br0", "priority=1,actions=NORMAL"), None, "replace"),
    (("add-flow", "br0", "priority=1,in_port=77,actions=NORMAL"), None, "stand above"),
    (("add-flow", "br0", "table=10,priority=65535,actions=drop"), None, "stand above"),
    (("add-flow", "br0", "table=110,priority=65535,reg0=1,actions=output:1"), None, "stand above"),
    (("add-flow", "br0", "table=3,priority=0,actions=drop"), None, "replace"),
    (("add-flow", "br0", "table=210,priority=0,actions=drop"), None, "replace"),
    (("add-flows", "br0", "-"), "table=50,actions=drop\ntable=0,priority=500,actions=drop\n",
     "stand above"),
    (("--bundle", "add-flows", "br0", "-"), "table=50,actions=drop\ntable=99,actions=drop\n",
     "stand above"),
    (("add-flow", "br0", "-"), "table=50,actions=drop\ndelete in_port=vnet1\n", "delete"),
    (("--bundle", "replace-flows", "br0", "-"), "table=50,actions=drop\n", "delete"),
    (("bundle", "br0", "-"), "flow table=50,actions=drop\nflow delete table=100\n", "delete"),
    # Flows that the switch would make by itself.
    (("packet-out", "br0", f"{PACKET}{ABOVE}"), None, "stand above"),
    (("packet-out", "br0", f"{PACKET}clone({ABOVE})"), None, "stand above"),
    (("packet-out", "br0", "1", ABOVE, FRAME), None, "stand above"),
    (("packet-out", "br0", f"{PACKET}learn(table=3,priority=0,load:1->NXM_NX_REG0[])"), None,
     "replace"),
    (("packet-out", "br0", f"{PACKET}learn(table=50,cookie={COOKIE:#x},NXM_OF_IN_PORT[])"), None,
     "set cookie"),
    (("bundle", "br0", "-"), f"flow table=50,actions=drop\npacket-out {PACKET}{ABOVE}\n",
     "stand above"),
    (("bundle", "br0", "-"), f"flow table=50,actions={ABOVE}\n", "stand above"),
    (("add-flow", "br0", f"table=3,actions={ABOVE}"), None, "stand above"),
    (("add-flow", "br0", f"table=50,actions=output:3,clone(clone({ABOVE}))"), None, "stand above"),
    (("add-flow", "br0", "table=3,tcp,actions=learn(table=10,priority=65535,eth_type=0x800,"
      "NXM_OF_IP_SRC[])"), None, "stand above"),
    (("add-flow", "br0", "table=3,actions=learn(table=110,priority=65535,reg0=1,"
      "load:1->NXM_NX_REG0[])"), None, "stand above"),
    (("mod-flows", "br0", f"table=50,actions={ABOVE}"), None, "stand above"),
    (("add-flows", "br0", "-"), f"table=50,actions=drop\ntable=51,actions={ABOVE}\n",
     "stand above"),
    # Flows that would be taken for ours.
    (("add-flow", "br0", f"table=50,cookie={COOKIE:#x},actions=drop"), None, "set cookie"),
    (("add-flow", "br0", "table=3,cookie=0x6e7766ffffffffff,actions=drop"), None, "set cookie"),
    (("mod-flows", "br0", f"table=50,cookie={COOKIE:#x},actions=drop"), None, "set cookie"),
    (("--strict", "mod-flows", "br0", f"table=50,cookie={COOKIE:#x},actions=drop"), None,
     "set cookie"),
    (("mod-flows", "br0", f"table=50,cookie=6/-1,cookie={COOKIE:#x},actions=drop"), None,
     "set cookie"),
    (("bundle", "br0", "-"), f"flow table=50,cookie={COOKIE:#x},actions=drop\n", "set cookie"),
    (("add-flow", "br0", f"table=50,actions=learn(table=50,cookie={COOKIE:#x},NXM_OF_IN_PORT[])"),
     None, "set cookie"),
]


def test_refused(world):
    before = flows(world)
    as_ofctl = f"{WORK}/ovs-ofctl"
    os.symlink(os.path.abspath(PROGRAM), as_ofctl)
    for words, stdin, what in REFUSED:
        for extra, program in (((), None), (("-O", "OpenFlow13"), None), ((), as_ofctl)):
            result = ofctl(*extra, *words, stdin=stdin, program=program)
            told = f"that would {what} "
            name = "ovs-ofctl" if program else "ovs-nwfilter"
            if not world.check(f"refused: {name} {' '.join(extra + words)}", result.status == 1
                               and told in result.err and "--force" in result.err
                               and result.err.startswith(f"{name}: br0: ")
                               and result.err.count("\n") == 1 and not result.out, result):
                reset(world)
    world.check("none of them has changed anything", flows(world) == before,
                [sorted(set(a) ^ set(b))[:4] for a, b in zip(before, flows(world))])
    result = ofctl("packet-out", "br0", f"{PACKET}{ABOVE}")
    world.check("flows that a learned one would stand above are named", "vnet0" in result.err
                and ", such as" in result.err, result.err)
    result = ofctl("del-flows", "br0", "in_port=vnet0")
    world.check("the guest is named", "(of vnet0)" in result.err, result.err)
    result = ofctl("mod-flows", "br0", "actions=drop")
    world.check("and how many flows it would be", f"{len(before[0])} flows" in result.err
                and "vnet1" in result.err, result.err)
    for target in (f"unix:{RUN}/br0.mgmt", f"{RUN}/br0.mgmt", "system@br0"):
        result = ofctl("del-flows", target, "table=10")
        world.check(f"refused on {target}", result.status == 1 and "delete" in result.err, result)


# --- others' flows

# Words, input, and by how many the others' flows become more.
ALLOWED = [
    (("add-flow", "br0", "table=3,priority=10,in_port=vnet0,actions=drop"), None, 1),
    (("add-flow", "br0", "table=210,priority=1,actions=resubmit(,100)"), None, 1),
    (("add-flow", "br0", "table=211,actions=drop"), None, 1),
    (("add-flow", "br0", "table=0,priority=0,actions=NORMAL"), None, 1),
    (("add-flow", "br0", "table=50,actions=NORMAL"), None, 1),
    (("mod-flows", "br0", "table=50,actions=output:3"), None, 0),
    (("mod-flows", "br0", "cookie=6/-1,actions=output:3"), None, 0),
    (("--strict", "mod-flows", "br0", "table=50,priority=8,in_port=9,actions=output:4"), None, 0),
    (("del-flows", "br0", "table=50"), None, -2),
    (("del-flows", "br0", "cookie=7/-1"), None, -1),
    (("del-flows", "br0", "dl_type=0x88b6"), None, -2),
    (("del-flows", "br0", "out_port=10"), None, -1),
    (("--strict", "del-flows", "br0", "table=3,priority=7,dl_type=0x88b6"), None, -1),
    (("add-flows", "br0", "-"), "table=50,priority=1,actions=drop\ntable=51,actions=drop\n", 2),
    (("--bundle", "add-flows", "br0", "-"), "table=50,priority=1,actions=drop\n", 1),
    (("bundle", "br0", "-"), "flow table=52,actions=drop\nflow delete table=50\n", -1),
    # What the switch would make by itself where it is an operator's, or below ours.
    (("packet-out", "br0", f"{PACKET}learn(table=50,NXM_OF_IN_PORT[])"), None, 1),
    (("packet-out", "br0", f"{PACKET}learn(table=3,priority=0,NXM_OF_ETH_SRC[])"), None, 1),
    (("packet-out", "br0", "1", "learn(table=211,cookie=8,NXM_OF_ETH_SRC[])", FRAME), None, 1),
    (("packet-out", "br0", f"{PACKET}learn(table=0,priority=0,NXM_OF_ETH_SRC[])"), None, 1),
    (("add-flow", "br0", "table=51,actions=learn(table=3,priority=9,NXM_OF_ETH_SRC[])"), None, 1),
    (("bundle", "br0", "-"), f"packet-out {PACKET}learn(table=210,NXM_OF_ETH_SRC[])\n", 1),
    (("mod-flows", "br0", "table=50,actions=learn(table=51,NXM_OF_IN_PORT[])"), None, 0),
    (("mod-flows", "br0", "table=50,cookie=8,actions=drop"), None, 0),
]


def test_allowed(world):
    for words, stdin, more in ALLOWED:
        reset(world)
        before = flows(world)
        result = ofctl(*words, stdin=stdin)
        after = flows(world)
        world.check(f"allowed: {' '.join(words)}", result == (0, "", "") and after[0] == before[0]
                    and len(after[1]) == len(before[1]) + more, (result, after[1]))
    reset(world)


def test_everything(world):
    for extra in ((), ("-O", "OpenFlow15"), ("--bundle",)):
        before = flows(world)
        result = ofctl(*extra, "del-flows", "br0")
        after = flows(world)
        world.check(f"{' '.join(extra)} del-flows br0: what is not ours is deleted, and ours stays",
                    result.status == 0 and after == (before[0], []), (result, after[1]))
        world.check("    and it says so", f"{len(before[0])} flows of network filters stay"
                    in result.err and not result.out, result)
        reset(world)
    before = flows(world)
    result = ofctl("-F", "openflow10", "del-flows", "br0")
    world.check("a format that cannot tell flows apart: one error, and nothing is said to stay",
                result.status == 1 and "flow formats" in result.err and "stay" not in result.err
                and result.err.count("\n") == 1 and flows(world) == before, result)


def test_forced(world):
    world.hear("vnet0", "vnet1", "uplink")
    before = flows(world)
    for words, stdin in ((("del-flows", "br0", "table=10"), None), (("del-flows", "br0"), None),
                         (("mod-flows", "br0", "actions=drop"), None),
                         (("--bundle", "replace-flows", "br0", "-"), "table=50,actions=drop\n"),
                         (("add-flow", "br0", "priority=500,actions=drop"), None),
                         (("packet-out", "br0", f"{PACKET}{ABOVE}"), None),
                         (("add-flow", "br0", f"table=3,actions={ABOVE}"), None),
                         (("add-flow", "br0", f"table=50,cookie={COOKIE:#x},actions=drop"), None)):
        result = ofctl("--force", *words, stdin=stdin)
        world.check(f"--force {' '.join(words)} does it", result == (0, "", "")
                    and flows(world) != before, result)
        reset(world)
        nwfilter("sync")
        world.hear("vnet0", "vnet1", "uplink")
        world.check("    and sync mends it", flows(world)[0] == before[0],
                    sorted(set(flows(world)[0]) ^ set(before[0]))[:4])


def test_empty(world):
    """A managed bridge that has lost its flows is managed still."""
    world.ovs.ofctl("del-flows", "br0")
    result = ofctl("add-flow", "br0", f"table=50,cookie={COOKIE:#x},actions=drop")
    world.check("without any flows: a cookie of ours is refused", result.status == 1
                and "set cookie" in result.err and flows(world) == ([], []), result)
    for words in (("add-flow", "br0", "table=50,actions=drop"), ("del-flows", "br0")):
        result = ofctl(*words)
        world.check(f"    {' '.join(words)} is not", result == (0, "", ""), result)
    world.check("    all flows are deleted", flows(world) == ([], []), flows(world))
    nwfilter("sync")
    reset(world)
    world.hear("vnet0", "vnet1", "uplink")


def test_elsewhere(world):
    """A bridge that is not managed is as with ovs-ofctl."""
    world.ovs.vsctl("add-br", "br1", "--", "set", "Bridge", "br1", "datapath_type=netdev",
                    "fail_mode=secure")
    world.ovs.ofctl("add-flows", "br1", "-", stdin=OTHERS)
    for words in (("add-flow", "br1", "priority=500,actions=NORMAL"),
                  ("add-flow", "br1", f"table=3,actions={ABOVE}"),
                  ("packet-out", "br1", f"{PACKET}{ABOVE}"),
                  ("mod-flows", "br1", "actions=drop"), ("del-flows", "br1", "table=50"),
                  ("replace-flows", "br1", "-"), ("del-flows", "br1")):
        result = ofctl(*words, stdin="actions=drop\n")
        world.check(f"not managed: {' '.join(words)}", result == (0, "", ""), result)
    world.check("    all are gone", flows(world, "br1") == ([], []), flows(world, "br1"))
    # A switch that is not known to be a bridge of this host is asked.
    world.ovs.vsctl("set-controller", "br1", "ptcp:16653:127.0.0.1")
    world.ovs.ofctl("add-flows", "br1", "-", stdin=OTHERS)
    result = ofctl("-O", "OpenFlow13", "del-flows", "tcp:127.0.0.1:16653", "table=50")
    world.check("by TCP: flows of others", result == (0, "", ""), result)
    world.ovs.ofctl("add-flow", "br1", "cookie=0x6e77660100000000,table=50,actions=drop")
    result = ofctl("-O", "OpenFlow13", "del-flows", "tcp:127.0.0.1:16653", "table=50")
    world.check("by TCP: a flow of ours", result.status == 1 and "delete" in result.err, result)
    # Nobody has a record of it.
    for words in (("del-flows", "br1", "table=50"), ("mod-flows", "br1", "actions=drop"),
                  ("add-flow", "br1", "table=50,priority=32768,actions=NORMAL"),
                  ("add-flow", f"unix:{RUN}/br1.mgmt", "table=50,priority=65535,actions=NORMAL")):
        result = ofctl(*words)
        world.check(f"not managed, a flow of ours: {' '.join(words)}", result.status == 1
                    and "flow of network filters" in result.err, result)
    world.check("    it is as it was", len(flows(world, "br1")[0]) == 1, flows(world, "br1"))
    result = ofctl("--force", "del-flows", "br1", "table=50")
    world.check("    --force deletes it", result == (0, "", "")
                and not flows(world, "br1")[0], result)
    world.ovs.vsctl("del-br", "br1")
    test_other_switch(world)


def test_other_switch(world):
    """One that knows OpenFlow 1.0 and nothing of Open vSwitch's extensions."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        mods = []
        threading.Thread(target=serve, args=(server, mods), daemon=True).start()
        result = ofctl("--no-names", "add-flow", f"tcp:127.0.0.1:{server.getsockname()[1]}",
                       "in_port=1,actions=2")
    world.check("a switch without extensions gets the flow", result == (0, "", "")
                and len(mods) == 1, (result, len(mods)))


HELLO, ERROR, FLOW_MOD, BARRIER_REQUEST, BARRIER_REPLY = 0, 1, 14, 18, 19


def serve(server, mods):
    """Connections one after the other; flow mods are listed, and what is unknown is refused."""
    while True:
        try:
            peer, _ = server.accept()
        except OSError:
            return
        with peer, peer.makefile("rb") as stream:
            while header := stream.read(8):
                _, kind, length, number = struct.unpack(">BBHL", header)
                body = stream.read(length - 8)
                if kind == FLOW_MOD:
                    mods.append(body)
                    continue
                answer = {HELLO: (HELLO, b""), BARRIER_REQUEST: (BARRIER_REPLY, b"")}.get(
                    kind, (ERROR, struct.pack(">HH", 1, 3) + (header + body)[:64]))
                peer.sendall(struct.pack(">BBHL", 1, answer[0], 8 + len(answer[1]), number)
                             + answer[1])


# --- an operator's tables

def mail(world, sender, to, port=25):
    return world.ip(sender, to, dst=world.stations[to].ip, body=f.tcp(40000, port))


def test_operator(world):
    reset(world)
    for table, sender, receiver in ((3, "vnet0", "vnet1"), (3, "vnet0", "uplink"),
                                    (210, "vnet0", "uplink"), (210, "uplink", "vnet0")):
        flow = f"table={table},priority=10,in_port={sender},tcp,tp_dst=25,actions=drop"
        world.wire.exchange([(name, world.ip(name)) for name in ("uplink", "vnet0", "vnet1")])
        mails, others = mail(world, sender, receiver), mail(world, sender, receiver, 26)
        world.check(f"{sender} to {receiver}: passes", not world.verdict(
            sender, mails, [receiver]), dict(world.wire.got))
        result = ofctl("add-flow", "br0", flow)
        world.check(f"    {flow}: is there", result.status == 0, result)
        world.ovs.appctl("revalidator/wait")
        world.check("    is dropped", not world.verdict(sender, mails, []), dict(world.wire.got))
        world.check("    and other traffic is not", not world.verdict(sender, others, [receiver]),
                    dict(world.wire.got))
        nwfilter("sync")
        world.set_tags("vnet1", nwfilter_IP="10.0.0.2")
        nwfilter("sync")
        world.check("    it stays when ours change", any("tp_dst=25" in flow
                                                         for flow in flows(world)[1]))
        world.check("    all are active", {world.status("vnet0"), world.status("vnet1")}
                    == {"active"}, world.status("vnet0"))
        ofctl("del-flows", "br0", f"table={table},tcp,tp_dst=25")
    ofctl("add-flow", "br0", "table=3,priority=10,in_port=vnet0,tcp,tp_dst=26,"
                             "actions=set_field:9->pkt_mark,goto_table:10")
    ofctl("add-flow", "br0", "table=210,priority=10,udp,actions=note:01,resubmit(,100)")
    world.check("a flow that goes on lets frames pass", not world.verdict(
        "vnet0", mail(world, "vnet0", "uplink", 26), ["uplink"]), dict(world.wire.got))
    world.check("    a forged one still ends in the filter", not world.verdict(
        "vnet0", world.ip("vnet0", "uplink", src="10.0.0.9", body=f.tcp(1, 26)), []),
        dict(world.wire.got))
    world.check("    nor is another guest's cached flow narrower for it", narrow(world) == set(),
                narrow(world))
    reset(world)


def narrow(world):
    """TCP ports that cached flows of vnet1's match."""
    world.ovs.purge()
    world.wire.exchange([("vnet1", mail(world, "vnet1", "uplink", 26))])
    dump = world.ovs.appctl("dpctl/dump-flows", "--names")
    return {match[0] for line in dump.splitlines() if "in_port(vnet1)" in line
            for match in re.finditer(r"tcp\([^)]*dst=\d+\)", line)}


def test_meters(world):
    world.set_tags("vnet0", nwfilter_limit_broadcast="50")
    nwfilter("sync")
    world.ovs.ofctl("add-meter", "br0", "meter=3,pktps,band=type=drop,rate=9")
    before = flows(world), world.ovs.ofctl("dump-meters", "br0")
    number = re.search(r"meter=(1853\d+)", before[1])
    world.check("a guest has a meter", number, before[1])
    for words, what in ((("del-meters", "br0"), "delete"),
                        (("del-meter", "br0", f"meter={number[1]}"), "delete"),
                        (("mod-meter", "br0", f"meter={number[1]},pktps,band=type=drop,rate=1"),
                         "change")):
        result = ofctl("-O", "OpenFlow13", *words)
        world.check(f"refused: {' '.join(words)}", result.status == 1 and "(of vnet0)" in result.err
                    and f"would {what} " in result.err, result)
    world.check("    nothing has changed", (flows(world), world.ovs.ofctl("dump-meters", "br0"))
                == before)
    result = ofctl("-O", "OpenFlow13", "del-meter", "br0", "meter=3")
    world.check("another's meter goes", result == (0, "", "")
                and "meter=3 " not in world.ovs.ofctl("dump-meters", "br0"), result)
    world.set_tags("vnet0", nwfilter_limit_broadcast=None)
    nwfilter("sync")


# --- what flows are

def test_explain(world):
    result = ofctl("--explain", "dump-flows", "br0")
    lines = result.out.splitlines()
    told = {}
    for flow, line in zip(lines, lines[1:] + [""]):
        if not flow.startswith("    #"):
            told[flow] = line.strip() if line.startswith("    #") else None
    n_ours = len(flows(world)[0])
    others = {flow: text for flow, text in told.items()
              if not re.search(r"cookie=0x6e7766\w{10},", flow)}
    world.check("each flow is explained", all(told.values()) and n_ours > 50
                and len(told) - len(others) == n_ours, (n_ours, result.err))
    world.check("    an operator's as that, by its table, and others as nobody's we know",
                {re.search(r"table=(\d+)", flow)[1]: text for flow, text in others.items()} == {
                    "3": "# an operator's: before guests' filters", "50": "# of no network filter",
                    "210": "# an operator's: behind guests' filters"}, others)
    rule = [text for flow, text in told.items() if "nw_dst=10.0.0.91" in flow]
    world.check("a rule's: port, filter, rule and place", len(rule) == 1 and re.search(
        r"# vnet1 \(filter rules\), direction out, rules: drop ip .*10\.0\.0\.91.*"
        r"/rules\.xml:\d+\)$", rule[0]), rule)
    clean = [text for flow, text in told.items() if text and "vnet0" in text and ".xml:" in text]
    world.check("of a filter that refers to others, the one that the rule stands in",
                any("no-mac-spoofing" in text or "no-arp" in text for text in clean)
                and all("(filter clean-traffic)" in text for text in clean), clean[:3])
    result = ofctl("--explain", "dump-flows", "br0", "table=0,in_port=vnet1")
    world.check("with a match", "# vnet1 (filter rules), its way in" in result.out, result)
    result = ofctl("--explain", "dump-flows", "tcp:127.0.0.1:1")
    world.check("of another host's switch it is refused", result.status == 1 and result.err,
                result)


# --- manage

def test_manage(world):
    nwfilter("unmanage", "br0")
    world.ovs.vsctl("set", "Bridge", "br0", "fail_mode=secure")
    world.ovs.ofctl("del-flows", "br0")
    world.ovs.ofctl("add-flows", "br0", "-", stdin=(
        "table=0,priority=0,actions=NORMAL\ntable=0,priority=40,in_port=vnet0,actions=drop\n"
        "table=3,priority=5,tcp,actions=drop\ntable=0,priority=700,udp,actions=drop\n"))
    result = world.manage()
    told = [line for line in result.err.splitlines() if "no longer" in line]
    world.check("manage names flows that do not apply any more", len(told) == 2
                and any("NORMAL" in line for line in told)
                and any("priority=40" in line for line in told), result.err)
    world.check("    and no others", not re.search("table=3|udp", "".join(told)), told)
    nwfilter("unmanage", "br0")
    world.ovs.vsctl("clear", "Bridge", "br0", "fail_mode")
    world.ovs.ofctl("add-flow", "br0", "table=50,in_port=9,actions=drop")
    result = world.manage()
    told = [line for line in result.err.splitlines() if "is gone" in line]
    world.check("and those that a change of fail_mode deletes", len(told) == 1
                and "table=50" in told[0], result.err)


if __name__ == "__main__":
    run(test)
