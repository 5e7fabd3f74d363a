import pytest
import torch

from acr_lightning.methods.acr.srf import SRF, removal_mask


def test_probability_grows_by_epoch():
    assert [SRF().probability(epoch) for epoch in (0, 1, 40)] == pytest.approx([0.20, 0.21, 0.60])
    assert SRF().probability(500) == 1


def test_mask_by_hand():
    uniform = torch.tensor([[[[0.1, 0.3], [0.29, 0.9]]]])
    wanted = [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert removal_mask(uniform, 0.3, (4, 4))[0, 0].tolist() == wanted


def test_mask_is_constant_in_cells_and_has_the_share():
    mask = removal_mask(torch.rand(64, 1, 8, 8), 0.3, (32, 48))
    assert mask.shape == (64, 1, 32, 48)
    cells = mask[:, :, ::4, ::6]
    assert torch.equal(mask, cells.repeat_interleave(4, 2).repeat_interleave(6, 3))
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert cells.mean().item() == pytest.approx(0.3, abs=0.04)  # 4096 draws: five deviations


@pytest.mark.parametrize(("probability", "value"), [(0.0, 0.0), (1.0, 1.0)])
def test_extremes(probability, value):
    assert (removal_mask(torch.rand(1, 1, 2, 2), probability, (4, 4)) == value).all()
