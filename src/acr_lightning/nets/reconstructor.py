"""The reconstructor R: its own encoder, three side convolutions, and a U-Net that paints the image from features."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.nets.classifier import Classifier, ClassifierOutput
from acr_lightning.nets.masked_convolution import masked_convolution
from acr_lightning.nets.upsampled_convolution import UpsampledConvolution

SIDE_CHANNELS = (64, 128, 256)


class Features(NamedTuple):
    """`f`, as three maps of 64, 128 and 256 channels, `[B, C_i, h_i, w_i]`.

    Resized to the decoder's working size (bilinear) and joined they are the 448 channels of the paper; `decode` does
    without that.
    """

    early: Tensor
    middle: Tensor
    final: Tensor

    def detach(self) -> "Features":
        """`sg(f)`."""
        return Features(*(side.detach() for side in self))


class Encoded(NamedTuple):
    """What the encoder makes of images.

    Attributes:
        features: `f`.
        classified: what R's own head makes of them.
    """

    features: Features
    classified: ClassifierOutput


class Reconstructor(nn.Module):
    """R: encode images to features; decode (masked) features to normalised images (FACTS §1).

    Args:
        encoder: a classifier of R's own, never shared with C.
        depth: halvings in the decoder (8 in the paper); its input must be a multiple of `2**depth`.
        width: channels after the first halving (64 in the paper), doubled up to eight times that.
        stride: the decoder works at 1/stride of the image (1 in the paper).
    """

    def __init__(self, encoder: Classifier, depth: int = 8, width: int = 64, stride: int = 1) -> None:
        super().__init__()
        self.encoder = encoder
        self.stride = stride
        self.side = nn.ModuleList(
            nn.Conv2d(channels, out, 1, bias=False)
            for channels, out in zip(encoder.channels, SIDE_CHANNELS, strict=True)
        )
        self.decoder = UNetDecoder(sum(SIDE_CHANNELS), depth, width)

    def working_size(self, image: Tensor) -> tuple[int, int]:
        """The decoder's height and width for images `[B, 3, H, W]`."""
        return image.shape[-2] // self.stride, image.shape[-1] // self.stride

    def normalise(self, image: Tensor) -> Tensor:
        """`[B, 3, H, W]` in `[0, 1]` to the range that the encoder was trained with."""
        return self.encoder.normalise(image)

    def pixels(self, image: Tensor) -> Tensor:
        """`x`: what the decoder regresses of images `[B, 3, H, W]` in `[0, 1]`, at its working size."""
        size = self.working_size(image)
        normalised = self.normalise(image)
        return normalised if image.shape[-2:] == size else F.interpolate(normalised, size, mode="area")

    def photo(self, pixels: Tensor) -> Tensor:
        """What `pixels` undoes: painted `[B, 3, h, w]` back to `[0, 1]`, for the eye."""
        black, white = (self.normalise(torch.full_like(pixels[:1, :, :1, :1], value)) for value in (0.0, 1.0))
        return (pixels - black) / (white - black)

    def encode(self, image: Tensor) -> Encoded:
        """Normalised images `[B, 3, H, W]` to features and R's own classification."""
        output: ClassifierOutput = self.encoder(image)
        sides = (side(features) for side, features in zip(self.side, output.features, strict=True))
        return Encoded(Features(*sides), output)

    def decode(self, *fed: tuple[Features, Sequence[Tensor]]) -> tuple[Tensor, ...]:
        """`dec(f·keep)` for all masks, in one batched call (no layer of the decoder mixes images).

        Args:
            fed: features, and how much of them is kept each time: masks `[B, 1, h, w]` of the working size.

        Returns:
            A normalised image `[B, 3, h, w]` for every mask.
        """
        images: Tensor = self.decoder([(features, torch.stack(list(masks))) for features, masks in fed])
        return images.chunk(sum(len(masks) for _, masks in fed))


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
        self.last = UpsampledConvolution(2 * widths[0], 3)
        self.multiple = 2**depth

    def forward(self, fed: Sequence[tuple[Sequence[Tensor], Tensor]]) -> Tensor:
        """Masked features to images.

        Args:
            fed: maps that together have C channels, `[B, C_i, h_i, w_i]`, and N masks `[N, B, 1, h, w]` that each are
                multiplied with them at size h × w.

        Returns:
            `[N·B, 3, h, w]`, in the order of the masks.

        Raises:
            UserError: h or w is not a multiple of `2**depth`.
        """
        height, width = fed[0][1].shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise UserError(
                f"the decoder's input is {width}×{height}, not a multiple of {self.multiple}; "
                "change crop, reconstructor.stride or reconstructor.depth"
            )
        weight = cast(nn.Conv2d, cast(nn.Sequential, self.down[0])[0]).weight
        convolved = [masked_convolution(weight, maps, keep).flatten(0, 1) for maps, keep in fed]
        return self.after_first_convolution(torch.cat(convolved))

    def after_first_convolution(self, features: Tensor) -> Tensor:
        """`[B, width, h/2, w/2]` to images `[B, 3, h, w]`."""
        features = cast(nn.Sequential, self.down[0])[1:](features)
        skips = [features]
        for down in self.down[1:]:
            features = down(features)
            skips.append(features)
        features = skips.pop()
        for up in self.up:
            features = torch.cat([up(features), skips.pop()], dim=1)
        image: Tensor = self.last(features)
        return image
