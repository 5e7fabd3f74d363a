"""What `torch.compile` is given has every backbone in it: methods may go past the networks that they train."""

import pytest
import torch
from cases import label_batch, methods, networks, photo_batch
from lightning.pytorch import Trainer
from timm.layers import PatchEmbed
from torch.utils.data import DataLoader

from acr_lightning.nets.backbone import Backbone
from acr_lightning.training.speed import Compile


@pytest.mark.parametrize(
    "name",
    [
        "ACR", "ACR, frozen", "ACR, MCTformer", "plain", "plain, MCTformer+", "OC-CSE", "ReCAM", "SEAM", "SIPE", "AEFT",
        "CPN", "PPC", "CLIMS", "PSA", "IRN", "DeepLab, v2",
    ],
)  # fmt: skip
def test_every_backbone_runs_inside_of_what_is_compiled(name, tmp_path, monkeypatch):
    inside, runs = [], []

    def compiled(call, **_):
        def recorded(*arguments, **options):
            inside.append(call)
            try:
                return call(*arguments, **options)
            finally:
                inside.pop()

        return recorded

    monkeypatch.setattr(torch, "compile", compiled)
    module = (methods(tmp_path) | networks())[name]()
    for part in module.modules():
        if isinstance(part, Backbone | PatchEmbed):  # an MCTFormer is a ViT of its own
            net = part.net if isinstance(part, Backbone) else part
            net.register_forward_hook(lambda *_: runs.append(bool(inside)))
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, callbacks=[Compile()],
    )  # fmt: skip
    trainer.fit(module, DataLoader([label_batch() if name in networks() else photo_batch()], batch_size=None))
    assert runs
    assert all(runs)
