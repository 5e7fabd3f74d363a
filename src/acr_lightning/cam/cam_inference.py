"""Stage `cam`: multi-scale CAMs of whole photos, on any number of devices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from acr_lightning.artefacts.kept_tensors import KeptTensors
from acr_lightning.cam.multiscale import multiscale_cam
from acr_lightning.classes.bounded import PositiveFloat
from acr_lightning.errors import UserError
from acr_lightning.nets.checkpoint import load_network
from acr_lightning.nets.classifier import Classifier
from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.nets.wrapped_classifier import inside


class CamInference(LightningModule):
    """The trained classifier's CAM of each photo (ACR, CVPR 2023; scales as in docs/method.md).

    Args:
        checkpoint: of stage `fit`.
        scales: factors of the base size.
        flip: whether mirror images are added.
        long_side: resize photos to this long side first (the base size); null keeps their size.
        allow: packages of whose code a checkpoint may name a classifier, beside this one; those that the experiment
            itself names are.
        overrides: arguments of the classifier that are to be others than in its training, of those that change no
            weight: `{refine: false}` leaves out what MCTFormer's CAM is spread by.
        power: the CAM is raised to this power, which moves every threshold and changes no ranking. The game makes CAMs
            small in value where it is strong; a power below 1 brings them back to the range that the thresholds of the
            later stages are for.
        cache: folder in which a frozen backbone's maps are kept, in half precision, for whoever reads the same photos
            in another way or another classifier on the same backbone; null keeps none.
        max_gb: the cache is at most so large, in 10^9 bytes.

    Raises:
        UserError: maps are to be kept, and no backbone is frozen.
    """

    def __init__(
        self,
        checkpoint: str,
        scales: Sequence[PositiveFloat] = (0.5, 1.0, 1.5, 2.0),
        flip: bool = True,
        long_side: int | None = None,
        allow: Sequence[str] = (),
        overrides: dict[str, Any] | None = None,
        power: PositiveFloat = 1.0,
        cache: str | None = None,
        max_gb: PositiveFloat = 50.0,
    ) -> None:
        super().__init__()
        self.classifier: Classifier = load_network(checkpoint, Classifier, "acr fit", allow, overrides)  # type: ignore[type-abstract]
        if cache is not None:
            network = inside(self.classifier)
            if not isinstance(network, FrozenClassifier):
                raise UserError(f"cam.model.cache: a {type(network).__name__} has no frozen backbone; set it to null")
            network.keep_in(KeptTensors(Path(cache), max_gb))
        self.scales, self.flip, self.long_side, self.power = tuple(scales), flip, long_side, power

    def predict_step(self, samples: list[dict[str, Any]], batch_index: int) -> list[tuple[str, Tensor, Tensor]]:
        """Photos of one size: of each its id, the tagged classes `[P]` and their scores `[P, H, W]` in `[0, 1]`."""
        classes = [sample["tags"].nonzero().flatten() for sample in samples]
        images = self.classifier.normalise(torch.stack([sample["image"] for sample in samples]))
        each = zip(samples, classes, self.read(images, classes), strict=True)
        return [(sample["id"], present, scores.float() ** self.power) for sample, present, scores in each]

    def read(self, images: Tensor, classes: Sequence[Tensor]) -> Sequence[Tensor]:
        """The scores of the tagged classes; a subclass that reads the classifier in another way overrides this.

        Args:
            images: normalised, `[B, 3, H, W]`.
            classes: the tagged classes of each, `[P]`; P may be 0.

        Returns:
            `[P, H, W]` in `[0, 1]` for each image.
        """
        return multiscale_cam(
            self.classifier.cam, images, classes, self.scales, self.flip, self.long_side, self.classifier.multiple
        )
