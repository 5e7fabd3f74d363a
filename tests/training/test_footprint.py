"""What a step takes of a GPU, against a network whose bytes and operations are counted by hand."""

import pytest
import torch
import torch.cuda.amp.common
from lightning.pytorch import LightningModule
from tiny_acr import tiny_acr
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from acr_lightning.data.datamodule import LabelledCrops, TaggedCrops
from acr_lightning.errors import UserError
from acr_lightning.training.as_on_gpu import as_on_gpu
from acr_lightning.training.cards import CARDS, smallest
from acr_lightning.training.footprint import batch_like, footprint

ROWS, INPUTS, OUTPUTS = 64, 128, 256
SCALAR = 512  # the smallest block


class Line(LightningModule):
    """One matrix."""

    def __init__(self, momentum=0.9):
        super().__init__()
        self.net, self.momentum = nn.Linear(INPUTS, OUTPUTS, bias=False), momentum

    def training_step(self, batch, batch_index):
        return self.net(batch["image"]).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0, momentum=self.momentum)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_bytes_and_operations_of_one_matrix(momentum):
    taken = footprint(Line(momentum), {"image": torch.zeros(ROWS, INPUTS)}, "32-true")
    matrix, image, output = 4 * INPUTS * OUTPUTS, 4 * ROWS * INPUTS, 4 * ROWS * OUTPUTS
    # At the end of the forward pass: the matrix, its momentum, the input, the output and the loss; and the gradient of
    # the step before, which Lightning forgets only before it goes backward.
    assert taken.memory == matrix * (3 if momentum else 2) + image + output + SCALAR
    assert taken.work == 2 * (2 * ROWS * INPUTS * OUTPUTS)  # the product, and the gradient of its matrix


def test_no_gpu_is_touched(monkeypatch):
    def touched(*_):
        raise AssertionError("the GPU is touched")

    for name in ("_lazy_init", "current_device", "set_device", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, touched)
    with pytest.raises(AssertionError, match="the GPU is touched"):
        torch.zeros(1, device="cuda")  # what the guard is for
    batch = {"image": torch.zeros(4, 3, 32, 32), "tags": torch.ones(4, 4), "id": ["photo"] * 4}
    assert footprint(tiny_acr(), batch, "16-mixed").memory > 0


def test_micro_batches_take_less_memory_for_the_same_work():
    module = tiny_acr(srf=None)
    batch = {"image": torch.zeros(4, 3, 64, 64), "tags": torch.ones(4, 4), "id": ["photo"] * 4}
    whole = footprint(module, batch, "32-true")
    module.micro_batches = 4
    parts = footprint(module, batch, "32-true")
    assert parts.memory < whole.memory
    assert parts.work == pytest.approx(whole.work, rel=1e-3)  # a loss has products of its own in each part


OPS = {
    "exp": torch.exp,
    "square": lambda x: x.pow(2),
    "sum": torch.sum,
    "softmax": lambda x: x.softmax(1),
    "norm": lambda x: nn.functional.normalize(x),
    "layer norm": lambda x: nn.functional.layer_norm(x, x.shape[1:]),
    "bilinear": lambda x: nn.functional.interpolate(x, scale_factor=2, mode="bilinear"),
    "relu": torch.relu,
    "convolution": lambda x: nn.functional.conv2d(x, x),
    "mean": torch.mean,
}


@pytest.mark.parametrize("name", OPS)
def test_autocast_leaves_the_types_that_it_leaves_on_a_gpu(name, monkeypatch):
    """Torch's own rules of a GPU, which a forward pass of fake tensors follows without one."""
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
    types = {}
    with as_on_gpu(), FakeTensorMode():
        for device in ("cuda", "cpu"):
            x = torch.ones(2, 2, 4, 4, device=device, dtype=torch.bfloat16)
            with torch.autocast(device, torch.bfloat16):
                types[device] = OPS[name](x).dtype
    assert types["cpu"] == types["cuda"]


def test_dropout_keeps_a_byte_for_a_number():
    with as_on_gpu(), FakeTensorMode():
        x = torch.ones(8, requires_grad=True)
        kept = nn.functional.dropout(x, 0.5).grad_fn
    assert kept._saved_result1.dtype == torch.bool


def test_the_smallest_card_that_holds_a_step():
    assert smallest(6 * 2**30) == 8
    assert smallest(7 * 2**30) == 12
    assert smallest(79 * 2**30) is None


def test_hours_are_those_at_two_fifths_of_the_peak():
    a100 = next(card for card in CARDS if card.name == "A100")
    assert a100.hours(0.4 * 312e12 * 3600, True) == pytest.approx(1)
    assert a100.hours(0.4 * 312e12 * 3600, False) == pytest.approx(2)


def test_a_batch_is_as_large_as_the_datas(shapes):
    photos = batch_like(TaggedCrops(shapes, crop=48), 2)
    assert photos["image"].shape == (2, 3, 48, 48)
    assert photos["tags"].sum(dim=1).tolist() == [1, 1]
    assert "label" not in photos
    assert batch_like(LabelledCrops(shapes, "masks", crop=40), 3)["label"].shape == (3, 40, 40)
    sizeless = TaggedCrops(shapes)
    sizeless.crop = None
    with pytest.raises(UserError, match="TaggedCrops has no crop"):
        batch_like(sizeless, 2)
