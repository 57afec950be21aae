# SPDX-License-Identifier: Apache-2.0
"""The reference implementation: a real libvirtd, and the Linux bridges that it filters on.

libvirt filters any interface in a Linux bridge for which it is given a binding; no virtual machine
is needed.  Its rules go to ebtables and iptables, of which every network namespace has its own.
libvirtd finds its own stock filters in the private copy of /etc/libvirt.  About a second a binding.
It also runs virtual machines (vm.py), with the hooks that a test has put there.
"""

import os
import uuid
from xml.sax.saxutils import quoteattr

from . import wire
from .netns import WORK, Daemon, run, run_status, sysctl

PROGRAMS = ("libvirtd", "virtlogd", "virsh", "ebtables", "iptables", "bridge")
SOCKET = "/run/libvirt/libvirt-sock"
CONFIGURATION_FILE = f"{WORK}/libvirtd.conf"
CONFIGURATION = """\
auth_unix_rw = "none"
log_outputs = "3:stderr"
"""

# There is neither a security module nor a folder of cgroups in the laboratory, and QEMU needs no
# mounts of its own.
QEMU_CONFIGURATION = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
"""
HOOKS = "/etc/libvirt/hooks/qemu.d"


class Libvirt:
    def __init__(self):
        self.logs = self.daemon = None

    def start(self):
        with open(CONFIGURATION_FILE, "w") as file:
            file.write(CONFIGURATION)
        with open("/etc/libvirt/qemu.conf", "w") as file:
            file.write(QEMU_CONFIGURATION)
        self.logs = Daemon("virtlogd", "virtlogd")
        self.start_daemon()

    def start_daemon(self):
        if os.path.exists(SOCKET):  # a killed one's
            os.unlink(SOCKET)
        self.daemon = Daemon("libvirtd", "libvirtd", "--config", CONFIGURATION_FILE)
        self.daemon.wait_ready(
            lambda: os.path.exists(SOCKET) and not self.virsh("nwfilter-list")[0])

    def restart(self):
        """Machines go on meanwhile."""
        self.daemon.stop()
        self.start_daemon()

    @staticmethod
    def add_hook(name, script):
        """Put a script into qemu.d, whose scripts run in the order of their names.  libvirtd looks
        for the folder's scripts when it starts, or is told to reload."""
        os.makedirs(HOOKS, exist_ok=True)
        with open(f"{HOOKS}/{name}", "w") as file:
            file.write(script)
        os.chmod(f"{HOOKS}/{name}", 0o755)

    def stop(self):
        for daemon in (self.daemon, self.logs):
            if daemon:
                daemon.stop()

    def virsh(self, *argv, stdin=None):
        """Return (exit status, output).  Needs no driver but that of the filters."""
        return run_status("virsh", "--quiet", "--connect", "nwfilter:///system", *argv,
                          stdin=stdin, timeout=60)

    @staticmethod
    def machines(*argv, stdin=None):
        """The same for virtual machines."""
        return run_status("virsh", "--quiet", "--connect", "qemu:///system", *argv,
                          stdin=stdin, timeout=60)

    def define_filter(self, xml):
        """Define a filter; return what libvirt has against it, or None."""
        return self._given("nwfilter-define", xml)

    def undefine_filter(self, name):
        return _complaint(self.virsh("nwfilter-undefine", name))

    def bind(self, interface, mac, filter_name, params=()):
        """Filter an interface in a Linux bridge; return libvirt's complaint or None.

        params: a dict of name -> value or list of values, or pairs (name, value).
        """
        return self._given("nwfilter-binding-create",
                           binding_xml(interface, mac, filter_name, params))

    def unbind(self, interface):
        return _complaint(self.virsh("nwfilter-binding-delete", interface))

    def rules(self, table="nat"):
        """The Ethernet rules as they are now, for a report."""
        return run("ebtables", "-t", table, "-L")

    def _given(self, command, xml):
        return _complaint(self.virsh(command, "/dev/stdin", stdin=xml))


def _complaint(result):
    status, output = result
    return " ".join(output.split()) if status else None


def binding_xml(interface, mac, filter_name, params=()):
    """A <filterbinding>, as `virsh nwfilter-binding-create` and `ovs-nwfilter bind --xml` take it."""
    lines = ["<filterbinding>",
             f"  <owner><name>lab-{interface}</name>"
             f"<uuid>{uuid.uuid5(uuid.NAMESPACE_OID, interface)}</uuid></owner>",
             f"  <portdev name={quoteattr(interface)}/>",
             f"  <mac address={quoteattr(mac)}/>",
             f"  <filterref filter={quoteattr(filter_name)}>"]
    lines += [f"    <parameter name={quoteattr(name)} value={quoteattr(value)}/>"
              for name, value in pairs(params)]
    return "\n".join(lines + ["  </filterref>", "</filterbinding>", ""])


def pairs(params):
    """The parameters one by one: a list of values is a repeated name."""
    if not isinstance(params, dict):
        return list(params)
    return [(name, value) for name, values in params.items()
            for value in ([values] if isinstance(values, str) else values)]


class LinuxBridge:
    """A bridge that forwards like a cable: it learns nothing, floods what it was not told, and
    passes reserved addresses on (except 01:80:c2:00:00:01 and :02, which the kernel keeps)."""

    def __init__(self, name, layer4=True):
        self.name = name
        run("ip", "link", "add", name, "type", "bridge", "stp_state", "0", "mcast_snooping", "0",
            "group_fwd_mask", "0xfff8", "ageing_time", "0")
        run("ip", "link", "set", name, "address", "02:00:00:00:00:02", "arp", "off", "up")
        call_iptables(layer4)

    def add(self, port, *addresses):
        """Put a wire.Port into the bridge; frames to its addresses go there only."""
        run("ip", "link", "set", port.name, "master", self.name)
        run("bridge", "link", "set", "dev", port.name, "learning", "off")
        for address in addresses:
            run("bridge", "fdb", "replace", address, "dev", port.name, "master", "static")
        return port

    def add_guest(self, name, *addresses):
        return self.add(wire.Port(name), *addresses)

    def remove(self):
        run("ip", "link", "del", self.name)


def call_iptables(enable):
    """Let iptables see bridged packets.  For Ethernet rules alone it is better off: br_netfilter
    drops malformed IP packets on its own account and cuts off what follows an IP packet."""
    for family in ("iptables", "ip6tables"):
        if os.path.exists(f"/proc/sys/net/bridge/bridge-nf-call-{family}"):
            sysctl(f"net.bridge.bridge-nf-call-{family}", int(enable))
