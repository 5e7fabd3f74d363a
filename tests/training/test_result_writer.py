"""The files of an inference, written here or in processes beside it."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from acr_lightning.artefacts.palette import read_mask, write_mask
from acr_lightning.labels.refiner import DenseCrf, refined_labels
from acr_lightning.training.result_writer import ResultWriter

PHOTOS = 7


class Halves(LightningModule):
    """Of every photo a label map, or what makes it: the dense CRF of a photo whose halves differ."""

    def predict_step(self, number, batch_index):
        photo = np.zeros((8, 8, 3), np.uint8)
        photo[:, 4:] = 30 * (number + 1)
        sure = np.full((2, 8, 8), 0.1, np.float32)
        sure[0, :, :4] = sure[1, :, 4:] = 0.9
        labels = np.array([0, number + 1], np.uint8)
        work = partial(refined_labels, DenseCrf("soft_cam"), photo, sure, labels)
        return [(f"in/{number}", work if number % 2 else work())]


def predicted(folder, workers, write=write_mask):
    trainer = Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, callbacks=[ResultWriter(folder, ".png", write, workers)],
    )  # fmt: skip
    trainer.predict(Halves(), DataLoader(range(PHOTOS), batch_size=None), return_predictions=False)


def full_disk(path, labels):
    if path.stem == "3":
        raise OSError(28, "No space left on device")
    write_mask(path, labels)


def test_files_are_the_same_whoever_writes_them(tmp_path):
    predicted(tmp_path / "here", 0)
    predicted(tmp_path / "beside", 2)
    names = [f"in/{number}.png" for number in range(PHOTOS)]
    here, beside = ([read_mask(tmp_path / way / name) for name in names] for way in ("here", "beside"))
    assert np.array_equal(here, beside)
    assert [int(one.max()) for one in here] == [number + 1 for number in range(PHOTOS)]


@pytest.mark.parametrize("workers", [0, 1])
def test_what_fails_beside_fails_here(tmp_path, workers):
    with pytest.raises(OSError, match="No space left"):
        predicted(tmp_path, workers, full_disk)
    assert not (tmp_path / "in" / "3.png").exists()


@pytest.mark.parametrize(("device", "workers"), [("cpu", None), ("cuda", 3)])
def test_a_gpu_has_the_cores_beside_it(tmp_path, monkeypatch, device, workers):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(7))
    monkeypatch.setattr("acr_lightning.training.result_writer.WorkBeside", lambda count: count)
    writer = ResultWriter(tmp_path, ".png", write_mask)
    strategy = SimpleNamespace(root_device=SimpleNamespace(type=device))
    writer.on_predict_start(SimpleNamespace(num_devices=2, strategy=strategy), None)
    assert writer.beside == workers
