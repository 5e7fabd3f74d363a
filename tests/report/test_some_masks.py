"""Scores of a few photos that have a mask: they are of those, and say so wherever they stand."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.artefacts.palette import write_mask
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.errors import UserError
from acr_lightning.report.comparison import tabulate
from acr_lightning.report.page import write_report
from acr_lightning.report.run_scores import score_run, table
from acr_lightning.report.wandb_scores import values_of


@pytest.fixture
def run(tmp_path):
    """A run on four photos, right on the two that have a mask and wrong on the others."""
    photos, run = tmp_path / "photos", tmp_path / "run"
    photos.mkdir()
    for number in range(4):
        Image.new("RGB", (6, 5)).save(photos / f"{number}.png")
        labels = np.full((5, 6), number % 2, np.uint8)
        if number < 2:
            write_mask(tmp_path / "masks" / f"{number}.png", labels)
        for place in ("label/labels", "evaluate/predictions"):
            write_mask(run / place / f"{number}.png", labels if number < 2 else 1 - labels)
    (photos / "tags.csv").write_text("image,tags\n" + "".join(f"{number}.png,cat\n" for number in range(4)))
    counts = {"threshold": 0.5, "chosen": "masks: chosen on the masks of 2 photos"}
    (run / "label" / "manifest.json").write_text(json.dumps({"status": "done", "counts": counts}))
    (run / "fit").mkdir()
    (run / "fit" / "manifest.json").write_text("{}")
    return run


@pytest.fixture
def dataset(run):
    return TagFolder(str(run.parent / "photos"), masks=str(run.parent / "masks"))


@pytest.fixture
def records(run, dataset):
    return score_run({"label": run / "label"}, dataset, ["val"], run / "evaluate")


def test_they_are_of_those_photos_and_say_so(run, dataset, records):
    label, network = records
    assert (label["miou"], network["miou"]) == (100.0, 100.0)
    assert (label["photos"], label["of_photos"], network["trained_on"]) == (2, 4, 2)
    lines = table(records).splitlines()[2:]
    splits = ["training photos (2 of 4 photos)", "val (2 of 4 photos, all trained on)"]
    assert [line.split(" | ")[1] for line in lines] == splits
    assert "0.50 (masks, chosen on these very masks)" in lines[0]
    rows = [*csv.DictReader((run / "evaluate" / "scores.csv").read_text().splitlines())]
    assert {(row["photos"], row["of_photos"]) for row in rows} == {("2", "4")}
    write_report([run], run / "report.html", dataset=dataset)
    page = (run / "report.html").read_text()
    assert "training photos (2 of 4 photos)" in page
    assert "4 of these 4 also trained on" in page
    assert {key.partition("/")[0] for key in values_of(records)} == {"label_of_2_photos", "network_of_2_photos"}


def test_masks_of_all_photos_say_nothing_of_it(run, dataset):
    for number in (2, 3):
        write_mask(run.parent / "masks" / f"{number}.png", np.full((5, 6), 1 - number % 2, np.uint8))
    records = score_run({"label": run / "label"}, dataset, ["val"], run / "evaluate")
    splits = [line.split(" | ")[1] for line in table(records).splitlines()[2:]]
    assert splits == ["training photos", "val (all trained on)"]


def test_cams_are_scored_at_the_threshold_of_the_labels_though_it_lies_between_two_levels(run, dataset):
    """At 0.25, level 63.75, a score of level 64 is the class's: right on photo 1, wrong on photo 0."""
    for number in range(4):
        write_cam(run / "cam" / "cams" / f"{number}.npz", np.array([0]), np.full((1, 5, 6), 64 / 255, np.float32))
    manifest = {"status": "done", "config": {"cams": str(run / "cam" / "cams")}, "counts": {"chosen": "given"}}
    for threshold, ious in ((0.25, [0.0, 50.0]), (0.252, [50.0, 0.0])):
        manifest["counts"]["threshold"] = threshold
        (run / "label" / "manifest.json").write_text(json.dumps(manifest))
        records = score_run({name: run / name for name in ("cam", "label")}, dataset, ["val"], run / "evaluate")
        (cam,) = (one for one in records if (one["what"], one.get("chosen")) == ("cam", "given"))
        assert [one["iou"] for one in cam["classes"].values()] == ious


def test_they_never_mix_with_those_of_all_photos(run, records, tmp_path):
    other = tmp_path / "other"
    (other / "evaluate").mkdir(parents=True)
    runs = {"a": {0: [run]}, "b": {0: [other]}}
    (other / "evaluate" / "scores.json").write_text(json.dumps(records))
    title = "**Table (training photos: 2 of 4 photos; val: 2 of 4 photos)**"
    assert title in tabulate({("Table",): runs}, tmp_path / "t", "plan")
    (other / "evaluate" / "scores.json").write_text(json.dumps([{**one, "photos": 4} for one in records]))
    with pytest.raises(UserError, match="scores on training photos are of 2 of 4 photos and all photos, which do"):
        tabulate({("Table",): runs}, tmp_path / "t", "plan")


def test_a_mask_that_is_called_like_no_photo_is_told(run):
    masks = run.parent / "masks"
    for mask in masks.iterdir():
        mask.rename(masks / f"mask_{mask.name}")
    with pytest.raises(UserError, match="is called like no photo"):
        TagFolder(str(run.parent / "photos"), masks=str(masks))
