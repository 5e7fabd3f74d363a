"""A readout of one's own: the CAM spread between cells that look alike, with nothing trained for it."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.cam.multiscale import multiscale_cam
from acr_lightning.cam.prototypes import unit_vectors
from acr_lightning.nets.refined_cam import spread


class SpreadCam(CamInference):
    """Each cell has the mean CAM of all cells, weighted by how like it they are in the classifier's maps (SEAM)."""

    def read(self, images: Tensor, classes: Sequence[Tensor]) -> Sequence[Tensor]:
        """Normalised photos `[B, 3, H, W]` and the tagged classes of each to scores `[P, H, W]` in `[0, 1]`."""
        multiple = self.classifier.multiple
        return multiscale_cam(self._spread, images, classes, self.scales, self.flip, self.long_side, multiple)

    def _spread(self, views: Tensor) -> Tensor:
        cam_logits, _, features, _ = self.classifier(views)
        return spread(F.relu(cam_logits), unit_vectors(features, cam_logits.shape[-2:]))
