"""The plan of a benchmark: which runs there are, and what each is told."""

import pytest
import yaml

from acr_lightning.cli import benchmark as command
from acr_lightning.cli import plan as plans
from acr_lightning.cli.plan import Cell, Plan
from acr_lightning.data.id_list import shipped
from acr_lightning.errors import UserError

PLAN = {
    "run": "out", "seeds": [0, 1], "stages": ["fit", "cam", "evaluate"],
    "datasets": {"Own photos": {"base": "demo.yaml", "dataset.size": 32}},
    "methods": {
        "plain": {"fit.model": {"class_path": "Plain", "init_args": {}}},
        "OC-CSE": {"fit.model": {"class_path": "OCCSE", "init_args": {"ordinary": "{plain}"}}},
        "AdvCAM": {"from.fit": "{OC-CSE}"},
    },
    "common": {"fit.trainer.max_epochs": 1},
}  # fmt: skip


@pytest.fixture
def done(monkeypatch, tmp_path):
    """The runs that a plan asks for; none is made."""
    cells = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Plan, "run_cells", lambda plan, every, own: cells.extend(own) or 0)

    def start(plan, **values):
        cells.clear()
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
        assert command.benchmark(config="plan.yaml", **values) == 0
        return list(cells)

    return start


def test_every_run_is_asked_for(done, capsys):
    cells = done(PLAN, **{"dataset.seed": 7})
    assert len(cells) == 6
    assert cells[1] == Cell(
        "methods.OC-CSE on datasets.Own photos, seed 0", "demo.yaml",
        {
            "run": "out/Own_photos-aea8a099/OC-CSE-seed0", "seed": 0, "stages": ["fit", "cam", "evaluate"],
            "dataset.size": 32, "fit.trainer.max_epochs": 1, "dataset.seed": 7,
            "fit.model": {"class_path": "OCCSE", "init_args": {"ordinary": "out/Own_photos-aea8a099/plain-seed0"}},
        },
    )  # fmt: skip
    assert cells[5].values["stages"] == ["cam", "evaluate"]
    assert cells[5].values["from.fit"] == "out/Own_photos-aea8a099/OC-CSE-seed1"
    assert "| AdvCAM | 0 |" in capsys.readouterr().out


def test_a_part_has_all_methods(done):
    parts = [done(PLAN, shard=f"{part}/2") for part in (1, 2)]
    assert [len(part) for part in parts] == [3, 3]
    assert {cell.values["seed"] for cell in parts[0]} == {0}


def test_what_came_before_counts():
    runs = {method: method for method in PLAN["methods"]}
    assert command._before(PLAN["methods"], "OC-CSE", runs) == ["plain"]
    for own in ({"from.fit": "{OC-CSE}"}, {"from": {"fit": "{OC-CSE}"}}):
        # Its own `fit` is that of OC-CSE.
        assert command._before({**PLAN["methods"], "AdvCAM": own}, "AdvCAM", runs) == ["plain"]


def test_a_method_that_does_not_come_before(done):
    plan = {**PLAN, "methods": {"AdvCAM": {"from.fit": "{plain}"}, "plain": {}}}
    with pytest.raises(UserError, match=r"methods\.AdvCAM: \{plain\}: no such method before it\. Known: none"):
        done(plan)


@pytest.mark.parametrize("name", ["plans/benchmark.yaml", "plans/benchmark_vit.yaml"])
def test_shipped_plans_pass(name, monkeypatch, tmp_path):
    begun = []
    monkeypatch.setattr(plans, "way_to_start", lambda: lambda words, work: begun.append(words) or 0)
    assert command.benchmark(config=name, run=str(tmp_path), seeds=[0]) == 0
    assert len(begun) == len(yaml.safe_load(shipped(name).read_text())["methods"])
