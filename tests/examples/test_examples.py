"""The examples of docs/extend.md, as their README says, in a folder outside of the repository."""

import json
import re
import shutil
from pathlib import Path

import commands
import numpy as np
import pytest
import torch
from method_training import classifier_of, photos_of
from PIL import Image

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.artefacts.palette import read_mask

ROOT = Path(__file__).parents[2]
SHORTER = "class ShorterHiding(ClassifierTraining)"


def acr(folder, *words):
    done = commands.acr(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def example(request, tmp_path):
    return Path(shutil.copytree(ROOT / "examples" / request.param, tmp_path / "example"))


@pytest.mark.parametrize("example", ["own_refiner"], indirect=True)
def test_own_refiner(example, trained_run, shapes_root, shapes):
    run = example / "runs" / "own_refiner"
    shutil.copytree(trained_run / "segment", run / "segment")
    (run / "cam" / "cams").mkdir(parents=True)
    (run / "cam" / "manifest.json").write_text(json.dumps({"status": "done", "digest": "0"}))
    rng = np.random.default_rng(0)
    for image_id in shapes.ids("val"):
        write_cam(
            run / "cam" / "cams" / f"{image_id}.npz", shapes.tags(image_id)[:1], rng.random((1, 64, 64), np.float32)
        )
    config = ["--config", "own_refiner.yaml"]
    data = [f"--dataset.{key}={value}" for key, value in
            {"root": shapes_root, "num_train": 16, "num_val": 6, "size": 64, "seed": 3}.items()]  # fmt: skip
    acr(example, "label", *config, *data, "--threshold=0.5", "--workers=1")
    acr(example, "evaluate", *config, *data, "--trainer.accelerator=cpu")
    photos = shapes_root / "JPEGImages"
    acr(example, "predict", "--run", run, "--images", f"{photos}/val_*.jpg", "--output", "masks",
        "--refiner", '{"class_path": "own_refiner.GuidedFilter", "init_args": {"radius": 4}}')  # fmt: skip
    labels = {path.name for path in (run / "label" / "labels").glob("*.png")}
    scored = {path.name: path.read_bytes() for path in (run / "evaluate" / "predictions").glob("*.png")}
    assert labels == scored.keys() == {f"{image_id}.png" for image_id in shapes.ids("val")}
    assert scored == {path.name: path.read_bytes() for path in (example / "masks").glob("*.png")}
    # Noise is smoothed: a pixel has the label of the one beside it.
    label = read_mask(run / "label" / "labels" / f"{shapes.ids('val')[0]}.png")
    assert (label[:, 1:] == label[:, :-1]).mean() > 0.9


@pytest.mark.parametrize("example", ["own_dataset"], indirect=True)
def test_own_dataset(example, shapes):
    for number, image_id in enumerate(shapes.ids("train")):
        folder = example / "photos" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shapes.image(image_id)).save(folder / f"{number}.jpg")
    config = ["--config", "own_dataset.yaml"]
    assert "0 problems" in acr(example, "data", "check", *config, "--workers=1")
    small = {"model.classifier.backbone": "test_resnet", "model.classifier.weights": "null",
             "model.strategy": "baseline", "data.crop": 32, "data.long_side": [40, 48], "data.batch_size": 4,
             "data.num_workers": 0, "trainer.max_epochs": 1, "trainer.logger": "false",
             "trainer.accelerator": "cpu"}  # fmt: skip
    acr(example, "fit", *config, *(f"--{key}={value}" for key, value in small.items()))
    manifest = json.loads((example / "runs" / "own_dataset" / "fit" / "manifest.json").read_text())
    assert manifest["counts"]["photos"] == 12


@pytest.mark.parametrize("example", ["own_method", "own_classifier", "own_readout"], indirect=True)
def test_own_method_classifier_and_readout(example, shapes):
    """From tags to labels, with a class of the folder that only the experiment names."""
    (example / "photos").mkdir()
    lines = ["image,tags"]
    for image_id in shapes.ids("train"):
        Image.fromarray(shapes.image(image_id)).save(example / "photos" / f"{image_id}.jpg")
        lines.append(f"{image_id}.jpg,{' '.join(shapes.class_names[tag] for tag in shapes.tags(image_id))}")
    (example / "tags.csv").write_text("\n".join(lines) + "\n")
    values = {"fit.data.crop": 32, "fit.data.long_side": [40, 48], "fit.data.batch_size": 4, "fit.data.num_workers": 0,
              "fit.trainer.max_epochs": 1, "cam.data.num_workers": 0, "cam.model.scales": [1.0],
              "cam.model.long_side": 64, "label.refiner": "none", "label.workers": 1, "affinity": "none"}  # fmt: skip
    if example_name(example) != "classifier":
        values |= {f"fit.model.classifier.{key}": value for key, value in
                   {"backbone": "test_resnet", "weights": "null"}.items()}  # fmt: skip
    else:
        values |= {"fit.model.reconstructor": '{"depth": 2, "width": 8, "stride": 2}', "fit.model.srf.grid": 4,
                   "fit.model.classifier_epochs": 0, "fit.model.reconstructor_epochs": 0}  # fmt: skip
    for stage in ("fit", "cam"):
        values |= {f"{stage}.trainer.accelerator": "cpu", f"{stage}.trainer.devices": 1}
    values["fit.trainer.logger"] = "false"
    acr(example, "run", "--config", f"own_{example_name(example)}.yaml", "--stages=fit,cam,label",
        *(f"--{key}={value}" for key, value in values.items()))  # fmt: skip
    (run,) = (example / "runs").iterdir()
    checkpoint = torch.load(run / "fit" / "last.ckpt", weights_only=True)
    wanted = {"classifier": "own_classifier.FourConvolutions"}
    usual = "acr_lightning.nets.classifier.CamClassifier"
    assert checkpoint["network"]["class_path"] == wanted.get(example_name(example), usual)
    assert len(list((run / "label" / "labels").rglob("*.png"))) == len(shapes.ids("train"))


def example_name(example):
    return next(example.glob("own_*.py")).stem.removeprefix("own_")


def test_own_parts_are_short():
    for path in (ROOT / "examples").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 80, path


@pytest.mark.parametrize("document", ["extend.md", "own_method.md"])
def test_the_documents_show_the_examples(document):
    code = "".join(path.read_text() for path in sorted((ROOT / "examples").rglob("*.py")))
    shown = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / document).read_text(), re.DOTALL)
    assert shown
    assert [block for block in shown if block.rstrip() not in code and SHORTER not in block] == []


def test_the_shorter_form_of_own_method_is_the_same():
    (block,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "own_method.md").read_text(), re.DOTALL)
        if SHORTER in block
    )
    code = {}
    for source in (block, (ROOT / "examples" / "own_method" / "own_method.py").read_text()):
        exec(source, code)
    net, photos = classifier_of("usual").eval(), photos_of()
    shorter, whole = code["ShorterHiding"](net), code["Hiding"](net)
    assert torch.equal(shorter.losses(photos).loss, whole.losses(photos.image, photos.tags).loss)
    assert shorter.players()["classifier"][:3] == whole.players()["classifier"][:3]
