"""CDA: what is cut out, where it is pasted, and that it is data for any method."""

import json
from contextlib import nullcontext

import numpy as np
import pytest
from method_training import classifier_of, fit, trained_and_loaded
from tiny_acr import ADAMW

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.errors import UserError
from acr_lightning.methods.cda.data import PastedCrops, PastedSamples
from acr_lightning.methods.cda.pasting import Cutout, cut_out, paste
from acr_lightning.methods.plain.module import Plain


def test_an_object_is_one_class_of_middle_size(rng):
    image = rng.integers(0, 256, (10, 12, 3)).astype(np.uint8)
    label = np.zeros((10, 12), np.uint8)
    label[2:6, 3:9] = 4
    label[2, 3] = 0
    label[9, 0] = 255  # nobody knows what that is
    found = cut_out(image, label)
    assert np.array_equal(found.image, image[2:6, 3:9])
    assert np.array_equal(found.shown, label[2:6, 3:9] == 4)
    for rows, value in ((slice(0, 10), 4), (slice(2, 3), 4), (slice(5, 7), 2)):
        other = label * (rows.start == 5)
        other[rows, 3 : 9 if rows.stop < 10 else 12] = value
        other[rows, 0 if rows.stop == 10 else 3] = value
        assert cut_out(image, other) is None
    assert cut_out(image, np.zeros((10, 12), np.uint8)) is None


def test_what_is_pasted_is_the_object_turned_and_the_rest_the_photo(rng):
    """Red to the left of green on a grey photo: found again by colour, at the angle that was drawn."""
    colours = np.zeros((30, 40, 3), np.uint8)
    colours[:, :20, 0], colours[:, 20:, 1] = 255, 255
    photo = np.full((60, 50, 3), 90, np.uint8)
    for seed in range(20):
        made = paste(photo, Cutout(colours, np.ones((30, 40), np.uint8)), np.random.default_rng(seed))
        degrees = np.random.default_rng(seed).uniform(-90, 90)
        assert (photo == 90).all()
        changed = (made != 90).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert len(rows) and np.ptp(rows) < 0.7 * 60 + 1 and np.ptp(columns) < 0.7 * 50 + 1  # noqa: PT018
        red, green = (np.argwhere(made[:, :, channel] > 200).mean(axis=0) for channel in (0, 1))
        down, right = green - red
        assert np.rad2deg(np.arctan2(-down, right)) == pytest.approx(degrees, abs=6)


@pytest.fixture
def labels(shapes, tmp_path):
    """The true masks of the first class alone as labels."""
    for image_id in shapes.ids("train"):
        mask = shapes.mask(image_id)
        write_mask(tmp_path / "labels" / f"{image_id}.png", np.where(mask == 1, mask, 0).astype(np.uint8))
    return tmp_path / "labels"


def test_each_photo_as_it_is_and_with_an_object(shapes, labels, monkeypatch):
    monkeypatch.setattr("acr_lightning.methods.cda.pasting.SMALLEST", 0.01)
    samples = PastedSamples(shapes, 32, (32, 40), 5, labels)
    assert len(samples) == 32
    changed = 0
    for index, image_id in enumerate(shapes.ids("train")):
        (image, tags), (pasted, more) = samples.photo(3, index), samples.photo(3, index + 16)
        assert np.array_equal(image, shapes.image(image_id))
        assert tags.nonzero().flatten().tolist() == shapes.tags(image_id).tolist()
        added = (more - tags).nonzero().flatten().tolist()
        assert added in ([], [0])  # the others have no label
        assert np.array_equal(pasted, image) != bool(added)
        changed += len(added)
        assert np.array_equal(samples.photo(3, index + 16)[0], pasted)
    assert 0 < changed < 16
    assert samples[3, 16]["id"] == samples[3, 0]["id"]
    assert any(not np.array_equal(samples.photo(4, at)[0], samples.photo(3, at)[0]) for at in range(16, 32))


def test_labels_of_other_classes_are_refused(shapes, labels):
    """A run's labels, beside the manifest of the stage that made them."""
    data = PastedCrops(shapes, str(labels), crop=32, batch_size=4)
    for names, fits in ((shapes.class_names, True), (shapes.class_names[::-1], False), (shapes.class_names[1:], False)):
        (labels.parent / "manifest.json").write_text(json.dumps({"status": "done", "classes": names}))
        with nullcontext() if fits else pytest.raises(UserError, match=r"data\.labels: .*/labels knows the classes"):
            data.samples()


def test_training(shapes, labels, tmp_path, monkeypatch):
    monkeypatch.setattr("acr_lightning.methods.cda.pasting.SMALLEST", 0.01)
    data = PastedCrops(shapes, str(labels), crop=32, long_side=(32, 40), batch_size=4, num_workers=0)
    monkeypatch.setattr("method_training.data_of", lambda *_: data)
    assert all(trained_and_loaded("usual", tmp_path, shapes, Plain(classifier_of("usual"), ADAMW)).values())
    assert data.samples()[0, 31]["image"].shape == (3, 32, 32)
    with pytest.raises(UserError, match="an earlier round first"):
        fit(tmp_path, Plain(classifier_of("usual"), ADAMW), PastedCrops(shapes, "nowhere", crop=32, batch_size=4))
