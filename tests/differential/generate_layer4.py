# SPDX-License-Identifier: Apache-2.0
"""Random filters with L3/L4 rules, some with Ethernet rules among them.

As generate.py, and with the same intent: small pools, so that rules hit what is said, overlap, and
contradict each other.  Left out is what libvirt is known to translate wrongly (see
known_layer4.py): negated ports and types, ranges of IPv6 destinations, flags of tcp-ipv6; and what
we refuse: ah-ipv6, and a negation beside a state.
"""

from xml.sax.saxutils import quoteattr

import generate
from world import GUEST, HOST, OUTSIDE, PEER, SECOND_IP

ACTIONS = ["accept"] * 9 + ["drop"] * 5 + ["reject"] * 2 + ["return"] * 2
DIRECTIONS = ["out"] * 4 + ["in"] * 4 + ["inout"] * 2
ELEMENTS = ["tcp"] * 5 + ["udp"] * 5 + ["icmp"] * 3 + ["all"] * 4 + [
    "udplite", "esp", "ah", "sctp", "igmp"]
STATES = ["NEW", "ESTABLISHED", "NEW,ESTABLISHED", "RELATED", "ESTABLISHED,RELATED", "INVALID",
          "NONE", "new,related", "NEW, ESTABLISHED", "RELATED,", " ,new invalid", "NONE,NEW", ""]
PRIORITIES = ["-1000", "-100", "0", "100", "300", "700", "1000"]

IPS = [GUEST.ip, GUEST.ip, SECOND_IP, PEER.ip, PEER.ip, OUTSIDE.ip, HOST.ip, "224.0.0.22",
       "0.0.0.0", "$IP", "$IPS", "$IPS[1]"]
IP_MASKS = ["0", "4", "24", "28", "30", "31", "32", "255.255.255.0"]
IP_RANGES = [("10.0.0.1", "10.0.0.5"), ("10.0.0.5", "10.0.0.19"), ("10.0.0.20", "10.0.0.255"),
             ("10.0.0.5", "10.0.0.5"), ("9.255.255.255", "10.0.0.6")]
IP6S = [GUEST.ip6, GUEST.ip6, PEER.ip6, PEER.ip6, OUTSIDE.ip6, HOST.ip6, GUEST.link_local,
        "ff02::", "2001:db8::", "$IPV6", "$IPS6"]
IP6_MASKS = ["0", "10", "32", "64", "120", "127", "128"]
IP6_RANGES = [("2001:db8::1", "2001:db8::5"), ("2001:db8::5", "2001:db8::1f"),
              ("2001:db8::20", "2001:db8::ffff")]
PORTS = ["22", "53", "80", "80", "443", "1024", "20000", "$PORTS", "$PORTS", "0"]
WIDTHS = [1, 10, 30000]
DSCPS = ["0", "10", "46", "0x3f"]
TYPES = {"icmp": ["0", "3", "8", "8", "11", "13", "17"], "icmpv6": ["1", "3", "128", "128", "129", "135",
                                                              "136", "143"]}
FLAGS = ["SYN,ACK/SYN", "SYN/NONE", "SYN,RST,FIN/SYN", "ACK/ACK", "ALL/SYN,ACK", "RST/RST",
         "SYN, ACK/SYN", "PSH/", ",SYN,,RST / SYN ,"]
WITH_PORTS = {"tcp", "udp", "sctp"}

FAMILIES = [(4,), (4,), (6,), (4, 4, 6)]  # of a whole filter: each costs libvirt commands of its own

PARAMETERS = {"IP": [GUEST.ip], "IPS": [GUEST.ip, PEER.ip, OUTSIDE.ip], "IPV6": [GUEST.ip6],
              "IPS6": [GUEST.ip6, PEER.ip6, HOST.ip6], "PORTS": ["80", "53", "22"]}


def filter_tree(seed, number):
    """(name of the root filter, {name: XML}, parameters)"""
    dice = Dice(f"layer 4 {seed}/{number}")
    name = f"random-l4-{seed}-{number}"
    dice.families = dice.choice(FAMILIES)
    distinct = dice.sample(range(-995, 1000, 10), len(generate.CHAINS))
    priorities = dict(zip(generate.CHAINS, distinct))
    children = {f"{name}-{letter}": dice.child(f"{name}-{letter}", priorities)
                for letter in "abc"[:dice.randint(0, 2)]}
    if dice.one_in(4):  # Ethernet rules, that often leave nothing for the others
        ethernet = generate.Dice(f"layer 2 {seed}/{number}")
        children[f"{name}-e"] = ethernet.child(f"{name}-e", priorities)
    entries = [f"  <filterref filter='{child}'/>" for child in children]
    entries += [dice.rule(None) for _ in range(dice.randint(2, 5))]
    dice.shuffle(entries)
    if dice.one_in(2):
        entries += [f"  <rule action='drop' direction='inout' priority='1000'><{rest}/></rule>"
                    for rest in ("all", "all-ipv6")]
    files = {**children, name: generate.filter_xml(name, "root", None, entries)}
    parameters = {**generate.PARAMETERS, **PARAMETERS}
    return name, files, parameters


class Dice(generate.Dice):
    families = (4, 6)

    def child(self, name, priorities):
        chain = self.choice(generate.CHAINS)
        entries = [self.rule(chain) for _ in range(self.randint(1, 4))]
        return generate.filter_xml(name, chain, priorities[chain], entries)

    def rule(self, _chain):
        family = self.choice(self.families)
        base = self.choice(ELEMENTS)
        if family == 6:
            base = {"igmp": "icmp", "ah": "esp"}.get(base, base)  # there is none, and we refuse it
        element = base if family == 4 else "icmpv6" if base == "icmp" else f"{base}-ipv6"
        attributes = self.attributes(base, element)
        head = f"  <rule action='{self.choice(ACTIONS)}' direction='{self.choice(DIRECTIONS)}'"
        if self.one_in(2):
            head += f" priority='{self.choice(PRIORITIES)}'"
        if self.one_in(8):
            head += " statematch='false'"
        match = " match='no'" if self._may_negate(attributes) and self.one_in(4) else ""
        words = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
        return f"{head}>\n    <{element}{match}{words}/>\n  </rule>"

    @staticmethod
    def _may_negate(attributes):
        return attributes and all(key in ("srcipaddr", "dstipaddr", "srcipmask", "dstipmask",
                                          "srcipfrom", "srcipto", "dscp")
                                  and value != "0"  # iptables refuses the negation of all
                                  for key, value in attributes.items())

    def attributes(self, base, element):
        chosen = {}
        is_ipv6 = element.endswith("v6")
        if self.one_in(10):
            chosen["srcmacaddr"] = self.choice([GUEST.mac, PEER.mac, OUTSIDE.mac, "$MAC"])
        self.hosts(chosen, is_ipv6)
        if base in WITH_PORTS:
            self.ports(chosen)
        if base == "icmp" and self.one_in(2):
            chosen["type"] = self.choice(TYPES[element])
            if self.one_in(2):
                chosen["code"] = self.choice(["0", "0", "3", "1"])
        if element == "tcp" and self.one_in(8):
            chosen["flags"] = self.choice(FLAGS)
        if self.one_in(10):
            chosen["dscp"] = self.choice(DSCPS)
        if self.one_in(4):
            chosen["state"] = self.choice(STATES)
        return chosen

    def hosts(self, chosen, is_ipv6):
        pool, masks, ranges = (IP6S, IP6_MASKS, IP6_RANGES) if is_ipv6 else \
            (IPS, IP_MASKS, IP_RANGES)
        for side in ("src", "dst"):
            if self.one_in(4):
                chosen[f"{side}ipaddr"] = self.choice(self.once(pool, chosen))
                if self.one_in(3):
                    chosen[f"{side}ipmask"] = self.choice(masks)
            elif self.one_in(8) and (side == "src" or not is_ipv6):
                chosen[f"{side}ipfrom"], chosen[f"{side}ipto"] = self.choice(ranges)

    def ports(self, chosen):
        for side, likely in (("src", 4), ("dst", 2)):
            if self.one_in(likely):
                start = self.choice(self.once(PORTS, chosen))
                chosen[f"{side}portstart"] = start
                if self.one_in(3) and not start.startswith("$"):
                    end = min(65535, int(start) + self.choice(WIDTHS))
                    chosen[f"{side}portend"] = str(end)
