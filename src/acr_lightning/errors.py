"""What a person can mend."""

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """Bad input: the message says what is wrong, where, and what to do.

    The command line prints it as one line, without a traceback, and exits with status 2.
    """


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """` Did you mean 'dog'?`, or nothing where no known name is near; `likeness` 1 is the name itself."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def shown(name: str) -> str:
    """A name as it can stand in a message: in quotes, control characters escaped, not longer than a line."""
    return repr(name if len(name) <= 100 else f"{name[:99]}…")


def expect(fits: bool, value: object, place: str, condition: str) -> None:
    """Raise a UserError that says which condition a value at this place does not meet, unless it fits."""
    if not fits:
        raise UserError(f"{place}: expected {condition}, got {shown(str(value))}")


def refusal(path: str | Path, error: Exception) -> UserError | None:
    """The message where the system would not open a file, which says nothing about what is in it; else None."""
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE):
        return UserError(f"{path}: cannot be read ({error.strerror})")
    return None
