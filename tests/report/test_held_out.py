"""Which predictions a page begins with, and what it says of a run."""

import json

import numpy as np

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.duration import duration
from acr_lightning.report.held_out import held_out, spread, where_tested
from acr_lightning.report.notes import Notes
from acr_lightning.report.pictures import class_colours, pictures
from acr_lightning.report.summary import class_table, sentence


def test_the_best_and_the_worst_come_first(tmp_path, shapes):
    """A prediction is the mask with so many of its rows emptied: the fewer, the better."""
    ids = shapes.ids("val")
    for rows, image_id in zip((64, 0, 32, 8, 63, 16), ids, strict=True):
        prediction = shapes.mask(image_id).copy()
        prediction[:rows] = 0
        write_mask(tmp_path / "evaluate" / "predictions" / f"{image_id}.png", prediction)
    notes = Notes()
    found = held_out(tmp_path, shapes, 4, notes)
    assert found[0] == (ids[1], "best: mIoU 100")
    assert [words.partition(":")[0] for _, words in found] == ["best", "best", "worst", "worst"]
    scores = [int(words.rpartition(" ")[2]) for _, words in found]
    assert scores == sorted(scores, reverse=True)
    assert found[-1][0] in (ids[0], ids[4])
    (tmp_path / "evaluate" / "predictions" / f"{ids[1]}.png").write_bytes(b"no PNG")
    assert ids[1] not in dict(held_out(tmp_path, shapes, 4, notes))
    assert ids[1] in notes[0]


def test_without_masks_they_are_spread(tmp_path, shapes, monkeypatch):
    monkeypatch.setattr(type(shapes), "mask_path", lambda self, image_id: None)
    ids = shapes.ids("val")
    for image_id in ids:
        write_mask(tmp_path / "evaluate" / "predictions" / f"{image_id}.png", np.zeros((64, 64), np.uint8))
    assert held_out(tmp_path, shapes, 3, Notes()) == [(ids[0], ""), (ids[2], ""), (ids[4], "")]
    assert spread(ids, 9) == ids


def test_photos_that_were_trained_on_are_no_held_out_ones(tmp_path, shapes, monkeypatch):
    train, val = shapes.ids("train"), shapes.ids("val")
    for image_id in (*train[:3], *val[:2]):
        write_mask(tmp_path / "evaluate" / "predictions" / f"{image_id}.png", np.zeros((64, 64), np.uint8))
    assert where_tested(tmp_path, shapes) == "Photos that the network was tested on"
    monkeypatch.setattr(type(shapes), "ids", lambda self, split: [*train[:3], val[0]] if split == "val" else train)
    assert "tested on, 3 of these 4 also trained on." in where_tested(tmp_path, shapes)


def test_a_line_a_run_in_columns_and_what_is_empty_is_said(tmp_path, shapes):
    """The second run has a label, too; the first one's place in that column is empty, and no title is of the other."""
    [image_id] = shapes.ids("train")[:1]
    labels = np.zeros((64, 64), np.uint8)
    write_mask(tmp_path / "a" / "evaluate" / "predictions" / f"{image_id}.png", labels)
    for place in ("label/labels", "evaluate/predictions"):
        write_mask(tmp_path / "b" / place / f"{image_id}.png", labels + 1)
    (tmp_path / "b" / "label" / "manifest.json").write_text("{}")
    lines = pictures(image_id, shapes, [tmp_path / "a", tmp_path / "b"], Notes())
    assert [[picture and picture.title for picture in line] for line in lines] == [
        [f"photo {image_id}", None, "a: network (all background)", "mask (scoring only)"],
        [None, "b: pseudo-label", "b: network", None],
    ]


def test_a_run_in_a_sentence(tmp_path, shapes):
    for number, (stage, seconds) in enumerate((("cam", 48.2), ("fit", 7300.0))):
        (tmp_path / stage).mkdir()
        made = {"seconds": seconds, "written": f"2026-11-0{2 - number}T10:00:00"}
        (tmp_path / stage / "manifest.json").write_text(json.dumps(made))
    assert sentence(tmp_path, shapes) == (
        "16 training photos, 4 classes (red_stripes, blue_checks, green_stripes, black_checks). "
        "Stages: fit 2 h 02 min, cam 48 s; 2026-11-02."
    )
    assert [duration(seconds) for seconds in (99.4, 100, 5900, 6000)] == ["99 s", "2 min", "98 min", "1 h 40 min"]


def test_a_row_for_each_class(shapes):
    rows = class_table(shapes, [{"classes": {"blue_checks": {"iou": 40.0}}}, {"classes": {}}])
    assert [row["name"] for row in rows] == [
        "background",
        "red_stripes",
        "blue_checks",
        "green_stripes",
        "black_checks",
    ]
    assert rows[2]["scores"] == [40.0, None]
    assert rows[0]["photos"] is None  # nobody tags background
    assert rows[2]["photos"] == sum(1 in shapes.tags(image_id) for image_id in shapes.ids("train"))


def test_colours_can_be_told_apart_and_seen_on_grey():
    colours = class_colours()[1:21].astype(int)
    apart = np.abs(colours[:, None] - colours[None]).max(axis=2) + 255 * np.eye(20, dtype=int)
    assert apart.min() >= 30
    assert (colours.max(axis=1) - colours.min(axis=1)).min() >= 120  # far from every grey
