"""`make bench-scale`: what a photo costs in stages that go through all of them, and in what a stage does before."""

import argparse
import itertools
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.reduction import ForkingPickler
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

SIZE, LINKS = (40, 48), 10_000
# Photos whose cost is the stage's own and the start of its processes; how often it and others of seconds are measured.
NEXT_TO_NONE, REPEATS, SHORT = 400, 2, 2000
# Of what was done before the first photo the cost of one did not hang on their number.
AS_IT_WAS = 5_000


def main() -> None:
    """Measure, print a table, and end with the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, nargs="*", default=[1000, 10_000, 100_000], help="of stages")
    parser.add_argument("--starts", type=int, default=200_000, help="photos, where none is begun; 0: leave it out")
    options = parser.parse_args()
    start = way_to_start()  # first: its copies of this process do the stages of a run
    rows = []
    for row in itertools.chain(_costs(options.photos), _two_ways(options.starts, start) if options.starts else ()):
        print(row.what, row.ours, row.other, sep="; ", flush=True)
        rows.append(row)
    print(markdown(rows))
    for row in rows:
        for name, value in row.figures.items():
            print(f"figure {name} {written(value)}")


def _costs(counts: list[int]) -> Iterator[Row]:
    """CPU milliseconds a photo, without what a stage costs that has next to none."""
    if not counts:
        return
    sent: list[int] = []
    with _counting_what_is_sent(sent):
        own, *seconds = (_measured(count) for count in (NEXT_TO_NONE, *counts))
    for what in own:
        costs = [
            1000 * (one[what] - own[what]) / (count - NEXT_TO_NONE) for count, one in zip(counts, seconds, strict=True)
        ]
        texts = [f"{cost:.2f} of {count:,} photos" for count, cost in zip(counts, costs, strict=True)]
        figures = {f"scale.{what.replace(' ', '_')}": max(costs) / min(costs)}
        yield Row(f"CPU ms a photo, {what}", texts[-1], ", ".join(texts[:-1]), figures, "no refiner")
    yield Row("bytes sent for four photos, at most", str(max(sent)), "", {"scale.sent": float(max(sent))})


def _measured(count: int) -> dict[str, float]:
    """CPU seconds of stages over so many photos, all processes together; the least of some, where they are short."""
    runs: list[dict[str, float]] = []
    for _ in range(REPEATS if count <= SHORT else 1):
        with tempfile.TemporaryDirectory() as folder:
            runs.append({what: _cpu(work) for what, work in _stages(Path(folder) / "photos", count)})
    return {what: min(run[what] for run in runs) for what in runs[0]}


@contextmanager
def _counting_what_is_sent(sent: list[int]) -> Iterator[None]:
    """Note the size of all that is pickled for a process that is there; what it is started with is no part of it."""
    pickled = ForkingPickler.dumps

    def counted(thing: Any, protocol: int | None = None) -> Any:
        content = pickled(thing, protocol)
        sent.append(len(content))
        return content

    ForkingPickler.dumps = staticmethod(counted)
    try:
        yield
    finally:
        ForkingPickler.dumps = pickled


def _stages(root: Path, count: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Stages over so many links to a few photos and CAMs, which lie in subfolders."""
    rng = np.random.default_rng(0)
    names = [f"{number // 1000}/{number}" for number in range(count)]
    for first in range(0, count, LINKS):  # a file cannot have more links than this everywhere
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save(root.with_suffix(".jpg"))
        scores = rng.random((1, *SIZE), np.float32)
        write_cam(root.with_suffix(".npz"), np.array([0]), scores)
        for kind, suffix in (("photos", ".jpg"), ("cams", ".npz")):
            for name in names[first : first + LINKS]:
                if name.endswith("000") or name == "0/0":
                    (root / kind / name).parent.mkdir(parents=True)
                os.link(f"{root}{suffix}", f"{root}/{kind}/{name}{suffix}")
            root.with_suffix(suffix).unlink()
    tags = root / "photos" / "tags.json"
    tags.write_text(json.dumps({f"{name}.jpg": ["cat"] for name in names}))
    dataset = TagFolder(str(root / "photos"), "tags.json")
    yield "label", lambda: label(dataset, str(root / "cams"), str(root / "label"), 0.5, refiner="none")
    yield "data check", lambda: check_dataset(dataset)


def _two_ways(count: int, start: Callable[[list[str]], int]) -> Iterator[Row]:
    """What is done before the first photo, now and as it was: by contents, without what is known already."""
    before, now = _before_the_first_photo(min(count, AS_IT_WAS)), _before_the_first_photo(count, is_now=True)
    for what in now:
        name = f"scale.{what.replace(' ', '_')}"
        yield Row(
            f"CPU ms a photo, {what}", f"{now[what]:.5f} of {count:,} photos",
            f"{before[what]:.3f} as it was, of {min(count, AS_IT_WAS):,}",
            {name: before[what] / now[what], f"{name}_seconds": now[what] * count / 1000},
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        scans = _scans(Path(folder) / "now", start)
        past = _again(lambda: _scans(Path(folder) / "before", start))
    figures = {"scale.scans": float(scans), "scale.scans_before": float(past)}
    yield Row("scans of the photos in a run", str(scans), f"{past} as it was", figures, "five stages")


def _before_the_first_photo(count: int, is_now: bool = False) -> dict[str, float]:
    """CPU milliseconds a photo."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for _ in _stages(root / "many", count):  # the photos are what is wanted
            pass
        cams, photos = root / "many" / "cams", root / "many" / "photos"
        names = [path.relative_to(cams).with_suffix("").as_posix() for path in sorted(cams.rglob("*.npz"))]
        node = {"class_path": "TagFolder", "init_args": {"root": str(photos), "tags": "tags.json"}}
        experiment = Experiment(CHAIN, root / "run", {"dataset": node}, {})
        time.sleep(FRESH)  # until the folder counts as one that nobody is changing
        record_of(experiment, "fit")  # reads the photos; later ones know them
        few = names[:AS_IT_WAS]
        if is_now:
            cam_histogram.add_up(cams, few, [])
        return {
            "resume": 1000 / count * _cpu(lambda: without_file(cams, names, ".npz", None if is_now else read_cam)),
            "threshold of a shard": 1000 / len(few) * _cpu(lambda: cam_histogram.histogram(cams, few)),
            "start of a stage": 1000 / count * (_start(experiment) if is_now else _again(lambda: _start(experiment))),
        }


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
