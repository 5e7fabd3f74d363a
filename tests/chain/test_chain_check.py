"""What is found before a stage starts, of the real stages."""

import dataclasses
import sys

import pytest

from acr_lightning.chain.check import check, check_thoroughly
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.signature import signature_of
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN


@pytest.fixture
def experiment(shapes_root, tmp_path):
    scenes = {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    small = {
        "run": str(tmp_path / "run"),
        "dataset": {"class_path": "Shapes", "init_args": scenes},
        "fit.model": {"classifier": {"backbone": "tiny_resnet"}, "reconstructor": {"depth": 3, "stride": 2}},
        "fit.data": {"crop": 48, "batch_size": 8},
        "fit.trainer": {"accelerator": "cpu", "devices": 1},
        "segment.model": {"backbone": "tiny_resnet", "output_stride": None, "rates": [1, 2]},
        "segment.trainer": {"accelerator": "cpu", "devices": 1},
    }
    return lambda **values: load(CHAIN, None, {**small, **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fit.data.crop": 40}, r"fit\.data\.crop: 40 is not a multiple of 16; change crop"),
        ({"fit.trainer.devices": 3}, r"fit\.data\.batch_size: 8 photos cannot be shared evenly by 3 devices"),
        ({"fit.model.micro_batches": 3}, r"fit\.model\.micro_batches: the 8 photos of a device cannot be split"),
        ({"segment.trainer.devices": 4}, r"segment\.data\.batch_size: 10 photos cannot be shared evenly by 4"),
        ({"fit.model.strategy": "adverserial"}, r"fit\.model\.strategy: .* Did you mean 'adversarial'"),
        ({"fit.trainer.precision": "16-mixd"}, r"fit\.trainer\.precision: .* Did you mean '16-mixed'"),
        ({"fit.trainer.callbacks": [{"class_path": "ChanelsLast"}]}, r"callbacks\[0\]: no class 'ChanelsLast'"),
        ({"fit.seed_everything": 3}, r"fit\.seed_everything: no such key\. Known: seed, model, data, trainer"),
        ({"fit.data.batch_size": -4}, r"fit\.data\.batch_size: Expected int above 0\. Got value: -4\."),
        ({"fit.data.num_workers": -1}, r"fit\.data\.num_workers: Expected int, 0 or more\. Got value: -1\."),
        ({"cam.data.photos_per_pass": 0}, r"cam\.data\.photos_per_pass: Expected int above 0\. Got value: 0\."),
        ({"label.workers": 0}, r"label\.workers: Expected int above 0, or null\. Got value: 0\."),
        ({"dataset.rot": "x"}, r"dataset\.rot: no such key\. Did you mean 'root'"),
    ],
)
def test_names_values_and_sizes_without_torch(experiment, values, message):
    with pytest.raises(UserError, match=message):
        check(experiment(**values), ["fit", "cam", "label", "segment"])
    check(experiment(), ["fit", "cam", "label", "segment", "evaluate", "report"])
    check(experiment(**{"fit.data.crop": 40, "fit.model.strategy": "baseline"}), ["fit"])  # no decoder, no multiple


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fit.model": {"class_path": "Shapes", "init_args": {}}}, r"fit\.model: '.*\.Shapes' is no LightningModule"),
        ({"fit.trainer.accelerator": "gpuu"}, r"fit\.trainer: .*gpuu"),
    ],
)
def test_kinds_and_devices(experiment, values, message):
    with pytest.raises(UserError, match=message):
        check_thoroughly(experiment(**values), ["fit", "cam", "label", "segment"])


def test_networks_are_built_before_a_run_that_would_come_to_them_in_hours(experiment):
    wrong = experiment(**{"segment.model.weights": "/nowhere.pth"})
    names = ["fit", "cam", "label", "segment"]
    check_thoroughly(wrong, names)
    with pytest.raises((UserError, ValueError)) as raised:
        check_thoroughly(wrong, names, build=True)
    assert "no file /nowhere.pth" in str(raised.getrepr(chain=True))


def test_a_data_set_of_another_kind(experiment):
    with pytest.raises(UserError, match=r"dataset: 'pathlib\.Path' is no TaggedDataset"):
        experiment(dataset={"class_path": "pathlib.Path", "init_args": {}}).dataset()


def test_a_users_own_class_keeps_the_wiring_that_it_takes(experiment, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from acr_lightning.cam.inference import CamInference\n\n\n"
        "class Sharper(CamInference):\n"
        "    def __init__(self, checkpoint: str, power: float = 2.0) -> None:\n"
        "        super().__init__(checkpoint)\n\n\n"
        "class FromNothing(CamInference):\n"
        "    def __init__(self, power: float = 2.0) -> None:\n"
        "        pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sharper = experiment(**{"cam.model": {"class_path": "mine.Sharper", "init_args": {"power": 3}}})
    assert sharper.section("cam")["model"]["init_args"] == {
        "power": 3,
        "checkpoint": str(tmp_path / "run" / "fit" / "last.ckpt"),
    }
    check(sharper, ["fit", "cam"])
    with pytest.raises(UserError, match=r"cam\.model\.powr: no such key\. Did you mean 'power'"):
        check(experiment(**{"cam.model": {"class_path": "mine.Sharper", "init_args": {"powr": 3}}}), ["fit", "cam"])
    check(experiment(**{"cam.model": {"class_path": "mine.FromNothing"}}), ["cam"])  # needs no fit
    assert "mine" not in sys.modules


def made_by_a_class(default):
    """Whether the source names a class, which is not imported to read it."""
    return isinstance(default, type) or dataclasses.is_dataclass(default)


@pytest.mark.parametrize("path", [*("ACR", "Segmenter", "AffinityWalk", "TaggedCrops"), "lightning.pytorch.Trainer"])
def test_signatures_are_those_of_the_imported_classes(path):
    import inspect

    from acr_lightning.class_names import import_class

    read = signature_of(path, "x").arguments
    parameters = inspect.signature(import_class(path, "x", object)).parameters
    assert list(read) == list(parameters)
    for name, parameter in parameters.items():
        if not made_by_a_class(parameter.default):
            assert read[name].default == parameter.default, name
        assert "Any" in str(read[name].type) or read[name].type == parameter.annotation, name
        assert read[name].help, name
