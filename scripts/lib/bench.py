# SPDX-License-Identifier: Apache-2.0
"""The benchmark behind scripts/bench: one of its parts, in a laboratory of its own."""

import argparse
import sys

import bench_compile
import bench_daemon
import bench_flood
import bench_learning
import bench_ofctl
import bench_others
import bench_packets
import bench_ports
import bench_routed
import bench_rules
from lab.lab import main

PARTS = {"ports": bench_ports, "daemon": bench_daemon, "rules": bench_rules,
         "packets": bench_packets, "learning": bench_learning, "flood": bench_flood,
         "routed": bench_routed, "ofctl": bench_ofctl, "others": bench_others,
         "compile": bench_compile}
SIZES = {"ports": "1000,10000", "daemon": "10,500,1000,5000", "others": "10,500",
         "compile": "1000"}  # of --ports


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--ports", metavar="N[,N...]",
                        help="ports, daemon, others, compile: numbers of ports (default: "
                        + "; ".join(f"{part}: {sizes}" for part, sizes in SIZES.items()) + ")")
    parser.add_argument("--rule-ports", type=int, default=1000, metavar="N",
                        help="rules: number of ports with large filters (default: %(default)s)")
    parser.add_argument("--kinds", metavar="KIND[,KIND...]", type=lambda text: text.split(","),
                        help="flood: kinds of floods (default: all)")
    parser.add_argument("--beside", metavar="PROGRAM",
                        help="compile: ovs-nwfilter as another revision has it")
    parser.add_argument("--rounds", type=int, default=7, metavar="N",
                        help="runs of which the median counts (default: %(default)s)")
    options = parser.parse_args()
    options.ports = options.ports or SIZES.get(options.part)
    return options


def bench(lab):
    options = arguments()
    PARTS[options.part].bench(lab, options)
    return 0


if __name__ == "__main__":
    part = arguments().part
    packages = bench_others.missing() if part == "others" else []
    if packages:
        sys.exit(f"scripts/bench others needs these packages: {' '.join(packages)}")
    # Only packets need ports that are real; servers that are routed bring their own.
    real = part in ("packets", "learning", "flood")
    main(bench, ovs=real, libvirt=part == "others",
         dummy=not real and part not in ("routed", "compile"))
