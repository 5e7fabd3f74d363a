"""AEFT against a slow transcription."""

import copy
from dataclasses import replace

import pytest
import torch
from method_training import KINDS, classifier_of, data_of, fit, photos_of, trained_and_loaded
from tiny_acr import ADAMW, HALVES
from torch.nn import functional as F

from acr_lightning.methods.aeft.gated_pooling import Gate, GatedPooling, class_logits
from acr_lightning.methods.aeft.loss import Triplet, attraction, kept, others, repulsion
from acr_lightning.methods.aeft.module import AEFT


def norm(maps):
    p = maps.clamp(min=0)
    low, high = p.flatten(2).min(2).values[:, :, None, None], p.flatten(2).max(2).values[:, :, None, None]
    return (p - low - 1e-5).clamp(min=0) / (high - low + 1e-5)


@pytest.mark.usefixtures("double")
def test_a_gate_cell_by_cell():
    gate, a, b = Gate(2), torch.randn(1, 2, 3, 3), torch.randn(1, 2, 3, 3)
    got = gate(a, b)
    p = gate.positive(torch.cat([a.clamp(min=0), b.clamp(min=0)], dim=1)).sigmoid()
    n = gate.negative(torch.cat([-a.clamp(max=0), -b.clamp(max=0)], dim=1)).sigmoid()
    for k in range(2):
        for i in range(3):
            for j in range(3):
                x, y = a[0, k, i, j].item(), b[0, k, i, j].item()
                wanted = (max(x, 0) * p[0, 0, i, j] + max(y, 0) * p[0, 1, i, j]) / 2
                wanted = wanted - (max(-x, 0) * n[0, 0, i, j] + max(-y, 0) * n[0, 1, i, j]) / 2
                assert got[0, k, i, j].item() == pytest.approx(wanted.item(), abs=1e-10)


@pytest.mark.usefixtures("double")
def test_the_pyramid_fuses_from_the_coarsest_on():
    pooling, cam = GatedPooling(3), torch.randn(2, 3, 16, 16)
    g = [F.interpolate(F.adaptive_avg_pool2d(cam, s), (16, 16), mode="bilinear") for s in (2, 4, 8, 16)]
    g1, g2, g3 = pooling.gates
    q = g3(g2(g1(g[0], g[1]), g[2]), g[3])
    assert torch.allclose(pooling(cam), q)
    wanted = (F.relu(cam) * F.relu(q)).mean((2, 3)) - (F.relu(-cam) * F.relu(-q)).mean((2, 3))
    assert torch.allclose(class_logits(cam, q), wanted, atol=1e-10)


@pytest.mark.usefixtures("double")
def test_what_is_kept():
    cam, tags = torch.randn(2, 3, 4, 4), torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    got = kept(cam, tags, (8, 8), 0.6)
    large = norm(F.interpolate(F.relu(cam), (8, 8), mode="bilinear"))
    for b, tagged in enumerate(([0, 2], [1])):
        for i in range(8):
            for j in range(8):
                most = max(large[b, k, i, j].item() for k in tagged)
                assert got[b, 0, i, j].item() == pytest.approx(most if most < 0.6 else 0, abs=1e-10)


def test_others_share_no_tag():
    tags = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 1, 1]])
    has_one, partner = others(tags, torch.tensor([0.6, 0.0, 0.99, 0.5]))
    assert has_one.tolist() == [True, True, True, False]  # the last shares a tag with all
    assert partner[:3].tolist() == [2, 0, 0]
    # A photo without tags has no embedding: it is nobody's partner and needs none, and changes no other's.
    more = torch.cat([tags, torch.zeros(1, 3)])
    with_it, partners = others(more, torch.tensor([0.6, 0.0, 0.99, 0.5, 0.5]))
    assert with_it.tolist() == [True, True, True, False, False]
    assert partners[:3].tolist() == [2, 0, 0]


def slow_repulsion(cam, q, tags, drawn, margin):
    found = []
    for i in range(len(tags)):
        foreign = [j for j in range(len(tags)) if not any(tags[i, k] and tags[j, k] for k in range(tags.shape[1]))]
        if not foreign:
            continue
        j = foreign[int(drawn[i] * len(foreign))]
        distance = 0.0
        for k in range(tags.shape[1]):
            own = q[i, k] / (q[i, k].abs().max() + 1e-5)
            absent = norm(cam)[i, k] * tags[i, k] < 0.2
            a = (own * absent).sum() / (absent.sum() + 1e-5) * tags[i, k]
            b = (q[j, k] / (q[j, k].abs().max() + 1e-5)).mean() * tags[j, k]
            distance = distance + (a - b) ** 2
        if distance < margin:
            found.append(margin - distance)
    return sum(found) / len(found) if len(found) > 4 else None


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("count", [4, 8])
def test_repulsion_pair_by_pair(count):
    generator = torch.Generator().manual_seed(2)
    cam = torch.randn(count, 4, 5, 5, generator=generator)
    q = (0.1 + 0.1 * torch.randn(count, 4, 5, 5, generator=generator)).requires_grad_(True)
    tags = torch.eye(4).repeat(2, 1)[:count]
    tags[0, 2] = 1
    drawn = torch.rand(count, generator=generator)
    got = repulsion(cam, q, tags, drawn, 0.5)
    got.backward()
    found, q.grad = q.grad.clone(), None
    wanted = slow_repulsion(cam, q, tags, drawn, 0.5)
    if count == 4:
        assert wanted is None
        assert got.item() == 0
        return
    wanted.backward()
    assert got.item() == pytest.approx(wanted.item(), abs=1e-10)
    assert torch.allclose(found, q.grad, atol=1e-10)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("epoch", [0, 1])
def test_the_step_is_a_plain_transcription(kind, epoch):
    aeft, photos = AEFT(classifier_of(kind).eval(), Triplet(start=1)), photos_of(4)
    aeft.trainer = type("T", (), {"current_epoch": epoch})
    loss, terms = aeft.losses(photos)
    loss.backward()
    parameters = dict(aeft.trained().named_parameters())
    got = {name: one.grad.clone() for name, one in parameters.items() if one.grad is not None}
    net, pooling = copy.deepcopy(aeft.classifier), copy.deepcopy(aeft.pooling)
    net.zero_grad()
    pooling.zero_grad()
    x = net.normalise(photos.image)
    cam = net(x).cam_logits
    q = pooling(cam)
    first = slice(None) if epoch == 0 else slice(1)  # a quarter is classified
    wanted = F.multilabel_soft_margin_loss(class_logits(cam, q)[first], photos.tags[first])
    assert set(terms) == {"classification"} if epoch == 0 else {"classification", "attraction", "repulsion"}
    if epoch == 1:
        f = norm(F.interpolate(F.relu(cam), x.shape[2:], mode="bilinear"))
        f = (f * photos.tags[:, :, None, None]).max(dim=1, keepdim=True).values
        second = pooling(net(x * torch.where(f < 0.6, f, torch.zeros_like(f))).cam_logits)
        wanted = wanted + 0.2 * ((F.relu(second).mean((2, 3)) - F.relu(q).mean((2, 3))) * photos.tags).abs().mean()
        pairs = slow_repulsion(cam.detach(), q, photos.tags, photos.drawn, 0.5)
        wanted = wanted if pairs is None else wanted + 0.15 * pairs
    wanted.backward()
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-10)
    for name, one in torch.nn.ModuleList([net, pooling]).named_parameters():
        if one.grad is not None:
            assert torch.allclose(got[name], one.grad, atol=1e-10), name


def test_attraction_has_the_gradient_of_both():
    one, two = torch.rand(2, 3, 4, 4, requires_grad=True), torch.rand(2, 3, 4, 4, requires_grad=True)
    attraction(one, two, torch.ones(2, 3)).backward()
    assert one.grad.abs().min() > 0
    assert two.grad.abs().min() > 0


def test_a_batch_of_one_kind_has_no_pairs():
    photos = photos_of(2)
    aeft = AEFT(classifier_of("usual"), Triplet(start=0))
    aeft.trainer = type("T", (), {"current_epoch": 0})
    loss, terms = aeft.losses(replace(photos, tags=torch.ones(2, 4)))
    loss.backward()
    assert terms["repulsion"].item() == 0
    assert loss.isfinite()


@pytest.mark.parametrize("kind", KINDS)
def test_training(kind, tmp_path, shapes):
    aeft = AEFT(classifier_of(kind), Triplet(start=1, updates=2), optimizer=ADAMW, step=HALVES)
    assert all(trained_and_loaded(kind, tmp_path, shapes, aeft, epochs=2).values())


def test_small_batches_then_large_ones_with_the_rate_of_small_ones(tmp_path, shapes):
    """Of the release: epochs of small batches, each a step of the rate, then of large ones, each a step as well."""
    rates, sizes = [], []

    class Recorded(AEFT):
        def losses(self, photos):
            rates.append(self.optimizers().param_groups[0]["lr"])
            sizes.append(len(photos.tags))
            return super().losses(photos)

    module = Recorded(classifier_of("usual"), Triplet(start=2, updates=2), optimizer=ADAMW)
    fit(tmp_path, module, data_of("usual", tmp_path, shapes), epochs=4)  # of two batches of four photos
    assert sizes == [2] * 8 + [4] * 4
    small_batches = 16
    for update, rate in enumerate(rates):
        # Halves of a batch share a rate; with the triplet it is held for two batches.
        done = update - update % 2
        assert rate == pytest.approx(ADAMW.lr * (1 - done / small_batches) ** 0.9), update
