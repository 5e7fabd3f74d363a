"""Prototypes against plain loops over cells: the pieces, and a whole photo."""

import pytest
import torch
from classifiers import checkpoint_of
from method_training import KINDS, classifier_of
from torch.nn import functional as F

import acr_lightning.cam.prototype_inference as prototype_inference
import acr_lightning.cam.prototypes as prototypes
from acr_lightning.cam.prototype_inference import PrototypeInference
from acr_lightning.cam.prototypes import prototype_maps, seeds, unit_vectors, with_background

SCALES = [0.5, 1.0]


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
    weights = seeds(with_background(logits, mask), vectors, mask)
    got = prototype_maps(weights, vectors)
    for b in range(2):
        for c in range(4):
            prototype = (weights[b, c] * vectors[b]).mean(dim=(1, 2))
            for i in range(4):
                for j in range(5):
                    wanted = cosine(prototype, vectors[b, :, i, j]) if prototype.norm() > 0 else 0
                    assert got[b, c, i, j].item() == pytest.approx(wanted, abs=1e-10)


def slow_read(net, image, tags, scales, taps, weighted):
    """A photo `[3, H, W]`, cell by cell: `[P, H, W]`."""
    labels = [0, *(k + 1 for k in tags.nonzero().flatten().tolist())]
    mask = torch.zeros(len(tags) + 1, 1, 1)
    mask[labels] = 1
    total = 0
    for scale in scales:
        view = F.interpolate(net.normalise(image[None]), scale_factor=scale, mode="bilinear", antialias=True)
        logits, vectors = 0, 0
        for mirrored in (False, True):
            output = net(view.flip(-1) if mirrored else view)
            grid = output.cam_logits.shape[-2:]
            units = []
            for one in output.features[-taps:]:
                unit = torch.zeros_like(one)
                for i in range(one.shape[2]):
                    for j in range(one.shape[3]):
                        unit[0, :, i, j] = one[0, :, i, j] / (one[0, :, i, j].norm() + 1e-5)
                units.append(F.interpolate(unit, grid, mode="bilinear")[0])
            both = output.cam_logits[0], torch.cat(units)
            both = [one.flip(-1) for one in both] if mirrored else both
            logits, vectors = logits + both[0], vectors + both[1]
        maps = with_background(logits[None], mask[None])[0]
        weights = slow_seeds(maps, vectors, mask) * (maps if weighted else 1)
        near = torch.zeros_like(maps)
        for c in labels:
            prototype = sum(weights[c, i, j] * vectors[:, i, j] for i in range(grid[0]) for j in range(grid[1]))
            for i in range(grid[0]):
                for j in range(grid[1]):
                    near[c, i, j] = cosine(prototype, vectors[:, i, j]) if prototype.norm() > 0 else 0
        total = total + F.interpolate(near[None], image.shape[-2:], mode="bilinear")[0]
    total = total / (total.amax(dim=(1, 2), keepdim=True) + 1e-5)
    return torch.stack([(1 + total[c] - total[0]) / 2 for c in labels[1:]])


@pytest.fixture(scope="module", params=KINDS)
def checkpoint(request, tmp_path_factory):
    return checkpoint_of(classifier_of(request.param), tmp_path_factory.mktemp(request.param))


def told_apart(classifier, inputs, output):
    """Cells of an untrained network are all alike, so what they have in common is taken off."""
    cam_logits, *features = (one - one.mean(dim=(2, 3), keepdim=True) for one in (output.cam_logits, *output.features))
    return output._replace(cam_logits=cam_logits, features=features)


@pytest.mark.parametrize(("taps", "weighted"), [(1, False), (2, True), (9, False)])
@torch.no_grad()
def test_a_photo_is_read_as_by_a_plain_loop(checkpoint, taps, weighted):
    inference = PrototypeInference(checkpoint, taps, weighted, scales=SCALES)
    inference.classifier.register_forward_hook(told_apart)
    images = torch.rand(3, 3, 64, 96)
    tags = torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]])
    samples = [{"id": "abc"[at], "image": images[at], "tags": tags[at]} for at in range(3)]
    results = inference.predict_step(samples, 0)
    assert [classes.tolist() for _, classes, _ in results] == [[0, 2], [], [1]]
    assert results[1][2].shape == (0, 64, 96)
    for at in (0, 2):
        scores = results[at][2]
        wanted = slow_read(inference.classifier, images[at], tags[at], SCALES, taps, weighted)
        assert torch.allclose(scores, wanted, atol=1e-4)
        assert scores.min() < 0.5 < scores.max()


@torch.no_grad()
def test_views_have_sides_that_the_classifier_takes(checkpoint):
    inference = PrototypeInference(checkpoint, scales=[0.5, 1.0])
    sizes, inference.classifier.multiple = [], 16
    inference.classifier.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape[-2:])))
    sample = {"id": "a", "image": torch.rand(3, 40, 48), "tags": torch.ones(4)}
    inference.predict_step([sample], 0)
    assert sizes == [(16, 32)] * 2 + [(32, 48)] * 2  # the nearest multiples, and the mirror image


@pytest.mark.parametrize(("cell", "grid"), [(32, (3, 3)), (4, (10, 12))])
@torch.no_grad()
def test_a_cam_of_finer_cells_is_compared_on_coarser_ones(checkpoint, cell, grid, monkeypatch):
    monkeypatch.setattr(prototype_inference, "CELL", cell)  # those of the CAM are of 8 pixels
    inference = PrototypeInference(checkpoint, scales=[1.0], taps=9)
    views = torch.rand(1, 3, 80, 96)
    output, cells = inference.classifier(views), inference._cells(views)
    assert torch.allclose(cells[:, :4], F.adaptive_avg_pool2d(output.cam_logits, grid))
    assert torch.equal(cells[:, 4:], unit_vectors(output.features, grid))


@torch.no_grad()
def test_classes_that_no_photo_is_tagged_with_are_left_out_and_change_nothing(checkpoint, monkeypatch):
    inference, labels = PrototypeInference(checkpoint, scales=SCALES), []
    inference.classifier.register_forward_hook(told_apart)
    stretched = prototype_inference.stretched
    monkeypatch.setattr(prototype_inference, "stretched", lambda maps: labels.append(maps.shape[1]) or stretched(maps))
    images = torch.rand(2, 3, 64, 96)
    one, _ = inference.read(images, [torch.tensor([1, 3]), torch.tensor([], dtype=torch.long)])
    with_all, _ = inference.read(images, [torch.tensor([1, 3]), torch.arange(4)])
    assert labels == [3, 5]
    assert torch.allclose(one, with_all, atol=1e-6)
    assert one.min() < 0.5 < one.max()
