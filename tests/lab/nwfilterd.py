# SPDX-License-Identifier: Apache-2.0
"""ovs-nwfilterd, the program under test: started, killed and asked.

    daemon = Nwfilterd("/run/lab/filters")
    daemon.start()
    daemon.settle()         # what the database and the files say is enforced, or why it is not
    daemon.counts("br0")    # {"added": ..., "changed": ..., "removed": ..., "undone": ...}
    daemon.crash()
"""

import collections
import json
import os
import re
import signal
import socket
import subprocess

from .netns import Daemon, LabError, wait_for
from .ovs import RUN, _read_json

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("OVS_NWFILTERD") or os.path.join(ROOT, "build", "ovs-nwfilterd")
PIDFILE = f"{RUN}/ovs-nwfilterd.pid"

Answer = collections.namedtuple("Answer", "good text")


class Nwfilterd:
    def __init__(self, filters, *options):
        self.argv = [PROGRAM, f"--filter-dir={filters}", "-vconsole:info", *options]
        self.process = None  # a netns.Daemon
        self.on_settled = lambda: None

    # --- its life

    def start(self):
        """Returns when it can be asked, which may be before anything is enforced."""
        self.process = Daemon("ovs-nwfilterd", *self.argv)
        self.process.wait_ready(self._is_listening)

    def _is_listening(self):
        try:
            return self.ctl("version").good
        except LabError:
            return False

    def stop(self, sign=signal.SIGTERM):
        """Returns its exit status."""
        self.process.stop(sign)
        return self.process.process.returncode

    def crash(self):
        self.process.kill()

    def restart(self, crash=False):
        self.stop(signal.SIGKILL if crash else signal.SIGTERM)
        self.start()

    def freeze(self):
        """It does nothing until thaw()."""
        self.process.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.process.send_signal(signal.SIGCONT)

    @property
    def pid(self):
        return self.process.process.pid

    def is_alive(self):
        return self.process is not None and self.process.alive()

    # --- its commands

    def ctl(self, *words, timeout=90):
        """As ovs-appctl(8), without a process."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(timeout)
            try:
                control.connect(f"{RUN}/ovs-nwfilterd.{self.pid}.ctl")
                control.sendall(json.dumps({"id": 0, "method": words[0],
                                            "params": list(words[1:])}).encode())
                reply = _read_json(control)
            except OSError as error:
                raise LabError(f"ovs-nwfilterd {' '.join(words)}: {error}") from None
        if reply["error"] is not None:
            return Answer(False, reply["error"])
        return Answer(True, reply["result"])

    @staticmethod
    def appctl(*words):
        """The real ovs-appctl(8)."""
        done = subprocess.run(("ovs-appctl", "-t", "ovs-nwfilterd") + words, text=True,
                              timeout=90, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return Answer(done.returncode == 0, done.stdout + done.stderr)

    def settle(self, port=None, timeout=60):
        """Until what the database and the files say now is enforced, or has an error."""
        answer = self.ctl("settle", *([f"--port={port}"] if port else []),
                          f"--timeout={timeout}")
        self.on_settled()
        return answer

    def settled(self, what, port=None, timeout=30.0):
        """settle(), until it finds nothing wrong."""
        answer = None

        def is_good():
            nonlocal answer
            answer = self.settle(port)
            return answer.good
        try:
            wait_for(is_good, what, timeout, 0.05)
        except LabError as error:
            raise LabError(f"{error}: {answer.text}") from None
        return answer

    def recompute(self):
        """What differs between its image and one from scratch, or None."""
        self.settle()  # It does not while it is at work.
        answer = self.ctl("recompute")
        return None if answer.good else answer.text

    def counts(self, bridge="br0"):
        answer = self.ctl("bridge/show", bridge)
        found = re.search(r"since the start: (\d+) added, (\d+) changed, (\d+) removed; "
                          r"(\d+) changes of others", answer.text)
        if not found:
            raise LabError(f"bridge/show {bridge}: {answer.text}")
        return dict(zip(("added", "changed", "removed", "undone"), map(int, found.groups())))

    def log(self):
        with open(self.process.log, errors="replace") as file:
            return file.read()
