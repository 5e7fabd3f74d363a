"""The same on a CPU, with numbers: Lightning's bf16-mixed leaves exact products, and their gradients, in 32 bits."""

import pytest
from cases import methods, photo_batch
from lightning.pytorch import Trainer
from recorder import Recorder, halved
from torch.utils.data import DataLoader


@pytest.mark.parametrize("name", ["SEAM", "CPN", "PPC", "ReCAM", "SIPE", "plain, MCTformer+", "ACR, MCTformer"])
def test_exact_products_stay_exact_in_mixed_precision(name, tmp_path):
    recorder = Recorder()
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", devices=1, precision="bf16-mixed", logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    module = methods(tmp_path)[name]()
    with recorder:
        trainer.fit(module, DataLoader([photo_batch()], batch_size=None))
    products = recorder.report()["products"]
    inexact, count = halved(products)
    assert count > 1
    assert not inexact
    assert trainer.callback_metrics
