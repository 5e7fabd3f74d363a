"""What is found before a stage starts, of the real stages."""

import dataclasses
import inspect
import sys

import pytest
from jsonargparse import ArgumentParser

from acr_lightning.chain.check import check
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.trainer_section import build, typed_values
from acr_lightning.classes.argument_names import argument_names
from acr_lightning.classes.class_names import SHORT, import_class
from acr_lightning.cli.stage_help import add_class, print_help
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN


@pytest.fixture
def experiment(shapes_root, tmp_path):
    scenes = {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    small = {
        "run": str(tmp_path / "run"),
        "dataset": {"class_path": "Shapes", "init_args": scenes},
        "fit.model": {"classifier": {"backbone": "test_resnet"}, "reconstructor": {"depth": 3, "stride": 2}},
        "fit.data": {"crop": 48, "batch_size": 8},
        "fit.trainer": {"accelerator": "cpu", "devices": 1},
        "segment.model": {"backbone": "test_resnet", "rates": [1, 2]},
        "segment.trainer": {"accelerator": "cpu", "devices": 1},
    }
    return lambda **values: load(CHAIN, None, {**small, **values})


STAGES = ["fit", "cam", "label", "segment"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fit.model.optimizer.lrr": 1.0}, r"fit\.model\.optimizer\.lrr: no such key\. Did you mean 'lr'"),
        ({"fit.model.srf.grit": 1}, r"fit\.model\.srf\.grit: no such key\. Did you mean 'grid'"),
        ({"fit.trainer.callbacks": [{"class_path": "ChanelsLast"}]}, r"callbacks\[0\]: no class 'ChanelsLast'"),
        ({"fit.seed_everything": 3}, r"fit\.seed_everything: no such key\. Known: seed, model, data, trainer"),
        ({"fit.trainer.max_epoch": 3}, r"fit\.trainer\.max_epoch: no such key\. Did you mean 'max_epochs'"),
        ({"fit.model.reconstructor.dept": 3}, r"fit\.model\.reconstructor\.dept: no such key\. Did you mean 'depth'"),
        (
            {"fit.trainer.callbacks": [{"class_path": "Compile", "init_args": {"mod": ""}}]},
            r"callbacks\[0\]\.mod: no such",
        ),
        ({"label.workers": 0}, r"label\.workers: Expected int above 0, or null\. Got value: 0$"),
        ({"label.threshold": "autto"}, r"label\.threshold: .* Did you mean 'auto'"),
        ({"label.workrs": 1}, r"label\.workrs: no such key\. Did you mean 'workers'"),
        ({"dataset.root": 5}, r"dataset\.root: Expected .*\. Got value: 5"),
        ({"dataset.num_train": "x"}, r"dataset\.num_train: Expected int.*\. Got value: x"),
        ({"dataset.rot": "x"}, r"dataset\.rot: no such key\. Did you mean 'root'"),
    ],
)
def test_names_are_checked_without_torch(experiment, values, message):
    with pytest.raises(UserError, match=message):
        check(experiment(**values), STAGES)
    check(experiment(), [*STAGES, "evaluate", "report"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fit.data.crop": 40}, r"fit\.data\.crop: 40 is not a multiple of 16; change crop"),
        ({"fit.model.step.micro_batches": 3}, r"fit\.model\.step\.micro_batches: the 8 photos of a device cannot"),
        ({"fit.model.strategy": "adverserial"}, r"fit\.model\.strategy: .* Did you mean 'adversarial'"),
        ({"fit.trainer.precision": "16-mixd"}, r"fit\.trainer\.precision: .* Did you mean '16-mixed'"),
        ({"fit.data.batch_size": -4}, r"fit\.data\.batch_size: Expected int above 0\. Got value: -4$"),
        ({"fit.data.num_workers": -1}, r"fit\.data\.num_workers: Expected int, 0 or more\. Got value: -1$"),
        ({"cam.data.photos_per_pass": 0}, r"cam\.data\.photos_per_pass: Expected int above 0\. Got value: 0$"),
        (
            {"fit.model": {"class_path": "Plain", "init_args": {}}, "fit.model.classifier": None},
            r"fit\.model.*classifier",
        ),
    ],
)
def test_values_and_sizes(experiment, values, message):
    with pytest.raises(UserError, match=message):
        check(experiment(**values), STAGES, thorough=True, build=True)
    check(experiment(**{"fit.data.crop": 40, "fit.model.strategy": "baseline"}), ["fit"], thorough=True)  # no decoder


WARM_UP = {"fit.model.classifier_epochs": 2, "fit.model.reconstructor_epochs": 1}
AEFT = {"class_path": "AEFT", "init_args": {"classifier": {"backbone": "test_resnet"}, "triplet": {"start": 3}}}


@pytest.mark.parametrize(
    ("values", "after", "harmless"),
    [
        (
            WARM_UP, r"fit\.model\.classifier_epochs \(2\) and fit\.model\.reconstructor_epochs \(1\)",
            {"fit.model.strategy": "baseline"},
        ),
        ({**WARM_UP, "fit.model.strategy": "pretrained"}, r"fit\.model\.classif", {"fit.trainer.max_epochs": 4}),
        ({"fit.model": AEFT}, r"fit\.model\.triplet\.start \(3\)", {"fit.model.triplet.start": 2}),
        (WARM_UP, r"fit\.model\.classifier_epochs", {"fit.trainer.max_epochs": -1}),
        (WARM_UP, r"fit\.model\.classifier_epochs", {"fit.trainer.max_epochs": None}),
    ],
)  # fmt: skip
def test_a_training_that_ends_before_its_method_begins(experiment, values, after, harmless):
    values = {"fit.trainer.max_epochs": 3, **values}
    message = rf"fit\.trainer\.max_epochs: 3 epochs end before the method's own loss counts, after {after}"
    with pytest.raises(UserError, match=message):
        check(experiment(**values), ["fit"], thorough=True)
    check(experiment(**{**values, **harmless}), ["fit"], thorough=True)


@pytest.mark.parametrize(("stage", "devices", "photos"), [("fit", 3, 8), ("segment", 4, 10)])
def test_a_batch_that_devices_cannot_share(experiment, stage, devices, photos):
    section = experiment(**{f"{stage}.trainer": {"accelerator": "cpu", "devices": devices}}).section(stage)
    section["data"]["init_args"]["labels"] = "masks"
    if stage == "fit":
        del section["data"]["init_args"]["labels"]
    with pytest.raises(
        UserError, match=rf"{stage}\.data\.batch_size: {photos} photos cannot be shared evenly by {devices}"
    ):
        build(section, stage)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"fit.model": {"class_path": "Shapes", "init_args": {}}},
            r"fit\.model: .*\.Shapes does not correspond to .* LightningModule",
        ),
        ({"fit.trainer.accelerator": "gpuu"}, r"fit\.trainer: .*gpuu"),
        ({"fit.trainer.accelerator": "cpu", "fit.trainer.devices": [0]}, r"fit\.trainer: .*devices"),
    ],
)
def test_kinds_and_devices(experiment, values, message):
    with pytest.raises(UserError, match=message):
        check(experiment(**values), STAGES, thorough=True, build=True)


def test_networks_are_built_before_a_run_that_would_come_to_them_in_hours(experiment):
    wrong = experiment(**{"segment.model.weights": "/nowhere.pth"})
    names = ["fit", "cam", "label", "segment"]
    check(wrong, names, thorough=True)
    with pytest.raises((UserError, ValueError)) as raised:
        check(wrong, names, thorough=True, build=True)
    assert "no file /nowhere.pth" in str(raised.getrepr(chain=True))


def test_a_data_set_of_another_kind(experiment):
    with pytest.raises(UserError, match=r"dataset: 'pathlib\.Path' is no TaggedDataset"):
        experiment(dataset={"class_path": "pathlib.Path", "init_args": {}}).dataset()


def test_a_users_own_class_keeps_the_wiring_that_it_takes(experiment, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from acr_lightning.cam.cam_inference import CamInference\n\n\n"
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


OUTSIDE = """
from typing import Any

from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.data.shapes import Shapes
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.methods.plain.module import Plain
from acr_lightning.nets.classifier import Classifier

BATCH = 4


class Crops(TaggedCrops):
    def __init__(self, dataset: TaggedDataset, batch_size: int = BATCH, crop: int = 3 * 2**BATCH) -> None:
        super().__init__(dataset, crop=crop, batch_size=batch_size)


class Scenes(Shapes):
    def __init__(self, colour: str = "red", **kwargs: Any) -> None:
        super().__init__(**kwargs)


class HandingOn(Plain):
    def __init__(self, classifier: Classifier, rate: float = 1.0, **kwargs: Any) -> None:
        super().__init__(classifier, **kwargs)


class Taking(Plain):
    def __init__(self, classifier: Classifier, **kwargs: Any) -> None:
        super().__init__(classifier)
        if kwargs:
            raise TypeError(f"unexpected: {kwargs}")


class Taught(Plain):
    def __init__(self, classifier: Classifier, teacher: Classifier) -> None:
        super().__init__(classifier)
        self.teacher = teacher
"""


@pytest.fixture
def outside(experiment, tmp_path, monkeypatch):
    (tmp_path / "outside.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name, **values: experiment(**{"fit.model": {"class_path": f"outside.{name}"}, **values})
    sys.modules.pop("outside", None)
    argument_names.cache_clear()


@pytest.mark.parametrize("name", ["HandingOn", "Taking"])
def test_an_own_method_with_any_keywords_inherits_what_it_takes(outside, name):
    backbone = {"fit.model.classifier.backbone": "test_resnet"}
    mine = outside(name, **backbone)
    assert set(mine.section("fit")["model"]["init_args"]) == {"classifier"}  # no reconstructor
    check(mine, ["fit"], thorough=True, build=True)
    if name == "HandingOn":
        faster = outside(name, **backbone, **{"fit.model.optimizer.lr": 0.5, "fit.model.rate": 2.0})
        check(faster, ["fit"], thorough=True, build=True)
        with pytest.raises(UserError, match=r"fit\.model\.optimiser: no such key\. Did you mean 'optimizer'"):
            check(outside(name, **backbone, **{"fit.model.optimiser": {}}), ["fit"])


def test_defaults_that_are_names_or_computed(outside):
    values = outside("HandingOn", **{"fit.data": {"class_path": "outside.Crops", "init_args": {}}})
    data = typed_values(values.section("fit"), "fit")["data"]
    assert (data["batch_size"], data["crop"]) == (4, 48)
    parser = ArgumentParser()
    add_class(parser, {"class_path": "outside.Scenes"}, "dataset")
    assert (parser.get_defaults()["dataset.num_classes"], parser.get_defaults()["dataset.colour"]) == (4, "red")


def test_every_classifier_of_an_own_method_knows_the_classes(outside):
    classifier = {"class_path": "CamClassifier", "init_args": {"backbone": "test_resnet"}}
    pair = outside("Taught", **{"fit.model.init_args": {"classifier": classifier, "teacher": classifier}})
    built = build(pair.section("fit"), "fit")
    assert built.model.teacher.num_classes == built.model.classifier.num_classes == 4


def parameters_of(target):
    """By name; where a class hands on `**kwargs`, those of the class above, too."""
    named = {}
    for kind in target.__mro__:
        _, *parameters = inspect.signature(kind.__init__).parameters.values()
        plain = {one.name: one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
        named |= {name: one for name, one in plain.items() if name not in named}
        if all(one.kind != one.VAR_KEYWORD for one in parameters):
            break
    return named


@pytest.mark.parametrize("path", [*SHORT, "lightning.pytorch.Trainer"])
def test_names_and_defaults_are_those_of_the_classes(path):
    """What is read from sources, and what `--help` shows, against Python's own word."""
    parameters = parameters_of(import_class(path, "x", object))
    assert argument_names(path, "x")[:2] == ((*parameters,), False)
    parser = ArgumentParser()
    add_class(parser, {"class_path": path}, "x")
    shown = parser.get_defaults()
    for name in parameters:
        default = parameters[name].default
        if dataclasses.is_dataclass(default):
            shown_value, default = shown[f"x.{name}"], dataclasses.asdict(default)
            fields = getattr(shown_value, "as_dict", lambda value=shown_value: value)()
            assert fields.get("init_args", fields) == default, name
        elif isinstance(default, type) and default is not inspect.Parameter.empty:
            assert shown[f"x.{name}"].class_path == f"{default.__module__}.{default.__name__}", name
        elif default is not inspect.Parameter.empty:
            assert shown[f"x.{name}"] == default, name


def test_help_shows_every_value_of_a_section(experiment, capsys):
    print_help(experiment(**{"fit.model.reconstructor.depth": 5, "fit.trainer.max_epochs": 7}), "fit")
    text = " ".join(capsys.readouterr().out.split())
    for line in (
        "--model.classifier.backbone BACKBONE a timm CNN or ViT, or `resnet38d`. (type: str, default: test_resnet)",
        "--model.reconstructor.depth DEPTH", "default: 5)", "--trainer.max_epochs", "default: 7)",
        "--data.batch_size", "--model.optimizer.lr LR of pretrained weights. (type: float, default: 0.01)",
    ):  # fmt: skip
        assert line in text
    assert "configuration file" not in text
    assert ".help" not in text
    assert "--model.classifier.num_classes" not in text
    print_help(experiment(), "label")
    assert "--threshold THRESHOLD background score" in " ".join(capsys.readouterr().out.split())
