"""Names of classes that cannot be meant, in whatever data set."""

import unicodedata
from collections.abc import Iterator, Sequence

from acr_lightning.artefacts.cam_file import MOST_CLASSES
from acr_lightning.errors import UserError, shown

# Unicode's categories of characters that steer a terminal or break a line, and of halves of characters.
UNWRITTEN = ("Cc", "Cs", "Zl", "Zp")


def class_faults(class_names: Sequence[str]) -> Iterator[str]:
    """What is wrong with the names of a data set's classes, one line each."""
    if len(class_names) > MOST_CLASSES:
        yield f"{len(class_names)} classes, a mask holds {MOST_CLASSES} at the most; keep fewer with dataset.classes"
        return
    first: dict[str, str] = {}
    for name in class_names:
        if fault := name_fault(name):
            yield f"class {shown(name)} {fault}; give it another name"
        if name.casefold() == "background":
            yield f"tag {shown(name)}: every photo has a background, so it is no tag; take it out"
        plain = unicodedata.normalize("NFKC", name).casefold()
        if plain not in first:
            first[plain] = name
        elif first[plain] == name:
            yield f"class {shown(name)} is named twice; take one out"
        else:
            yield f"tags {shown(first[plain])} and {shown(name)} differ in case or encoding alone; write one of them"


def name_fault(name: str) -> str | None:
    """Why nothing can be called so: `is empty` and the like, to be put after the name; None where it can."""
    if not name.strip():
        return "is empty"
    return "holds a control character" if any(unicodedata.category(one) in UNWRITTEN for one in name) else None


def require_class_names(class_names: Sequence[str], where: str) -> None:
    """Check the names of a data set's classes.

    Raises:
        UserError: one cannot be meant, or there are too many.
    """
    for fault in class_faults(class_names):
        raise UserError(f"{where}: {fault}")
