# SPDX-License-Identifier: Apache-2.0
"""Steps of conversations that are known to fare differently, each with its reason.

Every entry says of which frames, after what and in which sense the verdicts may differ.  Where ours
passes what libvirt drops is marked "open": there is no way around it, or libvirt is wrong.  The
sources named are those of Open vSwitch (lib/) and of Linux (net/).
"""

import xml.etree.ElementTree as ElementTree

from conversations import ACK, RST, SYN
from derive_layer4 import ELEMENTS
from lab import frames as f

PASSES_DROPPED, DROPPED_PASSES = ("passes", "dropped"), ("dropped", "passes")
PROTOCOLS = {"tcp": f.TCP, "udp": f.UDP, "udplite": f.UDPLITE, "sctp": f.SCTP, "esp": f.ESP,
             "ah": f.AH, "icmp": f.ICMP, "icmpv6": f.ICMPV6, "igmp": f.IGMP}
ECHO_REPLY = {4: 0, 6: 129}
NAMED_REQUESTS = {4: (17, 18), 6: (139, 140)}  # requests and answers to Linux only
REQUESTS = {4: (8, 13, 15, 0, 14, 16), 6: (128, 129)}
ERRORS = {4: (3, 4, 5, 11, 12), 6: (1, 2, 3, 4)}


def conversation_reason(case, conversation, expected, found):
    """Why the steps of this conversation may fare differently, or None if any has no reason."""
    rules = [Rule(rule) for text in case.files.values()
             for rule in ElementTree.fromstring(text).iterfind("rule")]
    reasons = []
    for number, (step, theirs, ours) in enumerate(zip(conversation.steps, expected, found)):
        for frame, *verdicts in zip(step.frames, _words(step, theirs), _words(step, ours)):
            if verdicts[0] != verdicts[1]:
                about = About(rules, step, number, frame, tuple(verdicts), expected, found,
                              conversation)
                reasons.append(next((text for is_so, text in ENTRIES if is_so(about)), None))
    return reasons[0] if reasons and all(reasons) else None


def _words(step, outcome):
    words = outcome.split(" then ")
    return words if len(words) == len(step.frames) else words * len(step.frames)


class Rule:
    """A rule of a filter's text, and what it asks of connections."""

    def __init__(self, rule):
        element = rule[0] if len(rule) else None
        self.tag = element.tag if element is not None else None
        self.attributes = dict(element.attrib) if element is not None else {}
        self.is_layer4 = self.tag in ELEMENTS
        self.family = 6 if self.is_layer4 and self.tag.endswith("v6") else 4
        self.proto = PROTOCOLS.get((self.tag or "").removesuffix("-ipv6"))
        self.drops = rule.get("action") in ("drop", "reject")
        self.negated = self.attributes.get("match") == "no"
        self.states = set(self.attributes.get("state", "").upper().replace(",", " ").split())
        self.is_tracked = self.is_layer4 and (self.states - {"NONE"} or not self.states and (
            rule.get("action") == "accept" and rule.get("direction") != "inout"
            and rule.get("statematch") not in ("false", "0")))


class About:
    """A frame that fares differently: verdicts are libvirt's and ours."""

    def __init__(self, rules, step, number, frame, verdicts, expected, found, conversation):
        self.step, self.frame, self.verdicts = step, frame, verdicts
        self.family = 6 if frame[12:14] == b"\x86\xdd" else 4
        self.all_rules = rules
        self.rules = [rule for rule in rules if rule.is_layer4 and rule.family == self.family]
        self.is_tracked = any(rule.is_tracked for rule in self.rules)
        self.before = list(zip(conversation.steps, expected, found))[:number]
        self.is_fragment = self.is_later = self.is_behind_ah = False
        self._parse(frame)

    def _parse(self, frame):
        if self.family == 4:
            self.proto, self.body = frame[23], frame[14 + (frame[14] & 15) * 4:]
            offset = int.from_bytes(frame[20:22], "big")
            self.is_fragment, self.is_later = bool(offset & 0x3fff), bool(offset & 0x1fff)
            return
        proto, body = frame[20], frame[54:]
        while proto in (f.HOP_BY_HOP, f.ROUTING, f.DESTINATION, f.FRAGMENT, f.AH):
            length = {f.FRAGMENT: 8, f.AH: body[1] * 4 + 8}.get(proto, body[1] * 8 + 8)
            if proto == f.FRAGMENT:
                self.is_fragment, self.is_later = True, int.from_bytes(body[2:4], "big") > 7
            self.is_behind_ah |= proto == f.AH
            proto, body = body[0], body[length:]
        self.proto, self.body = proto, body

    def has_rule(self, is_so):
        return any(is_so(rule) for rule in self.rules)


# --- the entries

def _sctp(about):
    """open: only what follows a frame of its association that libvirt dropped."""
    return (about.is_tracked and about.proto == f.SCTP
            and any(theirs == "dropped" for _, theirs, _ in about.before))


def _is_odd_question(kind, code, family):
    """Whether the message is a request, or an answer to one, that only Linux takes for such."""
    return kind in NAMED_REQUESTS[family] or code and kind in REQUESTS[family]


def _unknown_request(about):
    return (about.verdicts == PASSES_DROPPED and about.is_tracked
            and about.proto in (f.ICMP, f.ICMPV6)
            and _is_odd_question(*about.body[:2], about.family))


def _port_0(about):
    return (about.verdicts == PASSES_DROPPED and about.is_tracked
            and about.proto in (f.TCP, f.UDP) and b"\0\0" in (about.body[:2], about.body[2:4]))


def _odd_error(about):
    """An error that is invalid to Open vSwitch, under a rule that drops what is related; or about
    what is in doubt itself.  open: under a rule that accepts what is invalid."""
    accepted = about.verdicts == DROPPED_PASSES and about.has_rule(
        lambda rule: "INVALID" in rule.states and not rule.drops)
    if (not (accepted or about.verdicts == PASSES_DROPPED) or not about.is_tracked
            or about.proto not in (f.ICMP, f.ICMPV6) or about.body[0] not in ERRORS[about.family]):
        return False
    quoted = about.body[8:]
    proto, inner = (quoted[6], quoted[40:]) if about.family == 6 else (quoted[9], quoted[20:])
    in_doubt = (b"\0\0" in (inner[:2], inner[2:4]) if proto in (f.TCP, f.UDP) else
                proto in (f.ICMP, f.ICMPV6) and _is_odd_question(*inner[:2], about.family))
    return in_doubt or not accepted and about.has_rule(lambda rule: rule.drops and "RELATED" in rule.states)


def _tcp_doubt(about):
    """A segment of a handshake that went wrong: rules that drop it may be of another state."""
    if about.verdicts != PASSES_DROPPED or not about.is_tracked or about.proto != f.TCP:
        return False
    flags = [step.frames[0][len(about.frame) - len(about.body) + 13] for step, _, _ in about.before]
    mine = about.body[13]
    is_open = not flags or flags[0] & (SYN | ACK) == SYN and (len(flags) < 2 or not any(
        others & (SYN | ACK) == SYN | ACK for others in flags[1:2]))
    odd = mine & (SYN | ACK) == SYN | ACK or mine & RST or mine & (SYN | ACK) == SYN and flags
    return bool(is_open or odd)


def _behind_ah(about):
    """open: only if a rule is about the protocol that AH protects."""
    return (about.family == 6 and about.is_behind_ah
            and about.has_rule(lambda rule: rule.proto == about.proto))


def _answer_unseen(about):
    """open: only after a frame that both kept from the guest, with Ethernet rules that drop and a
    rule that asks for a state."""
    return (about.is_tracked
            and any(step.receiver == "guest" and theirs == ours == "dropped"
                    for step, theirs, ours in about.before)
            and any(rule.drops and not rule.is_layer4 for rule in about.all_rules)
            and about.has_rule(lambda rule: rule.states & {"NEW", "ESTABLISHED"}))


def _unsolicited_fragments(about):
    return (about.verdicts == PASSES_DROPPED and about.is_tracked and about.is_fragment
            and about.proto in (f.ICMP, f.ICMPV6)
            and _first_type(about) == ECHO_REPLY[about.family]
            and all(theirs == "dropped" for _, theirs, _ in about.before))


def _first_type(about):
    """Of the fragments' message."""
    return about.step.frames[0][62 if about.family == 6 else 34]


def _early_reset(about):
    """The sender had one segment through, and that was not its first."""
    through = [step.frames[0] for step, theirs, _ in about.before
               if step.sender == about.step.sender and theirs == "passes"]
    return (about.verdicts == PASSES_DROPPED and about.is_tracked and about.proto == f.TCP
            and not about.is_fragment and about.body[13] & RST and len(through) == 1
            and not through[0][len(about.frame) - len(about.body) + 13] & SYN)


def _later_ipv6(about):
    return (about.verdicts == PASSES_DROPPED and about.family == 6 and about.is_later
            and not about.is_tracked
            and about.has_rule(lambda rule: rule.drops)
            and about.has_rule(lambda rule: rule.proto is not None))


def _lost_negation(about):
    """open: of the rule's protocol only."""
    return about.has_rule(lambda rule: rule.negated and rule.proto == about.proto
                          and "dstportstart" in rule.attributes
                          and "srcportstart" not in rule.attributes)


def _payload_as_ports(about):
    """open: only later fragments under a rule that drops what is not of a source port."""
    return (about.verdicts == DROPPED_PASSES and about.is_later and not about.is_tracked
            and about.has_rule(lambda rule: rule.negated and rule.drops
                               and rule.proto == about.proto
                               and "srcportstart" in rule.attributes))


def _flags_ipv6(about):
    """open: TCP over IPv6 only."""
    return about.family == 6 and about.proto == f.TCP and about.has_rule(
        lambda rule: rule.tag == "tcp-ipv6" and "flags" in rule.attributes)


ENTRIES = (
    (_sctp, "SCTP: a connection of Linux begins with INIT (netfilter/nf_conntrack_proto_sctp.c); "
            "Open vSwitch knows its addresses only (extract_l4() in lib/conntrack.c)"),
    (_unknown_request, "ICMP types 17 and 139, requests with a code, and answers to them: Open "
                       "vSwitch calls them invalid (extract_l4_icmp(), extract_l4_icmp6() in "
                       "lib/conntrack.c); rules that drop a state drop them"),
    (_port_0, "port 0: the same (extract_l4_tcp(), extract_l4_udp())"),
    (_odd_error, "an ICMP error about one of these: Open vSwitch calls it invalid, as it does one "
                 "about nothing; rules that drop RELATED drop both, and rules that accept INVALID "
                 "accept both"),
    (_tcp_doubt, "TCP that goes on without a right handshake: its state is in doubt "
                 "(src/compile/stray.c)"),
    (_behind_ah, "AH over IPv6: to Open vSwitch an extension header, so the packet is of the "
                 "protocol behind it (parse_ipv6_ext_hdrs__() in lib/flow.c)"),
    (_answer_unseen, "an answer that an Ethernet rule drops: Linux has tracked it by then "
                     "(ebtables' POSTROUTING comes after iptables' hooks), ours not"),
    (_unsolicited_fragments, "fragments of an unsolicited echo reply: invalid, as are fragments "
                             "that never came together (ipf_send_frags_in_list() in lib/ipf.c)"),
    (_early_reset, "a reset after a single segment of a connection that was not seen to begin: "
                   "tcp_new_conn() does not count that segment's data, and a reset must be exact "
                   "(lib/conntrack-tcp.c)"),
    (_later_ipv6, "a later fragment of IPv6, under rules without states: Open vSwitch does not "
                  "show its protocol (parse_ipv6_ext_hdrs__() in lib/flow.c); rules that ask for "
                  "one drop it, or do not accept it"),
    (_lost_negation, "match='no' with dstportstart only: libvirt copies the negation from the "
                     "source port's, and loses it (virNWFilterRuleDefFixup())"),
    (_payload_as_ports, "negated ports and a later fragment: iptables (of nftables) takes its "
                        "first bytes for ports; xt_udp would not, nor do we"),
    (_flags_ipv6, "flags of tcp-ipv6: documented, but libvirt does not read them"),
)
