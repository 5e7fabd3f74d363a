import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from acr_lightning.artefacts.palette import read_mask, write_mask
from acr_lightning.data import shapes as shapes_module
from acr_lightning.data.images import image_size, read_image
from acr_lightning.data.shapes import Shapes
from acr_lightning.data.shapes_scenes import draw_scene
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.data.voc import VOC2012, VOC_CLASSES
from acr_lightning.errors import UserError

SPLITS = ("train", "seed", "val")


@pytest.fixture
def voc(tmp_path):
    """Three photos in devkit layout: a cat, a cat with a dog, a sofa."""
    root = tmp_path / "VOC2012"
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for image_id, names in {"a": ["cat"], "b": ["dog", "cat", "cat"], "c": ["sofa"]}.items():
        Image.new("RGB", (6, 4), "grey").save(root / "JPEGImages" / f"{image_id}.jpg")
        mask = np.zeros((4, 6), np.uint8)
        for column, name in enumerate(names):
            mask[0, column] = VOC_CLASSES.index(name) + 1
        mask[3] = 255
        write_mask(root / "SegmentationClass" / f"{image_id}.png", mask)
        objects = "".join(f"<object><name>{name}</name></object>" for name in names)
        (root / "Annotations" / f"{image_id}.xml").write_text(f"<annotation>{objects}</annotation>")
    for split in ("train_aug", "train", "val"):
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("a\nb\nc\n")
    return root


def test_voc_tags_come_from_the_boxes(voc):
    data = VOC2012(str(voc))
    assert data.num_classes == 20
    assert data.tags("b").tolist() == [7, 11]
    assert data.ids("train") == ["a", "b", "c"]


def test_voc_subset_of_classes(voc):
    data = VOC2012(str(voc), classes=["dog", "cat"])
    assert data.tags("b").tolist() == [0, 1]
    assert data.ids("train") == ["a", "b"]  # c shows neither, so nothing can be learned from it
    assert data.ids("seed") == ["a", "b", "c"]  # but it is scored
    assert data.mask("b")[0].tolist() == [1, 2, 2, 0, 0, 0]
    assert data.mask("c")[0].tolist() == [255, 0, 0, 0, 0, 0]  # another class is not scored
    assert (data.mask("a")[3] == 255).all()


def test_fingerprint_follows_the_tags(voc):
    before = VOC2012(str(voc)).fingerprint(str, SPLITS)
    assert before == VOC2012(str(voc)).fingerprint(str, SPLITS)
    (voc / "Annotations" / "a.xml").write_text("<annotation><object><name>dog</name></object></annotation>")
    assert VOC2012(str(voc)).fingerprint(str, SPLITS) != before


def broken_root(voc):
    return VOC2012(str(voc / "nowhere"))


def unknown_class(voc):
    return VOC2012(str(voc), classes=["cta"])


def missing_photo(voc):
    (voc / "JPEGImages" / "b.jpg").unlink()
    return VOC2012(str(voc)).ids("train")


def truncated_photo(voc):
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    Image.fromarray(noise).save(voc / "JPEGImages" / "a.jpg")
    content = (voc / "JPEGImages" / "a.jpg").read_bytes()
    (voc / "JPEGImages" / "a.jpg").write_bytes(content[: len(content) // 2])
    return VOC2012(str(voc)).image("a")


def no_photo_at_all(voc):
    (voc / "JPEGImages" / "a.jpg").write_text("hello")
    return VOC2012(str(voc)).image("a")


def wrong_mask_size(voc):
    write_mask(voc / "SegmentationClass" / "a.png", np.zeros((5, 6), np.uint8))
    return VOC2012(str(voc)).mask("a")


def misspelt_object(voc):
    (voc / "Annotations" / "a.xml").write_text("<annotation><object><name>dgo</name></object></annotation>")
    return VOC2012(str(voc)).tags("a")


def no_object(voc):
    (voc / "Annotations" / "a.xml").write_text("<annotation></annotation>")
    return VOC2012(str(voc)).ids("train")


def damaged_annotation(voc):
    (voc / "Annotations" / "a.xml").write_text("<annotation><object>")
    return VOC2012(str(voc)).tags("a")


def missing_list(voc):
    return VOC2012(str(voc), train_list="trainaug").ids("train")


def id_twice(voc):
    (voc / "ImageSets" / "Segmentation" / "train.txt").write_text("a\na\n")
    return VOC2012(str(voc)).ids("seed")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (broken_root, "not a VOC 2012 folder"),
        (unknown_class, "no class 'cta'.*Did you mean 'cat'"),
        (missing_photo, r"b\.jpg: no such photo"),
        (truncated_photo, r"a\.jpg: damaged photo"),
        (no_photo_at_all, r"a\.jpg: not an image"),
        (wrong_mask_size, "is 6×5, its photo 6×4"),
        (misspelt_object, "unknown class 'dgo'.*Did you mean 'dog'"),
        (no_object, "photo 'a' has no tag"),
        (damaged_annotation, "damaged annotation"),
        (missing_list, r"trainaug\.txt: no such list"),
        (id_twice, "id 'a'.*listed twice"),
    ],
)
def test_bad_voc_input_is_named(voc, act, message):
    with pytest.raises(UserError, match=message) as caught:
        act(voc)
    assert "\n" not in str(caught.value)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    (root / "beach").mkdir(parents=True)
    for name in ("1.jpg", "2.png", "beach/3.jpg", "untagged.jpg"):
        Image.new("RGB", (5, 5)).save(root / name)
    return root


TAGS = {
    "lists.csv": "image,tags\n1.jpg,dog\n2.png,dog; cat\nbeach/3.jpg,cat\n",
    "columns.csv": "image,dog,cat\n1.jpg,1,0\n2.png,1,1\nbeach/3.jpg,0,1\n",
    "semicolons.csv": "\ufeffFile;Labels\r\n1.jpg;dog\r\n2.png;dog|cat\r\nbeach/3.jpg;cat\r\n",
    "tabs.tsv": "photo\tdog\tcat\n1.jpg\t1\t0\n2.png\t1\t1\nbeach/3.jpg\t0\t1\n",
    "quoted.csv": 'filename,label\n1.jpg,dog\n2.png,"dog, cat"\n"beach/3.jpg",cat\n',
    "tags.json": json.dumps({"1.jpg": ["dog"], "2.png": ["dog", "cat"], "beach/3.jpg": ["cat"]}),
}


@pytest.mark.parametrize("name", TAGS)
def test_tag_folder_reads_every_form(folder, name):
    (folder / name).write_text(TAGS[name])
    data = TagFolder(str(folder), tags=name)
    assert data.class_names == ("cat", "dog")
    assert data.ids("train") == ["1", "2", "beach/3"]
    assert [data.tags(i).tolist() for i in data.ids("train")] == [[1], [0, 1], [0]]
    assert data.ids("val") == ["untagged"]
    assert data.mask_path("1") is None
    assert data.image("beach/3").shape == (5, 5, 3)


def test_subfolders_as_tags(folder):
    (folder / "pier" / "at night").mkdir(parents=True)
    Image.new("RGB", (5, 5)).save(folder / "pier" / "at night" / "4.jpg")
    data = TagFolder(str(folder), tags=None)
    assert data.class_names == ("beach", "pier")
    assert {i: data.tags(i).tolist() for i in data.ids("train")} == {"beach/3": [0], "pier/at night/4": [1]}
    assert data.ids("val") == ["1", "2", "untagged"]
    (folder / "beach" / "3.jpg").unlink()
    (folder / "pier" / "at night" / "4.jpg").unlink()
    with pytest.raises(UserError, match="no tags found"):
        TagFolder(str(folder), tags=None)


def test_photos_of_none_of_the_classes(folder):
    (folder / "tags.csv").write_text("image,tags\n1.jpg,dog\n2.png,\n")
    assert TagFolder(str(folder)).ids("train") == ["1"]
    assert TagFolder(str(folder)).ids("val") == ["2", "beach/3", "untagged"]
    data = TagFolder(str(folder), negatives=True)
    assert data.ids("train") == ["1", "2"]
    assert data.tags("2").tolist() == []


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ("dog;Background", "tag 'Background': every photo has a background"),
        ("bird;Bird", "'Bird' and 'bird' differ in case"),
        ("caf\u00e9;cafe\u0301", "differ in case or encoding alone"),
        ("dog\x1b[31m", r"class 'dog\\x1b\[31m' holds a control character"),
        (";".join(map(str, range(255))), "255 classes, a mask holds 254 at the most"),
    ],
)
def test_tags_that_cannot_be_meant(folder, tags, message):
    (folder / "tags.csv").write_text(f"image,tags\n1.jpg,{tags}\n")
    with pytest.raises(UserError, match=message):
        TagFolder(str(folder))


def test_as_many_classes_as_a_mask_holds(folder):
    (folder / "tags.csv").write_text(f"image,tags\n1.jpg,{';'.join(map(str, range(254)))}\n")
    assert TagFolder(str(folder)).num_classes == 254


@pytest.mark.parametrize("classes", [["dog", ""], ["dog", "dog"], ["dog", "Background"], ["dog", "a\u2028b"]])
def test_a_list_of_classes_that_cannot_be_meant(folder, classes):
    (folder / "tags.csv").write_text("image,tags\n1.jpg,dog\n")
    with pytest.raises(UserError, match=re.escape(repr(classes[1]))):
        TagFolder(str(folder), classes=classes)


def test_half_a_character_is_no_tag(folder):
    (folder / "tags.json").write_text('{"1.jpg": ["\\ud800"]}')
    with pytest.raises(UserError, match=r"class '\\ud800' holds a control character"):
        TagFolder(str(folder), tags="tags.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,tags\n1.jpg,dgo\n", "photo '1.jpg' has the unknown tag 'dgo'. Did you mean 'dog'"),
        ("image,tags\n1.jpg,\n", "none is of the split train and has a tag"),
        ("image,tags\n9.jpg,dog\n", "photo '9.jpg' is not in"),
        ("image,tags\n1.jpg,dog\n1.jpg,cat\n", "line 3 names photo '1.jpg' again"),
        ("image,tags\n1.jpg,dog,cat\n", "line 2 has 3 fields"),
        ("image,dog\n1.jpg,yes\n", "line 2: 'yes' under a class column must be 0 or 1"),
        ("1.jpg,dog\n", "line 1 must be the header"),
        ("image,tags\n", "names no photo"),
    ],
)
def test_bad_tags_are_named(folder, content, message):
    (folder / "tags.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        TagFolder(str(folder), classes=["dog", "cat"])


def test_missing_tags_file_and_root(folder):
    with pytest.raises(UserError, match="no such tags file"):
        TagFolder(str(folder))
    with pytest.raises(UserError, match="no such folder of photos"):
        TagFolder(str(folder / "nowhere"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_from_the_header_is_that_of_the_upright_photo(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (9, 4)).save(tmp_path / "p.jpg", exif=exif)
    assert image_size(tmp_path / "p.jpg") == read_image(tmp_path / "p.jpg").shape[:2]


def test_size_of_what_is_no_photo(tmp_path):
    (tmp_path / "p.jpg").write_text("hello")
    with pytest.raises(UserError, match="not an image"):
        image_size(tmp_path / "p.jpg")
    with pytest.raises(UserError, match="no such photo"):
        image_size(tmp_path / "nothing.jpg")


def test_shapes_are_seeded_and_do_not_depend_on_their_number(tmp_path, shapes):
    other = Shapes(str(tmp_path / "more"), num_train=20, num_val=2, size=64, seed=3)
    for image_id in ("train_00000", "train_00015", "val_00001"):
        assert np.array_equal(shapes.image(image_id), other.image(image_id))
        assert np.array_equal(shapes.mask(image_id), other.mask(image_id))
    third = Shapes(str(tmp_path / "third"), num_train=1, num_val=1, size=64, seed=4)
    assert not np.array_equal(third.image("train_00000"), shapes.image("train_00000"))


def test_shapes_tags_are_what_the_masks_show(shapes):
    for split in ("train", "val"):
        for image_id in shapes.ids(split):
            labels = set(np.unique(shapes.mask(image_id))) - {0}
            assert labels == {tag + 1 for tag in shapes.tags(image_id)}
            assert labels


def test_every_scene_shows_an_object():
    for index in range(150):
        scene = draw_scene(np.random.default_rng([9, index]), 64, 4)
        assert set(scene.tags) == {int(label) - 1 for label in np.unique(scene.mask) if label}
        assert scene.tags


def test_shapes_do_not_overwrite_other_data(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="holds other data"):
        Shapes(str(tmp_path / "mine"), num_train=1, num_val=1)


@pytest.mark.parametrize("other", [{}, {"seed": 5}])
def test_shapes_that_two_commands_write_at_the_same_time(tmp_path, monkeypatch, other):
    both_began, write_scene = threading.Barrier(2, timeout=60), shapes_module._write_scene

    def wait_once(root, image_id, *rest):
        if image_id == "train_00000":
            both_began.wait()
        write_scene(root, image_id, *rest)

    monkeypatch.setattr(shapes_module, "_write_scene", wait_once)
    root, sizes = str(tmp_path / "new" / "shapes"), {"num_train": 3, "num_val": 2}
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(Shapes, root, **sizes, **more) for more in ({}, other)]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["shapes"]
    if other:
        [error] = [one.exception() for one in made if one.exception()]
        assert str(error).startswith(f"{root}: holds other data than these Shapes")
        return
    for one in made:
        assert [one.result().image(image_id).shape for image_id in one.result().ids("train")] == [(64, 64, 3)] * 3


def test_shapes_below_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"shapes: cannot be written \(File exists\); set another dataset\.root"):
        Shapes(str(tmp_path / "file" / "shapes"), num_train=1, num_val=1)


def test_shapes_masks_are_palette_pngs(shapes):
    assert read_mask(shapes.mask_path("val_00000")).max() <= 4


def test_a_mask_of_more_classes_than_there_are_is_named(tmp_path):
    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg")
    (tmp_path / "tags.csv").write_text("image,tags\na.jpg,dog\n")
    write_mask(tmp_path / "masks" / "a.png", np.array([[0, 1, 255, 2]] * 3, np.uint8))
    with pytest.raises(UserError, match=r"a\.png: holds the value 2, labels are 0 to 1, and 255"):
        TagFolder(str(tmp_path), masks=str(tmp_path / "masks")).mask("a")
