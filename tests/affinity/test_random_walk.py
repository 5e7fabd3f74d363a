"""The sparse walk against a dense matrix, made pair by pair; and laws that any walk obeys."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acr_lightning.affinity.neighbour_sums import GatheredSums, ShiftedSums
from acr_lightning.affinity.neighbourhood import half_disc, neighbours, straight_path
from acr_lightning.affinity.pair_affinity import boundary_affinity, feature_affinity
from acr_lightning.affinity.random_walk import SUMS, Transition, chebyshev_shares, random_walk

SIZES = [(7, 9), (12, 5), (3, 2), (1, 6), (4, 4)]


def dense_transition(affinity_of, height, width, radius, beta):
    """T as an N×N matrix: every pair of cells is looked at, near or not."""
    cells = [(y, x) for y in range(height) for x in range(width)]
    matrix = np.zeros((len(cells), len(cells)))
    for i, (y, x) in enumerate(cells):
        for j, (v, u) in enumerate(cells):
            if i == j:
                matrix[i, j] = 1
            elif (y - v) ** 2 + (x - u) ** 2 < radius**2:
                matrix[i, j] = affinity_of((y, x), (v, u)) ** beta
    return matrix / matrix.sum(axis=0, keepdims=True)


def psa_affinity(features):
    return lambda a, b: math.exp(-np.abs(features[:, a[0], a[1]] - features[:, b[0], b[1]]).mean())


def irn_affinity(boundary):
    def affinity(a, b):
        ys, xs = sorted((a[0], b[0])), sorted((a[1], b[1]))
        direction = np.subtract(b, a) / np.hypot(*np.subtract(b, a))
        on_the_way = [
            boundary[y, x]
            for y in range(ys[0], ys[1] + 1)
            for x in range(xs[0], xs[1] + 1)
            # the distance of a cell from the line through both
            if abs(direction[0] * (x - a[1]) - direction[1] * (y - a[0])) < 1 - 1e-9
        ]
        return 1 - max(on_the_way)

    return affinity


def sizes_and_settings():
    return pytest.mark.parametrize(
        ("size", "radius", "beta", "exponent"),
        [*((size, 5, 8, 8) for size in SIZES), ((9, 8), 3, 10, 6), ((6, 11), 7, 1, 0), ((8, 8), 2, 2.5, 1)],
    )


@pytest.fixture(params=[ShiftedSums, GatheredSums])
def either_way(request, monkeypatch):
    """Each way in which a step is done, whatever device it is for."""
    monkeypatch.setitem(SUMS, "cpu", request.param)


@pytest.mark.usefixtures("either_way")
@sizes_and_settings()
def test_psa_walk_equals_the_dense_power(size, radius, beta, exponent, rng):
    features = rng.normal(0, 0.3, (6, *size)).astype(np.float32)
    scores = rng.random((3, *size)).astype(np.float32)
    dense = dense_transition(psa_affinity(features.astype(np.float64)), *size, radius, beta)
    wanted = scores.reshape(3, -1) @ np.linalg.matrix_power(dense, 2**exponent)
    affinity = feature_affinity(torch.from_numpy(features)[None], radius)
    got = random_walk(torch.from_numpy(scores)[None], affinity, radius, beta, exponent)
    assert np.abs(got[0].numpy() - wanted.reshape(3, *size)).max() < 1e-5


@pytest.mark.usefixtures("either_way")
@sizes_and_settings()
def test_irn_walk_equals_the_dense_power(size, radius, beta, exponent, rng):
    boundary = rng.random(size).astype(np.float32) ** 3
    scores = rng.random((2, *size)).astype(np.float32)
    dense = dense_transition(irn_affinity(boundary.astype(np.float64)), *size, radius, beta)
    wanted = scores.reshape(2, -1) @ np.linalg.matrix_power(dense, 2**exponent)
    affinity = boundary_affinity(torch.from_numpy(boundary)[None], radius)
    got = random_walk(torch.from_numpy(scores)[None], affinity, radius, beta, exponent)
    assert np.abs(got[0].numpy() - wanted.reshape(2, *size)).max() < 1e-5


def test_the_half_disc_of_radius_5_has_34_offsets():
    # At radius 5, at most 69 non-zeros a row, of which one is the cell itself.
    assert len(half_disc(5)) == 34
    both = {*half_disc(5), *((-dy, -dx) for dy, dx in half_disc(5))}
    assert both == {(y, x) for y in range(-9, 9) for x in range(-9, 9) if 0 < y * y + x * x < 25}


def test_paths_drawn_by_hand():
    assert straight_path((0, 3)) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert sorted(straight_path((1, 1))) == [(0, 0), (0, 1), (1, 0), (1, 1)]  # both corners are 0.71 away
    assert sorted(straight_path((2, 1))) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert sorted(straight_path((2, -2))) == [(0, -1), (0, 0), (1, -2), (1, -1), (1, 0), (2, -2), (2, -1)]


def test_neighbours_are_shifted_maps():
    grid = torch.arange(12.0).view(1, 3, 4)
    shifted = neighbours(grid, 2, fill=-1)
    assert half_disc(2) == ((0, 1), (1, -1), (1, 0), (1, 1))
    assert shifted[0, 0].tolist() == [[1, 2, 3, -1], [5, 6, 7, -1], [9, 10, 11, -1]]
    assert shifted[0, 1].tolist() == [[-1, 4, 5, 6], [-1, 8, 9, 10], [-1, -1, -1, -1]]


def test_a_wall_stops_the_walk():
    boundary = torch.zeros(1, 6, 9)
    boundary[..., 4] = 1
    scores = torch.zeros(1, 1, 6, 9)
    scores[..., :4] = 1
    walked = random_walk(scores, boundary_affinity(boundary, 5))
    assert torch.allclose(walked, scores, atol=1e-6)
    open_field = random_walk(scores, boundary_affinity(torch.zeros(1, 6, 9), 5))
    assert torch.allclose(open_field, open_field.mean(), atol=1e-3)


@pytest.mark.usefixtures("either_way")
def test_a_batch_is_walked_as_its_images_are(rng):
    features = torch.from_numpy(rng.normal(size=(3, 4, 6, 7)).astype(np.float32))
    scores = torch.from_numpy(rng.random((3, 2, 6, 7), np.float32))
    together = random_walk(scores, feature_affinity(features, 4), 4)
    for index in range(3):
        alone = random_walk(scores[index : index + 1], feature_affinity(features[index : index + 1], 4), 4)
        assert torch.allclose(together[index], alone[0], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 9), width=st.integers(1, 9), radius=st.integers(2, 6), exponent=st.integers(0, 9),
    beta=st.floats(0.5, 12), spread=st.floats(0, 3), seed=st.integers(0, 99),
)  # fmt: skip
def test_laws_of_every_walk(height, width, radius, exponent, beta, spread, seed):
    rng = np.random.default_rng(seed)
    features = torch.from_numpy(rng.normal(0, spread, (1, 3, height, width)).astype(np.float32))
    scores = torch.from_numpy(rng.random((1, 3, height, width), np.float32))
    affinity = feature_affinity(features, radius)

    # Columns sum to one: each cell's unit score, walked one step, is a row of T.
    cells = height * width
    rows = Transition(affinity, radius, beta)(torch.eye(cells).double()[None])
    assert torch.allclose(rows[0].sum(dim=0), torch.ones(cells).double())

    walked = random_walk(scores, affinity, radius, beta, exponent)
    # A constant stays what it is.
    constant = random_walk(torch.full_like(scores, 0.7), affinity, radius, beta, exponent)
    assert torch.allclose(constant, torch.full_like(scores, 0.7), atol=1e-5)
    # Classes do not mix.
    assert torch.allclose(random_walk(scores[:, [2, 0, 1]], affinity, radius, beta, exponent), walked[:, [2, 0, 1]])
    # The mirror image walks to the mirrored result.
    mirrored = random_walk(scores.flip(-1), feature_affinity(features.flip(-1), radius), radius, beta, exponent)
    assert torch.allclose(mirrored.flip(-1), walked, atol=1e-5)
    # A mean never leaves the range of its terms.
    assert walked.min() >= scores.min() - 1e-5
    assert walked.max() <= scores.max() + 1e-5


@pytest.mark.parametrize("power", [1, 2, 3, 7, 64, 256])
def test_chebyshev_sum_is_the_power(power):
    x = np.linspace(-1, 1, 401)
    shares = chebyshev_shares(power)
    assert np.abs(np.polynomial.chebyshev.chebval(x, shares) - x**power).max() < 2e-7
    assert len(shares) <= max(2, math.ceil(5.5 * math.sqrt(power)) + 1)


def test_boundary_affinity_is_mirror_equivariant(rng):
    """The walk over the mirrored boundary is the mirrored walk, though the half disc is not symmetric."""
    boundary = torch.from_numpy(rng.random((1, 7, 8), np.float32))
    scores = torch.from_numpy(rng.random((1, 2, 7, 8), np.float32))
    one = random_walk(scores, boundary_affinity(boundary, 5))
    two = random_walk(scores.flip(-1), boundary_affinity(boundary.flip(-1), 5))
    assert torch.allclose(one, two.flip(-1), atol=1e-5)


def test_a_step_is_the_same_either_way(rng):
    """In 64 bits, where sums of 69 numbers below 1 differ by their order alone."""
    affinity = boundary_affinity(torch.from_numpy(rng.random((2, 11, 13), np.float32)), 5).double()
    scores = torch.from_numpy(rng.random((2, 3, 143)))
    one, other = (kind(affinity, 5)(scores) for kind in (ShiftedSums, GatheredSums))
    assert (one - other).abs().max() < 69 * 69 * 2**-53


def test_affinity_of_another_radius_is_refused():
    with pytest.raises(ValueError, match="radius 5 it has 34"):
        Transition(torch.ones(1, 4, 3, 3), 5, 8)


def test_gradient_reaches_the_network(rng):
    """Training uses the same functions as the walk."""
    features = torch.randn(1, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: feature_affinity(x, 3), features)
    boundary = torch.rand(1, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: boundary_affinity(x, 3), boundary)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_walks_to_the_same_scores(rng):
    boundary = torch.from_numpy(rng.random((1, 20, 30), np.float32)) ** 3
    scores = torch.from_numpy(rng.random((1, 2, 20, 30), np.float32))
    here = random_walk(scores, boundary_affinity(boundary, 5))
    there = random_walk(scores.cuda(), boundary_affinity(boundary.cuda(), 5))
    assert torch.allclose(here, there.cpu(), atol=1e-5)
