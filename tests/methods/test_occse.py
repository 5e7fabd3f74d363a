"""OC-CSE against a slow transcription."""

import copy
import math

import pytest
import torch
from method_training import KINDS, classifier_of, photos_of, plain_run, trained_and_loaded
from tiny_acr import ADAMW, HALVES
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.methods.occse.loss import Erasing, erasing_mask, tags_without
from acr_lightning.methods.occse.module import OCCSE


def bce(logits, tags):
    total = 0.0
    for b in range(len(tags)):
        for k in range(tags.shape[1]):
            probability = 1 / (1 + math.exp(-logits[b, k].item()))
            total -= math.log(probability if tags[b, k] == 1 else 1 - probability)
    return total / tags.numel()


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("largest_of", ["photo", "batch"])
def test_the_mask_by_hand(largest_of):
    logits = torch.tensor([[[[-2.0, 4.0]], [[9.0, 9.0]]], [[[9.0, 9.0]], [[1.0, 2.0]]]])
    got = erasing_mask(logits, torch.tensor([0, 1]), (1, 2), largest_of)
    own = 2 if largest_of == "photo" else 4
    assert torch.allclose(got[:, 0, 0], torch.tensor([[0, 1.0], [1 / own, 2 / own]]), atol=1e-10)


def test_tags_without_one():
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    assert tags_without(tags, torch.tensor([2, 1])).tolist() == [[1, 0, 0], [0, 0, 0]]
    assert tags.sum() == 3
    assert Erasing().weight(0) == 0.3
    assert Erasing().weight(4) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_step_is_a_plain_transcription(kind, tmp_path, shapes):
    method = OCCSE(classifier_of(kind).eval(), plain_run(kind, tmp_path, shapes), Erasing(largest_of="batch"))
    method._fabric, photos = None, photos_of()
    method.trainer = type("T", (), {"current_epoch": 2})
    loss, terms = method.losses(photos)
    loss.backward()
    got = {name: one.grad.clone() for name, one in method.classifier.named_parameters() if one.grad is not None}
    assert all(one.grad is None for one in method.ordinary.parameters())
    assert not method.ordinary.training

    G, C = copy.deepcopy(method.classifier), method.ordinary
    G.zero_grad()
    output, x = G(G.normalise(photos.image)), C.normalise(photos.image)
    large = F.interpolate(output.cam_logits, x.shape[-2:], mode="bilinear")
    erased, left, chosen = [], photos.tags.clone(), []
    for b in range(2):
        tagged = [k for k in range(4) if photos.tags[b, k] == 1]
        chosen.append(tagged[int(photos.drawn[b] * len(tagged))])
        left[b, chosen[b]] = 0
    top = max(large[b, chosen[b]].clamp(min=0).max() for b in range(2))
    for b in range(2):
        erased.append(x[b] * (1 - large[b, chosen[b]].clamp(min=0) / (top + 1e-5)))
    judged = C(torch.stack(erased)).class_logits
    assert terms["whole"].item() == pytest.approx(bce(output.class_logits, photos.tags), abs=1e-5)
    assert terms["erased"].item() == pytest.approx(bce(judged, left), abs=1e-5)
    wanted = F.binary_cross_entropy_with_logits(output.class_logits, photos.tags)
    (wanted + 0.4 * F.binary_cross_entropy_with_logits(judged, left)).backward()
    assert loss.item() == pytest.approx(terms["whole"].item() + 0.4 * terms["erased"].item(), abs=1e-6)
    for name, one in G.named_parameters():
        if one.grad is not None:
            assert torch.allclose(got[name], one.grad, atol=1e-6), name


@pytest.mark.parametrize("largest_of", ["photo", "batch"])
def test_nothing_is_erased_of_a_photo_without_tags(largest_of, tmp_path, shapes):
    """Nor does its CAM say, as the largest of the batch, how much of another photo is erased."""
    method = OCCSE(classifier_of("usual").eval(), plain_run("usual", tmp_path, shapes), Erasing(largest_of=largest_of))
    method._fabric, photos, seen = None, photos_of(), []
    method.trainer = type("T", (), {"current_epoch": 2})
    method.ordinary.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    photos.tags[1] = 0
    strengths = torch.tensor([1.0, 10])[:, None, None, None]
    method.classifier.register_forward_hook(
        lambda _, inputs, output: output._replace(cam_logits=output.cam_logits * strengths[: len(inputs[0])])
    )
    method.losses(photos)
    method.losses(photos.split(1)[0])
    both, tagged = seen
    image = method.ordinary.normalise(photos.image)
    assert torch.equal(both[1], image[1])
    assert torch.allclose(both[:1], tagged, atol=1e-5)
    assert not torch.allclose(both[0], image[0], atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_training(kind, tmp_path, shapes):
    method = OCCSE(classifier_of(kind), plain_run(kind, tmp_path / "plain", shapes), optimizer=ADAMW, step=HALVES)
    before = copy.deepcopy(method.ordinary.state_dict())
    assert all(trained_and_loaded(kind, tmp_path / "occse", shapes, method, epochs=2).values())
    assert all(torch.equal(value, before[name]) for name, value in method.ordinary.state_dict().items())


def test_the_ordinary_classifier_must_be_there(tmp_path):
    with pytest.raises(UserError, match="run `acr fit` first"):
        OCCSE(classifier_of("usual"), str(tmp_path))
