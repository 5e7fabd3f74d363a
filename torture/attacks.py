"""Hostile files: whoever sends a run, a weight, tags, photos or an archive wants to run a command or write outside."""

import shutil
from pathlib import Path

from torture.attack import RAN
from torture.chain import Baseline
from torture.commands import call, in_copy, remove
from torture.hostile_inputs import archives, experiments, names
from torture.hostile_runs import SCRIPT, checkpoints, manifests, pages, pickles
from torture.inputs import prepare
from torture.tally import Tally


def attack(made: Baseline, count: int, tally: Tally) -> None:
    """Try the first so many attacks of each kind, the kinds in turn; all kinds together have more than fifty."""
    kinds = [list(kind()) for kind in (manifests, checkpoints, pickles, experiments, names, archives, pages)]
    turns = [kind[at] for at in range(max(map(len, kinds))) for kind in kinds if at < len(kind)]
    whole = made.folder / "whole"
    if not whole.exists():
        prepare(made)
    for number, one in enumerate(turns[:count]):
        outside = made.folder / f"attack-{number}"
        folder = outside / "here"
        shutil.copytree(whole, folder)
        one.plant(folder)
        before = _outside(outside)
        if one.work is not None:
            outcome = in_copy(lambda one=one, folder=folder: one.work(folder), outside.with_suffix(".log"))  # type: ignore[misc]
        else:
            outcome = call([*one.words], outside.with_suffix(".log"), folder)
        places = (outside.rglob("*"), made.folder.glob("*"), Path("/").glob("*"), Path("/tmp").glob("*"))
        executed = any(path.name.startswith(RAN) for place in places for path in place)
        scripted = any(SCRIPT in page.read_text() for page in folder.glob("run/*.html"))
        tally.attack(executed or scripted or before != _outside(outside), outcome, one.name)
        if outcome.is_clear:
            remove(outside)


def _outside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
