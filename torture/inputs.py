"""Damaged files of every kind, each read by the real command that reads it."""

import json
import random
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from acr_lightning.metrics.voc_server import FOLDER
from tests.tiny_coco import write_coco
from torture.chain import Baseline, experiment
from torture.commands import call, in_copy, remove
from torture.mutations import MUTATIONS
from torture.tally import Tally

CHAIN = ("--config", "chain.yaml")
PREDICTIONS = "run/evaluate/predictions"


@dataclass(frozen=True)
class Reader:
    """A command, and the files that it reads.

    Attributes:
        words: the command.
        files: patterns in the trial's folder; one of the patterns is chosen, then one of its files.
        without: what is removed first, so that the command has something to do.
    """

    words: tuple[str, ...]
    files: tuple[str, ...]
    without: tuple[str, ...] = ()


READERS = (
    Reader(
        ("report", "run", "--images=22"),
        (
            "run/*/manifest.json", "run/evaluate/scores.json", "run/evaluate/sweep*.json",
            "run/fit/csv/version_0/metrics.csv", "run/cam/cams/*.npz", "run/affinity_walk/cams/*.npz",
            "run/label/labels/*.png", f"{PREDICTIONS}/*.png", "shapes/JPEGImages/*", "shapes/SegmentationClass/val*",
            "shapes/shapes.json", "shapes/ImageSets/Segmentation/*", "run/from.json",
        ),
    ),
    Reader(
        ("evaluate", "--cams", "run/cam/cams", *CHAIN, "--split", "seed"),
        ("run/cam/cams/val*", "shapes/SegmentationClass/val*", "shapes/ImageSets/Segmentation/*", "shapes/shapes.json"),
    ),
    Reader(
        ("evaluate", "--pred", PREDICTIONS, *CHAIN),
        (f"{PREDICTIONS}/*", "shapes/SegmentationClass/val*", "shapes/JPEGImages/val*", "chain.yaml"),
    ),
    Reader(
        ("evaluate", "--pred", PREDICTIONS, "--gt", "shapes/SegmentationClass", "--classes=4", "--list", "ids.txt"),
        (f"{PREDICTIONS}/*", "shapes/SegmentationClass/val*", "ids.txt"),
    ),
    Reader(
        ("cam", *CHAIN),
        ("run/fit/last.ckpt", "run/fit/last.ckpt", "run/*/manifest.json", "run/cam/cams/*", "shapes/JPEGImages/*",
         "shapes/Annotations/*"),
        ("run/cam/manifest.json", "run/cam/cams/val_00001.npz", "run/cam/cams/val_00002.npz"),
    ),
    Reader(
        ("affinity_walk", *CHAIN),
        ("run/affinity_train/last.ckpt", "run/cam/cams/val_0000[12]*", "run/affinity_walk/cams/*"),
        ("run/affinity_walk/manifest.json", "run/affinity_walk/cams/val_00001.npz",
         "run/affinity_walk/cams/val_00002.npz"),
    ),
    Reader(
        ("segment", *CHAIN, "--trainer.max_epochs=3"),
        ("run/segment/last.ckpt", "run/label/labels/train*", "run/label/manifest.json"),
        ("run/segment/manifest.json",),
    ),
    Reader(
        ("evaluate", *CHAIN),
        ("run/segment/last.ckpt", "run/label/labels/val*", "run/cam/cams/val*", "run/label/manifest.json",
         f"{PREDICTIONS}/*"),
        ("run/evaluate/manifest.json", f"{PREDICTIONS}/val_00001.png"),
    ),
    Reader(
        ("predict", "--run", "run", "--images", "pictures", "--output", "masks"),
        ("pictures/*", "run/segment/last.ckpt", "run/evaluate/manifest.json", "run/segment/manifest.json"),
    ),
    Reader(("evaluate", "--pred", PREDICTIONS, "--config", "tags.yaml", "--split=train"), ("tags.csv", "tags.yaml")),
    Reader(("evaluate", "--pred", PREDICTIONS, "--config", "json.yaml", "--split=train"), ("tags.json", "json.yaml")),
    Reader(("fit", *CHAIN, "--print_config"), ("chain.yaml",)),
    Reader(("run", *CHAIN, "--check"), ("chain.yaml",)),
    Reader(("data", "check", *CHAIN, "--pack", "pack.tgz", "--split=val"), ("pack.tgz",)),
    Reader(
        ("data", "check", "--config", "coco_data.yaml"),
        ("coco/annotations/*", "coco/*2014/*", "coco_cache/*/*.npz", "coco_cache/*/masks/*"),
    ),
    Reader(("fit", "--config", "kept.yaml"), ("features/*/*",)),
    Reader(("fit", "--config", "weights.yaml"), ("net.safetensors",)),
    Reader(("weights", "convert", "net.params", "net.safetensors"), ("net.params",)),
)  # fmt: skip


def damage(made: Baseline, count: int, seed: str, tally: Tally) -> None:
    """Damage one file after another, and run the command that reads it."""
    whole = made.folder / "whole"
    if not whole.exists():
        prepare(made)
    for number in range(count):
        name = f"input-{seed}-{number}"
        input_trial(whole, made.folder / name, READERS[number % len(READERS)], name, tally)


def input_trial(whole: Path, folder: Path, reader: Reader, seed: str, tally: Tally) -> None:
    """One damaged file."""
    rng = random.Random(seed)
    shutil.copytree(whole, folder)
    for place in reader.without:
        (folder / place).unlink()
    path = rng.choice(sorted(folder.glob(rng.choice(reader.files))))
    others = sorted(one for one in folder.rglob("*") if one.is_file() and one != path)
    mutation = rng.choice(MUTATIONS)
    mutation(path, rng, others)
    outcome = call([*reader.words], folder / "said.log", folder)
    told = f"{seed}: acr {' '.join(reader.words)}: {mutation.__name__} {path.relative_to(folder)}"
    tally.answered(outcome, told)
    if outcome.is_clear:
        remove(folder)


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
    (folder / "ids.txt").write_text("\n".join(ids) + "\n")
    (folder / "pictures").mkdir()
    for image_id in ids[:3]:
        shutil.copy(folder / "shapes" / "JPEGImages" / f"{image_id}.jpg", folder / "pictures")
    (folder / "tags.csv").write_text("image,tags\n" + "".join(f"{image_id}.jpg,a;b\n" for image_id in ids))
    (folder / "tags.json").write_text(json.dumps({f"{image_id}.jpg": ["a", "b"] for image_id in ids}))
    for name, tags in (("tags.yaml", "../../tags.csv"), ("json.yaml", "../../tags.json")):
        arguments = {"root": "shapes/JPEGImages", "tags": tags, "masks": "shapes/SegmentationClass"}
        content = {"run": "run", "dataset": {"class_path": "TagFolder", "init_args": arguments}}
        (folder / name).write_text(yaml.safe_dump(content))
    with tarfile.open(folder / "pack.tgz", "w:gz") as pack:
        for image_id in ids:
            pack.add(folder / PREDICTIONS / f"{image_id}.png", f"{FOLDER}/{image_id}.png")
    prepare_kinds(folder)


def prepare_kinds(folder: Path) -> None:
    """COCO with its cache, the kept maps of a frozen backbone, and weights of both formats."""
    write_coco(folder / "coco", 2014, train=4, val=2)
    coco = {"class_path": "COCO", "init_args": {"root": "coco", "cache": "coco_cache"}}
    (folder / "coco_data.yaml").write_text(yaml.safe_dump({"run": "run", "dataset": coco}))
    call(["data", "check", "--config", "coco_data.yaml"], folder / "said.log", folder)
    frozen = {"class_path": "FrozenClassifier", "init_args": {"backbone": "tiny_resnet"}}
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
    (folder / "net.params").write_bytes((0x112).to_bytes(8, "little") + bytes(24) + bytes(range(256)))


def _save_weights(path: Path) -> int:
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("tiny_resnet").state_dict(), path)
    return 0
