"""The scores of CAMs at every background threshold in one pass over the files."""

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.cam_file import LEVELS
from acr_lightning.artefacts.palette import IGNORE


class ThresholdSweep:
    """Counts pixels by true label, winning class and its level; each threshold's confusion matrix follows from that.

    A pixel is predicted as its winning class where its level is above the threshold, else as background: as a
    constant background score before the classes has it, which wins a tie.

    Args:
        num_labels: K + 1.
    """

    def __init__(self, num_labels: int) -> None:
        self.num_labels = num_labels
        self.counts = np.zeros((num_labels, num_labels, LEVELS + 1), np.int64)

    def update(self, mask: NDArray[np.uint8], classes: NDArray[np.int64], levels: NDArray[np.uint8]) -> None:
        """Add one image.

        Args:
            mask: `[H, W]`, 0 background, 1..K, 255 not scored.
            classes: tagged classes, `[P]`, counted from 0; P may be 0.
            levels: stored CAM, `[P, H, W]`.
        """
        is_scored = mask != IGNORE
        truth = mask[is_scored].astype(np.int64)
        if len(classes):
            winner = levels.argmax(axis=0)
            label = (classes + 1)[winner][is_scored]
            level = np.take_along_axis(levels, winner[None], axis=0)[0][is_scored].astype(np.int64)
        else:
            label = level = np.zeros_like(truth)
        flat = (truth * self.num_labels + label) * (LEVELS + 1) + level
        self.counts += np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)

    def confusion(self) -> NDArray[np.int64]:
        """The confusion matrix `[K + 1, K + 1]` of every threshold, `[256, K + 1, K + 1]`.

        Index `t` is the threshold at level `t`; at 255 all is background.
        """
        above = self.counts.sum(axis=2, keepdims=True) - self.counts.cumsum(axis=2)  # pixels of level > t
        matrices = above.transpose(2, 0, 1).copy()
        # What does not beat the threshold is predicted as background, from whichever class.
        matrices[:, :, 0] = self.counts.sum(axis=(1, 2))[None] - matrices[:, :, 1:].sum(axis=2)
        return matrices
