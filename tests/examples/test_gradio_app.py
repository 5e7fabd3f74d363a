"""The example page's function, on an exported network: the regions are those of torch's own network."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from acr_lightning.segment.export import Deployed, export
from acr_lightning.segment.network_inference import load_network

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX is an extra: pip install '.[export]'")
APP = Path(__file__).parents[2] / "examples" / "gradio_app.py"


def test_regions_are_the_networks(trained_run, shapes, tmp_path):
    spec = importlib.util.spec_from_file_location("gradio_app", APP)
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    exported = export(trained_run, tmp_path / "network.onnx", (64, 96))
    photo = np.asarray(Image.fromarray(shapes.image(shapes.ids("val")[0])).resize((48, 32)))
    same, regions = app.annotate(onnxruntime.InferenceSession(tmp_path / "network.onnx"), photo)
    assert same is photo

    large = np.asarray(Image.fromarray(photo).resize((96, 64), Image.Resampling.BILINEAR))
    with torch.no_grad():
        image = torch.from_numpy(large.copy()).permute(2, 0, 1)[None] / 255
        labels = Deployed(load_network(trained_run / "segment" / "last.ckpt")).eval()(image)[0].argmax(dim=0).numpy()
    # The nearest pixel of half the size is one of each square of four.
    corners = labels[1::2, 1::2]
    assert len(regions) > 0
    for mask, name in regions:
        assert mask.shape == (32, 48)
        assert (mask == (corners == exported.labels.index(name))).mean() > 0.99  # ties
