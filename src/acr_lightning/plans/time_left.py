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

    Each is taken to last as long as the same variant did with other seeds, else as the mean of those that have as many
    stages, else as the mean of all that are done.
    """
    lasted, left = defaultdict[object, list[float]](list), list[Cell]()
    for cell in runs:
        manifests = manifests_of(Path(cell.values["run"]))
        done = [manifests[stage] for stage in cell.values["stages"] if manifests.get(stage, {}).get("status") == "done"]
        if len(done) < len(cell.values["stages"]):
            left.append(cell)
            continue
        for like in _likest(cell):
            lasted[like].append(sum(one.get("seconds", 0.0) for one in done))
    if not lasted or not left:
        return ""
    seconds = [next(statistics.mean(lasted[like]) for like in _likest(cell) if like in lasted) for cell in left]
    return f", about {duration(sum(seconds))} are left"


def _likest(cell: Cell) -> tuple[object, ...]:
    """What a run has in common with others that last as long, the most telling first."""
    return (cell.table, cell.dataset, cell.variant), (cell.dataset, len(cell.values["stages"])), None
