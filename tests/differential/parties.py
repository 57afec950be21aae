# SPDX-License-Identifier: Apache-2.0
"""Conversations on a switch: who sends what through which port, and what became of each step.

The guest's port is filtered; the peer, the outside and the host itself are the others.  One step of
every conversation is sent at a time, so they go on side by side; conversations that a connection
tracker would confuse are held one after the other.
"""

from lab import frames as f
from lab.wire import Wire

MULTICAST_RECEIVERS = {"guest": {"peer", "outside"}}


class Parties:
    """ports: role -> what Wire takes for a port.  flush() makes the tracker forget connections."""

    def __init__(self, ports, flush):
        self.ports = ports
        self.flush = flush
        self.roles = {port.name: role for role, port in ports.items()}
        self.wire = Wire(ports.values(), (ports["peer"].name, ports["outside"].name))

    def hear(self, role, station):
        """The party sends a frame, so that a switch that wants to know where it is does."""
        self.wire.exchange([(self.ports[role].name,
                             f.eth(f.BROADCAST, station.mac, b"", 0x88b5))])

    def hold(self, conversations):
        """For each conversation a list: what became of each step, in one word if nothing is odd."""
        outcomes = {}
        for phase in phases(conversations):
            self.flush()
            for conversation in phase:
                outcomes[conversation] = []
            for number in range(max(len(conversation.steps) for conversation in phase)):
                talking = [each for each in phase if number < len(each.steps)]
                words = self._send([each.steps[number] for each in talking])
                for conversation, word in zip(talking, words):
                    outcomes[conversation].append(word)
        return [outcomes[conversation] for conversation in conversations]

    def _send(self, steps):
        traffic = [(self.ports[step.sender].name, frame) for step in steps
                   for frame in step.frames]
        verdicts = iter(self.wire.exchange(traffic))
        return [self._outcome(step, [next(verdicts) for _ in step.frames]) for step in steps]

    def _outcome(self, step, verdicts):
        words = [self._word(step, frame, verdict)
                 for frame, verdict in zip(step.frames, verdicts)]
        return words[0] if len(set(words)) == 1 else " then ".join(words)

    def _word(self, step, frame, verdict):
        seen = {self.roles[name]: count for name, count in verdict.seen.items()}
        if frame[0] & 1:
            wanted = MULTICAST_RECEIVERS.get(step.sender, {"guest"})
            seen = {role: count for role, count in seen.items() if role in wanted}
        else:
            wanted = {step.receiver}
        got = wanted & set(seen)
        words = ["passes" if got == wanted else "dropped" if not got
                 else f"reaches only {','.join(sorted(got))}"]
        if set(seen) - wanted:
            words.append(f"comes to {','.join(sorted(set(seen) - wanted))}")
        if any(count > 1 for count in seen.values()):
            words.append("is doubled")
        if verdict.mangled and not _ipv6_fragment(frame):  # the kernel gives them new numbers
            words.append("is mangled")
        return " ".join(words)


def phases(conversations):
    """Divide the conversations so that no two in a phase share a connection."""
    found = []  # (connections, conversations)
    for conversation in conversations:
        mine = conversation.connections()
        for connections, phase in found:
            if not mine & connections:
                break
        else:
            connections, phase = set(), []
            found.append((connections, phase))
        connections |= mine
        phase.append(conversation)
    return [phase for _, phase in found]


def _ipv6_fragment(frame):
    return frame[12:14] == f.IPV6.to_bytes(2, "big") and frame[20] == f.FRAGMENT
