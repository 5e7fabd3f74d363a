import os
import signal
import socket

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1", WANDB_MODE="disabled", WANDB_SILENT="true")
# One thread a process, unless more are asked for: the tests run in as many processes as there are cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightning.pytorch  # noqa: F401  its log goes to where it was imported; a test's capture ends
import numpy as np
import pytest
import torch
from double import double as sixty_four_bits
from tiny_coco import write_coco

from acr_lightning.data.shapes import Shapes

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
# A shell ignores Ctrl-C for what it starts with `&`, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Nothing may reach out; loopback is for worker processes."""
    connect = socket.socket.connect

    def guarded(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _signal_handlers():
    """A command in this process hears signals in its own way, and leaves it so."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    torch.set_flush_denormal(False)  # a stage with a Trainer sets it, and hypothesis makes no floats then


@pytest.fixture
def double():
    """The test calculates in 64 bits."""
    with sixty_four_bits():
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shapes_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "shapes"
    Shapes(str(root), num_train=16, num_val=6, size=64, seed=3)
    return root


@pytest.fixture(scope="session")
def coco_root(tmp_path_factory):
    """COCO's layout of 2014 and of 2017 in one folder."""
    root = tmp_path_factory.mktemp("data") / "coco"
    for year in (2014, 2017):
        write_coco(root, year)
    return root


@pytest.fixture
def shapes(shapes_root):
    return Shapes(str(shapes_root), num_train=16, num_val=6, size=64, seed=3)


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory, shapes_root):
    """A run folder with a network of two steps, on the four classes of `shapes`."""
    torch.manual_seed(0)
    run = tmp_path_factory.mktemp("run")
    from lightning.pytorch import Trainer

    from acr_lightning.data.datamodule import LabelledCrops
    from acr_lightning.segment.segmenter import Segmenter
    from acr_lightning.training.optimisation import OptimizerSettings

    shapes = Shapes(str(shapes_root), num_train=16, num_val=6, size=64, seed=3)
    trainer = Trainer(
        default_root_dir=run, max_epochs=1, accelerator="cpu", devices=1, logger=False, limit_train_batches=2,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    sgd = OptimizerSettings(lr=1e-3)
    segmenter = Segmenter(4, "test_resnet", freeze_batchnorm=False, rates=(1, 2), optimizer=sgd)
    torch.nn.init.normal_(segmenter.network.head.branches[0].weight, std=0.3)  # so that several labels occur
    trainer.fit(segmenter, LabelledCrops(shapes, "masks", crop=48, batch_size=4, num_workers=0))
    trainer.save_checkpoint(run / "segment" / "last.ckpt")
    return run
