import pytest
import torch

from acr_lightning.acr.srf import removal_mask, removal_probability


def test_probability_grows_by_epoch():
    assert [removal_probability(epoch) for epoch in (0, 1, 40)] == pytest.approx([0.20, 0.21, 0.60])
    assert removal_probability(500) == 1


def test_mask_is_constant_in_cells_and_has_the_share():
    mask = removal_mask(64, (32, 48), grid=8, probability=0.3, device=torch.device("cpu"))
    assert mask.shape == (64, 1, 32, 48)
    cells = mask[:, :, ::4, ::6]
    assert torch.equal(mask, cells.repeat_interleave(4, 2).repeat_interleave(6, 3))
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert cells.mean().item() == pytest.approx(0.3, abs=0.04)  # 4096 draws: five deviations


def test_mask_differs_by_image():
    mask = removal_mask(2, (16, 16), 8, 0.5, torch.device("cpu"))
    assert not torch.equal(mask[0], mask[1])


@pytest.mark.parametrize(("probability", "value"), [(0.0, 0.0), (1.0, 1.0)])
def test_extremes(probability, value):
    assert (removal_mask(1, (4, 4), 2, probability, torch.device("cpu")) == value).all()
