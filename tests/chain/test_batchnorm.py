"""BatchNorm that learns sees the photos of all devices, or is refused."""

import pytest
from torch.nn import BatchNorm2d, SyncBatchNorm

from acr_lightning.chain.trainer_section import TrainerCLI
from acr_lightning.errors import UserError


def section(root, folder, frozen, devices):
    dataset = {"class_path": "acr_lightning.data.shapes.Shapes"}
    dataset["init_args"] = {"root": str(root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    model = {"backbone": "tiny_resnet", "output_stride": None, "rates": [1, 2], "freeze_batchnorm": frozen}
    return {
        "seed": 0,
        "model": {"class_path": "acr_lightning.segment.module.Segmenter", "init_args": model},
        "data": {
            "class_path": "acr_lightning.data.datamodule.LabelledCrops",
            "init_args": {"dataset": dataset, "labels": "masks", "crop": 48, "batch_size": 4, "num_workers": 0},
        },
        "trainer": {"logger": False, "accelerator": "cpu", "default_root_dir": str(folder), "devices": devices},
    }


@pytest.mark.parametrize(("frozen", "devices"), [(True, 2), (False, 1)])
def test_one_device_and_batchnorm_that_rests_are_taken(shapes_root, shapes, tmp_path, frozen, devices):
    TrainerCLI(section(shapes_root, tmp_path, frozen, devices)).require_same_batchnorm()


def test_cpus_do_not_learn_batchnorm_together(shapes_root, shapes, tmp_path):
    made = TrainerCLI(section(shapes_root, tmp_path, frozen=False, devices=2))
    with pytest.raises(UserError, match=r"trainer\.devices: 2 processes on CPUs cannot learn BatchNorm together"):
        made.require_same_batchnorm()


@pytest.mark.parametrize(("devices", "kind"), [(1, BatchNorm2d), (2, SyncBatchNorm)])
def test_several_devices_synchronise_it_when_they_train(shapes_root, shapes, tmp_path, devices, kind):
    made = TrainerCLI(section(shapes_root, tmp_path, frozen=True, devices=devices))
    sync = getattr(made.trainer.strategy, "_layer_sync", None)
    model = sync.apply(made.model) if sync else made.model
    norms = [module for module in model.modules() if "BatchNorm" in type(module).__name__]
    assert norms
    assert {type(norm) for norm in norms} == {kind}
    assert not any(norm.training for norm in norms)
