"""Stage `cam` for SIPE: maps of each photo's own prototypes instead of CAMs."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.bounded import PositiveFloat
from acr_lightning.cam.inference import CamInference
from acr_lightning.cam.multiscale import scaled_views
from acr_lightning.errors import UserError
from acr_lightning.methods.sipe.prototype_cam import PrototypeCam
from acr_lightning.methods.sipe.prototypes import EPSILON, prototype_maps, seeds, with_background


class PrototypeInference(CamInference):
    """The prototypes' maps over scales and mirror images (SIPE, CVPR 2022).

    A pixel belongs to the class of the largest map, the background's among them. The score written is
    `(1 + I_c − I_0) / 2`: above 0.5 a class beats the background, and the order of the classes is that of `I`.

    Args:
        checkpoint: of stage `fit`, made by `SIPE`.
        scales: factors of the base size.
        flip: whether mirror images are added.
        long_side: resize photos to this long side first (the base size); null keeps their size.
        allow: packages of whose code a checkpoint may name a classifier, beside this one; those that the experiment
            itself names are.

    Raises:
        UserError: the checkpoint is not SIPE's.
    """

    def __init__(
        self,
        checkpoint: str,
        scales: Sequence[PositiveFloat] = (0.5, 1.0, 1.5, 2.0),
        flip: bool = True,
        long_side: int | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        super().__init__(checkpoint, scales, flip, long_side, allow)
        if not isinstance(self.classifier, PrototypeCam):
            raise UserError(f"{checkpoint}: not made by SIPE, so cam.model must be CamInference")

    def predict_step(self, samples: list[dict[str, Any]], batch_index: int) -> list[tuple[str, Tensor, Tensor]]:
        """Photos of one size: of each its id, the tagged classes `[P]` and their scores `[P, H, W]` in `[0, 1]`."""
        images = self.classifier.normalise(torch.stack([sample["image"] for sample in samples]))
        mask = F.pad(torch.stack([sample["tags"] for sample in samples]), (1, 0), value=1.0)[:, :, None, None]
        total = torch.zeros(len(images), mask.shape[1], *images.shape[-2:], device=images.device)
        for views in scaled_views(images, self.scales, self.flip, self.long_side, self.classifier.multiple):
            total += F.interpolate(self._maps(views, mask), images.shape[-2:], mode="bilinear", align_corners=False)
        total = total / (total.amax(dim=(2, 3), keepdim=True) + EPSILON)
        scores = (1 + total[:, 1:] - total[:, :1]) / 2
        classes = [sample["tags"].nonzero().flatten() for sample in samples]
        return [
            (sample["id"], present, own[present]) for sample, present, own in zip(samples, classes, scores, strict=True)
        ]

    def _maps(self, views: Tensor, mask: Tensor) -> Tensor:
        """The prototypes' maps of one scale, `[B, K + 1, h, w]`, from the photos and their mirror images together."""
        assert isinstance(self.classifier, PrototypeCam)
        output = self.classifier(views)
        vectors = self.classifier.vectors(output.features, output.cam_logits.shape[-2:])
        cam_logits, vectors = (_unmirrored(one, len(mask)) for one in (output.cam_logits, vectors))
        return prototype_maps(seeds(with_background(cam_logits, mask), vectors, mask), vectors)


def _unmirrored(maps: Tensor, photos: int) -> Tensor:
    """The maps of photos, and of their mirror images if they follow, summed."""
    return maps[:photos] + maps[photos:].flip(-1) if len(maps) > photos else maps
