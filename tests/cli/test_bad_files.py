"""Files that nobody can read end a command with one line that names them: no traceback, exit status 2."""

import logging

import numpy as np
import pytest
import yaml
from PIL import Image
from tiny_coco import annotations_path, write_coco
from unreadable import UNREADABLE

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.cli.main import main

LATIN = "# für caf\xe9s\n".encode("latin-1")
DEEP = b"[" * 100_000


@pytest.fixture
def refused(capsys, monkeypatch):
    """Runs a command, and gives the one line that it ends with."""
    # Those of earlier calls in this process write to a standard error that is closed.
    monkeypatch.setattr(logging.getLogger("acr_lightning"), "handlers", [])

    def run(*words):
        assert main([str(word) for word in words]) == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        lines = said.splitlines()
        assert sum(line.startswith(f"acr {words[0]}: ") for line in lines) == 1
        return lines[-1]

    return run


@pytest.fixture
def reads(tmp_path, refused):
    """Has a command read a data set, and gives what it says."""

    def run(class_path, split="val", **arguments):
        node = {"class_path": class_path, "init_args": {"root": str(tmp_path), **arguments}}
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({"dataset": node}))
        return refused("score", tmp_path, "--config", tmp_path / "own.yaml", "--split", split)

    return run


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\n" + LATIN, "line 2 is not UTF-8 text"),
        (DEEP, "not YAML"),
        (b"run: 2001-99-99", "not YAML (month must be in 1..12)"),
        (b"seed: !!bool x", "not YAML"),
        (b"run: \0", "not YAML"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "compare"])
def test_an_experiment_file(tmp_path, refused, command, content, fault):
    (tmp_path / "own.yaml").write_bytes(content)
    assert f"own.yaml: {fault}" in refused(command, "--config", tmp_path / "own.yaml")


@pytest.mark.parametrize("value", ["2001-99-99", "!!bool x", "[" * 100_000])
def test_a_value_of_the_command_line(refused, value):
    assert "--run: '" in refused("fit", f"--run={value}")


@pytest.fixture
def voc(tmp_path):
    """One photo in VOC's layout, with its mask and its prediction."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ImageSets" / "Segmentation" / "val.txt").write_text("a\n")
    (tmp_path / "ImageSets" / "Segmentation" / "train_aug.txt").write_text("a\n")
    Image.new("RGB", (4, 3)).save(tmp_path / "JPEGImages" / "a.jpg")
    for path in ("SegmentationClass/a.png", "a.png"):
        write_mask(tmp_path / path, np.zeros((3, 4), np.uint8))
    return tmp_path


def test_a_list_of_ids(voc, tmp_path, reads):
    (tmp_path / "ImageSets" / "Segmentation" / "val.txt").write_bytes(b"a\n" + LATIN)
    assert "val.txt: line 2 is not UTF-8 text (invalid" in reads("VOC2012")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("tags.csv", b"image,tags\na.jpg,dog\n" + LATIN, "line 3 is not UTF-8 text"),
        ("tags.csv", b"image,tags\na.jpg,dog\n\na.jpg," + b"x" * 200_000, "line 4: not CSV (field larger"),
        ("tags.json", LATIN, "line 1 is not UTF-8 text"),
        ("tags.json", DEEP, "damaged JSON (nested too deeply)"),
        ("tags.json", b'{"a.jpg": [' + b"9" * 5000 + b"]}", "damaged JSON (Exceeds the limit"),
        ("tags.json", b'{"a.jpg": 3}', "expected an object like"),
    ],
)
def test_a_tags_file(tmp_path, reads, name, content, fault):
    (tmp_path / name).write_bytes(content)
    assert f"{name}: {fault}" in reads("TagFolder", tags=name)


@pytest.mark.parametrize(
    ("content", "fault"),
    [(LATIN, "line 1 is not UTF-8"), (DEEP, "damaged JSON (nested"), (None, "cannot be read (Is a")],
)
def test_coco_annotations(tmp_path, reads, content, fault):
    write_coco(tmp_path, 2014)
    path = annotations_path(tmp_path, "val", 2014)
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    assert f"instances_val2014.json: {fault}" in reads("COCO")


def test_the_recipe_of_shapes(tmp_path, reads):
    (tmp_path / "shapes.json").write_bytes(DEEP)
    assert "shapes.json: damaged JSON (nested too deeply)" in reads("Shapes")


def folder(path):
    path.mkdir()


def loop(path):
    path.symlink_to(path.name)


def text(content):
    return lambda path: path.write_text(content)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (folder, "cannot be read (Is a directory)"),
        (loop, "cannot be read (Too many levels of symbolic links)"),
        (text('<?xml version="1.0" encoding="x"?><a/>'), "damaged annotation (unknown encoding: x)"),
        (text('<?xml version="1.0" encoding="utf-32"?><a/>'), "damaged annotation (multi-byte"),
        (text("<a><object><name>c\nat</name></object></a>"), r"unknown class 'c\nat'. Did you mean 'cat'?"),
    ],
)
def test_an_annotation_of_voc(voc, reads, make, fault):
    make(voc / "Annotations" / "a.xml")
    assert f"{voc}/Annotations/a.xml: {fault}" in reads("VOC2012", "train")


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("path", ["JPEGImages/a.jpg", "SegmentationClass/a.png", "a.png"])
def test_photos_masks_and_predictions(voc, reads, path, name):
    (voc / path).write_bytes(UNREADABLE[name])
    assert f": {voc / path}: " in reads("VOC2012")


def test_a_check_of_the_data_goes_on_after_a_photo_that_cannot_be_read(voc, tmp_path, capsys):
    ids = ["a", *(name.removesuffix(".png") for name in UNREADABLE)]
    for name, content in UNREADABLE.items():
        (voc / "JPEGImages" / name).with_suffix(".jpg").write_bytes(content)
    for name in ("val", "train", "train_aug"):
        (voc / "ImageSets" / "Segmentation" / f"{name}.txt").write_text("\n".join(ids))
    for image_id in ids:
        (voc / "Annotations" / f"{image_id}.xml").write_text(
            "<annotation><object><name>cat</name></object></annotation>"
        )
    for path in (voc / "SegmentationClass").iterdir():
        path.unlink()
    (tmp_path / "own.yaml").write_text(
        yaml.safe_dump({"dataset": {"class_path": "VOC2012", "init_args": {"root": str(voc)}}})
    )
    assert main(["data", "check", "--config", str(tmp_path / "own.yaml")]) == 1
    said = capsys.readouterr().out
    assert [line.split()[1] for line in said.splitlines() if line.startswith("damaged")] == ids[1:]
    assert f"{len(UNREADABLE)} problems" in said


@pytest.mark.parametrize("name", ["", "x" * 300])
def test_names_of_no_file(trained_run, voc, tmp_path, reads, refused, name):
    assert "no such picture" in refused("predict", "--run", trained_run, f"--images={name}")
    assert "no such list of ids" in reads("VOC2012", val_list=f"{name}.txt")
    if name:
        assert "no such experiment file" in refused("fit", f"--config={name}")
