"""Climbing: steps up the score of a class, which regions that show it already are kept from (AdvCAM, CVPR 2021)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# The release counts regions in cells of stride 16 and divides by the positive weights of a class, about 1024 of
# ResNet50's 2048. In these units its weight of the restraint means the same for any network.
CELL, POSITIVE_WEIGHTS = 16 * 16, 1024


@dataclass(frozen=True)
class Climb:
    """How photos are changed; the defaults are the release's.

    Args:
        step: largest change of a pixel's value in a step, in normalised units.
        restraint: weight of the change of regions that show the class already.
        shown: share of the largest value from which a region shows the class.
    """

    step: float = 0.08
    restraint: float = 7.0
    shown: float = 0.5


def climbing_cam(
    cam_logits: Callable[[Tensor], Tensor], views: Tensor, target: Tensor, steps: int, climb: Climb
) -> Tensor:
    """The sum of the CAMs of a photo that is changed step by step, for one class.

    The release takes Grad-CAM's regions, by a backward pass; they are the CAM times a constant of each view: the share
    of the cells that show the class.

    Args:
        cam_logits: normalised images `[B, 3, H, W]` to `A`, `[B, K, h, w]`.
        views: a normalised photo and, perhaps, its mirror image, `[V, 3, H, W]`.
        target: the class to climb for, `[1]`.
        steps: how many CAMs are summed; the first is that of the photo as it is.
        climb: how it is changed.

    Returns:
        `[h, w]`, not negative.
    """
    x = views.detach()
    first = total = torch.zeros((), device=views.device)
    for at in range(steps):
        x = x.clone().requires_grad_(True)
        maps = F.relu(cam_logits(x).float())
        regions = _regions(maps[:, target].squeeze(1))
        if at == 0:
            first = regions.detach()
        total = total + regions.detach()
        if at + 1 < steps:
            (gradient,) = torch.autograd.grad(_height(maps, regions, first, target, x, climb), x)
            x = _stepped(x.detach(), gradient, climb.step)
    return total


def _regions(cams: Tensor) -> Tensor:
    """`R`: the class's CAM of all views, `[V, h, w]` to `[h, w]`, the mirrored one turned back."""
    cells = (cams > 0).sum(dim=(1, 2), keepdim=True)
    views = cams * (cells / cells.sum().clamp(min=1))
    return views[0] + views[1].flip(-1) if len(cams) > 1 else views[0]


def _height(maps: Tensor, regions: Tensor, first: Tensor, target: Tensor, x: Tensor, climb: Climb) -> Tensor:
    """What is climbed: the class's score less those of the others."""
    scores = maps.mean(dim=(2, 3)).sum(dim=0)
    shows_class = (regions / regions.amax() > climb.shown).detach()
    changes = ((regions - first).abs() * shows_class).sum()
    cells = x.shape[-2:].numel() / CELL / regions.numel()
    return 2 * scores[target].squeeze() - scores.sum() - climb.restraint * cells / POSITIVE_WEIGHTS * changes


def _stepped(x: Tensor, gradient: Tensor, step: float) -> Tensor:
    """One step up `[V, 3, H, W]`, within the values that the photo has."""
    return (x + step * gradient / (gradient.abs().amax() + 1e-12)).clamp(x.amin(), x.amax())
