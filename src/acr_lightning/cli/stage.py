"""Doing one stage: skip it when it is done, continue it when it was killed, say so in its manifest."""

import copy
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from acr_lightning import stages
from acr_lightning.artefacts import manifest
from acr_lightning.artefacts.atomic import naming, remove_leftovers
from acr_lightning.artefacts.lock import folder_lock
from acr_lightning.class_names import build
from acr_lightning.cli.experiment import Experiment
from acr_lightning.errors import UserError


def inputs(experiment: Experiment, stage: str) -> dict[str, str]:
    """Digests of what a stage reads: its data set, and the stages before it."""
    found = {}
    if (dataset := experiment.values.get("dataset")) is not None and stage != "report":
        found["dataset"] = _fingerprint(dataset)
    needed, module = stages.reads(stage, experiment.section(stage)), stages.load(stage)
    for name in experiment.only_with((*needed, *module.ALSO_READS)):
        made = manifest.read(experiment.run / name)
        found[name] = manifest.result(made) if made else "missing"
    return found


def is_done(experiment: Experiment, stage: str) -> bool:
    """Whether the stage's manifest says that it is done with this very configuration and input."""
    wanted = manifest.digest(experiment.section(stage), inputs(experiment, stage), experiment.run)
    return manifest.is_done(experiment.run / stage, wanted)


def run_stage(experiment: Experiment, stage: str, force: bool = False, folder: Path | None = None) -> None:
    """Do a stage in this process.

    Args:
        experiment: with the stage's section.
        stage: its name.
        force: do it again even if it is done.
        folder: of its results, if not the stage's own.

    Raises:
        UserError: what it needs is missing, its input is bad, or another process does it at this moment.
    """
    section, read, folder = experiment.section(stage), inputs(experiment, stage), folder or experiment.run / stage
    module = stages.load(stage)
    for name in experiment.only_with(stages.reads(stage, section)):
        _require_done(experiment, name, stage)
    if manifest.is_done(folder, manifest.digest(section, read, experiment.run)) and not force:
        _say(f"{stage}: done before, nothing to do ({folder / manifest.NAME}); --force does it again")
        return
    shard = shard_of(section)
    if shard and (force or manifest.is_another(folder, section, read, experiment.run)):
        raise UserError(
            f"{stage}: {folder} holds another result, and shards cannot agree on who moves it aside; "
            "move it yourself, or give another --run"
        )
    with folder_lock(folder, shard) if is_first_process() else nullcontext():
        if is_first_process():
            moved = manifest.start(folder, stage, section, read, experiment.run, force, parts=hasattr(module, "PARTS"))
            if moved:
                _say(f"{stage}: the result of another configuration was moved to {moved}")
            elif manifest.has_another_checkpoint(folder, manifest.read(folder) or {}):
                _say(f"{stage}: {manifest.CHECKPOINT} is not the one that it ended with; goes on from what is there")
            if not shard:
                remove_leftovers(folder)  # of kills; nobody else writes there now
        since = time.monotonic()
        with naming(folder):
            counts = module.main(copy.deepcopy(section), folder)  # parsers write into what they are given
        left = counts.pop("left", 0)
        if not is_first_process():
            return
        if left:
            _say(f"{stage}: shard {shard} is done; {left} photos are left to others, the last of which ends the stage")
            return
        manifest.finish(folder, stage, section, read, experiment.run, counts, round(time.monotonic() - since, 1))
        _say(f"{stage}: done, {', '.join(f'{name} {count}' for name, count in counts.items())} → {folder}")


def shard_of(section: dict[str, Any]) -> str | None:
    """Which part of a stage's photos this job does (`3/16`); None for all."""
    found = section.get("shard") or section.get("data", {}).get("init_args", {}).get("shard")
    return None if found is None else str(found)


def is_first_process() -> bool:
    """Whether this is rank 0 of a distributed job (torchrun, SLURM and Lightning's launcher set these)."""
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((rank == "0" for rank in ranks if rank is not None), True)


def _require_done(experiment: Experiment, needed: str, stage: str) -> None:
    made = manifest.read(experiment.run / needed)
    if made is None or made["status"] != "done":
        raise UserError(
            f"{stage}: needs the stage {needed}, which is not done in {experiment.run}; "
            f"run `acr {needed}` with the same --config, or `acr run`"
        )
    if manifest.has_another_checkpoint(experiment.run / needed, made):
        raise UserError(
            f"{stage}: {experiment.run / needed / manifest.CHECKPOINT} is not the one that the stage {needed} ended "
            f"with; put that back, or run `acr {needed}` with the same --config"
        )


def _fingerprint(node: dict[str, Any]) -> str:
    return str(build(node, "dataset").fingerprint())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
