import pytest
import torch
from torch.nn import functional as F

from acr_lightning.methods.acr.masked_convolution import masked_convolution


def published(weight, maps, keep):
    """Resize, multiply, convolve."""
    features = torch.cat([F.interpolate(part, keep.shape[-2:], mode="bilinear") for part in maps], dim=1)
    return torch.stack([F.conv2d(features * mask, weight, stride=2, padding=1) for mask in keep])


@pytest.mark.usefixtures("double")
def test_equals_the_convolution_of_resized_and_masked_maps_and_so_do_its_gradients():
    generator = torch.Generator().manual_seed(0)
    sizes = [(4, 3, 5), (6, 6, 4), (5, 24, 30)]  # the first two are enlarged, the last one is made smaller
    maps = [torch.randn(2, *size, generator=generator) for size in sizes]
    weight = torch.randn(7, 15, 4, 4, generator=generator)
    keep = torch.rand(3, 2, 1, 12, 20, generator=generator)
    inputs = [weight.requires_grad_(), keep.requires_grad_(), *(part.requires_grad_() for part in maps)]
    got, wanted = (function(weight, maps, keep) for function in (masked_convolution, published))
    assert got.shape == (3, 2, 7, 6, 10)
    assert torch.allclose(got, wanted, atol=1e-10)
    later = torch.randn(got.shape, generator=generator)
    for one, two in zip(*(torch.autograd.grad((value * later).sum(), inputs) for value in (got, wanted)), strict=True):
        assert torch.allclose(one, two, atol=1e-10)
