# SPDX-License-Identifier: Apache-2.0
"""Random filters: few but rich ones, for each costs libvirt a second.

A tree of one root filter and some that it refers to, each in a chain of its own choice, with rules
whose values come from small pools, so that they often hit what the frames contain and often
contradict each other.  What libvirt is known to get wrong is left out (see known.py).
"""

import random
from xml.sax.saxutils import quoteattr

from world import GUEST, OUTSIDE, PEER, SECOND_IP, STRANGER

ACTIONS = ["accept"] * 7 + ["drop"] * 7 + ["return"] * 4 + ["continue"] * 2 + ["reject"]
DIRECTIONS = ["out"] * 4 + ["in"] * 3 + ["inout"] * 3
CHAINS = ["root", "mac", "mac-x", "vlan", "vlan-x", "stp", "arp", "arp-x", "arp-y", "rarp",
          "rarp-x", "ipv4", "ipv4-x", "ipv4-y", "ipv6", "ipv6-x", "ipv6-y"]
ELEMENTS = {"root": ["mac", "vlan", "stp", "arp", "rarp", "ip", "ip", "ipv6", "ipv6", None],
            "mac": ["mac", "mac", "arp", "ip", "ipv6", None], "vlan": ["vlan", "vlan", "mac", None],
            "stp": ["stp", "mac", None], "arp": ["arp", "arp", "mac", None],
            "rarp": ["rarp", "rarp", "mac", None], "ipv4": ["ip", "ip", "ip", "mac", None],
            "ipv6": ["ipv6", "ipv6", "ipv6", "mac", None]}
PRIORITIES = [-1000, -720, -700, -500, -100, 0, 100, 300, 700, 1000]

MACS = [GUEST.mac, PEER.mac, OUTSIDE.mac, STRANGER.mac, "ff:ff:ff:ff:ff:ff", "01:00:5e:01:02:03",
        "33:33:00:00:00:01", "$MAC", "$MACS"]
MAC_MASKS = ["ff:ff:ff:00:00:00", "ff:ff:ff:ff:ff:fe", "ff:ff:ff:ff:00:00", "80:00:00:00:00:00",
             "ff:ff:ff:ff:ff:ff"]  # ebtables refuses a mask of zeros
IPS = [GUEST.ip, SECOND_IP, PEER.ip, OUTSIDE.ip, STRANGER.ip, "0.0.0.0", "255.255.255.255",
       "224.0.0.22", "$IP", "$IPS", "$IPS[1]"]
IP_MASKS = ["0", "1", "8", "24", "28", "31", "32", "255.255.255.0"]
IP6S = [GUEST.ip6, GUEST.link_local, PEER.ip6, STRANGER.ip6, "::", "ff02::1", "ff02::1:2",
        "fe80::", "$IPV6"]
IP6_MASKS = ["0", "3", "10", "32", "64", "104", "127", "128"]
PORTS = ["0", "53", "67", "68", "80", "546", "547", "1024", "65535", "$PORTS"]
WITH_PORTS = ["tcp", "udp", "sctp"]
PROTOCOLS = WITH_PORTS + ["icmp", "igmp", "esp", "udplite", "0", "255", "47"]
PROTOCOLS6 = WITH_PORTS + ["icmpv6", "esp", "59"]
PROTOCOL_IDS = ["arp", "rarp", "ipv4", "ipv6", "vlan", "0x835", "0x88cc", "0x600", "34997"]
OPCODES = ["1", "2", "3", "4", "Request", "Reply", "Request_Reverse", "9", "255"]

PARAMETERS = {"IP": [GUEST.ip], "IPS": [GUEST.ip, SECOND_IP, PEER.ip], "IPV6": [GUEST.ip6],
              "MACS": [STRANGER.mac, PEER.mac], "PORTS": ["80", "67", "547"], "VLAN": ["5"]}


def filter_tree(seed, number):
    """(name of the root filter, {name: XML}, parameters)"""
    dice = Dice(f"{seed}/{number}")
    name = f"random-{seed}-{number}"
    # libvirt fails on filters that give one chain different priorities, and chains of one priority
    # it puts in the order of a hash table.  No default priority ends in 5.
    distinct = dice.sample(range(-995, 1000, 10), len(CHAINS))
    priorities = {chain: None if dice.one_in(3) and "-" not in chain else priority
                  for chain, priority in zip(CHAINS, distinct)}
    children = {f"{name}-{letter}": dice.child(f"{name}-{letter}", priorities)
                for letter in "abcd"[:dice.randint(1, 4)]}
    entries = [f"  <filterref filter='{child}'/>" for child in children]
    entries += [dice.rule("root") for _ in range(dice.randint(2, 7))]
    dice.shuffle(entries)
    if dice.one_in(2):
        entries.append("  <rule action='drop' direction='inout' priority='1000'/>")
    files = {**children, name: filter_xml(name, "root", None, entries)}
    return name, files, PARAMETERS


def filter_xml(name, chain, priority, entries):
    at = f" priority='{priority}'" if priority is not None else ""
    return "\n".join([f"<filter name='{name}' chain='{chain}'{at}>", *entries, "</filter>", ""])


class Dice(random.Random):
    def one_in(self, number):
        return self.randrange(number) == 0

    def child(self, name, priorities):
        chain = self.choice(CHAINS)
        entries = [self.rule(chain.split("-")[0]) for _ in range(self.randint(2, 6))]
        if self.one_in(2):
            entries.append(f"  <rule action='{self.choice(ACTIONS)}' "
                           f"direction='{self.choice(DIRECTIONS)}' priority='1000'/>")
        return filter_xml(name, chain, priorities[chain], entries)

    def rule(self, chain):
        element = self.choice(ELEMENTS[chain] if self.randrange(10) else ELEMENTS["root"])
        attributes = ATTRIBUTES[element](self) if element else {}
        direction = self.choice(DIRECTIONS)
        if element == "stp" and "srcmacaddr" in attributes and direction == "inout":
            direction = "out"
        priority = "" if self.one_in(2) else f" priority='{self.choice(PRIORITIES)}'"
        head = f"  <rule action='{self.choice(ACTIONS)}' direction='{direction}'{priority}"
        if element is None:
            return head + "/>"
        match = " match='no'" if self._may_negate(element, attributes) and self.one_in(4) else ""
        words = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
        return f"{head}>\n    <{element}{match}{words}/>\n  </rule>"

    @staticmethod
    def _may_negate(element, attributes):
        return element != "stp" and not any(key.endswith("portstart") or key in ("type", "code")
                                            for key in attributes)

    # --- attributes

    def macs(self, sides=("src", "dst")):
        chosen = {}
        for side in sides:
            if self.one_in(3):
                chosen[f"{side}macaddr"] = self.choice(self.once(MACS, chosen))
                if self.one_in(4):
                    chosen[f"{side}macmask"] = self.choice(MAC_MASKS)
        return chosen

    @staticmethod
    def once(pool, chosen):
        """A list and a variable of another length cannot stand in one rule."""
        if any(value.startswith("$") for value in chosen.values()):
            return [value for value in pool if not value.startswith("$")]
        return pool

    def addresses(self, chosen, pool, masks):
        for side in ("src", "dst"):
            if self.one_in(2):
                chosen[f"{side}ipaddr"] = self.choice(self.once(pool, chosen))
                if self.one_in(3):
                    chosen[f"{side}ipmask"] = self.choice(masks)

    def mac(self):
        chosen = self.macs()
        if self.one_in(2):
            chosen["protocolid"] = self.choice(PROTOCOL_IDS)
        return chosen

    def vlan(self):
        chosen = self.macs()
        if self.one_in(2):
            # Lists walked in parallel must have one length, and $MACS has two values.
            variable = [] if "$MACS" in chosen.values() else ["$VLAN"]
            chosen["vlanid"] = self.choice(["0", "5", "7", "0x64", "4094", *variable])
        return chosen

    def stp(self):
        return self.macs(("src",))

    def arp(self):
        chosen = self.macs() if self.one_in(3) else {}
        if self.one_in(3):
            chosen["opcode"] = self.choice(OPCODES)
        for key, pool in (("arpsrcmacaddr", MACS), ("arpdstmacaddr", MACS),
                          ("arpsrcipaddr", IPS), ("arpdstipaddr", IPS)):
            if self.one_in(3):
                chosen[key] = self.choice(self.once(pool, chosen))
        if self.one_in(6):
            chosen["gratuitous"] = self.choice(["false", "no", "0"])
        if "arpdstipaddr" in chosen and self.one_in(3):
            chosen["arpdstipmask"] = self.choice(IP_MASKS)
        elif "arpsrcipaddr" in chosen and "arpdstipaddr" not in chosen and self.one_in(3):
            chosen["arpsrcipmask"] = self.choice(IP_MASKS)
        return chosen

    def ip(self):
        chosen = self.macs() if self.one_in(4) else {}
        self.addresses(chosen, IPS, IP_MASKS)
        if self.one_in(2):
            chosen["protocol"] = self.choice(PROTOCOLS)
            self.ports(chosen)
        return chosen

    def ipv6(self):
        chosen = self.macs() if self.one_in(4) else {}
        self.addresses(chosen, IP6S, IP6_MASKS)
        if self.one_in(2):
            chosen["protocol"] = self.choice(PROTOCOLS6)
            self.ports(chosen)
        if chosen.get("protocol") == "icmpv6" and self.one_in(2):
            low = self.choice([1, 128, 133, 134])
            chosen["type"], chosen["typeend"] = str(low), str(low + self.choice([0, 1, 3]))
        return chosen

    def ports(self, chosen):
        if chosen["protocol"] not in WITH_PORTS:
            return
        for side in ("src", "dst"):
            if self.one_in(2):
                start = self.choice(self.once(PORTS, chosen))
                chosen[f"{side}portstart"] = start
                if self.one_in(3) and not start.startswith("$"):
                    chosen[f"{side}portend"] = str(min(65535, int(start) + self.choice([1, 9, 999])))


ATTRIBUTES = {"mac": Dice.mac, "vlan": Dice.vlan, "stp": Dice.stp, "arp": Dice.arp,
              "rarp": Dice.arp, "ip": Dice.ip, "ipv6": Dice.ipv6}
