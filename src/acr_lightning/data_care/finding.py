"""What a check finds: problems, and notes on what may be meant so."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from acr_lightning.errors import UserError

Cell = str | int | float


class Finding(NamedTuple):
    """One thing that a check found.

    Attributes:
        kind: `missing`, `damaged`, `size` …
        image_id: whose; empty where it is about no single photo.
        file: where.
        what: is wrong.
        remedy: what to do.
    """

    kind: str
    image_id: str
    file: str
    what: str
    remedy: str

    def line(self) -> str:
        """The finding as one line."""
        return "  ".join(part or "-" for part in self)


# Where an error's message does not say it.
REMEDIES = {
    "missing": "add it, or take the id off the list",
    "damaged": "replace it, or take the id off the list",
    "colour": "write the labels as the indices of a palette PNG",
    "tags": "mend the annotation, or take the id off the list",
    "list": "mend the list, or name another",
    "photo": "replace the photo",
    "palette": "write the labels themselves as indices",
    "size": "make it again at the photo's size",
    "value": "write the labels themselves as indices",
}


def from_error(kind: str, image_id: str, error: UserError | str) -> Finding:
    """A finding from an error's message, which has the form `file: what; what to do`."""
    file, separator, rest = str(error).partition(": ")
    what, _, remedy = (rest if separator else file).partition("; ")
    return Finding(kind, image_id, file if separator else "", what, remedy or REMEDIES.get(kind, ""))


@dataclass
class Report:
    """The result of a check.

    Attributes:
        problems: what has to be mended.
        notes: what may be meant so.
        tables: by title; a row has its cells by the names of their columns.
    """

    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    tables: dict[str, list[dict[str, Cell]]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        findings = {"problems": self.problems, "notes": self.notes}
        return {**{name: [one._asdict() for one in ones] for name, ones in findings.items()}, "tables": self.tables}
