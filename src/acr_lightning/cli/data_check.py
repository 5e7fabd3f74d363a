"""`acr data check`."""

from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import as_json
from acr_lightning.artefacts.own_files import require_own, write_own
from acr_lightning.chain.check import check_node, checked_dataset
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.experiment_file import load
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.data_care.finding import Report, from_error
from acr_lightning.errors import Faults, UserError
from acr_lightning.stages.chain import CHAIN


def check(
    *, config: str, labels: str | None = None, json: str | None = None, workers: int | None = None, **values: Any
) -> int:
    """What is wrong with a data set, or with labels: one line a problem; exit status 1 if there are any.

    Decodes every photo and mask of an experiment's data set and compares size, palette, values and tags. A line says
    kind, id, file, what, and what to do.

    Args:
        config: an experiment file, for its data set; KEY is one of its keys, such as dataset.root.
        labels: a folder of label maps (pseudo-labels) to check instead.
        json: a file for all findings.
        workers: processes; all cores if not given.
        **values: of the experiment.
    """
    from acr_lightning.data_care.check_labels import check_labels
    from acr_lightning.data_care.print_report import print_report

    if json:
        require_own([json])
    experiment = load(CHAIN, config, values)
    if labels is not None:
        report = check_labels(Path(labels), checked_dataset(experiment), workers)
    else:
        report = _dataset_report(experiment, workers)
    print_report(report)
    if json:
        write_own(json, as_json(report.as_json()))
    return 1 if report.problems else 0


def _dataset_report(experiment: Experiment, workers: int | None) -> Report:
    """What is wrong with a data set, or why it cannot be made at all; then no photo can be checked."""
    from acr_lightning.data_care.check_dataset import check_dataset

    check_node(experiment.dataset_node(), "dataset", TaggedDataset)
    try:
        dataset = experiment.dataset()
    except UserError as error:
        lines = error.lines if isinstance(error, Faults) else [str(error)]
        return Report([from_error("setup", "", line) for line in lines])
    return check_dataset(dataset, workers)
