"""What a researcher watches while ACR trains: how much the CAM covers, and how well its parts are guessed."""

import logging
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.artefacts.atomic import atomic_write
from acr_lightning.artefacts.item_path import item_path
from acr_lightning.methods.acr.module import ACR
from acr_lightning.methods.acr.srf import SRF, removal_mask
from acr_lightning.methods.acr.step_input import StepInput
from acr_lightning.methods.acr.target import target_segment
from acr_lightning.report.collapse import collapse
from acr_lightning.training.draw_target import draw_target

log = logging.getLogger(__name__)
# The columns of the picture that is written after every epoch.
COLUMNS = ("photo", "CAM S", "remnants", "painted from remnants", "painted from the target", "painted from outside")


class ReconstructionMonitor(Callback):
    """After every epoch: the CAM's area, the reconstruction errors by segment, and a picture of both.

    Always the same training photos, crops and draws, so that epochs compare. Logged, none of it with masks:

    * `monitor/cam_area`: mean of `S`, 0..1;
    * `monitor/error_whole`: mean error when everything is seen;
    * `monitor/inferability`: error of the target guessed from outside, `Σ S·|dec(f·(1 − S)) − x| / Σ S`; large is good;
    * `monitor/error_outside`: error of the outside guessed from the target, `Σ (1 − S)·|dec(f·S) − x| / Σ (1 − S)`.

    Args:
        folder: of the pictures `epoch_<n>.jpg`.
        photos: how many are watched.
    """

    def __init__(self, folder: Path, photos: int = 8) -> None:
        self.folder, self.photos = folder, photos

    @torch.no_grad()
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        if not trainer.is_global_zero or not isinstance(pl_module, ACR):
            return
        networks = [net for net in (pl_module.classifier, pl_module.reconstructor) if net is not None]
        modes = [network.training for network in networks]
        for network in networks:
            network.eval()
        values, picture = watch(pl_module, self._watched(trainer, pl_module))
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)
        log_values = {f"monitor/{name}": value for name, value in values.items()}
        pl_module.log_dict(log_values, rank_zero_only=True)
        if warning := collapse(
            {**{name: float(value) for name, value in trainer.callback_metrics.items()}, **log_values}
        ):
            log.warning("fit: epoch %d: %s", trainer.current_epoch, warning)
        with atomic_write(item_path(self.folder, f"epoch_{trainer.current_epoch:03d}", ".jpg")) as file:
            Image.fromarray(picture).save(file, "JPEG", quality=85)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("monitor/reconstructions", [picture], caption=[" | ".join(COLUMNS)])

    def _watched(self, trainer: Trainer, acr: ACR) -> StepInput:
        """The watched images and draws, always the same."""
        samples = trainer.datamodule.samples()  # type: ignore[attr-defined]
        indices = np.linspace(0, len(samples) - 1, min(self.photos, len(samples))).round().astype(int)
        batch = [samples[0, int(index)] for index in indices]
        image = torch.stack([sample["image"] for sample in batch]).to(acr.device)
        tags = torch.stack([sample["tags"] for sample in batch]).to(acr.device)
        generator = torch.Generator().manual_seed(0)
        target = draw_target(tags, torch.rand(len(tags), generator=generator))
        return StepInput(image, tags, target=target)


def watch(acr: ACR, step: StepInput) -> tuple[dict[str, float], NDArray[np.uint8]]:
    """The monitored values and the picture.

    Args:
        acr: its networks in eval mode.
        step: images, tags and targets; SRF is drawn here, always the same.

    Returns:
        Values by name, and one row of `COLUMNS` an image, `[B·h, 6·w, 3]` (photo and `S` only without a reconstructor).
    """
    R = acr.reconstructor
    height, width = step.image.shape[-2:]
    size = (height, width) if R is None else R.working_size(step.image)
    cam_logits = acr.classifier(acr.classifier.normalise(step.image)).cam_logits
    segment = target_segment(cam_logits, step.tags, step.target, size)
    values = {"cam_area": float(segment.mean())}
    photo = F.interpolate(step.image, size, mode="area")
    columns = [photo, segment.expand(-1, 3, -1, -1)]
    if R is not None:
        srf = acr.srf or SRF(grid=1, start=1.0)
        cells = torch.rand(len(photo), 1, srf.grid, srf.grid, generator=torch.Generator().manual_seed(0))
        remainder = 1 - segment * removal_mask(cells.to(photo.device), srf.start, size)
        features, _ = R.encode(R.encoder.normalise(step.image))
        masks = [torch.ones_like(segment), remainder, segment, 1 - segment]
        whole, remnants, target, outside = R.decode((features, masks))
        x = R.pixels(step.image)
        values["error_whole"] = float((whole - x).abs().mean())
        values["inferability"] = _mean_error(outside - x, segment)
        values["error_outside"] = _mean_error(target - x, 1 - segment)
        columns += [photo * remainder, *(R.photo(image) for image in (remnants, target, outside))]
    rows = torch.cat(columns, dim=3).permute(0, 2, 3, 1).flatten(0, 1)
    return values, (rows.clamp(0, 1) * 255).round().byte().cpu().numpy()


def _mean_error(error: Tensor, where: Tensor) -> float:
    """The mean absolute error inside a soft region `[B, 1, h, w]`, whatever its area."""
    return float((where * error).abs().sum() / (3 * where.sum()).clamp(min=1e-5))
