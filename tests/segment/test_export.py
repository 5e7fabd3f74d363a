import json
import shutil

import numpy as np
import onnxruntime
import pytest
import torch

from acr_lightning.errors import UserError
from acr_lightning.segment import export as exporting
from acr_lightning.segment.network_inference import load_network


def test_the_file_gives_what_torch_gives(trained_run, tmp_path):
    path = tmp_path / "network"
    assert exporting.export(trained_run, path, (64, 96)).difference < 1e-4
    network = load_network(trained_run / "segment" / "last.ckpt")
    image = torch.rand(3, 3, 64, 96)
    with torch.no_grad():
        logits = network((image - network.backbone.mean) / network.backbone.std)
        wanted = torch.nn.functional.interpolate(logits, (64, 96), mode="bilinear").softmax(dim=1).numpy()
    (got,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": image.numpy()})
    assert np.abs(got - wanted).max() < 1e-4


def test_the_file_says_what_is_not_in_it(trained_run, tmp_path):
    run, path = tmp_path / "run", tmp_path / "network"
    (run / "evaluate").mkdir(parents=True)
    shutil.copytree(trained_run / "segment", run / "segment")
    model = {"class_path": "NetworkInference", "init_args": {"scales": [1.0, 2.0], "refiner": "test_deeplabv2"}}
    (run / "evaluate" / "manifest.json").write_text(json.dumps({"config": {"model": model}}))
    exporting.export(run, path, (32, 32))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map
    assert json.loads(found["labels"]) == ["background", "red_stripes", "blue_checks", "green_stripes", "black_checks"]
    assert json.loads(found["not_in_this_file"]) == {
        "scales": [1.0, 2.0], "flip": True, "long_side": None, "refiner": "test_deeplabv2", "window": None,
    }  # fmt: skip


def test_a_file_that_differs_is_not_kept(trained_run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match="differs from torch"):
        exporting.export(trained_run, tmp_path / "network", (32, 32))
    assert not (tmp_path / "network").exists()
