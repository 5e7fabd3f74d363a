"""Lightning's moving average of weights, in the stage that wants it."""

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging

from acr_lightning.data.datamodule import LabelledCrops
from acr_lightning.segment.network_inference import load_network
from acr_lightning.segment.segmenter import Segmenter
from acr_lightning.training.optimisation import OptimizerSettings

NAME = "network.head.branches.0.weight"


class Weights(Callback):
    """What one layer was after each step."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.seen.append(pl_module.state_dict()[NAME].clone())


def test_the_checkpoint_of_the_segmenter_holds_the_average(tmp_path, shapes):
    recorder = Weights()
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, limit_train_batches=4,
        callbacks=[recorder, EMAWeightAveraging(decay=0.5)],
    )  # fmt: skip
    segmenter = Segmenter(4, "test_resnet", rates=(1, 2), optimizer=OptimizerSettings(lr=0.01))
    trainer.fit(segmenter, LabelledCrops(shapes, "masks", crop=48, batch_size=4, num_workers=0))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    average = recorder.seen[0]
    for weights in recorder.seen[1:]:
        average = 0.5 * average + 0.5 * weights
    kept = load_network(tmp_path / "last.ckpt").state_dict()[NAME.removeprefix("network.")]
    assert torch.allclose(kept, average, atol=1e-6)
    assert not torch.allclose(kept, recorder.seen[-1], atol=1e-6)
