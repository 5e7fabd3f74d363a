"""Commands of `acr` in processes of their own, which hear the signals that this one gets."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from acr_lightning.child_process import die_with


class Terminated(SystemExit):
    """SIGTERM came; what is open is closed on the way out."""


def end_well_on_sigterm() -> None:
    """Let SIGTERM end this process by an exception; while a Trainer runs, it is Lightning that ends after the batch."""
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(signum: int, frame: FrameType | None) -> None:
    if signal.getsignal(signum) is _terminate:  # otherwise Lightning's handler calls this one
        raise Terminated


def spawn(command: str, words: list[str]) -> int:
    """Run one command of `acr` in a new process; see `run_child`."""
    return run_child([sys.executable, "-m", "acr_lightning", command, *words])


def run_child(words: list[str]) -> int:
    """Run a program that ends when this process ends, and hears the first SIGTERM or SIGINT; a second one kills it.

    Returns:
        Its exit status; 128 and the signal's number if it was killed.

    Raises:
        Terminated: SIGTERM came.
        KeyboardInterrupt: SIGINT came.
    """
    child = subprocess.Popen(words, preexec_fn=partial(die_with, os.getpid()))
    received: list[int] = []

    def pass_on(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        if len(received) > 1:
            child.kill()
        elif signum == signal.SIGTERM or not _has_terminal():
            child.send_signal(signum)

    before = _handle((signal.SIGINT, signal.SIGTERM), pass_on)
    try:
        status = child.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    if received:
        raise KeyboardInterrupt if received[0] == signal.SIGINT else Terminated
    return status if status >= 0 else 128 - status


def _handle(signals: tuple[int, ...], handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Handle what is not ignored (by `nohup`, say); the handlers before."""
    heard = [signum for signum in signals if signal.getsignal(signum) is not signal.SIG_IGN]
    return {signum: signal.signal(signum, handler) for signum in heard}


def _has_terminal() -> bool:
    """Whether this is a terminal's foreground job: Ctrl-C then reaches all its processes by itself."""
    try:
        with open("/dev/tty") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
