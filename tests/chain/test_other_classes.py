"""A photo with a new tag moves the numbers of classes that were taken from the tags."""

import numpy as np
import pytest
from commands import here
from PIL import Image

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.artefacts.manifest import classes_of
from acr_lightning.artefacts.palette import write_mask
from acr_lightning.chain import stage_record
from acr_lightning.chain.check import check
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import is_done_before, record_of
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN

REFUSED = "knows the classes 'cat, dog', and these are 'ant, cat, dog'; make it anew, or set"


@pytest.fixture
def tag(tmp_path):
    """Adds a photo with a tag."""
    root = tmp_path / "photos"
    root.mkdir()
    (root / "tags.csv").write_text("image,tags\n")

    def add(name, tags):
        Image.new("RGB", (8, 8)).save(root / f"{name}.png")
        with (root / "tags.csv").open("a") as file:
            file.write(f"{name}.png,{tags}\n")

    add("a", "dog")
    add("b", "cat")
    return add


@pytest.fixture
def experiment(tag, tmp_path):
    node = {"class_path": "TagFolder", "init_args": {"root": str(tmp_path / "photos")}}
    return lambda **more: load(CHAIN, None, {"run": str(tmp_path / "run"), "dataset": node, **more})


@pytest.fixture
def done(experiment, tmp_path):
    """What stages leave that are done, without their results."""
    chosen = experiment(affinity="psa")
    for name in ("fit", "cam", "affinity_train", "label"):
        record = record_of(chosen, name)
        stage_record.start(tmp_path / "run" / name, record)
        stage_record.finish(tmp_path / "run" / name, record, {}, 1.0, 1.0)
    return tmp_path / "run"


def test_a_new_class_is_refused_where_results_with_the_old_numbers_would_be_read(experiment, done, tag, tmp_path):
    assert classes_of(done / "fit") == ["cat", "dog"]
    tag("c", "cat")  # a photo of the same classes
    check(experiment(), ["cam"])
    tag("d", "ant")
    for name, source in (("cam", "fit"), ("label", "cam"), ("segment", "label"), ("evaluate", "cam")):
        with pytest.raises(UserError, match=f"{done / source} {REFUSED}"):
            check(experiment(), [name])
    with pytest.raises(UserError, match=REFUSED):
        check(experiment(**{"from.fit": str(done), "run": str(tmp_path / "other")}), ["cam"])
    check(experiment(), ["fit", "cam", "label", "segment"])  # which does them again:
    assert not is_done_before(experiment(), "fit")


def test_what_pixels_belong_together_has_no_classes(experiment, done, tag, tmp_path):
    tag("d", "ant")
    assert classes_of(done / "affinity_train") == []
    other = experiment(affinity="psa", run=str(tmp_path / "other"), **{"from.affinity_train": str(done)})
    check(other, ["cam", "affinity_walk"], to_come=[tmp_path / "other" / "fit"])


@pytest.mark.parametrize("words", [["review"], ["export-labels", "--of=labels", "--format=coco", "--run"]])
def test_labels_are_not_named_after_other_classes(experiment, done, tag, tmp_path, capsys, words):
    labels = done / "label" / "labels"
    labels.mkdir()
    write_mask(labels / "a.png", np.full((8, 8), 2, np.uint8))
    write_cam(done / "cam" / "cams" / "a.npz", np.array([1]), np.ones((1, 8, 8), np.float32))
    config = tmp_path / "mine.yaml"
    config.write_text(f"run: {done}\ndataset: {{class_path: TagFolder, init_args: {{root: {tmp_path / 'photos'}}}}}\n")
    words = [*words, done, "--config", config, f"--output={tmp_path / 'out'}"]
    tag("c", "cat")
    assert here(*words) == 0, capsys.readouterr().err
    tag("d", "ant")
    assert here(*words[:-1], f"--output={tmp_path / 'another'}") == 2
    said = capsys.readouterr().err
    assert REFUSED in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "another").exists()
