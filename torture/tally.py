"""What was tried, and what came of it."""

import time
from collections import Counter
from dataclasses import dataclass, field

from torture.commands import TIMEOUT, Outcome

EXPERIMENTS, PREDICT, PLANS, FOLDERS, EXPORT = "experiment files", "predict", "plans", "score", "export"
TAGS, RUNS, DISKS, TARGETS, CHANGES = "init and tags", "runs and data", "locks and disks", "targets", "changed inputs"
ODD_VALUES = "downloads and seeds"
AREAS = (EXPERIMENTS, PREDICT, PLANS, FOLDERS, EXPORT, TAGS, RUNS, DISKS, ODD_VALUES, TARGETS, CHANGES)
ENDS = ("right", "clear error", "traceback", "timeout")


@dataclass
class Tally:
    """Counts; every failure is printed with the words that repeat it.

    Attributes:
        kills: signals, or pairs of them, that a running command got.
        identical: of those, how many ended with the results of the uninterrupted run.
        lost: trials that did not.
        ends: how commands on damaged files, odd values, bad days and hostile payloads ended, by area.
        attacks: hostile payloads.
        twins: of those, how many lie where a harmless payload works.
        executed: of those, how many worked.
    """

    kills: int = 0
    identical: int = 0
    lost: int = 0
    ends: dict[str, Counter[str]] = field(default_factory=lambda: {area: Counter() for area in AREAS})
    attacks: int = 0
    twins: int = 0
    executed: int = 0
    since: float = field(default_factory=time.monotonic)

    def trial(self, kills: int, what: str, difference: str) -> None:
        """A run that was disturbed, and where it differs from one that was not."""
        self.kills += kills
        if difference:
            self.lost += 1
            self.say(f"LOST {what}: {difference}")
        else:
            self.identical += kills
            self.say(f"identical {what}")

    def answered(self, outcome: Outcome, what: str, area: str) -> None:
        """A command on bad input, or on a bad day."""
        end = "timeout" if outcome.status == TIMEOUT else "traceback"
        if outcome.is_clear:
            end = "clear error" if outcome.status == 2 else "right"
        else:
            self.say(f"{end.upper()} {what}: status {outcome.status}, {outcome.said[-1500:]}")
        self.ends[area][end] += 1

    def attack(self, worked: bool, twin: bool, outcome: Outcome, what: str, area: str) -> None:
        """A command on a hostile payload, which has to be as clear as on a damaged one, and whether its twin worked."""
        self.attacks += 1
        self.twins += twin
        self.answered(outcome, what, area)
        if worked:
            self.executed += 1
            self.say(f"EXECUTED {what}: {outcome.said[-500:]}")

    def say(self, text: str) -> None:
        """One line of the log."""
        print(f"{time.monotonic() - self.since:6.0f} s  {text}", flush=True)

    @property
    def tracebacks(self) -> int:
        """How many commands gave no clear answer."""
        return sum(ends["traceback"] + ends["timeout"] for ends in self.ends.values())

    @property
    def inputs(self) -> int:
        """How many commands were to give one."""
        return sum(ends.total() for ends in self.ends.values())

    @property
    def clear(self) -> int:
        """How many gave one."""
        return self.inputs - self.tracebacks

    @property
    def failed(self) -> bool:
        """Whether anything was lost, unclear or executed, or an attack was of no use."""
        return bool(self.lost or self.tracebacks or self.executed or self.twins < self.attacks)

    def table(self) -> str:
        """How the commands ended, by area."""
        lines = [f"| area | tried | {' | '.join(ENDS)} |", "|---" * (len(ENDS) + 2) + "|"]
        lines += [
            f"| {area} | {ends.total()} | {' | '.join(str(ends[end]) for end in ENDS)} |"
            for area, ends in self.ends.items()
        ]
        return "\n".join(lines)

    def figures(self) -> str:
        """The lines that a measurement ends with."""
        names = ("kills", "identical", "lost", "inputs", "clear", "tracebacks", "attacks", "twins", "executed")
        return "\n".join(f"figure torture.{name} {getattr(self, name)}" for name in names)
