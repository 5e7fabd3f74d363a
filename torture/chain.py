"""A chain of all stages that takes a minute on one core, what an uninterrupted run of it made, and the comparison."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from torture.commands import Outcome, call, in_copy

STAGES = (
    "fit", "cam", "affinity_labels", "affinity_train", "affinity_walk", "label", "segment", "evaluate", "report",
)  # fmt: skip
SHAPES = {"num_train": 8, "num_val": 4, "size": 64, "seed": 3}
# What two runs have to have in common, beside the tensors of their checkpoints.
SAME = ("*.npz", "*.png", "scores.json", "sweep*.json", "threshold.json", "confusion_*.csv")


def experiment(folder: str = "shapes") -> dict[str, Any]:
    """The experiment, on `Shapes` in a folder of where the command runs, so that all trials have one digest."""
    cpu = {"accelerator": "cpu", "devices": 1, "logger": False, "enable_progress_bar": False}
    network = {"backbone": "test_resnet", "output_stride": 8, "freeze_batchnorm": False}
    loaded = {"num_workers": 0}
    return {
        "run": "run",
        "seed": 1,
        "dataset": {"class_path": "Shapes", "init_args": {"root": folder, **SHAPES}},
        "fit": {
            "model": {
                "classifier": network,
                "reconstructor": {"depth": 3, "width": 8, "stride": 2}, "srf": {"grid": 4},
                "optimizer": {"name": "adamw", "lr": 0.001, "new_layer_factor": 1.0},
            },
            "data": {"crop": 48, "long_side": [56, 64], "batch_size": 4, **loaded},
            "trainer": {"max_epochs": 2, **cpu},
        },
        "cam": {"model": {"scales": [1.0]}, "data": loaded, "trainer": cpu},
        "affinity": "irn",
        "affinity_labels": {"workers": 1, "refiner": "none"},
        "affinity_train": {
            "model": {**network, "weights": None, "radius": 4},
            "data": {"crop": 48, "scale": [1, 1], "batch_size": 4, **loaded},
            "trainer": {"max_epochs": 2, **cpu},
        },
        "affinity_walk": {"model": {"radius": 4}, "data": loaded, "trainer": cpu},
        "label": {"workers": 1, "refiner": "none"},
        "segment": {
            "model": {**network, "rates": [1, 2]},
            "data": {"crop": 48, "batch_size": 4, **loaded},
            "trainer": {"max_epochs": 2, **cpu},
        },
        "evaluate": {"model": {"scales": [1.0]}, "data": loaded, "trainer": cpu},
        "report": {"images": 4},
    }  # fmt: skip


def experiment_of_ranks(folder: str = "shapes") -> dict[str, Any]:
    """One whose results do not hang on how many processes make them.

    No BatchNorm learns, and in 64 bits no step blows up the rounding of a sum.
    """
    content = experiment(folder)
    for name in ("fit", "affinity_train", "segment"):
        model = content[name]["model"]
        (model["classifier"] if name == "fit" else model)["freeze_batchnorm"] = True
        model["optimizer"] = {"name": "sgd", "lr": 0.001}
    for section in content.values():
        if isinstance(section, dict) and "trainer" in section:
            section["trainer"] = {**section["trainer"], "precision": "64-true"}
    return content


@dataclass(frozen=True)
class Baseline:
    """What nothing interrupted.

    Attributes:
        folder: of everything; trials have folders of their own in it.
        config: the experiment file.
        run: the finished run.
        seconds: how long `acr run` took for each stage.
        tolerance: by which weights may differ from these.
    """

    folder: Path
    config: Path
    run: Path
    seconds: dict[str, float]
    tolerance: float = 0.0

    def words(self, stage: str, run: Path, by_run: bool = False) -> list[str]:
        """The command for one stage, by its own name or by `acr run`."""
        named = ["run", f"--stages={stage}"] if by_run else [stage]
        return [*named, "--config", str(self.config), f"--run={run}"]

    def begun(self, stage: str, name: str) -> Path:
        """A new run in which every stage before this one is done."""
        run = self.folder / name / "run"
        run.mkdir(parents=True)
        for before in STAGES[: STAGES.index(stage)]:
            shutil.copytree(self.run / before, run / before)
        return run

    def difference(self, stages: Iterable[str], run: Path) -> str:
        """Where a run's stages differ from the uninterrupted ones; empty where they do not."""
        made = in_copy(lambda: _compare(self, run, list(stages)), run.parent / "compared.log")
        return made.said.strip() if made.status else ""


def make_baseline(folder: Path, content: dict[str, Any], tolerance: float = 0.0) -> Baseline:
    """Run an experiment, stage by stage, in one process each.

    Raises:
        RuntimeError: a stage fails.
    """
    config, seconds = folder / "chain.yaml", dict[str, float]()
    config.write_text(yaml.safe_dump(content))
    made = Baseline(folder, config, folder / "run", seconds, tolerance)
    for stage in STAGES:
        since = time.monotonic()
        done: Outcome = call(made.words(stage, made.run, by_run=True), folder / f"{stage}.log", folder)
        if done.status:
            raise RuntimeError(f"{stage}: {done.said}")
        seconds[stage] = time.monotonic() - since
    return made


def _compare(made: Baseline, run: Path, stages: list[str]) -> int:
    """Print where two runs differ; 1 if they do."""
    import torch

    from acr_lightning.artefacts import checkpoint_file
    from acr_lightning.artefacts.manifest import CHECKPOINT, is_done
    from acr_lightning.errors import UserError
    from acr_lightning.system.lock import folder_lock

    found = []
    for stage in stages:
        one, two = made.run / stage, run / stage
        files = [{path.relative_to(part): path for name in SAME for path in part.rglob(name)} for part in (one, two)]
        if files[0].keys() != files[1].keys():
            found.append(f"{stage}: other files: {sorted(map(str, files[0].keys() ^ files[1].keys()))}")
        found += [
            f"{path}: differs"
            for name, path in files[1].items()
            if name in files[0] and path.read_bytes() != files[0][name].read_bytes()
        ]
        if (one / CHECKPOINT).exists():
            states = [checkpoint_file.read(part / CHECKPOINT)["state_dict"] for part in (one, two)]
            pairs = ((value, states[1][name]) for name, value in states[0].items())
            if not all(torch.allclose(*pair, rtol=0, atol=made.tolerance) for pair in pairs):
                found.append(f"{two / CHECKPOINT}: other weights")
        if not is_done(two):
            found.append(f"{two}: not done")
        found += [f"{path}: left over" for path in two.rglob(".*.tmp")]
        try:
            with folder_lock(two):  # what a killed process left is taken over
                pass
        except UserError as error:
            found.append(str(error))
    print("\n".join(found))
    return 1 if found else 0
