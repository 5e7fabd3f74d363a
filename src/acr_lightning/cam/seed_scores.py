"""Scores of the CAMs while the classifier trains. They use masks, and say so."""

from typing import cast

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from acr_lightning.artefacts.cam_file import LEVELS
from acr_lightning.cam.multiscale import multiscale_cam
from acr_lightning.data.samples import photo_sample
from acr_lightning.errors import UserError
from acr_lightning.metrics.confusion import miou
from acr_lightning.metrics.threshold_sweep import ThresholdSweep
from acr_lightning.nets.classifier import Classifier


class SeedScores(Callback):
    """Logs the mIoU of single-scale CAMs at their best threshold after every epoch, as `uses_masks/seed_miou`.

    For `trainer.callbacks` of stage `fit`. It is for watching: nothing is chosen by it.

    Args:
        photos: of the split `seed`, spread over it.
        long_side: resize photos to this long side; null keeps their size.
    """

    def __init__(self, photos: int = 100, long_side: int | None = None) -> None:
        self.photos, self.long_side = photos, long_side

    @torch.no_grad()
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        if not trainer.is_global_zero:
            return
        dataset = trainer.datamodule.dataset  # type: ignore[attr-defined]
        ids = dataset.scored(dataset.ids("seed"))
        picks = [ids[index] for index in np.linspace(0, len(ids) - 1, min(self.photos, len(ids))).round().astype(int)]
        classifier = cast(Classifier, pl_module.classifier)
        was_training = classifier.training
        classifier.eval()
        sweep = ThresholdSweep(dataset.num_classes + 1)
        for sample in (photo_sample(dataset, image_id) for image_id in picks):
            mask = dataset.mask(sample["id"])
            if mask is None:
                raise UserError(f"SeedScores: {sample['id']} has no mask; take the callback out")
            classes = sample["tags"].nonzero().flatten()
            image = classifier.normalise(sample["image"][None].to(pl_module.device))
            (scores,) = multiscale_cam(
                classifier.cam,
                image,
                [classes.to(image.device)],
                (1.0,),
                True,
                self.long_side,
                classifier.multiple,
            )
            levels = (scores.float() * LEVELS).round().byte().cpu().numpy()
            sweep.update(mask, classes.numpy(), levels)
        classifier.train(was_training)
        best = max(miou(matrix) for matrix in sweep.confusion())
        pl_module.log("uses_masks/seed_miou", best, rank_zero_only=True)
