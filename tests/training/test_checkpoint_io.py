"""Whole checkpoints or none, told apart from damaged ones."""

import resource
import subprocess

import pytest
import torch

from acr_lightning.errors import UserError
from acr_lightning.training.checkpoint_io import WholeCheckpointIO


def state(side):
    """What Lightning's own files have, as far as it matters here, and a tensor."""
    return {"pytorch-lightning_version": "2.6", "state_dict": {"weight": torch.rand(side, side)}}


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_keeps_the_checkpoint_before(small_disk):
    path = small_disk / "last.ckpt"
    WholeCheckpointIO().save_checkpoint(state(50), path)
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left on device") as caught:
        WholeCheckpointIO().save_checkpoint(state(200), path)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert list(small_disk.iterdir()) == [path]


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_limit_at_any_byte_keeps_the_checkpoint_before(tmp_path, share):
    path, larger = tmp_path / "last.ckpt", tmp_path / "larger.ckpt"
    WholeCheckpointIO().save_checkpoint(state(50), path)
    WholeCheckpointIO().save_checkpoint(state(200), larger)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * larger.stat().st_size), limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            WholeCheckpointIO().save_checkpoint(state(200), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [larger, path]


def test_every_flipped_byte_is_found_or_harmless(tmp_path):
    """`torch.load` alone takes a tensor with a wrong byte."""
    path = tmp_path / "last.ckpt"
    saved = state(8)
    WholeCheckpointIO().save_checkpoint(saved, path)
    whole, refused = path.read_bytes(), 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            read = WholeCheckpointIO().load_checkpoint(path)
        except UserError:
            refused += 1
        else:
            assert read.keys() == saved.keys()
            assert read["pytorch-lightning_version"] == "2.6"
            assert torch.equal(read["state_dict"]["weight"], saved["state_dict"]["weight"]), place
    assert refused == len(whole) - len("sha256:")


def other_files(whole):
    """Files that are no checkpoint, by what they are."""
    return {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "without its end": whole[:-100],
        "a text": b"no checkpoint at all",
        "a photo": b"\xff\xd8\xff\xe0" + bytes(500),
    }


@pytest.mark.parametrize("what", other_files(b""))
def test_other_files_get_one_line(tmp_path, what):
    path = tmp_path / "last.ckpt"
    WholeCheckpointIO().save_checkpoint(state(8), path)
    path.write_bytes(other_files(path.read_bytes())[what])
    with pytest.raises(UserError, match=r"not a readable checkpoint .*; put back a copy of it, or delete it") as caught:
        WholeCheckpointIO().load_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_another_torch_file_is_no_checkpoint_of_a_training(tmp_path):
    torch.save({"weight": torch.rand(3)}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of a training; put back a copy"):
        WholeCheckpointIO().load_checkpoint(tmp_path / "last.ckpt")


def section(tmp_path, shapes, **trainer):
    """Of a training."""
    dataset = {"root": str(shapes.root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    return {
        "seed": 0,
        "model": {
            "class_path": "acr_lightning.methods.plain.module.Plain",
            "init_args": {
                "classifier": {
                    "class_path": "acr_lightning.nets.classifier.CamClassifier",
                    "init_args": {"backbone": "test_resnet"},
                }
            },
        },
        "data": {
            "class_path": "acr_lightning.data.datamodule.TaggedCrops",
            "init_args": {"dataset": {"class_path": "acr_lightning.data.shapes.Shapes", "init_args": dataset}},
        },
        "trainer": {"logger": False, "accelerator": "cpu", "default_root_dir": str(tmp_path), **trainer},
    }


PRECISION = {"class_path": "lightning.pytorch.plugins.HalfPrecision", "init_args": {"precision": "bf16-true"}}
OWN = {"class_path": "lightning.pytorch.plugins.io.AsyncCheckpointIO"}


@pytest.mark.parametrize(
    ("trainer", "ours"),
    [
        ({"devices": 1}, True),
        ({"devices": 2}, True),
        ({"devices": 2, "strategy": "ddp"}, True),
        ({"devices": 1, "plugins": [PRECISION]}, True),
        ({"devices": 1, "plugins": [OWN]}, False),
    ],
)
def test_every_trainer_saves_this_way_unless_the_experiment_has_its_own(tmp_path, shapes, trainer, ours):
    from acr_lightning.chain.trainer_section import build

    made = build(section(tmp_path, shapes, **trainer), "fit").trainer.strategy.checkpoint_io
    assert (type(made) is WholeCheckpointIO) is ours
