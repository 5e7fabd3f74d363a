"""What a person can mend."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input: the message says what is wrong, where, and what to do.

    The command line prints it as one line, without a traceback, and exits with status 2.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'dog'?`, or nothing where no known name is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{matches[0]}'?" if matches else ""
