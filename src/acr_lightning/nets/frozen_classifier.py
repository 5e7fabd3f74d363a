"""A classifier on the maps of a backbone that does not learn: those maps can be computed once and kept."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.artefacts.kept_tensors import KeptTensors
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.classifier import ConvolutionalClassifier
from acr_lightning.nets.mean_pooling import mean_pooled
from acr_lightning.nets.pointwise_convolution import PointwiseConvolution
from acr_lightning.nets.tensors_digest import tensors_sha256


class FrozenClassifier(ConvolutionalClassifier):
    """1×1 convolutions on several maps of a frozen backbone, summed on one grid → ReLU → two more = CAM logits.

    Images may be given as what `maps` makes of them.

    Attributes:
        kept_as: the precision in which maps are kept; those that are not kept for want of room are rounded to it, too.

    Args:
        num_classes: K, without background (taken from the data set).
        backbone: a timm CNN or ViT, or `resnet38d`.
        weights: of the backbone: `lite0` (a Python package), `timm` (timm's hub), a file, or null.
        output_stride: of the backbone: 8, 16 or 32; null is its own.
        taps: how many of the backbone's maps are used, counted from the deepest.
        stride: of the CAM; it has the grid of the first map that is as coarse.
        width: channels made of each map.
        dropout: share of the channels left out in training.
        pool: maps that are finer than the CAM's grid are brought to it by means, which the convolutions do not notice:
            less to keep, and less to do for methods that compare cells. Not for a reconstructor that paints from them.
    """

    kept_as: ClassVar[torch.dtype] = torch.float16

    def __init__(
        self,
        num_classes: int,
        backbone: str = "tf_efficientnet_lite0",
        weights: str | None = None,
        output_stride: int | None = None,
        taps: int = 4,
        stride: int = 8,
        width: int = 128,
        dropout: float = 0.3,
        pool: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.backbone = Backbone(backbone, weights, output_stride, freeze_batchnorm=True, conv_head=True)
        self.backbone.requires_grad_(False)
        self.taps, self.pool, self.multiple = taps, pool, self.backbone.multiple
        self.store: KeptTensors | None = None
        self.backbone_digest = ""
        self.channels = self.backbone.map_channels[-taps:]
        strides = self.backbone.strides[-taps:]
        self.grid = next((at for at, one in enumerate(strides) if one >= stride), len(strides) - 1)
        for at, channels in enumerate(self.channels):
            self.register_buffer(f"scale_{at}", torch.ones(1, channels, 1, 1))
        self.sides = nn.ModuleList(PointwiseConvolution(channels, width) for channels in self.channels)
        self.mix = PointwiseConvolution(width, width)
        self.classify = PointwiseConvolution(width, num_classes, bias=False)
        self.dropout = nn.Dropout2d(dropout)

    def train(self, mode: bool = True) -> Self:
        """As usual, but the backbone stays in eval mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def again(self) -> Self:
        """A new one with the same frozen backbone."""
        backbone, copy = self.backbone, super().again()
        copy.backbone = backbone
        return copy

    def normalise(self, image: Tensor) -> Tensor:  # noqa: D102
        return self.backbone.normalise(image)

    def digest(self) -> str:
        """Of what the maps depend on: the weights, wherever they came from, and how they are used."""
        state = {name: value.cpu().numpy() for name, value in self.backbone.state_dict().items()}
        names = ("backbone", "output_stride", "taps", *(("pool", "stride") if self.pool else ()))
        used = {name: self.arguments[name] for name in names}
        return hashlib.sha256(f"{used} {tensors_sha256(state)}".encode()).hexdigest()

    def keep_in(self, store: KeptTensors) -> None:
        """From now on keep the maps of recurring images there; the backbone's weights must not change any more."""
        self.store, self.backbone_digest = store, self.digest()

    def recurring(self, image: Tensor) -> Tensor | list[Tensor]:
        """The maps of normalised images `[B, 3, H, W]`, each computed once and kept, if there is where.

        On a GPU they are computed each time: what is kept is named by its pixels, which would have to come back first.
        """
        if self.store is None:
            return image
        with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
            if image.device.type != "cpu":
                return [one.to(self.kept_as).to(image.dtype) for one in self.maps(image)]
            each = [self._kept(self.store, one) for one in image.split(1)]
            return [torch.cat(maps).to(image.dtype) for maps in zip(*each, strict=True)]

    def _kept(self, store: KeptTensors, image: Tensor) -> list[Tensor]:
        name = hashlib.sha256(f"{self.backbone_digest} {image.dtype} {[*image.shape]} ".encode())
        name.update(image.contiguous().numpy().data)
        # By itself, so that it does not matter what else is in the batch.
        return store.get(name.hexdigest(), lambda: [one.to(self.kept_as) for one in self.maps(image)])

    def maps(self, image: Tensor) -> list[Tensor]:
        """Normalised images `[B, 3, H, W]` to the maps that are used, finest first, `[B, channels[i], h_i, w_i]`.

        They have a gradient only where the images have one.
        """
        maps = self.backbone.maps(image)[-self.taps :]
        return [_no_larger(one, maps[self.grid].shape[-2:]) for one in maps] if self.pool else maps

    def set_scales(self, deviations: Iterable[Tensor]) -> None:
        """Say how large each channel of each map is, so that all of them weigh alike.

        Args:
            deviations: root mean squares over many photos, `[channels[i]]`.
        """
        for scale, one in zip(self.scales(), deviations, strict=True):
            scale.copy_(one.view_as(scale))

    def scales(self) -> list[Tensor]:
        """What each map is divided by, `[1, channels[i], 1, 1]`."""
        return [getattr(self, f"scale_{at}") for at in range(len(self.channels))]

    def features(self, image: Tensor | list[Tensor]) -> list[Tensor]:
        """Scaled maps of normalised images `[B, 3, H, W]`, or of their maps."""
        maps = self.maps(image) if isinstance(image, Tensor) else image
        return [one / scale for one, scale in zip(maps, self.scales(), strict=True)]

    def embed(self, image: Tensor | list[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
        """Normalised images `[B, 3, H, W]`, or their maps, to what `classify` takes, and to scaled maps."""
        features = self.features(image)
        size = features[self.grid].shape[-2:]
        sides: dict[torch.Size, Tensor] = {}
        for side, one in zip(self.sides, features, strict=True):
            summand = side(self.dropout(_no_larger(one, size)))
            sides[summand.shape[-2:]] = sides[summand.shape[-2:]] + summand if summand.shape[-2:] in sides else summand
        maps = [F.interpolate(total, size, mode="bilinear", align_corners=False) for total in sides.values()]
        return F.relu(self.mix(self.dropout(F.relu(sum(maps[1:], start=maps[0]))))), features


def _no_larger(maps: Tensor, size: torch.Size) -> Tensor:
    """Maps `[B, C, h, w]` brought to a coarser grid by means: before a 1×1 convolution, which commutes with them."""
    (height, width), (rows, columns) = maps.shape[-2:], size
    if height <= rows:
        return maps
    if height % rows or width % columns:
        return mean_pooled(maps, size) if maps.requires_grad else F.adaptive_avg_pool2d(maps, (rows, columns))
    return F.avg_pool2d(maps, (height // rows, width // columns))  # the same, and several times as fast on a CPU
