#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""filter list, show, check, define and undefine, on folders of the test's own."""

import json
import os
import subprocess

from cases import PROGRAM, STOCK, Row, run

GOOD = """<!-- kept as it is -->
<filter name='good' chain='ipv4' priority='-700'>
  <rule action='accept' direction='out'><ip srcipaddr='$IP' dstipaddr='$DST[@1]'/></rule>
</filter>
"""
LOOP = "<filter name='loop'><filterref filter='loop'/></filter>"
OWN = "--filter-dir={dir}/own"
NO_NAME = r'is not a filter\'s name: it may have up to 128 letters, digits, "_", "\." and "-"'
MISNAMED = "  {0}: note: only a file called new.xml is found as the filter new\n"
MASKS = (r"  [^\n]*: note: a guest that makes up addresses and ports can leave about [0-9]+ masks in "
         "the datapath's cache, which slows down everybody's packets\n")
UNREACHED = "note: nothing reaches this rule: others before it decide, .*\n"
DEFINED = "{dir}/etc/ovs-nwfilter/filters"

# Line 8 is reached: what stands before it may be other ports.
HIDDEN = """<filter name='hidden'>
<rule action='drop' direction='in'><ip protocol='udp'/></rule>
<!-- Taken by the first. -->
<rule action='accept' direction='in'><ip protocol='udp' dstportstart='53'/></rule>
<!-- Taken by it whatever $P is. -->
<rule action='accept' direction='in'><ip protocol='udp' dstportstart='$P'/></rule>
<rule action='drop' direction='in'><ip protocol='tcp' dstportstart='$P'/></rule>
<rule action='accept' direction='in'><ip protocol='tcp' dstportstart='0'/></rule>
<rule action='drop' direction='in' priority='1000'/>
<rule action='accept' direction='in' priority='1000'><arp/></rule>
</filter>
"""
FILES = {
    "own/good.xml": GOOD,
    "own/loop.xml": LOOP,
    "own/broken.xml": "<filter name='broken'>\n<rule/></filter>",
    "own/misnamed.xml": "<filter name='other'/>",
    "own/not-xml.xml": "\n\nno XML",
    "own/odd name.xml": "<filter name='odd'/>",
    "own/README": "no filter",
    "good.xml": GOOD.replace("good", "new"),
    "again.xml": "<filter name='new'/>",
    "dangling.xml": "<filter name='dangling'>\n<filterref filter='nosuch'/></filter>",
    "inside.xml": "<filter name='inside'>\n"
                  "<rule action='drop' direction='in'><stp type='0'/></rule></filter>",
    "no-room.xml": "<filter name='no-room'>\n<rule action='drop' direction='in'>"
                   "<flow match='vlan_tci=0x2000/0xe000'/></rule></filter>",
    "large.xml": "<filter name='large'>\n<rule action='drop' direction='in'>"
                 "<flow match='arp,arp_op=256'/></rule></filter>",
    "empty.xml": "",
    "above.xml": "<filter name='above'><filterref filter='below'/></filter>",
    "below.xml": "<filter name='below'><rule action='drop' direction='in'>"
                 "<tcp dstportstart='$PORT'/></rule></filter>",
}


NO_ROOM = 'filter no-room: no-room.xml:2: match: OpenFlow has no room for it: a switch would get ' \
    '"" in the place of "vlan_tci=0x2000/0xe000"'


def prepare(world):
    for name, text in FILES.items():
        world.write(name, text)
    os.mkfifo(f"{world.dir}/own/fifo.xml")
    os.mkfifo(f"{world.dir}/fifo")


def listed(expected):
    """A check of a JSON list's rows by their names."""
    def check(text):
        rows = {row["name"]: row for row in json.loads(text)}
        for name, want in expected.items():
            row = rows.get(name)
            if want is None and row:
                return f"{name} is listed: {row}"
            if want and (not row or set(row) != {"name", "chain", "file"} or row["chain"] != want[0]
                         or want[1] not in row["file"]):
                return f"{name} is listed as {row}, not {want}"
        names = [row["name"] for row in json.loads(text)]
        return None if names == sorted(set(names)) else f"not in order: {names}"
    return check


def stock_is_listed(text):
    heading, *lines = text.splitlines()
    if heading.split() != ["name", "chain", "file"]:
        return f"heading: {heading}"
    names = {line.split()[0] for line in lines}
    missing = {name.removesuffix(".xml") for name in os.listdir(STOCK)} - names
    return f"not there: {missing}" if missing else None


ROWS = [
    Row("list: the stock filters", ["filter", "list"], out=".+", check=stock_is_listed),
    Row("list: a folder of one's own, and what is wrong in it",
        [OWN, "--format=json", "filter", "list"], out=".+", check=listed({
            "good": ("ipv4", "/own/good.xml"), "broken": ("", "/own/broken.xml:2: "),
            "misnamed": ("", 'instead of "misnamed"'), "not-xml": ("", "/own/not-xml.xml:"),
            "fifo": ("", "not a regular file"), "odd name": None, "README": None,
            "loop": ("root", "/own/loop.xml"), "no-such": None})),
    Row("list: a missing folder", ["--filter-dir={dir}/nosuch", "filter", "list"], out=".+",
        check=stock_is_listed),

    Row("show", [OWN, "filter", "show", "good"], out=".*",
        check=lambda text: None if text == GOOD else text),
    Row("show: none", [OWN, "filter", "show", "nosuch"], error="filter nosuch: no such filter"),
    Row("show: a broken one", [OWN, "filter", "show", "broken"],
        error="filter broken: {dir}/own/broken.xml:2: .*"),
    Row("show: a name that leads elsewhere", [OWN, "filter", "show", "../good"],
        error=rf'filter \.\./good: "\.\./good" {NO_NAME}'),
    Row("show: an empty name", [OWN, "filter", "show", ""],
        error=rf'filter : "" {NO_NAME}'),

    Row("check: a name", [OWN, "filter", "check", "good"], out="good: good; needs DST, IP\n"),
    Row("check: a file that has another name", [OWN, "filter", "check", "./good.xml"],
        out="new: good; needs DST, IP\n" + MISNAMED.format("./good.xml")),
    Row("check: a file that has its filter's name", [OWN, "filter", "check", "own/good.xml"],
        out="good: good; needs DST, IP\n"),
    Row("check: standard input", [OWN, "filter", "check", "-"], stdin=GOOD,
        out="good: good; needs DST, IP\n"),
    Row("check: several", [OWN, "filter", "check", "good", "again.xml"],
        out="good: good; needs DST, IP\nnew: good\n" + MISNAMED.format("again.xml")),
    Row("check: files that refer to each other", [OWN, "filter", "check", "above.xml", "below.xml"],
        out="above: good; needs PORT\nbelow: good; needs PORT\n"),
    Row("check: one of them alone", [OWN, "filter", "check", "above.xml"],
        error="filter above: above.xml:1: filter below: no such filter"),
    Row("check: a broken one among them", [OWN, "filter", "check", "above.xml", "empty.xml",
                                           "below.xml"], status=1,
        out="above: good; needs PORT\nbelow: good; needs PORT\n",
        error="ovs-nwfilter: empty.xml:[^\n]*\n"),
    Row("check: two files with one filter", [OWN, "filter", "check", "again.xml", "good.xml"],
        out="new: good\n" + MISNAMED.format("again.xml"), status=1,
        error="ovs-nwfilter: good.xml: the filter new is there already, out of again.xml\n"),
    Row("check: what nothing reaches", [OWN, "filter", "check", "-"], stdin=HIDDEN,
        out=f"hidden: good; needs P\n  -:4: {UNREACHED}  -:6: {UNREACHED}  -:10: {UNREACHED}"),
    Row("check: a negated list", [OWN, "filter", "check", "-"], stdin="<filter name='n'>"
        "<rule action='drop' direction='out'><ip match='no' srcipaddr='$IP'/></rule></filter>",
        out="n: good; needs IP\n  -:1: note: match='no' with a list .* everything matches\n"),
    Row("check: port 0", [OWN, "filter", "check", "-"], stdin="<filter name='n'>"
        "<rule action='accept' direction='in'><udp dstportstart='0'/></rule></filter>",
        out="n: good\n  -:1: note: Open vSwitch's userspace datapath takes port 0 for invalid.*\n"),
    Row("check: a request with a code", [OWN, "filter", "check", "-"], stdin="<filter name='n'>"
        "<rule action='drop' direction='in'><icmp type='13' code='1' state='NEW'/></rule></filter>",
        out="n: good\n  -:1: note: Open vSwitch's .* takes such a request for invalid.*\n"),
    Row("check: an element that is called otherwise", [OWN, "filter", "check", "-"],
        stdin="<filter name='n'><rule action='drop' direction='in'><icmp-ipv6/></rule></filter>",
        error="-:1: unknown element <icmp-ipv6>; did you mean <icmpv6>"),
    Row("check: an attribute that is called otherwise", [OWN, "filter", "check", "-"],
        stdin="<filter name='n'><rule action='drop' direction='in'><ip srcipadr='1.1.1.1'/></rule>"
        "</filter>", error="-:1: <ip> has no attribute srcipadr; did you mean srcipaddr"),
    Row("check: an element like no other", [OWN, "filter", "check", "-"],
        stdin="<filter name='n'><rule action='drop' direction='in'><connection/></rule></filter>",
        error="-:1: unknown element <connection>"),
    Row("check: a name with a colon", [OWN, "filter", "check", "-"], stdin="<filter name='a:b'/>",
        error=f'-:1: "a:b" {NO_NAME}'),
    Row("check: a list in one parameter", [OWN, "filter", "check", "-"], stdin="<filter name='n'>"
        "<filterref filter='good'><parameter name='IP' value='10.0.0.5 10.0.0.6'/></filterref>"
        "</filter>", error='-:1: variable IP: "10.0.0.5 10.0.0.6" is not a value: '
        "a list is written as a <parameter> for each of its values"),
    Row("check: flags that no packet has", [OWN, "filter", "check", "-"], stdin="<filter name='n'>"
        "<rule action='drop' direction='in'><tcp flags='SYN/ALL'/></rule></filter>",
        error='-:1: flags: "SYN/ALL" is not a pair that any packet matches: the flags behind the '
        "slash, which must be set, must be among those before it, which are looked at"),
    Row("check: bad ones among good ones", [OWN, "filter", "check", "loop", "good", "nosuch"],
        out="good: good; needs DST, IP\n", status=1,
        error="ovs-nwfilter: filter loop: {dir}/own/loop.xml:1: [^\n]*\n"
              "ovs-nwfilter: filter nosuch: no such filter\n"),
    Row("check: a reference to nothing", [OWN, "filter", "check", "dangling.xml"],
        error=".*dangling.xml:2: .*nosuch.*"),
    Row("check: what OpenFlow cannot say", [OWN, "filter", "check", "inside.xml"],
        error="filter inside: inside.xml:2: type: .*STP.*"),
    Row("check: what OpenFlow has no room for", [OWN, "filter", "check", "no-room.xml"],
        error=NO_ROOM),
    Row("check: what a field has no room for", [OWN, "filter", "check", "large.xml"],
        error='filter large: large.xml:2: match: arp_op: "256" is out of range'),
    Row("check: a missing file", [OWN, "filter", "check", "nosuch.xml"],
        error="nosuch.xml: No such file or directory"),
    Row("check: a FIFO", [OWN, "filter", "check", "./fifo"], error="./fifo: not a regular file"),
    Row("check: half a character of UTF-16", [OWN, "filter", "check", "-"],
        stdin="\ufeff<filter name='wide'>".encode("utf-16-le") + b"n\xd8=\0" * 20,
        error="-:.*"),
    Row("check: an empty file", [OWN, "filter", "check", "empty.xml"], error="empty.xml:.*"),
    Row("check: every stock filter", ["--filter-dir={stock}", "filter", "check", *sorted(
        name.removesuffix(".xml") for name in os.listdir(STOCK))],
        out="([a-z0-9-]+: good[^\n]*\n(  [^\n]*: note: <flow> is not of libvirt's language\n)*"
            f"({MASKS})?){{{len(os.listdir(STOCK))}}}"),
    Row("check: rules that multiply", [OWN, "filter", "check", "-"], stdin="<filter name='n'>"
        "<rule action='accept' direction='out'><ip dstipaddr='192.0.2.7'/></rule>"
        "<rule action='accept' direction='out'>"
        "<ip protocol='udp' dstportstart='1001' dstportend='2222'/></rule>"
        "<rule action='drop' direction='out'/></filter>",
        out="n: good\n" + MASKS.replace("[0-9]+", "561")),
    Row("check: a port that is compared", [OWN, "filter", "check", "-"], stdin="<filter name='n'>"
        "<rule action='accept' direction='out'><ip dstipaddr='192.0.2.7'/></rule>"
        "<rule action='accept' direction='out'><ip protocol='udp' dstportstart='53'/></rule>"
        "<rule action='drop' direction='out'/></filter>", out="n: good\n"),
    Row("check: a rule that does not", [OWN, "filter", "check", "-"], stdin="<filter name='n'>"
        "<rule action='accept' direction='out'><ip dstipaddr='192.0.2.7' protocol='udp' "
        "dstportstart='53'/></rule><rule action='drop' direction='out'/></filter>",
        out="n: good\n"),

    Row("define: a missing file", ["filter", "define", "nosuch.xml"],
        error="nosuch.xml: No such file or directory"),
    Row("define: what OpenFlow has no room for", ["filter", "define", "no-room.xml"],
        error=NO_ROOM),
    Row("define: a reference to nothing", ["filter", "define", "dangling.xml"],
        error=".*dangling.xml:2: .*nosuch.*"),
    Row("define: a reference to itself", ["filter", "define", "own/loop.xml"], error=".*loop.*"),
    Row("undefine: before any was defined", ["filter", "undefine", "new"],
        error=f"filter new: not defined in {DEFINED}"),
    Row("define", ["filter", "define", "good.xml"],
        out=f"new: defined in {DEFINED}/new.xml; sync puts it in force\n"),
    Row("define: it is found then", ["filter", "show", "new"], out=".*kept as it is.*name='new'.*"),
    Row("define: it is used then", ["filter", "check", "new"], out="new: good; needs DST, IP\n"),
    Row("--filter-dir comes first", [OWN, "filter", "check", "new"],
        out="new: good; needs DST, IP\n"),
    Row("define: in place of the old one", ["filter", "define", "-"], stdin=FILES["again.xml"],
        out=f"new: defined in {DEFINED}/new.xml; sync puts it in force\n"),
    Row("define: the old one is gone", ["filter", "show", "new"], out="<filter name='new'/>"),
    Row("define: a bad one leaves the old one", ["filter", "define", "-"],
        stdin="<filter name='new'><rule/></filter>", error="-:1: .*"),
    Row("define: it is still there", ["filter", "show", "new"], out="<filter name='new'/>"),
    Row("undefine: a name that leads elsewhere", ["filter", "undefine", "../filters/new"],
        error=rf'"\.\./filters/new" {NO_NAME}'),
    Row("undefine: nobody can tell who uses it", ["--db=tcp:127.0.0.1:1", "filter", "undefine", "new"],
        error="filter new: cannot tell whether a port is bound to it: "
              "OVSDB tcp:127.0.0.1:1: Connection refused"),
    Row("undefine", ["filter", "undefine", "new"]),
    Row("undefine: it is gone", ["filter", "undefine", "new"],
        error=f"filter new: not defined in {DEFINED}"),
    Row("undefine: a stock filter", ["filter", "undefine", "clean-traffic"],
        error=f"filter clean-traffic: not defined in {DEFINED}"),
]


def more(world, check):
    check("nothing is left of filters that were undefined",
          os.listdir(f"{world.dir}/etc/ovs-nwfilter/filters"))
    check_closed(world, check)
    world.env["OVS_SYSCONFDIR"] = f"{world.dir}/good.xml"
    check("define: a file where a folder has to be", world.wrong(
        Row("", ["filter", "define", "good.xml"], error="{dir}/good.xml.*: Not a directory")))


def check_closed(world, check):
    """Descriptors 0, 1 and 2 closed, in any combination: the file that is written is the filter,
    and no message gets into it."""
    for closed in ("<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        subprocess.run(["/bin/sh", "-c", f'exec "$0" filter define good.xml {closed}', PROGRAM],
                       env=world.env, cwd=world.dir, capture_output=True)
        with open(f"{world.dir}/etc/ovs-nwfilter/filters/new.xml") as file:
            check(f"define with {closed}", (text := file.read()) != FILES["good.xml"] and text)
        world.call("filter", "undefine", "new")


if __name__ == "__main__":
    run(__file__, ROWS, prepare, more)
