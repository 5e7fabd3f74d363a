"""CLIMS against a slow transcription, with a small CLIP of random weights."""

import math

import pytest
import torch
from method_training import KINDS, classifier_of, photos_of, trained_and_loaded
from safetensors.torch import save_file
from tiny_acr import ADAMW, HALVES
from tiny_clip import tiny_clip
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.methods.clims.judge import Judge
from acr_lightning.methods.clims.loss import Matching, over_photos
from acr_lightning.methods.clims.module import CLIMS
from acr_lightning.nets.clip import Clip

open_clip = pytest.importorskip("open_clip", reason="CLIMS is an extra: pip install '.[clims]'")
NAMES = ["ring", "person", "cross", "disc"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("clip"))


def method_of(kind, clip, **arguments):
    method = CLIMS(classifier_of(kind).eval(), clip, **arguments)
    method.judge = Judge(clip, NAMES)
    return method


def cosine(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.sqrt(
        sum(a * a for a in one) * sum(b * b for b in other)
    )


@pytest.mark.usefixtures("double")
@torch.no_grad()
def test_texts_and_images_are_those_of_open_clip(clip):
    judge, whole = Judge(clip, NAMES), open_clip.create_model("tiny", pretrained=clip.weights).eval()
    for at, word in enumerate(["ring", "player", "cross", "disc", "tree", "water"]):
        (wanted,) = whole.encode_text(open_clip.get_tokenizer("tiny")([f"a photo of {word}."]))
        got = (*judge.classes, *judge.background)[at]
        assert torch.allclose(got, wanted / wanted.norm(), atol=1e-10)
    image = torch.randn(2, 3, 32, 32)
    made = whole.encode_image(image)
    assert torch.allclose(judge(image), made / made.norm(dim=1, keepdim=True), atol=1e-10)


@pytest.mark.usefixtures("double")
@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_terms_are_a_plain_transcription(kind, clip):
    weights = Matching(alike=-0.2)
    method, photos = method_of(kind, clip, matching=weights), photos_of(3, 48)
    loss, terms = method.losses(photos)
    net, judge = method.classifier, method.judge
    x = net.normalise(photos.image)
    a = net(x).cam_logits
    shown, hidden, beside = [], [], []
    resize = lambda maps: F.interpolate(maps, (32, 32), mode="bilinear", align_corners=True)  # noqa: E731
    clamp = lambda value: min(max(value, 1e-4), 1 - 1e-4)  # noqa: E731
    for b in range(3):
        own = {"shown": [], "hidden": [], "beside": []}
        for k in photos.tags[b].nonzero().flatten().tolist():
            s = resize(1 / (1 + torch.exp(-a[b : b + 1, k : k + 1])))
            inside, outside = (judge.images(resize(x[b : b + 1]) * part)[0].tolist() for part in (s, 1 - s))
            text = judge.classes[k].tolist()
            own["shown"].append(-math.log(clamp(cosine(inside, text))))
            own["hidden"].append(-math.log(1 - clamp(cosine(outside, text))))
            near = [cosine(inside, word.tolist()) for word in judge.background]
            own["beside"].append(sum(-math.log(1 - clamp(value)) for value in near if value > -0.2))
        shown.append(sum(own["shown"]) / len(own["shown"]))
        hidden.append(sum(own["hidden"]) / len(own["hidden"]))
        beside.append(sum(own["beside"]))
    wanted = {"shown": sum(shown) / 3, "hidden": sum(hidden) / 3, "beside": sum(beside) / 3}
    wanted["area"] = (1 / (1 + torch.exp(-a))).mean().item()
    for name, value in wanted.items():
        assert terms[name].item() == pytest.approx(value, abs=1e-10), name
    total = 10 * wanted["shown"] + 24 * wanted["hidden"] + 16 * wanted["beside"] + 0.2 * wanted["area"]
    assert loss.item() == pytest.approx(total, rel=1e-10)


def test_each_photo_counts_the_same():
    tags = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0]])
    assert over_photos(torch.tensor([1.0, 3, 5]), tags, tags.nonzero()[:, 0]).item() == pytest.approx((2 + 0 + 5) / 3)
    assert over_photos(torch.zeros(0), tags * 0, torch.zeros(0).long()).item() == 0


def test_the_gradient_reaches_the_classifier_alone(clip):
    method = method_of("usual", clip, matching=Matching(area=0.0, alike=-1.0))
    near = method.judge(torch.rand(1, 3, 32, 32)) + 0.2 * torch.randn(4, 8)  # below 0 a cosine has no gradient
    method.judge.classes = F.normalize(near, dim=1)
    loss, _ = method.losses(photos_of(2, 48))
    loss.backward()
    assert all(one.grad is not None for one in method.classifier.parameters() if one.requires_grad)
    assert all(one.grad is None for one in method.judge.images.parameters())
    tagged = method.classifier.classify.weight.grad.flatten(1).abs().sum(dim=1)
    assert (tagged > 0).tolist() == [True, True, True, False]  # no photo shows the last class


def test_photos_without_tags(clip):
    photos = photos_of(2, 48)
    photos.tags.zero_()
    loss, terms = method_of("usual", clip).losses(photos)
    loss.backward()
    assert terms["shown"].item() == terms["hidden"].item() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_training(kind, clip, tmp_path, shapes):
    method = CLIMS(classifier_of(kind), clip, optimizer=ADAMW, step=HALVES)
    assert all(trained_and_loaded(kind, tmp_path, shapes, method).values())
    stored = torch.load(tmp_path / "fit" / "last.ckpt", weights_only=True)["state_dict"]
    assert {name.split(".")[0] for name in stored} == {"classifier"}


def test_what_does_not_fit_is_said(clip, tmp_path):
    with pytest.raises(UserError, match=r"clip\.weights: no file nowhere\.safetensors; the weights of"):
        Judge(Clip("nowhere.safetensors", "tiny"), NAMES)
    with pytest.raises(UserError, match="open_clip has no 'ViT-B-33'"):
        Judge(Clip(clip.weights, "ViT-B-33"), NAMES)
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"other.safetensors is not open_clip's tiny"):
        Judge(Clip(str(tmp_path / "other.safetensors"), "tiny"), NAMES)
