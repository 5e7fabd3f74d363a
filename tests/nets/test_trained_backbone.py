"""A network starts from the backbone that a run's classifier trained."""

import pytest
import torch
from test_checkpoint import saved

from acr_lightning.errors import UserError
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.classifier import CamClassifier
from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.nets.refined_cam import RefinedCam


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext"])
@pytest.mark.parametrize("wrapped", [False, True])
@torch.no_grad()
def test_maps_are_those_of_the_runs_backbone(tmp_path, name, wrapped):
    trained = CamClassifier(3, name, width=8).eval()
    (tmp_path / "run" / "fit").mkdir(parents=True)
    path = saved(RefinedCam(trained) if wrapped else trained, tmp_path / "run" / "fit" / "last.ckpt")
    image = torch.randn(1, 3, 64, 64)
    for source in (path, tmp_path / "run"):
        started = FrozenClassifier(3, name, str(source), taps=3).eval()
        for ours, theirs in zip(started.maps(image), trained.backbone(image), strict=True):
            assert torch.equal(ours, theirs)
    # An affinity or segmentation network has no use for the head's own convolution.
    assert torch.equal(Backbone(name, str(path)).eval()(image).early, trained.backbone(image).early)


def test_kept_maps_are_named_by_the_weights_not_by_where_they_lie(tmp_path):
    networks = [CamClassifier(3, "test_resnet", width=8) for _ in range(2)]
    one, two = (saved(network, tmp_path / f"{at}.ckpt") for at, network in enumerate(networks))
    copy = saved(networks[0], tmp_path / "copy.ckpt")
    sources = [FrozenClassifier(3, "test_resnet", str(path)).digest() for path in (one, copy, two)]
    assert sources[0] == sources[1] != sources[2]


def test_another_backbone_is_refused(tmp_path):
    path = saved(CamClassifier(3, "test_efficientnet", width=8), tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="another backbone"):
        Backbone("test_resnet", str(path))


def test_a_run_without_a_classifier_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such checkpoint; run `acr fit` first"):
        Backbone("test_resnet", str(tmp_path))
    with pytest.raises(UserError, match="no such checkpoint"):
        Backbone("test_resnet", str(tmp_path / "lost.ckpt"))
