"""Run folders that want to run, write, read or show something: manifests, checkpoints, pickled results, pages."""

import base64
import html
import io
import json
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from markdown_it import MarkdownIt

from torture.attack import RAN, Attack, node, own_data, plant_modules, strangers
from torture.commands import Outcome, command, in_copy, in_order
from torture.tally import RUNS
from torture.whole import CHAIN, PREDICTIONS, SCORE, begin

WEIGHTS = ("run", "--config", "weights.yaml", "--stages=fit", "--check")

OWN_TEST = "acr_lightning.segment.network_inference.NetworkInference"
PREDICT = ("predict", "--run", "run", "--images", "pictures")
MARKUP = {"a picture": "<img src=x onerror=alert(1)>", "a script": "<script>alert(1)"}
QUOTE = {"an attribute": 'x" onerror="alert(1)'}
MARKDOWN = {"a picture elsewhere": "![x](http://127.0.0.1/x.png)", "a link that runs": "[x](javascript:alert(1))"}
HARMLESS_TEXT = "Tom & Jerry"
# The value of a tensor that no training gives.
TENSOR = 2.0


class Payload:
    """Pickled, a command that leaves a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {RAN}",)


def manifests() -> Iterator[Attack]:
    """A run whose manifest names a class that runs a command."""

    def plant(folder: Path, payload: Any) -> None:
        plant_modules(folder)
        for stage in ("evaluate", "fit", "segment"):
            _edit(
                folder / "run" / stage / "manifest.json",
                lambda made: made["config"]["data"]["init_args"].update(dataset=payload),
            )

    yield Attack(
        "a manifest's data set", RUNS, plant, command("report", "run", "--allow=torture"), strangers(), own_data()
    )

    def plant_test(folder: Path, payload: Any) -> None:
        plant_modules(folder)
        _edit(folder / "run" / "evaluate" / "manifest.json", lambda made: made["config"].update(model=payload))

    def as_asked(folder: Path, payload: Any, outcome: Outcome) -> bool:
        """The photo has the mask that it has with the payload's values, and not the one of the run as it was."""
        masks = [sorted((folder / name).glob("*.npz")) for name in ("masks", "asked", "before")]
        ours, asked, before = ([np.load(path)["probabilities"] for path in paths] for paths in masks)
        return len(ours) > 0 and all(map(np.array_equal, ours, asked)) and not all(map(np.array_equal, ours, before))

    soft = (*PREDICT, "--soft")
    refiners = {f"the refiner {path!r}": node(OWN_TEST, refiner=one) for path, one in strangers().items()}
    yield Attack(
        "a manifest's test", RUNS, plant_test,
        in_order(
            command(*soft, "--output", "masks"),
            command(*soft, "--scales=[0.5]", "--output", "asked"),
            command(*soft, "--scales=[1.0]", "--output", "before"),
        ),
        {**strangers(), **refiners}, node(OWN_TEST, scales=[0.5]), reached=as_asked,
    )  # fmt: skip


def checkpoints() -> Iterator[Attack]:
    """A checkpoint that describes its network as a class that runs a command, or has names that write on a terminal."""

    def plant(folder: Path, payload: Any) -> None:
        plant_modules(folder)

        def rewrite(content: dict[str, Any]) -> None:
            own = content["network"]["init_args"]
            nested = payload["class_path"] == "nested"
            arguments = {"backbone": payload["init_args"]} if nested else payload["init_args"]
            path = content["network"]["class_path"] if nested else payload["class_path"]
            content["network"] = node(path, **(arguments if not nested and arguments else {**own, **arguments}))

        _rewrite(folder, "run/fit/last.ckpt", rewrite)
        _begin(folder, "cam")

    nested = {f"{path!r} inside": {"class_path": "nested", "init_args": one} for path, one in strangers(4).items()}
    run = command("cam", *CHAIN, "--model.allow=[torture]")
    yield Attack(
        "a checkpoint's network", RUNS, plant, run, {**strangers(9), **nested}, node("torture.harmless.Network")
    )

    def plant_name(folder: Path, payload: str) -> None:
        _rewrite(folder, "run/segment/last.ckpt", lambda content: content["class_names"].__setitem__(0, payload))

    yield Attack(
        "a checkpoint's class", RUNS, plant_name, command(*PREDICT, "--output", "masks"),
        {"that clears a terminal": "\x1b[2J", "that goes back": "a\r\x08b", "that renames it": "\x9d0;b\x9c"}, "dög",
        worked=lambda folder, payload, outcome: payload in outcome.said,
    )  # fmt: skip


def pickles() -> Iterator[Attack]:
    """Pickled code in the place of every file that NumPy or torch could unpickle; the twin is what was there."""

    def fit_goes_on(folder: Path, payload: Any, outcome: Outcome) -> bool:
        return _holds_tensor(folder / "run" / "fit" / "last.ckpt")

    readers: dict[str, tuple[tuple[str, ...], Any]] = {
        "run/fit/last.ckpt": (("fit", *CHAIN, "--trainer.max_epochs=3"), fit_goes_on),
        "run/segment/last.ckpt": ((*PREDICT, "--output", "masks"), "masks/val_00001.png"),
        "run/affinity_train/last.ckpt": (("affinity_walk", *CHAIN), "run/affinity_walk/cams/val_00001.npz"),
        "run/cam/cams/val_00001.npz": (("report", "run", "--output=out.html"), "out.html"),
        f"{PREDICTIONS}/val_00001.png": ((*SCORE, *CHAIN, "--output=out"), "out"),
        "net.safetensors": (WEIGHTS, _are_used),
        "net.pth": ((*WEIGHTS, "--fit.model.classifier.weights=net.pth"), _are_used),
        "pictures/val_00001.jpg": ((*PREDICT, "--output", "masks"), "masks/val_00001.png"),
    }  # fmt: skip
    for place, (words, product) in readers.items():

        def plant(folder: Path, payload: bytes | None, place: str = place) -> None:
            _begin(folder, "fit", "affinity_walk")
            begin(folder, "fit", {"fit.trainer.max_epochs": 3})
            _rewrite(folder, "run/fit/last.ckpt", _fill)
            in_copy(lambda: _as_torch(folder / "net.safetensors", folder / "net.pth"), folder / "said.log")
            if payload is not None:
                (folder / place).write_bytes(payload)

        def there(folder: Path, payload: Any, outcome: Outcome, product: Any = product) -> bool:
            return (folder / product).exists() if isinstance(product, str) else bool(product(folder, payload, outcome))

        forms = {form: _pickled(form) for form in ("plain", "zipped", "array")}
        yield Attack(f"pickled code in {place}", RUNS, plant, command(*words), forms, None, reached=there)


def pages() -> Iterator[Attack]:
    """Markup in everything of a run that its report or its model card shows."""

    def settings(folder: Path, text: str) -> None:
        _edit(folder / "run" / "cam" / "manifest.json", lambda made: made["config"].update({text: text}))

    def scores(folder: Path, text: str) -> None:
        _edit(
            folder / "run" / "evaluate" / "scores.json",
            lambda rows: rows[0].update(what=text, split=text, chosen=text, refiner=text, scales=[text]),
        )

    def curves(folder: Path, text: str) -> None:
        path = folder / "run" / "fit" / "csv" / "version_0" / "metrics.csv"
        path.write_text(path.read_text().replace("cu_loss", '"cu_' + text.replace('"', '""') + '"'))

    def notes(folder: Path, text: str) -> None:
        """A listed photo that cannot be read."""
        shapes = folder / "shapes"
        (shapes / "JPEGImages" / f"{text}.jpg").write_text("no photo")
        shutil.copy(shapes / "Annotations" / "val_00001.xml", shapes / "Annotations" / f"{text}.xml")
        with (shapes / "ImageSets" / "Segmentation" / "val.txt").open("a") as file:
            file.write(f"{text}\n")

    def stage(folder: Path, text: str) -> None:
        shutil.copytree(folder / "run" / "cam", folder / "run" / text)

    places = {"settings": settings, "scores": scores, "curves": curves, "stages": stage, "notes": notes}
    for name, plant in places.items():

        def said(folder: Path, text: str, outcome: Outcome) -> bool:
            return text in _page(folder)

        def escaped(folder: Path, text: str, outcome: Outcome) -> bool:
            return html.escape(text) in _page(folder)

        # In a curve's SVG a label is the text of a comment.
        forms = MARKUP if name == "curves" else MARKUP | QUOTE
        yield Attack(f"the page's {name}", RUNS, plant, command("report", "run"), forms, HARMLESS_TEXT, said, escaped)

    def card(folder: Path) -> str:
        """As a reader's program shows it."""
        path = folder / "out" / "MODEL_CARD.md"
        return MarkdownIt("commonmark").enable("table").render(path.read_text()) if path.is_file() else ""

    export = ("export", "--run=run", "--height=32", "--width=32", "--output=out/net.onnx")
    yield Attack(
        "the model card's scores", RUNS, scores, command(*export), MARKUP | MARKDOWN, HARMLESS_TEXT,
        worked=lambda folder, text, outcome: re.search(r'<(img|script)|href="javascript', card(folder)) is not None,
        reached=lambda folder, text, outcome: html.escape(text) in card(folder),
    )  # fmt: skip


def disclosures() -> Iterator[Attack]:
    """Runs whose report shows files of its reader, or writes some."""

    def plant(folder: Path, payload: Any) -> None:
        private = folder.parent / "private"
        private.mkdir()
        shutil.copy(folder / "pictures" / "val_00001.jpg", private / "secret.jpg")
        (private / "tags.csv").write_text("image,tags\nsecret.jpg,a\n")
        for stage in ("evaluate", "fit", "segment") if payload else ():
            _edit(
                folder / "run" / stage / "manifest.json",
                lambda made: made["config"]["data"]["init_args"].update(dataset=payload),
            )

    data = "acr_lightning.data"
    yield Attack(
        "a manifest's data set that is this package's", RUNS, plant, command("report", "run"),
        {
            "Shapes elsewhere": node(f"{data}.shapes.Shapes", root=f"../{RAN}", num_train=1, num_val=1),
            "an index elsewhere": node(f"{data}.coco.COCO", root="coco", cache=f"../{RAN}"),
            "private photos": node(f"{data}.tag_folder.TagFolder", root="../private"),
        },
        None,
        worked=lambda folder, payload, outcome: "photo secret" in _page(folder),
        reached=lambda folder, payload, outcome: "photo train_00001" in _page(folder) or "photo val_0" in _page(folder),
    )  # fmt: skip

    def plant_picture(folder: Path, payload: str) -> None:
        secret = folder.parent / "private" / "epoch_9999.jpg"
        secret.parent.mkdir()
        secret.write_bytes(b"a secret that is no picture" if payload == "secret" else _a_picture(folder))
        own = folder / "run" / "fit" / "monitor"
        shutil.rmtree(own, ignore_errors=True)
        if payload == "folder":
            own.symlink_to(secret.parent)
            return
        own.mkdir()
        if payload == "own":
            shutil.copy(secret, own)
        else:
            (own / secret.name).symlink_to(secret)

    def shown(folder: Path, payload: str, outcome: Outcome) -> bool:
        return base64.b64encode((folder.parent / "private" / "epoch_9999.jpg").read_bytes()).decode() in _page(folder)

    links = {"a link to a secret": "secret", "a link to a photo": "photo", "a linked folder": "folder"}
    yield Attack("the last picture of a training", RUNS, plant_picture, command("report", "run"), links, "own", shown)


def _a_picture(folder: Path) -> bytes:
    return (folder / "pictures" / "val_00002.jpg").read_bytes()


def _page(folder: Path) -> str:
    return (folder / "run" / "report.html").read_text()


def _are_used(folder: Path, payload: Any, outcome: Outcome) -> bool:
    return outcome.status == 0


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


def _edit(path: Path, edit: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def _begin(folder: Path, *stages: str) -> None:
    """Let stages have something to do; `fit` stays done where a later one is to be."""
    for stage in stages:
        _edit(folder / "run" / stage / "manifest.json", lambda manifest: manifest.update(status="started"))
        (folder / "run" / stage / "cams" / "val_00001.npz").unlink(missing_ok=True)
    if "fit" not in stages:
        (folder / "run" / "fit" / "manifest.json").write_text('{"status": "done", "digest": "0", "config": {}}')


def _rewrite(folder: Path, place: str, rewrite: Callable[[dict[str, Any]], None]) -> None:
    """Change a checkpoint's content; nothing seals it."""

    def work() -> int:
        import torch

        content = torch.load(folder / place, weights_only=True)
        rewrite(content)
        torch.save(content, folder / place)
        return 0

    made = in_copy(work, folder / "said.log")
    if made.status:
        raise RuntimeError(made.said)


def _fill(content: dict[str, Any]) -> None:
    content["state_dict"]["classifier.classify.weight"].fill_(TENSOR)


def _holds_tensor(path: Path) -> bool:
    """Whether a training went on from the tensor of `_fill`."""

    def work() -> int:
        import torch

        content = torch.load(path, weights_only=True)
        weight = content["state_dict"]["classifier.classify.weight"]
        return 0 if content["epoch"] == 2 and abs(float(weight.mean()) - TENSOR) < 0.5 else 1

    return in_copy(work, path.with_suffix(".log")).status == 0


def _as_torch(source: Path, target: Path) -> int:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(source), target)
    return 0
