"""A plan's file, and the runs that it asks for: variants × data sets × seeds."""

import itertools
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from acr_lightning.artefacts.text_file import read_yaml
from acr_lightning.chain.check import check_names
from acr_lightning.chain.experiment_file import BASE
from acr_lightning.chain.messages import parsed, parser_of
from acr_lightning.chain.values import flat
from acr_lightning.classes.bounded import NonNegativeInt
from acr_lightning.errors import UserError, expect
from acr_lightning.stages.chain import CHAIN


@dataclass(frozen=True)
class Plan:
    """What a plan's file says; `compare` says what of it is what."""

    run: str
    seeds: list[NonNegativeInt]
    stages: list[str]
    datasets: dict[str, dict[str, Any]]
    tables: dict[str, dict[str, dict[str, Any] | None]]
    common: dict[str, Any] | None = field(default_factory=dict)


class Cell(NamedTuple):
    """One run, of a variant of a table on a data set.

    Attributes:
        base: its experiment file.
        values: of the experiment, `run`, `seed` and `stages` among them.
        before: the runs that its values name, and the runs that those name.
    """

    table: str
    dataset: str
    variant: str
    base: str
    values: dict[str, Any]
    before: list[Path]

    @property
    def place(self) -> str:
        """Where the plan has it, and its seed."""
        return f"tables.{self.table}.{self.variant} on datasets.{self.dataset}, seed {self.values['seed']}"


def read_plan(path: Path, values: dict[str, Any]) -> Plan:
    """A plan's file with the command line's values: keys of the plan, and others, which are the experiments'."""
    content, keys = read_yaml(path), [one.name for one in fields(Plan)]
    expect(isinstance(content, dict), content, str(path), f"a mapping with the keys {', '.join(keys)}")
    check_names(content, keys, f"{path}: ")
    content |= {key: value for key, value in values.items() if key in keys}
    parsed(parser_of(Plan), content, f"{path}: ")  # texts in values stay as they are
    own = {key: value for key, value in values.items() if key not in keys}
    return Plan(**{**content, "common": {**(content.get("common") or {}), **own}})


def cells_of(plan: Plan, path: Path) -> list[Cell]:
    """The runs that a plan asks for: of each data set, seed and table those of its variants."""
    places = itertools.product(plan.datasets, plan.seeds, plan.tables)
    cells = [cell for dataset, seed, table in places for cell in _variants(plan, dataset, seed, table, str(path))]
    if not (cells and plan.stages):
        raise UserError(f"{path}: asks for no run; it needs seeds, stages, datasets, and tables with variants in them")
    return cells


def _variants(plan: Plan, dataset: str, seed: int, table: str, path: str) -> list[Cell]:
    """The runs of a table's variants on a data set with a seed."""
    over_base, cells = plan.datasets[dataset], dict[str, Cell]()
    expect(isinstance(over_base.get(BASE), str), over_base, f"{path}: datasets.{dataset}", "a base, and values over it")
    for variant, own in plan.tables[table].items():
        place, runs = f"{path}: tables.{table}.{variant}", {name: cell.values["run"] for name, cell in cells.items()}
        own_values = _filled(own or {}, place, runs)
        stages = own_values.pop("stages", plan.stages)
        is_list = isinstance(stages, list) and all(isinstance(one, str) for one in stages)
        expect(is_list, stages, f"{place}.stages", "a list of stages")
        texts = [value for _, value in flat(own_values, place)]
        sources = [cell for cell in cells.values() if cell.values["run"] in texts]
        values = {**(plan.common or {}), **over_base, **own_values}
        base = values.pop(BASE)
        for key in sorted({"run", "seed", "stages"} & values.keys()):
            raise UserError(f"{place}: {key}: the plan sets it for each run, by its keys run, seeds and stages")
        run = Path(plan.run, as_folder(dataset), f"{as_folder(variant)}-seed{seed}")
        values |= {
            "run": str(run),
            "seed": seed,
            "stages": [one for one in stages if one in plan.stages or one not in CHAIN.stages],
        }
        before = [run for cell in sources for run in (*cell.before, Path(cell.values["run"]))]
        cells[f"{{{variant}}}"] = Cell(table, dataset, variant, base, values, before)
    return [*cells.values()]


def _filled(value: Any, place: str, runs: dict[str, str]) -> Any:
    """A value with the runs that it names as `{NAME}`."""
    if isinstance(value, dict):
        return {key: _filled(one, f"{place}.{key}", runs) for key, one in value.items()}
    if not isinstance(value, str) or not re.fullmatch(r"\{.*\}", value, re.DOTALL):
        return value
    if value not in runs:
        raise UserError(f"{place}: {value}: no such variant before it. Known: {', '.join(runs) or 'none'}")
    return runs[value]


def as_folder(name: str) -> str:
    """A name as a folder's: what is no ASCII letter, digit, `_`, `+` or `-` becomes `_`."""
    return re.sub(r"[^\w+-]+", "_", name, flags=re.ASCII)
