"""What was tried, and what came of it."""

import time
from dataclasses import dataclass, field

from torture.commands import Outcome


@dataclass
class Tally:
    """Counts; every failure is printed with the words that repeat it.

    Attributes:
        kills: signals, or pairs of them, that a running command got.
        identical: of those, how many ended with the results of the uninterrupted run.
        lost: trials that did not.
        inputs: damaged files, refused commands and the like.
        clear: of those, how many were done without or answered in one line.
        tracebacks: the others.
        attacks: hostile inputs.
        executed: of those, how many ran or wrote something.
    """

    kills: int = 0
    identical: int = 0
    lost: int = 0
    inputs: int = 0
    clear: int = 0
    tracebacks: int = 0
    attacks: int = 0
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

    def answered(self, outcome: Outcome, what: str) -> None:
        """A command on bad input, or on a bad day."""
        self.inputs += 1
        if outcome.is_clear:
            self.clear += 1
        else:
            self.tracebacks += 1
            self.say(f"TRACEBACK {what}: status {outcome.status}, {outcome.said[-1500:]}")

    def attack(self, executed: bool, outcome: Outcome, what: str) -> None:
        """A command on hostile input, which has to be as clear as on a damaged one."""
        self.attacks += 1
        self.answered(outcome, what)
        if executed:
            self.executed += 1
            self.say(f"EXECUTED {what}: {outcome.said[-500:]}")

    def say(self, text: str) -> None:
        """One line of the log."""
        print(f"{time.monotonic() - self.since:6.0f} s  {text}", flush=True)

    @property
    def failed(self) -> bool:
        """Whether anything was lost, unclear or executed."""
        return bool(self.lost or self.tracebacks or self.executed)

    def figures(self) -> str:
        """The lines that a measurement ends with."""
        names = ("kills", "identical", "lost", "inputs", "clear", "tracebacks", "attacks", "executed")
        return "\n".join(f"figure torture.{name} {getattr(self, name)}" for name in names)
