"""How long the runs of a plan still take."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from acr_lightning.artefacts.manifest import manifests_of
from acr_lightning.duration import duration
from acr_lightning.plans.plan import Cell


def time_left(runs: Sequence[Cell]) -> str:
    """`, about 12 min are left`: what the runs take that are not done; nothing before the first one is.

    Each is taken to last as long as the same variant did with other seeds, else as the mean of those on the same data
    set that have as many stages, else as the mean of all that are done.
    """
    durations, cells_to_come = defaultdict[object, list[float]](list), list[Cell]()
    for cell in runs:
        all_stages = manifests_of(Path(cell.values["run"]))
        stages = [
            one for name, one in all_stages.items() if name in cell.values["stages"] and one.get("status") == "done"
        ]
        if len(stages) < len(cell.values["stages"]):
            cells_to_come.append(cell)
            continue
        for kind in _kinds(cell):
            durations[kind].append(sum(one.get("seconds", 0.0) for one in stages))
    if not durations or not cells_to_come:
        return ""
    means = {kind: statistics.mean(seconds) for kind, seconds in durations.items()}
    seconds = [next(means[kind] for kind in _kinds(cell) if kind in means) for cell in cells_to_come]
    return f", about {duration(sum(seconds))} are left"


def _kinds(cell: Cell) -> tuple[object, ...]:
    """What a run has in common with others that last as long, the most telling first."""
    return (cell.table, cell.dataset, cell.variant), (cell.dataset, len(cell.values["stages"])), None
