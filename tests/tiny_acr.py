"""ACR with networks of a few thousand weights."""

from functools import partial
from typing import Any

from torch import nn

from acr_lightning.methods.acr.module import ACR
from acr_lightning.methods.acr.reconstructor import Reconstructor
from acr_lightning.methods.acr.srf import SRF
from acr_lightning.nets.classifier import CamClassifier
from acr_lightning.training.alternating import StepSettings
from acr_lightning.training.optimisation import OptimizerSettings

ADAMW = OptimizerSettings("adamw", lr=1e-3, new_layer_factor=1.0)
HALVES = StepSettings(micro_batches=2)


def tiny_classifier(num_classes: int = 4, **options: Any) -> CamClassifier:
    classifier = CamClassifier(num_classes, "test_resnet", output_stride=8, **options)
    for norm in classifier.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.ones_(norm.weight)  # timm ends a block with 0, and behind a frozen 0 nothing learns
    return classifier


def tiny_acr(
    num_classes: int = 4,
    freeze_batchnorm: bool = True,
    depth: int = 3,
    stride: int = 2,
    kind: type[ACR] = ACR,
    reconstructor: type[Reconstructor] = Reconstructor,
    **options: Any,
) -> ACR:
    options = {"srf": SRF(4), "optimizer": ADAMW, **options}
    return kind(
        tiny_classifier(num_classes, freeze_batchnorm=freeze_batchnorm),
        partial(reconstructor, depth=depth, width=8, stride=stride),
        **options,
    )
