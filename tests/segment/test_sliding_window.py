from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from acr_lightning.segment.sliding_window import sliding_window, starts


@given(st.integers(1, 500), st.integers(1, 200), st.floats(0, 0.9))
def test_windows_cover_the_axis_and_overlap(length, window, overlap):
    found = starts(length, window, overlap)
    covered = {at for start in found for at in range(start, min(start + window, length))}
    assert covered == set(range(length))
    assert found[0] == 0
    assert max(found) + window <= max(length, window)
    for one, two in pairwise(found):
        assert two - one <= max(1, int(window * (1 - overlap))) + 1


def test_small_images_get_the_plain_pass():
    net = torch.nn.Conv2d(3, 2, 5, padding=2)
    image = torch.rand(1, 3, 20, 31)
    assert torch.equal(sliding_window(net, image, window=31), net(image))


@pytest.mark.parametrize("size", [(40, 31), (17, 64), (50, 50)])
def test_a_network_of_single_pixels_is_the_same_everywhere(size):
    net = torch.nn.Conv2d(3, 4, 1)
    image = torch.rand(2, 3, *size)
    assert torch.allclose(sliding_window(net, image, window=16), net(image), atol=1e-6)


def test_overlaps_are_averaged():
    calls = []

    def net(part):
        calls.append(part.shape)
        return torch.full((1, 1, *part.shape[-2:]), float(len(calls)))

    got = sliding_window(net, torch.zeros(1, 3, 4, 6), window=4, overlap=0.5)
    assert calls == [(1, 3, 4, 4)] * 2
    assert got[0, 0, 0].tolist() == [1, 1, 1.5, 1.5, 2, 2]
