"""More photos after a run: what its networks learned from, and values by which another run goes on from them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import network_of, part, read, stages_of
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.runner import inputs
from acr_lightning.chain.values import get_value
from acr_lightning.errors import UserError

# The stages that train; of those, whose networks are taken as they are, with what they were trained from.
TRAINED = ("fit", "affinity_train", "segment")
TAKEN = ("fit", "affinity_labels", "affinity_train")


def other_photos(experiment: Experiment, name: str) -> str | None:
    """What a stage's result was trained on, in words, where the experiment has other photos or tags now; else None."""
    manifest = (read(experiment.folder(name)) if name in TRAINED else None) or {}
    before = part(manifest, "inputs").get("dataset")
    if manifest.get("status") != "done" or before is None or before == inputs(experiment, name).get("dataset"):
        return None
    then, now = part(manifest, "counts").get("photos"), len(experiment.dataset().ids("train"))
    return f"{then} photos, and there are {now} now" if then != now else "other photos or other tags"


def reused(experiment: Experiment, name: str) -> Iterator[str]:
    """What a stage takes over from trainings on other photos, a line each."""
    for source in experiment.sources(name).values():
        if text := other_photos(experiment, source):
            yield f"{name}: takes the network of {experiment.folder(source)} as it is, trained on {text}"
    if initial := get_value(experiment.own_section(name), ["model", "initial"]):
        yield f"{name}: training goes on from {initial}"


def values_after(experiment: Experiment, run: Path) -> dict[str, Any]:
    """Values of an experiment with more photos than a run had, which labels them with its networks.

    The classifier, and the affinity network if there is one, are read from that run; the segmentation network goes on
    from that run's.

    Raises:
        UserError: something is not done in that run, or it is this very one.
    """
    if experiment.run.resolve() == run.resolve():
        raise UserError(f"--after: {run} keeps its results; give the new ones another --run, such as --run={run}-2")
    stages, values = stages_of(run), {"segment.model.initial": str(network_of(run))}
    for name in filter(experiment.takes_part, TAKEN):
        if name not in stages:
            raise UserError(f"--after: the stage {name} is not done in {run}")
        values[f"from.{name}"] = str(stages[name].parent)
    return values
