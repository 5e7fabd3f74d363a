"""Damaged files, odd values and bad days, each for the real command that meets them."""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torture.chain import Baseline
from torture.commands import Run, command, remove
from torture.days import Day
from torture.mutations import MUTATIONS
from torture.odd import OPTIONS, PICTURES, TaggedFolder
from torture.tally import AREAS, EXPERIMENTS, EXPORT, FOLDERS, PLANS, PREDICT, RUNS, TAGS, Tally
from torture.whole import CHAIN, PREDICTIONS, SCORE, prepare


class Source(Protocol):
    """Where trials come from.

    Attributes:
        area: of the table.
    """

    @property
    def area(self) -> str: ...  # noqa: D102

    def prepare(self, folder: Path, rng: random.Random) -> tuple[Run, str]:
        """Make a trial of a whole folder; the command, and what to say of it."""
        ...


@dataclass(frozen=True)
class Reader:
    """A command, and the files that it reads.

    Attributes:
        area: of the table.
        words: the command.
        files: patterns in the trial's folder; one of the patterns is chosen, then one of its files.
        without: what is removed first, so that the command has something to do.
    """

    area: str
    words: tuple[str, ...]
    files: tuple[str, ...]
    without: tuple[str, ...] = ()

    def prepare(self, folder: Path, rng: random.Random) -> tuple[Run, str]:
        """Damage one of the files."""
        for place in self.without:
            (folder / place).unlink()
        path = rng.choice(sorted(folder.glob(rng.choice(self.files))))
        others = sorted(one for one in folder.rglob("*") if one.is_file() and one != path)
        mutation = rng.choice(MUTATIONS)
        mutation(path, rng, others)
        return command(*self.words), f"acr {' '.join(self.words)}: {mutation.__name__} {path.relative_to(folder)}"


READERS = (
    Reader(
        RUNS, ("report", "run", "--images=22"),
        (
            "run/*/manifest.json", "run/evaluate/scores.json", "run/evaluate/sweep*.json",
            "run/fit/csv/version_0/metrics.csv", "run/cam/cams/*.npz", "run/affinity_walk/cams/*.npz",
            "run/label/labels/*.png", f"{PREDICTIONS}/*.png", "shapes/JPEGImages/*", "shapes/SegmentationClass/val*",
            "shapes/shapes.json", "shapes/ImageSets/Segmentation/*", "run/from.json",
        ),
    ),
    Reader(
        FOLDERS, (*SCORE, *CHAIN),
        (f"{PREDICTIONS}/*", "shapes/SegmentationClass/val*", "shapes/ImageSets/Segmentation/*", "shapes/shapes.json",
         "chain.yaml"),
    ),
    Reader(
        RUNS, ("cam", *CHAIN),
        ("run/fit/last.ckpt", "run/fit/last.ckpt", "run/*/manifest.json", "run/cam/cams/*", "shapes/JPEGImages/*",
         "shapes/Annotations/*"),
        ("run/cam/manifest.json", "run/cam/cams/val_00001.npz", "run/cam/cams/val_00002.npz"),
    ),
    Reader(
        RUNS, ("affinity_walk", *CHAIN),
        ("run/affinity_train/last.ckpt", "run/cam/cams/val_0000[12]*", "run/affinity_walk/cams/*"),
        ("run/affinity_walk/manifest.json", "run/affinity_walk/cams/val_00001.npz",
         "run/affinity_walk/cams/val_00002.npz"),
    ),
    Reader(
        RUNS, ("segment", *CHAIN, "--trainer.max_epochs=3"),
        ("run/segment/last.ckpt", "run/label/labels/train*", "run/label/manifest.json"),
        ("run/segment/manifest.json",),
    ),
    Reader(
        RUNS, ("evaluate", *CHAIN),
        ("run/segment/last.ckpt", "run/label/labels/val*", "run/cam/cams/val*", "run/label/manifest.json",
         f"{PREDICTIONS}/*"),
        ("run/evaluate/manifest.json", f"{PREDICTIONS}/val_00001.png"),
    ),
    Reader(
        PREDICT, ("predict", "--run", "run", "--images", "pictures", "--output", "masks"),
        ("pictures/*", "run/segment/last.ckpt", "run/evaluate/manifest.json", "run/segment/manifest.json"),
    ),
    Reader(TAGS, (*SCORE, "--config=tags.yaml", "--split=train"), ("tags.csv", "tags.yaml")),
    Reader(TAGS, (*SCORE, "--config=json.yaml", "--split=train"), ("tags.json", "json.yaml")),
    Reader(EXPERIMENTS, ("fit", *CHAIN, "--print_config"), ("chain.yaml",)),
    Reader(EXPERIMENTS, ("run", *CHAIN, "--check"), ("chain.yaml",)),
    Reader(
        RUNS, ("data", "check", "--config", "coco_data.yaml"),
        ("coco/annotations/*", "coco/*2014/*", "coco_cache/*/*.npz", "coco_cache/*/masks/*"),
    ),
    Reader(RUNS, ("fit", "--config", "kept.yaml"), ("features/*/*",)),
    Reader(RUNS, ("fit", "--config", "weights.yaml"), ("net.safetensors",)),
    Reader(PLANS, ("compare", "--config", "plan.yaml"), ("plan.yaml",)),
    Reader(
        EXPORT, ("export", "--run=run", "--height=32", "--width=32", "--output=out.onnx"),
        ("run/segment/last.ckpt", "run/*/manifest.json", "run/evaluate/scores.json"),
    ),
)  # fmt: skip


SOURCES: tuple[Source, ...] = (*READERS, *OPTIONS, *PICTURES, TaggedFolder(), Day())


def damage(made: Baseline, count: int, seed: str, tally: Tally) -> None:
    """Run commands on bad input and on bad days, the areas in turn."""
    if not (made.folder / "whole").exists():
        prepare(made)
    areas = {area: [source for source in SOURCES if source.area == area] for area in AREAS}
    turn = [sources for sources in areas.values() if sources]
    for number in range(count):
        name = f"input-{seed}-{number}"
        rng = random.Random(name)
        folder, source = made.folder / name, rng.choice(turn[number % len(turn)])
        shutil.copytree(made.folder / "whole", folder)
        run, what = source.prepare(folder, rng)
        outcome = run(folder, folder.with_suffix(".log"))
        tally.answered(outcome, f"{name}: {what}", source.area)
        if outcome.is_clear:
            remove(folder)
