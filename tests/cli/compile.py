#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""compile: bindings in, flows out that ovs-ofctl(8) takes, or one line that says what is wrong.

What the flows are is the golden tests' affair; here it is files, options and errors.
"""

import json
import os
import subprocess

from cases import Row, run

MAC = "52:54:00:00:00:01"
XML = f"""<filterbinding>
  <owner><name>vm</name></owner>
  <portdev name='vnet0'/>
  <mac address='{MAC}'/>
  <filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.1'/></filterref>
</filterbinding>
"""
ONE = {"port": "vnet0", "mac": MAC, "filter": "clean-traffic", "parameters": {"IP": "10.0.0.1"}}
TWO = ONE | {"port": "vnet1", "mac": "52:54:00:00:00:02"}
STOCK = "--filter-dir={stock}"
OWN = "--filter-dir={dir}/filters"
PORT = "--ofport=vnet0=5"
FLOWS = r"cookie=0x6e7766[0-9a-f]{10},table=0,.*\n"


def prepare(world):
    texts = {
        "one.xml": XML, "one.json": json.dumps([ONE]), "two.json": json.dumps([ONE, TWO]),
        "more.json": json.dumps([TWO]), "again.json": json.dumps([TWO, ONE, TWO]), "empty": "",
        "none.json": "[]", "half.json": '[{"port": "vnet0",\n "filter"', "object.json": "{}",
        "deep.json": "[" * 50_000, "half.xml": "<filterbinding>\n<portdev name='vnet0'",
        "network.xml": "\n<network/>", "filter.xml": "<filter name='x'/>",
        "doctype.xml": "<!DOCTYPE x [<!ENTITY e SYSTEM 'one.json'>]><filterbinding>&e;",
        "huge.json": " " * (16 << 20) + "[]", "huge.xml": "<a>" + " " * (1 << 20) + "</a>",
        "nul.json": b"[\0]", "latin1.json": b'[{"port": "\xe9"}]',
        "filters/no-room.xml": "<filter name='no-room'>\n<rule action='drop' direction='in'>"
                               "<flow match='vlan_tci=0x2000/0xe000'/></rule></filter>",
        "filters/loop.xml": "<filter name='loop'><filterref filter='loop'/></filter>",
        "filters/bad.xml": "<filter name='bad'>\n<rule action='accept' direction='out'>\n"
                           "<ip srcipaddr='$IPX'/></rule></filter>",
        "filters/host-bits.xml": "<filter name='host-bits'><rule action='accept' direction='out'>"
                                 "\n<ip srcipaddr='10.0.0.1/24'/></rule></filter>",
        "filters/outer.xml": "<filter name='outer'>\n<filterref filter='bad'/></filter>",
    }
    for name, text in texts.items():
        world.write(name, text)
    os.mkfifo(f"{world.dir}/fifo")
    os.symlink("/dev/zero", f"{world.dir}/device")
    os.symlink("nowhere", f"{world.dir}/dangling")


def with_filter(name):
    return json.dumps([ONE | {"filter": name}])


def policy(**changes):
    return json.dumps([{key: value for key, value in (ONE | changes).items() if value is not None}])


def refused_by_ofctl(text):
    done = subprocess.run(["ovs-ofctl", "-OOpenFlow13,OpenFlow14,OpenFlow15", "parse-flows", "-"],
                          input=text, text=True, capture_output=True)
    return done.stderr if done.returncode else None


def good(what, words, stdin=""):
    return Row(what, [STOCK, "compile", *words], out=FLOWS, stdin=stdin, check=refused_by_ofctl)


def bad(what, words, error, stdin=""):
    return Row(what, [STOCK, "compile", *words], error=error, stdin=stdin)


def bad_policy(what, text, error):
    return bad(what, [PORT, "-"], "standard input: " + error, stdin=text)


ROWS = [
    good("a <filterbinding>", [PORT, "one.xml"]),
    good("a JSON policy", [PORT, "one.json"]),
    good("standard input, JSON", [PORT, "-"], stdin=json.dumps([ONE])),
    good("standard input, XML behind a blank line", [PORT, "-"], stdin="\n " + XML),
    good("two files", [PORT, "--ofport=vnet1=6", "one.xml", "more.json"]),
    good("no guest at all", ["none.json"]),
    good("an access port of VLAN 0", [PORT, "--tag=vnet0=0", "one.xml"]),
    good("options behind the files", ["one.xml", "--ofport", "vnet0=5"]),
    good("a number in hexadecimal", ["--ofport=vnet0=0x5", "one.xml"]),
    good("all options", [PORT, "--ofport=vnet1=6", "--ofport=eth0=1", "--ofport=eth1=2", "--audit",
                         "--forward-bpdu", "--trusted=eth0,eth1", "--tag=vnet0=5",
                         "--trunks=vnet1=0,5,4095", "two.json"]),

    bad("no number", ["one.xml"], "vnet0: its OpenFlow number is needed: --ofport vnet0=N"),
    bad("no number of a trusted port", [PORT, "--trusted=eth0", "one.xml"],
        "eth0: its OpenFlow number is needed: --ofport eth0=N"),
    bad("a number of two ports", [PORT, "--ofport=vnet1=5", "two.json"],
        "vnet[01] and vnet[01] have one OpenFlow number"),
    bad("a trusted port that is a guest", [PORT, "--trusted=vnet0", "one.xml"],
        "vnet0 and vnet0 have one OpenFlow number"),
    bad("number 0", ["--ofport=vnet0=0", "one.xml"],
        "--ofport=vnet0=0: not a number from 1 to 65279"),
    bad("a number past the last", ["--ofport=vnet0=65280", "one.xml"],
        "--ofport=vnet0=65280: not a number from 1 to 65279"),
    bad("a number that is none", ["--ofport=vnet0=5x", "one.xml"],
        "--ofport=vnet0=5x: not a number from 1 to 65279"),
    bad("an empty number", ["--ofport=vnet0=", "one.xml"],
        "--ofport=vnet0=: not a number from 1 to 65279"),
    bad("a number for no port", [PORT, "--ofport=vnet9=9", "one.xml"],
        "--ofport=vnet9=9: there is no such port"),
    bad("a number without a port", [PORT, "--ofport=6", "one.xml"],
        "--ofport=6: there is no such port"),
    bad("a VLAN for no port", [PORT, "--tag=vnet9=9", "one.xml"],
        "--tag=vnet9=9: there is no such port"),
    bad("trunks for no port", [PORT, "--trunks=vnet9=9", "one.xml"],
        "--trunks=vnet9=9: there is no such port"),
    bad("VLAN -1", [PORT, "--tag=vnet0=-1", "one.xml"],
        "--tag=vnet0=-1: not a number from 0 to 4095"),
    bad("VLAN 4096", [PORT, "--tag=vnet0=4096", "one.xml"],
        "--tag=vnet0=4096: not a number from 0 to 4095"),
    bad("a trunk of VLAN 4096", [PORT, "--trunks=vnet0=1,4096", "one.xml"],
        "--trunks=vnet0=1,4096: not VLANs"),
    bad("a trunk of no VLAN", [PORT, "--trunks=vnet0=", "one.xml"], "--trunks=vnet0=: not VLANs"),

    bad("a missing file", [PORT, "nosuch"], "nosuch: No such file or directory"),
    bad("an empty name", [PORT, ""], ": No such file or directory"),
    bad("a name of 5000 letters", [PORT, "x" * 5000], r"x+\.\.\."),
    bad("a folder", [PORT, "run"], "run: not a regular file"),
    bad("a FIFO that nobody writes to", [PORT, "fifo"], "fifo: not a regular file"),
    bad("a device without an end", [PORT, "device"], "device: not a regular file"),
    bad("a link to nowhere", [PORT, "dangling"], "dangling: No such file or directory"),
    bad("16 MiB and more", [PORT, "huge.json"], "huge.json: larger than 16777216 bytes"),
    bad("XML of more than 1 MiB", [PORT, "huge.xml"], "huge.xml: larger than 1048576 bytes"),
    bad("an empty file", [PORT, "empty"], "empty:1: '\\[' or '{' expected near end of file"),
    bad("half a policy", [PORT, "half.json"], "half.json:2: .*"),
    bad("an object in place of a list", [PORT, "object.json"], "object.json: not an array .*"),
    bad("50,000 lists in each other", [PORT, "deep.json"], "deep.json:1: .*depth.*"),
    bad("a NUL character", [PORT, "nul.json"], "nul.json:1: .*"),
    bad("no UTF-8", [PORT, "latin1.json"], "latin1.json:1: unable to decode byte 0xe9 .*"),
    bad("half a <filterbinding>", [PORT, "half.xml"], "half.xml:2: .*"),
    bad("some other document", [PORT, "network.xml"],
        "network.xml:2: <network> is not <filterbinding>"),
    bad("a filter in place of a binding", [PORT, "filter.xml"],
        "filter.xml:1: <filter> is not <filterbinding>"),
    bad("a document type", [PORT, "doctype.xml"],
        "doctype.xml: document type declarations are refused"),
    bad("a good file and a bad one", [PORT, "one.xml", "nosuch"],
        "nosuch: No such file or directory"),
    bad("a port in two files", [PORT, "one.xml", "one.json"],
        "one.json: port vnet0 is bound twice"),
    bad("a port twice in a file", [PORT, "again.json"], "again.json: port vnet1 is bound twice"),

    bad_policy("no port", policy(port=None), 'binding 0: "port" is missing'),
    bad_policy("no filter", policy(filter=None), 'binding 0, port vnet0: "filter" is missing'),
    bad_policy("an unknown key", policy(trusted="x"), "binding 0, port vnet0: .*trusted.*"),
    bad_policy("a number for a name", policy(port=5), "binding 0: port: not a string"),
    bad_policy("a number for a value", policy(parameters={"IP": 5}),
               "binding 0, port vnet0: parameters: IP: neither a string nor a list of strings"),
    bad_policy("a value with a letter that none has", policy(parameters={"IP": "10.0.0.1;"}),
               "binding 0, port vnet0: parameters: .*10.0.0.1;.*"),
    bad_policy("a port with control characters", policy(port="v\x1b[31m\n", filter=None),
               r'binding 0, port v\\x1b\[31m\\x0a: "filter" is missing'),

    bad("an unknown filter", [PORT, "-"], "vnet0: filter nosuch: no such filter",
        stdin=with_filter("nosuch")),
    bad("a filter's name that leads elsewhere", [PORT, "-"],
        r'vnet0: filter \.\./one: "\.\./one" is not a filter\'s name: it may have .*',
        stdin=with_filter("../one")),
    bad("clean-traffic without an address", [PORT, "-"], r"vnet0: filter clean-traffic: "
        r".*no-(arp-)?ip-spoofing\.xml:\d+: unknown variable \$IP: the binding has no value for it, and "
        r"addresses are not learned: bind with IP=ADDRESS",
        stdin=policy(filter="clean-traffic", parameters=None)),
    bad("a variable that is missing", [PORT, "-"],
        "vnet0: filter clean-traffic: {stock}/no-arp-ip-spoofing.xml:[0-9]+: .*IP.*",
        stdin=policy(parameters={})),
    bad("a variable with an empty list", [PORT, "-"],
        "vnet0: filter clean-traffic: {stock}/no-arp-ip-spoofing.xml:[0-9]+: .*IP.*",
        stdin=policy(parameters={"IP": []})),
    bad("an address that is none", [PORT, "-"],
        "vnet0: filter clean-traffic: .*xml:[0-9]+: .*10.0.0.256.*",
        stdin=policy(parameters={"IP": "10.0.0.256"})),
    bad("a host's address with its network's length", [PORT, "-"],
        r'vnet0: filter clean-traffic: .*xml:[0-9]+: .*: \$IP: "10.0.0.1/24" is neither an address '
        "nor a network: write 10.0.0.1 or 10.0.0.0/24",
        stdin=policy(parameters={"IP": "10.0.0.1/24"})),
    bad("one of many", [PORT, "-"], "vnet0: .*write 10.0.0.1 or 10.0.0.0/24",
        stdin=policy(parameters={"IP": [f"10.0.1.{i}" for i in range(40)] + ["10.0.0.1/24"]})),
    bad("the same in XML", [PORT, "-"], "vnet0: .*write 10.0.0.1 or 10.0.0.0/24",
        stdin=XML.replace("10.0.0.1", "10.0.0.1/24")),
    bad("the same of IPv6", [PORT, "-"], "vnet0: .*write 2001:db8::5 or 2001:db8::/64",
        stdin=policy(filter="no-ipv6-spoofing", parameters={"IPV6": "2001:db8::5/64"})),
    Row("the same in a filter", [OWN, "compile", PORT, "-"], stdin=with_filter("host-bits"),
        error=r"vnet0: filter host-bits: {dir}/filters/host-bits.xml:2: srcipaddr: "
              r'"10.0.0.1/24" is neither an address nor a network: write 10.0.0.1 or 10.0.0.0/24'),
    good("a network", [PORT, "-"], stdin=policy(parameters={"IP": "10.0.0.0/24"})),
    bad("a group address for a MAC", [PORT, "-"],
        "vnet0: variable MAC: 01:00:5e:00:00:01 is a group address",
        stdin=policy(mac="01:00:5e:00:00:01")),
    Row("a filter with what OpenFlow has no room for", [OWN, "compile", PORT, "-"],
        stdin=with_filter("no-room"),
        error="vnet0: filter no-room: {dir}/filters/no-room.xml:2: match: OpenFlow has no room .*"),
    Row("a filter that refers to itself", [OWN, "compile", PORT, "-"], stdin=with_filter("loop"),
        error="vnet0: filter loop: {dir}/filters/loop.xml:1: .*"),
    Row("an error in a filter that another refers to", [OWN, "compile", PORT, "-"],
        stdin=with_filter("outer"),
        error=r"vnet0: filter outer: .*{dir}/filters/bad.xml:3: .*\$IPX"),
]


def more(world, check):
    def compiled(*words):
        return world.call("--filter-dir={stock}", "compile", *words)

    status, out, _ = both = compiled(PORT, "one.xml")
    check("XML and JSON are the same", (both != compiled(PORT, "one.json") or status) and "not")
    lines = out.splitlines()
    check("no flow is there twice", len(lines) != len(set(lines)) and "one is")
    check("the order of files does not matter",
          compiled(PORT, "--ofport=vnet1=6", "one.xml", "more.json")
          != compiled("--ofport=vnet1=6", PORT, "more.json", "one.xml") and "it does")
    # More than fits into a buffer: the error comes before the last write.
    with open("/dev/full", "w") as full:
        status, _, err = world.call("--filter-dir={stock}", "compile", PORT, "one.xml",
                                    capture_output=False, stdout=full, stderr=subprocess.PIPE)
    check("a full device", (status, err) != (
        1, "ovs-nwfilter: standard output: No space left on device\n") and (status, err))


if __name__ == "__main__":
    run(__file__, ROWS, prepare, more)
