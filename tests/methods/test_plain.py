"""The plain method is the classification that ACR's own warm-up does."""

import torch
from lightning.pytorch import Trainer
from tiny_acr import ADAMW, HALVES, tiny_acr, tiny_classifier

from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.methods.plain.module import Plain
from acr_lightning.training.step_seed import StepSeed


def test_plain_is_acr_without_a_reconstructor(tmp_path, shapes):
    states = []
    for make in (
        lambda: Plain(tiny_classifier(), optimizer=ADAMW, step=HALVES),
        lambda: tiny_acr(strategy="baseline", step=HALVES),
    ):
        torch.manual_seed(0)
        module = make()
        trainer = Trainer(
            default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", devices=1, logger=False,
            enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, callbacks=[StepSeed()],
        )  # fmt: skip
        trainer.fit(module, TaggedCrops(shapes, 32, (32, 40), batch_size=4, num_workers=0))
        states.append(module.classifier.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
