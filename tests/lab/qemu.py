# SPDX-License-Identifier: Apache-2.0
"""A real QEMU with a real tap, and the test in the place of its guest.

There is no machine, only what is between a guest's network card and the tap: QEMU's own hub, with
the tap on one side and a socket of the test's on the other.  As from a guest's card, nothing goes
out before QEMU runs; a QEMU that was started with -S does not run until cont().

    qemu = Qemu("tap0", "/run/lab/up", "/run/lab/down")
    qemu.start()        # None, or what QEMU says as it refuses
    qemu.cont()
    qemu.send(frame)    # it looks to wire.Wire like a wire.Port
"""

import json
import os
import select
import socket
import subprocess
import time

from . import frames
from .netns import WORK, wait_for

PROGRAM = "qemu-system-x86_64"
LONGEST_START = 60


class Qemu:
    def __init__(self, name, script, downscript, number=0):
        self.name = name
        self.scripts = script, downscript
        self.monitor_path = f"{WORK}/{name}.qmp"
        self.ours, self.theirs = 20000 + 2 * number, 20001 + 2 * number
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", self.ours))
        self.process = self.monitor = None
        self.index = None

    def argv(self):
        script, downscript = self.scripts
        return [PROGRAM, "-machine", "none", "-nodefaults", "-display", "none", "-S",
                "-chardev", f"socket,id=m,path={self.monitor_path},server=on,wait=off",
                "-mon", "chardev=m,mode=control",
                "-netdev", f"tap,id=t,ifname={self.name},script={script},"
                f"downscript={downscript},vnet_hdr=off",
                "-netdev", f"socket,id=s,udp=127.0.0.1:{self.ours},"
                f"localaddr=127.0.0.1:{self.theirs}",
                "-netdev", "hubport,id=h1,hubid=0,netdev=t",
                "-netdev", "hubport,id=h2,hubid=0,netdev=s"]

    # --- its life

    def start(self):
        """Returns None once it waits for cont(), or all it said if it has ended instead."""
        if os.path.exists(self.monitor_path):
            os.unlink(self.monitor_path)
        log = open(f"{WORK}/{self.name}.qemu.log", "w+b")
        self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=subprocess.STDOUT)
        wait_for(lambda: self._connect() or self.process.poll() is not None, "QEMU to start",
                 LONGEST_START)
        if self.process.poll() is None:
            self.index = socket.if_nametoindex(self.name)
            return None
        log.seek(0)
        return log.read().decode(errors="replace")

    def _connect(self):
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.settimeout(LONGEST_START)
        try:
            self.monitor.connect(self.monitor_path)
        except OSError:
            return False
        self.lines = self.monitor.makefile("r")
        try:
            self.lines.readline()  # Comes once QEMU has all its devices.
            return bool(self.command("qmp_capabilities"))
        except (OSError, ValueError):
            return False

    def command(self, name):
        self.monitor.sendall(json.dumps({"execute": name}).encode() + b"\n")
        while True:
            answer = json.loads(self.lines.readline())
            if "event" not in answer:
                return answer

    def status(self):
        return self.command("query-status")["return"]["status"]

    def cont(self):
        self.command("cont")

    def quit(self):
        """Returns when it has ended, downscript and all."""
        self.command("quit")
        return self._wait()

    def kill(self):
        self.process.kill()
        return self._wait()

    def _wait(self):
        self.monitor.close()
        return self.process.wait(LONGEST_START)

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.socket.close()

    # --- its guest

    def _count(self, direction):
        with open(f"/sys/class/net/{self.name}/statistics/{direction}_packets") as file:
            return int(file.read())

    def send(self, frame):
        """Returns when the frame has left the tap; one frame at a time."""
        before = self._count("rx")
        self.socket.sendto(frame, ("127.0.0.1", self.theirs))
        wait_for(lambda: self._count("rx") > before, f"QEMU to send to {self.name}", 5, 0.0005)

    def receive(self):
        """All that the guest has got; what is on its way through QEMU comes a moment later."""
        received, end = [], time.monotonic() + 0.02
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return received
            received.append(_unpadded(self.socket.recv(65535)))

    @staticmethod
    def is_same(received, sent):
        return received == sent

    def remove(self):
        self.close()


def _unpadded(frame):
    """Without what QEMU puts behind short frames for its cards."""
    end = frame.rfind(frames.MAGIC)
    return frame if end < 0 or frame[end + 8:].strip(b"\0") else frame[:end + 8]
