"""`make bench-scale`: what a photo costs in stages that go through all of them, and in what a stage does before."""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from acr_lightning.artefacts import cam_histogram
from acr_lightning.artefacts.cam_file import read_cam, write_cam
from acr_lightning.artefacts.item_path import without_file
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.runner import record_of
from acr_lightning.cli.start import way_to_start
from acr_lightning.data import tag_folder
from acr_lightning.data.folder_state import FRESH
from acr_lightning.data.shapes import Shapes
from acr_lightning.data.shapes_scenes import CLASS_NAMES
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.data_care.check_dataset import check_dataset
from acr_lightning.stages.chain import CHAIN
from acr_lightning.stages.label import label
from benchmarks.table import Row, markdown, written
from torture.chain import SHAPES
from torture.chain import experiment as tiny_experiment

FEW, SIZE, LINKS = 2000, (40, 48), 10_000


def main() -> None:
    """Measure, print a table, and end with the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=20_000, help="the many, compared with 2,000")
    count = parser.parse_args().photos
    start = way_to_start()  # first: its copies of this process do the stages of a run
    few, many = (_costs(number) for number in (FEW, count))
    rows = [
        Row(
            f"CPU ms a photo, {what}",
            f"{many[what]:.2f} of {count:,} photos",
            f"{few[what]:.2f} of {FEW:,} photos",
            {f"scale.{what.replace(' ', '_')}": many[what] / few[what]},
            "all processes; 48×40 pixels, no refiner",
        )
        for what in few
    ] + _two_ways(count, start)
    print(markdown(rows))
    for row in rows:
        for name, value in row.figures.items():
            print(f"figure {name} {written(value)}")


def _costs(count: int) -> dict[str, float]:
    """CPU milliseconds a photo, without what a stage costs that has next to none."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        little, all_of_them = (dict(_stages(root / name, number)) for name, number in (("few", 60), ("many", count)))
        return {what: 1000 * (_cpu(all_of_them[what]) - _cpu(little[what])) / (count - 60) for what in little}


def _stages(root: Path, count: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Stages over so many links to a few photos and CAMs, which lie in subfolders."""
    rng = np.random.default_rng(0)
    names = [f"{number // 1000}/{number}" for number in range(count)]
    for first in range(0, count, LINKS):  # a file cannot have more links than this everywhere
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save(root.with_suffix(".jpg"))
        scores = rng.random((1, *SIZE), np.float32)
        write_cam(root.with_suffix(".npz"), np.array([0]), scores)
        for name in names[first : first + LINKS]:
            for kind, suffix in (("photos", ".jpg"), ("cams", ".npz")):
                path = root / kind / f"{name}{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                os.link(root.with_suffix(suffix), path)
        for suffix in (".jpg", ".npz"):
            root.with_suffix(suffix).unlink()
    tags = root / "photos" / "tags.json"
    tags.write_text(json.dumps({f"{name}.jpg": ["cat"] for name in names}))
    dataset = TagFolder(str(root / "photos"), "tags.json")
    yield "label", lambda: label(dataset, str(root / "cams"), str(root / "label"), 0.5, refiner="none")
    yield "data check", lambda: check_dataset(dataset)


def _two_ways(count: int, start: Callable[[list[str]], int]) -> list[Row]:
    """What is done before the first photo, now and as it was: by contents, without what is known already."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for _ in _stages(root / "many", count):  # the photos are what is wanted
            pass
        cams, photos = root / "many" / "cams", root / "many" / "photos"
        names = [path.relative_to(cams).with_suffix("").as_posix() for path in sorted(cams.rglob("*.npz"))]
        read = {"cams": cam_histogram.histogram(cams, names)}
        seconds: dict[str, list[float]] = {
            "CPU ms a CAM, resume": [
                _cpu(lambda: without_file(cams, names, ".npz")),
                _cpu(lambda: without_file(cams, names, ".npz", read_cam)),
            ]
        }
        by_files = _cpu(lambda: cam_histogram.histogram(cams, names))
        cam_histogram.add_up(cams, names, [])
        by_histogram = _cpu(lambda: read.update(histogram=cam_histogram.histogram(cams, names)))
        assert (read["cams"] == read["histogram"]).all()
        seconds["CPU ms a CAM, threshold of a shard"] = [by_histogram, by_files]
        node = {"class_path": "TagFolder", "init_args": {"root": str(photos), "tags": "tags.json"}}
        experiment = Experiment(CHAIN, root / "run", {"dataset": node}, {})
        time.sleep(FRESH)  # until the folder counts as one that nobody is changing
        record_of(experiment, "fit")  # reads the photos; later ones know them
        seconds["CPU ms a photo, start of a stage"] = [_start(experiment), _again(lambda: _start(experiment))]
        rows = [
            Row(
                what,
                f"{1000 * now / count:.4f}",
                f"{1000 * before / count:.4f} as it was",
                {f"scale.{what.partition(', ')[2].replace(' ', '_')}": before / now},
                f"{count:,} photos",
            )
            for what, (now, before) in seconds.items()
        ]
        now, before = _scans(root / "now", start), _again(lambda: _scans(root / "before", start))
    figures = {"scale.scans": float(now), "scale.scans_before": float(before)}
    return [*rows, Row("scans of the photos in a run", str(now), f"{before} as it was", figures, "five stages")]


def _again(work: Callable[[], Any]) -> Any:
    """Some work that reads a folder whenever it is asked for it."""
    tag_folder.is_unchanged, kept = lambda state: False, tag_folder.is_unchanged
    try:
        return work()
    finally:
        tag_folder.is_unchanged = kept


def _start(experiment: Experiment) -> float:
    """What `acr run` and its process for a stage do before that begins."""
    return _cpu(lambda: [record_of(experiment, "fit") for _ in range(2)] + [experiment.dataset()])


def _scans(folder: Path, start: Callable[[list[str]], int]) -> int:
    """How often a run of five stages reads a small folder of photos."""
    folder.mkdir()
    Shapes(str(folder / "shapes"), **SHAPES)
    content = {**tiny_experiment(), "run": str(folder / "run")}
    photos, tags = folder / "shapes" / "JPEGImages", folder / "tags.json"
    tags.write_text(json.dumps({path.name: CLASS_NAMES[:1] for path in sorted(photos.iterdir())}))
    content["dataset"] = {"class_path": "TagFolder", "init_args": {"root": str(photos), "tags": str(tags)}}
    (folder / "chain.yaml").write_text(yaml.safe_dump(content))
    time.sleep(FRESH)
    log, photos_below = folder / "scans.log", tag_folder.photos_below

    def counted(root: Path) -> Iterator[Path]:
        with log.open("a") as file:
            file.write("scan\n")
        return photos_below(root)

    tag_folder.photos_below = counted
    try:
        words = ["run", "--config", str(folder / "chain.yaml"), "--stages=fit,cam,label,segment,evaluate"]
        status = start([*words, "--affinity=null"])
    finally:
        tag_folder.photos_below = photos_below
    assert status == 0
    return len(log.read_text().splitlines())


def _cpu(work: Callable[[], Any]) -> float:
    """CPU seconds of this process and of those that it waited for."""
    before = _used()
    work()
    return _used() - before


def _used() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
