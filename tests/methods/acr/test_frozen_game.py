"""The game on kept maps: the same step as on the images, and its schedules."""

from functools import partial

import pytest
import torch
from lightning.pytorch import Trainer
from tiny_acr import ADAMW, tiny_acr

from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.data.frozen_features import FrozenFeatures
from acr_lightning.errors import UserError
from acr_lightning.methods.acr.cu_loss import CUWeights
from acr_lightning.methods.acr.game import Game
from acr_lightning.methods.acr.module import ACR
from acr_lightning.methods.acr.reconstructor import Reconstructor
from acr_lightning.methods.acr.ru_loss import RUWeights
from acr_lightning.methods.acr.srf import SRF
from acr_lightning.methods.acr.step_input import StepInput
from acr_lightning.methods.plain.module import Plain
from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.training.optimisation import OptimizerSettings

REC = partial(Reconstructor, depth=2, width=8, stride=4, taps=[0, 1], side_channels=[4, 8], classify=False)


def frozen_acr(**options):
    torch.manual_seed(0)
    return ACR(FrozenClassifier(4, "test_resnet", taps=3, width=16), REC, srf=SRF(4), optimizer=ADAMW, **options)


def fit(tmp_path, module, data, epochs=1):
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=epochs, accelerator="cpu", devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(module, data)
    return trainer


@pytest.mark.usefixtures("double")
def test_a_step_on_kept_maps_is_the_step_on_images():
    acr = frozen_acr()
    torch.nn.init.uniform_(acr.classifier.classify.weight, 0, 0.1)
    acr.classifier.dropout.p = 0.0
    images, tags, target = torch.rand(2, 3, 32, 32), torch.eye(4)[:2], torch.tensor([0, 1])
    maps = acr.classifier.maps(acr.classifier.normalise(images))
    for step in (acr.reconstructor_update, acr.classifier_update):
        one, two = step(StepInput(images, tags, target=target)), step(StepInput(images, tags, maps, target=target))
        for first, second in zip(one, two, strict=True):
            assert float(first) == pytest.approx(float(second), abs=1e-10)


@pytest.mark.parametrize("make", [frozen_acr, lambda: Plain(FrozenClassifier(4, "test_resnet", taps=3), ADAMW)])
def test_training_on_kept_maps(tmp_path, shapes, make):
    module = make()
    data = FrozenFeatures(shapes, size=32, batch_size=4, cache=str(tmp_path / "features"))
    before = {name: value.clone() for name, value in module.classifier.state_dict().items()}
    fit(tmp_path, module, data)
    after = module.classifier.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in after.items() if name.startswith("backbone"))
    assert not torch.equal(after["classify.weight"], before["classify.weight"])
    assert not torch.equal(after["scale_0"], before["scale_0"])
    (folder,) = (tmp_path / "features").iterdir()
    stamp = (folder / "map_0.npy").stat().st_mtime_ns
    fit(tmp_path, make(), FrozenFeatures(shapes, size=32, batch_size=4, seed=1, cache=str(tmp_path / "features")))
    assert (folder / "map_0.npy").stat().st_mtime_ns == stamp  # another seed shares it


@pytest.mark.parametrize(
    ("name", "content"),
    [("index.json", b""), ("index.json", b'{"ids": [], "size": 32, "deviations": []}'), ("index.json", None),
     ("map_0.npy", b"\x93NUMPY"), ("images.npy", None)],
)  # fmt: skip
def test_damaged_maps_are_made_again(tmp_path, shapes, name, content):
    classifier = FrozenClassifier(4, "test_resnet", taps=3).eval()
    data = FrozenFeatures(shapes, size=32, batch_size=4, cache=str(tmp_path / "features"))
    data.prepare(classifier, torch.device("cpu"), make=True)
    (folder,) = (tmp_path / "features").iterdir()
    before = (folder / name).read_bytes()
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    again = data.prepare(classifier, torch.device("cpu"), make=True)
    assert again.images.shape == (16, 32, 32, 3)
    assert (folder / name).read_bytes() == before


def test_kept_maps_want_a_frozen_backbone(tmp_path, shapes):
    data = FrozenFeatures(shapes, size=32, batch_size=4, cache=str(tmp_path / "features"))
    with pytest.raises(UserError, match="FrozenClassifier has one"):
        fit(tmp_path, tiny_acr(), data)


def test_kept_maps_are_no_food_for_another_encoder(tmp_path, shapes):
    data = FrozenFeatures(shapes, size=32, batch_size=4, cache=str(tmp_path / "features"))
    with pytest.raises(UserError, match=r"set model\.encoder to null"):
        fit(tmp_path, frozen_acr(encoder=FrozenClassifier(4, "test_resnet", taps=3, width=16)), data)


def test_each_phase_has_its_schedule(tmp_path, shapes):
    acr = tiny_acr(
        depth=2, classifier_epochs=1, reconstructor_epochs=1, game=Game(lr_factor=3.0),
        reconstructor_optimizer=OptimizerSettings("adamw", lr=0.01, new_layer_factor=1.0),
    )  # fmt: skip
    rates = []

    acr.on_train_batch_start = lambda batch, index: rates.append([o.param_groups[0]["lr"] for o in acr.optimizers()])
    fit(tmp_path, acr, TaggedCrops(shapes, 32, (32, 40), batch_size=4, num_workers=0), epochs=4)
    assert len(rates) == 16
    falls = [(1 - step / 4) ** 0.9 for step in range(4)]
    assert [one for one, _ in rates[:4]] == pytest.approx([1e-3 * fall for fall in falls])
    assert [one for one, _ in rates[8:]] == pytest.approx([3e-3 * (1 - step / 8) ** 0.9 for step in range(8)])
    assert [two for _, two in rates[4:]] == pytest.approx([1e-2 * (1 - step / 12) ** 0.9 for step in range(12)])


def test_each_phase_begins_with_a_fresh_optimiser(tmp_path, shapes):
    """AdamW's first step is one learning rate long, whatever came before."""
    acr = tiny_acr(depth=2, classifier_epochs=1, reconstructor_epochs=1)
    steps = []

    def counted(batch, index):
        state = acr.optimizers()[0].optimizer.state
        steps.append(int(next(iter(state.values()))["step"]) if state else 0)

    acr.on_train_batch_start = counted
    fit(tmp_path, acr, TaggedCrops(shapes, 32, (32, 40), batch_size=4, num_workers=0), epochs=3)
    assert steps == [0, 1, 2, 3, 4, 4, 4, 4, 4, 1, 2, 3]


def test_the_control_trains_as_often_and_as_fast_as_the_game(tmp_path, shapes):
    """With weights of 0 the game is the control, bit by bit."""
    states = []
    for options in ({"strategy": "baseline"}, {"cu": CUWeights(0.0, 0.0), "ru": RUWeights(0.0, 0.0, 0.0)}):
        acr = frozen_acr(classifier_epochs=1, reconstructor_epochs=1, game=Game(lr_factor=2.0), **options)
        acr.classifier.dropout.p = 0.0
        fit(tmp_path, acr, FrozenFeatures(shapes, 32, batch_size=4, cache=str(tmp_path / "features")), epochs=3)
        states.append(acr.classifier.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
