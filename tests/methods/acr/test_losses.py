"""RU and CU against numbers computed by hand and by a plain transcription with loops."""

import math

import pytest
import torch
from torch.nn import functional as F

from acr_lightning.methods.acr.cu_loss import CUWeights, cu_loss
from acr_lightning.methods.acr.ru_loss import RUWeights, removed_parts, ru_loss


def bce(logit, target):
    probability = 1 / (1 + math.exp(-logit))
    return -(target * math.log(probability) + (1 - target) * math.log(1 - probability))


def ru(logits, tags, image, whole, without_target, without_non_target, removed_target, removed_non_target):
    return ru_loss(
        classification=F.binary_cross_entropy_with_logits(logits, tags), image=image, whole=whole,
        without_target=without_target, without_non_target=without_non_target, removed_target=removed_target,
        removed_non_target=removed_non_target,
    )  # fmt: skip


def cu(logits, tags, image, from_target, from_non_target, segment, wins, outside=0.0, mean_over="image"):
    return cu_loss(
        classification=F.binary_cross_entropy_with_logits(logits, tags), image=image, from_target=from_target,
        from_non_target=from_non_target, segment=segment, wins=wins, outside=outside,
        mean_over=mean_over,
    )  # fmt: skip


def test_removed_parts():
    segment, removal = torch.tensor([[[[0.25, 1.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    target, rest = removed_parts(segment, removal)
    assert target.tolist() == [[[[0.25, 0.0]]]]
    assert rest.tolist() == [[[[0.75, 0.0]]]]
    target, rest = removed_parts(segment, None)
    assert torch.equal(target + rest, torch.ones_like(segment))


def test_ru_by_hand():
    image = torch.zeros(1, 3, 1, 2)
    whole = torch.tensor([0.5, -0.5]).expand(1, 3, 1, 2)
    without_target = torch.tensor([2.0, 4.0]).expand(1, 3, 1, 2)
    without_rest = torch.tensor([1.0, -3.0]).expand(1, 3, 1, 2)
    got = ru(
        torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0, 0.0]]), image, whole, without_target, without_rest,
        torch.tensor([[[[1.0, 0.5]]]]), torch.tensor([[[[0.0, 0.5]]]]),
    )  # fmt: skip
    assert got.classification.item() == pytest.approx((bce(1, 1) + bce(-2, 0)) / 2, abs=1e-6)
    assert got.whole.item() == pytest.approx(0.5)
    assert got.target.item() == pytest.approx((1 * 2 + 0.5 * 4) / 2)
    assert got.non_target.item() == pytest.approx((0 * 1 + 0.5 * 3) / 2)
    expected = got.classification.item() + 0.2 * 0.5 + 0.3 * 2 + 0.5 * 0.75
    assert got.total(RUWeights()).item() == pytest.approx(expected, abs=1e-6)


def test_ru_leaves_out_images_of_which_next_to_nothing_is_fed():
    zeros, ones = torch.zeros(2, 3, 64, 64), torch.ones(2, 3, 64, 64)
    removed = torch.ones(2, 1, 64, 64)
    removed[0, 0, :32] = 0
    removed[1, 0, 0, :3] = 0  # 3 of 4096 pixels are fed; the limit is 50 of 65536, that is 3.1
    got = ru(torch.zeros(2, 1), torch.zeros(2, 1), zeros, zeros, ones, zeros, removed, removed)
    assert got.target.item() == pytest.approx(0.5 / 2)
    removed[1, 0, 0, 3] = 0
    got = ru(torch.zeros(2, 1), torch.zeros(2, 1), zeros, zeros, ones, zeros, removed, removed)
    assert got.target.item() == pytest.approx((0.5 + 4092 / 4096) / 2)


def test_ru_counts_a_small_target():
    zeros, ones = torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64)
    removed = torch.zeros(1, 1, 64, 64)
    removed[0, 0, 0, 0] = 1
    got = ru(torch.zeros(1, 2), torch.zeros(1, 2), zeros, zeros, ones, zeros, removed, removed)
    assert got.target.item() == pytest.approx(1 / 4096)


def test_ru_without_any_target_is_finite():
    zeros = torch.zeros(1, 3, 4, 4)
    removed = torch.zeros(1, 1, 4, 4)
    got = ru(torch.zeros(1, 1), torch.zeros(1, 1), zeros, zeros, zeros, zeros, removed, removed)
    assert got.target.item() == 0


def test_cu_by_hand():
    image = torch.zeros(1, 3, 1, 3)
    from_target = torch.tensor([1.0, 2.0, 4.0]).expand(1, 3, 1, 3)
    from_rest = torch.tensor([8.0, 16.0, 32.0]).expand(1, 3, 1, 3)
    segment, wins = torch.tensor([[[[0.0, 0.5, 0.25]]]]), torch.tensor([[[[1.0, 1.0, 0.0]]]])
    logits, tags = torch.tensor([[0.5]]), torch.tensor([[1.0]])
    got = cu(logits, tags, image, from_target, from_rest, segment, wins)
    assert got.target.item() == pytest.approx(-1 / 3)
    assert got.non_target.item() == pytest.approx(-0.5 * 16 / 3)
    assert got.total(CUWeights()).item() == pytest.approx(bce(0.5, 1) - 0.8 / 3 - 0.3 * 8 / 3, abs=1e-6)
    wider = cu(logits, tags, image, from_target, from_rest, segment, wins, outside=0.25)
    assert wider.target.item() == pytest.approx(-(1 + 4) / 3)


def test_cu_over_regions_by_hand():
    image = torch.zeros(2, 3, 1, 3)
    from_target = torch.tensor([1.0, 2.0, 4.0]).expand(2, 3, 1, 3)
    from_rest = torch.tensor([8.0, 16.0, 32.0]).expand(2, 3, 1, 3)
    segment = torch.tensor([[[[0.0, 0.5, 1.0]]], [[[0.0, 0.0, 0.0]]]])
    got = cu(
        torch.zeros(2, 1), torch.ones(2, 1), image, from_target, from_rest, segment, torch.ones(2, 1, 1, 3),
        mean_over="region",
    )  # fmt: skip
    assert got.target.item() == pytest.approx(-(1 + (1 + 2 + 4) / 3) / 2)
    assert got.non_target.item() == pytest.approx(-((0.5 * 16 + 32) / 1.5 + 0) / 2)


def test_over_regions_it_does_not_matter_how_much_of_an_image_is_not_scored():
    def loss(width, mean_over):
        segment = torch.full((1, 1, 4, width), 0.05)
        segment[..., :2], segment[..., 2:4] = 0.0, 1.0
        one, error = torch.ones(1, 1), torch.ones(1, 3, 4, width)
        wins = (segment > 0.5).float()
        return cu(one, one, torch.zeros_like(error), error, 2 * error, segment, wins, mean_over=mean_over)

    for mean_over, same in (("region", True), ("image", False)):
        narrow, wide = loss(4, mean_over), loss(16, mean_over)
        assert torch.equal(narrow.target, wide.target) is torch.equal(narrow.non_target, wide.non_target) is same


@pytest.mark.usefixtures("double")
def test_losses_equal_a_plain_transcription():
    generator = torch.Generator().manual_seed(1)
    batch, height, width = 3, 5, 4
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    x, a, b, c = (draw(batch, 3, height, width) for _ in range(4))
    s = torch.rand(batch, 1, height, width, generator=generator)
    s[s < 0.3] = 0
    m = (torch.rand(batch, 1, height, width, generator=generator) < 0.5).float()
    wins = (torch.rand(batch, 1, height, width, generator=generator) < 0.5).float()
    logits, tags = draw(batch, 2), torch.tensor([[1.0, 0], [0, 1], [1, 1]])
    reconstructor = ru(logits, tags, x, a, b, c, *removed_parts(s, m))
    classifier = cu(logits, tags, x, a, b, s, wins)
    sums = dict.fromkeys(("whole", "target", "non_target", "cu_target", "cu_non_target"), 0.0)
    for i in range(batch):
        for channel in range(3):
            for row in range(height):
                for column in range(width):
                    at = (i, channel, row, column)
                    seg, mask, win = (t[i, 0, row, column].item() for t in (s, m, wins))
                    sums["whole"] += abs(a[at] - x[at]).item()
                    sums["target"] += seg * mask * abs(b[at] - x[at]).item()
                    sums["non_target"] += (1 - seg) * mask * abs(c[at] - x[at]).item()
                    sums["cu_target"] -= (seg == 0) * abs(a[at] - x[at]).item()
                    sums["cu_non_target"] -= seg * win * abs(b[at] - x[at]).item()
    n = batch * 3 * height * width
    for name, got in (
        ("whole", reconstructor.whole), ("target", reconstructor.target), ("non_target", reconstructor.non_target),
        ("cu_target", classifier.target), ("cu_non_target", classifier.non_target),
    ):  # fmt: skip
        assert got.item() == pytest.approx(sums[name] / n, abs=1e-10), name
