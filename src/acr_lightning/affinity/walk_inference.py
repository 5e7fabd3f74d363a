"""The walk of each photo's CAM along what the affinity network says, on any number of devices."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.affinity.affinity_net import AffinityNetwork
from acr_lightning.affinity.boundary_net import BoundaryNet
from acr_lightning.affinity.random_walk import random_walk
from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.item_path import item_path
from acr_lightning.nets.checkpoint import load_network
from acr_lightning.nets.sizes import scaled_size

# Of a photo: its id, the tagged classes `[P]`, their scores `[P, H, W]` and the background's, `[H, W]` in `[0, 1]`.
WalkedCam = tuple[str, Tensor, Tensor, Tensor | None]


class AffinityWalk(LightningModule):
    """Walks each photo's CAM with the trained network's affinities (PSA, CVPR 2018; IRN, CVPR 2019).

    The CAM is averaged down to the network's grid, walked there, and enlarged to the photo again. Where the network
    finds boundaries (IRN), what lies on one is taken out of the CAM first.

    Args:
        checkpoint: of the trained network.
        cams: folder of CAM files.
        radius: of the pairs, in cells.
        beta: power of the affinity; a higher one makes weak ties weaker.
        exponent: the walk has `2^exponent` steps.
        cam_power: the CAM is raised to this power before the walk (RIB: 1.3).
        background_alpha: a background score `(1 − max CAM)^alpha` is walked too (PSA: 16); null walks none.
        normalise: divide a photo's walked scores by the largest one (IRN).
        flip: average the network's result with that of the mirror image (IRN).
        long_side: resize photos to this long side for the network; null keeps their size.
    """

    def __init__(
        self,
        checkpoint: str,
        cams: str,
        radius: int = 5,
        beta: float = 10.0,
        exponent: int = 8,
        cam_power: float = 1.0,
        background_alpha: float | None = None,
        normalise: bool = True,
        flip: bool = True,
        long_side: int | None = None,
    ) -> None:
        super().__init__()
        self.network: AffinityNetwork = load_network(checkpoint, AffinityNetwork, "acr affinity")  # type: ignore[type-abstract]
        self.cams, self.radius, self.beta, self.exponent = Path(cams), radius, beta, exponent
        self.cam_power, self.background_alpha, self.normalise = cam_power, background_alpha, normalise
        self.flip, self.long_side = flip, long_side

    def predict_step(self, samples: list[dict[str, Any]], batch_index: int) -> list[WalkedCam]:
        """The CAM of each photo, walked."""
        return [self.walked(sample) for sample in samples]

    def walked(self, sample: dict[str, Any]) -> WalkedCam:
        """One photo's CAM, walked."""
        cam = read_cam(item_path(self.cams, sample["id"], ".npz"), size=tuple(sample["image"].shape[-2:]))
        classes, scores = torch.from_numpy(cam.classes), torch.from_numpy(cam.scores).to(self.device)
        if not len(classes):
            return sample["id"], classes, scores, None
        result = self.walk(scores, self.output(sample["image"]))
        background = None if self.background_alpha is None else result[-1]
        return sample["id"], classes, result[: len(classes)], background

    def output(self, image: Tensor) -> Tensor:
        """The network's features or boundary logits, `[1, C, h, w]`, of a photo `[3, H, W]` in `[0, 1]`."""
        views = self.network.backbone.normalise(image[None])
        if self.long_side is not None:
            factor = self.long_side / max(image.shape[-2:])
            size = scaled_size(image.shape[-2:], factor, self.network.backbone.multiple)
            views = F.interpolate(views, size, mode="bilinear", align_corners=False, antialias=True)
        if not self.flip:
            return self.network(views)
        straight, mirror = self.network(torch.cat([views, views.flip(-1)])).float()
        return ((straight + mirror.flip(-1)) / 2)[None]

    def walk(self, scores: Tensor, output: Tensor) -> Tensor:
        """Scores `[P, H, W]` along a network's output `[1, C, h, w]`.

        Returns:
            `[P, H, W]`, or `[P + 1, H, W]` with the walked background as the last.
        """
        grid = output.shape[-2:]
        state = F.interpolate(scores[None], grid, mode="area") ** self.cam_power
        if self.background_alpha is not None:
            background = (1 - scores.amax(dim=0)) ** self.background_alpha
            state = torch.cat([state, F.interpolate(background[None, None], grid, mode="area")], dim=1)
        if isinstance(self.network, BoundaryNet):
            state = state * (1 - output.float().sigmoid())
        affinity = self.network.affinity(output, self.radius)
        state = random_walk(state, affinity, self.radius, self.beta, self.exponent)
        result = F.interpolate(state, scores.shape[-2:], mode="bilinear", align_corners=False)[0]
        return result / result[: len(scores)].amax().clamp(min=1e-5) if self.normalise else result
