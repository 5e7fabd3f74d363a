"""What the terms pull, and that the weights mean the same for any number of classes."""

import pytest
import torch
from lightning.pytorch import Trainer
from tiny_acr import tiny_acr

from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.methods.acr.cu_loss import CULoss, CUWeights
from acr_lightning.methods.acr.game import Game, equal_force, forces
from acr_lightning.methods.acr.ru_loss import RULoss, RUWeights


def test_forces_are_the_gradients_at_the_cam():
    cam = torch.tensor([[1.0, -2.0]], requires_grad=True)
    terms = CULoss((3 * cam).sum(), -(cam[0, 0] ** 2), torch.zeros(()) * cam.sum())
    found = forces(terms, CUWeights(target=0.5, non_target=2.0), cam)
    assert {name: float(value) for name, value in found.items()} == {
        "classification": 6.0, "target": 1.0, "non_target": 0.0
    }  # fmt: skip
    terms.classification.backward()  # the graph is still there


@pytest.mark.usefixtures("double")
def test_the_weights_are_those_of_twenty_classes():
    """A mean over K classes is K times smaller for one of them; so is what is set against it."""
    one = torch.tensor(1.0)
    for classes in (1, 6, 20, 80):
        cu = CULoss(one, -one, -one).total(CUWeights(0.8, 0.3), equal_force(classes))
        assert float(cu) == pytest.approx(1 - 20 / classes * 1.1)
        ru = RULoss(one, one, one, one).total(RUWeights(0.2, 0.3, 0.5), equal_force(classes))
        assert float(ru) == pytest.approx(1 + 20 / classes)


def test_the_classification_does_not_pull_where_the_class_logits_are_not_made_from_the_cam():
    cam = torch.tensor([[1.0, -2.0]], requires_grad=True)
    token = torch.tensor(3.0, requires_grad=True)
    found = forces(CULoss(token**2, -cam.sum(), cam.sum()), CUWeights(target=0.5, non_target=2.0), cam)
    assert {name: float(value) for name, value in found.items()} == {"target": 1.0, "non_target": 4.0}


def test_a_fit_logs_forces(tmp_path, shapes):
    torch.manual_seed(0)
    acr = tiny_acr(depth=2, game=Game(ramp_epochs=2))
    torch.nn.init.uniform_(acr.classifier.classify.weight, 0, 0.1)
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=2, accelerator="cpu", devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(acr, TaggedCrops(shapes, 32, (32, 40), batch_size=4, num_workers=0))
    logged = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("force/")}
    assert set(logged) == {"force/classification", "force/target", "force/non_target"}
    assert logged["force/classification"] > 0
