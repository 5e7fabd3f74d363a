"""A CAM spread between cells that look alike, and raised where cells look like what it covers (CPN, ICCV 2021)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.nets.classifier import Classifier, ClassifierOutput
from acr_lightning.nets.refined_cam import RefinedCam, exclusive_cam, spread


class RegionCam(RefinedCam):
    """The pixel-region correlation module around a classifier, beside SEAM's pixel correlation.

    Args:
        classifier: with at least three maps.
        widths: channels made of the earlier and of the later map.
        mixed: channels in which cells, and cells and regions, are compared.
    """

    def __init__(self, classifier: Classifier, widths: Sequence[int] = (64, 128), mixed: int = 192) -> None:
        super().__init__(classifier, widths, mixed)
        self.region = nn.Linear(3 + sum(widths), mixed, bias=False)
        nn.init.xavier_uniform_(self.region.weight, gain=4)

    def refined(self, image: Tensor, output: ClassifierOutput) -> Tensor:
        """As in `RefinedCam`, plus each map times how much its cells are like its region."""
        cam, cells = exclusive_cam(output.cam_logits), self.known(image, output)
        vectors = self.mix(cells)
        return spread(cam, vectors) + cam * self.attention(cam, cells, vectors)

    def attention(self, cam: Tensor, known: Tensor, mixed: Tensor) -> Tensor:
        """How much each cell is like each map's region, `[B, C, h, w]`, of sum 1 over the cells.

        Args:
            cam: whose regions they are, `[B, C, h, w]`.
            known: the features of each cell, `[B, D, h, w]`.
            mixed: the cells' vectors, `[B, mixed, h, w]`.
        """
        # Products of vectors of any length leave the range of half precision.
        with torch.autocast(cam.device.type, enabled=False):
            regions = cam.flatten(2).softmax(dim=2) @ known.float().flatten(2).transpose(1, 2)
            alike = F.relu(self.region(regions)) @ F.relu(mixed.float()).flatten(2)
            return (alike / cam.shape[1] ** 0.5).softmax(dim=2).view_as(cam)
