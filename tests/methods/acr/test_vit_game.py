"""ACR's game with a ViT as the classifier, and a CNN or another ViT as the reconstructor's encoder."""

from functools import partial

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from tiny_acr import ADAMW, tiny_classifier

from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.methods.acr.cu_loss import CUWeights
from acr_lightning.methods.acr.module import ACR
from acr_lightning.methods.acr.reconstructor import Reconstructor
from acr_lightning.methods.acr.srf import SRF
from acr_lightning.methods.acr.step_input import StepInput
from acr_lightning.methods.plain.module import Plain
from acr_lightning.nets.vit.mctformer import MCTFormer
from acr_lightning.training.alternating import StepSettings
from acr_lightning.training.optimisation import OptimizerSettings
from acr_lightning.training.step_seed import StepSeed


def mctformer(**options):
    return MCTFormer(4, "test_vit", **options)


def vit_acr(cnn=True, drop_path=0.1, **options):
    torch.manual_seed(0)
    encoder = tiny_classifier() if cnn else None
    options = {"srf": SRF(4), "cu": CUWeights(outside=0.1), "optimizer": ADAMW, **options}
    return ACR(mctformer(drop_path=drop_path), partial(Reconstructor, depth=2, width=8), encoder, **options)


def fit(tmp_path, module, shapes, epochs=1, callbacks=(), **options):
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=epochs, accelerator="cpu", devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        limit_train_batches=2, callbacks=[StepSeed(), *callbacks],
    )  # fmt: skip
    trainer.fit(module, TaggedCrops(shapes, 48, (48, 56), batch_size=4, num_workers=0), weights_only=True, **options)
    return trainer


@pytest.mark.parametrize("cnn", [True, False])
def test_target_loss_reaches_queries_keys_and_patch_head_of_the_classifier(cnn):
    acr = vit_acr(cnn)
    for one in acr.classifier.parameters():
        if one.ndim > 1:
            torch.nn.init.normal_(one, std=0.1)
    step = StepInput(torch.rand(2, 3, 48, 48), torch.eye(4)[:2], target=torch.tensor([0, 1]))
    terms = acr.classifier_update(step)
    terms.target.backward()
    C = acr.classifier
    assert terms.target < 0
    for block in C.vit.blocks:
        query, key, _ = block.attn.qkv.weight.grad.chunk(3)
        assert query.abs().sum() > 0
        assert key.abs().sum() > 0
    for part in (C.classify.weight, C.class_tokens, C.patch_positions, C.vit.patch_embed.proj.weight):
        assert part.grad.abs().sum() > 0
    assert all(one.grad is None for one in acr.reconstructor.encoder.parameters())


@pytest.mark.parametrize("cnn", [True, False])
def test_two_steps_move_both_networks(tmp_path, shapes, cnn):
    acr = vit_acr(cnn)
    assert isinstance(acr.reconstructor.encoder, MCTFormer) is not cnn
    before = {name: value.clone() for name, value in acr.state_dict().items()}
    trainer = fit(tmp_path, acr, shapes)
    moved = {name for name, value in acr.state_dict().items() if not torch.equal(value, before[name])}
    assert {"classifier.class_tokens", "classifier.vit.blocks.0.attn.qkv.weight"} <= moved
    assert any(name.startswith("reconstructor.encoder.") for name in moved)
    assert all(value.isfinite() for value in trainer.callback_metrics.values())


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("method", ["plain", "acr"])
def test_parts_of_a_batch_are_the_same_step(tmp_path, shapes, method):
    # SGD: Adam would blow up rounding where a gradient is next to nothing.
    options = {"optimizer": OptimizerSettings(lr=0.05)}
    states = []
    for parts in (1, 2):
        torch.manual_seed(0)
        options["step"] = StepSettings(micro_batches=parts)
        if method == "plain":
            module = Plain(mctformer(drop_path=0.0, contrast=1.0), **options)
        else:
            module = vit_acr(drop_path=0.0, **options)
        start = {name: value.clone() for name, value in module.classifier.state_dict().items()}
        fit(tmp_path, module, shapes)
        states.append(module.classifier.state_dict())
    assert (states[0]["classify.weight"] - start["classify.weight"]).abs().max() > 1e-3
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=0, atol=1e-10, msg=name)


def test_resumed_equals_uninterrupted(tmp_path, shapes):
    class SaveInTheMiddle(Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.current_epoch == 0 and trainer.fit_loop.total_batch_idx == 0:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    whole = vit_acr()
    fit(tmp_path, whole, shapes, callbacks=[SaveInTheMiddle()])
    resumed = vit_acr()
    fit(tmp_path, resumed, shapes, ckpt_path=str(tmp_path / "half.ckpt"))
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
