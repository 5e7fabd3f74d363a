"""What each class's CAM covers, and which class that is (ReCAM, CVPR 2022)."""

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-5


def class_features(cam_logits: Tensor, cells: Tensor) -> Tensor:
    """The mean of the cells, weighted by each class's CAM, with the gradient of both.

    Args:
        cam_logits: `A`, `[B, K, h, w]`.
        cells: what `A` was made from, `[B, D, h, w]`.

    Returns:
        `[B, K, D]`. There is never a map for each class and channel, which would have gigabytes.
    """
    positive = F.relu(cam_logits.float())
    shares = positive / (positive.amax(dim=(2, 3), keepdim=True) + EPSILON) / positive[0, 0].numel()
    with torch.autocast(cells.device.type, enabled=False):  # half precision has no room for a sum of all cells
        return torch.einsum("bkp,bdp->bkd", shares.flatten(2), cells.float().flatten(2))


def reactivation_loss(class_logits: Tensor, tags: Tensor) -> Tensor:
    """The cross entropy of each tagged class's features: the mean over a photo's tags, then over photos.

    Args:
        class_logits: of each class's features, `[B, K, K]`; row `k` should say class `k`.
        tags: `y`, `[B, K]` of 0 and 1; a photo without tags counts 0.
    """
    losses = -F.log_softmax(class_logits, dim=2).diagonal(dim1=1, dim2=2)
    return ((losses * tags).sum(dim=1) / tags.sum(dim=1).clamp(min=1)).mean()
