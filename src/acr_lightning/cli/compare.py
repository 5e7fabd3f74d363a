"""`acr compare`: variants × data sets × seeds, each an ordinary run, in tables."""

import itertools
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from acr_lightning.artefacts.manifest import manifests_of
from acr_lightning.artefacts.own_files import require_own
from acr_lightning.artefacts.text_file import read_yaml
from acr_lightning.chain.check import check as check_stages
from acr_lightning.chain.check import check_names
from acr_lightning.chain.code import code
from acr_lightning.chain.experiment_file import BASE, find, load
from acr_lightning.chain.messages import parsed, parser_of
from acr_lightning.chain.values import flat
from acr_lightning.classes.bounded import NonNegativeInt
from acr_lightning.cli.run import words_of
from acr_lightning.cli.start import way_to_start
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


def compare(*, config: str, check: bool = False, **values: Any) -> int:
    """Every variant on every data set with every seed, then comparison.md, comparison.csv and comparison.html.

    All is checked before the first run. Done runs are skipped, a killed one continues. The plan has the keys run,
    seeds, stages, common, datasets and tables. A data set is an experiment file, its `base`, and values over it; a
    table has variants by name, each with its values, perhaps fewer stages among them. `{NAME}` in a value is the run of
    the variant NAME of the same table, data set and seed, which must come before it. Gains are over the variant called
    control. A KEY of the plan sets that (--run, --seeds); all others are the experiments' own, for each run whose data
    set or variant sets no other. The exit status is that of the first run that failed.

    Args:
        config: the plan; shipped: plans/ablation.yaml.
        check: check everything, and run nothing.
        **values: keys of the plan or of the experiments.
    """
    from acr_lightning.report.comparison import FILES, tabulate

    path = find(config)
    plan = read_plan(path, values)
    cells = cells_of(plan, path)
    require_own(Path(plan.run, name) for name in FILES)
    runs = _checked(path, cells, thorough=check)
    _refuse_other_code(path, runs)
    if check:
        return 0
    start = way_to_start()
    if status := start(["compare", "--check", *words_of(config, values)]):
        return status
    for cell in runs:
        print(f"{cell.place} → {cell.values['run']}", file=sys.stderr, flush=True)
        if status := start(["run", *words_of(cell.base, cell.values)]):
            return status
    _refuse_other_code(path, runs)  # an older result, put back by its run, may be of another
    tables: dict[tuple[str, ...], dict[str, dict[int, list[Path]]]] = {}
    for cell in cells:
        title = (cell.table, cell.dataset) if len(plan.datasets) > 1 else (cell.table,)
        seeds = tables.setdefault(title, {}).setdefault(cell.variant, {})
        seeds[cell.values["seed"]] = [Path(cell.values["run"]), *cell.before]
    print(tabulate(tables, Path(plan.run), path.stem))
    return 0


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


def _checked(path: Path, cells: Iterable[Cell], thorough: bool) -> list[Cell]:
    """Each run once, whose experiment is checked; a variant that several tables have is one run."""
    runs, to_come = dict[str, Cell](), set[Path]()
    for cell in cells:
        # On the disks of other systems A and a are one name.
        first = runs.setdefault(cell.values["run"].casefold(), cell)
        # As words, since true == 1 in Python, and they are different values.
        if words_of(first.base, first.values) != words_of(cell.base, cell.values):
            raise UserError(
                f"{path}: {first.place} and {cell.place} would share the folder {cell.values['run']}; "
                "give one of them another name"
            )
        if first is not cell:
            continue
        try:
            experiment = load(CHAIN, cell.base, cell.values)
            check_stages(experiment, experiment.stages, to_come, thorough)
        except UserError as error:
            raise UserError(f"{path}: {cell.place}: {error}") from None
        to_come.update(map(experiment.folder, experiment.stages))
    return [*runs.values()]


def _refuse_other_code(path: Path, runs: Iterable[Cell]) -> None:
    """Check that all results that are there were made by the code that would make the others."""
    ours = code()
    others = {
        cell.values["run"]: manifest.get("code", "unknown code")
        for cell in runs
        for stage, manifest in manifests_of(Path(cell.values["run"])).items()
        if stage in cell.values["stages"] and manifest.get("code") != ours
    }
    if others:
        folders = "; ".join(f"{folder} ({theirs})" for folder, theirs in [*others.items()][:3])
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise UserError(
            f"{path}: a table must not mix what different code made, and this is {ours}, but there is "
            f"{folders}{more}; remove or move these folders to make them again, or give another --run"
        )
