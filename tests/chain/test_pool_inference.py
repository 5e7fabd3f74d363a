"""Inference in a pool: what each process of it does."""

from types import SimpleNamespace

import pytest

from acr_lightning.chain.stage import Job
from acr_lightning.stages.pool_inference import _Prediction, predict_in_pool
from acr_lightning.system import pool
from acr_lightning.system.launch import launched
from acr_lightning.training.result_writer import ResultWriter


@pytest.mark.parametrize("tasks", ["1", "2"])
def test_a_process_is_no_rank_whatever_started_the_cluster(monkeypatch, tasks):
    said = {"NTASKS": tasks, "STEP_ID": "0", "PROCID": "1", "NNODES": tasks, "JOB_NAME": "ray"}
    for name, value in said.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert (launched() is None) == (tasks == "1")
    ranks, predicted = [], []

    def build(section, name, callbacks):
        ranks.append(launched())
        trainer = SimpleNamespace(predict=lambda model, data, **_: predicted.extend(data.left))
        return None, SimpleNamespace(), trainer, None

    monkeypatch.setattr("acr_lightning.chain.trainer_section.build", build)
    predict = _Prediction({}, "cam", None)
    predict(["a", "b"])
    predict(["c"])
    assert ranks == [None]
    assert predicted == ["a", "b", "c"]


def test_a_process_writes_by_itself(monkeypatch, tmp_path):
    """Others would be started for each few photos, on cores that are not its own."""
    parts = []

    def map_in_pool(work, items, title, **_):
        parts.extend(items)
        assert work.writer.workers == 0
        return []

    monkeypatch.setattr(pool, "map_in_pool", map_in_pool)
    section = {"trainer": {"devices": 8}, "data": {"init_args": {}}}
    job = Job(section, tmp_path / "cam", {})
    predict_in_pool(job, [str(number) for number in range(20)], ResultWriter(tmp_path, ".npz", print))
    assert [len(part) for part in parts] == [16, 4]
    assert section["trainer"] == {"devices": 8}
