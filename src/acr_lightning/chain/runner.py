"""Doing one stage: skip it when it is done, continue it when it was killed, say so in its manifest."""

import hashlib
import json
import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import naming, remove_leftovers
from acr_lightning.artefacts.file_digests import FileDigests
from acr_lightning.artefacts.manifest import NAME, TRAINED, is_done, labels_of, read, result, write_from
from acr_lightning.chain import stage_record
from acr_lightning.chain.check import check
from acr_lightning.chain.code import foreign_code
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.messages import parsed, parser_of
from acr_lightning.chain.stage import Job, Section, Stage
from acr_lightning.chain.stage_record import Record, say
from acr_lightning.chain.values import data_arguments, flat, get_value
from acr_lightning.classes.class_names import build
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.system import launch
from acr_lightning.system.launch import is_first_process
from acr_lightning.system.lock import folder_lock

# In a run: what is known of the files that its stages read.
FILES = "file_digests.json"


def record_of(experiment: Experiment, name: str) -> Record:
    """What a stage's manifest will say, and by which digest it is told whether the stage is done."""
    section, read_digests, photos = experiment.own_section(name), inputs(experiment, name), _photos(experiment, name)
    if not photos["masks"]:
        data_arguments(section).get("dataset", {}).get("init_args", {}).pop("masks", None)
    digest = stage_record.digest(section, read_digests)
    has_classes = "dataset" in read_digests and experiment.chain.stages[name].has_classes
    classes = experiment.dataset().class_names if has_classes else ()
    return Record(name, digest, read_digests, experiment.presets, experiment.section(name), photos, classes)


def inputs(experiment: Experiment, name: str) -> dict[str, str]:
    """Digests of what a stage reads: photos, files and runs that it names, stages before it, decisions, other code."""
    stage, section = experiment.chain.stages[name], experiment.own_section(name)
    files = FileDigests(experiment.run / FILES)
    digests = {
        f"content of {key}": digest
        for part in ("model", "refiner")
        for key, value in flat(section.get(part), f"{name}.{part}")
        if isinstance(value, str) and (digest := _content(Path(value), files))
    }
    labels = None if stage.sees_masks(section) else get_value(section, ["data", "labels"])
    if isinstance(labels, str) and (folder := labels_of(Path(labels))).is_dir():
        digests[f"content of {name}.data.labels"] = files.of_labels(folder)
    if experiment.values.get("dataset") is not None and stage.takes_dataset:
        digests["dataset"] = experiment.dataset().fingerprint(files.of, **_photos(experiment, name))
    if is_first_process():
        files.keep()
    if decisions := experiment.decisions(name):
        digests["review"] = hashlib.sha256(json.dumps(decisions, sort_keys=True).encode()).hexdigest()
    for read_stage in filter(experiment.takes_part, (*experiment.sources(name).values(), *stage.also_reads)):
        manifest = read(experiment.folder(read_stage))
        digests[read_stage] = result(manifest) if manifest else "missing"
    own_code = foreign_code(stage_record.that_matters(section))
    return digests | {f"code of {path}": digest for path, digest in own_code.items()}


def _content(path: Path, files: FileDigests) -> str | None:
    """The digest of a file or run that a section names: weights, a training that this one goes on with; else None."""
    for file in (path, path / "model.safetensors"):
        if os.path.isfile(file):
            return files.of(file)
    is_run = os.path.isfile(path / TRAINED[0] / NAME)
    return result(read(path / TRAINED[0]) or {}) if is_run else None


def _photos(experiment: Experiment, name: str) -> dict[str, Any]:
    """What of its photos a stage's result depends on: arguments of `TaggedDataset.fingerprint`."""
    stage, section = experiment.chain.stages[name], experiment.own_section(name)
    return {"splits": experiment.splits(name), "tags": stage.reads_tags, "masks": stage.sees_masks(section)}


def is_done_before(experiment: Experiment, name: str) -> bool:
    """Whether the stage is done with this very configuration and input."""
    return stage_record.holds(experiment.folder(name), record_of(experiment, name).digest)


def run_stage(experiment: Experiment, name: str, force: bool = False) -> None:
    """Do a stage in this process.

    Args:
        experiment: with the stage's section.
        name: of the stage.
        force: do it again even if it is done.

    Raises:
        UserError: a value does not fit, what it needs is missing, its input is bad, or another process does it.
    """
    if name in experiment.others:
        raise UserError(f"{name}: is read from {experiment.others[name]}; leave out from.{name} to do it here")
    check(experiment, [name])
    record = record_of(experiment, name)
    # A shard is one process's work; it may be one of many that srun started for many shards.
    ranks = None if shard_of(record.config) else launch.launched()
    if ranks is None:
        launch.stand_alone()
    began = ranks is not None and launch.begin(ranks)
    _take_part(experiment, record, force, ranks)
    if ranks and ranks.rank == 0:
        launch.close_stage(str(experiment.folder(name)))
    if ranks and began:
        launch.leave(ranks)


def _take_part(experiment: Experiment, record: Record, force: bool, ranks: launch.Launch | None) -> None:
    """Do what is this process's part of a stage."""
    name, shard, is_first = record.stage, shard_of(record.config), is_first_process()
    folder = experiment.folder(name)
    # The first rank alone says whether it begins: others may read other photos or decisions than it has read.
    if ranks and not is_first and (experiment.chain.stages[name].function or not launch.opens(str(folder))):
        return
    if is_first and stage_record.holds(folder, record.digest) and not force:
        say(f"{name}: done before, nothing to do ({folder / NAME}); --force does it again")
        return
    with folder_lock(folder, shard) if is_first else nullcontext():
        if is_first and not force and shard is None and stage_record.put_back(folder, record):
            return
        check(experiment, [name], thorough=True)
        if is_first:
            _require_free(folder, record, shard, force)
            write_from(experiment.run, experiment.others)
            stage_record.start(folder, record, force)
            if shard is None:
                remove_leftovers(folder)  # of kills; nobody else writes there now
            if ranks:
                launch.open_stage(str(folder))
        _run(experiment, record, folder, is_first)


def _run(experiment: Experiment, record: Record, folder: Path, is_first: bool) -> None:
    name, since, cpu_before = record.stage, time.monotonic(), _cpu_seconds()
    stages = experiment.chain.stages
    folders = {one: place for one in stages if one in record.inputs and is_done(place := experiment.folder(one))}
    with naming(folder):
        counts = _do(stages[name], Job(record.config, folder, folders))
    rest = counts.pop("left", 0)
    if not is_first:
        return
    if rest:
        shard = shard_of(record.config)
        say(f"{name}: shard {shard} is done; {rest} photos are left to others, the last of which ends the stage")
        return
    seconds, cpu_seconds = time.monotonic() - since, _cpu_seconds() - cpu_before
    stage_record.finish(folder, record, counts, round(seconds, 1), round(cpu_seconds, 1))
    texts = (f"{key} {count:.3g}" if isinstance(count, float) else f"{key} {count}" for key, count in counts.items())
    say(f"{name}: done, {', '.join(texts)} → {folder}")


def end_stage(experiment: Experiment, name: str, ranks: launch.Launch) -> None:
    """Go on to the next stage together: the others wait for the first rank's word, and until they see its manifest.

    They take its word for the digest: what a stage reads, photos and decisions, may have changed since it began.
    """
    folder = experiment.folder(name)
    key = f"ended {folder}"
    if ranks.rank == 0:
        launch.say(key, str((read(folder) or {}).get("digest")))
        return
    launch.wait_until(lambda: launch.is_said(key) and stage_record.holds(folder, launch.told(key)))


def _cpu_seconds() -> float:
    """Of all cores together, of this process and those that it waited for."""
    return sum(os.times()[:4])


def _do(stage: Stage, job: Job) -> dict[str, Any]:
    if stage.function is None:
        assert stage.main is not None
        return stage.main(job)
    values = parsed(parser_of(stage.function), job.section, f"{stage.name}.").as_dict()
    if "dataset" in job.section:
        values["dataset"] = build(job.section["dataset"], "dataset", TaggedDataset)
    return stage.function(**values)


def _require_free(folder: Path, record: Record, shard: str | None, force: bool) -> None:
    """Refuse a folder that holds nobody's result; for a shard, which moves nothing, also one that holds another."""
    if read(folder) is None and any(folder.glob("[!.]*")):
        raise UserError(f"{record.stage}: {folder} is there, and no stage made it; move it, or give another --run")
    another = read(folder) is not None and not stage_record.holds(folder, record.digest, done=False)
    if shard and (force or another):
        raise UserError(
            f"{record.stage}: {folder} holds another result, and shards cannot agree on who moves it aside; "
            "move it yourself, or give another --run"
        )


def shard_of(section: Section) -> str | None:
    """Which part of a stage's photos this job does (`3/16`); None for all."""
    shard = data_arguments(section).get("shard")
    return None if shard is None else str(shard)
