"""IoU, precision and recall from a confusion matrix of integer counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_confusion_matrix

from acr_lightning.artefacts.atomic import as_csv
from acr_lightning.artefacts.palette import IGNORE


def confusion(mask: NDArray[np.uint8], prediction: NDArray[np.uint8], num_labels: int) -> NDArray[np.int64]:
    """Pixels by true label (row) and predicted label (column), 255 in the mask left out.

    Args:
        mask: `[H, W]`, 0 background, 1..K, 255 not scored.
        prediction: `[H, W]`, 0..K.
        num_labels: K + 1.
    """
    counts = multiclass_confusion_matrix(
        torch.from_numpy(prediction.astype(np.int64)),
        torch.from_numpy(mask.astype(np.int64)),
        num_classes=num_labels,
        ignore_index=IGNORE,
        validate_args=False,  # five sixths of the time; who reads a label map has checked it
    )
    return counts.numpy().astype(np.int64)


def confusion_csv(counts: NDArray[np.int64], label_names: Sequence[str]) -> str:
    """A confusion matrix as CSV: a row for each true label, a column for each predicted one, pixels.

    Args:
        counts: `[K + 1, K + 1]`.
        label_names: K + 1 names, background first.
    """
    rows = [[name, *row] for name, row in zip(label_names, counts.tolist(), strict=True)]
    return as_csv([["true \\ predicted", *label_names], *rows])


def scores(counts: NDArray[np.int64], label_names: list[str]) -> dict[str, Any]:
    """Per-class and mean scores, in per cent.

    The means run over the labels that occur in the masks or the predictions; the others are named in `absent`.

    Args:
        counts: `[K + 1, K + 1]`, from `confusion`.
        label_names: K + 1 names, background first.

    Returns:
        `miou`, `precision`, `recall`, `classes` (the three by label name) and `absent`.
    """
    hit = np.diag(counts).astype(np.float64)
    true, predicted = counts.sum(axis=1), counts.sum(axis=0)
    present = (true + predicted) > 0
    table = {
        "iou": 100 * hit / np.maximum(true + predicted - hit, 1),
        "precision": 100 * hit / np.maximum(predicted, 1),
        "recall": 100 * hit / np.maximum(true, 1),
    }
    means = {key: float(values[present].mean()) if present.any() else 0.0 for key, values in table.items()}
    return {
        "miou": means.pop("iou"),
        **means,
        "classes": {
            name: {key: float(values[label]) for key, values in table.items()}
            for label, name in enumerate(label_names)
            if present[label]
        },
        "absent": [name for label, name in enumerate(label_names) if not present[label]],
    }
