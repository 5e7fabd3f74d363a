"""Doing one stage: skip it when it is done, continue it when it was killed, say so in its manifest."""

import copy
import os
import sys
from pathlib import Path
from typing import Any

from acr_lightning import stages
from acr_lightning.artefacts import manifest
from acr_lightning.class_names import build
from acr_lightning.cli.experiment import Experiment
from acr_lightning.errors import UserError


def inputs(experiment: Experiment, stage: str) -> dict[str, str]:
    """Digests of what a stage reads: its data set, and the stages before it."""
    found = {}
    if (dataset := experiment.values.get("dataset")) is not None and stage != "report":
        found["dataset"] = _fingerprint(dataset)
    module = stages.load(stage)
    for name in experiment.only_with((*module.READS, *module.ALSO_READS)):
        made = manifest.read(experiment.run / name)
        found[name] = made["digest"] if made else "missing"
    return found


def is_done(experiment: Experiment, stage: str) -> bool:
    """Whether the stage's manifest says that it is done with this very configuration and input."""
    wanted = manifest.digest(experiment.section(stage), inputs(experiment, stage))
    return manifest.is_done(experiment.run / stage, wanted)


def run_stage(experiment: Experiment, stage: str, force: bool = False, folder: Path | None = None) -> None:
    """Do a stage in this process.

    Args:
        experiment: with the stage's section.
        stage: its name.
        force: do it again even if it is done.
        folder: of its results, if not the stage's own.

    Raises:
        UserError: what it needs is missing, or its input is bad.
    """
    section, read, folder = experiment.section(stage), inputs(experiment, stage), folder or experiment.run / stage
    module = stages.load(stage)
    for name in experiment.only_with(module.READS):
        _require_done(experiment, name, stage)
    if manifest.is_done(folder, manifest.digest(section, read)) and not force:
        _say(f"{stage}: done before, nothing to do ({folder / manifest.NAME}); --force does it again")
        return
    if is_first_process():
        moved = manifest.start(folder, stage, section, read, anew=force, parts=hasattr(module, "PARTS"))
        if moved:
            _say(f"{stage}: the result of another configuration was moved to {moved}")
    counts = module.main(copy.deepcopy(section), folder)  # parsers write into what they are given
    if is_first_process():
        manifest.finish(folder, stage, section, read, counts)
        _say(f"{stage}: done, {', '.join(f'{name} {count}' for name, count in counts.items())} → {folder}")


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


def _fingerprint(node: dict[str, Any]) -> str:
    return str(build(node, "dataset").fingerprint())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
