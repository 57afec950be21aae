# SPDX-License-Identifier: Apache-2.0
"""scripts/bench daemon: what one waits for while ovs-nwfilterd keeps a bridge.

The clock of a change runs from the transaction that makes it until the database shows the port's
status "active", as a program sees it that watches the row.  With a new guest that includes the time
in which ovs-vswitchd makes the port.  A domain's start is that of the hook alone, a whole process:
the port is there, as libvirt leaves it.  The daemon loads an empty switch, and ovs-ofctl the same flows
in one bundle, in turn, so that both see the same machine.
"""

import itertools
import os
import re
import signal
import subprocess
import tempfile
import time

from lab.netns import wait_for
from lab.ovs import RUN

from bench_client import Watch, mutate
from bench_ports import BRIDGE, Cost, FILTERS, PROGRAM, World, median, nwfilter

DAEMON = os.environ.get("OVS_NWFILTERD", os.path.join(os.path.dirname(PROGRAM), "ovs-nwfilterd"))
ACTIVE = '["nwfilter-status", "active"]'  # in an update of external_ids
CHANGES, GUESTS, RESTARTS = 200, 50, 5
VM = "3b5f8a0e-7d0f-4c54-8a8b-6d1d2f3c4b5a"
DOMAIN = f"""<domain type='kvm' id='1'>
  <name>vm</name>
  <uuid>{VM}</uuid>
  <metadata>
    <ports xmlns='urn:ovs-nwfilter:domain:1'>
      <port mac='{{mac}}'>
        <filterref filter='clean-traffic'><parameter name='IP' value='{{ip}}'/></filterref>
      </port>
    </ports>
  </metadata>
  <devices>
    <interface type='bridge'>
      <mac address='{{mac}}'/>
      <source bridge='{BRIDGE}'/>
      <virtualport type='openvswitch'/>
      <target dev='{{port}}'/>
    </interface>
  </devices>
</domain>
"""
IDLE_SECONDS = 10
REST_MAX = 1000  # ports at most where the daemon is watched at rest, and ovs-vswitchd restarted


def bench(lab, options):
    sizes = sorted(int(word) for word in options.ports.split(","))
    rest = max([size for size in sizes if size <= REST_MAX], default=sizes[0])
    world = World(lab.ovs)
    world.grow(1)
    nwfilter("manage", BRIDGE)
    daemon, addresses, first = Daemon(), itertools.count(1), None
    for size in sizes:
        world.grow(size)
        daemon.settle()
        found = changes(addresses), new_guests(world), domain_starts(world)
        first = first or found
        print(f"{size} ports:")
        report("tag changed until active", found[0], first[0], sizes[0])
        report("port added until active", found[1], first[1], sizes[0])
        report("hook at a domain's start", found[2], first[2], sizes[0])
        print(f"  its own figures: {daemon.ask('latency/show').strip()}", flush=True)
        daemon = start_and_load(lab.ovs, daemon, size)
        if size == rest:
            at_rest(daemon, size)
            daemon = switch_restarts(lab.ovs, daemon, size)
    daemon.stop()


def report(what, seconds, first, first_size):
    seconds = sorted(seconds)
    print(f"  {what:26} median {1000 * median(seconds):7.2f} ms   "
          f"p99 {1000 * quantile(seconds, 99):7.2f} ms   "
          f"beside {first_size} ports: {median(seconds) / median(first):.2f}", flush=True)


def quantile(numbers, percent):
    return numbers[min(len(numbers) - 1, len(numbers) * percent // 100)]


class Daemon:
    """ovs-nwfilterd, from exec on."""

    def __init__(self):
        self.start = time.monotonic()
        self.process = subprocess.Popen([DAEMON, f"--filter-dir={FILTERS}", "--timeout=120",
                                         "-vconsole:off", "-vsyslog:off"],
                                        stdin=subprocess.DEVNULL)
        self.control = f"{RUN}/ovs-nwfilterd.{self.process.pid}.ctl"
        wait_for(lambda: os.path.exists(self.control) or self.process.poll() is not None,
                 "ovs-nwfilterd to start", pause=0.001)

    def ask(self, *words):
        done = self._appctl(*words)
        if done.returncode:
            raise SystemExit(f"ovs-nwfilterd: {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _appctl(self, *words):
        return subprocess.run(["ovs-appctl", "-T", "600", "-t", self.control, *words],
                              capture_output=True, text=True)

    def settle(self):
        """Seconds from exec until everything is in force."""
        self.ask("settle", "--timeout=590")
        return time.monotonic() - self.start

    def is_settled(self):
        """Whether everything is in force; not while a switch that it had lost is not seen to."""
        return self._appctl("settle", "--timeout=590").returncode == 0

    def memory(self):
        """Of its pages those that are there now, MB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1]) / 1024

    def processor_time(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def changes(addresses):
    """Seconds of each change of one guest's address.  Its status goes with the old one, so that an
    "active" that comes later is about the new one."""
    watch, seconds = Watch("p1"), []
    for number in itertools.islice(addresses, CHANGES):
        address = f"10.9.{number // 250}.{number % 250 + 1}"
        start = time.monotonic()
        watch.transact(mutate("Interface", "p1",
                              ["external_ids", "delete",
                               ["set", ["nwfilter-IP", "nwfilter-status"]]],
                              ["external_ids", "insert", ["map", [["nwfilter-IP", address]]]]))
        watch.wait_for(ACTIVE)
        seconds.append(time.monotonic() - start)
    watch.close()
    return seconds


def new_guests(world, sign=ACTIVE, column="external_ids"):
    """Seconds of each guest that comes, until an update has the sign.  It goes again, so that the
    number of ports stays."""
    return [new_guest(world, number, sign, column) for number in range(30000, 30000 + GUESTS)]


def new_guest(world, number, sign, column):
    watch = Watch(f"p{number}", columns=[column])
    wake = {"op": "mutate", "table": "Open_vSwitch", "where": [],
            "mutations": [["next_cfg", "+=", 1]]}
    start = time.monotonic()
    world.announce([number])
    watch.transact(*world.rows(number),
                   mutate("Bridge", BRIDGE, ["ports", "insert", ["named-uuid", f"port{number}"]]),
                   wake)
    watch.wait_for(sign)
    seconds = time.monotonic() - start
    watch.close()
    subprocess.run(["ovs-vsctl", "--timeout=120", "del-port", BRIDGE, f"p{number}"], check=True)
    world.forget(number)
    return seconds


def domain_starts(world):
    """Seconds of the hook, from exec to exit, for a domain whose port libvirt has just plugged.  It
    stops again."""
    seconds, wake = [], {"op": "mutate", "table": "Open_vSwitch", "where": [],
                         "mutations": [["next_cfg", "+=", 1]]}
    database = Watch(BRIDGE)
    for number in range(30000, 30000 + GUESTS):
        name, tags = f"p{number}", world.tags(number)
        document = DOMAIN.format(mac=tags["attached-mac"], ip=tags["nwfilter-IP"], port=name)
        interface, port = world.rows(number)
        interface["row"]["external_ids"] = ["map", [["attached-mac", tags["attached-mac"]],
                                                    ["vm-id", VM]]]
        database.transact(interface, port, mutate("Bridge", BRIDGE, [
            "ports", "insert", ["named-uuid", f"port{number}"]]), wake)
        subprocess.run(["ovs-vsctl", "--timeout=120", "wait-until", "Interface", name,
                        "ofport>0"], check=True)
        seconds.append(run_hook(document, "start", "begin"))
        run_hook(document, "stopped", "end")
        subprocess.run(["ovs-vsctl", "--timeout=120", "del-port", BRIDGE, name], check=True)
        run_hook(document, "release", "end")
    database.close()
    return seconds


def run_hook(document, *words):
    with tempfile.TemporaryFile("w+") as file:
        file.write(document)
        file.seek(0)
        start = time.monotonic()
        subprocess.run([PROGRAM, f"--filter-dir={FILTERS}", "hook", "libvirt", "vm", *words, "-"],
                       stdin=file, check=True)
        return time.monotonic() - start


def start_and_load(ovs, daemon, size):
    """The daemon starts on a bridge that is as it should be, and on an empty one."""
    daemon.settle()
    flows = [line for line in ovs.flows(BRIDGE) if "cookie=0x6e7766" in line]
    daemon.stop()
    daemon = Daemon()
    seconds = daemon.settle()
    done = re.search(r"since the start: ([^;]*);", daemon.ask("bridge/show", BRIDGE))[1]
    print(f"  started on an enforced bridge: {seconds:.2f} s until it has compared {len(flows)} flows "
          f"({done}), {daemon.memory():.0f} MB", flush=True)
    daemon.stop()
    with tempfile.NamedTemporaryFile("w", suffix=".flows") as file:
        file.write("\n".join(flows) + "\n")
        file.flush()
        ovs.ofctl("del-flows", BRIDGE)
        theirs = Cost("ovs-ofctl", "-O", "OpenFlow14", "--bundle", "add-flows", BRIDGE, file.name)
    ovs.ofctl("del-flows", BRIDGE)
    daemon = Daemon()
    seconds = daemon.settle()
    rate, other = len(flows) / seconds, len(flows) / theirs.seconds
    print(f"  started on an empty one:       {seconds:.2f} s, {rate:.0f} flows/s; ovs-ofctl --bundle "
          f"{theirs.seconds:.2f} s, {other:.0f} flows/s; ratio {rate / other:.2f}", flush=True)
    return daemon


def at_rest(daemon, size):
    before = daemon.processor_time()
    time.sleep(IDLE_SECONDS)
    spent = daemon.processor_time() - before
    print(f"  at rest: {1000 * spent / IDLE_SECONDS:.1f} ms of processor time a second, "
          f"{daemon.memory():.0f} MB", flush=True)


def switch_restarts(ovs, daemon, size):
    """ovs-vswitchd is started again, alone and without flows, then with the daemon, in turn.  The
    difference is what guests wait for us.  Returns a daemon that runs."""
    wanted, alone, beside = count_flows(ovs), [], []
    for _ in range(RESTARTS):
        daemon.stop()
        alone.append(restart(ovs))
        daemon = Daemon()
        daemon.settle()
        beside.append(restart_beside(ovs, daemon, wanted))
    bare, ports, flows, last = map(median, (alone, *zip(*beside)))
    print(f"  ovs-vswitchd started again, {size} ports, {wanted} flows, median of {RESTARTS}:\n"
          f"    alone, without flows: {bare:.2f} s until all ports are there\n"
          f"    with the daemon:      {ports:.2f} s; all flows after {flows:.2f} s; the last guest "
          f"enforced after {last:.2f} s, {last - bare:.2f} s more than alone "
          f"({100 * (last - bare) / last:.0f} %)", flush=True)
    return daemon


def restart(ovs):
    """Seconds from the start of ovs-vswitchd until it has done all that the database says."""
    ovs.switch.stop()
    start = time.monotonic()
    ovs.start_switch()
    return time.monotonic() - start


def restart_beside(ovs, daemon, wanted):
    """The same, until all flows are back, and until the daemon has seen to all guests."""
    up = restart(ovs)
    start = time.monotonic() - up
    while count_flows(ovs) < wanted:
        time.sleep(0.02)
    flows = time.monotonic() - start
    wait_for(daemon.is_settled, "the guests", 120)
    return up, flows, time.monotonic() - start


def count_flows(ovs):
    return int(re.search(r"flow_count=(\d+)", ovs.ofctl("dump-aggregate", BRIDGE))[1])
