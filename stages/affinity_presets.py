"""What each published way of spreading CAMs sets, in the stages that it changes (FACTS §2).

An experiment chooses one by name (`affinity: psa`); every value can be set otherwise in the experiment.
"""

from pathlib import Path
from typing import Any

# IRN's numbers; RIB keeps all but those named there.
_IRN: dict[str, Any] = {
    "affinity": {
        "labels": {"strong_threshold": 0.30, "weak_threshold": 0.05, "crf": "hard_label"},
        "train": {
            "model": {
                "kind": "boundary", "backbone": "resnet50", "weights": "timm", "output_stride": 16, "radius": 10,
                "lr": 0.1, "new_layer_factor": 1.0, "momentum": 1e-4, "weight_decay": 1e-4,
            },
            "data": {"crop": 512, "scale": [0.5, 1.5], "batch_size": 32},
            "trainer": {"max_epochs": 3},
        },
        "walk": {
            "model": {"radius": 5, "beta": 10.0, "exponent": 8, "cam_power": 1.0, "normalise": True, "flip": True}
        },
    },
    "label": {"threshold": 0.25, "crf": "hard_label"},
}  # fmt: skip

PRESETS: dict[str, dict[str, Any]] = {
    "psa": {
        "affinity": {
            "labels": {"strong_alpha": 4.0, "weak_alpha": 32.0, "crf": "soft_cam"},
            "train": {
                "model": {
                    "kind": "features", "backbone": "resnet38d", "weights": "weights/resnet38d.safetensors",
                    "output_stride": None, "radius": 5, "lr": 0.1, "new_layer_factor": 10.0, "momentum": 5e-4,
                    "weight_decay": 5e-4,
                },
                "data": {"crop": 448, "scale": [1.0, 1.0], "batch_size": 8},
                "trainer": {"max_epochs": 8},
            },
            "walk": {
                "model": {
                    "radius": 5, "beta": 8.0, "exponent": 8, "cam_power": 1.0, "background_alpha": 16.0,
                    "normalise": False, "flip": False,
                }
            },
        },
        "label": {"threshold": "walked", "crf": "soft_cam"},
    },
    "irn": _IRN,
    # What ACR's published 72.3 was made with.
    "rib": {
        "affinity": {
            **_IRN["affinity"],
            "labels": {"strong_threshold": 0.35, "weak_threshold": 0.17, "crf": "hard_label"},
            "walk": {"model": {**_IRN["affinity"]["walk"]["model"], "cam_power": 1.3}},
        },
        "label": {"threshold": 0.27, "crf": "hard_label"},  # COCO: 0.22
    },
}  # fmt: skip


def section(preset: str, stage: str, run: Path) -> dict[str, Any]:
    """What a preset changes in the section of a stage; nothing in most."""
    changes: dict[str, Any] = dict(PRESETS[preset].get(stage, {}))
    if stage == "label":
        changes["cams"] = str(run / "affinity" / "cams")
    return changes
