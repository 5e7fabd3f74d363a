"""`acr compare`: variants × data sets × seeds, each an ordinary run, in tables."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import read
from acr_lightning.artefacts.own_files import require_own
from acr_lightning.chain import check as checks
from acr_lightning.chain.code import code
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.experiment_file import find, load
from acr_lightning.cli.plan import Cell, read_plan
from acr_lightning.cli.run import words_of
from acr_lightning.cli.start import way_to_start
from acr_lightning.data.shard import of_shard
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN


def compare(*, config: str, check: bool = False, shard: str | None = None, **values: Any) -> int:
    """Every variant on every data set with every seed, then comparison.md, comparison.csv and comparison.html.

    All is checked before the first run. Done runs are skipped, a killed one continues. The plan has the keys run,
    seeds, stages, common, datasets and tables. A data set is an experiment file, its `base`, and values over it; a
    table has variants by name, each with its values. `{NAME}` in a value is the run of the variant NAME of the same
    table, data set and seed, which must come before it. Gains are over the variant called control. --run, --seeds and
    --stages set the plan's own; every other KEY is one of the experiments, for all runs. The exit status is that of the
    first run that failed.

    Args:
        config: the plan; shipped: plans/ablation.yaml.
        check: check everything, and run nothing.
        shard: `2/3` does the second of three parts of data sets × seeds, with all variants; tables hold what is done.
        **values: keys of the plan or of the experiments.
    """
    from acr_lightning.report.comparison import FILES, tabulate

    path = find(config)
    folder, cells = read_plan(path, values)
    part = of_shard([*dict.fromkeys((cell.dataset, cell.seed) for cell in cells)], shard)
    require_own(folder / name for name in FILES)
    runs, experiments = _checked(path, cells, checks.check_thoroughly if check else checks.check)
    _refuse_other_code(path, experiments)
    if check:
        return 0
    start = way_to_start()
    if status := start(["compare", "--check", *words_of(config, values)]):
        return status
    for cell in (cell for cell in runs if (cell.dataset, cell.seed) in part):
        print(f"{cell.place} → {cell.values['run']}", file=sys.stderr, flush=True)
        if status := start(["run", *words_of(cell.base, cell.values)]):
            return status
    _refuse_other_code(path, experiments)  # an older result, put back by its run, may be of another
    several = len({cell.dataset for cell in cells}) > 1
    tables: dict[tuple[str, ...], dict[str, dict[int, list[Path]]]] = {}
    for cell in cells:
        of_table = tables.setdefault((cell.table, cell.dataset) if several else (cell.table,), {})
        of_table.setdefault(cell.variant, {})[cell.seed] = [Path(cell.values["run"]), *cell.before]
    print(tabulate(tables, folder, path.stem))
    return 0


def _checked(
    path: Path, cells: Iterable[Cell], check: Callable[[Experiment, list[str], set[Path]], None]
) -> tuple[list[Cell], list[Experiment]]:
    """Each run once, with its experiment, which is checked.

    A variant that several tables have is one run.

    Raises:
        UserError: two different runs have one folder, or a value of one does not fit.
    """
    runs, experiments, to_come = dict[str, Cell](), list[Experiment](), set[Path]()
    for cell in cells:
        folder = cell.values["run"]
        # On the disks of other systems A and a are one name.
        first = runs.setdefault(folder if sys.platform == "linux" else folder.casefold(), cell)
        # As words, since true == 1 in Python, and they are different values.
        if words_of(first.base, first.values) != words_of(cell.base, cell.values):
            raise UserError(
                f"{path}: {first.place} and {cell.place} would share the folder {folder}; give one of them another name"
            )
        if first is not cell:
            continue
        try:
            if not cell.values["stages"]:
                raise UserError("nothing is left to do, all its stages are read from other runs")
            experiment = load(CHAIN, cell.base, cell.values)
            check(experiment, experiment.stages, to_come)
        except UserError as error:
            raise UserError(f"{path}: {cell.place}: {error}") from None
        experiments.append(experiment)
        to_come.update(map(experiment.folder, experiment.stages))
    return [*runs.values()], experiments


def _refuse_other_code(path: Path, experiments: Iterable[Experiment]) -> None:
    """Check that all results that are there were made by the code that would make the others.

    Raises:
        UserError: it names those that were not.
    """
    ours = code()
    others = {
        experiment.run: manifest.get("code", "unknown code")
        for experiment in experiments
        for manifest in map(read, map(experiment.folder, experiment.stages))
        if manifest and manifest.get("code") != ours
    }
    if others:
        folders = "; ".join(f"{folder} ({theirs})" for folder, theirs in [*others.items()][:3])
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise UserError(
            f"{path}: a table must not mix what different code made, and this is {ours}, but there is "
            f"{folders}{more}; remove or move these folders to make them again, or give another --run"
        )
