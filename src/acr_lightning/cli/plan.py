"""Plans of many runs of experiments: read, checked as a whole before the first run, and done one after the other."""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from acr_lightning.artefacts.manifest import read
from acr_lightning.artefacts.text_file import read_yaml
from acr_lightning.chain.check import check
from acr_lightning.chain.code import code
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.experiment_file import BASE, find, load
from acr_lightning.cli.run import run, words_of
from acr_lightning.cli.start import way_to_start
from acr_lightning.errors import UserError, nearest, shown
from acr_lightning.report.over_seeds import as_word
from acr_lightning.stages.chain import CHAIN

# The key that a plan may leave out: values of all its runs.
COMMON = "common"
# What a plan sets for each of its runs, by its own keys run, seeds and stages.
OF_PLAN = ("run", "seed", "stages")
# What needs no digest in a folder's name: joined by `-`, such parts can still be told apart.
PLAIN = re.compile(r"(\w[\w.]*=)?[\w+-][\w.+-]*", re.ASCII)
LONGEST = 100


class Cell(NamedTuple):
    """One run.

    Attributes:
        title: where the plan has it, and its seed.
        base: its experiment file.
        values: of the experiment, its `run` among them.
    """

    title: str
    base: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A plan's file with the command line's values.

    Attributes:
        path: the file, for messages.
        content: its keys, all of their kinds.
        common: values of all its runs.
    """

    path: Path
    content: dict[str, Any]
    common: dict[str, Any]

    def cell(self, title: str, base: str, run: Path, seed: int, values: dict[str, Any]) -> Cell:
        """A run; it does the plan's stages but for those that its values read from another run.

        Args:
            title: where the plan has it.
            base: its experiment file.
            run: its folder.
            seed: its seed.
            values: of the experiment.
        """
        others = values.get("from")
        elsewhere = {key.partition(".")[2] for key in values if key.startswith("from.")}
        elsewhere |= others.keys() if isinstance(others, dict) else set()
        stages = [stage for stage in self.content["stages"] if stage not in elsewhere]
        return Cell(f"{title}, seed {seed}", base, {"run": str(run), "seed": seed, "stages": stages, **values})

    def run_cells(self, cells: Collection[Cell], own: Collection[Cell] | None = None) -> int:
        """Check all runs, then do them in order, each as `acr run` does it.

        Args:
            cells: the runs; those with the same folder and values are one.
            own: those of them that this job does; None does all.

        Returns:
            The exit status of the first that failed, or 0.

        Raises:
            UserError: two runs have one folder, a value of one does not fit, or one was made by other code.
        """
        runs = self._runs(cells)
        experiments = self._experiments(runs)
        self._refuse_other_code(experiments)
        start = way_to_start()
        for title, base, values in (cell for cell in runs if own is None or cell in own):
            print(f"{title} → {values['run']}", file=sys.stderr, flush=True)
            if status := start(["run", *words_of(base, values)], partial(run, config=base, **values)):
                return status
        self._refuse_other_code(experiments)  # an older result, put back by its run, may be of another
        return 0

    def _runs(self, cells: Iterable[Cell]) -> list[Cell]:
        """Each run once.

        Raises:
            UserError: two different ones have one folder.
        """
        runs = dict[str, Cell]()
        for cell in cells:
            folder = cell.values["run"]
            # On the disks of other systems A and a are one name.
            first = runs.setdefault(folder if sys.platform == "linux" else folder.casefold(), cell)
            if first[1:] != cell[1:]:
                raise UserError(
                    f"{self.path}: {first.title} and {cell.title} would share the folder {folder}; "
                    "give one of them another name or other values"
                )
        return [*runs.values()]

    def _experiments(self, runs: Iterable[Cell]) -> list[Experiment]:
        """The runs' experiments, with every key and value checked as far as sources tell.

        Raises:
            UserError: it names the run.
        """
        experiments, to_come = list[Experiment](), set[Path]()
        for title, base, values in runs:
            try:
                if not values["stages"]:
                    raise UserError("nothing is left to do, all its stages are read from other runs")
                experiment = load(CHAIN, base, values)
                check(experiment, experiment.stages, to_come)
            except UserError as error:
                raise UserError(f"{self.path}: {title}: {error}") from None
            experiments.append(experiment)
            to_come.update(map(experiment.folder, experiment.stages))
        return experiments

    def _refuse_other_code(self, experiments: Iterable[Experiment]) -> None:
        """Check that all results that are there were made by the code that would make the others.

        Raises:
            UserError: it names those that were not.
        """
        ours = code()
        others = dict[Path, str]()
        for experiment in experiments:
            for made in filter(None, (read(experiment.folder(name)) for name in experiment.stages)):
                if (theirs := made.get("code", "unknown code")) != ours:
                    others[experiment.run] = theirs
        if others:
            listed = "; ".join(f"{folder} ({theirs})" for folder, theirs in [*others.items()][:3])
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            raise UserError(
                f"{self.path}: a table must not mix what different code made, and this is {ours}, but there is "
                f"{listed}{more}; remove or move these folders to make them again, or give another --run"
            )


def read_plan(config: str, keys: Collection[str], values: dict[str, Any]) -> Plan:
    """A plan's file with the command line's values.

    Args:
        config: the file, in the working folder or shipped.
        keys: of the plan; all but `common` are needed.
        values: of the command line: keys of the plan, and others, which are the experiments'.

    Raises:
        UserError: the file is missing, no YAML mapping, or a key is unknown, missing, empty or of another kind.
    """
    path = find(config)
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping with the keys {', '.join(keys)}")
    _check_keys(content, str(path))
    for key in content:
        if key not in keys:
            raise UserError(f"{path}: {key}: no such key.{nearest(key, keys)} Known: {', '.join(keys)}")
    content.update((key, value) for key, value in values.items() if key in keys)
    for key in keys:
        value = content.get(key)
        if key != COMMON and value in (None, "", [], {}):
            raise UserError(f"{path}: {key} is missing or empty")
        KINDS[key](value, f"{path}: {key}")
    own = {key: value for key, value in values.items() if key not in keys}
    _check_values(own, "command line")
    return Plan(path, content, {**(content.get(COMMON) or {}), **own})


def as_folder(*parts: str) -> str:
    """The name of a folder: the parts, and, where those alone would be too long, no file's name or equivocal, a digest.

    Args:
        *parts: names, or texts like `key=value`; other ones give another folder.
    """
    text = "-".join(parts)
    if all(map(PLAIN.fullmatch, parts)) and len(text) <= LONGEST:
        return text
    word = re.sub(r"[^\w.=+-]+", "_", text, flags=re.ASCII)[:LONGEST].strip("_.-")
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
    return f"{word}-{digest}" if word else digest


def _unexpected(value: Any, place: str, expected: str) -> UserError:
    return UserError(f"{place}: expected {expected}, got {shown(str(value))}")


def _check_keys(value: dict[Any, Any], place: str) -> None:
    for key in value:
        if not isinstance(key, str) or not key.isprintable():
            raise _unexpected(key, place, "keys that are text, in one line")


def _check_text(value: Any, place: str) -> None:
    if not isinstance(value, str) or not value.isprintable():
        raise _unexpected(value, place, "text, in one line")


def _check_seeds(value: Any, place: str) -> None:
    if (
        not isinstance(value, list)
        or any(type(seed) is not int or seed < 0 for seed in value)
        or len(set(value)) < len(value)
    ):
        raise _unexpected(value, place, "a list of different whole numbers, 0 or more, such as [0, 1, 2]")


def _check_stages(value: Any, place: str) -> None:
    if not isinstance(value, list) or not all(isinstance(stage, str) for stage in value):
        raise _unexpected(value, place, "a list of names of stages, such as [fit, cam, evaluate]")


def _check_values(value: Any, place: str) -> None:
    """Check values of experiments; what is in them is checked with each."""
    if value is not None and not isinstance(value, dict):
        raise _unexpected(value, place, "keys of the experiment with their values (a mapping)")
    _check_keys(value or {}, place)
    for key in OF_PLAN:
        if key in (value or {}):
            raise UserError(f"{place}: {key}: the plan sets it for each run, by its keys run, seeds and stages")


def _check_dataset(value: Any, place: str) -> None:
    if not isinstance(value, dict) or BASE not in value:
        raise _unexpected(value, place, f"a mapping with {BASE}, an experiment file, and values over it")
    _check_text(value[BASE], f"{place}.{BASE}")
    _check_values(value, place)


def _each(check_one: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    """A check of a mapping of names, whose values another one checks."""

    def check_all(value: Any, place: str) -> None:
        if not isinstance(value, dict) or not value:
            raise _unexpected(value, place, "a mapping of names")
        for name, one in value.items():
            if not isinstance(name, str) or not name.isprintable() or not as_word(name) or len(name) > LONGEST:
                raise _unexpected(
                    name, place, f"names of up to {LONGEST} printable characters with a letter or digit in them"
                )
            check_one(one, f"{place}.{name}")

    return check_all


KINDS: dict[str, Callable[[Any, str], None]] = {
    "base": _check_text, "run": _check_text, "seeds": _check_seeds, "stages": _check_stages, COMMON: _check_values,
    "tables": _each(_each(_check_values)), "datasets": _each(_check_dataset), "methods": _each(_check_values),
}  # fmt: skip
