"""How the game is played: when it begins, how fast the classifier learns in it, how hard it is pushed."""

from dataclasses import dataclass

# The paper's weights are those of a cross entropy that is a mean over VOC's 20 classes.
CLASSES_OF_THE_WEIGHTS = 20


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
