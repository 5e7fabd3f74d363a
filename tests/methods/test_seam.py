"""SEAM against a slow transcription."""

import pytest
import torch
from method_training import KINDS, check_step, classifier_of, data_of, fit, photos_of, plain_run, trained_and_loaded
from tiny_acr import ADAMW, HALVES
from torch.nn import functional as F

import acr_lightning.nets.refined_cam as refined_cam
from acr_lightning.errors import UserError
from acr_lightning.methods.plain.module import Plain
from acr_lightning.methods.seam.module import SEAM
from acr_lightning.nets.checkpoint import load_network
from acr_lightning.nets.classifier import CamClassifier, Classifier
from acr_lightning.nets.refined_cam import RefinedCam, exclusive_cam, spread


def slow_exclusive(logits):
    """`[K, h, w]` to `[K + 1, h, w]`, cell by cell."""
    k, h, w = logits.shape
    top = [max(0.0, logits[c].max().item()) for c in range(k)]
    made = torch.zeros(k + 1, h, w)
    for i in range(h):
        for j in range(w):
            values = [max(0.0, max(0.0, logits[c, i, j].item()) - 1e-5) / (top[c] + 1e-5) for c in range(k)]
            best = max(values)
            made[0, i, j] = 1 - best
            for c in range(k):
                made[c + 1, i, j] = values[c] if values[c] == best else 0
    return made


@pytest.mark.usefixtures("double")
def test_the_exclusive_cam_cell_by_cell():
    logits = torch.randn(2, 3, 4, 5)
    assert torch.allclose(exclusive_cam(logits), torch.stack([slow_exclusive(one) for one in logits]), atol=1e-10)


def slow_refined(net, image):
    """The spread CAM of one photo by its definition, cell by cell; its maps are the two before the last."""
    output = net.classifier(image)
    h, w = output.cam_logits.shape[-2:]
    resized = lambda maps, corners: F.interpolate(maps, (h, w), mode="bilinear", align_corners=corners)[0]  # noqa: E731
    colour = resized(image, True)
    early, middle = (resized(one, False) for one in output.features[-3:-1])
    cells = [(i, j) for i in range(h) for j in range(w)]
    vectors = []
    for i, j in cells:
        known = [colour[:, i, j]]
        for maps, layer in ((early, net.early), (middle, net.middle)):
            known.append(torch.stack([row @ maps[:, i, j] for row in layer.weight[:, :, 0, 0]]).clamp(min=0))
        vector = net.mix.weight[:, :, 0, 0] @ torch.cat(known)
        vectors.append(vector / (vector.square().sum().sqrt() + 1e-5))
    cam, made = slow_exclusive(output.cam_logits[0]), torch.zeros(len(output.cam_logits[0]), h, w)
    for (i, j), own in zip(cells, vectors, strict=True):
        alike = [max(0.0, float(other @ own)) for other in vectors]
        for c in range(len(made)):
            spread_here = sum(cam[c + 1, a, b] * weight for (a, b), weight in zip(cells, alike, strict=True))
            made[c, i, j] = spread_here / (sum(alike) + 1e-5)
    return made


@pytest.mark.usefixtures("double")
@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_what_stage_cam_reads_is_the_definition_cell_by_cell(kind):
    net = RefinedCam(classifier_of(kind), widths=(4, 6), mixed=8).eval()
    image = net.normalise(torch.rand(1, 3, 40, 56))
    assert torch.allclose(net.cam(image)[0], slow_refined(net, image), atol=1e-10)


@pytest.mark.usefixtures("double")
def test_spreading_in_blocks_is_one_large_product(monkeypatch):
    cam, mixed = torch.rand(2, 4, 5, 3), torch.randn(2, 6, 5, 3, requires_grad=True)
    monkeypatch.setattr(refined_cam, "COLUMNS", 4)
    got = spread(cam, mixed)
    got.square().sum().backward()
    found, mixed.grad = mixed.grad.clone(), None
    f = mixed.flatten(2)
    f = f / (f.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-5)
    large = torch.einsum("bdi,bdj->bij", f, f).clamp(min=0)
    wanted = torch.einsum("bci,bij->bcj", cam.flatten(2), large / (large.sum(dim=1, keepdim=True) + 1e-5))
    assert torch.allclose(got.flatten(2), wanted, atol=1e-10)
    wanted.square().sum().backward()
    assert torch.allclose(found, mixed.grad, atol=1e-10)


def test_no_likeness_of_all_cells_is_in_memory():
    cells, largest = 48 * 48, []

    class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest.append(out.numel())
            return out

    mixed = torch.randn(1, 8, 48, 48, requires_grad=True)
    with Sizes():
        spread(torch.rand(1, 4, 48, 48), mixed).sum().backward()
    assert max(largest) == cells * refined_cam.COLUMNS < cells**2


def slow_losses(seam, photos):
    """As in the paper and the release: with a background channel, view by view, photo by photo."""
    net, tags = seam.classifier, photos.tags
    one = net.normalise(photos.image)
    two = F.interpolate(one, [int(one.shape[2] * seam.smaller)] * 2, mode="bilinear", align_corners=True)
    y = torch.cat([torch.ones(len(tags), 1), tags], dim=1)[:, :, None, None]
    classification, quiet, cams, spreads = 0.0, 0.0, [], []
    for view in (one, two):
        output = net(view)
        classification = classification + F.multilabel_soft_margin_loss(output.class_logits, tags) / 2
        enlarge = lambda maps: F.interpolate(maps, view.shape[-2:], mode="bilinear", align_corners=True)  # noqa: B023, E731
        cams.append(enlarge(output.cam_logits))
        spreads.append(enlarge(net.refined(view, output)))
        each = []
        for at in range(len(tags)):
            most = (spreads[-1][at, 1:] * tags[at, :, None, None]).max(dim=0).values.flatten()
            each.append(most.sort().values[: most.numel() // 4].clamp(min=0).mean())
        quiet = quiet + sum(each) / len(each) / 2

    def norm(maps):
        p = maps.clamp(min=0)
        low, high = p.flatten(2).min(2).values[:, :, None, None], p.flatten(2).max(2).values[:, :, None, None]
        return (p - low - 1e-5).clamp(min=0) / (high - low + 1e-5)

    down = lambda maps: F.interpolate(maps, two.shape[-2:], mode="bilinear", align_corners=True)  # noqa: E731
    c1, c2 = down(norm(cams[0])) * y[:, 1:], norm(cams[1]) * y[:, 1:]
    v1, v2 = down(norm(spreads[0])) * y, norm(spreads[1]) * y
    equivariance = (c1 - c2).abs().mean()
    cross = 0.0
    for c, v in ((c2, v1), (c1, v2)):
        hot = torch.cat([1 - c.max(1, keepdim=True).values, c], dim=1).detach()
        best = hot[:, 1:].max(dim=1, keepdim=True).values
        hot[:, 1:][hot[:, 1:] != best.expand_as(hot[:, 1:])] = 0
        each = []
        for at in range(len(tags)):
            values = (hot[at] - v[at]).abs().flatten().sort(descending=True).values
            each.append(values[: int(0.2 * values.numel())].mean())
        cross = cross + sum(each) / len(each)
    return {"classification": classification, "equivariance": equivariance, "cross": cross, "quiet": quiet}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", KINDS)
def test_the_step_is_a_plain_transcription(kind):
    check_step(SEAM(classifier_of(kind).eval(), smaller=0.5), photos_of(3, 48), slow_losses)


def test_who_learns_from_what():
    seam = SEAM(classifier_of("usual"), smaller=0.5)
    _, terms = seam.losses(photos_of(2, 48))
    inner, spreading = seam.classifier.classifier.classify.weight, seam.classifier.mix.weight
    for name in ("cross", "quiet"):
        gradients = torch.autograd.grad(terms[name], (inner, spreading), retain_graph=True, allow_unused=True)
        assert gradients[0] is None, name
        assert gradients[1].abs().sum() > 0, name
    assert torch.autograd.grad(terms["equivariance"], spreading, allow_unused=True, retain_graph=True)[0] is None


def test_a_photo_without_any_cam_stays_finite():
    seam = SEAM(classifier_of("usual"))
    seam.classifier.classifier.classify.weight.data.zero_()
    loss, _ = seam.losses(photos_of(2, 48))
    loss.backward()
    assert all(one.grad.isfinite().all() for one in seam.classifier.parameters() if one.grad is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_training(kind, tmp_path, shapes):
    moved = trained_and_loaded(kind, tmp_path, shapes, SEAM(classifier_of(kind), 0.5, optimizer=ADAMW, step=HALVES))
    assert all(moved.values())


def test_going_on_from_a_plain_run_and_from_its_own(tmp_path, shapes):
    plain = plain_run("usual", tmp_path / "plain", shapes)
    trained = load_network(tmp_path / "plain" / "fit" / "last.ckpt", Classifier, "acr fit")
    seam = SEAM(classifier_of("usual"), 0.5, optimizer=ADAMW, initial=plain)
    assert all(map(torch.equal, seam.classifier.classifier.state_dict().values(), trained.state_dict().values()))
    fit(tmp_path / "seam", seam, data_of("usual", tmp_path, shapes))
    again = SEAM(classifier_of("usual"), 0.5, initial=str(tmp_path / "seam"))
    assert all(map(torch.equal, again.classifier.state_dict().values(), seam.classifier.state_dict().values()))
    with pytest.raises(UserError, match=r"initial: .* holds RefinedCam.*, but CamClassifier.* is wanted"):
        Plain(classifier_of("usual"), initial=str(tmp_path / "seam"))


def test_a_step_with_resnet50_whose_maps_have_other_grids():
    net = RefinedCam(CamClassifier(4, "resnet50", output_stride=16, width=None).eval())
    image = torch.rand(1, 3, 64, 80)
    assert net.cam(image).shape == (1, 4, 4, 5)
