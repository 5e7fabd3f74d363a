"""An experiment whose values are of another kind gets one line that names the key."""

import numpy as np
import pytest

from acr_lightning.chain.experiment_file import load
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("run", 5, r"run: Expected str, or null\. Got value: 5"),
        ("dataset", "Shapes", r"dataset: Expected dict, or null\. Got value: Shapes"),
        ("from", [1], r"from: Expected dict"),
        ("from.fit", 5, r"from: Expected str"),
        ("stages", [["fit"]], r"stages: Expected str"),
        ("seed", -1, r"seed: Expected int, 0 to 4294967295\. Got value: -1"),
        ("seed", 99999999999, r"seed: Expected int, 0 to 4294967295"),
        ("seed", True, r"seed: Expected int, 0 to 4294967295"),
        ("fit", 5, r"fit: Expected dict, or null\. Got value: 5"),
        (
            "fit.model.classifier",
            {"class_path": 5},
            r"fit\.model\.classifier\.class_path: expected the name",
        ),
        ("fit.model.srf", {"class_path": "../.."}, r"fit\.model\.srf\.class_path: expected the name of a class"),
        ("fit.model", {"class_path": "ACR", "init_args": []}, r"fit\.model\.init_args: expected arguments by name"),
        (
            "fit.trainer",
            {"callbacks": [{"class_path": None}]},
            r"fit\.trainer\.callbacks\.0\.class_path: expected",
        ),
        ("label.refiner", {"class_path": ""}, r"label\.refiner\.class_path: expected the name of a class, got ''"),
    ],
)
def test_a_value_of_another_kind_is_named(key, value, said):
    with pytest.raises(UserError, match=f"^command line: {said}"):
        load(CHAIN, None, {key: value})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("fit.data", 5, r"fit\.data: expected a mapping, got '5'"),
        ("cam.trainer", [], r"cam\.trainer: expected a mapping"),
    ],
)
def test_a_part_of_a_section_is_a_mapping(key, value, said):
    experiment = load(CHAIN, None, {key: value})
    with pytest.raises(UserError, match=f"^{said}"):
        experiment.section(key.partition(".")[0])


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_a_seed_is_any_that_numpy_takes(seed):
    np.random.default_rng(seed)
    assert load(CHAIN, None, {"seed": seed}).values["seed"] == seed


@pytest.mark.parametrize("base", ["5", "[voc.yaml]", "{a: b}", "true"])
def test_a_base_that_is_no_text(tmp_path, base):
    (tmp_path / "mine.yaml").write_text(f"base: {base}\n")
    with pytest.raises(UserError, match=r"mine\.yaml: base: expected the name of an experiment file"):
        load(CHAIN, str(tmp_path / "mine.yaml"), {})
