"""A report goes on without what cannot be read, and says so."""

import json

import numpy as np
import pytest
from PIL import Image
from results import photos_of

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.artefacts.palette import png_bytes, write_mask
from acr_lightning.cli.main import main
from acr_lightning.report.curves import loss_series

SCORE = {"what": "cam", "split": "seed", "miou": 44.4, "precision": 60.0, "recall": 70.0, "classes": {}}
SWEEP = {"thresholds": [{**SCORE, "threshold": 0.5}]}


@pytest.fixture
def run(tmp_path):
    """A run on two photos of which everything is whole."""
    photos, run = tmp_path / "photos", tmp_path / "run"
    photos.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (8, 6)).save(photos / f"{name}.jpg")
    (photos / "tags.csv").write_text("image,tags\na.jpg,dog\nb.jpg,cat\n")
    dataset = {"class_path": "acr_lightning.data.tag_folder.TagFolder", "init_args": {"root": str(photos)}}
    for stage in ("fit", "cam", "label", "evaluate"):
        (run / stage).mkdir(parents=True)
        made = {
            "stage": stage,
            "status": "done",
            "digest": "0",
            "config": {"data": {"init_args": {"dataset": dataset}}},
            **photos_of(dataset),
        }
        if stage == "label":
            made["config"] = {"cams": str(run / "cam" / "cams")}
        (run / stage / "manifest.json").write_text(json.dumps(made))
    write_cam(run / "cam" / "cams" / "a.npz", np.array([1]), np.ones((1, 6, 8), np.float32))
    for place in ("label/labels", "evaluate/predictions"):
        write_mask(run / place / "a.png", np.ones((6, 8), np.uint8))
    (run / "fit" / "csv" / "version_0").mkdir(parents=True)
    (run / "fit" / "csv" / "version_0" / "metrics.csv").write_text(
        "step,cu,cu/target,loss\n0,1.5,1,2\n1,1.25,1,\n2,1.0,1,1.5\n"
    )
    (run / "evaluate" / "scores.json").write_text(json.dumps([SCORE]))
    (run / "evaluate" / "sweep.json").write_text(json.dumps(SWEEP))
    return run


def page_of(run):
    assert main(["report", str(run)]) == 0
    return (run / "report.html").read_text()


def test_nothing_is_missing_from_a_whole_run(run):
    page = page_of(run)
    assert "Missing, or wrong" not in page
    titles = [part.partition("</figcaption>")[0].partition("<figcaption>")[2] for part in page.split("</svg>")[1:]]
    assert [title.partition(";")[0] for title in titles] == [
        "run: fit, cu", "run: fit, loss", "run: CAM by background threshold (uses masks)",
    ]  # fmt: skip
    # The network's; curves, photos, CAM and its threshold, label and prediction.
    assert page.count("<figcaption>") == 2 + 3 + 2 + 2 + 2


@pytest.mark.parametrize(("area", "is_lost"), [(0.95, True), (0.3, False)])
def test_a_game_that_was_lost_at_its_end_is_said(run, area, is_lost):
    (run / "fit" / "csv" / "version_0" / "metrics.csv").write_text(
        f"step,cu/target,monitor/cam_area\n0,-1,0.9\n1,-1,{area}\n"
    )
    assert ("run: the CAM covers 95% of the photos: L_nt has won" in page_of(run)) == is_lost


def test_no_line_crosses_epochs_in_which_nothing_was_trained(run):
    steps = [*range(0, 30, 10), *range(200, 230, 10), 250]
    log = "step,cu\n" + "".join(f"{step},{step / 10}\n" for step in steps)
    (run / "fit" / "csv" / "version_0" / "metrics.csv").write_text(log)
    xs, ys = loss_series(run / "fit", [])["cu"]
    assert np.array_equal(xs, [0, 10, 20, np.nan, 200, 210, 220, 250], equal_nan=True)
    assert np.array_equal(np.isnan(xs), np.isnan(ys))


def test_masks_that_only_the_test_knew_are_shown(run, tmp_path):
    write_mask(tmp_path / "masks" / "a.png", np.ones((6, 8), np.uint8))
    path = run / "evaluate" / "manifest.json"
    made = json.loads(path.read_text())
    made["config"]["data"]["init_args"]["dataset"]["init_args"]["masks"] = str(tmp_path / "masks")
    path.write_text(json.dumps(made))
    assert "<figcaption>mask (scoring only)" in page_of(run)


@pytest.mark.parametrize(
    ("place", "content", "said"),
    [
        ("evaluate/scores.json", b'[{"what": "cam", "mi', "damaged JSON"),
        ("evaluate/scores.json", b"[" * 100_000, "nested too deeply"),
        ("evaluate/scores.json", b'{"miou": 44}', "no scores; run `acr evaluate --force` to make it again"),
        ("evaluate/scores.json", b'[{"miou": "high", "precision": 1, "recall": 2}]', "no scores"),
        ("evaluate/scores.json", b'[{"miou": 1%s, "precision": 1, "recall": 2}]' % (b"0" * 400), "no scores"),
        ("evaluate/scores.json", b'[{"miou": Infinity, "precision": 1, "recall": 2}]', "no scores"),
        ("evaluate/scores.json", b'["\xff"]', "line 1 is not UTF-8 text"),
        ("evaluate/sweep.json", b"", "damaged JSON"),
        ("evaluate/sweep.json", b'{"thresholds": [1]}', "no scores"),
        ("fit/csv/version_0/metrics.csv", b"step,cu_loss\n0,1.5\n1,1.25\n2", "1 of its lines are damaged"),
        ("fit/csv/version_0/metrics.csv", b"step,cu_loss\n0,1.5\n1,1.x5\n2,1.0\n", "1 of its lines are damaged"),
        ("fit/csv/version_0/metrics.csv", b"\xff\xfe\n", "line 1 is not UTF-8 text"),
        ("fit/csv/version_0/metrics.csv", b"", "damaged (not enough values to unpack"),
        ("cam/cams/a.npz", b"PK\x03\x04", "damaged CAM file"),
        ("label/labels/a.png", b"", "cannot be read as a mask"),
        ("evaluate/predictions/a.png", b"P5 3 2 255 abcdef", "is a PPM file; a mask must be a PNG"),
        ("evaluate/predictions/a.png", png_bytes(np.zeros((2, 3), np.uint8)), "is 3×2, its photo 8×6"),
    ],
)
def test_what_is_damaged_is_left_out_and_named(run, place, content, said):
    (run / place).write_bytes(content)
    page = page_of(run)
    assert page.count('<p class="note">') == 1 + (place == "evaluate/scores.json")
    note = next(line for line in page.splitlines() if said in line)
    assert str(run / place) in note


@pytest.mark.parametrize(
    "content",
    [{"seconds": float("inf")}, {"status": 5}, {"config": {"data": 5}}, {"config": {"data": {"init_args": []}}}],
)
def test_a_manifest_of_odd_types_gets_a_clear_line_or_is_done_without(run, capsys, content):
    (run / "fit" / "manifest.json").write_text(json.dumps(content))
    assert main(["report", str(run)]) in (0, 2)
    assert capsys.readouterr().err.count("\n") <= 1
