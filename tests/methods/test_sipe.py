"""SIPE against a slow transcription."""

import copy
from dataclasses import replace

import pytest
import torch
from method_training import KINDS, classifier_of, photos_of, plain_run, trained_and_loaded
from tiny_acr import ADAMW
from torch.nn import functional as F

import acr_lightning.methods.sipe.prototypes as prototypes
from acr_lightning.errors import UserError
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.methods.sipe.inference import PrototypeInference
from acr_lightning.methods.sipe.module import SIPE
from acr_lightning.methods.sipe.prototypes import prototype_maps, seeds, with_background


def cosine(a, b):
    return max(0.0, (a @ b / (a.norm() * b.norm())).item())


def slow_seeds(maps, vectors, mask):
    """One photo, cell by cell: `[C, h, w]`, `[D, h, w]`, `[C, h, w]`."""
    c, h, w = maps.shape
    flat, cells = maps.reshape(c, -1), vectors.flatten(1).T
    made = torch.zeros(c, h * w)
    for i in range(h * w):
        alike = [cosine(cells[i], cells[j]) for j in range(h * w)]
        scores = []
        for k in range(c):
            shared = sum(alike[j] * flat[k, j].item() for j in range(h * w))
            scores.append(shared / (sum(alike) + flat[k].sum().item() - shared) * (0.5 if k == 0 else 1))
        best = scores.index(max(scores))
        made[best, i] = mask.expand_as(maps).reshape(c, -1)[best, i]
    return made.view(c, h, w)


@pytest.fixture
def made():
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(2, 3, 4, 5, generator=generator)
    mask = torch.tensor([[1.0, 1, 0, 1], [1, 0, 1, 0]])[:, :, None, None].repeat(1, 1, 4, 5)
    mask[0, :, :, 4] = 0
    return logits, torch.randn(2, 6, 4, 5, generator=generator), mask


@pytest.mark.usefixtures("double")
def test_the_maps_with_background(made):
    logits, _, mask = made
    got = with_background(logits, mask)
    for b in range(2):
        for i in range(4):
            for j in range(5):
                values = [max(0, logits[b, k, i, j].item()) / (logits[b, k].max().clamp(min=0).item() + 1e-5)
                          for k in range(3)]  # fmt: skip
                wanted = torch.tensor([1 - max(values), *values]) * mask[b, :, i, j]
                assert torch.allclose(got[b, :, i, j], wanted, atol=1e-10)


@pytest.mark.usefixtures("double")
def test_seeds_cell_by_cell(made, monkeypatch):
    monkeypatch.setattr(prototypes, "COLUMNS", 7)
    logits, vectors, mask = made
    maps = with_background(logits, mask)
    got = seeds(maps, vectors, mask)
    assert torch.equal(got, torch.stack([slow_seeds(*one) for one in zip(maps, vectors, mask, strict=True)]))
    assert 0 < got[:, 1:].sum() < mask.sum()


@pytest.mark.usefixtures("double")
def test_prototypes_cell_by_cell(made):
    logits, vectors, mask = made
    found = seeds(with_background(logits, mask), vectors, mask)
    got = prototype_maps(found, vectors)
    for b in range(2):
        for c in range(4):
            prototype = (found[b, c] * vectors[b]).mean(dim=(1, 2))
            for i in range(4):
                for j in range(5):
                    wanted = cosine(prototype, vectors[b, :, i, j]) if prototype.norm() > 0 else 0
                    assert got[b, c, i, j].item() == pytest.approx(wanted, abs=1e-10)


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


def test_who_learns_from_what(made):
    sipe = SIPE(classifier_of("usual"))
    features = [torch.rand(1, channels, 4, 4, requires_grad=True) for channels in sipe.classifier.channels]
    sipe.classifier.vectors(features, (4, 4)).sum().backward()
    assert all(one.grad is None for one in features)
    assert all(side.weight.grad is not None for side in sipe.classifier.sides)


@pytest.mark.parametrize("kind", KINDS)
def test_training_and_inference(kind, tmp_path, shapes):
    sipe = SIPE(classifier_of(kind), ADAMW, micro_batches=2)
    assert all(trained_and_loaded(kind, tmp_path, shapes, sipe).values())
    checkpoint = str(tmp_path / "fit" / "last.ckpt")
    inference = PrototypeInference(checkpoint, scales=[0.5, 1.0])
    image, other = torch.rand(3, 40, 48), torch.rand(3, 40, 48)
    tags = torch.tensor([1.0, 0, 1, 0])
    samples = [
        {"id": "a", "image": image, "tags": tags}, {"id": "b", "image": other, "tags": torch.zeros(4)},
    ]  # fmt: skip
    with torch.no_grad():
        (_, classes, scores), (_, none, nothing) = inference.predict_step(samples, 0)
        net, total = inference.classifier, 0
        seen = net.normalise(image[None])
        for scale in (0.5, 1.0):
            view = F.interpolate(seen, scale_factor=scale, mode="bilinear", antialias=True)
            both = []
            for at, one in enumerate((view, view.flip(-1))):
                output = net(one)
                maps = (output.cam_logits, net.vectors(output.features, output.cam_logits.shape[2:]))
                both.append([m.flip(-1) if at else m for m in maps])
            logits, vectors = both[0][0] + both[1][0], both[0][1] + both[1][1]
            mask = torch.cat([torch.ones(1), tags])[None, :, None, None]
            i = prototype_maps(seeds(with_background(logits, mask), vectors, mask), vectors)
            total = total + F.interpolate(i, (40, 48), mode="bilinear")
    total = (total / (total.amax(dim=(2, 3), keepdim=True) + 1e-5))[0]
    wanted = total[[0, 1, 3]].argmax(dim=0)
    label = pseudo_label(None, classes.numpy(), scores.numpy(), threshold=0.5)
    agree = torch.from_numpy(label) == torch.tensor([0, 1, 3])[wanted]
    assert agree.float().mean() > 0.999
    assert none.shape == (0,)
    assert nothing.shape == (0, 40, 48)
    sizes, net.multiple = [], 16
    net.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape[-2:])))
    with torch.no_grad():
        inference.predict_step(samples, 0)
    assert sizes == [(16, 32), (32, 48)]  # the nearest multiples


def test_another_methods_checkpoint_is_refused(tmp_path, shapes):
    with pytest.raises(UserError, match="not made by SIPE"):
        PrototypeInference(plain_run("usual", tmp_path, shapes) + "/fit/last.ckpt")
