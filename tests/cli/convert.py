#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hook convert, from files and standard input, and what --check says without a switch.

What a conversion makes of whole domains is tests/golden/convert.py's.
"""

import json
import os

from cases import Row, run

OURS = '<ports xmlns="urn:ovs-nwfilter:domain:1">'
UUID = "0d7b53b5-6f8f-4f5e-9d0a-0d1b0a5f0001"


def nic(i, inside="", kind="<virtualport type='openvswitch'/>", bridge="br0"):
    return (f"<interface type='bridge'><mac address='52:54:00:aa:bb:0{i}'/>"
            f"<source bridge='{bridge}'/>{kind}{inside}</interface>\n")


def ref(name, **variables):
    return f"<filterref filter='{name}'>" + "".join(
        f"<parameter name='{key}' value='{value}'/>" for key, value in variables.items()
    ) + "</filterref>"


def port(i, text):
    return f"<port mac='52:54:00:aa:bb:0{i}'>{text}</port>\n"


def domain(nics, ports=""):
    """Ports begin in line 2, and interfaces in line 4, or further down behind several ports."""
    metadata = f"<metadata>{OURS}\n{ports}</ports></metadata>" if ports else "\n\n"
    return (f"<domain><name>web</name><uuid>{UUID}</uuid>{metadata}<devices>\n{nics}"
            "</devices></domain>")


PROFILE = "<virtualport type='openvswitch'><parameters profileid='{}'/></virtualport>"
FILES = {
    "filters/web.xml": """<filter name='web'>
<rule action='accept' direction='out'><tcp srcipaddr='$IP' dstportstart='80' dstportend='81'/>
</rule><rule action='drop' direction='in'><ip match='no' srcipaddr='10.0.0.0' srcipmask='24'/>
</rule><rule action='drop' direction='out'><mac srcmacaddr='$MAC' protocolid='0x88cc'/></rule>
<rule action='accept' direction='in'><tcp-ipv6 state='ESTABLISHED,RELATED' srcipaddr='fd00::5'/>
</rule><rule action='drop' direction='in'><flow match='arp,arp_op=2'/></rule>
<rule action='accept' direction='inout'><vlan vlanid='5' srcmacaddr='$MAC' dstmacmask='ff:ff:ff:0:0:0'
dstmacaddr='2:0:0:0:0:0'/></rule></filter>""",
    "filters/other.xml": "<filter name='other'><rule action='drop' direction='inout'/></filter>",
    "filters/long.xml": "<filter name='long'><rule action='accept' direction='out'>"
                        "<ip srcipaddr='$IP'/></rule></filter>",
    "filters/broken.xml": "<filter name='broken'>\n<rule/></filter>",
    "one.xml": domain(nic(1, ref("web", IP="10.0.0.5"))),
    "done.xml": domain(nic(1), port(1, ref("web", IP="10.0.0.5"))),
    "plain.xml": domain(nic(1, kind="")),
    "unknown.xml": domain(nic(1), port(1, ref("nosuch"))),
    "missing.xml": domain(nic(1), port(1, ref("web"))),
    "broken.xml": domain(nic(1), port(1, ref("broken"))),
    "value.xml": domain(nic(1), port(1, ref("web", IP="x"))),
    "two-bad.xml": domain(nic(1) + nic(2) + nic(3), port(1, ref("web")) + port(3, ref("nosuch"))),
    "profile.xml": domain(nic(1, kind=PROFILE.format("other"))),
    "no-profile.xml": domain(nic(1, kind=PROFILE.format("nosuch"))),
    "both.xml": domain(nic(1, kind=PROFILE.format("other")), port(1, ref("web", IP="10.0.0.5"))),
    "policy.xml": domain(nic(6)),
    "policy-too.xml": domain(nic(6), port(6, ref("other", IP="10.0.0.6"))),
    "default.xml": domain(nic(1, bridge="br1")),
    "managed.xml": domain(nic(1, bridge="br2")),
    "trusted.xml": domain(nic(1, "<target dev='wan0'/>", bridge="br3")),
    "untrusted.xml": domain(nic(1, "<target dev='wan'/>", bridge="br3")),
    "trusted-bound.xml": domain(nic(1, "<target dev='wan1'/>", bridge="br3"),
                                port(1, ref("web", IP="10.0.0.5"))),
    "long.xml": domain(nic(1), port(1, "<filterref filter='long'>" + "".join(
        f"<parameter name='IP' value='10.0.{i}.0/24'/>" for i in range(20)) + "</filterref>")),
    "entity.xml": "<!DOCTYPE domain [<!ENTITY a 'b'>]><domain>&a;</domain>",
    "schema.xml": domain(nic(1), port(1, ref("web")).replace("mac=", "macs=")),
    "etc/ovs-nwfilter/policy.d/a.json": json.dumps(
        [{"mac": "52:54:00:aa:bb:06", "vm": UUID, "filter": "web",
          "parameters": {"IP": "10.0.0.6"}}]),
    "etc/ovs-nwfilter/bridges.d/br1.json": json.dumps(
        {"bridge": "br1",
         "external_ids": {"nwfilter": "enforce", "nwfilter-default-filter": "other"}}),
    "etc/ovs-nwfilter/bridges.d/br2.json": json.dumps(
        {"bridge": "br2", "external_ids": {"nwfilter": "enforce"}}),
    "etc/ovs-nwfilter/bridges.d/br3.json": json.dumps(
        {"bridge": "br3",
         "external_ids": {"nwfilter": "enforce", "nwfilter-trusted": "wan0, wan1"}}),
}
CHECK = ["--filter-dir={dir}/filters", "hook", "convert", "--check"]
MAC1 = "52:54:00:aa:bb:01"
HEADINGS = r"direction +chain +rule +action +match\n"
# libvirt turns an "inout" rule round for what the guest sends.
WEB = HEADINGS + "".join(line + r"\n" for line in (
    rf"out +root +{{dir}}/filters/web.xml:4 +drop +mac srcmacaddr={MAC1} protocolid=35020",
    rf"out +root +{{dir}}/filters/web.xml:7 +accept +vlan vlanid=5 dstmacaddr={MAC1} "
    r"srcmacaddr=02:00:00:00:00:00/ff:ff:ff:00:00:00",
    r"out +IPv4 +{dir}/filters/web.xml:2 +accept +tcp srcipaddr=10.0.0.5 dstportstart=80-81"
    r" state=NEW,ESTABLISHED",
    r"in +root +{dir}/filters/web.xml:3 +drop +ip srcipaddr!=10.0.0.0/24",
    r"in +root +{dir}/filters/web.xml:6 +drop +flow match=arp,arp_op=2",
    rf"in +root +{{dir}}/filters/web.xml:7 +accept +vlan vlanid=5 srcmacaddr={MAC1} "
    r"dstmacaddr=02:00:00:00:00:00/ff:ff:ff:00:00:00",
    r"in +IPv4 +{dir}/filters/web.xml:2 +accept +tcp dstipaddr=10.0.0.5 srcportstart=80-81"
    r" state=ESTABLISHED",
    r"in +IPv6 +{dir}/filters/web.xml:5 +accept +tcp-ipv6 srcipaddr=fd00::5"
    r" state=ESTABLISHED,RELATED"))
OF_WEB = rf"filter web from done.xml:2; IP=10.0.0.5 MAC={MAC1}\n"


def at(line, what):
    return rf"{MAC1} \(line {line}\): {what}"


def fails(file, line, error):
    """The error stands in the text, and on standard error with its place."""
    return {"out": at(line, f"error: {error}\n"), "status": 1,
            "error": rf"ovs-nwfilter: {file}:{line}: {MAC1}: {error}\n"}


ROWS = [
    Row("a file", ["hook", "convert", "one.xml"],
        out=rf"<domain>.*<metadata>\n.*{OURS}\n.*<port mac=\"{MAC1}\">\n.*</metadata>.*"),
    Row("standard input", ["hook", "convert", "-"], stdin=FILES["one.xml"],
        out=rf"<domain>.*<port mac=\"{MAC1}\">.*"),
    Row("nothing to do", ["hook", "convert", "done.xml"], out=".*",
        check=lambda out: None if out == FILES["done.xml"] else out),
    Row("no file", ["hook", "convert", "nosuch.xml"],
        error="nosuch.xml: No such file or directory"),
    Row("two files", ["hook", "convert", "one.xml", "done.xml"],
        error="usage: ovs-nwfilter hook convert DOMAIN.xml"),
    Row("a FIFO", ["hook", "convert", "fifo"], error="fifo: not a regular file"),
    Row("entities", ["hook", "convert", "entity.xml"],
        error="entity.xml: document type declarations are refused"),
    Row("what the schema does not know", ["hook", "convert", "schema.xml"],
        error="schema.xml:2: <port> has no attribute macs"),
    Row("more attributes than libxml2 has the time for", ["hook", "convert", "-"],
        stdin="<domain><metadata><a " + " ".join(f"a{i}=''" for i in range(200_000))
        + "/></metadata></domain>",
        error="standard input:1: more than 256 attributes of one element"),
    Row("an error of standard input", ["hook", "convert", "-"], stdin="<a/>",
        error="standard input:1: <a> is not <domain>"),

    Row("check: the rules", CHECK + ["done.xml"], out=at(4, OF_WEB) + WEB),
    Row("check: not converted yet", CHECK + ["one.xml"], status=1,
        out=at(4, rf"filter web from one.xml:4; IP=10.0.0.5 MAC={MAC1}\n") + WEB,
        error="ovs-nwfilter: one.xml:4: libvirt refuses <filterref> on Open vSwitch when the "
              "domain starts; convert it\n"),
    Row("check: a Linux bridge", CHECK + ["plain.xml"], out=at(4, "not on Open vSwitch, by .*\n")),
    Row("check: an unknown filter", CHECK + ["unknown.xml"],
        **fails("unknown.xml", 4, "filter nosuch: no such filter.*")),
    Row("check: a missing variable", CHECK + ["missing.xml"],
        **fails("missing.xml", 4, r"filter web: {dir}/filters/web.xml:2: .*\$IP.*")),
    Row("check: a broken filter", CHECK + ["broken.xml"],
        **fails("broken.xml", 4, "filter broken: {dir}/filters/broken.xml:2: .*")),
    Row("check: a value that is none", CHECK + ["value.xml"],
        **fails("value.xml", 4, "filter web: {dir}/filters/web.xml:2: .*")),
    Row("check: all that is wrong", CHECK + ["two-bad.xml"], status=1,
        out=at(5, "error: .*\n") + r".*02 \(line 6\): no filter: .*\n.*03 \(line 7\): error: .*\n",
        error=r"ovs-nwfilter: two-bad.xml:5: .*\n"
              r"ovs-nwfilter: two-bad.xml:7: .*filter nosuch: .*\n"),
    Row("check: a profileid", CHECK + ["profile.xml"],
        out=at(4, "filter other from profileid; .*") + "out +root .*drop +all\nin .*"),
    Row("check: a profileid that is no filter", CHECK + ["no-profile.xml"],
        out=at(4, "no filter: it does not start on a managed bridge\n")),
    Row("check: metadata and profileid disagree", CHECK + ["both.xml"],
        **fails("both.xml", 4,
                r"both.xml:2 \(filter web\) and profileid \(filter other\) do not agree")),
    Row("check: policy.d", CHECK + ["policy.xml"],
        out=r".*06 \(line 4\): filter web from {dir}/etc/ovs-nwfilter/policy.d/a.json.*; "
            r"IP=10.0.0.6 .*"),
    Row("check: metadata and policy.d disagree", CHECK + ["policy-too.xml"], status=1,
        out=".*do not agree\n",
        error=r".*policy-too.xml:2 \(filter other\) and .*/a.json.* \(filter web\) do not agree\n"),
    Row("check: the bridge's default", CHECK + ["default.xml"],
        out=at(4, "filter other from the default of bridge br1; .*")),
    Row("check: a managed bridge without a default", CHECK + ["managed.xml"],
        **fails("managed.xml", 4,
                "no filter: neither <metadata>, profileid, policy.d nor bridge br2 names one")),
    Row("check: a port that nwfilter-trusted names", CHECK + ["trusted.xml"],
        out=at(4, "no filter, and none is needed: nwfilter-trusted names it\n")),
    Row("check: one whose name it only begins with", CHECK + ["untrusted.xml"],
        **fails("untrusted.xml", 4,
                "no filter: neither <metadata>, profileid, policy.d nor bridge br3 names one")),
    Row("check: one that nwfilter-trusted names, with a filter", CHECK + ["trusted-bound.xml"],
        **fails("trusted-bound.xml", 4, "nwfilter-trusted names it: a trusted port, the bridge's "
                "own and a mirror's output are not filtered")),
    Row("check: a long list", CHECK + ["long.xml"],
        out=r".*ip srcipaddr=10.0.0.0/24,10.0.1.0/24,10.0.2.0/24,10.0.3.0/24,\.\.\. \(20\)\n"),
    Row("check: an error of the whole", CHECK + ["schema.xml"],
        error="schema.xml:2: <port> has no attribute macs"),
]


def prepare(world):
    for name, text in FILES.items():
        world.write(name, text)
    os.mkfifo(f"{world.dir}/fifo")


def more(world, check):
    status, out, err = world.call(*CHECK, "--format=json", "two-bad.xml")
    first, second, third = json.loads(out)
    check("JSON: errors", None if status == 1 and err.count("\n") == 2
          and "filter web" in first["error"] and "remark" in second and third["filter"] == "nosuch"
          and "rules" not in third else out)
    status, out, err = world.call(*CHECK, "--format=json", "done.xml")
    only, = json.loads(out)
    rules = only.pop("rules")
    check("JSON: an interface", None if (status, err) == (0, "") and only == {
        "interface": MAC1, "line": 4, "filter": "web", "source": "done.xml:2",
        "parameters": {"IP": ["10.0.0.5"], "MAC": [MAC1]}} else only)
    check("JSON: its rules", None if rules[0] == {
        "direction": "out", "chain": "root", "rule": f"{world.dir}/filters/web.xml:4",
        "action": "drop", "match": f"mac srcmacaddr={MAC1} protocolid=35020"} else rules)
    world.write("etc/ovs-nwfilter/policy.d/b.json", "[")
    status, out, err = world.call(*CHECK, "policy.xml")
    check("a broken policy file, and a policy", None if status == 0 else err)
    status, out, err = world.call(*CHECK, "profile.xml")
    check("a broken policy file, and a profileid", None if status == 0 else err)
    status, out, err = world.call(*CHECK, "no-profile.xml")
    check("a broken policy file, and no policy",
          None if status == 1 and "no filter is known for it: " in err else (out, err))


if __name__ == "__main__":
    run(__file__, ROWS, prepare, more)
