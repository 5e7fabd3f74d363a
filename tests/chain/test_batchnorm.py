"""BatchNorm that learns sees the photos of all devices, or is refused."""

import pytest
from torch.nn import SyncBatchNorm

from acr_lightning.chain.trainer_section import build, for_several_processes, require_same_batchnorm
from acr_lightning.errors import UserError
from acr_lightning.segment.segmenter import Segmenter


def section(root, folder, frozen, devices):
    dataset = {"class_path": "acr_lightning.data.shapes.Shapes"}
    dataset["init_args"] = {"root": str(root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    model = {"backbone": "test_resnet", "rates": [1, 2], "freeze_batchnorm": frozen}
    return {
        "seed": 0,
        "model": {"class_path": "acr_lightning.segment.segmenter.Segmenter", "init_args": model},
        "data": {
            "class_path": "acr_lightning.data.datamodule.LabelledCrops",
            "init_args": {"dataset": dataset, "labels": "masks", "crop": 48, "batch_size": 4, "num_workers": 0},
        },
        "trainer": {"logger": False, "accelerator": "cpu", "default_root_dir": str(folder), "devices": devices},
    }


@pytest.mark.parametrize(("frozen", "devices"), [(True, 2), (False, 1)])
def test_one_device_and_batchnorm_that_rests_are_taken(shapes_root, shapes, tmp_path, frozen, devices):
    parts = build(section(shapes_root, tmp_path, frozen, devices), "segment")
    require_same_batchnorm(parts.trainer, parts.model)


def test_cpus_do_not_learn_batchnorm_together(shapes_root, shapes, tmp_path):
    parts = build(section(shapes_root, tmp_path, frozen=False, devices=2), "segment")
    with pytest.raises(UserError, match=r"trainer\.devices: 2 processes on CPUs cannot learn BatchNorm together"):
        require_same_batchnorm(parts.trainer, parts.model)


def test_gpus_learn_it_together():
    assert for_several_processes({"strategy": "auto"}, "cuda")["sync_batchnorm"]
    assert not for_several_processes({"strategy": "auto"}, "cpu")["sync_batchnorm"]
    assert for_several_processes({"strategy": "fsdp"}, "cuda")["strategy"] == "fsdp"


def test_what_rests_goes_on_resting_when_it_is_synchronised():
    segmenter = Segmenter(4, "test_resnet", freeze_batchnorm=True, rates=(1, 2))
    made = SyncBatchNorm.convert_sync_batchnorm(segmenter).train()
    norms = [module for module in made.modules() if isinstance(module, SyncBatchNorm)]
    assert norms
    assert not any(norm.training for norm in norms)
