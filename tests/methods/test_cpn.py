"""CPN against a slow transcription."""

import pytest
import torch
from method_training import KINDS, check_step, classifier_of, photos_of, trained_and_loaded
from tiny_acr import ADAMW, HALVES
from torch.nn import functional as F

from acr_lightning.methods.cpn.module import CPN
from acr_lightning.methods.cpn.patches import shown_patches
from acr_lightning.methods.cpn.region_cam import RegionCam
from acr_lightning.nets.refined_cam import exclusive_cam, spread


def test_patches_are_squares_shown_or_hidden():
    drawn = torch.rand(40)
    masks = shown_patches(drawn, (20, 28), [8, 16])
    assert torch.equal(masks, shown_patches(drawn, (20, 28), [8, 16]))
    assert torch.equal(masks[3:5], shown_patches(drawn[3:5], (20, 28), [8, 16]))
    assert masks.shape == (40, 1, 20, 28)
    small = 0
    for mask in masks[:, 0]:
        for side in (16, 8):
            squares = [square for rows in mask.split(side) for square in rows.split(side, dim=1)]
            whole = all(square.min() == square.max() for square in squares)
            if whole:
                break
        assert whole
        small += side == 8
    assert 5 < small < 35
    assert 0.3 < masks.mean() < 0.7


def slow_refined(net, image, output):
    """Map by map and cell by cell, without the product over all of them."""
    cam, known = exclusive_cam(output.cam_logits), net.known(image, output)
    mixed = net.mix(known)
    made = spread(cam, mixed).clone()
    batch, maps, h, w = cam.shape
    for b in range(batch):
        for c in range(maps):
            weight = cam[b, c].exp() / cam[b, c].exp().sum()
            region = sum(weight[i, j] * known[b, :, i, j] for i in range(h) for j in range(w))
            key = (net.region.weight @ region).clamp(min=0)
            alike = [[(key * mixed[b, :, i, j].clamp(min=0)).sum() / maps**0.5 for j in range(w)] for i in range(h)]
            alike = torch.stack([torch.stack(row) for row in alike])
            made[b, c] = made[b, c] + alike.exp() / alike.exp().sum() * cam[b, c]
    return made


@pytest.mark.usefixtures("double")
def test_regions_map_by_map_and_cell_by_cell():
    net = RegionCam(classifier_of("usual").eval())
    image = torch.rand(2, 3, 24, 32)
    output = net(image)
    got, wanted = net.refined(image, output), slow_refined(net, image, output)
    assert torch.allclose(got, wanted, atol=1e-10)
    ours = torch.autograd.grad(got.square().sum(), [net.region.weight, net.mix.weight, net.early.weight])
    for one, other in zip(ours, torch.autograd.grad(wanted.square().sum(), [
        net.region.weight, net.mix.weight, net.early.weight,
    ]), strict=True):  # fmt: skip
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)
        assert one.abs().max() > 0


def test_vectors_of_any_length_in_half_precision():
    net = RegionCam(classifier_of("usual").eval())
    cam, known, mixed = torch.rand(1, 5, 4, 4), torch.rand(1, 195, 4, 4) * 100, torch.rand(1, 192, 4, 4) * 100
    wanted = net.attention(cam, known, mixed)
    with torch.autocast("cpu", dtype=torch.float16):
        assert torch.allclose(net.attention(cam, known, mixed), wanted)


def norm(p):
    p = p.clamp(min=0)
    low, high = p.flatten(2).min(2).values[:, :, None, None], p.flatten(2).max(2).values[:, :, None, None]
    return (p - low - 1e-5).clamp(min=0) / (high - low + 1e-5)


def max_onehot(x):
    best = x.argmax(dim=1, keepdim=True)
    return torch.zeros_like(x).scatter(1, best, x.gather(1, best))


def slow_losses(cpn, photos):
    """As in the paper and the release, with a background channel in all maps."""
    net, y = cpn.classifier, torch.cat([torch.ones(len(photos.tags), 1), photos.tags], dim=1)[:, :, None, None]
    image = net.normalise(photos.image)
    mask = shown_patches(photos.drawn, tuple(image.shape[-2:]), cpn.patches)
    ctri = torch.tensor([one.sum() / one.numel() for one in mask])[:, None, None, None]
    classification, quiet, cams, spreads = 0.0, 0.0, [], []
    for view, share in ((image, 1), (image * mask, ctri), (image - image * mask, 1 - ctri)):
        output = net(view)
        classification = classification + F.multilabel_soft_margin_loss(output.class_logits, photos.tags) / 3
        cam = F.pad(output.cam_logits, (0, 0, 0, 0, 1, 0))
        cam, rv = (
            F.interpolate(maps, view.shape[-2:], mode="bilinear", align_corners=True)
            for maps in (cam, net.refined(view, output))
        )
        most = (rv * y)[:, 1:].max(dim=1).values.flatten(1).sort(dim=1).values
        quiet = quiet + most[:, : most.shape[1] // 4].clamp(min=0).mean() / 3
        cams.append(share * norm(cam) * y)
        spreads.append(share * norm(rv) * y)
    pair = (cams[2][:, 1:].detach() + cams[1][:, 1:].detach() - cams[0][:, 1:]).abs().mean()
    spread_pair = (spreads[0][:, 1:] - spreads[1][:, 1:] - spreads[2][:, 1:]).abs().mean()
    c, c1, c2, _, v1, v2 = (
        torch.cat([1 - maps[:, 1:].max(dim=1, keepdim=True).values, maps[:, 1:]], dim=1) for maps in (*cams, *spreads)
    )
    cross = 0.0
    for difference in (max_onehot((c - c1).detach()) - v2, max_onehot((c - c2).detach()) - v1):
        for one in difference:
            values = one.abs().flatten().sort(descending=True).values
            cross = cross + values[: int(0.2 * values.numel())].mean() / len(difference)
    return {
        "classification": classification, "pair": pair, "spread_pair": spread_pair, "cross": cross, "quiet": quiet,
    }  # fmt: skip


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", KINDS)
def test_the_step_is_a_plain_transcription(kind):
    check_step(CPN(classifier_of(kind).eval(), patches=[16]), photos_of(2, 32), slow_losses)


def test_who_learns_from_what():
    cpn = CPN(classifier_of("usual"), patches=[16])
    _, terms = cpn.losses(photos_of(2, 32))
    inner, spreading, region = (
        cpn.classifier.classifier.classify.weight,
        cpn.classifier.mix.weight,
        cpn.classifier.region.weight,
    )
    for name in ("spread_pair", "cross", "quiet"):
        gradients = torch.autograd.grad(terms[name], (inner, spreading, region), retain_graph=True, allow_unused=True)
        assert gradients[0] is None, name
        assert gradients[1].abs().sum() > 0, name
        assert gradients[2].abs().sum() > 0, name
    assert torch.autograd.grad(terms["pair"], spreading, allow_unused=True, retain_graph=True)[0] is None


def test_a_photo_without_any_cam_stays_finite():
    cpn = CPN(classifier_of("usual"), patches=[16])
    cpn.classifier.classifier.classify.weight.data.zero_()
    loss, _ = cpn.losses(photos_of(2, 32))
    loss.backward()
    assert all(one.grad.isfinite().all() for one in cpn.classifier.parameters() if one.grad is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_training(kind, tmp_path, shapes):
    moved = trained_and_loaded(kind, tmp_path, shapes, CPN(classifier_of(kind), [16], optimizer=ADAMW, step=HALVES))
    assert all(moved.values())
