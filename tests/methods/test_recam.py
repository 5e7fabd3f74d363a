"""ReCAM against a slow transcription."""

import copy
import math

import pytest
import torch
from method_training import KINDS, classifier_of, photos_of, plain_run, trained_and_loaded
from tiny_acr import ADAMW, HALVES
from torch.nn import functional as F

from acr_lightning.methods.recam.loss import class_features, reactivation_loss
from acr_lightning.methods.recam.module import ReCAM


@pytest.mark.usefixtures("double")
def test_class_features_are_those_of_the_big_tensor():
    """The release multiplies every class's CAM with every channel."""
    cam_logits, cells = torch.randn(2, 3, 4, 5, requires_grad=True), torch.randn(2, 6, 4, 5, requires_grad=True)
    got = class_features(cam_logits, cells)
    got.square().sum().backward()
    found = [one.grad.clone() for one in (cam_logits, cells)]
    cam_logits.grad = cells.grad = None
    positive = cam_logits.clamp(min=0)
    stretched = positive / (positive.flatten(2).max(dim=2).values[:, :, None, None] + 1e-5)
    big = (stretched.unsqueeze(2) * cells.unsqueeze(1)).mean(dim=(3, 4))
    assert torch.allclose(got, big, atol=1e-10)
    big.square().sum().backward()
    for one, wanted in zip(found, (cam_logits.grad, cells.grad), strict=True):
        assert torch.allclose(one, wanted, atol=1e-10)


@pytest.mark.usefixtures("double")
def test_the_loss_by_hand():
    logits = torch.randn(3, 3, 3)
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0], [0, 0, 0]])
    total = 0.0
    for b, tagged in enumerate(([0, 2], [1], [])):
        for k in tagged:
            row = [math.exp(value) for value in logits[b, k].tolist()]
            total -= math.log(row[k] / sum(row)) / len(tagged)
    assert reactivation_loss(logits, tags).item() == pytest.approx(total / 3, abs=1e-10)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", KINDS)
def test_the_step_is_a_plain_transcription(kind):
    method, photos = ReCAM(classifier_of(kind).eval(), weight=0.1), photos_of()
    loss, terms = method.losses(photos)
    loss.backward()
    got = {name: one.grad for name, one in method.classifier.named_parameters() if one.grad is not None}
    other = copy.deepcopy(method.classifier)
    other.zero_grad()
    cells, _ = other.classifier.embed(photos.seen_by(other))
    cam = other.classifier.classify(cells)
    wanted = F.multilabel_soft_margin_loss(cam.mean(dim=(2, 3)), photos.tags)
    assert terms["classification"].item() == pytest.approx(wanted.item(), abs=1e-10)
    for b in range(2):
        tagged = [k for k in range(4) if photos.tags[b, k] == 1]
        for k in tagged:
            one = cam[b, k].clamp(min=0)
            pooled = (one / (one.max() + 1e-5) * cells[b]).mean(dim=(1, 2))
            row = other.recognise.weight @ pooled
            wanted = wanted + 0.1 * F.cross_entropy(row[None], torch.tensor([k])) / len(tagged) / 2
    wanted.backward()
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-10)
    for name, one in other.named_parameters():
        if one.grad is not None:
            assert torch.allclose(got[name], one.grad, atol=1e-10), name


@pytest.mark.usefixtures("double")
def test_the_cam_is_that_of_the_folded_weights():
    method = ReCAM(classifier_of("usual"))
    folded = copy.deepcopy(method.classifier.classifier)
    folded.classify.weight.data *= method.classifier.recognise.weight[:, :, None, None]
    image = torch.rand(1, 3, 32, 40)
    assert torch.allclose(method.classifier.cam(image), folded(image).cam_logits, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_training(kind, tmp_path, shapes):
    initial = plain_run(kind, tmp_path / "plain", shapes)
    method = ReCAM(classifier_of(kind), initial=initial, optimizer=ADAMW, step=HALVES)
    assert all(trained_and_loaded(kind, tmp_path / "recam", shapes, method).values())


def test_features_of_many_cells_stay_in_the_range_of_half_precision():
    """1024 cells of 70 sum to more than it holds."""
    with torch.autocast("cpu", torch.float16):
        features = class_features(torch.ones(1, 2, 32, 32), torch.full((1, 3, 32, 32), 70.0))
    assert torch.allclose(features, torch.tensor(70.0), rtol=1e-3)
