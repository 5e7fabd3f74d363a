"""A GPU that holds no numbers: torch's fake tensors, which know shape, type and device, on `cuda:0` of no machine.

A process takes it with `take`; with a CUDA build of torch `driver.c` must have been loaded before. Lightning's own
Trainer then runs on it.
"""

import ctypes
import os

import numpy as np
import torch
import torch.cuda.amp.common
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

DEVICE = torch.device("cuda", 0)


def take():
    """Make the whole process believe in the GPU."""
    torch._C._ensureCUDADeviceGuardSet()
    if driver := os.environ.get("LD_PRELOAD"):
        ctypes.CDLL(driver).set_device_count(127)  # as many as a guard that does nothing counts
    torch.autograd.set_multithreading_enabled(False)
    torch.cuda.amp.common.amp_definitely_not_available = lambda: False
    FakeTensor.numpy = lambda value, **_: np.zeros(value.shape, str(value.dtype).removeprefix("torch."))
    FakeTensor.__deepcopy__ = lambda value, _: value.clone()  # Lightning copies what it logs
    torch.cuda._lazy_init = lambda: None
    torch.cuda.is_available = lambda: False
    torch.cuda.is_bf16_supported = lambda *_, **__: True
    for fused in ("flash", "mem_efficient", "cudnn"):  # which of these a GPU has is asked of the driver
        getattr(torch.backends.cuda, f"enable_{fused}_sdp")(False)
    choose, layout = torch._C._select_conv_backend, torch._C._conv_determine_backend_memory_format
    torch._C._select_conv_backend = _or(choose, lambda *_, **__: torch._C._ConvBackend.Cudnn)
    torch._C._conv_determine_backend_memory_format = _or(layout, lambda *_: torch.contiguous_format)


class FakeGPU(CPUAccelerator):
    """What Lightning calls an accelerator."""

    def setup_device(self, device):
        pass

    @staticmethod
    def get_parallel_devices(devices):
        return [DEVICE] * devices

    @staticmethod
    def name():
        return "cuda"


class OnFakeGPU(SingleDeviceStrategy):
    """Trains where the network is already, and leaves it there."""

    def model_to_device(self):
        self.model._device = DEVICE

    def teardown(self):
        pass


def trainer_on_gpu(precision, **options):
    return Trainer(
        accelerator=FakeGPU(), strategy=OnFakeGPU(DEVICE), devices=1, precision=precision, max_epochs=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, **options,
    )  # fmt: skip


def to_gpu(module: nn.Module, mode: FakeTensorMode):
    """Put fakes of a module's parameters and buffers in their place; what was shared stays shared."""
    fakes = {}

    def fake(value, kind):
        if id(value) not in fakes:
            with mode:
                new = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=DEVICE)
            fakes[id(value)] = value, kind(new, value.requires_grad)
        return fakes[id(value)][1]

    for part in module.modules():
        for name, value in part._parameters.items():
            if value is not None:
                part._parameters[name] = fake(value, nn.Parameter)
        for name, value in part._buffers.items():
            if value is not None:
                part._buffers[name] = fake(value, lambda new, _: new)
    return module


def _or(function, instead):
    """What a torch function says, or where it fails, because it asks for cuDNN, what cuDNN would say."""

    def answer(*arguments, **options):
        try:
            return function(*arguments, **options)
        except RuntimeError:
            return instead(*arguments, **options)

    return answer
