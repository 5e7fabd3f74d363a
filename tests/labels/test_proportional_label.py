"""PMM's labels against a transcription, pixel by pixel."""

import numpy as np
import pytest
from pydensecrf.densecrf import DenseCRF2D
from pydensecrf.utils import unary_from_softmax

from acr_lightning.labels.proportional_label import proportional_label, smoothed
from acr_lightning.labels.refiner import DenseCrf


def crf_of_two(image, background, score):
    """The release's, of what is not yet of sum 1."""
    crf = DenseCRF2D(image.shape[1], image.shape[0], 2)
    crf.setUnaryEnergy(np.ascontiguousarray(unary_from_softmax(np.stack([background, score]))))
    crf.addPairwiseGaussian(sxy=3, compat=10)
    crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=np.ascontiguousarray(image), compat=10)
    return np.array(crf.inference(10)).reshape(2, *image.shape[:2])[1]


def slow_label(image, classes, scores, smoothing, alpha, refine):
    claims, shares = [], []
    for v in scores:
        over = [x for x in v.ravel() if x > 0.05]
        cv = smoothing * np.std(over) / np.mean(over) if over else 0
        even = np.where(v < 0.05, 0, v) ** (1 - cv)
        background = (1 - even) ** alpha
        claim = (crf_of_two(image, background, even) > 0.5) if refine else even > background
        claims.append(claim)
        shares.append(v / (1 + v[claim].sum()))
    label = np.zeros(image.shape[:2], np.uint8)
    for at in np.ndindex(label.shape):
        best = 0.0
        for k, claim, share in zip(classes, claims, shares, strict=True):
            if claim[at] and share[at] > best:
                best, label[at] = share[at], k + 1
    return label, np.sum(claims, axis=0)


@pytest.mark.parametrize("refine", [False, True])
def test_each_class_by_itself_and_overlaps_by_share(rng, refine):
    image = rng.integers(0, 40, (24, 30, 3)).astype(np.uint8)
    image[4:20, 5:25] += 200
    grid = np.stack(np.mgrid[:24, :30], -1)
    peaks = [((11, 10), 7), ((12, 17), 5), ((40, 40), 5)]  # a large, a smaller and a hardly visible one
    scores = np.stack([np.exp(-((grid - at) ** 2).sum(-1) / (2 * width**2)) for at, width in peaks])
    scores = np.rint(scores * 255).astype(np.float32) / 255
    classes = np.array([1, 4, 7])
    refiner = DenseCrf("one_class") if refine else None
    got = proportional_label(image, classes, scores, 0.3, alpha=11, refiner=refiner)
    wanted, claims = slow_label(image, classes, scores.astype(np.float64), 0.3, 11, refine)
    assert np.array_equal(got, wanted)
    assert (claims > 1).any()
    assert {0, 2, 5} <= set(np.unique(got))


def test_the_more_scores_vary_the_more_even_they_get():
    score = np.array([[0.0, 0.04, 0.2, 1.0]], np.float32)
    variation = np.std([0.2, 1.0]) / np.mean([0.2, 1.0])
    assert np.allclose(smoothed(score, 0.3), [[0, 0, 0.2 ** (1 - 0.3 * variation), 1]])
    assert np.allclose(smoothed(score, 0), [[0, 0, 0.2, 1]])
    assert (smoothed(np.zeros((2, 2), np.float32), 0.3) == 0).all()


def test_a_photo_without_tags_is_background(rng):
    image = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    made = proportional_label(image, np.zeros(0, np.int64), np.zeros((0, 4, 5), np.float32), 0.3, threshold=0.3)
    assert made.dtype == np.uint8
    assert (made == 0).all()
