"""How long a run will take, and how much memory: its stages on a few photos, before it starts."""

import os
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.artefacts.manifest import part, read
from acr_lightning.artefacts.text_file import read_json
from acr_lightning.chain.check import check_section
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.runner import run_stage
from acr_lightning.chain.stage import Section
from acr_lightning.cli.exit_status import exit_status
from acr_lightning.duration import duration
from acr_lightning.system.processes import Fork, wait_for

# Of an epoch in a trial; the first of them is not timed.
STEPS = 2
PACE, COST, LOG = "pace.json", "cost.json", "log"


def print_estimate(experiment: Experiment) -> None:
    """Say how long the stages will take, as far as a trial shows: all of them on the first photos, then thrown away.

    The trial's CAMs and labels are poor, but cost what good ones cost. Each stage has a process of its own, as in the
    run. A data set that is hardly larger than a trial has none.
    """
    names = [name for name in experiment.stages if name != "report"]  # seconds, and it reads no wrapped data set
    sections = {name: _values(experiment, name) for name in names}
    photos = STEPS * max((section["data"].get("batch_size", 1) for section in sections.values() if section), default=1)
    if not names or 2 * photos > len(experiment.dataset().ids("train")):
        return
    _say(f"acr run: first an estimate, from {photos} photos (--estimate=false leaves it out)")
    costs = dict[str, tuple[float, float]]()
    with tempfile.TemporaryDirectory(prefix="acr-estimate-") as folder:
        for name in names:
            if wait_for(Fork(partial(_quietly, experiment, name, Path(folder), photos))):
                lines = (Path(folder) / LOG).read_text(errors="replace").splitlines()
                _say(f"acr run: no estimate of {name}: {lines[-1] if lines else 'it was killed'}")
                return
            cost = read_json(Path(folder) / name / COST)
            costs[name] = (cost["seconds"], cost["megabytes"])
    together, megabytes = sum(seconds for seconds, _ in costs.values()), max(peak for _, peak in costs.values())
    told = ", ".join(f"{name} {duration(seconds)}" for name, (seconds, _) in costs.items())
    _say(f"acr run: about {duration(together)} ({told}), at most {megabytes / 1024:.1f} GB of memory")


def _values(experiment: Experiment, name: str) -> Section | None:
    """All values of a stage with a Trainer; None for one without."""
    stage = experiment.chain.stages[name]
    return check_section(stage, experiment.section(name)) if stage.function is None else None


def _quietly(experiment: Experiment, name: str, folder: Path, photos: int) -> int:
    """A stage's trial, whose words go to a file."""
    log = os.open(folder / LOG, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    return exit_status(name, partial(_try, experiment, name, folder, photos))


def _try(experiment: Experiment, name: str, folder: Path, photos: int) -> int:
    """Do a stage on the first photos, and write what it will cost on all of them."""
    trial, devices = _trial(experiment, name, folder, photos)
    run_stage(trial, name)
    times = len(experiment.dataset().ids("train")) / photos
    if (values := _values(experiment, name)) is None:
        seconds, megabytes = _of_results(trial, name, times), 0.0
    else:
        seconds, megabytes = _of_steps(experiment, name, folder / name, values, devices, times)
    write_json(folder / name / COST, {"seconds": seconds, "megabytes": megabytes})
    return 0


def _of_results(trial: Experiment, name: str, times: float) -> float:
    """Seconds of a stage that works file by file: what it takes for one more tells what it takes without any."""
    folder = trial.folder(name)
    seconds = _seconds(folder)
    next(folder.rglob("*.png")).unlink()
    run_stage(trial, name)
    without = _seconds(folder)
    return without + max(0.0, seconds - without) * times


def _of_steps(
    experiment: Experiment, name: str, folder: Path, values: Section, devices: int, times: float
) -> tuple[float, float]:
    """Seconds and megabytes of a stage with a Trainer, from the pace of its trial."""
    pace, data = read_json(folder / PACE), values["data"]
    if "splits" in data:
        dataset = experiment.dataset()
        ids = {image_id for split in data["splits"] for image_id in dataset.ids(split)}
        work = pace["step"] * len(ids) / devices
    else:
        steps = part(read(folder), "counts")["photos"] * times // data["batch_size"]
        work = values["trainer"]["max_epochs"] * (pace["step"] * steps + pace["epoch_end"])
    # Kept maps are made once for each photo.
    preparation = pace["preparation"] * (times if "cache" in data else 1)
    return _seconds(folder) - pace["all"] + preparation + work, pace["megabytes"]


def _seconds(folder: Path) -> float:
    """What a stage took."""
    return float((read(folder) or {})["seconds"])


def _trial(experiment: Experiment, name: str, folder: Path, photos: int) -> tuple[Experiment, int]:
    """The experiment on the first photos, on one device with its share of a batch; and how many devices there are."""
    first = {
        "class_path": "acr_lightning.data.first_photos.FirstPhotos",
        "init_args": {"dataset": experiment.dataset_node(), "photos": photos},
    }
    trial = replace(experiment, run=folder).with_values({"dataset": first})
    if (values := _values(experiment, name)) is None:
        return trial, 1
    from acr_lightning.chain.trainer_section import count_devices

    trainer, data = experiment.section(name)["trainer"], values["data"]
    devices = count_devices(trainer, name)
    pace = {"class_path": "acr_lightning.training.pace.Pace", "init_args": {"output": str(folder / name / PACE)}}
    overrides = {
        "trainer.callbacks": [*(trainer.get("callbacks") or []), pace],
        "trainer.logger": False,
        "trainer.devices": 1,
        "trainer.num_nodes": 1,
        "trainer.strategy": "auto",
    }
    if "batch_size" in data:
        overrides["data.batch_size"] = data["batch_size"] // devices
    if "cache" in data:
        overrides["data.cache"] = str(folder / "features")
    return trial.with_values({f"{name}.{key}": value for key, value in overrides.items()}), devices


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
