"""Hostile files: whoever sends a run, a weight, tags, photos or an archive wants to run a command or write outside."""

import io
import json
import os
import pickle
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from torture.chain import Baseline, experiment
from torture.commands import call, in_copy, remove
from torture.inputs import CHAIN, PREDICTIONS, prepare
from torture.tally import Tally

RAN = "ran"  # the file that an executed attack leaves in its folder, or beside it
CLASSES = (
    "os.system", "subprocess.Popen", "subprocess.run", "stranger.Data", "acr_lightning.cli.run.subprocess.run",
    "acr_lightning.cli.main.importlib.import_module", "acr_lightning_stranger.Data", "acr_lightning..stranger.Data",
    ".stranger.Data", "os.system\n", "builtins.exec", "acr_lightning.cli.run.spawn", "pickle.loads", "",
)  # fmt: skip
NAMES = (
    "../ran",
    "../../ran",
    "/tmp/../ran",
    "a/../../ran",
    "..\\ran",
    "C:ran",
    "\x00ran",
    "~/ran",
    "link/ran",
    "-ran",
)
SCRIPT = "<script>alert(1)</script>"


class Payload:
    """Pickled, a command that leaves a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {RAN}",)


@dataclass(frozen=True)
class Attack:
    """One hostile file and who reads it.

    Attributes:
        name: what it is.
        plant: puts the file into a trial's folder.
        words: the command.
        work: what is done instead of a command.
    """

    name: str
    plant: Callable[[Path], Any]
    words: tuple[str, ...]
    work: Callable[[Path], int] | None = None


def attack(made: Baseline, count: int, tally: Tally) -> None:
    """Try the first so many attacks of each kind, the kinds in turn; all kinds together have more than fifty."""
    kinds = [list(kind()) for kind in (manifests, checkpoints, pickles, experiments, names, archives, pages)]
    turns = [kind[at] for at in range(max(map(len, kinds))) for kind in kinds if at < len(kind)]
    whole = made.folder / "whole"
    if not whole.exists():
        prepare(made)
    for number, one in enumerate(turns[:count]):
        outside = made.folder / f"attack-{number}"
        folder = outside / "here"
        shutil.copytree(whole, folder)
        one.plant(folder)
        before = _outside(outside)
        if one.work is not None:
            outcome = in_copy(lambda one=one, folder=folder: one.work(folder), outside.with_suffix(".log"))  # type: ignore[misc]
        else:
            outcome = call([*one.words], outside.with_suffix(".log"), folder)
        places = (outside.rglob("*"), made.folder.glob("*"), Path("/").glob("*"), Path("/tmp").glob("*"))
        executed = any(path.name.startswith(RAN) for place in places for path in place)
        scripted = any(SCRIPT in page.read_text() for page in folder.glob("run/*.html"))
        tally.attack(executed or scripted or before != _outside(outside), outcome, one.name)
        if outcome.is_clear:
            remove(outside)


def _outside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _node(class_path: str) -> dict[str, Any]:
    return {"class_path": class_path, "init_args": {"command": f"touch {RAN}", "args": f"touch {RAN}"}}


def _edit(path: Path, edit: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def manifests() -> Iterator[Attack]:
    """A run whose manifest names a class that runs a command."""
    for class_path in CLASSES:

        def plant(folder: Path, class_path: str = class_path) -> None:
            (folder / "stranger.py").write_text(f"from pathlib import Path\nPath({RAN!r}).touch()\n")
            for stage in ("fit", "segment"):
                _edit(
                    folder / "run" / stage / "manifest.json",
                    lambda made: made["config"]["data"]["init_args"].update(dataset=_node(class_path)),
                )

        yield Attack(f"a manifest's data set {class_path!r}", plant, ("report", "run"))

        def plant_model(folder: Path, class_path: str = class_path) -> None:
            _edit(
                folder / "run" / "evaluate" / "manifest.json",
                lambda made: made["config"].update(model={**_node(class_path), "refiner": _node(class_path)}),
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
                torch.save({**content, "network": _node(class_path)}, path)
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


def experiments() -> Iterator[Attack]:
    """YAML that makes objects, and slips in an experiment of one's own."""
    for tag in ("python/object/apply:os.system", "python/object/new:os.system", "python/name:os.system"):
        text = f"run: !!{tag} ['touch {RAN}']\n"
        for words in (("fit", *CHAIN), ("ablation", *CHAIN), ("data", "check", *CHAIN)):

            def plant(folder: Path, text: str = text) -> None:
                (folder / "chain.yaml").write_text(text)

            yield Attack(f"!!{tag} in an experiment of acr {words[0]}", plant, words)
    for class_path in CLASSES[:5]:

        def slip(folder: Path, class_path: str = class_path) -> None:
            content = {**experiment(), "dataset": _node(class_path)}
            (folder / "chain.yaml").write_text(yaml.safe_dump(content))

        yield Attack(f"an experiment's data set {class_path!r}", slip, ("data", "check", *CHAIN))


def names() -> Iterator[Attack]:
    """Ids that lead out of every folder that is written to."""
    for name in NAMES:

        def plant(folder: Path, name: str = name) -> None:
            (folder / "shapes" / "link").symlink_to("..")
            with (folder / "tags.csv").open("a") as file:
                file.write(f"{name}.jpg,a\n")

        words = ("evaluate", "--pred", PREDICTIONS, "--config", "tags.yaml", "--split=train", "--output", "scores")
        yield Attack(f"tags of the id {name!r}", plant, words)

        def plant_list(folder: Path, name: str = name) -> None:
            (folder / "shapes" / "ImageSets" / "Segmentation" / "val.txt").write_text(f"{name}\n")
            (folder / "run" / "cam" / "manifest.json").unlink()

        yield Attack(f"a list with the id {name!r}", plant_list, ("cam", *CHAIN))


def archives() -> Iterator[Attack]:
    """Archives whose members lead out of their folder."""
    members: dict[str, dict[str, Any]] = {
        "../ran": {}, "/tmp/ran-of-torture": {}, "top/../../ran": {},
        "top/a": {"type": tarfile.SYMTYPE, "linkname": "/etc"},
        "top/b": {"type": tarfile.LNKTYPE, "linkname": "../ran"},
        "top/c": {"type": tarfile.CHRTYPE},
    }  # fmt: skip
    for name, fields in members.items():

        def plant(folder: Path, name: str = name, fields: dict[str, Any] = fields) -> None:
            with tarfile.open(folder / "archive", "w") as archive:
                member = tarfile.TarInfo(name)
                for key, field in fields.items():
                    setattr(member, key, field)
                archive.addfile(member, io.BytesIO())

        yield Attack(f"a tar with the member {name}, {fields}", plant, (), _unpack)
    for name in (*NAMES[:6], "top/link"):

        def plant_zip(folder: Path, name: str = name) -> None:
            with zipfile.ZipFile(folder / "archive", "w") as archive:
                member = zipfile.ZipInfo(name)
                member.external_attr = (stat.S_IFLNK | 0o777) << 16 if name == "top/link" else 0
                archive.writestr(member, "/etc")

        yield Attack(f"a zip with the member {name!r}", plant_zip, (), _unpack)


def _unpack(folder: Path) -> int:
    """What `acr data download` does once an archive has the right checksum."""
    from acr_lightning.cli.exit_status import exit_status
    from acr_lightning.data_care.unpack import unpack

    def work() -> int:
        unpack(folder / "archive", folder / "data", {"top": "place"})
        return 0

    return exit_status("data download", work)


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
