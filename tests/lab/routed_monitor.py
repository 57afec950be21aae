# SPDX-License-Identifier: Apache-2.0
"""Pings between pairs of endpoints all the time, and when it was that one had no answer.

    monitor = Monitor(pairs)
    broken = monitor.now()
    ...                                   # something happens
    lasted = monitor.recovered(broken)    # seconds from then to the last ping that was lost

A process of its own pings each pair every PACE seconds.
"""

import json
import os
import select
import signal
import socket
import time

from .netns import LabError
from .routed_probe import Pinger, show

PACE = 0.1
LATE = 0.5  # seconds after which a ping is lost


class Monitor:
    def __init__(self, pairs):
        self.pairs = list(pairs)
        self.control, child_end = socket.socketpair()
        self.pid = os.fork()
        if not self.pid:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                self.control.close()
                _Watch(self.pairs).run(child_end)
            finally:
                os._exit(1)
        child_end.close()

    @staticmethod
    def now():
        return time.monotonic()

    def last_lost(self):
        """For each pair the moment when the latest ping that was lost was sent, or None."""
        return self._ask()["lost"]

    def recovered(self, since, calm=1.5, patience=30.0):
        """Wait until for `calm` seconds every pair had all its answers.  Returns for how many
        seconds after `since` pings were lost, and the pair that was the last."""
        while True:
            answer = self._ask()
            lost = [(when, pair) for when, pair in zip(answer["lost"], self.pairs)
                    if when and when >= since]
            last, pair = max(lost, key=lambda item: item[0], default=(since, None))
            if answer["now"] - LATE - max(last, since) >= calm:
                return last - since, pair and show(pair)
            if time.monotonic() > since + patience:
                silent = [show(pair) for when, pair in lost if when > answer["now"] - LATE - calm]
                raise LabError(f"not reachable again after {patience:g} s: {', '.join(silent)}")
            time.sleep(0.1)

    def _ask(self):
        try:
            self.control.sendall(b"?")
            text = b""
            while not text.endswith(b"\n"):
                part = self.control.recv(1 << 16)
                if not part:
                    raise OSError("it has died")
                text += part
        except OSError as error:
            raise LabError(f"the monitor: {error}") from None
        return json.loads(text)

    def stop(self):
        self.control.close()
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


class _Watch:
    def __init__(self, pairs):
        self.pairs = pairs
        self.pinger = Pinger()
        self.lost = [None] * len(pairs)
        self.open = {}  # (which pair, when its ping was sent)

    def run(self, parent):
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= due:
                due = max(due + PACE, now)
                self.send(now)
            for what in self.pinger.answers(max(0.0, min(due - now, 0.02))):
                self.open.pop(what, None)
            if select.select([parent], [], [], 0)[0]:
                if not parent.recv(64):
                    return
                self.expire(time.monotonic())
                parent.sendall(json.dumps({"lost": self.lost, "now": time.monotonic()}).encode()
                               + b"\n")

    def send(self, now):
        self.expire(now)
        for index, pair in enumerate(self.pairs):
            self.open[index, now] = None
            self.pinger.send(pair, (index, now))

    def expire(self, now):
        for index, sent in [key for key in self.open if key[1] < now - LATE]:
            del self.open[index, sent]
            self.lost[index] = max(self.lost[index] or 0, sent)
        if len(self.pinger.waiting) > 100_000:
            self.pinger.waiting.clear()
