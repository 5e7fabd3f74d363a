import csv

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassJaccardIndex

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.errors import UserError
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.metrics.confusion import confusion, confusion_csv, scores
from acr_lightning.metrics.folder_scores import count_folder
from acr_lightning.metrics.threshold_sweep import ThresholdSweep


def random_masks(seed, labels=4):
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, labels, (9, 11)).astype(np.uint8)
    prediction = np.where(rng.random((9, 11)) < 0.5, mask, rng.integers(0, labels, (9, 11))).astype(np.uint8)
    mask[rng.random((9, 11)) < 0.2] = 255
    return mask, prediction


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_miou_equals_a_naive_count_and_torchmetrics(seed):
    mask, prediction = random_masks(seed)
    counts = confusion(mask, prediction, 4)
    naive = np.zeros((4, 4), np.int64)
    for truth, guess in zip(mask.ravel(), prediction.ravel(), strict=True):
        if truth != 255:
            naive[truth, guess] += 1
    assert np.array_equal(counts, naive)
    jaccard = MulticlassJaccardIndex(4, ignore_index=255, average="macro")
    wanted = jaccard(torch.from_numpy(prediction.astype(int)), torch.from_numpy(mask.astype(int))).item()
    assert scores(counts, [*map(str, range(len(counts)))])["miou"] == pytest.approx(100 * wanted, abs=1e-3)


def test_scores_by_hand():
    # label 0: 6 right, 2 taken for 1; label 1: 3 right, 1 taken for 0; label 2 nowhere
    found = scores(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), ["background", "cat", "dog"])
    assert found["classes"]["background"]["iou"] == pytest.approx(100 * 6 / 9)
    assert found["classes"]["cat"]["iou"] == pytest.approx(50)
    assert found["classes"]["cat"]["precision"] == pytest.approx(60)
    assert found["classes"]["cat"]["recall"] == pytest.approx(75)
    assert found["miou"] == pytest.approx((100 * 6 / 9 + 50) / 2)
    assert found["absent"] == ["dog"]


def test_the_confusion_matrix_is_kept_as_whole_pixels():
    counts = np.array([[2**40, 0], [3, 4]])
    rows = list(csv.reader(confusion_csv(counts, ["background", "cat, asleep"]).splitlines()))
    assert rows[0][1:] == [row[0] for row in rows[1:]] == ["background", "cat, asleep"]
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == counts.tolist()


def test_sweep_equals_scoring_each_threshold():
    rng = np.random.default_rng(2)
    sweep, images = ThresholdSweep(5), []
    for _ in range(4):
        classes = np.sort(rng.choice(4, rng.integers(0, 4), replace=False))
        levels = rng.choice([0, 1, 2, 16, 17, 18, 128, 254, 255], (len(classes), 8, 6)).astype(np.uint8)
        mask = rng.choice([0, 1, 2, 3, 4, 255], (8, 6)).astype(np.uint8)
        images.append((mask, classes, levels))
        sweep.update(*images[-1])
    matrices = sweep.confusion()
    for threshold in (0, 1, 17, 128, 255):
        naive = np.zeros((5, 5), np.int64)
        for mask, classes, levels in images:
            prediction = np.zeros(mask.shape, np.uint8)
            for row in range(8):
                for column in range(6):
                    pixel = levels[:, row, column]
                    if len(classes) and pixel.max() > threshold:
                        prediction[row, column] = classes[pixel.argmax()] + 1
            # Which is the label that the threshold makes.
            scores = levels.astype(np.float32) / np.float32(255)
            assert np.array_equal(pseudo_label(np.zeros((8, 6, 3)), classes, scores, threshold / 255), prediction)
            naive += confusion(mask, prediction, 5)
        assert np.array_equal(matrices[threshold], naive), threshold


def test_unsure_pixels_of_a_label_count_as_background(tmp_path, shapes):
    ids = shapes.ids("val")
    for image_id in ids:
        mask = shapes.mask(image_id)
        write_mask(tmp_path / "zero" / f"{image_id}.png", np.where(mask == 2, 0, mask).astype(np.uint8))
        write_mask(tmp_path / "unsure" / f"{image_id}.png", np.where(mask == 2, 255, mask).astype(np.uint8))
    wanted = count_folder(tmp_path / "zero", ids, shapes.mask, 5)
    assert wanted[2, 0] > 0
    assert np.array_equal(count_folder(tmp_path / "unsure", ids, shapes.mask, 5, ignored=0), wanted)
    with pytest.raises(UserError, match="holds the value 255"):
        count_folder(tmp_path / "unsure", ids, shapes.mask, 5)
