"""Bad days: locks of others, files that may not grow, folders that are gone or something else."""

import json
import os
import random
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torture.chain import STAGES
from torture.commands import Outcome, Run, as_typed, command, in_copy
from torture.tally import DISKS
from torture.whole import CHAIN

LOCKS = ("", "x", "1\n", "99999999\nelsewhere\n", "-1\nhere\n", "a\nb\nc\n", "\x1b[2J\nx\n", "9" * 5000 + "\nx\n")


@dataclass(frozen=True)
class Day:
    """One stage that has something to do, and what is in its way."""

    area: str = DISKS

    def prepare(self, folder: Path, rng: random.Random) -> tuple[Run, str]:
        """What is in the way, and the stage's command."""
        stage, kind = rng.choice(STAGES[1:]), rng.choice(KINDS)
        (folder / "run" / stage / "manifest.json").unlink()
        words = rng.choice(((stage, *CHAIN), ("run", *CHAIN, f"--stages={stage}")))
        limit = kind(folder / "run", stage, rng)
        run = command(*words) if limit is None else _limited(words, limit)
        return run, f"acr {' '.join(words)}: {kind.__name__}"


def lock(run: Path, stage: str, rng: random.Random) -> None:
    """A lock that somebody left, or something in its place."""
    path = run / f".{stage}.lock"
    kind = rng.choice(["text", "bytes", "folder", "pipe", "dangling", "own"])
    if kind == "text":
        path.write_text(rng.choice(LOCKS))
    elif kind == "bytes":
        path.write_bytes(rng.randbytes(50))
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    else:
        path.write_text(f"{os.getpid()}\n{os.uname().nodename}\n")


def small_files(run: Path, stage: str, rng: random.Random) -> int:
    """A limit on the size of files, bytes, as `ulimit -f` sets it."""
    return rng.choice([3000, 20_000])


def gone(run: Path, stage: str, rng: random.Random) -> None:
    """Something of the run or of its data is not there any more."""
    path = rng.choice(sorted(one for one in [*run.rglob("*"), *(run.parent / "shapes").rglob("*")]))
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def something_else(run: Path, stage: str, rng: random.Random) -> None:
    """A file where the stage's folder, or its results', should be; or a link."""
    path = rng.choice([run / stage, *(one for one in (run / stage).iterdir() if one.is_dir())])
    shutil.rmtree(path)
    kind = rng.choice(["file", "dangling", "loop", "pipe"])
    if kind == "file":
        path.write_text("")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere" if kind == "dangling" else path.name)


def half_done(run: Path, stage: str, rng: random.Random) -> None:
    """Leftovers of kills, and manifests of stages that were begun."""
    (run / stage / ".x.123.tmp").write_text("half")
    path = run / rng.choice(STAGES[:-1]) / "manifest.json"
    if path.exists():
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "status": rng.choice(["started", "", "x", "done"]), "digest": "0"}))


KINDS: tuple[Callable[[Path, str, random.Random], int | None], ...] = (
    lock, small_files, gone, something_else, half_done,
)  # fmt: skip


def _limited(words: tuple[str, ...], limit: int) -> Run:
    """The command where no file may be longer; what it prints goes into one as well."""

    def run(folder: Path, log: Path) -> Outcome:
        def work() -> int:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            return as_typed([*words], folder)

        return in_copy(work, log)

    return run
