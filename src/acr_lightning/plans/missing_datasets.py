"""Which of a plan's data sets cannot be read."""

from collections.abc import Iterable, Iterator

from acr_lightning.artefacts.atomic import OnlyReadingError, only_reading
from acr_lightning.chain.check import checked_dataset
from acr_lightning.chain.experiment import Experiment
from acr_lightning.errors import UserError


def missing_datasets(experiments: Iterable[tuple[str, Experiment]]) -> Iterator[str]:
    """A line for each data set that cannot be read, none for one that draws or indexes its own files when it is used.

    Args:
        experiments: each with its data set's name in the plan.
    """
    nodes = list[object]()
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
            yield f"datasets.{name}: {error}"
