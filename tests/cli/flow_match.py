#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""<flow match="..."> means what ovs-ofctl(8) means by the same words.

Random matches, and some that people write: where the program takes one, its flow is the one that
ovs-ofctl makes of it; where it refuses one, ovs-ofctl refuses it too, leaves something of it out,
or takes the last of two words that contradict each other.
"""

import random
import re
import shutil
import subprocess
import sys

from cases import run

OFCTL = shutil.which("ovs-ofctl")
WRITTEN = ("udp,tp_src=68,tp_dst=67", "dl_type=0x0800,nw_proto=0x11,tp_dst=67", "arp,nw_src=10.0.0.1",
           "eth_type=0x86dd,ip_proto=58,icmp_type=135", "nw_proto=132,ipv6,tp_src=5",
           "tcp,tp_dst[0..7]=5", "dl_vlan=10,dl_vlan_pcp=3,rarp,nw_dst=10.0.0.1")
PROTOCOLS = ("ip", "ip4", "arp", "icmp", "tcp", "udp", "sctp", "ipv6", "ip6", "icmp6", "tcp6", "udp6",
             "sctp6", "rarp", "mpls", "eth", "dl_type=0x0800", "eth_type=0x86dd", "dl_type=2054")
FIELDS = ("nw_proto=0x11", "ip_proto=6", "nw_proto=58", "nw_proto=1", "nw_proto=136", "tp_src=68",
          "tp_dst=67", "tcp_src=5", "udp_dst=0x35", "sctp_src=7", "tp_dst=300", "tp_src=0x10/0xf0",
          "icmp_type=8", "icmp_code=3", "icmpv6_type=135", "nw_src=10.0.0.1", "nw_dst=10.0.0.0/8",
          "ip_src=10.0.0.2", "arp_spa=10.0.0.3", "arp_op=2", "arp_sha=02:00:00:00:00:01",
          "ipv6_src=fe80::1", "ipv6_dst=2001:db8::/32", "nd_target=fe80::2", "nw_ttl=255", "nw_tos=32",
          "ip_dscp=8", "nw_ecn=1", "nw_frag=later", "nw_frag=no", "tcp_flags=+syn-ack",
          "ipv6_label=7", "mpls_label=5", "dl_src=02:00:00:00:00:02", "tp_dst[0..7]=5",
          "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "dl_vlan=7", "nw_src[24..31]=10")
N_RANDOM = 150
# What a type means in a filter, besides.
UNTAGGED = "vlan_tci=0x0000/0x1000"


def random_match(dice):
    words = dice.sample(FIELDS, dice.choice((1, 1, 2, 2, 3)))
    words[:0] = dice.sample(PROTOCOLS, dice.choice((0, 1, 1, 1, 1, 2)))
    if dice.randrange(4) == 0:
        dice.shuffle(words)
    return ",".join(words)


def ofctl(match):
    """(what ovs-ofctl makes of the match, as text, or None; its complaint)"""
    done = subprocess.run([OFCTL, "-F", "nxm", "parse-flow", f"{match},actions=drop"],
                          capture_output=True, text=True)
    found = re.search(r"ADD ?(\S*) actions=drop", done.stdout)
    return (found[1] if found else None), done.stderr


def ours(world, match):
    # Towards the guest: of what it sends, addresses are compared in other tables.
    world.write("m.xml", "<filter name='m'><rule action='drop' direction='in'>"
                f"<flow match='{match}'/></rule></filter>")
    world.write("m.json", '[{"port": "p", "filter": "m"}]')
    status, out, err = world.call("--filter-dir={dir}", "compile", "m.json", "--ofport=p=1")
    if status:
        return None, err
    found = re.findall(r"cookie=0x6e77661200010000,table=110,priority=\d+,(\S+) actions=drop", out)
    return (found[0] if len(found) == 1 else None), out


def words_of(text):
    return sorted(word for word in text.split(",") if word and word not in ("reg0=0x1", UNTAGGED))


def leaves_out(match, made):
    """Whether a word of the match is missing in what ovs-ofctl makes of it: an addition of that
    word alone to what it made changes nothing, or something else."""
    made = made or ""
    return any(ofctl(f"{made},{word}" if made else word)[0] != made for word in match.split(",")) or \
        any(ofctl(",".join(other for other in match.split(",") if other is not word))[0] == made
            for word in match.split(","))


def wrong(world, match):
    expected, complaint = ofctl(match)
    found, text = ours(world, match)
    if found is not None:
        found = ofctl(",".join(words_of(found)))[0]
        return (expected is None or words_of(found) != words_of(expected)) and \
            f"ovs-ofctl: {expected or complaint}; here: {found}"
    # Fields of neighbour discovery, of which ovs-ofctl does not ask what they need.
    return expected is not None and not leaves_out(match, expected) and \
        "needs nw_ttl=255 and icmp_code=0" not in text and \
        f"ovs-ofctl: {expected}; here: {text}"


def check_all(world, check):
    dice = random.Random("flow")
    matches = [*WRITTEN, *(random_match(dice) for _ in range(N_RANDOM))]
    taken = 0
    for match in dict.fromkeys(matches):
        taken += ours(world, match)[0] is not None
        check(match, wrong(world, match))
    check("many of them are taken", taken < N_RANDOM // 5 and taken)
    for match in WRITTEN:
        check(f"{match} is taken", ours(world, match)[0] is None and ours(world, match)[1])


if __name__ == "__main__":
    if not OFCTL:
        print("skipped: needs ovs-ofctl")
        sys.exit(77)
    run(__file__, [], more=check_all)
