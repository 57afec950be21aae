# SPDX-License-Identifier: Apache-2.0
"""What "explain" says of the frames that a test checks.

Of each frame whose way was as expected, "explain --live" is asked about the guest that sent it and
about each guest that got it, or would have if its filter had not dropped it.  The answer must be
the verdict that was seen, and the switch's trace must agree.  What cannot be compared is counted,
with the reason, and the counts are printed at the end of the test.
"""

import collections
import concurrent.futures
import json

from lab import frames as f
from lab.decode import describe

Question = collections.namedtuple("Question", "port direction frame ct sender")


class Frame(bytes):
    """A frame that knows its part in a connection: "new" begins it, "est|rpl" answers, "est" goes
    on after an answer, "rel" is an error about it.  `stray` is what it is beside any connection:
    "new" too, or "inv" if nothing begins like that."""
    role = stray = None

    @classmethod
    def of(cls, frame, role, stray="new"):
        frame = cls(frame)
        frame.role, frame.stray = role, stray
        return frame


class Explained:
    """Answers hold as long as `policy`, which the world changes with whatever they depend on."""

    def __init__(self, world, ask, retag):
        self.world, self.ask, self.retag = world, ask, retag
        self.left_out = collections.Counter()
        self.compared = 0
        self.answers, self.policy = {}, None

    def check(self, rows, policy):
        """Rows of (sender, frame, receivers) that went as expected; what is wrong, in a list."""
        if policy != self.policy:
            self.answers, self.policy = {}, policy
        if self.world.audited:
            self.left_out["in audit mode, what filters drop passes"] += len(rows)
            return []
        asked = [self._questions(*row) for row in rows]
        fresh = {question for row in asked for question, _ in row} - self.answers.keys()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            self.answers.update(zip(fresh, pool.map(self._answer, fresh)))
        return [wrong for row in asked for wrong in self._compare(row)]

    def report(self):
        if self.compared or self.left_out:
            print(f"explain: {self.compared} verdicts compared" + "".join(
                f"\n    {count} frames not: {why}" for why, count in self.left_out.items()),
                flush=True)

    # --- what to ask

    def _questions(self, sender, frame, receivers):
        """[(question, verdict)]; the verdict is None where one of those asked must drop it."""
        tags = receivers if isinstance(receivers, dict) else dict.fromkeys(receivers)
        tags = {name: value for name, value in tags.items() if name != sender}
        if not self.world.is_in_force(sender):
            self.left_out["no policy is in force, or nothing passes, at the sender's port"] += 1
            return []
        owners = self._owners(frame)
        from_guest = self.world.is_guest(sender)
        # Whether the sender's filter lets it through is seen where anybody gets it.
        seen = tags or not from_guest
        if not owners and not frame[0] & 1 and self.world.spares_guests():
            self.left_out["nobody knows the address, and guests are spared it"] += 1
            return []
        visited = [name for name in self.world.ports if name != sender
                   and self.world.is_guest(name) and (name in tags or (
                       name in owners or (seen and not owners)))]
        said = [(sender, "out", frame, ("passes" if tags else None if set(owners) & set(visited)
                                        else "dropped"))] if from_guest else []
        for name in visited:
            if not self.world.is_in_force(name):
                self.left_out["no filter is in force at the port that it is for"] += 1
                continue
            form = self._form(name, sender, frame, tags)
            if form is not None:
                said.append((name, "in", form,
                             "passes" if name in tags else "dropped" if seen else None))
        # Who sends it matters to those that exchange no frames.
        isolated = sender if from_guest and self.world.is_isolated(sender) else None
        asked = [(self._question(port, direction, form, frame, verdict, isolated), verdict)
                 for port, direction, form, verdict in said]
        return [pair for pair in asked if pair[0]]

    def _owners(self, frame):
        """Of a single station's address, whose it is; empty for one that is flooded."""
        dst = ":".join(f"{byte:02x}" for byte in frame[:6])
        return [name for name, station in self.world.stations.items()
                if station.mac == dst and not frame[0] & 1]

    def _form(self, name, sender, frame, tags):
        """The frame as the guest gets it, or would; None if it is in another VLAN."""
        if name in tags:
            return frame if tags[name] is None else self.retag(frame, tags[name])
        mine, others = self.world.vlans[name], self.world.vlans.get(sender, {})
        if not set(mine) | set(others) <= {"tag"}:
            self.left_out["whether a VLAN's frame gets to this kind of port is not known here"] += 1
            return None
        inside, _ = tags_of(frame)
        vlan = others.get("tag", inside[0] if inside else 0)
        if "tag" in mine:
            return self.retag(frame, ()) if vlan == mine["tag"] else None
        return self.retag(frame, (vlan,) if vlan else ()) if "tag" in others else frame

    def _question(self, port, direction, form, frame, verdict, isolated):
        tags, ethertype = tags_of(form)
        ct = None
        if not tags and ethertype in (f.IPV4, f.IPV6) and self.world.is_tracked(port):
            ct = getattr(frame, "role" if verdict == "passes" else "stray", None)
            if not ct:
                self.left_out["the test does not say what its connection is"] += 1
                return None
        return Question(port, direction, bytes(form), ct, isolated if direction == "in" else None)

    # --- what it says

    def _answer(self, question):
        ct = [f"--ct={question.ct}"] if question.ct else []
        return self.ask("--format=json", "explain", question.port, question.direction,
                        question.frame.hex(), "--live", *ct,
                        *([f"--from={question.sender}"] if question.sender else []))

    def _compare(self, asked):
        wrong, verdicts = [], set()
        for question, said in asked:
            answer = self.answers[question]
            verdict = json.loads(answer.out)["verdict"] if answer.status in (0, 2) else None
            verdicts.add(verdict)
            self.compared += 1
            if answer.status or (said and verdict != said):
                wrong.append(f"explain {question.port} {question.direction} "
                             f"{describe(question.frame)} {question.ct or ''}: {verdict}, seen: "
                             f"{said}; exit {answer.status} {answer.err} "
                             + " ".join(answer.out.split()))
        if asked and all(said is None for _, said in asked) and verdicts == {"passes"}:
            wrong.append(f"explain: nobody drops {describe(asked[0][0].frame)}, and nobody got it")
        return wrong


def tags_of(frame):
    """The VLANs of the frame's tags, and the type behind them."""
    at, vlans = 12, []
    while frame[at:at + 2] == b"\x81\0":
        vlans.append(int.from_bytes(frame[at + 2:at + 4], "big") & 0xfff)
        at += 4
    return vlans, int.from_bytes(frame[at:at + 2], "big")
