"""A row of the proof."""

from typing import Literal, NamedTuple

Verdict = Literal["passed", "FAILED", "needs a GPU"]


class Row(NamedTuple):
    """One thing that was tried.

    Attributes:
        what: was tried.
        verdict: how it went.
        value: what was measured and what it may be, or why it failed; of what needs a GPU, what a CPU could try.
        figures: name and value of each figure that the row gives.
    """

    what: str
    verdict: Verdict
    value: str
    figures: dict[str, float]


def judged(what: str, holds: bool, value: str, **figures: float) -> Row:
    """A row that passed or failed."""
    return Row(what, "passed" if holds else "FAILED", value, figures)


def needs_gpu(what: str, value: str, **figures: float) -> Row:
    """A row that a CPU cannot judge."""
    return Row(what, "needs a GPU", value, figures)
