"""The reconstructor R: its own encoder, three side convolutions, and a U-Net that paints the image from features."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.nets.classifier import CamClassifier

SIDE_CHANNELS = (64, 128, 256)


class Encoded(NamedTuple):
    """What the encoder makes of images.

    Attributes:
        features: `f`, `[B, 448, H/stride, W/stride]`.
        class_logits: of R's own head, `[B, K]`.
    """

    features: Tensor
    class_logits: Tensor


class Reconstructor(nn.Module):
    """R: encode images to features; decode (masked) features to normalised images (FACTS §1).

    Args:
        encoder: a classifier of R's own, never shared with C.
        depth: halvings in the decoder (8 in the paper); its input must be a multiple of `2**depth`.
        width: channels after the first halving (64 in the paper), doubled up to eight times that.
        stride: the decoder works at 1/stride of the image (1 in the paper).
    """

    def __init__(self, encoder: CamClassifier, depth: int = 8, width: int = 64, stride: int = 1) -> None:
        super().__init__()
        self.encoder = encoder
        self.stride = stride
        self.side = nn.ModuleList(
            nn.Conv2d(channels, out, 1, bias=False)
            for channels, out in zip(encoder.backbone.channels, SIDE_CHANNELS, strict=True)
        )
        self.decoder = UNetDecoder(sum(SIDE_CHANNELS), depth, width)

    def working_size(self, image: Tensor) -> tuple[int, int]:
        """The decoder's height and width for images `[B, 3, H, W]`."""
        return image.shape[-2] // self.stride, image.shape[-1] // self.stride

    def encode(self, image: Tensor) -> Encoded:
        """Normalised images `[B, 3, H, W]` to features at the working size and class logits."""
        output = self.encoder(image)
        size = self.working_size(image)
        sides = [_decoders_format(side(tap)) for side, tap in zip(self.side, output.taps, strict=True)]
        resized = [F.interpolate(side, size, mode="bilinear", align_corners=False) for side in sides]
        return Encoded(torch.cat(resized, dim=1), output.class_logits)

    def decode(self, features: Tensor) -> Tensor:
        """Features `[B, 448, h, w]`, perhaps masked, to normalised images `[B, 3, h, w]`."""
        image: Tensor = self.decoder(features)
        return image


def _decoders_format(side: Tensor) -> Tensor:
    """Channels last on a CPU, while the map is small; then the decoder, which keeps it, is 1.4 to 1.8 times as fast."""
    return side.contiguous(memory_format=torch.channels_last) if side.device.type == "cpu" else side


class UNetDecoder(nn.Module):
    """A U-Net of 4×4 stride-2 layers with skip connections, layer by layer as in the release (FACTS §1).

    Down: convolution, InstanceNorm without affine (none at the first and the innermost level), LeakyReLU 0.2, dropout
    from the fourth level on, so in the five innermost at depth 8. Up: transposed convolution, InstanceNorm, ReLU,
    dropout in all but the outermost three. Last: ×2 upsampling and a 3×3 convolution to 3 channels, without tanh, since
    the target is the normalised image. Only that last one has a bias.

    Args:
        channels: of the input.
        depth: halvings, at least 2.
        width: channels after the first halving.
    """

    def __init__(self, channels: int, depth: int, width: int) -> None:
        super().__init__()
        widths = [min(width * 2**level, width * 8) for level in range(depth)]
        self.down = nn.ModuleList()
        for level, (before, after) in enumerate(zip([channels, *widths], widths, strict=False)):
            layers: list[nn.Module] = [nn.Conv2d(before, after, 4, 2, 1, bias=False)]
            if 0 < level < depth - 1:
                layers.append(nn.InstanceNorm2d(after))
            layers.append(nn.LeakyReLU(0.2))
            if level >= 3:
                layers.append(nn.Dropout(0.5))
            self.down.append(nn.Sequential(*layers))
        self.up = nn.ModuleList()
        for level in range(depth - 1, 0, -1):
            before = widths[level] if level == depth - 1 else 2 * widths[level]
            layers = [
                nn.ConvTranspose2d(before, widths[level - 1], 4, 2, 1, bias=False),
                nn.InstanceNorm2d(widths[level - 1]),
                nn.ReLU(),
            ]
            if level >= 4:
                layers.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*layers))
        self.last = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(2 * widths[0], 3, 3, padding=1))
        self.multiple = 2**depth

    def forward(self, features: Tensor) -> Tensor:
        """`[B, C, h, w]` to `[B, 3, h, w]`.

        Raises:
            UserError: h or w is not a multiple of `2**depth`.
        """
        if features.shape[-1] % self.multiple or features.shape[-2] % self.multiple:
            raise UserError(
                f"the decoder's input is {features.shape[-1]}×{features.shape[-2]}, not a multiple of {self.multiple}; "
                "change crop, decoder_stride or decoder_depth"
            )
        skips = []
        for down in self.down:
            features = down(features)
            skips.append(features)
        features = skips.pop()
        for up in self.up:
            features = torch.cat([up(features), skips.pop()], dim=1)
        image: Tensor = self.last(features)
        return image
