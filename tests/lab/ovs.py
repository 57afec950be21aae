# SPDX-License-Identifier: Apache-2.0
"""A real Open vSwitch: ovsdb-server and ovs-vswitchd at their default paths, which are private.

Bridges use the userspace datapath (datapath_type=netdev) with veth ports, so no kernel module is
needed and frames are real.  With dummy=True the switch has no real ports at all; ports are then of
type=dummy, and verdicts come from trace().
"""

import json
import os
import signal
import socket

from . import wire
from .netns import Daemon, LabError, run, wait_for

RUN = "/run/openvswitch"
DATABASE = "/etc/openvswitch/conf.db"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PROGRAMS = ("ovsdb-server", "ovsdb-tool", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl")


class Ovs:
    def __init__(self, dummy=False):
        self.dummy = dummy
        self.starts = 0
        self.server = self.switch = None

    def start(self):
        run("ovsdb-tool", "create", DATABASE, SCHEMA)
        self.start_server()
        run("ovs-vsctl", "--no-wait", "init")
        self.start_switch()

    def stop(self):
        for daemon in (self.switch, self.server):
            if daemon:
                daemon.stop()

    def start_server(self):
        self._forget("db.sock")
        self.server = Daemon("ovsdb-server", "ovsdb-server", "--pidfile",
                             f"--remote=punix:{RUN}/db.sock", DATABASE)
        self.server.wait_ready(lambda: _listens(f"{RUN}/db.sock"))

    def start_switch(self):
        self._forget("ovs-vswitchd.pid")
        options = ["--enable-dummy=override", "--disable-system"] if self.dummy else []
        self.switch = Daemon("ovs-vswitchd", "ovs-vswitchd", "--pidfile", *options)
        self.switch.wait_ready(lambda: _listens(self._control("ovs-vswitchd")))
        # Any change makes ovs-vsctl wait until the switch does all that the database says.
        self.starts += 1
        self.vsctl("set", "Open_vSwitch", ".", f"external_ids:lab-starts={self.starts}")

    def restart_switch(self, sign=signal.SIGTERM):
        self.switch.stop(sign)
        self.start_switch()

    def restart_server(self, sign=signal.SIGTERM):
        self.server.stop(sign)
        self.start_server()

    @staticmethod
    def _forget(name):
        """Remove what a killed daemon left behind, lest it be taken for the new one's."""
        if os.path.exists(f"{RUN}/{name}"):
            os.unlink(f"{RUN}/{name}")

    # --- the tools

    def vsctl(self, *argv):
        return run("ovs-vsctl", "--timeout=10", *argv)

    def ofctl(self, *argv, stdin=None):
        return run("ovs-ofctl", "-O", "OpenFlow15", *argv, stdin=stdin)

    def appctl(self, *argv, target="ovs-vswitchd"):
        """As ovs-appctl(8), without a process: JSON-RPC on the daemon's control socket."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            try:
                control.connect(self._control(target))
                control.sendall(json.dumps({"id": 0, "method": argv[0],
                                            "params": list(argv[1:])}).encode())
                reply = _read_json(control)
            except OSError as error:
                raise LabError(f"appctl {' '.join(argv)}: {error}") from None
        if reply["error"] is not None:
            raise LabError(f"appctl {' '.join(argv)}: {reply['error'].strip()}")
        return reply["result"]

    def purge(self):
        """Delete all cached flows.  One purge leaves out those that a revalidator has locked."""
        for _ in range(2):
            self.appctl("revalidator/purge")

    def _control(self, target):
        if target.startswith("/"):
            return target
        try:
            with open(f"{RUN}/{target}.pid") as file:
                return f"{RUN}/{target}.{file.read().strip()}.ctl"
        except FileNotFoundError:
            return f"{RUN}/{target}.pid"  # not there either

    # --- bridges and ports

    def add_bridge(self, name, **columns):
        """Add a bridge.  It forwards even frames to reserved addresses, as a Linux bridge without
        STP does, and keeps its own address whatever its ports are."""
        self.vsctl("--may-exist", "add-br", name, "--", "set", "Bridge", name,
                   f"datapath_type={'dummy' if self.dummy else 'netdev'}",
                   "other_config:forward-bpdu=true", "other_config:hwaddr=02:00:00:00:00:01",
                   *_settings(columns))

    def add_port(self, bridge, name, tag=None, **external_ids):
        """Put a port into a bridge; underscores in the names of external_ids become hyphens.
        Returns its OpenFlow number."""
        settings = [f'external_ids:{key.replace("_", "-")}="{value}"'
                    for key, value in external_ids.items()]
        if self.dummy:
            settings.append("type=dummy")
        self.vsctl("add-port", bridge, name, *([f"tag={tag}"] if tag is not None else []),
                   *(["--", "set", "Interface", name] + settings if settings else []))
        return self.ofport(name)

    def add_guest(self, bridge, name, mac=None, **more):
        """A new wire.Port in the bridge; with a mac, tagged as libvirt tags a guest's port."""
        port = wire.Port(name)
        if mac:
            more["attached_mac"] = mac
        self.add_port(bridge, name, **more)
        return port

    def ofport(self, name):
        def number():
            text = self.vsctl("get", "Interface", name, "ofport").strip()
            return int(text) if text.lstrip("-").isdigit() else 0
        value = wait_for(number, f"the number of port {name}")
        if value < 0:
            raise LabError(self.vsctl("get", "Interface", name, "error").strip())
        return value

    def trace(self, bridge, in_port, frame):
        """ofproto/trace's whole answer for the frame."""
        return self.appctl("ofproto/trace", bridge, f"in_port={in_port}", frame.hex())

    def flows(self, bridge):
        """One line a flow.  (Without statistics there is no line that says what follows.)"""
        return self.ofctl("--no-stats", "dump-flows", bridge).splitlines()


def _listens(path):
    """A socket that is there may not be listened to yet."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def _settings(columns):
    return [f"{column}={value}" for column, value in columns.items()]


def _read_json(connection):
    data = b""
    while True:
        part = connection.recv(1 << 16)
        if not part:
            raise OSError("connection closed")
        data += part
        try:
            return json.loads(data)
        except ValueError:
            continue
