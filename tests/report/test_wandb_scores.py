"""`acr evaluate` with W&B: what an offline run's file holds, read as W&B's own format says."""

import csv
import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from commands import here
from PIL import Image

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.artefacts.palette import write_mask
from acr_lightning.chain import runner
from acr_lightning.chain.experiment_file import load
from acr_lightning.errors import UserError
from acr_lightning.report.pictures import overlay
from acr_lightning.report.wandb_config import filterable
from acr_lightning.report.wandb_scores import log_to_wandb, wandb_options
from acr_lightning.stages.chain import CHAIN

BLOCK, HEADER = 32768, 7


def records(path):
    """The records of a `.wandb` file: LevelDB's log format after seven bytes, each record a protobuf message."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, whole, found = path.read_bytes(), HEADER, b"", []
    while at + HEADER <= len(content):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + HEADER])
        whole += content[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # full, last
            found.append(Record.FromString(whole))
            whole = b""
    return found


def items(updates):
    return {".".join(one.nested_key) or one.key: json.loads(one.value_json) for one in updates}


def as_jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG")
    return np.asarray(Image.open(buffer))


@pytest.fixture
def run(tmp_path, shapes):
    """CAMs, predictions that are right but for one photo, and what a training logged to W&B says of itself."""
    run = tmp_path / "run"
    for image_id in shapes.ids("seed"):
        classes = shapes.tags(image_id)
        scores = np.stack([(shapes.mask(image_id) == label + 1).astype(np.float32) for label in classes])
        write_cam(run / "cam" / "cams" / f"{image_id}.npz", classes, scores)
    for at, image_id in enumerate(shapes.ids("val")):
        write_mask(run / "evaluate" / "predictions" / f"{image_id}.png", shapes.mask(image_id) * np.uint8(at > 0))
    made = {"status": "done", "counts": {}}
    write_json(
        run / "cam" / "manifest.json",
        {**made, "config": {"model": {"class_path": "a.Cam", "init_args": {"scales": [1.0]}}}, "inputs": {"fit": "1"}},
    )
    logger = {
        "class_path": "lightning.pytorch.loggers.WandbLogger",
        "init_args": {"project": "ours", "group": "night", "offline": True, "job_type": "fit", "save_dir": "gone"},
    }
    model = {
        "class_path": "acr_lightning.methods.acr.ACR",
        "init_args": {"backbone": "vit_clip", "cu": {"target": 0.5}},
    }
    config = {"model": model, "trainer": {"logger": [logger]}}
    write_json(run / "fit" / "manifest.json", {**made, "config": config})
    return run


def test_an_evaluation_joins_the_group_of_its_training(run, shapes, shapes_root, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))  # of the pictures until they are uploaded
    init_args = {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    content = {"run": str(run), "dataset": {"class_path": "Shapes", "init_args": init_args}}
    (tmp_path / "shapes.yaml").write_text(yaml.safe_dump(content))
    experiment, folder = load(CHAIN, str(tmp_path / "shapes.yaml"), {}), run / "evaluate"
    # As a stage that was killed after its predictions.
    digest = runner.record_of(experiment, "evaluate").digest
    write_json(folder / "manifest.json", {"digest": digest, "config": experiment.section("evaluate")})
    assert here("evaluate", "--config", tmp_path / "shapes.yaml") == 0

    scores = {record["what"]: record for record in json.loads((folder / "scores.json").read_text())}
    assert 0 < scores["network"]["miou"] < 100
    [file] = folder.glob("wandb/offline-run-*/*.wandb")
    found = records(file)
    [about] = [one.run for one in found if one.HasField("run")][:1]
    assert (about.project, about.run_group, about.job_type) == ("ours", "night", "evaluate")
    assert about.display_name == "run-evaluate"
    config = items(about.config.update)
    assert config["fit"]["model"] == {"class": "ACR", "backbone": "vit_clip", "cu": {"target": 0.5}}
    assert config["cam"]["model"] == {"class": "Cam", "scales": [1.0]}
    assert config["weights learned from"] == "captions"
    assert config["evaluate"]["data"]["dataset"]["num_val"] == 6

    logged = {}
    for one in found:
        logged |= items(one.history.item)
    for key in ("miou", "precision", "recall"):
        assert logged[f"network/{key}"] == scores["network"][key]
        assert logged[f"cam_oracle/{key}"] == scores["cam"][key]
    for name, one in scores["network"]["classes"].items():
        assert logged[f"network/iou/{name}"] == one["iou"]
    assert logged["network/pictures.nrows"] == 6
    kept = {one.path: one.local_path for made in found for one in made.artifact.manifest.contents}
    table = json.loads(Path(kept["network/pictures.table.json"]).read_text())
    assert table["columns"] == ["photo id", "photo", "prediction", "mask"]
    image_id, *pictures = table["data"][0]
    shown = [np.asarray(Image.open(kept[one["path"]])) for one in pictures]
    photo, mask = shapes.image(image_id), shapes.mask(image_id)
    for picture, wanted in zip(shown, (photo, photo, overlay(photo, mask)), strict=True):  # it was predicted empty
        assert np.array_equal(picture, as_jpeg(wanted))
    media = file.parent / "files" / "media"
    [table] = (json.loads(path.read_text()) for path in media.rglob("confusion*.table.json"))
    rows = list(csv.reader((folder / "confusion_network.csv").read_text().splitlines()))
    assert [row[2] for row in table["data"]] == [int(cell) for row in rows[1:] for cell in row[1:]]
    assert table["data"][1][:2] == ["background", "red_stripes"]

    rows = list(csv.DictReader((folder / "scores.csv").read_text().splitlines()))
    [mean] = [row for row in rows if row["what"] == "network" and row["label"] == "(mean)"]
    assert float(mean["iou"]) == scores["network"]["miou"]
    assert len(rows) == sum(1 + len(record["classes"]) for record in scores.values())


def test_without_the_logger_nothing_is_imported(run, shapes, monkeypatch):
    manifest = json.loads((run / "fit" / "manifest.json").read_text())
    for logger in (False, True, None, [], [{"class_path": "CSVLogger"}]):
        manifest["config"]["trainer"]["logger"] = logger
        write_json(run / "fit" / "manifest.json", manifest)
        monkeypatch.setitem(sys.modules, "wandb", None)  # an import would fail
        log_to_wandb(run, run / "evaluate", shapes, shapes.ids("val"), [])
    assert not (run / "evaluate" / "wandb").exists()


def test_a_training_of_another_run_does_not_lend_its_group(run, tmp_path):
    write_json(tmp_path / "next" / "from.json", {"fit": "../run"})
    assert wandb_options(tmp_path / "next") == {"project": "ours", "group": "next"}
    assert wandb_options(run) == {"project": "ours", "group": "night"}


@pytest.mark.parametrize(
    ("value", "kept"), [("mine", True), (5, False), (["a"], False), ({"a": 1}, False), (None, False)]
)
def test_what_is_no_name_is_not_handed_to_wandb(run, value, kept):
    manifest = run / "fit" / "manifest.json"
    content = json.loads(manifest.read_text())
    logger = {"class_path": "x.WandbLogger", "init_args": {"project": value, "entity": value, "group": value}}
    content["config"]["trainer"]["logger"] = [logger]
    manifest.write_text(json.dumps(content))
    names = {"project": "mine", "entity": "mine", "group": "mine"} if kept else {"group": run.name}
    assert wandb_options(run) == names


def test_names_that_wandb_refuses_get_a_line(run, shapes, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    manifest = run / "fit" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["config"]["trainer"]["logger"] = [
        {"class_path": "x.WandbLogger", "init_args": {"project": "a/b\\c#?%:", "group": "g"}}
    ]
    manifest.write_text(json.dumps(content))
    with pytest.raises(UserError, match="W&B does not take what its training was logged with"):
        log_to_wandb(run, run / "evaluate", shapes, [], [])


def test_a_configuration_has_the_keys_of_the_command_line():
    node = {"model": {"class_path": "a.b.C", "init_args": {"net": {"class_path": "D"}, "sizes": [1, 2]}}, "seed": 0}
    assert filterable(node) == {"model": {"class": "C", "net": {"class": "D"}, "sizes": [1, 2]}, "seed": 0}
