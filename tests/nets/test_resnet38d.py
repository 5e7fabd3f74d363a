"""ResNet38d against a table written by hand; computed on a narrow copy, the real one has 109 million parameters."""

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from acr_lightning.nets.resnet38d import Bottleneck, Unit

WIDTH = 2
# Name, channels in and out, kernel, stride, dilation: model A1 of its authors' release (itijyou/ademxapp) at 1/8 of the
# image; the networks of PSA, SEAM, OC-CSE and ACR have the same.
CONVOLUTIONS = """
stem                 3   64 3 1 1
stage2.0.conv1      64  128 3 2 1
stage2.0.conv2     128  128 3 1 1
stage2.0.shortcut   64  128 1 2 1
stage2.1.conv1     128  128 3 1 1
stage2.1.conv2     128  128 3 1 1
stage2.2.conv1     128  128 3 1 1
stage2.2.conv2     128  128 3 1 1
stage3.0.conv1     128  256 3 2 1
stage3.0.conv2     256  256 3 1 1
stage3.0.shortcut  128  256 1 2 1
stage3.1.conv1     256  256 3 1 1
stage3.1.conv2     256  256 3 1 1
stage3.2.conv1     256  256 3 1 1
stage3.2.conv2     256  256 3 1 1
stage4.0.conv1     256  512 3 2 1
stage4.0.conv2     512  512 3 1 1
stage4.0.shortcut  256  512 1 2 1
stage4.1.conv1     512  512 3 1 1
stage4.1.conv2     512  512 3 1 1
stage4.2.conv1     512  512 3 1 1
stage4.2.conv2     512  512 3 1 1
stage4.3.conv1     512  512 3 1 1
stage4.3.conv2     512  512 3 1 1
stage4.4.conv1     512  512 3 1 1
stage4.4.conv2     512  512 3 1 1
stage4.5.conv1     512  512 3 1 1
stage4.5.conv2     512  512 3 1 1
stage5.0.conv1     512  512 3 1 1
stage5.0.conv2     512 1024 3 1 2
stage5.0.shortcut  512 1024 1 1 1
stage5.1.conv1    1024  512 3 1 2
stage5.1.conv2     512 1024 3 1 2
stage5.2.conv1    1024  512 3 1 2
stage5.2.conv2     512 1024 3 1 2
stage6.conv1      1024  512 1 1 1
stage6.conv2       512 1024 3 1 4
stage6.conv3      1024 2048 1 1 1
stage6.shortcut   1024 2048 1 1 1
stage7.conv1      2048 1024 1 1 1
stage7.conv2      1024 2048 3 1 4
stage7.conv3      2048 4096 1 1 1
stage7.shortcut   2048 4096 1 1 1
"""


@pytest.fixture(scope="module")
def full():
    """The real network, without memory for its parameters."""
    with torch.device("meta"):
        return timm.create_model("resnet38d")


@pytest.fixture(scope="module")
def net():
    return timm.create_model("resnet38d", features_only=True, width=WIDTH).eval()


def test_every_convolution(full):
    rows = [row.split() for row in CONVOLUTIONS.strip().splitlines()]
    wanted = {name: [int(number) for number in numbers] for name, *numbers in rows}
    found = {}
    for name, module in full.named_modules():
        if isinstance(module, nn.Conv2d):
            (kernel, *_), (stride, *_), (dilation, *_) = module.kernel_size, module.stride, module.dilation
            found[name] = [module.in_channels, module.out_channels, kernel, stride, dilation]
            assert module.padding[0] == dilation * (kernel // 2)  # "same", so that only strides shrink a map
            assert module.bias is None
    assert found == wanted


def test_tensors_fill_the_published_file(full):
    tensors = {key: value for key, value in full.state_dict().items() if not key.endswith("num_batches_tracked")}
    # 43 convolutions, 37 BatchNorms of four tensors, a linear layer of two.
    assert len(tensors) == 43 + 4 * 37 + 2
    # Float32; the published file's size is given as 416 MiB (github.com/itijyou/ademxapp, issue 24).
    assert int(sum(value.numel() for value in tensors.values()) * 4 / 2**20) == 416


def test_batchnorm_is_the_weights_own(full):
    norms = [module for module in full.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 37
    assert all(norm.eps == 1e-5 and norm.affine and norm.track_running_stats for norm in norms)


def test_normalises_as_the_weights_were_trained():
    with torch.device("meta"):
        config = timm.create_model("resnet38d").pretrained_cfg
    assert (config["mean"], config["std"]) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(("name", "rates"), [("resnet38d", (0.3, 0.5)), ("resnet38d_acr", (0.2, 0.2))])
def test_dropout_of_the_last_two_stages(name, rates):
    with torch.device("meta"):
        net = timm.create_model(name)
    found = {key: module.p for key, module in net.named_modules() if isinstance(module, nn.Dropout2d)}
    six, seven = rates
    assert found == {"stage6.drop2": six, "stage6.drop3": six, "stage7.drop2": seven, "stage7.drop3": seven}
    assert timm.get_pretrained_cfg(name).mean == (0.485, 0.456, 0.406)


def test_channels_and_strides(net, full):
    assert [info["num_chs"] for info in full.feature_info] == [128, 256, 512, 1024, 4096]
    assert net.feature_info.channels() == [4, 8, 16, 32, 128]
    assert net.feature_info.reduction() == [2, 4, 8, 8, 8]
    with torch.no_grad():
        maps = net(torch.randn(1, 3, 36, 44))
    # 36 × 44 at stride 8, rounded up at every halving: 18 × 22, 9 × 11, 5 × 6.
    assert [tuple(m.shape[1:]) for m in maps] == [(4, 18, 22), (8, 9, 11), (16, 5, 6), (32, 5, 6), (128, 5, 6)]


def test_maps_are_what_the_next_stage_takes(net):
    image = torch.randn(1, 3, 16, 16)
    taken = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs, name=name: taken.update({name: inputs[0]}))
        for name, module in net.named_modules()
        if name in ("stage3.0.conv1", "stage4.0.conv1", "stage5.0.conv1", "stage6.conv1")
    ]
    with torch.no_grad():
        maps = net(image)
        final = F.relu(
            net.norm(net.stage7(net.stage6(net.stage5(net.stage4(net.stage3(net.stage2(net.stem(image))))))))
        )
    for hook in hooks:
        hook.remove()
    assert all(torch.equal(one, two) for one, two in zip(maps, [*taken.values(), final], strict=True))


def test_classifies():
    net = timm.create_model("resnet38d", width=WIDTH, num_classes=5).eval()
    image = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        pooled = net.feature_maps(image)[-1].flatten(2).mean(2)
        assert torch.allclose(net(image), pooled @ net.fc.weight.T + net.fc.bias, atol=1e-5)


def test_unit_is_preactivated():
    unit = Unit(4, 6, 8, stride=2, first_dilation=1, dilation=2).eval()
    x = torch.randn(2, 4, 9, 9)
    active = F.relu(x / (1 + 1e-5) ** 0.5)
    inner = F.relu(F.conv2d(active, unit.conv1.weight, stride=2, padding=1) / (1 + 1e-5) ** 0.5)
    wanted = F.conv2d(inner, unit.conv2.weight, padding=2, dilation=2)
    wanted = wanted + F.conv2d(active, unit.shortcut.weight, stride=2)
    assert torch.allclose(unit(x), wanted, atol=1e-5)


def test_identity_unit_adds_its_raw_input():
    unit = Unit(4, 4, 4).eval()
    torch.nn.init.zeros_(unit.conv2.weight)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(unit(x), x)


def test_bottleneck_drops_whole_channels_in_training_only():
    bottleneck = Bottleneck(4, (64, 64), 8, dilation=4, dropout=0.25)
    seen = []
    for drop in (bottleneck.drop2, bottleneck.drop3):
        drop.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    x = torch.randn(2, 4, 9, 9)
    bottleneck.train()(x)
    for before, after in seen:
        factor = after.sum((2, 3), keepdim=True) / before.sum((2, 3), keepdim=True)
        dropped = factor == 0
        assert 0 < dropped.sum() < 128 / 2
        assert (before >= 0).all()  # after the ReLU
        assert torch.allclose(after, torch.where(dropped, 0, before / 0.75), atol=1e-6)
    seen.clear()
    bottleneck.eval()(x)
    assert all(torch.equal(before, after) for before, after in seen)


def test_other_strides_are_refused():
    with pytest.raises(ValueError, match="output_stride 8, not 16"):
        timm.create_model("resnet38d", output_stride=16)


def test_classifier_weights_fill_the_feature_extractor(net):
    state = timm.create_model("resnet38d", width=WIDTH).state_dict()
    overlay = {"state_dict": state}
    loaded = timm.create_model(
        "resnet38d", features_only=True, pretrained=True, pretrained_cfg_overlay=overlay, width=WIDTH
    )
    assert all(torch.equal(value, state[key]) for key, value in loaded.state_dict().items())
