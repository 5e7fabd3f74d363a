"""The scores of a run as CSV, a row for each score and label, for spreadsheets and data frames."""

from typing import Any

from acr_lightning.artefacts.atomic import as_csv

CONDITIONS = ("what", "split", "affinity", "threshold", "chosen", "refiner")
MEAN = "(mean)"


def scores_csv(records: list[dict[str, Any]]) -> str:
    """The records of `scores.json` (see `run_scores.score_run`), in per cent.

    Columns: the conditions, empty where a score has none of the kind; `label`, which is `(mean)` for the mIoU and the
    mean precision and recall; `iou`, `precision` and `recall`. Absent labels have no row.
    """
    rows: list[list[Any]] = [[*CONDITIONS, "label", "iou", "precision", "recall"]]
    for record in records:
        conditions = [record.get(name) for name in CONDITIONS]
        rows.append([*conditions, MEAN, record["miou"], record["precision"], record["recall"]])
        for label, one in record["classes"].items():
            rows.append([*conditions, label, one["iou"], one["precision"], one["recall"]])
    return as_csv(rows)
