"""The head on frozen maps against its formula."""

import pytest
import torch
from torch.nn import functional as F

from acr_lightning.nets.frozen_classifier import FrozenClassifier


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 96), (72, 88)], ids=["whole cells", "odd maps"])
@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("output_stride", [16, 32], ids=["two maps of one size", "four sizes"])
def test_each_map_is_convolved_and_brought_to_the_grid(size, stride, output_stride):
    net = FrozenClassifier(3, "test_efficientnet", None, output_stride, taps=4, width=8, stride=stride).eval()
    net.set_scales([(torch.rand(channels) + 0.5).tolist() for channels in net.channels])
    image = net.normalise(torch.rand(2, 3, *size))
    scaled = [one / getattr(net, f"scale_{at}") for at, one in enumerate(net.maps(image))]
    grid = next(one.shape[-2:] for one, of in zip(scaled, net.backbone.strides[-4:], strict=True) if of >= stride)
    total = 0
    for one, side in zip(scaled, net.sides, strict=True):
        made = torch.einsum("oi,bihw->bohw", side.weight[:, :, 0, 0], one) + side.bias[:, None, None]
        if made.shape[-2] > grid[0]:
            total = total + F.adaptive_avg_pool2d(made, grid)
        else:
            total = total + F.interpolate(made, grid, mode="bilinear", align_corners=False)
    mixed = torch.einsum("oi,bihw->bohw", net.mix.weight[:, :, 0, 0], total.clamp(min=0)) + net.mix.bias[:, None, None]
    wanted = torch.einsum("oi,bihw->bohw", net.classify.weight[:, :, 0, 0], mixed.clamp(min=0))
    assert len({tuple(one.shape[-2:]) for one in scaled}) > 2  # maps on either side of the grid
    assert torch.allclose(net(image).cam_logits, wanted, atol=1e-5)
