"""SAMRefiner's prompts against plain loops and hand-made ones, and what becomes of SAM's answers."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_sam import tiny_sam

from acr_lightning.errors import UserError
from acr_lightning.labels import sam_refiner
from acr_lightning.labels.sam_refiner import SamRefiner, mask_prompt, prompts_of

H, W = 12, 10


def depth(mask):
    """The distance to the nearest pixel that is not in the mask."""
    outside = [at for at in np.ndindex(mask.shape) if not mask[at]]
    return np.array(
        [[min(math.dist((y, x), at) for at in outside) for x in range(mask.shape[1])] for y in range(mask.shape[0])]
    )


def corner():
    """An L of two bars, three pixels wide: its deepest pixel is where they meet."""
    mask = np.zeros((H, W), bool)
    mask[1:11, 1:4] = mask[8:11, 1:9] = True
    return mask


def test_prompts_of_an_l():
    prompts = prompts_of(corner())
    inside, outside = depth(corner()), depth(~corner())
    y, x = np.unravel_index(inside.argmax(), (H, W))
    assert (x, y) == (2, 2)  # the first of the deepest, row by row
    assert prompts.points[0].tolist() == [2, 2]
    within = np.zeros((H, W))
    within[1:10, 1:8] = outside[1:10, 1:8]  # without the last row and column of the box, as in the release
    y, x = np.unravel_index(within.argmax(), (H, W))
    assert prompts.points[1].tolist() == [x, y] == [7, 1]
    assert prompts.marks.tolist() == [1, 0]
    assert prompts.box.tolist() == [1, 1, 8, 10]
    wanted = np.where(corner(), np.exp(-((inside - inside.max()) ** 2) / (corner().sum() / 4)), 0)
    assert np.allclose(prompts.weights, wanted, atol=1e-5)


def test_a_full_box_has_no_point_outside():
    mask = np.zeros((H, W), bool)
    mask[2:7, 3:8] = True
    prompts = prompts_of(mask)
    assert prompts.points[0].tolist() == [5, 4]
    assert prompts.marks.tolist() == [1, -1]
    assert prompts.box.tolist() == [3, 2, 7, 6]


@pytest.mark.parametrize("mask", [np.ones((H, W), bool), np.eye(1, H * W, 57, dtype=bool).reshape(H, W)])
def test_a_whole_photo_and_a_single_pixel_have_prompts(mask):
    prompts = prompts_of(mask)
    assert mask[tuple(prompts.points[0].astype(int)[::-1])]
    assert prompts.marks.tolist() == [1, -1]
    assert prompts.weights.max() == 1


def test_the_mask_prompt_by_hand():
    mask, weights = np.zeros((2, 4), bool), np.zeros((2, 4), np.float32)
    mask[:, 2:], weights[:, 2:] = True, 0.5
    same = mask_prompt(mask, weights, (2, 4), 4, 4)[0, 0]
    assert same.tolist() == [[-30, -30, 15, 15]] * 2 + [[-30] * 4] * 2  # below lies what pads the photo
    smaller = mask_prompt(mask, weights, (4, 8), 8, 4)[0, 0]
    # Enlarged, the signs of a row are −1 −1 −1 −½ ½ 1 1 1 and its weights 0 0 0 ⅛ ⅜ ½ ½ ½; then pairs are averaged.
    assert smaller.tolist() == [[-30, -30 / 16, 30 * 7 / 16, 15]] * 2 + [[-30] * 4] * 2


class FakeSam:
    """Answers with three planted masks, of which it expects most of the second."""

    def __init__(self, answers):
        self.answers, self.photos, self.told = answers, 0, []

    def to(self, device):
        return self

    def get_image_embeddings(self, pixels):
        self.photos += 1
        return torch.zeros(1, 8, 6, 6)

    def __call__(self, image_embeddings, **told):
        self.told.append(told)
        answer = torch.from_numpy(self.answers[min(len(self.told), len(self.answers)) - 1])
        masks = torch.stack([torch.full((24, 24), 9.0), answer, torch.full((24, 24), 9.0)])[None, None]
        return SimpleNamespace(pred_masks=masks, iou_scores=torch.tensor([[[0.1, 0.9, 0.5]]]))


@pytest.fixture
def ask(monkeypatch):
    """A refiner that asks a fake; the photo is 12 × 10, the network sees it at 24 × 20 in a square of 24."""

    def ask(answers, probabilities, **arguments):
        fake = FakeSam(answers)
        processor = lambda images, return_tensors: {"pixel_values": torch.zeros(1, 3, 24, 24)}  # noqa: E731
        processor.size = {"longest_edge": 24}
        monkeypatch.setattr(sam_refiner, "load_sam", lambda weights, where: (fake, processor))
        refiner = SamRefiner("w", before="none", device="cpu", **arguments)
        return refiner(np.zeros((H, W, 3), np.uint8), probabilities), fake

    return ask


def logits(mask):
    """As large as the square in which the network sees the photo."""
    large = np.full((24, 24), -5, np.float32)
    large[:, :20] = np.kron(np.where(mask, 5, -5), np.ones((2, 2)))
    return large


def probabilities_of(*masks):
    return np.stack([~np.any(masks, axis=0), *masks]).astype(np.float32)


def test_the_best_of_three_answers_goes_into_the_next_round(ask):
    first, second = np.zeros((2, H, W), bool)
    first[2:9, 2:7], second[4:11, 3:9] = True, True
    result, fake = ask([logits(first), logits(second)], probabilities_of(corner()), rounds=2)
    assert fake.photos == 1
    assert np.array_equal(result.argmax(axis=0), second)
    for told, mask in zip(fake.told, (corner(), first), strict=True):
        prompts = prompts_of(mask)
        assert told["input_points"].tolist() == [[(prompts.points * 2).tolist()]]
        assert told["input_boxes"].tolist() == [[(prompts.box * 2).tolist()]]
        assert told["input_labels"].tolist() == [[prompts.marks.tolist()]]
        wanted = mask_prompt(mask, prompts.weights, (24, 20), 24, 24)
        assert torch.equal(told["input_masks"], wanted)


def test_where_sam_finds_nothing_the_mask_stays(ask):
    result, fake = ask([np.full((24, 24), -5, np.float32)], probabilities_of(corner()))
    assert len(fake.told) == 1
    assert np.array_equal(result.argmax(axis=0), corner())


def test_each_label_is_asked_for_and_the_photo_is_encoded_once(ask):
    other = np.zeros((H, W), bool)
    other[2:6, 6:9] = True
    probabilities = np.concatenate([probabilities_of(corner(), other), np.zeros((1, H, W), np.float32)])
    result, fake = ask([logits(corner()), logits(other)], probabilities, rounds=1)
    assert (fake.photos, len(fake.told)) == (1, 2)  # the third label is nowhere
    assert np.array_equal(result.argmax(axis=0), np.where(corner(), 1, np.where(other, 2, 0)))


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_a_small_sam_of_random_weights(kind, tmp_path, rng):
    pytest.importorskip("transformers", reason="SAM is an extra: pip install '.[sam]'")
    refiner = SamRefiner(tiny_sam(tmp_path, kind), before="none", rounds=2, device="cpu")
    image = rng.integers(0, 256, (H, W, 3)).astype(np.uint8)
    result = refiner(image, probabilities_of(corner()))
    assert result.shape == (2, H, W)
    assert np.isfinite(result).all()
    assert (result[0] == 0.5).all()
    assert result[1].min() >= 0
    assert not np.array_equal(result.argmax(axis=0), corner())
    assert np.array_equal(refiner(image, probabilities_of(corner())), result)


def test_it_is_checked_when_it_is_made(tmp_path):
    pytest.importorskip("transformers", reason="SAM is an extra: pip install '.[sam]'")
    with pytest.raises(UserError, match=r"SamRefiner\.weights: no folder .*nowhere; SAM's weights are yours to bring"):
        SamRefiner(str(tmp_path / "nowhere"))
