"""Each mask of a label as prompts for SAM, which draws it better (Lin et al.: SAMRefiner, ICLR 2025).

As release linyq2117/SAMRefiner@1ae5fe8 does it by default.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.labels.refiner import RefinerNode, build_refiner, refine
from acr_lightning.proposals.sam import as_seen, load_sam

# Of the mask that SAM is given: how wide the Gaussian is, and its peak, whose negative stands outside.
GAMMA, STRENGTH = 4.0, 30.0


class Prompts(NamedTuple):
    """What SAM is told of a mask, in pixels of the photo, x before y; see `prompts_of`."""

    points: NDArray[np.float32]
    marks: NDArray[np.int64]
    box: NDArray[np.float32]
    weights: NDArray[np.float32]


def prompts_of(mask: NDArray[np.bool_]) -> Prompts:
    """The prompts of a mask `[H, W]` that is not empty.

    Returns:
        The points that are deepest in the mask, and outside of it within its box, `[2, 2]`; their marks, 1 and 0, or −1
        where nothing in the box is outside; the box, its first column and row, then its last, `[4]`; and a Gaussian of
        the depth, 1 at the deepest and 0 outside, `[H, W]`.
    """
    inside, outside = _depth(mask), np.zeros(mask.shape, np.float32)
    (top, bottom), (left, right) = (np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0))
    outside[top:bottom, left:right] = _depth(~mask)[top:bottom, left:right]
    points = [np.unravel_index(depth.argmax(), mask.shape)[::-1] for depth in (inside, outside)]
    weights = mask * np.exp(-((inside - inside.max()) ** 2) / max(mask.sum() / GAMMA, 1))
    marks, box = np.array([1, 0 if outside.any() else -1]), np.array([left, top, right, bottom], np.float32)
    return Prompts(np.array(points, np.float32), marks, box, weights.astype(np.float32))


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How far each pixel of a mask is from the nearest outside, `[H, W]`; 1 where there is none."""
    if mask.all():
        return np.ones(mask.shape, np.float32)
    return np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def mask_prompt(
    mask: NDArray[np.bool_], weights: NDArray[np.float32], seen: tuple[int, int], side: int, low: int
) -> Tensor:
    """The mask `[H, W]` as SAM takes it, `[1, 1, low, low]`: 30 times the Gaussian inside, −30 outside or nearer to 0.

    The network sees the photo at the height and width `seen`, padded to a square of `side`.
    """
    maps = torch.from_numpy(np.stack([np.where(mask, 1, -1), weights]).astype(np.float32))[None]
    padded = torch.tensor([-1.0, 0.0]).view(1, 2, 1, 1).repeat(1, 1, side, side)
    padded[..., : seen[0], : seen[1]] = F.interpolate(maps, seen, mode="bilinear", align_corners=False)
    signs, peaks = F.interpolate(padded, (low, low), mode="bilinear", align_corners=False).split(1, dim=1)
    return torch.where(signs > 0, STRENGTH, -STRENGTH) * torch.where(peaks > 0, peaks, 1)


class SamRefiner:
    """What SAM makes of each label but the first, the background; the photo is encoded once.

    Args:
        weights: folder of a SAM or SAM 2, see `load_sam`.
        before: what sharpens the probabilities first, as `label.refiner` has it.
        rounds: each takes the masks of the one before; of SAM's three the one that it expects most of is kept.
        device: `cpu`, `cuda` or `cuda:1`; `auto` is the first GPU if there is one.
    """

    def __init__(self, weights: str, before: RefinerNode = "soft_cam", rounds: int = 5, device: str = "auto") -> None:
        load_sam(weights, "SamRefiner.weights")
        self.weights, self.rounds = weights, rounds
        self.before = build_refiner(before, "SamRefiner.before")
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device

    def __call__(self, image: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Refiner`; where masks overlap, the one that SAM is surer of wins."""
        if self.before is not None:
            probabilities = refine(self.before, image, probabilities)
        network, processor = load_sam(self.weights, "SamRefiner.weights")
        photo, label = as_seen(processor, Image.fromarray(image)), probabilities.argmax(axis=0)
        pixels = processor(images=photo, return_tensors="pt")["pixel_values"].to(self.device)
        maps = network.to(self.device).get_image_embeddings(pixels)
        result = np.zeros_like(probabilities)
        result[0] = 0.5
        for at in np.unique(label[label > 0]):
            result[at] = self._refined(network, maps, label == at, (photo.height, photo.width), pixels.shape[-1])
        return result

    def _refined(
        self, network: Any, maps: Any, mask: NDArray[np.bool_], seen: tuple[int, int], side: int
    ) -> NDArray[np.float32]:
        """SAM's probabilities `[H, W]` of a mask, or those before where it finds nothing."""
        low = 4 * (maps[-1] if isinstance(maps, list) else maps).shape[-1]
        scale, probabilities = np.array(seen[::-1]) / mask.shape[::-1], mask.astype(np.float32)
        for _ in range(self.rounds):
            mask = probabilities > 0.5
            points, marks, box, weights = prompts_of(mask)
            told = {
                "input_points": torch.from_numpy(points * scale)[None, None].float(),
                "input_labels": torch.from_numpy(marks)[None, None],
                "input_boxes": torch.from_numpy(box * np.tile(scale, 2))[None, None].float(),
                "input_masks": mask_prompt(mask, weights, seen, side, low),
            }
            output = network(image_embeddings=maps, **{name: one.to(self.device) for name, one in told.items()})
            best = output.pred_masks[0, :, output.iou_scores[0, 0].argmax()][None]
            best = F.interpolate(best, (side, side), mode="bilinear", align_corners=False)[..., : seen[0], : seen[1]]
            best = F.interpolate(best, mask.shape, mode="bilinear", align_corners=False)[0, 0]
            if not (best > 0).any():
                break
            probabilities = best.sigmoid().cpu().numpy()
        return probabilities
