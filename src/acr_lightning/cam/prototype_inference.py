"""Stage `cam` by prototypes: which cells of a photo are like those that the CAM is sure of."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.cam.multiscale import scaled_views, turned_maps
from acr_lightning.cam.prototypes import prototype_maps, seeds, stretched, unit_vectors, with_background
from acr_lightning.classes.bounded import PositiveInt

# Sides of a cell, pixels: likeness is between all cells, of which a CAM with one a pixel has too many.
CELL = 8


class PrototypeInference(CamInference):
    """Maps of each photo's own prototypes, the means of what the classifier's maps have at its CAM's seeds (SIPE).

    It reads CAM logits and maps of any trained classifier; what a method makes of them for its own CAM is left out. A
    pixel belongs to the class of the largest map, the background's among them. The score written is
    `(1 + I_c − I_0) / 2`: above 0.5 a class beats the background, and the order of the classes is that of `I`.

    Args:
        checkpoint: of stage `fit`.
        taps: how many of the classifier's maps cells are compared by, counted from the deepest; all if it has fewer.
        weighted: whether a seed counts by its class's value in the CAM; in the paper all count alike.
    """

    def __init__(self, checkpoint: str, taps: PositiveInt = 4, weighted: bool = True, **reading: Any) -> None:
        super().__init__(checkpoint, **reading)
        self.taps, self.weighted = taps, weighted

    def read(self, images: Tensor, classes: Sequence[Tensor]) -> Sequence[Tensor]:
        """See `CamInference.read`."""
        mask = images.new_zeros(len(images), self.classifier.num_classes + 1, 1, 1)
        mask[:, 0] = 1  # the background
        for own, present in zip(mask, classes, strict=True):
            own[present + 1] = 1
        # The others' maps are 0: they are not enlarged, K may be 80.
        kept = mask.amax(dim=(0, 2, 3)).nonzero().flatten()
        total = images.new_zeros(len(images), len(kept), *images.shape[-2:])
        for views in scaled_views(images, self.scales, self.flip, self.long_side, self.classifier.multiple):
            total += F.interpolate(
                self._maps(views, mask, kept), images.shape[-2:], mode="bilinear", align_corners=False
            )
        total = stretched(total)
        scores = (1 + total[:, 1:] - total[:, :1]) / 2
        rows = (torch.searchsorted(kept[1:], present + 1) for present in classes)
        return [own[row] for own, row in zip(scores, rows, strict=True)]

    def _maps(self, views: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
        """The kept labels' prototypes' maps of one scale, `[B, L, h, w]`, from photos and mirror images together."""
        cells = turned_maps(self._cells, views, len(mask)).unflatten(0, (-1, len(mask))).sum(dim=0)
        cam_logits, vectors = cells.split([mask.shape[1] - 1, cells.shape[1] - mask.shape[1] + 1], dim=1)
        maps = with_background(cam_logits, mask)[:, kept]  # what the background is left depends on all classes
        weights = seeds(maps, vectors, mask[:, kept])
        return prototype_maps(weights * maps if self.weighted else weights, vectors)

    def _cells(self, views: Tensor) -> Tensor:
        """The CAM logits and what cells are compared by, on one grid: `[B, K + D, h, w]`."""
        output = self.classifier(self.classifier.recurring(views))
        sides = zip(output.cam_logits.shape[-2:], views.shape[-2:], strict=True)
        height, width = (min(cells, -(-pixels // CELL)) for cells, pixels in sides)
        cam_logits = F.adaptive_avg_pool2d(output.cam_logits.float(), (height, width))
        return torch.cat([cam_logits, unit_vectors(output.features[-self.taps :], (height, width))], dim=1)
