"""`acr export-labels`: what of a run it writes, where, and what it leaves alone."""

import json

import numpy as np
import pytest
import yaml
from commands import here
from PIL import Image
from pycocotools.coco import COCO
from results import photos_of

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.artefacts.palette import write_mask
from acr_lightning.label_formats import WRITERS, label_map

NAMES = ("a", "beach/b", "beach/c")


@pytest.fixture
def run(tmp_path, rng):
    """Three photos, of which two are tagged and have a label, and the third has a prediction."""
    photos = tmp_path / "photos"
    (photos / "beach").mkdir(parents=True)
    for name in NAMES:
        Image.fromarray(rng.integers(0, 255, (30, 40, 3), np.uint8)).save(photos / f"{name}.jpg")
    (photos / "tags.csv").write_text("image,tags\na.jpg,dog\nbeach/b.jpg,cat;dog\n")
    node = {"class_path": "acr_lightning.data.tag_folder.TagFolder", "init_args": {"root": str(photos)}}
    run = tmp_path / "run"
    labels = np.zeros((30, 40), np.uint8)
    labels[5:20, 10:30] = 2
    for name in NAMES[:2]:
        write_mask(run / "label" / "labels" / f"{name}.png", labels)
        write_cam(run / "cam" / "cams" / f"{name}.npz", np.array([1]), np.full((1, 30, 40), 0.6, np.float32))
    write_mask(run / "evaluate" / "predictions" / "beach" / "c.png", 3 - labels[::-1] - (labels[::-1] == 0))
    for stage, results in (("fit", 0), ("cam", 2), ("label", 2), ("evaluate", 1)):
        (run / stage).mkdir(exist_ok=True)
        config = {"data": {"init_args": {"dataset": node}}}
        made = {"status": "done", "written": "2026-01-01", "results": results, "config": config, **photos_of(node)}
        (run / stage / "manifest.json").write_text(json.dumps(made))
    return run


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_in_a_folder_of_its_own(run, form, capsys):
    before = contents(run)
    assert here("export-labels", "--run", run, "--of=labels", f"--format={form}") == 0
    assert f"labels_{form}: labels of 2 photos" in capsys.readouterr().out
    after = contents(run)
    assert before.items() <= after.items()
    assert {name.partition("/")[0] for name in after.keys() - before.keys()} == {f"labels_{form}"}


def test_labels_with_the_scores_of_their_cams_and_predictions_without(run, tmp_path):
    for kind, names, label in (("labels", NAMES[:2], 2), ("predictions", NAMES[2:], 1)):
        words = ("--run", run, f"--of={kind}", "--format=coco", f"--output={tmp_path / kind}")
        assert here("export-labels", *words) == 0
        data = COCO(str(tmp_path / kind / "annotations.json"))
        assert [one["file_name"] for one in data.imgs.values()] == [f"{name}.jpg" for name in names]
        for annotation in data.anns.values():
            assert annotation["category_id"] in (label, 2)
            assert annotation.get("score") == (0.6 if kind == "labels" else None)


def test_photos_are_chosen(run, tmp_path, capsys):
    words = ("export-labels", "--run", run, "--of=labels", "--format=coco", "--output", tmp_path / "out")
    assert here(*words, "--photos=sea/*") == 2
    assert "no photo of 2 is called so" in capsys.readouterr().err
    assert here(*words, "--photos=[beach/*]") == 0
    assert [one["file_name"] for one in COCO(str(tmp_path / "out" / "annotations.json")).imgs.values()] == [
        "beach/b.jpg"
    ]


@pytest.mark.parametrize("make", ["mkdir", "touch"])
def test_what_is_there_is_left_alone(run, tmp_path, make, capsys):
    getattr(tmp_path / "mine", make)()
    words = ("export-labels", "--run", run, "--of=labels", "--format=yolo", "--output", tmp_path / "mine")
    assert here(*words) == 2
    assert "mine: is there already, a " in capsys.readouterr().err


def test_a_failure_leaves_nothing(run, tmp_path, capsys):
    write_mask(run / "label" / "labels" / "beach" / "b.png", np.zeros((3, 4), np.uint8))
    words = ("export-labels", "--run", run, "--of=labels", "--format=semantic", "--output", tmp_path / "new" / "out")
    assert here(*words) == 2
    assert "b.png: is 4×3, its photo 40×30" in capsys.readouterr().err
    assert [*(tmp_path / "new").iterdir()] == []


def test_a_stage_that_is_not_done(run, capsys):
    (run / "label" / "labels" / "a.png").unlink()
    assert here("export-labels", "--run", run, "--of=labels", "--format=coco") == 2
    assert "not done; run `acr label` first" in capsys.readouterr().err


def test_photos_that_the_run_was_not_made_from_are_not_copied(run, tmp_path, capsys):
    Image.new("RGB", (40, 30)).save(tmp_path / "photos" / "a.jpg")
    assert here("export-labels", "--run", run, "--of=labels", "--format=yolo") == 2
    assert "its photos are not those that the run was made from" in capsys.readouterr().err
    init_args = {"root": str(tmp_path / "photos"), "classes": ["cat", "dog"]}
    dataset = {"class_path": "TagFolder", "init_args": init_args}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"base": "tag_folder.yaml", "dataset": dataset}))
    assert here("export-labels", "--run", run, "--of=labels", "--format=yolo", "--config", tmp_path / "own.yaml") == 0
    (run / "label" / "labels" / "link.png").symlink_to(tmp_path / "photos" / "a.jpg")
    assert here("export-labels", "--run", run, "--of=labels", "--format=yolo") == 2
    assert "a link leads out of the run" in capsys.readouterr().err


def test_parts_touch_at_corners():
    region = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1]], bool)
    assert [part.sum() for part in label_map.components(region)] == [2, 3]
