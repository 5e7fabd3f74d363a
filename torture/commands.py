"""Commands of `acr`, each in a copy of this process, which has imported everything once and computed nothing."""

import importlib
import multiprocessing.util
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import acr_lightning
from acr_lightning.cli.exit_status import exit_status
from acr_lightning.cli.main import main
from acr_lightning.cli.start import way_to_start

# Done, done with findings, bad input, and what a shell says of SIGINT, SIGKILL and SIGTERM.
GOOD = (0, 1, 2, 130, 137, 143)
# The most that a trial takes.
SECONDS = 60.0
# The status of what took longer.
TIMEOUT = -1
PROGRAM = os.path.join(os.path.dirname(sys.executable), "acr")


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        status: as a shell says it.
        said: all that it printed.
    """

    status: int
    said: str

    @property
    def is_clear(self) -> bool:
        """Whether there is no traceback, and bad input has its one line."""
        told = any(line.startswith("acr ") for line in self.said.splitlines()[-1:])
        return "Traceback" not in self.said and self.status in GOOD and (self.status != 2 or told)


class Command:
    """A command that runs in a group of processes of its own.

    Args:
        words: after `acr`.
        log: the file for what it prints.
        folder: where it runs.
        environment: what is other than here.
    """

    def __init__(self, words: list[str], log: Path, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        def work() -> int:
            os.environ.update(environment or {})
            return as_typed(words, folder)

        self.log = log
        self.pid = fork(work, log)
        self.status: int | None = None

    def poll(self) -> int | None:
        """Its exit status, once it has ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.status = code if code >= 0 else 128 - code
        return self.status

    def wait(self, seconds: float = SECONDS) -> Outcome:
        """Wait for its end; what takes longer is killed, and has the status `TIMEOUT`."""
        end = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        if self.poll() is None:
            self.kill_group()
            os.waitpid(self.pid, 0)
            self.status = TIMEOUT
        assert self.status is not None
        return Outcome(self.status, self.log.read_text(errors="replace"))

    def send(self, signum: int) -> None:
        """Send a signal to the command alone, as `kill` does."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill_group(self) -> None:
        """Kill it with all processes that it started."""
        os.killpg(self.pid, signal.SIGKILL)


def call(words: list[str], log: Path, folder: Path, seconds: float = SECONDS) -> Outcome:
    """Run a command to its end."""
    return Command([str(word) for word in words], log, folder).wait(seconds)


# Does a trial's command in its folder, with a file for what it prints.
Run = Callable[[Path, Path], Outcome]


def command(*words: str) -> Run:
    """A command of `acr`."""
    return lambda folder, log: call([*words], log, folder)


def program(*words: str, **environment: str) -> Run:
    """The same as a new program, which imports everything itself."""

    def run(folder: Path, log: Path) -> Outcome:
        with log.open("w") as said:
            done = subprocess.run(
                [PROGRAM, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False,
                env={**os.environ, "PYTHONPATH": "", **environment},
            )  # fmt: skip
        return Outcome(done.returncode, log.read_text(errors="replace"))

    return run


def function(work: Callable[[Path], int]) -> Run:
    """Work on a trial's folder that uses torch and gives an exit status, as a command would do it."""
    return lambda folder, log: in_copy(lambda: exit_status("work", lambda: work(folder)), log)


def in_order(*runs: Run) -> Run:
    """One after the other, until one fails: how the last one ended, and what all of them said."""

    def run(folder: Path, log: Path) -> Outcome:
        said = ""
        for one in runs:
            outcome = one(folder, log)
            said += outcome.said
            if outcome.status:
                break
        return Outcome(outcome.status, said)

    return run


def import_once() -> None:
    """Import the whole package, and with it what the commands need, before the first one is started."""
    for module in pkgutil.walk_packages(acr_lightning.__path__, "acr_lightning."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:  # of an extra that is not installed: no command can need it
            if error.name is None or error.name.startswith("acr_lightning"):
                raise


def prepare() -> None:
    """Let commands be copies of this process; nothing may have computed with torch before."""
    os.environ.update(WANDB_MODE="disabled", WANDB_SILENT="true", NO_ALBUMENTATIONS_UPDATE="1")
    way_to_start()
    import_once()


def fork(work: Callable[[], int], log: Path | None = None, errors: Path | None = None) -> int:
    """Do some work in a copy of this process, with a group of its own.

    Args:
        work: gives its exit status.
        log: the file for what it prints; None leaves it where this process prints.
        errors: one for what it prints as errors, if that is not `log`.

    Returns:
        Its number.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        if log is not None:
            target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(target, 1)
            os.dup2(target if errors is None else os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = work()
    except SystemExit as stop:  # also of each process that a command starts by copying itself
        status = stop.code if isinstance(stop.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        multiprocessing.util._exit_function()  # type: ignore[attr-defined]  # processes that load photos
        os._exit(status)


def in_copy(work: Callable[[], int], log: Path) -> Outcome:
    """Do some work that uses torch; what it gives is its exit status."""
    _, status = os.waitpid(fork(work, log), 0)
    return Outcome(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"))


def as_typed(words: list[str], folder: Path) -> int:
    """Do what a command asks for, in this process, as if it had been typed in a folder; its exit status."""
    os.chdir(folder)
    # What Lightning starts once more for each further device: this program, not the module that runs now.
    sys.modules["__main__"].__spec__ = None
    sys.argv = [PROGRAM, *words]
    return main()


def remove(folder: Path) -> None:
    """Remove a folder, whatever a trial has made of it."""
    shutil.rmtree(folder, ignore_errors=True)
