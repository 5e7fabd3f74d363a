"""Commands of `acr` in processes of their own, which hear the signals that this one gets."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

from acr_lightning.system.child_process import die_with

HEARD = (signal.SIGINT, signal.SIGTERM)
# Seconds after which a signal that was lost comes again.
AGAIN = 0.01
# Signals that came and were to end this process.
_came: list[signal.Signals] = []


class Terminated(SystemExit):
    """SIGTERM came; what is open is closed on the way out."""


def end_well_on_signals() -> None:
    """Let SIGTERM end this process by an exception, as SIGINT does.

    While a Trainer runs, it is Lightning that ends after the batch on SIGTERM.
    """
    signal.signal(signal.SIGTERM, _end)
    # SLURM's warning, and what a Trainer makes of SIGTERM is what is wanted.
    signal.signal(signal.SIGUSR1, lambda signum, frame: os.kill(os.getpid(), signal.SIGTERM))
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, by `nohup`, say
        signal.signal(signal.SIGINT, _end)
    sys.unraisablehook = _send_again


def end_at_once_on_signals() -> None:
    """Let signals kill this process from here on: its work is done, and nothing would handle an exception."""
    for signum in HEARD:
        if signal.getsignal(signum) is _end:
            signal.signal(signum, signal.SIG_DFL)


def _end(signum: int, frame: FrameType | None) -> None:
    _came.append(signal.Signals(signum))
    if signal.getsignal(signum) is _end:  # otherwise Lightning's handler calls this one, and ends after the batch
        raise _exception_of(signum)


def _send_again(failure: "sys.UnraisableHookArgs") -> None:
    """Send a signal again that came in a destructor or a weak reference's callback, where Python drops exceptions."""
    if _came and isinstance(failure.exc_value, type(_exception_of(_came[-1]))):
        threading.Timer(AGAIN, os.kill, (os.getpid(), _came[-1])).start()
    else:
        sys.__unraisablehook__(failure)


def signal_that_came() -> signal.Signals | None:
    """The first signal that came and was to end this process."""
    return _came[0] if _came else None


def _exception_of(signum: int) -> BaseException:
    return KeyboardInterrupt() if signum == signal.SIGINT else Terminated()


class Fork:
    """A copy of this process that does some work and ends, and leaves this one's tidying up to this one.

    Signals are held back here until `wait_for`, and in the copy until `exit_status`, which has words for them.

    Args:
        work: gives its exit status.
    """

    def __init__(self, work: Callable[[], int]) -> None:
        self.process = multiprocessing.get_context("fork").Process(target=_work_beside, args=(os.getpid(), work))
        # A signal during the fork would be ignored, and one before `wait_for` would not reach the copy.
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        try:
            self.process.start()
        except BaseException:
            hear()
            raise

    def wait(self) -> int:
        """Its exit status; minus the signal's number if it was killed."""
        self.process.join()
        return cast(int, self.process.exitcode)

    def send_signal(self, signum: int) -> None:  # noqa: D102
        os.kill(cast(int, self.process.pid), signum)

    def kill(self) -> None:  # noqa: D102
        self.process.kill()


def _work_beside(parent: int, work: Callable[[], int]) -> None:
    die_with(parent)
    sys.exit(work())


def hear() -> None:
    """Let signals come that were held back while this process was copied."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)


def run_program(words: list[str]) -> int:
    """Run a program that ends when this process ends; see `wait_for`."""
    return wait_for(subprocess.Popen(words, preexec_fn=partial(die_with, os.getpid())))


def wait_for(child: Fork | subprocess.Popen[bytes]) -> int:
    """Wait for a process, which hears the first SIGTERM or SIGINT that comes here; a second one kills it.

    Returns:
        Its exit status; 128 and the signal's number if it was killed.

    Raises:
        Terminated: SIGTERM came.
        KeyboardInterrupt: SIGINT came.
    """
    signums: list[int] = []

    def pass_on(signum: int, frame: FrameType | None) -> None:
        signums.append(signum)
        if len(signums) > 1:
            child.kill()
        elif signum == signal.SIGTERM or not _has_terminal():
            child.send_signal(signum)

    before = _handle(HEARD, pass_on)
    hear()
    try:
        status = child.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    if signums:
        _came.append(signal.Signals(signums[0]))
        raise _exception_of(signums[0])
    return status if status >= 0 else 128 - status


def _handle(signals: tuple[int, ...], handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Handle the signals that are not ignored (by `nohup`, say); returns their handlers before."""
    signums = [signum for signum in signals if signal.getsignal(signum) is not signal.SIG_IGN]
    return {signum: signal.signal(signum, handler) for signum in signums}


def _has_terminal() -> bool:
    """Whether this is a terminal's foreground job: Ctrl-C then reaches all its processes by itself."""
    try:
        with open("/dev/tty") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
