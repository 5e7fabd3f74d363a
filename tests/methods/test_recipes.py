"""What the recipes of methods/*.yaml take from their releases, against lines of those."""

import pytest
import timm
from torchvision.models import ResNet50_Weights, ResNet101_Weights

from acr_lightning.chain.experiment_file import load
from acr_lightning.methods.aeft.loss import Triplet
from acr_lightning.stages.chain import CHAIN

# IRN's net/resnet50.py and DeepLabV2's ResNet101 load torchvision's first weights.
RELEASED = {
    "resnet50": ResNet50_Weights.IMAGENET1K_V1.url.rpartition("/")[2],
    "resnet101": ResNet101_Weights.IMAGENET1K_V1.url.rpartition("/")[2],
}


def weights_of(model):
    """The file that timm loads for a backbone of a section."""
    assert model["weights"] == "timm"
    return timm.get_pretrained_cfg(model["backbone"]).url.rpartition("/")[2]


@pytest.mark.parametrize("name", ["plain_resnet50", "recam", "sipe", "clims", "cda"])
def test_the_line_of_irn_starts_from_its_weights(name):
    section = load(CHAIN, f"methods/{name}.yaml", {}).section("fit")
    assert weights_of(section["model"]["init_args"]["classifier"]["init_args"]) == RELEASED["resnet50"]


@pytest.mark.parametrize("name", ["rib", "advcam"])
def test_what_reads_a_classifier_reads_that_one(name):
    plain = load(CHAIN, "methods/plain_resnet50.yaml", {})
    assert load(CHAIN, f"methods/{name}.yaml", {}).folder("fit") == plain.folder("fit")


@pytest.mark.parametrize("preset", ["irn", "rib"])
def test_irn_s_own_network_starts_from_its_weights(preset):
    values = load(CHAIN, "voc.yaml", {"affinity": preset}).section("affinity_train")["model"]["init_args"]
    assert weights_of(values) == RELEASED["resnet50"]


@pytest.mark.parametrize("preset", ["deeplabv2_resnet101", "coco"])
def test_deeplab_starts_from_torchvision_s_weights(preset):
    values = load(CHAIN, "voc.yaml", {"segment": preset}).section("segment")["model"]["init_args"]
    assert weights_of(values) == RELEASED["resnet101"]


def released_aeft(photos):
    """Batches of AEFT's train.py by epoch: `if ep < 18: batch 8, else 32`, and its `max_step` for the rate."""
    batches = [(8 if epoch < 18 else 32) for epoch in range(40)]
    return [(size, photos // size) for size in batches], photos // 8 * 40


def test_aeft_s_phases_on_voc():
    section = load(CHAIN, "methods/aeft.yaml", {}).section("fit")
    values, batch, triplet = section["model"]["init_args"], section["data"]["init_args"]["batch_size"], Triplet()
    assert "triplet" not in values
    assert values["classifier"]["init_args"]["backbone"] == "resnet38d_acr"  # whose dropout is 0.2
    photos, epochs = 10582, section["trainer"]["max_epochs"]
    large, quarters = (batch, photos // batch), (batch // triplet.updates, photos // batch * triplet.updates)
    ours = [large if epoch >= triplet.start else quarters for epoch in range(epochs)]
    theirs, rate_steps = released_aeft(photos)
    assert [size for size, _ in ours] == [size for size, _ in theirs]
    assert [steps for _, steps in ours] == [pytest.approx(steps, rel=0.002) for _, steps in theirs]
    assert epochs * (photos // batch) * triplet.updates == pytest.approx(rate_steps, rel=0.002)
    assert sum(steps for _, steps in theirs[:18]) == pytest.approx(23_800, rel=0.002)  # as published steps count
