"""The histogram that thresholds are chosen by, from what was counted while CAMs were written."""

import json

import numpy as np
import pytest

from acr_lightning.artefacts import cam_histogram
from acr_lightning.artefacts.cam_file import read_cam, write_cam
from acr_lightning.artefacts.cam_histogram import NAME, PARTS, CountedCams, add_up, histogram
from acr_lightning.errors import UserError

IDS = ["a", "beach/b", "c", "d"]
TRAIN = ["a", "c"]


def plain(folder, ids):
    """Pixel by pixel, from the files."""
    counts = [0] * 256
    for image_id in ids:
        levels = read_cam(folder / f"{image_id}.npz").levels
        for pixel in levels.reshape(len(levels), -1).T if len(levels) else []:
            counts[max(pixel)] += 1
    return counts


def write(counted, ids):
    """CAMs of one to three classes, or of none; of an id always the same."""
    for image_id in ids:
        rng = np.random.default_rng(ord(image_id[0]))
        classes = np.arange(0 if image_id == "d" else rng.integers(1, 4))
        counted.write(counted.folder / f"{image_id}.npz", classes, rng.random((len(classes), 5, 7), np.float32))


@pytest.fixture
def made(tmp_path):
    """A folder that two processes wrote CAMs into, of which each left a part."""
    for ids in (IDS[:3], IDS[3:]):
        counted = CountedCams(tmp_path, TRAIN)
        write(counted, ids)
        counted.leave()
        counted.leave()  # nothing is left to say
    return tmp_path


@pytest.fixture
def unread(monkeypatch):
    """No CAM is read after this."""

    def start():
        monkeypatch.setattr(cam_histogram, "read_cam", None)

    return start


def test_parts_make_what_the_files_say(made, unread):
    truth = {one: plain(made, ids) for one, ids in (("all", IDS), ("train", TRAIN))}
    assert len(list(made.glob(PARTS))) == 2
    unread()
    add_up(made, IDS, TRAIN)
    assert [path.name for path in made.iterdir() if path.suffix == ".json"] == [NAME]
    assert histogram(made, IDS[::-1]).tolist() == truth["all"]
    assert histogram(made, TRAIN).tolist() == truth["train"]


def test_what_nobody_counted_or_two_did_is_read(made, rng):
    write_cam(made / "e.npz", np.array([1]), rng.random((1, 5, 7), np.float32))  # by a process that was killed
    again = CountedCams(made, TRAIN)
    for _ in range(2):
        write(again, ["a"])  # it was damaged, say
    again.leave()
    write(again, ["c"])
    again.leave()
    (made / PARTS.replace("*", "torn")).write_text('{"ids": ["c"')
    (made / PARTS.replace("*", "strange")).write_text(json.dumps({"ids": ["other"], "sums": [[1] * 256] * 2}))
    ids = [*IDS, "e"]
    add_up(made, ids, TRAIN)
    assert histogram(made, ids).tolist() == plain(made, ids)
    assert histogram(made, TRAIN).tolist() == plain(made, TRAIN)
    assert not list(made.glob(PARTS))


def test_of_other_photos_the_files_are_read(made):
    add_up(made, IDS, TRAIN)
    assert histogram(made, ["a", "d"]).tolist() == plain(made, ["a", "d"])
    (made / NAME).write_text('{"photos": 7}')
    assert histogram(made, IDS).tolist() == plain(made, IDS)
    (made / NAME).unlink()
    assert histogram(made, IDS).tolist() == plain(made, IDS)
    with pytest.raises(UserError, match="no CAM"):
        histogram(made, ["gone"])


def test_a_part_is_left_now_and_then(made, monkeypatch):
    monkeypatch.setattr(cam_histogram, "MOST", 2)
    counted = CountedCams(made / "new", TRAIN)
    write(counted, IDS)
    assert len(list((made / "new").glob(PARTS))) == 2
