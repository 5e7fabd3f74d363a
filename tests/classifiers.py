"""Every kind of classifier, tiny where it can be, by the number of its classes; and a checkpoint of one."""

import torch
from tiny_acr import tiny_classifier

from acr_lightning.methods.cpn.region_cam import RegionCam
from acr_lightning.methods.recam.reactivated import ReactivatedCam
from acr_lightning.methods.sipe.prototype_cam import PrototypeCam
from acr_lightning.nets.checkpoint import describe_in
from acr_lightning.nets.classifier import CamClassifier
from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.nets.refined_cam import RefinedCam
from acr_lightning.nets.wrapped_classifier import WrappedClassifier

CLASSIFIERS = {
    "cnn": tiny_classifier,
    "one convolution": lambda num_classes: tiny_classifier(num_classes, width=None, taps=4),
    "wrapped": lambda num_classes: WrappedClassifier(tiny_classifier(num_classes)),
    "resnet38d": lambda num_classes: CamClassifier(num_classes, "resnet38d"),
    "frozen": lambda num_classes: FrozenClassifier(num_classes, "test_resnet", taps=3, width=16),
    "CPN's": lambda num_classes: RegionCam(tiny_classifier(num_classes)),
    "ReCAM's": lambda num_classes: ReactivatedCam(tiny_classifier(num_classes)),
    "SEAM's and PPC's": lambda num_classes: RefinedCam(tiny_classifier(num_classes)),
    "SIPE's": lambda num_classes: PrototypeCam(tiny_classifier(num_classes, taps=4)),
}


def checkpoint_of(classifier, folder):
    """As stage `fit` leaves it; its path."""
    checkpoint = {"state_dict": {f"c.{name}": value for name, value in classifier.state_dict().items()}}
    describe_in(checkpoint, classifier, "c")
    torch.save(checkpoint, folder / "last.ckpt")
    return str(folder / "last.ckpt")
