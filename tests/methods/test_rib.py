"""RIB against a slow transcription: one photo, one step after the other, with plain SGD."""

import copy

import pytest
import torch
from lightning.pytorch import Trainer
from method_training import KINDS, classifier_of, data_of, fit
from tiny_acr import ADAMW
from torch.nn import functional as F

from acr_lightning.data.datamodule import TaggedPhotos
from acr_lightning.errors import UserError
from acr_lightning.methods.plain.module import Plain
from acr_lightning.methods.rib.finetuning import Finetuning, covered, unshown_scores
from acr_lightning.methods.rib.inference import RIB
from acr_lightning.methods.rib.other_photos import OtherPhotos
from acr_lightning.nets.classifier import CamClassifier

TINY = Finetuning(steps=3, others=3, others_per_pass=2, crop=32, long_side=(32, 48), lr=0.01, most_covered=2)


def slow_score(maps, tags, shown):
    """Of one image, class by class."""
    cells = [maps[k].flatten() for k in tags.nonzero().flatten().tolist()]
    return sum(one[one < shown * one.max()].sum() / one.numel() for one in cells)


def slow_rib(net, image, tags, scales, others, settings):
    """All rows in one loss; SGD, its rates and its schedule by hand."""
    rates = {id(one): settings.lr for one in net.pretrained_parameters()}
    trained = [one for one in net.parameters() if one.requires_grad]
    velocity = [torch.zeros_like(one) for one in trained]
    total, photo, steps_done = 0, net.normalise(image[None]), 0
    for step in range(settings.steps):
        score = 0.0
        for scale in scales:
            view = F.interpolate(photo, scale_factor=scale, mode="bilinear", antialias=True)
            one, mirrored = net(view).cam_logits[0], net(view.flip(-1)).cam_logits[0]
            for maps in (one, mirrored.flip(-1)):
                cams = maps.detach()[tags > 0].clamp(min=0)
                total = total + F.interpolate(cams[None], image.shape[-2:], mode="bilinear")[0]
            if scale >= 1:
                score = score + slow_score(one, tags, settings.shown) + slow_score(mirrored, tags, settings.shown)
        steps_done += 1
        if abs(score) > settings.most_score:
            break
        loss = -score
        for sample in next(others):
            maps = net(net.normalise(sample["image"][None])).cam_logits[0]
            loss = loss - slow_score(maps, sample["tags"], settings.shown)
        gradients = torch.autograd.grad(loss, trained)
        with torch.no_grad():
            for at, (one, gradient) in enumerate(zip(trained, gradients, strict=True)):
                decayed = gradient + (settings.weight_decay * one if one.dim() > 1 else 0)
                velocity[at] = decayed if step == 0 else settings.momentum * velocity[at] + decayed
                one -= rates.get(id(one), 10 * settings.lr) * (1 - step / settings.steps) ** 0.9 * velocity[at]
    return total / (total.amax(dim=(1, 2), keepdim=True) + 1e-5), steps_done


def predicted(rib, dataset, folder, ids=None):
    data = TaggedPhotos(dataset, ["seed"], num_workers=0)
    data.left = data.ids[:2] if ids is None else ids
    trainer = Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_checkpointing=False,
        enable_model_summary=False, default_root_dir=folder,
    )  # fmt: skip
    return {image_id: (classes, scores) for ((image_id, classes, scores),) in trainer.predict(rib, data)}


@pytest.mark.parametrize("kind", KINDS)
def test_stage_cam_is_a_plain_transcription(kind, tmp_path, shapes):
    fit(tmp_path, Plain(classifier_of(kind), ADAMW), data_of(kind, tmp_path, shapes))
    checkpoint = str(tmp_path / "fit" / "last.ckpt")
    rib = RIB(checkpoint, scales=[0.5, 1.0], finetuning=TINY)
    before = copy.deepcopy(rib.classifier.state_dict())
    made = predicted(rib, shapes, tmp_path)
    assert all(torch.equal(value, before[name]) for name, value in rib.classifier.state_dict().items())
    # Each photo by itself: an order, a shard or another process changes nothing.
    again = predicted(rib, shapes, tmp_path, list(made)[::-1])
    assert all(torch.equal(scores, again[image_id][1]) for image_id, (_, scores) in made.items())
    image_id, (classes, scores) = next(iter(made.items()))
    image = torch.from_numpy(shapes.image(image_id)).permute(2, 0, 1).float() / 255
    tags = torch.zeros(4)
    tags[classes] = 1
    others = OtherPhotos(shapes, TINY.crop, TINY.long_side).than(image_id, tags, TINY.others)
    wanted, steps = slow_rib(copy.deepcopy(rib.classifier), image, tags, [0.5, 1.0], others, TINY)
    assert steps == 3
    assert torch.allclose(scores, wanted, atol=1e-4)
    # Without the steps it is another one.
    still = predicted(RIB(checkpoint, Finetuning(steps=1), scales=[0.5, 1.0]), shapes, tmp_path, [image_id])[image_id][
        1
    ]
    assert not torch.allclose(scores, still, atol=1e-3)


@pytest.fixture
def made_of(monkeypatch):
    """RIB of a classifier that no checkpoint holds."""

    def make(net, **arguments):
        monkeypatch.setattr("acr_lightning.cam.cam_inference.load_network", lambda *_: net.eval())
        return RIB("", **arguments)

    return make


def test_where_it_stops(made_of):
    rib = made_of(classifier_of("usual"), scales=[1.0])
    photo, tags = rib.classifier.normalise(torch.rand(1, 3, 32, 32)), torch.tensor([1.0, 0, 1, 0])

    def total(**changed):
        still = {"lr": 0.0, "others": 0, "steps": 4, "most_score": 1e9, "most_covered": 2}
        rib.finetuning = Finetuning(**{**still, **changed})
        return rib._finetuned_cam(photo, tags, iter([[]] * 4)).sum().item()

    once = total(steps=1)
    assert total() == pytest.approx(4 * once)
    assert total(most_score=0.0) == pytest.approx(once)
    assert total(most_covered=0.0) == pytest.approx(2 * once)
    for scales in ([0.5], [0.75, 1.5]):
        with pytest.raises(UserError, match=r"must have 1\.0"):
            made_of(rib.classifier, scales=scales)


def test_what_covers_a_cell():
    cams = torch.tensor([[[1.0, 0.2], [0.0, 0.0]], [[0.0, 0.1], [0.04, 0.0]]])
    assert covered(cams, 0.3).item() == 0.75  # 0.04 is over 0.3 of its largest value


def test_both_views_together_say_what_is_covered(made_of):
    """Each view covers a half of its own, so that their sum covers all, and either alone a half."""

    class Half(CamClassifier):
        def forward(self, image):
            output = super().forward(image)
            half = (torch.arange(output.cam_logits.shape[-1]) < output.cam_logits.shape[-1] / 2).float()
            return output._replace(cam_logits=output.cam_logits * 0 + half)

    rib = made_of(Half(4, "test_resnet", output_stride=8), scales=[1.0])
    photo, tags = rib.classifier.normalise(torch.rand(1, 3, 32, 32)), torch.tensor([1.0, 0, 1, 0])
    assert rib._add_photo(photo, tags, torch.zeros(2, 32, 32))[1] == 1
    rib.flip = False
    assert rib._add_photo(photo, tags, torch.zeros(2, 32, 32))[1] == 0.5


def test_a_class_that_shows_nowhere_counts_in_all_cells():
    maps, tags = torch.full((1, 2, 2, 2), -1.0, requires_grad=True), torch.ones(1, 2)
    assert unshown_scores(maps, tags, 0.4).tolist() == [-2]


def test_other_photos_share_no_tag(shapes):
    others = OtherPhotos(shapes, 32, (32, 48))
    tags = torch.zeros(4)
    tags[shapes.tags(others.samples.ids[0])] = 1
    stream = others.than("x", tags, 4)
    one, two = next(stream), next(stream)
    assert 0 < len(one) <= 4
    assert len({sample["id"] for sample in one}) == len(one)
    for sample in (*one, *two):
        assert sample["tags"] @ tags == 0
        assert sample["tags"].sum() > 0
    assert any(not torch.equal(a["image"], b["image"]) for a, b in zip(one, two, strict=True))
    assert next(others.than("x", torch.ones(4), 4)) == []


def test_a_step_with_resnet50_at_a_tiny_crop(made_of, shapes, tmp_path):
    settings = Finetuning(steps=2, others=2, crop=32, long_side=(32, 32))
    rib = made_of(CamClassifier(4, "resnet50", output_stride=16, width=None), scales=[1.0], finetuning=settings)
    ((classes, scores),) = predicted(rib, shapes, tmp_path, shapes.ids("seed")[:1]).values()
    assert scores.shape[0] == len(classes) > 0
    assert scores.isfinite().all()
