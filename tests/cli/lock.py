#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The lock: what cannot be the lock's file is refused at once, with its name, and left as it is.

Whoever may write into the run directory can put anything there.  A run that waits for a lock that it
can never have says that somebody else is at work, which is not true.
"""

import fcntl
import os
import subprocess

from cases import PROGRAM, run

LOCK = ".ovs-nwfilter.~lock~"
NOBODY = 65534


CASES = {  # folder: what is there, what is said of it
    "link": ("a link to a file", "a symbolic link"),
    "dangling": ("a link to nowhere", "a symbolic link"),
    "fifo": ("a FIFO", "not a regular file with one name"),
    "folder": ("a folder", "Is a directory"),
    "device": ("a link to a device", "a symbolic link"),
    "hard": ("a second name of a file", "not a regular file with one name"),
}


def prepare(world):
    for name in CASES:
        os.mkdir(f"{world.dir}/{name}")
    world.write("victim", "kept")
    os.symlink("../victim", f"{world.dir}/link/{LOCK}")
    os.symlink("../made", f"{world.dir}/dangling/{LOCK}")
    os.mkfifo(f"{world.dir}/fifo/{LOCK}")
    os.mkdir(f"{world.dir}/folder/{LOCK}")
    os.symlink("/dev/zero", f"{world.dir}/device/{LOCK}")
    os.link(f"{world.dir}/victim", f"{world.dir}/hard/{LOCK}")


def sync(world, folder, **more):
    try:
        done = subprocess.run([PROGRAM, "sync"], cwd="/", capture_output=True, text=True, timeout=30,
                              env=world.env | {"OVS_RUNDIR": f"{world.dir}/{folder}"}, **more)
    except subprocess.TimeoutExpired:
        return "it waits"
    return done.returncode, done.stdout, done.stderr


def refused(world, folder, cause):
    return 1, "", f"ovs-nwfilter: {world.dir}/{folder}/{LOCK}: {cause}\n"


def check_planted(world, check):
    for folder, (what, cause) in CASES.items():
        result = sync(world, folder)
        check(f"{what} in the lock's place", result != refused(world, folder, cause) and result)
    with open(f"{world.dir}/victim") as file:
        check("what a link leads to is as it was", file.read() != "kept" and "it is not")
    check("a link to nowhere makes nothing", os.path.exists(f"{world.dir}/made") and "it does")


def check_taken(world, check):
    result = sync(world, "run")
    check("a run makes its file and goes on",
          "db.sock" not in result[2] and result)
    path = f"{world.dir}/run/{LOCK}"
    mode = os.stat(path).st_mode
    check("which is for its user alone", mode & 0o7777 != 0o600 and oct(mode))
    with open(path, "r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        done = subprocess.run([PROGRAM, "--timeout=1", "sync"], env=world.env, text=True,
                              capture_output=True, timeout=60)
        result = done.returncode, done.stdout, done.stderr
        check("a lock that somebody holds", result != refused(
            world, "run", "another ovs-nwfilter is at work") and result)
    check("no run directory: no switch, and no lock",
          LOCK in (result := sync(world, "nosuch"))[2] and result)


def check_users(world, check):
    """As a user without rights, and beside another user's file; only root can try that."""
    if os.geteuid():
        print("not root: a user without rights is not tried")
        return
    os.chmod(world.dir, 0o755)
    result = sync(world, "run", user=NOBODY, group=NOBODY, extra_groups=[])
    check("a user who may not open the file",
          result != refused(world, "run", "Permission denied") and result)
    os.mkdir(f"{world.dir}/empty")
    result = sync(world, "empty", user=NOBODY, group=NOBODY, extra_groups=[])
    check("a user who may not make it",
          result != refused(world, "empty", "Permission denied") and result)
    os.mkdir(f"{world.dir}/planted")
    world.write(f"planted/{LOCK}", "")
    os.chown(f"{world.dir}/planted/{LOCK}", NOBODY, NOBODY)
    result = sync(world, "planted")
    check("a file that another user has put there",
          result != refused(world, "planted", "belongs to another user") and result)


def check_all(world, check):
    check_planted(world, check)
    check_taken(world, check)
    check_users(world, check)


if __name__ == "__main__":
    run(__file__, [], prepare=prepare, more=check_all)
