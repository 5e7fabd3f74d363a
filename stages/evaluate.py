"""Stage evaluate: the network's predictions, and every score: CAMs at all thresholds, pseudo-labels, network.

Reads `cam/cams/`, `label/labels/` and `segment/last.ckpt`, each if its stage was done. Writes
`evaluate/predictions/<id>.png`, `evaluate/scores.json`, `evaluate/scores.md` and `evaluate/confusion_*.csv` (pixels);
without masks nothing is scored. `acr evaluate --split S` does another split, in the folder `evaluate_S`.
"""

from pathlib import Path
from typing import Any

READS: tuple[str, ...] = ()
ALSO_READS: tuple[str, ...] = ("cam", "affinity", "label", "segment")


def defaults(run: Path) -> dict[str, Any]:
    """The section's defaults."""
    from acr_lightning.stages import inference

    return {
        "seed_everything": 0,
        "model": {
            "class_path": "acr_lightning.segment.inference.NetworkInference",
            "init_args": {"checkpoint": str(run / "segment" / "last.ckpt")},
        },
        "data": {"class_path": "acr_lightning.data.datamodule.TestPhotos", "init_args": {}},
        "trainer": inference.defaults(run / "evaluate"),
    }


def main(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Predict what is not there yet, then score; returns counts for the manifest."""
    from acr_lightning.stages import inference

    from acr_lightning.artefacts.palette import is_whole
    from acr_lightning.class_names import build
    from acr_lightning.cli.stage import is_first_process
    from acr_lightning.data.tagged import TaggedDataset
    from acr_lightning.errors import UserError
    from acr_lightning.report.run_scores import score_run
    from acr_lightning.segment.inference import PredictionWriter

    counts: dict[str, Any] = {}
    if not any((folder.parent / stage).is_dir() for stage in ("cam", "segment")):
        raise UserError(
            f"{folder.parent}: neither CAMs nor a network to evaluate; run `acr cam` or `acr segment` with the same "
            "--config, or `acr run`"
        )
    if Path(section["model"]["init_args"]["checkpoint"]).is_file():
        results = folder / "predictions"
        counts = inference.predict(section, PredictionWriter(results), results, ".png", is_whole)
        if counts.get("left"):
            return counts
    if is_first_process():
        data = section["data"]["init_args"]
        dataset = build(data["dataset"], "dataset", TaggedDataset)
        records = score_run(folder.parent, dataset, data.get("splits", ["val"]), folder)
        counts["scores"] = len(records)
    return counts
