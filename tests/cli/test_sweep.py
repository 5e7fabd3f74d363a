"""The shipped W&B sweep: the command line that W&B's agent makes of it is one that `acr` runs."""

import json
import os
import subprocess
import sys

import pytest
import yaml
from commands import here
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from acr_lightning.cli import run as running
from acr_lightning.data.id_list import shipped
from acr_lightning.report.wandb_scores import values_of

WEIGHTS = {"fit.model.cu.target": 0.7, "fit.model.cu.non_target": 0.25}


@pytest.fixture
def sweep():
    return yaml.safe_load(shipped("wandb/sweep.yaml").read_text())


@pytest.fixture
def called(sweep, tmp_path):
    """The words after `acr`, once W&B's agent and the shell have filled them in."""
    filled = create_sweep_command_args({"args": {name: {"value": value} for name, value in WEIGHTS.items()}})
    command = create_sweep_command(sweep["command"])
    assert command[-1] == "${args}"
    acr = tmp_path / "bin" / "acr"
    acr.parent.mkdir()
    told = "[os.environ['WANDB_RESUME'], os.environ['WANDB_MODE'], *sys.argv[1:]]"
    acr.write_text(f"#!{sys.executable} -S\nimport json, os, sys\nprint(json.dumps({told}))\n")
    acr.chmod(0o755)
    env = {"PATH": f"{acr.parent}{os.pathsep}{os.environ['PATH']}", "WANDB_RUN_ID": "trial7"}
    words = [*command[:-1], *filled["args"]]
    resume, mode, *called = json.loads(
        subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout
    )
    assert (resume, mode) == ("allow", "online")
    return called


def test_a_trial_trains_with_its_weights(sweep, called, config, tmp_path, monkeypatch):
    assert sweep["parameters"].keys() == WEIGHTS.keys()
    assert called[:2] == ["run", "--run=runs/sweep/trial7"]
    # In this process: a copy, or a new one, would take the time of ten such trainings.
    monkeypatch.setattr(running, "way_to_start", lambda: lambda words: here(*words))
    monkeypatch.chdir(tmp_path)
    tiny = [word.replace("voc6.yaml", str(config)) for word in called]
    short = ["--fit.trainer.max_epochs=1", "--fit.trainer.limit_train_batches=1", "--fit.trainer.logger=false"]
    assert here(*tiny, "--stages=fit", *short) == 0
    made = json.loads((tmp_path / "runs" / "sweep" / "trial7" / "fit" / "manifest.json").read_text())
    assert made["status"] == "done"
    cu = made["config"]["model"]["init_args"]["cu"]
    assert (cu["target"], cu["non_target"]) == (0.7, 0.25)


def test_a_trial_is_a_whole_experiment_with_the_sweeps_metric(sweep, called, capsys):
    assert here(*called, "--print_config") == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert [*printed] == ["fit", "cam", "label", "evaluate"]
    assert printed["fit"]["trainer"]["logger"]["init_args"]["offline"] is False
    assert printed["fit"]["model"]["init_args"]["cu"]["target"] == 0.7
    record = {"what": "label", "miou": 50.0, "precision": 60.0, "recall": 70.0, "classes": {}}
    assert values_of([record])[sweep["metric"]["name"]] == 50.0
