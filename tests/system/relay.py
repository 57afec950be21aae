# SPDX-License-Identifier: Apache-2.0
"""Between the program and a daemon: a socket that passes messages on, and may do so badly.

    with SwitchRelay(world, judge) as relay:
        relay.nwfilter("sync")

A relay has a run directory of its own, where the program finds the relay's socket for the one
daemon and the real sockets for the others.  judge(message, reply) sees each message that the
program sends, before the daemon does.  It may look at the world meanwhile, for the program waits;
it may answer in the daemon's place by reply(bytes); and what it returns says how to go on:

    None, PASS   the daemon gets the message
    DROP         the daemon does not, and the connection stays
    CLOSE        the program finds the connection closed
    MUTE         nothing passes any more, either way, and the connection stays
"""

import collections
import contextlib
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import threading

from lab.netns import WORK, LabError
from lab.ovs import RUN
from system.world import nwfilter

LOCK = ".ovs-nwfilter.~lock~"
PASS, DROP, CLOSE, MUTE = "pass", "drop", "close", "mute"

# OpenFlow 1.4 and 1.5.
HEADER = struct.Struct("!BBHI")  # version, type, length, xid
HELLO, ERROR, ECHO_REQUEST, EXPERIMENTER = 0, 1, 2, 4
GET_CONFIG, SET_CONFIG, FLOW_MOD = 7, 9, 14
MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER, BUNDLE_CONTROL, BUNDLE_ADD = 18, 19, 20, 33, 34
METER_CONFIG = b"\0\x0a"  # Of a multipart request.
BUNDLE_OPEN, BUNDLE_COMMIT, BUNDLE_DISCARD = 0, 4, 6
ATOMIC, ORDERED = 1, 2


class Message(collections.namedtuple("Message", "version type xid raw")):
    """One of OpenFlow."""

    @property
    def body(self):
        return self.raw[HEADER.size:]

    @property
    def bundle(self):
        """(id, type, flags) of a bundle's control message."""
        return struct.unpack_from("!IHH", self.body)

    @property
    def inner(self):
        """What a bundle's message adds."""
        return _message(self.body[8:])

    @property
    def cookie(self):
        """Of a flow that is to be changed."""
        return struct.unpack_from("!Q", self.body)[0]

    @property
    def name(self):
        names = {HELLO: "hello", GET_CONFIG: "get-config", SET_CONFIG: "set-config",
                 MULTIPART_REQUEST: "stats", BARRIER: "barrier", BUNDLE_ADD: "bundle-add",
                 FLOW_MOD: "flow-mod"}
        if self.type == BUNDLE_CONTROL:
            return {BUNDLE_OPEN: "bundle-open", BUNDLE_COMMIT: "bundle-commit",
                    BUNDLE_DISCARD: "bundle-discard"}[self.bundle[1]]
        if self.type == MULTIPART_REQUEST and self.body[:2] == METER_CONFIG:
            return "meters"
        return names.get(self.type, f"type {self.type}")


def openflow(version, kind, xid, body=b""):
    return HEADER.pack(version, kind, HEADER.size + len(body), xid) + body


def only_asks(message):
    """Whether the message changes nothing in a switch."""
    asks = {1: (HELLO, ECHO_REQUEST + 1, GET_CONFIG, 16, 18)}  # OpenFlow 1.0: stats, barrier
    return message.type in asks.get(message.version, (
        HELLO, ECHO_REQUEST + 1, GET_CONFIG, MULTIPART_REQUEST, BARRIER))


def _message(raw):
    version, kind, length, xid = HEADER.unpack_from(raw)
    return Message(version, kind, xid, raw[:length])


def _split_openflow(data):
    """The whole messages at the beginning, and what is left."""
    messages = []
    while len(data) >= HEADER.size and len(data) >= HEADER.unpack_from(data)[2]:
        messages.append(_message(data))
        data = data[len(messages[-1].raw):]
    return messages, data


Call = collections.namedtuple("Call", "method id raw")


def _split_json(data):
    """As _split_openflow(), for JSON-RPC: values that follow one another."""
    messages, text = [], data.decode()
    while text.strip():
        try:
            value, end = json.JSONDecoder().raw_decode(text.lstrip())
        except ValueError:
            break
        text = text.lstrip()[end:]
        messages.append(Call(value.get("method"), value.get("id"), json.dumps(value).encode()))
    return messages, text.encode()


class Relay:
    socket_name = split = None

    def __init__(self, world, judge):
        self.world = world
        self.judge = judge
        self.process = None
        self.error = None  # what went wrong in judge()
        self.folder = f"{WORK}/relay"

    def __enter__(self):
        os.makedirs(self.folder)
        for name in set(os.listdir(RUN)) - {LOCK}:
            os.symlink(f"{RUN}/{name}", f"{self.folder}/{name}")
        # The one lock for all runs, which is no lock behind a link.
        for folder in (RUN, self.folder):
            open(f"{folder}/{LOCK}", "a").close()
        subprocess.run(["mount", "--bind", f"{RUN}/{LOCK}", f"{self.folder}/{LOCK}"], check=True)
        self.path = f"{self.folder}/{self.socket_name(self.world)}"
        if os.path.lexists(self.path):
            self.upstream = os.path.realpath(self.path)
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.stop_reader, self.stop_writer = os.pipe()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.close(self.stop_writer)
        self.thread.join()
        os.close(self.stop_reader)
        self.listener.close()
        subprocess.run(["umount", f"{self.folder}/{LOCK}"], check=True)
        shutil.rmtree(self.folder)
        if self.error:
            raise self.error

    def nwfilter(self, *words, timeout=60):
        return nwfilter(*words, timeout=timeout, env={"OVS_RUNDIR": self.folder})

    # --- the thread

    def _serve(self):
        threads = []
        while True:
            ready, _, _ = select.select([self.listener, self.stop_reader], [], [])
            if self.stop_reader in ready:
                for thread in threads:
                    thread.join()
                return
            client, _ = self.listener.accept()
            threads.append(threading.Thread(target=self._pass_on, args=(client,)))
            threads[-1].start()

    def _pass_on(self, client):
        try:
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(self.upstream)
                self._connection(client, server)
        except Exception as error:  # for the test's thread, whatever it is
            self.error = error

    def _connection(self, client, server):
        """Until an end closes, or the judge does.  What the program has sent before its end gets
        there, as it would without a relay."""
        data = b""
        while True:
            ready, _, _ = select.select([client, server, self.stop_reader], [], [])
            if self.stop_reader in ready and client not in ready:
                return
            try:
                if server in ready:
                    answer = server.recv(1 << 16)
                    if not answer:
                        return
                    with contextlib.suppress(BrokenPipeError):
                        client.sendall(answer)
                if client in ready:
                    part = client.recv(1 << 16)
                    if not part:
                        return
                    messages, data = type(self).split(data + part)
                    for message in messages:
                        what = self.judge(message, client.sendall)
                        if what == CLOSE:
                            return
                        if what == MUTE:
                            return self._keep(client)
                        if what != DROP:
                            server.sendall(message.raw)
            except (BrokenPipeError, ConnectionResetError):
                return

    def _keep(self, client):
        """Until the program gives up."""
        while not self.stop_reader in select.select([client, self.stop_reader], [], [])[0]:
            if not client.recv(1 << 16):
                return


class SwitchRelay(Relay):
    split = staticmethod(_split_openflow)

    @staticmethod
    def socket_name(world):
        return f"{world.bridge}.mgmt"


class DatabaseRelay(Relay):
    split = staticmethod(_split_json)

    @staticmethod
    def socket_name(_):
        return "db.sock"


class ControlRelay(Relay):
    """ovs-vswitchd's control socket, as ovs-appctl uses it."""
    split = staticmethod(_split_json)

    @staticmethod
    def socket_name(world):
        return f"ovs-vswitchd.{world.ovs.switch.process.pid}.ctl"


def record(world, *words, relay=SwitchRelay):
    """Run the program to its end; return its result and the messages that it sent."""
    sent = []
    with relay(world, lambda message, _: sent.append(message)) as between:
        result = between.nwfilter(*words)
    if not sent:
        raise LabError(f"{' '.join(words)}: nothing was sent: {result.err}")
    return result, sent
