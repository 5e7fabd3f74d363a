"""`acr data check`."""

from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import as_json
from acr_lightning.artefacts.own_files import require_own, write_own
from acr_lightning.chain.check import check_node
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
    from acr_lightning.data_care.check_dataset import check_dataset
    from acr_lightning.data_care.check_labels import check_labels
    from acr_lightning.data_care.print_report import print_report

    if json:
        require_own([json])
    experiment = load(CHAIN, config, values)
    check_node(experiment.dataset_node(), "dataset", TaggedDataset)
    try:
        dataset = experiment.dataset()
    except UserError as error:
        if labels is not None:
            raise
        lines = error.lines if isinstance(error, Faults) else [str(error)]
        report = Report([from_error("setup", "", line) for line in lines])
    else:
        report = check_labels(Path(labels), dataset, workers) if labels is not None else check_dataset(dataset, workers)
    print_report(report)
    if json:
        write_own(json, as_json(report.as_json()))
    return 1 if report.problems else 0
