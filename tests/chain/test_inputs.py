"""What makes a done stage another one: the photos' content, tags, masks where they are read, and others' code."""

import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.chain.code import code, foreign_code
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import inputs
from acr_lightning.stages.chain import CHAIN

STAGES = ("fit", "cam", "label", "segment", "evaluate")


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for number, name in enumerate(("a", "b", "new")):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(root / f"{name}.png")
    (root / "tags.csv").write_text("image,tags\na.png,dog\nb.png,cat\n")
    (tmp_path / "masks").mkdir()
    return root


@pytest.fixture
def changed(photos, tmp_path):
    """The stages whose input is another one after something was done."""

    def read():
        arguments = {"root": str(photos), "masks": str(tmp_path / "masks")}
        node = {"class_path": "TagFolder", "init_args": arguments}
        experiment = load(CHAIN, None, {"run": str(tmp_path / "run"), "dataset": node})
        return {name: inputs(experiment, name)["dataset"] for name in STAGES}

    def compare(work):
        before = read()
        assert read() == before
        work()
        after = read()
        return [name for name in STAGES if before[name] != after[name]]

    return compare


def test_another_photo_of_the_same_name(changed, photos):
    assert changed(lambda: Image.new("RGB", (8, 8), (9, 0, 0)).save(photos / "a.png")) == [*STAGES]


def test_another_tag(changed, photos):
    tags = photos / "tags.csv"
    retagged = tags.read_text().replace("b.png,cat", "b.png,cat;dog")
    assert changed(lambda: tags.write_text(retagged)) == ["fit", "cam", "label", "segment"]


def test_another_untagged_photo_is_only_predicted_on(changed, photos):
    assert changed(lambda: shutil.copy(photos / "new.png", photos / "newer.png")) == ["evaluate"]


def test_masks_count_where_they_are_read(changed, tmp_path):
    mask = tmp_path / "masks" / "a.png"
    assert changed(lambda: write_mask(mask, np.zeros((8, 8), np.uint8))) == ["evaluate"]
    assert changed(lambda: write_mask(mask, np.ones((8, 8), np.uint8))) == ["evaluate"]


def test_a_copied_or_touched_folder_is_the_same(changed, photos):
    def copy():
        shutil.copytree(photos, photos.with_name("copy"), copy_function=shutil.copyfile)
        shutil.rmtree(photos)
        photos.with_name("copy").rename(photos)

    assert changed(copy) == []
    assert changed(lambda: os.utime(photos / "a.png")) == []


def test_the_content_of_weights_and_of_a_run_that_is_gone_on_with(tmp_path):
    """The same path, other content: what was trained from the old one is another result."""
    weights, earlier = tmp_path / "w.safetensors", tmp_path / "earlier" / "fit" / "manifest.json"
    values = {"fit.model.classifier.weights": str(weights), "fit.model.initial": str(tmp_path / "earlier")}

    def read():
        return inputs(load(CHAIN, None, {"run": str(tmp_path / "run"), **values}), "fit")

    assert read() == {}
    weights.write_bytes(b"one")
    earlier.parent.mkdir(parents=True)
    earlier.write_text('{"digest": "a", "checkpoint": "b"}')
    first = read()
    assert first["content of fit.model.initial"] == "a+b"
    os.utime(weights)
    assert read() == first
    weights.write_bytes(b"two")
    earlier.write_text('{"digest": "a", "checkpoint": "c"}')
    assert {name for name, digest in read().items() if digest != first[name]} == set(first)
    assert len(first) == 2


@pytest.mark.parametrize("place", ["run", "run/label/labels"])
def test_the_labels_that_objects_are_cut_out_by(tmp_path, place):
    """Of another run, or of another variant put in its place; a copy of them is the same."""
    labels = tmp_path / "earlier" / "run" / "label" / "labels"
    write_mask(labels / "beach" / "a.png", np.zeros((8, 8), np.uint8))
    node = {"class_path": "PastedCrops", "init_args": {"labels": str(tmp_path / "earlier" / place)}}

    def read():
        experiment = load(CHAIN, None, {"run": str(tmp_path / "run"), "fit.data": node})
        return inputs(experiment, "fit")["content of fit.data.labels"]

    first = read()
    shutil.copytree(labels, tmp_path / "copy", copy_function=shutil.copyfile)
    (labels / ".b.png.tmp").touch()
    os.utime(labels / "beach" / "a.png")
    assert read() == first
    write_mask(labels / "beach" / "a.png", np.ones((8, 8), np.uint8))
    assert read() != first
    shutil.rmtree(labels)
    (tmp_path / "copy").rename(labels)
    assert read() == first
    (labels / "beach").rename(labels / "hill")
    assert read() != first


def test_a_stage_that_learns_from_true_masks_reads_no_labels(tmp_path, monkeypatch):
    """Whatever lies in a folder of that word."""
    monkeypatch.chdir(tmp_path)
    write_mask(tmp_path / "masks" / "a.png", np.zeros((8, 8), np.uint8))
    experiment = load(CHAIN, None, {"run": "run", "segment.data.labels": "masks"})
    assert "content of segment.data.labels" not in inputs(experiment, "segment")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A class beside the experiment, with a module that it imports and one that it does not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACR_OWN_MODULES", raising=False)
    (tmp_path / "own_part.py").write_text("import own_loss\n\n\nclass Own:\n    pass\n")
    (tmp_path / "own_loss.py").write_text("LOSS = 1\n")
    (tmp_path / "own_notes.py").write_text("")
    yield {"model": {"class_path": "own_part.Own"}, "data": [{"class_path": "acr_lightning.data.voc.VOC2012"}]}
    for name in ("own_part", "own_loss"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("file", "same"), [("own_part", False), ("own_loss", False), ("own_notes", True)])
def test_the_code_of_an_own_class_with_what_it_imports(own, tmp_path, file, same):
    before = foreign_code(own)
    assert before.keys() == {"own_part.Own"}
    with (tmp_path / f"{file}.py").open("a") as module:
        module.write("# edited\n")
    assert (foreign_code(own) == before) is same


def test_of_a_library_what_lies_beside_the_class(tmp_path, monkeypatch):
    for name in ("pack/__init__.py", "pack/parts/__init__.py", "pack/parts/loss.py", "pack/far.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "pack/parts/net.py").write_text("import pack.far\nfrom .loss import x\n\n\nclass Net:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    section = {"class_path": "pack.parts.net.Net"}
    before = foreign_code(section)
    (tmp_path / "pack/far.py").write_text("# edited\n")
    assert foreign_code(section) == before
    (tmp_path / "pack/parts/loss.py").write_text("# edited\n")
    assert foreign_code(section) != before


def test_this_package_says_which_code_it_is():
    assert code().startswith("0.")
