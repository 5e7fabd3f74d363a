"""`acr estimate` on an experiment whose photos, weights and GPUs are elsewhere."""

import re

from commands import acr


def test_each_training_stage_has_a_row(config, tmp_path):
    words = ("--fit.trainer.precision=16-mixed", "--fit.trainer.accelerator=gpu", "--fit.trainer.devices=2")
    result = acr("estimate", "--config", config, *words, "--fit.model.classifier.weights=weights/none.safetensors")
    assert result.returncode == 0, result.stderr
    rows = [re.split(r" *\| *", line)[1:-1] for line in result.stdout.splitlines()[2:]]
    # Two GPUs share a batch of four; the network has one all four.
    assert [row[:3] for row in rows] == [["fit", "2", "1"], ["segment", "4", "1"]]
    assert all(float(number) > 0 for row in rows for number in (row[3], *row[5:]))
    assert not (tmp_path / "run").exists()


def test_a_stage_alone_waits_for_no_result(config):
    result = acr("estimate", "--config", config, "--affinity=psa", "--stages=affinity_train")
    assert result.returncode == 0, result.stderr
    assert [line.split()[1] for line in result.stdout.splitlines()[2:]] == ["affinity_train"]


def test_only_training_is_estimated(config):
    result = acr("estimate", "--config", config, "--stages=cam")
    assert result.returncode == 2
    assert "none of them trains" in result.stderr
