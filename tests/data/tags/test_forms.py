"""Sixteen ways in which people keep tags: one folder of photos, the same tags in each, and what is no such form."""

import json
from pathlib import Path

import pytest
from PIL import Image

from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.data.tag_sources import find_tags
from acr_lightning.errors import UserError

# What each form says: photo b shows a dog and a cat.
TAGGED = {"beach/a": ["dog"], "beach/b": ["cat", "dog"], "c": ["cat"]}
PHOTOS = ("beach/a.jpg", "beach/b.png", "c.jpg", "untagged.jpg")
COCO = {
    "images": [{"id": 7, "file_name": "beach/a.jpg"}, {"id": 8, "file_name": "b.png"}, {"id": 9, "file_name": "c.jpg"}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 5, "name": "dog"}],
    "annotations": [{"image_id": image, "category_id": of} for image, of in [(7, 5), (7, 5), (8, 5), (8, 1), (9, 1)]],
}
FIFTYONE = {"classes": ["cat", "dog"], "labels": {"a": 1, "b": [0, 1], "c": {"label": "cat"}, "untagged": None}}
RECORDS = [
    {"image": "beach/a.jpg", "tags": ["dog"]},
    {"image": "beach/b.png", "tags": ["dog", "cat"]},
    {"image": "c.jpg", "tags": "cat"},
]
MIN = [
    {"image": "/data/upload/1/0a1b2c3d-a.jpg", "id": 1, "choice": "dog", "annotation_id": 1, "lead_time": 2.5},
    {"image": "/data/local-files/?d=photos/beach/b.png", "choice": {"choices": ["dog", "cat"]}, "annotation_id": 2},
    {"image": "https://example.com/of/c.jpg", "choice": "cat", "annotation_id": 3},
    {"image": "s3://bucket/untagged.jpg", "annotation_id": 4},
]
STUDIO = [
    {
        "id": number,
        "data": {"text": "one of several", "image": task["image"]},
        "annotations": [
            {"result": [{"type": "choices", "value": {"choices": tags}}], "was_cancelled": False},
            {"result": [], "was_cancelled": True},
        ],
    }
    for number, (task, tags) in enumerate(zip(MIN, [["dog"], ["dog", "cat"], ["cat"], []], strict=True))
]
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><meta><task><name label="no">x</name></task></meta>
<image id="0" name="beach/a.jpg"><tag label="dog" source="manual"><attribute name="n">1</attribute></tag></image>
<image id="1" name="beach/b.png"><box label="dog" xtl="1"/><box label="dog" xtl="2"/><tag label="cat"/></image>
<image id="2" name="c.jpg"><polygon label="cat" points="1,1;2,2;3,1"/></image>
<image id="3" name="untagged.jpg"/></annotations>"""
OPEN_IMAGES = """ImageID,Source,LabelName,Confidence
a,verification,/m/0bt9lr,1
b,verification,/m/0bt9lr,1
b,verification,/m/01yrx,1
c,verification,/m/0bt9lr,0
c,machine,/m/01yrx,0.9
"""
JSONL = "\n".join(json.dumps({"file_name": one["image"], "text": "…", "label": one["tags"]}) for one in RECORDS)

# Each form: the argument `tags`, the files, and a twin: one file with another content, and what is then said.
FORMS = {
    "a line a photo": (
        "tags.csv",
        {"tags.csv": "image,tags\nbeach/a.jpg,dog\nbeach/b.png,dog;cat\nc.jpg,cat\n"},
        "image,tags\nc.jpg,dog\nbeach/a.jpg,dog\nc.jpg,cat\n",
        r"line 4 names photo 'c\.jpg' again",
    ),
    "a column a class": (
        "tags.csv",
        {"tags.csv": "image,dog,cat\nbeach/a.jpg,1,0\nbeach/b.png,1,1\nc.jpg,0,1\n"},
        "image,dog,dog\nc.jpg,0,1\n",
        "line 1 has the column 'dog' twice",
    ),
    "a line a tag": (
        "tags.csv",
        {"tags.csv": "image,label\nbeach/a.jpg,dog\nbeach/b.png,dog\nc.jpg,cat\nbeach/b.png,cat\n"},
        "image,label\nc.jpg,cat\nbeach/a.jpg,dog\nc.jpg,cat\n",
        r"line 4 names photo 'c\.jpg' again with the same tag",
    ),
    "Hugging Face's metadata.csv": (
        "metadata.csv",
        {
            "metadata.csv": 'file_name,text,labels\nbeach/a.jpg,hi,[\'dog\']\nbeach/b.png,,"[\'dog\', ""cat""]"\n'
            "c.jpg,,[cat]\n"
        },
        "file_name,label,tags\nc.jpg,dog,cat\n",
        "line 1: 'label' and 'tags' may both be meant",
    ),
    "Hugging Face's metadata.jsonl": (
        "metadata.jsonl",
        {"metadata.jsonl": JSONL},
        f'{JSONL}\n{{"file_name": "c.jpg", "label": []}}',
        r"line 4 names photo 'c\.jpg' again",
    ),
    "Open Images": (
        "labels.csv",
        {"labels.csv": OPEN_IMAGES, "oidv6-class-descriptions.csv": "/m/0bt9lr,dog\n/m/01yrx,cat\n"},
        f"{OPEN_IMAGES}b,verification,/m/0bt9lr,1\n",
        "line 7 names photo 'b' again with the same tag",
    ),
    "JSON, photos with tags": (
        "tags.json",
        {"tags.json": json.dumps({"beach/a.jpg": ["dog"], "beach/b.png": ["dog", "cat"], "c.jpg": ["cat"]})},
        '{"c.jpg": ["cat"], "c.jpg": ["dog"]}',
        "'c.jpg' stands there twice",
    ),
    "JSON, a list": (
        "tags.json",
        {"tags.json": json.dumps(RECORDS)},
        json.dumps([*RECORDS, RECORDS[2]]),
        r"entry 4 names photo 'c\.jpg' again",
    ),
    "COCO": (
        "annotations/instances.json",
        {"annotations/instances.json": json.dumps(COCO)},
        json.dumps({**COCO, "images": [*COCO["images"], {"id": 10, "file_name": "c.jpg"}]}),
        r"entry 4 names photo 'c\.jpg' again",
    ),
    "FiftyOne": (
        "labels.json",
        {"labels.json": json.dumps(FIFTYONE)},
        json.dumps({**FIFTYONE, "labels": {"a": 2}}),
        "label of 'a': '2' is none of 2 classes",
    ),
    "Label Studio's JSON": (
        "export.json",
        {"export.json": json.dumps(STUDIO)},
        json.dumps([{**STUDIO[0], "annotations": STUDIO[0]["annotations"] + STUDIO[1]["annotations"]}]),
        "task 1: two annotations differ",
    ),
    "Label Studio's JSON-MIN": (
        "export.json",
        {"export.json": json.dumps(MIN)},
        json.dumps([{"image": "c.jpg", "annotation_id": 1, "animal": "dog"}]),
        "their fields are 'image', 'annotation_id', 'animal'",
    ),
    "CVAT": (
        "annotations.xml",
        {"annotations.xml": CVAT},
        CVAT.replace("beach/a.jpg", "c.jpg"),
        r"line 5 names photo 'c\.jpg' again",
    ),
    "side-cars": (
        "*.txt",
        {"beach/a.txt": "dog", "beach/b.txt": "cat, dog\n", "c.txt": "cat\n\n"},
        "0 0.5 0.5 0.25 0.125\n",
        "holds numbers as YOLO's boxes",
    ),
}


def draw(root, names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4)).save(root / name)


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.fixture
def root(tmp_path):
    draw(tmp_path / "photos", PHOTOS)
    return tmp_path / "photos"


def by_name(data, split):
    return {one: [data.class_names[tag] for tag in data.tags(one)] for one in data.ids(split)}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_read_and_found(root, form):
    tags, files, _, _ = FORMS[form]
    write(root, files)
    data = TagFolder(str(root), tags=tags)
    assert data.class_names == ("cat", "dog")
    assert by_name(data, "train") == TAGGED
    assert data.ids("val") == ["untagged"]
    source = find_tags(root)
    assert (source.tags, source.faults) == (tags, [])


@pytest.mark.parametrize("form", FORMS)
def test_its_twin_is_refused(root, form):
    tags, files, twin, fault = FORMS[form]
    write(root, files)
    (name,) = [*files][:1]
    (root / name).write_text(twin)
    with pytest.raises(UserError, match=fault) as caught:
        TagFolder(str(root), tags=tags)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("t.json", json.dumps([*STUDIO, STUDIO[2]]), r"entry 5 names photo '.*c\.jpg' again"),
        ("t.json", json.dumps([*MIN, MIN[2]]), r"entry 5 names photo '.*c\.jpg' again"),
        ("t.json", '{"classes": ["cat"], "labels": {"c": 0, "c": 0}}', "'c' stands there twice"),
        ("t.csv", "image,dog\nc.jpg,1\nc.jpg,1\n", r"line 3 names photo 'c\.jpg' again"),
        ("c.txt", "cat", "photo 'c.png' has the same name, without suffix, as"),
    ],
)
def test_one_photo_twice(root, file, content, fault):
    write(root, {file: content})
    draw(root, ["c.png"] if file == "c.txt" else [])
    with pytest.raises(UserError, match=fault):
        TagFolder(str(root), tags="*.txt" if file == "c.txt" else file)


def test_folders(tmp_path):
    draw(tmp_path, ["dog/1.jpg", "dog/old/2.jpg", "cat/1.jpg", "3.jpg"])
    data = TagFolder(str(tmp_path), tags=None)
    assert by_name(data, "train") == {"cat/1": ["cat"], "dog/1": ["dog"], "dog/old/2": ["dog"]}
    assert data.ids("val") == ["3"]


@pytest.mark.parametrize("order", ["{split}/{tag}/{name}", "{tag}/{split}/{name}", "all/{split}/{tag}/{name}"])
@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Training", "valid", "test_set"), ("train2017", "dev", "testing")]
)
def test_folders_of_splits(tmp_path, order, names):
    places = {
        (split, tag): order.format(split=name, tag=tag, name="1.jpg")
        for split, name in zip(("train", "val", "test"), names, strict=True)
        for tag in ("cat", "dog")
    }
    draw(tmp_path, [*places.values(), f"{names[2]}/untagged.jpg"] if order.startswith("{split}") else places.values())
    data = find_tags(tmp_path).folder
    assert data.class_names == ("cat", "dog")
    for split in ("train", "val", "test"):
        expected = {places[split, tag].removesuffix(".jpg"): [tag] for tag in ("cat", "dog")}
        said = by_name(data, split)
        untagged = said.pop(f"{names[2]}/untagged", None)
        assert said == expected
        assert (untagged == []) == (split == "test" and order.startswith("{split}"))


@pytest.mark.parametrize(
    ("photos", "fault"),
    [
        (
            ["bus/1.jpg", "car/1.jpg", "train/1.jpg"],
            "folder 'train' is called like a split, folder 'bus' beside it is not",
        ),
        (["train/bus/1.jpg", "train/train/1.jpg"], "its folder 'train' is called like a split"),
        (["images/1.jpg", "train/cat/1.jpg"], "'train' is called like a split, folder 'images' beside it is not"),
        (["val/cat/1.jpg", "val/dog/1.jpg"], "none is of the split train and has a tag"),
        (["train/1.jpg", "val/2.jpg"], "no tags found"),
    ],
)
def test_a_name_of_a_split_is_no_class(tmp_path, photos, fault):
    draw(tmp_path, photos)
    for read in (find_tags, lambda root: TagFolder(str(root), tags=None)):
        with pytest.raises(UserError, match=fault):
            read(tmp_path)


def test_a_name_of_a_split_is_a_class_where_somebody_says_so(tmp_path):
    draw(tmp_path / "flat", ["bus/1.jpg", "train/1.jpg"])
    data = TagFolder(str(tmp_path / "flat"), tags=None, classes=["bus", "train"])
    assert by_name(data, "train") == {"bus/1": ["bus"], "train/1": ["train"]}
    draw(tmp_path / "deep", ["train/bus/1.jpg", "train/train/1.jpg", "val/train/2.jpg"])
    data = TagFolder(str(tmp_path / "deep"), tags=None, classes=["bus", "train"])
    assert by_name(data, "train") == {"train/bus/1": ["bus"], "train/train/1": ["train"]}
    assert by_name(data, "val") == {"val/train/2": ["train"]}


@pytest.mark.parametrize(
    ("file", "train", "val"),
    [
        ("metadata.csv", "file_name,label\n1.jpg,dog\n", "file_name,label\n1.jpg,cat\n"),
        ("labels.json", *(json.dumps({"classes": ["cat", "dog"], "labels": {"1": number}}) for number in (1, 0))),
    ],
)
@pytest.mark.parametrize("below", ["", "data/"])
def test_a_file_of_tags_in_each_splits_folder(tmp_path, file, train, val, below):
    draw(tmp_path, [f"{split}/{below}1.jpg" for split in ("train", "val")])
    write(tmp_path, {f"train/{file}": train, f"val/{file}": val})
    source = find_tags(tmp_path)
    assert (source.tags, source.faults) == (file, [])
    assert by_name(source.folder, "train") == {f"train/{below}1": ["dog"]}
    assert by_name(source.folder, "val") == {f"val/{below}1": ["cat"]}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("t.csv", "image,tags,split\nbeach/a.jpg,dog,train\nc.jpg,cat,validation\n"),
        ("t.csv", "image,subset,dog,cat\nbeach/a.jpg,train,1,0\nc.jpg,valid,0,1\n"),
        ("t.json", '[{"image": "a", "tag": "dog", "split": null}, {"image": "c", "tag": "cat", "split": "val"}]'),
        (
            "t.xml",
            CVAT.replace("<image ", '<image subset="Train" ', 1).replace('name="c', 'subset="Validation" name="c'),
        ),
    ],
)
def test_a_file_says_the_split(root, file, content):
    write(root, {file: content})
    data = TagFolder(str(root), tags=file)
    assert by_name(data, "train")["beach/a"] == ["dog"]
    assert by_name(data, "val") == {"c": ["cat"], **{one: [] for one in data.ids("val")[1:]}}
    if file == "t.csv":
        write(root, {file: content.replace("train", "fold1")})
        with pytest.raises(UserError, match="line 2: expected train, val or test, got 'fold1'"):
            TagFolder(str(root), tags=file)


def test_folders_of_splits_count_for_a_file_of_all_tags(tmp_path):
    draw(tmp_path, ["train/1.jpg", "val/2.jpg", "test/3.jpg"])
    write(tmp_path, {"tags.csv": "image,tags\ntrain/1.jpg,dog\nval/2.jpg,cat\n"})
    data = TagFolder(str(tmp_path))
    assert [data.ids(split) for split in ("train", "val", "test")] == [["train/1"], ["val/2"], ["test/3"]]


@pytest.mark.parametrize(
    ("name", "photo"),
    [
        ("a.jpg", "beach/a.jpg"),
        ("a", "beach/a.jpg"),
        ("beach/b", "beach/b.png"),
        ("/home/x/beach/a.jpg", "beach/a.jpg"),
    ],
)
def test_a_photo_is_named_by_as_much_as_tells_it(root, name, photo):
    write(root, {"tags.csv": f"image,tags\n{name},dog\n"})
    assert by_name(TagFolder(str(root)), "train") == {photo[:-4]: ["dog"]}
    draw(root, ["sea/a.jpg", "sea/beach/b.png", "x/beach/a.jpg"])
    if name in ("a.jpg", "a"):
        with pytest.raises(UserError, match=r"is not in .*\. Did you mean 'beach/a\.jpg' or 'sea/a\.jpg'\?"):
            TagFolder(str(root))


def test_one_photo_by_two_names(root):
    write(root, {"tags.csv": "image,tags\nbeach/a.jpg,dog\na,cat\n"})
    with pytest.raises(UserError, match=r"line 3: photo 'beach/a\.jpg' has the same name, without suffix, as .*line 2"):
        TagFolder(str(root))


# What a stranger's folder may hold.


def test_entities_of_xml_are_not_read(root):
    bomb = '<!DOCTYPE a [<!ENTITY x "x"><!ENTITY y "&x;&x;&x;"><!ENTITY z SYSTEM "file:///etc/passwd">]>'
    for text in (f'{bomb}<annotations><image name="&z;"/></annotations>', f"{bomb}<annotations>&y;</annotations>"):
        write(root, {"a.xml": text})
        with pytest.raises(UserError, match=r"a\.xml: declares a document type"):
            TagFolder(str(root), tags="a.xml")


@pytest.mark.parametrize("text", ["", "<annotations>", "<html/>", "\0", "<annotations/>", "<annotations><image/>" * 2])
def test_what_is_no_xml_of_cvat(root, text):
    write(root, {"a.xml": text})
    with pytest.raises(UserError, match=r"a\.xml: (not XML|XML of another root|names no photo)"):
        TagFolder(str(root), tags="a.xml")


def test_links_out_of_the_folder_are_not_followed(root, tmp_path):
    draw(tmp_path / "private", ["secret.jpg", "dog/1.jpg"])
    (tmp_path / "private" / "tags.csv").write_text("image,tags\nc.jpg,password\n")
    for name, target in (("s.jpg", "secret.jpg"), ("dog", "dog"), ("tags.csv", "tags.csv"), ("c.txt", "tags.csv")):
        (root / name).symlink_to(tmp_path / "private" / target)
    (root / "train").symlink_to(tmp_path / "private")
    source = find_tags(root)
    assert (source.tags, source.folder.class_names) == (None, ("beach",))
    assert source.folder.ids("val") == ["c", "untagged"]
    for name in ("s.jpg", "dog/1.jpg"):
        write(root, {"own.csv": f"image,tags\n{name},dog\n"})
        with pytest.raises(UserError, match=f"photo '{name}' is a link out of"):
            TagFolder(str(root), tags="own.csv")
    (root / "near.jpg").symlink_to("c.jpg")
    write(root, {"own.csv": "image,tags\nnear.jpg,dog\n"})
    assert TagFolder(str(root), tags="own.csv").ids("train") == ["near"]


def test_files_that_would_fill_the_memory(root):
    for name, most in (("tags.json", 100_000_000), ("c.txt", 100_000)):
        with Path(root / name).open("wb") as file:
            file.truncate(most + 1)
        with pytest.raises(UserError, match=f"holds more than {most:,} bytes"):
            TagFolder(str(root), tags=name if name == "tags.json" else "*.txt")


@pytest.mark.parametrize(
    "content",
    [
        {**COCO, "images": [{"id": [], "file_name": "c.jpg"}]},
        {**COCO, "images": [{"id": 1, "file_name": None}]},
        {**COCO, "annotations": [{"image_id": 7, "category_id": 99}]},
        {**COCO, "categories": [*COCO["categories"], {"id": 1, "name": "pony"}]},
        {"classes": None, "labels": {"c": 0}},
        {"classes": [[]], "labels": {"c": 0}},
        {"classes": ["cat"], "labels": {"c": {"label": {}}}},
        [{"data": {"image": "http://[c.jpg"}, "annotations": []}],
        [{"data": {"image": "c.jpg"}, "annotations": [{"result": [{"type": "choices", "value": {"choices": [{}]}}]}]}],
        [{"image": 3, "tags": []}],
        [{"image": "c.jpg", "tags": {"a": 1}}],
        [{"image": "c.jpg", "tags": True}],
        [{"image": "c.jpg", "path": "c.jpg", "tags": []}],
        [{"image": "c.jpg", "tags": ["cat"], "split": []}],
        [{}],
        [],
        [1],
        {"c.jpg": [True]},
        3,
    ],
)
def test_damaged_json_gets_one_line(root, content):
    write(root, {"t.json": json.dumps(content)})
    with pytest.raises(UserError) as caught:
        TagFolder(str(root), tags="t.json")
    assert str(root / "t.json") in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_file_is_worth_more_than_texts_which_may_be_captions(root):
    write(root, {"tags.csv": "image,tags\nc.jpg,cat\n", "beach/a.txt": "a dog, on grass, at night", "notes.txt": "x,y"})
    assert find_tags(root).tags == "tags.csv"


def test_a_class_description_may_be_missing(root):
    write(root, {"labels.csv": OPEN_IMAGES})
    assert TagFolder(str(root), tags="labels.csv").class_names == ("/m/01yrx", "/m/0bt9lr")


def test_boxes_of_open_images_name_a_label_twice(root):
    boxes = "ImageID,Source,LabelName,Confidence,XMin\nc,x,cat,1,.1\nc,x,cat,1,.2\na,x,dog,1,.3\n"
    write(root, {"boxes.csv": boxes})
    assert by_name(TagFolder(str(root), tags="boxes.csv"), "train") == {"c": ["cat"], "beach/a": ["dog"]}
