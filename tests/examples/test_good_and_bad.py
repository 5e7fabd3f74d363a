"""The example's parts: what is drawn over a part is what its mask says, and both folders are read as good and bad."""

import runpy
import sys
from pathlib import Path

import numpy as np

from acr_lightning.artefacts.palette import read_mask
from acr_lightning.cli.main import main
from acr_lightning.data.tag_folder import TagFolder

SCRIPT = str(Path(__file__).parents[2] / "examples" / "good_and_bad" / "draw_parts.py")


def test_a_mask_is_where_the_part_was_scratched(rng):
    draw = runpy.run_path(SCRIPT)
    for _ in range(5):
        photo = draw["part"](rng, 160)
        changed, mask = draw["scratched"](photo, rng)
        assert 60 < mask.sum() < 0.1 * mask.size
        assert np.array_equal(changed[mask == 0], photo[mask == 0])
        assert (np.abs(changed[mask == 1].astype(int) - photo[mask == 1]).mean(axis=1) > 0).mean() > 0.9


def test_they_are_photos_with_and_without_the_class(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [SCRIPT, "parts", "--count", "3", "--side", "64"])
    runpy.run_path(SCRIPT, run_name="__main__")
    assert main(["init", "--good=parts/good", "--bad=parts/scratched", "--small"]) == 0
    assert "6 to train on, 3 of them with none of the classes" in capsys.readouterr().out
    data = TagFolder("parts", None, ["scratched"], masks="masks", negatives="good")
    assert [(one, data.tags(one).tolist(), data.mask(one).max()) for one in data.ids("train")] == [
        *((f"good/{number:03}", [], 0) for number in range(3)),
        *((f"scratched/{number:03}", [0], 1) for number in range(3)),
    ]
    assert read_mask("masks/scratched/000.png").shape == (64, 64)
