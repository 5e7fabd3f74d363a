"""ResNet38d is large (about 125 million parameters), so it is built once."""

import pytest
import timm
import torch
from torch.nn import functional as F

from acr_lightning.nets.resnet38d import Bottleneck, Unit

UNITS = {  # stage: (units, before, inner, after); by hand from the paper's Table 1, model A1
    "stage2": (3, 64, 128, 128),
    "stage3": (3, 128, 256, 256),
    "stage4": (6, 256, 512, 512),
    "stage5": (3, 512, 512, 1024),
}


@pytest.fixture(scope="module")
def net():
    return timm.create_model("resnet38d", features_only=True).eval()


@pytest.fixture(scope="module")
def maps(net):
    with torch.no_grad():
        return net(torch.randn(1, 3, 36, 44, generator=torch.Generator().manual_seed(0)))


def test_channels_and_strides(net, maps):
    assert net.feature_info.channels() == [128, 256, 512, 1024, 4096]
    assert net.feature_info.reduction() == [2, 4, 8, 8, 8]
    # 36 × 44 at stride 8, rounded up at every halving: 18 × 22, 9 × 11, 5 × 6.
    assert [tuple(m.shape[1:]) for m in maps] == [
        (128, 18, 22), (256, 9, 11), (512, 5, 6), (1024, 5, 6), (4096, 5, 6),
    ]  # fmt: skip


def test_parameter_count(net):
    count = 27 * 64  # stem
    for units, before, inner, after in UNITS.values():
        for unit in range(units):
            entering = before if unit == 0 else after
            count += 2 * entering + 9 * entering * inner + 2 * inner + 9 * inner * after
            # The first unit of each stage strides or widens, so it has a shortcut.
            count += entering * after if unit == 0 else 0
    for before, first, second, after in ((1024, 512, 1024, 2048), (2048, 1024, 2048, 4096)):
        count += 2 * before + before * first + 2 * first + 9 * first * second + 2 * second + second * after
        count += before * after
    count += 2 * 4096
    assert sum(parameter.numel() for parameter in net.parameters()) == count


def test_taps_are_what_the_next_stage_takes(net):
    image = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        two = net.stage2(net.stem(image))
        four = net.stage4(net.stage3(two))
        five = net.stage5(four)
        final = F.relu(net.norm(net.stage7(net.stage6(five))))
        got = net(image)
    wanted = [F.relu(net.stage5[0].bn1(four)), F.relu(net.stage6.bn1(five)), final]
    for one, two in zip(got[-3:], wanted, strict=True):
        assert torch.equal(one, two)


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


def test_bottleneck_drops_only_in_training():
    bottleneck = Bottleneck(4, (6, 8), 10, dilation=4, dropout=0.5)
    x = torch.randn(2, 4, 9, 9)
    bottleneck.eval()
    assert torch.equal(bottleneck(x), bottleneck(x))
    assert bottleneck(x).shape == (2, 10, 9, 9)
    bottleneck.train()
    for module in bottleneck.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    assert not torch.equal(bottleneck(x), bottleneck(x))


def test_other_strides_are_refused():
    with pytest.raises(ValueError, match="output_stride 8, not 16"):
        timm.create_model("resnet38d", output_stride=16)


def test_classifier_weights_fill_the_feature_extractor(net):
    state = {**net.state_dict(), "fc.weight": torch.zeros(5, 4096), "fc.bias": torch.zeros(5)}
    state["stem.weight"] = torch.full_like(state["stem.weight"], 0.5)
    loaded = timm.create_model(
        "resnet38d", features_only=True, pretrained=True, pretrained_cfg_overlay={"state_dict": state, "num_classes": 5}
    )
    assert (loaded.stem.weight == 0.5).all()
    assert torch.equal(loaded.stage7.conv3.weight, net.stage7.conv3.weight)
