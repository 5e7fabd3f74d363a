"""PPC against a slow transcription, cell by cell."""

import copy
from math import ceil, floor

import pytest
import torch
from method_training import KINDS, classifier_of, photos_of, trained_and_loaded
from tiny_acr import ADAMW, HALVES
from torch.nn import functional as F

from acr_lightning.methods.ppc.cells import Cells, Prototypes
from acr_lightning.methods.ppc.contrast import Contrast, contrast, sampled, semi_hard
from acr_lightning.methods.ppc.module import PPC
from acr_lightning.methods.seam.module import SEAM
from acr_lightning.training.step_seed import photo_generators

# Its prototypes are of four cells: two of one weight would be equally like their mean.
SMALL = Contrast(grid=6, width=8)


def norm(p):
    low, high = p.min(), p.max()
    return (p.clamp(min=0) - low.clamp(min=0) - 1e-5).clamp(min=0) / (high.clamp(min=0) - low.clamp(min=0) + 1e-5)


def slow_cells(projected, spread, tags, settings):
    """Of each photo, in rows: vectors, scores and labels."""
    size = (settings.grid, settings.grid)
    vectors, scores, labels = [], [], []
    down = lambda maps: F.interpolate(maps, size, mode="bilinear", align_corners=True)  # noqa: E731
    for v, c, y in zip(down(projected), down(spread.detach()), tags, strict=True):
        maps = [norm(c[k + 1]) if y[k] else torch.zeros(size) for k in range(len(y))]
        for i in range(settings.grid):
            for j in range(settings.grid):
                values = [float(one[i, j]) for one in maps]
                vectors.append(v[:, i, j] / v[:, i, j].norm().clamp(min=1e-12))
                scores.append([1 - max(values), *values])
                labels.append(max(range(len(values) + 1), key=lambda k: [settings.background, *values][k]))
    return torch.stack(vectors), scores, labels


def slow_prototypes(vectors, scores, count):
    """By class; None where no cell has any of it."""
    made = []
    for k in range(len(scores[0])):
        most = sorted(range(len(scores)), key=lambda n: -scores[n][k])[:count]
        total = sum(scores[n][k] * vectors[n].detach() for n in most)
        made.append(total / total.norm() if sum(scores[n][k] for n in most) > 0 else None)
    return made


def slow_f(v, label, prototypes, others):
    own = torch.exp(v @ prototypes[label] / 0.1)
    return -torch.log(own / (own + sum(torch.exp(v @ prototypes[k] / 0.1) for k in others)))


def slow_mean(vectors, labels, prototypes):
    known = [k for k, one in enumerate(prototypes) if one is not None]
    each = [
        slow_f(v, label, prototypes, [k for k in known if k != label])
        for v, label in zip(vectors, labels, strict=True)
        if label in known
    ]
    return sum(each) / len(each)


def slow_intra(vectors, labels, prototypes, noise):
    """As the release samples: each label's random half, then as many of its hardest but for the first tenth."""
    means = []
    for label in sorted(set(labels)):
        at = [n for n, one in enumerate(labels) if one == label]
        half, most = len(at) // 2, int(len(at) * 0.6)
        hardest = sorted(at, key=lambda n: float(vectors[n].detach() @ prototypes[label]))[:most]
        each = []
        for n in sorted(at, key=lambda n: float(noise[n]))[:half] + hardest[most - half :]:
            others = [k for k, one in enumerate(prototypes) if one is not None and k != label]
            others.sort(key=lambda k: -float(vectors[n].detach() @ prototypes[k]))
            kept = others[floor(0.15 * len(others)) : ceil(0.65 * len(others))]
            each.append(slow_f(vectors[n], label, prototypes, kept))
        means.append(sum(each) / len(each) if each else 0)
    return sum(means) / len(means)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", KINDS)
def test_the_step_is_a_plain_transcription(kind):
    ppc, photos = PPC(classifier_of(kind).eval(), smaller=0.5, contrast=SMALL), photos_of(4, 96)
    photos.image = torch.rand(4, 3, 6, 6).repeat_interleave(16, 2).repeat_interleave(16, 3)  # so that cells differ
    loss, terms = ppc.losses(photos)
    loss.backward()
    got = {name: one.grad.clone() for name, one in ppc.named_parameters() if one.grad is not None}

    other = copy.deepcopy(ppc)
    other.zero_grad()
    seam = SEAM(classifier_of(kind), smaller=0.5)
    seam.classifier = other.classifier
    wanted, as_seam = seam.losses(photos)
    net, views = other.classifier, []
    image = net.normalise(photos.image)
    for view in (image, F.interpolate(image, (48, 48), mode="bilinear", align_corners=True)):
        embedded, _ = net.classifier.embed(view)
        spread = net.refined(view, net(view))
        spread = F.interpolate(spread, view.shape[-2:], mode="bilinear", align_corners=True)
        projected = torch.einsum("dc,bchw->bdhw", other.projection.weight[:, :, 0, 0], embedded).clamp(min=0)
        views.append(slow_cells(projected, spread, photos.tags, SMALL))
    (v1, s1, y1), (v2, s2, y2) = views
    p1, p2 = slow_prototypes(v1, s1, 4), slow_prototypes(v2, s2, 4)
    noise = torch.cat([torch.rand(36, generator=one) for one in photo_generators(photos.drawn)])
    more = {
        "cross_prototype": (slow_mean(v1, y1, p2) + slow_mean(v2, y2, p1)) / 2,
        "cross_label": (slow_mean(v1, y2, p1) + slow_mean(v2, y1, p2)) / 2,
        "intra": (slow_intra(v1, y1, p1, noise) + slow_intra(v2, y2, p2, noise)) / 2,
    }
    assert len(set(y1)) > 2
    assert y1 != y2
    for name, value in {**as_seam, **more}.items():
        assert terms[name].item() == pytest.approx(value.item(), abs=1e-10), name
    wanted = wanted + 0.1 * sum(more.values())
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-10)
    wanted.backward()
    for name, one in other.named_parameters():
        if one.grad is not None:
            assert torch.allclose(got[name], one.grad, atol=1e-10), name


def test_who_learns_from_what():
    ppc = PPC(classifier_of("usual"), smaller=0.5, contrast=SMALL)
    _, terms = ppc.losses(photos_of(2, 48))
    inner = ppc.classifier.classifier
    parts = (inner.reduce.weight, ppc.projection.weight, inner.classify.weight, ppc.classifier.mix.weight)
    for name in ("cross_prototype", "cross_label", "intra"):
        gradients = torch.autograd.grad(terms[name], parts, retain_graph=True, allow_unused=True)
        assert all(one.abs().sum() > 0 for one in gradients[:2]), name
        assert gradients[2:] == (None, None), name  # labels and prototypes come without one


def test_semi_hard_prototypes_are_the_fourth_to_the_thirteenth_of_twenty():
    vectors = F.normalize(torch.rand(5, 30), dim=1)
    prototypes = Prototypes(F.normalize(torch.rand(24, 30), dim=1), torch.arange(24) % 8 != 7)
    labels = torch.tensor([0, 3, 5, 9, 22])
    chosen = semi_hard(vectors, labels, prototypes)
    for n, label in enumerate(labels.tolist()):
        others = [k for k in range(24) if k % 8 != 7 and k != label]
        others.sort(key=lambda k: -float(vectors[n] @ prototypes.vectors[k]))
        assert len(others) == 20
        assert set(chosen[n].nonzero().flatten().tolist()) == set(others[3:13])


def test_hard_and_random_cells_of_each_label():
    labels = torch.tensor([0] * 8 + [2] + [3] * 2)
    alike, noise = torch.tensor([5.0, 1, 7, 2, 8, 6, 4, 3, 0, 1, 2]), torch.arange(11.0)
    # Of eight, four at random and the four hardest (0.6 × 8 = 4); of one, none; of two, one and the hardest.
    wanted = [1 / 8, 2 / 8, 1 / 8, 2 / 8, 0, 0, 1 / 8, 1 / 8, 0, 1, 0]
    assert sampled(alike, labels, noise, 4).tolist() == wanted


def test_the_hardest_tenth_is_left_out():
    shares = sampled(torch.arange(20.0), torch.zeros(20, dtype=torch.long), -torch.arange(20.0), 1)
    assert shares.nonzero().flatten().tolist() == list(range(2, 20))  # 2 to 11 hard, 10 to 19 at random


def test_nothing_but_background_stays_finite():
    vectors = torch.zeros(32, 8, requires_grad=True)
    cells = Cells(vectors, torch.tensor([[1.0, 0, 0]]).expand(32, -1), torch.zeros(32, dtype=torch.long))
    terms = contrast(cells, cells, torch.rand(32), SMALL)
    sum(terms).backward()
    assert vectors.grad.isfinite().all()
    # A label whose class has no prototype at the other size is left out.
    other = cells._replace(labels=torch.ones(32, dtype=torch.long))
    assert [term.item() for term in contrast(other, other, torch.rand(32), SMALL)] == [0, 0, 0]


def test_the_contrast_is_not_rounded_by_half_precision():
    cells = [Cells(F.normalize(torch.rand(32, 8), dim=1), torch.rand(32, 3), torch.randint(3, (32,))) for _ in range(2)]
    noise = torch.rand(32)
    wanted = contrast(*cells, noise, SMALL)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert contrast(*cells, noise, SMALL) == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_training(kind, tmp_path, shapes):
    moved = trained_and_loaded(
        kind, tmp_path, shapes, PPC(classifier_of(kind), 0.5, SMALL, optimizer=ADAMW, step=HALVES)
    )
    assert all(moved.values())
