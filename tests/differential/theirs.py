# SPDX-License-Identifier: Apache-2.0
"""libvirt's side of the comparison of L3/L4 rules, in a process and a laboratory of its own.

Connection tracking belongs to a network namespace, and so do the iptables rules that libvirt makes
anew for each binding: what goes over Open vSwitch at the same time must not pass through them.  And
the two sides can work at the same time, on two processors.

Requests and answers are pickled and go through pipes:

    (filters to define {name: XML}, name, parameters, conversations)
        -> (libvirt's complaint or None, outcomes, the rules that it made)
"""

import os
import pickle
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if __name__ == "__main__":
    sys.path.insert(1, os.path.dirname(HERE))

from lab import netfilter, netns  # noqa: E402
from lab.host import BridgeHost  # noqa: E402
from lab.lab import main  # noqa: E402
from lab.libvirt import LinuxBridge  # noqa: E402
from parties import Parties  # noqa: E402
from world import GUEST, HOST, OUTSIDE, PEER  # noqa: E402

PIPE = "DIFF_ANSWERS"  # in the environment: the file descriptor that answers go to


class Theirs:
    """The process, as its user sees it."""

    def __init__(self):
        answers, out = os.pipe()
        environment = {key: value for key, value in os.environ.items() if key != netns.MARK}
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "theirs.py")], stdin=subprocess.PIPE,
            stdout=sys.stderr, pass_fds=(out,), env={**environment, PIPE: str(out)})
        os.close(out)
        self.answers = os.fdopen(answers, "rb")

    def ask(self, files, name, params, conversations):
        """Bind the filter to a new guest and hold the conversations."""
        try:
            pickle.dump((files, name, params, conversations), self.process.stdin)
            self.process.stdin.flush()
            return pickle.load(self.answers)
        except (EOFError, BrokenPipeError):
            raise netns.LabError("libvirt's side has ended; what it says is above") from None

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class LibvirtSide:
    """Each case has a guest port of its own, and finds no rules and no connections of the last."""

    def __init__(self, libvirt):
        self.libvirt = libvirt
        self.defined = {}
        self.bound = 0
        self.guest = None
        # What we send has no checksums that depend on its stamp, save SCTP's.
        netns.sysctl("net.netfilter.nf_conntrack_checksum", 0)
        self.bridge = LinuxBridge("lbr", layer4=True)
        self.ports = {"peer": self.bridge.add_guest("lpeer", PEER.mac),
                      "outside": self.bridge.add_guest("lout", OUTSIDE.mac),
                      "host": BridgeHost("lbr", HOST.mac)}

    def try_case(self, files, name, params, conversations):
        complaint = self._define(files) or self._bind(name, params)
        if complaint:
            return complaint, [], ""
        parties = Parties({"guest": self.guest, **self.ports}, netfilter.flush_conntrack)
        return None, parties.hold(conversations) if conversations else [], netfilter.rules()

    def _define(self, files):
        """Define what is new.  (A filter that exists is defined anew if its text is another.)"""
        for name, text in files.items():
            if self.defined.get(name) != text and not self._is_stock(name):
                complaint = self.libvirt.define_filter(text)
                if complaint:
                    return complaint
                self.defined[name] = text
        return None

    def _bind(self, name, params):
        if self.guest:
            self.guest.remove()
        netfilter.forget_rules()
        self.bound += 1
        self.guest = self.bridge.add_guest(f"lguest{self.bound}", GUEST.mac)
        return self.libvirt.bind(self.guest.name, GUEST.mac, name, params)

    @staticmethod
    def _is_stock(name):
        return os.path.exists(f"/usr/share/libvirt/nwfilter/{name}.xml")


def serve(lab):
    side = LibvirtSide(lab.libvirt)
    with os.fdopen(int(os.environ[PIPE]), "wb") as answers:
        while True:
            try:
                request = pickle.load(sys.stdin.buffer)
            except EOFError:
                return 0
            pickle.dump(side.try_case(*request), answers)
            answers.flush()


if __name__ == "__main__":
    main(serve, libvirt=True)
