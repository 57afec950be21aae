#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who is a guest, who is trusted, and whose an address is.

Ports that have no identity, as Proxmox VE's, are guests by their names; what looks like a guest and
has no filter passes nothing; and an address is never two ports' own.
"""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from system import relay as r  # noqa: E402
from system.world import FILTERS, define, nwfilter, run  # noqa: E402

CLEAN = "clean-traffic"
BRIDGE_MAC = "02:00:00:00:00:01"
NO_FILTER = "error: no filter is bound to "


def test(world):
    world.trusted("uplink", 254)
    test_names(world)
    test_identities(world)
    test_profile_without_filter(world)
    test_default(world)
    test_default_filter(world)
    test_variables_alone(world)
    test_two_owners(world)
    test_bridge_address(world)
    test_shared(world)
    test_meanwhile(world)
    test_rows_meanwhile(world)


def status(world, name):
    return world.status(name) or ""


def forged(world, name):
    return world.ip(name, src="10.0.0.77", mac="52:54:00:00:00:77")


def unplug(world, *names):
    world.unplug(*names)
    nwfilter("sync")


def test_names(world):
    guests = ["vnet7", "tap100i0", "veth101i0", "fwln102o0", "vif3.0"]
    others = ["eth9", "tap0", "veth1", "vnetx", "vif3-0"]
    for number, name in enumerate(guests + others):
        world.trusted(name, number + 10)
    result = world.manage()
    reached = [name for name in guests if world.verdict(name, forged(world, name), [])
               or world.verdict("uplink", forged(world, "uplink"), others)]
    world.check("names of guests: libvirt's, Proxmox VE's and Xen's pass nothing", not reached
                and all(status(world, name).startswith(NO_FILTER) and "nwfilter-guests" in
                        status(world, name) for name in guests), (result, reached))
    world.expect("    other names are trusted", "eth9", forged(world, "eth9"),
                 ["uplink"] + others[1:])
    world.manage("--guests=eth*,*x", "--trusted=uplink,vnetx")
    nwfilter("sync")
    world.check("    --guests takes the place of that list, --trusted comes before it",
                status(world, "eth9").startswith(NO_FILTER) and not status(world, "tap100i0")
                and not status(world, "vnetx"), status(world, "eth9"))
    world.manage("--guests=")
    world.check("    and may be empty", not status(world, "eth9") and not status(world, "vnet7"))
    world.manage()
    world.set_tags("tap100i0", nwfilter=CLEAN, nwfilter_MAC="52:54:00:00:00:40",
                   nwfilter_IP="10.0.0.40")
    nwfilter("sync", "--port=tap100i0")
    world.expect("a filter makes it a guest", "tap100i0",
                 world.ip("tap100i0", mac="52:54:00:00:00:40", src="10.0.0.40"),
                 ["uplink"] + others)
    world.expect("    whose forged frames are dropped", "tap100i0", forged(world, "tap100i0"), [])
    unplug(world, *guests, *others)


def test_identities(world):
    for number, key in enumerate(("attached-mac", "iface-id", "vm-id", "vm-uuid", "xs-vm-uuid",
                                  "xs-vif-uuid")):
        world.trusted("p0", 20 + number)
        world.set_tags("p0", **{key.replace("-", "_"): "52:54:00:00:00:20"})
        result = nwfilter("sync")
        world.check(f"{key} is a virtual machine's identity", result.status == 1
                    and status(world, "p0").startswith(NO_FILTER)
                    and not world.verdict("p0", forged(world, "p0"), []), result)
        world.unplug("p0")


def test_profile_without_filter(world):
    """A filter that is not there any more makes no port a trusted one."""
    world.trusted("p0", 26)
    define("web", "<rule action='accept' direction='inout'><ip srcipaddr='10.0.0.26'/></rule>"
           "<rule action='drop' direction='inout'><all/></rule>")
    world.set_tags("p0", port_profile="web")
    nwfilter("sync")
    before = status(world, "p0")
    os.unlink(f"{FILTERS}/web.xml")
    result = nwfilter("sync")
    world.check("port-profile, and its filter is gone: quarantined", before == "active"
                and result.status == 1 and status(world, "p0").startswith(NO_FILTER)
                and not world.verdict("p0", world.ip("p0"), []), (before, result))
    unplug(world, "p0")


def test_default(world):
    world.trusted("p1", 30)
    world.manage("--default=quarantine", "--trusted=uplink")
    world.expect("nwfilter-default=quarantine: what is nothing else passes nothing", "p1",
                 forged(world, "p1"), [])
    world.check("    and its status says why", "nwfilter-default" in status(world, "p1"),
                status(world, "p1"))
    world.expect("    the bridge's own port is trusted", "uplink", forged(world, "uplink"), [])
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-default=something")
    nwfilter("sync")
    world.expect("    a value that means nothing is taken for it", "p1", forged(world, "p1"), [])
    world.manage("--default=trusted")
    world.expect("nwfilter-default=trusted: it is trusted", "p1", forged(world, "p1"), ["uplink"])
    result = nwfilter("manage", "br0", "--default=maybe")
    world.check("manage --default=maybe is refused", result.status == 1 and result.err ==
                "ovs-nwfilter: --default is quarantine or trusted, not \"maybe\"\n", result)
    unplug(world, "p1")


def test_default_filter(world):
    world.guest("vnet5", 5)
    world.trusted("p2", 31)
    world.manage(f"--default-filter={CLEAN}")
    world.check("the default filter is that of guests: here a variable is missing",
                "filter clean-traffic" in status(world, "vnet5") and not status(world, "p2"),
                status(world, "vnet5"))
    world.set_tags("vnet5", nwfilter_IP="10.0.0.5")
    nwfilter("sync", "--port=vnet5")
    world.expect_all("    and with it it holds", [
        ("vnet5", world.ip("vnet5"), ["uplink", "p2"]),
        ("vnet5", world.ip("vnet5", src="10.0.0.6"), [])])
    nwfilter("filter", "define", "-",
             stdin="<filter name='mine'><filterref filter='clean-traffic'/></filter>")
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-default-filter=mine")
    result = nwfilter("filter", "undefine", "mine")
    world.check("    and cannot be undefined", result.status == 1
                and "guests of bridge br0 without a filter" in result.err, result)
    world.ovs.vsctl("set", "Bridge", "br0", f"external_ids:nwfilter-default-filter={CLEAN}")
    result = nwfilter("filter", "undefine", "mine")
    world.check("    until it is the default no more", result.status == 0, result)
    result = nwfilter("manage", "br0", "--default-filter=nosuch")
    world.check("    one that is not there is refused", result.status == 1
                and "--default-filter: nosuch" in result.err, result)
    world.ovs.vsctl("set", "Bridge", "br0", "external_ids:nwfilter-default-filter=nosuch")
    nwfilter("sync")
    world.check("    or quarantines guests", status(world, "vnet5").startswith("error: filter nosuch"),
                status(world, "vnet5"))
    world.manage()
    unplug(world, "vnet5", "p2")


def test_variables_alone(world):
    world.trusted("p3", 33)
    for value in ("10.0.0.33", "$$"):
        world.set_tags("p3", nwfilter_IP=value)
        result = nwfilter("sync")
        world.check(f"a variable ({value}), and no filter: it is no trusted port",
                    result.status == 1 and status(world, "p3").startswith("error: ")
                    and not world.verdict("p3", forged(world, "p3"), []), result)
    unplug(world, "p3")


def owners(world, *names):
    return [status(world, name) == "active" for name in names]


def test_two_owners(world):
    """Two guests with one address: the newer passes nothing."""
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, CLEAN, IP="10.0.0.2")
    world.manage()
    to_first = world.ip("uplink", "vnet0", dst="10.0.0.1")
    world.set_tags("vnet1", attached_mac=world.mac("vnet0"))
    for words in (("sync",), ("sync", "--port=vnet1"), ("sync", "--full")):
        result = nwfilter(*words)
        world.check(f"{' '.join(words)}: the address of another guest: told", result.status == 1
                    and owners(world, "vnet0", "vnet1") == [True, False]
                    and f"address {world.mac('vnet0')} is that of vnet0" in status(world, "vnet1"),
                    (result, status(world, "vnet0"), status(world, "vnet1")))
    world.expect_all("    the first has its frames, and the second sends none", [
        ("uplink", to_first, ["vnet0"]),
        ("vnet1", world.ip("vnet1", mac="vnet0", src="10.0.0.2"), []),
        ("vnet0", world.ip("vnet0"), ["uplink"])])
    world.ovs.restart_switch()
    world.rewire()
    nwfilter("sync")
    world.check("    after a restart of the switch it is the same",
                owners(world, "vnet0", "vnet1") == [True, False], status(world, "vnet1"))
    world.set_tags("vnet0", attached_mac="52:54:00:00:00:08")
    nwfilter("sync")
    world.check("    until the first gives it up", owners(world, "vnet0", "vnet1") == [True, True],
                (status(world, "vnet0"), status(world, "vnet1")))
    # Now the port with the lower number is the newer one.
    world.set_tags("vnet0", attached_mac=world.mac("vnet0"))
    nwfilter("sync")
    world.check("    and it is not first by its number", owners(world, "vnet0", "vnet1") ==
                [False, True], (status(world, "vnet0"), status(world, "vnet1")))
    world.set_tags("vnet1", attached_mac="52:54:00:00:00:02", nwfilter_MAC=None)
    nwfilter("sync")
    world.set_tags("vnet1", nwfilter_MAC=f"52:54:00:00:00:02,{world.mac('vnet0')}")
    nwfilter("sync")
    world.check("an address more in MAC that is another's own: refused as well",
                owners(world, "vnet0", "vnet1") == [True, False], status(world, "vnet1"))
    for tags, active in (((5, 6), [True, True]), ((5, 5), [True, False]), ((5, None), [True, False])):
        world.set_tags("vnet1", nwfilter_MAC=None, attached_mac=world.mac("vnet0"))
        for name, tag in zip(("vnet0", "vnet1"), tags):
            world.ovs.vsctl(*(("set", "Port", name, f"tag={tag}") if tag else
                              ("clear", "Port", name, "tag")))
        nwfilter("sync")
        world.check(f"    VLANs {tags}: {'both' if all(active) else 'one'}",
                    owners(world, "vnet0", "vnet1") == active,
                    (status(world, "vnet0"), status(world, "vnet1")))
    world.ovs.vsctl("clear", "Port", "vnet0", "tag")
    world.set_tags("vnet1", attached_mac="52:54:00:00:00:02")
    nwfilter("sync")
    world.check("with an address of its own it is active",
                owners(world, "vnet0", "vnet1") == [True, True], status(world, "vnet1"))


def test_bridge_address(world):
    world.ovs.vsctl("add-port", "br0", "mgmt0", "--", "set", "Interface", "mgmt0", "type=internal",
                    'mac="02:00:00:00:00:99"')
    for mac, whose in ((BRIDGE_MAC, "the bridge's"), ("02:00:00:00:00:99", "an internal port's")):
        for tags in ({"attached_mac": mac}, {"nwfilter_MAC": f"52:54:00:00:00:02,{mac}"}):
            world.set_tags("vnet1", attached_mac="52:54:00:00:00:02", nwfilter_MAC=None)
            world.set_tags("vnet1", **tags)
            result = nwfilter("sync")
            world.check(f"{whose} own address in {', '.join(tags)}: refused", result.status == 1
                        and f"address {mac} is the host's own" in status(world, "vnet1")
                        and not world.verdict("vnet1", world.arp("vnet1", sha=mac), []), result)
    world.ovs.vsctl("del-port", "mgmt0")
    world.set_tags("vnet1", attached_mac="52:54:00:00:00:02", nwfilter_MAC=None)
    nwfilter("sync")
    world.check("    and it is active without it", status(world, "vnet1") == "active")


def test_shared(world):
    """A further address that is nobody's own, such as VRRP's, may be several guests'."""
    for number, name in ((1, "vnet0"), (2, "vnet1")):
        world.set_tags(name, nwfilter_MAC=f"52:54:00:00:00:0{number},00:00:5e:00:01:07")
    nwfilter("sync")
    world.check("an address that both share, and none has as its own",
                owners(world, "vnet0", "vnet1") == [True, True],
                (status(world, "vnet0"), status(world, "vnet1")))
    test_refused_in_audit_mode(world)
    for name in ("vnet0", "vnet1"):
        world.set_tags(name, nwfilter_MAC=None)
    nwfilter("sync")


def test_refused_in_audit_mode(world):
    """There a port that is refused has a delivery all the same, which gives it no right."""
    world.manage("--audit")
    world.set_tags("vnet0", nwfilter=None, nwfilter_MAC=None)
    nwfilter("sync")
    world.set_tags("vnet0", attached_mac="00:00:5e:00:01:07", nwfilter=CLEAN)
    for words in (("sync", "--port=vnet0"), ("sync",), ("sync", "--port=vnet1"), ("sync", "--full")):
        nwfilter(*words)
        world.check(f"{' '.join(words)}: who comes with what another shares is refused",
                    owners(world, "vnet0", "vnet1") == [False, True],
                    (status(world, "vnet0"), status(world, "vnet1")))
    world.manage()
    world.set_tags("vnet0", attached_mac="52:54:00:00:00:01")


def test_bridge_meanwhile(world):
    """The bridge's row: what is not ours does not matter, and what is holds when sync ends."""
    for what, words in (
            ("somebody's own key", ("set", "Bridge", "br0", "external_ids:bridge-id=br0")),
            ("in-band control", ("remove", "Bridge", "br0", "other_config", "disable-in-band")),
            ("fail_mode", ("set-fail-mode", "br0", "standalone"))):
        changed = []

        def judge(message, _):
            if message.type == r.BUNDLE_CONTROL and message.bundle[1] == r.BUNDLE_COMMIT \
                    and not changed:
                changed.append(world.ovs.vsctl("--no-wait", *words))
            return r.PASS
        world.set_tags("vnet0", nwfilter_IP="10.0.0.7")
        with r.SwitchRelay(world, judge) as relay:
            result = relay.nwfilter("sync")
        now = world.ovs.vsctl("get", "Bridge", "br0", "other_config", "fail_mode")
        world.check(f"{what} changes while sync runs", result.status == 0 and not result.err
                    and 'disable-in-band="true"' in now and "secure" in now, (result, now))
        world.set_tags("vnet0", nwfilter_IP="10.0.0.1")
        nwfilter("sync")
    world.ovs.vsctl("remove", "Bridge", "br0", "external_ids", "bridge-id")


def test_meanwhile(world):
    """Tags that change while sync runs: active is said of what is in force, and of nothing else."""
    for options in ((), ("--full",)):
        changed = []

        def judge(message, _):
            if message.type == r.BUNDLE_CONTROL and message.bundle[1] == r.BUNDLE_COMMIT \
                    and not changed:
                changed.append(world.set_tags("vnet1", nwfilter_IP="10.0.0.8"))
            return r.PASS
        world.set_tags("vnet0", nwfilter_IP="10.0.0.7")
        with r.SwitchRelay(world, judge) as relay:
            result = relay.nwfilter("sync", *options)
        world.check(f"tags that change while sync {' '.join(options)} runs are put in force too",
                    result.status == 0 and nwfilter("diff").status == 0
                    and not world.verdict("vnet1", world.ip("vnet1", src="10.0.0.2"), [])
                    and not world.verdict("vnet1", world.ip("vnet1", src="10.0.0.8"),
                                          ["uplink", "vnet0"]), result)
        for name, address in (("vnet0", "10.0.0.1"), ("vnet1", "10.0.0.2")):
            world.set_tags(name, nwfilter_IP=address)
        nwfilter("sync")
    test_bridge_meanwhile(world)
    count = [10]

    def flap(message, _):
        if message.type == r.BUNDLE_CONTROL and message.bundle[1] == r.BUNDLE_COMMIT:
            count[0] += 1
            world.set_tags("vnet1", nwfilter_IP=f"10.0.0.{count[0]}")
        return r.PASS
    world.set_tags("vnet0", nwfilter_IP="10.0.0.7")
    with r.SwitchRelay(world, flap) as relay:
        result = relay.nwfilter("sync")
    world.check("tags that change all the time: the port is not called active, others are",
                result.status == 1 and status(world, "vnet0") == "active"
                and "changed while they were put in force" in status(world, "vnet1"),
                (result, status(world, "vnet0"), status(world, "vnet1")))
    result = nwfilter("sync")
    world.check("    and is with the next sync", result.status == 0
                and status(world, "vnet1") == "active", result)


# What changes in the rows of a port, and what its status is to begin with then.
ROW_CHANGES = (
    (("set", "Port", "vnet0", "tag=6"), "active"),
    (("set", "Interface", "vnet0", "lldp:enable=true"), "error: lldp"),
    (("set", "Bridge", "br0", "external_ids:nwfilter=audit"), "active"),
    (("remove", "Bridge", "br0", "other_config", "disable-in-band"), "active"),
    (("set-fail-mode", "br0", "standalone"), "active"),
    (("clear", "Bridge", "br0", "external_ids"), "active"),
)


def test_rows_meanwhile(world):
    """The same of what a port, its Port and its bridge are, by each way to enforce its policy."""
    for words in (["sync", "--port=vnet0"], ["bind", "--sync", "vnet0", CLEAN], ["sync"]):
        for number, (change, wanted) in enumerate(ROW_CHANGES):
            done = []

            def judge(message, _):
                if message.type == r.BUNDLE_CONTROL and message.bundle[1] == r.BUNDLE_COMMIT \
                        and not done:
                    done.append(world.ovs.vsctl("--no-wait", *change))
                return r.PASS
            world.set_tags("vnet0", nwfilter_IP=f"10.0.0.{50 + number}")
            more = [f"IP=10.0.0.{80 + number}"] if words[0] == "bind" else []
            with r.SwitchRelay(world, judge) as relay:
                result = relay.nwfilter(*words, *more)
            diff = nwfilter("diff")
            in_band = world.ovs.vsctl("get", "Bridge", "br0", "other_config")
            world.check(f"{' '.join(words[:2])}: meanwhile {' '.join(change)}",
                        done and status(world, "vnet0").startswith(wanted)
                        and diff.status == 0 and 'disable-in-band="true"' in in_band,
                        (result, diff, in_band))
            world.ovs.vsctl("clear", "Port", "vnet0", "tag", "--", "clear", "Interface", "vnet0",
                            "lldp", "--", "set", "Bridge", "br0", "external_ids:nwfilter=enforce")
            nwfilter("sync")


if __name__ == "__main__":
    run(test)
