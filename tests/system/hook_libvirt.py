#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hook libvirt: a domain's ports are enforced when "start" returns, or it fails and leaves nothing.

The hook gets documents and words as libvirt gives them, first without the daemon, then with it.
Ports are plugged and tagged as libvirt does before it runs the hook.
"""

import json
import os
import re
import subprocess
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import wait_for  # noqa: E402
from system.live import finish, start  # noqa: E402
from system.world import PROGRAM, SYNCS, define, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
POLICIES = "/etc/ovs-nwfilter/policy.d"
UUID = "3b5f8a0e-7d0f-4c54-8a8b-6d1d2f3c4b5a"
OTHER = "c605bcf9-3648-57e3-8d84-5060ded851e8"
NOTES = {"nwfilter-status", "nwfilter-installed-ts", "nwfilter-ct-zone", "nwfilter-no-flood"}
# What each port of a domain that runs has.
MACHINE = {"vm-name": "web", "nwfilter-vm": UUID}
# Who hears a guest's broadcast, beside other guests that are enforced.
UPLINK = ["uplink"]


# --- documents, as libvirt hands them over

def nic(number, dev=None, bridge="br0", profile="", alias=None):
    port = (f"<virtualport type='openvswitch'><parameters interfaceid='{OTHER}'"
            f"{f' profileid={chr(39)}{profile}{chr(39)}' if profile else ''}/></virtualport>")
    return (f"    <interface type='bridge'>\n      <mac address='52:54:00:00:00:{number:02x}'/>\n"
            f"      <source bridge='{bridge}'/>\n      {port}\n"
            f"      <target dev='{dev or f'vnet{number - 1}'}'/>\n      <model type='virtio'/>\n"
            f"      <alias name='{alias or f'net{number - 1}'}'/>\n    </interface>\n")


def entry(number, name=CLEAN, **variables):
    values = "".join(f"<parameter name='{key}' value='{value}'/>"
                     for key, value in variables.items())
    return (f"      <port mac='52:54:00:00:00:{number:02x}'>\n"
            f"        <filterref filter='{name}'>{values}</filterref>\n      </port>\n")


def domain(*parts, entries="", metadata=None, name="web", uuid=UUID):
    if metadata is None and entries:
        metadata = f"    <ports xmlns='urn:ovs-nwfilter:domain:1'>\n{entries}    </ports>\n"
    metadata = f"  <metadata>\n{metadata}  </metadata>\n" if metadata else ""
    return (f"<domain type='kvm' id='7'>\n  <name>{name}</name>\n  <uuid>{uuid}</uuid>\n{metadata}"
            f"  <memory unit='KiB'>1024</memory>\n  <devices>\n{''.join(parts)}  </devices>\n"
            "  <seclabel type='dynamic'/>\n</domain>\n")


def hook(document, operation="start", phase="begin", name="web", options=()):
    SYNCS[0] += 1
    return nwfilter(*options, "hook", "libvirt", "--", name, operation, phase, "-", stdin=document)


# --- ports

def plug(world, number, **columns):
    world.guest(f"vnet{number - 1}", number, columns=columns)
    world.set_tags(f"vnet{number - 1}", vm_id=UUID, iface_status="active")


def own_tags(world, name):
    """Those that a binding has, and the hook's."""
    return {key: value for key, value in world.tags(name).items() if key not in NOTES and (
        key.startswith("nwfilter") or key == "vm-name")}


def clear_tags(world, *names):
    for name in names:
        for key in own_tags(world, name):
            world.set_tags(name, **{key: None})
    catch_up(world)


def catch_up(world):
    """Without the hook, as somebody else's change would be put in force."""
    nwfilter("sync")


def write_policies(*entries):
    with open(f"{POLICIES}/policy.json", "w") as file:
        json.dump(entries, file)


def policy(address, **selector):
    return selector | {"filter": CLEAN, "parameters": {"IP": address}}


def check_good(world, what, result, **wanted):
    """The start succeeds, and the ports {name: (tags, address that passes)} are in force."""
    world.check(what, (result.status, result.out, result.err) == (0, "", ""), result)
    for name, (tags, address) in wanted.items():
        expected = {f"nwfilter-{key}" if key.isupper() else key.replace("_", "-"): value
                    for key, value in tags.items()} | MACHINE
        world.check(f"    {name} has the tags, and is active", own_tags(world, name) == expected
                    and world.status(name) == "active", world.tags(name))
        others = UPLINK + sorted(set(wanted) - {name})
        world.expect_all(f"    {name} sends as {address}, and as nobody else", [
            (name, world.ip(name, src=address), others),
            (name, world.ip(name, src="10.0.0.77"), []),
            (name, world.ip(name, mac="uplink", src=address), [])])


def check_shut(world, what, *names):
    world.expect_all(what, [row for name in names for row in (
        (name, world.ip(name), []), (name, world.arp(name), []))])


def check_refused(world, what, result, pattern, names=("vnet0", "vnet1")):
    """One line on stderr, and nothing is left."""
    world.check(f"{what}: refused with one line", result.status == 1 and not result.out
                and re.fullmatch(f"ovs-nwfilter: {pattern}\n", result.err), result)
    left = {name: own_tags(world, name) for name in names}
    world.check("    no tag is left", not any(left.values()), left)
    catch_up(world)
    check_shut(world, "    nothing passes", *names)


# --- tests

def test(world):
    os.makedirs(POLICIES)
    world.trusted("uplink", 254)
    plug(world, 1)
    plug(world, 2)
    world.ovs.add_bridge("plain")
    world.ovs.vsctl("add-port", "plain", "vnet8", "--", "set", "Interface", "vnet8",
                    "type=internal")
    world.manage("--trusted=uplink")
    for daemon in (False, True):
        if daemon:
            start(world)
        print(f"--- {'with' if daemon else 'without'} the daemon", flush=True)
        for part in PARTS:
            print(f"- {part.__name__[5:]}", flush=True)
            part(world)
    test_slow_daemon(world)
    test_daemon_ends(world)
    finish(world)


def test_start(world):
    both = domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2"))
    check_good(world, "metadata", hook(both),
               vnet0=({"nwfilter": CLEAN, "IP": "10.0.0.1"}, "10.0.0.1"),
               vnet1=({"nwfilter": CLEAN, "IP": "10.0.0.2"}, "10.0.0.2"))
    check_good(world, "the same once more", hook(both),
               vnet0=({"nwfilter": CLEAN, "IP": "10.0.0.1"}, "10.0.0.1"),
               vnet1=({"nwfilter": CLEAN, "IP": "10.0.0.2"}, "10.0.0.2"))
    clear_tags(world, "vnet0", "vnet1")
    alias = entry(1, IP="10.0.0.1").replace("mac='52:54:00:00:00:01'", "alias='net0'")
    world.set_tags("vnet0", nwfilter="allow-arp", nwfilter_OLD="1", nwfilter_IP="10.0.0.66")
    check_good(world, "an alias; a row with an older machine's tags",
               hook(domain(nic(1), entries=alias)),
               vnet0=({"nwfilter": CLEAN, "IP": "10.0.0.1"}, "10.0.0.1"))
    world.set_tags("vnet0", nwfilter_OLD="1")
    clear_tags(world, "vnet0")


def transactions():
    """The comments and tables of the database's records."""
    words = ("ovsdb-tool", "-m", "-m", "show-log", "/etc/openvswitch/conf.db")
    log = subprocess.run(words, text=True, stdout=subprocess.PIPE, check=True).stdout
    return re.split(r"^record ", log, flags=re.MULTILINE)


def test_one_transaction(world):
    before = len(transactions())
    result = hook(domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2")))
    ours = [record for record in transactions()[before:] if "vm-name" in record]
    world.check("two interfaces, one transaction", result.status == 0 and len(ours) == 1
                and len(re.findall(r"table Interface", ours[0])) == 2, (result, ours))
    clear_tags(world, "vnet0", "vnet1")


def test_places(world):
    """Where a policy stands beside the metadata."""
    define("no-vlan", "<rule action='drop' direction='out'><vlan/></rule>"
                      "<filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.5'/>"
                      "</filterref>")
    world.set_tags("vnet0", port_profile="no-vlan")
    check_good(world, "profileid", hook(domain(nic(1, profile="no-vlan"))),
               vnet0=({}, "10.0.0.5"))
    check_good(world, "metadata and profileid agree", hook(
        domain(nic(1, profile="no-vlan"), entries=entry(1, "no-vlan"))),
        vnet0=({"nwfilter": "no-vlan"}, "10.0.0.5"))
    world.set_tags("vnet0", port_profile=None)
    for what, selector in (("name", {"vm": "web"}),
                           ("UUID", {"vm": UUID.upper(), "mac": "52:54:00:00:00:01"}),
                           ("address", {"mac": "52:54:00:00:00:01"}), ("port", {"port": "vnet0"})):
        clear_tags(world, "vnet0")
        write_policies(policy("10.0.0.6", **selector), policy("10.0.0.9", vm="WEB"),
                       policy("10.0.0.9", vm=OTHER))
        check_good(world, f"policy.d by {what}", hook(domain(nic(1))), vnet0=({}, "10.0.0.6"))
    check_good(world, "metadata and policy.d agree", hook(
        domain(nic(1), entries=entry(1, IP="10.0.0.6"))),
        vnet0=({"nwfilter": CLEAN, "IP": "10.0.0.6"}, "10.0.0.6"))
    write_policies()
    clear_tags(world, "vnet0")
    define("anyone", "<rule action='drop' direction='out'>"
                     "<mac srcmacaddr='$MAC' match='no'/></rule>"
                     "<rule action='drop' direction='out'><ip srcipaddr='10.0.0.77'/></rule>")
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-default-filter=anyone")
    catch_up(world)
    check_good(world, "the bridge's default filter", hook(domain(nic(1), nic(2))),
               vnet0=({}, "10.0.0.1"), vnet1=({}, "10.0.0.2"))
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "nwfilter-default-filter")
    clear_tags(world, "vnet0", "vnet1")


def test_not_ours(world):
    """What has nothing to do with managed bridges is not looked at."""
    for what, document in (
            ("no interfaces", domain()),
            ("an interface of QEMU's own", domain("<interface type='user'/>")),
            ("a port of a bridge that nobody manages", domain(nic(9, bridge="plain"))),
            ("a port that the switch does not know", domain(nic(7)))):
        result = hook(document)
        world.check(what, result == (0, "", ""), result)
    world.check("    no tag was written", not own_tags(world, "vnet8"), world.tags("vnet8"))


def test_refused(world):
    namespace = "xmlns='urn:ovs-nwfilter:domain:1'"
    good = entry(2, IP="10.0.0.2")
    bad = [
        ("no document", "", "domain web:1: .*"),
        ("no XML", "web", r"domain web:1: .*"),
        ("half a document", domain(nic(1))[:-20], r"domain web:\d+: .*"),
        ("another document", "<network/>", "domain web:1: <network> is not <domain>"),
        ("entities", "<!DOCTYPE d [<!ENTITY a 'b'>]>" + domain(nic(1)),
         "domain web: document type declarations are refused"),
        ("a huge document", domain(nic(1), metadata=" " * (9 << 20)),
         "domain web: larger than 8 MiB"),
        ("an unknown element", domain(nic(1), metadata=f"<ports {namespace}>\n<nic/></ports>"),
         "domain web:6: unknown element <nic> in <ports>"),
        ("an entry for no interface", domain(nic(1), entries=entry(7)),
         "domain web:6: this <port> is for none of the domain's interfaces"),
        ("an unknown filter", domain(nic(1), nic(2), entries=entry(1, "nosuch") + good),
         "vnet0: .*nosuch.*"),
        ("a broken filter", domain(nic(1), nic(2), entries=entry(1, "broken") + good),
         r"vnet0: filter broken: \S+/broken.xml:1: .*"),
        ("a missing variable", domain(nic(1), nic(2), entries=entry(1, "needs") + good),
         r"vnet0: filter needs: \S+/needs.xml:1: .*WHO.*"),
        ("a bad value", domain(nic(1), entries=entry(1, IP="10.0.0.300")), "vnet0: .*10.0.0.300.*"),
        ("no policy of one", domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1")),
         "vnet1: no filter: neither the domain's <metadata> nor policy.d names one, it has no "
         "profileid, and bridge br0 has no nwfilter-default-filter; see .*"),
        ("a bridge that is not managed",
         domain(nic(1), nic(9, bridge="plain"), entries=entry(1, IP="10.0.0.1") + entry(9)),
         r'vnet8: domain web:9 names a filter for it, and bridge plain is not managed; run '
         r'"ovs-nwfilter manage plain"'),
        ("a port that is not there", domain(nic(7), entries=entry(7)),
         "vnet6: domain web:6 names a filter for it, and no bridge of Open vSwitch has it .*"),
        ("an interface without a port",
         domain("<interface type='user'><mac address='52:54:00:00:00:07'/></interface>",
                entries=entry(7)), "domain web:6: this <port> .* has no <target dev>.*"),
        ("another machine's port", domain(nic(1), entries=entry(1, IP="10.0.0.1"), uuid=OTHER),
         f"vnet0: its vm-id is that of another virtual machine, {UUID}"),
    ]
    define("broken", "<filter name='broken'><rule/></filter>")
    define("needs", "<rule action='drop' direction='out'><ip srcipaddr='$WHO'/></rule>")
    for what, document, pattern in bad:
        check_refused(world, what, hook(document), pattern)


def test_no_number(world):
    """A port that ovs-vswitchd cannot make is not enforced, whatever its tags say."""
    world.ovs.vsctl("--no-wait", "add-port", "br0", "vnet5", "--", "set", "Interface", "vnet5",
                    'external_ids:attached-mac="52:54:00:00:00:06"', f"external_ids:vm-id={UUID}")
    wait_for(lambda: "-1" in world.ovs.vsctl("get", "Interface", "vnet5", "ofport"), "no number")
    result = hook(domain(nic(6), entries=entry(6, IP="10.0.0.6")))
    world.check("a port that the switch cannot make: refused with one line", result.status == 1
                and not result.out and re.fullmatch("ovs-nwfilter: vnet5: .*\n", result.err),
                (result, world.tags("vnet5")))
    world.check("    no tag is left", not own_tags(world, "vnet5"), world.tags("vnet5"))
    world.ovs.vsctl("del-port", "br0", "vnet5")
    catch_up(world)


def test_trusted(world):
    """Ports that somebody has called trusted need no policy, and cannot have one."""
    world.ovs.vsctl("set", "Bridge", "br0", 'external_ids:nwfilter-trusted="uplink,vnet0"')
    catch_up(world)
    result = hook(domain(nic(1)))
    world.check("a trusted port without a policy", result == (0, "", ""), result)
    result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1")))
    world.check("    and with one", result.status == 1 and not own_tags(world, "vnet0")
                and re.fullmatch("ovs-nwfilter: vnet0: a trusted port.* not filtered\n",
                                 result.err), result)
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-trusted=uplink")
    clear_tags(world, "vnet0")


def test_disagree(world):
    define("other", "<rule action='drop'><all/></rule>")
    world.set_tags("vnet0", port_profile="other")
    other = nic(1, profile="other")
    check_refused(world, "metadata and profileid", hook(domain(other, entries=entry(1))),
                  r"vnet0: domain web:6 \(filter clean-traffic\) and profileid \(filter other\) "
                  "do not agree")
    write_policies(policy("10.0.0.6", vm="web"))
    check_refused(world, "profileid and policy.d", hook(domain(other)),
                  rf"vnet0: profileid \(filter other\) and {POLICIES}/policy.json: entry 0 "
                  r"\(filter clean-traffic\) do not agree")
    world.set_tags("vnet0", port_profile="nosuch")
    check_refused(world, "metadata and policy.d", hook(domain(nic(1), entries=entry(1, "other"))),
                  rf"vnet0: domain web:6 \(filter other\) and {POLICIES}/policy.json: entry 0 "
                  r"\(filter clean-traffic\) do not agree", names=["vnet1"])
    for variables in ({}, {"IP": "10.0.0.7"}, {"IP": "10.0.0.6", "X": "1"}):
        check_refused(world, f"    their variables, {variables}", hook(
            domain(nic(1), entries=entry(1, **variables))),
            rf"vnet0: domain web:6 and {POLICIES}/policy.json: entry 0 do not agree on the "
            "variables of filter clean-traffic", names=["vnet1"])
    write_policies(policy("10.0.0.6", vm="web"), policy("10.0.0.7", port="vnet0"))
    check_refused(world, "two of policy.d", hook(domain(nic(1))),
                  rf"vnet0: {POLICIES}/policy.json: entry 1 and {POLICIES}/policy.json: entry 0 "
                  "do not agree")
    write_policies()
    check_refused(world, "a profileid that is no filter", hook(domain(nic(1, profile="nosuch"))),
                  'vnet0: no filter: .* profileid "nosuch" is no filter\'s name, .*')
    world.set_tags("vnet0", port_profile=None)
    with open(f"{POLICIES}/broken.json", "w") as file:
        file.write("{")
    check_refused(world, "a broken policy file, and no other policy", hook(domain(nic(1))),
                  rf"vnet0: no filter is known for it: {POLICIES}/broken.json.*")
    os.unlink(f"{POLICIES}/broken.json")
    catch_up(world)


def tap(number, dev, kind="ethernet", inside=""):
    """An interface that is no port of libvirt's making."""
    return (f"<interface type='{kind}'><mac address='52:54:00:00:00:{number:02x}'/>{inside}"
            f"<target dev='{dev}'/></interface>\n")


def check_untouched(world, what, name, before, document, operation, phase):
    result = hook(document, operation, phase)
    good = result.status == (operation == "start") and not result.out
    world.check(f"{what}: {operation} leaves it as it is", good and world.tags(name) == before,
                (result, before, world.tags(name)))


def test_whose(world):
    """A name in a document makes no port its machine's."""
    world.guest("tap7", 7, CLEAN, IP="10.0.0.7")
    catch_up(world)
    linux = "<source bridge='virbr9'/>"
    for what, tags in (("no identity but iface-id", {}), ("os-vif", {"vm_uuid": OTHER}),
                       ("XenServer", {"xs_vm_uuid": OTHER}), ("libvirt", {"vm_id": OTHER})):
        world.set_tags("tap7", **tags)
        catch_up(world)
        before = world.tags("tap7")
        for kind in (tap(7, "tap7", "bridge", linux), nic(7, "tap7"), tap(7, "tap7")):
            for words in (("start", "begin"), ("reconnect", "begin"), ("stopped", "end"),
                          ("release", "end")):
                check_untouched(world, f"another's port, {what}", "tap7", before,
                                domain(kind, entries=entry(7, "allow-arp")), *words)
        world.set_tags("tap7", **dict.fromkeys(tags))
    world.unplug("tap7")
    for name in ("uplink", "br0"):
        before = world.tags(name)
        for words in (("start", "begin"), ("stopped", "end"), ("release", "end")):
            check_untouched(world, f"the host's port {name}", name, before,
                            domain(tap(7, name), entries=entry(7)), *words)
    result = hook(domain(tap(7, "br0")))
    world.check("the bridge's own port is refused without an entry, too", result.status == 1
                and re.fullmatch("ovs-nwfilter: br0: .*the bridge's own.* not filtered\n",
                                 result.err), result)
    result = hook(domain(tap(7, "uplink", "bridge", linux)))
    world.check("a Linux bridge's interface has such a name", result == (0, "", ""), result)


def test_taken(world):
    """A tap that somebody else has made, without a word of whose it is."""
    world.guest("tap8", 8)
    bare = {"attached_mac": None, "iface_id": None}
    world.set_tags("tap8", **bare)
    document = domain(tap(8, "tap8"), entries=entry(8, IP="10.0.0.8"))
    check_good(world, "a tap without any tags", hook(document), tap8=(
        {"nwfilter": CLEAN, "IP": "10.0.0.8", "nwfilter-added": "vm-id,attached-mac"},
        "10.0.0.8"))
    world.check("    it is the machine's", world.tags("tap8")["vm-id"] == UUID
                and world.tags("tap8")["attached-mac"] == world.mac("tap8"), world.tags("tap8"))
    result = hook(document, "stopped", "end")
    world.check("    stopped finds it", result == (0, "", "")
                and own_tags(world, "tap8").get("nwfilter") == "(stopped)", world.tags("tap8"))
    result = hook(document, "release", "end")
    left = {key for key in world.tags("tap8") if not key.startswith("nwfilter-")}
    world.check("    release makes it nobody's", result == (0, "", "") and not left
                and not own_tags(world, "tap8"), world.tags("tap8"))
    result = hook(domain(tap(8, "tap8"), entries=entry(8, "nosuch")))
    world.check("    a start that fails too", result.status == 1 and not own_tags(world, "tap8")
                and "vm-id" not in world.tags("tap8"), (result, world.tags("tap8")))
    world.set_tags("tap8", attached_mac="52:54:00:00:00:66")
    check_refused(world, "another address", hook(document),
                  "tap8: its attached-mac, 52:54:00:00:00:66, is not this interface's", ["tap8"])
    world.set_tags("tap8", attached_mac="52:54:00:00:00:08", nwfilter="allow-arp")
    result = hook(document)
    world.check("    somebody else's filter", result.status == 1
                and own_tags(world, "tap8") == {"nwfilter": "allow-arp"} and re.fullmatch(
                    "ovs-nwfilter: tap8: somebody else has bound filter allow-arp to it; .*\n",
                    result.err), (result, world.tags("tap8")))
    world.unplug("tap8")


def test_address(world):
    """The address in force is the document's."""
    document = domain(nic(1), entries=entry(1, IP="10.0.0.1"))
    world.set_tags("vnet0", attached_mac=None)
    check_good(world, "no attached-mac", hook(document), vnet0=(
        {"nwfilter": CLEAN, "IP": "10.0.0.1", "nwfilter-added": "attached-mac"}, "10.0.0.1"))
    clear_tags(world, "vnet0")
    world.set_tags("vnet0", attached_mac="52:54:00:00:00:66")
    check_refused(world, "another attached-mac", hook(document),
                  "vnet0: its attached-mac, 52:54:00:00:00:66, is not the interface's address, "
                  "52:54:00:00:00:01")
    world.set_tags("vnet0", attached_mac="52:54:00:00:00:01")


def test_undone(world):
    """A start that fails leaves what was bound before."""
    nwfilter("bind", "vnet0", CLEAN, "IP=10.0.0.1")
    catch_up(world)
    before = own_tags(world, "vnet0")
    result = hook(domain(nic(1), entries=entry(1, "nosuch")))
    catch_up(world)
    world.check("a start that fails: what was bound before is bound again", result.status == 1
                and own_tags(world, "vnet0") == before == {
                    "nwfilter": CLEAN, "nwfilter-IP": "10.0.0.1", "nwfilter-vm": UUID}
                and world.status("vnet0") == "active", (result, before, own_tags(world, "vnet0")))
    clear_tags(world, "vnet0")


def test_shared_address(world):
    """A machine that comes with an address that others share puts none of them out of force."""
    shared = "00:00:5e:00:01:07"
    pair = "".join(entry(n, IP=f"10.0.0.{n}").replace(
        "<parameter", f"<parameter name='MAC' value='52:54:00:00:00:{n:02x}'/>"
        f"<parameter name='MAC' value='{shared}'/><parameter", 1) for n in (1, 2))
    hook(domain(nic(1), nic(2), entries=pair))
    world.guest("vnet4", 4)
    world.set_tags("vnet4", vm_id=OTHER, attached_mac=shared)
    document = domain(nic(4, "vnet4"), entries=entry(4, IP="10.0.0.4"), uuid=OTHER)
    result = hook(document.replace("52:54:00:00:00:04", shared))
    catch_up(world)
    world.check("a new machine with others' shared address is refused", result.status == 1
                and re.fullmatch(f"ovs-nwfilter: vnet4: address {shared} is that of vnet[01], .*\n",
                                 result.err), result)
    status = [world.status(name) for name in ("vnet0", "vnet1")]
    world.check("    and they run on", status == ["active"] * 2, status)
    world.unplug("vnet4")
    clear_tags(world, "vnet0", "vnet1")


def test_stale(world):
    """Rows that have outlived their machine, as after a power loss."""
    old = {"nwfilter": "allow-arp", "nwfilter_OLD": "1", "vm_name": "old", "nwfilter_vm": OTHER,
           "port_profile": "allow-arp"}
    world.set_tags("vnet0", **old)
    check_good(world, "start: nothing of an older machine counts", hook(
        domain(nic(1), entries=entry(1, IP="10.0.0.1"))),
        vnet0=({"nwfilter": CLEAN, "IP": "10.0.0.1"}, "10.0.0.1"))
    world.check("    its profileid neither", "port-profile" not in world.tags("vnet0"),
                world.tags("vnet0"))
    clear_tags(world, "vnet0")
    world.set_tags("vnet0", port_profile="allow-arp")
    result = hook(domain(nic(1)))
    world.check("only a profileid of an older machine: refused", result.status == 1
                and re.fullmatch("ovs-nwfilter: vnet0: no filter: .* has no profileid.*\n",
                                 result.err)
                and not own_tags(world, "vnet0"), (result, world.tags("vnet0")))
    world.set_tags("vnet0", **old | {"nwfilter": CLEAN, "nwfilter_IP": "10.0.0.1"})
    catch_up(world)
    world.check("plugged later, when no hook runs: quarantined", world.status("vnet0").startswith(
        f"error: its tags are those of another virtual machine, {OTHER}, "), world.tags("vnet0"))
    check_shut(world, "    nothing passes", "vnet0")
    result = nwfilter("bind", "vnet0", CLEAN, "IP=10.0.0.1")
    catch_up(world)
    world.check("    until somebody binds it", result.status == 0 and "vm-name" not in
                world.tags("vnet0") and world.status("vnet0") == "active", world.tags("vnet0"))
    world.set_tags("vnet0", port_profile=None)
    clear_tags(world, "vnet0")


def test_elsewhere(world):
    """A policy that is not in the metadata, of a port on a bridge that nobody manages."""
    world.set_tags("vnet8", vm_id=UUID, attached_mac="52:54:00:00:00:09", port_profile=CLEAN)
    ours = r'and bridge plain is not managed; run "ovs-nwfilter manage plain"'
    plain = domain(nic(9, bridge="plain"))
    check = [("profileid", domain(nic(9, bridge="plain", profile=CLEAN)), "profileid", {})]
    check += [(f"policy.d by {key}", plain, f"{POLICIES}/policy.json: entry 0", {key: value})
              for key, value in (("vm", "web"), ("mac", "52:54:00:00:00:09"), ("port", "vnet8"))]
    for what, document, place, selector in check:
        write_policies(*([policy("10.0.0.9", **selector)] if selector else []))
        result = hook(document)
        world.check(f"{what}: refused", result.status == 1 and not own_tags(world, "vnet8")
                    and re.fullmatch(f"ovs-nwfilter: vnet8: {place} names a filter for it, "
                                     f"{ours}\n", result.err), (result, world.tags("vnet8")))
    write_policies()
    result = hook(plain)
    world.check("no policy: not looked at", result == (0, "", ""), result)
    world.set_tags("vnet8", vm_id=None, attached_mac=None, port_profile=None)


def test_other_name(world):
    """A Port that is not called like its Interface."""
    world.ovs.vsctl("--", "--id=@i", "create", "Interface", "name=vnet6", "type=internal",
                    f"external_ids:vm-id={UUID}", "--", "--id=@p", "create", "Port", "name=pf",
                    "interfaces=@i", "--", "add", "Bridge", "br0", "ports", "@p")
    world.ovs.ofport("vnet6")
    result = hook(domain(nic(7, "vnet6")))
    world.check("a Port of another name: no policy is refused", result.status == 1
                and result.err.startswith("ovs-nwfilter: vnet6: no filter: "), result)
    result = hook(domain(nic(7, "vnet6"), entries=entry(7, IP="10.0.0.7")))
    world.check("    with one it is in force", result == (0, "", "")
                and world.status("vnet6") == "active", (result, world.tags("vnet6")))
    world.ovs.vsctl("del-port", "pf")
    catch_up(world)


def test_names(world):
    """A name that is too long for a tag leaves none of a machine before."""
    world.set_tags("vnet0", vm_name="old")
    long = "w" * 70000
    result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1"), name=long), name="long")
    world.check("a name that is no tag's: the old one goes", result == (0, "", "")
                and "vm-name" not in world.tags("vnet0"), (result, world.tags("vnet0")))
    clear_tags(world, "vnet0")
    one = entry(1, IP="10.0.0.1")
    for what, document, pattern in (
            ("one entry for two interfaces", domain(nic(1), nic(1, "vnet1"), entries=one),
             r"domain web:6: this <port> is for two interfaces, of lines \d+ and \d+; .*"),
            ("two interfaces of one name", domain(nic(1), nic(2, "vnet0"), entries=one),
             r"domain web:\d+: a second interface has <target dev='vnet0'>, .*")):
        check_refused(world, what, hook(document), pattern)


def test_silent(world):
    """What else libvirt runs us for, now or in future versions; documents of any kind."""
    document = domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1"))
    for operation, phase in (("prepare", "begin"), ("started", "begin"), ("migrate", "begin"),
                             ("restore", "begin"), ("start", "end"), ("stopped", "begin"),
                             ("future", "begin")):
        for text in (document, "?", "x" * (4 << 20)):
            result = hook(text, operation, phase)
            world.check(f"{operation} {phase}: nothing", result == (0, "", ""), result)
    world.check("    no tag was written", not own_tags(world, "vnet0"), world.tags("vnet0"))
    for text in ("", "?", "x" * (9 << 20), domain(nic(1), entries="<nic/>")):
        for operation, phase in (("reconnect", "begin"), ("stopped", "end"), ("release", "end")):
            result = hook(text, operation, phase)
            world.check(f"{operation}: a bad document is said, and is no failure",
                        result.status == 0 and not result.out and re.fullmatch(
                            r"ovs-nwfilter: domain web.*\n(ovs-nwfilter: vnet\d: no .*\n)*",
                            result.err), result)
    clear_tags(world, "vnet0", "vnet1")
    result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1"), name="-web"), name="-web")
    world.check("a name like an option's", result == (0, "", "")
                and own_tags(world, "vnet0")["vm-name"] == "-web", result)
    clear_tags(world, "vnet0")


def test_reconnect(world):
    document = domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2"))
    tags = {"nwfilter": CLEAN, "IP": "10.0.0.1"}
    hook(document)
    world.set_tags("vnet0", nwfilter=None, nwfilter_IP=None, vm_name=None)
    catch_up(world)
    check_shut(world, "tags that are lost", "vnet0")
    nwfilter("bind", "vnet1", CLEAN, "IP=10.0.0.22")
    check_good(world, "reconnect: they are back, and what was bound since stays",
               hook(document, "reconnect"), vnet0=(tags, "10.0.0.1"),
               vnet1=({"nwfilter": CLEAN, "IP": "10.0.0.22"}, "10.0.0.22"))
    unplugged = domain(nic(1), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2"))
    world.set_tags("vnet0", nwfilter=None)
    result = hook(unplugged, "attach")
    world.check("an entry of an interface that was unplugged is said, the others are back",
                result.status == 0 and not result.out and "is for none of" in result.err
                and own_tags(world, "vnet0")["nwfilter"] == CLEAN
                and world.status("vnet0") == "active", result)
    clear_tags(world, "vnet0")
    other = domain(nic(1), entries=entry(1, "allow-arp"))
    write_policies(policy("10.0.0.1", vm="web"))
    hook(domain(nic(1)))
    result = hook(other, "reconnect")
    world.check("metadata that is not what is in force: is said, and changes nothing",
                result.status == 0 and "do not agree" in result.err
                and own_tags(world, "vnet0") == MACHINE and world.status("vnet0") == "active",
                (result, own_tags(world, "vnet0")))
    write_policies()
    world.set_tags("vnet0", nwfilter="nosuch")
    result = hook(document, "reconnect")
    world.check("a filter that fails is said, and is no failure", result.status == 0
                and re.fullmatch("ovs-nwfilter: vnet0: .*nosuch.*\n", result.err), result)
    clear_tags(world, "vnet0", "vnet1")


def test_broken_since(world):
    """The metadata of a domain that runs has been edited, and has mistakes: that is said, and what
    is in order counts."""
    good = domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2"))
    for what, broken in (
            ("no address", "<port mac='zz'><filterref filter='allow-arp'/></port>"),
            ("no selector", "<port><filterref filter='allow-arp'/></port>"),
            ("an unknown attribute", entry(1, "allow-arp").replace(" mac=", " MAC=")),
            ("a bad alias", "<port alias='a b'><filterref filter='allow-arp'/></port>"),
            ("two filters", entry(1, "allow-arp").replace(
                "</port>", "<filterref filter='allow-ipv4'/></port>")),
            ("no filter", "<port mac='52:54:00:00:00:01'/>"),
            ("a variable's name that is taken", entry(1, status="1"))):
        hook(good)
        for name in ("vnet0", "vnet1"):
            world.set_tags(name, nwfilter=None, nwfilter_IP=None)
        bad = domain(nic(1), nic(2), entries=broken + entry(2, IP="10.0.0.2"))
        result = hook(bad, "reconnect")
        world.check(f"reconnect: {what}: is said, and is no failure", result.status == 0
                    and not result.out and re.match(r"ovs-nwfilter: domain web:\d: ", result.err),
                    result)
        world.check("    the other port has its filter back, this one has none",
                    own_tags(world, "vnet1").get("nwfilter") == CLEAN
                    and "nwfilter" not in own_tags(world, "vnet0"), world.tags("vnet0"))
        for words, tag in ((("stopped", "end"), "(stopped)"), (("release", "end"), None)):
            result = hook(bad, *words)
            left = [own_tags(world, name).get("nwfilter") for name in ("vnet0", "vnet1")]
            world.check(f"    {words[0]} cleans up both", result.status == 0 and not result.out
                        and left == [tag, tag], (result, left))
    clear_tags(world, "vnet0", "vnet1")


def test_stopped(world):
    document = domain(nic(1), nic(2), entries=entry(1, IP="10.0.0.1") + entry(2, IP="10.0.0.2"))
    hook(document)
    write_policies(policy("10.0.0.1", mac="52:54:00:00:00:01"))
    result = hook(document.replace(UUID, OTHER), "stopped", "end")
    world.check("stopped: another machine's ports stay as they are", result == (0, "", "")
                and world.status("vnet0") == world.status("vnet1") == "active", result)
    # As libvirt gives it: without the names that it has made up, <target dev='vnet0'/>.
    document = re.sub("<target dev='vnet.'/>", "", document)
    result = hook(document, "stopped", "end")
    world.check("stopped: the tags are gone", result == (0, "", "") and all(
        own_tags(world, name) == {"nwfilter": "(stopped)"} for name in ("vnet0", "vnet1")),
        (result, own_tags(world, "vnet0")))
    check_shut(world, "    nothing passes, although policy.d has a filter", "vnet0", "vnet1")
    number = world.ovs.ofport("vnet1")
    world.ovs.vsctl("del-port", "br0", "vnet1")
    result = hook(document, "release", "end")
    left = [flow for flow in world.ovs.flows("br0") if f"in_port={number}," in flow
            or f"in_port={number} " in flow or f"reg0={number:#x}" in flow]
    world.check("release: no flow of a port that is gone is left", result == (0, "", "")
                and not left, (result, left))
    world.check("    a port that stays is nobody's", not own_tags(world, "vnet0"),
                world.tags("vnet0"))
    write_policies()
    world.ports["vnet1"].remove()
    plug(world, 2)
    catch_up(world)


def test_lost(world):
    """A tool of the host has cleared the bridge just before."""
    world.ovs.vsctl("clear", "Bridge", "br0", "external_ids", "fail_mode")
    result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1")))
    world.check("a bridge that has lost its tags is managed again", result.status == 0
                and not result.out and world.status("vnet0") == "active", result)
    world.expect_all("    and the port is enforced", [
        ("vnet0", world.ip("vnet0"), UPLINK), ("vnet0", world.ip("vnet0", src="10.0.0.77"), [])])
    clear_tags(world, "vnet0")
    write_policies(policy("10.0.0.1", vm="web"))
    record = "/etc/ovs-nwfilter/bridges.d/br0.json"
    with open(record) as file:
        text = file.read()
    with open(record, "w") as file:
        file.write("{")
    world.ovs.vsctl("clear", "Bridge", "br0", "external_ids", "fail_mode")
    result = hook(domain(nic(1)))
    world.check("    if its record cannot be read: refused", result.status == 1
                and "bridge br0 has lost its tags" in result.err
                and not own_tags(world, "vnet0"), (result, world.tags("vnet0")))
    with open(record, "w") as file:
        file.write(text)
    write_policies()
    catch_up(world)
    clear_tags(world, "vnet0")


def test_cleared_meanwhile(world):
    """A tool of the host clears the bridge at any moment."""
    command = "ovs-vsctl clear Bridge br0 external_ids fail_mode; sleep 0.02; "
    tool = subprocess.Popen(("sh", "-c", command * 40), stdout=subprocess.DEVNULL)
    results = []
    while tool.poll() is None:
        result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1")))
        results.append((result.status, own_tags(world, "vnet0").get("nwfilter")))
        for key in own_tags(world, "vnet0"):
            world.set_tags("vnet0", **{key: None})
    wrong = [each for each in results if each[0] == 0 and each[1] != CLEAN]
    world.check(f"of {len(results)} starts beside a tool that clears the bridge no port is left "
                "without its tags", not wrong, wrong)
    catch_up(world)
    clear_tags(world, "vnet0")


def test_no_switch(world):
    """Open vSwitch or a part of it is down."""
    document = domain(nic(1), entries=entry(1, IP="10.0.0.1"))
    options = ("--timeout=2",)
    world.ovs.switch.stop()
    began = time.monotonic()
    result = hook(document, options=options)
    world.check(f"no ovs-vswitchd ({time.monotonic() - began:.1f} s): refused with one line",
                result.status == 1 and not result.out
                and re.fullmatch("ovs-nwfilter: .*br0.*\n", result.err), result)
    world.check("    no tag is left", not own_tags(world, "vnet0"), world.tags("vnet0"))
    for words in (("reconnect", "begin"), ("stopped", "end"), ("release", "end")):
        result = hook(document, *words, options=options)
        world.check(f"    {words[0]} is no failure", result.status == 0 and not result.out, result)
    world.ovs.start_switch()
    catch_up(world)
    clear_tags(world, "vnet0")
    world.ovs.server.stop()
    result = hook(document, options=options)
    world.check("no ovsdb-server: refused with one line", result.status == 1 and not result.out
                and re.fullmatch("ovs-nwfilter: the switch's database does not answer; see that "
                                 "ovsdb-server runs: OVSDB .*\n", result.err), result)
    for words in (("reconnect", "begin"), ("stopped", "end"), ("release", "end")):
        result = hook(document, *words, options=options)
        world.check(f"    {words[0]} is no failure", result.status == 0 and not result.out
                    and result.err.count("\n") == 1, result)
    plain = ("<interface type='bridge'><source bridge='virbr0'/><target dev='vnet5'/>"
             "</interface>")
    for words in (("start", "begin"), ("stopped", "end")):
        result = hook(domain(plain), *words, options=options)
        world.check(f"    {words[0]}: a domain on a Linux bridge does not care",
                    result == (0, "", ""), result)
    world.ovs.start_server()
    wait_for(lambda: nwfilter("sync").status in (0, 1) and world.ovs.flows("br0"), "the switch")
    catch_up(world)


def test_slow_daemon(world):
    """A daemon that does not answer: the start fails in time, and takes back what it wrote."""
    world.daemon.freeze()
    result = hook(domain(nic(1), entries=entry(1, IP="10.0.0.1")), options=("--timeout=1",))
    world.check("a daemon that hangs: refused with one line", result.status == 1
                and result.err == "ovs-nwfilter: vnet0: not enforced in time\n", result)
    world.check("    no tag is left", not own_tags(world, "vnet0"), world.tags("vnet0"))
    both = domain(nic(1), nic(2))
    linux = domain(tap(9, "vnet9", "bridge", "<source bridge='virbr0'/>"))
    for what, document, most in (("two ports", both, 11), ("none", linux, 1)):
        for words in (("reconnect", "begin"), ("stopped", "end"), ("release", "end")):
            began = time.monotonic()
            result = hook(document, *words, options=("--timeout=1",))
            took = time.monotonic() - began
            world.check(f"    {words[0]} of a domain with {what} ({took:.1f} s)",
                        result.status == 0 and took < most, (result, took))
    world.daemon.thaw()
    world.daemon.settle()
    check_shut(world, "    nothing passes", "vnet0")


def test_daemon_ends(world):
    """A daemon that ends while we wait for it: the work is done without it."""
    world.daemon.freeze()
    words = (PROGRAM, "--filter-dir=/run/lab/filters", "hook", "libvirt", "web", "start", "begin",
             "-")
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    process.stdin.write(domain(nic(1), entries=entry(1, IP="10.0.0.1")))
    process.stdin.close()
    process.stdin = None
    wait_for(lambda: own_tags(world, "vnet0"), "the tags", 10)
    world.daemon.crash()
    out, err = process.communicate(timeout=60)
    world.check("a daemon that is killed meanwhile: the start goes on without it",
                (process.returncode, out, err) == (0, "", "")
                and world.status("vnet0") == "active", (process.returncode, out, err))
    world.daemon.start()
    world.daemon.settle()
    hook(domain(nic(1)), "stopped", "end")
    hook(domain(nic(1)), "release", "end")
    # The end wants no guest with an error.
    nwfilter("bind", "vnet0", CLEAN, "IP=10.0.0.1")
    nwfilter("bind", "vnet1", CLEAN, "IP=10.0.0.2")


PARTS = [test_start, test_one_transaction, test_places, test_not_ours, test_refused, test_no_number,
         test_trusted, test_disagree, test_whose, test_taken, test_address, test_undone,
         test_shared_address, test_stale, test_elsewhere, test_other_name, test_names, test_silent,
         test_reconnect, test_broken_since, test_stopped, test_lost, test_cleared_meanwhile,
         test_no_switch]


if __name__ == "__main__":
    run(test)
