"""What every method, network and inference asks of a GPU, on one that holds no numbers: see `fake_gpu.py`.

Each case is a batch of Lightning's own Trainer in one precision. A process of its own runs them, which believes that
there is a GPU.
"""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from cases import COPIES, SYNCS
from recorder import halved

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 14), reason="fake tensors are used as torch 2.14 has them"
)
PRECISIONS = ("16-mixed", "bf16-mixed", "32-true")
TRAINED = (
    "ACR", "ACR, ResNet38d", "ACR, frozen", "ACR, MCTformer", "plain", "plain, frozen", "plain, MCTformer+", "OC-CSE",
    "ReCAM", "SEAM", "SIPE", "AEFT", "CPN", "PPC", "CLIMS", "PSA", "IRN", "DeepLab, v1_large_fov", "DeepLab, v2",
    "DeepLab, v3plus", "DeepLab, upsample", "DeepLab, linear",
)  # fmt: skip
INFERRED = (
    "CAM", "prototypes", "AdvCAM", "AdvCAM, frozen", "RIB", "walk, PSA", "walk, IRN", "network", "network, in windows",
    *(("CLIP-ES", "NACLIP") if find_spec("open_clip") else ()),
)  # fmt: skip


class FakeGPU:
    """The process that runs cases."""

    def __init__(self, driver):
        environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}", "HF_HUB_OFFLINE": "1", **driver}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "server.py")],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        atexit.register(self.process.kill)
        self.cases = self.read()

    def read(self):
        return json.loads(self.process.stdout.readline())

    def run(self, name, precision):
        if "cannot" in self.cases:
            (pytest.fail if torch.version.cuda else pytest.skip)(f"no gradients on a fake GPU: {self.cases['cannot']}")
        print(json.dumps([name, precision]), file=self.process.stdin, flush=True)
        report = self.read()
        assert "error" not in report, report["error"]
        return report


@functools.cache
def fake_gpu():
    """The one of this test process; only a CUDA build of torch asks for a driver."""
    driver = {}
    if torch.version.cuda is not None:
        if (compiler := shutil.which("cc")) is None:
            pytest.skip("a CUDA build of torch asks for a driver, and there is no C compiler to make one")
        folder = tempfile.TemporaryDirectory()
        atexit.register(folder.cleanup)
        library = Path(folder.name) / "libcuda.so.1"
        command = [compiler, "-shared", "-fPIC", f"-Wl,-soname,{library.name}", HERE / "driver.c", "-o", library]
        subprocess.run(command, check=True)
        driver = {"LD_PRELOAD": str(library)}
    return FakeGPU(driver)


def test_no_case_is_forgotten():
    fake_gpu().run("plain", "32-true")  # skips where it cannot
    assert set(fake_gpu().cases) == {*TRAINED, *INFERRED}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", TRAINED)
def test_a_step(name, precision):
    report = fake_gpu().run(name, precision)
    if precision == "16-mixed":
        assert not beyond(report["syncs"], SYNCS)
        assert not beyond(report["copies"], COPIES)
    if precision == "32-true":
        assert not report["raising"]
    else:
        assert not halved(report["products"])[0]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", INFERRED)
def test_a_photo(name, precision):
    report = fake_gpu().run(name, precision)
    if precision == "32-true":
        assert not report["raising"]
    else:
        assert not halved(report["products"])[0]


@pytest.mark.parametrize("preset", ["PSA", "IRN"])
def test_a_walk_has_few_kernels(preset):
    """Of 84 steps; each begins in some microseconds, whatever it computes. The network is among them."""
    assert fake_gpu().run(f"walk, {preset}", "bf16-mixed")["kernels"] <= 600


def beyond(counts, most):
    """What was done more often than it may be."""
    return {what: count for what, count in counts.items() if count > most.get(what, 0)}
