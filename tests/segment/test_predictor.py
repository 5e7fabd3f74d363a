import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from acr_lightning import load
from acr_lightning.artefacts import checkpoint_file
from acr_lightning.errors import UserError
from acr_lightning.segment.network_inference import enlarged_labels, load_network


@pytest.fixture
def picture(shapes):
    return shapes.image(shapes.ids("val")[0])


def test_is_the_networks_argmax(trained_run, picture):
    predictor = load(trained_run, scales=[1.0], flip=False)
    network = load_network(trained_run / "segment" / "last.ckpt")
    image = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None] / 255
    with torch.no_grad():
        logits = network((image - network.backbone.mean) / network.backbone.std).softmax(dim=1)
    wanted = F.interpolate(logits, (64, 64), mode="bilinear", align_corners=False)[0].argmax(0)
    labels = predictor(picture)
    assert len(np.unique(labels)) > 1
    assert (labels == wanted.numpy()).mean() > 0.999  # ties
    assert predictor.label_names == ("background", "red_stripes", "blue_checks", "green_stripes", "black_checks")
    assert np.array_equal(predictor(Image.fromarray(picture)), labels)


def test_mirrored_pictures_get_mirrored_masks(trained_run, picture):
    predictor = load(trained_run)
    there, back = predictor.predict(picture), predictor.predict(np.ascontiguousarray(picture[:, ::-1]))
    assert np.allclose(there.probabilities, back.probabilities[..., ::-1], atol=1e-5)
    assert there.probabilities.sum(axis=0) == pytest.approx(np.ones((64, 64)), abs=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (1500, 1000)])
def test_any_size(trained_run, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    prediction = load(trained_run).predict(pixels)
    assert prediction.labels.shape == size
    assert max(prediction.probabilities.shape[1:]) <= 1024


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (lambda pixels: pixels.transpose(2, 0, 1), r"uint8 \[3, 64, 64\]: .*transpose\(1, 2, 0\)"),
        (lambda pixels: pixels / 255, "float64 .*255"),
        (lambda pixels: pixels[..., 0], r"uint8 \[64, 64\]"),
        (lambda pixels: np.dstack([pixels, pixels[..., 0]]), r"\[64, 64, 4\]"),
    ],
)
def test_an_array_of_another_form_is_refused(trained_run, picture, form, said):
    with pytest.raises(UserError, match=said):
        load(trained_run, refiner="none")(form(picture))


def test_enlarged_labels_are_the_argmax_of_the_enlarged():
    probabilities = torch.rand(5, 7, 9).softmax(dim=0)
    wanted = F.interpolate(probabilities[None], (31, 20), mode="bilinear", align_corners=False)[0].argmax(dim=0)
    assert torch.equal(enlarged_labels(probabilities, (31, 20)).long(), wanted)


def test_no_network_is_said(tmp_path):
    with pytest.raises(UserError, match="run `acr segment` first"):
        load(tmp_path)


@pytest.mark.parametrize(("status", "is_refused"), [("started", True), ("done", False)])
def test_a_network_in_training_is_not_used(trained_run, tmp_path, status, is_refused):
    shutil.copytree(trained_run, tmp_path / "run")
    (tmp_path / "run" / "segment" / "manifest.json").write_text(json.dumps({"status": status}))
    if not is_refused:
        load(tmp_path / "run")
        return
    with pytest.raises(UserError, match="not trained to its end yet"):
        load(tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": []}, "scales: is empty"),
        ({"scales": 1.0}, "scales: is empty or no list"),
        ({"scales": [0]}, "scales: expected float above 0, 10 at most, not '0'"),
        ({"scales": [1.0, 1e9]}, "scales: expected float above 0, 10 at most, not '1000000000.0'"),
        ({"scales": ["1"]}, "scales: expected float above 0"),
        ({"long_side": 0}, "long_side: expected int, 1 to 16384, not '0'"),
        ({"long_side": 0.5}, "long_side: expected int"),
        ({"window": -1}, "window: expected int, 1 to 16384"),
        ({"window": True}, "window: expected int"),
        ({"device": "banana"}, "device: 'banana' cannot be used"),
    ],
)
def test_what_it_cannot_do_is_said(trained_run, options, message):
    with pytest.raises(UserError, match=message):
        load(trained_run, **options)


def test_what_it_just_can(trained_run, picture):
    predictor = load(trained_run, scales=(np.float64(0.01), 1), flip=False, long_side=1, window=1, device="cpu:0")
    assert predictor(picture).shape == (64, 64)


def test_what_a_run_says_of_its_own_test_is_checked_too(trained_run, tmp_path):
    (tmp_path / "evaluate").mkdir()
    shutil.copytree(trained_run / "segment", tmp_path / "segment")
    model = {"class_path": "NetworkInference", "init_args": {"scales": "many", "window": 0}}
    (tmp_path / "evaluate" / "manifest.json").write_text(json.dumps({"config": {"model": model}}))
    with pytest.raises(UserError, match="scales: is empty or no list"):
        load(tmp_path)
    with pytest.raises(UserError, match="window: expected int, 1 to 16384"):
        load(tmp_path, scales=[1.0])
    load(tmp_path, scales=[1.0], window=64)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (5, "expected a list of names, got '5'"),
        ([1, 2], "expected a list of names"),
        (None, "expected a list of names"),
        (["cat"], "1 for a network of 5 labels"),
        (["cat", ""], "class '' is empty"),
        (["\x1b[31m"], "holds a control character"),
    ],
)
def test_names_of_a_checkpoint_that_no_class_has(trained_run, tmp_path, names, said):
    run = tmp_path / "run"
    content = checkpoint_file.read(trained_run / "segment" / "last.ckpt")
    checkpoint_file.write({**content, "class_names": names}, run / "segment" / "last.ckpt")
    with pytest.raises(UserError, match=f"class_names: .*{re.escape(said)}"):
        load(run)
    checkpoint_file.write({**content, "class_names": ["Ärger", "dog (brown)", "a", "b"]}, run / "segment" / "last.ckpt")
    assert load(run).label_names[:2] == ("background", "Ärger")
