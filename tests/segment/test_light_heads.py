"""The heads `linear` and `upsample`: what they compute, and that the rest of the segmentation takes them."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch.nn import functional as F

from acr_lightning.data.datamodule import LabelledCrops
from acr_lightning.errors import UserError
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.checkpoint import describe_in
from acr_lightning.nets.deeplab import DeepLab
from acr_lightning.segment.network_inference import NetworkInference
from acr_lightning.segment.segmenter import Segmenter
from acr_lightning.training.optimisation import OptimizerSettings

VIT = "test_vit"  # timm's: 6 blocks of 64 channels, patches of 16 pixels
HEADS = ["linear", "upsample"]


def with_statistics(head):
    """BatchNorm that has seen something: at its start it changes nothing."""
    for part in head.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -1, 1)
            torch.nn.init.uniform_(part.running_var, 0.5, 2)
            torch.nn.init.uniform_(part.weight, 0.5, 2)
            torch.nn.init.uniform_(part.bias, -1, 1)
    return head.eval()


def normalised(norm, value):
    """BatchNorm by its formula."""
    columns = [one[:, None, None] for one in (norm.running_mean, norm.running_var, norm.weight, norm.bias)]
    return (value - columns[0]) / (columns[1] + norm.eps).sqrt() * columns[2] + columns[3]


def test_linear_is_one_matrix_for_every_patch():
    network = DeepLab(Backbone(VIT), 4, "linear").eval()
    norm, classify = with_statistics(network.head)
    image = torch.randn(2, 3, 48, 80)
    final = normalised(norm, network.backbone(image).final)
    wanted = torch.einsum("kc,bchw->bkhw", classify.weight[..., 0, 0], final) + classify.bias[:, None, None]
    torch.testing.assert_close(network(image), wanted)
    assert wanted.shape == (2, 4, 3, 5)


@pytest.mark.usefixtures("double")
def test_upsample_doubles_twice():
    network = DeepLab(Backbone(VIT), 4, "upsample").eval()
    *stages, classify = with_statistics(network.head)
    image = torch.randn(2, 3, 48, 80)
    value, size = network.backbone(image).final, (3, 5)
    for convolution, norm, *_ in stages:
        size = (2 * size[0], 2 * size[1])
        value = normalised(norm, F.conv2d(value, convolution.weight, padding=1)).clamp(min=0)
        value = F.interpolate(value, size, mode="bilinear", align_corners=False)
    wanted = torch.einsum("kc,bchw->bkhw", classify.weight[..., 0, 0], value) + classify.bias[:, None, None]
    torch.testing.assert_close(network(image), wanted)
    assert wanted.shape == (2, 4, 12, 20)


@pytest.mark.parametrize("head", HEADS)
def test_on_a_cnn(head):
    stride = {"linear": 8, "upsample": 2}[head]
    network = DeepLab(Backbone("test_resnet", output_stride=8), 7, head).eval()
    assert network(torch.rand(2, 3, 64, 48)).shape == (2, 7, 64 // stride, 48 // stride)


@pytest.mark.parametrize("head", HEADS)
def test_light_heads_have_no_dilations(head):
    with pytest.raises(UserError, match=f"rates: the head {head} has no dilations"):
        DeepLab(Backbone("test_resnet"), 3, head, rates=(1, 2))


@pytest.mark.parametrize("head", HEADS)
def test_a_head_is_new_and_the_backbone_is_not(head):
    network = DeepLab(Backbone(VIT), 4, head)
    pretrained = {id(parameter) for parameter in network.backbone.parameters()}
    groups = OptimizerSettings(lr=1.0, bias_factor=1.0).build(network).param_groups
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    assert all(rate == (1.0 if parameter in pretrained else 10.0) for parameter, rate in rates.items())


@pytest.mark.parametrize("head", HEADS)
def test_scales_mirror_images_and_windows(tmp_path, head):
    segmenter = Segmenter(3, VIT, output_stride=None, head=head)
    with_statistics(segmenter.network.head)
    checkpoint = {"state_dict": segmenter.state_dict()}
    describe_in(checkpoint, segmenter.network, "network")
    torch.save(checkpoint, tmp_path / "last.ckpt")
    image = torch.rand(1, 3, 70, 91)
    whole = NetworkInference(str(tmp_path / "last.ckpt"), scales=(0.5, 1.0)).eval()
    windows = NetworkInference(str(tmp_path / "last.ckpt"), scales=(0.5, 1.0), window=48).eval()
    with torch.inference_mode():
        one, other = whole.probabilities(image), windows.probabilities(image)
        mirrored = whole.probabilities(image.flip(-1)).flip(-1)
    assert one.shape == other.shape == (1, 4, 70, 91)
    torch.testing.assert_close(one, mirrored, atol=1e-5, rtol=0)
    torch.testing.assert_close(other.sum(dim=1), torch.ones(1, 70, 91))
    assert not torch.allclose(one, other)  # the windows were read


def test_frozen_batchnorm_does_not_learn_unless_it_is_asked_to():
    for frozen in (True, False):
        backbone = Segmenter(4, "test_resnet", rates=(1, 2), freeze_batchnorm=frozen).network.backbone
        norms = [part for part in backbone.modules() if isinstance(part, torch.nn.BatchNorm2d)]
        learn = {id(one) for one in backbone.parameters() if one.requires_grad}
        assert {id(one) in learn for norm in norms for one in norm.parameters()} == {not frozen}
        assert learn  # the convolutions


def test_a_frozen_backbone_stays_as_it_is(tmp_path, shapes):
    segmenter = Segmenter(
        4, VIT, output_stride=None, head="linear", freeze_backbone=True, optimizer=OptimizerSettings(lr=0.1)
    )
    before = {name: value.clone() for name, value in segmenter.network.named_parameters()}
    data = LabelledCrops(shapes, "masks", crop=32, batch_size=4, num_workers=0)
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=1, limit_train_batches=2, accelerator="cpu", devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(segmenter, data)
    moved = {name for name, value in segmenter.network.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if name.startswith("head.")}
