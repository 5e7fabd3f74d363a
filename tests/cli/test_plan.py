"""Plans: what is checked before the first run, and where each run lies."""

import itertools
import json
import re
import sys

import pytest
import yaml
from commands import here

from acr_lightning.cli import plan as plans
from acr_lightning.cli.plan import as_folder

ABLATION = {
    "base": "demo.yaml", "run": "out", "seeds": [0, 1], "stages": ["fit", "cam"],
    "common": {"fit.trainer.max_epochs": 1},
    "tables": {"Strategy": {"control": {"fit.model.strategy": "baseline"}, "ACR": {}}},
}  # fmt: skip
BENCHMARK = {
    "run": "out", "seeds": [0, 1], "stages": ["fit", "cam"],
    "datasets": {"scenes": {"base": "demo.yaml", "dataset.size": 32}},
    "methods": {"plain": {"fit.model.strategy": "baseline"}, "ACR": None},
    "common": {"fit.trainer.max_epochs": 1},
}  # fmt: skip
PLANS = {"ablation": ABLATION, "benchmark": BENCHMARK}
CODE = "acr 1, commit 1"


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """The one line that refuses a plan; no run is begun."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plans, "code", lambda: CODE)
    monkeypatch.setattr(plans, "way_to_start", lambda: pytest.fail("the plan passed"))

    def start(command, plan, *words):
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
        assert here(command, "--config", "plan.yaml", *words) == 2
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1, said
        assert sorted(path.name for path in tmp_path.iterdir() if path.name != "out") == ["plan.yaml"]
        return said

    return start


@pytest.fixture
def folders(tmp_path, monkeypatch, capsys):
    """The folders of the runs that a plan begins, below its own; none is done."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plans, "code", lambda: CODE)

    def start(command, plan, *words):
        begun = []
        monkeypatch.setattr(plans, "way_to_start", lambda: lambda words, work: begun.append(work.keywords["run"]) or 0)
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
        here(command, "--config", "plan.yaml", *words)
        capsys.readouterr()
        return [run.removeprefix("out/") for run in begun]

    return start


def ablation(**variants):
    return {**ABLATION, "seeds": [0], "tables": {"one": variants}}


def benchmark(*methods):
    return {**BENCHMARK, "seeds": [0], "methods": {method: {} for method in methods}}


def test_the_plans_themselves_begin_their_runs(folders):
    assert folders("ablation", ABLATION) == [
        "fit.model.strategy=baseline-seed0", "fit.model.strategy=baseline-seed1", "base-seed0", "base-seed1",
    ]  # fmt: skip
    assert folders("benchmark", BENCHMARK) == [
        f"scenes/{method}-seed{seed}" for seed in (0, 1) for method in ("plain", "ACR")
    ]


# What is of another kind, by key.
VALUES = [3, "x", 1.5, True, ["fit"], {1: 2}, {None: 2}, {"a\nb": 2}, {"seed": 3}, {"run": "x"}, {"stages": ["fit"]}]
WRONG = {
    "base": [3, 1.5, True, ["demo.yaml"], {"a": 1}, "a\nb", "a\0b"],
    "run": [3, 1.5, True, ["out"], {"a": 1}, "a\nb", "a\0b"],
    "seeds": [3, "0,1", {0: 1}, [-1], [1.5], [True], ["1"], [None], [[0]], [{}], [0, 0], [1, 0, 1]],
    "stages": [3, "fit", "fit,cam", {"fit": 1}, [1], [None], [["fit"]], [{}]],
    "common": VALUES,
}
# These, a variant's and a method's are known to be wrong by the experiment.
KEYS = [{"fit.model.sfr": None}, {"fit.model.srf": 3}, {"fit": 3}, {"fit.trainer.max_epochs": "soon"}, {"fit": {1: 2}}]
NAMES = [1, 1.5, None, True, "", " ", "..", "a\nb", "a\u2028b", "a\x1bb", "a\0b", "n" * 101]
TABLES = {
    "tables": [
        3,
        "x",
        1.5,
        True,
        ["one"],
        *({name: {"a": {}}} for name in NAMES),
    ],
    "tables.one": [3, "x", 1.5, True, ["one"], {}, None, *({name: {}} for name in NAMES)],
    "tables.one.ACR": [*VALUES, *KEYS],
}
METHODS = {
    "datasets": [3, "x", 1.5, True, ["one"], *({name: {"base": "demo.yaml"}} for name in NAMES)],
    "datasets.one": [
        3,
        "x",
        None,
        True,
        ["a"],
        {},
        {"bsae": "demo.yaml"},
        {"base": 3},
        {"base": None},
        {"base": ["a"]},
    ],
    "methods": [3, "x", 1.5, True, ["one"], *({name: {}} for name in NAMES)],
    "methods.one": [*VALUES, *KEYS, {"from.fit": "{gone}"}],
}


def with_value(plan, key, value):
    first, *rest = key.split(".")
    for part in reversed(rest):
        value = {part: value}
    return {**plan, first: value}


CASES = [
    (command, key, value)
    for command, own in (("ablation", TABLES), ("benchmark", METHODS))
    for key, values in {**WRONG, **own}.items()
    for value in values
    if key in own or key in PLANS[command]
]


@pytest.mark.parametrize(("command", "key", "value"), CASES, ids=lambda value: repr(value)[:40])
def test_a_value_of_another_kind_is_named(refused, command, key, value):
    said = refused(command, with_value(PLANS[command], key, value))
    assert re.match(rf"acr {command}: plan\.yaml: ({key}|line \d+: the key .* is no text)", said), said


@pytest.mark.parametrize("command", PLANS)
@pytest.mark.parametrize("key", [1, None, True, "tabels", "a\nb", ""])
def test_a_key_that_no_plan_has(refused, command, key):
    said = refused(command, {**PLANS[command], key: {}})
    assert re.search(
        r"plan\.yaml: (expected keys that are text|.* is no text|tabels: no such key\.|: no such key\.)", said
    )


@pytest.mark.parametrize(("command", "key"), [(command, key) for command, plan in PLANS.items() for key in plan])
@pytest.mark.parametrize("value", [None, "", [], {}])
def test_nothing_is_named(refused, folders, command, key, value):
    plan = {**PLANS[command], key: value}
    if key == "common" and value in (None, {}):
        assert len(folders(command, plan)) == 4
    else:
        assert re.search(f"plan.yaml: {key}( is missing or empty|: expected)", refused(command, plan))


def test_a_typo_in_the_last_run_is_found_first(refused):
    tables = {**ABLATION["tables"], "Terms": {"both": {}, "last": {"fit.modle.srf": None}}}
    said = refused("ablation", {**ABLATION, "tables": tables})
    assert said.startswith("acr ablation: plan.yaml: tables.Terms.last, seed 0: fit.modle: no such key. Did you mean")
    assert "stages: no stage 'cma'. Did you mean 'cam'?" in refused("ablation", {**ABLATION, "stages": ["fit", "cma"]})
    assert "tables.Strategy.control, seed 0: gone.yaml: no such" in refused(
        "ablation", {**ABLATION, "base": "gone.yaml"}
    )
    methods = {**BENCHMARK["methods"], "last": {"fit.model.strategy": "adverserial"}}
    assert "methods.last on datasets.scenes, seed 0: fit.model.strategy: Expected one of" in refused(
        "benchmark", {**BENCHMARK, "methods": methods}
    )


@pytest.mark.parametrize("command", PLANS)
def test_all_runs_with_one_seed_are_refused(refused, folders, command):
    assert "command line: seed: the plan sets it" in refused(command, PLANS[command], "--seed=7")
    assert {run[-5:] for run in folders(command, PLANS[command], "--seeds=[7]")} == {"seed7"}


# Different values, at the same key or at keys that end alike.
DIFFERENT = [
    {}, {"fit.model.optimizer.lr": 0.05}, {"segment.model.optimizer.lr": 0.05},
    {"fit.model.optimizer.weight_decay": 0.05},
    {"fit.model.optimizer.lr": 0.05, "fit.model.optimizer.weight_decay": 0.05}, {"fit.model.optimizer": {"lr": 0.05}},
    {"label.refiner": "1"}, {"label.refiner": 1}, {"label.refiner": 1.0}, {"label.refiner": True},
    {"label.refiner": "true"}, {"label.refiner": None}, {"label.refiner": "null"}, {"label.refiner": ""},
    {"label.refiner": "none"}, {"label.refiner": "None"}, {"label.refiner": "a/b"}, {"label.refiner": "a_b"},
    {"label.refiner": "../a"}, {"label.refiner": "a\nb"}, {"label.refiner": "a b"}, {"label.refiner": [1]},
    {"label.refiner": ["1"]}, {"label.refiner": {"a": 1}}, {"label.refiner": "{a: 1}"}, {"label.refiner": "n" * 300},
    {"label.refiner": "n" * 299}, {"label.refiner": "é" * 120}, {"label.refiner": "e\u0301" * 120},
    {"label.refiner": "a-label.smoothing=b"}, {"label.refiner": "a", "label.smoothing": "b"},
]  # fmt: skip


def test_different_values_lie_apart(folders, monkeypatch):
    monkeypatch.setattr(plans, "check", lambda *arguments: None)  # not all of them are a refiner's
    runs = folders("ablation", ablation(**{f"variant {number}": own for number, own in enumerate(DIFFERENT)}))
    assert len(set(runs)) == len(DIFFERENT)
    assert runs[:2] == ["base-seed0", "fit.model.optimizer.lr=0.05-seed0"]
    assert "label.refiner=none-seed0" in runs
    assert all(re.fullmatch(r"[\w.+=-]{1,200}", run, re.ASCII) for run in runs)


def test_different_names_lie_apart(folders):
    methods = ["ACR", "ACR+", "OC-CSE", "OC CSE", "a/b", "a\\b", "../x", "/tmp/x", ".x", "Größe", "x" * 100, "v1.0"]
    runs = folders("benchmark", benchmark(*methods))
    assert len(set(runs)) == len(methods)
    assert runs[:3] == ["scenes/ACR-seed0", "scenes/ACR+-seed0", "scenes/OC-CSE-seed0"]
    assert all(re.fullmatch(r"scenes/[\w+-][\w.+-]{1,200}", run, re.ASCII) for run in runs)


def test_the_same_values_are_one_run(folders):
    tables = {"one": {"a": {"fit.model.srf": None}, "b": {}}, "two": {"c": None, "d": {"fit.model.srf": None}}}
    runs = folders("ablation", {**ABLATION, "seeds": [5], "tables": tables})
    assert runs == ["fit.model.srf=null-seed5", "base-seed5"]


def test_two_runs_in_one_folder_are_refused(refused, folders, monkeypatch):
    both = benchmark("ACR", "acr")
    assert folders("benchmark", both) == ["scenes/ACR-seed0", "scenes/acr-seed0"]
    monkeypatch.setattr(sys, "platform", "darwin")  # where both are one folder
    said = refused("benchmark", both)
    assert "methods.ACR on datasets.scenes, seed 0 and methods.acr on datasets.scenes, seed 0 would share" in said
    monkeypatch.setattr("acr_lightning.cli.ablation.as_folder", lambda *parts: "same")
    said = refused("ablation", ablation(ACR={}, control={"fit.model.strategy": "baseline"}))
    assert "tables.one.ACR, seed 0 and tables.one.control, seed 0 would share the folder out/same-seed0" in said


def test_a_digest_is_of_all_parts():
    texts = ["a b", "a  b", "a", "b"]
    names = [as_folder(*parts) for count in (1, 2) for parts in itertools.product(texts, repeat=count)]
    assert len(set(names)) == len(names)


def test_another_runs_stage_is_not_done_again(refused, folders):
    """A stage that an earlier run of the plan will have done may be read; one that nobody does may not."""
    methods = {"plain": {}, "again": {"from": {"fit": "{plain}"}}, "flat": {"from.fit": "{plain}"}}
    assert folders("benchmark", {**BENCHMARK, "seeds": [0], "methods": methods})[1] == "scenes/again-seed0"
    labels = {**BENCHMARK, "stages": ["label"], "methods": {"plain": {"from.cam": "gone"}}}
    assert "label: needs the stage cam, which is not done in gone" in refused("benchmark", labels)
    nothing = {**BENCHMARK, "stages": ["fit"], "methods": {"plain": {}, "again": {"from.fit": "{plain}"}}}
    assert "methods.again on datasets.scenes, seed 0: nothing is left to do" in refused("benchmark", nothing)


def done(run, **entries):
    """A manifest of a stage of a run."""
    run.mkdir(parents=True)
    (run / "manifest.json").write_text(json.dumps({"status": "done", **entries}))


@pytest.mark.parametrize("entries", [{"code": "acr 1, commit 0"}, {}])
def test_runs_of_other_code_are_refused(refused, folders, tmp_path, entries):
    run = tmp_path / "out" / "base-seed1"
    done(run / "fit", code=CODE)
    done(run / "report")  # no stage of the plan's
    assert len(folders("ablation", ABLATION)) == 4
    done(run / "cam", **entries)
    said = refused("ablation", ABLATION)
    assert f"this is {CODE}, but there is out/base-seed1 ({entries.get('code', 'unknown code')})" in said
    assert "remove or move these folders to make them again, or give another --run" in said
    assert len(folders("ablation", ABLATION, "--run=other")) == 4


def test_an_older_result_that_was_put_back_is_not_tabulated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plans, "code", lambda: CODE)

    def start(words, work):
        done(tmp_path / work.keywords["run"] / "fit", code="acr 0")
        return 0

    monkeypatch.setattr(plans, "way_to_start", lambda: start)
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(ablation(ACR={})))
    assert here("ablation", "--config", "plan.yaml") == 2
    assert "out/base-seed0 (acr 0)" in capsys.readouterr().err
