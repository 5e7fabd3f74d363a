"""`acr` as a user types it, in a process of its own, and a training small enough for it."""

import os
import subprocess
import sys
import time

import pytest
import yaml

ACR = [sys.executable, "-m", "acr_lightning"]


@pytest.fixture
def acr():
    """Run a command; keywords go to `subprocess.run`."""

    def run(*words, env=None, **options):
        words = [*ACR, *map(str, words)]
        return subprocess.run(words, env={**os.environ, **(env or {})}, capture_output=True, text=True, **options)

    return run


@pytest.fixture
def started():
    """Start a command and wait until something is there; what is left of its group is killed after the test."""
    processes = []

    def start(*words, until, **options):
        process = subprocess.Popen(
            [*ACR, *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            start_new_session=True, **options,
        )  # fmt: skip
        processes.append(process)
        while process.poll() is None and not until():
            time.sleep(0.005)
        assert process.poll() is None, process.communicate()[1]
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.wait()
        process.stderr.close()


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
