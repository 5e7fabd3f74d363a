"""What every method has to do: train its classifier, also on kept maps, and hand it to stage `cam`."""

import copy

import pytest
import torch
from lightning.pytorch import Trainer
from tiny_acr import ADAMW, tiny_classifier

from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.data.frozen_features import FrozenFeatures
from acr_lightning.methods.plain.module import Plain
from acr_lightning.nets.checkpoint import load_network
from acr_lightning.nets.classifier import Classifier
from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.nets.wrapped_classifier import inside
from acr_lightning.training.photos import Photos
from acr_lightning.training.step_seed import StepSeed

KINDS = ("usual", "frozen")


def classifier_of(kind):
    torch.manual_seed(1)
    made = (
        tiny_classifier() if kind == "usual" else FrozenClassifier(4, "test_resnet", output_stride=8, taps=4, width=16)
    )
    torch.nn.init.uniform_(made.classify.weight, -0.05, 0.1)  # so that there is a CAM
    return made


def photos_of(count=2, size=32):
    tags = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0]])[:count]
    return Photos(torch.rand(count, 3, size, size), tags, drawn=torch.rand(count))


def fit(folder, module, data, epochs=1, steps=2):
    trainer = Trainer(
        default_root_dir=folder, max_epochs=epochs, accelerator="cpu", devices=1, logger=False,
        limit_train_batches=steps, enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        callbacks=[StepSeed()],
    )  # fmt: skip
    trainer.fit(module, data)
    trainer.save_checkpoint(folder / "fit" / "last.ckpt")
    return trainer


def data_of(kind, folder, dataset):
    if kind == "frozen":
        return FrozenFeatures(dataset, 32, batch_size=4, cache=str(folder / "features"))
    return TaggedCrops(dataset, 32, (32, 40), batch_size=4, num_workers=0)


def plain_run(kind, folder, dataset):
    """A run of the plain CAM, for methods that begin with one."""
    fit(folder, Plain(classifier_of(kind), ADAMW), data_of(kind, folder, dataset))
    return str(folder)


def check_step(method, photos, slow_losses):
    """Terms and gradients of a method's losses are those of a plain transcription, by the names of the terms."""
    loss, terms = method.losses(photos)
    loss.backward()
    got = {name: one.grad.clone() for name, one in method.classifier.named_parameters() if one.grad is not None}
    other = copy.deepcopy(method)
    other.zero_grad()
    wanted = slow_losses(other, photos)
    for name, value in wanted.items():
        assert terms[name].item() == pytest.approx(value.item(), abs=1e-5), name
    sum(wanted.values()).backward()
    for name, one in other.classifier.named_parameters():
        if one.grad is not None:
            assert torch.allclose(got[name], one.grad, atol=1e-5), name


def trained_and_loaded(kind, folder, dataset, module, epochs=1):
    """Train a method, and load its classifier as stage `cam` does; whether each of its parameters has moved."""
    before = {name: value.clone() for name, value in module.trained().named_parameters() if value.requires_grad}
    trainer = fit(folder, module, data_of(kind, folder, dataset), epochs)
    assert all(value.isfinite() for value in trainer.callback_metrics.values())
    loaded = load_network(folder / "fit" / "last.ckpt", Classifier, "acr fit")
    module.classifier.eval()
    if isinstance(network := inside(module.classifier), FrozenClassifier):
        network.store = None  # kept maps are in half precision
    image = loaded.normalise(torch.rand(1, 3, 40, 48))
    with torch.no_grad():
        cam = loaded.cam(image)
        assert torch.equal(cam, module.classifier.cam(image))
    assert cam.shape[:2] == (1, 4)
    after = dict(module.trained().named_parameters())
    return {name: not torch.equal(after[name], value) for name, value in before.items()}
