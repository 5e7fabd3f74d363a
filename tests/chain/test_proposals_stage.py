"""Stage `proposals`, and labels on which proposals vote: superpixels, and a SAM and a SAM 2 of random weights."""

import re

import numpy as np
import pytest
import yaml
from commands import here
from results import contents
from tiny_sam import tiny_sam

from acr_lightning.artefacts.cam_file import read_cam, write_cam
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.chain.check import check
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import is_done_before, run_stage
from acr_lightning.errors import UserError
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.labels.refiner import build_refiner
from acr_lightning.labels.segment_vote import mean_label, voted
from acr_lightning.proposals.mask_runs import read_proposals
from acr_lightning.stages.chain import CHAIN


@pytest.fixture
def start(tmp_path, shapes, shapes_root, rng):
    """A function from values to an experiment with CAMs of the 16 training photos."""
    for image_id in shapes.ids("train"):
        classes = shapes.tags(image_id)
        scores = [0.6 * (shapes.mask(image_id) == label + 1) + rng.uniform(0, 0.4, (64, 64)) for label in classes]
        write_cam(tmp_path / "cams" / f"{image_id}.npz", classes, np.array(scores).reshape(-1, 64, 64))
    content = {
        "run": str(tmp_path / "run"),
        "dataset": {
            "class_path": "Shapes",
            "init_args": {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3},
        },
        "proposals": {
            "data": {"splits": ["train"], "num_workers": 0},
            "trainer": {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False},
        },
        "label": {"cams": str(tmp_path / "cams"), "threshold": 0.5, "workers": 1},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    return lambda **values: load(
        CHAIN, str(tmp_path / "tiny.yaml"), {key.replace("__", "."): value for key, value in values.items()}
    )


def wanted_label(shapes, tmp_path, image_id, refiner="none", rule="sepl"):
    cam = read_cam(tmp_path / "cams" / f"{image_id}.npz")
    masks = read_proposals(tmp_path / "run" / "proposals" / "masks" / f"{image_id}.npz", (64, 64))
    if rule == "fma":
        return mean_label(cam.classes, cam.scores, masks)
    sharpened = build_refiner(refiner, "refiner")
    return voted(pseudo_label(shapes.image(image_id), cam.classes, cam.scores, 0.5, refiner=sharpened), masks)


def made_label(tmp_path, image_id):
    return read_mask(tmp_path / "run" / "label" / "labels" / f"{image_id}.png")


def test_superpixels_vote_and_what_is_missing_is_made_again(start, shapes, tmp_path):
    experiment, masks = start(proposals="superpixels", proposals__model__scale=50), tmp_path / "run/proposals/masks"
    for stage in ("proposals", "label"):
        run_stage(experiment, stage)
    for image_id in shapes.ids("train"):
        assert np.array_equal(made_label(tmp_path, image_id), wanted_label(shapes, tmp_path, image_id))
    # Another rule votes on the same proposals.
    run_stage(start(proposals="superpixels", proposals__model__scale=50, label__vote="fma"), "label")
    some = shapes.ids("train")[:4]
    assert all(
        np.array_equal(made_label(tmp_path, one), wanted_label(shapes, tmp_path, one, rule="fma")) for one in some
    )

    whole = contents(masks)
    assert len(whole) == 16
    assert is_done_before(experiment, "proposals")
    gone, damaged, *_ = sorted(masks.iterdir())
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:50])
    assert not is_done_before(experiment, "proposals")
    run_stage(start(proposals="superpixels", proposals__model__scale=50, proposals__data__verify=True), "proposals")
    assert contents(masks) == whole


def test_shards_share_the_photos(start, tmp_path, capsys):
    for shard in ("2/2", "1/2"):
        run_stage(start(proposals="superpixels", proposals__data__shard=shard), "proposals")
    assert "8 photos are left to others" in capsys.readouterr().err
    assert len(contents(tmp_path / "run" / "proposals" / "masks")) == 16
    assert is_done_before(start(proposals="superpixels"), "proposals")


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_a_sam_of_random_weights_goes_through_the_chain(kind, start, shapes, tmp_path, monkeypatch):
    pytest.importorskip("transformers", reason="SAM is an extra: pip install '.[sam]'")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    weights = tiny_sam(tmp_path, kind)
    options = {"points_per_crop": 3, "pred_iou_thresh": 0.1, "stability_score_thresh": 0.1}
    values = {"proposals": "sam", "proposals__model__weights": weights, "proposals__model__options": options}
    refiner = {"class_path": "SamRefiner", "init_args": {"weights": weights, "before": "none", "rounds": 1}}
    experiment = start(**values, label__refiner=refiner)
    for stage in ("proposals", "label"):
        run_stage(experiment, stage)
    for image_id in shapes.ids("train")[:3]:
        assert np.array_equal(made_label(tmp_path, image_id), wanted_label(shapes, tmp_path, image_id, refiner))
    assert is_done_before(experiment, "label")
    file = tmp_path / kind / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")  # other weights make other masks and labels
    assert not is_done_before(experiment, "proposals")
    assert not is_done_before(experiment, "label")


def test_without_the_word_there_is_no_such_stage(start, tmp_path):
    experiment = start()
    assert "proposals" not in experiment.stages
    assert "proposals" not in experiment.section("label")
    with pytest.raises(UserError, match=r"proposals: takes part only if chosen; add --proposals=superpixels\|sam"):
        run_stage(experiment, "proposals")
    with pytest.raises(UserError, match=r"label\.vote: there are no proposals that could vote; add --proposals"):
        check(start(label__vote="sepl"), ["label"])


def test_photos_without_proposals_are_named(start, tmp_path):
    values = {"proposals": "superpixels", "proposals__data__splits": ["val"]}
    run_stage(start(**values), "proposals")
    with pytest.raises(UserError, match=r"\.npz: no proposals; add this photo's split to proposals\.data\.splits"):
        run_stage(start(**values), "label")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--proposals=sam"], r"proposals\.model.*weights.*is missing|weights.* required"),
        (["--proposals=sam", "--proposals.model.weights=gone"], r"proposals\.model\.weights: no folder gone; SAM's w"),
        (["--proposals=superpixels", "--label.vote=sam"], r"label\.vote: Expected one of 'sepl', 'fma'"),
        (
            ["--label.refiner={class_path: SamRefiner, init_args: {weights: gone}}"],
            r"SamRefiner\.weights: no folder gone",
        ),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_runs(start, words, message, tmp_path, capsys):
    pytest.importorskip("transformers", reason="SAM is an extra: pip install '.[sam]'")
    start()
    stages = "proposals,label" if words[0].startswith("--proposals") else "label"
    assert here("run", "--config", tmp_path / "tiny.yaml", f"--stages={stages}", "--check", *words) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("acr run: ")]
    assert len(said) == 1
    assert re.search(message, said[0])
    assert not (tmp_path / "run").exists()
