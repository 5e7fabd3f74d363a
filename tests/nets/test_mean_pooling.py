import pytest
import torch
from torch.nn import functional as F

from acr_lightning.nets.mean_pooling import mean_pooled


@pytest.mark.parametrize(("before", "after"), [((12, 8), (3, 2)), ((13, 9), (4, 5)), ((3, 5), (16, 16))])
def test_means_are_those_of_adaptive_pooling(before, after):
    maps = torch.rand(2, 3, *before, dtype=torch.float64)
    assert (mean_pooled(maps, after) - F.adaptive_avg_pool2d(maps, after)).abs().max() < 1e-15 * before[0] * before[1]
