"""Commands that go on while a test does something else, and a training small enough for it."""

import os
import shutil
import time

import pytest
import yaml
from commands import acr, start
from results import contents


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


def write_config(folder, shapes_root):
    """A tiny experiment on real files."""
    content = {
        "run": str(folder / "run"),
        "seed": 1,
        "dataset": {
            "class_path": "Shapes",
            "init_args": {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3},
        },
        "fit": {
            "model": {
                "classifier": {"backbone": "test_resnet", "output_stride": 8, "freeze_batchnorm": False},
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
        "segment": {
            "model": {"backbone": "test_resnet", "freeze_batchnorm": False, "rates": [1, 2]},
            "data": {"crop": 48, "batch_size": 4, "num_workers": 0},
            "trainer": {"max_epochs": 1, "logger": False, "accelerator": "cpu", "devices": 1},
        },
        "evaluate": {
            "model": {"scales": [1.0]}, "data": {"num_workers": 0}, "trainer": {"accelerator": "cpu", "devices": 1}
        },
    }  # fmt: skip
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def config(tmp_path, shapes_root):
    """An experiment file whose stage `fit` takes three short epochs; its `run` is `tmp_path / "run"`."""
    return write_config(tmp_path, shapes_root)


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory, shapes_root):
    """A run up to the pseudo-labels that nothing interrupted."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = acr("run", "--config", write_config(folder, shapes_root), "--stages", "fit,cam,label")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def whole(uninterrupted, tmp_path):
    """Its pseudo-labels; a copy of the run is `tmp_path / "whole"`."""
    shutil.copytree(uninterrupted, tmp_path / "whole")
    return contents(tmp_path / "whole" / "label" / "labels")
