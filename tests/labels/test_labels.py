import numpy as np
import pytest
import torch
from classifiers import checkpoint_of
from method_training import classifier_of
from torch.nn import functional as F

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.cam.multiscale import multiscale_cam
from acr_lightning.errors import UserError
from acr_lightning.labels.choose_threshold import automatic_thresholds
from acr_lightning.labels.crf import PRESETS, CrfSettings, dense_crf
from acr_lightning.labels.pseudo_label import pseudo_label, with_background
from acr_lightning.labels.refiner import DenseCrf


def mean_field(image, probabilities, settings):
    """Dense mean field by brute force over all pairs of pixels, symmetrically normalised kernels."""
    labels, height, width = probabilities.shape
    rows, columns = np.mgrid[:height, :width]
    position = np.stack([rows, columns], -1).reshape(-1, 2).astype(float)
    colour = image.reshape(-1, 3).astype(float)

    def kernel(features):
        square = ((features[:, None] - features[None]) ** 2).sum(-1)
        matrix = np.exp(-0.5 * square)
        np.fill_diagonal(matrix, 0)
        scale = 1 / np.sqrt(matrix.sum(1) + 1e-20)
        return scale[:, None] * matrix * scale[None]

    near = kernel(position / settings.gaussian_sxy)
    alike = kernel(np.hstack([position / settings.bilateral_sxy, colour / settings.bilateral_srgb]))
    unary = np.log(probabilities.reshape(labels, -1))
    q = probabilities.reshape(labels, -1)
    for _ in range(settings.iterations):
        energy = unary + settings.gaussian_compat * q @ near + settings.bilateral_compat * q @ alike
        q = np.exp(energy - energy.max(0))
        q /= q.sum(0)
    return q.reshape(labels, height, width)


def test_crf_is_the_mean_field_of_its_formula(rng):
    image = np.zeros((12, 12, 3), np.uint8)
    image[:, 6:] = 200
    # A weak vote for label 1 on the right half, with noise in it.
    truth = np.where(np.arange(12) >= 6, 0.62, 0.38) + rng.normal(0, 0.08, (12, 12))
    probabilities = np.stack([1 - truth, truth]).clip(0.05, 0.95).astype(np.float32)
    settings = CrfSettings(2, 1, 10, 20, 2, iterations=5)
    got = dense_crf(image, probabilities, settings)
    wanted = mean_field(image, probabilities, settings)
    # The library filters on a permutohedral lattice: probabilities differ a little, labels must not.
    assert np.array_equal(got.argmax(0), wanted.argmax(0))
    assert np.array_equal(got.argmax(0), np.tile(np.arange(12) >= 6, (12, 1)))
    assert np.abs(got - wanted).mean() < 0.1


def test_hard_labels_start_with_their_certainty(rng):
    """What the likeliest label's lead was, does not matter: IRN's hard labels of certainty 0.7."""
    image = rng.integers(0, 256, (9, 10, 3)).astype(np.uint8)
    soft = rng.random((3, 9, 10)).astype(np.float32)
    winner = soft.argmax(0)
    hard = np.where(np.arange(3)[:, None, None] == winner, 0.7, 0.15).astype(np.float32)
    assert PRESETS["hard_label"].certainty == 0.7
    got = dense_crf(image, soft / soft.sum(0), PRESETS["hard_label"])
    wanted = dense_crf(image, hard, PRESETS["hard_label"]._replace(certainty=None))
    assert np.array_equal(got, wanted)
    assert not np.allclose(got, dense_crf(image, soft / soft.sum(0), PRESETS["hard_label"]._replace(certainty=None)))


def test_crf_scale_gives_the_photos_size(rng):
    image = rng.integers(0, 256, (30, 41, 3)).astype(np.uint8)
    probabilities = np.full((3, 30, 41), 1 / 3, np.float32)
    assert dense_crf(image, probabilities, PRESETS["soft_cam"], scale=0.5).shape == (3, 30, 41)


def test_missing_crf_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydensecrf.densecrf", None)
    with pytest.raises(UserError, match="refiner: none"):
        dense_crf(np.zeros((4, 4, 3), np.uint8), np.ones((1, 4, 4), np.float32), PRESETS["soft_cam"])


def test_background_by_threshold_and_by_alpha():
    scores = np.array([[[0.9, 0.2]], [[0.1, 0.1]]], np.float32)
    by_threshold = with_background(scores, 0.3)
    assert np.allclose(by_threshold[:, 0, 0], np.array([0.3, 0.9, 0.1]) / 1.3)
    by_alpha = with_background(scores, None, alpha=2)
    assert np.allclose(by_alpha[:, 0, 1], np.array([0.64, 0.2, 0.1]) / 0.94)
    with pytest.raises(ValueError, match="one of"):
        with_background(scores, 0.3, alpha=2)


def test_label_holds_tagged_classes_only(rng):
    image = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    scores = rng.random((2, 8, 8), dtype=np.float32)
    label = pseudo_label(image, np.array([1, 4]), scores, threshold=0.4)
    best = scores.argmax(0)
    wanted = np.where(scores.max(0) > np.float32(0.4), np.array([2, 5])[best], 0)
    assert np.array_equal(label, wanted)
    empty = pseudo_label(
        image, np.zeros(0, np.int64), np.zeros((0, 8, 8), np.float32), 0.4, refiner=DenseCrf("soft_cam")
    )
    assert (empty == 0).all()


def thresholds_of(levels, path, parts):
    write_cam(path, np.array([0]), (levels.reshape(1, 1, -1) / 255).astype(np.float32))
    return [round(255 * threshold) for threshold in automatic_thresholds(path.parent, [path.stem], parts)]


def test_otsu_equals_trying_every_threshold(rng, tmp_path):
    values = np.concatenate([rng.normal(60, 15, 3000), rng.normal(170, 20, 1000)]).clip(0, 255).astype(int)
    between = [
        0 if (values < t).all() or (values >= t).all()
        else (values < t).mean() * (values >= t).mean() * (values[values < t].mean() - values[values >= t].mean()) ** 2
        for t in range(1, 256)
    ]  # fmt: skip
    assert thresholds_of(values, tmp_path / "a.npz", 2) == [int(np.argmax(between))]  # its ties go down


def test_otsu_of_three_equals_trying_every_pair(rng, tmp_path):
    parts = [rng.normal(5, 2, 300), rng.normal(14, 2, 100), rng.normal(26, 2, 50)]
    values = np.concatenate(parts).clip(0, 31).astype(int)

    def within(s, t):
        """The variance inside the parts, which is smallest where that between them is largest."""
        split = [values[values < s], values[(values >= s) & (values < t)], values[values >= t]]
        return sum(part.var() * len(part) for part in split if len(part))

    wanted = min((within(s, t), s, t) for s in range(1, 32) for t in range(s + 1, 32))
    assert thresholds_of(values, tmp_path / "a.npz", 3) == [wanted[1] - 1, wanted[2] - 1]


def test_scores_that_cannot_be_split_have_a_threshold_all_the_same(tmp_path):
    assert thresholds_of(np.full(4, 7), tmp_path / "a.npz", 2) == [1]
    assert thresholds_of(np.array([7, 9]), tmp_path / "a.npz", 3) == [1, 2]


class Net:
    """A CAM with one fixed random filter, not symmetric under mirroring."""

    weight = torch.randn(3, 3, 5, 5, generator=torch.Generator().manual_seed(0))

    def __call__(self, image):
        return F.conv2d(image, self.weight, stride=4, padding=2)


def test_multiscale_cam_equals_the_steps_one_by_one():
    image, classes = torch.randn(3, 24, 32), torch.tensor([2, 0])
    total = torch.zeros(2, 24, 32)
    for scale in (0.5, 1.0):
        for mirrored in (False, True):
            view = F.interpolate(image[None], scale_factor=scale, mode="bilinear", antialias=True)
            view = view.flip(-1) if mirrored else view
            cam = Net()(view)
            cam = cam.flip(-1) if mirrored else cam
            total += F.interpolate(cam[:, classes], (24, 32), mode="bilinear")[0].relu()
    low, high = total.amin((1, 2), keepdim=True), total.amax((1, 2), keepdim=True)
    wanted = (total - low) / (high - low)
    (made,) = multiscale_cam(Net(), image[None], [classes], (0.5, 1.0), flip=True)
    assert torch.allclose(made, wanted, atol=1e-5)


@pytest.mark.parametrize("flip", [True, False])
def test_photos_together_are_photos_one_by_one(flip):
    images, classes = torch.randn(3, 3, 24, 32), [torch.tensor([2, 0]), torch.tensor([]).long(), torch.tensor([1])]
    together = multiscale_cam(Net(), images, classes, (0.5, 1.0), flip)
    alone = [
        multiscale_cam(Net(), image[None], [own], (0.5, 1.0), flip)[0]
        for image, own in zip(images, classes, strict=True)
    ]
    assert [len(cam) for cam in together] == [2, 0, 1]
    assert all(torch.allclose(one, two, atol=1e-6) for one, two in zip(together, alone, strict=True))


def test_a_power_is_of_the_scores_of_the_cam(tmp_path):
    checkpoint = checkpoint_of(classifier_of("usual"), tmp_path)
    sample = {"id": "a", "image": torch.rand(3, 48, 64), "tags": torch.tensor([1.0, 0, 1, 0])}
    plain, raised = (
        CamInference(checkpoint, (1.0,), power=power).predict_step([sample], 0)[0][2] for power in (1.0, 0.5)
    )
    assert 0.1 < plain.mean() < 0.9
    assert torch.allclose(raised * raised, plain, atol=1e-6)


def test_cam_of_the_mirror_image_is_the_mirrored_cam():
    image, classes = torch.randn(3, 24, 32), torch.tensor([1])
    (one,) = multiscale_cam(Net(), image[None], [classes], (1.0, 1.5), flip=True)
    (two,) = multiscale_cam(Net(), image[None].flip(-1), [classes], (1.0, 1.5), flip=True)
    assert torch.allclose(one, two.flip(-1), atol=1e-5)
    assert one.max() == pytest.approx(1)
    assert one.min() >= 0
