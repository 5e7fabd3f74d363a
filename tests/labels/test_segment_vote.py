"""Both rules against plain loops over pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acr_lightning.labels.segment_vote import mean_label, voted
from acr_lightning.proposals.mask_runs import runs_of

H, W = 9, 7


def blobs(rng, count):
    """Rectangles that overlap, none of them empty."""
    masks = np.zeros((count, H, W), bool)
    for mask in masks:
        y, x = rng.integers(H), rng.integers(W)
        mask[y : y + rng.integers(1, H), x : x + rng.integers(1, W)] = True
    return masks


def label_of(rng, labels):
    label = np.zeros((H, W), np.uint8)
    for mask in blobs(rng, 4):
        label[mask] = rng.choice(labels)
    return label


def slow_vote(label, masks):
    """Who may take a mask; the largest overlap takes it; the smaller an overlap the later it is painted."""
    taken = []
    for mask in masks:
        best = (0, None)
        for c in sorted({*label.ravel().tolist()} - {0, 255}):
            both = sum(bool(mask[at]) and label[at] == c for at in np.ndindex(H, W))
            may = both / mask.sum() >= 0.5 or both / (label == c).sum() >= 0.85
            if may and both > best[0]:
                best = (both, c)
        taken.append(best)
    result = label.copy()
    for at in np.ndindex(H, W):
        over = [(both, -number, c) for number, (both, c) in enumerate(taken) if masks[number][at] and both]
        covered = any(mask[at] for mask in masks)
        if over:
            result[at] = min(over)[2]
        elif covered and label[at] != 255 and len({*label.ravel().tolist()} - {0, 255}):
            result[at] = 0
    return result


def in_order(label, masks):
    """The release's way, class by class."""
    out, taken = np.zeros_like(label), set()
    for c in range(1, 4):
        part = label == c
        if not part.any():
            continue
        covered = np.zeros(label.shape, bool)
        for number, mask in enumerate(masks):
            covered |= mask
            both = (part & mask).sum()
            if number not in taken and (both / mask.sum() >= 0.5 or both / part.sum() >= 0.85):
                taken.add(number)
                out[mask] = c
        out[part & ~covered] = c
    return out


@pytest.mark.parametrize("seed", range(20))
def test_the_vote_is_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    label, masks = label_of(rng, [1, 2, 3, 255, 0]), blobs(rng, 6)
    assert np.array_equal(voted(label, [runs_of(mask) for mask in masks]), slow_vote(label, masks))


@pytest.mark.parametrize("seed", range(20))
def test_with_one_class_it_is_the_releases(seed):
    rng = np.random.default_rng(seed)
    label, masks = label_of(rng, [2, 0]), blobs(rng, 6)
    if (label == 2).any():
        assert np.array_equal(voted(label, [runs_of(mask) for mask in masks]), in_order(label, masks))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_the_order_of_the_classes_is_nothing(seed):
    rng = np.random.default_rng(seed)
    label, masks = label_of(rng, [1, 2, 0]), [runs_of(mask) for mask in blobs(rng, 6)]
    swapped = np.array([0, 2, 1], np.uint8)
    overlaps = [[((label == c).ravel()[np.r_[tuple(slice(*run) for run in runs.reshape(-1, 2))]]).sum() for c in (1, 2)]
                for runs in masks]  # fmt: skip
    flat = [both for pair in overlaps for both in pair if both]
    if len({*flat}) == len(flat):  # ties go to the lower label
        assert np.array_equal(voted(swapped[label], masks), swapped[voted(label, masks)])


def test_a_rider_stays_on_the_horse():
    label = np.zeros((H, W), np.uint8)
    label[3:] = 2
    label[1:4, 2:4] = 1
    horse, rider = np.zeros((2, H, W), bool)
    horse[1:] = True
    rider[:4, 2:4] = True
    for masks in ([horse, rider], [rider, horse]):
        wanted = np.where(rider, 1, np.where(horse, 2, 0))
        assert np.array_equal(voted(label, [runs_of(mask) for mask in masks]), wanted)


def test_without_masks_or_classes_nothing_changes():
    label = np.full((H, W), 255, np.uint8)
    assert np.array_equal(voted(label, [runs_of(np.ones((H, W), bool))]), label)
    label[0] = 3
    assert np.array_equal(voted(label, []), label)


def slow_mean(classes, scores, masks):
    means = [[np.mean([score[at] for at in np.ndindex(H, W) if mask[at]]) for score in scores] for mask in masks]
    highest = [max(means[m][c] for m in range(len(masks))) for c in range(len(classes))]
    chosen = []
    for row in means:
        even = [value / top for value, top in zip(row, highest, strict=True)]
        every = [(1 - max(even)) ** 0.6, *even]
        best = int(np.argmax(every))
        chosen.append((every[best], 0 if best == 0 else classes[best - 1] + 1))
    result = np.zeros((H, W), np.uint8)
    for at in np.ndindex(H, W):
        over = [(score, number, c) for number, (score, c) in enumerate(chosen) if masks[number][at]]
        result[at] = max(over)[2] if over else 0
    return result


@pytest.mark.parametrize("seed", range(10))
def test_the_mean_is_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    classes, scores, masks = np.array([0, 4]), rng.random((2, H, W)).astype(np.float32), blobs(rng, 6)
    scores *= np.stack([blobs(rng, 1)[0] + 0.1, blobs(rng, 1)[0] + 0.2]).astype(np.float32)
    got = mean_label(classes, scores, [runs_of(mask) for mask in masks])
    assert np.array_equal(got, slow_mean(classes, scores.astype(np.float64), masks))
    assert len(np.unique(got)) > 1


def test_the_mean_of_nothing_is_background():
    masks = [runs_of(np.ones((H, W), bool))]
    assert not mean_label(np.array([], np.int64), np.zeros((0, H, W), np.float32), masks).any()
    assert not mean_label(np.array([1]), np.zeros((1, H, W), np.float32), masks).any()
    assert not mean_label(np.array([1]), np.ones((1, H, W), np.float32), []).any()
