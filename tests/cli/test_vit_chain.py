"""The whole chain with ViTs: MCTFormer's CAM, a ViT as segmentation network; two processes train as one."""

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from commands import acr, here

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.errors import UserError
from acr_lightning.segment import export
from acr_lightning.segment.network_inference import load_network


@pytest.fixture
def config(config):
    content = yaml.safe_load(config.read_text())
    cpu = {"accelerator": "cpu", "devices": 1, "logger": False}
    content["fit"]["model"] |= {
        "classifier": {"class_path": "MCTFormer", "init_args": {"backbone": "test_vit", "drop_path": 0.0}},
        "encoder": {"class_path": "CamClassifier", "init_args": {"backbone": "test_resnet"}},
        "cu": {"outside": 0.1},
    }
    content["fit"]["trainer"]["max_epochs"] = 1
    content["cam"]["model"]["scales"] = [1.0, 0.8]  # 51 pixels are no multiple of 16
    content["label"] |= {"refiner": "none", "threshold": 0.5}
    content["segment"] = {
        "model": {"backbone": "test_vit", "output_stride": None, "rates": [1, 2], "blocks": [1, 2, 3],
                  "optimizer": {"name": "adamw", "layer_decay": 0.8}},
        "data": {"crop": 48, "batch_size": 4, "num_workers": 0}, "trainer": {"max_epochs": 1, **cpu},
    }  # fmt: skip
    content["evaluate"] = {"model": {"scales": [1.0]}, "data": {"num_workers": 0}, "trainer": cpu}
    config.write_text(yaml.safe_dump(content))
    return config


def test_every_stage_with_a_vit(config, tmp_path, shapes):
    run = tmp_path / "run"
    for stage in ("fit", "cam", "label", "segment", "evaluate"):
        assert here(stage, "--config", config) == 0
    cams = {image_id: read_cam(run / "cam" / "cams" / f"{image_id}.npz") for image_id in shapes.ids("train")}
    assert any(cam.scores.max() == 1 for cam in cams.values())
    for image_id, cam in cams.items():
        assert cam.scores.shape[1:] == (64, 64)
        assert sorted(cam.classes) == sorted(shapes.tags(image_id))
    words = ["--images", f"{shapes.root}/JPEGImages/val_*.jpg", "--output", tmp_path / "masks"]
    assert here("predict", "--run", run, *words) == 0
    masks = {path.name: read_mask(path) for path in (tmp_path / "masks").glob("*.png")}
    assert len(masks) == len(shapes.ids("val"))
    for name, mask in masks.items():
        assert np.array_equal(mask, read_mask(run / "evaluate" / "predictions" / name))
    assert export.export(run, tmp_path / "net", (50, 70)).difference < 1e-4
    at_any_size(run, tmp_path)


def at_any_size(run, tmp_path):
    """A file that takes multiples of the patch gives what torch gives, at sizes that it was not made with."""
    made = export.export(run, tmp_path / "dynamic", (48, 64), dynamic=True)
    assert made.step == 16
    session, network = onnxruntime.InferenceSession(tmp_path / "dynamic"), load_network(run / "segment" / "last.ckpt")
    for size in ((32, 112), (160, 160), (208, 16)):
        image = torch.rand(2, 3, *size)
        with torch.no_grad():
            logits = network(network.backbone.normalise(image))
            wanted = torch.nn.functional.interpolate(logits, size, mode="bilinear").softmax(dim=1).numpy()
        (got,) = session.run(None, {"image": image.numpy()})
        np.testing.assert_allclose(got, wanted, atol=1e-4)
    with pytest.raises(UserError, match="50×70: with --dynamic height and width are multiples of 16"):
        export.export(run, tmp_path / "no", (50, 70), dynamic=True)


def test_two_processes_train_a_vit_as_one(config, tmp_path):
    states = []
    for devices in (1, 2):
        run = tmp_path / f"devices{devices}"
        words = ["--config", config, "--run", run, f"--trainer.devices={devices}"]
        # SGD, since Adam blows up rounding; 64 bits, since in 32 that of a weight would be a part of a step.
        words += ["--model.optimizer={name: sgd, lr: 0.001}", "--trainer.precision=64-true"]
        if devices == 1:
            assert here("fit", *words) == 0
        else:
            done = acr("fit", *words)
            assert done.returncode == 0, done.stderr
        states.append(torch.load(run / "fit" / "last.ckpt", weights_only=True)["state_dict"])
    apart = {name: float((one.double() - states[1][name]).abs().max()) for name, one in states[0].items()}
    assert max(apart.values()) < 1e-9, apart
