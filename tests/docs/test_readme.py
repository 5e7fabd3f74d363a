"""The README's commands are run, here or where this file says."""

import re
import shlex
from pathlib import Path

import pytest
from commands import acr

from acr_lightning.data.shapes import Shapes

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
# What makes the run of the README short: it is to work, not to be good.
SHORT = (
    "fit.trainer.max_epochs=3", "fit.model.classifier_epochs=1", "fit.model.reconstructor_epochs=1", "affinity=none",
    "segment.trainer.max_epochs=1",
)  # fmt: skip
# Where the others are run, and as what.
ELSEWHERE = {
    "pip install": ("Makefile", "pip install -e '.[dev]'"),
    "make demo": (".ci/run", "make demo"),
    "acr data download": ("tests/data_care/test_download.py", "download"),
    "python tools/convert_resnet38d.py": ("tests/tools/test_convert_resnet38d.py", "convert_resnet38d"),
    "acr run --config voc.yaml": ("tests/cli/test_configs.py", "voc.yaml"),
}


def blocks(heading):
    """The code blocks of a section."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```\w*\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def commands(*headings):
    """The commands of sections, without Python's."""
    lines = [line for heading in headings for block in blocks(heading) for line in block.splitlines()]
    return [line for line in lines if re.match(r"(acr|make|pip|python) ", line)]


def test_own_photos_become_masks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scenes = Shapes(str(tmp_path / "scenes"), num_train=9, num_val=2, size=64, seed=3)
    for number, image_id in enumerate(scenes.ids("train")):
        name = scenes.class_names[int(scenes.tags(image_id)[0])]
        photo = tmp_path / "photos" / name / f"{number}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(scenes.image_path(image_id).read_bytes())
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "a.png").write_bytes(photo.read_bytes())
    photo.rename(tmp_path / "photo.jpg")  # what a photo is called does not matter
    for line in commands("Your own photos", "Use the network"):
        _, *words = shlex.split(line, comments=True)
        command = acr(*words, *(f"--{value}" for value in SHORT if words[0] == "run"))
        assert command.returncode == 0, command.stderr
    (python,) = [block for block in blocks("Use the network") if "import" in block]
    names = {}
    exec(python, names)
    assert names["labels"].shape == (64, 64)
    assert (tmp_path / "masks" / "a.png").is_file()
    assert (tmp_path / "runs/photos/report.html").is_file()
    assert [*(tmp_path / "runs/photos/evaluate/predictions").iterdir()]


@pytest.mark.parametrize("line", commands("Install", "Try it", "Reproduce the paper"))
def test_the_others_are_run_elsewhere(line):
    ((path, word),) = [place for start, place in ELSEWHERE.items() if line.startswith(start)]
    assert word in (ROOT / path).read_text()
