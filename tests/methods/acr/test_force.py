"""The weights mean the same for any number of classes."""

import pytest
import torch

from acr_lightning.methods.acr.cu_loss import CULoss, CUWeights
from acr_lightning.methods.acr.game import equal_force
from acr_lightning.methods.acr.ru_loss import RULoss, RUWeights


@pytest.mark.usefixtures("double")
def test_the_weights_are_those_of_twenty_classes():
    """A mean over K classes is K times smaller for one of them; so is what is set against it."""
    one = torch.tensor(1.0)
    for classes in (1, 6, 20, 80):
        cu = CULoss(one, -one, -one).total(CUWeights(0.8, 0.3), equal_force(classes))
        assert float(cu) == pytest.approx(1 - 20 / classes * 1.1)
        ru = RULoss(one, one, one, one).total(RUWeights(0.2, 0.3, 0.5), equal_force(classes))
        assert float(ru) == pytest.approx(1 + 20 / classes)
