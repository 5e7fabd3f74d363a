"""`acr init`: from a folder of photos to an experiment that runs, with nothing edited."""

import re

import pytest
import yaml
from PIL import Image

from acr_lightning.chain.check import check
from acr_lightning.chain.experiment_file import load
from acr_lightning.cli.main import main
from acr_lightning.stages.chain import CHAIN


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """`Fotos é`, with a dog, two cats and a photo in no subfolder; it lies in the working folder."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "Fotos é"
    for name in ("dog/1.jpg", "cat/1.jpg", "cat/2.jpg", "other.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(root / name)
    return root


def written(path="Fotos é.yaml"):
    experiment = load(CHAIN, path, {})
    check(experiment, experiment.stages)
    return experiment.dataset()


@pytest.mark.parametrize("small", [False, True])
def test_subfolders_become_tags(photos, capsys, small):
    assert main(["init", "Fotos é", *(["--small"] if small else [])]) == 0
    said = capsys.readouterr().out
    assert "cat: 2 photos, which is few" in said
    assert "1 photos without a tag" in said
    assert said.splitlines()[-1] == "wrote Fotos é.yaml; next: acr run --config 'Fotos é.yaml'"
    data = written()
    assert data.class_names == ("cat", "dog")
    assert {i: data.tags(i).tolist() for i in data.ids("train")} == {"cat/1": [0], "cat/2": [0], "dog/1": [1]}
    base = yaml.safe_load((photos.parent / "Fotos é.yaml").read_text())["base"]
    assert base == ("tag_folder_small.yaml" if small else "tag_folder.yaml")


def test_a_file_of_tags_is_found_and_its_faults_are_told(photos, capsys):
    (photos / "notes.txt").write_text("what I saw\n")
    (photos / "animals.csv").write_text("file;labels\nother.jpg;pony\ncat/1.jpg;\ncat/3.jpg;cat\n")
    assert main(["init", str(photos), "--output=animals.yaml"]) == 0
    said = capsys.readouterr().out
    assert "1 tags in animals.csv:" in said
    assert "to mend: " in said
    assert "line 3: photo 'cat/1.jpg' has no tag" in said
    assert "line 4: photo 'cat/3.jpg' is not in" in said
    (photos / "cat" / "3.jpg").write_bytes((photos / "other.jpg").read_bytes())
    assert main(["init", str(photos), "--output=more.yaml", "--negatives"]) == 0
    assert "to mend" not in capsys.readouterr().out
    assert written("more.yaml").ids("train") == ["other", "cat/1", "cat/3"]


@pytest.mark.parametrize(
    ("tags", "fault"),
    [
        ("image,tags\nother.JPG,dog", "line 2: photo 'other.JPG' is not in .* Did you mean 'other.jpg'?"),
        ("hello", "line 1 must be the header `image,tags`"),
    ],
)
def test_a_tags_file_that_names_no_photo_says_why(tmp_path, capsys, tags, fault):
    Image.new("RGB", (40, 30)).save(tmp_path / "other.jpg")
    (tmp_path / "tags.csv").write_text(tags)
    assert main(["init", str(tmp_path)]) == 2
    assert re.search(rf"no tag of a photo found; .*{fault}", capsys.readouterr().err)


def test_nothing_is_replaced_or_guessed(photos, capsys):
    (photos.parent / "Fotos é.yaml").write_text("mine")
    assert main(["init", "Fotos é"]) == 2
    assert "Fotos é.yaml: is there already; remove it" in capsys.readouterr().err
    assert (photos.parent / "Fotos é.yaml").read_text() == "mine"
    assert main(["init", str(photos / "dog"), "--output=x.yaml"]) == 2
    assert "no tags found; put a file tags.csv there" in capsys.readouterr().err
    assert main(["init", "nowhere"]) == 2
    assert "nowhere: no such folder of photos" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "name"),
    [("configs", "voc6.yaml"), ("methods", "ACR"), ("classes", "DenseCrf"), ("presets", "--affinity=psa")],
)
def test_lists(capsys, what, name):
    assert main(["list", what]) == 0
    assert name in capsys.readouterr().out.splitlines()
    assert main(["list", what[:-1]]) == 2
    assert f"Did you mean '{what}'?" in capsys.readouterr().err
