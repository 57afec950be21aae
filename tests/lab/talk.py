# SPDX-License-Identifier: Apache-2.0
"""A station that talks all the time: a ping every 10 ms, and a TCP transfer to an echo server.

    talk = Talk("10.0.0.5")    # in the station's network namespace
    talk.start()               # a process of its own goes on from there
    ...
    report = talk.stop()       # what was lost, and for how long nothing came
"""

import json
import os
import select
import signal
import socket
import struct
import time

from .netns import LabError, wait_for

PACE = 0.01  # seconds between pings, and between parts of the transfer
PART = 4096  # bytes
WINDOW = 32 * PART  # that may be on their way, both directions taken together
LATE = 0.3  # seconds after which an answer to a ping comes too late
PATIENCE = 8.0  # seconds for what is on its way at the end, which TCP may have to send again
ECHO_PORT = 7

PATTERN = bytes(i % 251 for i in range(251 * 64))  # whatever is missing or twice shows


class Talk:
    def __init__(self, address):
        self.address = address
        self.child = self.report = None
        self.pings = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK,
                                   socket.IPPROTO_ICMP)
        self.pings.connect((address, 0))
        wait_for(self._connect, f"an answer from {address}", 10)
        self.sent = []  # when, for each ping
        self.answered = {}  # number -> when
        self.bytes_out = self.bytes_in = 0
        self.heard = []  # when bytes came back
        self.broken = None

    def _connect(self):
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.settimeout(2)
        try:
            self.tcp.connect((self.address, ECHO_PORT))
        except OSError:
            self.tcp.close()
            return False
        self.tcp.setblocking(False)
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return True

    def start(self):
        self.report, child_end = socket.socketpair()
        self.child = os.fork()
        if not self.child:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                self.report.close()
                self._go_on(child_end)
            finally:
                os._exit(0)
        child_end.close()

    def stop(self):
        """Nothing new is sent; what is on its way may arrive.  The report's "lost" are the moments
        (of time.monotonic()) at which pings were sent that had no answer in time."""
        self.report.shutdown(socket.SHUT_WR)
        text = b"".join(iter(lambda: self.report.recv(1 << 16), b""))
        os.waitpid(self.child, 0)
        self.pings.close()
        self.tcp.close()
        if not text:
            raise LabError("the station that talks has died")
        return json.loads(text)

    # --- in the child

    def _go_on(self, parent):
        end = stopped = None
        due = time.monotonic()
        while end is None or time.monotonic() < end:
            now = time.monotonic()
            if now >= due and end is None:
                due = max(due + PACE, now - PACE)
                self._say(now)
            ready = select.select([self.pings, self.tcp] + ([parent] if end is None else []),
                                  [], [], max(0.0, min(due - time.monotonic(), PACE)))[0]
            if parent in ready:
                stopped = time.monotonic()
                end = stopped + PATIENCE
            self._listen()
            if end and self._is_done() and time.monotonic() > stopped + LATE:
                break
        parent.sendall(json.dumps(self._report()).encode())

    def _is_done(self):
        return self.broken or self.bytes_in == self.bytes_out

    def _say(self, now):
        packet = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xffff, len(self.sent) & 0xffff)
        total = sum(struct.unpack("!4H", packet))
        total = (total & 0xffff) + (total >> 16)
        try:
            self.pings.send(packet[:2] + struct.pack("!H", total ^ 0xffff) + packet[4:])
        except OSError:
            pass  # the kernel does not know where to: a lost ping
        self.sent.append(now)
        if self.bytes_out - self.bytes_in < WINDOW and not self.broken:
            at = self.bytes_out % 251
            try:
                self.bytes_out += self.tcp.send(PATTERN[at:at + PART])
            except BlockingIOError:
                pass
            except OSError as error:
                self.broken = error.strerror

    def _listen(self):
        while True:
            try:
                packet = self.pings.recv(2048)
            except (BlockingIOError, OSError):
                break
            kind, _, _, number, sequence = struct.unpack_from("!BBHHH", packet, 20)
            if kind == 0 and number == os.getpid() & 0xffff:
                self.answered.setdefault(sequence, time.monotonic())
        while not self.broken:
            try:
                data = self.tcp.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError as error:
                self.broken = error.strerror
                break
            self._take(data)

    def _take(self, data):
        at = self.bytes_in % 251
        good = (PATTERN * (len(data) // len(PATTERN) + 2))[at:at + len(data)]
        if not data:
            self.broken = "the other end has closed it"
        elif data != good:
            self.broken = "other bytes came back"
        self.bytes_in += len(data)
        self.heard.append(time.monotonic())

    def _report(self):
        lost = [when for number, when in enumerate(self.sent)
                if self.answered.get(number, when + 2 * LATE) - when > LATE]
        gaps = [after - before for before, after in zip(self.heard, self.heard[1:])]
        return {"pings": len(self.sent), "lost": lost,
                "bytes": self.bytes_in, "missing": self.bytes_out - self.bytes_in,
                "stall_ms": 1000 * max(gaps, default=0), "broken": self.broken}
