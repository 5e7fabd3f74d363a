"""Plans of many runs of experiments: read, checked, and done one run after the other."""

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from acr_lightning.artefacts.text_file import read_yaml
from acr_lightning.chain.experiment_file import find
from acr_lightning.cli.run import run, words_of
from acr_lightning.cli.start import way_to_start
from acr_lightning.errors import UserError, nearest

# The key that a plan may leave out: values of all its runs.
COMMON = "common"
LISTS = ("seeds", "stages")


class Cell(NamedTuple):
    """One run.

    Attributes:
        title: to be printed before it.
        base: its experiment file.
        values: of the experiment, its `run` among them.
    """

    title: str
    base: str
    values: dict[str, Any]


def read_plan(config: str, keys: Sequence[str], values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A plan's file with the command line's values.

    Args:
        config: the file, in the working folder or shipped.
        keys: of the plan; all but `common` are needed.
        values: of the command line: keys of the plan, and others, which are the experiments'.

    Returns:
        The plan, and the values of all its experiments.

    Raises:
        UserError: the file is missing, no YAML mapping, or a key is unknown, missing or empty, or no list.
    """
    path = find(config)
    plan = read_yaml(path)
    if not isinstance(plan, dict):
        raise UserError(f"{path}: expected a mapping with the keys {', '.join(keys)}")
    for key in plan:
        if key not in keys:
            raise UserError(f"{path}: {key}: no such key.{nearest(key, keys)} Known: {', '.join(keys)}")
    plan.update((key, value) for key, value in values.items() if key in keys)
    for key in keys:
        value = plan.get(key)
        if key in LISTS and value is not None and not isinstance(value, list):
            raise UserError(f"{path}: {key}: expected a list, such as [{value}]. Got value: {value}")
        if key != COMMON and not value:
            raise UserError(f"{path}: {key} is missing or empty")
    return plan, {**(plan.get(COMMON) or {}), **{key: value for key, value in values.items() if key not in keys}}


def run_cells(cells: Iterable[Cell]) -> int:
    """Do the runs in order, each as `acr run` does it; the exit status of the first that failed, or 0."""
    start = way_to_start()
    for title, base, values in cells:
        print(f"{title} → {values['run']}", file=sys.stderr, flush=True)
        if status := start(
            ["run", "--estimate=false", *words_of(base, values)], partial(run, config=base, estimate=False, **values)
        ):
            return status
    return 0
