"""How a classifier is finetuned on a photo, and what is minimised (RIB, NeurIPS 2021)."""

from dataclasses import dataclass

from torch import Tensor

from acr_lightning.training.optimisation import OptimizerSettings


@dataclass(frozen=True)
class Finetuning:
    """The defaults are the paper's for PASCAL VOC.

    Args:
        steps: how many CAMs are summed; the first is that of the classifier as it was trained.
        others: crops of photos without any of the tags, which take part in each step.
        others_per_pass: so many of them go through the network together; changes memory and speed only.
        crop: their side, pixels.
        long_side: smallest and largest long side that they are resized to before cropping, pixels.
        shown: cells from this share of the largest CAM logit on are left out of the score: they show the class already.
        most_score: the photo's score from which no step follows.
        most_covered: share of the photo's cells, likewise, that a tagged class's CAM covers, from the second CAM on.
        covers: share of the largest value from which a CAM covers a cell.
        lr: of pretrained weights; the other layers have ten times that.
        momentum: of SGD; the line that this comes from takes the weight decay for it.
        weight_decay: of weights.
    """

    steps: int = 10
    others: int = 20
    others_per_pass: int = 10
    crop: int = 512
    long_side: tuple[int, int] = (320, 640)
    shown: float = 0.4
    most_score: float = 600.0
    most_covered: float = 0.7
    covers: float = 0.3
    lr: float = 8e-6
    momentum: float = 1e-4
    weight_decay: float = 1e-4

    def optimizer(self) -> OptimizerSettings:
        """As settings of an optimiser."""
        return OptimizerSettings(
            lr=self.lr, new_layer_factor=10.0, momentum=self.momentum, weight_decay=self.weight_decay, bias_factor=1.0
        )


def unshown_scores(cam_logits: Tensor, tags: Tensor, shown: float) -> Tensor:
    """`Σ_k y_k · mean_cells(A_k · 1[A_k < shown · max A_k])`: without a sigmoid it has no end, and so no bottleneck.

    Args:
        cam_logits: `A`, `[B, K, h, w]`.
        tags: `y`, `[B, K]` of 0 and 1.
        shown: see `Finetuning`.

    Returns:
        `[B]`.
    """
    remainder = cam_logits * (cam_logits < shown * cam_logits.amax(dim=(2, 3), keepdim=True))
    return (remainder.mean(dim=(2, 3)) * tags).sum(dim=1)


def covered(cams: Tensor, covers: float) -> Tensor:
    """Share of the cells that any of the CAMs `[P, h, w]`, 0 or more, covers, a scalar."""
    return (cams > covers * cams.amax(dim=(1, 2), keepdim=True)).any(dim=0).float().mean()
