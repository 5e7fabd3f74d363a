"""The triplet of AEFT: a photo, itself with its surest parts erased, and another one (ECCV 2022)."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.normalise import normalise_cam
from acr_lightning.classes.bounded import PositiveInt
from acr_lightning.training.whole_batch import of_whole_batch

EPSILON = 1e-5
# Cells where a class has less than this count as not showing it; a repulsion needs more pairs than this.
ABSENT, FEWEST_PAIRS = 0.2, 4


@dataclass(frozen=True)
class Triplet:
    """When the triplet is trained on, and how much it weighs; the defaults are the release's.

    Args:
        start: first epoch; before it there is the classification alone.
        updates: of a batch, before that; from then on a batch is one, and a part as large as theirs is classified.
        erase: what has at least this much of any tag is erased.
        attraction: weight of the first term.
        repulsion: weight of the second one.
        margin: embeddings that are farther apart than this (squared) are left alone.
    """

    start: int = 18
    updates: PositiveInt = 4
    erase: float = 0.6
    attraction: float = 0.2
    repulsion: float = 0.15
    margin: float = 0.5


def kept(cam_logits: Tensor, tags: Tensor, size: tuple[int, int], erase: float) -> Tensor:
    """How much of each pixel is kept: what it has of the tags, and nothing where that is a lot.

    Args:
        cam_logits: `A`, `[B, K, h, w]`; the gradient goes on to it.
        tags: `y`, `[B, K]` of 0 and 1.
        size: height and width of the photos.
        erase: see `Triplet`.

    Returns:
        `[B, 1, H, W]` in `[0, erase)`.
    """
    large = F.interpolate(F.relu(cam_logits.float()), size, mode="bilinear", align_corners=False)
    most = normalise_cam(large, tags).amax(dim=1, keepdim=True)
    return most * (most < erase)


def attraction(pooled: Tensor, of_kept: Tensor, tags: Tensor) -> Tensor:
    """How far the tags' embeddings of the photos and of what is kept of them differ; `Q` of both, `[B, K, h, w]`."""
    one, two = (F.relu(maps).mean(dim=(2, 3)) * tags for maps in (pooled, of_kept))
    return (one - two).abs().mean()


def others(tags: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """For each photo another one without any of its tags, which has others; a photo without tags has no partner.

    Args:
        tags: `y`, `[B, K]` of 0 and 1.
        drawn: random numbers in `[0, 1)`, `[B]`.

    Returns:
        Whether a photo has such a partner, and the partner's index, `[B]` each.
    """
    tagged = tags.any(dim=1)
    foreign = (tags @ tags.T == 0) & tagged & tagged[:, None]
    rank = (drawn * foreign.sum(dim=1)).floor() + 1
    partner = ((foreign.cumsum(dim=1) == rank[:, None]) & foreign).int().argmax(dim=1)
    return foreign.any(dim=1), partner


def repulsion(cam_logits: Tensor, pooled: Tensor, tags: Tensor, drawn: Tensor, margin: float) -> Tensor:
    """How near the surroundings of a photo's objects are to the embedding of a photo without them.

    The other photo may be another device's.

    Args:
        cam_logits: `A`, `[B, K, h, w]`; no gradient reaches it from here but through `Q`.
        pooled: `Q`, `[B, K, h, w]`.
        tags: `y`, `[B, K]` of 0 and 1.
        drawn: random numbers in `[0, 1)` that choose the other photos, `[B]`.
        margin: see `Triplet`.
    """
    scores = pooled.float() / (pooled.float().abs().amax(dim=(2, 3), keepdim=True) + EPSILON)
    absent = (normalise_cam(cam_logits, tags) < ABSENT).float()
    around = (absent * scores).sum(dim=(2, 3)) / (absent.sum(dim=(2, 3)) + EPSILON) * tags
    whole = scores.mean(dim=(2, 3)) * tags
    around, whole, tags, drawn = (of_whole_batch(rows) for rows in (around, whole, tags, drawn.to(tags.device)))
    has_one, partner = others(tags, drawn)
    short = margin - (around - whole[partner]).square().sum(dim=1)
    is_near = has_one & (short > 0)
    count = is_near.sum()
    return (short * is_near).sum() / count.clamp(min=1) * (count > FEWEST_PAIRS)
