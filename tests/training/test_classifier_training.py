"""What methods of one classifier share: the parts of a batch, and the draws for its photos."""

import torch
from lightning.pytorch import Trainer
from tiny_acr import ADAMW, tiny_classifier
from torch import nn

from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.nets.backbone import Backbone
from acr_lightning.training.alternating import StepSettings, Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.optimisation import OptimizerSettings
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
    def __init__(self, micro_batches=1, optimizer=ADAMW):
        super().__init__(tiny_classifier(), optimizer, StepSettings(micro_batches))
        self.seen = []

    def losses(self, photos):
        self.seen.append(photos)
        output = self.classifier(photos.seen_by(self.classifier))
        return Update(self.classifier.classification_loss(output, photos.tags), {})


def fit(tmp_path, module, shapes):
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", devices=1, logger=False, limit_train_batches=2,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(module, TaggedCrops(shapes, 32, (32, 40), batch_size=4, num_workers=0))
    return trainer


def test_each_photo_has_the_same_draw_in_any_number_of_parts(tmp_path, shapes):
    found = []
    for parts in (1, 2):
        module = Recording(parts)
        fit(tmp_path, module, shapes)
        assert len(module.seen) == 2 * parts
        found.append(torch.cat([photos.drawn for photos in module.seen]))
    assert torch.equal(*found)
    assert len(found[0].unique()) == 8


class TwoBackbones(Recording):
    """Trains a network besides the classifier's, which starts from pretrained weights as well."""

    def __init__(self):
        super().__init__(optimizer=OptimizerSettings(lr=0.25, new_layer_factor=2.0, bias_factor=1.0))
        self.second = nn.Sequential(Backbone("test_resnet"), nn.Conv2d(4, 4, 1))

    def trained(self):
        return nn.ModuleList([self.classifier, self.second])


def test_pretrained_weights_learn_slowly_wherever_they_lie(tmp_path, shapes):
    module = TwoBackbones()
    trainer = fit(tmp_path, module, shapes)
    (optimizer,) = trainer.optimizers
    rates = {id(one): group["initial_lr"] for group in optimizer.param_groups for one in group["params"]}
    for backbone in (module.classifier.backbone, module.second[0]):
        assert {rates[id(one)] for one in backbone.parameters() if one.requires_grad} == {0.25}
    for layer in (module.classifier.reduce, module.classifier.classify, module.second[1]):
        assert {rates[id(one)] for one in layer.parameters()} == {0.5}
