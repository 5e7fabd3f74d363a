"""What a person can mend."""

import difflib
import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """Bad input: the message says what is wrong, where, and what to do.

    The command line prints it as one line, without a traceback, and exits with status 2.
    """


class Faults(UserError):
    """Bad input with several faults, `lines`; the message is the first."""

    def __init__(self, first: str, *others: str) -> None:
        super().__init__(first)
        self.lines = [first, *others]


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


@contextmanager
def reading(path: str | Path, missing: str, damaged: str) -> Iterator[None]:
    """Say in one line why a file cannot be read in this block, whatever its library raises.

    Args:
        path: of the file.
        missing: what is said where there is none.
        damaged: what is said of a damaged one, with `{}` for the reason.
    """
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: {missing}") from None
    except Exception as error:
        # Where the system would not open it, nothing is known of what is in it.
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE):
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path}: {damaged.format(reason)}") from None
