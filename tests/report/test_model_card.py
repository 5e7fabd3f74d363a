"""`acr export` writes a model card of what the run says of itself."""

import json
import shutil

import pytest
import torch
from commands import here

from acr_lightning.segment.network_inference import load_network

SECTION = {
    "model": {"class_path": "Segmenter", "init_args": {"backbone": "test_resnet", "weights": None}},
    "data": {"class_path": "LabelledCrops", "init_args": {"dataset": {"class_path": "acr_lightning.data.Shapes"}}},
}

ACR = {"class_path": "a.b.ACR", "init_args": {"strategy": "baseline"}}


@pytest.fixture
def run(trained_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained_run / "segment", run / "segment")
    said = {"version": "0.1.0", "python": "3.11.2", "status": "done"}
    wrote = {
        "fit": {**said, "config": {"model": ACR}, "counts": {"photos": 16}, "written": "2026-01-01"},
        "segment": {**said, "config": SECTION, "counts": {"photos": 15, "epochs": 7}, "written": "2026-01-02"},
        "evaluate": {
            **said, "written": "2026-01-03",
            "config": {"model": {"class_path": "NetworkInference", "init_args": {"scales": [1.0, 1.5]}}},
        },
    }  # fmt: skip
    for name, manifest in wrote.items():
        (run / name).mkdir(exist_ok=True)
        (run / name / "manifest.json").write_text(json.dumps({"seconds": 60.0, **manifest}))
    return run


def cells(card, first):
    """The cells of the only row that begins so."""
    [row] = [line for line in card.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def test_the_card_says_what_the_run_says(run, tmp_path):
    label = {"what": "label", "split": "seed", "miou": 50.0, "precision": 60.0, "recall": 70.0}
    segment = json.loads((run / "segment" / "manifest.json").read_text())
    (run / "segment" / "manifest.json").write_text(json.dumps({**segment, "inputs": {"label": "1"}}))
    (run / "label").mkdir()
    refiner = {"class_path": "acr_lightning.labels.sam_refiner.SamRefiner"}
    (run / "label" / "manifest.json").write_text(
        json.dumps({"config": {"refiner": refiner}, "counts": {"chosen": "oracle: best"}})
    )
    network = {
        "what": "network", "split": "val", "scales": [1.0, 1.5], "refiner": "test|<b>", "miou": 41.25,
        "precision": 55.5, "recall": 66.6, "classes": {"background": {"iou": 90.04}, "blue_checks": {"iou": 12.34}},
    }  # fmt: skip
    records = [{**label, "threshold": 0.3, "chosen": "oracle: best", "classes": {}}, network]
    (run / "evaluate" / "scores.json").write_text(json.dumps(records))
    output = tmp_path / "out" / "net.onnx"
    assert here("export", "--run", run, "--height=32", "--width=48", "--output", output) == 0
    card = (output.parent / "MODEL_CARD.md").read_text()

    assert "`net.onnx` labels each pixel of a photo as background or one of 4 classes" in card
    assert cells(card, "0") == ["0", "background", "90.0"]
    assert cells(card, "2") == ["2", "blue_checks", "12.3"]
    assert cells(card, "1") == ["1", "red_stripes", "not measured"]
    assert "`[B, 3, 32, 48]`" in card
    assert "`[B, 5, 32, 48]`" in card
    backbone = load_network(run / "segment" / "last.ckpt").backbone
    for values in (backbone.mean, backbone.std):
        assert ", ".join(str(round(value, 4)) for value in torch.flatten(values).tolist()) in card
    assert cells(card, "network") == [
        "network", "val", "41.2", "55.5", "66.6", "scales [1.0, 1.5], refiner test\\|\\<b>"
    ]  # fmt: skip
    assert cells(card, "label | training photos")[-1] == "threshold 0.3, chosen oracle: best"
    assert "was chosen with masks" in card
    assert "Method: ACR, strategy baseline." in card
    assert "Data set: Shapes" in card
    assert "test_resnet, weights None" in card
    assert "pseudo-labels" in card
    assert cells(card, "segment")[:4] == ["segment", "15", "7", "60 s"]
    assert "scales [1.0, 1.5], flip True" in card
    assert "made from tags" in card
    assert "weights that learned from masks, not from tags alone" in card
    assert "Nobody measured" not in card


def test_a_card_without_scores_says_so(run):
    section = {**SECTION, "data": {"init_args": {"labels": "masks"}}}
    (run / "segment" / "manifest.json").write_text(json.dumps({"status": "done", "config": section, "seconds": 120.0}))
    (run / "fit" / "manifest.json").unlink()
    assert here("export", "--run", run, "--height=32", "--width=32") == 0
    card = (run / "MODEL_CARD.md").read_text()
    assert "None: the run was not evaluated" in card
    assert "Nobody measured" in card
    assert "weights that learned" not in card
    assert "was chosen with masks" not in card
    assert "none; only the network was trained" in card
    assert "made from tags" not in card
    assert cells(card, "segment")[3] == "2 min"


def test_a_card_of_a_run_without_a_classifier_names_what_made_its_maps(run):
    (run / "fit" / "manifest.json").unlink()
    (run / "cam").mkdir()
    model = {"class_path": "acr_lightning.methods.clipes.inference.CLIPES"}
    (run / "cam" / "manifest.json").write_text(json.dumps({"config": {"model": model}}))
    segment = json.loads((run / "segment" / "manifest.json").read_text())
    (run / "segment" / "manifest.json").write_text(json.dumps({**segment, "inputs": {"cam": "1"}}))
    assert here("export", "--run", run, "--height=32", "--width=32") == 0
    card = (run / "MODEL_CARD.md").read_text()
    assert "Method: CLIPES." in card
    assert "weights that learned from captions, not from tags alone" in card
