"""What each published way of spreading CAMs sets, in the stages that it changes (docs/labels.md).

An experiment chooses one by name (`affinity: psa`); every value can be set otherwise in the experiment.
"""

from typing import Any

_IRN_WALK: dict[str, Any] = {
    "radius": 5, "beta": 10.0, "exponent": 8, "cam_power": 1.0, "normalise": True, "flip": True,
}  # fmt: skip
_IRN: dict[str, Any] = {
    "affinity_labels": {"strong_threshold": 0.30, "weak_threshold": 0.05, "refiner": "hard_label"},
    "affinity_train": {
        "model": {
            "kind": "boundary", "backbone": "resnet50", "weights": "timm", "output_stride": 16, "radius": 10,
            "optimizer": {"lr": 0.1, "new_layer_factor": 1.0, "momentum": 1e-4, "weight_decay": 1e-4},
        },
        "data": {"crop": 512, "scale": [0.5, 1.5], "batch_size": 32},
        "trainer": {"max_epochs": 3},
    },
    "affinity_walk": {"model": _IRN_WALK},
    "label": {"threshold": 0.25, "refiner": "hard_label"},
}  # fmt: skip

AFFINITY_PRESETS: dict[str, dict[str, Any]] = {
    "psa": {
        "affinity_labels": {"strong_alpha": 4.0, "weak_alpha": 32.0, "refiner": "soft_cam"},
        "affinity_train": {
            "model": {
                "kind": "features", "backbone": "resnet38d", "weights": "weights/resnet38d.safetensors",
                "output_stride": None, "radius": 5,
                "optimizer": {"lr": 0.1, "new_layer_factor": 10.0, "momentum": 5e-4, "weight_decay": 5e-4},
            },
            "data": {"crop": 448, "scale": [1.0, 1.0], "batch_size": 8},
            "trainer": {"max_epochs": 8},
        },
        "affinity_walk": {
            "model": {
                "radius": 5, "beta": 8.0, "exponent": 8, "cam_power": 1.0, "background_alpha": 16.0,
                "normalise": False, "flip": False,
            }
        },
        "label": {"threshold": "walked", "refiner": "soft_cam"},
    },
    "irn": _IRN,
    # What ACR's published 72.3 was made with; the rest is IRN's.
    "rib": {
        **_IRN,
        "affinity_labels": {"strong_threshold": 0.35, "weak_threshold": 0.17, "refiner": "hard_label"},
        "affinity_walk": {"model": {**_IRN_WALK, "cam_power": 1.3}},
        "label": {"threshold": 0.27, "refiner": "hard_label"},  # COCO: 0.22
    },
}  # fmt: skip
