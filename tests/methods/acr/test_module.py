"""The two updates of the LightningModule: who gets gradient, who stays still, and what a batch does."""

import copy
from dataclasses import replace

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.plugins.precision import MixedPrecision
from tiny_acr import ADAMW, tiny_acr
from torch.nn import functional as F

from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.errors import UserError
from acr_lightning.methods.acr.cu_loss import CUWeights
from acr_lightning.methods.acr.module import ACR
from acr_lightning.methods.acr.phases import phase
from acr_lightning.methods.acr.ru_loss import RUWeights
from acr_lightning.methods.acr.step_input import StepInput
from acr_lightning.training.alternating import StepSettings
from acr_lightning.training.optimisation import OptimizerSettings
from acr_lightning.training.step_seed import StepDraws, StepSeed

SGD = OptimizerSettings(lr=0.05)


def tiny(**options):
    return tiny_acr(3, freeze_batchnorm=False, **options)


def batch_of(size=32, count=2):
    generator = torch.Generator().manual_seed(5)
    return torch.rand(count, 3, size, size, generator=generator), torch.tensor([[1.0, 0, 1], [0, 1, 0]])[:count]


def step_of(target=(0, 1)):
    return StepInput(*batch_of(), target=torch.tensor(target))


def paint(reconstructor, features, keep):
    """`dec(f·keep)` as the paper has it: features as large as the image, then the mask, then the U-Net."""
    f = torch.cat([F.interpolate(side, keep.shape[-2:], mode="bilinear") for side in features], dim=1)
    return reconstructor.decoder.after_first_convolution(reconstructor.decoder.down[0][0](f * keep))


def gradients(module):
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


def test_ru_gives_no_gradient_to_the_classifier():
    acr = tiny()
    acr.reconstructor_update(step_of()).total(RUWeights()).backward()
    assert gradients(acr.classifier) == []
    assert sum(gradient.abs().sum() for gradient in gradients(acr.reconstructor.encoder)) > 0
    assert all(parameter.grad is not None for parameter in acr.reconstructor.decoder.parameters())


def test_ru_whole_term_does_not_train_the_encoder():
    acr = tiny()
    acr.reconstructor_update(step_of()).whole.backward()
    still = [*gradients(acr.reconstructor.encoder), *gradients(acr.reconstructor.side)]
    assert all(gradient.abs().max() == 0 for gradient in still)
    assert sum(gradient.abs().sum() for gradient in gradients(acr.reconstructor.decoder)) > 0


def test_cu_gradient_reaches_the_classifier_through_the_segment_only():
    acr = tiny()
    acr.reconstructor.requires_grad_(False)  # as `toggled_optimizer` does
    cu = acr.classifier_update(step_of())
    (cu.target + cu.non_target).backward()
    assert gradients(acr.reconstructor) == []
    assert acr.classifier.classify.weight.grad.abs().sum() > 0


def test_frozen_networks_keep_their_batchnorm():
    acr = tiny()

    def statistics(module):
        return torch.cat([value.flatten() for name, value in module.state_dict().items() if "running" in name])

    before = statistics(acr.classifier), statistics(acr.reconstructor)
    acr.reconstructor_update(step_of())
    assert torch.equal(statistics(acr.classifier), before[0])
    middle = statistics(acr.reconstructor)
    assert not torch.equal(middle, before[1])
    acr.classifier_update(step_of())
    assert torch.equal(statistics(acr.reconstructor), middle)


@pytest.mark.usefixtures("double")
def test_whole_ru_and_cu_steps_equal_a_transcription_of_the_formulas():
    acr, (image, tags) = tiny(srf=None), batch_of()
    target = (2, 1)
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

    inputs = classifier.normalise(image)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (F.avg_pool2d(image, 2) - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    classifier.eval()
    segment = norm_and_pick(classifier(inputs).cam_logits).detach()
    f, classified = reconstructor.encode(inputs)
    terms = [
        F.binary_cross_entropy_with_logits(classified.class_logits, tags),
        (paint(reconstructor, [side.detach() for side in f], torch.ones_like(segment)) - x).abs().mean(),
        (segment * (paint(reconstructor, f, 1 - segment) - x)).abs().mean(),
        ((1 - segment) * (paint(reconstructor, f, segment) - x)).abs().mean(),
    ]
    wanted = terms[0] + 0.2 * terms[1] + 0.3 * terms[2] + 0.5 * terms[3]
    got = acr.reconstructor_update(step_of(target))
    # BatchNorm in the encoder sees the same batch in both, so its statistics do not matter in train mode.
    assert got.total(RUWeights()).item() == pytest.approx(wanted.item(), abs=1e-10)
    names = [name for name, _ in reconstructor.named_parameters()]
    first = torch.autograd.grad(wanted, list(reconstructor.parameters()), allow_unused=True)
    second = torch.autograd.grad(got.total(RUWeights()), list(reconstructor.parameters()), allow_unused=True)
    for name, one, two in zip(names, first, second, strict=True):
        assert (one is None) == (two is None), name
        assert one is None or torch.allclose(one, two, atol=1e-10), name

    reconstructor.eval()
    with torch.no_grad():
        f, _ = reconstructor.encode(inputs)
    classifier.train()
    logits = classifier(inputs).cam_logits
    segment = norm_and_pick(logits)
    wins = (F.interpolate(logits, (16, 16), mode="bilinear").argmax(1) == torch.tensor(target)[:, None, None])[:, None]
    beyond = segment.detach() == 0
    wanted = (
        F.binary_cross_entropy_with_logits(logits.mean((2, 3)), tags)
        - 0.8 * (beyond * (paint(reconstructor, f, segment) - x)).abs().mean()
        - 0.3 * (segment.detach() * wins * (paint(reconstructor, f, 1 - segment) - x)).abs().mean()
    )
    got = acr.classifier_update(step_of(target))
    assert got.total(CUWeights()).item() == pytest.approx(wanted.item(), abs=1e-10)
    for one, two in zip(
        torch.autograd.grad(wanted, list(classifier.parameters())),
        torch.autograd.grad(got.total(CUWeights()), list(classifier.parameters())),
        strict=True,
    ):
        assert torch.allclose(one, two, atol=1e-10)


def test_baseline_has_no_reconstructor():
    assert tiny(strategy="baseline").reconstructor is None


def test_pretrained_needs_its_phases():
    with pytest.raises(UserError, match="classifier_epochs"):
        tiny(strategy="pretrained")


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        ("baseline", ["C", "", "C", "C"]),
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
    acr = tiny_acr(freeze_batchnorm=False)
    data = TaggedCrops(shapes, crop=32, long_side=(32, 40), batch_size=4, num_workers=0)
    run = trainer(tmp_path, 2)
    run.fit(acr, data)
    assert run.fit_loop.total_batch_idx + 1 == 8
    assert run.global_step == 16  # Lightning counts each optimiser's steps
    for optimizer in run.optimizers:
        rates = [group["lr"] / group["initial_lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([(1 / 8) ** 0.9] * len(rates))  # that of the last batch


def shapes_data(shapes, **options):
    settings = dict(crop=32, long_side=(32, 40), batch_size=4, num_workers=0)
    return TaggedCrops(shapes, **{**settings, **options})


def four_classes(**options):
    torch.manual_seed(1)
    return tiny_acr(depth=2, **options)


def fitted(path, shapes, epochs=1, callbacks=(), data=None, **options):
    acr = four_classes(**options)
    trainer(path, epochs, callbacks=[StepSeed(), *callbacks]).fit(acr, data or shapes_data(shapes))
    return acr


def difference(one, two):
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return max((a.float() - b.float()).abs().max().item() for a, b in pairs)


@pytest.mark.usefixtures("double")
def test_micro_batches_are_the_same_step(tmp_path, shapes):
    # SGD: Adam would blow up rounding where a gradient is next to nothing.
    options = {"optimizer": SGD}
    whole = fitted(tmp_path, shapes, **options)
    parts = fitted(tmp_path, shapes, step=StepSettings(micro_batches=4), **options)
    assert difference(whole, four_classes(**options)) > 1e-3
    assert difference(whole, parts) < 1e-10


def test_micro_batches_must_divide(tmp_path, shapes):
    with pytest.raises(UserError, match="4 photos of a device cannot be split evenly in 3"):
        fitted(tmp_path, shapes, step=StepSettings(micro_batches=3))


class Broken(ACR):
    """Its classifier's loss is not finite in some batches."""

    batches = (1,)

    def classifier_update(self, step):
        terms = super().classifier_update(step)
        bad = self.trainer.fit_loop.epoch_loop.batch_idx in self.batches
        return terms._replace(classification=terms.classification * (float("nan") if bad else 1))


def test_a_loss_that_is_not_finite_changes_nothing_by_its_gradient(tmp_path, shapes):
    # SGD without momentum and decay: without a gradient it stands still.
    acr = four_classes(kind=Broken, optimizer=OptimizerSettings(lr=0.05, momentum=0.0, weight_decay=0.0))
    Broken.batches, before = (0, 1, 2, 3), copy.deepcopy(acr.classifier.state_dict())
    trainer(tmp_path, 1).fit(acr, shapes_data(shapes))
    assert acr.nonfinite.skipped == {"ru": 0, "cu": 4}
    assert all(torch.equal(value, before[name]) for name, value in acr.classifier.state_dict().items())
    Broken.batches = (1,)
    trainer(tmp_path, 1).fit(acr, shapes_data(shapes))
    assert acr.nonfinite.skipped == {"ru": 0, "cu": 5}
    assert all(parameter.isfinite().all() for parameter in acr.parameters())
    assert not torch.equal(acr.classifier.classify.weight, before["classify.weight"])


def test_too_many_in_a_row_stop_the_run(tmp_path, shapes):
    acr = four_classes(kind=Broken, step=StepSettings(max_nonfinite=3))
    Broken.batches = (0, 1, 2)
    with pytest.raises(UserError, match=r"loss of cu was not finite 3 times in a row.*lower model\.optimizer\.lr"):
        trainer(tmp_path, 1).fit(acr, shapes_data(shapes))


@pytest.mark.parametrize(("batches_before", "workers"), [(4, 0), (5, 0), (7, 0), (8, 0), (6, 1)])
def test_resumed_in_the_middle_of_an_epoch_equals_uninterrupted(tmp_path, shapes, batches_before, workers):

    class SaveAt(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if trainer.fit_loop.total_batch_idx + 1 == batches_before:
                trainer.save_checkpoint(tmp_path / "middle.ckpt")

    def run(callbacks, **options):
        acr = tiny_acr(freeze_batchnorm=False, depth=4, stride=1)
        run = trainer(tmp_path, 3, callbacks=[StepSeed(), *callbacks])
        assert any(isinstance(module, torch.nn.Dropout) for module in acr.modules())
        run.fit(acr, shapes_data(shapes, num_workers=workers), **options)
        return run, acr

    torch.manual_seed(1)
    _, whole = run([SaveAt()])
    torch.manual_seed(2)
    resumed_trainer, resumed = run([], ckpt_path=tmp_path / "middle.ckpt", weights_only=True)
    assert resumed_trainer.fit_loop.total_batch_idx + 1 == 12
    assert difference(whole, resumed) == 0


def half_precision():
    # Lightning gives 16-mixed on a CPU no scaler of its own.
    return {"plugins": [MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu"))]}


@pytest.mark.parametrize("precision", [{}, {"precision": "bf16-mixed"}, half_precision()], ids=["32", "bf16", "16"])
def test_clipping_acts_on_the_real_gradient(tmp_path, shapes, precision):
    norms = []

    class Watched(ACR):
        def on_before_optimizer_step(self, optimizer):
            super().on_before_optimizer_step(optimizer)
            parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            norms.append(torch.cat([p.grad.flatten() for p in parameters]).norm().item())

    acr = tiny_acr(kind=Watched, optimizer=replace(ADAMW, gradient_clip_val=1e-3))
    trainer(tmp_path, 1, **precision).fit(acr, shapes_data(shapes))
    assert len(norms) == 8
    norms = [norm for norm in norms if norm == norm and norm > 0]  # the scaler's first steps may overflow
    assert len(norms) >= 4
    assert norms == pytest.approx([1e-3] * len(norms), rel=1e-2)


def test_processes_together_draw_what_one_process_draws():
    alone = StepDraws(epoch=2, batch_index=5)
    ranks = [StepDraws(2, 5, world=2, rank=rank) for rank in (0, 1)]
    for shape in ((), (1, 3, 3)):
        whole = alone.uniform(6, *shape)
        halves = [rank.uniform(3, *shape) for rank in ranks]
        assert torch.equal(torch.stack(halves, dim=1).flatten(0, 1), whole)
    assert not torch.equal(StepDraws(2, 6).uniform(6), StepDraws(2, 5).uniform(6))
