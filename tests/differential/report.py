# SPDX-License-Identifier: Apache-2.0
"""What the comparison has to say: differences as they come, and the last line."""

import time

import known
from lab.decode import describe

SIGNS = {"passes": "+", "dropped": "."}


class Report:
    """Counts, and prints differences as they come: the filters' text once, then its frames."""

    def __init__(self, limit):
        self.limit = limit
        self.started = time.monotonic()
        self.filters = self.frames = self.steps = self.differences = 0
        self.known = {}
        self.case = None
        self.shown = 0

    def begin(self, case):
        self.case, self.shown = case, 0
        self.filters += 1

    def is_known(self, direction, frame, expected, found):
        reason = known.reason(self.case, direction, frame, expected, found)
        if reason:
            self.count_known(reason)
        return bool(reason)

    def count_known(self, reason):
        self.known[reason] = self.known.get(reason, 0) + 1

    def frame(self, direction, frame, expected, found):
        self.difference(f"{direction}: {describe(frame)}\n    expected: {expected}; "
                        f"ours: {found}\n    {frame.hex()}")

    def difference(self, text):
        self.differences += 1
        if self.shown == 0:
            self._show_case()
        self.shown += 1
        if self.shown <= self.limit:
            print(f"  {text}")
        elif self.shown == self.limit + 1:
            print("  ... and more")

    def _show_case(self):
        params = " ".join(f"{name}={','.join(values)}"
                          for name, values in self.case.params.items())
        print(f"\n{self.case.origin} filter {self.case.name} {params}")
        if self.case.origin != "stock":
            for text in self.case.files.values():
                print("".join(f"  | {line}\n" for line in text.splitlines()), end="")

    def summary(self, seed):
        for reason, count in sorted(self.known.items()):
            print(f"known: {count} times: {reason}")
        print(f"{time.monotonic() - self.started:.0f} s")
        steps = f"{self.steps} steps, " if self.steps else ""
        print(f"differential: {self.filters} filters, {self.frames} frames, {steps}"
              f"{self.differences} differences (seed {seed})", flush=True)


def compare_refusals(case, complaint, our_complaint, report):
    if bool(complaint) != ("libvirt" in case.refused_by):
        report.difference(f"libvirt: {complaint or 'accepts'}; ours: {our_complaint or 'accepts'}")
    elif bool(our_complaint) != ("us" in case.refused_by):
        report.difference(f"ours: {our_complaint or 'accepts'}; libvirt: {complaint or 'accepts'}")
    elif our_complaint and case.word not in our_complaint:
        report.difference(f"ours does not name {case.word}: {our_complaint}")


def tell(conversation, expected, found):
    """The conversation up to the first step that fares differently."""
    lines = [f"{conversation.name}: expected {signs(expected)}, ours {signs(found)}"]
    for step, theirs, ours in zip(conversation.steps, expected, found):
        frames = "; ".join(describe(frame) for frame in step.frames)
        lines.append(f"    {step.sender}: {frames}: "
                     + (theirs if theirs == ours else f"expected: {theirs}; ours: {ours}"))
        if theirs != ours:
            break
    return "\n".join(lines)


def signs(words):
    return "".join(SIGNS.get(word, "?") for word in words)
