"""The pack for PASCAL VOC's server."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.errors import UserError
from acr_lightning.metrics.voc_server import write_pack

FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"
SIZES = {"2008_000006": (5, 7), "2008_000011": (6, 4), "2008_000012": (3, 8)}
VOC_LABELS = np.arange(21, dtype=np.uint8)


@pytest.fixture
def predictions(tmp_path, rng):
    for image_id, size in SIZES.items():
        write_mask(tmp_path / "predictions" / f"{image_id}.png", rng.integers(0, 21, size).astype(np.uint8))
    return tmp_path / "predictions"


@pytest.fixture
def pack(tmp_path, predictions):
    write_pack(tmp_path / "results.tgz", predictions, SIZES, VOC_LABELS)
    return tmp_path / "results.tgz"


def members(pack):
    """Name and content of every member, as the system's own reader finds them."""
    with tarfile.open(pack) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]


def test_a_pack_holds_the_list_and_nothing_else(pack, predictions):
    found = dict(members(pack))
    assert list(found) == [f"{FOLDER}/{image_id}.png" for image_id in SIZES]
    for image_id, size in SIZES.items():
        with Image.open(io.BytesIO(found[f"{FOLDER}/{image_id}.png"])) as image:
            assert image.mode == "P"
            assert image.size == (size[1], size[0])
            assert image.getpalette()[3:6] == [128, 0, 0]  # the devkit's red of label 1
            assert np.array_equal(np.array(image), np.array(Image.open(predictions / f"{image_id}.png")))


def test_the_same_predictions_give_the_same_bytes(pack, predictions, tmp_path):
    write_pack(tmp_path / "again.tar.gz", predictions, SIZES, VOC_LABELS)
    assert (tmp_path / "again.tar.gz").read_bytes() == pack.read_bytes()


def test_labels_of_a_subset_become_vocs_own(tmp_path):
    write_mask(tmp_path / "p" / "a.png", np.array([[0, 1, 2]], np.uint8))
    write_pack(tmp_path / "results.tgz", tmp_path / "p", {"a": (1, 3)}, np.array([0, 8, 15], np.uint8))
    [(_, content)] = members(tmp_path / "results.tgz")
    assert np.array(Image.open(io.BytesIO(content))).tolist() == [[0, 8, 15]]  # cat and person


def test_missing_and_wrong_predictions_are_named_before_packing(predictions, tmp_path):
    with pytest.raises(UserError, match="1 of 4 label maps are missing: 2099_000001"):
        write_pack(tmp_path / "r.tgz", predictions, {**SIZES, "2099_000001": (1, 1)}, VOC_LABELS)
    write_mask(predictions / "2008_000011.png", np.full((6, 4), 255, np.uint8))
    with pytest.raises(UserError, match=r"2008_000011\.png: holds the value 255"):
        write_pack(tmp_path / "r.tgz", predictions, SIZES, VOC_LABELS)
    write_mask(predictions / "2008_000011.png", np.ones((4, 6), np.uint8))
    with pytest.raises(UserError, match=r"2008_000011\.png: is 6×4, its photo 4×6"):
        write_pack(tmp_path / "r.tgz", predictions, SIZES, VOC_LABELS)
    with pytest.raises(UserError, match=r"r\.zip: the server takes a \.tgz"):
        write_pack(tmp_path / "r.zip", predictions, SIZES, VOC_LABELS)
    assert not list(tmp_path.glob("r.*"))
