import io
import logging

import pytest
import rich
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from acr_lightning.training import time_left
from acr_lightning.training.time_left import StageBar, TimeLeft


class Clock:
    now = 1000.0


class Slow(LightningModule):
    """Three steps an epoch; each takes what its epoch says, and the end of each epoch five seconds."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.weight, self.clock, self.seconds = torch.nn.Parameter(torch.zeros(())), clock, seconds

    def training_step(self, batch, batch_index):
        self.clock.now += self.seconds[self.current_epoch]
        return self.weight * batch.sum()

    def on_train_epoch_end(self):
        self.clock.now += 5

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Saving(Callback):
    """Saves after the second step of the second epoch, and at that epoch's end."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_index):
        if (trainer.current_epoch, batch_index) == (1, 1):
            trainer.save_checkpoint(self.folder / "middle.ckpt")

    def on_train_epoch_end(self, trainer, module):
        if trainer.current_epoch == 1:
            trainer.save_checkpoint(self.folder / "end.ckpt")


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time_left.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def train(clock, caplog, tmp_path):
    """Train with steps of so many seconds, one number an epoch; what was said."""

    def fit(seconds, **more):
        caplog.clear()
        trainer = Trainer(
            default_root_dir=tmp_path, max_epochs=len(seconds), accelerator="cpu", devices=1, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            callbacks=[TimeLeft("fit"), Saving(tmp_path)],
        )  # fmt: skip
        with caplog.at_level(logging.INFO, logger=time_left.__name__):
            trainer.fit(Slow(clock, seconds), DataLoader(torch.ones(3), batch_size=1), **more)
        return [record.getMessage() for record in caplog.records if record.name == time_left.__name__]

    return fit


def test_what_is_left_is_told_after_the_first_epoch(train):
    assert train([25] * 4) == ["fit: about 4 min are left, at 80 s an epoch"]
    assert train([25, 1, 30, 25]) == ["fit: about 4 min are left, at 80 s an epoch"]
    assert train([25]) == []


def test_a_phase_of_longer_epochs_is_told(train):
    assert train([4, 4, 20, 20, 4, 20]) == [
        "fit: about 85 s are left, at 17 s an epoch",
        "fit: about 3 min are left, at 65 s an epoch",
    ]


@pytest.mark.parametrize("checkpoint", ["middle", "end"])
def test_a_resumed_training_tells_of_its_first_whole_epoch(train, tmp_path, checkpoint):
    train([5] * 6)
    told = train([1000, 1000, 20, 20, 20, 20], ckpt_path=tmp_path / f"{checkpoint}.ckpt")
    assert told == ["fit: about 3 min are left, at 65 s an epoch"]


def test_one_process_of_several_tells(train, monkeypatch):
    monkeypatch.setattr(Trainer, "is_global_zero", property(lambda self: False))
    assert train([25] * 4) == []


def test_the_bar_says_what_is_left_of_the_stage_and_no_number_of_a_logger(clock, tmp_path):
    seen, bar, left = [], StageBar(), TimeLeft("fit")

    class Looking(Callback):
        def on_train_batch_end(self, trainer, module, *more):
            seen.append(bar.get_metrics(trainer, module))

    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=3, accelerator="cpu", devices=1, logger=CSVLogger(tmp_path),
        enable_checkpointing=False, enable_model_summary=False, callbacks=[left, bar, Looking()],
    )  # fmt: skip
    trainer.fit(Slow(clock, [25] * 3), DataLoader(torch.ones(3), batch_size=1))
    assert seen == [{}] * 3 + [{"left": "3 min"}] * 3 + [{"left": "80 s"}] * 3


class TwoLosses(Slow):
    def training_step(self, batch, batch_index):
        self.log_dict({"ru": 0.123, "cu": 12.345}, prog_bar=True)
        return super().training_step(batch, batch_index)


def test_a_long_bar_is_one_line_of_80_columns(clock):
    """Of the hundredth epoch of 5,000 batches, which takes an hour and more."""
    text, left = io.StringIO(), TimeLeft("fit")
    bar = StageBar(1, console_kwargs={"width": 80, "file": text, "force_terminal": True, "color_system": None})

    class Long(Callback):
        def on_train_epoch_end(self, trainer, module):
            left.left = 5 * 3600.0
            task = bar.progress.tasks[bar.train_progress_bar_id]
            task.description, task.completed, task.total, task.finished_time = "Epoch 100/199", 5000, 5000, 5400

    trainer = Trainer(
        max_epochs=2, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
        enable_model_summary=False, callbacks=[left, Long(), bar],
    )  # fmt: skip
    try:
        trainer.fit(TwoLosses(clock, [25] * 2), DataLoader(torch.ones(3), batch_size=1))
    finally:
        rich.reconfigure()  # the one console of the process
    lines = [line for line in text.getvalue().splitlines() if "Epoch 100/199" in line]
    for part in (" 5000/5000 ", "1:30:00", " ru: 0.123 cu: 12.345 left: 5 h 00 min"):
        assert part in lines[-1]
