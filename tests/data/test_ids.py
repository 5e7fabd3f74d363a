"""What is no id is refused where it is read: by every data set, with file and line, and by every writer."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny_coco import read_annotations, write_annotations, write_coco

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.data.coco import COCO
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.data.voc import VOC2012
from acr_lightning.errors import UserError
from acr_lightning.training.result_writer import ResultWriter

NO_IDS = {
    "/etc/a": "is an absolute path",
    "../a": r"leads out of its folder \(\.\.\)",
    "b/../../a": r"leads out of its folder \(\.\.\)",
    "C:/a": "begins with a drive letter",
    "b\\a": "holds a backslash",
    "a\0": "holds a control character",
    ".": r"has a part that is empty or '\.'",
    "x" * 300: "makes a file name of 30[0-9] bytes, 255 is the most",
    "x" * 252: "makes a file name of 256 bytes",
}


@pytest.fixture
def voc(tmp_path):
    """The folders of a VOC data set without any photo."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def photos(tmp_path):
    """Four photos; `IMG_2.JPG` as cameras write it."""
    root = tmp_path / "photos"
    (root / "beach").mkdir(parents=True)
    for name in ("1.png", "IMG_2.JPG", "beach/3.jpg", "beach/4.jpeg"):
        Image.new("RGB", (5, 5)).save(root / name)
    return root


def one_line(caught):
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("image_id", NO_IDS)
def test_a_list_of_ids(voc, image_id):
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_text(f"\n{image_id}\n")
    with pytest.raises(UserError, match=rf"val\.txt: line 2: '.*' is no id, it {NO_IDS[image_id]}") as caught:
        VOC2012(str(voc)).ids("val")
    one_line(caught)


@pytest.mark.parametrize("image_id", NO_IDS)
def test_names_in_coco(tmp_path, image_id):
    write_coco(tmp_path, 2014)
    content = read_annotations(tmp_path, "val", 2014)
    content["images"][3]["file_name"] = image_id + ("" if image_id == "." else ".jpg")
    write_annotations(tmp_path, "val", 2014, content)
    with pytest.raises(UserError, match=rf"instances_val2014\.json: images\[3\]: .*{NO_IDS[image_id]}") as caught:
        COCO(str(tmp_path))
    one_line(caught)


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("name", [*NO_IDS, ""])
def test_names_in_a_tags_file(photos, tmp_path, name, form):
    fault, tags = NO_IDS.get(name, "is empty"), tmp_path / f"tags.{form}"
    photo = name + ("" if name in (".", "") else ".jpg")
    if form == "csv":
        tags.write_text(f"image,tags\n1.png,dog\n\n{photo},dog\n")
        where = r"tags\.csv: line 4"
    else:
        tags.write_text(json.dumps({"1.png": ["dog"], photo: ["dog"]}))
        where = r"tags\.json: entry 2"
    with pytest.raises(UserError, match=f"{where}: photo '.*' {fault}") as caught:
        TagFolder(str(photos), str(tags))
    one_line(caught)
    assert caught.value.lines == [str(caught.value)]


@pytest.mark.parametrize("name", ["back\\slash.jpg", "new\nline.jpg", b"latin-\xe9.jpg"])
def test_names_of_photos_without_tags(photos, name):
    (photos / "tags.csv").write_text("image,tags\n1.png,dog\n")
    (photos / "1.png").rename(photos / (name if isinstance(name, str) else name.decode(errors="surrogateescape")))
    Image.new("RGB", (5, 5)).save(photos / "1.png")
    with pytest.raises(UserError, match=r"photos: photo '.*' .*; rename it") as caught:
        TagFolder(str(photos))
    one_line(caught)


@pytest.mark.parametrize("linked", [False, True])
def test_absolute_paths_that_lead_into_the_root_are_ids_in_it(photos, tmp_path, monkeypatch, linked):
    (tmp_path / "link").symlink_to("photos")
    named = tmp_path / "link" if linked else photos
    (photos / "tags.csv").write_text(f"image,tags\n{named}/1.png,dog\n{photos}/beach//3.jpg,cat\n./IMG_2.JPG,cat\n")
    monkeypatch.chdir(tmp_path)
    data = TagFolder("link" if linked else "photos")
    assert data.ids("train") == ["1", "beach/3", "IMG_2"]
    assert data.ids("val") == ["beach/4"]
    assert data.image("beach/3").shape == (5, 5, 3)


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("IMG_2.jpg", "IMG_2.JPG"),
        ("img_2.JPG", "IMG_2.JPG"),
        ("beach\\3.jpg", "beach/3.jpg"),
        ("beach/4.jpg", "beach/4.jpeg"),
    ],
)
def test_a_near_miss_is_proposed(photos, written, there):
    (photos / "tags.csv").write_text(f"image,tags\n{written},dog\n")
    with pytest.raises(UserError, match=rf"line 2: photo .*\. Did you mean '{there}'\?$"):
        TagFolder(str(photos))


def test_two_lines_of_one_photo(photos):
    (photos / "tags.csv").write_text(f"image,tags\n1.png,dog\n{photos}/1.png,cat\n")
    with pytest.raises(UserError, match=r"line 3: photo '1\.png' has the same name, without suffix, as .*line 2"):
        TagFolder(str(photos))


def test_an_id_of_another_data_set(photos):
    (photos / "tags.csv").write_text("image,tags\n1.png,dog\n")
    with pytest.raises(UserError, match="photos: no photo of the id 'stranger'"):
        TagFolder(str(photos)).image("stranger")


@pytest.mark.parametrize("image_id", ["/{}/photos/1", "../photos/1", "out/1"])
def test_a_writer_stays_in_its_folder(photos, tmp_path, image_id):
    """Also with ids of a data set of somebody's own, which checks nothing."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "out").symlink_to("../photos")
    before = {path: path.read_bytes() for path in photos.rglob("*.*")}
    result = image_id.format(tmp_path), np.zeros((2, 2), np.uint8)
    with pytest.raises(UserError, match=r"is an absolute path|leads out of"):
        ResultWriter(tmp_path / "results", ".png", write_mask).write_on_batch_end(
            None, None, [result], None, None, 0, 0
        )
    assert {path: path.read_bytes() for path in photos.rglob("*.*")} == before
