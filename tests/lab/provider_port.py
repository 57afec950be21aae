# SPDX-License-Identifier: Apache-2.0
"""The provider's switch port: it sees every frame that the server sends, and keeps a list of abuse.

    port = SwitchPort(router, "port", ["02:00:00:00:00:10"])
    ...
    report = port.report()
    report["abuse"]     # frames with a link-layer address that is not allowed
    report["forged"]    # frames of routed_spoof.Spoofer, whatever their addresses
    report["sources"]   # packets from an address that is not one of the server's
    report["frames"]    # how many there were in all

A link-layer address is the Ethernet source, the sender's in ARP and RARP, and what is in an option
of neighbour discovery, wherever in the packet that is.  A process of its own listens from the
moment that the port is made; it goes on through whatever happens to the server.  LAB_PCAP=FILE has
it write all frames there.
"""

import ipaddress
import json
import os
import select
import signal
import socket
import struct
import time

from . import decode, frames, wire
from .netns import LabError

PACKET_STATISTICS = 6
SHOWN = 2000  # entries that a list keeps; the rest is counted
PIECE = 1 << 16
ANY = -1  # VLAN, or none


class SwitchPort:
    def __init__(self, node, interface, allowed, sources=()):
        """allowed: "MAC" (in any VLAN), "MAC@VLAN" or "MAC@none" (without a tag) each; sources:
        prefixes of the server, or nothing if packets may come from anywhere."""
        with node:
            raw = wire.packet_socket(interface)
        self.control, child_end = socket.socketpair()
        self.pid = os.fork()
        if not self.pid:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                self.control.close()
                Observer(raw, allowed, sources).run(child_end)
            finally:
                os._exit(1)
        child_end.close()
        raw.close()

    def allow(self, *macs):
        """From now on, as well."""
        self._ask({"allow": macs})

    def report(self):
        """All that the server sent until now."""
        return self._ask({})

    def _ask(self, what):
        try:
            self.control.sendall(json.dumps(what).encode() + b"\n")
            text = b""
            while not text.endswith(b"\n"):
                text += self.control.recv(PIECE) or _died()
        except OSError as error:
            raise LabError(f"the provider's switch port: {error}") from None
        report = json.loads(text)
        if report["lost"]:
            raise LabError(f"the provider's switch port lost {report['lost']} frames")
        return report

    def stop(self):
        self.control.close()
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


def _died():
    raise LabError("the provider's switch port has died")


class Observer:
    """In the process of its own."""

    def __init__(self, raw, allowed, sources):
        self.raw = raw
        self.allowed = {}
        for entry in allowed:
            self.allow(entry)
        self.sources = [ipaddress.ip_network(source) for source in sources]
        self.known_sources = {}
        self.frames = self.lost = self.octets = 0
        self.kinds = {}  # (source, VLAN, ethertype) -> frames
        self.lists = {"abuse": [], "forged": [], "sources": []}
        self.counts = dict.fromkeys(self.lists, 0)
        self.file = _pcap(os.environ.get("LAB_PCAP"))

    def allow(self, entry):
        mac, _, vlan = entry.partition("@")
        self.allowed.setdefault(mac, set()).add(
            ANY if not vlan else None if vlan == "none" else int(vlan))

    def run(self, parent):
        requests = b""
        while True:
            ready = select.select([self.raw, parent], [], [])[0]
            self.read()
            if parent in ready:
                part = parent.recv(PIECE)
                if not part:
                    return
                requests += part
                while b"\n" in requests:
                    request, requests = requests.split(b"\n", 1)
                    for entry in json.loads(request).get("allow", ()):
                        self.allow(entry)
                    parent.sendall(json.dumps(self.report()).encode() + b"\n")

    def read(self):
        for frame in wire.receive_all(self.raw):
            self.frames += 1
            self.octets += len(frame)
            self.look_at(frame)
            if self.file:
                now = time.time()
                self.file.write(struct.pack("=IIII", int(now), int(now % 1 * 1e6), len(frame),
                                            len(frame)) + frame)
        packets, lost = struct.unpack("=II", self.raw.getsockopt(263, PACKET_STATISTICS, 8))
        self.lost += lost

    def report(self):
        if self.file:
            self.file.flush()
        return {"frames": self.frames, "octets": self.octets, "lost": self.lost,
                "counts": self.counts,
                "kinds": [[*kind, count] for kind, count in self.kinds.items()], **self.lists}

    # --- judging

    def look_at(self, frame):
        source = decode._mac(frame[6:12])
        vlan, ethertype, body = split(frame)
        kind = source, vlan, ethertype
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        said = [("source", source)] + [(where, mac) for where, mac in
                                       link_addresses(ethertype, body)]
        wrong = [(where, mac) for where, mac in said if not self.is_allowed(mac, vlan)]
        if wrong:
            self.note("abuse", frame, vlan, ethertype, ", ".join(f"{w} {m}" for w, m in wrong))
        if frames.read_stamp(frame) is not None:
            self.note("forged", frame, vlan, ethertype, f"id {frames.read_stamp(frame):#x}")
        if self.sources and not self.is_own(ethertype, body):
            self.note("sources", frame, vlan, ethertype, "not an address of the server")

    def is_allowed(self, mac, vlan):
        return not {ANY, vlan}.isdisjoint(self.allowed.get(mac, ()))

    def is_own(self, ethertype, body):
        if ethertype == frames.IPV4 and len(body) >= 20:
            source = body[12:16]
        elif ethertype == frames.IPV6 and len(body) >= 40:
            source = body[8:24]
        else:
            return True
        if source not in self.known_sources:
            address = ipaddress.ip_address(source)
            own = not int(address) or any(address in net for net in self.sources)
            if len(self.known_sources) > 10000:
                self.known_sources.clear()
            self.known_sources[source] = own
        return self.known_sources[source]

    def note(self, name, frame, vlan, ethertype, why):
        self.counts[name] += 1
        if len(self.lists[name]) < SHOWN:
            self.lists[name].append({
                "time": time.time(), "mac": decode._mac(frame[6:12]), "vlan": vlan,
                "ethertype": ethertype, "why": why, "text": decode.describe(frame),
                "hex": frame[:128].hex()})


def split(frame):
    """(VLAN or None, ethertype, what is behind it); of several tags the first one's VLAN.  A tag
    with no VLAN's number is but a priority."""
    vlan, at = None, 12
    while len(frame) >= at + 6 and frame[at:at + 2] in (b"\x81\0", b"\x88\xa8"):
        if vlan is None:
            vlan = int.from_bytes(frame[at + 2:at + 4], "big") & 0xfff
        at += 4
    return vlan or None, int.from_bytes(frame[at:at + 2], "big"), frame[at + 2:]


def link_addresses(ethertype, body):
    """[(where, MAC)] that a packet says of its sender."""
    if ethertype in (frames.ARP, frames.RARP):
        return [("arp sender", decode._mac(body[8:14]))] if len(body) >= 14 else []
    if ethertype != frames.IPV6 or len(body) < 40:
        return []
    proto, rest = body[6], body[40:]
    while proto in decode.EXTENSIONS or proto == frames.FRAGMENT:
        if len(rest) < 8 or proto == frames.FRAGMENT and rest[2] << 8 & 0xfff8 | rest[3] & 0xf8:
            return []
        length = 8 if proto == frames.FRAGMENT else rest[1] * 8 + 8
        proto, rest = rest[0], rest[length:]
    return _nd_options(rest) if proto == frames.ICMPV6 else []


ND_OPTIONS_AT = {133: 8, 134: 16, 135: 24, 136: 24, 137: 40}


def _nd_options(message):
    found, at = [], ND_OPTIONS_AT.get(message[0] if message else None)
    while at and len(message) >= at + 8 and message[at + 1]:
        if message[at] in (1, 2):
            found.append((f"nd option {message[at]}", decode._mac(message[at + 2:at + 8])))
        at += message[at + 1] * 8
    return found


def _pcap(path):
    if not path:
        return None
    file = open(path, "wb")
    file.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    return file


def show(entries, most=5):
    """Lines for a test's report."""
    lines = [f"    {entry['text']} ({entry['why']})" for entry in entries[:most]]
    more = [f"    and {len(entries) - most} more"] if len(entries) > most else []
    return "\n".join([""] + lines + more)
