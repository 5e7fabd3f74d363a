"""Kills at random times, in every stage: the same command goes on, and ends as if nothing had happened."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from torture.chain import STAGES, Baseline
from torture.commands import Command, Outcome, call, remove
from torture.tally import DISKS, Tally

SHARDED = ("cam", "affinity_labels", "affinity_walk", "label", "evaluate")
# Stages whose photos any number of processes may share, and what the start of a second one takes at most.
SHARED, START = ("cam", "affinity_walk", "evaluate"), 20.0


def group(command: Command, rng: random.Random) -> None:
    """SIGKILL for all of its processes, as when a machine goes down."""
    command.kill_group()


def terminate(command: Command, rng: random.Random) -> None:
    """SIGTERM for the command that was typed, as a cluster sends it."""
    command.send(signal.SIGTERM)


def interrupt(command: Command, rng: random.Random) -> None:
    """SIGINT for it, Ctrl-C."""
    command.send(signal.SIGINT)


def twice(command: Command, rng: random.Random) -> None:
    """Two signals from somebody who is in a hurry."""
    command.send(rng.choice([signal.SIGTERM, signal.SIGINT]))
    time.sleep(rng.uniform(0, 0.5))
    command.send(rng.choice([signal.SIGTERM, signal.SIGINT]))


def orphan(command: Command, rng: random.Random) -> None:
    """SIGKILL for the command that was typed alone: the next one starts beside what it leaves."""
    command.send(signal.SIGKILL)


KINDS: tuple[Callable[[Command, random.Random], None], ...] = (group, terminate, interrupt, twice, orphan)


def kill_trial(made: Baseline, seed: str, tally: Tally) -> None:
    """One stage, one or two kills of a random kind at random times, and then the same command once more."""
    rng = random.Random(seed)
    stage, run = rng.choice(STAGES), Path()
    run = made.begun(stage, seed)
    words = made.words(stage, run, by_run=rng.random() < 0.5)
    landed, unclear = [], ""
    for number in range(rng.choice([1, 1, 2])):
        kind = rng.choice(KINDS)
        command = Command(words, run.parent / f"killed-{number}.log", made.folder)
        time.sleep(rng.uniform(0.1, made.seconds[stage]))
        if command.poll() is not None:
            break
        kind(command, rng)
        outcome = command.wait()
        unclear += _unclear(outcome)
        if outcome.status:  # else it had ended just before
            landed.append(kind.__name__)
    _end(made, stage, run, [call(words, run.parent / "again.log", made.folder)], landed, unclear, seed, tally)


def shard_trial(made: Baseline, seed: str, tally: Tally) -> None:
    """Two shards of a stage at once, of which one is killed; then each once more."""
    rng = random.Random(seed)
    stage = rng.choice(SHARDED)
    run = made.begun(stage, seed)
    words = [[*made.words(stage, run), f"--shard={part}/2"] for part in (1, 2)]
    both = [Command(one, run.parent / f"shard-{part}.log", made.folder) for part, one in enumerate(words)]
    victim, kind = rng.choice(both), rng.choice([group, terminate, interrupt])
    time.sleep(rng.uniform(0.1, made.seconds[stage]))
    if victim.poll() is None:
        kind(victim, rng)
    unclear = "".join([_unclear(command.wait()) for command in both])
    landed = [f"{kind.__name__} of a shard"] if victim.status else []
    again = [call(one, run.parent / f"again-{part}.log", made.folder) for part, one in enumerate(words)]
    _end(made, stage, run, again, landed, unclear, seed, tally)


def devices_trial(made: Baseline, seed: str, tally: Tally) -> None:
    """A stage that two processes share until a kill, if it comes in time, and that one alone ends: one's results."""
    rng = random.Random(seed)
    stage, kind = rng.choice(SHARED), rng.choice([group, terminate, interrupt])
    run = made.begun(stage, seed)
    words = made.words(stage, run)
    command = Command([*words, "--trainer.devices=2"], run.parent / "two.log", made.folder)
    end = time.monotonic() + rng.uniform(0.1, START)
    while command.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    if command.poll() is None:
        kind(command, rng)
    outcome = command.wait()
    landed = [f"{kind.__name__} of two processes"] if outcome.status else []
    again = call(words, run.parent / "again.log", made.folder)
    _end(made, stage, run, [again], landed, _unclear(outcome), seed, tally)


def pair_trial(made: Baseline, seed: str, tally: Tally) -> None:
    """Two commands for one stage at once: one of them does it, the other is refused in one line or finds it done."""
    rng = random.Random(seed)
    stage = rng.choice(STAGES[:-1])
    run = made.begun(stage, seed)
    words = made.words(stage, run)
    both = [Command(words, run.parent / "first.log", made.folder)]
    time.sleep(rng.uniform(0.1, made.seconds[stage]))
    both.append(Command(words, run.parent / "second.log", made.folder))
    outcomes = [command.wait() for command in both]
    for outcome in outcomes:
        tally.answered(outcome, f"{seed}: two commands on {stage}", DISKS)
    _end(made, stage, run, [call(words, run.parent / "again.log", made.folder)], [], "", seed, tally)


def disk_trial(made: Baseline, seed: str, tally: Tally) -> None:
    """A full disk under one stage after another, space again, and the same command."""
    rng = random.Random(seed)
    stage = rng.choice(STAGES[:-1])
    disk = made.folder / f"disk-{seed}"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        tally.say(f"{seed}: no disk may be mounted here")
        return
    try:
        run = made.begun(stage, f"{disk.name}/trial")
        (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - rng.randrange(4096, 200_000)))
        full = call(made.words(stage, run), made.folder / f"{seed}.log", made.folder)
        tally.answered(full, f"{seed}: full disk under {stage}", DISKS)
        (disk / "ballast").unlink()
        again = call(made.words(stage, run), run.parent / "again.log", made.folder)
        _end(made, stage, run, [again], [], "", seed, tally)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def _unclear(outcome: Outcome) -> str:
    """What a disturbed command said where it did not end clearly; empty where it did."""
    return "" if outcome.is_clear else f"status {outcome.status}, {outcome.said[-1500:]}"


def _end(
    made: Baseline,
    stage: str,
    run: Path,
    again: list[Outcome],
    landed: list[str],
    unclear: str,
    seed: str,
    tally: Tally,
) -> None:
    """Count a trial, and keep its folder where something is wrong."""
    difference = made.difference([stage], run)
    failed = [outcome for outcome in again if outcome.status or not outcome.is_clear]
    what = f"{seed}: {stage}, {', '.join(landed) or 'nothing landed'}"
    if failed:
        difference = f"the same command failed: {failed[0].said[-300:]} {difference}"
    elif unclear:
        difference = f"not a clear end: {unclear}; see {run.parent}"
    tally.trial(len(landed), what, difference)
    if not difference:
        remove(run.parent)
