import pytest
import torch
from torch.nn import functional as F

from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.deeplab import RATES, DeepLab


@pytest.mark.parametrize(("head", "stride"), [("v1_large_fov", 8), ("v2", 8), ("v3plus", 4), ("v3plus_separable", 4)])
def test_stride_and_labels(head, stride):
    net = DeepLab(Backbone("test_resnet", output_stride=8), 7, head).eval()
    assert net(torch.rand(2, 3, 64, 48)).shape == (2, 7, 64 // stride, 48 // stride)


def test_large_fov_sees_twelve_cells_away():
    net = DeepLab(Backbone("test_resnet", output_stride=8), 2, "v1_large_fov").eval()
    features = torch.zeros(1, net.backbone.channels[-1], 32, 32)
    there = features.clone()
    there[..., 4, 16] = 1
    changed = (net.head(there) != net.head(features)).any(dim=1)[0].nonzero().tolist()
    assert sorted(changed) == [[4, 4], [4, 16], [4, 28], [16, 4], [16, 16], [16, 28]]  # row -8 is outside


def test_v2_is_the_sum_of_its_branches():
    net = DeepLab(Backbone("test_resnet", output_stride=8), 5, "v2").eval()
    image = torch.rand(1, 3, 64, 64)
    final = net.backbone(image).final
    wanted = sum(
        F.conv2d(final, branch.weight, branch.bias, padding=rate, dilation=rate)
        for branch, rate in zip(net.head.branches, RATES["v2"], strict=True)
    )
    assert torch.allclose(net(image), wanted, atol=1e-6)


def test_v3plus_trains_its_own_batchnorm_only():
    net = DeepLab(Backbone("test_resnet", freeze_batchnorm=True), 3, "v3plus").train()
    moving = {
        name for name, module in net.named_modules() if isinstance(module, torch.nn.BatchNorm2d) and module.training
    }
    assert moving
    assert all(name.startswith("head.") for name in moving)


def test_v3plus_on_resnet38d_takes_its_stride_4_map():
    with torch.device("meta"):
        net = DeepLab(Backbone("resnet38d"), 21, "v3plus")
        assert net.backbone.strides[net.head.low] == 4
        assert net.head.reduce[0].in_channels == 256


def test_v3plus_separates_its_convolutions_at_the_published_rates():
    head = DeepLab(Backbone("test_resnet", output_stride=8), 3, "v3plus_separable").head
    wide = [branch[0] for branch in head.aspp.convs[1:-1]]
    assert [depthwise.dilation for depthwise, _ in wide] == [(rate, rate) for rate in RATES["v3plus"]]
    for depthwise, pointwise in [*wide, head.classify[0]]:
        maps = torch.rand(1, depthwise.in_channels, 9, 9)
        dense = pointwise.weight * depthwise.weight[:, 0]  # one full 3×3 kernel
        wanted = F.conv2d(maps, dense, padding=depthwise.padding, dilation=depthwise.dilation)
        assert torch.allclose(pointwise(depthwise(maps)), wanted, atol=1e-4)
