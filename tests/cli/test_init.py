"""`acr init`: from a folder of photos to an experiment that runs, with nothing edited."""

import re
from pathlib import Path

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
    assert said.splitlines()[:-1] == [
        "tags: the names of folders; photos: 3 to train on, 1 without a tag, on which the network is tried",
        "classes: 2, by photos to train on: cat 2 (few), dog 1 (few)",
        "for example: cat/1 is cat; cat/2 is cat; dog/1 is dog",
    ]
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
    assert "tags: CSV, tags in 'labels' (animals.csv); photos: 2 to train on, 3 without a tag" in said
    assert said.count("to mend: ") == 1
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


# Each ends a line, begins a key or is an escape somewhere: to YAML 1.1, to `str.splitlines`, to a terminal.
NASTY = [
    "a\u2028label: {refiner: {class_path: subprocess.Popen}}\u2028#", "a\u0085run: b", "a\nrun: b", "a\rb", "\x1b[2J",
    "#", "- a", "a: b", "'", '"', "*a", "&a", "!!str", "null", "1", "{}", "%", "é\ud800", "---", "...", "~", " a ",
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_a_folders_name_is_a_value_whatever_it_is(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name.replace("\ud800", "\udce9"), "dog").mkdir(parents=True)  # bytes that are no UTF-8
    root = next(tmp_path.iterdir())
    Image.new("RGB", (4, 3)).save(root / "dog" / "1.jpg")
    assert main(["init", f"./{root.name}", "--output=x.yaml"]) == 0
    assert yaml.safe_load(Path("x.yaml").read_text()) == {
        "base": "tag_folder.yaml",
        "run": "runs/x",
        "dataset": {
            "class_path": "TagFolder",
            "init_args": {"root": root.name, "tags": None, "classes": ["dog"], "negatives": False},
        },
    }


def test_a_file_is_not_named_after_a_folder_whose_name_cannot_be_typed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / NASTY[0] / "dog").mkdir(parents=True)
    Image.new("RGB", (4, 3)).save(tmp_path / NASTY[0] / "dog" / "1.jpg")
    assert main(["init", NASTY[0]]) == 2
    assert "a name that cannot be typed; give another --output" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [NASTY[0]]


@pytest.mark.parametrize("name", ["dog (brown)", "Ärger", "犬", "#", "ab: c", "null", "-", "ab\u200dc"])
def test_a_class_may_be_called_anything_that_can_be_written(photos, name):
    (photos / "dog").rename(photos / name)
    assert main(["init", "Fotos é"]) == 0
    assert written().class_names == tuple(sorted(["cat", name]))


@pytest.mark.parametrize("name", ["a\u2028b", "a\u0085b", "a\nb", "\x1b[31mdog", "\x9b2J", " "])
def test_no_class_is_called_by_what_cannot_be_written(photos, capsys, name):
    (photos / "dog").rename(photos / name)
    assert main(["init", "Fotos é"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"class {name!r} " in line
    assert line.isprintable()
    assert not (photos.parent / "Fotos é.yaml").exists()


@pytest.mark.parametrize("tags", [None, "tags.csv"])
def test_more_classes_than_a_mask_holds_are_refused(photos, capsys, tags):
    names = [f"class {at:03d}" for at in range(255)]
    if tags:
        (photos / tags).write_text(f"image,{','.join(names)}\nother.jpg{',1' * 255}\n")
    else:
        for name in names:
            (photos / name).mkdir()
            (photos / name / "1.jpg").write_bytes((photos / "other.jpg").read_bytes())
    content = {"dataset": {"class_path": "TagFolder", "init_args": {"root": str(photos), "tags": tags}}}
    Path("many.yaml").write_text(yaml.safe_dump({"base": "tag_folder_small.yaml", **content}))
    for words in (["init", "Fotos é"], ["run", "--check", "--config=many.yaml"]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "classes, a mask holds 254 at the most" in said


def test_100_000_columns_are_refused_at_once(photos, capsys):
    """A message that named them all would be a megabyte, and looking for each tag among all of them took a minute."""
    names = [f"c{at}" for at in range(100_000)]
    (photos / "tags.csv").write_text(f"image,{','.join(names)}\nother.jpg{',1' * 100_000}\ncat/1.jpg{',1' * 100_000}\n")
    assert main(["init", "Fotos é"]) == 2
    assert "100000 classes, a mask holds 254 at the most" in capsys.readouterr().err


def test_what_is_hidden_is_neither_a_photo_nor_a_class(photos, capsys):
    image = (photos / "other.jpg").read_bytes()
    for name in (".thumbnails/1.jpg", "__MACOSX/cat/._1.jpg", "cat/._1.jpg", ".hidden.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(image)
    assert main(["init", "Fotos é"]) == 0
    assert "1 without a tag" in capsys.readouterr().out
    data = written()
    assert data.class_names == ("cat", "dog")
    assert sorted(data.ids("train") + data.ids("val")) == ["cat/1", "cat/2", "dog/1", "other"]


def test_good_and_bad_parts(photos, capsys):
    """The good ones are photos without the class, and not a second class."""
    assert main(["init", "--good=Fotos é/cat", "--bad=Fotos é/dog", "--output=parts.yaml"]) == 0
    said = capsys.readouterr().out
    assert "photos: 3 to train on, 2 of them with none of the classes, 1 without a tag" in said
    assert "classes: 1, by photos to train on: dog 1 (few)" in said
    data = written("parts.yaml")
    assert data.class_names == ("dog",)
    assert {one: data.tags(one).tolist() for one in data.ids("train")} == {"cat/1": [], "cat/2": [], "dog/1": [0]}
    assert main(["run", "--config=parts.yaml", "--print_config"]) == 0
    sections = yaml.safe_load(capsys.readouterr().out)
    assert (sections["fit"]["model"]["init_args"]["strategy"], sections["cam"]["model"]["init_args"]["power"]) == (
        "baseline", 1.0,
    )  # fmt: skip
    assert "affinity_walk" not in sections
    assert main(["init", "Fotos é", "--output=animals.yaml"]) == 0
    assert not {"affinity", "fit", "cam"} & yaml.safe_load(Path("animals.yaml").read_text()).keys()


def test_a_tag_may_mean_that_no_class_is_shown(photos, capsys):
    (photos / "bent").mkdir()
    (photos / "bent" / "1.jpg").write_bytes((photos / "other.jpg").read_bytes())
    assert main(["init", "Fotos é", "--negatives=cat"]) == 0
    data = written()
    assert data.class_names == ("bent", "dog")
    assert [data.tags(one).tolist() for one in ("cat/1", "dog/1", "bent/1")] == [[], [1], [0]]
    (photos.parent / "Fotos é.yaml").unlink()
    assert main(["init", "Fotos é", "--negatives=god"]) == 2
    assert "no photo is tagged 'god'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("configs", "tag_folder.yaml                Your own photos and a file of tags"),
        ("methods", "methods/seam.yaml              SEAM (CVPR 2020) on PASCAL VOC 2012, with its own recipe"),
        ("backbones", "          resnet50                  what most methods were published with"),
        ("timm", "resnet50d"),
        ("classes", "DenseCrf"),
        ("presets", "--affinity=psa"),
    ],
)
def test_lists(capsys, what, name):
    assert main(["list", what]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert name in lines
    assert "Reconstructor" not in lines or what == "classes"
    assert ("resnet50d" in lines) == (what == "timm")
    assert main(["list", what[:-1]]) == 2
    assert f"Did you mean '{what}'?" in capsys.readouterr().err
