"""A chain by two processes at once, as srun starts them, of which one is killed in a stage: the same files."""

import itertools
import os
import random
import signal
import time
from pathlib import Path

import yaml

from torture.chain import STAGES, Baseline, experiment_of_ranks
from torture.commands import Command, Outcome, remove
from torture.tally import Tally

WORLD = 2
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
    return [command.wait() for command in begin(words, log, folder)]


def make_baseline(folder: Path) -> Baseline:
    """Run the chain by two tasks, stage by stage.

    Raises:
        RuntimeError: a stage fails.
    """
    folder.mkdir()
    config, seconds = folder / "chain.yaml", dict[str, float]()
    config.write_text(yaml.safe_dump(experiment_of_ranks()))
    made = Baseline(folder, config, folder / "run", seconds)
    for stage in STAGES:
        since = time.monotonic()
        if failed := [
            one for one in both(made.words(stage, made.run, by_run=True), folder / stage, folder) if one.status
        ]:
            raise RuntimeError(f"{stage} by two tasks: {failed[0].said}")
        seconds[stage] = time.monotonic() - since
    return made


def rank_trial(made: Baseline, stage: str, seed: str, tally: Tally) -> None:
    """One of the tasks is killed; the other is ended, as srun does where it is told to; then both once more."""
    rng = random.Random(seed)
    run = made.begun(stage, seed)
    words = made.words(stage, run, by_run=True)
    tasks = begin(words, run.parent / "killed", made.folder)
    time.sleep(rng.uniform(0.1, made.seconds[stage]))
    victim = rng.choice(tasks)
    if landed := victim.poll() is None:
        victim.kill_group()
        for other in tasks:
            other.send(signal.SIGTERM)
    unclear = [one.said for one in (command.wait() for command in tasks) if not one.is_clear]
    again = both(words, run.parent / "again", made.folder)
    difference = "".join(one.said[-500:] for one in again if one.status) + "".join(unclear)[-1500:]
    tally.trial(
        int(landed), f"{seed}: rank {tasks.index(victim)} in {stage}", difference or made.difference([stage], run)
    )
    if not difference:
        remove(run.parent)
