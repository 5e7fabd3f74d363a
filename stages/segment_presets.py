"""The published recipes of the segmentation network and its test (docs/segment.md), by name.

An experiment chooses one (`segment: deeplabv2_resnet101`); every value can be set otherwise in the experiment. Epochs
are those that give the published number of iterations on the data set that the recipe was published for.
"""

from typing import Any

_SCALES = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]

SEGMENT_PRESETS: dict[str, dict[str, Any]] = {
    # The one behind ACR's 71.9 and most papers of this field: 20,000 iterations on VOC's 10,582 photos.
    "deeplabv1_resnet38d": {
        "segment": {
            "model": {
                "backbone": "resnet38d", "weights": "weights/resnet38d.safetensors", "output_stride": None,
                "head": "v1_large_fov", "loss": "cross_entropy",
                "optimizer": {"lr": 1e-3, "new_layer_factor": 10.0, "weight_decay": 5e-4},
            },
            "data": {"crop": 448, "scale": [0.5, 1.5], "batch_size": 10},
            "trainer": {"max_epochs": 19},
        },
        "evaluate": {"model": {"scales": _SCALES, "refiner": "test_deeplabv1"}},
    },
    # 25,000 iterations on VOC; fully supervised 76.7, with CRF 77.9.
    "deeplabv2_resnet101": {
        "segment": {
            "model": {
                "backbone": "resnet101", "weights": "timm", "output_stride": 8, "head": "v2", "loss": "balanced",
                "optimizer": {"lr": 2.5e-4, "new_layer_factor": 10.0, "weight_decay": 5e-4},
            },
            "data": {"crop": 321, "scale": [0.5, 1.5], "batch_size": 10},
            "trainer": {"max_epochs": 24},
        },
        "evaluate": {"model": {"scales": _SCALES, "refiner": "test_deeplabv2"}},
    },
}  # fmt: skip
# The same network on COCO: 100,000 iterations of 20 photos.
SEGMENT_PRESETS["coco"] = {
    **SEGMENT_PRESETS["deeplabv2_resnet101"],
    "segment": {
        "model": {
            **SEGMENT_PRESETS["deeplabv2_resnet101"]["segment"]["model"],
            "optimizer": {"lr": 2e-4, "new_layer_factor": 10.0, "weight_decay": 5e-4},
        },
        "data": {"crop": 321, "scale": [0.5, 1.5], "batch_size": 20},
        "trainer": {"max_epochs": 24},
    },
}
