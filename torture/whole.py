"""A folder with a finished run, and whole files of every kind that a command reads."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from acr_lightning.data.shapes_scenes import CLASS_NAMES
from tests.tiny_coco import write_coco
from torture.chain import STAGES, Baseline, experiment
from torture.commands import call, in_copy, remove

CHAIN = ("--config", "chain.yaml")
PREDICTIONS = "run/evaluate/predictions"
SCORE = ("score", PREDICTIONS)
# A run that reads all but its test from the finished one, so that a plan's cell takes a second.
BORROWED = {f"from.{stage}": "run" for stage in STAGES[: STAGES.index("evaluate")]}


def prepare(made: Baseline) -> None:
    """A folder with a finished run and whole files of all kinds."""
    folder = made.folder / "whole"
    shutil.copytree(made.run, folder / "run")
    shutil.copytree(made.folder / "shapes", folder / "shapes")
    (folder / "chain.yaml").write_text(yaml.safe_dump(experiment()))
    (folder / "run" / "from.json").write_text("{}")
    log = folder / "run" / "fit" / "csv" / "version_0" / "metrics.csv"
    log.parent.mkdir(parents=True)
    log.write_text("epoch,step,cu_loss,monitor_area\n" + "".join(f"0,{step},{1 / step},\n" for step in range(1, 40)))
    ids = sorted(path.stem for path in (folder / PREDICTIONS).glob("*.png"))
    (folder / "pictures").mkdir()
    for image_id in ids[:3]:
        shutil.copy(folder / "shapes" / "JPEGImages" / f"{image_id}.jpg", folder / "pictures")
    (folder / "tags.csv").write_text(
        "image,tags\n" + "".join(f"{image_id}.jpg,{';'.join(CLASS_NAMES)}\n" for image_id in ids)
    )
    (folder / "tags.json").write_text(json.dumps({f"{image_id}.jpg": CLASS_NAMES for image_id in ids}))
    for name, tags in (("tags.yaml", "../../tags.csv"), ("json.yaml", "../../tags.json")):
        arguments = {"root": "shapes/JPEGImages", "tags": tags, "masks": "shapes/SegmentationClass"}
        dataset = {"class_path": "TagFolder", "init_args": arguments}
        (folder / name).write_text(yaml.safe_dump({**experiment(), "dataset": dataset}))
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan({"a": {"evaluate.model.long_side": 32}, "b": {}})))
    prepare_kinds(folder)


def plan(*tables: dict[str, Any], datasets: tuple[str, ...] = ("one",), run: str = "plan") -> dict[str, Any]:
    """A plan of some tables' variants, whose runs do the test alone."""
    content = {"run": run, "seeds": [0], "stages": ["evaluate"], "common": BORROWED}
    content["datasets"] = {name: {"base": "chain.yaml"} for name in datasets}
    return {**content, "tables": {f"table {number}": variants for number, variants in enumerate(tables)}}


def prepare_kinds(folder: Path) -> None:
    """COCO with its cache, the kept maps of a frozen backbone, and weights of both formats."""
    write_coco(folder / "coco", 2014, train=4, val=2)
    coco = {"class_path": "COCO", "init_args": {"root": "coco", "cache": "coco_cache"}}
    (folder / "coco_data.yaml").write_text(yaml.safe_dump({"run": "run", "dataset": coco}))
    call(["data", "check", "--config", "coco_data.yaml"], folder / "said.log", folder)
    frozen = {"class_path": "FrozenClassifier", "init_args": {"backbone": "test_resnet"}}
    kept = {"class_path": "FrozenFeatures", "init_args": {"size": 64, "cache": "features"}}
    for name, classifier, data in (("kept", frozen, kept), ("weights", {"weights": "net.safetensors"}, None)):
        content = {**experiment(), "run": f"run_{name}"}
        fit = content["fit"]
        fit["model"] = {"strategy": "baseline", "classifier": {**fit["model"]["classifier"], **classifier}}
        if data is not None:
            fit["model"]["classifier"], fit["data"] = classifier, data
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    in_copy(lambda: _save_weights(folder / "net.safetensors"), folder / "said.log")
    call(["fit", "--config", "kept.yaml"], folder / "said.log", folder)
    remove(folder / "run_kept")


def _save_weights(path: Path) -> int:
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("test_resnet").state_dict(), path)
    return 0


def begin(folder: Path, stage: str, values: dict[str, Any], config: str = "chain.yaml") -> None:
    """Let a stage's folder be one that a killed command left, so that the next goes on with what is there.

    Args:
        folder: where the command will run.
        stage: its name.
        values: over the experiment's, as the command has them.
        config: the experiment file.
    """

    def work() -> int:
        from acr_lightning.chain import experiment_file, runner
        from acr_lightning.stages.chain import CHAIN as STAGES_AND_PRESETS

        os.chdir(folder)
        experiment = experiment_file.load(STAGES_AND_PRESETS, config, values)
        digest = runner.record_of(experiment, stage).digest
        manifest = {"status": "started", "digest": digest, "config": experiment.section(stage)}
        (folder / "run" / stage / "manifest.json").write_text(json.dumps(manifest))
        return 0

    in_copy(work, folder / "begin.log")
