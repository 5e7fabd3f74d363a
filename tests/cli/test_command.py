"""`acr` as a user types it: what it says of words and values."""

import io
import logging
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr

import pytest
import yaml
from commands import acr, here

from acr_lightning.cli import run as running


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["--help"], 0, "acr COMMAND"),
        (["--version"], 0, "acr "),
        (["fti"], 2, "Did you mean 'fit'?"),
        ([], 0, "usage"),
        (["--help"], 0, "data check"),
        (["data"], 2, "Known: init, run"),
        (["data", "chek"], 2, "no such command 'data chek'. Did you mean 'data check'?"),
        (["data", "download"], 2, "missing a required argument: 'name'; usage: acr data download NAME [FOLDER]"),
        (["predict", "--help"], 0, "usage: acr predict --run RUN --images IMAGES"),
        (["predict", "--run", "x", "--imags", "y"], 2, "--imags: no such option. Did you mean 'images'?"),
        (["run", "--help"], 0, "usage: acr run"),
        (["run", "--config", "voc6.yaml", "--confg=x"], 2, "--confg: no such option. Did you mean 'config'?"),
        (["run", "--config", "voc6.yaml", "--trainer.devices=2"], 2, "Did you mean 'fit.trainer.devices'?"),
        (["run", "--config", "voc6.yaml", "--fit.model.sfr=4"], 2, "fit.model.sfr: no such key. Did you mean 'srf'?"),
        (["run", "--config", "voc6.yaml", "--fit.model.optimizer=adam"], 2, "set fit.model.optimizer.name, "),
    ],
)
def test_light_commands_load_nothing_heavy(words, status, text):
    code = (
        "import sys; from acr_lightning.cli.main import main; status = main(sys.argv[1:]); "
        "heavy = {'torch', 'lightning', 'timm', 'albumentations', 'wandb', 'cv2', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert text in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_a_value_that_only_a_training_knows_gets_one_line(config, capsys):
    assert here("fit", "--config", config, "--trainer.gradient_clip_val=1") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("acr fit: ")
    assert "clipping is not supported for manual optimization" in said


def test_the_log_goes_to_what_replaces_stderr():
    """So does a progress bar, which then shows lines above itself."""
    assert here("list", "configs") == 0
    with redirect_stderr(io.StringIO()) as bar:
        logging.getLogger("acr_lightning.training").info("a line")
    assert bar.getvalue() == "a line\n"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_truncated_photo_gets_one_line_from_any_process(config, shapes_root, tmp_path, workers, capsys):
    root = tmp_path / "damaged"
    shutil.copytree(shapes_root, root)
    photo = root / "JPEGImages" / "train_00003.jpg"
    photo.write_bytes(photo.read_bytes()[:700])
    assert here("fit", "--config", config, f"--dataset.root={root}", f"--data.num_workers={workers}") == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert re.search(r"^acr fit: .*train_00003\.jpg: damaged photo", said, re.MULTILINE), said


def test_a_stage_before_its_input(config):
    done = acr("label", "--config", config)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("run `acr cam` with the same --config, or `acr run`")


@pytest.mark.parametrize("stage", ["fit", "cam", "label", "segment", "evaluate"])
def test_help_and_print_config_of_every_stage(config, stage):
    shown = acr(stage, "--help", "--config", config)
    assert shown.returncode == 0, shown.stderr
    wanted = {
        "fit": ["--model.srf", "stochastic random feeding", "--data.crop", "default: 48", "--trainer.devices"],
        "cam": ["--model.scales", "--data.splits"],
        "label": ["--threshold", "--refiner", "Otsu"],
        "segment": ["--model.rates", "--data.scale"],
        "evaluate": ["--model.refiner", "--data.splits"],
    }[stage]
    for word in wanted:
        assert word in shown.stdout, word
    printed = acr(stage, "--config", config, "--print_config")
    assert printed.returncode == 0, printed.stderr
    assert yaml.safe_load(printed.stdout)


def test_a_stage_of_a_run_is_told_the_classes_of_the_others(config, monkeypatch):
    """Else it would refuse what a checkpoint names, and be another stage than the one that the run asks for."""
    begun = []
    monkeypatch.setattr(running, "way_to_start", lambda: lambda words: begun.append(words) or 0)
    own_class = "--fit.model.classifier={class_path: torch.nn.Identity}"
    assert here("run", "--config", config, "--stages=fit,cam", own_class) == 0
    (stage, *words) = begun[-1]
    values = dict(word.removeprefix("--").split("=", 1) for word in words[2:])
    experiment = running.stage_experiment(stage, words[1], {key: yaml.safe_load(text) for key, text in values.items()})
    assert (stage, experiment.section("cam")["model"]["init_args"]["allow"]) == ("cam", ["torch"])
