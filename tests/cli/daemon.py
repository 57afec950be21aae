#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon without a switch and without a database: how it starts, is asked, and ends.

There is nothing that it could enforce, so it is never ready and every request waits: what matters
is that it says so, that clients which give up or misbehave are no matter, and that it ends cleanly.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time

from cases import ROOT, run

DAEMON = os.environ.get("OVS_NWFILTERD") or os.path.join(ROOT, "build", "ovs-nwfilterd")
MANUAL = os.path.join(ROOT, "src", "daemon", "ovs-nwfilterd.8")
OURS = ["status", "bridge/show", "port/show", "resync", "settle", "filter/reload", "recompute",
        "latency/show", "exit", "coverage/show", "memory/show"]
REFUSED = {  # words: the line
    ("--bogus",): r".*unrecognized option '--bogus'",
    ("word",): r'ovs-nwfilterd: "word": only options are taken; see --help',
    ("--timeout=0",): r'ovs-nwfilterd: --timeout: "0" is not a number of seconds',
    ("-O", "OpenFlow10"): r"ovs-nwfilterd: -O OpenFlow10: none of OpenFlow13, OpenFlow14, OpenFlow15",
    ("--pidfile=/nonexistent/x",): r"ovs-nwfilterd: /nonexistent/x.tmp: create failed .*",
}


def launch(world, *words, **env):
    return subprocess.Popen([DAEMON, "-vconsole:emer", "-vsyslog:off", *words], cwd=world.dir,
                            env=world.env | env, text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def refused(world, *words):
    """What a daemon that must not start says, or how it ended otherwise."""
    daemon = launch(world, *words)
    try:
        out, line = daemon.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        daemon.kill()
        return "it runs"
    return line if (daemon.returncode, out) == (1, "") and line.count("\n") == 1 else \
        (daemon.returncode, out, line)


def eventually(what, seconds=10):
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    return what()


def control(world):
    for name in os.listdir(f"{world.dir}/run"):
        if name.endswith(".ctl"):
            return f"{world.dir}/run/{name}"
    return None


def request(name, *words):
    return json.dumps({"id": 0, "method": name, "params": words}).encode()


def connect(world, *requests):
    client = socket.socket(socket.AF_UNIX)
    client.connect(control(world))  # waits where too many do, which it would not with a time limit
    client.settimeout(20)
    client.sendall(b"".join(requests))
    return client


def answer(client):
    """(result, error)"""
    text = b""
    while True:
        chunk = client.recv(65536)
        text += chunk
        try:
            reply = json.loads(text)
            return reply.get("result"), reply.get("error")
        except ValueError:
            if not chunk:
                return None, f"closed after {text}"


def ask(world, name, *words):
    with connect(world, request(name, *words)) as client:
        return answer(client)


def hear(manager):
    """All that the service manager has been told up to now."""
    lines = []
    while True:
        try:
            lines += manager.recv(4096).decode().split("\n")
        except BlockingIOError:
            return lines


def check_asking(world, check):
    result = ask(world, "list-commands")[0]
    check("it has its commands", [name for name in OURS if f"  {name} " not in result])
    with open(MANUAL) as file:
        manual = file.read()
    check("the manual has them too", [name for name in OURS if not re.search(
        rf"^(\.B |\.TP\n\\fB){name}\b", manual, re.MULTILINE)])
    result = ask(world, "status")
    check("its status", (not result[0] or result[1]) and result)
    result = ask(world, "port/show", "nosuch")
    check("a port that is not there is an error", not result[1] and result)
    for words, line in {("settle", "br0"): '"br0": not an option of this command',
                        ("resync", "a", "b"): '"b": not an option of this command',
                        ("settle", "--timeout=x"): '--timeout: "x" is not a number of seconds'}.items():
        result = ask(world, *words)
        check(" ".join(words), result != (None, line + "\n") and result)
    start = time.monotonic()
    result = ask(world, "settle", "--port=vnet0", "--timeout=1")
    check("a request has a deadline",
          (not result[1] or time.monotonic() - start > 5) and (result, time.monotonic() - start))


def check_clients(world, daemon, check):
    """A connection is freed under a request that waits only where an answer before it is unread."""
    def descriptors():
        return len(os.listdir(f"/proc/{daemon.pid}/fd"))

    before = descriptors()
    for _ in range(100):
        connect(world, request("settle", "--timeout=1")).close()
    for _ in range(20):
        connect(world, request("bridge/show") * 8, request("settle", "--timeout=1")).close()
    check("clients that go away take nothing with them",
          not eventually(lambda: descriptors() <= before) and f"{descriptors()}, was {before}")
    with connect(world, request("status") + request("settle")) as client:
        texts = ""
        while "one request at a time" not in texts and (chunk := client.recv(65536)):
            texts += chunk.decode()
    check("a request behind another one is not kept waiting",
          "one request at a time on a connection" not in texts and texts)
    clients = [connect(world, request("settle", f"--bridge=br{i}", "--timeout=1"))
               for i in range(100)]
    results = [answer(client) for client in clients]
    check("many at once are all answered", [r for r in results if not r[1]])
    for client in clients:
        client.close()
    check("it still runs", daemon.poll())


def check_end(world, daemon, manager, check):
    os.rename(f"{world.dir}/log", f"{world.dir}/log.1")
    daemon.send_signal(signal.SIGHUP)
    check("SIGHUP opens the log anew",
          not eventually(lambda: os.path.exists(f"{world.dir}/log")) and "it does not")
    told = hear(manager)
    check("it is not ready while nothing is enforced", "READY=1" in told and told)
    with connect(world, request("settle")) as client:
        time.sleep(0.2)
        daemon.send_signal(signal.SIGTERM)
        result = answer(client)
    check("at its end who waits is told", result != (None, "ovs-nwfilterd is stopping\n") and result)
    out, err = daemon.communicate(timeout=20)
    check("SIGTERM ends it cleanly", (daemon.returncode, out, err) != (0, "", "")
          and (daemon.returncode, out, err))
    told = hear(manager)
    check("    which the service manager is told", "STOPPING=1" not in told and told)
    left = sorted(os.listdir(f"{world.dir}/run"))
    check("    and only the lock's file is left", left != [".ovs-nwfilter.~lock~"] and left)


def check_one(world, address, check):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    manager.bind(address.replace("@", "\0"))
    daemon = launch(world, f"--log-file={world.dir}/log", NOTIFY_SOCKET=address)
    try:
        check(f"it starts, under {address[0]}", not eventually(lambda: control(world)) and daemon.poll())
        line = refused(world)
        check("another one does not", not re.fullmatch(
            rf"ovs-nwfilterd: .*\.pid: already running as pid {daemon.pid}, aborting\n", str(line)) and line)
        if address[0] == "@":
            line = refused(world, f"--pidfile={world.dir}/other.pid", "--timeout=1")
            check("    nor with another pidfile", not re.fullmatch(
                r"ovs-nwfilterd: .*~lock~: another ovs-nwfilter is at work\n", str(line)) and line)
            check_asking(world, check)
            check_clients(world, daemon, check)
        check_end(world, daemon, manager, check)
    finally:
        if daemon.poll() is None:
            daemon.kill()


def check_detached(world, check):
    with subprocess.Popen([DAEMON, "--detach", "-vconsole:emer", "-vsyslog:off", "--filter-dir=here"],
                          cwd=world.dir, env=world.env, stdin=subprocess.DEVNULL) as parent:
        status = parent.wait(30)
    check("--detach returns when it can be asked", (status or not control(world)) and status)
    result = ask(world, "exit")
    check("exit ends it", (result[1] or not eventually(lambda: not control(world))) and result)


def check_all(world, check):
    for words, pattern in REFUSED.items():
        line = refused(world, *words)
        check(" ".join(words), not re.fullmatch(pattern + "\n", str(line)) and line)
    check_one(world, f"@nwf-daemon-{os.getpid()}", check)
    check_one(world, f"{world.dir}/notify", check)
    check_detached(world, check)


if __name__ == "__main__":
    run(__file__, [], more=check_all)
