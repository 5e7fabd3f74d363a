"""The reconstructor R: its own encoder, three side convolutions, and a U-Net that paints the image from features."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.methods.acr.masked_convolution import masked_convolution
from acr_lightning.methods.acr.upsampled_convolution import UpsampledConvolution
from acr_lightning.nets.classifier import Classifier, ClassifierOutput

# Of the pixels that are painted, whatever the encoder was trained with: with them the errors have the paper's size.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# `f`: maps `[B, C_i, h_i, w_i]`. Resized to the decoder's working size (bilinear) and joined they are the 448 channels
# of the paper; `decode` does without that.
Features = list[Tensor]


def stop_gradient(features: Features) -> Features:
    """`sg(f)`."""
    return [side.detach() for side in features]


class Reconstructor(nn.Module):
    """R: encode images to features; decode (masked) features to normalised images (ACR, section 3).

    Args:
        encoder: a classifier of R's own, never shared with C.
        depth: halvings in the decoder (8 in the paper); its input must be a multiple of `2**depth`.
        width: channels after the first halving (64 in the paper), doubled up to eight times that.
        stride: the decoder works at 1/stride of the image (1 in the paper).
        taps: which of the encoder's maps are painted from, counted from the finest; null takes all.
        side_channels: made of each of them by a 1×1 convolution; 64, 128 and 256 in the paper.
        classify: the encoder's own head learns the tags, too (the paper); pointless where the encoder is frozen.
        scaled: take kept maps of a frozen backbone divided by their deviations, as the classifier does. R then learns
            sooner, which serves a game of some hundred steps; in a long one it guesses so well that CAMs shrink away.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: Classifier,
        depth: int = 8,
        width: int = 64,
        stride: int = 1,
        taps: Sequence[int] | None = None,
        side_channels: Sequence[int] = (64, 128, 256),
        classify: bool = True,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        self.encoder, self.stride, self.classify, self.scaled = encoder, stride, classify, scaled
        self.taps = list(range(len(encoder.channels)) if taps is None else taps)
        if len(self.taps) != len(side_channels):
            raise UserError(
                f"reconstructor: {len(self.taps)} maps are painted from, but side_channels names {len(side_channels)}"
            )
        self.side = nn.ModuleList(
            nn.Conv2d(encoder.channels[tap], out, 1, bias=False)
            for tap, out in zip(self.taps, side_channels, strict=True)
        )
        self.decoder = UNetDecoder(sum(side_channels), depth, width)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def working_size(self, image: Tensor) -> tuple[int, int]:
        """The decoder's height and width for images `[B, 3, H, W]`."""
        return image.shape[-2] // self.stride, image.shape[-1] // self.stride

    def pixels(self, image: Tensor) -> Tensor:
        """`x`: what the decoder regresses of images `[B, 3, H, W]` in `[0, 1]`, at its working size."""
        size = self.working_size(image)
        small = image if image.shape[-2:] == size else F.interpolate(image, size, mode="area")
        return (small - self.mean) / self.std

    def photo(self, pixels: Tensor) -> Tensor:
        """What `pixels` undoes: painted `[B, 3, h, w]` back to `[0, 1]`, for the eye."""
        return pixels * self.std + self.mean

    def encode(self, image: Tensor | list[Tensor]) -> tuple[Features, ClassifierOutput | None]:
        """Normalised images `[B, 3, H, W]`, or what is kept of them, to `f` and R's classification, if it has one."""
        output: ClassifierOutput | None = self.encoder(image) if self.classify else None
        maps = self.encoder.features(image) if output is None else output.features
        return [side(maps[tap]) for tap, side in zip(self.taps, self.side, strict=True)], output

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
    """A U-Net of 4×4 stride-2 layers with skip connections, layer by layer as in the authors' release.

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
        outputs = [masked_convolution(weight, maps, keep).flatten(0, 1) for maps, keep in fed]
        return self.after_first_convolution(torch.cat(outputs))

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
