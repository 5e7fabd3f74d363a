"""Hostile payloads: whoever sends a run, a weight, tags, photos or an archive wants to run, write or read something.

A payload counts only if its place is read: each place gets a harmless payload first, which has to work.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torture.attack import RAN, Attack
from torture.chain import Baseline
from torture.changes import changes
from torture.commands import Outcome, remove
from torture.hostile_inputs import archives, experiments, folder_names, ids, plans
from torture.hostile_runs import checkpoints, disclosures, manifests, pages, pickles
from torture.tally import Tally
from torture.targets import targets
from torture.whole import prepare
from torture.working_folder import working_folder

KINDS = (
    manifests, experiments, archives, pages, targets, changes, ids, checkpoints, pickles, disclosures, plans,
    folder_names, working_folder,
)  # fmt: skip


def attack(made: Baseline, count: int, tally: Tally) -> None:
    """Try the first so many payloads, of each place the first before the second, the kinds in turn."""
    if not (made.folder / "whole").exists():
        prepare(made)
    twins: dict[str, bool] = {}
    for number, (one, name) in enumerate([*_in_turn()][:count]):
        what = f"{one.name}: {name}"
        if one.name not in twins:
            worked, outcome = _trial(made, one, None, f"twin-{number}")
            tally.answered(outcome, f"the twin of {what}", one.area)
            if not worked:
                tally.say(f"NO TWIN {one.name}: status {outcome.status}, {outcome.said[-500:]}")
            twins[one.name] = worked
        worked, outcome = _trial(made, one, name, f"attack-{number}")
        tally.attack(worked, twins[one.name], outcome, what, one.area)


def _in_turn() -> Iterator[tuple[Attack, str]]:
    """Places and names of payloads."""
    kinds = [list(kind()) for kind in KINDS]
    longest = max(map(len, kinds))
    places = [kind[at] for at in range(longest) for kind in kinds if at < len(kind)]
    for at in range(max(len(place.hostile) for place in places)):
        for place in places:
            if at < len(place.hostile):
                yield place, [*place.hostile][at]


def _trial(made: Baseline, one: Attack, name: str | None, trial: str) -> tuple[bool, Outcome]:
    """Plant a payload, the harmless one if it has no name, and run the command; whether it worked."""
    outside = made.folder / trial
    folder, payload = outside / "here", one.harmless if name is None else one.hostile[name]
    shutil.copytree(made.folder / "whole", folder, symlinks=True)
    one.plant(folder, payload)
    before = _marks(outside), _beside(outside)
    outcome = one.run(folder, outside.with_suffix(".log"))
    marked = _marks(outside) != before[0]
    if name is not None:
        worked = marked or _beside(outside) != before[1] or one.worked(folder, payload, outcome)
    elif one.reached is not None:
        worked = one.reached(folder, payload, outcome)
    else:
        worked = marked or one.worked(folder, payload, outcome)
    if outcome.is_clear and worked == (name is None):
        remove(outside)
    return worked, outcome


def _marks(outside: Path) -> set[Path]:
    """All that has the name of a mark, wherever a payload could leave one."""
    places: list[Any] = [outside.rglob("*"), outside.parent.glob("*"), Path("/").glob("*"), Path.home().glob("*")]
    return {path for place in (*places, Path("/tmp").glob("*")) for path in place if path.name.startswith(RAN)}


def _beside(outside: Path) -> list[str]:
    return sorted(path.name for path in outside.iterdir())
