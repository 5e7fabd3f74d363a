"""Plans of many runs: a file with the command line's values, checked, and the runs that it asks for."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from acr_lightning.artefacts.text_file import read_yaml
from acr_lightning.chain.experiment_file import BASE
from acr_lightning.errors import UserError, expect, nearest

# The key that a plan may leave out: values of all its runs.
COMMON = "common"
KEYS = ("run", "seeds", "stages", COMMON, "datasets", "tables")
# What a plan sets for each of its runs, by its own keys run, seeds and stages.
OF_PLAN = ("run", "seed", "stages")
LONGEST = 100


class Cell(NamedTuple):
    """One run.

    Attributes:
        table: the title of the table that has it.
        dataset: the name of its data set.
        variant: its name in the table.
        seed: of all its stages.
        base: its experiment file.
        values: of the experiment, `run`, `seed` and `stages` among them.
        before: the runs that its values name, and the runs that those name.
    """

    table: str
    dataset: str
    variant: str
    seed: int
    base: str
    values: dict[str, Any]
    before: list[Path]

    @property
    def place(self) -> str:
        """Where the plan has it, and its seed."""
        return f"tables.{self.table}.{self.variant} on datasets.{self.dataset}, seed {self.seed}"


def read_plan(path: Path, values: dict[str, Any]) -> tuple[Path, list[Cell]]:
    """The folder of a plan's tables and all its runs: of each data set, seed and table those of its variants.

    Args:
        path: the plan's file.
        values: of the command line: keys of the plan, and others, which are the experiments'.

    Raises:
        UserError: the file is missing, no YAML mapping, or a key is unknown, missing, empty or of another kind; or a
            variant names one that does not come before it.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping with the keys {', '.join(KEYS)}")
    for key in content:
        _check_text(key, str(path))
        if key not in KEYS:
            raise UserError(f"{path}: {key}: no such key.{nearest(key, KEYS)} Known: {', '.join(KEYS)}")
    content |= {key: value for key, value in values.items() if key in KEYS}
    own = {key: value for key, value in values.items() if key not in KEYS}
    _check(content, str(path))
    _check_values(own, "command line")
    content[COMMON] = {**(content.get(COMMON) or {}), **own}
    cells = [
        cell
        for dataset in content["datasets"]
        for seed in content["seeds"]
        for table in content["tables"]
        for cell in _cells(content, table, dataset, seed, path)
    ]
    return Path(content["run"]), cells


def _cells(content: dict[str, Any], table: str, dataset: str, seed: int, path: Path) -> list[Cell]:
    """The runs of a table's variants on a data set with a seed."""
    over_base = dict(content["datasets"][dataset])
    base, cells = over_base.pop(BASE), dict[str, Cell]()
    for variant, own in content["tables"][table].items():
        sources = list[Cell]()
        own_values = _filled(own or {}, f"{path}: tables.{table}.{variant}", cells, sources)
        values = {**over_base, **content[COMMON], **own_values}
        run = Path(content["run"], as_folder(dataset), f"{as_folder(variant)}-seed{seed}")
        others = values.get("from")
        other_runs = others if isinstance(others, dict) else {}
        stages = [stage for stage in content["stages"] if stage not in other_runs and f"from.{stage}" not in values]
        values |= {"run": str(run), "seed": seed, "stages": stages}
        before = [path for cell in sources for path in (*cell.before, Path(cell.values["run"]))]
        cells[f"{{{variant}}}"] = Cell(table, dataset, variant, seed, base, values, before)
    return [*cells.values()]


def _filled(value: Any, place: str, cells: dict[str, Cell], sources: list[Cell]) -> Any:
    """A value with the runs that it names as `{NAME}`, which are added to `sources`."""
    if isinstance(value, dict):
        return {key: _filled(one, f"{place}.{key}", cells, sources) for key, one in value.items()}
    if not isinstance(value, str) or not re.fullmatch(r"\{.*\}", value, re.DOTALL):
        return value
    if value not in cells:
        raise UserError(f"{place}: {value}: no such variant before it. Known: {', '.join(cells) or 'none'}")
    sources.append(cells[value])
    return cells[value].values["run"]


def as_folder(name: str) -> str:
    """A name as a folder's; one that is more than ASCII letters, digits, `_`, `+` and `-` gets a digest.

    So different names give different folders, and none the name of a table's file.
    """
    word = re.sub(r"[^\w+-]+", "_", name, flags=re.ASCII)
    return name if word == name else f"{word.strip('_-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _check(content: dict[str, Any], path: str) -> None:
    """Check the values of all keys."""
    for key in KEYS:
        if key != COMMON and content.get(key) in (None, "", [], {}):
            raise UserError(f"{path}: {key} is missing or empty")
    seeds, stages = content["seeds"], content["stages"]
    whole = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
    names = isinstance(stages, list) and all(isinstance(stage, str) for stage in stages)
    _check_text(content["run"], f"{path}: run")
    condition = "a list of different whole numbers, 0 or more, such as [0, 1, 2]"
    expect(whole and len(set(seeds)) == len(seeds), seeds, f"{path}: seeds", condition)
    expect(names, stages, f"{path}: stages", "a list of names of stages, such as [fit, cam, evaluate]")
    _check_values(content.get(COMMON), f"{path}: {COMMON}")
    for place, dataset in _by_name(content["datasets"], f"{path}: datasets"):
        _check_values(dataset, place)
        _check_text((dataset or {}).get(BASE), f"{place}.{BASE}")
    for place, table in _by_name(content["tables"], f"{path}: tables"):
        for inner, variant in _by_name(table, place):
            _check_values(variant, inner)


def _check_text(value: Any, place: str) -> None:
    expect(isinstance(value, str) and value.isprintable(), value, place, "text, in one line")


def _check_values(value: Any, place: str) -> None:
    """Check values of experiments; what is in them is checked with each."""
    expect(isinstance(value, dict | None), value, place, "keys of the experiment with their values (a mapping)")
    for key in value or {}:
        _check_text(key, place)
        if key in OF_PLAN:
            raise UserError(f"{place}: {key}: the plan sets it for each run, by its keys run, seeds and stages")


def _by_name(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """What a mapping of names has, each with its place."""
    expect(isinstance(value, dict) and bool(value), value, place, "a mapping of names")
    condition = f"names of up to {LONGEST} printable characters with a letter or digit in them"
    for name, one in value.items():
        fits = name.isprintable() and any(map(str.isalnum, name)) and len(name) <= LONGEST
        expect(fits, name, place, condition)
        yield f"{place}.{name}", one
