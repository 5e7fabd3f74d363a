"""Each term of CU by itself, followed for some steps against a fixed reconstructor, moves the CAM as the paper says."""

import torch
from torch.nn import functional as F

from acr_lightning.methods.acr.cu_loss import cu_loss
from acr_lightning.methods.acr.target import target_segment, target_wins

SIZE, REACH = 32, 13
OBJECT = torch.zeros(1, 1, SIZE, SIZE)
OBJECT[..., 10:22, 10:22] = 1
# An object of one colour on a ground of another: whoever sees a bit of either can guess the rest of it.
IMAGE = (2 * OBJECT - 1).expand(1, 3, SIZE, SIZE)


def box(maps):
    return F.avg_pool2d(F.pad(maps, [REACH // 2] * 4), REACH, 1)


def paint(seen):
    """A reconstructor without weights: object and ground each guessed as what is seen of it nearby, 0 if nothing is."""
    parts = []
    for region in (OBJECT, 1 - OBJECT):
        around = box(seen * region)
        parts.append(region * box(seen * region * IMAGE) / (around + 0.02))
    return parts[0] + parts[1]


def follow(logits, steps, target, non_target):
    """Gradient descent on the CAM logits alone; the segment before and after."""
    logits = logits.clone().requires_grad_()
    tags, chosen, size = torch.ones(1, 1), torch.zeros(1, dtype=torch.long), (SIZE, SIZE)
    segments = []
    for _ in range(steps + 1):
        segment = target_segment(logits, tags, chosen, size)
        segments.append(segment.detach())
        terms = cu_loss(
            classification=torch.zeros(()), image=IMAGE, from_target=paint(segment),
            from_non_target=paint(1 - segment), segment=segment, wins=target_wins(logits, chosen, size),
        )  # fmt: skip
        (gradient,) = torch.autograd.grad(target * terms.target + non_target * terms.non_target, logits)
        # Nothing becomes brighter than the brightest: the normalisation would only scale everything else down.
        logits = (logits - 300 * gradient).clamp(max=1).detach().requires_grad_()
    return segments[0], segments[-1]


def mean(segment, region):
    return (segment * region).sum().item() / region.sum().item()


def test_l_t_shrinks_a_cam_that_spills_over():
    ring = F.max_pool2d(OBJECT, 7, 1, 3) - OBJECT
    logits = OBJECT + 0.5 * ring - (1 - OBJECT - ring)
    before, after = follow(logits, 60, target=1, non_target=0)
    assert mean(before, ring) > 0.49
    assert mean(after, ring) < 0.5 * mean(before, ring)
    assert mean(after, OBJECT) > 0.9


def test_l_nt_grows_a_cam_that_is_too_small():
    core = torch.zeros_like(OBJECT)
    core[..., 14:18, 14:18] = 1
    logits = core + 0.1 * (OBJECT - core)  # the ground is 0, the map's minimum
    before, after = follow(logits, 60, target=0, non_target=1)
    assert mean(before, OBJECT) < 0.25
    assert mean(after, OBJECT) > 2 * mean(before, OBJECT)
