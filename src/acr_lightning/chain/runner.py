"""Doing one stage: skip it when it is done, continue it when it was killed, say so in its manifest."""

import copy
import os
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import naming, remove_leftovers
from acr_lightning.artefacts.file_digests import FileDigests
from acr_lightning.artefacts.manifest import (
    CHECKPOINT,
    NAME,
    TRAINED,
    has_another_checkpoint,
    is_done,
    read,
    result,
    write_from,
)
from acr_lightning.chain import stage_record
from acr_lightning.chain.check import check, check_thoroughly
from acr_lightning.chain.code import foreign_code
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.function_section import run_function
from acr_lightning.chain.stage import Job, Section, Stage
from acr_lightning.errors import UserError
from acr_lightning.system.lock import folder_lock

# In a run: what is known of the files that its stages read.
FILES = "file_digests.json"


def inputs(experiment: Experiment, name: str) -> dict[str, str]:
    """Digests of what a stage reads: photos, files and runs that it names, stages before it, other packages' code."""
    stage, section = experiment.chain.stages[name], experiment.own_section(name)
    files = FileDigests(experiment.run / FILES)
    digests = {
        stage_record.CONTENT + key: result(read(path / TRAINED[0]) or {}) if path.is_dir() else files.of(path)
        for part in ("model", "refiner")
        for key, path in _named_in(section.get(part), f"{name}.{part}")
    }
    if experiment.values.get("dataset") is not None and stage.takes_dataset:
        digests[stage_record.DATASET] = experiment.dataset().fingerprint(files.of, **photos(experiment, name))
    if is_first_process():
        files.keep()
    for read_stage in (*experiment.sources(name).values(), *stage.also_reads):
        if experiment.takes_part(read_stage):
            manifest = read(experiment.folder(read_stage))
            digests[read_stage] = result(manifest) if manifest else "missing"
    return digests | {
        stage_record.CODE + path: digest for path, digest in foreign_code(stage_record.that_matters(section)).items()
    }


def _named_in(value: Any, key: str) -> Iterator[tuple[str, Path]]:
    """The files and runs that a section names, by their keys: weights, a training that this one goes on with."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _named_in(one, key if name == "init_args" else f"{key}.{name}")
    elif isinstance(value, str) and (os.path.isfile(value) or os.path.isfile(Path(value, TRAINED[0], NAME))):
        yield key, Path(value)
    elif isinstance(value, str) and os.path.isfile(weights := Path(value, "model.safetensors")):
        yield key, weights


def photos(experiment: Experiment, name: str) -> dict[str, Any]:
    """What of its photos a stage's result depends on: arguments of `TaggedDataset.fingerprint`."""
    stage, section = experiment.chain.stages[name], experiment.own_section(name)
    return {"splits": experiment.splits(name), "tags": stage.reads_tags, "masks": stage.sees_masks(section)}


def is_done_before(experiment: Experiment, name: str) -> bool:
    """Whether the stage is done with this very configuration and input; an older such result is put back first."""
    folder, digest = experiment.folder(name), _digest(experiment, name, inputs(experiment, name))
    if stage_record.holds(folder, digest):
        return True
    with folder_lock(folder):
        return _put_back(folder, name, digest)


def run_stage(experiment: Experiment, name: str, force: bool = False, folder: Path | None = None) -> None:
    """Do a stage in this process.

    Args:
        experiment: with the stage's section.
        name: of the stage.
        force: do it again even if it is done.
        folder: of its results, if not the stage's own.

    Raises:
        UserError: a value does not fit, what it needs is missing, its input is bad, or another process does it.
    """
    if name in experiment.others:
        raise UserError(f"{name}: is read from {experiment.others[name]}; leave out from.{name} to do it here")
    check(experiment, [name])
    stage, folder = experiment.chain.stages[name], folder or experiment.folder(name)
    section, read_digests = experiment.section(name, folder), inputs(experiment, name)
    digest, shard = _digest(experiment, name, read_digests), shard_of(section)
    if stage_record.holds(folder, digest) and not force:
        _say(f"{name}: done before, nothing to do ({folder / NAME}); --force does it again")
        return
    with folder_lock(folder, shard) if is_first_process() else nullcontext():
        if not force and _put_back(folder, name, digest, shard):
            return
        check_thoroughly(experiment, [name])
        record = stage_record.Record(name, digest, read_digests, experiment.presets, section, photos(experiment, name))
        _open(experiment, folder, record, force)
        since = time.monotonic()
        folders = {source: experiment.folder(source) for source in read_digests if source in experiment.chain.stages}
        done_folders = {source: place for source, place in folders.items() if is_done(place)}
        # Parsers write into what they are given.
        with naming(folder):
            counts = _do(stage, Job(copy.deepcopy(section), folder, experiment.run, done_folders))
        _close(folder, record, counts, round(time.monotonic() - since, 1))


def _do(stage: Stage, job: Job) -> dict[str, Any]:
    if stage.function is not None:
        return run_function(stage.function, job.section)
    assert stage.main is not None
    return stage.main(job)


def _digest(experiment: Experiment, name: str, read_digests: dict[str, str]) -> str:
    section = experiment.own_section(name)
    if not experiment.chain.stages[name].sees_masks(section):
        node = section if "dataset" in section else section.get("data", {}).get("init_args", {})
        node.get("dataset", {}).get("init_args", {}).pop("masks", None)
    return stage_record.digest(section, read_digests)


def _put_back(folder: Path, name: str, digest: str, shard: str | None = None) -> bool:
    """Put an older result of this digest back, if there is one; whether the stage is then done."""
    if shard is None and is_first_process() and (older := stage_record.put_back(folder, digest)):
        _say(f"{name}: the result in {older} is of this configuration; it was put back")
    return stage_record.holds(folder, digest)


def _open(experiment: Experiment, folder: Path, record: stage_record.Record, force: bool) -> None:
    """Open the stage's folder, and move what is in the way aside.

    Raises:
        UserError: what is there is nobody's result, or the job is a shard, which may not move anything.
    """
    if read(folder) is None and any(folder.glob("[!.]*")):
        raise UserError(f"{record.stage}: {folder} is there, and no stage made it; move it, or give another --run")
    another = read(folder) is not None and not stage_record.holds(folder, record.digest, done=False)
    if shard_of(record.config) and (force or another):
        raise UserError(
            f"{record.stage}: {folder} holds another result, and shards cannot agree on who moves it aside; "
            "move it yourself, or give another --run"
        )
    if is_first_process():
        write_from(experiment.run, experiment.others)
        why = stage_record.difference(read(folder) or {}, record)
        if old_folder := stage_record.start(folder, record, force):
            _say(f"{record.stage}: {why or 'begun anew'}; the result before was moved to {old_folder}")
        elif has_another_checkpoint(folder, read(folder) or {}):
            _say(f"{record.stage}: {CHECKPOINT} is not the one that it ended with; goes on from what is there")
        if not shard_of(record.config):
            remove_leftovers(folder)  # of kills; nobody else writes there now


def _close(folder: Path, record: stage_record.Record, counts: dict[str, Any], seconds: float) -> None:
    """Say that the stage is done, if it is and if this is the process to say so."""
    rest = counts.pop("left", 0)
    if not is_first_process():
        return
    if rest:
        shard = shard_of(record.config)
        _say(
            f"{record.stage}: shard {shard} is done; {rest} photos are left to others, the last of which ends the stage"
        )
        return
    stage_record.finish(folder, record, counts, seconds)
    texts = {key: f"{count:.3g}" if isinstance(count, float) else count for key, count in counts.items()}
    _say(f"{record.stage}: done, {', '.join(f'{key} {count}' for key, count in texts.items())} → {folder}")


def shard_of(section: Section) -> str | None:
    """Which part of a stage's photos this job does (`3/16`); None for all."""
    shard = section.get("shard") or section.get("data", {}).get("init_args", {}).get("shard")
    return None if shard is None else str(shard)


def is_first_process() -> bool:
    """Whether this is rank 0 of a distributed job (torchrun, SLURM and Lightning's launcher set these)."""
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((rank == "0" for rank in ranks if rank is not None), True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
