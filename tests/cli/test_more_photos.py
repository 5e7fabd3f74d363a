"""More photos after a run: its networks label them, its segmentation network is trained on, and each step says so."""

import contextlib
import json
import re
import shutil

import pytest
import torch
import yaml
from commands import here
from PIL import Image

from acr_lightning.artefacts import checkpoint_file
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.more_photos import other_photos, values_after
from acr_lightning.chain.trainer_section import build
from acr_lightning.cli.run import words_of
from acr_lightning.data.shapes import Shapes
from acr_lightning.errors import UserError
from acr_lightning.segment.segmenter import Segmenter
from acr_lightning.stages.chain import CHAIN

CPU = {"accelerator": "cpu", "devices": 1, "logger": False}
NET = {"backbone": "test_resnet", "output_stride": 8, "freeze_batchnorm": False}
CONFIG = {
    "run": "run",
    "dataset": {"class_path": "TagFolder", "init_args": {"root": "photos"}},
    "fit": {
        "model": {"classifier": NET, "strategy": "baseline"},
        "data": {"crop": 48, "long_side": [56, 64], "batch_size": 2, "num_workers": 0},
        "trainer": {"max_epochs": 1, **CPU},
    },
    "cam": {"model": {"scales": [1.0]}, "data": {"num_workers": 0}, "trainer": CPU},
    "label": {"workers": 1, "refiner": "none"},
    "segment": {
        "model": {**NET, "rates": [1, 2]},
        "data": {"crop": 48, "batch_size": 2, "num_workers": 0},
        "trainer": {"max_epochs": 1, **CPU},
    },
}


def write_photos(shapes, count, name=str):
    lines = ["image,tags"]
    for number, image_id in enumerate(shapes.ids("train")[:count]):
        Image.fromarray(shapes.image(image_id)).save(f"photos/{number}.png")
        lines.append(f"{number}.png,{';'.join(name(shapes.class_names[tag]) for tag in shapes.tags(image_id))}")
    with open("photos/tags.csv", "w") as file:
        file.write("\n".join(lines))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shapes_root):
    """A folder with a run on twelve photos."""
    folder = tmp_path_factory.mktemp("finished")
    with contextlib.chdir(folder):
        (folder / "photos").mkdir()
        write_photos(Shapes(str(shapes_root), num_train=16, num_val=6, size=64, seed=3), 12)
        (folder / "own.yaml").write_text(yaml.safe_dump(CONFIG))
        for stage in ("fit", "cam", "label", "segment"):
            assert here(stage, "--config=own.yaml") == 0
    return folder


@pytest.fixture
def run(finished, tmp_path, shapes, monkeypatch):
    """A copy of it, in the working folder, in which there are fourteen photos now."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    write_photos(shapes, 14)
    return tmp_path / "run"


def test_they_are_labelled_by_its_networks(run, shapes, tmp_path, capsys):
    capsys.readouterr()
    assert here("run", "--config=own.yaml", "--after=run") == 2
    assert "run keeps its results; give the new ones another --run, such as --run=run-2" in capsys.readouterr().err

    words = ["--config=own.yaml", "--run=run-2"]
    assert here("run", *words, "--after=run", "--print_config") == 0
    assert [*yaml.safe_load(capsys.readouterr().out)][:2] == ["cam", "label"]
    words += words_of(None, values_after(load(CHAIN, "own.yaml", {"run": "run-2"}), run))
    for stage in ("cam", "label", "segment"):
        assert here(stage, *words) == 0
    said = capsys.readouterr().err
    assert f"cam: takes the network of {run}/fit as it is, trained on 12 photos, and there are 14 now" in said
    assert f"segment: training goes on from {run}/segment/last.ckpt" in said

    cams = {path.name: path.read_bytes() for path in (run / "cam" / "cams").glob("*.npz")}
    more = {path.name: path.read_bytes() for path in (tmp_path / "run-2" / "cam" / "cams").glob("*.npz")}
    assert (len(cams), len(more)) == (12, 14)
    assert cams.items() <= more.items()
    assert json.loads((tmp_path / "run-2" / "from.json").read_text()) == {"fit": "../run"}
    manifest = json.loads((tmp_path / "run-2" / "segment" / "manifest.json").read_text())
    assert manifest["config"]["model"]["init_args"]["initial"] == f"{run}/segment/last.ckpt"
    assert "content of segment.model.initial" in manifest["inputs"]

    # Without `--after`, in the run itself, an old classifier and new photos are told, too.
    assert here("cam", "--config=own.yaml") == 0
    assert (
        "cam: takes the network of run/fit as it is, trained on 12 photos, and there are 14 now"
        in capsys.readouterr().err
    )

    write_photos(shapes, 14, name=lambda tag: tag.replace("blue", "navy"))
    assert here("segment", *words, "--force") == 2
    assert "knows the classes 'black_checks, blue_checks, " in capsys.readouterr().err


def test_a_network_of_other_classes_is_refused(run):
    names = [*load(CHAIN, "own.yaml", {}).dataset().class_names]
    reading = {"run": "other", "from.fit": "run"}
    prototypes = {"class_path": "PrototypeInference", "init_args": {"scales": [1.0]}}
    ordinary = {"class_path": "OCCSE", "init_args": {"classifier": NET, "ordinary": "run"}}
    for stage, part, values in (
        ("cam", "fit", reading),
        ("cam", "fit", {**reading, "cam.model": prototypes}),
        ("fit", "fit", {"fit.model.initial": "run"}),
        ("fit", "fit", {"fit.model": ordinary}),
        ("segment", "segment", {"segment.model.initial": "run/segment/last.ckpt"}),
        ("evaluate", "segment", {}),
    ):
        build(load(CHAIN, "own.yaml", values).section(stage), stage)
        others = load(CHAIN, "own.yaml", {**values, "dataset.classes": names[::-1]}).section(stage)
        said = (
            f"{stage}.model: run/{part}/last.ckpt knows the classes '{', '.join(names)}', and these are '{names[-1]}, "
        )
        with pytest.raises(UserError, match=re.escape(said)):
            build(others, stage)


def test_a_training_that_has_not_ended_is_none_to_go_on_from(run):
    experiment, path = load(CHAIN, "own.yaml", {}), run / "fit" / "manifest.json"
    assert other_photos(experiment, "fit") == "12 photos, and there are 14 now"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "started"}))
    assert other_photos(experiment, "fit") is None


def test_the_same_photos_are_told_by_nobody(run, shapes, capsys):
    write_photos(shapes, 12)
    assert here("cam", "--config=own.yaml", "--force") == 0
    assert "trained on" not in capsys.readouterr().err


def test_training_goes_on_from_the_network(trained_run):
    path = trained_run / "segment" / "last.ckpt"
    segmenter = Segmenter(4, "test_resnet", freeze_batchnorm=False, rates=(1, 2), initial=str(path))
    state = checkpoint_file.read(path, "a test")["state_dict"]
    assert all(torch.equal(value, state[name]) for name, value in segmenter.state_dict().items())
