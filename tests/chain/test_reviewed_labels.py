"""The chain obeys `review.json`: the stages that hang on a decision are done again, with it, and no others."""

import numpy as np
import pytest
from PIL import Image

from acr_lightning.artefacts import review_file
from acr_lightning.artefacts.cam_file import LEVELS, read_cam, write_cam
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.artefacts.review_file import Decision
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import inputs
from acr_lightning.data.datamodule import LabelledCrops, TaggedPhotos
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.errors import UserError
from acr_lightning.labels.label_way import LabelWay
from acr_lightning.stages.chain import CHAIN
from acr_lightning.stages.label import label
from acr_lightning.stages.photo_labels import photo_label

SIZE = (12, 16)


@pytest.fixture
def dataset(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for number, name in enumerate("abc"):
        Image.new("RGB", SIZE[::-1], (number, 0, 0)).save(root / f"{name}.png")
    (root / "tags.csv").write_text("image,tags\na.png,cat;dog\nb.png,cat\nc.png,dog\n")
    return TagFolder(str(root))


@pytest.fixture
def experiment(tmp_path, dataset):
    node = {"class_path": "TagFolder", "init_args": {"root": str(dataset.root)}}
    return load(CHAIN, None, {"run": str(tmp_path / "run"), "affinity": "irn", "dataset": node})


@pytest.fixture
def review(tmp_path):
    return tmp_path / "run" / "review.json"


@pytest.mark.parametrize(
    ("decision", "stages"),
    [
        (Decision("accepted"), []),
        (Decision("rejected"), ["segment"]),
        (Decision(threshold=0.0), ["label"]),
        (Decision(removed=("cat",)), ["label"]),
        (Decision(added=("dog",)), ["cam", "label"]),
        (Decision("rejected", 0.5, ("dog",), ("cat",)), ["cam", "label", "segment"]),
    ],
)
def test_the_stages_that_a_decision_concerns(experiment, review, decision, stages):
    before = {name: inputs(experiment, name) for name in CHAIN.stages if experiment.takes_part(name)}
    review_file.write(review, {"b": decision})
    after = {name: inputs(experiment, name) for name in before}
    assert [name for name in before if before[name] != after[name]] == stages
    for name in before:
        section = experiment.section(name)
        named = section.get("review") or section.get("data", {}).get("init_args", {}).get("review")
        assert named == (str(review) if name in stages else None), name
    review.unlink()
    assert {name: inputs(experiment, name) for name in before} == before


def test_decisions_lie_beside_the_labels_that_they_are_about(experiment, tmp_path, review):
    other = load(
        CHAIN, None, {**experiment.values, "run": str(tmp_path / "two"), "from": {"label": str(review.parent)}}
    )
    before = inputs(other, "segment")
    review_file.write(review, {"b": Decision("rejected")})
    assert inputs(other, "segment") != before
    assert other.section("segment")["data"]["init_args"]["review"] == str(review)


def test_a_damaged_file_stops_the_chain(experiment, review):
    review.parent.mkdir()
    review.write_text("{")
    with pytest.raises(UserError, match=r"review\.json: damaged JSON"):
        inputs(experiment, "label")
    assert "review" not in inputs(experiment, "fit")


def test_rejected_photos_are_left_out_of_the_networks_training(dataset, review):
    assert LabelledCrops(dataset, "labels").samples().ids == ["a", "b", "c"]
    review_file.write(review, {"b": Decision("rejected"), "c": Decision("accepted")})
    assert LabelledCrops(dataset, "labels", review=str(review)).samples().ids == ["a", "c"]


def test_added_tags_get_a_cam(dataset, review):
    review_file.write(review, {"b": Decision(added=("dog",)), "a": Decision(added=("dog",), removed=("cat",))})
    for path, tags in ((None, [[1, 1], [1, 0], [0, 1]]), (str(review), [[1, 1], [1, 1], [0, 1]])):
        photos = TaggedPhotos(dataset, ["train"], num_workers=0, review=path)
        assert [group[0]["tags"].tolist() for group in photos.predict_dataloader()] == tags


def plain_label(cam, threshold, removed=()):
    """Pixel by pixel."""
    wanted = np.zeros(SIZE, np.uint8)
    for row in range(SIZE[0]):
        for column in range(SIZE[1]):
            best, winner = np.float32(threshold), 0
            for one, levels in zip(cam.classes, cam.levels, strict=True):
                score = np.float32(levels[row, column]) / np.float32(LEVELS)
                if one not in removed and score > best:
                    best, winner = score, one + 1
            wanted[row, column] = winner
    return wanted


def made(dataset, cams, name, way, decisions):
    path = cams / f"{name}.npz"
    image, cam = dataset.image(name), read_cam(path)
    return photo_label(image, name, cam, path, way, dataset.class_names, decisions)


@pytest.fixture
def cams(dataset, tmp_path, rng):
    """CAMs that a walk made: with a background."""
    for name in "abc":
        scores = rng.random((len(dataset.tags(name)), *SIZE), np.float32)
        write_cam(tmp_path / "cams" / f"{name}.npz", dataset.tags(name), scores, rng.random(SIZE, np.float32))
    return tmp_path / "cams"


@pytest.mark.parametrize("way", [LabelWay(0.5), LabelWay(alpha=2.0), LabelWay()])
def test_a_photo_has_its_own_threshold_and_tags(dataset, cams, way):
    own = {"a": Decision("rejected", 0.7, removed=("cat",))}
    label_map = made(dataset, cams, "a", way, own)
    assert np.array_equal(label_map, plain_label(read_cam(cams / "a.npz"), 0.7, removed=[0]))
    assert not np.array_equal(label_map, made(dataset, cams, "a", way, {}))
    assert np.array_equal(made(dataset, cams, "c", way, own), made(dataset, cams, "c", way, {}))


def test_the_stage_label_obeys_and_keeps_what_it_obeyed(dataset, cams, review, tmp_path, caplog):
    decisions = {"a": Decision(threshold=0.7), "b": Decision("rejected"), "gone": Decision(removed=("cat",))}
    review_file.write(review, decisions)
    folder = tmp_path / "own"
    counts = label(dataset, str(cams), str(folder), "walked", refiner="none", workers=1, review=str(review))
    assert counts["reviewed"] == 3
    for name in "abc":
        label_map = read_mask(folder / "labels" / f"{name}.png")
        assert np.array_equal(label_map, made(dataset, cams, name, LabelWay(), decisions)), name
    assert review_file.read(folder / "review.json") == decisions
    assert "decides on 1 photos that have no CAM, such as gone" in caplog.text


def test_a_tag_that_has_no_cam_yet_is_told(dataset, cams):
    with pytest.raises(UserError, match=r"b\.npz: has no CAM of the tag 'dog' .* run `acr cam`"):
        made(dataset, cams, "b", LabelWay(0.5), {"b": Decision(added=("dog",))})
