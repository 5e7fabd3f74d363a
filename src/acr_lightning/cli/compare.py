"""`acr compare`: variants × data sets × seeds, each an ordinary run, in tables."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import manifests_of
from acr_lightning.artefacts.own_files import require_own
from acr_lightning.chain.check import check as check_stages
from acr_lightning.chain.code import code
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.experiment_file import find, load
from acr_lightning.cli.run import words_of
from acr_lightning.cli.start import way_to_start
from acr_lightning.errors import UserError
from acr_lightning.plans.datasets import require_datasets
from acr_lightning.plans.plan import Cell, cells_of, read_plan
from acr_lightning.plans.time_left import time_left
from acr_lightning.stages.chain import CHAIN


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
    for number, cell in enumerate(runs, 1):
        left = time_left(runs)
        print(f"{cell.place} → {cell.values['run']} ({number} of {len(runs)}{left})", file=sys.stderr, flush=True)
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


def _checked(path: Path, cells: Iterable[Cell], thorough: bool) -> list[Cell]:
    """Each run once, whose experiment is checked; a variant that several tables have is one run."""
    runs, to_come, experiments = dict[str, Cell](), set[Path](), list[tuple[str, Experiment]]()
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
        experiments.append((cell.dataset, experiment))
    if thorough:
        require_datasets(path, experiments)
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
