"""Maps of a frozen backbone that are kept: what they are, what depends on them, who makes them."""

import logging
from functools import partial

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from method_training import classifier_of, data_of, fit, photos_of
from PIL import Image
from tiny_acr import ADAMW
from torch.nn import functional as F

from acr_lightning.artefacts.kept_tensors import KeptTensors
from acr_lightning.data.frozen_features import FrozenFeatures
from acr_lightning.methods.acr.module import ACR
from acr_lightning.methods.acr.reconstructor import Reconstructor
from acr_lightning.methods.cpn.module import CPN
from acr_lightning.methods.plain.module import Plain
from acr_lightning.methods.ppc.contrast import Contrast
from acr_lightning.methods.ppc.module import PPC
from acr_lightning.methods.seam.module import SEAM
from acr_lightning.methods.sipe.module import SIPE
from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.training.kept_maps import attach_features, maps_kept


@pytest.fixture
def exact(monkeypatch):
    """Maps are kept in 64 bits."""
    monkeypatch.setattr(FrozenClassifier, "kept_as", torch.float64)


def attached(module, folder, dataset, **options):
    """A module as stage `fit` has it after `setup`."""
    data = FrozenFeatures(dataset, 32, batch_size=4, cache=str(folder / "features"), **options)
    trainer = Trainer(accelerator="cpu", devices=1, logger=False)
    trainer.datamodule = data
    attach_features(trainer, module.classifier)
    return data


@torch.no_grad()
def test_kept_maps_are_those_that_the_backbone_makes_of_the_squashed_photo(shapes, tmp_path, caplog):
    module = Plain(classifier_of("frozen"), ADAMW)
    with caplog.at_level(logging.INFO):
        data = attached(module, tmp_path, shapes)
    net, ids = module.classifier, shapes.ids("train")
    squares = [Image.fromarray(shapes.image(one)).resize((32, 32), Image.Resampling.BILINEAR) for one in ids]
    photos = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous() / 255
    each = [[net.backbone.maps(net.normalise(one))[-4:] for one in both.split(1)] for both in (photos, photos.flip(-1))]
    maps = [[torch.cat(level) for level in zip(*both, strict=True)] for both in each]
    for scale, *both in zip(net.scales(), *maps, strict=True):
        wanted = torch.stack(both).double().square().mean(dim=(0, 1, 3, 4)).sqrt().clamp(min=1e-3)
        assert torch.allclose(scale.flatten().double(), wanted, rtol=2**-10)
    assert (
        f"the maps of {len(ids)} photos take 0.0 GB in {tmp_path / 'features'}, kept for other runs" in caplog.messages
    )
    samples, written = data.samples(), {*(tmp_path / "features").rglob("*.safetensors")}
    assert len(written) == 3 * len(ids) + 1  # the photo, its maps and the mirror image's of each, and the deviations
    mirrored = set()
    for index in range(len(ids)):
        image = samples[3, index]["image"]
        is_mirror = not torch.equal(image, photos[index])
        mirrored.add(is_mirror)
        assert torch.equal(image, (photos.flip(-1) if is_mirror else photos)[index])
        for kept, one in zip(maps_kept(net, image[None]), maps[is_mirror], strict=True):
            # Half precision is what keeping them costs.
            assert torch.allclose(kept[0], one[index], rtol=2**-11, atol=1e-6)
    assert mirrored == {True, False}
    assert {*(tmp_path / "features").rglob("*.safetensors")} == written


METHODS = {
    "SEAM": lambda net: SEAM(net, smaller=0.5),
    "PPC": lambda net: PPC(net, smaller=0.5, contrast=Contrast(grid=4)),
    "CPN": lambda net: CPN(net, [8, 16], halvings=3),
    "SIPE": SIPE,
}
# What a step reads of each photo: itself, and its other views.
VIEWS = {"SEAM": 2, "PPC": 2, "CPN": 3, "SIPE": 1}


@pytest.mark.usefixtures("double", "exact")
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("pool", [False, True])
def test_a_step_on_kept_maps_is_the_step_on_pixels(name, pool, tmp_path):
    torch.manual_seed(1)
    net = FrozenClassifier(4, "test_resnet", output_stride=16, taps=4, width=16, dropout=0.0, pool=pool)
    torch.nn.init.uniform_(net.classify.weight, -0.05, 0.1)
    method, photos, results = METHODS[name](net), photos_of(3, 48), []
    for store in (None, KeptTensors(tmp_path, 1.0), KeptTensors(tmp_path, 1.0)):
        net.store, net.backbone_digest = store, net.digest()
        photos.maps = maps_kept(method.classifier, photos.image)
        assert (photos.maps is None) == (store is None)
        method.zero_grad()
        loss, terms = method.losses(photos)
        loss.backward()
        results.append([loss, *terms.values(), *(one.grad for one in method.parameters() if one.grad is not None)])
        assert len([*tmp_path.rglob("*.safetensors")]) == (VIEWS[name] * 3 if store else 0)
    for pixels, *kept in zip(*results, strict=True):
        assert all(torch.allclose(pixels, one, rtol=1e-10, atol=1e-12) for one in kept)


@pytest.mark.usefixtures("double")
def test_pooled_maps_are_means_and_make_the_same_cam():
    torch.manual_seed(1)
    fine = FrozenClassifier(4, "test_resnet", output_stride=16, taps=4, width=16).eval()
    pooled = FrozenClassifier(4, "test_resnet", output_stride=16, taps=4, width=16, pool=True).eval()
    pooled.load_state_dict(fine.state_dict())
    image = fine.normalise(torch.rand(2, 3, 64, 48))
    one, two = fine(image), pooled(image)
    assert torch.allclose(one.cam_logits, two.cam_logits, rtol=1e-10, atol=1e-12)
    grid = one.cam_logits.shape[-2:]
    for large, small in zip(one.features, two.features, strict=True):
        wanted = F.adaptive_avg_pool2d(large, grid) if large.shape[-1] > grid[1] else large
        assert torch.allclose(small, wanted, rtol=1e-10, atol=1e-12)
    assert one.features[0].shape != two.features[0].shape
    assert fine.digest() != pooled.digest()


def test_halves_come_again_only_if_they_are_so_many(tmp_path):
    for halvings, new in ((None, 0), (2, 4)):
        cpn = CPN(classifier_of("frozen"), [8], halvings=halvings)
        cpn.classifier.classifier.keep_in(KeptTensors(tmp_path / str(halvings), 1.0))
        photos = photos_of(1)
        for at in range(20):
            photos.drawn = torch.tensor([at / 20])
            photos.maps = maps_kept(cpn.classifier, photos.image)
            cpn.losses(photos)
        files = [*(tmp_path / str(halvings)).rglob("*.safetensors")]
        assert len(files) == 1 + new  # the photo's, and those of two halves each


def test_a_training_is_the_same_whether_maps_are_kept_or_there_is_no_room(tmp_path, shapes):
    states = []
    for room in (1.0, 1e-9, 1.0):
        module = Plain(classifier_of("frozen"), ADAMW)
        fit(tmp_path, module, FrozenFeatures(shapes, 32, batch_size=4, cache=str(tmp_path / f"{room}"), max_gb=room))
        states.append(module.state_dict())
    assert not [*(tmp_path / "1e-09").rglob("*.safetensors")]
    assert all(torch.equal(value, state[name]) for state in states[1:] for name, value in states[0].items())


def test_who_goes_on_keeps_the_scales_that_it_was_trained_with(tmp_path, shapes):
    before = Plain(classifier_of("frozen"), ADAMW)
    fit(tmp_path / "plain", before, data_of("frozen", tmp_path, shapes))
    after = SEAM(classifier_of("frozen"), 0.5, optimizer=ADAMW, initial=str(tmp_path / "plain"))
    fit(tmp_path / "seam", after, FrozenFeatures(shapes, 48, batch_size=4, cache=str(tmp_path / "features")))
    anew = Plain(classifier_of("frozen"), ADAMW)
    fit(tmp_path / "anew", anew, FrozenFeatures(shapes, 48, batch_size=4, cache=str(tmp_path / "features")))
    scales = before.classifier.scales()
    assert all(map(torch.equal, after.classifier.classifier.scales(), scales))
    assert not any(map(torch.equal, anew.classifier.scales(), scales))


@pytest.mark.parametrize("scaled", [False, True])
def test_the_reconstructor_takes_maps_as_the_backbone_makes_them_or_as_the_classifier_does(scaled, tmp_path, shapes):
    reconstructor = partial(Reconstructor, depth=2, stride=4, taps=(0, 1, 2), scaled=scaled)
    acr = ACR(classifier_of("frozen"), reconstructor, optimizer=ADAMW)
    fit(tmp_path, acr, data_of("frozen", tmp_path, shapes))
    image = torch.rand(1, 3, 32, 32)
    maps, of_classifier = acr.classifier.maps(image), acr.classifier.features(image)
    assert not all(map(torch.equal, of_classifier, maps))
    assert all(map(torch.equal, acr.reconstructor.encoder.features(image), of_classifier if scaled else maps))


def test_what_the_maps_depend_on_is_in_their_name(tmp_path):
    image = torch.rand(1, 3, 32, 32)
    nets = [
        FrozenClassifier(4, "test_resnet", output_stride=stride, taps=taps, pool=pool)
        for stride, taps, pool in ((16, 4, False), (32, 4, False), (16, 3, False), (16, 4, True))
    ]
    for other in nets[1:]:
        other.backbone.load_state_dict(nets[0].backbone.state_dict())
    for net in [*nets, FrozenClassifier(4, "test_resnet", output_stride=16), nets[0]]:  # the fifth has other weights
        net.keep_in(KeptTensors(tmp_path, 1.0))
        kept = net.recurring(image)
        assert all(
            torch.allclose(one, two, rtol=2**-11, atol=2**-24) for one, two in zip(kept, net.maps(image), strict=True)
        )
    nets[0].recurring(image.view(1, 3, 64, 16))
    assert len([*tmp_path.rglob("*.safetensors")]) == 6
