"""`acr benchmark`: methods × data sets × seeds, each an ordinary run, in one table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acr_lightning.chain.experiment_file import BASE
from acr_lightning.cli.plan import Cell, Plan, as_folder, read_plan
from acr_lightning.data.shard import of_shard
from acr_lightning.errors import UserError

KEYS = ("run", "seeds", "stages", "datasets", "methods", "common")


def benchmark(*, config: str, shard: str | None = None, **values: Any) -> int:
    """Every method on every data set with every seed, then benchmark.md, benchmark.csv and benchmark.html.

    All is checked before the first run. Done runs are skipped, a killed one continues. The plan has the keys run,
    seeds, stages, datasets, methods and common. A data set is an experiment file and values over it, a method is
    values; `{NAME}` in a method's value is the run of the method NAME with the same data set and seed, which must come
    before it. --run, --seeds and --stages set the plan's own; every other KEY is one of the experiments, for all runs.
    The exit status is that of the first run that failed.

    Args:
        config: the plan; shipped: plans/benchmark.yaml.
        shard: `2/3` does the second of three parts of data sets × seeds, with all methods; tables hold what is done.
        **values: keys of the plan or of the experiments.
    """
    from acr_lightning.report.benchmark import figures, read_row, write_tables

    plan = read_plan(config, KEYS, values)
    folder, seeds, methods = Path(plan.content["run"]), plan.content["seeds"], plan.content["methods"]
    groups = [(name, seed) for name in plan.content["datasets"] for seed in seeds]
    runs = {
        (name, seed): {method: folder / as_folder(name) / f"{as_folder(method)}-seed{seed}" for method in methods}
        for name, seed in groups
    }
    cells = {group: [*_cells(plan, *group, runs[group])] for group in groups}
    own = [cell for group in of_shard(groups, shard) for cell in cells[group]]
    if status := plan.run_cells([cell for group in groups for cell in cells[group]], own):
        return status
    tables = {
        name: [
            read_row(method, [(runs[name, seed][method], _before(methods, method, runs[name, seed])) for seed in seeds])
            for method in methods
        ]
        for name in plan.content["datasets"]
    }
    print(write_tables(tables, folder))
    print("\n".join(figures(tables)))
    return 0


def _cells(plan: Plan, name: str, seed: int, runs: dict[str, Path]) -> Iterator[Cell]:
    """The runs of all methods on a data set with a seed."""
    dataset = dict(plan.content["datasets"][name])
    base = dataset.pop(BASE)
    for method, own in plan.content["methods"].items():
        values = {**dataset, **plan.common, **_filled(plan, own or {}, method, runs)}
        yield plan.cell(f"methods.{method} on datasets.{name}", base, runs[method], seed, values)


def _filled(plan: Plan, value: Any, method: str, runs: dict[str, Path]) -> Any:
    """A method's values with the runs of the methods that they name.

    Raises:
        UserError: there is no such method before this one.
    """
    if isinstance(value, dict):
        return {key: _filled(plan, one, method, runs) for key, one in value.items()}
    if (named := _named(value)) is None:
        return value
    before = list(runs)[: list(runs).index(method)]
    if named not in before:
        known = ", ".join(before) or "none"
        raise UserError(f"{plan.path}: methods.{method}: {value}: no such method before it. Known: {known}")
    return str(runs[named])


def _named(value: Any) -> str | None:
    """The method that a value `{NAME}` names."""
    return value[1:-1] if isinstance(value, str) and value.startswith("{") and value.endswith("}") else None


def _before(methods: dict[str, Any], method: str, runs: dict[str, Path]) -> list[Path]:
    """The runs whose training a method goes on with, at any depth."""
    found: list[Path] = []
    for key, named in _all_named(methods[method] or {}):
        found += [*([] if key.startswith("from.") else [runs[named]]), *_before(methods, named, runs)]
    return found


def _all_named(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", named) for inner, named in _all_named(value))
        elif (named := _named(value)) is not None:
            yield key, named
