"""However a stage is run, on several devices, in half precision, in groups or in shards, its results are the same."""

import shutil

import numpy as np
import pytest
import torch
import yaml
from commands import acr, here
from results import contents

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.cli.main import main


@pytest.mark.parametrize("stage", ["fit", "segment"])
def test_two_processes_train_as_one(config, tmp_path, stage):
    content = yaml.safe_load(config.read_text())
    model = content[stage]["model"]
    # Without what depends on which photos share a device: moving BatchNorm. SGD, since Adam blows up rounding.
    if stage == "fit":
        model["classifier"]["freeze_batchnorm"] = True
        model["optimizer"] = {"name": "sgd", "lr": 0.001}
    else:
        model |= {"freeze_batchnorm": True, "optimizer": {"lr": 0.001}}
    content["segment"]["data"]["labels"] = "masks"
    config.write_text(yaml.safe_dump(content))
    states = []
    for devices in (1, 2):
        run = tmp_path / f"devices{devices}"
        words = ["--config", config, "--run", run, f"--trainer.devices={devices}", "--trainer.max_epochs=1"]
        words += ["--trainer.precision=64-true"]  # in 32 bits the rounding of a weight would be a part of a step
        if devices == 1:
            assert here(stage, *words) == 0
        else:
            done = acr(stage, *words)
            assert done.returncode == 0, done.stderr
        states.append(torch.load(run / stage / "last.ckpt", weights_only=True)["state_dict"])
    apart = {name: float((one.double() - states[1][name]).abs().max()) for name, one in states[0].items()}
    assert max(apart.values()) < 1e-9, apart


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".npz", ".png", ".csv", ".md")}


def test_two_processes_infer_as_one(config, tmp_path, whole):
    """CAMs, predictions and scores; 22 and 6 photos, of which none counts twice. The second process is slow."""
    one, two = tmp_path / "whole", tmp_path / "two"
    shutil.copytree(one / "fit", two / "fit")
    words = ["--config", config, "--run", two, "--trainer.devices=2"]
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(
        "import os, time\n"
        "rename = os.replace\n"
        "if os.environ.get('LOCAL_RANK') == '1':\n"
        "    os.replace = lambda *paths: (time.sleep(0.3), rename(*paths))\n"
    )
    assert acr("cam", *words, env={"PYTHONPATH": slow}).returncode == 0
    assert files(two / "cam" / "cams") == files(one / "cam" / "cams")
    assert here("segment", "--config", config, "--run", one) == 0
    for stage in ("label", "segment"):
        shutil.copytree(one / stage, two / stage)
    assert here("evaluate", "--config", config, "--run", one) == 0
    assert acr("evaluate", *words).returncode == 0
    for name in ("predictions", "."):
        assert files(two / "evaluate" / name) == files(one / "evaluate" / name)
    counts = [row.split(",")[1:] for row in (two / "evaluate" / "confusion_network.csv").read_text().splitlines()[1:]]
    assert sum(int(cell) for row in counts for cell in row) == 6 * 64 * 64


@pytest.mark.parametrize(
    ("word", "least", "most"), [("--trainer.precision=bf16-mixed", 1e-9, 0.2), ("--data.photos_per_pass=5", 0, 1 / 254)]
)
def test_cams_in_16_bits_and_in_groups(config, tmp_path, whole, word, least, most):
    run = tmp_path / "run"
    shutil.copytree(tmp_path / "whole" / "fit", run / "fit")
    assert main(["cam", "--config", str(config), word]) == 0
    apart = [
        np.abs(read_cam(path).scores - read_cam(tmp_path / "whole" / "cam" / "cams" / path.name).scores).max()
        for path in (run / "cam" / "cams").glob("*.npz")
    ]
    assert len(apart) == 22
    assert least <= max(apart) < most


def test_shards_make_what_one_job_makes(config, tmp_path, whole, capsys):
    run = tmp_path / "run"
    shutil.copytree(tmp_path / "whole" / "fit", run / "fit")  # its manifest holds here as well
    words = ["--config", str(config)]
    assert main(["cam", *words, "--shard=2/3"]) == 0
    said = capsys.readouterr().err
    assert "fit" not in said
    assert "cam: shard 2/3 is done; 15 photos are left to others" in said  # of 22
    assert len(list((run / "cam" / "cams").glob("*.npz"))) == 7
    assert main(["label", *words]) == 2  # not all CAMs are there
    assert "needs the stage cam, which is not done" in capsys.readouterr().err
    for shard in ("1/3", "3/3"):
        assert main(["cam", *words, f"--shard={shard}"]) == 0
    assert "cam: done, photos 22" in capsys.readouterr().err
    for shard in ("1/2", "2/2"):
        assert main(["label", *words, "--shard", shard]) == 0
    assert contents(run / "label" / "labels") == whole
    assert main(["cam", *words]) == 0
    assert "cam: done before" in capsys.readouterr().err
    assert main(["cam", *words, "--model.flip=false", "--shard=1/3"]) == 2
    assert "holds another result, and shards cannot agree" in capsys.readouterr().err
    assert main(["cam", *words, "--shard=4/3", "--run", str(tmp_path / "new")]) == 2
