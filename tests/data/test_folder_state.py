"""A folder of photos is read once, and again when it is another one."""

import json
import os
import shutil

import pytest

from acr_lightning.data import tag_folder
from acr_lightning.data.images import photos_below
from acr_lightning.data.tag_folder import TagFolder


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with two tagged photos that was left alone for a while, and how often it was read."""
    root, reads = tmp_path / "photos", []
    (root / "beach").mkdir(parents=True)
    for name in ("a.jpg", "beach/b.jpg"):
        (root / name).touch()
    (root / "tags.json").write_text(json.dumps({"a.jpg": ["dog"], "beach/b.jpg": ["cat"]}))
    let_settle(root)
    monkeypatch.setattr(tag_folder, "_last", {})
    monkeypatch.setattr(tag_folder, "photos_below", lambda folder: reads.append(folder) or photos_below(folder))
    return root, reads


def let_settle(root):
    for path in [root, *root.rglob("*")]:
        os.utime(path, (0, path.stat().st_mtime - 60))


def ids(root):
    data = TagFolder(str(root), "tags.json")
    return data.ids("train"), data.ids("val")


def test_a_folder_is_read_once(photos):
    root, reads = photos
    assert ids(root) == ids(root) == (["a", "beach/b"], ["a", "beach/b"])
    assert len(reads) == 1
    assert TagFolder(str(root), "tags.json", classes=["cat", "dog"]).num_classes == 2
    assert len(reads) == 2


@pytest.mark.parametrize("place", [".", "beach", "new"])
def test_a_new_photo_is_seen(photos, place):
    root, _ = photos
    ids(root)
    (root / place).mkdir(exist_ok=True)
    (root / place / "c.jpg").touch()
    new = os.path.normpath(f"{place}/c")
    assert ids(root) == (["a", "beach/b"], [new])
    shutil.move(root / place / "c.jpg", root / place / "d.jpg")
    assert ids(root)[1] == [f"{new[:-1]}d"]


def test_other_tags_are_seen(photos):
    root, _ = photos
    ids(root)
    (root / "tags.json").write_text(json.dumps({"a.jpg": ["dog"]}))
    assert ids(root) == (["a"], ["beach/b"])


def test_a_folder_that_changes_now_is_read_again(photos):
    """Two changes within a tick of the clock have one time."""
    root, reads = photos
    (root / "c.jpg").touch()
    ids(root)
    ids(root)
    assert len(reads) == 2
