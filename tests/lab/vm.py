# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: QEMU without KVM, Debian's kernel for clouds, and guest.c for a userland.

    image = Image()                                # once a test: compiles guest.c, packs it
    vm = Qemu(image, "vm", "vnet0", MAC, ip="10.0.0.5")
    vm.start()
    wait_for(lambda: "guest:" in vm.console(), "the guest", 60)

domain_xml() describes the same machine for libvirt.  What the guest does, and which words of the
kernel's command line it understands, is in guest.c.  A machine is up after some three seconds.
"""

import collections
import json
import os
import socket
import uuid
from xml.sax.saxutils import quoteattr

from . import frames
from .netns import WORK, Daemon, LabError, run, skip, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KERNEL = f"{ROOT}/build/guest-kernel"  # by scripts/guest-kernel
PROGRAMS = ("qemu-system-x86_64", "cc")
MEMORY = 96  # MiB

# Frames are whole, as everywhere in the laboratory: what the card would have to complete does not
# go through a switch that reads packet sockets.
OFFLOADS = ("csum", "gso", "guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo",
            "host_tso4", "host_tso6", "host_ecn", "host_ufo", "mrg_rxbuf")

FORGED = 64  # kinds of frames from here on are
KINDS = {1: "clean ARP", 2: "clean IP", 64: "ARP with a foreign IP address",
         65: "ARP with a foreign MAC address", 66: "ARP wholly in another's name",
         67: "IP from a foreign address", 68: "IP from a foreign MAC address",
         69: "RARP in another's name", 70: "IPv6"}


def need_kernel():
    """Skip the test where there is no kernel for its machines."""
    if not os.path.exists(f"{KERNEL}/vmlinuz"):
        skip(f"needs {KERNEL}, which scripts/guest-kernel makes")


class Image:
    """The kernel, and an initramfs of guest.c and the network driver."""

    def __init__(self):
        self.kernel = f"{KERNEL}/vmlinuz"
        self.initrd = f"{WORK}/initramfs"
        program = f"{WORK}/guest"
        run("cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", program,
            os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest.c"))
        archive = _Archive()
        archive.add("dev", 0o040755)
        archive.add("dev/console", 0o020600, device=(5, 1))
        archive.add("modules", 0o040755)
        for name in sorted(os.listdir(f"{KERNEL}/modules")):
            archive.add_file(f"modules/{name}", f"{KERNEL}/modules/{name}")
        archive.add_file("init", program)
        with open(self.initrd, "wb") as file:
            file.write(archive.close())


class _Archive:
    """cpio's format "newc", as the kernel unpacks it."""

    def __init__(self):
        self.parts = []
        self.inode = 0

    def add_file(self, name, path):
        with open(path, "rb") as file:
            self.add(name, 0o100755, file.read())

    def add(self, name, mode, content=b"", device=(0, 0)):
        self.inode += 1
        path = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
        self._put(b"070701" + b"".join(b"%08x" % field for field in fields) + path)
        self._put(content)

    def _put(self, part):
        self.parts.append(part + bytes(-len(part) % 4))

    def close(self):
        self.add("TRAILER!!!", 0)
        return b"".join(self.parts)


def command_line(**words):
    """Of the kernel; words are guest.c's, without their "guest_"."""
    known = ["console=ttyS0", "quiet", "panic=-1", "ipv6.disable=1", "mitigations=off",
             "random.trust_cpu=on", "no_timer_check", "tsc=reliable"]
    return " ".join(known + [f"guest_{name}={value}" for name, value in words.items()])


# ---- By QEMU itself. ----


class Qemu:
    """A machine with one card on a tap interface that is there."""

    def __init__(self, image, name, tap, mac, incoming=None, **words):
        self.name = name
        self.log = f"{WORK}/{name}.console"
        self.monitor = f"{WORK}/{name}.qmp"
        device = ",".join([f"virtio-net-pci,netdev=net,mac={mac},romfile="]
                          + [f"{offload}=off" for offload in OFFLOADS])
        self.argv = [
            "qemu-system-x86_64", "-name", name, "-machine", "pc,accel=tcg", "-m", str(MEMORY),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", image.kernel, "-initrd", image.initrd, "-append", command_line(**words),
            "-netdev", f"tap,id=net,ifname={tap},script=no,downscript=no", "-device", device,
            "-serial", f"file:{self.log}", "-qmp", f"unix:{self.monitor},server=on,wait=off",
            *(["-incoming", incoming] if incoming else [])]
        self.process = self.control = None

    def start(self):
        self.process = Daemon(self.name, *self.argv)
        self.process.wait_ready(self._connect)
        self.qmp("qmp_capabilities")

    def _connect(self):
        control = socket.socket(socket.AF_UNIX)
        try:
            control.connect(self.monitor)
        except OSError:
            control.close()
            return False
        control.settimeout(30)
        self.control = control.makefile("rw")
        self.control.readline()  # its greeting
        return True

    def qmp(self, command, **arguments):
        """Run a command of QEMU's monitor; what it tells meanwhile is of no interest."""
        json.dump({"execute": command, "arguments": arguments}, self.control)
        self.control.flush()
        while True:
            line = self.control.readline()
            if not line:
                raise LabError(f"{self.name}: QEMU has gone: {self.process.tail()}")
            answer = json.loads(line)
            if "error" in answer:
                raise LabError(f"{self.name}: {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def is_running(self):
        return self.qmp("query-status")["status"] == "running"

    def console(self):
        return console(self.log)

    def stop(self):
        if self.process:
            self.process.kill()


def console(path):
    """What the guest and its kernel have said."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def wait_for_guest(log, timeout=60):
    """Until the guest has sent its first frames and has an address."""
    try:
        wait_for(lambda: "guest:" in console(log), "the guest", timeout, 0.05)
    except LabError as error:
        raise LabError(f"{error}; its console: {console(log)[-1000:]!r}") from None


# ---- By libvirt. ----


def interface_xml(source, mac, virtualport="", inner=""):
    """source: <interface>'s type and its <source>, as pairs; virtualport: what is in it."""
    kind, name = source
    port = f"<virtualport type='openvswitch'>{virtualport}</virtualport>" if kind == "ovs" else ""
    return f"""\
    <interface type='bridge'>
      <mac address={quoteattr(mac)}/>
      <source bridge={quoteattr(name)}/>{port}
      <model type='virtio'/>
      <driver><host csum='off' gso='off' tso4='off' tso6='off' ecn='off' ufo='off' mrg_rxbuf='off'/>
        <guest csum='off' tso4='off' tso6='off' ecn='off' ufo='off'/></driver>
      <rom enabled='no'/>{inner}
    </interface>
"""


def domain_xml(image, name, interfaces, metadata="", **words):
    """A domain; metadata is what is in <metadata>, words are guest.c's."""
    return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid.uuid5(uuid.NAMESPACE_OID, name)}</uuid>
  <metadata>{metadata}</metadata>
  <memory unit='MiB'>{MEMORY}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{image.kernel}</kernel>
    <initrd>{image.initrd}</initrd>
    <cmdline>{command_line(**words)}</cmdline>
  </os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
{interfaces}\
    <serial type='file'><source path='{WORK}/{name}.console'/><target port='0'/></serial>
  </devices>
</domain>
"""


# ---- What a port has heard of a guest. ----


def heard(received):
    """Kind -> set of rounds, of the frames that guest.c has sent; and how often each came."""
    counts = collections.Counter()
    for frame in received:
        number = frames.read_stamp(frame)
        if number is not None and number >> 24 in KINDS:
            counts[number >> 24, number & 0xffffff] += 1
    return counts


def is_forged(key):
    return key[0] >= FORGED
