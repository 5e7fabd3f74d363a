"""Masks as runs and as files, superpixels, and what SAM's folder has to hold."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage.segmentation import felzenszwalb
from tiny_sam import tiny_sam

from acr_lightning.artefacts.item_path import without_file
from acr_lightning.errors import UserError
from acr_lightning.proposals.mask_runs import paint, read_proposals, runs_of, sums, write_proposals
from acr_lightning.proposals.sam import SamProposals, load_sam
from acr_lightning.proposals.superpixels import Superpixels


@pytest.fixture
def masks(rng):
    """One that touches the first and the last pixel, one that does not, and one that is the whole photo."""
    masks = rng.random((3, 5, 7)) > 0.5
    masks[0, 0, 0] = masks[0, -1, -1] = True
    masks[1, 0], masks[1, -1], masks[2] = False, False, True
    return masks


def drawn(runs, size):
    canvas = np.zeros(size, bool)
    paint(canvas, runs, True)
    return canvas


def test_runs_are_the_mask(masks):
    assert all(np.array_equal(drawn(runs_of(mask), mask.shape), mask) for mask in masks)
    assert len(runs_of(np.zeros((5, 7), bool))) == 0


def test_sums_in_masks(masks, rng):
    maps = rng.random((2, 5, 7))
    wanted = [[one[mask].sum() for one in maps] for mask in masks]
    assert np.allclose(sums([runs_of(mask) for mask in masks], maps), wanted, atol=1e-12)


def test_a_file_and_back(masks, tmp_path):
    path = tmp_path / "folder" / "1.npz"
    write_proposals(path, [runs_of(mask) for mask in masks], (5, 7))
    assert np.array_equal([drawn(runs, (5, 7)) for runs in read_proposals(path)], masks)
    assert len(read_proposals(path, (5, 7))) == 3
    write_proposals(path, [], (5, 7))
    assert read_proposals(path, (5, 7)) == []
    assert without_file(path.parent, ["1"], ".npz", read_proposals) == []


def test_a_file_that_does_not_fit_is_named(masks, tmp_path):
    path = tmp_path / "1.npz"
    with pytest.raises(UserError, match=r"1\.npz: no proposals; add this photo's split to proposals\.data\.splits"):
        read_proposals(path)
    write_proposals(path, [runs_of(mask) for mask in masks], (5, 7))
    with pytest.raises(UserError, match=r"damaged proposals \(of height and width \(5, 7\), its photo has \(7, 5\)\)"):
        read_proposals(path, (7, 5))
    whole = path.read_bytes()
    for cut in (0, 50, len(whole) // 2):
        path.write_bytes(whole[:cut])
        assert without_file(tmp_path, ["1"], ".npz", read_proposals) == ["1"]
    for at in range(60, len(whole) - 200, 29):  # what the archive's checksums are for
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        assert without_file(tmp_path, ["1"], ".npz", read_proposals) or len(read_proposals(path)) == 3


def test_superpixels_are_scikit_images(shapes):
    image = shapes.image(shapes.ids("val")[0])
    found = Superpixels(50.0).masks(image)
    regions = felzenszwalb(image, 50, 0.8, 20)
    assert len(found) == regions.max() + 1 > 1
    assert all(np.array_equal(drawn(runs, regions.shape), regions == at) for at, runs in enumerate(found))


KINDS = ("sam", "sam2")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    pytest.importorskip("transformers", reason="SAM is an extra: pip install '.[sam]'")
    folder = tmp_path_factory.mktemp("weights")
    return {kind: tiny_sam(folder, kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_sams_points_are_everywhere_in_a_photo_of_any_form(kind, weights, rng, monkeypatch):
    """Each asks for what lies around it, in a square of 64; that of SAM is filled by the photo in part."""
    inference, seen = SamProposals(weights[kind], {"points_per_crop": 4, "points_per_batch": 5}), []
    forward = inference.network.forward
    monkeypatch.setattr(
        inference.network, "forward", lambda **told: seen.append(told["input_points"]) or forward(**told)
    )
    found = inference.masks(rng.integers(0, 256, (90, 60, 3)).astype(np.uint8))
    points = torch.cat(seen, dim=1)[0, :, 0]
    across = np.arange(0.125, 1, 0.25) * (64 if kind == "sam2" else 43)
    assert np.allclose(sorted({*points[:, 0].tolist()}), across, atol=0.01)
    assert np.allclose(sorted({*points[:, 1].tolist()}), np.arange(8, 64, 16), atol=0.01)
    assert [len(one[0]) for one in seen] == [5, 5, 5, 1]
    assert found
    assert all(0 < drawn(runs, (90, 60)).sum() <= 90 * 60 for runs in found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_in_which_sam_finds_nothing(kind, weights, rng):
    inference = SamProposals(weights[kind], {"points_per_crop": 2, "pred_iou_thresh": 1.0, "stability_score_thresh": 2})
    assert inference.masks(rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)) == []


def cut(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def lacking(folder):
    state = load_file(folder / "model.safetensors")
    del state["mask_decoder.mask_tokens.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})


def of_another_size(folder):
    state = load_file(folder / "model.safetensors")
    state["mask_decoder.mask_tokens.weight"] = torch.zeros(4, 16)
    save_file(state, folder / "model.safetensors", {"format": "pt"})


def of_another_kind(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "vit"}))


def without_preprocessor(folder):
    (folder / "preprocessor_config.json").unlink()


@pytest.mark.parametrize("damage", [cut, lacking, of_another_size, of_another_kind, without_preprocessor])
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_weights_are_one_line(kind, damage, tmp_path):
    pytest.importorskip("transformers", reason="SAM is an extra: pip install '.[sam]'")
    folder = tiny_sam(tmp_path, kind)
    damage(tmp_path / kind)
    with pytest.raises(UserError, match=r"^where: .* holds no whole SAM or SAM 2 \(.+\)$") as caught:
        load_sam(folder, "where")
    assert "\n" not in str(caught.value)
