"""`acr score`: a folder of label maps against masks, and the server's pack."""

import csv
import json
import tarfile

import numpy as np
import pytest
import yaml

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.cli.main import main


@pytest.fixture
def config(tmp_path, shapes_root):
    content = {
        "run": str(tmp_path / "run"),
        "dataset": {
            "class_path": "Shapes",
            "init_args": {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3},
        },
    }
    path = tmp_path / "shapes.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture
def predictions(tmp_path, shapes):
    """Right but for one photo, which is all background."""
    for image_id in shapes.ids("val"):
        write_mask(tmp_path / "pred" / f"{image_id}.png", shapes.mask(image_id))
    blank = shapes.ids("val")[0]
    write_mask(tmp_path / "pred" / f"{blank}.png", np.zeros((64, 64), np.uint8))
    return tmp_path / "pred"


def matrix(path):
    rows = list(csv.reader(path.open()))
    return rows[0][1:], np.array([[int(cell) for cell in row[1:]] for row in rows[1:]])


def test_a_folder_against_the_data_sets_masks(config, predictions, shapes, tmp_path, capsys):
    assert main(["score", str(predictions), "--config", config, "--output", str(tmp_path / "a")]) == 0
    labels, counts = matrix(tmp_path / "a" / "confusion.csv")
    assert labels == ["background", "red_stripes", "blue_checks", "green_stripes", "black_checks"]
    blank = shapes.mask(shapes.ids("val")[0])
    assert counts.sum() == 6 * 64 * 64
    assert counts.sum() - np.trace(counts) == (blank != 0).sum()
    [record] = json.loads((tmp_path / "a" / "scores.json").read_text())
    assert 0 < record["miou"] < 100
    assert f"{record['miou']:.1f}" in capsys.readouterr().out


def test_the_pack_of_a_folder_holds_vocs_list(config, predictions, shapes, tmp_path, capsys):
    words = ["score", str(predictions), "--config", config, "--pack", str(tmp_path / "results.tgz")]
    assert main(words) == 0
    assert "6 label maps, each as large as its photo" in capsys.readouterr().out
    with tarfile.open(tmp_path / "results.tgz") as archive:
        names = archive.getnames()
    assert names == [f"results/VOC2012/Segmentation/comp6_test_cls/{image_id}.png" for image_id in shapes.ids("val")]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("tset", "--split: Expected one of 'train', 'seed', 'val', 'test'. Got value: tset. Did you mean 'test'?"),
        ("test", "test.txt: no such list of ids"),
        ("train", "16 of 16 label maps are missing"),
    ],
)
def test_a_split_that_does_not_fit_gets_one_line(config, predictions, split, message, capsys):
    assert main(["score", str(predictions), "--config", config, "--split", split]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


@pytest.mark.parametrize("values", [{"root": {}}, {"tags": ["a"]}, {"masks": 5}, {"num_train": "many"}])
def test_a_value_of_the_data_set_that_does_not_fit_is_named(tmp_path, capsys, values):
    kind = "Shapes" if "num_train" in values else "TagFolder"
    content = {"dataset": {"class_path": kind, "init_args": {"root": str(tmp_path), **values}}}
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(content))
    assert main(["score", str(tmp_path), "--config", str(tmp_path / "odd.yaml")]) == 2
    assert f"acr score: dataset.{next(iter(values))}: " in capsys.readouterr().err
