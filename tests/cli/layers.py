#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A lower layer never includes a higher one, and the core does no input or output.

Layers are the folders of src, in the order below.  A header of include/nwf belongs to the folder
that has a source of its name, or is listed here.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAYERS = ["util", "filter", "policy", "model", "flow", "compile", "ovs", "host", "engine", "daemon",
          "cli", "hook"]
HEADERS = {"cleanup": "util", "vec": "util", "protocol": "filter", "filter": "filter",
           "mac": "util", "compile": "compile", "pipeline": "compile", "engine": "engine", "explain": "engine",
           "live": "engine"}
# What the core may not include: nothing of it opens, sends, logs or reads a clock.
CORE = ["filter", "policy", "model", "flow", "compile"]
OUTSIDE = re.compile(r"<(fcntl|unistd|time|poll|dirent|syslog|sys/(socket|stat|time))\.h>"
                     r'|"(openvswitch/(vlog|vconn|rconn|poll-loop)|lib/(timeval|stream|jsonrpc|'
                     r'ovsdb-idl|unixctl|socket-util))\.h"')
OPEN_VSWITCH = re.compile(r'"(lib|openvswitch|openflow)/')


def sources():
    for folder, _, names in sorted(os.walk(f"{ROOT}/src")):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(f"{folder}/{name}", f"{ROOT}/src")


def includes(path):
    with open(path) as file:
        for number, line in enumerate(file, 1):
            match = re.match(r'#include ([<"].*[>"])', line)
            if match:
                yield number, match[1]


def layer_of_header(name, files):
    if name in HEADERS:
        return HEADERS[name]
    for path in files:
        if path.split("/")[1:] == [f"{name}.c"]:  # Folders in folders have no public headers.
            return path.split("/")[0]
    return None


def check_file(path, files):
    layer = path.split("/")[0]
    if layer not in LAYERS:
        return [f"src/{path}: no layer of this name"]
    wrong = []
    for number, include in includes(f"{ROOT}/src/{path}"):
        public = re.match(r'"nwf/(.*)\.h"', include)
        other = re.match(r'"(?:\.\./)+(\w+)/', include)
        lower = layer_of_header(public[1], files) if public else other[1] if other else layer
        if lower not in LAYERS:
            wrong.append(f"src/{path}:{number}: {include} is of no layer")
        elif LAYERS.index(lower) > LAYERS.index(layer):
            wrong.append(f"src/{path}:{number}: {layer} includes {include} of {lower}")
        if layer in CORE and OUTSIDE.search(include):
            wrong.append(f"src/{path}:{number}: {layer} includes {include}")
        if LAYERS.index(layer) <= LAYERS.index("model") and OPEN_VSWITCH.search(include):
            wrong.append(f"src/{path}:{number}: {layer} includes {include}")
    return wrong


def main():
    files = list(sources())
    wrong = [text for path in files for text in check_file(path, files)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(files)} files, {len(wrong)} includes that are not allowed")
    sys.exit(1 if wrong or not files else 0)


if __name__ == "__main__":
    main()
