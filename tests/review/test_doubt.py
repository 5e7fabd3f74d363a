"""Which labels are doubtful: each measure against plain loops, and their ranks against scipy's."""

import numpy as np
import pytest
from scipy.stats import rankdata

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.artefacts.review_file import Decision
from acr_lightning.report.notes import Notes
from acr_lightning.review.doubt import Measures, agreement, doubts, measure, ranks
from acr_lightning.review.reviewed_run import reviewed_run


def plain_agreement(one, two, labels):
    ious = []
    for label in labels:
        both = either = 0
        for first, second in zip(one.ravel().tolist(), two.ravel().tolist(), strict=True):
            if 255 not in (first, second):
                both += first == label == second
                either += label in (first, second)
        ious.append(both / either if either else 0)
    return sum(ious) / len(ious) if ious else 1


def plain_label(cam, threshold):
    label = np.zeros(cam.levels.shape[1:], np.uint8)
    for at in np.ndindex(label.shape):
        best = threshold
        for one, levels in zip(cam.classes, cam.levels, strict=True):
            if levels[at] / 255 > best:
                best, label[at] = levels[at] / 255, one + 1
    return label


def test_agreement_is_the_mean_iou_of_the_tags(rng):
    one, two = rng.choice([0, 1, 2, 3, 255], (2, 9, 11)).astype(np.uint8)
    for labels in ([1], [1, 3], [2, 4], []):
        assert agreement(one, two, labels) == pytest.approx(plain_agreement(one, two, labels))
    assert agreement(one, one, [1, 4]) == 0.5  # a tag without a pixel in either agrees in nothing


def test_a_labels_measures_are_those_of_plain_loops(reviewed):
    for name in reviewed.names:
        cam, label, got = reviewed.cam(name), reviewed.label(name), measure(name, reviewed)
        tags = [tag + 1 for tag in cam.classes.tolist()]
        assert got.steady == pytest.approx(plain_agreement(label, plain_label(cam, 0.6), tags))
        places = [place for place in np.ndindex(label.shape) if label[place] in tags]
        own = [cam.levels[(tags.index(label[place]), *place)] for place in places]
        every = [0.4 * 255 + sum(int(levels[place]) for levels in cam.levels) for place in places]
        assert got.sure == pytest.approx(np.mean([one / total for one, total in zip(own, every, strict=True)]))
        prediction = reviewed.prediction(name)
        assert (got.network is None) == (prediction is None) == (name not in ("a", "d"))
        if prediction is not None:
            assert got.network == pytest.approx(plain_agreement(label, prediction, tags))


def test_a_label_is_measured_by_the_decision_that_it_was_made_with(reviewed):
    name = reviewed.names[1]
    assert len(reviewed.dataset.tags(name)) == 2
    reviewed.made_with[name] = Decision(threshold=0.8, removed=("cat",))
    after, cam = measure(name, reviewed), reviewed.cam(name, decision=reviewed.made_with[name])
    wanted = plain_agreement(reviewed.label(name), plain_label(cam, 1.0), [cam.classes[0] + 1])
    assert after.steady == pytest.approx(wanted)


def test_a_label_without_its_tag_is_the_least_sure_and_one_without_tags_is_sure(reviewed, run):
    name = reviewed.names[0]
    write_mask(run / "label" / "labels" / f"{name}.png", np.zeros(reviewed.label(name).shape, np.uint8))
    assert measure(name, reviewed)[:2] == (0, 0)
    reviewed.made_with[name] = Decision(removed=tuple(reviewed.tags(name)))
    assert measure(name, reviewed)[:2] == (1, 1)


def test_ranks_are_scipys(rng):
    for values in (rng.random(50), rng.integers(0, 5, 50), [3.0], [1, 1, 1]):
        wanted = (rankdata(values) - 1) / max(1, len(values) - 1)
        assert ranks([float(value) for value in values]) == pytest.approx(wanted)


def test_doubt_is_the_mean_rank_of_what_there_is():
    measures = [Measures(0.9, 0.9, 0.5), Measures(0.1, 0.2, None), Measures(0.5, 0.2, 0.1)]
    assert doubts(measures) == pytest.approx([(0 + 0 + 0) / 3, (1 + 0.75) / 2, (0.5 + 0.75 + 1) / 3])
    assert doubts([one._replace(network=None) for one in measures]) == pytest.approx([0, 1.75 / 2, 1.25 / 2])


def test_nothing_is_reviewed_that_the_network_does_not_learn_from(reviewed, run):
    write_mask(run / "label" / "labels" / "other.png", np.zeros((4, 4), np.uint8))
    assert (
        set(reviewed_run(run, reviewed.dataset, Notes(), False).names)
        == set(reviewed.names)
        == {*reviewed.dataset.ids("train")}
    )
