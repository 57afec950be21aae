#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Without a database every command that needs one says so in one line, and does not hang.

A server that is not there; one that is there and never answers; one that answers nonsense.
"""

import contextlib
import socket
import threading

from cases import Row, run

NEED_IT = [["manage", "br0"], ["unmanage", "br0"], ["bind", "vnet0", "clean-traffic", "IP=1.1.1.1"],
           ["unbind", "vnet0"], ["bindings"], ["--format=json", "bindings"], ["guard"],
           ["sync"], ["sync", "br0", "--full", "--dry-run"], ["diff"]]
MISSING = "No such file or directory"
SERVERS = {
    "--db=unix:{dir}/run/nosuch.sock": f"OVSDB unix:{{dir}}/run/nosuch.sock: {MISSING}",
    "--db=tcp:127.0.0.1:1": "OVSDB tcp:127.0.0.1:1: Connection refused",
    "--db=nonsense": "OVSDB nonsense: .*",
    "--db=": "OVSDB : .*",
    "--timeout=1": f"OVSDB unix:{{dir}}/run/db.sock: {MISSING}",
}

ROWS = [Row(f"{' '.join(words)} {server}", [server, *words], error=error)
        for words in NEED_IT for server, error in SERVERS.items()]


@contextlib.contextmanager
def server(path, answer):
    """Listens, takes what comes, and says 'answer' to everybody and nothing more."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        held = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    held.append(connection)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield
        for connection in held:
            connection.close()


def more(world, check):
    answers = {"silent": b"", "no-json": b"HTTP/1.1 400 Bad Request\r\n\r\n",
               "other": b'{"id":0,"result":[],"error":null}{"id":1,"result":{},"error":null}'}
    for name, answer in answers.items():
        with server(f"{world.dir}/run/{name}.sock", answer):
            for words in (["bindings"], ["sync"]):
                db = f"unix:{world.dir}/run/{name}.sock"
                check(f"{' '.join(words)}: a server that is {name}", world.wrong(Row(
                    "", ["--timeout=1", f"--db={db}", *words], error=f"OVSDB {db}: .*")))


if __name__ == "__main__":
    run(__file__, ROWS, more=more)
