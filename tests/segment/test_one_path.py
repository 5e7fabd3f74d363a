"""`acr predict`, the Python API and a run's own test give the very same masks."""

import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from acr_lightning import load
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.cli.main import main
from acr_lightning.errors import UserError
from acr_lightning.segment.network_inference import NetworkInference
from acr_lightning.segment.recorded_test import recorded_test

CRF = {"class_path": "DenseCrf", "init_args": {"preset": "test_deeplabv1", "scale": 0.5}}


class Inverted:
    """Makes the least likely label the likeliest."""

    def __call__(self, image, probabilities):
        return 1 - probabilities


def evaluated_run(trained_run, shapes_root, folder, precision="32-true", **model):
    """Let a run test its network on `val` with these settings; its folder."""
    shutil.copytree(trained_run / "segment", folder / "run" / "segment")
    done = {"status": "done", "digest": "0", "config": {}}
    (folder / "run" / "segment" / "manifest.json").write_text(json.dumps(done))
    data = {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    content = {
        "run": str(folder / "run"),
        "dataset": {"class_path": "Shapes", "init_args": data},
        "evaluate": {
            "model": model,
            "data": {"num_workers": 0},
            "trainer": {
                "accelerator": "cpu",
                "devices": 1,
                "precision": precision,
                "callbacks": [{"class_path": "ChannelsLast"}],
            },
        },
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(content))
    assert main(["evaluate", "--config", str(folder / "experiment.yaml")]) == 0
    return folder / "run"


SETTINGS = {
    "crf": {"scales": [0.75, 1.0, 1.5], "flip": True, "refiner": CRF, "long_side": 48},
    "plain": {"scales": [0.5, 1.0], "flip": False, "window": 40},
    "half": {"scales": [1.0], "precision": "bf16-mixed"},
}


@pytest.mark.parametrize("model", SETTINGS.values(), ids=SETTINGS.keys())
def test_predict_writes_the_masks_that_were_scored(trained_run, shapes_root, shapes, tmp_path, model):
    run = evaluated_run(trained_run, shapes_root, tmp_path, **model)
    out = tmp_path / "masks"
    photos = str(shapes_root / "JPEGImages" / "val_*.jpg")
    assert main(["predict", "--run", str(run), "--images", photos, "--output", str(out)]) == 0
    scored = {path.name: path.read_bytes() for path in (run / "evaluate" / "predictions").glob("*.png")}
    assert len(scored) == 6
    assert {path.name: path.read_bytes() for path in out.glob("*.png")} == scored
    network = load(run)
    for image_id in shapes.ids("val"):
        assert np.array_equal(network(shapes.image(image_id)), read_mask(out / f"{image_id}.png"))
    # The settings matter here: with others, the masks are others.
    plain = load(run, scales=[1.0], refiner="none", flip=False, long_side=64)
    assert any(not np.array_equal(plain(shapes.image(name)), network(shapes.image(name))) for name in shapes.ids("val"))


def test_the_network_may_lie_in_another_run(trained_run, shapes_root, shapes, tmp_path):
    run = evaluated_run(trained_run, shapes_root, tmp_path, scales=[1.0])
    picture, wanted = shapes.image(shapes.ids("val")[0]), load(run).label_names
    (run / "segment").rename(tmp_path / "segment")
    with pytest.raises(UserError, match="no such checkpoint"):
        load(run)
    (run / "from.json").write_text(json.dumps({"segment": ".."}))
    assert load(run).label_names == wanted
    assert load(run)(picture).shape == (64, 64)


def test_the_scores_state_all_settings(trained_run, shapes_root, tmp_path):
    run = evaluated_run(trained_run, shapes_root, tmp_path, refiner=CRF)
    (record,) = json.loads((run / "evaluate" / "scores.json").read_text())
    found = {key: record[key] for key in ("scales", "flip", "long_side", "window", "refiner")}
    assert found == {
        "scales": [0.5, 0.75, 1.0, 1.25, 1.5], "flip": True, "long_side": None, "window": None,
        "refiner": "DenseCrf(preset=test_deeplabv1, scale=0.5)",
    }  # fmt: skip


def test_a_large_photo_is_read_at_its_settings(trained_run, tmp_path, rng):
    """Larger than 1024 px: shrunk for the network, its mask as large as the photo, with a refiner, too."""
    pixels = rng.integers(0, 256, (1400, 30, 3), dtype=np.uint8)
    for refiner in ("none", f"{__name__}.Inverted"):
        prediction = load(trained_run, scales=[1.0], refiner=refiner).predict(pixels)
        assert prediction.labels.shape == (1400, 30)
        assert prediction.probabilities.shape == (5, 1024, 22)


def test_many_labels_of_which_none_is_likely(trained_run):
    inference = NetworkInference(str(trained_run / "segment" / "last.ckpt"), refiner="test_deeplabv1")
    labels = inference.labels(torch.rand(3, 8, 9), torch.full((40, 8, 9), 1 / 40))
    assert labels.shape == (8, 9)


def test_an_own_refiner_comes_from_the_user_alone(trained_run, shapes_root, shapes, tmp_path, capsys):
    own = f"{__name__}.Inverted"
    run = evaluated_run(trained_run, shapes_root, tmp_path, refiner={"class_path": own})
    photo = shapes_root / "JPEGImages" / "val_00000.jpg"
    with pytest.raises(UserError, match="is not imported"):
        load(run)
    words = ["predict", "--run", str(run), "--images", str(photo), "--output", str(tmp_path / "masks")]
    assert main(words) == 2
    assert f'--refiner=\'{{"class_path": "{own}"}}\'' in capsys.readouterr().err
    assert main([*words, f"--refiner={own}"]) == 0
    mask = (run / "evaluate" / "predictions" / "val_00000.png").read_bytes()
    assert (tmp_path / "masks" / "val_00000.png").read_bytes() == mask


def test_a_run_that_was_not_tested_has_the_tests_defaults(trained_run):
    assert recorded_test(trained_run / "evaluate").settings["scales"] == (0.5, 0.75, 1.0, 1.25, 1.5)


def test_another_class_at_the_test_is_said(trained_run, shapes_root, tmp_path):
    run = evaluated_run(trained_run, shapes_root, tmp_path)
    path = run / "evaluate" / "manifest.json"
    made = json.loads(path.read_text())
    made["config"]["model"]["class_path"] = "elsewhere.Other"
    path.write_text(json.dumps(made))
    with pytest.raises(UserError, match=r"manifest\.json: .*elsewhere\.Other"):
        load(run)


def test_grey_pictures_of_the_api_are_read_as_rgb(trained_run, shapes):
    grey = Image.fromarray(shapes.image(shapes.ids("val")[0])).convert("L")
    network = load(trained_run)
    assert np.array_equal(network(grey), network(grey.convert("RGB")))
