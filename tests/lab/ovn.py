# SPDX-License-Identifier: Apache-2.0
"""A real OVN on one host: both databases, ovn-northd, and ovn-controller, which programs a bridge
of the laboratory's Open vSwitch.  Only scripts/bench needs it, which sets it beside ours."""

import os

from .netns import Daemon, run, wait_for
from .ovs import RUN as OVS_RUN

RUN = "/run/ovn"
SCHEMAS = "/usr/share/ovn"
NORTHBOUND = f"{RUN}/ovnnb_db.sock"  # OVN's own defaults
SOUTHBOUND = f"{RUN}/ovnsb_db.sock"
PROGRAMS = ("ovn-northd", "ovn-controller", "ovn-nbctl")


class Ovn:
    """On `ovs`, as the owner of the bridge."""

    def __init__(self, ovs, bridge):
        self.ovs = ovs
        self.bridge = bridge
        self.daemons = []

    def start(self):
        os.makedirs(RUN, exist_ok=True)
        self._start_database("ovn-nb", NORTHBOUND)
        self._start_database("ovn-sb", SOUTHBOUND)
        self.nbctl("init")
        run("ovn-sbctl", "init")
        self._add("ovn-northd", "ovn-northd", "-vconsole:off", "-vsyslog:off")
        settings = {"system-id": "lab", "ovn-remote": f"unix:{SOUTHBOUND}",
                    "ovn-encap-type": "geneve", "ovn-encap-ip": "127.0.0.1",
                    "ovn-bridge": self.bridge}
        self.ovs.vsctl("set", "Open_vSwitch", ".",
                       *(f"external_ids:{key}={value}" for key, value in settings.items()))
        self._add("ovn-controller", "ovn-controller", f"unix:{OVS_RUN}/db.sock", "-vconsole:off",
                  "-vsyslog:off")
        wait_for(lambda: "lab" in run("ovn-sbctl", "--bare", "--columns=name", "list", "Chassis"),
                 "ovn-controller to register")

    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.stop()
        self.daemons = []

    @staticmethod
    def nbctl(*argv):
        return run("ovn-nbctl", "--timeout=300", *argv, timeout=310)

    def _add(self, name, *argv):
        self.daemons.append(Daemon(name, *argv))

    def _start_database(self, name, listener):
        database = f"{RUN}/{name}.db"
        run("ovsdb-tool", "create", database, f"{SCHEMAS}/{name}.ovsschema")
        self._add(name, "ovsdb-server", f"--remote=punix:{listener}", f"--unixctl={RUN}/{name}.ctl",
                  "-vconsole:off", "-vsyslog:off", database)
        self.daemons[-1].wait_ready(lambda: os.path.exists(listener))
