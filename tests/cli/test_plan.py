"""Plans: what is checked before the first run, which runs there are, and where each lies."""

import json
import re
from pathlib import Path

import pytest
import yaml
from commands import here

from acr_lightning.chain.experiment_file import load, shipped_configs
from acr_lightning.cli import compare as command
from acr_lightning.data.id_list import shipped
from acr_lightning.errors import UserError
from acr_lightning.plans.plan import Cell, as_folder, cells_of, read_plan
from acr_lightning.stages.chain import CHAIN

CODE = "acr 2, commit 1"
PLAN = {
    "run": "out", "seeds": [0, 1], "stages": ["fit", "cam"],
    "common": {"fit.trainer.max_epochs": 1, "fit.model.classifier_epochs": 0, "fit.model.reconstructor_epochs": 0},
    "datasets": {"scenes": {"base": "demo.yaml", "dataset.size": 32}},
    "tables": {"Strategy": {"control": {"fit.model.strategy": "baseline"}, "ACR": None}},
}  # fmt: skip


def begins(run):
    """A way to start the runs alone, not the thorough check that they come after."""
    return lambda: lambda words: 0 if "--check" in words else run(words)


def folder_of(words):
    """Where a command's run goes."""
    return next(word for word in words if word.startswith("--run=")).removeprefix("--run=")


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """The one line that refuses a plan; no run is begun."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "code", lambda: CODE)
    monkeypatch.setattr(
        command, "way_to_start", lambda: lambda words: here(*words) if "--check" in words else pytest.fail("it passed")
    )

    def start(plan, *words):
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
        assert here("compare", "--config", "plan.yaml", *words) == 2
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1, said
        assert sorted(path.name for path in tmp_path.iterdir() if path.name != "out") == ["plan.yaml"]
        return said

    return start


@pytest.fixture
def folders(tmp_path, monkeypatch, capsys):
    """The folders of the runs that a plan begins, below its own; none is done."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "code", lambda: CODE)

    def start(plan, *words):
        begun = []
        monkeypatch.setattr(command, "way_to_start", begins(lambda words: begun.append(folder_of(words)) or 0))
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
        assert here("compare", "--config", "plan.yaml", *words) == 2
        assert "no run has a score" in capsys.readouterr().err
        return [run.removeprefix("out/") for run in begun]

    return start


@pytest.fixture
def cells(tmp_path):
    """The runs that a plan asks for."""

    def read(plan, **values):
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
        return cells_of(read_plan(tmp_path / "plan.yaml", values), tmp_path / "plan.yaml")

    return read


def one_table(**variants):
    return {**PLAN, "seeds": [0], "tables": {"one": variants}}


def test_the_plan_itself_begins_its_runs(folders):
    assert folders(PLAN) == [f"scenes/{variant}-seed{seed}" for seed in (0, 1) for variant in ("control", "ACR")]


# What is of another kind, by key.
VALUES = [3, "x", 1.5, True, ["fit"], {1: 2}, {None: 2}, {"a\nb": 2}, {"seed": 3}, {"run": "x"}]
# These are known to be wrong by the experiment.
KEYS = [{"fit.model.sfr": None}, {"fit.model.srf": 3}, {"fit": 3}, {"fit.trainer.max_epochs": "soon"}, {"fit": {1: 2}}]
NAMES = [1, 1.5, None, True, "a\nb", "a\u2028b", "a\x1bb", "a\0b"]
WRONG = {
    "run": [3, 1.5, True, ["out"], {"a": 1}],
    "seeds": [3, "0,1", {0: 1}, [-1], [1.5], [True], [None], [[0]], [{}]],
    "stages": [3, "fit", "fit,cam", {"fit": 1}, [1], [None], [["fit"]], [{}]],
    "common": [*VALUES, {"stages": ["fit"]}],
    "datasets": [3, "x", 1.5, True, ["one"], *({name: {"base": "demo.yaml"}} for name in NAMES)],
    "datasets.one": [
        3, "x", None, True, ["a"], {}, {"bsae": "demo.yaml"}, {"base": 3}, {"base": None}, {"base": ["a"]},
        {"base": "demo.yaml", "seed": 3},
    ],
    "tables": [3, "x", 1.5, True, ["one"], *({name: {"a": {}}} for name in NAMES)],
    "tables.one": [3, "x", 1.5, True, ["one"], None, *({name: {}} for name in NAMES)],
    "tables.one.ACR": [
        *VALUES, *KEYS, {"from.fit": "{gone}"}, {"stages": ["cma"]}, {"stages": "fit"}, {"stages": [{}]},
    ],
}  # fmt: skip


def with_value(plan, key, value):
    first, *rest = key.split(".")
    for part in reversed(rest):
        value = {part: value}
    return {**plan, first: value}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key in WRONG for value in WRONG[key]], ids=lambda value: repr(value)[:40]
)
def test_a_value_of_another_kind_is_named(refused, key, value):
    said = refused(with_value(PLAN, key, value))
    kinds = "|".join((key.partition(".")[0], "tables", r"line \d+: the key .* is no text"))
    assert re.match(rf"acr compare: plan\.yaml: ({kinds})", said), said


@pytest.mark.parametrize("key", [1, None, True, "tabels", "a\nb", ""])
def test_a_key_that_no_plan_has(refused, key):
    said = refused({**PLAN, key: {}})
    assert re.search(r"plan\.yaml: (.* is no text|(tabels)?: no such key\.)", said)


@pytest.mark.parametrize("key", PLAN)
@pytest.mark.parametrize("value", [None, [], {}])
def test_nothing_is_named(refused, folders, key, value):
    plan = {**PLAN, key: value}
    if key == "common" and value in (None, {}):
        assert len(folders(plan)) == 4
    else:
        assert re.search(f"plan.yaml: ({key}: Expected|{key} is missing|asks for no run)", refused(plan))


def test_a_typo_in_the_last_run_is_found_first(refused):
    tables = {**PLAN["tables"], "Terms": {"both": {}, "last": {"fit.modle.srf": None}}}
    said = refused({**PLAN, "tables": tables})
    place = "acr compare: plan.yaml: tables.Terms.last on datasets.scenes, seed 0"
    assert said.startswith(f"{place}: fit.modle: no such key. Did you mean")
    tables["Terms"]["last"] = {"fit.model.strategy": "adverserial"}
    assert refused({**PLAN, "tables": tables}).startswith(f"{place}: fit.model.strategy: Expected one of")
    assert "stages: no stage 'cma'. Did you mean 'cam'?" in refused({**PLAN, "stages": ["fit", "cma"]})
    datasets = {**PLAN["datasets"], "more": {"base": "gone.yaml"}}
    said = refused({**PLAN, "datasets": datasets})
    assert "tables.Strategy.control on datasets.more, seed 0: gone.yaml: no such" in said


def test_all_runs_with_one_seed_are_refused(refused, folders):
    assert "seed: the plan sets it" in refused(PLAN, "--seed=7")
    assert {run[-5:] for run in folders(PLAN, "--seeds=[7]")} == {"seed7"}


@pytest.mark.parametrize("name", ["comparison.md", "comparison.csv", "comparison.html"])
def test_a_table_that_could_not_be_written_is_refused(refused, tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("somebody's own")
    assert f"out/{name}: is there and is not" in refused(PLAN)


def test_names_are_folders_and_those_that_would_share_one_are_refused(refused, folders):
    names = ["ACR", "ACR+", "OC-CSE", "OC CSE", "../x", "/tmp/y", ".x1", "Größe", "x" * 100, "v1.0"]
    runs = folders(one_table(**dict.fromkeys(names)))
    assert len(set(runs)) == len(names)
    assert runs[:4] == ["scenes/ACR-seed0", "scenes/ACR+-seed0", "scenes/OC-CSE-seed0", "scenes/OC_CSE-seed0"]
    assert all(re.fullmatch(r"scenes/[\w+-]{1,200}", run, re.ASCII) for run in runs)
    assert as_folder("comparison.md") == "comparison_md"  # none is one of the tables' files
    assert "tables.one.a/b on datasets.scenes, seed 0 and tables.one.a b on" in refused(
        one_table(**{"a/b": {}, "a b": {"fit.model.srf": None}})
    )


def test_a_variant_of_two_tables_is_one_run(refused, folders):
    tables = {"one": {"a": {"fit.model.srf": None}, "b": {}}, "two": {"b": None, "a": {"fit.model.srf": None}}}
    plan = {**PLAN, "seeds": [5], "tables": tables}
    assert folders(plan) == ["scenes/a-seed5", "scenes/b-seed5"]
    tables["two"]["a"] = {"fit.model.srf": {}}
    assert "tables.one.a on datasets.scenes, seed 5 and tables.two.a on datasets.scenes, seed 5 would" in refused(plan)


# Python takes some of them for equal.
@pytest.mark.parametrize("values", [(1, True), (1, 1.0), ("1", 1), ("null", None), ("true", True)])
def test_other_values_are_another_run(refused, monkeypatch, values):
    monkeypatch.setattr(command, "check_stages", lambda *arguments: None)  # not all of them are a refiner
    one, two = ({"ACR": {"label.refiner": value}} for value in values)
    assert "would share the folder out/scenes/ACR-seed0" in refused({**PLAN, "tables": {"one": one, "two": two}})


def test_two_runs_in_one_folder_are_refused(refused):
    """On some disks both are one folder."""
    said = refused(one_table(ACR={}, acr={}))
    assert "tables.one.ACR on datasets.scenes, seed 0 and tables.one.acr on datasets.scenes, seed 0 would share" in said


BEGUN = {
    "plain": {"fit.model": {"class_path": "Plain", "init_args": {}}},
    "OC-CSE": {"fit.model": {"class_path": "OCCSE", "init_args": {"ordinary": "{plain}"}}},
    "AdvCAM": {"from.fit": "{OC-CSE}"},
    "AdvCAM again": {"from": {"fit": "{OC-CSE}"}},
}


def test_every_run_is_told_all_its_values(cells):
    plan = {**PLAN, "datasets": {"Own photos": PLAN["datasets"]["scenes"]}, "tables": {"Methods": BEGUN}}
    made = cells(plan, **{"dataset.seed": 7})
    assert len(made) == 8
    plain = "out/Own_photos/plain-seed0"
    assert made[1] == Cell(
        "Methods", "Own photos", "OC-CSE", "demo.yaml",
        {
            "run": "out/Own_photos/OC-CSE-seed0", "seed": 0, "stages": ["fit", "cam"],
            "dataset.size": 32, **PLAN["common"], "dataset.seed": 7,
            "fit.model": {"class_path": "OCCSE", "init_args": {"ordinary": plain}},
        },
        [Path(plain)],
    )  # fmt: skip
    for own in made[2:4]:
        assert own.before == [Path(plain), Path(made[1].values["run"])]
    assert made[6].values["from.fit"] == "out/Own_photos/OC-CSE-seed1"


def test_a_data_set_s_values_go_over_what_is_common():
    """So that the place of one data set is told to those that have none of their own."""
    path = shipped("plans/benchmark.yaml")
    made = cells_of(read_plan(path, {"seeds": [0], "dataset.root": "VOC"}), path)
    roots = {
        cell.dataset: load(CHAIN, cell.base, cell.values).values["dataset"]["init_args"]["root"] for cell in made[::27]
    }
    assert roots == {"VOC-6": "VOC", "scenes": "data/shapes_192", "VOC things": "VOC"}


def test_a_variant_may_leave_stages_of_the_plan_out(cells):
    tables = one_table(plain={}, again={"from.fit": "{plain}", "stages": ["label", "cam"]}, whole={})
    assert [cell.values["stages"] for cell in cells(tables)[:3]] == [["fit", "cam"], ["cam"], ["fit", "cam"]]


def test_a_variant_that_does_not_come_before(cells):
    later, elsewhere = {"AdvCAM": {"from.fit": "{plain}"}, "plain": {}}, {"AdvCAM": {"from.fit": "{plain}"}}
    for tables in ({"one": later}, {"zero": {"plain": {}}, "one": elsewhere}):
        with pytest.raises(
            UserError, match=r"tables\.one\.AdvCAM\.from\.fit: \{plain\}: no such variant before it\. Known: none"
        ):
            cells({**PLAN, "tables": tables})


def test_another_runs_stage_is_not_done_again(refused, folders):
    """A stage that an earlier run of the plan will have done may be read; one that nobody does may not."""
    plan = one_table(plain={}, again={"from": {"fit": "{plain}"}}, flat={"from.fit": "{plain}"})
    assert folders(plan)[1] == "scenes/again-seed0"
    assert "tables.one.again on datasets.scenes, seed 0: stages: nothing is left to do" in refused(
        {**plan, "stages": ["fit"]}
    )
    labels = {**one_table(plain={"from.cam": "gone"}), "stages": ["label"]}
    assert "label: needs the stage cam, which is not done in gone" in refused(labels)


def test_a_data_set_that_is_not_there_is_said_before_the_first_run(tmp_path, monkeypatch, capsys):
    """A line each; scenes are drawn when they are needed, not for a check."""
    monkeypatch.chdir(tmp_path)
    gone = {name: {"base": "voc.yaml", "dataset.root": f"{tmp_path}/{name}"} for name in ("a", "b")}
    words = ["compare", "--config", "plan.yaml", "--check"]
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({**PLAN, "datasets": {**PLAN["datasets"], **gone}}))
    assert here(*words) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{start}plan.yaml: datasets.{name}: {tmp_path}/{name}: not a VOC 2012 folder, it has no JPEGImages; "
        "set dataset.root to the folder that holds JPEGImages"
        for start, name in (("acr compare: ", "a"), ("", "b"))
    ]
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    assert here(*words) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["plan.yaml"]


PLANS = [name for name in shipped_configs() if name.startswith("plans/")]


@pytest.mark.parametrize("name", PLANS)
def test_shipped_plans_pass(name, monkeypatch, tmp_path):
    begun = []
    monkeypatch.setattr(command, "way_to_start", begins(lambda words: begun.append(words) or 0))
    with pytest.raises(UserError, match="no run has a score"):
        command.compare(config=name, run=str(tmp_path), seeds=[0])
    plan = yaml.safe_load(shipped(name).read_text())
    variants = {variant for table in plan["tables"].values() for variant in table}
    assert len(begun) == len(plan["datasets"]) * len(variants)


def done(run, **entries):
    """A manifest of a stage of a run."""
    run.mkdir(parents=True)
    (run / "manifest.json").write_text(json.dumps({"status": "done", **entries}))


@pytest.mark.parametrize("entries", [{"code": "acr 1, commit 0"}, {}])
def test_runs_of_other_code_are_refused(refused, folders, tmp_path, entries):
    run = tmp_path / "out" / "scenes" / "ACR-seed1"
    done(run / "fit", code=CODE)
    done(run / "report")  # no stage of the plan's
    assert len(folders(PLAN)) == 4
    done(run / "cam", **entries)
    said = refused(PLAN)
    assert f"this is {CODE}, but there is out/scenes/ACR-seed1 ({entries.get('code', 'unknown code')})" in said
    assert "remove or move these folders to make them again, or give another --run" in said
    assert len(folders(PLAN, "--run=other")) == 4


def test_what_is_left_is_told_by_what_the_runs_before_took(tmp_path, monkeypatch, capsys):
    """As the same variant took with another seed, else as the mean of those with as many stages, else of all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "code", lambda: CODE)
    seconds = {"control": 3.0, "ACR": 20.0, "read": 1.0}

    def start(words):
        run = Path(folder_of(words))
        stages = ("fit", "cam") if "read" not in run.name else ("cam",)
        for stage in stages:
            done(run / stage, code=CODE, seconds=seconds[run.name.partition("-")[0]] / len(stages))
        return 0

    monkeypatch.setattr(command, "way_to_start", begins(start))
    variants = {
        "control": {"fit.model.strategy": "baseline"},
        "ACR": None,
        "read": {"stages": ["cam"], "from.fit": "{ACR}"},
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({**PLAN, "tables": {"one": variants}}, sort_keys=False))
    assert here("compare", "--config", "plan.yaml") == 2
    assert re.findall(r"\((\d of \d.*)\)", capsys.readouterr().err) == [
        "1 of 6",
        "2 of 6, about 15 s are left",  # five times 3
        "3 of 6, about 46 s are left",  # 11.5, 3, 20 and 11.5
        "4 of 6, about 24 s are left",
        "5 of 6, about 21 s are left",
        "6 of 6, about 1 s are left",
    ]


def test_an_older_result_that_was_put_back_is_not_tabulated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "code", lambda: CODE)

    def start(words):
        done(tmp_path / folder_of(words) / "fit", code="acr 0")
        return 0

    monkeypatch.setattr(command, "way_to_start", begins(start))
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(one_table(ACR={})))
    assert here("compare", "--config", "plan.yaml") == 2
    assert "out/scenes/ACR-seed0 (acr 0)" in capsys.readouterr().err


def test_tables_are_of_each_data_set(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def start(words):
        folder = tmp_path / folder_of(words) / "evaluate"
        folder.mkdir(parents=True)
        miou = 40.0 + 10 * ("more" in str(folder)) + ("ACR" in str(folder))
        record = {"what": "cam", "miou": miou, "precision": 60.0, "recall": 70.0}
        (folder / "scores.json").write_text(json.dumps([record]))
        return 0

    monkeypatch.setattr(command, "way_to_start", begins(start))
    datasets = {**PLAN["datasets"], "more": {"base": "demo.yaml"}}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({**PLAN, "datasets": datasets}))
    assert here("compare", "--config", "plan.yaml") == 0
    said = capsys.readouterr().out
    assert said.count("**Strategy on scenes**") == said.count("**Strategy on more**") == 1
    assert "figure plan_strategy_on_more_acr_cam 51.0" in said.splitlines()
    assert "figure plan_strategy_on_more_acr_gain 1.0" in said.splitlines()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        ".acr_files", "comparison.md", "comparison.csv", "comparison.html", "scenes", "more",
    }  # fmt: skip
