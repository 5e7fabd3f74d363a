"""How a command ends: its exit status, and the one line that a person reads."""

import os
import signal
import sys
from collections.abc import Callable

from acr_lightning.errors import UserError
from acr_lightning.system.processes import end_at_once_on_signals, hear, signal_that_came
from acr_lightning.system.system_errors import lost_peer, system_error

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "stopped by SIGTERM"}


def exit_status(command: str, work: Callable[[], int], forced: bool = False) -> int:
    """Do a command's work; what a person can act on becomes one line.

    Args:
        command: what the line begins with.
        work: gives the exit status.
        forced: it was to begin anew (`--force`), and would do so again.

    Returns:
        0 done, 2 bad input, 130 or 143 interrupted.
    """
    try:
        hear()
        return work()
    except BrokenPipeError:  # `acr fit --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:
        # First: a library (compiled code) may have raised another error in the place of a signal's.
        if signum := signal_that_came() or (signal.SIGINT if isinstance(error, KeyboardInterrupt) else None):
            end_at_once_on_signals()
            print(f"acr {command}: {WORDS[signum]}; {same_command(forced)} continues", file=sys.stderr)
            return 128 + signum
        message = _wrapped(error) if isinstance(error, Exception) else None
        if message is None:
            raise
        print(f"acr {command}: {message.replace(same_command(), same_command(forced))}", file=sys.stderr)
    return 2


def same_command(forced: bool = False) -> str:
    """What goes on where a command ended, as it is called in messages."""
    return "the same command without --force" if forced else "the same command"


def _wrapped(error: BaseException | None) -> str | None:
    """The one line for a person inside an error (jsonargparse and loader processes wrap what is raised)."""
    marker = "acr_lightning.errors.UserError: "
    is_cause = True
    while error is not None:
        # First: a loader process's UserError comes back as one whose text is that process's whole traceback.
        if marker in str(error):
            return str(error).rpartition(marker)[2].strip()
        # Lightning's own refusals are about values, too; by name, since importing Lightning takes seconds.
        if isinstance(error, UserError) or type(error).__name__ == "MisconfigurationException":
            return str(error)
        line = system_error(error) if isinstance(error, OSError) else lost_peer(error)
        if is_cause and line is not None:
            return line
        is_cause = error.__cause__ is not None  # an error raised while a refusal is handled is a bug
        error = error.__cause__ or error.__context__
    return None
