"""A sound data set has no problem; each fault put into it is found, and nothing else."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image
from tiny_coco import annotations_path, read_annotations, write_annotations, write_coco

from acr_lightning.artefacts.palette import voc_palette, write_mask
from acr_lightning.cli.main import main
from acr_lightning.data.coco import COCO
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.data.voc import VOC2012, VOC_CLASSES
from acr_lightning.data_care import check_dataset as check_dataset_module
from acr_lightning.data_care.check_dataset import check_dataset
from acr_lightning.data_care.check_labels import check_labels

PHOTOS = {"a": ["cat"], "b": ["dog"], "c": ["cat", "dog"], "v": ["dog"]}
LISTS = {"train_aug": "abc", "train": "ab", "val": "v"}


def xml(names):
    return "<annotation>" + "".join(f"<object><name>{name}</name></object>" for name in names) + "</annotation>"


def mask_of(names):
    mask = np.zeros((20, 30), np.uint8)
    for row, name in enumerate(names):
        mask[4 * row : 4 * row + 3, 5:20] = VOC_CLASSES.index(name) + 1
    mask[18:] = 255
    return mask


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "VOC2012"
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    noise = np.random.default_rng(0)
    for image_id, names in PHOTOS.items():
        pixels = noise.integers(0, 255, (20, 30, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{image_id}.jpg")
        (root / "Annotations" / f"{image_id}.xml").write_text(xml(names))
        write_mask(mask_path(root, image_id), mask_of(names))
    for name, ids in LISTS.items():
        (root / "ImageSets" / "Segmentation" / f"{name}.txt").write_text("\n".join(ids) + "\n")
    return root


def mask_path(root, image_id):
    return root / "SegmentationClass" / f"{image_id}.png"


def photo_path(root, image_id):
    return root / "JPEGImages" / f"{image_id}.jpg"


def data(root, **arguments):
    return VOC2012(str(root), classes=["cat", "dog"], **arguments)


def kinds(findings):
    return [(one.kind, one.image_id) for one in findings]


def rows_of(table):
    return {first: tuple(cells) for first, *cells in (row.values() for row in table)}


def test_a_sound_data_set(root):
    report = check_dataset(data(root))
    assert report.problems == []
    assert report.notes == []
    rows = rows_of(report.tables["classes"])
    assert rows["cat"][:3] == (2, 1, 0)
    assert rows["dog"][:3] == (2, 1, 1)
    # per cent of 4 masks of 20×30: 255 in two rows of 20, one 3×15 patch for each of 2 cats
    assert rows["not scored"][3] == 10.0
    assert rows["cat"][3] == pytest.approx(100 * 2 * 45 / 2400, abs=0.01)
    assert rows_of(report.tables["splits"]) == {"train": (3, 3, 0), "seed": (2, 2, 0), "val": (1, 1, 0)}


def cut_photo(root):
    content = photo_path(root, "b").read_bytes()
    photo_path(root, "b").write_bytes(content[: len(content) // 2])


def text_as_photo(root):
    photo_path(root, "b").write_text("<html>404</html>")


def coloured_mask(root):
    Image.fromarray(voc_palette()[mask_of(["dog"])]).save(mask_path(root, "b"))


def quantised_mask(root):
    """What a drawing program makes of a coloured mask: colours right, indices in order of frequency."""
    Image.fromarray(voc_palette()[mask_of(["dog"])]).convert("P", palette=Image.Palette.ADAPTIVE).save(
        mask_path(root, "b")
    )


def cut_mask(root):
    """Only the end is missing, which a decoder does not miss."""
    mask_path(root, "b").write_bytes(mask_path(root, "b").read_bytes()[:-9])


FAULTS = {
    "photo missing": (lambda root: photo_path(root, "b").unlink(), ("missing", "b"), "no such photo"),
    "photo cut": (cut_photo, ("damaged", "b"), "runcated"),
    "photo no image": (text_as_photo, ("damaged", "b"), "not an image"),
    "mask missing": (lambda root: mask_path(root, "b").unlink(), ("missing", "b"), "no such mask"),
    "mask cut": (cut_mask, ("damaged", "b"), "truncated"),
    "mask in colours": (coloured_mask, ("colour", "b"), "this one is RGB"),
    "mask with another palette": (quantised_mask, ("palette", "b"), "is not VOC's"),
    "mask of another size": (
        lambda root: write_mask(mask_path(root, "b"), mask_of(["dog"]).T.copy()), ("size", "b"), "is 20×30, its photo"
    ),
    "value that is no label": (
        lambda root: write_mask(mask_path(root, "b"), np.full((20, 30), 21, np.uint8)), ("value", "b"), "the value 21"
    ),
    "annotation missing": (
        lambda root: (root / "Annotations" / "b.xml").unlink(), ("tags", "b"), "no annotation for id 'b'"
    ),
    "annotation damaged": (
        lambda root: (root / "Annotations" / "b.xml").write_text("<annotation>"), ("tags", "b"), "damaged annotation"
    ),
    "unknown object": (
        lambda root: (root / "Annotations" / "b.xml").write_text(xml(["dgo"])), ("tags", "b"), "Did you mean 'dog'"
    ),
    "no list": (
        lambda root: (root / "ImageSets" / "Segmentation" / "val.txt").unlink(), ("list", ""), "no such list of ids"
    ),
    "id listed twice": (
        lambda root: (root / "ImageSets" / "Segmentation" / "val.txt").write_text("v\nv\n"), ("list", ""), "twice"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_nothing_else(root, fault):
    act, wanted, what = FAULTS[fault]
    act(root)
    [problem] = check_dataset(data(root)).problems
    assert (problem.kind, problem.image_id) == wanted
    assert what in problem.what
    assert problem.file.startswith(str(root))
    assert problem.remedy
    assert "\n" not in problem.line()


def test_all_faults_at_once(root):
    cut_photo(root)
    coloured_mask(root)
    mask_path(root, "v").write_bytes(b"")
    (root / "Annotations" / "a.xml").unlink()
    found = kinds(check_dataset(data(root)).problems)
    assert sorted(found) == [("colour", "b"), ("damaged", "b"), ("damaged", "v"), ("tags", "a")]


def test_a_pool_finds_the_same(root, monkeypatch):
    cut_photo(root)
    alone = check_dataset(data(root))
    monkeypatch.setattr(check_dataset_module, "FEW", 0)
    assert check_dataset(data(root), workers=1) == alone


def test_tags_and_masks_that_differ_are_notes(root):
    (root / "Annotations" / "a.xml").write_text(xml(["dog"]))
    report = check_dataset(data(root))
    assert report.problems == []
    assert [(note.kind, note.image_id, note.what) for note in report.notes] == [
        ("tags", "a", "shows what is not tagged: cat"),
        ("tags", "a", "does not show what is tagged: dog"),
    ]


def test_a_split_without_masks_an_overlap_and_a_class_without_photos_are_notes(root):
    mask_path(root, "v").unlink()
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("v\n")
    (root / "ImageSets" / "Segmentation" / "train_aug.txt").write_text("a\nv\n")
    (root / "Annotations" / "v.xml").write_text(xml(["cat"]))
    report = check_dataset(data(root))
    assert report.problems == []
    assert {(note.kind, note.file) for note in report.notes} == {
        ("masks", "val"),
        ("overlap", "val"),
        ("class", "train"),
    }


@pytest.fixture
def tagged(tmp_path):
    """Four tagged photos, all of them trained on."""
    (tmp_path / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (6, 5)).save(tmp_path / "photos" / f"{number}.png")
    lines = [f"{number}.png,{'cat' if number % 2 else 'dog'}" for number in range(4)]
    (tmp_path / "photos" / "tags.csv").write_text("\n".join(["image,tags", *lines]))
    return tmp_path / "photos"


def test_without_masks_nothing_is_said_of_their_pixels(tagged):
    report = check_dataset(TagFolder(str(tagged)))
    assert [*report.tables["splits"][0]] == ["split", "photos", "photos with problems"]
    assert report.tables["classes"] == [{"class": "cat", "tagged in train": 2}, {"class": "dog", "tagged in train": 2}]
    [overlap] = [note for note in report.notes if note.kind == "overlap"]
    assert (overlap.what, overlap.remedy) == (
        "all of its photos are also trained on", "keep some for it that are not, if there are any"
    )  # fmt: skip


def test_masks_of_some_photos_are_counted(tagged, tmp_path):
    write_mask(tmp_path / "masks" / "1.png", np.ones((5, 6), np.uint8))
    report = check_dataset(TagFolder(str(tagged), masks=str(tmp_path / "masks")))
    assert report.problems == []
    assert {note.what for note in report.notes if note.kind == "masks"} == {
        "1 of 4 photos have a mask; scores are of those"
    }
    assert report.tables["splits"][0]["with a mask"] == 1
    assert rows_of(report.tables["classes"])["cat"] == (2, 1, 1, 100.0)


def test_masks_beside_training_photos_need_not_be_there(root):
    """SBD's photos have none in VOC's folder; only what is scored needs them."""
    mask_path(root, "c").unlink()
    assert check_dataset(data(root)).problems == []


def test_coco(tmp_path):
    write_coco(tmp_path, 2014)
    report = check_dataset(COCO(str(tmp_path)))
    assert report.problems == []
    assert {note.kind for note in report.notes} <= {"class", "tags"}
    content = read_annotations(tmp_path, "val", 2014)
    content["images"][0]["height"] = 63
    content["annotations"][3]["segmentation"] = "?"
    write_annotations(tmp_path, "val", 2014, content)
    (tmp_path / "train2014" / "COCO_train2014_000000000003.jpg").unlink()
    found = check_dataset(COCO(str(tmp_path))).problems
    assert ("missing", "COCO_train2014_000000000003") in kinds(found)
    assert ("size", "COCO_val2014_000000001001") in kinds(found)
    assert any("annotation 100201: its segmentation cannot be drawn" in one.what + one.file for one in found)
    assert annotations_path(tmp_path, "val", 2014).is_file()


@pytest.fixture
def labels(tmp_path):
    """Labels of the kept classes: 1 cat, 2 dog."""
    for image_id, label in {"a": 1, "b": 2, "c": 2}.items():
        mask = np.zeros((20, 30), np.uint8)
        mask[:5] = label
        write_mask(tmp_path / "labels" / f"{image_id}.png", mask)
    return tmp_path / "labels"


def test_sound_labels(root, labels):
    report = check_labels(labels, data(root))
    assert report.problems == []
    assert report.notes == []
    rows = rows_of(report.tables["labels"])
    assert rows["cat"] == (2, 1, 8.33)
    assert rows["background"][2] == 75.0


WRONG_LABELS = {
    "missing": (lambda folder: (folder / "b.png").unlink(), ("missing", "b"), "no such label"),
    "untagged class": (
        lambda folder: write_mask(folder / "b.png", np.ones((20, 30), np.uint8)), ("tags", "b"), "not tagged: cat"
    ),
    "nothing but 255": (
        lambda folder: write_mask(folder / "b.png", np.full((20, 30), 255, np.uint8)), ("empty", "b"), "255 throughout"
    ),
    "size": (
        lambda folder: write_mask(folder / "b.png", np.full((10, 15), 2, np.uint8)), ("size", "b"), "is 15×10, its"
    ),
    "voc's own index": (
        lambda folder: write_mask(folder / "b.png", np.full((20, 30), 12, np.uint8)), ("value", "b"), "the value 12"
    ),
    "cut": (
        lambda folder: (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:300]), ("damaged", "b"), "cannot"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG_LABELS)
def test_each_wrong_label_is_found(root, labels, fault):
    act, wanted, what = WRONG_LABELS[fault]
    act(labels)
    [problem] = check_labels(labels, data(root)).problems
    assert (problem.kind, problem.image_id) == wanted
    assert what in problem.what


def test_odd_labels_are_notes(root, labels):
    write_mask(labels / "a.png", np.zeros((20, 30), np.uint8))
    Image.fromarray(np.full((20, 30), 2, np.uint8)).save(labels / "b.png")
    write_mask(labels / "stranger.png", np.zeros((4, 4), np.uint8))
    report = check_labels(labels, data(root))
    assert report.problems == []
    assert sorted(kinds(report.notes)) == [
        ("empty", "a"),
        ("empty", "stranger"),
        ("palette", "b"),
        ("surplus", "stranger"),
    ]


@pytest.fixture
def config(root, tmp_path):
    arguments = {"root": str(root), "classes": ["cat", "dog"]}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"dataset": {"class_path": "VOC2012", "init_args": arguments}}))
    return str(path)


def test_the_command(config, root, labels, tmp_path, capsys):
    assert main(["data", "check", "--config", config]) == 0
    assert "0 problems, 0 notes" in capsys.readouterr().out
    cut_photo(root)
    assert main(["data", "check", "--config", config, "--json", str(tmp_path / "found.json")]) == 1
    out = capsys.readouterr().out
    assert f"damaged  b  {photo_path(root, 'b')}  damaged photo (" in out
    assert "1 problems, 0 notes" in out
    [problem] = json.loads((tmp_path / "found.json").read_text())["problems"]
    assert (problem["kind"], problem["image_id"]) == ("damaged", "b")
    assert main(["data", "check", "--config", config, "--labels", str(labels)]) == 1  # the photo is still cut


def test_every_bad_line_of_a_tags_file_is_named(tmp_path, capsys):
    Image.new("RGB", (5, 5)).save(tmp_path / "1.jpg")
    (tmp_path / "tags.csv").write_text("image,tags\n1.jpg,dgo\n2.jpg,dog\n3.jpg,\n")
    words = ["--dataset=TagFolder", f"--dataset.root={tmp_path}", "--dataset.classes=[dog]"]
    (tmp_path / "c.yaml").write_text("dataset: {class_path: TagFolder, init_args: {}}")
    assert main(["data", "check", "--config", str(tmp_path / "c.yaml"), *words[1:]]) == 1
    out = capsys.readouterr().out
    for what in (
        "has the unknown tag 'dgo'",
        "photo '2.jpg' is not in",
        "photo '3.jpg' is not in",
    ):
        assert what in out
    assert "3 problems" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check"], "--config is missing"),
        (["chek"], "no such command 'data chek'. Did you mean 'data check'?"),
        (["check", "--config", "CONFIG", "--dataset.rot=x"], "dataset.rot: no such key. Did you mean 'root'?"),
        (["check", "--config", "CONFIG", "--workers", "many"], "--workers: Expected int"),
        (["check", "--config", "CONFIG", "--dataset=TagFolder"], "dataset: root is missing"),
        (["check", "--config", "CONFIG", "--labels", "/nowhere"], "/nowhere: no such folder of labels"),
    ],
)
def test_bad_options(config, words, message, capsys):
    assert main(["data", *(config if word == "CONFIG" else word for word in words)]) == 2
    assert message in capsys.readouterr().err
