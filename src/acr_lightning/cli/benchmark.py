"""`acr benchmark`: methods × data sets × seeds, each an ordinary run, in one table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acr_lightning.cli.plan import Cell, read_plan, run_cells
from acr_lightning.data.shard import of_shard
from acr_lightning.errors import UserError

KEYS = ("run", "seeds", "stages", "datasets", "methods", "common")


def benchmark(*, config: str, shard: str | None = None, **values: Any) -> int:
    """Every method on every data set with every seed, then benchmark.md, benchmark.csv and benchmark.html.

    Done runs are skipped, a killed one continues. The plan has the keys run, seeds, stages, datasets, methods and
    common. A data set is an experiment file and values over it, a method is values; `{NAME}` in a method's value is the
    run of the method NAME with the same data set and seed, which must come before it. --run, --seeds and --stages set
    the plan's own; every other KEY is one of the experiments, for all runs. The exit status is that of the first run
    that failed.

    Args:
        config: the plan; shipped: benchmark/voc6.yaml.
        shard: `2/3` does the second of three parts of data sets × seeds, with all methods; tables hold what is done.
        **values: keys of the plan or of the experiments.
    """
    from acr_lightning.report.benchmark import figures, read_row, write_tables
    from acr_lightning.report.over_seeds import as_word

    plan, common = read_plan(config, KEYS, values)
    folder = Path(plan["run"])
    groups = [(name, seed) for name in plan["datasets"] for seed in plan["seeds"]]
    names = of_shard([f"{name}, seed {seed}" for name, seed in groups], shard)
    runs = {
        (name, seed): {method: folder / as_word(name) / f"{as_word(method)}-seed{seed}" for method in plan["methods"]}
        for name, seed in groups
    }
    own = [(name, seed) for name, seed in groups if f"{name}, seed {seed}" in names]
    if status := run_cells(cell for name, seed in own for cell in _cells(plan, common, name, seed, runs[name, seed])):
        return status
    tables = {
        name: [
            read_row(
                method, [(runs[name, seed][method], _before(plan, method, runs[name, seed])) for seed in plan["seeds"]]
            )
            for method in plan["methods"]
        ]
        for name in plan["datasets"]
    }
    print(write_tables(tables, folder))
    print("\n".join(figures(tables)))
    return 0


def _cells(plan: dict[str, Any], common: dict[str, Any], name: str, seed: int, runs: dict[str, Path]) -> Iterator[Cell]:
    """The runs of all methods on a data set with a seed."""
    dataset = dict(plan["datasets"][name])
    base = dataset.pop("base")
    for method, own in plan["methods"].items():
        values = {**dataset, **common, **_filled(own or {}, method, runs)}
        read = {key.partition(".")[2] for key in values if key.startswith("from.")}
        stages = [stage for stage in plan["stages"] if stage not in read]
        values = {"run": str(runs[method]), "seed": seed, "stages": stages, **values}
        yield Cell(f"benchmark: {method} on {name}, seed {seed}", base, values)


def _filled(value: Any, method: str, runs: dict[str, Path]) -> Any:
    """A method's values with the runs of the methods that they name.

    Raises:
        UserError: there is no such method before this one.
    """
    if isinstance(value, dict):
        return {key: _filled(one, method, runs) for key, one in value.items()}
    if (named := _named(value)) is None:
        return value
    before = list(runs)[: list(runs).index(method)]
    if named not in before:
        raise UserError(f"methods.{method}: {value}: no such method before it. Known: {', '.join(before) or 'none'}")
    return str(runs[named])


def _named(value: Any) -> str | None:
    """The method that a value `{NAME}` names."""
    return value[1:-1] if isinstance(value, str) and value.startswith("{") and value.endswith("}") else None


def _before(plan: dict[str, Any], method: str, runs: dict[str, Path]) -> list[Path]:
    """The runs whose training a method goes on with, at any depth."""
    found: list[Path] = []
    for key, named in _all_named(plan["methods"][method] or {}):
        found += [*([] if key.startswith("from.") else [runs[named]]), *_before(plan, named, runs)]
    return found


def _all_named(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _all_named(value)
        elif (named := _named(value)) is not None:
            yield key, named
