"""Which network is updated in which epoch."""

from typing import Literal, NamedTuple

Strategy = Literal["adversarial", "pretrained", "baseline"]


class Phase(NamedTuple):
    """What happens at each batch of an epoch.

    Attributes:
        reconstructor: RU is done.
        classifier: the classifier is updated.
        adversarial: its update is CU; otherwise the classification loss alone.
    """

    reconstructor: bool
    classifier: bool
    adversarial: bool


def phase(strategy: Strategy, epoch: int, classifier_epochs: int, reconstructor_epochs: int) -> Phase:
    """The phase of an epoch.

    `baseline`: the classifier alone, a plain CAM; it rests while the others' reconstructor trains alone, so that it is
    their equal control: trained for as many steps, at the same rates. `pretrained`: classifier alone, then the
    reconstructor with the classifier frozen, then the classifier with the reconstructor frozen. `adversarial`: after
    the same two warm-up phases (none in the paper), both in turn at every batch.

    Args:
        strategy: of the run.
        epoch: counted from 0.
        classifier_epochs: how many epochs the classifier trains alone at first.
        reconstructor_epochs: how many epochs the reconstructor trains alone after that.
    """
    plays = strategy != "baseline"
    if epoch < classifier_epochs:
        return Phase(reconstructor=False, classifier=True, adversarial=False)
    if epoch < classifier_epochs + reconstructor_epochs:
        return Phase(reconstructor=plays, classifier=False, adversarial=False)
    if not plays:
        return Phase(reconstructor=False, classifier=True, adversarial=False)
    return Phase(reconstructor=strategy == "adversarial", classifier=True, adversarial=True)
