"""The contract of a classifier, for all that there are."""

import pytest
import torch
from classifiers import CLASSIFIERS, checkpoint_of

from acr_lightning.nets.checkpoint import load_network
from acr_lightning.nets.classifier import Classifier


@pytest.fixture(params=CLASSIFIERS)
def classifier(request):
    torch.manual_seed(0)
    return CLASSIFIERS[request.param](3).eval()


def test_a_classifier_is_what_methods_and_stages_ask_for(classifier, tmp_path):
    assert isinstance(classifier, Classifier)
    photo = torch.rand(2, 3, 64, 96)
    image = classifier.normalise(photo)
    output = classifier(image)
    assert output.cam_logits.shape[:2] == (2, 3)
    assert output.class_logits.shape == (2, 3)
    assert [one.shape[1] for one in output.features] == list(classifier.channels)
    cam = classifier.cam(image)
    assert cam.shape[:2] == (2, 3)
    tags = torch.tensor([[1.0, 0, 0], [0, 1, 1]])
    probabilities = output.class_logits.sigmoid()
    wanted = -(tags * probabilities.log() + (1 - tags) * (1 - probabilities).log()).mean()
    assert torch.allclose(classifier.classification_loss(output, tags), wanted, atol=1e-5)
    pretrained = {id(one) for one in classifier.pretrained_parameters()}
    assert pretrained <= {id(one) for one in classifier.parameters()}
    assert any(one.requires_grad and id(one) not in pretrained for one in classifier.parameters())
    again = load_network(checkpoint_of(classifier, tmp_path), Classifier, "acr fit")
    assert torch.equal(again.cam(image), cam)


def test_a_frozen_backbone_gets_no_gradient_and_is_shared():
    classifier = CLASSIFIERS["frozen"](3)
    other = classifier.again()
    assert other.backbone is classifier.backbone
    classifier.train()(classifier.normalise(torch.rand(2, 3, 32, 32))).class_logits.sum().backward()
    assert all(one.grad is None for one in classifier.backbone.parameters())
    assert classifier.classify.weight.grad is not None
    assert not classifier.backbone.training


def test_a_frozen_backbone_passes_a_gradient_to_an_image_that_asks_for_it():
    classifier, image = CLASSIFIERS["frozen"](3).eval(), torch.rand(1, 3, 32, 32)
    assert not classifier.maps(image)[0].requires_grad
    image.requires_grad_(True)
    classifier(image).class_logits.sum().backward()
    assert image.grad.abs().sum() > 0
    assert all(one.grad is None for one in classifier.backbone.parameters())


@pytest.mark.parametrize("name", ["cnn", "one convolution", "frozen"])
def test_the_cam_is_a_convolution_of_what_is_embedded(name):
    classifier = CLASSIFIERS[name](3).eval()
    image = torch.rand(2, 3, 32, 32)
    cells, features = classifier.embed(image)
    output = classifier(image)
    wanted = torch.einsum("kd,bdhw->bkhw", classifier.classify.weight[:, :, 0, 0], cells)
    assert torch.allclose(output.cam_logits, wanted, atol=1e-5)
    assert [one.shape for one in features] == [one.shape for one in output.features]
