import math

import pytest
import torch

from acr_lightning.segment.loss import pixel_groups, segmentation_loss


def test_by_hand():
    # Two labels; a logit of log 3 for the wanted one gives it probability 3/4, of 0 one half.
    label = torch.tensor([[[0, 0, 1, 255]]])
    logits = torch.zeros(1, 2, 1, 4)
    logits[0, 0, 0, 0] = math.log(3)
    logits[0, 1, 0, 2] = math.log(3)
    quarter, half = -math.log(3 / 4), -math.log(1 / 2)

    def loss(name):
        groups = pixel_groups(label, name)
        return segmentation_loss(logits, label, groups, torch.stack([group.sum() for group in groups])).item()

    assert loss("cross_entropy") == pytest.approx((quarter + half + quarter) / 3)
    assert loss("balanced") == pytest.approx(((quarter + half) / 2 + quarter) / 2)


def test_equals_torch_and_ignores_255():
    logits, label = torch.randn(2, 4, 5, 6), torch.randint(0, 4, (2, 5, 6))
    label[0, :2] = 255
    groups = pixel_groups(label, "cross_entropy")
    got = segmentation_loss(logits, label, groups, groups[0].sum()[None])
    assert torch.allclose(got, torch.nn.functional.cross_entropy(logits, label, ignore_index=255))


@pytest.mark.parametrize("name", ["cross_entropy", "balanced"])
def test_nothing_labelled_is_no_loss(name):
    label = torch.full((1, 2, 2), 255)
    groups = pixel_groups(label, name)
    loss = segmentation_loss(torch.randn(1, 3, 2, 2), label, groups, torch.stack([group.sum() for group in groups]))
    assert loss == 0
