"""Every readout reads every classifier."""

from functools import partial

import pytest
from classifiers import CLASSIFIERS, checkpoint_of
from lightning.pytorch import Trainer

from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.cam.prototype_inference import PrototypeInference
from acr_lightning.data.datamodule import TaggedPhotos
from acr_lightning.methods.advcam.inference import AdvCAM
from acr_lightning.methods.rib.finetuning import Finetuning
from acr_lightning.methods.rib.inference import RIB
from acr_lightning.nets.vit.mctformer import MCTFormer

CLASSIFIERS = {**CLASSIFIERS, "ViT": lambda num_classes: MCTFormer(num_classes, "test_vit")}
del CLASSIFIERS["resnet38d"]  # as the CNN, and seconds for each photo
TINY = Finetuning(steps=2, others=1, crop=32, long_side=(32, 48), lr=0.01, most_covered=2)
READOUTS = {
    "CAM": partial(CamInference, power=0.4),
    "prototypes": PrototypeInference,
    "AdvCAM": partial(AdvCAM, steps=[2]),
    "RIB": partial(RIB, finetuning=TINY),
}


@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("readout", READOUTS)
def test_every_readout_reads_every_classifier(readout, classifier, tmp_path, shapes):
    checkpoint = checkpoint_of(CLASSIFIERS[classifier](shapes.num_classes), tmp_path)
    inference = READOUTS[readout](checkpoint, scales=[1.0], long_side=56)  # no multiple of 16
    data = TaggedPhotos(shapes, ["seed"], num_workers=0)
    data.left = data.ids[:2]
    trainer = Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_checkpointing=False,
        enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    for ((image_id, classes, scores),) in trainer.predict(inference, data):
        assert classes.tolist() == shapes.tags(image_id).tolist()
        assert scores.shape == (len(classes), 64, 64)
        assert 0 <= scores.min() <= scores.max() <= 1  # an untrained CAM may be 0 everywhere
