import torch
from torch.nn import functional as F

from acr_lightning.methods.acr.upsampled_convolution import UpsampledConvolution


def test_equals_upsampling_and_then_a_convolution():
    torch.manual_seed(0)
    layer, small = UpsampledConvolution(5, 3).double(), torch.randn(2, 5, 4, 7, dtype=torch.double, requires_grad=True)
    wanted = F.conv2d(F.interpolate(small, scale_factor=2), layer.weight, layer.bias, padding=1)
    got = layer(small)
    assert got.shape == (2, 3, 8, 14)
    assert torch.allclose(got, wanted)
    later = torch.randn_like(wanted)
    inputs = [small, *layer.parameters()]
    for one, two in zip(*(torch.autograd.grad((out * later).sum(), inputs) for out in (got, wanted)), strict=True):
        assert torch.allclose(one, two)
