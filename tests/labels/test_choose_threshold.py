"""The threshold that stage `label` chooses by itself."""

import itertools
import json

import numpy as np
import pytest

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.errors import UserError
from acr_lightning.labels import choose_threshold
from acr_lightning.metrics.cam_scores import sweep_cams
from acr_lightning.metrics.confusion import scores as scores_of
from acr_lightning.stages.label import label

LEVELS = np.array([5, 20, 35, 60, 120, 130, 140, 220, 230])
SHARES = [0.3, 0.2, 0.1, 0.05, 0.1, 0.05, 0.05, 0.1, 0.05]


@pytest.mark.parametrize(("name", "parts"), [("auto", 2), ("auto_strong", 3)])
def test_it_splits_the_winning_scores_of_all_photos(shapes, tmp_path, rng, name, parts):
    winning = []
    for image_id in shapes.ids("train")[:2]:
        levels = rng.choice(LEVELS, (2, *shapes.image(image_id).shape[:2]), p=SHARES)
        write_cam(tmp_path / f"cams/{image_id}.npz", np.array([0, 2]), (levels / 255).astype(np.float32))
        winning.append(levels.max(axis=0).ravel())
    values = np.sort(np.concatenate(winning))

    def within(borders):
        """The variance inside the parts, which is smallest where that between them is largest."""
        return sum(part.var() * len(part) for part in np.split(values, np.searchsorted(values, borders)))

    label(shapes, str(tmp_path / "cams"), str(tmp_path / "out"), threshold=name, refiner="none", workers=1)
    chosen = json.loads((tmp_path / "out/threshold.json").read_text())["threshold"] * 255
    *_, highest = min(itertools.combinations(LEVELS[1:], parts - 1), key=within)
    below = max(level for level in LEVELS if level < highest)
    assert below <= round(chosen) < highest


@pytest.fixture
def some_masks(shapes, monkeypatch):
    """A data set of which three of six photos have a mask; their ids."""
    ids = shapes.ids("seed")[2:5]
    monkeypatch.setattr(type(shapes), "has_mask", lambda self, image_id: image_id in ids)
    monkeypatch.setattr(type(shapes), "masks_of_some", True)
    return ids


def test_a_few_masks_choose_it_with_an_interval(shapes, some_masks, tmp_path, rng, monkeypatch):
    """Every resample's confusion matrices, added up and scored one by one, agree."""
    monkeypatch.setattr(choose_threshold, "RESAMPLES", 40)
    monkeypatch.setattr(choose_threshold, "BLOCK", 2)
    for image_id in shapes.ids("seed"):
        scores = rng.random((len(shapes.tags(image_id)), 64, 64)) * 0.6
        for at, tag in enumerate(shapes.tags(image_id)):
            scores[at] += 0.4 * rng.random() * (shapes.mask(image_id) == tag + 1)
        write_cam(tmp_path / f"cams/{image_id}.npz", shapes.tags(image_id), scores.astype(np.float32))
    matrices = [sweep_cams(tmp_path / "cams", shapes, [image_id]).confusion() for image_id in some_masks]

    def best(picks):
        summed = sum(matrices[pick] for pick in picks)
        return int(np.argmax([scores_of(matrix, names)["miou"] for matrix in summed])) / 255

    names = ["background", *shapes.class_names]
    resamples = np.random.default_rng(0).integers(3, size=(40, 3))
    chosen = choose_threshold.threshold_of_masks(tmp_path / "cams", shapes)
    assert chosen.threshold == best(range(3))
    assert chosen[1:3] == pytest.approx(np.quantile([best(picks) for picks in resamples], [0.025, 0.975]))
    assert chosen.low < chosen.high
    made = label(shapes, str(tmp_path / "cams"), str(tmp_path / "out"), threshold="masks", refiner="none", workers=1)
    assert made["chosen"].startswith("masks: chosen on the masks of 3 photos, 95 % of bootstraps in ")
    with pytest.raises(UserError, match=r"oracle needs the masks of all photos .* 3 of 6 have none"):
        label(shapes, str(tmp_path / "cams"), str(tmp_path / "out"), threshold="oracle", refiner="none", workers=1)
    del some_masks[1:]
    with pytest.raises(UserError, match="masks needs those of two photos, and there are 1"):
        choose_threshold.threshold_of_masks(tmp_path / "cams", shapes)
