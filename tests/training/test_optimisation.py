from dataclasses import replace

import pytest
import torch
from timm.optim import param_groups_layer_decay
from timm.scheduler import CosineLRScheduler
from torch import nn

from acr_lightning.errors import UserError
from acr_lightning.nets.vit.mctformer import MCTFormer
from acr_lightning.training.optimisation import OptimizerSettings, Span

# Of layers that are new and have no bias factor, rate 2.
PLAIN = OptimizerSettings(lr=2.0, new_layer_factor=1.0, bias_factor=1.0, weight_decay=0.0)


def rates(module, settings):
    """Name of each parameter to its rate and decay."""
    groups = settings.build(module).param_groups
    by_id = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    return {name: by_id.get(id(parameter)) for name, parameter in module.named_parameters()}


def rates_by_step(steps, settings, *arguments):
    """The rate at each step of a training."""
    optimizer = settings.build(nn.Linear(1, 1))
    schedule, seen = settings.build_schedule(optimizer, *arguments), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_rates_of_the_release_and_of_its_ancestors():
    module = nn.ModuleDict(
        {
            "old": nn.Conv2d(1, 1, 1),
            "new": nn.Conv2d(1, 1, 1),
            "up": nn.ConvTranspose2d(1, 1, 1),
            "norm": nn.BatchNorm2d(1),
        }
    )
    module["norm"].requires_grad_(False)
    module["old"].pretrained_parameters = module["old"].parameters
    none = {"norm.weight": None, "norm.bias": None}
    assert rates(module, OptimizerSettings(lr=0.5, weight_decay=0.25)) == {
        "old.weight": (0.5, 0.25), "old.bias": (1.0, 0), "new.weight": (5.0, 0.25), "new.bias": (10.0, 0),
        "up.weight": (5.0, 0.25), "up.bias": (10.0, 0), **none,
    }  # fmt: skip
    release = OptimizerSettings(lr=0.5, weight_decay=0.25, new_layer_factor=1, transposed_factor=10)
    assert rates(module, release) == {
        "old.weight": (0.5, 0.25), "old.bias": (1.0, 0), "new.weight": (0.5, 0.25), "new.bias": (1.0, 0),
        "up.weight": (5.0, 0.25), "up.bias": (10.0, 0), **none,
    }  # fmt: skip


def test_what_a_vit_decays_and_how_fast_its_blocks_learn():
    """Against timm's own groups."""
    net = MCTFormer(3, "test_vit")
    settings = OptimizerSettings("adamw", 0.5, 2.0, weight_decay=0.25, bias_factor=1.0, layer_decay=0.5)
    found = rates(net, settings)
    assert found["classify.weight"] == (1.0, 0.25)
    assert found["classify.bias"] == (1.0, 0)
    for name in ("class_tokens", "class_positions", "patch_positions", "vit.patch_embed.proj.bias"):
        assert found[name] == (0.5 * 0.5**6, 0), name
    assert found["vit.patch_embed.proj.weight"] == (0.5 * 0.5**6, 0.25)
    assert found["vit.norm.weight"] == (0.5, 0)
    timms = param_groups_layer_decay(net.vit, 0.25, layer_decay=0.5)
    theirs = {id(p): (group["lr_scale"], group["weight_decay"]) for group in timms for p in group["params"]}
    scale = theirs[id(net.vit.blocks[-1].attn.qkv.weight)][0]  # timm counts the head as one more
    for name, one in net.vit.named_parameters():
        if name.startswith("blocks"):
            assert found[f"vit.{name}"] == pytest.approx((0.5 * theirs[id(one)][0] / scale, theirs[id(one)][1])), name


def test_poly_by_hand_and_flat_after_its_end():
    wanted = [2.0, 2 * 0.75**0.9, 2 * 0.5**0.9, 2 * 0.25**0.9]
    flat = [wanted[-1]] * 3
    assert rates_by_step(7, PLAIN, 4) == pytest.approx([*wanted, *flat])
    # Of seven epochs of a step each the schedule has four.
    assert rates_by_step(7, replace(PLAIN, schedule_epochs=4), 7, 7) == pytest.approx([*wanted, *flat])


def test_spans_begin_anew():
    # Eight steps in four epochs: one epoch, a rest of one, and two at half the rate.
    last = 2 * 0.5**0.9
    assert rates_by_step(8, PLAIN, 8, 4, [Span(0, 1), Span(2, None, 0.5)]) == pytest.approx(
        [2.0, last, last, last, 1.0, 0.75**0.9, 0.5**0.9, 0.25**0.9]
    )


def test_the_rise_is_that_of_the_first_span_that_has_an_epoch():
    rising, span = replace(PLAIN, warmup_epochs=2), Span(0, None, 0.5)
    seen = rates_by_step(8, rising, 8, 4, [Span(0, 0), span])  # no epoch of the classifier alone before the game
    assert seen == rates_by_step(8, rising, 8, 4, [span])
    assert seen[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_a_cosine_after_a_rise_as_timm_has_it():
    # Ten steps in five epochs, two of which rise.
    seen = rates_by_step(10, replace(PLAIN, schedule="cosine", warmup_epochs=2), 10, 5)
    assert seen[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    timms = CosineLRScheduler(PLAIN.build(nn.Linear(1, 1)), t_initial=10, lr_min=0)
    assert seen[4:] == pytest.approx([timms._get_lr(step)[0] for step in range(4, 10)])


def test_any_of_timms_optimisers_by_name():
    assert type(OptimizerSettings("lion").build(nn.Linear(1, 1))).__name__ == "Lion"
    with pytest.raises(UserError, match="Did you mean 'adamw'"):
        OptimizerSettings("adamww").build(nn.Linear(1, 1))


def test_adamw_takes_the_groups():
    optimizer = OptimizerSettings("adamw", weight_decay=0.5).build(nn.Linear(1, 1))
    assert isinstance(optimizer, torch.optim.AdamW)
    assert sorted(group["weight_decay"] for group in optimizer.param_groups) == [0, 0.5]
