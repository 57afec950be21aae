# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: a bridge with stations on it, the program, and checks.

    def test(world):
        world.trusted("uplink")
        world.guest("vnet0", 1, "clean-traffic", IP="10.0.0.1")
        world.manage()
        world.expect("its ARP passes", "vnet0", world.arp("vnet0"), ["uplink"])

    if __name__ == "__main__":
        run(test)

Station n has the address 52:54:00:00:00:n (a trusted port's 02:00:00:00:00:n) and 10.0.0.n.
Every check prints one line; a check that fails does not stop the test, which ends with status 1.
Sentinels (see lab/wire.py) travel on a bridge of their own, which nothing here manages.
"""

import collections
import json
import os
import socket
import subprocess

from lab import frames as f
from lab.decode import describe
from lab.lab import main
from lab.netns import WORK, LabError, wait_for
from lab.wire import Port, Wire, wait_until_read

from .explained import Explained

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("OVS_NWFILTER") or os.path.join(ROOT, "build", "ovs-nwfilter")
FILTERS = f"{WORK}/filters"  # the tests' own

Result = collections.namedtuple("Result", "status out err")
Station = collections.namedtuple("Station", "mac ip")


CHANGES = [0]  # Grows with whatever may have changed the policy,
SYNCS = [0]  # and this with what may have enforced it.


def nwfilter(*words, stdin=None, timeout=60, env=None):
    """Run the program; return its status and its two outputs."""
    CHANGES[0] += 1
    SYNCS[0] += not {"sync", "manage"}.isdisjoint(words)
    return call(*words, stdin=stdin, timeout=timeout, env=env)


def call(*words, stdin=None, timeout=60, env=None):
    """The same for what changes nothing."""
    try:
        done = subprocess.run((PROGRAM, f"--filter-dir={FILTERS}") + words, text=True,
                              timeout=timeout, input=stdin,
                              stdin=None if stdin is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=None if env is None else os.environ | env,
                              errors="surrogateescape")
    except subprocess.TimeoutExpired:
        return Result("none", "", f"still running after {timeout} s")
    return Result(done.returncode, done.stdout, done.stderr)


def define(name, text):
    """Put a filter where the program looks first; text is the file, or what is in <filter>."""
    if not text.startswith("<"):
        raise ValueError(text)
    CHANGES[0] += 1
    if not text.startswith("<filter name"):
        text = f"<filter name='{name}' chain='root'>{text}</filter>"
    with open(f"{FILTERS}/{name}.xml", "w") as file:
        file.write(text)


def retag(frame, tags):
    """The frame with these VLAN tags (see frames.eth) in place of its own."""
    at = 12
    while frame[at:at + 2] in (b"\x81\0", b"\x88\xa8"):
        at += 4
    empty = f.eth(f.MAC_ZERO, f.MAC_ZERO, b"", 0, tags)
    return frame[:12] + empty[12:12 + 4 * len(tags)] + frame[at:]


class TellingWire(Wire):
    """A wire that remembers what each port got of the frames of the last exchange."""

    def exchange(self, traffic):
        self.got = collections.defaultdict(list)
        self.copies = collections.defaultdict(list)
        return super().exchange(traffic)

    def exchange_each(self, traffic):
        """Of each frame the copies that came out somewhere: (port, copy), sorted."""
        verdicts = self.exchange(traffic)
        return [sorted(self.copies[id(verdict)]) for verdict in verdicts]

    def settle(self):
        """Wait until all that was sent has gone through the switch; what arrived is kept."""
        self._pass_sentinel()
        wait_until_read({port.index for port in self.ports.values()})
        self._pass_sentinel()

    def _pass_sentinel(self):
        number = self._new_id()
        source, target = self.sentinel
        self.ports[source].send(f.stamp(f.SENTINEL, number))
        wait_for(lambda: number in map(f.read_stamp, self.ports[target].receive()), "a sentinel")

    def _collect(self, pending, sentinel, target):
        arrived = False
        for name, port in self.ports.items():
            for frame in port.receive():
                number = f.read_stamp(frame)
                if number in pending:
                    pending[number][1].seen[name] += 1
                    self.got[name].append(f.stamp(frame, 0))
                    self.copies[id(pending[number][1])].append((name, f.stamp(frame, 0)))
                elif number == sentinel and name == target:
                    arrived = True
        return arrived


class World:
    def __init__(self, lab, **columns):
        self.ovs = lab.ovs
        self.bridge = "br0"
        self.stations = {}
        self.ports = {}
        self.vlans = {}  # Of the Port row.
        self.plugged = {}  # At which sync.
        self.started = -1  # The switch: at which sync.
        self._watch_starts()
        self.guests = set()
        self.audited = False
        self.hears_receivers = True  # Before frames for them are sent.
        self.unheard = set()  # Trusted ports whose frames go nowhere, whatever filters say.
        self.explained = Explained(self, call, retag)
        self.failures = 0
        self._wire = None
        self._tags = {}
        os.makedirs(FILTERS, exist_ok=True)
        self.ovs.add_bridge("clock")
        self.clock = [self.ovs.add_guest("clock", name) for name in ("tick", "tock")]
        self.ovs.add_bridge(self.bridge, **columns)

    # --- stations

    def trusted(self, name, number, **columns):
        """A port without a guest's identity.  columns: of its Port row, and ofport_request."""
        return self._plug(name, Station(f"02:00:00:00:00:{number:02x}", f"10.0.0.{number}"),
                          columns, {})

    def guest(self, name, number, filter_name=None, columns=None, **variables):
        """A guest's port, tagged as libvirt tags it; bound by tags if there is a filter."""
        station = Station(f"52:54:00:00:00:{number:02x}", f"10.0.0.{number}")
        tags = {"attached-mac": station.mac, "iface-id": f"iface-{number}"}
        if filter_name:
            tags["nwfilter"] = filter_name
        tags.update({f"nwfilter-{key}": value for key, value in variables.items()})
        return self._plug(name, station, dict(columns or {}), tags)

    def _plug(self, name, station, columns, tags):
        """Returns the OpenFlow number."""
        port = Port(name)
        request = columns.pop("ofport_request", None)
        interface = [f"ofport_request={request}"] if request else []
        interface += [f'external_ids:{key}="{value}"' for key, value in tags.items()]
        self.ovs.vsctl("add-port", self.bridge, name,
                       *[f"{column}={value}" for column, value in columns.items()],
                       *(["--", "set", "Interface", name] + interface if interface else []))
        self.stations[name] = station
        self.ports[name] = port
        self.vlans[name] = columns
        self._wait_for_own_mac()
        self.plugged[name] = SYNCS[0]
        (self.guests.add if tags else self.guests.discard)(name)
        self.rewire()
        return self.ovs.ofport(name)

    def _wait_for_own_mac(self):
        """The bridge's address follows its ports, and the database follows that."""
        def is_told():
            with open(f"/sys/class/net/{self.bridge}/address") as file:
                return self.ovs.vsctl("get", "Interface", self.bridge,
                                      "mac_in_use").strip('"\n') == file.read().strip()
        wait_for(is_told, "the bridge's own address")

    def unplug(self, *names):
        self.ovs.vsctl(*(word for name in names for word in ("--", "del-port", name)))
        for name in names:
            self.ports.pop(name).remove()
        self.rewire()

    def rewire(self):
        """Ports have come or gone by other ways than these."""
        self._wire = None
        CHANGES[0] += 1

    def set_tags(self, name, **tags):
        """Set external_ids of the interface; None removes one."""
        CHANGES[0] += 1
        for key, value in tags.items():
            key = key.replace("_", "-")
            words = ["remove", "Interface", name, "external_ids", key] if value is None else \
                ["set", "Interface", name, f'external_ids:{key}="{value}"']
            self.ovs.vsctl(*words)

    def tags(self, name):
        """The external_ids of the interface."""
        ids = self.ovs.vsctl("--format=json", "--columns=external_ids", "list", "Interface", name)
        return dict(json.loads(ids)["data"][0][0][1])

    def status(self, name):
        return self.tags(name).get("nwfilter-status")

    def zone(self, name):
        return self.tags(name).get("nwfilter-ct-zone")

    # --- what explain can be asked about

    def _watch_starts(self):
        """A switch that starts has no policy until the next sync."""
        start = self.ovs.start_switch

        def start_switch():
            start()
            self.started = SYNCS[0]
            CHANGES[0] += 1
        self.ovs.start_switch = start_switch

    def is_guest(self, name):
        return name in self.guests

    def is_tracked(self, name):
        return "nwfilter-ct-zone" in self._known_tags(name)

    def is_isolated(self, name):
        return self._known_tags(name).get("nwfilter-isolated") == "true"

    def spares_guests(self):
        """Whether frames for an address that nobody knows are for trusted ports alone."""
        key = None, CHANGES[0]
        if key not in self._tags:
            flows = self.ovs.ofctl("dump-flows", self.bridge, "table=102")
            self._tags[key] = "load:0x1->NXM_NX_REG11[17]" in flows or "0x20000/0x20000" in flows
        return self._tags[key]

    def is_in_force(self, name):
        """Whether the switch knows the port, and its filter if it is a guest's."""
        return max(self.plugged[name], self.started) < SYNCS[0] and name not in self.unheard and (
            not self.is_guest(name) or self._known_tags(name).get("nwfilter-status") == "active")

    def _known_tags(self, name):
        key = name, CHANGES[0]
        if key not in self._tags:
            self._tags[key] = self.tags(name)
        return self._tags[key]

    # --- frames, as stations rightly send them unless told otherwise

    def mac(self, who):
        return self.stations[who].mac if who in self.stations else who

    def ip(self, sender, to=f.BROADCAST, mac=None, src=None, dst="10.0.0.255", body=None, tags=()):
        return f.eth(self.mac(to), self.mac(mac or sender),
                     f.ipv4(src or self.stations[sender].ip, dst, body or f.udp(5000, 5001)),
                     tags=tags)

    def arp(self, sender, to=f.BROADCAST, sha=None, spa=None, op=f.REQUEST, tags=()):
        station = self.stations[sender]
        return f.eth(self.mac(to), station.mac,
                     f.arp(op, sha or station.mac, spa or station.ip, f.MAC_ZERO, "10.0.0.250"),
                     tags=tags)

    def ipv6(self, sender, to="33:33:00:00:00:01", tags=()):
        return f.eth(self.mac(to), self.mac(sender),
                     f.ipv6("fe80::1", "ff02::1", f.udp(5000, 5001)), tags=tags)

    def hear(self, *guests):
        """The guests send a frame that their filters let pass: they are known to be there."""
        self.wire.exchange([(name, self.ip(name)) for name in guests])

    def _hear_receivers(self, frames):
        """Where a frame goes that is for a guest which was not heard is addresses.py's concern."""
        wanted = {":".join(f"{byte:02x}" for byte in frame[:6]) for frame in frames}
        self.hear(*(name for name in self.ports
                    if self.is_guest(name) and self.mac(name) in wanted))

    # --- the program

    def sync(self, *options, status=0):
        return self._run(status, "sync", *options)

    def manage(self, *options, status=0):
        self.audited = "--audit" in options
        return self._run(status, "manage", self.bridge, *options)

    def bind(self, name, filter_name, *variables):
        return self._run(0, "bind", name, filter_name, *variables)

    def _run(self, status, *words):
        result = nwfilter(*words)
        if result.status != status:
            raise LabError(f"{' '.join(words)}: exit {result.status}, not {status}: {result.err}")
        return result

    # --- checks

    @property
    def wire(self):
        if not self._wire:
            self._wire = TellingWire(list(self.ports.values()) + self.clock, ("tick", "tock"))
        return self._wire

    def check(self, what, good, why=""):
        print(f"{'ok    ' if good else 'FAILED'} {what}{'' if good or not why else ': ' + str(why)}",
              flush=True)
        self.failures += not good
        return good

    def verdict(self, sender, frame, receivers):
        """What is wrong with where the frame goes, or None.

        receivers: names of the ports that must get it, once and unchanged; or a dict of such
        names with the VLAN tags that the frame must have there."""
        tags = receivers if isinstance(receivers, dict) else dict.fromkeys(receivers)
        expected = {name: [f.stamp(frame if t is None else retag(frame, t), 0)]
                    for name, t in tags.items() if name != sender}
        for _ in range(2):  # an upcall; a cached flow
            self.wire.exchange([(sender, frame)])
            if self.wire.got != expected:
                return (f"{sender}: {describe(frame)}: reached {_show(self.wire.got, frame)}, "
                        f"not {_show(expected, frame)}")
        return None

    def expect(self, what, sender, frame, receivers):
        """One frame, one check."""
        return self._expect(what, [(sender, frame, receivers)])

    def expect_all(self, what, rows):
        """Rows of (sender, frame, receivers), one check."""
        return self._expect(f"{what} ({len(rows)} frames)", rows)

    def _expect(self, what, rows):
        if self.hears_receivers:
            self._hear_receivers(frame for _, frame, _ in rows)
        wrong = [self.verdict(*row) for row in rows]
        good = [(sender, frame, receivers) for (sender, frame, receivers), why in zip(rows, wrong)
                if not why and sender in self.ports]
        wrong = [why for why in wrong if why] + self.explained.check(good, CHANGES[0])
        return self.check(what, not wrong, "\n    ".join([""] + wrong))


def _show(got, sent):
    """The names of ports, with the frame where it is not as it was sent, or is there twice."""
    def port(name, copies):
        as_sent = copies == [f.stamp(sent, 0)]
        return name if as_sent else f"{name} ({', '.join(map(describe, copies))})"
    return ", ".join(port(*item) for item in sorted(got.items())) or "nowhere"


def run(test, **columns):
    """Run test(world) in a laboratory of its own and exit."""
    def in_lab(lab):
        world = World(lab, **columns)
        test(world)
        world.explained.report()
        return 1 if world.failures else 0
    main(in_lab, ovs=True)


def transact(*operations):
    """Change the database directly, where a command line has no room."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect("/run/openvswitch/db.sock")
        server.sendall(json.dumps({"method": "transact", "id": 0,
                                   "params": ["Open_vSwitch", *operations]}).encode())
        answer = ""
        while not answer.endswith("}") or answer.count("{") != answer.count("}"):
            part = server.recv(1 << 20)
            if not part:
                raise LabError(f"transact: the database hangs up after {answer!r}")
            answer += part.decode()
    if '"error":null' not in answer or '"details"' in answer:
        raise LabError(f"transact: {answer}")
