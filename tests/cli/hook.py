#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hook install and uninstall: the script for libvirt, other people's files, and the reload."""

import os
import signal
import stat
import subprocess
import time

from cases import PROGRAM, Row, run

SCRIPT = "hooks/qemu.d/50-ovs-nwfilter"
DIRECTORY = "--directory={dir}/hooks"
RUNDIR = "--rundir={dir}/pids"
ELSEWHERE = rf"ovs-nwfilter: {os.path.realpath(PROGRAM)}: libvirtd's AppArmor profile lets .*\n"

ROWS = [
    Row("uninstall where nothing is", ["hook", "uninstall", "libvirt", DIRECTORY, RUNDIR]),
    Row("install where libvirt is not", ["hook", "install", "libvirt", "--directory={dir}/no/hooks",
                                         RUNDIR], status=1,
        error=ELSEWHERE + "ovs-nwfilter: {dir}/no/hooks: No such file or directory\n"),
]


def install(world):
    return world.call("hook", "install", "libvirt", DIRECTORY, RUNDIR)


def uninstall(world):
    return world.call("hook", "uninstall", "libvirt", DIRECTORY, RUNDIR)


def path(world):
    return f"{world.dir}/{SCRIPT}"


def read(world):
    with open(path(world)) as file:
        return file.read()


def check_script(world, check):
    status, out, err = install(world)
    check("install", (status, out) != (0, "") and (status, out, err))
    check("    a program elsewhere is warned of", "/usr/sbin" not in err and err)
    check("    the script can be run", stat.S_IMODE(os.stat(path(world)).st_mode) != 0o755)
    check("    and nothing else is there", os.listdir(os.path.dirname(path(world)))
          != ["50-ovs-nwfilter"])
    done = subprocess.run([path(world), "-web", "prepare", "begin", "-"], input=b"<domain/>",
                          capture_output=True, env=world.env, timeout=60)
    check("    it runs the program, for a name like an option's too",
          (done.returncode, done.stdout, done.stderr) != (0, b"", b"") and done)
    done = subprocess.run([path(world), "web", "start", "begin", "-"], input=b"<x/>",
                          capture_output=True, env=world.env, timeout=60)
    check("    and exits as it does", (done.returncode, done.stderr) != (
        1, b"ovs-nwfilter: domain web:1: <x> is not <domain>\n") and done)
    before = read(world)
    check("install once more", install(world)[0] or read(world) != before)
    check("uninstall", uninstall(world) != (0, "", "") or os.path.lexists(path(world)))


def check_edited(world, check):
    """Our script, with something of the operator's in it: that is not for us to throw away."""
    install(world)
    good = read(world)
    for what, text in (
            ("more lines", good + "/usr/local/bin/mine \"$@\"\n"),
            ("lines before", good.replace("exec", "logger \"$1\"\nexec")),
            ("more words", good.replace("' hook", "' --timeout=5 hook")),
            ("only our first lines", "".join(good.splitlines(True)[:2])),
            ("a zero byte and more", good + "\0more")):
        world.write(SCRIPT, text)
        for verb in (install, uninstall):
            status, out, err = verb(world)
            check(f"{verb.__name__} where our script has {what}", (
                status != 1 or out or read(world) != text
                or f"{path(world)}: changed since ovs-nwfilter has written it" not in err)
                and (status, out, err))
    world.write(SCRIPT, good.replace("exec '", "exec '/elsewhere"))
    status, out, err = install(world)
    check("    one that runs another program is brought up to date",
          (status != 0 or read(world) != good) and (status, out, err))
    uninstall(world)


def check_others(world, check):
    """A file that we have not written stays, whatever it is."""
    os.makedirs(os.path.dirname(path(world)), exist_ok=True)
    for what, make, undo in (
            ("a script", lambda: world.write(SCRIPT, "#!/bin/sh\nexit 0\n"), os.unlink),
            ("an empty file", lambda: world.write(SCRIPT, ""), os.unlink),
            ("a large file", lambda: world.write(SCRIPT, "x" * 100_000), os.unlink),
            ("a folder", lambda: os.mkdir(path(world)), os.rmdir),
            ("a FIFO", lambda: os.mkfifo(path(world)), os.unlink)):
        make()
        before = os.lstat(path(world))
        for verb in (install, uninstall):
            status, out, err = verb(world)
            check(f"{verb.__name__} where {what} is",
                  (status != 1 or out or path(world) not in err) and (status, out, err))
        after = os.lstat(path(world))
        check("    it is as it was", (before.st_ino, before.st_mtime) != (after.st_ino,
                                                                         after.st_mtime))
        undo(path(world))


def check_reload(world, check):
    """libvirt's daemons get a SIGHUP, if it is they whose pid is in the file."""
    os.mkdir(f"{world.dir}/pids")
    os.symlink("/bin/sleep", f"{world.dir}/libvirtd")
    daemon = subprocess.Popen([f"{world.dir}/libvirtd", "60"])
    other = subprocess.Popen(["/bin/sleep", "60"])
    world.write("pids/libvirtd.pid", f"{daemon.pid}\n")
    world.write("pids/virtqemud.pid", f"{other.pid}\n")
    try:
        install(world)
        check("libvirtd is told to reload", daemon.wait(10) != -signal.SIGHUP)
        time.sleep(0.1)
        check("    a process that only has its pid is not", other.poll() is not None)
        for text in ("", "0", "-1", "x", "99999999999", f"{other.pid} 1"):
            world.write("pids/libvirtd.pid", text)
            status, out, err = install(world)
            check(f"    a pid file with {text!r}", (status, out) != (0, "") and (status, err))
        check("    nobody else is told", other.poll() is not None)
    finally:
        daemon.kill()
        other.kill()
        daemon.wait()
        other.wait()
    uninstall(world)


def check_all(world, check):
    os.mkdir(f"{world.dir}/hooks")
    check_script(world, check)
    check_edited(world, check)
    check_others(world, check)
    check_reload(world, check)


if __name__ == "__main__":
    run(__file__, ROWS, more=check_all)
