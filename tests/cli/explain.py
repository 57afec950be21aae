#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""explain, without a switch: packets in all their forms, states of connections, and errors.

That the answers are those of a switch is for the system tests.
"""

import json

from cases import Row, run

MAC = "52:54:00:00:00:01"
TCP = f"tcp,dl_src={MAC},dl_dst=02:00:00:00:00:01,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=22"
# The same as bytes, a SYN from port 22 to port 0.
HEX = ("020000000001 525400000001 0800 4500002800000000400666ce0a0000010a000002"
       "0016000000000000000000005002000000000000")
FILTER = """<filter name='server'>
<rule action='accept' direction='in'><tcp dstportstart='22'/></rule>
<rule action='drop' direction='inout'><all/></rule>
</filter>"""
OWN = "--filter-dir={dir}/filters"
PASSES = r"vnet0 {}: passes\n(.*\n)*.*server\.xml:2(.*\n)*"
DROPPED = r"vnet0 {}: dropped\n(.*\n)*.*server\.xml:3(.*\n)*"


def prepare(world):
    world.write("filters/server.xml", FILTER)
    world.write("b.json", json.dumps([{"port": "vnet0", "mac": MAC, "filter": "server"},
                                      {"port": "vnet1", "mac": MAC, "filter": "none"}]))
    world.write("none.pcap", b"")


def row(what, words, out="", **more):
    return Row(what, [OWN, "explain", "--bindings=b.json", *words], out=out, **more)


def bad(what, words, error):
    return row(what, words, error=error)


ROWS = [
    row("a new connection from port 22", ["vnet0", "out", TCP], DROPPED.format("out")),
    row("an answer from port 22", ["vnet0", "out", TCP, "--ct=est,rpl"], PASSES.format("out")),
    row("with a bar between the words", ["vnet0", "out", TCP, "--ct=est|rpl"],
        PASSES.format("out")),
    row("with trk among them", ["vnet0", "out", TCP, "--ct=trk,est,rpl"], PASSES.format("out")),
    row("the state in the flow", ["vnet0", "out", TCP + ",ct_state=trk|est|rpl"],
        PASSES.format("out")),
    row("an invalid packet", ["vnet0", "out", TCP, "--ct=inv"], DROPPED.format("out")),
    row("an answer, in bytes", ["vnet0", "out", HEX, "--ct=est,rpl"], PASSES.format("out")),
    row("bytes without blanks", ["vnet0", "out", HEX.replace(" ", "")], DROPPED.format("out")),
    row("towards the guest", ["vnet0", "in", "tcp,tp_dst=22"], PASSES.format("in")),
    row("the host's own", ["vnet0", "in", "in_port=LOCAL,tcp,tp_dst=23"],
        r"vnet0 in: passes\n(.*\n)*.*the host's own(.*\n)*"),
    row("as JSON", ["--format=json", "vnet0", "out", TCP], r"\{(.*\n)*\}\n",
        check=lambda out: None if json.loads(out)["verdict"] == "dropped" else out),

    bad("a state that is none", ["vnet0", "out", TCP, "--ct=old"],
        "--ct=old: old: unknown connection tracking state flag"),
    bad("states that contradict", ["vnet0", "out", TCP, "--ct=inv,est"], "--ct=inv,est: .*"),
    bad("no direction", ["vnet0", "up", TCP], '"up" is neither in nor out'),
    bad("half a frame", ["vnet0", "out", "0200"], ".*"),
    bad("a flow that is none", ["vnet0", "out", "tcp,nosuch=1"], ".*nosuch.*"),
    bad("an empty capture", ["vnet0", "out", "none.pcap"], "none.pcap: .*"),
    bad("no binding of the port", ["vnet9", "out", TCP], "b.json: no binding of vnet9"),
    bad("no filter", ["vnet1", "out", TCP], "vnet1: filter none: .*"),
    bad("--live and --bindings", ["vnet0", "out", TCP, "--live"],
        "--live asks the switch, --bindings does without it"),
]

if __name__ == "__main__":
    run(__file__, ROWS, prepare)
