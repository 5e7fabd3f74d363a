"""A chain by two processes at once, as srun starts them, of which one is killed in a stage: the same files."""

import itertools
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from torture.chain import STAGES, Baseline
from torture.commands import Command, Outcome, remove
from torture.tally import Tally

WORLD = 2
# The most that all stages take.
CHAIN_SECONDS = 600.0
# A job for each command: its ports are its own.
_jobs = itertools.count(os.getpid())


def task(rank: int, job: int) -> dict[str, str]:
    """What srun says to one task of a job on one machine."""
    said = {"JOB_ID": job, "STEP_ID": 0, "NTASKS": WORLD, "NNODES": 1, "PROCID": rank, "LOCALID": rank, "NODEID": 0}
    return {**{f"SLURM_{name}": str(value) for name, value in said.items()}, "SLURM_JOB_NAME": "torture"}


def begin(words: list[str], log: Path, folder: Path) -> list[Command]:
    """Start both tasks."""
    job = next(_jobs)
    return [Command(words, log.with_suffix(f".{rank}.log"), folder, task(rank, job)) for rank in range(WORLD)]


def both(words: list[str], log: Path, folder: Path) -> list[Outcome]:
    """Run both tasks to their ends."""
    return [command.wait(CHAIN_SECONDS) for command in begin(words, log, folder)]


def chain_trial(made: Baseline, name: str, tally: Tally) -> None:
    """The whole chain by two tasks in one command, undisturbed."""
    run = made.folder / name / "run"
    run.parent.mkdir()
    words = ["run", f"--stages={','.join(STAGES)}", "--config", str(made.config), f"--run={run}"]
    _end(made, STAGES, run, both(words, run.parent / "whole", made.folder), "", 0, f"{name}: the chain", tally)


def rank_trial(made: Baseline, number: int, seed: str, tally: Tally) -> None:
    """One of the tasks is killed; the other is ended, as srun does where it is told to; then both once more.

    Args:
        made: by one process.
        number: of the trial; the stages take turns, and from round to round the ranks.
        seed: of the trial.
        tally: what counts it.
    """
    stage, rank = STAGES[number % len(STAGES)], number // len(STAGES) % WORLD
    landed, longest, rng = False, made.seconds[stage], random.Random(seed)
    while not landed:
        run = made.begun(stage, f"{seed}-{longest:.2f}")
        words = made.words(stage, run, by_run=True)
        tasks = begin(words, run.parent / "killed", made.folder)
        time.sleep(rng.uniform(0.1, longest))
        if landed := tasks[rank].poll() is None:
            tasks[rank].kill_group()
            for other in tasks:
                other.send(signal.SIGTERM)
        longest /= 2  # else it was sooner done than by one process
        ends = [command.wait() for command in tasks]
    unclear = "".join(one.said[-1500:] for one in ends if not one.is_clear)
    again = both(words, run.parent / "again", made.folder)
    _end(made, [stage], run, again, unclear, 1, f"{seed}: rank {rank} in {stage}", tally)


def _end(
    made: Baseline, stages: Sequence[str], run: Path, ends: list[Outcome], unclear: str, kills: int, what: str,
    tally: Tally,
) -> None:  # fmt: skip
    """Count a trial, and keep its folder where something is wrong."""
    failed = "".join(one.said[-500:] for one in ends if one.status)
    difference = failed or unclear or made.difference(stages, run)
    tally.trial(kills, what, difference)
    if not difference:
        remove(run.parent)
