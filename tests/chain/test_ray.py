"""The per-photo stages on a Ray cluster of two workers: the same files as without."""

import os
import shutil

import pytest
from ray_work import halved
from results import contents
from test_affinity_stages import experiment_file

from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import is_done_before, run_stage
from acr_lightning.errors import UserError
from acr_lightning.metrics import folder_scores
from acr_lightning.stages.chain import CHAIN
from acr_lightning.system.pool import map_in_pool, use_engine

# `affinity_labels` is done as `label` is, `affinity_walk` and `proposals` as `cam`.
FILES = {"cam": "cams/*.npz", "label": "labels/*.png", "evaluate": "[cs]*.*"}
CHANGES = {"fit.trainer.max_epochs": 2}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    ray.init(
        "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error",
        object_store_memory=100 * 2**20, _node_ip_address="127.0.0.1",
    )  # fmt: skip
    yield
    use_engine(None)
    ray.shutdown()


@pytest.fixture(scope="module")
def local_run(cluster, tmp_path_factory, shapes_root):
    """A run of this machine alone."""
    folder = tmp_path_factory.mktemp("local")
    config = experiment_file(folder, shapes_root)
    for stage in ("fit", *FILES):
        run_stage(load(CHAIN, config, CHANGES), stage)
    return folder / "run"


@pytest.fixture
def start(local_run, tmp_path, shapes_root):
    """From stages that another run has done, and changed values, to an experiment with Ray."""

    def start(*done, root=shapes_root, changes=None):
        for stage in done:
            shutil.copytree(local_run / stage, tmp_path / "run" / stage)
        config = experiment_file(tmp_path, root)
        return load(CHAIN, config, {**CHANGES, "engine": "ray", "label.workers": 2, **(changes or {})})

    return start


def test_the_same_files_of_every_stage(start, local_run, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_scores, "PHOTOS", 5)
    monkeypatch.setattr(folder_scores, "FEW", 0)
    experiment = start("fit")
    for stage in FILES:
        run_stage(experiment, stage)
    for stage, pattern in FILES.items():
        wanted = contents(local_run / stage, pattern)
        assert contents(tmp_path / "run" / stage, pattern) == wanted
        assert len(wanted) > 3
        assert is_done_before(load(CHAIN, str(tmp_path / "tiny.yaml"), CHANGES), stage)


def test_a_killed_worker_and_a_damaged_cam(start, tmp_path):
    changes = {"label.threshold": 0.4}
    run_stage(start("cam", changes={**changes, "engine": "local", "label.refiner": "none"}), "label")
    run = tmp_path / "run"
    wanted = contents(run / "label", "labels/*.png")
    refiner = {"class_path": "ray_work.Deadly", "init_args": {"marker": str(tmp_path / "killed")}}
    experiment = start(changes={**changes, "label.refiner": refiner})
    damaged = sorted((run / "cam" / "cams").glob("*.npz"))[5]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-30])
    with pytest.raises(UserError) as error:
        run_stage(experiment, "label")
    assert str(error.value).startswith(str(damaged))
    assert "\n" not in str(error.value)
    assert (tmp_path / "killed").exists()
    left = wanted.pop(f"{damaged.stem}.png")
    assert contents(run / "label", "labels/*.png") == wanted
    assert not is_done_before(experiment, "label")
    damaged.write_bytes(whole)
    run_stage(experiment, "label")
    assert contents(run / "label", "labels/*.png") == {**wanted, f"{damaged.stem}.png": left}
    assert is_done_before(experiment, "label")


def test_damaged_photos_are_named_and_the_others_done(start, local_run, tmp_path, shapes_root):
    root = shutil.copytree(shapes_root, tmp_path / "photos")
    experiment = start("fit", root=root)
    photos = [experiment.dataset().image_path(image_id) for image_id in experiment.dataset().ids("train")[2:4]]
    for path in photos:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"^2 problems; all that has none is done:") as error:
        run_stage(experiment, "cam")
    assert [line.partition(":")[0].strip() for line in str(error.value).split("\n")[1:]] == [*map(str, photos)]
    wanted = contents(local_run / "cam", "cams/*.npz")
    for path in photos:
        del wanted[f"{path.stem}.npz"]
    assert contents(tmp_path / "run" / "cam", "cams/*.npz") == wanted


def test_a_machine_without_a_core_for_it_takes_no_worker():
    from acr_lightning.system.ray_pool import places

    head, worker = {"CPU": 0.0, "GPU": 1.0}, {"CPU": 8.0, "GPU": 2.0}
    assert places([head, worker, {"memory": 1e9}], "GPU") == 2
    assert places([head, worker, worker], "CPU") == 16
    assert places([head], "GPU") == places([], "CPU") == 0


def test_what_becomes_of_an_item(tmp_path):
    use_engine("ray")

    def results(*numbers):
        return list(map_in_pool(halved, [(number, str(tmp_path / "once")) for number in numbers], "numbers"))

    assert results(2, 8, 4, 6, 0) == [1, 4, 2, 3, 0]
    assert (tmp_path / "once").exists()
    with pytest.raises(UserError, match=r"^3 is odd$"):
        results(2, 3, 4)
    with pytest.raises(UserError, match=r"7.*: 4 processes that worked on it were killed"):
        results(2, 7, 4)
    with pytest.raises(OSError, match="no space"):
        results(5)
