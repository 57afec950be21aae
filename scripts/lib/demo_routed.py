# SPDX-License-Identifier: Apache-2.0
"""The demonstration behind scripts/demo --routed: guests of rented servers.

A provider in namespaces watches its switch port.  First a plain bridge, as anybody would set it up:
the provider complains.  Then the same behind the uplink guard, and the same guests, routed, in
either way: what is tried, how it went, and how many frames the provider had to complain about until
then.  The guests forge frames all the time.  The exit status is 1 if anything went otherwise than it
should, or a single frame is on the list.
"""

import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from lab import provider as p  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.netns import LabError, wait_for  # noqa: E402
from lab.routed import BRIDGE  # noqa: E402
from lab.routed_probe import Endpoint, hops, path_mtu, transfer, unanswered  # noqa: E402
from lab.routed_spoof import NAMES  # noqa: E402
from lab.routed_state import State, left_behind  # noqa: E402
from system.routed_world import HETZNER, NOBODY, OVH, UNSEEN, World  # noqa: E402
from system.world import FILTERS  # noqa: E402

LAYOUT = "{:<50}  {:<46}  {:>5}  {}"
GUESTS = ("vnet0", "vnet1")
MEGABYTE = 1_000_000


class Demo(World):
    """Checks are rows of a table."""

    def __init__(self, shape, plan):
        super().__init__(shape, {name: plan[name] for name in GUESTS})
        self.shape = shape

    def heading(self, text):
        print(f"\n{text}\n")
        print(LAYOUT.format("what was tried", "result", "abuse", "").rstrip())

    def row(self, what, result, good=True, abuse=0):
        """abuse: what the provider's list should have; None: anything but 0."""
        listed = self.provider.port.report()["counts"]["abuse"]
        good = good and (listed == abuse if abuse is not None else listed > 0)
        print(LAYOUT.format(what, result, listed, "ok" if good else "BAD"), flush=True)
        self.failures += not good

    def say(self, *words):
        print("# ovs-nwfilter", *words)
        self.nwfilter(*words)

    def set_up(self, via, *options):
        """Where flows route, the NIC goes into the bridge, with the host's addresses, and stays there
        only if somebody says that he still reaches the host."""
        if via == "host":
            return self.say("manage", BRIDGE, "--mode=routed", f"--uplink={p.NIC}", *options)
        self.say("routed", "apply", BRIDGE, f"--uplink={p.NIC}", "--via=flows", "--confirm=30",
                 *options)
        silent = unanswered(self.between(self.host(), ends(self.provider.world, *p.WORLD)), 3)
        self.say("routed", "confirm", BRIDGE)
        self.heading("The host:")
        self.row("the NIC is on the bridge, with the host's addresses",
                 f"{len(silent)} pings of the host are lost", not silent)

    # --- rows

    def pings(self, what, pairs):
        silent = unanswered(pairs, 3)
        self.row(what, f"{len(pairs) - len(silent)} of {len(pairs)} answered", not silent)

    def between(self, ends, others):
        return [pair for one in ends for other in others
                if (":" in one.address) == (":" in other.address)
                for pair in ((one, other), (other, one))]

    def forge(self):
        """From here on all the time."""
        self.spoof(pace=0.002)
        wait_for(lambda: self.spoofer.report()["rounds"], "every kind of forged frame", 60, 0.1)
        told, counts = self.spoofer.report(), self.provider.port.report()["counts"]
        out = counts["forged"] + len([kind for _, kind, _ in told["leaks"] if kind not in UNSEEN])
        self.row(f"{told['sent']} forged frames of {len(NAMES)} kinds", f"{out} came out", not out)

    def fault(self, what, happen):
        began = self.monitor.now()
        try:
            happen()
            lasted, _ = self.monitor.recovered(began, calm=1.0)
            self.row(what, f"all reached again after {lasted:.1f} s")
        except LabError as error:
            self.row(what, str(error)[:46], False)


def ends(world, *addresses):
    return [Endpoint(world, address) for address in addresses]


def bridged(lab):
    """How servers get locked."""
    with Demo(p.Hetzner, HETZNER) as demo:
        demo.configure()
        demo.plug_guests(demo.provider.gateway4, demo.provider.gateway6)
        demo.heading("Hetzner's network, a plain bridge with the NIC in it:")
        demo.server.ovs.add_port(BRIDGE, p.NIC)
        world = ends(demo.provider.world, *p.WORLD)
        unanswered(demo.between(demo.inside(), world), 1.0)
        demo.row("guests ping the world", "the provider sees foreign MACs", abuse=None)
        return demo.failures


def guarded(lab):
    """The same, and nothing leaves but the NIC's own address: nobody is reached, nobody is locked."""
    with Demo(p.Hetzner, HETZNER) as demo:
        demo.configure()
        print("\nThe same bridge, with the uplink guard:\n")
        demo.say("manage", BRIDGE, f"--guard={p.NIC}")
        demo.server.ovs.add_port(BRIDGE, p.NIC)
        demo.plug_guests(demo.provider.gateway4, demo.provider.gateway6)
        for name in GUESTS:
            demo.bind(name)
        demo.heading("The guests use their own MACs, as before:")
        world = ends(demo.provider.world, *p.WORLD)
        silent = unanswered(demo.between(demo.inside(), world), 1.0)
        demo.row("guests ping the world", f"{len(silent)} pings without an answer", bool(silent))
        print("\n# ovs-nwfilter guard", BRIDGE)
        print(demo.nwfilter("guard", BRIDGE).out, end="")
        return demo.failures


def routed(shape, plan, title, gateway4=None, via="host"):
    with Demo(shape, plan) as demo:
        demo.configure()
        gateway4 = gateway4 or demo.provider.main4
        demo.plug_guests(gateway4)
        demo.serve()
        demo.server.start_daemon(FILTERS)
        before = State()
        print(f"\n{title}\n")
        demo.set_up(via, f"--gateway={gateway4},fe80::1")
        began = time.monotonic()
        for name in GUESTS:
            demo.say("bind", name, "clean-traffic-strict", f"IP={plan[name][0][0]}",
                     f"IPV6={plan[name][1][0]}", f"MAC={demo.guests[name].mac}", "--wait")
        try_all(demo, began, gateway4)
        demo.forge()
        demo.watch()
        print("While they go on with that:")
        demo.fault("kill -9 of ovs-vswitchd, and its start", demo.server.crash_switch)
        demo.fault("kill -9 of ovsdb-server, and its start", demo.server.crash_database)
        demo.fault("kill -9 of ovs-nwfilterd, and its start", demo.server.crash_daemon)
        demo.fault("a host tool clears the bridge (ifreload)", demo.server.reload_network)
        leave(demo, before)
        return demo.failures


def try_all(demo, began, gateway4):
    guests, provider = demo.inside(), demo.provider
    demo.heading(f"{len(demo.guests)} guests, each with an IPv4 and an IPv6 address:")
    first = demo.between(guests, ends(provider.world, *p.WORLD))
    silent = unanswered(first, 20)
    demo.row("reached from the world, and reach it",
             f"{time.monotonic() - began:.1f} s after the first bind began", not silent)
    demo.provider.forget()
    demo.pings("pings: world, neighbour, router; both directions",
               demo.between(guests, demo.outside()))
    demo.pings("pings: guest to guest, guest to host",
               [pair for pair in demo.between(guests, guests + demo.host())
                if pair[0].node is not pair[1].node])
    wrong = [why for why in (transfer(pair, MEGABYTE) for pair in first) if why]
    demo.row(f"{len(first)} TCP transfers of 1 MB, there and back",
             wrong[0][:46] if wrong else "checksums are right", not wrong)
    for end in demo.of_guest("vnet0"):
        show_way(demo, end, gateway4)
    for address in NOBODY[demo.shape.__name__]:
        there = Endpoint(provider.world, p.WORLD[":" in address])
        silent = unanswered([(there, Endpoint(None, address))], 0.5)
        demo.row(f"ping {address}, which is nobody's", "no answer" if silent else "answered",
                 bool(silent))


def show_way(demo, end, gateway4):
    six = ":" in end.address
    found = hops((end, Endpoint(demo.provider.world, p.WORLD[six])))
    host = (demo.provider.main6,) if six else (demo.provider.main4, gateway4)
    demo.row(f"traceroute, IPv{6 if six else 4}",
             "the host, the router, and the world behind it",
             len(found) == 4 and found[0] in host and found[-1] == p.WORLD[six])
    mtu = path_mtu((end, Endpoint(demo.provider.narrow, p.NARROW[six])))
    demo.row(f"path MTU, IPv{6 if six else 4}, with {p.NARROW_MTU} behind the router", f"{mtu}",
             mtu == p.NARROW_MTU)


def leave(demo, before):
    demo.unwatch()
    demo.nwfilter("unmanage", BRIDGE)
    demo.server.daemon.settle()
    left = left_behind(before, (r"interfaces: . vnet\d external_ids:nwfilter",
                                rf"links: . {BRIDGE}: ", rf"{BRIDGE} .*fe80::[0-9a-f]+:",
                                rf"IPv6 routes: .* fe80::.* dev {BRIDGE}"))
    demo.row("ovs-nwfilter unmanage", f"{len(left)} things left behind", not left)
    for line in left:
        print("   ", line)
    demo.server.daemon.stop()


def show(lab):
    failures = bridged(lab) + guarded(lab)
    failures += routed(p.Hetzner, HETZNER, "Hetzner's network, routed by the host:")
    failures += routed(p.Ovh, OVH, "OVH's network (IPv6 on the link), routed by the host:",
                       "192.168.0.1")
    failures += routed(p.Hetzner, HETZNER, "Hetzner's network, routed by flows, the NIC on the bridge:",
                       via="flows")
    print(f"\n{failures} not as they should be" if failures else
          "\nAll as it should be: nothing that the provider could complain about.")
    return 1 if failures else 0


if __name__ == "__main__":
    main(show)
