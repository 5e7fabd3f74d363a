"""A user's own photos are read, never written: the whole chain on PNGs that the tags name by absolute paths."""

import pytest
import yaml
from PIL import Image

from acr_lightning.artefacts.palette import read_mask
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import run_stage
from acr_lightning.cli.main import main
from acr_lightning.stages.chain import CHAIN

CPU = {"accelerator": "cpu", "devices": 1, "logger": False}
NET = {"backbone": "test_resnet", "output_stride": 8, "freeze_batchnorm": False}
WALKED = {"weights": None, "freeze_backbone": False, "radius": 4}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def photos(tmp_path, shapes):
    """Eight tagged PNGs in folders and one without tags; the tags file, outside, names them by absolute paths."""
    root, lines = tmp_path / "photos", ["image,tags"]
    (root / "beach").mkdir(parents=True)
    for number, image_id in enumerate(shapes.ids("train")[:8]):
        path = root / ("beach" if number % 2 else ".") / f"{number}.png"
        Image.fromarray(shapes.image(image_id)).save(path)
        lines.append(f"{path},{';'.join(shapes.class_names[tag] for tag in shapes.tags(image_id))}")
    Image.fromarray(shapes.image(shapes.ids("val")[0])).save(root / "beach" / "untagged.png")
    (tmp_path / "tags.csv").write_text("\n".join(lines))
    return root


@pytest.fixture
def config(tmp_path, photos):
    loaded = {"num_workers": 0}
    content = {
        "run": str(tmp_path / "run"),
        "dataset": {"class_path": "TagFolder", "init_args": {"root": str(photos), "tags": str(tmp_path / "tags.csv")}},
        "fit": {
            "model": {"classifier": NET, "strategy": "baseline"},
            "data": {"crop": 48, "long_side": [56, 64], "batch_size": 4, **loaded},
            "trainer": {"max_epochs": 1, **CPU},
        },
        "cam": {"model": {"scales": [1.0]}, "data": loaded, "trainer": CPU},
        "affinity": "irn",
        "affinity_labels": {"workers": 1, "refiner": "none"},
        "affinity_train": {
            "model": {**NET, **WALKED},
            "data": {"crop": 48, "scale": [1, 1], "batch_size": 4, **loaded},
            "trainer": {"max_epochs": 1, **CPU},
        },
        "affinity_walk": {"model": {"radius": 4}, "data": loaded, "trainer": CPU},
        "label": {"workers": 1, "refiner": "none"},
        "segment": {
            "model": {**NET, "rates": [1, 2]},
            "data": {"crop": 48, "batch_size": 4, **loaded},
            "trainer": {"max_epochs": 1, **CPU},
        },
        "evaluate": {"model": {"scales": [1.0]}, "data": loaded, "trainer": CPU},
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_the_chain_leaves_photos_named_by_absolute_paths_as_they_are(config, photos, tmp_path, capsys):
    before = contents(photos)
    for stage in ("fit", "cam", *CHAIN.chosen_by("affinity"), "label", "segment", "evaluate"):
        run_stage(load(CHAIN, config, {}), stage)
        assert contents(photos) == before, stage
    ids = sorted(path.removesuffix(".png") for path in before if "untagged" not in path)
    labels = tmp_path / "run" / "label" / "labels"
    assert sorted(path.relative_to(labels).with_suffix("").as_posix() for path in labels.rglob("*.png")) == ids
    assert read_mask(tmp_path / "run" / "evaluate" / "predictions" / "beach" / "untagged.png").shape == (64, 64)
    assert "evaluate: done, photos 1 →" in capsys.readouterr().err, "there are no masks, so nothing of scores"


def test_a_picture_whose_name_is_no_id_is_left_out(trained_run, photos, tmp_path, capsys):
    (photos / "0.png").rename(photos / "back\\slash.png")
    words = ["predict", "--run", str(trained_run), "--images", str(photos), "--output", str(tmp_path / "masks")]
    assert main(words) == 1
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert "no file for the image 'back\\\\slash', its id holds a backslash" in line
    assert "8 masks in" in said.out
    assert "1 refused" in said.out


@pytest.mark.parametrize("name", ["1.png", "1_overlay.jpg"])
def test_predictions_do_not_replace_the_pictures(trained_run, photos, name, capsys):
    Image.open(photos / "0.png").save(photos / name)
    before = contents(photos)
    assert main(["predict", "--run", str(trained_run), "--images", str(photos), "--output", f"{photos}/../photos"]) == 2
    assert "is there and is not, or no longer, what this program wrote" in capsys.readouterr().err
    assert contents(photos) == before


def test_few_steps_an_epoch_are_no_warning(config, tmp_path, recwarn):
    logger = f"{{class_path: lightning.pytorch.loggers.CSVLogger, init_args: {{save_dir: {tmp_path}}}}}"
    assert main(["fit", "--config", config, f"--trainer.logger={logger}"]) == 0
    assert not [one for one in recwarn if "logging interval" in str(one.message)]
