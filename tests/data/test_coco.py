import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from tiny_coco import CATEGORY_IDS, annotations_path, file_name, read_annotations, rectangle, write_annotations
from tiny_coco import write_coco as write_tree

from acr_lightning.artefacts.palette import read_stored_mask
from acr_lightning.data import coco_index, coco_masks
from acr_lightning.data.coco import COCO
from acr_lightning.data.coco_masks import Instance, draw_mask
from acr_lightning.errors import UserError

SPLITS = ("train", "seed", "val")


@pytest.fixture
def root(tmp_path):
    write_tree(tmp_path / "coco", 2014)
    return tmp_path / "coco"


def change(root, act, part="train"):
    content = read_annotations(root, part, 2014)
    act(content)
    write_annotations(root, part, 2014, content)


def class_of(category):
    return CATEGORY_IDS.index(category)


@pytest.mark.parametrize("year", [2014, 2017])
def test_ids_tags_and_photos_of_both_years(tmp_path, year):
    write_tree(tmp_path, year)
    data = COCO(str(tmp_path), year)
    assert data.num_classes == 80
    assert data.class_names[-1] == "class 90"
    for part, first, count in (("train", 1, 8), ("val", 1001, 4)):
        wanted = [file_name(part, year, first + index).removesuffix(".jpg") for index in range(count)]
        assert data.ids(part) == wanted  # the photo without any annotation is left out
        for image_id in wanted:
            assert data.image(image_id).shape == (64, 64, 3)
        categories = {}
        for one in read_annotations(tmp_path, part, year)["annotations"]:
            categories.setdefault(one["image_id"], set()).add(one["category_id"])
        for image_id, (_, wanted_tags) in zip(wanted, sorted(categories.items()), strict=True):
            assert data.tags(image_id).tolist() == sorted(class_of(category) for category in wanted_tags)
    assert data.ids("seed") == data.ids("train")
    assert data.ids("test") == []


def naive_mask(height, width, instances):
    """The rule, pixel by pixel: rectangles [left, top, right, bottom) and pixel sets."""
    mask = np.zeros((height, width), np.uint8)
    for crowds in (True, False):
        for label, crowd, pixels in instances:
            if crowd is crowds:
                for row, column in pixels:
                    mask[row, column] = 255 if crowd else label
    return mask


def run_lengths(pixels, height, width):
    """Column by column, zeros first."""
    flat = [(row, column) in pixels for column in range(width) for row in range(height)]
    counts, now = [0], False
    for value in flat:
        if value != now:
            counts.append(0)
            now = value
        counts[-1] += 1
    return {"size": [height, width], "counts": counts}


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(3, 9), st.integers(3, 9))
def test_masks_are_drawn_by_the_rule(data, height, width):
    instances, naive = [], []
    for number in range(data.draw(st.integers(0, 6))):
        label, crowd = data.draw(st.integers(1, 80)), data.draw(st.booleans())
        if data.draw(st.booleans()):
            cells = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
            pixels = data.draw(st.sets(cells))
            segmentation = run_lengths(pixels, height, width)
        else:
            left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
            right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
            pixels = {(row, column) for row in range(top, bottom) for column in range(left, right)}
            segmentation = rectangle(left, top, right, bottom)
        instances.append(Instance(number, label, crowd, segmentation))
        naive.append((label, crowd, pixels))
    assert np.array_equal(draw_mask(height, width, instances), naive_mask(height, width, naive))


def test_a_slanted_polygon_is_what_another_library_draws():
    corners = [10.0, 4.0, 58.0, 22.0, 40.0, 60.0, 5.0, 47.0]
    mask = draw_mask(64, 64, [Instance(1, 7, False, [corners])])
    other = Image.new("L", (64, 64))
    ImageDraw.Draw(other).polygon(corners, fill=7)
    different = (mask != np.array(other)).sum()
    assert different < 0.05 * (mask == 7).sum()  # the edge's pixels, of a perimeter of 170


def test_less_than_three_points_cover_nothing():
    instances = [Instance(1, 7, False, [[1.0, 1.0, 5.0, 5.0]]), Instance(2, 8, False, [])]
    assert not draw_mask(8, 8, instances).any()


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [8, 8], "counts": [0, 65]},
        {"size": [9, 8], "counts": [72]},
        {"counts": [64]},
        "polygon",
        {"size": [8, 8], "counts": [-5, 69]},
        {"size": [8, 8], "counts": ""},
        {"size": [8, 8], "counts": 5},
        [["a", "b", "c", "d", "e", "f"]],
        [1, 2, 3, 4, 5, 6],
        7,
        None,
        [[0, 0, 1e9, 0, 1e9, 1e9]],
        [[0, 0, 8, 0, 8, float("nan")]],
        [[0, 0, 8, 0, 8, -float("inf")]],
    ],
)
def test_a_segmentation_that_cannot_be_drawn_is_named(segmentation):
    with pytest.raises(UserError, match="annotation 4711: its segmentation cannot be drawn"):
        draw_mask(8, 8, [Instance(4711, 1, False, segmentation)])


def test_masks_appear_when_asked_for_once_and_are_palette_pngs(root):
    data = COCO(str(root))
    first, second = data.ids("val")[:2]
    assert not data.mask_path(first).exists()
    data.make_masks([first])
    assert not data.mask_path(second).exists()
    before = data.mask_path(first).stat().st_mtime_ns
    data.make_masks(data.ids("val"))
    assert data.mask_path(first).stat().st_mtime_ns == before
    stored = read_stored_mask(data.mask_path(second))
    assert stored.colours is not None
    assert stored.wrong_colours() == []
    assert {int(label) - 1 for label in np.unique(data.mask(second)) if label} <= set(data.tags(second).tolist())


def test_masks_drawn_in_a_pool_are_the_same(root, tmp_path, monkeypatch):
    one, two = COCO(str(root)), COCO(str(root), cache=str(tmp_path / "other"))
    one.make_masks(one.ids("train"))
    monkeypatch.setattr(coco_masks, "FEW", 0)
    two.make_masks(two.ids("train"))
    for image_id in one.ids("train"):
        assert one.mask_path(image_id).read_bytes() == two.mask_path(image_id).read_bytes()


def test_a_crowd_is_a_tag_and_255(root):
    def add_crowd(content):
        region = {"size": [64, 64], "counts": [0, 64 * 64]}
        content["annotations"].append(
            {"id": 1, "image_id": 1001, "category_id": 90, "iscrowd": 1, "segmentation": region}
        )

    change(root, add_crowd, "val")
    data = COCO(str(root))
    image_id = data.ids("val")[0]
    assert 79 in data.tags(image_id)
    data.make_masks([image_id])
    mask = data.mask(image_id)
    assert 0 not in mask
    assert 80 not in mask
    assert (mask == 255).sum() > (mask < 81).sum() > 0


def test_a_subset_of_classes(root):
    names = ["class 8", "class 1"]  # of photos 1 and 1001: categories 1 and 8
    data = COCO(str(root), classes=names)
    assert data.class_names == tuple(names)
    assert len(data.ids("train")) == 1  # nothing can be learned from the others
    assert len(data.ids("val")) == 4
    [image_id] = data.ids("train")
    assert data.tags(image_id).tolist() == [0, 1]
    data.make_masks(data.ids("val"))
    mask, whole = data.mask(data.ids("val")[0]), COCO(str(root)).mask(data.ids("val")[0])
    assert np.array_equal(mask == 1, whole == 1 + class_of(8))
    assert np.array_equal(mask == 2, whole == 1 + class_of(1))
    assert (data.mask(data.ids("val")[1]) == 255).any()  # another class is not scored


def test_lists_of_ids(root, tmp_path):
    ids = COCO(str(root)).ids("train")
    (tmp_path / "few.txt").write_text("\n".join(reversed(ids[:3])))
    data = COCO(str(root), train_list=str(tmp_path / "few.txt"))
    assert data.ids("train") == data.ids("seed") == ids[2::-1]
    (tmp_path / "bad.txt").write_text("COCO_train2014_000000000099")
    with pytest.raises(UserError, match=r"bad\.txt: no photo 'COCO_train2014_000000000099'.* Did you mean 'COCO_"):
        COCO(str(root), seed_list=str(tmp_path / "bad.txt")).ids("seed")


def forbidden(path):
    raise AssertionError(f"{path} was parsed again")


def test_the_json_is_parsed_once(root, monkeypatch):
    first = COCO(str(root))
    monkeypatch.setattr(coco_index, "read_annotations", forbidden)
    second = COCO(str(root))
    assert [second.tags(i).tolist() for i in second.ids("train")] == [
        first.tags(i).tolist() for i in first.ids("train")
    ]
    assert second.fingerprint(str, SPLITS) == first.fingerprint(str, SPLITS)


def tags_in_another_process(data, image_id):
    coco_index.read_annotations = forbidden
    return data.tags(image_id).tolist()


def test_workers_parse_nothing(root):
    data = COCO(str(root))
    ids = data.ids("train")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found = list(pool.map(tags_in_another_process, [data] * len(ids), ids))
    assert found == [data.tags(image_id).tolist() for image_id in ids]


def test_another_json_has_another_index_and_other_masks(root):
    before = COCO(str(root))
    before.make_masks(before.ids("train"))
    change(root, lambda content: content["annotations"].pop(0))
    after = COCO(str(root))
    image_id = before.ids("train")[0]
    assert len(after.tags(image_id)) == 1
    assert len(before.tags(image_id)) == 2
    assert after.fingerprint(str, SPLITS) != before.fingerprint(str, SPLITS)
    assert not after.mask_path(image_id).exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", None])
def test_a_damaged_index_is_made_again(root, content):
    wanted = COCO(str(root)).fingerprint(str, SPLITS)
    [index] = (root / "acr_cache").glob("instances_train2014-*/index.npz")
    whole = index.read_bytes()
    index.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert COCO(str(root)).fingerprint(str, SPLITS) == wanted
    assert index.read_bytes() == whole


def no_photo(root):
    (root / "train2014" / file_name("train", 2014, 3)).unlink()
    return COCO(str(root)).ids("train")


def no_folder(root):
    (root / "val2014").rename(root / "elsewhere")
    return COCO(str(root)).ids("val")


def cut_json(root):
    path = annotations_path(root, "val", 2014)
    path.write_text(path.read_text()[:500])
    return COCO(str(root))


def changed(act):
    def run(root):
        change(root, act)
        return COCO(str(root))

    return run


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (no_photo, r"000000000003\.jpg: no such photo \(1 of 8 are missing\)"),
        (no_folder, r"no such photo \(4 of 4 are missing\)"),
        (cut_json, r"instances_val2014\.json: damaged JSON"),
        (lambda root: COCO(str(root), 2017), r"instances_train2017\.json: no such file; .*dataset\.year"),
        (lambda root: COCO(str(root), classes=["clas 1"]), "Did you mean 'class 1'"),
        (lambda root: COCO(str(root), classes=["class 1", "class 1"]), "named twice"),
        (changed(lambda c: c.pop("images")), "has no list 'images'"),
        (changed(lambda c: c["images"][2].pop("file_name")), r"images\[2\] has no 'file_name'"),
        (changed(lambda c: c["images"].append(3)), r"images\[9\] is no object"),
        (changed(lambda c: c["annotations"].append([])), r"annotations\[16\] is no object"),
        (changed(lambda c: c["categories"].insert(0, "cat")), r"categories\[0\] is no object"),
        (changed(lambda c: c["images"][2].update(id=[1])), r"images\[2\] has the id '\[1\]', expected int or str"),
        (changed(lambda c: c["images"][2].update(file_name=7)), r"images\[2\] has the file_name '7', expected str"),
        (changed(lambda c: c["images"][2].update(height="64")), r"images\[2\] has the height '64', expected int"),
        (changed(lambda c: c["images"][2].update(height=None)), r"images\[2\] has the height 'None', expected int"),
        (changed(lambda c: c["images"][2].update(width=0)), r"images\[2\]: '0×64' is no size of a photo"),
        (changed(lambda c: c["images"][2].update(height=-64)), r"images\[2\]: '64×-64' is no size"),
        (changed(lambda c: c["images"][2].update(height=10**9)), r"images\[2\]: '64×1000000000' is no size"),
        (changed(lambda c: c["annotations"][3].update(image_id={})), r"annotations\[3\] has the image_id '{}'"),
        (changed(lambda c: c["annotations"][3].update(category_id=[])), r"annotations\[3\] has the category_id '\[\]'"),
        (changed(lambda c: c["categories"][3].update(name=None)), r"categories\[3\] has the name 'None', expected str"),
        (changed(lambda c: c["categories"].append(c["categories"][0])), "a category is listed twice"),
        (
            changed(lambda c: c["categories"].extend({"id": n, "name": str(n)} for n in range(100, 300))),
            "280 categories, a mask holds 254 at the most",
        ),
        (changed(lambda c: c["images"].append(c["images"][0])), "a photo is listed twice"),
        (changed(lambda c: c["annotations"][0].update(image_id=5000)), "annotation 100 names the unknown photo 5000"),
        (changed(lambda c: c["annotations"][0].update(category_id=91)), "annotation 100 names the unknown category 91"),
        (changed(lambda c: c["categories"].pop()), "names the unknown category|its categories are not those"),
        (lambda root: COCO(str(root), cache=str(root / "train2014" / file_name("train", 2014, 1))), r"dataset\.cache"),
    ],
)
def test_bad_data_is_named(root, act, message):
    with pytest.raises(UserError, match=message) as caught:
        act(root)
    assert "\n" not in str(caught.value)


def test_an_annotation_that_cannot_be_drawn_names_its_photo(root):
    change(root, lambda content: content["annotations"][0].update(segmentation=json.loads('{"counts": 3}')))
    data = COCO(str(root))
    with pytest.raises(UserError, match="COCO_train2014_000000000001: annotation 100: its segmentation cannot"):
        data.make_masks(data.ids("train"))
