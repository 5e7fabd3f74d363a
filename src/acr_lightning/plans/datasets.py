"""Whether a plan's data sets are there."""

from collections.abc import Iterable
from pathlib import Path

from acr_lightning.artefacts.atomic import OnlyReadingError, only_reading
from acr_lightning.chain.check import checked_dataset
from acr_lightning.chain.experiment import Experiment
from acr_lightning.errors import UserError


def require_datasets(plan: Path, experiments: Iterable[tuple[str, Experiment]]) -> None:
    """Check that each data set can be read, or draws or indexes its own files when it is used.

    Args:
        plan: its file.
        experiments: each with its data set's name in the plan.

    Raises:
        UserError: some cannot, a line each.
    """
    nodes, lines = list[object](), list[str]()
    for name, experiment in experiments:
        if (node := experiment.values.get("dataset")) in nodes:
            continue
        nodes.append(node)
        try:
            with only_reading():
                checked_dataset(experiment)
        except OnlyReadingError:
            pass
        except UserError as error:
            lines.append(f"{plan}: datasets.{name}: {error}")
    if lines:
        raise UserError("\n".join(lines))
