"""AdvCAM against the release's way: Grad-CAM by a backward pass, one class after the other."""

import pytest
import torch
from lightning.pytorch import Trainer
from method_training import KINDS, classifier_of, data_of, fit
from tiny_acr import ADAMW
from torch.nn import functional as F
from torch.utils.data import DataLoader

from acr_lightning.errors import UserError
from acr_lightning.methods.advcam.climbing import Climb, climbing_cam
from acr_lightning.methods.advcam.inference import AdvCAM
from acr_lightning.methods.plain.module import Plain


def slow_climb(net, views, c, steps, restraint):
    """One class, with the gradients of Grad-CAM; the sum is in the release's units."""
    x, first, total = views.clone(), None, 0
    for _ in range(steps):
        x = x.detach().requires_grad_(True)
        cells, _features = net.embed(x)
        maps = F.relu(F.conv2d(cells, net.classify.weight))
        (gradient,) = torch.autograd.grad(maps[:, c].sum(), cells, retain_graph=True)
        weights = gradient.sum(dim=(2, 3), keepdim=True) / (gradient > 0).sum()
        grad_cam = F.relu((cells * weights.detach()).sum(dim=1))
        regions = grad_cam[0] + grad_cam[1].flip(-1)
        first = regions.detach() if first is None else first
        total = total + regions.detach()
        scores = maps.mean(dim=(2, 3))
        shown = (regions / regions.max() > 0.5).float().detach()
        height = 2 * scores[:, c].sum() - scores.sum() - restraint * ((regions - first).abs() * shown).sum()
        (g,) = torch.autograd.grad(height, x)
        x = (x + 0.08 * g / (g.abs().max() + 1e-12)).clamp(x.min().item(), x.max().item())
    return total


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", KINDS)
def test_the_closed_form_is_grad_cam_by_a_backward_pass(kind):
    net = classifier_of(kind).eval().requires_grad_(False)
    image = net.normalise(torch.rand(1, 3, 32, 48))
    views, steps = torch.cat([image, image.flip(-1)]), 5
    cells = net(image).cam_logits[0, 0].numel()
    for c in (0, 2, 3):
        got = climbing_cam(lambda x: net(x).cam_logits, views, torch.tensor([c]), steps, Climb())
        still = climbing_cam(lambda x: net(x).cam_logits, views, torch.tensor([c]), 1, Climb()) * steps
        assert not torch.allclose(got, still, rtol=1e-10)
        positive = (net.classify.weight[c] > 0).sum().item()
        # Here the weight of the restraint is in cells of stride 16 and in 1024 positive weights.
        restraint = 7 * positive / 1024 * (32 * 48 / 256) / cells
        wanted = slow_climb(net, views, c, steps, restraint) * positive
        assert torch.allclose(got, wanted, rtol=1e-10, atol=1e-10 * wanted.max().item()), c


def test_a_class_that_shows_nowhere_stays_finite():
    net = classifier_of("usual").eval().requires_grad_(False)
    net.classify.weight.data[1] = -1
    views = net.normalise(torch.rand(2, 3, 32, 32))
    shown, hidden = (climbing_cam(lambda x: net(x).cam_logits, views, torch.tensor([c]), 3, Climb()) for c in (0, 1))
    assert shown.isfinite().all()
    assert shown.max() > 0
    assert hidden.abs().max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_stage_cam(kind, tmp_path, shapes):
    """Inside Lightning's inference mode, with a photo without tags among others."""
    fit(tmp_path, Plain(classifier_of(kind), ADAMW), data_of(kind, tmp_path, shapes))
    checkpoint = str(tmp_path / "fit" / "last.ckpt")
    advcam = AdvCAM(checkpoint, scales=[0.5, 1.0], steps=[2, 3])
    image = torch.rand(3, 40, 48)
    samples = [
        {"id": "a", "image": image, "tags": torch.tensor([1.0, 0, 1, 0])},
        {"id": "b", "image": image, "tags": torch.zeros(4)},
    ]
    trainer = Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_checkpointing=False,
        default_root_dir=tmp_path,
    )  # fmt: skip
    ((one, two),) = trainer.predict(advcam, DataLoader([samples], batch_size=None))
    net, total = advcam.classifier, 0
    seen = net.normalise(image[None])
    for scale, steps in ((0.5, 2), (1.0, 3)):
        view = F.interpolate(seen, scale_factor=scale, mode="bilinear", antialias=True)
        both = torch.cat([view, view.flip(-1)])
        cams = torch.stack(
            [climbing_cam(lambda x: net(x).cam_logits, both, torch.tensor([c]), steps, Climb()) for c in (0, 2)]
        )
        total = total + F.interpolate(cams[None], (40, 48), mode="bilinear")[0]
    assert torch.allclose(one[2], total / (total.amax(dim=(1, 2), keepdim=True) + 1e-5), atol=1e-5)
    assert one[1].tolist() == [0, 2]
    assert two[2].shape == (0, 40, 48)
    sizes, net.multiple = [], 16
    net.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape)))
    advcam.predict_step(samples, 0)
    # The nearest multiples; and a photo and its mirror image at a time, however many its tags.
    assert set(sizes) == {(2, 3, 16, 32), (2, 3, 32, 48)}
    with pytest.raises(UserError, match="a number for each of scales"):
        AdvCAM(checkpoint, scales=[1.0])
