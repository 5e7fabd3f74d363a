"""The two updates of the LightningModule: who gets gradient, who stays still, and what a batch does."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch.nn import functional as F

from acr_lightning.acr.module import ACR
from acr_lightning.acr.phases import phase
from acr_lightning.data.datamodule import TaggedImages
from acr_lightning.errors import UserError


def tiny(**options):
    settings = dict(
        backbone="tiny_resnet", freeze_batchnorm=False, decoder_depth=3, decoder_width=8, decoder_stride=2, srf=4,
        optimizer="adamw", lr=1e-3, new_layer_factor=1.0,
    )  # fmt: skip
    return ACR(3, **{**settings, **options})


def batch_of(size=32, count=2):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, 3, size, size, generator=generator), torch.tensor([[1.0, 0, 1], [0, 1, 0]])[:count]


def gradients(module):
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


def test_ru_gives_no_gradient_to_the_classifier():
    acr, (image, tags) = tiny(), batch_of()
    acr.reconstructor_update(image, tags, torch.tensor([0, 1])).total().backward()
    assert gradients(acr.classifier) == []
    assert sum(gradient.abs().sum() for gradient in gradients(acr.reconstructor.encoder)) > 0
    assert all(parameter.grad is not None for parameter in acr.reconstructor.decoder.parameters())


def test_ru_whole_term_does_not_train_the_encoder():
    acr, (image, tags) = tiny(), batch_of()
    acr.reconstructor_update(image, tags, torch.tensor([0, 1])).whole.backward()
    still = [*gradients(acr.reconstructor.encoder), *gradients(acr.reconstructor.side)]
    assert all(gradient.abs().max() == 0 for gradient in still)
    assert sum(gradient.abs().sum() for gradient in gradients(acr.reconstructor.decoder)) > 0


def test_cu_gradient_reaches_the_classifier_through_the_segment_only():
    acr, (image, tags) = tiny(), batch_of()
    acr.reconstructor.requires_grad_(False)  # as `toggled_optimizer` does
    cu = acr.classifier_update(image, tags, torch.tensor([0, 1]))
    (cu.target + cu.non_target).backward()
    assert gradients(acr.reconstructor) == []
    assert acr.classifier.classify.weight.grad.abs().sum() > 0


def test_frozen_networks_keep_their_batchnorm():
    acr, (image, tags) = tiny(), batch_of()

    def statistics(module):
        return torch.cat([value.flatten() for name, value in module.state_dict().items() if "running" in name])

    before = statistics(acr.classifier), statistics(acr.reconstructor)
    acr.reconstructor_update(image, tags, torch.tensor([0, 1]))
    assert torch.equal(statistics(acr.classifier), before[0])
    middle = statistics(acr.reconstructor)
    assert not torch.equal(middle, before[1])
    acr.classifier_update(image, tags, torch.tensor([0, 1]))
    assert torch.equal(statistics(acr.reconstructor), middle)


def test_whole_ru_and_cu_steps_equal_a_transcription_of_the_formulas():
    acr, (image, tags) = tiny(srf=None), batch_of()
    target = torch.tensor([2, 1])
    torch.nn.init.uniform_(acr.classifier.classify.weight, 0, 0.1)  # so that no image's segment is empty
    acr.reconstructor.train()
    for module in acr.reconstructor.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    classifier, reconstructor = acr.classifier, acr.reconstructor

    def norm_and_pick(logits):
        maps = []
        for i in range(2):
            a = logits[i, target[i]].clamp(min=0)
            s = (a - a.min() - 1e-5).clamp(min=0) / (a.max() - a.min() + 1e-5)
            maps.append(s)
        return F.interpolate(torch.stack(maps)[:, None], (16, 16), mode="bilinear", align_corners=False)

    x = F.avg_pool2d(image, 2)
    classifier.eval()
    segment = norm_and_pick(classifier(image).cam_logits).detach()
    f, logits = reconstructor.encode(image)
    terms = [
        F.binary_cross_entropy_with_logits(logits, tags),
        (reconstructor.decode(f.detach()) - x).abs().mean(),
        (segment * (reconstructor.decode(f * (1 - segment)) - x)).abs().mean(),
        ((1 - segment) * (reconstructor.decode(f * segment) - x)).abs().mean(),
    ]
    wanted = terms[0] + 0.2 * terms[1] + 0.3 * terms[2] + 0.5 * terms[3]
    got = acr.reconstructor_update(image, tags, target)
    # BatchNorm in the encoder sees the same batch in both, so its statistics do not matter in train mode.
    assert got.total().item() == pytest.approx(wanted.item(), abs=1e-5)
    names = [name for name, _ in reconstructor.named_parameters()]
    first = torch.autograd.grad(wanted, list(reconstructor.parameters()), allow_unused=True)
    second = torch.autograd.grad(got.total(), list(reconstructor.parameters()), allow_unused=True)
    for name, one, two in zip(names, first, second, strict=True):
        assert (one is None) == (two is None), name
        assert one is None or torch.allclose(one, two, atol=1e-5), name

    reconstructor.eval()
    with torch.no_grad():
        f, _ = reconstructor.encode(image)
    classifier.train()
    logits = classifier(image).cam_logits
    segment = norm_and_pick(logits)
    wins = (F.interpolate(logits, (16, 16), mode="bilinear").argmax(1) == target[:, None, None])[:, None]
    beyond = segment.detach() == 0
    wanted = (
        F.binary_cross_entropy_with_logits(logits.mean((2, 3)), tags)
        - 0.8 * (beyond * (reconstructor.decode(f * segment) - x)).abs().mean()
        - 0.3 * (segment.detach() * wins * (reconstructor.decode(f * (1 - segment)) - x)).abs().mean()
    )
    got = acr.classifier_update(image, tags, target)
    assert got.total().item() == pytest.approx(wanted.item(), abs=1e-5)
    for one, two in zip(
        torch.autograd.grad(wanted, list(classifier.parameters())),
        torch.autograd.grad(got.total(), list(classifier.parameters())),
        strict=True,
    ):
        assert torch.allclose(one, two, atol=1e-5)


def test_baseline_has_no_reconstructor():
    assert tiny(strategy="baseline").reconstructor is None


def test_pretrained_needs_its_phases():
    with pytest.raises(UserError, match="classifier_epochs"):
        tiny(strategy="pretrained")


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        ("baseline", ["C", "C", "C", "C"]),
        ("pretrained", ["C", "R", "A", "A"]),
        ("adversarial", ["C", "R", "RA", "RA"]),
    ],
)
def test_phases(strategy, wanted):
    letters = []
    for epoch in range(4):
        now = phase(strategy, epoch, classifier_epochs=1, reconstructor_epochs=1)
        letters.append("R" * now.reconstructor + ("A" if now.adversarial else "C") * now.classifier)
    assert letters == wanted
    assert phase("adversarial", 0, 0, 0) == (True, True, True)


def trainer(path, epochs, **options):
    return Trainer(
        default_root_dir=path, max_epochs=epochs, accelerator="cpu", devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, **options,
    )  # fmt: skip


def test_fit_counts_both_optimisers_and_ends_its_schedules(tmp_path, shapes):
    acr = tiny()
    acr = ACR(**{**acr.hparams, "num_classes": 4})
    data = TaggedImages(shapes, crop=32, long_side=(32, 40), batch_size=4, num_workers=0)
    run = trainer(tmp_path, 2)
    run.fit(acr, data)
    assert run.fit_loop.total_batch_idx + 1 == 8
    assert run.global_step == 16  # Lightning counts each optimiser's steps
    for optimizer in run.optimizers:
        assert all(group["lr"] == 0 for group in optimizer.param_groups)


def test_clipping_acts_on_the_real_gradient(tmp_path, shapes):
    norms = []

    class Watched(ACR):
        def on_before_optimizer_step(self, optimizer):
            super().on_before_optimizer_step(optimizer)
            parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            norms.append(torch.cat([p.grad.flatten() for p in parameters]).norm().item())

    acr = Watched(**{**tiny().hparams, "num_classes": 4, "gradient_clip": 1e-3})
    trainer(tmp_path, 1).fit(acr, TaggedImages(shapes, 32, (32, 40), batch_size=4, num_workers=0))
    assert len(norms) == 8
    assert max(norms) == pytest.approx(1e-3, rel=1e-3)
