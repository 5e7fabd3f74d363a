import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchmetrics.classification import MulticlassJaccardIndex

from acr_lightning.artefacts.palette import read_mask, write_mask
from acr_lightning.errors import UserError
from acr_lightning.metrics.confusion import scores
from acr_lightning.metrics.folder_scores import count_folder


def score_folders(predictions, masks, num_classes=2):
    """Counts of all masks of a folder."""
    ids = sorted(path.relative_to(masks).with_suffix("").as_posix() for path in masks.rglob("*.png"))
    return count_folder(
        predictions, ids, lambda image_id: read_mask(masks / f"{image_id}.png", num_classes + 1), num_classes + 1
    )


def naive_miou(pairs):
    """Mean over the labels that occur, by sets of pixels."""
    ious = []
    for label in range(255):
        inter = sum(int(((m == label) & (p == label))[m != 255].sum()) for m, p in pairs)
        union = sum(int(((m == label) | (p == label))[m != 255].sum()) for m, p in pairs)
        if union:
            ious.append(inter / union)
    return 100 * sum(ious) / len(ious)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 5, 20, 80]))
def test_miou_of_folders_equals_torchmetrics_and_a_naive_count(tmp_path_factory, seed, num_classes):
    root, rng = tmp_path_factory.mktemp("folders"), np.random.default_rng(seed)
    pairs, jaccard = [], MulticlassJaccardIndex(num_classes + 1, ignore_index=255, average="macro")
    for index, size in enumerate([(7, 9), (4, 12), (6, 6)]):
        mask = rng.integers(0, num_classes + 1, size).astype(np.uint8)
        prediction = np.where(rng.random(size) < 0.6, mask, rng.integers(0, num_classes + 1, size)).astype(np.uint8)
        mask[rng.random(size) < 0.2] = 255
        write_mask(root / "gt" / "sub" / f"{index}.png", mask)
        write_mask(root / "pred" / "sub" / f"{index}.png", prediction)
        pairs.append((mask, prediction))
        jaccard.update(torch.from_numpy(prediction.astype(int)), torch.from_numpy(mask.astype(int)))
    counts = score_folders(root / "pred", root / "gt", num_classes)
    assert counts.dtype == np.int64
    assert counts.sum() == sum((mask != 255).sum() for mask, _ in pairs)
    assert scores(counts, [*map(str, range(len(counts)))])["miou"] == pytest.approx(naive_miou(pairs), abs=1e-9)
    assert scores(counts, [*map(str, range(len(counts)))])["miou"] == pytest.approx(
        100 * jaccard.compute().item(), abs=1e-3
    )


@pytest.fixture
def folders(tmp_path):
    for image_id in ("a", "b"):
        write_mask(tmp_path / "gt" / f"{image_id}.png", np.array([[0, 1, 2, 255]], np.uint8))
        write_mask(tmp_path / "pred" / f"{image_id}.png", np.array([[0, 1, 1, 1]], np.uint8))
    return tmp_path


def test_the_matrix_leaves_out_255(folders):
    assert score_folders(folders / "pred", folders / "gt").tolist() == [[2, 0, 0], [0, 2, 0], [0, 2, 0]]
    assert score_folders(folders / "pred", folders / "gt", 20).shape == (21, 21)


def without_prediction(folders):
    (folders / "pred" / "b.png").unlink()


def with_255(folders):
    write_mask(folders / "pred" / "b.png", np.full((1, 4), 255, np.uint8))


def of_another_size(folders):
    write_mask(folders / "pred" / "b.png", np.zeros((2, 4), np.uint8))


def truncated(folders):
    path = folders / "pred" / "b.png"
    path.write_bytes(path.read_bytes()[:60])


def beyond_the_classes(folders):
    write_mask(folders / "gt" / "b.png", np.full((1, 4), 3, np.uint8))


def a_jpeg(folders):
    Image.fromarray(np.zeros((1, 4), np.uint8)).save(folders / "gt" / "b.png", "JPEG")


def a_predicted_jpeg(folders):
    Image.fromarray(np.zeros((1, 4), np.uint8)).save(folders / "pred" / "b.png", "JPEG")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (a_jpeg, r"gt/b\.png: is a JPEG file; a mask must be a PNG"),
        (a_predicted_jpeg, r"pred/b\.png: is a JPEG file; a mask must be a PNG"),
        (without_prediction, "pred: 1 of 2 label maps are missing: b"),
        (with_255, r"pred/b\.png: holds the value 255"),
        (of_another_size, r"pred/b\.png: is 4×2, its photo 4×1"),
        (truncated, r"pred/b\.png: cannot be read as a mask"),
        (beyond_the_classes, r"gt/b\.png: holds the value 3, labels are 0 to 2"),
    ],
)
def test_bad_folders_are_named(folders, act, message):
    act(folders)
    with pytest.raises(UserError, match=message):
        score_folders(folders / "pred", folders / "gt", 2)
