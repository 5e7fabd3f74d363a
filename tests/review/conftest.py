"""A run with four labels, of classes and photos whose names would be markup if a page let them."""

import json

import numpy as np
import pytest
from PIL import Image
from results import photos_of

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.artefacts.palette import write_mask
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.report.notes import Notes
from acr_lightning.review.reviewed_run import reviewed_run

EVIL = "<img src=x onerror=document.title='evil'>"
TAGS = {"a": "cat", f"beach/{EVIL}": f"{EVIL};cat", "beach/c": "cat", "d": EVIL}
SIZE = (24, 32)


@pytest.fixture
def run(tmp_path, rng):
    """Photos, CAMs, labels of all, predictions of two; the stages `cam`, `label` and `evaluate` are done."""
    photos, run = tmp_path / "photos", tmp_path / "run"
    (photos / "beach").mkdir(parents=True)
    for name in TAGS:
        Image.fromarray(rng.integers(0, 255, (*SIZE, 3), np.uint8)).save(photos / f"{name}.png")
    (photos / "tags.csv").write_text("image,tags\n" + "".join(f"{name}.png,{tags}\n" for name, tags in TAGS.items()))
    node = {"class_path": "acr_lightning.data.tag_folder.TagFolder", "init_args": {"root": str(photos)}}
    dataset = TagFolder(str(photos))
    for name in TAGS:
        tags = dataset.tags(name)
        write_cam(run / "cam" / "cams" / f"{name}.npz", tags, rng.random((len(tags), *SIZE), np.float32))
        write_mask(run / "label" / "labels" / f"{name}.png", rng.choice([0, *(tags + 1), 255], SIZE).astype(np.uint8))
    for name in ("a", "d"):
        write_mask(run / "evaluate" / "predictions" / f"{name}.png", rng.integers(0, 3, SIZE).astype(np.uint8))
    for stage, results in (("fit", 0), ("cam", 4), ("label", 4), ("evaluate", 2)):
        (run / stage).mkdir(exist_ok=True)
        config = {"data": {"init_args": {"dataset": node}}}
        if stage == "label":
            config = {"dataset": node, "cams": str(run / "cam" / "cams"), "output": "x", "refiner": "none"}
        made = {"status": "done", "written": "2026-01-01", "results": results, "config": config, **photos_of(node)}
        (run / stage / "manifest.json").write_text(json.dumps({**made, "counts": {"threshold": 0.4}}))
    return run


@pytest.fixture
def reviewed(run, tmp_path):
    return reviewed_run(run, TagFolder(str(tmp_path / "photos")), Notes(), trusted=False)
