#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hook libvirt: a domain's ports are enforced when "start" returns, or it fails and leaves nothing.

Where a policy may stand, what is refused, and what a start leaves alone; first without the daemon,
then with it.
"""

import os
import re
import subprocess
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.netns import wait_for  # noqa: E402
from system.libvirt_world import (  # noqa: E402
    CLEAN, OTHER, POLICIES, UUID, catch_up, check_good, check_refused, clear_tags, domain, entry,
    hook, nic, own_tags, policy, run_parts, write_policies)
from system.world import define, nwfilter, run  # noqa: E402


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
        ("a port with a name of any length", domain(nic(7, "v" * 3000), entries=entry(7)),
         "v{80}: domain web:6 names a filter for it, and no bridge of Open vSwitch has it .*"),
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


PARTS = [test_start, test_one_transaction, test_places, test_not_ours, test_refused,
         test_no_number, test_trusted, test_disagree, test_undone, test_elsewhere,
         test_other_name, test_names]


def test(world):
    run_parts(world, PARTS)


if __name__ == "__main__":
    run(test)
