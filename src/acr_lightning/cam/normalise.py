"""The normalised CAM: what every threshold and every segment is read from."""

from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-5


def normalise_cam(cam_logits: Tensor, tags: Tensor) -> Tensor:
    """`norm(A) = ReLU(ReLU(A) − min − ε) / (max − min + ε)` per map, times the tags (ACR, CVPR 2023).

    Args:
        cam_logits: `A`, `[B, K, h, w]`.
        tags: `y`, `[B, K]` of 0 and 1.

    Returns:
        `[B, K, h, w]` in `[0, 1)`; 0 for untagged classes and for maps without a positive logit.
    """
    positive = F.relu(cam_logits.float())  # ε is next to nothing in half precision
    low = positive.amin(dim=(2, 3), keepdim=True)
    high = positive.amax(dim=(2, 3), keepdim=True)
    return F.relu(positive - low - EPSILON) / (high - low + EPSILON) * tags[:, :, None, None]
