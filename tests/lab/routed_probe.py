# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom: pings, transfers, hops and path MTUs between machines of the laboratory.

    a = Endpoint(guest, "203.0.113.9")
    b = Endpoint(world, "198.51.100.10")
    unanswered([(a, b), (b, a)])      # pairs without an answer
    with Services([guest, world]):    # a TCP service on each
        transfer(a, b)                # both directions, with a checksum
    hops(a, b), path_mtu(a, b)

An endpoint always sends from its own address.
"""

import collections
import hashlib
import os
import select
import signal
import socket
import struct
import threading
import time

from .netns import LabError, wait_for

TCP_PORT, TRACE_PORT = 5001, 33434
IP_MTU_DISCOVER, IP_MTU, IP_RECVERR, IP_PMTUDISC_DO = 10, 14, 11, 2
IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR = 23, 24, 25
AGAIN = 0.25  # seconds after which a ping is sent once more

Endpoint = collections.namedtuple("Endpoint", "node address")


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def show(pair):
    return " > ".join(f"{end.node.name} {end.address}" for end in pair)


# --- ping

class Pinger:
    """Sends echo requests for any endpoint, and knows the answers."""

    def __init__(self):
        self.sockets = {}  # endpoint -> socket
        self.poll = select.poll()
        self.owners = {}  # file descriptor -> socket
        self.number = int.from_bytes(os.urandom(3), "big") << 8
        self.waiting = {}  # number -> what the caller wants to be told

    def send(self, pair, what):
        self.number += 1
        self.waiting[self.number] = what
        source, target = pair
        is_six = ":" in source.address
        body = struct.pack("!HHQ", self.number >> 16 & 0xffff, self.number & 0xffff, self.number)
        message = struct.pack("!BBH", 128 if is_six else 8, 0, 0) + body
        if not is_six:
            message = message[:2] + struct.pack("!H", _checksum(message)) + body
        try:
            self._socket(source).sendto(message, (target.address, 0))
        except OSError:
            pass  # No route, or no address yet: as lost as any other.

    def _socket(self, source):
        if source not in self.sockets:
            is_six = ":" in source.address
            raw = source.node.socket(family(source.address), socket.SOCK_RAW | socket.SOCK_NONBLOCK,
                                     socket.IPPROTO_ICMPV6 if is_six else socket.IPPROTO_ICMP)
            raw.bind((source.address, 0))
            self.sockets[source] = raw
            self.owners[raw.fileno()] = raw
            self.poll.register(raw, select.POLLIN)
        return self.sockets[source]

    def answers(self, timeout):
        """Waits at most so many seconds; what the caller said of each ping that was answered."""
        told = []
        for descriptor, _ in self.poll.poll(1000 * timeout):
            raw = self.owners[descriptor]
            while True:
                try:
                    packet = raw.recv(2048)
                except OSError:
                    break
                message = packet if raw.family == socket.AF_INET6 else packet[20:]
                if message[:1] in (b"\x81", b"\x00") and len(message) >= 16:
                    number = struct.unpack_from("!Q", message, 8)[0]
                    if number in self.waiting:
                        told.append(self.waiting.pop(number))
        return told

    def close(self):
        for raw in self.sockets.values():
            raw.close()


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return (total + (total >> 16)) & 0xffff ^ 0xffff


def unanswered(pairs, patience=2.0):
    """The pairs whose pings nobody answered, though they were sent again and again."""
    pinger, missing = Pinger(), set(pairs)
    end, due = time.monotonic() + patience, 0
    try:
        while missing and time.monotonic() < end:
            if time.monotonic() >= due:
                due = time.monotonic() + AGAIN
                for pair in missing:
                    pinger.send(pair, pair)
            missing -= set(pinger.answers(0.05))
    finally:
        pinger.close()
    return [pair for pair in pairs if pair in missing]


# --- TCP

class Services:
    """On every machine a TCP service: it takes a length and so many bytes, answers with their
    checksum, and sends them back."""

    def __init__(self, nodes=()):
        self.pids = []
        for node in nodes:
            self.add(node)

    def add(self, node):
        listener = node.socket(socket.AF_INET6, socket.SOCK_STREAM)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", TCP_PORT))
        listener.listen(64)
        pid = os.fork()
        if not pid:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                while True:
                    threading.Thread(target=_serve, args=listener.accept()[:1],
                                     daemon=True).start()
            finally:
                os._exit(1)
        listener.close()
        self.pids.append(pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        self.pids = []


def _serve(connection):
    with connection:
        try:
            data = _take(connection, struct.unpack("!Q", _take(connection, 8))[0])
            connection.sendall(hashlib.sha256(data).digest() + data)
        except OSError:
            pass  # The other end says what was wrong.


def _take(connection, length):
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(length - len(data), 1 << 16))
        if not part:
            raise OSError("the connection was closed")
        data += part
    return bytes(data)


def transfer(pair, size=200_000, patience=10.0):
    """Send so many bytes there and back; what was wrong, or None."""
    source, target = pair
    data = os.urandom(size)
    with source.node.socket(family(source.address), socket.SOCK_STREAM) as tcp:
        tcp.settimeout(patience)
        try:
            tcp.bind((source.address, 0))
            tcp.connect((target.address, TCP_PORT))
            tcp.sendall(struct.pack("!Q", size) + data)
            digest, back = _take(tcp, 32), _take(tcp, size)
        except OSError as error:
            return f"{show(pair)}: TCP: {error}"
    if digest != hashlib.sha256(data).digest():
        return f"{show(pair)}: other bytes arrived"
    return None if back == data else f"{show(pair)}: other bytes came back"


# --- errors from the way

def hops(pair, most=8, patience=0.3, tries=10):
    """The addresses that answer on the way, the target's last; None for one that did not."""
    found = []
    for limit in range(1, most + 1):
        answer = None
        for _ in range(tries):
            answer = _probe(pair, limit, patience)
            if answer:
                break
        found.append(answer and answer[0])
        if answer and answer[1]:
            break
    return found


def _probe(pair, limit, patience):
    """(who answered, whether that is the target)"""
    source, target = pair
    is_six = ":" in source.address
    with source.node.socket(family(source.address), socket.SOCK_DGRAM) as udp:
        level = socket.IPPROTO_IPV6 if is_six else socket.IPPROTO_IP
        udp.bind((source.address, 0))
        udp.setsockopt(level, IPV6_RECVERR if is_six else IP_RECVERR, 1)
        udp.setsockopt(level, socket.IPV6_UNICAST_HOPS if is_six else socket.IP_TTL, limit)
        try:
            udp.sendto(b"hop", (target.address, TRACE_PORT + limit))
        except OSError:
            return None
        poll = select.poll()
        poll.register(udp, 0)
        if not poll.poll(1000 * patience):
            return None
        _, ancillary, _, _ = udp.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    for _, _, data in ancillary:
        # struct sock_extended_err, and behind it the address of the machine that answered
        _, origin, kind, code = struct.unpack_from("=IBBB", data)
        offender = data[16 + 8:16 + 24] if is_six else data[16 + 4:16 + 8]
        if origin in (2, 3) and offender:
            reached = (kind, code) == ((1, 4) if is_six else (3, 3))
            return socket.inet_ntop(family(source.address), offender), reached
    return None


def path_mtu(pair, size=1500, patience=3.0):
    """Send packets of so many bytes that nobody may fragment; the MTU that the kernel has learned
    from the answers, or None if there was none."""
    source, target = pair
    is_six = ":" in source.address
    level = socket.IPPROTO_IPV6 if is_six else socket.IPPROTO_IP
    with source.node.socket(family(source.address), socket.SOCK_DGRAM) as udp:
        udp.bind((source.address, 0))
        udp.setsockopt(level, IPV6_MTU_DISCOVER if is_six else IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        udp.connect((target.address, TRACE_PORT))
        before = udp.getsockopt(level, IPV6_MTU if is_six else IP_MTU)

        def learned():
            try:
                udp.send(bytes(size - (48 if is_six else 28)))
            except OSError:
                pass  # It is too long already, or nobody listens there.
            return udp.getsockopt(level, IPV6_MTU if is_six else IP_MTU) != before
        try:
            wait_for(learned, "an answer", patience, 0.05)
        except LabError:
            return None
        return udp.getsockopt(level, IPV6_MTU if is_six else IP_MTU)


def forget_path_mtu(node):
    """What was learned of paths."""
    for option in ("-4", "-6"):
        node.run("ip", option, "route", "flush", "cache")
