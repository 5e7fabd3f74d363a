import json

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from acr_lightning.training import pace
from acr_lightning.training.pace import Pace


class Slow(LightningModule):
    """A step of epoch e takes e + 1 seconds, the first of each ten more; a photo takes two."""

    def __init__(self, clock):
        super().__init__()
        self.weight, self.clock, self.epochs = torch.nn.Parameter(torch.zeros(())), clock, []

    def training_step(self, batch, batch_index):
        self.epochs.append(self.current_epoch)
        self.clock.now += self.current_epoch + 1 + (10 if batch_index == 0 else 0)
        return self.weight * batch.sum()

    def on_train_epoch_end(self):
        self.clock.now += 5

    def predict_step(self, batch, batch_index):
        self.clock.now += 2 * len(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(pace.time, "monotonic", lambda: found.now)
    return found


def trainer(output, **more):
    return Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[Pace(str(output))], **more,
    )  # fmt: skip


def test_training_is_timed_in_three_of_its_epochs(clock, tmp_path):
    module = Slow(clock)
    trainer(tmp_path / "pace.json", max_epochs=7).fit(module, DataLoader(torch.ones(3), batch_size=1))
    assert module.epochs == [1, 1, 1, 3, 3, 3, 5, 5, 5]  # the middles of the thirds of seven
    found = json.loads((tmp_path / "pace.json").read_text())
    assert found["step"] == pytest.approx((2 + 4 + 6) / 3)
    assert found["epoch_end"] == pytest.approx(5)
    assert found["all"] - found["preparation"] == pytest.approx(3 * (2 + 4 + 6) + 3 * 10 + 3 * 5)
    assert found["megabytes"] > 100


@pytest.mark.parametrize("epochs", [1, 2])
def test_short_trainings_end(clock, tmp_path, epochs):
    module = Slow(clock)
    trainer(tmp_path / "pace.json", max_epochs=epochs).fit(module, DataLoader(torch.ones(2), batch_size=1))
    assert module.epochs == [epoch for epoch in range(epochs) for _ in range(2)]


def test_inference_is_timed_by_the_photo(clock, tmp_path):
    groups = DataLoader([["a", "b"], ["c"], ["d", "e", "f"]], batch_size=None)
    trainer(tmp_path / "pace.json").predict(Slow(clock), groups)
    assert json.loads((tmp_path / "pace.json").read_text())["step"] == pytest.approx(2)
