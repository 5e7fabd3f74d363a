"""How a run makes the label of a photo, from its CAM: the background score, what sharpens it, who votes on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.cam_file import CamFile
from acr_lightning.labels.confident_label import BackgroundScore, confident_label
from acr_lightning.labels.proportional_label import proportional_label
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.labels.refiner import Refiner
from acr_lightning.labels.segment_vote import mean_label, voted
from acr_lightning.proposals.mask_runs import Runs

Vote = Literal["sepl", "fma"]


@dataclass(frozen=True)
class LabelWay:
    """The way of stage `label`, whose arguments say more; it travels to other processes.

    Attributes:
        threshold: a constant background score.
        alpha: the background score is `(1 − max CAM)^alpha`. With neither it is the one that a random walk carried.
        refiner: what sharpens the scores; None goes without.
        margin: of the background score, within which nothing is sure.
        smoothing: of PMM's labels.
        vote: the rule by which proposals vote.
        confidence: what is less probable is 255.
    """

    threshold: float | None = None
    alpha: float | None = None
    refiner: Refiner | None = None
    margin: float | None = None
    smoothing: float | None = None
    vote: Vote | None = None
    confidence: float | None = None

    @property
    def walked(self) -> bool:
        """Whether the background's score is the one that a random walk carried along."""
        return self.threshold is None and self.alpha is None

    def at(self, threshold: float | None) -> "LabelWay":
        """The same with another constant background score; None leaves it as it is."""
        return self if threshold is None else replace(self, threshold=threshold, alpha=None)

    def label(
        self, image: NDArray[np.uint8], cam: CamFile, proposals: Sequence[Runs] | None = None
    ) -> NDArray[np.uint8]:
        """The label of a photo, `[H, W]`: 0 background, `k + 1` for class `k`, 255 for what is not sure.

        Args:
            image: RGB, `[H, W, 3]`.
            cam: its CAM; if the background is walked, with that, unless the photo has no tags.
            proposals: masks that vote; None lets nothing vote.
        """
        if self.vote == "fma" and proposals is not None:
            return mean_label(cam.classes, cam.scores, proposals)
        label = self._of_scores(image, cam)
        return label if self.vote is None or proposals is None else voted(label, proposals)

    def _of_scores(self, image: NDArray[np.uint8], cam: CamFile) -> NDArray[np.uint8]:
        if self.smoothing is not None:
            return proportional_label(
                image, cam.classes, cam.scores, self.smoothing, self.threshold, self.alpha, self.refiner
            )
        if self.margin is not None and self.threshold is not None:
            strong, weak = (
                BackgroundScore(self.threshold + self.margin), BackgroundScore(max(self.threshold - self.margin, 0.0))
            )  # fmt: skip
            return confident_label(image, cam.classes, cam.scores, strong, weak, self.refiner)
        # A photo without tags is background.
        background = np.ones(image.shape[:2], np.float32) if cam.background is None else cam.background
        return pseudo_label(
            image, cam.classes, cam.scores, self.threshold, self.alpha, self.refiner,
            background if self.walked else None, self.confidence,
        )  # fmt: skip
