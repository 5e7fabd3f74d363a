"""Photos are read before a run begins, and what is wrong with them stands in one message."""

import numpy as np
import pytest
from PIL import Image

from acr_lightning.cli.main import main
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.data_care import read_photos as module
from acr_lightning.data_care.read_photos import read_photos
from acr_lightning.errors import UserError

SIDE = 64


@pytest.fixture
def photos(tmp_path):
    """Three photos of each of two classes, one of them to test on."""
    random = np.random.default_rng(0)
    for name in ("train/cat/1", "train/cat/2", "train/cat/3", "train/dog/1", "train/dog/2", "val/dog/3"):
        path = tmp_path / "photos" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path)
    return tmp_path / "photos"


def cut(path):
    """Leave half of a photo, whose head is whole."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_whole_photos_are_counted(photos):
    assert read_photos(TagFolder(str(photos), None)) == "all 6 photos"


def test_of_many_photos_some_are_read_from_the_first_to_the_last(photos, monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    cut(photos / "train/cat/2.jpg")
    assert read_photos(TagFolder(str(photos), None)) == "3 of 6 photos"


def test_every_damaged_photo_is_named(photos):
    cut(photos / "train/cat/2.jpg")
    (photos / "val/dog/3.jpg").write_bytes(b"<html>")
    with pytest.raises(UserError, match=r"(?s)2 problems.*cat/2\.jpg: damaged.*dog/3\.jpg: not an image"):
        read_photos(TagFolder(str(photos), None))


@pytest.mark.parametrize("is_cut", [True, False])
def test_a_run_that_is_checked_names_a_damaged_photo(photos, tmp_path, capsys, is_cut):
    if is_cut:
        cut(photos / "train/cat/2.jpg")
    (tmp_path / "own.yaml").write_text(
        f"run: {tmp_path / 'run'}\nstages: [fit]\n"
        f"dataset: {{class_path: TagFolder, init_args: {{root: {photos}, tags: null}}}}\n"
        "fit: {model: {classifier: {backbone: test_resnet}, strategy: baseline}, trainer: {logger: false}}\n"
    )
    assert main(["run", "--config", str(tmp_path / "own.yaml"), "--check"]) == (2 if is_cut else 0)
    said = capsys.readouterr().err
    assert ("cat/2.jpg: damaged" in said) == is_cut
    assert ("checked the values and networks of 1 stages; all 6 photos can be read" in said) != is_cut
    assert main(["run", "--config", str(tmp_path / "own.yaml"), "--check=value"]) == 2
    assert main(["run", "--config", str(tmp_path / "own.yaml"), "--check=values"]) == 0
