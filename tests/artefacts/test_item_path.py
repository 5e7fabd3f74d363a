"""No id leads a file out of its folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.palette import read_mask, write_mask
from acr_lightning.errors import UserError

MASK = np.zeros((2, 3), np.uint8)
PARTS = st.sampled_from(["a", "..", ".", "", "/", "//", "\\", "C:", "\0", " ", "é", "x" * 260, "../", "a/"])
NAMES = st.one_of(st.text(), st.text(st.characters()), st.lists(PARTS).map("".join), st.lists(PARTS).map("/".join))
FOLDER = Path("run/labels")


def path_or_error(image_id):
    try:
        return item_path(FOLDER, image_id, ".png")
    except UserError as error:
        return error


@given(NAMES)
@example("a/../../b")
@example("..")
def test_any_id_is_refused_or_lies_below_the_folder(image_id):
    path = path_or_error(image_id)
    if isinstance(path, Path):
        assert os.path.normpath(path).startswith(f"{FOLDER}{os.sep}")
        assert path.relative_to(FOLDER).as_posix() == f"{image_id}.png"
        assert all(len(os.fsencode(part)) <= 255 for part in path.parts)
    else:
        assert str(path).isprintable()  # so it is one line


@given(NAMES, NAMES)
def test_two_ids_never_share_a_file(one, other):
    first, second = path_or_error(one), path_or_error(other)
    if isinstance(first, Path) and isinstance(second, Path):
        assert (os.path.normpath(first) == os.path.normpath(second)) == (one == other)


@pytest.mark.parametrize(
    "image_id", ["2007_000033", "beach/a b.v2", "ß/猫", ".hidden", "a..b", "x" * 251, "é" * 125, "é" * 127 + "/a"]
)
def test_ordinary_ids_are_written_and_read(tmp_path, image_id):
    path = item_path(tmp_path, image_id, ".png")
    write_mask(path, MASK)
    assert read_mask(path).shape == (2, 3)
    assert path == tmp_path / f"{image_id}.png"


@pytest.mark.parametrize(
    ("image_id", "fault"),
    [
        ("", "is empty"),
        (".", "empty or '.'"),
        ("a/./b", "empty or '.'"),
        ("a//b", "empty or '.'"),
        ("a/", "empty or '.'"),
        ("/home/me/a", "is an absolute path"),
        ("../a", r"leads out of its folder \(\.\.\)"),
        ("a/../../b", "leads out"),
        ("C:/a", "drive letter"),
        ("c:a", "drive letter"),
        ("beach\\a", "holds a backslash"),
        ("a\0b", "holds a control character"),
        ("a\nb", "holds a control character"),
        ("a\udcff", "is not UTF-8"),
        ("x" * 252, "makes a file name of 256 bytes, 255 is the most"),
        ("é" * 128 + "/a", "makes a file name of 256 bytes"),
        ("a/" * 250 + "a", "is longer than 499 characters"),
    ],
)
def test_what_is_no_id_is_said(tmp_path, image_id, fault):
    with pytest.raises(UserError, match=fault):
        item_path(tmp_path, image_id, ".png")


def test_a_linked_folder_that_leads_out_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "labels" / "deep").mkdir(parents=True)
    (tmp_path / "labels" / "out").symlink_to(tmp_path / "photos")
    (tmp_path / "labels" / "deep" / "up").symlink_to("../../photos")
    (tmp_path / "labels" / "in").symlink_to("deep")
    for image_id in ("out/a", "out/new/a", "deep/up/a"):
        with pytest.raises(UserError, match=r"a link leads out of .*labels, to .*photos"):
            item_path(tmp_path / "labels", image_id, ".png")
    item_path(tmp_path / "labels", "in/a", ".png")
    (tmp_path / "link").symlink_to("labels")  # the folder itself may be one
    item_path(tmp_path / "link", "deep/a", ".png")


def test_a_linked_file_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"mine")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.png").symlink_to("../photo.png")
    write_mask(item_path(tmp_path / "labels", "a", ".png"), MASK)
    assert (tmp_path / "photo.png").read_bytes() == b"mine"
    assert read_mask(tmp_path / "labels" / "a.png").shape == (2, 3)
