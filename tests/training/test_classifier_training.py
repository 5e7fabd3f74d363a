"""What methods of one classifier share: the parts of a batch, and the draws for its photos."""

import torch
from lightning.pytorch import Trainer
from tiny_acr import ADAMW, tiny_classifier

from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos


def test_parts_of_a_batch():
    image, tags, drawn = torch.rand(4, 3, 2, 2), torch.rand(4, 5), torch.rand(4)
    photos = Photos(image, tags, drawn=drawn, maps=[torch.rand(4, 7, 1, 1), torch.rand(4, 9, 1, 1)])
    first, second = photos.split(2)
    assert torch.equal(torch.cat([first.image, second.image]), image)
    assert torch.equal(torch.cat([first.drawn, second.drawn]), drawn)
    assert torch.equal(second.maps[1], photos.maps[1][2:])
    assert second.valid is None


class Recording(ClassifierTraining):
    def __init__(self, micro_batches):
        super().__init__(tiny_classifier(), ADAMW, micro_batches, 10)
        self.seen = []

    def losses(self, photos):
        self.seen.append(photos)
        output = self.classifier(photos.seen_by(self.classifier))
        return Update(self.classifier.classification_loss(output, photos.tags), {})


def test_each_photo_has_the_same_draw_in_any_number_of_parts(tmp_path, shapes):
    found = []
    for parts in (1, 2):
        module = Recording(parts)
        Trainer(
            default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", devices=1, logger=False, limit_train_batches=2,
            enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        ).fit(module, TaggedCrops(shapes, 32, (32, 40), batch_size=4, num_workers=0))  # fmt: skip
        assert len(module.seen) == 2 * parts
        found.append(torch.cat([photos.drawn for photos in module.seen]))
    assert torch.equal(*found)
    assert len(found[0].unique()) == 8
