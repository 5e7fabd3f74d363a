"""`acr` as a user types it, in a process of its own that a zygote starts (see `zygote.py`)."""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from acr_lightning.cli.main import main


class Zygote:
    """Starts commands."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.zygote"],
            cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.count = 0

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def start(self, *words, cwd=None, env=None):
        """Start a command."""
        self.count += 1
        out, err = (Path(self.folder.name) / f"{self.count}.{name}" for name in ("out", "err"))
        changed = {key: value for key, value in os.environ.items() if key.startswith(("ACR_", "WANDB_", "OMP_"))}
        pid = self.ask(
            words=[*map(str, words)], cwd=str(cwd or os.getcwd()), out=str(out), err=str(err),
            env={**changed, **{key: str(value) for key, value in (env or {}).items()}},
        )  # fmt: skip
        return Command(self, pid, out, err)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


class Command:
    """A command that was started, with what tests use of `subprocess.Popen`."""

    def __init__(self, zygote, pid, out, err):
        self.zygote, self.pid, self.out, self.err, self.returncode = zygote, pid, out, err, None

    def poll(self):
        if self.returncode is None:
            self.returncode = self.zygote.ask(poll=self.pid)
        return self.returncode

    def wait(self):
        if self.returncode is None:
            self.returncode = self.zygote.ask(wait=self.pid)
        return self.returncode

    def communicate(self):
        self.wait()
        return self.out.read_text(), self.err.read_text()

    def send_signal(self, signum):
        os.kill(self.pid, signum)

    def terminate(self):
        self.send_signal(15)

    def kill(self):
        self.send_signal(9)


@functools.cache
def zygote():
    """The one of this test process, started when it is first needed."""
    made = Zygote()
    atexit.register(made.close)
    return made


def start(*words, **options):
    """Start a command; keywords are its `cwd` and what changes in its environment, `env`."""
    return zygote().start(*words, **options)


def acr(*words, **options):
    """Run a command to its end: `returncode`, `stdout`, `stderr`."""
    command = start(*words, **options)
    status = command.wait()
    return SimpleNamespace(returncode=status, stdout=command.out.read_text(), stderr=command.err.read_text())


def here(*words):
    """Run a command in this process; its exit status."""
    return main([*map(str, words)])
