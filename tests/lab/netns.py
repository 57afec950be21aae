# SPDX-License-Identifier: Apache-2.0
"""Private namespaces, processes, and waits that end.

enter() moves the running program into mount, network and PID namespaces of its own and puts
empty file systems over every folder where the daemons keep their state, so that they run at their
default paths and yet see nothing of the host.  The PID namespace ends with the program, and takes
along whatever was left running in it, even after a SIGKILL.
"""

import os
import shutil
import signal
import subprocess
import sys
import time

MARK = "OVS_NWFILTER_LAB"  # in the environment: set inside the laboratory
SKIP = 77  # meson's exit status of a skipped test
WORK = "/run/lab"  # logs and other files of the laboratory, gone with it

# Hidden under an empty tmpfs each.  /run, /var/log and /var/cache are whole, for what is missing there
# must be created, and that must not happen on the host.
EMPTY = ("/run", "/var/log", "/var/cache", "/var/lib/openvswitch", "/var/lib/libvirt",
         "/etc/openvswitch", "/etc/ovs-nwfilter")
COPIED = ("/etc",)  # hidden under a private copy
KVM = "/dev/kvm"  # may be there and hang; without it, a machine is the same everywhere


class LabError(Exception):
    """Something in the laboratory, not in what it tests, went wrong."""


def enter(*programs):
    """Continue in the private namespaces; skip the test where that or a program is missing."""
    if os.environ.get(MARK) and os.getppid() == 0:  # the first process of a PID namespace
        return _furnish()
    if os.geteuid() != 0:
        skip("needs root")
    for program in ("unshare", "ip", "ethtool") + programs:
        if not which(program):
            skip(f"needs {program}")
    os.environ[MARK] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                          "--mount-proc", "--propagation", "private", "--",
                          sys.executable, *sys.argv])


def _furnish():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # PID 1 ignores it otherwise
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    for path in COPIED:
        if os.path.isdir(path):
            _mount_copy(path)
    for path in ("/etc/openvswitch", "/etc/ovs-nwfilter"):
        os.makedirs(path, exist_ok=True)
    for path in EMPTY:
        if os.path.isdir(path):
            _mount_empty(path)
    for path in (WORK, "/run/lock", "/run/openvswitch", "/run/libvirt", "/var/log/openvswitch",
                 "/var/log/libvirt", "/var/cache/libvirt"):
        os.makedirs(path, exist_ok=True)
    _hide_kvm()
    for family in ("all", "default"):  # no router solicitation, no MLD, no DAD
        sysctl(f"net.ipv6.conf.{family}.disable_ipv6", 1)
    run("ip", "link", "set", "lo", "up")


def _hide_kvm():
    """Behind a file that not even root may write.  Where libvirt finds a device that it may open,
    and QEMU cannot use it, it asks QEMU for its capabilities again and again."""
    if os.path.exists(KVM):
        hidden = f"{WORK}/no-kvm"
        with open(hidden, "w"):
            run("mount", "--bind", hidden, KVM)
            run("mount", "-o", "remount,bind,ro", KVM)


def reap():
    """Go on in a child; the first process of the namespace waits for whatever loses its parent.

    libvirtd waits until a machine's process is not there any more, and it is not the parent."""
    sys.stdout.flush()
    test = os.fork()
    if not test:
        return
    signal.signal(signal.SIGTERM, lambda *_: os.kill(test, signal.SIGTERM))
    while True:
        pid, status = os.wait()
        if pid == test:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def _mount_empty(path):
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)


def _mount_copy(path):
    original = os.open(path, os.O_RDONLY)  # still leads below the mount
    _mount_empty(path)
    run("cp", "-a", f"/proc/self/fd/{original}/.", path, pass_fds=(original,))
    os.close(original)


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def which(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def run(*argv, check=True, stdin=None, timeout=30, **more):
    """Run a command to its end and return its output; raise LabError with its words if it fails."""
    status, out = run_status(*argv, stdin=stdin, timeout=timeout, **more)
    if check and status != 0:
        raise LabError(f"{' '.join(argv)}: exit {status}: {out.strip()}")
    return out


def run_status(*argv, stdin=None, timeout=30, **more):
    """Run a command to its end and return (exit status, stdout and stderr together)."""
    try:
        done = subprocess.run(argv, input=stdin, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(argv)}: not done in {timeout} s") from None
    except OSError as error:
        raise LabError(f"{argv[0]}: {error.strerror}") from None
    return done.returncode, done.stdout


def sysctl(name, value):
    with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
        file.write(str(value))


def wait_for(condition, what, timeout=10.0, pause=0.01):
    """Return the condition's first true value; raise LabError when it takes too long."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(pause)


class Daemon:
    """A program in the background, its output in a log."""

    def __init__(self, name, *argv):
        self.name = name
        self.log = f"{WORK}/{name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def alive(self):
        return self.process.poll() is None

    def wait_ready(self, condition, timeout=15.0):
        """Wait for the condition, but no longer than the daemon lives."""
        try:
            wait_for(lambda: condition() or not self.alive(), f"{self.name} to start", timeout)
        except LabError as error:
            raise LabError(f"{error}; its log ends:\n{self.tail()}") from None
        if not self.alive():
            raise LabError(f"{self.name} ended at its start; its log ends:\n{self.tail()}")

    def tail(self, lines=10):
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def stop(self, sign=signal.SIGTERM, timeout=5.0):
        """Ask it to end, then make it end."""
        if self.alive():
            self.process.send_signal(sign)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self):
        """A crash."""
        self.stop(signal.SIGKILL)
