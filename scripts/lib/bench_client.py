# SPDX-License-Identifier: Apache-2.0
"""A client of a database server that watches a row, as a program does that waits for something."""

import json
import socket

from lab.ovs import RUN


class Watch:
    """Watches the external_ids of one Interface, or other columns of the rows of another table."""

    def __init__(self, interface=None, server=f"{RUN}/db.sock", database="Open_vSwitch",
                 table="Interface", columns=("external_ids",)):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(server)
        self.socket.settimeout(120)
        self.database, self.text, self.number = database, "", 0
        where = {"where": [["name", "==", interface]]} if interface else {}
        self._call("monitor_cond", database, table, {table: [{"columns": columns, **where}]})

    def close(self):
        self.socket.close()

    def transact(self, *operations):
        results = self._call("transact", self.database, *operations)
        for result in results:
            if result.get("error"):
                raise SystemExit(f"database: {result}")
        return results

    def wait_for(self, text):
        """Until an update has that."""
        self.wait_until(lambda message: text in json.dumps(message))

    def wait_until(self, is_it):
        while True:
            message = self._receive()
            if message.get("method") == "update2" and is_it(message):
                return

    def _call(self, method, *params):
        self.number += 1
        self._send({"method": method, "params": list(params), "id": self.number})
        while True:
            message = self._receive()
            if message.get("id") == self.number:
                return message["result"]

    def _send(self, message):
        self.socket.sendall(json.dumps(message).encode())

    def _receive(self):
        while True:
            try:
                message, end = json.JSONDecoder().raw_decode(self.text)
            except ValueError:
                part = self.socket.recv(1 << 20)
                if not part:
                    raise SystemExit("the database has closed the connection") from None
                self.text += part.decode()
                continue
            self.text = self.text[end:].lstrip()
            if message.get("method") != "echo":
                return message
            self._send({"id": message["id"], "result": message["params"], "error": None})


def mutate(table, name, *mutations):
    return {"op": "mutate", "table": table, "where": [["name", "==", name]],
            "mutations": list(mutations)}
