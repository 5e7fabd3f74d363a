"""Weights that learned from more than tags are named beside the scores that were made with them, and no others."""

import csv

import numpy as np
import pytest

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.artefacts.palette import write_mask
from acr_lightning.classes.class_names import SHORT
from acr_lightning.report.learned_from import KEY, learned_from
from acr_lightning.report.page import write_report
from acr_lightning.report.run_scores import score_run

SAM = {"model": {"class_path": SHORT["SamProposals"]}}


@pytest.fixture
def run(tmp_path, shapes):
    """CAMs, and labels on which SAM has voted, all of them right."""
    for image_id in shapes.ids("seed"):
        classes, mask = shapes.tags(image_id), shapes.mask(image_id)
        scores = np.stack([(mask == label + 1).astype(np.float32) for label in classes])
        write_cam(tmp_path / "run" / "cam" / "cams" / f"{image_id}.npz", classes, scores)
        write_mask(tmp_path / "run" / "label" / "labels" / f"{image_id}.png", mask)
    manifest(tmp_path / "run" / "fit", {"model": {"class_path": SHORT["ACR"]}})
    manifest(tmp_path / "run" / "cam", {}, "fit")
    manifest(tmp_path / "run" / "proposals", SAM)
    manifest(tmp_path / "run" / "label", {}, "cam", "proposals")
    return tmp_path / "run"


def manifest(folder, config, *inputs):
    write_json(folder / "manifest.json", {"status": "done", "config": config, "inputs": dict.fromkeys(inputs, "1")})


def test_the_label_says_so_and_the_cam_does_not(run, shapes):
    stages = {name: run / name for name in ("cam", "label")}
    records = score_run(stages, shapes, ["val"], run / "evaluate")
    assert {record["what"]: record.get(KEY) for record in records} == {"cam": None, "label": "masks"}
    rows = list(csv.DictReader((run / "evaluate" / "scores.csv").read_text().splitlines()))
    assert {(row["what"], row[KEY]) for row in rows} == {("cam", ""), ("label", "masks")}
    write_report([run], run / "report.html", images=1, dataset=shapes)
    assert (run / "report.html").read_text().count("weights learned from masks") == 1


def test_what_is_not_read_is_not_said(run):
    manifest(run / "label", {}, "cam")
    assert learned_from(run / "label") == {}
    assert learned_from(run / "label", {"refiner": "SamRefiner(weights=w)"}) == {KEY: "masks"}


def test_stages_of_other_runs_count(run, tmp_path):
    manifest(run / "fit", {"model": {"class_path": SHORT["CLIMS"]}})
    manifest(tmp_path / "next" / "label", {}, "cam", "proposals")
    assert learned_from(tmp_path / "next" / "label") == {}
    write_json(tmp_path / "next" / "from.json", {"cam": "../run", "proposals": "../run"})
    assert learned_from(tmp_path / "next" / "label") == {KEY: "masks, captions"}


@pytest.mark.parametrize(
    ("backbone", "kind"),
    [
        ("vit_base_patch16_clip_224.openai", "captions"),
        ("samvit_base_patch16", "masks"),
        ("vit_base_patch14_dinov2", "photos without labels"),
        ("vit_small_patch16_dinov3.lvd1689m", "photos without labels"),
        ("resnet50", None),
    ],
)
def test_so_do_backbones(run, backbone, kind):
    manifest(run / "fit", {"model": {"init_args": {"classifier": {"init_args": {"backbone": backbone}}}}})
    assert learned_from(run / "cam").get(KEY) == kind


@pytest.mark.parametrize("name", ["CLIPES", "NACLIP"])
def test_clip_s_own_maps_say_so_wherever_they_are_scored(run, shapes, name):
    manifest(run / "cam", {"model": {"class_path": SHORT[name]}})
    manifest(run / "label", {}, "cam")
    manifest(run / "segment", {"model": {"init_args": {"backbone": "vit_small_patch14_dinov2"}}}, "label")
    records = score_run({name: run / name for name in ("cam", "label")}, shapes, ["val"], run / "evaluate")
    assert {record["what"]: record.get(KEY) for record in records} == {"cam": "captions", "label": "captions"}
    with (run / "evaluate" / "scores.csv").open() as file:
        assert {row[KEY] for row in csv.DictReader(file)} == {"captions"}
    write_report([run], run / "report.html", images=1, dataset=shapes)
    assert (run / "report.html").read_text().count("weights learned from captions") == 2
    assert learned_from(run / "segment") == {KEY: "captions, photos without labels"}


def test_a_stage_that_was_made_from_itself_ends(run):
    manifest(run / "label", {}, "label")
    assert learned_from(run / "label") == {}
