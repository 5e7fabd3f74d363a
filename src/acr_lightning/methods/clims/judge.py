"""CLIP as a judge: unit vectors of photos and of the texts that they are compared with."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.nets.clip import Clip, load_clip, word_vectors


class Judge:
    """CLIP's images, frozen, and the vectors of its texts. No module, so that no checkpoint carries it.

    Args:
        clip: which CLIP.
        class_names: of the data set, K of them.

    Attributes:
        size: height and width of the images it takes.
        classes: unit vectors, `[K, D]`.
        background: likewise, `[words, D]`.

    Raises:
        UserError: the package or the file is missing, or they do not fit each other.
    """

    def __init__(self, clip: Clip, class_names: Sequence[str]) -> None:
        both = load_clip(clip, "fit.model.clip")
        vectors = word_vectors(both, clip, class_names)
        self.classes, self.background = vectors.split([len(class_names), len(clip.background)])
        self.images: nn.Module = both.visual
        self.size = torch.Size(both.visual.image_size)

    def to(self, device: torch.device) -> "Judge":
        """Move it to a device; returns itself."""
        self.images.to(device)
        self.classes, self.background = self.classes.to(device), self.background.to(device)
        return self

    def __call__(self, image: Tensor) -> Tensor:
        """Unit vectors `[B, D]` of images `[B, 3, *size]`."""
        if not len(image):  # open_clip takes no empty batch
            return image.new_zeros(0, self.classes.shape[1])
        return F.normalize(self.images(image).float(), dim=1)
