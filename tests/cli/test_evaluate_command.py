"""`acr evaluate` beyond the stage: other splits, the server's pack, folders of predictions."""

import csv
import json
import re
import tarfile

import numpy as np
import pytest
import yaml

from acr_lightning.artefacts.cam_file import read_cam, write_cam
from acr_lightning.artefacts.palette import read_mask, write_mask
from acr_lightning.cli.main import main
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.metrics.confusion import confusion, miou


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


def test_a_folder_against_the_data_sets_masks_and_against_a_folder(config, predictions, shapes, tmp_path, capsys):
    words = ["evaluate", "--pred", str(predictions), "--output"]
    assert main([*words, str(tmp_path / "a"), "--config", config]) == 0
    gt = str(shapes.mask_path("val_00000").parent)
    (tmp_path / "val.txt").write_text("\n".join(shapes.ids("val")))
    names = "red_stripes,blue_checks,green_stripes,black_checks"
    more = ["--gt", gt, "--classes", names, "--list", str(tmp_path / "val.txt")]
    assert main([*words, str(tmp_path / "b"), *more]) == 0
    (labels, one), (_, two) = matrix(tmp_path / "a" / "confusion.csv"), matrix(tmp_path / "b" / "confusion.csv")
    assert labels == ["background", "red_stripes", "blue_checks", "green_stripes", "black_checks"]
    assert np.array_equal(one, two)
    blank = shapes.mask(shapes.ids("val")[0])
    assert one.sum() == 6 * 64 * 64
    assert one.sum() - np.trace(one) == (blank != 0).sum()
    [record] = json.loads((tmp_path / "a" / "scores.json").read_text())
    assert 0 < record["miou"] < 100
    assert f"{record['miou']:.1f}" in capsys.readouterr().out


def test_the_pack_of_a_folder_holds_vocs_list(config, predictions, shapes, tmp_path, capsys):
    words = ["evaluate", "--config", config, "--pred", str(predictions), "--split", "val", "--pack"]
    assert main([*words, str(tmp_path / "results.tgz")]) == 0
    assert "6 label maps, each as large as its photo" in capsys.readouterr().out
    with tarfile.open(tmp_path / "results.tgz") as archive:
        names = archive.getnames()
    assert names == [f"results/VOC2012/Segmentation/comp6_test_cls/{image_id}.png" for image_id in shapes.ids("val")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pred", "PRED"], "give the masks, --gt DIR, or a data set, --config FILE"),
        (["--pred", "PRED", "--gt", "PRED", "--split", "val"], "do not go with it"),
        (["--pred", "PRED", "--config", "CONFIG", "--classes", "3"], "--classes goes with --gt"),
        (["--gt", "PRED", "--config", "CONFIG"], "--gt goes with --pred"),
        (
            ["--config", "CONFIG", "--split", "tset"],
            "--split: Expected one of 'train', 'seed', 'val', 'test', or null. Got value: tset. Did you mean 'test'?",
        ),
        (["--pred", "PRED", "--config", "CONFIG", "--split", "test"], "test.txt: no such list of ids"),
        (["--pred", "PRED", "--config", "CONFIG", "--split", "train"], "16 of 16 label maps are missing"),
        (["--pred", "PRED", "--gt", "PRED", "--classes", "a,,b"], "names separated by commas"),
        (["--pred", "PRED", "--gt", "PRED", "--classes", "a,b,a"], "--classes: 'a' is there twice"),
        (["--pred", "PRED", "--gt", "PRED", "--classes", "background,a"], "--classes: 'background' is there twice"),
        (["--pred", "PRED", "--gt", "PRED", "--classes", ",".join(map(str, range(255)))], "up to 254 names"),
        *(
            (["--pred", "PRED", "--gt", "PRED", "--classes", count], "--classes: expected 1 to 254, or")
            for count in ("-5", "0", "255", str(10**9), str(10**30))
        ),
        (["--config", "CONFIG", "--split", "val", "--pack", "r.tgz"], "neither CAMs nor a network"),
    ],
)
def test_options_that_do_not_fit_get_one_line(config, predictions, words, message, capsys):
    words = [{"PRED": str(predictions), "CONFIG": config}.get(word, word) for word in words]
    assert main(["evaluate", *words]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_as_many_classes_as_a_label_can_tell(predictions):
    words = ["evaluate", "--pred", str(predictions), "--gt", str(predictions), "--classes"]
    assert main([*words, "254"]) == 0
    assert main([*words, ",".join(map(str, range(254)))]) == 0
    assert main([*words, "dog,Dog,cat,cow"]) == 0


def test_a_grey_mask_is_read_as_well(tmp_path):
    from PIL import Image

    (tmp_path / "gt").mkdir()
    Image.fromarray(np.array([[0, 1]], np.uint8)).save(tmp_path / "gt" / "a.png")
    assert main(["evaluate", "--pred", str(tmp_path / "gt"), "--gt", str(tmp_path / "gt")]) == 0
    assert read_mask(tmp_path / "gt" / "a.png").tolist() == [[0, 1]]


def test_a_folder_of_cams(config, shapes, tmp_path, capsys, rng):
    """What it says of a threshold and of an exponent, against labels made with them."""
    ids = shapes.ids("seed")
    for image_id in ids:
        classes = shapes.tags(image_id)
        write_cam(tmp_path / "cams" / f"{image_id}.npz", classes, rng.random((len(classes), 64, 64), np.float32))
    words = ["evaluate", "--cams", str(tmp_path / "cams"), "--config", config]
    assert main([*words, "--output", str(tmp_path / "scores")]) == 0
    sweep = json.loads((tmp_path / "scores" / "sweep.json").read_text())
    assert len(sweep["thresholds"]) == 256
    best = max(row["miou"] for row in sweep["thresholds"])
    assert re.search(rf"^\| cam \| seed \| .*best of all.* \| {best:.1f} \|", capsys.readouterr().out, re.MULTILINE)
    row = next(row for row in sweep["exponents"] if row["alpha"] == 4)
    counts = np.zeros((5, 5), np.int64)
    for image_id in ids:
        cam = read_cam(tmp_path / "cams" / f"{image_id}.npz")
        made = pseudo_label(shapes.image(image_id), cam.classes, cam.scores, alpha=4.0)
        counts += confusion(shapes.mask(image_id), made, 5)
    assert row["miou"] == pytest.approx(miou(counts), abs=1e-9)
    assert main([*words, "--pack", "x.tgz"]) == 2
    assert "--pack does not go with --cams" in capsys.readouterr().err


@pytest.mark.parametrize("values", [{"root": {}}, {"tags": ["a"]}, {"masks": 5}, {"num_train": "many"}])
def test_a_value_of_the_data_set_that_does_not_fit_is_named(tmp_path, capsys, values):
    kind = "Shapes" if "num_train" in values else "TagFolder"
    content = {"dataset": {"class_path": kind, "init_args": {"root": str(tmp_path), **values}}}
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(content))
    assert main(["evaluate", "--pred", str(tmp_path), "--config", str(tmp_path / "odd.yaml")]) == 2
    assert f"acr evaluate: dataset.{next(iter(values))}: " in capsys.readouterr().err
