#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Only unmanage ends protection: what the host's tools clear or make anew is managed again by
sync, by the bridge's record, and a guest that nobody protects is not said to be.
"""

import json
import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system import relay as r  # noqa: E402
from system.start import killed  # noqa: E402
from system.world import define, nwfilter, run  # noqa: E402
from system.zones import OUT  # noqa: E402

CLEAN = "clean-traffic"
RECORD = "/etc/ovs-nwfilter/bridges.d/br0.json"
OTHERS = ["uplink"]  # what vnet1 gets is only answers


def test(world):
    define("states", OUT)
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, "states")
    test_written(world)
    test_cleared(world)
    test_failed_claim(world)
    test_snippets(world)
    test_other_owners(world)
    test_bridge_made_anew(world)
    test_edited_by_hand(world)
    test_bad_records(world)
    test_not_managed(world)
    test_moved(world)
    test_given_back(world)


def leak(world):
    return (world.verdict("vnet0", world.ip("vnet0", src="10.0.0.9"), [])
            or world.verdict("vnet0", world.ip("vnet0"), OTHERS))


def ids(world, bridge="br0"):
    ids = world.ovs.vsctl("--format=json", "--columns=external_ids", "list", "Bridge", bridge)
    ids = dict(json.loads(ids)["data"][0][0][1])
    return {key: value for key, value in ids.items() if key != "nwfilter-status"}


def record():
    with open(RECORD) as file:
        return json.load(file)


def test_written(world):
    world.manage("--trusted=uplink,eht0", "--guests=x*", "--default=quarantine",
                 f"--default-filter={CLEAN}")
    tags = {key: value for key, value in ids(world).items() if key.startswith("nwfilter")}
    wanted = {"nwfilter": "enforce", "nwfilter-trusted": "uplink,eht0", "nwfilter-guests": "x*",
              "nwfilter-default": "quarantine", "nwfilter-default-filter": CLEAN,
              "nwfilter-saved-fail-mode": "", "nwfilter-saved-disable-in-band": ""}
    world.check("manage writes tags and record alike", tags == wanted
                and record() == {"bridge": "br0", "external_ids": tags}, (tags, record()))
    result = world.manage("--trusted=uplink,eht0")
    world.check("    a trusted port that is not there is named", "eht0" in result.err
                and "uplink" not in result.err, result)
    world.manage("--trusted=uplink")
    world.check("    manage again replaces both", record()["external_ids"] == {
        key: value for key, value in wanted.items()
        if key in ("nwfilter", "nwfilter-saved-fail-mode", "nwfilter-saved-disable-in-band")
    } | {"nwfilter-trusted": "uplink"}, record())


IFUPDOWN2 = ("clear", "bridge", "br0", "auto_attach", "controller", "external-ids", "fail_mode",
             "flood_vlans", "ipfix", "mirrors", "netflow", "other_config", "protocols", "sflow")
WIPES = {
    "ifupdown2's reload": [IFUPDOWN2],
    "external_ids cleared": [("clear", "Bridge", "br0", "external_ids")],
    "netplan": [("set-fail-mode", "br0", "standalone"), ("del-controller", "br0")],
    "external_ids of another": [("clear", "Bridge", "br0", "external_ids"),
                                ("set", "Bridge", "br0", "external_ids:bridge-id=br0")],
    "our key alone": [("remove", "Bridge", "br0", "external_ids", "nwfilter")],
    "Ansible, which knows one of our keys": [
        ("br-set-external-id", "br0", key)
        for key in ("nwfilter", "nwfilter-guests", "nwfilter-saved-fail-mode",
                    "nwfilter-saved-disable-in-band")],
    "manage after that": [("clear", "Bridge", "br0", "external_ids")],
}


MANAGED = ("--trusted=uplink", "--guests=x*")


def test_cleared(world):
    world.manage(*MANAGED)
    for name, steps in WIPES.items():
        before = ids(world)
        for words in steps:
            world.ovs.vsctl(*words)
        world.ovs.vsctl("set", "Bridge", "br0", "other_config:forward-bpdu=true",
                        "other_config:hwaddr=02:00:00:00:00:01")
        between = ids(world)
        dry = nwfilter("sync", "--dry-run"), nwfilter("diff"), ids(world)
        by_sync = not name.startswith("manage")
        lost = "nwfilter" not in dry[2] and by_sync
        result = nwfilter("sync") if by_sync else world.manage(*MANAGED)
        now = ids(world)
        world.check(f"{name}: sync manages it again", result.status == 0 and not leak(world)
                    and all(now.get(key) == value for key, value in before.items()
                            if key.startswith("nwfilter"))
                    and ("are those of " + RECORD in result.err) == lost, (result, before, now))
        world.check("    a dry run and diff say so and change nothing",
                    dry[2] == between and nwfilter("diff").status == 0
                    and (all(run.status and RECORD in run.err for run in dry[:2])
                         if "nwfilter" not in between
                         else "+cookie" in dry[0].out and dry[1].status == 2), dry)
        world.check("    and it can be given back as it was",
                    nwfilter("unmanage", "br0").status == 0
                    and world.ovs.vsctl("get", "Bridge", "br0", "fail_mode").strip() == "[]"
                    and "disable-in-band" not in world.ovs.vsctl("get", "Bridge", "br0",
                                                                 "other_config")
                    and not [key for key in ids(world) if key.startswith("nwfilter")], ids(world))
        world.manage(*MANAGED)
    world.manage("--trusted=uplink")


def test_failed_claim(world):
    """A manage that fails leaves the record which was there, for the next sync."""
    world.ovs.vsctl(*IFUPDOWN2)

    def judge(call, _):
        return r.CLOSE if call.method == "transact" and b"fail_mode" in call.raw else r.PASS
    with r.DatabaseRelay(world, judge) as relay:
        failed = relay.nwfilter("manage", "br0", "--trusted=uplink")
    world.ovs.vsctl("set", "Bridge", "br0", "other_config:forward-bpdu=true",
                    "other_config:hwaddr=02:00:00:00:00:01")
    result = nwfilter("sync")
    world.check("manage that fails on a cleared bridge leaves its record", failed.status == 1
                and os.path.exists(RECORD) and result.status == 0 and not leak(world),
                (failed, result))


def snippet(tool, *options):
    return nwfilter("manage", "br0", "--trusted=uplink", f"--snippet={tool}", *options)


def test_snippets(world):
    """With the line that manage --snippet prints, ifupdown's reload changes nothing at all."""
    result = snippet("ifupdown")
    line = [line for line in result.out.splitlines() if "ovs_extra" in line][0]
    words = line.replace("${IFACE}", "br0").split()[1:]
    before = {key: value for key, value in ids(world).items() if key.startswith("nwfilter")}
    flows = world.ovs.flows("br0")
    world.ovs.vsctl("--may-exist", "add-br", "br0", "--", *IFUPDOWN2, "--", *words, "--", "set",
                    "Bridge", "br0", "other_config:forward-bpdu=true",
                    "other_config:hwaddr=02:00:00:00:00:01")
    tags = {key: value for key, value in ids(world).items()
            if key.startswith("nwfilter") and "saved" not in key}
    world.check("ifupdown's reload with our line: tags and flows stay", tags == {
        key: value for key, value in before.items() if key in tags} and len(tags) == 2
        and [flow for flow in flows if "cookie=0x6e7766810" not in flow]
        == [flow for flow in world.ovs.flows("br0") if "cookie=0x6e7766810" not in flow]
        and not leak(world), (tags, result))
    result = nwfilter("sync")
    world.check("    sync has nothing to do but what unmanage restores", result.err == ""
                and ": 0 added, 0 changed, 0 removed;" in result.out and ids(world) == before,
                (result, ids(world)))
    result = snippet("netplan", "--guests=vm[0-9]*")
    world.check("netplan's", all(line in result.out for line in (
        "        fail-mode: secure\n", '          nwfilter: "enforce"\n',
        '          nwfilter-guests: "vm[0-9]*"\n', '          disable-in-band: "true"\n')), result)
    for words, error in ((["x"], 'ovs-nwfilter: --snippet is ifupdown or netplan, not "x"'),
                         (["netplan", "--guests=a b"], "ovs-nwfilter: --snippet: nwfilter-guests")):
        result = snippet(*words)
        world.check(f"{' '.join(words)}: refused", result.status == 1 and not result.out
                    and result.err.startswith(error), result)
    world.check("a snippet changes nothing", ids(world) == before, ids(world))


def test_other_owners(world):
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:ovnbr-managed=true")
    results = [nwfilter("sync"), nwfilter("manage", "br0")]
    world.check("a bridge of ovn-br-controller: refused, and no guest is active",
                all(result.status == 1 and "ovn-br-controller" in result.err for result in results)
                and world.status("vnet0").startswith("error: ovn-br-controller"), results)
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "ovnbr-managed")
    nwfilter("unmanage", "br0")
    world.ovs.vsctl("set-controller", "br0", "tcp:127.0.0.1:6653")
    world.ovs.ofctl("add-flow", "br0", "priority=100,in_port=1,actions=drop")
    world.ovs.ofctl("add-flow", "br0", "priority=50,actions=NORMAL")
    before = ids(world)
    result = nwfilter("manage", "br0", "--trusted=uplink")
    world.check("a controller that has programmed the bridge: refused, nothing is changed",
                result.status == 1 and "a controller is set" in result.err
                and "priority=50" in result.err and not os.path.exists(RECORD)
                and ids(world) == before, result)
    world.ovs.ofctl("del-flows", "br0")
    result = nwfilter("manage", "br0", "--trusted=uplink")
    world.check("    without its flows it is allowed", result.status == 0 and not leak(world), result)
    world.ovs.vsctl("del-controller", "br0")
    nwfilter("sync")


def test_bridge_made_anew(world):
    """What is the documented advice after a restart of the network: ports back, and sync."""
    world.ovs.vsctl("del-br", "br0", "--", "add-br", "br0", "--", "set", "Bridge", "br0",
                    "datapath_type=netdev", "other_config:forward-bpdu=true",
                    "other_config:hwaddr=02:00:00:00:00:01")
    for number, name in enumerate(("uplink", "vnet0", "vnet1")):
        tags = [] if name == "uplink" else [
            "--", "set", "Interface", name, f"external_ids:attached-mac={world.mac(name)}",
            f"external_ids:nwfilter={CLEAN if name == 'vnet0' else 'states'}"]
        if name == "vnet0":
            tags += ["external_ids:nwfilter-IP=10.0.0.1", "external_ids:nwfilter-status=active"]
        world.ovs.vsctl("add-port", "br0", name, *tags)
    world.rewire()
    result = nwfilter("sync", "--port=vnet0")
    world.check("bridge deleted and made again: sync --port manages it, and says so",
                result.status == 0 and RECORD in result.err and not leak(world), result)


def test_edited_by_hand(world):
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-trusted=uplink,tap7",
                    "external_ids:nwfilter-guests=vnet*")
    nwfilter("sync", "--dry-run")
    unchanged = record()["external_ids"]
    nwfilter("sync")
    world.check("single keys that an operator has changed go into the record",
                unchanged["nwfilter-trusted"] == "uplink"
                and record()["external_ids"]["nwfilter-trusted"] == "uplink,tap7"
                and record()["external_ids"]["nwfilter-guests"] == "vnet*", record())
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "nwfilter-guests")
    nwfilter("sync")
    world.check("    and what it has removed goes out of it",
                "nwfilter-guests" not in record()["external_ids"], record())
    world.ovs.vsctl("add-br", "br1", "--", "set", "Bridge", "br1", "datapath_type=netdev",
                    "external_ids:nwfilter=audit")
    nwfilter("sync")
    with open(RECORD.replace("br0", "br1")) as file:
        other = json.load(file)
    world.check("a bridge that was tagged by hand gets a record",
                other["external_ids"]["nwfilter"] == "audit", other)
    world.ovs.vsctl("del-br", "br1")
    result = nwfilter("sync")
    world.check("a record whose bridge is not there is no error, and stays",
                result.status == 0 and os.path.exists(RECORD.replace("br0", "br1")), result)
    result = nwfilter("unmanage", "br1")
    world.check("    until unmanage", result.status == 0
                and not os.path.exists(RECORD.replace("br0", "br1")), result)
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-color=blue",
                    "external_ids:nwfilter-default=maybe")
    result = nwfilter("sync")
    world.check("tags that mean nothing are named", 'nwfilter-color="blue" is not known' in
                result.err and 'nwfilter-default="maybe" is taken for "quarantine"' in result.err,
                result)
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "nwfilter-color", "--",
                    "remove", "Bridge", "br0", "external_ids", "nwfilter-default")
    nwfilter("sync")


BAD = {
    "no JSON": "{",
    "no object": "[]",
    "another bridge's": '{"bridge": "br9", "external_ids": {"nwfilter": "enforce"}}',
    "an unknown key": '{"bridge": "br0", "external_ids": {"nwfilter": "enforce", "x": "y"}}',
    "no string": '{"bridge": "br0", "external_ids": {"nwfilter": 1}}',
    "not managed": '{"bridge": "br0", "external_ids": {"nwfilter-trusted": "uplink"}}',
    "too large": '{"bridge": "br0", "external_ids": {"nwfilter": "' + "x" * (1 << 20) + '"}}',
}


def test_bad_records(world):
    with open(RECORD) as file:
        good = file.read()
    for name, text in BAD.items():
        world.ovs.vsctl("clear", "Bridge", "br0", "external_ids")
        with open(RECORD, "w") as file:
            file.write(text)
        result = nwfilter("sync")
        world.check(f"a record that is {name}: an error, nothing is changed", result.status == 1
                    and RECORD in result.err.splitlines()[0] and not ids(world)
                    and record_text() == text, result)
        results = [nwfilter("diff"), nwfilter("manage", "br0", "--trusted=uplink")]
        world.check("    so do diff and manage",
                    all(result.status == 1 and RECORD in result.err.splitlines()[0]
                        for result in results)
                    and not ids(world) and record_text() == text, results)
    with open(RECORD, "w") as file:
        file.write(good)
    nwfilter("sync")
    os.rename(RECORD, RECORD + ".old")
    os.mkdir(RECORD)
    result, again = nwfilter("sync"), nwfilter("manage", "br0", "--trusted=uplink")
    world.check("a record that cannot be written: an error, and the policy stays",
                result.status == 1 and again.status == 1 and RECORD in result.err
                and RECORD in again.err and not leak(world), (result, again))
    os.rmdir(RECORD)
    os.rename(RECORD + ".old", RECORD)


def record_text():
    with open(RECORD) as file:
        return file.read()


def statuses(world):
    table = json.loads(nwfilter("--format=json", "bindings").out)
    return {row["port"]: (row["role"], row["status"]) for row in table}


def test_not_managed(world):
    """The record is gone as well, as on a host that was installed anew with its old database."""
    world.ovs.vsctl("clear", "Bridge", "br0", "external_ids")
    os.unlink(RECORD)
    result, diff = nwfilter("sync"), nwfilter("diff")
    wrong = "error: bridge br0 is not managed, so it is not filtered"
    world.check("a guest of a bridge that nobody manages is an error of sync and diff",
                result.status == diff.status == 1
                and [line.split(":")[1] for line in result.err.splitlines()] == [" vnet0", " vnet1"]
                and "bridge br0 is not managed" in result.err and diff.err == result.err,
                (result, diff))
    world.check("    in its status", world.status("vnet0") == wrong, world.status("vnet0"))
    world.set_tags("vnet0", nwfilter_status="active")
    world.check("    and in bindings, whatever its status says",
                statuses(world) == {"vnet0": ("unmanaged", wrong), "vnet1": ("unmanaged", wrong)},
                statuses(world))
    world.set_tags("vnet0", nwfilter_status=None)
    nwfilter("sync", "--dry-run")
    world.check("    a dry run writes nothing", world.status("vnet0") is None)
    result = world.manage("--trusted=uplink")
    world.check("    until it is managed", world.status("vnet0") == "active"
                and nwfilter("sync").status == 0, result)


def test_moved(world):
    world.ovs.vsctl("add-br", "br1", "--", "set", "Bridge", "br1", "datapath_type=netdev")
    row = world.ovs.vsctl("get", "Port", "vnet1", "_uuid").strip()
    world.ovs.vsctl("remove", "Bridge", "br0", "ports", row, "--", "add", "Bridge", "br1", "ports",
                    row)
    world.rewire()
    before = world.status("vnet1")
    result = nwfilter("sync")
    world.check("a guest's port that moves to a bridge that is not managed", before == "active"
                and result.status == 1 and world.status("vnet1").startswith("error: bridge br1"),
                (before, result, world.status("vnet1")))
    world.set_tags("vnet1", nwfilter=None)
    result = nwfilter("sync")
    world.check("    and is no guest any more: no status is left", result.status == 0
                and world.status("vnet1") is None, (result, world.status("vnet1")))
    world.ovs.vsctl("remove", "Bridge", "br1", "ports", row, "--", "add", "Bridge", "br0", "ports",
                    row, "--", "del-br", "br1")
    world.set_tags("vnet1", nwfilter="states")
    world.rewire()
    nwfilter("sync")


def test_given_back(world):
    """Killed before each message: what is left can be ended, and nothing protects what is not."""
    nwfilter("unmanage", "br0")
    world.check("unmanage removes the record", not os.path.exists(RECORD))
    for words in (("manage", "br0", "--trusted=uplink"), ("unmanage", "br0")):
        wrong = n = 0
        for where in killed(world, *words):
            n += 1
            nwfilter("sync")
            managed = "nwfilter" in ids(world)
            if managed != os.path.exists(RECORD) or (managed and leak(world)):
                wrong = f"killed at {where}: {ids(world)} {os.path.exists(RECORD)} {leak(world)}"
                break
            nwfilter("unmanage", "br0")
            if words[0] == "unmanage":
                world.manage("--trusted=uplink")
        world.check(f"{words[0]} killed at {n} messages: record and tags agree", not wrong and n,
                    wrong)


if __name__ == "__main__":
    run(test)
