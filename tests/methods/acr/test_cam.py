import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acr_lightning.cam.normalise import normalise_cam
from acr_lightning.methods.acr.target import target_segment, target_wins
from acr_lightning.training.draw_target import draw_target


def test_normalise_by_hand():
    logits = torch.tensor([[[[-1.0, 0.0], [1.0, 3.0]], [[2.0, 2.0], [4.0, 6.0]]]])
    got = normalise_cam(logits, torch.tensor([[1.0, 1.0]]))
    # Class 0: ReLU gives 0 0 1 3, so min 0, max 3. Class 1: 2 2 4 6, so min 2, max 6.
    wanted = torch.tensor([[[[0, 0], [1 / 3, 1]], [[0, 0], [0.5, 1]]]])
    assert torch.allclose(got, wanted, atol=2e-5)
    assert got[0, 0, 1, 0].item() == pytest.approx((1 - 1e-5) / (3 + 1e-5), abs=1e-7)


def test_untagged_and_negative_maps_are_zero():
    logits = torch.tensor([[[[-2.0, -1.0]], [[1.0, 5.0]]]])
    assert normalise_cam(logits, torch.tensor([[1.0, 0.0]])).abs().max() == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_laws_of_normalisation(seed):
    logits = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(seed))
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 1]])
    got = normalise_cam(logits, tags)
    assert got.min() >= 0
    assert got.max() < 1
    assert torch.equal(normalise_cam(logits.flip(-1), tags), got.flip(-1))
    order = [2, 0, 1]
    assert torch.equal(normalise_cam(logits[:, order], tags[:, order]), got[:, order])


def test_target_segment_selects_and_resizes():
    logits = torch.zeros(2, 2, 1, 2)
    logits[0, 1] = torch.tensor([[0.0, 4.0]])
    logits[1, 0] = torch.tensor([[2.0, 0.0]])
    got = target_segment(logits, torch.ones(2, 2), torch.tensor([1, 0]), (1, 4))
    # Bilinear from two cells to four pixels: 0, 1/4, 3/4, 1.
    assert torch.allclose(got[0, 0, 0], torch.tensor([0, 0.25, 0.75, 1]), atol=2e-5)
    assert torch.allclose(got[1, 0, 0], torch.tensor([1, 0.75, 0.25, 0]), atol=2e-5)


def test_target_wins_where_its_logit_is_largest():
    logits = torch.tensor([[[[3.0, -1.0]], [[1.0, 0.0]]]], requires_grad=True)
    got = target_wins(logits, torch.tensor([0]), (1, 2))
    assert got.tolist() == [[[[1.0, 0.0]]]]
    assert not got.requires_grad


def test_target_by_hand():
    tags = torch.tensor([[0.0, 1, 0, 1], [0, 1, 0, 1], [1, 1, 1, 0], [0, 0, 1, 0]])
    assert draw_target(tags, torch.tensor([0.49, 0.5, 0.999999, 0.999999])).tolist() == [1, 3, 2, 2]


def test_target_is_uniform():
    counts = torch.bincount(draw_target(torch.tensor([[0.0, 1, 0, 1]]).repeat(4000, 1), torch.rand(4000)), minlength=4)
    assert counts[0] == counts[2] == 0
    assert abs(counts[1].item() - 2000) < 200  # six deviations of a fair coin


def test_half_precision_does_not_lose_the_epsilon():
    logits = torch.tensor([[[[-1.0, -2.0]], [[0.5, 1.0]]]])
    tags = torch.ones(1, 2)
    half = normalise_cam(logits.half(), tags)
    assert half.dtype == torch.float32
    assert torch.equal(half, normalise_cam(logits, tags))
