#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""explain: which rules a packet meets.  A table of cases without a switch, with the binding out of
a file, and a few with a database of the test's own, which says what a port's VLANs are.

That the switch comes to the same is for the system tests and for "explain --live".
"""

import json
import os
import re
import shutil
import struct
import subprocess
import time

from cases import Row, run

GUEST, PEER, FORGED = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
KEYS = {"port", "direction", "verdict", "steps"}
STEP_KEYS = ["table", "cookie", "chain", "rule", "action", "result"]

# Line numbers count: a rule's place is the line of its <rule>.
FILTERS = {
    "web": """<filter name='web'>
<filterref filter='senders'/>
<rule action='drop' direction='out' priority='600'>
  <mac protocolid='0x88cc'/></rule>
<rule action='accept' direction='in'><tcp dstportstart='80'/></rule>
<rule action='accept' direction='in'><icmp type='8'/></rule>
<rule action='accept' direction='out' priority='600'>
  <tcp match='no' dstportstart='25'/></rule>
<rule action='accept' direction='in'><tcp-ipv6 dstportstart='80'/></rule>
<rule action='drop' direction='inout' priority='1000'><all/></rule>
<rule action='drop' direction='inout' priority='1000'><all-ipv6/></rule>
</filter>""",
    "senders": """<filter name='senders' chain='mac'>
<rule action='return' direction='out'><mac srcmacaddr='$MAC'/></rule>
<rule action='drop' direction='out'/>
</filter>""",
    "doubtful": """<filter name='doubtful'>
<rule action='drop' direction='out'><arp match='no' arpsrcipaddr='10.0.0.5'/></rule>
</filter>""",
    "sets": """<filter name='sets'>
<rule action='accept' direction='out'><ip srcipaddr='$IP' dstipaddr='$IP[@1]'/></rule>
<rule action='drop' direction='out'/>
</filter>""",
    "bad": "<filter name='bad'>\n"
           "<rule action='drop' direction='in'><stp type='1'/></rule></filter>",
}
BINDINGS = [
    {"port": "vnet0", "filter": "web", "mac": GUEST},
    {"port": "doubtful", "filter": "doubtful"},
    {"port": "sets", "filter": "sets",
     "parameters": {"IP": [f"10.0.{i}.1" for i in range(40)]}},
    {"port": "bad", "filter": "bad"},
    {"port": "none", "filter": "nosuch"},
    {"port": "unset", "filter": "web"},
]
XML = f"""<filterbinding><owner><name>vm</name></owner><portdev name='vnet0'/>
<mac address='{GUEST}'/><filterref filter='web'/></filterbinding>"""


def addresses(source=GUEST, destination=PEER):
    return f"dl_src={source},dl_dst={destination}"


def frame(ethertype, payload=b"", source=GUEST, destination=PEER):
    return (bytes.fromhex((destination + source).replace(":", "")) + struct.pack("!H", ethertype)
            + payload).ljust(60, b"\0")


def udp(source="10.0.0.5"):
    """IPv4 and UDP; checksums are not looked at."""
    address = bytes(int(part) for part in source.split("."))
    return (struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0) + address + bytes([10, 0, 0, 9])
            + struct.pack("!HHHH", 1000, 53, 8, 0))


def capture(*frames):
    text = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
    for data in frames:
        text += struct.pack("<IIII", 0, 0, len(data), len(data)) + data
    return text


LLDP = frame(0x88cc)


def prepare(world):
    for name, text in FILTERS.items():
        world.write(f"filters/{name}.xml", text)
    world.write("policy.json", json.dumps(BINDINGS))
    world.write("vnet0.xml", XML)
    world.write("two.pcap", capture(LLDP, frame(0x0800, udp())))
    world.write("cut.pcap", capture(LLDP)[:-10])
    world.write("empty.pcap", b"")
    world.write("text.pcap", "no capture at all, but long enough to have a header")
    os.mkdir(f"{world.dir}/folder.pcap")
    os.mkfifo(f"{world.dir}/fifo.pcap")


def words(*more, port="vnet0", direction="out", packet="arp", bindings="policy.json"):
    return ["--filter-dir={dir}/filters", "explain", f"--bindings={bindings}", *more, "--", port,
            direction, packet]


def good(what, verdict, *places, port="vnet0", direction="out", packet, ct=None, result=None):
    """The verdict, and the places of the rules that the packet meets."""
    def check(text):
        answer = json.loads(text)
        met = [os.path.basename(step["rule"]) for step in answer["steps"] if step["rule"]]
        if set(answer) != KEYS or [list(step) for step in answer["steps"]] != [
                STEP_KEYS] * len(answer["steps"]):
            return f"other keys: {answer}"
        if (answer["port"], answer["direction"]) != (port, direction):
            return f"for another: {answer}"
        if answer["verdict"] != verdict or met != list(places):
            return f"{answer['verdict']}, by {met}"
        if result and not any(re.search(result, step["result"]) for step in answer["steps"]):
            return f"goes {answer['steps']}"
        first = 10 if direction == "out" else 110
        tables = [step["table"] for step in answer["steps"]]
        if tables != sorted(set(tables)) or tables[0] not in (0, first):
            return f"by the tables {tables}"
        cookie = rf"0x6e7766{'11' if direction == 'out' else '12'}0001[0-9a-f]{{4}}"
        return None if tables == [0] or all(
            re.fullmatch(cookie, step["cookie"]) for step in answer["steps"]) else "other cookies"
    more = ["--format=json"] + ([f"--ct={ct}"] if ct is not None else [])
    return Row(what, words(*more, port=port, direction=direction, packet=packet), out=".*",
               check=check)


def bad(what, error, *more, **what_else):
    return Row(what, words(*more, **what_else), error=error)


ROWS = [
    # The Ethernet layer.
    good("its own address", "passes", packet="arp," + addresses()),
    good("a forged address", "dropped", "senders.xml:3", packet="arp," + addresses(FORGED)),
    good("a rule of root", "dropped", "web.xml:3", packet="dl_type=0x88cc," + addresses()),
    good("a tagged frame is no IP", "passes", packet="dl_vlan=5,tcp,tp_dst=25," + addresses()),
    good("to the guest", "passes", direction="in", packet="arp," + addresses(PEER, GUEST)),
    good("a group address", "dropped", packet="arp,dl_src=01:00:5e:00:00:01", result="group"),
    good("ARP that is not seen whole", "dropped", "doubtful.xml:2", port="doubtful",
         packet="arp", result="does not see"),
    good("no exception", "dropped", "doubtful.xml:2", port="doubtful",
         packet="arp,arp_op=1,arp_spa=10.0.0.6"),
    good("an exception", "passes", port="doubtful",
         packet="arp,arp_op=1,arp_spa=10.0.0.5"),
    good("in both sets", "passes", "sets.xml:2", port="sets",
         packet="ip,nw_src=10.0.3.1,nw_dst=10.0.39.1"),
    good("in one set", "dropped", "sets.xml:3", port="sets",
         packet="ip,nw_src=10.0.3.1,nw_dst=10.0.40.1"),

    # The IP layer.
    good("a connection in", "passes", "web.xml:5", direction="in",
         packet="tcp,tp_dst=80," + addresses(PEER, GUEST), result="begins a connection"),
    good("another packet of it", "passes", "web.xml:5", direction="in", ct="est",
         packet="tcp,tp_dst=80," + addresses(PEER, GUEST), result="^passes$"),
    good("an answer of it", "passes", "web.xml:5", ct="est,rpl",
         packet="tcp,tp_src=80,tp_dst=25," + addresses()),
    good("the same, in the words of ct_state", "passes", "web.xml:5", ct="est|rpl|trk",
         packet="tcp,tp_src=80,tp_dst=25," + addresses()),
    good("the same, in the packet's words", "passes", "web.xml:5",
         packet="ct_state=est|rpl|trk,tcp,tp_src=80,tp_dst=25," + addresses()),
    good("--ct comes before the packet's words", "dropped", "web.xml:10", ct="new",
         packet="ct_state=est|rpl|trk,tcp,tp_src=80,tp_dst=25," + addresses()),
    good("no answer", "dropped", "web.xml:10",
         packet="tcp,tp_src=80,tp_dst=25," + addresses()),
    good("a connection out", "passes", "web.xml:7", packet="tcp,tp_dst=443," + addresses(),
         result="begins a connection"),
    good("an invalid packet", "dropped", "web.xml:10", direction="in", ct="inv",
         packet="tcp,tp_dst=80," + addresses(PEER, GUEST)),
    good("IPv6", "passes", "web.xml:9", direction="in",
         packet="tcp6,tp_dst=80," + addresses(PEER, GUEST)),
    good("IPv6, dropped", "dropped", "web.xml:11", direction="in",
         packet="tcp6,tp_dst=81," + addresses(PEER, GUEST)),
    good("neighbour discovery is not tracked", "dropped", "web.xml:11",
         packet="icmp6,icmpv6_type=135," + addresses()),
    good("a ping", "passes", "web.xml:6", direction="in",
         packet="icmp,icmp_type=8," + addresses(PEER, GUEST)),
    good("no ping", "dropped", "web.xml:10", direction="in",
         packet="icmp,icmp_type=13," + addresses(PEER, GUEST)),
    good("from the host", "passes", direction="in",
         packet="in_port=LOCAL,tcp,tp_dst=81," + addresses(PEER, GUEST)),
    good("a later fragment of a tracked packet", "passes", "web.xml:5", direction="in",
         packet="tcp,nw_frag=later," + addresses(PEER, GUEST)),

    # Bytes.
    good("hexadecimal", "dropped", "web.xml:3", packet=LLDP.hex()),
    good("hexadecimal, capitals and spaces", "dropped", "web.xml:3",
         packet=LLDP.hex(" ").upper()),
    good("hexadecimal, a forged address", "dropped", "senders.xml:3",
         packet=frame(0x0806, source=FORGED).hex()),
    good("a capture", "dropped", "web.xml:3", packet="{dir}/two.pcap"),
    good("a capture's first", "dropped", "web.xml:3", packet="two.pcap:1"),
    good("a capture's second", "dropped", "web.xml:10", packet="two.pcap:2"),

    Row("as text", words(packet="dl_type=0x88cc," + addresses()),
        out=r"vnet0 out: dropped\ntable +chain +rule +action +result\n"
            r"10 +- +- +- +address is one of the rules', on to table 11\n"
            r"11 +- +- +- +on to table 12\n"
            r"12 +root +\S+web.xml:3 +drop +dropped\n"),
    Row("the binding as XML", words(packet="arp," + addresses(), bindings="vnet0.xml"),
        out=r"vnet0 out: passes\n.*"),

    # What is wrong with the words.
    bad("no direction", '"both" is neither in nor out', direction="both"),
    bad("an unknown port", "policy.json: no binding of vnet9", port="vnet9"),
    bad("a port of control characters", r"policy.json: no binding of a\\x1bb", port="a\x1bb"),
    bad("no bindings", "nosuch.json: No such file or directory", bindings="nosuch.json"),
    bad("a filter that does not compile", r"bad: filter bad: \S+bad.xml:2: type: .*STP frames",
        port="bad"),
    bad("no such filter", "none: filter nosuch: no such filter", port="none"),
    bad("a variable without a value", r"unset: filter web: .*unknown variable \$MAC",
        port="unset"),
    bad("both ways", "--live asks the switch, --bindings does without it", "--live"),
    Row("no packet", ["explain", "vnet0", "out"],
        error=r"usage: ovs-nwfilter explain IFACE in\|out PACKET"),
    bad("an unknown field", "x=1: unknown field x", packet="x=1"),
    bad("actions", r"arp,actions=drop: unknown field actions", packet="arp,actions=drop"),
    bad("no prerequisite", "nw_src=1.1.1.1: prerequisites not met.*", packet="nw_src=1.1.1.1"),
    bad("no value", r"ip,nw_src: bad value for nw_src.*", packet="ip,nw_src"),
    bad("a value too large", "tcp,tp_dst=99999: bad value for tp_dst .*",
        packet="tcp,tp_dst=99999"),
    bad("half a byte", "packet: .*", packet=LLDP.hex() + "0"),
    bad("hexadecimal, too short", "00112233: unknown field 00112233", packet="00112233"),
    bad("a packet that is no UTF-8", r'\\xff: unknown field \\xff', packet="\udcff"),
    bad("a packet of 100 kB", "x+.*", packet="x" * 100_000),
    bad("no capture", "nosuch.pcap: No such file or directory", packet="nosuch.pcap"),
    bad("a capture with too few", "two.pcap: has fewer packets", packet="two.pcap:3"),
    bad("a capture that is cut", r"cut.pcap: .+", packet="cut.pcap"),
    bad("an empty capture", r"empty.pcap: no capture", packet="empty.pcap"),
    bad("a text", "text.pcap: no capture", packet="text.pcap"),
    bad("a folder", "folder.pcap: no capture", packet="folder.pcap"),
    bad("a pipe", "fifo.pcap: no capture", packet="fifo.pcap"),
    bad("packet 0", "two.pcap:0: unknown field two.pcap", packet="two.pcap:0"),
    bad("an unknown state", "--ct=old: old: unknown connection tracking state flag", "--ct=old"),
    bad("no state", "--ct=: no connection tracking state", "--ct="),
    bad("nothing but tracked", "--ct=trk: no connection tracking state", "--ct=trk"),
    bad("states that exclude each other", "--ct=new,est: .+", "--ct=new,est"),
]


# ---- With a database. ----

PORTS = {  # name: (what is set on the Port, on the Interface)
    "eth0": ((), ("ofport=1",)),
    "vnet0": (("tag=7",), ("ofport=5", "external_ids:nwfilter=web",
                           f"external_ids:attached-mac=\"{GUEST}\"")),
    "vnet1": (("trunks=7,8",), ("ofport=6", "external_ids:nwfilter=web",
                                f"external_ids:attached-mac=\"{GUEST}\"")),
    "bad": ((), ("ofport=7", "external_ids:nwfilter=nosuch")),
    "vnet3": ((), ("ofport=8", f"external_ids:attached-mac=\"{PEER}\"")),
}
LIVE_ROWS = [
    ("untagged into an access port", ["vnet0", "out", "arp," + addresses()], 0,
     r"vnet0 out: passes\n.*"),
    ("tagged into an access port", ["vnet0", "out", "dl_vlan=7,arp," + addresses()], 0,
     r"vnet0 out: dropped\n.*\n0 .*does not belong to this VLAN\n"),
    ("a VLAN of a trunk", ["vnet1", "out", "dl_vlan=8,arp," + addresses()], 0,
     r"vnet1 out: passes\n.*"),
    ("another VLAN of a trunk", ["vnet1", "out", "dl_vlan=9,arp," + addresses()], 0,
     r"vnet1 out: dropped\n.*\n0 .*does not belong to this VLAN\n"),
    ("a trusted port", ["eth0", "out", "arp"], 1, "eth0 is trusted"),
    ("a filter that is not there", ["bad", "out", "arp"], 1, "bad: filter nosuch: no such filter"),
    ("an identity without a filter", ["vnet3", "in", "arp"], 1,
     "vnet3 is quarantined: no filter is bound to this virtual machine's port; "
     'run "ovs-nwfilter bind"'),
    ("an unknown port", ["vnet9", "in", "arp"], 1, "vnet9: no such interface"),
]


def wait_for(path):
    for _ in range(500):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    raise TimeoutError(path)


def fill(socket):
    commands = ["--", "add-br", "br0", "--", "set", "Bridge", "br0",
                "external_ids:nwfilter=enforce"]
    for name, (port, interface) in PORTS.items():
        commands += ["--", "add-port", "br0", name]
        commands += ["--", "set", "Port", name, *port] if port else []
        commands += ["--", "set", "Interface", name, *interface]
    subprocess.run(["ovs-vsctl", f"--db=unix:{socket}", "--no-wait", *commands], check=True)


def with_database(world, check):
    if not os.path.exists(SCHEMA) or not shutil.which("ovsdb-server"):
        print("skipped: what needs a database; ovsdb-server is not there")
        return
    socket, database = f"{world.dir}/run/db.sock", f"{world.dir}/conf.db"
    subprocess.run(["ovsdb-tool", "create", database, SCHEMA], check=True)
    server = subprocess.Popen(["ovsdb-server", f"--remote=punix:{socket}", "--unixctl=none",
                               "-vconsole:off", database], env=world.env)
    try:
        wait_for(socket)
        fill(socket)
        for what, line, status, pattern in LIVE_ROWS:
            check(what, world.wrong(Row(
                what, ["--filter-dir={dir}/filters", "explain", *line],
                **({"error": pattern} if status else {"out": pattern}))))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    run(__file__, ROWS, prepare=prepare, more=with_database)
