"""The head on frozen maps against its formula."""

import pytest
import torch
from torch.nn import functional as F

from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.nets.pointwise_convolution import PointwiseConvolution


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 96), (72, 88)], ids=["whole cells", "odd maps"])
@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("output_stride", [16, 32], ids=["two maps of one size", "four sizes"])
def test_each_map_is_convolved_and_brought_to_the_grid(size, stride, output_stride):
    net = FrozenClassifier(3, "test_efficientnet", None, output_stride, taps=4, width=8, stride=stride).eval()
    net.set_scales([torch.rand(channels) + 0.5 for channels in net.channels])
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


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_the_1x1_convolution(memory_format, bias):
    pointwise, usual = PointwiseConvolution(5, 3, bias), torch.nn.Conv2d(5, 3, 1, bias=bias)
    usual.load_state_dict(pointwise.state_dict())
    results = []
    for layer in (pointwise, usual):
        maps = torch.arange(120.0).sin().view(2, 5, 4, 3).contiguous(memory_format=memory_format).requires_grad_()
        output = layer(maps)
        (output * torch.arange(72.0).cos().view(2, 3, 4, 3)).sum().backward()
        results.append([output, maps.grad, *(parameter.grad for parameter in layer.parameters())])
    assert all(torch.allclose(one, two, atol=1e-10) for one, two in zip(*results, strict=True))
