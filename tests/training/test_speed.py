import copy

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from tiny_acr import tiny_acr, tiny_classifier

from acr_lightning.data.datamodule import TaggedCrops, UntaggedPhotos
from acr_lightning.methods.sipe.module import SIPE
from acr_lightning.segment.network_inference import NetworkInference
from acr_lightning.training.interval_checkpoint import IntervalCheckpoint
from acr_lightning.training.optimisation import OptimizerSettings
from acr_lightning.training.photos import Photos
from acr_lightning.training.speed import ChannelsLast, Compile
from acr_lightning.training.step_seed import StepSeed


def fitted(tmp_path, shapes, *callbacks, **options):
    torch.manual_seed(0)
    acr = tiny_acr(freeze_batchnorm=True, depth=2, optimizer=OptimizerSettings(lr=0.02))
    start = copy.deepcopy(acr.state_dict())
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, callbacks=[StepSeed(), *callbacks], **options,
    )  # fmt: skip
    trainer.fit(acr, TaggedCrops(shapes, 32, (32, 40), batch_size=4, num_workers=0))
    return acr, start


def apart(one, two):
    return max(float((value.float() - two[name].float()).abs().max()) for name, value in one.items())


@pytest.mark.usefixtures("double")
def test_memory_format_and_compiler_give_the_same_training(tmp_path, shapes):
    plain, start = fitted(tmp_path, shapes)
    assert apart(plain.state_dict(), start) > 1e-3
    fast, _ = fitted(tmp_path, shapes, ChannelsLast())
    assert fast.classifier.reduce.weight.is_contiguous(memory_format=torch.channels_last)
    assert apart(fast.state_dict(), plain.state_dict()) < 1e-10
    compiled, _ = fitted(tmp_path, shapes, Compile(backend="aot_eager"))  # inductor takes a minute
    parts = [compiled.classifier, compiled.reconstructor.encoder, compiled.reconstructor.decoder]
    assert all(part._compiled_call_impl is not None for part in parts)
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    assert apart(compiled.state_dict(), plain.state_dict()) < 1e-10


def test_a_compiled_graph_has_the_convolutions_of_the_backbone():
    module, graphs = SIPE(tiny_classifier()), []  # begins inside of the classifier
    Compile(backend=lambda graph, _: graphs.append(graph) or graph.forward).setup(None, module, "fit")
    module.losses(Photos(torch.rand(2, 3, 32, 32), torch.ones(2, 4), drawn=torch.rand(2)))
    assert any("conv2d" in str(graph.code) for graph in graphs)


def test_any_stage_may_be_compiled(tmp_path, shapes, trained_run):
    """Also a module that does not say what to compile: its results are the same."""
    photos = UntaggedPhotos(shapes, ["val"], num_workers=0)
    found = []
    for callbacks in ([], [Compile(backend="aot_eager")]):
        inference = NetworkInference(str(trained_run / "segment" / "last.ckpt"), scales=[1.0])
        trainer = Trainer(
            default_root_dir=tmp_path, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False, callbacks=callbacks,
        )  # fmt: skip
        found.append(dict(pair for batch in trainer.predict(inference, photos) for pair in batch))
    assert inference.network._compiled_call_impl is not None
    plain, compiled = found
    assert plain.keys() == compiled.keys() == set(shapes.ids("val"))
    assert np.mean([np.mean(plain[name] == compiled[name]) for name in plain]) > 0.999


def test_a_long_epoch_is_saved_in_its_middle(tmp_path, shapes, monkeypatch):
    monkeypatch.setattr("acr_lightning.training.interval_checkpoint.ASK_EVERY", 3)
    fitted(tmp_path, shapes, IntervalCheckpoint(tmp_path / "middle.ckpt", minutes=0))
    state = torch.load(tmp_path / "middle.ckpt", weights_only=True)
    assert state["TaggedCrops"] == {"epoch": 0, "batches": 3}
