#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every command that needs a switch, from bind to unmanage, on one without real ports.

Exit statuses, what is printed, what stands in the database afterwards, and that the offline way
("compile" into ovs-ofctl) and the other ("sync") give the same tables.  What frames make of all
this is for the other tests.
"""

import json
import os
import re
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.lab import main  # noqa: E402
from lab.netns import WORK, run_status  # noqa: E402
from system.world import FILTERS, define, nwfilter  # noqa: E402

CLEAN = "clean-traffic"
SUM = r"br0: \d+ flows: {} added, {} changed, {} removed; {} guests, {} quarantined, {} trusted\n"
UNBOUND = (r"ovs-nwfilter: vnet2: no filter is bound to this virtual machine's port; run "
           r'"ovs-nwfilter bind"\n')
CHANGES = r"([+-]cookie=0x6e7766[^\n]* actions=[^\n]*\n)+"
OPENFLOW = ("-O", "OpenFlow13,OpenFlow14,OpenFlow15")
XML = """<filterbinding><portdev name='{}'/><mac address='52:54:00:00:00:02'/>
<filterref filter='clean-traffic'>{}</filterref></filterbinding>"""


class Test:
    def __init__(self, lab):
        self.ovs = lab.ovs
        self.failures = 0
        os.makedirs(FILTERS)
        self.ovs.add_bridge("br0")
        self.numbers = {"uplink": self.ovs.add_port("br0", "uplink")}
        for i in (1, 2):
            self.numbers[f"vnet{i}"] = self.ovs.add_port(
                "br0", f"vnet{i}", attached_mac=f"52:54:00:00:00:0{i}", iface_id=f"iface-{i}")

    def check(self, what, good, why=""):
        print(f"{'ok    ' if good else 'FAILED'} {what}{'' if good else f': {why}'}", flush=True)
        self.failures += not good

    def says(self, words, status=0, out="", err="", stdin=None):
        """The command ends like that; out and err are patterns for all that it prints."""
        result = nwfilter(*words.split(), stdin=stdin)
        self.check(f"{words}: exit {status}", result.status == status
                   and re.fullmatch(out, result.out, re.DOTALL)
                   and re.fullmatch(err, result.err, re.DOTALL), (result, out, err))
        return result.out

    def refuses(self, words, error, stdin=None):
        """Exit status 1, one line, and nothing is changed."""
        before = self.state()
        self.says(words, status=1, err=f"ovs-nwfilter: {error}\n", stdin=stdin)
        self.check("    and nothing has changed", self.state() == before)

    def state(self):
        return self.flows(), [self.tags(name) for name in self.numbers], self.column(
            "Bridge", "br0", "external_ids"), self.column("Bridge", "br0", "fail_mode")

    def flows(self, bridge="br0"):
        return self.ovs.flows(bridge)

    def column(self, table, row, column):
        text = self.ovs.vsctl("--format=json", f"--columns={column}", "list", table, row)
        value = json.loads(text)["data"][0][0]
        return dict(value[1]) if value[:1] == ["map"] else value

    def tags(self, name):
        """external_ids of a port that are ours."""
        return {key: value for key, value in self.column("Interface", name, "external_ids").items()
                if key.startswith("nwfilter")}


# ---- Before anything is managed. ----

def test_unmanaged(test):
    for words in ("sync", "sync --full", "sync --dry-run", "diff", "sync --format=json"):
        test.says(words)
    test.says("bindings", out="port +bridge +role +filter +variables +isolated +status\n")
    test.says("bindings --format=json", out=r"\[\]\n")
    for words in ("sync br0", "diff br0"):
        test.refuses(words, "br0: not managed; see ovs-nwfilter manage")
    test.refuses("unmanage br0", "br0: not managed")
    for words in ("manage nosuch", "unmanage nosuch", "sync br0 nosuch", "diff nosuch"):
        name = "br0: not managed.*" if "br0" in words else "nosuch: no such bridge"
        test.refuses(words, name)


def test_bind(test):
    test.refuses("bind nosuch clean-traffic IP=10.0.0.1", "nosuch: no such interface")
    test.refuses("unbind nosuch", "nosuch: no such interface")
    test.refuses("bind vnet1 nosuch", "vnet1: filter nosuch: no such filter")
    test.refuses("bind vnet1 clean-traffic IP=10.0.0.1 status=active", "vnet1: a variable cannot have "
                 "this name: the tag nwfilter-status is for something else")
    test.refuses("bind vnet1 clean-traffic",
                 r"vnet1: filter clean-traffic: .*\.xml:\d+: .*\bIP\b.*")
    test.refuses("bind vnet1 clean-traffic IP=10.0.0.256",
                 r"vnet1: filter clean-traffic: .*\.xml:\d+: .*10\.0\.0\.256.*")
    test.refuses("bind vnet1 clean-traffic IP=10.0.0.1 MAC=01:00:00:00:00:00",
                 "vnet1: variable MAC: .* is a group address")
    addresses = "".join(
        f"<parameter name='IP' value='100.100.{100 + i // 100}.{100 + i % 100}/32'/>"
        for i in range(4000))
    test.refuses("bind --xml=-", "vnet2: variable IP: longer than 65536 characters",
                 stdin=XML.format("vnet2", addresses))
    test.says("bind vnet1 clean-traffic IP=10.0.0.9,10.0.0.8 DHCPSERVER=10.0.0.1")
    test.check("    the tags are there", test.tags("vnet1") == {
        "nwfilter": CLEAN, "nwfilter-IP": "10.0.0.9,10.0.0.8", "nwfilter-DHCPSERVER": "10.0.0.1"},
        test.tags("vnet1"))
    test.says("--db=unix:/run/none,unix:/run/openvswitch/db.sock bind vnet1 clean-traffic IP=10.0.0.7")
    test.check("    by the database that is there", test.tags("vnet1")["nwfilter-IP"] == "10.0.0.7")
    test.says("bind vnet1 clean-traffic IP=10.0.0.1")
    test.check("    old variables are gone", test.tags("vnet1") == {
        "nwfilter": CLEAN, "nwfilter-IP": "10.0.0.1"}, test.tags("vnet1"))
    test.says("bind --xml=-", stdin=XML.format("vnet2", "<parameter name='IP' value='10.0.0.2'/>"))
    test.check("    the tags are there", test.tags("vnet2") == {
        "nwfilter": CLEAN, "nwfilter-IP": "10.0.0.2", "nwfilter-MAC": "52:54:00:00:00:02"},
        test.tags("vnet2"))
    rows = json.loads(test.says("bindings --format=json", out=".*"))
    unmanaged = "error: bridge br0 is not managed, so it is not filtered"
    test.check("    bindings has them, unmanaged", [
        (row["port"], row["bridge"], row["role"], row["filter"], row["variables"], row["status"])
        for row in rows] == [
            ("vnet1", "br0", "unmanaged", CLEAN, "IP=10.0.0.1 MAC=52:54:00:00:00:01", unmanaged),
            ("vnet2", "br0", "unmanaged", CLEAN, "IP=10.0.0.2 MAC=52:54:00:00:00:02", unmanaged)], rows)
    test.says("unbind vnet2")
    test.check("    the tags are gone", test.tags("vnet2") == {}, test.tags("vnet2"))
    test.check("    others are not", test.column("Interface", "vnet2", "external_ids") == {
        "attached-mac": "52:54:00:00:00:02", "iface-id": "iface-2"})


# ---- A managed bridge. ----

def test_manage(test):
    test.says("manage br0 --trusted=uplink", out=SUM.format(r"\d+", 0, 0, 1, 1, 2), err=UNBOUND)
    test.check("    fail_mode is secure", test.column("Bridge", "br0", "fail_mode") == "secure")
    tags = test.column("Bridge", "br0", "external_ids")
    test.check("    the bridge's status", tags.pop("nwfilter-status", "")
               == "error: 1 of 2 guests are not as they should be", tags)
    test.check("    the bridge's tags", tags == {
        "nwfilter": "enforce", "nwfilter-trusted": "uplink", "nwfilter-saved-fail-mode": "",
        "nwfilter-saved-disable-in-band": ""}, tags)
    test.says("sync", status=1, out=SUM.format(0, 0, 0, 1, 1, 2), err=UNBOUND)
    test.says("diff")
    test.says("bind vnet2 clean-traffic IP=10.0.0.2")
    test_difference(test)
    test.says("manage br0 --audit", out=SUM.format(r"\d+", r"\d+", r"\d+", 2, 0, 2))
    tags = test.column("Bridge", "br0", "external_ids")
    test.check("    the bridge's status", tags.pop("nwfilter-status", "") == "active: 2 guests", tags)
    test.check("    both options are set anew", tags == {
        "nwfilter": "audit", "nwfilter-saved-fail-mode": "", "nwfilter-saved-disable-in-band": ""}, tags)
    out = test.says("manage br0 --trusted=uplink --format=json", out=r"\{.*\}\n")
    test.check("    the sum is JSON", json.loads(out)["guests"] == 2, out)
    rows = json.loads(test.says("bindings --format=json", out=".*"))
    roles = {row["port"]: (row["role"], row["status"]) for row in rows}
    test.check("    bindings has roles and statuses", roles == {
        "br0": ("trusted", ""), "uplink": ("trusted", ""), "vnet1": ("guest", "active"),
        "vnet2": ("guest", "active")}, roles)


def test_difference(test):
    """diff, sync --dry-run and sync agree; the first two change nothing."""
    before = test.state()
    changes = test.says("diff", status=2, out=CHANGES)
    planned = test.says("sync br0 --dry-run", out=CHANGES + SUM.format(*[r"\d+"] * 3, 2, 0, 2))
    test.check("    diff and a dry run show the same", sorted(changes.splitlines())
               == sorted(planned.splitlines()[:-1]), (changes, planned))
    test.check("    neither changes anything", test.state() == before)
    done = test.says("sync", out=SUM.format(*[r"\d+"] * 3, 2, 0, 2))
    test.check("    sync sums up as the dry run did", done == planned.splitlines(True)[-1], done)
    test.says("diff")
    test.says("sync --full", out=SUM.format(0, 0, 0, 2, 0, 2))
    for version in ("OpenFlow13", "OpenFlow14", "OpenFlow15"):
        test.says(f"sync --full -O {version}", out=SUM.format(0, 0, 0, 2, 0, 2))


def test_damage(test):
    """Flows that somebody else removed, changed or added."""
    good = test.flows()
    rule = next(flow for flow in good if "table=10," in flow and f"in_port={test.numbers['vnet1']}"
                in flow.replace("in_port=vnet1", f"in_port={test.numbers['vnet1']}"))
    match = re.sub(r".*table=10, |,? ?(actions=.*|n_packets=\d+, |n_bytes=\d+, )", "", rule).strip()
    test.ovs.ofctl("--strict", "del-flows", "br0", f"table=10,{match}")
    test.check("a flow is gone", len(test.flows()) == len(good) - 1, match)
    test.says("diff", status=2, out=r"\+cookie=[^\n]*\n")
    test.says("sync", out=SUM.format(1, 0, 0, 2, 0, 2))
    test.check("    it is back", sorted(test.flows()) == sorted(good))
    cookie = re.search(r"cookie=(0x[0-9a-f]+)", rule).group(1)
    test.ovs.ofctl("--strict", "mod-flows", "br0",
                   f"cookie={cookie},table=10,{match},actions=CONTROLLER")
    test.says("diff", status=2, out=r"\+cookie=[^\n]*\n")
    test.says("sync --full", out=SUM.format(0, 1, 0, 2, 0, 2))
    test.check("    it is as it was", sorted(test.flows()) == sorted(good))
    test.ovs.ofctl("add-flow", "br0", "table=250,cookie=5,actions=drop")
    test.says("diff")
    test.says("sync --full", out=SUM.format(0, 0, 0, 2, 0, 2))
    test.check("    a foreign flow stays", len(test.flows()) == len(good) + 1)
    test.ovs.ofctl("del-flows", "br0", "table=250")


def test_own_filter(test):
    """A filter that is defined, used, changed, and not removed while it is used."""
    text = "<filter name='mine'><rule action='{}' direction='out'><arp/></rule></filter>"
    test.says("filter define -", stdin=text.format("drop"), out="mine: defined in .*\n")
    test.says("bind vnet2 mine")
    test.says("sync", out=SUM.format(*[r"\d+"] * 3, 2, 0, 2))
    test.refuses("filter undefine mine", "filter mine: port vnet2 is bound to it")
    test.says("filter define -", stdin=text.format("accept"), out="mine: defined in .*\n")
    test.says("diff", status=2, out=CHANGES)
    test.says("sync", out=SUM.format(r"\d+", r"\d+", r"\d+", 2, 0, 2))
    define("mine", "<rule action='drop' direction='in'/>")  # --filter-dir comes first
    test.says("diff", status=2, out=CHANGES)
    os.unlink(f"{FILTERS}/mine.xml")
    test.says("diff")
    for name, ref in (("middle", "mine"), ("outer", "middle")):
        test.says("filter define -", out=f"{name}: defined in .*\n",
                  stdin=f"<filter name='{name}'><filterref filter='{ref}'/></filter>")
    test.says("bind vnet2 outer")
    test.refuses("filter undefine mine",
                 "filter mine: port vnet2 is bound to it by way of outer, middle, mine")
    test.refuses("filter undefine middle",
                 "filter middle: port vnet2 is bound to it by way of outer, middle")
    test.refuses("filter undefine outer", "filter outer: port vnet2 is bound to it")
    test.says("bind vnet2 clean-traffic IP=10.0.0.2")
    for name in ("outer", "middle"):
        test.says(f"filter undefine {name}")
    test.says("filter undefine mine")
    test.refuses("bind vnet2 mine", "vnet2: filter mine: no such filter")
    test.says("sync", out=SUM.format(*[r"\d+"] * 3, 2, 0, 2))


def test_explain(test):
    """explain and ofproto/trace come to the same."""
    define("tracked", "<rule action='accept' direction='in'><tcp dstportstart='80'/></rule>"
                      "<rule action='drop' direction='inout' priority='900'><all/></rule>")
    test.says("bind vnet2 tracked")
    test.says("sync", out=SUM.format(*[r"\d+"] * 3, 2, 0, 2))
    to = "dl_dst=52:54:00:00:00:02,dl_src=52:54:00:00:00:09"
    back = "dl_src=52:54:00:00:00:02,dl_dst=52:54:00:00:00:09"
    for words, verdict in ((f"vnet1 out arp,{to}", "dropped"), (f"vnet2 out arp,{back}", "passes"),
                           (f"vnet2 in tcp,tp_dst=80,{to}", "passes"),
                           (f"vnet2 in tcp,tp_dst=81,{to}", "dropped"),
                           (f"vnet2 out tcp,tp_src=80,{back} --ct=est,rpl", "passes"),
                           (f"vnet2 out tcp,tp_src=80,{back} --ct=new", "dropped")):
        test.says(f"explain --live {words}",
                  out=rf"{words.split()[0]} [a-z]+: {verdict}\n.*the switch agrees\n")
    os.unlink(f"{FILTERS}/tracked.xml")
    test.says("bind vnet2 clean-traffic IP=10.0.0.2")
    test.refuses(f"explain nosuch in arp,{to}", "nosuch: no such interface")
    test.says(f"explain --live vnet2 out arp,{to}", status=2, out=".*does not agree.*")
    test.says("sync", out=SUM.format(*[r"\d+"] * 3, 2, 0, 2))


def test_compile(test):
    """compile | ovs-ofctl --bundle replace-flows, and sync: the same tables."""
    test.ovs.vsctl("set", "Port", "vnet1", "tag=5", "--", "set", "Port", "vnet2", "trunks=0,5,6")
    test.says("sync", out=SUM.format(*[r"\d+"] * 3, 2, 0, 2))
    test.says("diff")
    synced = sorted(test.flows())
    policy = json.dumps([{"port": f"vnet{i}", "filter": CLEAN, "mac": f"52:54:00:00:00:0{i}",
                          "parameters": {"IP": f"10.0.0.{i}"}} for i in (1, 2)])
    numbers = " ".join(f"--ofport={name}={number}" for name, number in test.numbers.items())
    own_mac = test.column("Interface", "br0", "mac_in_use")
    flows = test.says(f"compile - {numbers} --trusted=uplink --forward-bpdu --tag=vnet1=5 "
                      f"--trunks=vnet2=0,5,6 --own-mac={own_mac}", stdin=policy, out="(cookie=[^\n]*\n)+")
    with open(f"{WORK}/flows", "w") as file:
        file.write(flows)
    status, out = run_status("ovs-ofctl", *OPENFLOW, "diff-flows", "br0", file.name)
    test.check("ovs-ofctl diff-flows sees no difference", (status, out) == (0, ""), (status, out))
    test.ovs.ofctl("del-flows", "br0")
    run_status("ovs-ofctl", *OPENFLOW, "--bundle", "replace-flows", "br0", file.name)
    test.check("what replace-flows has put there is what sync put there",
               sorted(test.flows()) == synced, (test.flows(), synced))
    test.says("diff")
    test.says("sync", out=SUM.format(0, 0, 0, 2, 0, 2))


# ---- And back. ----

def test_unmanage(test):
    test.says("unbind vnet1")
    test.says("unbind vnet1")
    test.says("sync", status=1, out=SUM.format(*[r"\d+"] * 3, 1, 1, 2),
              err=UNBOUND.replace("vnet2", "vnet1"))
    test.says("unmanage br0")
    test.check("    the bridge's tags are gone", test.column("Bridge", "br0", "external_ids") == {})
    test.check("    fail_mode is as it was",
               test.column("Bridge", "br0", "fail_mode") == ["set", []])
    test.check("    no flow of ours is left", not [f for f in test.flows() if "0x6e7766" in f],
               test.flows())
    test.check("    statuses are gone", not [name for name in test.numbers
                                            if "nwfilter-status" in test.tags(name)])
    test.check("    bindings stay", test.tags("vnet2").get("nwfilter") == CLEAN)
    test.refuses("unmanage br0", "br0: not managed")


def test_odd_name(test):
    """What Open vSwitch takes for a bridge's name is a string in JSON as any other."""
    name = 'q"b'
    test.ovs.vsctl("add-br", name, "--", "set", "Bridge", name,
                   "datapath_type=dummy")
    result = nwfilter("manage", name, "--format=json")
    test.check("a bridge with an odd name is managed", result.status == 0, result)
    test.check("    its sum is JSON", json.loads(result.out)["bridge"] == name, result.out)


def test_all(lab):
    test = Test(lab)
    for step in (test_unmanaged, test_bind, test_manage, test_damage, test_own_filter,
                 test_explain, test_compile, test_unmanage, test_odd_name):
        step(test)
    return 1 if test.failures else 0


if __name__ == "__main__":
    main(test_all, dummy=True)
