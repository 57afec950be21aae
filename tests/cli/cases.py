# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command line share: a program that sees nothing of the host, and rows.

    ROWS = [Row("what it shows", ["sync", "--audit"], error="sync does not take --audit; ..."),
            Row("what else", ["--version"], out="ovs-nwfilter [0-9.]+\n")]

    if __name__ == "__main__":
        run(__file__, ROWS)

A row gives the words and what must come of them.  With "error" that is exit status 1, nothing on
standard output, and one line on standard error, "ovs-nwfilter: " and the pattern, from end to end;
otherwise the status, a pattern for the whole of standard output, and silence on standard error.

The program runs in a folder of its own, which "{dir}" in words and patterns stands for; "{stock}"
stands for the stock filters.  OVS_RUNDIR and OVS_SYSCONFDIR lie in that folder too.  Filters that
a case needs come out of its --filter-dir: /etc/libvirt/nwfilter may or may not have others.
"""

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import typing

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.environ.get("OVS_NWFILTER") or os.path.join(ROOT, "build", "ovs-nwfilter")
STOCK = os.path.join(ROOT, "flows", "filters")
MANUAL = os.path.join(ROOT, "src", "cli", "ovs-nwfilter.8")
HOOK_MANUAL = os.path.join(ROOT, "src", "hook", "ovs-nwfilter-hook.8")


@dataclasses.dataclass
class Row:
    what: str
    words: list
    out: str = ""  # pattern
    error: typing.Optional[str] = None  # pattern; or, with a status, one of the whole stderr
    status: typing.Optional[int] = None  # None: 1 with an error, else 0
    stdin: typing.Union[str, bytes] = ""
    check: typing.Optional[typing.Callable] = None  # of the output: what is wrong, or None


class World:
    """A folder of its own, and the program in it."""

    def __init__(self, folder):
        self.dir = folder
        for name in ("run", "etc"):
            os.mkdir(f"{folder}/{name}")
        self.env = os.environ | {"OVS_RUNDIR": f"{folder}/run", "OVS_SYSCONFDIR": f"{folder}/etc",
                                 "LC_ALL": "C"}

    def fill(self, text, quote=lambda s: s):
        return text.replace("{dir}", quote(self.dir)).replace("{stock}", quote(STOCK))

    def call(self, *words, stdin="", **more):
        """(status, stdout, stderr); a program that does not end in time is an error."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run([PROGRAM, *map(self.fill, words)], input=data, cwd=self.dir,
                              env=self.env, timeout=60,
                              **({"capture_output": True} | more))
        return (done.returncode, *((text or b"").decode(errors="surrogateescape")
                                   for text in (done.stdout, done.stderr)))

    def write(self, path, text):
        path = f"{self.dir}/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)

    def wrong(self, row):
        """What is wrong with how the program does as the row says, or None."""
        status, out, err = self.call(*row.words, stdin=row.stdin)
        expected = row.status if row.status is not None else 0 if row.error is None else 1
        pattern = row.error or ""
        if row.error is not None and row.status is None:
            pattern = f"ovs-nwfilter: {row.error}\n"
        if status != expected:
            return f"exit status {status}, not {expected}: {out[-300:]}{err}"
        if not self._is(pattern, err):
            return f"standard error is {err!r}, not {pattern!r}"
        if not all(line.isprintable() for line in err.split("\n")):
            return f"control characters in {err!r}"
        if not self._is(row.out, out):
            return f"standard output is {out[:1000]!r}, not {row.out!r}"
        return row.check(out) if row.check else None

    def _is(self, pattern, text):
        return re.fullmatch(self.fill(pattern, re.escape), text, re.DOTALL)


def run(name, rows, prepare=None, more=None):
    """Check the rows, then more(world, check) where check(what, wrong); exit."""
    failures = []

    def check(what, wrong):
        if wrong:
            failures.append(what)
            print(f"FAILED {what}: {wrong}")

    with tempfile.TemporaryDirectory() as folder:
        world = World(os.path.realpath(folder))
        if prepare:
            prepare(world)
        for row in rows:
            check(row.what, world.wrong(row))
        if more:
            more(world, check)
    print(f"{os.path.basename(name)}: {len(rows)} rows, {len(failures)} failures in all")
    sys.exit(1 if failures else 0)
