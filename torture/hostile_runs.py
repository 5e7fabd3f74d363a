"""Run folders that want to run a command or markup: manifests, checkpoints, pickled results, pages."""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from torture.attack import CLASSES, RAN, Attack, node
from torture.commands import in_copy
from torture.inputs import CHAIN, PREDICTIONS

SCRIPT = "<script>alert(1)</script>"


class Payload:
    """Pickled, a command that leaves a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {RAN}",)


def manifests() -> Iterator[Attack]:
    """A run whose manifest names a class that runs a command."""
    for class_path in CLASSES:

        def plant(folder: Path, class_path: str = class_path) -> None:
            (folder / "stranger.py").write_text(f"from pathlib import Path\nPath({RAN!r}).touch()\n")
            for stage in ("fit", "segment"):
                _edit(
                    folder / "run" / stage / "manifest.json",
                    lambda made: made["config"]["data"]["init_args"].update(dataset=node(class_path)),
                )

        yield Attack(f"a manifest's data set {class_path!r}", plant, ("report", "run"))

        def plant_model(folder: Path, class_path: str = class_path) -> None:
            _edit(
                folder / "run" / "evaluate" / "manifest.json",
                lambda made: made["config"].update(model={**node(class_path), "refiner": node(class_path)}),
            )

        words = ("predict", "--run", "run", "--images", "pictures", "--output", "masks")
        yield Attack(f"a manifest's test {class_path!r}", plant_model, words)


def checkpoints() -> Iterator[Attack]:
    """A checkpoint that describes its network as a class that runs a command."""
    for class_path in CLASSES[:8]:

        def plant(folder: Path, class_path: str = class_path) -> None:
            def rewrite() -> int:
                import torch

                path = folder / "run" / "fit" / "last.ckpt"
                content = torch.load(path, weights_only=True)
                torch.save({**content, "network": node(class_path)}, path)
                return 0

            in_copy(rewrite, folder.parent / "plant.log")
            (folder / "run" / "cam" / "manifest.json").unlink()
            (folder / "run" / "fit" / "manifest.json").write_text('{"status": "done", "digest": "0", "config": {}}')
            (folder / "run" / "cam" / "cams" / "val_00001.npz").unlink()

        yield Attack(f"a checkpoint's network {class_path!r}", plant, ("cam", *CHAIN))


def pickles() -> Iterator[Attack]:
    """Pickled code in the place of every file that NumPy or torch could unpickle."""
    readers = {
        "run/fit/last.ckpt": ("fit", *CHAIN, "--trainer.max_epochs=4"),
        "run/segment/last.ckpt": ("predict", "--run", "run", "--images", "pictures", "--output", "masks"),
        "run/affinity_train/last.ckpt": ("affinity_walk", *CHAIN),
        "run/cam/cams/val_00001.npz": ("evaluate", "--cams", "run/cam/cams", *CHAIN, "--split=seed"),
        f"{PREDICTIONS}/val_00001.png": ("evaluate", "--pred", PREDICTIONS, *CHAIN),
        "net.params": ("weights", "convert", "net.params", "net.safetensors"),
        "pictures/val_00001.jpg": ("predict", "--run", "run", "--images", "pictures", "--output", "masks"),
    }
    for place, words in readers.items():
        for form in ("plain", "zipped", "array"):

            def plant(folder: Path, place: str = place, form: str = form) -> None:
                (folder / place).write_bytes(_pickled(form))
                (folder / "run" / "fit" / "manifest.json").unlink()
                (folder / "run" / "affinity_walk" / "manifest.json").unlink()

            yield Attack(f"pickled code, {form}, in {place}", plant, words)


def _pickled(form: str) -> bytes:
    content, buffer = pickle.dumps(Payload()), io.BytesIO()
    if form == "plain":
        return content
    if form == "array":
        array = np.empty(1, object)
        array[0] = Payload()
        np.savez(buffer, classes=array, levels=array)
        return buffer.getvalue()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


def pages() -> Iterator[Attack]:
    """Markup in everything of a run that its report shows."""

    def settings(folder: Path) -> None:
        _edit(folder / "run" / "cam" / "manifest.json", lambda made: made["config"].update({SCRIPT: SCRIPT}))

    def scores(folder: Path) -> None:
        _edit(
            folder / "run" / "evaluate" / "scores.json",
            lambda rows: rows[0].update(what=SCRIPT, split=SCRIPT, chosen=SCRIPT, refiner=SCRIPT, scales=[SCRIPT]),
        )

    def curves(folder: Path) -> None:
        path = folder / "run" / "fit" / "csv" / "version_0" / "metrics.csv"
        path.write_text(path.read_text().replace("cu_loss", f"cu_{SCRIPT}"))

    def damaged(folder: Path) -> None:
        (folder / "run" / "evaluate" / "scores.json").write_text(SCRIPT)

    for name, plant in (("settings", settings), ("scores", scores), ("curves", curves), ("a note", damaged)):
        yield Attack(f"markup in {name}", plant, ("report", "run"))


def _edit(path: Path, edit: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
