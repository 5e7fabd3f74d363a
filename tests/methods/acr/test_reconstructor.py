import pytest
import torch
from torch import nn

from acr_lightning.errors import UserError
from acr_lightning.methods.acr.reconstructor import Reconstructor, UNetDecoder
from acr_lightning.nets.classifier import CamClassifier


def test_decoder_has_the_papers_layers():
    decoder = UNetDecoder(448, depth=8, width=64)
    downs = [m for m in decoder.down.modules() if isinstance(m, nn.Conv2d)]
    ups = [m for m in decoder.up.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [conv.out_channels for conv in downs] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert len(ups) == 7
    assert all(conv.kernel_size == (4, 4) and conv.stride == (2, 2) for conv in (*downs, *ups))
    assert [any(isinstance(m, nn.Dropout) for m in level) for level in decoder.down] == [False] * 3 + [True] * 5
    assert [any(isinstance(m, nn.Dropout) for m in level) for level in decoder.up] == [True] * 4 + [False] * 3
    assert [any(isinstance(m, nn.InstanceNorm2d) for m in level) for level in decoder.down] == [
        False, *[True] * 6, False,
    ]  # fmt: skip
    assert all(any(isinstance(m, nn.InstanceNorm2d) for m in level) for level in decoder.up)
    assert [name for name, _ in decoder.named_parameters() if name.endswith("bias")] == ["last.bias"]
    assert not any(m.affine for m in decoder.modules() if isinstance(m, nn.InstanceNorm2d))
    assert not any(isinstance(m, nn.Tanh) for m in decoder.modules())
    assert decoder.last.out_channels == 3


def test_decoder_wants_a_multiple():
    decoder = UNetDecoder(4, depth=3, width=4)
    maps = [torch.randn(1, 4, 3, 2)]
    assert decoder([(maps, torch.ones(1, 1, 1, 16, 24))]).shape == (1, 3, 16, 24)
    with pytest.raises(UserError, match="12×20, not a multiple of 8"):
        decoder([(maps, torch.ones(1, 1, 1, 20, 12))])


def test_stride_sets_the_working_size():
    encoder = CamClassifier(5, "test_resnet")
    reconstructor = Reconstructor(encoder, depth=2, width=4, stride=4)
    features, classified = reconstructor.encode(torch.randn(2, 3, 64, 32))
    assert [side.shape[1] for side in features] == [64, 128, 256]
    assert classified.class_logits.shape == (2, 5)
    painted = reconstructor.decode((features, [torch.ones(2, 1, 16, 8), torch.zeros(2, 1, 16, 8)]))
    assert [image.shape for image in painted] == [(2, 3, 16, 8)] * 2


def test_class_logits_are_the_mean_of_the_cam():
    output = CamClassifier(5, "test_resnet", output_stride=8)(torch.randn(2, 3, 32, 32))
    assert torch.allclose(output.class_logits, output.cam_logits.flatten(2).mean(2), atol=1e-6)
