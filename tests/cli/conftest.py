"""Commands that go on while a test does something else, and a training small enough for it."""

import os
import time

import pytest
import yaml
from commands import start


@pytest.fixture
def started():
    """Start a command and wait until something is there; what is left of its group is killed after the test."""
    commands = []

    def begin(*words, until):
        command = start(*words)
        commands.append(command)
        while command.poll() is None and not until():
            time.sleep(0.005)
        assert command.poll() is None, command.communicate()[1]
        return command

    yield begin
    for command in commands:
        if command.poll() is None:
            os.killpg(command.pid, 9)
        command.wait()


@pytest.fixture
def tiny_fit(tmp_path, shapes_root):
    """An experiment file whose stage `fit` takes three short epochs; its `run` is `tmp_path / "run"`."""
    content = {
        "run": str(tmp_path / "run"),
        "seed": 1,
        "dataset": {
            "class_path": "Shapes",
            "init_args": {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3},
        },
        "fit": {
            "model": {
                "classifier": {"backbone": "tiny_resnet", "freeze_batchnorm": False},
                "reconstructor": {"depth": 3, "width": 8, "stride": 2}, "srf": {"grid": 4},
                "optimizer": {"name": "adamw", "lr": 0.001, "new_layer_factor": 1.0},
            },
            "data": {"crop": 48, "long_side": [56, 64], "batch_size": 4, "num_workers": 0},
            "trainer": {"max_epochs": 3, "logger": False, "accelerator": "cpu", "devices": 1},
        },
        "cam": {
            "model": {"scales": [1.0]}, "data": {"num_workers": 0}, "trainer": {"accelerator": "cpu", "devices": 1}
        },
        "label": {"workers": 1},
    }  # fmt: skip
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path
