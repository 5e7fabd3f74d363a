"""The contract of a classifier, and the usual one: a backbone whose last layer is the CAM."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.nets.backbone import TAPS, Backbone
from acr_lightning.nets.described import Described
from acr_lightning.nets.pretrained import pretrained_parameters


class ClassifierOutput(NamedTuple):
    """What any classifier gives.

    Attributes:
        cam_logits: `A`, `[B, K, h, w]`.
        class_logits: `[B, K]`; they need not be the mean of the CAM.
        features: maps that the CAM was made from, finest first, `[B, channels[i], h_i, w_i]`.
        own: what the network's own `classification_loss` needs besides; nobody else looks at it.
    """

    cam_logits: Tensor
    class_logits: Tensor
    features: Sequence[Tensor]
    own: Any = None


class Classifier(Described, ABC):
    """What training methods and stage `cam` ask of a network; a network of one's own subclasses this.

    Attributes:
        num_classes: K, without background.
        channels: of the features, finest first.
        multiple: sides of the images that stage `cam` gives it are multiples of this.
    """

    num_classes: int
    channels: Sequence[int]
    multiple: int = 1

    @abstractmethod
    def forward(self, image: Tensor) -> ClassifierOutput:
        """Normalised images `[B, 3, H, W]` to CAM logits, class logits and features."""

    @abstractmethod
    def normalise(self, image: Tensor) -> Tensor:
        """`[B, 3, H, W]` in `[0, 1]` to the range that the network was trained with."""

    def pretrained_parameters(self) -> Iterable[nn.Parameter]:
        """Those that start from pretrained weights, and learn at a rate of their own: by default its backbones'."""
        return pretrained_parameters(*self.children())

    def classification_loss(self, output: ClassifierOutput, tags: Tensor) -> Tensor:
        """The loss against the tags `[B, K]`: binary cross entropy, the mean over images and classes."""
        return F.binary_cross_entropy_with_logits(output.class_logits, tags)

    def features(self, image: Any) -> Sequence[Tensor]:
        """The features alone, which some networks compute faster than `forward`."""
        return self(image).features

    def cam(self, image: Tensor) -> Tensor:
        """Normalised images to the maps that stage `cam` enlarges, `[B, K, h, w]`; what is below 0 in them is cut."""
        return self(image).cam_logits


class ConvolutionalClassifier(Classifier):
    """A 1×1 convolution of each cell's features, without bias, makes the CAM logits; their mean = class logits.

    Attributes:
        classify: that convolution.
    """

    classify: nn.Conv2d

    @abstractmethod
    def embed(self, image: Any) -> tuple[Tensor, Sequence[Tensor]]:
        """From what `forward` takes to what `classify` takes, `[B, D, h, w]`, and to the features."""

    def forward(self, image: Any) -> ClassifierOutput:  # noqa: D102
        return self.classified(*self.embed(image))

    def classified(self, cells: Tensor, features: Sequence[Tensor]) -> ClassifierOutput:
        """What `forward` makes of `embed`'s result."""
        cam_logits = self.classify(cells)
        return ClassifierOutput(cam_logits, cam_logits.mean(dim=(2, 3)), features)


class CamClassifier(ConvolutionalClassifier):
    """Backbone → 1×1 convolution → ReLU → 1×1 convolution = CAM logits; their mean = class logits (ACR, section 3).

    Args:
        num_classes: K, without background (taken from the data set).
        backbone: a timm CNN or ViT, or `resnet38d`.
        weights: ImageNet weights: `lite0` (a Python package), `timm` (timm's hub), a file, or null.
        output_stride: of the backbone: 8, 16 or 32; null is its own.
        freeze_batchnorm: keep BatchNorm as it is; set false for a network that starts from random weights.
        width: channels between the two convolutions; null leaves the first one and its ReLU out, as IRN, PSA and their
            descendants do.
        taps: how many of the backbone's maps are features, counted from the deepest.
        blocks: of a ViT, whose patch tokens are its maps, counted from 1; the CAM is made from the last of them. Null
            takes the last of each third.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str = "resnet38d",
        weights: str | None = None,
        output_stride: int | None = None,
        freeze_batchnorm: bool = True,
        width: int | None = 256,
        taps: int = TAPS,
        blocks: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.num_classes, self.taps = num_classes, taps
        self.backbone = Backbone(backbone, weights, output_stride, freeze_batchnorm, conv_head=True, blocks=blocks)
        self.channels, self.multiple = self.backbone.map_channels[-taps:], self.backbone.multiple
        self.reduce = None if width is None else nn.Conv2d(self.channels[-1], width, 1, bias=False)
        self.classify = nn.Conv2d(width or self.channels[-1], num_classes, 1, bias=False)
        for layer in filter(None, (self.reduce, self.classify)):
            nn.init.xavier_uniform_(layer.weight)

    def normalise(self, image: Tensor) -> Tensor:  # noqa: D102
        return self.backbone.normalise(image)

    def embed(self, image: Tensor) -> tuple[Tensor, Sequence[Tensor]]:  # noqa: D102
        features = self.backbone.maps(image)[-self.taps :]
        return (features[-1] if self.reduce is None else F.relu(self.reduce(features[-1]))), features
