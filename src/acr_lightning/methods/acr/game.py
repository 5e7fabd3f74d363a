"""How the game is played: when it begins, how fast the classifier learns in it, how hard it is pushed."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from acr_lightning.errors import UserError
from acr_lightning.methods.acr.cu_loss import CULoss, CUWeights

# The paper's weights are those of a cross entropy that is a mean over VOC's 20 classes.
CLASSES_OF_THE_WEIGHTS = 20
# Batches after which the forces are measured.
MEASURE_EVERY = 25
# Of the moving average that `balance` goes by.
DECAY = 0.9


@dataclass(frozen=True)
class Game:
    """The phase in which both networks play.

    Args:
        lr_factor: times the classifier's learning rate, whose schedule begins anew with the game.
        ramp_epochs: over so many epochs the adversarial weights rise from 0.
        balance: keep the gradient of `L_t` at this many times that of the classification loss (a moving average), with
            `L_nt` in proportion; null takes the weights as they are.
    """

    lr_factor: float = 1.0
    ramp_epochs: int = 0
    balance: float | None = None


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
    found = {}
    for name, weight in (("classification", 1.0), ("target", weights.target), ("non_target", weights.non_target)):
        term = weight * getattr(terms, name)
        (gradient,) = torch.autograd.grad(term, cam_logits, retain_graph=True, allow_unused=True)
        if gradient is not None:
            found[name] = gradient.abs().sum()
    return found


class Balance(nn.Module):
    """Multiplies the adversarial terms so that `L_t` pulls a fixed number of times as hard as the classification.

    Args:
        ratio: that number; None multiplies by 1.
    """

    factor: Tensor

    def __init__(self, ratio: float | None) -> None:
        super().__init__()
        self.ratio = ratio
        self.register_buffer("factor", torch.ones(()))

    def observe(self, measured: dict[str, Tensor]) -> None:
        """Take new forces into the moving average; those of the terms without this factor.

        Raises:
            UserError: the classification does not pull at the CAM.
        """
        if self.ratio is not None:
            if "classification" not in measured:
                raise UserError(
                    "model.game.balance: this classifier's class logits are not made from its CAM, so there is nothing "
                    "to balance; set it to null"
                )
            wanted = self.ratio * measured["classification"] / measured["target"].clamp(min=1e-12)
            self.factor.lerp_(wanted.clamp(0.01, 100.0), 1 - DECAY)
