"""`acr` as a user types it, in a process of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml
from commands import acr, start

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.cli.main import main


def here(*words):
    """The same in this process, which has imported everything."""
    return main([*map(str, words)])


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["--help"], 0, "acr COMMAND"),
        (["--version"], 0, "acr "),
        (["fti"], 2, "Did you mean 'fit'?"),
        (["trian"], 2, "Did you mean 'fit'?"),
        ([], 0, "usage"),
        (["--help"], 0, "weights convert"),
        (["weights"], 0, "acr weights convert: ResNet38d's"),
        (["data", "--help"], 0, "acr data download: "),
        (["weights", "convert", "--help"], 0, "--sha256 SHA256"),
        (["weights", "convert"], 2, "acr weights convert: expected SOURCE TARGET"),
        (["predict", "--help"], 0, "usage: acr predict --run RUN --images IMAGES"),
        (["predict", "--run", "x", "--imags", "y"], 2, "--imags: no such option. Did you mean 'images'?"),
        (["run", "--help"], 0, "usage: acr run"),
        (["run", "--config", "voc6.yaml", "--confg=x"], 2, "--confg: no such option. Did you mean 'config'?"),
        (["run", "--config", "voc6.yaml", "--trainer.devices=2"], 2, "Did you mean 'fit.trainer.devices'?"),
        (["run", "--config", "voc6.yaml", "--fit.model.sfr=4"], 2, "fit.model.sfr: no such key. Did you mean 'srf'?"),
        (["run", "--config", "voc6.yaml", "--fit.model.optimizer=adam"], 2, "set fit.model.optimizer.name, "),
        (["segment", "--config", "voc6.yaml", "--model.lr=fast"], 2, "acr segment: segment.model.lr: "),
        (["fit", "--help"], 0, "--model.srf"),
        (["fit", "--help", "--config", "voc6.yaml", "--data.crop=96"], 0, "default: 96"),
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


def write_config(folder, shapes_root):
    """A tiny experiment on real files."""
    content = {
        "run": str(folder / "run"),
        "seed": 1,
        "dataset": {
            "class_path": "Shapes",
            "init_args": {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3},
        },
        "fit": {
            "model": {
                "classifier": {"backbone": "tiny_resnet", "freeze_batchnorm": False},
                "reconstructor": {"depth": 3, "width": 8, "stride": 2}, "srf": {"grid": 4},
                "optimizer": {"name": "adamw", "lr": 0.001, "new_layer_factor": 1.0},
            },
            "data": {"crop": 48, "long_side": [56, 64], "batch_size": 4, "num_workers": 0},
            "trainer": {"max_epochs": 3, "logger": False, "accelerator": "cpu", "devices": 1},
        },
        "cam": {
            "model": {"scales": [1.0]}, "data": {"num_workers": 0}, "trainer": {"accelerator": "cpu", "devices": 1}
        },
        "label": {"workers": 1},
        "segment": {
            "model": {"backbone": "tiny_resnet", "output_stride": None, "freeze_batchnorm": False, "rates": [1, 2]},
            "data": {"crop": 48, "batch_size": 4, "num_workers": 0},
            "trainer": {"max_epochs": 1, "logger": False, "accelerator": "cpu", "devices": 1},
        },
        "evaluate": {
            "model": {"scales": [1.0]}, "data": {"num_workers": 0}, "trainer": {"accelerator": "cpu", "devices": 1}
        },
    }  # fmt: skip
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def config(tmp_path, shapes_root):
    return write_config(tmp_path, shapes_root)


@pytest.mark.parametrize("stage", ["fit", "segment"])
def test_two_processes_train_as_one(config, tmp_path, stage):
    content = yaml.safe_load(config.read_text())
    model = content[stage]["model"]
    # Without what depends on which photos share a device: moving BatchNorm. SGD, since Adam blows up rounding.
    if stage == "fit":
        model["classifier"]["freeze_batchnorm"] = True
        model["optimizer"] = {"name": "sgd", "lr": 0.001}
    else:
        model |= {"freeze_batchnorm": True, "optimizer": "sgd", "lr": 0.001}
    content["segment"]["data"]["labels"] = "masks"
    config.write_text(yaml.safe_dump(content))
    states = []
    for devices in (1, 2):
        run = tmp_path / f"devices{devices}"
        words = ["--config", config, "--run", run, f"--trainer.devices={devices}", "--trainer.max_epochs=1"]
        if devices == 1:
            assert here(stage, *words) == 0
        else:
            done = acr(stage, *words)
            assert done.returncode == 0, done.stderr
        states.append(torch.load(run / stage / "last.ckpt", weights_only=True)["state_dict"])
    apart = {name: float((one.float() - states[1][name]).abs().max()) for name, one in states[0].items()}
    assert max(apart.values()) < 1e-6, apart


def labels_of(run):
    return {path.name: path.read_bytes() for path in sorted((run / "label" / "labels").iterdir())}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, shapes_root):
    """A run up to the pseudo-labels that nothing interrupted."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = acr("run", "--config", write_config(folder, shapes_root), "--stages", "fit,cam,label")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def whole(uninterrupted, tmp_path):
    """Its pseudo-labels; a copy of the run is `tmp_path / "whole"`."""
    shutil.copytree(uninterrupted, tmp_path / "whole")
    return labels_of(tmp_path / "whole")


@pytest.mark.timeout(600)
def test_killed_in_any_stage_the_run_goes_on_to_the_same_labels(config, tmp_path, whole):
    run = tmp_path / "killed"
    words = ["run", "--config", config, "--run", run, "--stages", "fit,cam,label"]
    signs = {
        "fit": lambda: (run / "fit" / "last.ckpt").exists(),
        "cam": lambda: len(list((run / "cam" / "cams").glob("*.npz"))) >= 3,
        "label": lambda: len(list((run / "label" / "labels").glob("*.png"))) >= 3,
    }
    killed = []
    for stage, reached in signs.items():
        process = start(*words)
        while process.poll() is None and not reached():
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, 9)
            killed.append(stage)
        process.wait()
        assert not (run / stage / "manifest.json").read_text().count('"status": "done"') or stage not in killed
    assert "fit" in killed
    final = acr(*words)
    assert final.returncode == 0, final.stderr
    assert labels_of(run) == whole


def test_a_training_that_gets_sigterm_is_not_done(config, tmp_path):
    run = tmp_path / "run"
    process = start("fit", "--config", config, "--trainer.max_epochs=200")
    while process.poll() is None and not (run / "fit" / "last.ckpt").exists():
        time.sleep(0.05)
    process.terminate()
    said = process.communicate()[1]
    assert process.returncode == 143, said
    assert "Traceback" not in said
    assert "the same command continues" in said
    assert '"status": "started"' in (run / "fit" / "manifest.json").read_text()


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
    assert labels_of(run) == whole
    assert main(["cam", *words]) == 0
    assert "cam: done before" in capsys.readouterr().err
    assert main(["cam", *words, "--model.flip=false", "--shard=1/3"]) == 2
    assert "holds another result, and shards cannot agree" in capsys.readouterr().err
    assert main(["cam", *words, "--shard=4/3", "--run", str(tmp_path / "new")]) == 2


def test_without_cams_the_network_alone_is_scored(config, tmp_path, capsys):
    """The chain of full supervision: segment on masks, evaluate, report."""
    assert here("segment", "--config", config, "--data.labels=masks") == 0
    for stage in ("evaluate", "report"):
        assert here(stage, "--config", config) == 0
    [record] = json.loads((tmp_path / "run" / "evaluate" / "scores.json").read_text())
    assert record["what"] == "network"
    assert "true masks" in record["trained"]
    assert "true masks" in (tmp_path / "run" / "report.html").read_text()
    assert main(["evaluate", "--config", str(config), "--run", str(tmp_path / "empty")]) == 2
    assert "neither CAMs nor a network to evaluate" in capsys.readouterr().err


def test_the_whole_chain_and_its_second_call(config, tmp_path, capsys):
    # Without the tests' zygote, as a user's shell starts it.
    words = [sys.executable, "-m", "acr_lightning", "run", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    page = (run / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")  # nothing is loaded from elsewhere
    assert "mIoU" in page
    assert page.count("<figcaption>mask (scoring only)") == 12
    times = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    again = acr("run", "--config", config)
    assert again.returncode == 0
    assert again.stderr.count("done before") == 6
    assert times == {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    another_split_and_the_pack(config, run, tmp_path, capsys)


def another_split_and_the_pack(config, run, tmp_path, capsys):
    """Neither touches the chain's own evaluation."""
    before = {path: path.stat().st_mtime_ns for path in (run / "evaluate").rglob("*") if path.is_file()}
    assert here("evaluate", "--config", config, "--split", "val", "--pack", tmp_path / "results.tgz") == 0
    packed = capsys.readouterr()
    assert "done before" in packed.err
    assert "results.tgz: 6 label maps, verified" in packed.out
    assert here("evaluate", "--config", config, "--split", "train") == 0
    assert [record["what"] for record in json.loads((run / "evaluate_train" / "scores.json").read_text())] == [
        "network"
    ]
    assert len(list((run / "evaluate_train" / "predictions").glob("*.png"))) == 16
    [header, *rows] = (run / "evaluate_train" / "confusion_network.csv").read_text().splitlines()
    assert header.startswith("true \\ predicted,background,")
    assert sum(int(count) for row in rows for count in row.split(",")[1:]) == 16 * 64 * 64
    assert before == {path: path.stat().st_mtime_ns for path in (run / "evaluate").rglob("*") if path.is_file()}


def test_photos_and_tags_without_masks(config, shapes, tmp_path):
    """One of the photos shows none of the classes."""
    photos = tmp_path / "photos"
    photos.mkdir()
    lines = ["image,tags"]
    for image_id in shapes.ids("train"):
        (photos / f"{image_id}.jpg").write_bytes(shapes.image_path(image_id).read_bytes())
        lines.append(f"{image_id}.jpg,{';'.join(shapes.class_names[tag] for tag in shapes.tags(image_id))}")
    lines[1] = lines[1].partition(",")[0] + ","
    (photos / "tags.csv").write_text("\n".join(lines))
    content = yaml.safe_load(config.read_text())
    content["dataset"] = {"class_path": "TagFolder", "init_args": {"root": str(photos), "negatives": True}}
    config.write_text(yaml.safe_dump(content))
    for stage in ("fit", "cam", "label", "segment", "evaluate", "report"):
        assert here(stage, "--config", config) == 0
    run = tmp_path / "run"
    assert "nothing was scored" in (run / "report.html").read_text()
    assert not read_mask(run / "label" / "labels" / f"{shapes.ids('train')[0]}.png").any()
    assert (run / "evaluate" / "scores.md").read_text() == "No masks, so nothing was scored.\n"
    assert (run / "segment" / "last.ckpt").is_file()
    assert len(list((run / "evaluate" / "predictions").glob("*.png"))) == 16


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fit.model.sfr=8"], r"fit\.model\.sfr: no such key. Did you mean 'srf'?"),
        (["--fit.model.srf.gird=8"], r"fit\.model\.srf\.gird: no such key. Did you mean 'grid'?"),
        (["--fit.model.decoder_depth=3"], r"fit\.model\.decoder_depth: is now fit\.model\.reconstructor\.depth"),
        (["--fit.model.lr=0.1"], r"fit\.model\.lr: is now fit\.model\.optimizer\.lr"),
        (["--fit.trainer.max_epoch=8"], r"fit\.trainer\.max_epoch: no such key. Did you mean 'max_epochs'?"),
        (["--fit.data.crop=wide"], r"fit\.data\.crop: "),
        (["--label.refiner=hard_lable"], r"label\.refiner: no refiner 'hard_lable'. Did you mean 'hard_label'?"),
        (["--label.crf=none"], r"label\.crf: it is `refiner` now"),
        (["--dataset.root=/nowhere", "--dataset=VOC2012", "--dataset.root=/nowhere"], "not a VOC 2012 folder"),
        (["--fit.model.classifier.weights=/nowhere.pth"], "no file /nowhere.pth"),
        (["--fit.model.reconstructor.depth=7"], "48 is not a multiple of 256; change crop"),
        (["--fit.data.batch_size=5", "--fit.trainer.devices=2"], "5 photos cannot be shared evenly by 2 devices"),
        (["--dataset.class_path=Nothing"], "no class 'Nothing'"),
        (["--fit.data.class_path=Nothing"], "write either class_path and init_args, or the arguments alone"),
    ],
)
def test_bad_values_get_one_line(config, words, message, capsys):
    assert here("run", "--config", config, "--stages", "fit,cam,label", "--check", *words) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert re.search(message, said), said


def test_a_value_that_only_a_training_knows_gets_one_line(config, capsys):
    assert here("fit", "--config", config, "--trainer.gradient_clip_val=1") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("acr fit: ")
    assert "clipping is not supported for manual optimization" in said


def test_ablation_runs_each_variant_once(config, tmp_path):
    plan = {
        "base": str(config), "run": str(tmp_path / "ablation"), "seeds": [3], "stages": ["fit", "cam", "evaluate"],
        "common": {"fit.trainer.max_epochs": 1, "cam.data.splits": ["seed"]},
        "tables": {"one": {"plain": {"fit.model.strategy": "baseline"}, "ACR": {}}, "two": {"again": {}}},
    }  # fmt: skip
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(plan))
    done = acr("ablation", "--config", path)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "ablation").iterdir()) == [
        "ablation.html", "ablation.md", "base-seed3", "strategy=baseline-seed3",
    ]  # fmt: skip
    rows = {line.split("|")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("|")}
    assert rows["ACR"].split("|")[2:] == rows["again"].split("|")[2:]
    assert done.stderr.count("fit: done, ") == 2
    plan["table"] = plan.pop("tables")
    path.write_text(yaml.safe_dump(plan))
    wrong = acr("ablation", "--config", path)
    assert wrong.returncode == 2
    assert "table: no such key. Did you mean 'tables'?" in wrong.stderr


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
    shown = acr(stage, "--help")
    assert shown.returncode == 0, shown.stderr
    wanted = {
        "fit": ["--model.srf", "cells a side", "--data.crop", "--trainer.devices"],
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
