"""`acr evaluate --cams DIR`: any folder of CAMs, scored at all thresholds and exponents."""

from pathlib import Path

from acr_lightning.cli.score_predictions import ids_of
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.errors import UserError


def score(cams: Path, dataset: TaggedDataset, split: Split, output: str | None) -> None:
    """Score a folder of CAMs against the masks of a data set.

    Raises:
        UserError: there are no masks.
    """
    from acr_lightning.artefacts.atomic import as_json
    from acr_lightning.metrics.cam_scores import cam_curves
    from acr_lightning.report.run_scores import ORACLE, has_masks, print_and_keep

    ids = ids_of(dataset, split)
    if not has_masks(dataset, ids):
        raise UserError(f"split {split}: no masks to score with")
    curves = cam_curves(cams, dataset, ids)
    exponents = [(f"alpha {row['alpha']}: the background is (1 − max CAM)^alpha", row) for row in curves.exponents]
    rows = [(ORACLE, curves.best), *exponents]
    records = [{"what": "cam", "split": split, "chosen": choice, **row} for choice, row in rows]
    print_and_keep(records, output, {"sweep.json": as_json(curves.brief())})
