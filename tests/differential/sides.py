# SPDX-License-Identifier: Apache-2.0
"""The two sides of the comparison: the same three ports on a Linux bridge under libvirt and on an
Open vSwitch bridge under ovs-nwfilter.

Each side has a guest, whose port is filtered, and a peer and the outside, which nothing filters.
A side takes a case (bind) and frames (exchange) and gives verdicts back.
"""

import os

from lab import frames as f
from lab.libvirt import LinuxBridge
from lab.netns import WORK, run_status
from lab.wire import Wire
from world import GUEST, OUTSIDE, PEER

LEARNED_TABLE = 101  # see include/nwf/pipeline.h
LEARNED_COOKIE = "0x6e77668100000000/0xffffffff00000000"
FILTER_DIR = f"{WORK}/filters"


class LibvirtSide:
    """Two bridges take turns, so that libvirt's slow binding of one case can run beside the
    frames of the case before.  Each case has a guest port of its own; it is never unbound, for
    that takes libvirt another half second and the port is gone anyway."""

    def __init__(self, libvirt):
        self.libvirt = libvirt
        self.defined = set()
        self.bound = 0
        self.slots = [Slot(number) for number in (0, 1)]

    def bind(self, case):
        """Return (the wire to the guest, libvirt's complaint or None)."""
        self.bound += 1
        slot = self.slots[self.bound % 2]
        port = slot.new_guest(f"lguest{self.bound}")
        complaint = self._define(case.files)
        return slot.wire(), complaint or self.libvirt.bind(port, GUEST.mac, case.name, case.params)

    def _define(self, files):
        for name, text in files.items():
            if name not in self.defined and not self._is_stock(name):
                complaint = self.libvirt.define_filter(text)
                if complaint:
                    return complaint
                self.defined.add(name)
        return None

    @staticmethod
    def _is_stock(name):
        """Of those libvirt has its own originals."""
        return os.path.exists(f"/usr/share/libvirt/nwfilter/{name}.xml")


class Slot:
    def __init__(self, number):
        # Only Ethernet rules are compared, so iptables stays out of the way.
        self.bridge = LinuxBridge(f"lbr{number}", layer4=False)
        self.peer = self.bridge.add_guest(f"lpeer{number}", PEER.mac)
        self.outside = self.bridge.add_guest(f"lout{number}", OUTSIDE.mac)
        self.guest = None

    def new_guest(self, name):
        if self.guest:
            self.guest.remove()
        self.guest = self.bridge.add_guest(name, GUEST.mac)
        return name

    def wire(self):
        return Trio(self.guest, self.peer, self.outside)


class OvsSide:
    """One guest port that is bound again for each case."""

    def __init__(self, ovs, program):
        self.ovs = ovs
        self.program = program
        ovs.add_bridge("obr")
        os.makedirs(FILTER_DIR, exist_ok=True)
        self.plug()

    def plug(self):
        """Make the ports, and have the bridge managed."""
        ovs = self.ovs
        self.trio = Trio(ovs.add_guest("obr", "oguest", mac=GUEST.mac),
                         ovs.add_guest("obr", "opeer"), ovs.add_guest("obr", "oout"),
                         self.forget)
        self.setup_complaint = self.nwfilter("manage", "obr", "--trusted=opeer,oout",
                                             "--unknown-unicast=flood")
        for port, host in (("opeer", PEER), ("oout", OUTSIDE)):
            self.settle(host.mac, ovs.ofport(port))

    def settle(self, mac, port):
        """An address behind a trusted port that never moves, whatever is learned."""
        self.ovs.ofctl("add-flow", "obr", f"table={LEARNED_TABLE},priority=200,dl_dst={mac},"
                       f"actions=load:{port}->NXM_NX_REG2[0..15]")

    def nwfilter(self, *argv):
        """Run the program under test; return its complaint or None."""
        status, output = run_status(self.program, f"--filter-dir={FILTER_DIR}", *argv)
        return None if status == 0 else output.strip() or f"exit {status}"

    def bind(self, case):
        """Return (the wire to the guest, our complaint or None)."""
        for name, text in case.files.items():
            self.write(name, text)
        self.forget()
        params = {name: ",".join(values) for name, values in case.params.items()}
        words = [f"{name}={value}" for name, value in params.items()]
        if self.nwfilter("bind", "oguest", case.name, *words):
            self._tag(case.name, params)
        return self.trio, self.nwfilter("sync", "obr")

    @staticmethod
    def write(name, text):
        with open(f"{FILTER_DIR}/{name}.xml", "w") as file:
            file.write(text)

    def _tag(self, filter_name, params):
        """Write tags that "bind" would not: the port must be quarantined for them."""
        self.nwfilter("unbind", "oguest")
        self.ovs.vsctl("set", "Interface", "oguest", f"external_ids:nwfilter={filter_name}",
                       *(f'external_ids:nwfilter-{name}="{value}"'
                         for name, value in params.items()))

    def forget(self):
        """Forget learned addresses, and what was decided by them.  In this order: a cached flow
        teaches its addresses once more when it goes."""
        self.ovs.purge()
        self.ovs.ofctl("del-flows", "obr", f"cookie={LEARNED_COOKIE}")


class Trio:
    """The guest's, the peer's and the outside's port.  `forget` makes a switch that learns
    addresses forget them."""

    def __init__(self, guest, peer, outside, forget=None):
        self.forget = forget
        self.names = {port.name: role for port, role in
                      ((guest, "guest"), (peer, "peer"), (outside, "outside"))}
        self.guest, self.outside = guest.name, outside.name
        self.wire = Wire((guest, peer, outside), (peer.name, outside.name))

    def exchange(self, frames):
        """[(direction, frame)] -> for each what became of it, in one word if nothing is odd."""
        outcomes = {}
        for phase in phases(frames) if self.forget else [frames]:
            traffic = [(self.guest if direction == "out" else self.outside, frame)
                       for direction, frame in phase]
            for key, verdict in zip(phase, self.wire.exchange(traffic)):
                outcomes[key] = self._outcome(*key, verdict)
            if self.forget:
                self.forget()
        return [outcomes[key] for key in frames]

    def _outcome(self, direction, frame, verdict):
        seen = {self.names[name]: count for name, count in verdict.seen.items()}
        wanted = receivers(direction, frame)
        others = set(seen) - wanted - possible(direction)
        got = wanted & set(seen)
        words = ["passes" if got == wanted else "dropped" if not got
                 else f"reaches only {','.join(sorted(got))}"]
        if others:
            words.append(f"comes back to {','.join(sorted(others))}")
        if any(count > 1 for count in seen.values()):
            words.append("is doubled")
        if verdict.mangled and not _priority_tagged(frame):  # NORMAL takes such tags off
            words.append("is mangled")
        return " ".join(words)


def phases(frames):
    """Divide the frames so that no phase has one to an address that another comes from.

    Whether such a frame is flooded depends on what was learned, and that is not compared here.
    (The peer and the outside are where they are, whatever is said in their name.)
    """
    settled = {f.mac(PEER.mac), f.mac(OUTSIDE.mac)}
    found = []  # (sources, destinations, frames)
    for key in frames:
        destination, source = key[1][:6], key[1][6:12]
        for sources, destinations, phase in found:
            if not (destination in sources or source in destinations):
                break
        else:
            sources, destinations, phase = set(), set(), []
            found.append((sources, destinations, phase))
        sources.update({source} - settled)
        destinations.update({destination} - settled)
        phase.append(key)
    return [phase for _, _, phase in found]


def receivers(direction, frame):
    """Who gets the frame if no filter is in its way."""
    if direction == "in":
        return {"guest"}
    known = {PEER.mac: "peer", OUTSIDE.mac: "outside"}
    destination = ":".join(f"{byte:02x}" for byte in frame[:6])
    return {known[destination]} if destination in known else {"peer", "outside"}


def possible(direction):
    """Who may see it besides, because the switch floods more or less."""
    return {"peer", "outside"} if direction == "out" else {"peer"}


def _priority_tagged(frame):
    return frame[12:14] in (b"\x81\x00", b"\x88\xa8") and not (frame[14] & 15 or frame[15])
