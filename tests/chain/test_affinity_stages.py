"""The stage `affinity`: its parts, going on after a kill, and what label and evaluate make of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import commands
import numpy as np
import pytest
import torch
import yaml
from results import contents

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.chain.check import check
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import is_done_before, run_stage
from acr_lightning.data.shapes import Shapes
from acr_lightning.errors import UserError
from acr_lightning.labels.proportional_label import proportional_label
from acr_lightning.report.page import write_report
from acr_lightning.stages.chain import CHAIN

CPU = {"accelerator": "cpu", "devices": 1, "logger": False}
STAGES = f"--stages={','.join(CHAIN.chosen_by('affinity'))}"


def experiment_file(folder, shapes_root):
    """A tiny experiment on real files."""
    net = {"backbone": "test_resnet", "output_stride": 8, "freeze_batchnorm": False}
    content = {
        "run": str(folder / "run"),
        "seed": 1,
        "dataset": {
            "class_path": "Shapes",
            "init_args": {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3},
        },
        "fit": {
            "model": {
                "classifier": net,
                "strategy": "baseline",
                "optimizer": {"name": "adamw", "lr": 0.002, "new_layer_factor": 1.0},
            },
            "data": {"crop": 48, "long_side": [56, 64], "batch_size": 8, "num_workers": 0},
            "trainer": {"max_epochs": 10, **CPU},
        },
        "cam": {"model": {"scales": [1.0]}, "data": {"num_workers": 0}, "trainer": CPU},
        "affinity": "none",
        "affinity_labels": {"workers": 1},
        "affinity_train": {
            "model": {**net, "weights": None, "freeze_backbone": False, "radius": 4},
            "data": {"crop": 48, "scale": [1, 1], "batch_size": 8, "num_workers": 0},
            "trainer": {"max_epochs": 2, **CPU},
        },
        "affinity_walk": {"model": {"radius": 4}, "data": {"num_workers": 0}, "trainer": CPU},
        "label": {"workers": 1},
        "evaluate": {"model": {"scales": [1.0]}, "data": {"num_workers": 0}, "trainer": CPU},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture(scope="module")
def with_cams(tmp_path_factory, shapes_root):
    """A run in which `fit` and `cam` are done."""
    folder = tmp_path_factory.mktemp("done")
    config = experiment_file(folder, shapes_root)
    for stage in ("fit", "cam"):
        run_stage(load(CHAIN, config, {}), stage)
    return folder


@pytest.fixture
def start(with_cams, tmp_path, shapes_root):
    """That run, copied for one test; a function from overrides to the experiment."""
    shutil.copytree(with_cams / "run", tmp_path / "run")
    config = experiment_file(tmp_path, shapes_root)
    return lambda *overrides: load(CHAIN, config, dict(overrides))


def walk(experiment):
    """What `acr run` does of these stages, in this process."""
    for stage in CHAIN.chosen_by("affinity"):
        run_stage(experiment, stage)


@pytest.mark.parametrize("preset", ["psa", "irn", "rib"])
def test_each_preset_to_labels_and_scores(preset, start, shapes, tmp_path):
    experiment = start(("affinity", preset))
    walk(experiment)
    for stage in ("label", "evaluate"):
        run_stage(experiment, stage)
    run = tmp_path / "run"
    ids = sorted({*shapes.ids("train"), *shapes.ids("seed")})
    assert sorted(contents(run / "affinity_walk" / "cams", "*.npz")) == [f"{image_id}.npz" for image_id in ids]
    assert len(contents(run / "affinity_labels" / "labels", "*.png")) == 16
    moved = []
    for image_id in ids:
        walked, cam = (read_cam(run / stage / "cams" / f"{image_id}.npz") for stage in ("affinity_walk", "cam"))
        assert walked.classes.tolist() == cam.classes.tolist()
        assert walked.scores.shape == cam.scores.shape
        moved.append(not np.array_equal(walked.scores, cam.scores))
        assert (walked.background is not None) == (preset == "psa")
        assert set(np.unique(read_mask(run / "label" / "labels" / f"{image_id}.png"))) <= {0, *(cam.classes + 1)}
    assert sum(moved) > 10  # all but those whose CAM is empty
    records = json.loads((run / "evaluate" / "scores.json").read_text())
    assert [record["what"] for record in records][:2] == ["cam", "walked cam"]
    assert {record["affinity"] for record in records if record["what"] in ("walked cam", "label")} == {preset}
    label = next(record for record in records if record["what"] == "label")
    assert label["threshold"] == {"psa": None, "irn": 0.25, "rib": 0.27}[preset]
    write_report([run], run / "report.html", images=2)
    page = (run / "report.html").read_text()
    assert "walked CAM, thresholded" in page
    assert f"walked cam ({preset})" in page


def test_labels_follow_the_choice_of_a_preset(start, tmp_path):
    run = tmp_path / "run"
    run_stage(start(), "label")
    plain = contents(run / "label" / "labels")
    with pytest.raises(UserError, match="label: needs the stage affinity_walk"):
        run_stage(start(("affinity", "irn")), "label")
    walk(start(("affinity", "irn")))
    assert is_done_before(start(), "label")  # an experiment without the stage does not care
    assert not is_done_before(start(("affinity", "irn")), "label")
    run_stage(start(("affinity", "irn")), "label")
    assert contents(run / "label" / "labels") != plain
    assert contents(run / "label.old-1" / "labels") == plain
    run_stage(start(), "label")  # puts it back
    assert not (run / "label.old-1").exists()
    assert contents(run / "label" / "labels") == plain
    assert is_done_before(start(("affinity", "irn")), "affinity_walk")


def test_another_beta_walks_again_and_trains_nothing(start, tmp_path, capsys):
    run = tmp_path / "run"
    walk(start(("affinity", "psa")))
    trained, cams = (run / "affinity_train" / "last.ckpt").stat().st_mtime_ns, contents(run / "affinity_walk" / "cams")
    changed = start(("affinity", "psa"), ("affinity_walk.model.beta", 2))
    assert not is_done_before(changed, "affinity_walk")
    walk(changed)
    assert is_done_before(changed, "affinity_walk")
    assert (run / "affinity_train" / "last.ckpt").stat().st_mtime_ns == trained
    assert contents(run / "affinity_walk" / "cams") != cams
    assert contents(run / "affinity_walk.old-1" / "cams") == cams
    said = capsys.readouterr().err
    assert "affinity_labels: done before" in said
    assert "affinity_train: done before" in said
    # Other labels, though, make another network.
    walk(start(("affinity", "psa"), ("affinity_labels.weak_alpha", 8)))
    assert (run / "affinity_train.old-1").is_dir()


def test_a_missing_result_is_made_again_and_a_damaged_one_if_asked_for(start, tmp_path):
    folders = {"affinity_labels": "labels", "affinity_walk": "cams"}
    experiment = start(("affinity", "irn"))
    walk(experiment)
    whole = {name: contents(tmp_path / "run" / name / inside) for name, inside in folders.items()}
    assert len(whole["affinity_labels"]) == 16
    for name, inside in folders.items():
        gone, damaged, *_ = sorted((tmp_path / "run" / name / inside).glob("train_*"))
        gone.unlink()
        damaged.write_bytes(damaged.read_bytes()[:50])
        path = tmp_path / "run" / name / "manifest.json"  # as if killed before the end
        path.write_text(path.read_text().replace('"status": "done"', '"status": "started"'))
    walk(start(("affinity", "irn"), ("affinity_labels.verify", True), ("affinity_walk.data.verify", True)))
    assert is_done_before(experiment, "affinity_walk")
    assert {name: contents(tmp_path / "run" / name / inside) for name, inside in folders.items()} == whole


@pytest.mark.timeout(600)
def test_killed_in_any_stage_it_goes_on_to_the_same_cams(start, tmp_path):
    walk(start(("affinity", "psa")))
    run = tmp_path / "run"
    whole = contents(run / "affinity_walk" / "cams")
    for stage in CHAIN.chosen_by("affinity"):
        shutil.rmtree(run / stage)
    words = ["run", STAGES, "--config", tmp_path / "tiny.yaml", "--affinity=psa"]
    signs = {
        "labels": lambda: len(list((run / "affinity_labels" / "labels").glob("*.png"))) >= 3,
        "train": lambda: (run / "affinity_train" / "last.ckpt").exists(),
        "cams": lambda: len(list((run / "affinity_walk" / "cams").glob("*.npz"))) >= 3,
    }
    killed = []
    for part, reached in signs.items():
        process = commands.start(*words)
        while process.poll() is None and not reached():
            time.sleep(0.005)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed.append(part)
        process.wait()
    assert {"labels", "train"} <= set(killed)
    done = commands.acr(*words)
    assert done.returncode == 0, done.stderr
    assert contents(run / "affinity_walk" / "cams") == whole


@pytest.mark.timeout(600)
def test_two_processes_train_and_walk_as_one(start, tmp_path):
    found = []
    for devices in (1, 2):
        run = tmp_path / f"run{devices}"
        shutil.copytree(tmp_path / "run", run)
        # SGD and resting BatchNorm: Adam blows rounding up, and statistics would depend on who shares a device.
        words = ["--affinity=psa", f"--run={run}"]
        words += ["--affinity_train.model.freeze_batchnorm=true", "--affinity_train.model.optimizer.lr=0.001"]
        words += ["--affinity_train.trainer.precision=64-true"]  # in 32 a weight's rounding would be a part of a step
        words += [f"--affinity_{part}.trainer.devices={devices}" for part in ("train", "walk")]
        if devices == 1:
            changes = [word.removeprefix("--").split("=") for word in words]
            walk(start(*[(key, yaml.safe_load(value)) for key, value in changes]))
        else:
            done = commands.acr("run", STAGES, "--config", tmp_path / "tiny.yaml", *words)
            assert done.returncode == 0, done.stderr
        weights = torch.load(run / "affinity_train" / "last.ckpt", weights_only=True)["state_dict"]
        found.append((weights, {path.name: read_cam(path) for path in (run / "affinity_walk" / "cams").glob("*.npz")}))
    (one, one_cams), (two, two_cams) = found
    assert max(float((one[name].double() - two[name].double()).abs().max()) for name in one) < 1e-9
    assert one_cams.keys() == two_cams.keys()
    assert len(one_cams) == 22
    assert max(np.abs(one_cams[name].scores - two_cams[name].scores).max() for name in one_cams) <= 1 / 255 + 1e-6


def test_a_margin_leaves_unsure_what_two_thresholds_disagree_on(start, tmp_path):
    made = {}
    for name, values in {"low": (0.3, None), "high": (0.7, None), "margin": (0.5, 0.2)}.items():
        settings = [("label.threshold", values[0]), ("label.margin", values[1]), ("label.refiner", "none")]
        settings += [("run", str(tmp_path / name)), ("from.cam", str(tmp_path / "run"))]
        run_stage(start(*settings), "label")
        made[name] = np.stack([read_mask(path) for path in sorted((tmp_path / name / "label/labels").glob("*.png"))])
    wanted = np.where(made["high"] > 0, made["high"], np.where(made["low"] == 0, 0, 255))
    assert np.array_equal(made["margin"], wanted)
    assert 0 < (wanted == 255).mean() < 1
    with pytest.raises(UserError, match=r"label\.margin: goes with a threshold"):
        run_stage(start(("label.threshold", None), ("label.alpha", 4), ("label.margin", 0.1)), "label", force=True)


def test_labels_of_each_class_by_itself(start, tmp_path):
    settings = [("label.threshold", 0.4), ("label.smoothing", 0.3), ("label.refiner", "none")]
    run_stage(start(*settings), "label", force=True)
    for path in (tmp_path / "run" / "label" / "labels").glob("*.png"):
        cam = read_cam((tmp_path / "run" / "cam" / "cams" / path.name).with_suffix(".npz"))
        wanted = proportional_label(np.zeros((64, 64, 3), np.uint8), cam.classes, cam.scores, 0.3, 0.4)
        assert np.array_equal(read_mask(path), wanted)
    with pytest.raises(UserError, match=r"label\.smoothing: goes with neither"):
        run_stage(start(*settings, ("label.margin", 0.1)), "label", force=True)
    with pytest.raises(UserError, match=r"label\.confidence: goes with neither"):
        run_stage(start(*settings, ("label.confidence", 0.9)), "label", force=True)
    with pytest.raises(UserError, match=r"label\.smoothing: is 1"):
        run_stage(start(("label.threshold", 0.4), ("label.smoothing", 1.0)), "label", force=True)


@pytest.mark.timeout(600)
def test_one_and_four_workers_make_the_same_labels(start, tmp_path):
    for workers in (1, 4):
        places = [("run", str(tmp_path / f"run-{workers}")), ("from.cam", str(tmp_path / "run"))]
        run_stage(start(("label.workers", workers), *places), "label")
    one, four = (contents(tmp_path / f"run-{workers}" / "label" / "labels") for workers in (1, 4))
    assert len(one) == 22
    assert one == four
    labels = [read_mask(tmp_path / "run-1" / "label" / "labels" / name) for name in one]
    assert sum(len(np.unique(label)) > 1 for label in labels) > 10  # all of one label would be equal anyway


def without_crf(tmp_path):
    """An environment in which pydensecrf cannot be imported."""
    package = tmp_path / "broken" / "pydensecrf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('no such library')")
    return {**os.environ, "PYTHONPATH": str(package.parent)}


def test_without_pydensecrf_labels_need_refiner_none(start, tmp_path):
    start()
    words = [sys.executable, "-m", "acr_lightning", "label", "--config", str(tmp_path / "tiny.yaml")]
    environment = without_crf(tmp_path)
    failed = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert failed.returncode == 2
    assert re.search("^acr label: the dense CRF needs pydensecrf .* refiner: none$", failed.stderr, re.MULTILINE)
    assert "Traceback" not in failed.stderr
    done = subprocess.run([*words, "--refiner=none"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (("affinity_walk.model.bta", 5), r"affinity_walk\.model\.bta: no such key\. Did you mean 'beta'"),
        (("affinity_wlak.model.beta", 5), r"affinity_wlak\.model\.beta: no such key\. Did you mean 'affinity_walk'"),
        (("affinity.walk.model.beta", 5), r"affinity\.walk: no such key\. Its sections: .*, affinity_walk"),
        (("affinity_labels.refiner", "dense"), r"affinity_labels\.refiner: no refiner 'dense'"),
        (
            ("affinity_train.model.kind", "edges"),
            r"train\.model\.kind: Expected one of 'features', 'boundary'",
        ),
    ],
)
def test_bad_values_are_named_before_anything_runs(start, override, message):
    with pytest.raises(UserError, match=message):
        check(experiment := start(("affinity", "irn"), override), experiment.stages, thorough=True)


def test_bad_combinations_are_named(start):
    both = start(("affinity", "irn"), ("affinity_labels.weak_alpha", 4))
    with pytest.raises(UserError, match=r"affinity_labels: give either weak_threshold or weak_alpha"):
        run_stage(both, "affinity_labels")
    walk(start(("affinity", "irn")))
    with pytest.raises(UserError, match=r"no walked background; set label\.threshold"):
        run_stage(start(("affinity", "irn"), ("label.threshold", "walked")), "label")


def test_the_data_set_of_this_test_is_tagged(shapes_root):
    """The run above would prove nothing with photos without tags."""
    data = Shapes(str(shapes_root), num_train=16, num_val=6, size=64, seed=3)
    assert sum(len(data.tags(image_id)) for image_id in data.ids("train")) >= 16
