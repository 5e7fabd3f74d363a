"""Doing one stage: skip it when it is done, continue it when it was killed, say so in its manifest."""

import copy
import os
import sys
import time
from pathlib import Path

from acr_lightning.artefacts.atomic import naming
from acr_lightning.artefacts.manifest import NAME, is_done, read, write_from
from acr_lightning.chain import manifest
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.stage import Job, Section
from acr_lightning.class_names import build
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError


def inputs(experiment: Experiment, name: str) -> dict[str, str]:
    """Digests of what a stage reads: its data set, and the stages before it."""
    stage, found = experiment.chain.stages[name], {}
    if (dataset := experiment.values.get("dataset")) is not None and stage.takes_dataset:
        found["dataset"] = str(build(dataset, "dataset", TaggedDataset).fingerprint())
    for read_stage in (*experiment.sources(name).values(), *stage.also_reads):
        if experiment.takes_part(read_stage):
            made = read(experiment.folder(read_stage))
            found[read_stage] = made["digest"] if made else "missing"
    return found


def is_done_before(experiment: Experiment, name: str) -> bool:
    """Whether the stage's manifest says that it is done with this very configuration and input."""
    wanted = manifest.digest(experiment.own_section(name), inputs(experiment, name))
    return manifest.holds(experiment.folder(name), wanted)


def run_stage(experiment: Experiment, name: str, force: bool = False, folder: Path | None = None) -> None:
    """Do a stage in this process.

    Args:
        experiment: with the stage's section.
        name: of the stage.
        force: do it again even if it is done.
        folder: of its results, if not the stage's own.

    Raises:
        UserError: what it needs is missing, or its input is bad.
    """
    stage, folder = experiment.chain.stages[name], folder or experiment.folder(name)
    if name in experiment.others:
        raise UserError(f"{name}: is read from {experiment.others[name]}; leave out from.{name} to do it here")
    section, read_digests = experiment.section(name, folder), inputs(experiment, name)
    _require_inputs(experiment, name)
    wanted = manifest.digest(experiment.own_section(name), read_digests)
    if manifest.holds(folder, wanted) and not force:
        _say(f"{name}: done before, nothing to do ({folder / NAME}); --force does it again")
        return
    record = manifest.Record(name, wanted, read_digests, experiment.presets, section)
    _open(experiment, folder, record, force)
    since = time.monotonic()
    found = {read: experiment.folder(read) for read in read_digests if read in experiment.chain.stages}
    done = {read: place for read, place in found.items() if is_done(place)}
    # Parsers write into what they are given.
    with naming(folder):
        counts = stage.main(Job(copy.deepcopy(section), folder, experiment.run, done))
    left = counts.pop("left", 0)
    if not is_first_process():
        return
    if left:
        shard = shard_of(section)
        _say(f"{name}: shard {shard} is done; {left} photos are left to others, the last of which ends the stage")
        return
    manifest.finish(folder, record, counts, round(time.monotonic() - since, 1))
    _say(f"{name}: done, {', '.join(f'{key} {count}' for key, count in counts.items())} → {folder}")


def _open(experiment: Experiment, folder: Path, record: manifest.Record, force: bool) -> None:
    """Open the stage's folder, and move what is in the way aside.

    Raises:
        UserError: the job is a shard, which may not move anything.
    """
    another = read(folder) is not None and not manifest.holds(folder, record.digest, done=False)
    if shard_of(record.config) and (force or another):
        raise UserError(
            f"{record.stage}: {folder} holds another result, and shards cannot agree on who moves it aside; "
            "move it yourself, or give another --run"
        )
    if is_first_process():
        write_from(experiment.run, experiment.others)
        if moved := manifest.start(folder, record, force):
            _say(f"{record.stage}: the result of another configuration was moved to {moved}")


def shard_of(section: Section) -> str | None:
    """Which part of a stage's photos this job does (`3/16`); None for all."""
    found = section.get("shard") or section.get("data", {}).get("init_args", {}).get("shard")
    return None if found is None else str(found)


def is_first_process() -> bool:
    """Whether this is rank 0 of a distributed job (torchrun, SLURM and Lightning's launcher set these)."""
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((rank == "0" for rank in ranks if rank is not None), True)


def _require_inputs(experiment: Experiment, name: str) -> None:
    also = experiment.chain.stages[name].also_reads
    for needed in experiment.sources(name).values():
        if needed not in also and not is_done(folder := experiment.folder(needed)):
            raise UserError(
                f"{name}: needs the stage {needed}, which is not done in {folder.parent}; "
                f"run `acr {needed}` with the same --config, or `acr run`"
            )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
