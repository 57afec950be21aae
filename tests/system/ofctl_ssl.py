#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A switch and a database that are reached by SSL.

The switch listens on pssl:, with certificates made here.  Open vSwitch's program and ours are asked
the same, with what identifies us in order or not: what they say and what the tables are afterwards
is the same.  Then the database, for the commands and for the daemon: who cannot show that he is who
he says he is changes nothing, and an answer comes of nobody else.
"""

import os
import re
import subprocess
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.lab import main  # noqa: E402
from lab.netns import WORK, Daemon, run, wait_for, which  # noqa: E402
from lab.nwfilterd import Nwfilterd  # noqa: E402
from lab import ovs as switch  # noqa: E402
from system.ofctl import Program  # noqa: E402
from system.world import PROGRAM  # noqa: E402

SWITCH, PLAIN, DATABASE = "ssl:127.0.0.1:16653", "tcp:127.0.0.1:16654", "ssl:127.0.0.1:16640"
OURS = f"-p {WORK}/us.key -c {WORK}/us.crt -C {WORK}/ca.crt"
# The same words for both programs.
CASES = f"""
{OURS} show {SWITCH}
{OURS} -O OpenFlow13 dump-flows {SWITCH}
{OURS} -O OpenFlow13 --no-stats dump-flows {SWITCH} table=5
{OURS} add-flow {SWITCH} table=5,in_port=7,actions=drop
{OURS} --bundle add-flows {SWITCH} {WORK}/flows
{OURS} diff-flows {SWITCH} {WORK}/flows
{OURS} replace-flows {SWITCH} {WORK}/flows
{OURS} mod-port {SWITCH} br0 up
{OURS} ping {SWITCH} 9000
{OURS} probe {SWITCH}
{OURS} -O OpenFlow15 show {SWITCH}
{OURS} -O OpenFlow12 show {SWITCH}
--private-key={WORK}/us.key --certificate={WORK}/us.crt --ca-cert={WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/us.key -c {WORK}/us.crt -C none dump-desc {SWITCH}
{OURS} --ssl-protocols=TLSv1.2 dump-desc {SWITCH}
{OURS} --ssl-protocols=TLSv1.1 dump-desc {SWITCH}
{OURS} --ssl-protocols=SSLv9 dump-desc {SWITCH}
{OURS} --ssl-ciphers=ECDHE-RSA-AES256-GCM-SHA384 dump-desc {SWITCH}
{OURS} --ssl-ciphers=PSK dump-desc {SWITCH}
{OURS} --ssl-ciphers=none-such dump-desc {SWITCH}
dump-desc {SWITCH}
-p {WORK}/us.key dump-desc {SWITCH}
-p {WORK}/us.key -c {WORK}/us.crt dump-desc {SWITCH}
-c {WORK}/us.crt -C {WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/us.key -C {WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/us.key -c {WORK}/us.crt -C {WORK}/other-ca.crt dump-desc {SWITCH}
-p {WORK}/other.key -c {WORK}/other.crt -C {WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/other.key -c {WORK}/other.crt -C {WORK}/ca.crt del-flows {SWITCH}
-p {WORK}/other.key -c {WORK}/us.crt -C {WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/late.key -c {WORK}/late.crt -C {WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/late.key -c {WORK}/late.crt -C {WORK}/ca.crt del-flows {SWITCH}
-p {WORK}/self.key -c {WORK}/self.crt -C {WORK}/ca.crt del-flows {SWITCH}
-p /nowhere -c {WORK}/us.crt -C {WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/us.key -c /nowhere -C {WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/us.key -c {WORK}/us.crt -C /nowhere dump-desc {SWITCH}
-p {WORK}/flows -c {WORK}/us.crt -C {WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/us.key -c {WORK}/flows -C {WORK}/ca.crt dump-desc {SWITCH}
-p {WORK}/us.key -c {WORK}/us.crt -C {WORK}/flows dump-desc {SWITCH}
-p {WORK}/us.key -c {WORK}/us.crt --bootstrap-ca-cert={WORK}/new dump-desc {SWITCH}
-p
{OURS} dump-desc tcp:127.0.0.1:16653
{OURS} dump-desc ssl:127.0.0.1:16654
{OURS} dump-desc ssl:127.0.0.1:1
{OURS} dump-desc ssl:127.0.0.1:x
{OURS} dump-desc ssl:
{OURS} dump-desc pssl:16653
{OURS} dump-desc {PLAIN}
{OURS} dump-desc br0
"""
ACCEPTED = 15  # The least number of cases that get an answer.


# ---- Certificates. ----

def openssl(*words):
    run("openssl", *words)


def authority(name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", f"{WORK}/{name}.key", "-out", f"{WORK}/{name}.crt")


def certificate(name, authority_name, days=2):
    """A key and its certificate; with days below zero it is over."""
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{WORK}/{name}.key", "-out", f"{WORK}/{name}.csr")
    openssl("x509", "-req", "-in", f"{WORK}/{name}.csr", "-CA", f"{WORK}/{authority_name}.crt",
            "-CAkey", f"{WORK}/{authority_name}.key", "-CAcreateserial", "-days", str(days),
            "-out", f"{WORK}/{name}.crt")


def make_certificates():
    authority("ca")
    authority("other-ca")
    authority("self")
    for name in ("switch", "us"):
        certificate(name, "ca")
    certificate("other", "other-ca")
    certificate("late", "ca", days=-1)


# ---- The switch. ----

# A handshake fails while the connection is being opened or when it is used first, and with TLS 1.3
# the client is through before the switch has looked at its certificate: whether it reads of the
# refusal, or only finds that it cannot write any more, is a matter of time too.
FAILED = re.compile(r"(ovs-ofctl: )connecting to (ssl:\S+) \(Protocol error\)\n")
REFUSED = re.compile(r"(LOG\|stream_ssl\|WARN\|.*\n)?(ovs-ofctl: ssl:\S+: failed to connect).*\n")
IS_REFUSED = re.compile(r"-c \S+/(other|late|self)\.crt ")


class Test:
    def __init__(self, lab):
        self.ovs = lab.ovs
        os.symlink(PROGRAM, f"{WORK}/ovs-ofctl")
        self.theirs, self.ours = Program(which("ovs-ofctl")), Program(f"{WORK}/ovs-ofctl")
        self.failures = 0

    def check(self, what, good, seen=""):
        if not good:
            self.failures += 1
            print(f"FAILED {what}: {seen}", flush=True)
        return good

    def flows(self):
        return sorted(self.theirs.run("-O OpenFlow15 --no-stats dump-flows br0").out.splitlines())

    def attempt(self, program, line):
        self.theirs.run("del-flows br0")
        self.theirs.run("add-flow br0 table=5,in_port=3,actions=drop")
        ended = program.run(line)
        error = FAILED.sub(r"\1\2: failed to connect\n", ended.err)
        if IS_REFUSED.search(line):
            error = REFUSED.sub(r"\2\n", error)
        return ended.status, ended.out, error, self.flows()


def test_switch(test):
    ovs = test.ovs
    ovs.vsctl("set-ssl", f"{WORK}/switch.key", f"{WORK}/switch.crt", f"{WORK}/ca.crt")
    ovs.add_bridge("br0", fail_mode="secure", protocols="[OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15]")
    ovs.vsctl("set-controller", "br0", "pssl:16653:127.0.0.1", "ptcp:16654:127.0.0.1")
    wait_for(lambda: test.theirs.run(f"{OURS} probe {SWITCH}").status == 0, "the switch's SSL")
    accepted = 0
    for line in CASES.strip().splitlines():
        theirs, ours = (test.attempt(program, line) for program in (test.theirs, test.ours))
        test.check(line, theirs == ours, f"\n  ovs-ofctl {theirs}\n  ours      {ours}")
        accepted += ours[0] == 0
        if IS_REFUSED.search(line):
            test.check(f"{line}: is refused", ours[0] == 1 and len(ours[3]) == 1, ours)
    print(f"{len(CASES.strip().splitlines())} cases, {accepted} of them accepted")
    test.check("many are accepted", accepted >= ACCEPTED, accepted)


# ---- The database. ----

def nwfilter(*words):
    done = subprocess.run([PROGRAM, *words], text=True, timeout=60, stdin=subprocess.DEVNULL,
                          capture_output=True)
    return done.returncode, done.stdout, done.stderr


IDENTITY = (f"--private-key={WORK}/us.key", f"--certificate={WORK}/us.crt")


def test_database(test):
    ovs = test.ovs
    ovs.server.stop()
    ovs.server = Daemon("ovsdb-server", "ovsdb-server", "--pidfile", f"--remote=punix:{switch.RUN}/db.sock",
                        "--remote=pssl:16640:127.0.0.1", f"--private-key={WORK}/switch.key",
                        f"--certificate={WORK}/switch.crt", f"--ca-cert={WORK}/ca.crt",
                        switch.DATABASE)
    ovs.server.wait_ready(lambda: subprocess.run(["ovs-vsctl", "--timeout=1", "list-br"],
                                                 capture_output=True).returncode == 0)
    db, ca = f"--db={DATABASE}", f"--ca-cert={WORK}/ca.crt"
    for words in ((*IDENTITY, ca), (*IDENTITY, "-C", f"{WORK}/ca.crt"), (*IDENTITY, "-Cnone"),
                  ("-p", f"{WORK}/us.key", "-c", f"{WORK}/us.crt", ca, "--ssl-protocols=TLSv1.2"),
                  (*IDENTITY, ca, "--ssl-ciphers=HIGH")):
        ended = nwfilter(db, *words, "bindings")
        test.check(f"bindings {words}", ended[0] == 0 and "PORT" in ended[1].upper(), ended)
    ended = nwfilter(db, *IDENTITY, f"--bootstrap-ca-cert={WORK}/boot.crt", "bindings")
    test.check("--bootstrap-ca-cert: the certificate is taken and kept",
               os.path.exists(f"{WORK}/boot.crt"), ended)
    ended = nwfilter(db, *IDENTITY, f"--bootstrap-ca-cert={WORK}/boot.crt", "bindings")
    test.check("    and holds from then on", ended[0] == 0, ended)
    for words, said in (((), "SSL needs --private-key, --certificate and --ca-cert"),
                        (IDENTITY, "SSL needs"), ((*IDENTITY, "-C", "/nowhere"), "/nowhere: No such file"),
                        ((*IDENTITY, f"-C{WORK}/other-ca.crt"), DATABASE),
                        ((f"-p{WORK}/other.key", f"-c{WORK}/other.crt", ca), DATABASE),
                        ((f"-p{WORK}/late.key", f"-c{WORK}/late.crt", ca), DATABASE)):
        ended = nwfilter(db, "--timeout=1", *words, "manage", "br0")
        test.check(f"manage {words}: is refused in one line", ended[0] == 1 and said in ended[2]
                   and ended[2].count("\n") == 1 and not ended[1], ended)
    test.check("nothing of that has changed the database",
               "nwfilter" not in ovs.vsctl("get", "Bridge", "br0", "external_ids"))
    ended = nwfilter(db, *IDENTITY, ca, "manage", "br0")
    test.check("manage by SSL", ended[0] == 0, ended)
    test.check("    has changed it", "nwfilter=enforce"
               in ovs.vsctl("get", "Bridge", "br0", "external_ids"))


def test_daemon(test):
    test.ovs.vsctl("add-port", "br0", "vnet0", "--", "set", "Interface", "vnet0", "type=dummy",
                   "external_ids:nwfilter=clean-traffic", "external_ids:nwfilter-IP=10.0.0.1",
                   "external_ids:attached-mac=02:00:00:00:00:05")
    daemon = Nwfilterd(f"{WORK}/filters", f"--db={DATABASE}", *IDENTITY, f"--ca-cert={WORK}/ca.crt")
    daemon.start()
    try:
        answer = daemon.settle("vnet0")
        test.check("the daemon, by SSL", answer.good, (answer, daemon.log()[-2000:]))
    finally:
        daemon.stop()
    status = test.ovs.vsctl("get", "Interface", "vnet0", "external_ids:nwfilter-status")
    test.check("    the guest is active", "active" in status, status)


def test_all(lab):
    make_certificates()
    os.makedirs(f"{WORK}/filters")
    with open(f"{WORK}/flows", "w") as file:
        file.write("table=5,in_port=1,actions=2\ntable=5,in_port=2,actions=1\n")
    test = Test(lab)
    test_switch(test)
    test_database(test)
    test_daemon(test)
    return 1 if test.failures else 0


if __name__ == "__main__":
    main(test_all, dummy=True)
