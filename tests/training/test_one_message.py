"""Which modules do without DDP's reducer; that two processes then are one, tests/methods/test_two_processes.py says."""

import pytest
import torch.distributed as dist
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import DDPStrategy
from tiny_acr import tiny_classifier

from acr_lightning.methods.plain.module import Plain
from acr_lightning.training.one_message import OneMessage


@pytest.mark.parametrize(("module", "is_ddps"), [(LightningModule, True), (lambda: Plain(tiny_classifier()), False)])
def test_a_module_that_sends_no_gradients_is_ddps(module, is_ddps, monkeypatch):
    calls = []
    monkeypatch.setattr(DDPStrategy, "configure_ddp", lambda strategy: calls.append("DDP"))
    monkeypatch.setattr(dist, "broadcast", lambda weights, source: calls.append("weights"))
    strategy = OneMessage()
    strategy.connect(module())
    strategy.configure_ddp()
    assert set(calls) == {"DDP" if is_ddps else "weights"}
