#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the daemon repairs, under traffic: no forged frame passes, and clean ones do.

Four guests on two bridges send forged frames and clean ones, and get clean ones, without pause,
while daemons are killed, policies turn, ports change hands, and other tools rewrite the bridges.
Every frame carries its stream and the number of its round, so that of each phase is known which
frames were lost, which forged ones passed, and when; a table of that is printed.

Where somebody else opens the bridge (its fail mode, or by flows of their own) frames pass until
the daemon has seen it: that is a window, which has to be short.
"""

import array
import collections
import os
import random
import signal
import struct
import sys
import threading
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import frames as f  # noqa: E402
from lab.netns import LabError  # noqa: E402
from lab.wire import Port  # noqa: E402
from system.live import finish, start, wait_status  # noqa: E402
from system.world import Station, define, run, transact  # noqa: E402

ROUND = 0.002  # seconds between a stream's frames
LONGEST_WINDOW = 500  # ms in which forged frames may pass, where somebody else opens a bridge
CLEAN = "clean-traffic"
TAIL = struct.Struct("!HHHH")  # two words and their complements: a checksum stays as it is
FORGED = ("MAC", "IP", "ARP")

Stream = collections.namedtuple("Stream", "sender receiver what")


def bridge_of(name):
    return "br1" if name in ("vnet2", "vnet3", "uplink1") else "br0"


# --- frames without pause

class Traffic:
    """A thread that sends a frame of every stream each round, and files what arrives."""

    def __init__(self, world):
        self.streams, self.frames, self.sockets = [], [], {}
        self.world = world
        self.guests = [name for name in world.ports if name.startswith("vnet")]
        for name in self.guests:
            self._add_guest(name, "uplink1" if bridge_of(name) == "br1" else "uplink")
        self.receivers = {name: port.socket for name, port in world.ports.items()
                          if not name.startswith("t")}
        self.sent_at = array.array("d")  # when each round was sent
        self.unsent = [set() for _ in self.streams]
        self.arrived = [bytearray(1 << 17) for _ in self.streams]
        self.leaks = []  # (round, stream, port)
        self.wrong_way = collections.Counter()
        self.ended = False
        self.error = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _add_guest(self, name, uplink):
        world, own = self.world, self.world.stations[name]
        other = {"MAC": f.eth(world.mac(uplink), "52:54:00:00:00:99", f.ipv4(
            own.ip, "10.0.0.254", body())), "IP": f.eth(world.mac(uplink), own.mac, f.ipv4(
                "10.0.0.99", "10.0.0.254", body())),
            "ARP": f.eth(f.BROADCAST, own.mac, padded(f.arp(
                f.REPLY, own.mac, "10.0.0.99", f.MAC_ZERO, "10.0.0.254")))}
        for what in FORGED:
            self._add(name, None, what, other[what])
        self._add(name, uplink, "clean", f.eth(world.mac(uplink), own.mac, f.ipv4(
            own.ip, "10.0.0.254", body())))
        self._add(uplink, name, "clean", f.eth(own.mac, world.mac(uplink), f.ipv4(
            "10.0.0.254", own.ip, body())))

    def _add(self, sender, receiver, what, frame):
        self.streams.append(Stream(sender, receiver, what))
        self.frames.append((self.world.ports[sender].socket, frame[:-16]))
        assert frame[-16:-8] == BODY and frame[-8:] == f.STAMP, frame

    @property
    def round(self):
        return len(self.sent_at)

    def _run(self):
        try:
            due = time.monotonic()
            while not self.ended:
                self._send()
                self._receive()
                due = max(due + ROUND, time.monotonic() - 0.05)
                time.sleep(max(0, due - time.monotonic()))
        except Exception as error:  # told by end()
            self.error = error

    def _send(self):
        number = len(self.sent_at)
        self.sent_at.append(time.monotonic())
        high, low = number >> 11, (number & 0x7ff) << 5
        for stream, (sock, head) in enumerate(self.frames):
            if sock is None:
                continue
            word = low | stream
            try:
                sock.send(head + TAIL.pack(high, word, high ^ 0xffff, word ^ 0xffff) + f.STAMP)
            except OSError:  # the switch is slower, or the device is down
                self.unsent[stream].add(number)

    def _receive(self):
        for name, sock in list(self.receivers.items()):
            while True:
                try:
                    frame = sock.recv(256)
                except BlockingIOError:
                    break
                if frame[-8:] != f.STAMP:
                    continue
                high, low, high_too, low_too = TAIL.unpack(frame[-16:-8])
                if high ^ high_too != 0xffff or low ^ low_too != 0xffff:
                    continue
                number, stream = high << 11 | low >> 5, low & 31
                if self.streams[stream].receiver == name:
                    self.arrived[stream][number] = min(255, self.arrived[stream][number] + 1)
                elif self.streams[stream].receiver is None:
                    self.leaks.append((number, stream, name))
                else:
                    self.wrong_way[stream] += 1

    def end(self):
        self.ended = True
        self.thread.join()
        if self.error:
            raise LabError(f"traffic: {self.error!r}")

    # --- what became of them

    def lost(self, stream, first, last):
        """The rounds of which this stream's frame has not come."""
        arrived, unsent = self.arrived[stream], self.unsent[stream]
        return [number for number in range(first, last)
                if not arrived[number] and number not in unsent]


BODY = TAIL.pack(0, 0, 0xffff, 0xffff)


def body():
    return f.udp(5000, 5001, BODY)


def padded(packet):
    return f.Packet(packet.ethertype, packet + BODY + f.STAMP)


# --- phases

Phase = collections.namedtuple("Phase", "name first last began busy window concerned")


class Phases:
    """Each is an action under traffic.  `window`: forged frames may pass, for a moment;
    `concerned`: the bridges, or guests, whose clean frames may be lost; None: all."""

    def __init__(self, world, traffic):
        self.world, self.traffic = world, traffic
        self.done = []

    def run(self, name, action, window=False, concerned=None, quiet=0.25):
        first, began = self.traffic.round, time.monotonic()
        action()
        busy = time.monotonic()
        self.world.daemon.settled(f"the daemon to settle after {name}")
        time.sleep(quiet)
        self._wait_until_whole(name)
        wrong = self.world.daemon.recompute()
        last = self.traffic.round
        time.sleep(0.1)  # what is under way still
        self.done.append(Phase(name, first, last, began, busy, window, concerned))
        self._judge(self.done[-1], wrong)

    def _wait_until_whole(self, name):
        """Until all clean streams have passed for 50 rounds, 50 rounds ago."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            last = self.traffic.round - 50
            missing = [stream for stream, what in enumerate(self.traffic.streams)
                       if what.receiver and self.traffic.frames[stream][0]
                       and self.traffic.lost(stream, last - 50, last)]
            if not missing:
                return
            time.sleep(0.05)
        self.world.check(f"{name}: all clean streams pass again", False,
                         [self.traffic.streams[stream] for stream in missing])

    def _windows(self, rounds):
        """How long each of the times was in which forged frames passed, in ms."""
        windows, sent = [], self.traffic.sent_at
        begin = before = None
        for number in sorted(rounds):
            if before is None or number - before > 5:
                begin = number
                windows.append(0)
            windows[-1] = 1000 * (sent[number] - sent[begin] + ROUND)
            before = number
        return windows

    @staticmethod
    def _is_concerned(phase, guest):
        return phase.concerned is None or {guest, bridge_of(guest)} & set(phase.concerned)

    def _judge(self, phase, differs):
        traffic, world = self.traffic, self.world
        sent = traffic.sent_at
        leaks = [leak for leak in list(traffic.leaks) if phase.first <= leak[0] < phase.last]
        lost, beside, last_lost = 0, {}, None
        total = 0
        for stream, (sender, receiver, _) in enumerate(traffic.streams):
            if not receiver or not traffic.frames[stream][0]:
                continue
            gone = traffic.lost(stream, phase.first, phase.last)
            total += phase.last - phase.first
            lost += len(gone)
            if gone:
                last_lost = max(last_lost or 0, gone[-1])
            guest = sender if sender.startswith("vnet") else receiver
            if gone and not self._is_concerned(phase, guest):
                beside[sender, receiver] = len(gone)
        windows = self._windows({leak[0] for leak in leaks})
        window = max(windows, default=0)
        repair = 1000 * (sent[last_lost] - phase.began) if lost else 0
        forged = (phase.last - phase.first) * sum(
            1 for stream, (_, receiver, _) in enumerate(traffic.streams)
            if not receiver and traffic.frames[stream][0])
        print(f"{phase.name:44} forged {len({leak[:2] for leak in leaks}):4}/{forged:<6}"
              f" in {len(windows):2} windows, longest {window:4.0f} ms; clean lost {lost:5}/{total:<6}"
              f" whole after {repair:5.0f} ms; action {1000 * (phase.busy - phase.began):5.0f} ms",
              flush=True)
        what = collections.Counter((traffic.streams[stream], port) for _, stream, port in leaks)
        if phase.window:
            world.check(f"    forged frames pass for less than {LONGEST_WINDOW} ms",
                        window < LONGEST_WINDOW, (window, what))
            other = {traffic.streams[stream] for _, stream, _ in leaks
                     if not self._is_concerned(phase, traffic.streams[stream].sender)}
            world.check("    nobody else's", not other, other)
        else:
            world.check("    no forged frame passes", not leaks, (window, what))
        if phase.concerned is not None:
            world.check("    nobody else loses a clean frame", not beside, beside)
        world.check("    recompute finds no difference", not differs, differs)


# --- the test

def test(world):
    world.ovs.add_bridge("br1")
    world.trusted("uplink", 254)
    world.guest("vnet0", 1, CLEAN, IP="10.0.0.1")
    world.guest("vnet1", 2, CLEAN, IP="10.0.0.2")
    world.bridge = "br1"
    world.trusted("uplink1", 253)
    world.guest("vnet2", 3, CLEAN, IP="10.0.0.3")
    world.guest("vnet3", 4, CLEAN, IP="10.0.0.4")
    world.manage("--trusted=uplink1")
    world.bridge = "br0"
    world.manage("--trusted=uplink")
    world.check("settled", start(world).good)
    traffic = Traffic(world)
    try:
        time.sleep(0.5)  # addresses are learned
        phases = Phases(world, traffic)
        selected = os.environ.get("PART")
        for part in (test_nothing, test_daemon, test_switch, test_database,
                     test_database_hangs, test_tags,
                     test_filters, test_foreign, test_wipes, test_disorder, test_reuse):
            if not selected or selected in part.__name__:
                part(world, phases)
    finally:
        traffic.end()
    print(f"{traffic.round} rounds of {len(traffic.streams)} frames, on average "
          f"{1000 * (traffic.sent_at[-1] - traffic.sent_at[0]) / traffic.round:.2f} ms each; "
          f"{sum(traffic.wrong_way.values())} flooded copies", flush=True)
    finish(world)


def test_nothing(world, phases):
    phases.run("nothing happens", lambda: time.sleep(1), concerned=())


def test_daemon(world, phases):
    def crash(pause):
        world.daemon.crash()
        time.sleep(pause)
        world.daemon.start()
    before = {bridge: world.ovs.flows(bridge) for bridge in ("br0", "br1")}
    phases.run("ovs-nwfilterd: kill -9, down for 0.5 s", lambda: crash(0.5), concerned=())
    world.check("    no flow mod", not any(
        any(world.daemon.counts(bridge).values()) for bridge in before),
        [world.daemon.counts(bridge) for bridge in before])
    phases.run("ovs-nwfilterd: ten times kill -9", lambda: [crash(0) for _ in range(10)],
               concerned=())
    phases.run("ovs-nwfilterd: stopped and started", world.daemon.restart, concerned=())

    def crash_at_work():
        """Killed at moments around a change."""
        for i in range(20):
            world.ovs.vsctl("--no-wait", "set", "Interface", "vnet0",
                            f'external_ids:nwfilter-IP="10.0.0.1{",10.0.0.77" if i % 2 else ""}"')
            time.sleep(i * 0.0003)
            world.daemon.crash()
            world.daemon.start()
        world.ovs.vsctl("set", "Interface", "vnet0", "external_ids:nwfilter-IP=10.0.0.1")
    phases.run("ovs-nwfilterd: kill -9 at work, 20 times", crash_at_work, concerned=("br0",))


def test_switch(world, phases):
    phases.run("ovs-vswitchd: kill -9 and started", lambda: world.ovs.restart_switch(9))
    phases.run("ovs-vswitchd: restarted", world.ovs.restart_switch)


def test_database(world, phases):
    """A switch in user space forwards nothing until it has its database again, whoever filters:
    it waits a second, then two, then four.  (One in the kernel goes on.)"""
    def change_at_once():
        world.ovs.restart_server(9)
        world.ovs.vsctl("set", "Interface", "vnet0", "external_ids:nwfilter-IP=10.0.0.1,10.0.0.77")

    def both():
        world.daemon.crash()
        world.ovs.restart_server(9)
        world.ovs.restart_switch(9)
        world.daemon.start()
    phases.run("ovsdb-server: kill -9 and started", lambda: world.ovs.restart_server(9))
    phases.run("ovsdb-server: restarted", world.ovs.restart_server)
    phases.run("ovsdb-server: the same, and a tag", change_at_once)
    world.ovs.vsctl("set", "Interface", "vnet0", "external_ids:nwfilter-IP=10.0.0.1")
    phases.run("all three: kill -9 and started", both)


def test_database_hangs(world, phases):
    def hang():
        world.ovs.server.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(4):
                world.ovs.ofctl("mod-flows", "br0", "actions=NORMAL")
                time.sleep(0.7)
        finally:
            world.ovs.server.process.send_signal(signal.SIGCONT)
    phases.run("the database hangs; mod-flows, 4 times", hang, window=True, concerned=("br0",))


def mutate_tag(name, key, value):
    where = [["name", "==", name]]
    transact({"op": "mutate", "table": "Interface", "where": where, "mutations": [
        ["external_ids", "delete", ["set", [key]]],
        ["external_ids", "insert", ["map", [[key, value]]]]]})


def test_tags(world, phases):
    def turn(count, key, values):
        for i in range(count):
            mutate_tag("vnet0", key, values[i % len(values)])
        mutate_tag("vnet0", key, values[0])
    phases.run("1,000 tag changes on vnet0: addresses", lambda: turn(
        1000, "nwfilter-IP", ["10.0.0.1", "10.0.0.1,10.0.0.77"]), concerned=())
    phases.run("1,000 tag changes on vnet0: bad and good", lambda: turn(
        1000, "nwfilter", [CLEAN, "no-such"]), concerned=("vnet0",))
    wait_status(world, "vnet0", "active", "    it is active in the end")


DROPS = "<rule action='drop' direction='out'><ip srcipaddr='10.0.{0}.{0}'/></rule>"


def test_filters(world, phases):
    def own(text):
        define("own", f"<filter name='own' chain='root'><filterref filter='{CLEAN}'/>{text}"
                      "</filter>")
    own(DROPS.format(5))
    guests = ("vnet0", "vnet1", "vnet2", "vnet3")

    def use(name):
        for guest in guests:
            mutate_tag(guest, "nwfilter", name)
    phases.run("all guests: another filter", lambda: use("own"), concerned=())
    phases.run("a filter redefined", lambda: own(DROPS.format(6)), concerned=())

    def define_often():
        for i in range(20):
            own("".join(DROPS.format(n) for n in range(5, 8 + i)))
            time.sleep(0.08)
    phases.run("a filter redefined 20 times", define_often, concerned=())
    wrong = []

    def broken():
        with open("/run/lab/filters/own.xml", "w") as file:
            file.write("<filter name='own'><rule")
        time.sleep(0.3)
        wrong.extend(guest for guest in guests if not str(world.status(guest)).startswith("error"))
        own(DROPS.format(5))
    phases.run("a filter broken and mended", broken, concerned=())
    world.check("    while it is broken all guests' status says so", not wrong, wrong)
    use(CLEAN)
    phases.run("all guests: the first filter", lambda: use(CLEAN), concerned=())
    os.unlink("/run/lab/filters/own.xml")


def test_foreign(world, phases):
    def flows(*words):
        return lambda: world.ovs.ofctl(*words)
    for name, words, window, concerned in (
            ("del-flows br0", ("del-flows", "br0"), False, ("br0",)),
            ("del-flows br0 table=0", ("del-flows", "br0", "table=0"), False, ("br0",)),
            ("del-flows br0 table=10", ("del-flows", "br0", "table=10"), False, ("br0",)),
            ("add-flow br0, not in front", ("add-flow", "br0", "priority=0,actions=NORMAL"), False, ()),
            ("add-flow br0, with our cookie", (
                "add-flow", "br0", "cookie=0x6e77660100010001,table=10,priority=65001,ip,"
                "nw_src=10.0.0.99,actions=goto_table:100"), True, ("br0",)),
            ("mod-flows br0 actions=drop", ("mod-flows", "br0", "actions=drop"), False, ("br0",)),
            ("mod-flows br0 actions=NORMAL", ("mod-flows", "br0", "actions=NORMAL"), True, ("br0",)),
            ("mod-flows br0 table=10 to the next", (
                "mod-flows", "br0", "table=10,actions=goto_table:100"), True, ("br0",)),
            ("replace-flows br0 by NORMAL", None, True, ("br0",))):
        if words is None:
            phases.run(name, lambda: world.ovs.ofctl("replace-flows", "br0", "-",
                                                     stdin="priority=0,actions=NORMAL\n"),
                       window=True, concerned=concerned)
            continue
        phases.run(name, flows(*words), window, concerned)
    world.ovs.ofctl("--strict", "del-flows", "br0", "priority=0")

    def often():
        for _ in range(50):
            world.ovs.ofctl("del-flows", "br0")
    phases.run("del-flows br0, 50 times", often, concerned=("br0",))


IFUPDOWN2 = ("clear", "bridge", "br0", "auto_attach", "controller", "external-ids", "fail_mode",
             "flood_vlans", "ipfix", "mirrors", "netflow", "other_config", "protocols", "sflow")
WIPES = {
    "ifupdown2's reload": [IFUPDOWN2],
    "external_ids cleared": [("clear", "Bridge", "br0", "external_ids")],
    "fail_mode cleared": [("clear", "Bridge", "br0", "fail_mode")],
    "netplan": [("set-fail-mode", "br0", "standalone"), ("del-controller", "br0")],
    "external_ids of another": [("clear", "Bridge", "br0", "external_ids"),
                                ("set", "Bridge", "br0", "external_ids:bridge-id=br0")],
    "our key alone": [("remove", "Bridge", "br0", "external_ids", "nwfilter")],
    "Ansible, which knows one of our keys": [
        ("br-set-external-id", "br0", key)
        for key in ("nwfilter", "nwfilter-guests", "nwfilter-saved-fail-mode",
                    "nwfilter-saved-disable-in-band")],
    "a controller set, and deleted": [("set-controller", "br0", "tcp:127.0.0.1:6653"),
                                      ("del-controller", "br0")],
}


def test_wipes(world, phases):
    def wipe(steps):
        for words in steps:
            world.ovs.vsctl(*words)
    for name, steps in WIPES.items():
        phases.run(name, lambda steps=steps: wipe(steps), window=True, concerned=("br0",))
        for guest in ("vnet0", "vnet1"):
            wait_status(world, guest, "active", f"    {guest} is active")
        left = world.ovs.vsctl("get", "Bridge", "br0", "fail_mode").strip()
        world.check("    the bridge is secure", left == "secure", left)
    phases.run("ifupdown2's reload, ten times", lambda: [wipe([IFUPDOWN2]) for _ in range(10)],
               window=True, concerned=("br0",))

    def at_moments():
        for i in range(40):
            wipe([IFUPDOWN2])
            time.sleep(i * 0.004)
    phases.run("ifupdown2's reload, 40 times", at_moments, window=True, concerned=("br0",))

    def while_it_starts():
        world.ovs.switch.kill()
        world.ovs.vsctl("--no-wait", *IFUPDOWN2)
        world.ovs.start_switch()
    phases.run("ifupdown2's, while ovs-vswitchd is down", while_it_starts, window=True)

    def made_anew(steps):
        words = ["--", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev"]
        for name in ("uplink", "vnet0", "vnet1"):
            words += ["--", "add-port", "br0", name]
            if name.startswith("vnet"):
                words += ["--", "set", "Interface", name,
                          f"external_ids:attached-mac={world.mac(name)}",
                          f"external_ids:nwfilter={CLEAN}",
                          f"external_ids:nwfilter-IP={world.stations[name].ip}"]
        if steps == 1:
            world.ovs.vsctl("del-br", "br0", *words)
        else:
            world.ovs.vsctl("del-br", "br0")
            world.ovs.vsctl(*words[1:])
    phases.run("bridge deleted and made anew, at once", lambda: made_anew(1), True, ("br0",))
    phases.run("bridge deleted, and made anew", lambda: made_anew(2), True, ("br0",))
    world.ovs.vsctl("set", "Bridge", "br0", "other_config:forward-bpdu=true",
                    "other_config:hwaddr=02:00:00:00:00:01")


def test_reuse(world, phases):
    """The last one: vnet1's number passes to vnet9, which sends as vnet1, whose own identity is
    another.  What vnet1 may send is forged from there."""
    traffic = phases.traffic
    number = world.ovs.ofport("vnet1")
    other = Port("vnet9")
    station = Station("52:54:00:00:00:09", "10.0.0.9")
    tags = ["--", "set", "Interface", "vnet9", f"ofport_request={number}",
            f"external_ids:attached-mac={station.mac}", f"external_ids:nwfilter={CLEAN}",
            f"external_ids:nwfilter-IP={station.ip}"]
    vnet1 = ["--", "add-port", "br0", "vnet1", "--", "set", "Interface", "vnet1",
             f"ofport_request={number}", f"external_ids:attached-mac={world.mac('vnet1')}",
             f"external_ids:nwfilter={CLEAN}", "external_ids:nwfilter-IP=10.0.0.2"]
    old_frames, old_streams = list(traffic.frames), list(traffic.streams)

    def take_over(pause):
        # From here on vnet9 sends what vnet1 may: a forged stream.
        for stream, what in enumerate(traffic.streams):
            if what.sender == "vnet1":
                traffic.streams[stream] = Stream("vnet9", None, "predecessor's")
                traffic.frames[stream] = other.socket, traffic.frames[stream][1]
            elif what.receiver == "vnet1":
                traffic.frames[stream] = None, traffic.frames[stream][1]
        traffic.receivers["vnet9"] = other.socket
        time.sleep(0.05)
        if pause is None:
            world.ovs.vsctl("del-port", "vnet1", "--", "add-port", "br0", "vnet9", *tags)
        else:
            world.ovs.vsctl("del-port", "vnet1")
            time.sleep(pause)
            world.ovs.vsctl("add-port", "br0", "vnet9", *tags)
        world.check(f"    vnet9 has the number {number}", world.ovs.ofport("vnet9") == number)

    def give_back():
        world.ovs.vsctl("del-port", "vnet9", *vnet1)
        traffic.receivers.pop("vnet9")
        time.sleep(0.1)
        traffic.streams[:], traffic.frames[:] = old_streams, old_frames
    for name, pause, window in (("reuse: del-port, and add-port after 0.3 s", 0.3, False),
                                ("reuse: del-port, and add-port at once", 0, True),
                                ("reuse: del-port -- add-port", None, True)):
        phases.run(name, lambda pause=pause: take_over(pause), window, ("vnet1", "vnet9"))
        wait_status(world, "vnet9", "active", "    vnet9 is active")
        phases.run("    given back", give_back, False, ("vnet1", "vnet9"))
    other.remove()


# --- everything at once

def test_disorder(world, phases):
    """Any of it in any order, without a pause in between that would let it be repaired."""
    seed = int(os.environ.get("SEED") or 1)
    rounds = int(os.environ.get("ROUNDS") or 6)
    rng = random.Random(seed)
    numbers = {"vnet0": "10.0.0.1", "vnet1": "10.0.0.2", "vnet2": "10.0.0.3", "vnet3": "10.0.0.4"}
    vsctl, ofctl = world.ovs.vsctl, world.ovs.ofctl
    done = []

    def tag():
        name = rng.choice(sorted(numbers))
        more = rng.choice(("", ",10.0.0.77", ",10.0.0.78/31"))
        vsctl("--no-wait", "set", "Interface", name,
              f'external_ids:nwfilter-IP="{numbers[name]}{more}"')

    def bad_tag():
        name = rng.choice(sorted(numbers))
        vsctl("--no-wait", "set", "Interface", name, "external_ids:nwfilter=no-such")
        time.sleep(rng.choice((0, 0.001, 0.003, 0.01)))
        vsctl("--no-wait", "set", "Interface", name, f"external_ids:nwfilter={CLEAN}")

    def replug():
        name = rng.choice(sorted(numbers))
        add = ["add-port", bridge_of(name), name, "--", "set", "Interface", name,
               f"external_ids:attached-mac={world.mac(name)}", f"external_ids:nwfilter={CLEAN}",
               f"external_ids:nwfilter-IP={numbers[name]}"]
        if rng.random() < 0.5:
            vsctl("--no-wait", "del-port", name, "--", *add)
        else:
            vsctl("--no-wait", "del-port", name)
            time.sleep(rng.choice((0, 0.001, 0.005)))
            vsctl("--no-wait", *add)

    def define_filter():
        define("own", f"<filter name='own' chain='root'><filterref filter='{CLEAN}'/>"
                      f"{DROPS.format(rng.randrange(9, 250))}</filter>")
        vsctl("--no-wait", "set", "Interface", "vnet2", "external_ids:nwfilter=own")

    def wipe():
        for words in WIPES[rng.choice(sorted(WIPES))]:
            vsctl("--no-wait", *words)

    def foreign():
        words = rng.choice((("del-flows", "br0"), ("del-flows", "br1", "table=10"),
                            ("mod-flows", "br0", "actions=drop"), ("del-flows", "br1"),
                            ("mod-flows", "br1", "table=110,actions=NORMAL")))
        try:
            ofctl(*words)
        except LabError:
            pass  # the bridge is not there yet

    def restart():
        what = rng.choice(("daemon", "daemon", "switch", "server", "both"))
        if what == "daemon":
            world.daemon.restart(crash=True)
        if what in ("switch", "both"):
            world.ovs.switch.kill()
        if what in ("server", "both"):
            world.ovs.server.kill()
            time.sleep(rng.choice((0, 0.5, 1.2)))
            world.ovs.start_server()
        if what in ("switch", "both"):
            world.ovs.start_switch()

    actions = [tag] * 4 + [bad_tag, replug, replug, define_filter, wipe, foreign, restart]

    def disorder():
        for _ in range(20):
            action = rng.choice(actions)
            done.append(action.__name__)
            action()
            time.sleep(rng.choice((0, 0, 0.001, 0.01, 0.03)))
        vsctl("--no-wait", "set", "Bridge", "br0", "other_config:forward-bpdu=true")
    try:
        for number in range(rounds):
            done.clear()
            phases.run(f"disorder {seed}.{number}", disorder, window=True)
            world.daemon.settled("everybody to be guest")
            before = [world.daemon.counts(bridge) for bridge in ("br0", "br1")]
            answer = world.daemon.ctl("resync")
            after = [world.daemon.counts(bridge) for bridge in ("br0", "br1")]
            world.check("    resync finds no difference in the switch", before == after,
                        (before, after, answer, done))
            active = {name: world.status(name) for name in numbers}
            world.check("    all are active", set(active.values()) == {"active"}, (active, done))
    finally:
        world.check("    the daemon lives", world.daemon.is_alive(), world.daemon.process.tail(3))


if __name__ == "__main__":
    run(test)
