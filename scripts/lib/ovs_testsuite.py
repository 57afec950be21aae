# SPDX-License-Identifier: Apache-2.0
"""Reads what Open vSwitch's test suite prints, for scripts/ovs-testsuite.

    select LIST TESTS [WORD...]    numbers of the tests that the words stand for, one a line
    failed OUTPUT                  numbers of those that failed
    table RESULTS [--quick] NUMBER...
                                   the table, of RESULTS/theirs.txt and RESULTS/ours.txt; exits
                                   1 if one fails with ours that passes with theirs; --quick:
                                   theirs has only tests that fail with ours
"""

import collections
import glob
import os
import re
import sys

LISTED = re.compile(r"^ *(\d+): (\S+\.at):\d+ +(.*)$")
RESULT = re.compile(r"^ *(\d+): .* (ok|FAILED|skipped|expected failure|UNEXPECTED PASS)"
                    r"( \(.*\))? *$")


def read_list(name):
    """{number: (file, name)} of all tests."""
    with open(name) as file:
        rows = [LISTED.match(line) for line in file]
    return {int(row[1]): (row[2], row[3]) for row in rows if row}


def read_output(name):
    """{number: [result, ...]}: the second, if any, is that of a second try."""
    results = collections.defaultdict(list)
    if os.path.exists(name):
        with open(name, errors="replace") as file:
            for line in file:
                row = RESULT.match(line)
                if row:
                    results[int(row[1])].append(row[2])
    return results


def callers(tests):
    """Files of tests that call ovs-ofctl, or that such a file includes."""
    for name in glob.glob(f"{tests}/*.at"):
        with open(name) as file:
            text = file.read()
        if "ovs-ofctl" in text and os.path.basename(name) != "testsuite.at":
            yield os.path.basename(name)
            yield from re.findall(r"m4_include\(\[tests/(.*?)\]\)", text)


def select(listing, tests, *words):
    tests_by_number = read_list(listing)
    files = {word for word in words if word.endswith(".at")}
    unknown = files - {name for name, _ in tests_by_number.values()}
    if unknown:
        sys.exit(f"no tests of {', '.join(sorted(unknown))}")
    numbers = set()
    for word in set(words) - files:
        first, _, last = word.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    if not words:
        files = set(callers(tests))
    for number, (file, _) in sorted(tests_by_number.items()):
        if file in files or number in numbers:
            print(number)


def failed(output):
    for number, results in sorted(read_output(output).items()):
        if results[-1] in ("FAILED", "UNEXPECTED PASS"):
            print(number)


def last(results, number):
    return results[number][-1] if number in results else "no result"


def good(result):
    return result in ("ok", "expected failure")


def table(directory, *numbers):
    tests = read_list(f"{directory}/list")
    quick = numbers[0] == "--quick"
    numbers = numbers[quick:]
    theirs, ours = (read_output(f"{directory}/{who}.txt") for who in ("theirs", "ours"))
    rows = collections.defaultdict(collections.Counter)
    different = []
    for number in map(int, numbers):
        file, name = tests[number]
        results = last(theirs, number), last(ours, number)
        for row in (rows[file], rows["all"]):
            row["tests"] += 1
            row["skipped"] += "skipped" in results
            row["again"] += len(ours.get(number, [])) > 1 and good(results[1])
            row["theirs"] += good(results[0])
            row["ours"] += good(results[1])
        if results[0] != results[1] and not (quick and good(results[1])):
            different.append((number, file, name, *results))
    total = rows.pop("all")
    print(f"{'file':26} {'tests':>5} {'skipped':>7} {'ovs-ofctl':>9} {'ours':>6}"
          "  at the second try")
    for file, row in [*sorted(rows.items()), ("all", total)]:
        asked = "" if quick else row["theirs"]
        print(f"{file:26} {row['tests']:5} {row['skipped']:7} {asked:9} {row['ours']:6}  "
              f"{row['again'] or ''}".rstrip())
    for number, file, name, *results in different:
        print(f"{number}: {file}: {name}: {results[0]} with ovs-ofctl, {results[1]} with ours")
    sys.exit(not total["tests"] or any(good(row[3]) and not good(row[4]) for row in different))


if __name__ == "__main__":
    {"select": select, "failed": failed, "table": table}[sys.argv[1]](*sys.argv[2:])
