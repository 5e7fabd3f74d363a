"""The threshold that stage `label` chooses by itself."""

import itertools
import json

import numpy as np
import pytest

from acr_lightning.artefacts.cam_file import write_cam
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
    assert below < round(chosen) <= highest
