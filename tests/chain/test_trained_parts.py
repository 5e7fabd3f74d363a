"""At which rates the affinity and the segmentation network learn, by hand: those of their presets, step by step."""

import pytest
from lightning.pytorch import Callback
from torch import nn

from acr_lightning.affinity.learner import AffinityLearner
from acr_lightning.chain import experiment_file
from acr_lightning.chain.trainer_section import build
from acr_lightning.stages.chain import CHAIN
from acr_lightning.training.optimisation import OptimizerSettings

STEPS = 4


class Rates(Callback):
    """The rate, weight decay and momentum of every parameter, before each step."""

    def __init__(self):
        self.by_step = []

    def on_train_batch_start(self, trainer, pl_module, *_):
        (optimizer,) = trainer.optimizers
        names = {id(one): name for name, one in pl_module.network.named_parameters()}
        self.by_step.append(
            {
                names[id(one)]: (group["lr"], group["weight_decay"], group["momentum"])
                for group in optimizer.param_groups
                for one in group["params"]
            }
        )


@pytest.mark.parametrize(
    ("stage", "preset", "changed", "lr", "new", "momentum", "decay"),
    [
        ("segment", "none", {}, 2.5e-4, 10, 0.9, 5e-4),
        ("segment", "deeplabv1_resnet38d", {}, 1e-3, 10, 0.9, 5e-4),
        ("segment", "deeplabv2_resnet101", {}, 2.5e-4, 10, 0.9, 5e-4),
        ("segment", "coco", {}, 2e-4, 10, 0.9, 5e-4),
        ("segment", "none", {"momentum": 0.8}, 2.5e-4, 10, 0.8, 5e-4),
        ("affinity_train", "psa", {}, 0.1, 10, 5e-4, 5e-4),
        ("affinity_train", "irn", {}, 0.1, 1, 1e-4, 1e-4),
        ("affinity_train", "rib", {}, 0.1, 1, 1e-4, 1e-4),
        ("affinity_train", "psa", {"lr": 0.01}, 0.01, 10, 5e-4, 5e-4),
    ],
)
def test_first_steps(stage, preset, changed, lr, new, momentum, decay, shapes_root, tmp_path):
    shapes = {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    values = {
        "run": str(tmp_path), stage.removesuffix("_train"): preset,
        "dataset": {"class_path": "Shapes", "init_args": shapes},
        f"{stage}.model.backbone": "test_resnet", f"{stage}.model.weights": None,
        f"{stage}.data": {"labels": "masks", "crop": 32, "batch_size": 4, "num_workers": 0},
        f"{stage}.trainer.max_epochs": 1, f"{stage}.trainer.logger": False, f"{stage}.trainer.accelerator": "cpu",
        f"{stage}.trainer.devices": 1,
        **{f"{stage}.model.optimizer.{key}": value for key, value in changed.items()},
    }  # fmt: skip
    rates = Rates()
    parts = build(experiment_file.load(CHAIN, None, values).section(stage), stage, [rates])
    network = parts.model.network
    norms = [part for part in network.backbone.modules() if isinstance(part, nn.BatchNorm2d)]
    frozen = {id(one) for norm in norms for one in norm.parameters()}
    twice = 1 if preset in ("irn", "rib") else 2
    if preset in ("irn", "rib"):  # published so
        frozen |= {id(one) for one in network.backbone.parameters()}
    parts.trainer.fit(parts.model, parts.data)
    assert len(rates.by_step) == STEPS
    for step, seen in enumerate(rates.by_step):
        wanted = {}
        for name, one in network.named_parameters():
            rate = lr * (1 - step / STEPS) ** 0.9 * (1 if name.startswith("backbone.") else new)
            bias = name.endswith("bias")
            if id(one) not in frozen:
                wanted[name] = pytest.approx((rate * (twice if bias else 1), 0.0 if bias else decay, momentum))
        assert seen == wanted


def test_the_affinity_networks_own_rates_are_psas():
    settings = AffinityLearner(backbone="test_resnet").optimizer_settings
    assert settings == OptimizerSettings("sgd", 0.1, 10.0, momentum=5e-4, weight_decay=5e-4, bias_factor=2.0)
