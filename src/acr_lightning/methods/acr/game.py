"""How the game is played: when it begins, how fast the classifier learns in it, how hard it is pushed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from acr_lightning.methods.acr.cu_loss import CULoss, CUWeights

# The paper's weights are those of a cross entropy that is a mean over VOC's 20 classes.
CLASSES_OF_THE_WEIGHTS = 20
# Batches after which the forces are measured.
MEASURE_EVERY = 25


@dataclass(frozen=True)
class Game:
    """The phase in which both networks play.

    Args:
        lr_factor: times the classifier's learning rate, whose schedule begins anew with the game.
        ramp_epochs: over so many epochs the adversarial weights rise from 0.
    """

    lr_factor: float = 1.0
    ramp_epochs: int = 0


def equal_force(num_classes: int) -> float:
    """What the adversarial weights are multiplied by, so that 0.8 and 0.3 mean the same for any number of classes."""
    return CLASSES_OF_THE_WEIGHTS / num_classes


def forces(terms: CULoss, weights: CUWeights, cam_logits: Tensor) -> dict[str, Tensor]:
    """How hard each term of CU pulls: the sum of its absolute gradient at the CAM logits, with the term's weight.

    Args:
        terms: of CU, with their graph.
        weights: of the terms.
        cam_logits: `A`, that the terms were made from.

    Returns:
        By the term's name; without the classification where the class logits are not made from `A`.
    """
    pulls = {}
    for name, weight in (("classification", 1.0), ("target", weights.target), ("non_target", weights.non_target)):
        term = weight * getattr(terms, name)
        with torch.autocast(cam_logits.device.type, enabled=False):
            (gradient,) = torch.autograd.grad(term, cam_logits, retain_graph=True, allow_unused=True)
        if gradient is not None:
            pulls[name] = gradient.abs().sum()
    return pulls
