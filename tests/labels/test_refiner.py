import pickle

import numpy as np
import pytest

from acr_lightning.errors import UserError
from acr_lightning.labels.crf import PRESETS, dense_crf
from acr_lightning.labels.pseudo_label import pseudo_label, with_background
from acr_lightning.labels.refiner import build_refiner, describe, refine


class Upside:
    """Turns the probabilities upside down, which no dense CRF does."""

    def __init__(self, times: int = 1) -> None:
        self.times = times

    def __call__(self, image, probabilities):
        return probabilities[:, ::-1] if self.times % 2 else probabilities


class Summed:
    def __call__(self, image, probabilities):
        return probabilities.sum(axis=0)


class Uncalled:
    pass


OWN = f"{__name__}.Upside"


@pytest.fixture
def photo(rng):
    image = rng.integers(0, 256, (12, 14, 3)).astype(np.uint8)
    return image, rng.random((2, 12, 14), np.float32)


@pytest.mark.parametrize(
    "node",
    [
        "hard_label",
        {"class_path": "DenseCrf", "init_args": {"preset": "hard_label"}},
    ],
)
def test_a_preset_is_the_dense_crf(photo, node):
    image, scores = photo
    wanted = dense_crf(image, scores, PRESETS["hard_label"])
    assert np.array_equal(build_refiner(node, "refiner")(image, scores), wanted)


def test_scale_is_the_crfs_own(photo):
    image, scores = photo
    made = build_refiner({"class_path": "DenseCrf", "init_args": {"preset": "soft_cam", "scale": 0.5}}, "refiner")
    assert np.array_equal(made(image, scores), dense_crf(image, scores, PRESETS["soft_cam"], scale=0.5))


def test_none_is_no_refiner():
    assert build_refiner("none", "refiner") is None


def test_an_own_class_makes_the_label(photo):
    image, scores = photo
    refiner = build_refiner({"class_path": OWN, "init_args": {"times": 3}}, "refiner")
    label = pseudo_label(image, np.array([1, 4]), scores, 0.4, refiner=pickle.loads(pickle.dumps(refiner)))
    wanted = np.array([0, 2, 5])[with_background(scores, 0.4)[:, ::-1].argmax(axis=0)]
    assert np.array_equal(label, wanted)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("hard_lable", r"label\.refiner: no refiner 'hard_lable'\. Did you mean 'hard_label'\? Known: soft_cam, "),
        (None, r"label\.refiner: write one of soft_cam, .*, or class_path and init_args"),
        ({"scale": 0.5}, r"label\.refiner: write one of soft_cam, .*, or class_path and init_args"),
        ({"class_path": "own.Missing"}, r"label\.refiner: no class 'own\.Missing'"),
        ({"class_path": OWN, "init_args": {"time": 3}}, r"label\.refiner: .*unexpected keyword argument 'time'"),
        ({"class_path": "DenseCrf"}, r"label\.refiner: DenseCrf: missing a required argument: 'preset'"),
        ({"class_path": "DenseCrf", "init_args": {"preset": "hard"}}, "no preset 'hard'.*hard_label"),
        ({"class_path": "DenseCrf", "init_args": {"preset": "hard_label", "scale": 2}}, "scale is 2"),
        (f"{__name__}.Uncalled", r"Uncalled is no refiner: its objects must be called as refiner\(image, probab"),
    ],
)
def test_what_is_wrong_is_named(node, message):
    with pytest.raises(UserError, match=message):
        build_refiner(node, "label.refiner")


class Counted:
    """Remembers that one was made; with the call of a refiner only below."""

    number = 0

    def __init__(self) -> None:
        type(self).number += 1


class CountedRefiner(Counted):
    def __call__(self, image, probabilities):
        return probabilities


class CalledOtherwise(Counted):
    def __call__(self, image):
        return image


@pytest.mark.parametrize("kind", [Counted, CalledOtherwise, CountedRefiner])
def test_a_class_is_judged_before_one_is_made(kind):
    kind.number = 0
    if kind is CountedRefiner:
        build_refiner(f"{__name__}.CountedRefiner", "label.refiner")
    else:
        with pytest.raises(UserError, match=f"{kind.__name__} is no refiner"):
            build_refiner(f"{__name__}.{kind.__name__}", "label.refiner")
    assert kind.number == (kind is CountedRefiner)


def test_another_shape_is_refused(photo):
    with pytest.raises(UserError, match=r"refiner Summed: gave \[12, 14\] for probabilities \[2, 12, 14\]"):
        refine(Summed(), *photo)


def test_records_say_what_it_was():
    assert describe("hard_label") == "hard_label"
    node = {"class_path": "DenseCrf", "init_args": {"preset": "hard_label", "scale": 0.5}}
    assert describe(node) == "DenseCrf(preset=hard_label, scale=0.5)"
    assert describe({"class_path": "own.Sharpen"}) == "Sharpen"


@pytest.mark.parametrize(
    "node", [5, [], {"init_args": {}}, {"class_path": "DenseCrf", "init_args": 5}, {"class_path": 5}]
)
def test_whatever_a_run_says_of_its_refiner_is_given_as_it_is(node):
    assert describe(node) in (str(node), "5")
