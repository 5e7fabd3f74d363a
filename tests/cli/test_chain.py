"""The whole chain as a user runs it: to its end, again, killed, without CAMs, without masks, in variants."""

import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from commands import acr, here, start
from results import contents

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import is_done_before, record_of
from acr_lightning.cli.main import main
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.metrics.confusion import confusion, scores
from acr_lightning.stages.chain import CHAIN


def test_the_whole_chain_and_its_second_call(config, tmp_path, capsys):
    # Without the tests' zygote, as a user's shell starts it.
    words = [sys.executable, "-m", "acr_lightning", "run", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    stages = ", ".join(rf"{stage} \d+ (s|min)" for stage in ("fit", "cam", "label", "segment", "evaluate"))
    took = rf"acr run: {stages}, report \d+ (s|min); together \d+ (s|min) → {run}/report.html"
    assert re.fullmatch(took, done.stderr.splitlines()[-1])
    left = re.findall(r"^(\w+): about \d+ s are left, at \d+ s an epoch$", done.stderr, re.MULTILINE)
    assert set(left) == {"fit"}  # the network's training is one epoch
    ours = r"(acr run|fit|cam|label|segment|evaluate|report): \S|labels ━+ 100%"  # the bar, once it is full
    assert [line for line in done.stderr.splitlines() if not re.match(ours, line)] == []
    page = (run / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")  # nothing is loaded from elsewhere
    assert "mIoU" in page
    assert page.count("<figcaption>mask (scoring only)") == 12
    times = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    again = acr("run", "--config", config)
    assert again.returncode == 0
    assert again.stderr.count("done before") == 6
    assert times == {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    another_split(config, run, tmp_path / "train")
    assert times == {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}


def another_split(config, run, other):
    """A second run tests the network of the first."""
    assert here("evaluate", "--config", config, f"--run={other}", f"--from.segment={run}", "--data.splits=[train]") == 0
    assert [record["what"] for record in json.loads((other / "evaluate" / "scores.json").read_text())] == ["network"]
    assert len(list((other / "evaluate" / "predictions").glob("*.png"))) == 16
    [header, *rows] = (other / "evaluate" / "confusion_network.csv").read_text().splitlines()
    assert header.startswith("true \\ predicted,background,")
    assert sum(int(count) for row in rows for count in row.split(",")[1:]) == 16 * 64 * 64


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
    assert contents(run / "label" / "labels") == whole


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
    masks_that_come_later(str(config), tmp_path)


def masks_that_come_later(config, tmp_path):
    """Only what reads them is done again."""
    (tmp_path / "masks").mkdir()
    given = {"dataset.masks": str(tmp_path / "masks")}
    experiment = load(CHAIN, config, given)
    done = {name: is_done_before(experiment, name) for name in ("fit", "cam", "label", "segment", "evaluate")}
    assert done == {"fit": True, "cam": True, "label": True, "segment": True, "evaluate": False}
    assert not is_done_before(load(CHAIN, config, given | {"label.threshold": "oracle"}), "label")
    supervised, without = (load(CHAIN, config, one | {"segment.data.labels": "masks"}) for one in (given, {}))
    digests = [record_of(one, "segment").digest for one in (supervised, without)]
    assert digests[0] != digests[1]


def test_a_plan_runs_each_variant_once(config, tmp_path, shapes):
    plan = {
        "run": str(tmp_path / "plan"), "seeds": [3], "stages": ["fit", "cam", "evaluate"],
        "datasets": {"scenes": {"base": str(config)}},
        "common": {"fit.trainer.max_epochs": 1, "cam.data.splits": ["seed", "val"], "cam.model.power": 0.5},
        "tables": {"one": {"plain": {"fit.model.strategy": "baseline"}, "ACR": {}}, "two": {"ACR": {}}},
    }  # fmt: skip
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(plan))
    done = acr("compare", "--config", path)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "plan").iterdir()) == [
        ".acr_files", "comparison.csv", "comparison.html", "comparison.md", "scenes",
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "plan" / "scenes").iterdir()) == ["ACR-seed3", "plain-seed3"]
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ACR")]
    assert rows == [rows[0]] * 2
    assert done.stderr.count("fit: done, ") == 2
    the_cams_of_val(tmp_path / "plan" / "scenes" / "ACR-seed3", shapes)
    plan["table"] = plan.pop("tables")
    path.write_text(yaml.safe_dump(plan))
    wrong = acr("compare", "--config", path)
    assert wrong.returncode == 2
    assert "table: no such key. Did you mean 'tables'?" in wrong.stderr


def the_cams_of_val(run, shapes):
    """They are scored at the threshold that is best for `seed`, as labels made with it are."""
    records = {one["split"]: one for one in json.loads((run / "evaluate" / "scores.json").read_text())}
    assert list(records) == ["seed", "val"]
    assert all(record["power"] == 0.5 for record in records.values())
    counts = np.zeros((5, 5), np.int64)
    for image_id in shapes.ids("val"):
        cam = read_cam(run / "cam" / "cams" / f"{image_id}.npz")
        made = pseudo_label(shapes.image(image_id), cam.classes, cam.scores, records["seed"]["threshold"])
        counts += confusion(shapes.mask(image_id), made, 5)
    assert records["val"]["miou"] == pytest.approx(
        scores(counts, ["background", *shapes.class_names])["miou"], abs=1e-9
    )
