"""SIPE against a slow transcription."""

import copy
from dataclasses import replace

import pytest
import torch
from method_training import KINDS, classifier_of, photos_of, trained_and_loaded
from tiny_acr import ADAMW, HALVES
from torch.nn import functional as F

from acr_lightning.cam.prototypes import seeds
from acr_lightning.methods.sipe.module import SIPE
from acr_lightning.nets.checkpoint import load_network
from acr_lightning.nets.classifier import Classifier


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", KINDS)
def test_the_step_is_a_plain_transcription(kind):
    valid = torch.ones(2, 32, 32, dtype=torch.bool)
    valid[0, :, 24:] = False
    sipe, photos = SIPE(classifier_of(kind).eval()), replace(photos_of(), valid=valid)
    loss, terms = sipe.losses(photos)
    loss.backward()
    got = {name: one.grad.clone() for name, one in sipe.classifier.named_parameters() if one.grad is not None}
    other = copy.deepcopy(sipe.classifier)
    other.zero_grad()
    cells, features = other.classifier.embed(photos.seen_by(other))
    logits = other.classifier.classify(cells)
    mask = torch.cat([torch.ones(2, 1), photos.tags], dim=1)[:, :, None, None].repeat(1, 1, *logits.shape[2:])
    mask[0, :, :, logits.shape[-1] * 3 // 4 :] = 0
    n = F.relu(logits) / (F.relu(logits).amax(dim=(2, 3), keepdim=True) + 1e-5)
    n = torch.cat([1 - n.max(dim=1, keepdim=True).values, n], dim=1) * mask
    h = []
    for side, one in zip(other.sides, features, strict=True):
        v = torch.einsum("od,bdhw->bohw", side.weight[:, :, 0, 0], one.detach())
        h.append(F.interpolate(v / (v.pow(2).sum(1, keepdim=True).sqrt() + 1e-5), logits.shape[2:], mode="bilinear"))
    h = torch.cat(h, dim=1)
    found = seeds(n.detach(), cells.detach(), mask)  # which has a test of its own
    p = (found.unsqueeze(2) * h.unsqueeze(1)).mean(dim=(3, 4))
    i = F.relu(F.cosine_similarity(p[:, :, :, None, None], h.unsqueeze(1), dim=2))
    i = i / (i.amax(dim=(2, 3), keepdim=True) + 1e-5)
    wanted = {
        "classification": F.multilabel_soft_margin_loss(logits.mean(dim=(2, 3)), photos.tags),
        "consistency": (n - i).abs().mean(),
    }
    for name, value in wanted.items():
        assert terms[name].item() == pytest.approx(value.item(), abs=1e-10), name
    sum(wanted.values()).backward()
    for name, one in other.named_parameters():
        if one.grad is not None:
            assert torch.allclose(got[name], one.grad, atol=1e-10), name


def test_who_learns_from_what():
    sipe = SIPE(classifier_of("usual"))
    features = [torch.rand(1, channels, 4, 4, requires_grad=True) for channels in sipe.classifier.classifier.channels]
    sum(one.sum() for one in sipe.classifier.sides_of(features)).backward()
    assert all(one.grad is None for one in features)
    assert all(side.weight.grad is not None for side in sipe.classifier.sides)


@pytest.mark.parametrize("kind", KINDS)
def test_its_classifier_is_read_by_what_it_has_learned_to_compare(kind, tmp_path, shapes):
    sipe = SIPE(classifier_of(kind), optimizer=ADAMW, step=HALVES)
    assert all(trained_and_loaded(kind, tmp_path, shapes, sipe).values())
    net = load_network(tmp_path / "fit" / "last.ckpt", Classifier, "acr fit")
    image = net.normalise(torch.rand(1, 3, 40, 48))
    with torch.no_grad():
        inner, output = net.classifier(image), net(image)
        wanted = [side(one) for side, one in zip(net.sides, inner.features, strict=True)]
        for features in (output.features, net.features(image)):
            assert all(torch.equal(one, two) for one, two in zip(features, wanted, strict=True))
        assert torch.equal(output.cam_logits, inner.cam_logits)
