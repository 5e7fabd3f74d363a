"""Any timm ViT is a backbone like any other."""

import pytest
import timm
import torch
from torch.nn import functional as F

from acr_lightning.cam.multiscale import multiscale_cam, scaled_views
from acr_lightning.errors import UserError
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.classifier import CamClassifier
from acr_lightning.nets.deeplab import DeepLab
from acr_lightning.nets.sizes import scaled_size

VIT = "test_vit"  # timm's: 6 blocks of 64 channels, patches of 16 pixels


def test_maps_are_the_patch_tokens_of_the_chosen_blocks(tmp_path):
    vit = timm.create_model(VIT, dynamic_img_size=True).eval()
    torch.save(vit.state_dict(), tmp_path / "weights.pth")
    backbone = Backbone(VIT, str(tmp_path / "weights.pth"), blocks=[1, 4, 6]).eval()
    image = torch.randn(2, 3, 48, 80)
    tokens = vit._pos_embed(vit.patch_embed(image))
    wanted = {}
    for number, block in enumerate(vit.blocks, 1):
        tokens = block(tokens)
        wanted[number] = vit.norm(tokens)[:, 1:].transpose(1, 2).reshape(2, 64, 3, 5)
    maps = backbone.maps(image)
    assert backbone.strides == [16, 16, 16]
    assert backbone.map_channels == backbone.channels == [64, 64, 64]
    for one, number in zip(maps, (1, 4, 6), strict=True):
        torch.testing.assert_close(one, wanted[number])
    torch.testing.assert_close(maps[-1].flatten(2).transpose(1, 2), vit.forward_features(image)[:, 1:])


def test_other_sizes_are_resized_to_whole_patches():
    backbone = Backbone(VIT).eval()
    assert backbone.multiple == 16
    image = torch.randn(1, 3, 41, 71)
    resized = F.interpolate(image, (48, 64), mode="bilinear", align_corners=False)
    assert torch.equal(backbone(image).final, backbone(resized).final)


@pytest.mark.parametrize("blocks", [[1, 2], [3, 2, 1], [1, 2, 7], [0, 1, 2]])
def test_blocks_that_cannot_be(blocks):
    with pytest.raises(UserError, match="test_vit has the blocks 1 to 6"):
        Backbone(VIT, blocks=blocks)


def test_what_only_the_other_kind_takes():
    with pytest.raises(UserError, match="blocks: test_resnet has none"):
        Backbone("test_resnet", blocks=[1, 2, 3])
    with pytest.raises(UserError, match="set output_stride to null"):
        Backbone(VIT, output_stride=8)


def test_a_segmentation_network_on_patch_tokens():
    for head in ("v2", "v3plus"):
        network = DeepLab(Backbone(VIT), 4, head)
        network(torch.randn(2, 3, 64, 80)).square().mean().backward()
        assert network.backbone.net.model.patch_embed.proj.weight.grad.abs().sum() > 0


def test_sizes_are_rounded_to_the_nearest_multiple():
    assert scaled_size((375, 500), 0.5) == (188, 250)
    assert scaled_size((375, 500), 1, 16) == (368, 496)
    assert scaled_size((5, 17), 0.1, 14) == (14, 14)
    views = list(scaled_views(torch.rand(1, 3, 30, 50), (0.5, 1.0), False, None, multiple=16))
    assert [tuple(view.shape[-2:]) for view in views] == [(16, 32), (32, 48)]


def test_stage_cam_gives_a_vit_what_it_takes():
    classifier = CamClassifier(3, VIT).eval()
    seen = []

    def cam(image):
        seen.append(tuple(image.shape[-2:]))
        return classifier.cam(image)

    (scores,) = multiscale_cam(cam, torch.randn(1, 3, 41, 71), [torch.tensor([0, 2])], (1.0,), True, None, 16)
    assert set(seen) == {(48, 64)}
    assert scores.shape == (2, 41, 71)
    assert classifier.multiple == 16
