"""A full step of each method with the network of half of the papers, at a tiny crop."""

import copy

import pytest
import torch
from method_training import photos_of
from tiny_clip import tiny_clip

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.methods.advcam.climbing import Climb, climbing_cam
from acr_lightning.methods.aeft.loss import Triplet
from acr_lightning.methods.aeft.module import AEFT
from acr_lightning.methods.cda.data import PastedCrops
from acr_lightning.methods.clims.judge import Judge
from acr_lightning.methods.clims.module import CLIMS
from acr_lightning.methods.cpn.module import CPN
from acr_lightning.methods.occse.module import OCCSE
from acr_lightning.methods.plain.module import Plain
from acr_lightning.methods.ppc.module import PPC
from acr_lightning.methods.recam.module import ReCAM
from acr_lightning.methods.rib.finetuning import Finetuning
from acr_lightning.methods.rib.inference import RIB
from acr_lightning.methods.seam.module import SEAM
from acr_lightning.methods.sipe.module import SIPE
from acr_lightning.nets.classifier import CamClassifier
from acr_lightning.training.optimisation import OptimizerSettings
from acr_lightning.training.photos import Photos

METHODS = {
    "plain": Plain,
    "OC-CSE": lambda net: OCCSE(net, "a run"),
    "ReCAM": ReCAM,
    "SEAM": lambda net: SEAM(net, smaller=0.5),
    "SIPE": SIPE,
    "AEFT": lambda net: AEFT(net, Triplet(start=0)),
    "CPN": lambda net: CPN(net, patches=[16]),
    "PPC": lambda net: PPC(net, smaller=0.5),
}


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    net = CamClassifier(4, "resnet50", output_stride=16, width=None, taps=4)
    torch.nn.init.uniform_(net.classify.weight, -0.05, 0.1)  # so that there is a CAM
    net.classify.weight.data[3].neg_()  # and one class that shows nowhere
    for module in net.modules():  # timm's new blocks pass nothing on, and would learn nothing
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.weight, 0.5)
    return net


@pytest.fixture
def resnet50(untrained):
    return copy.deepcopy(untrained)


def check_full_step(method, photos):
    """Loss, gradient and update are finite, and every parameter that learns moves."""
    method.trainer = type("T", (), {"current_epoch": 0})
    method.trained().train().zero_grad()
    before = {key: one.detach().clone() for key, one in method.trained().named_parameters() if one.requires_grad}
    # Without decay, so that what moves was moved by the loss.
    optimizer = OptimizerSettings(lr=1e-2, weight_decay=0.0).build(method.trained())
    loss, terms = method.losses(photos)
    loss.backward()
    optimizer.step()
    assert all(term.isfinite() for term in (loss, *terms.values()))
    after = dict(method.trained().named_parameters())
    assert all(after[key].isfinite().all() for key in before)
    assert [key for key, one in before.items() if torch.equal(one, after[key])] == []


@pytest.mark.parametrize("name", METHODS)
def test_a_full_step(name, resnet50, monkeypatch):
    monkeypatch.setattr("acr_lightning.methods.occse.module.load_weights", lambda *_: None)
    check_full_step(METHODS[name](resnet50), photos_of(4, 64))


def test_a_full_step_judged_by_clip(resnet50, tmp_path):
    pytest.importorskip("open_clip", reason="CLIMS is an extra: pip install '.[clims]'")
    method = CLIMS(resnet50, tiny_clip(tmp_path))
    method.judge = Judge(method.clip, ["ring", "person", "cross", "disc"])
    check_full_step(method, photos_of(4, 32))  # which show all classes


def test_a_full_step_on_pasted_objects(resnet50, shapes, tmp_path, monkeypatch):
    monkeypatch.setattr("acr_lightning.methods.cda.pasting.SMALLEST", 0.01)
    for image_id in shapes.ids("train"):
        mask = shapes.mask(image_id)
        write_mask(tmp_path / f"{image_id}.png", mask * (mask == 1))
    samples = PastedCrops(shapes, str(tmp_path), crop=32, long_side=(32, 40)).samples()
    pairs = [(samples[0, at], samples[0, at + samples.photos]) for at in range(samples.photos)]
    pasted = [more for plain, more in pairs if more["tags"].sum() > plain["tags"].sum()][:2]
    image, tags = (torch.stack([one[key] for one in pasted]) for key in ("image", "tags"))
    check_full_step(Plain(resnet50), Photos(image, tags, drawn=torch.rand(2)))


def test_climbing(resnet50):
    net = resnet50.eval().requires_grad_(False)
    views = net.normalise(torch.rand(2, 3, 32, 32))
    shown = net(views).cam_logits.amax(dim=(0, 2, 3)).topk(1).indices
    made = climbing_cam(lambda x: net(x).cam_logits, views, shown, 2, Climb())
    assert made.shape == (2, 2)
    assert made.isfinite().all()
    assert made.amax() > 0


def test_finetuning_on_one_photo(resnet50, monkeypatch):
    monkeypatch.setattr("acr_lightning.cam.cam_inference.load_network", lambda *_: resnet50.requires_grad_(True).eval())
    rib = RIB("", scales=[1.0], finetuning=Finetuning(steps=2, most_covered=2.0, lr=0.01))
    before = {name: one.detach().clone() for name, one in resnet50.named_parameters()}
    photos = photos_of(2, 32)
    others = [{"image": image, "tags": tags} for image, tags in zip(photos.image, photos.tags, strict=True)]
    made = rib._finetuned_cam(torch.rand(1, 3, 32, 32), torch.tensor([0.0, 1, 0, 1]), iter([others]))
    assert made.shape == (2, 32, 32)
    assert made.isfinite().all()
    assert all(one.isfinite().all() for one in resnet50.parameters())
    assert [name for name, one in resnet50.named_parameters() if torch.equal(one, before[name])] == []
