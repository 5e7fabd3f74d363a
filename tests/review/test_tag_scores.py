"""Which tags the classifier doubts: its probabilities, read once, and again where what was kept is no longer true."""

import json

import pytest
import torch
from classifiers import checkpoint_of
from tiny_acr import tiny_classifier
from torch.nn import functional as F

from acr_lightning.data.samples import to_tensor
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.errors import UserError
from acr_lightning.review.tag_scores import tag_probabilities


@pytest.fixture
def classifier(run):
    torch.manual_seed(1)
    made = tiny_classifier(num_classes=2).eval()
    torch.nn.init.uniform_(made.classify.weight, -2, 2)
    checkpoint_of(made, run / "fit")
    return made


def set_manifest(run, stage, **more):
    path = run / stage / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


def test_probabilities_are_the_classifiers_at_the_size_of_the_cam(run, reviewed, classifier):
    set_manifest(run, "cam", config={"model": {"init_args": {"long_side": 48}}})
    got = tag_probabilities(run, reviewed.dataset, reviewed.names)
    assert list(got) == [*reviewed.names]
    for name in reviewed.names:
        image = F.interpolate(to_tensor(reviewed.dataset.image(name))[None], (36, 48), mode="bilinear", antialias=True)
        with torch.inference_mode():
            wanted = classifier(classifier.normalise(image)).class_logits[0].sigmoid()
        assert got[name] == pytest.approx(wanted.tolist(), abs=1e-4)
    assert len({tuple(values) for values in got.values()}) > 1


def test_a_classifier_of_fewer_classes_is_refused_before_names_are_mixed_up(run, reviewed, classifier, tmp_path):
    """As where photos with another tag came after the training."""
    dataset = TagFolder(str(tmp_path / "photos"), classes=["ant", *reviewed.dataset.class_names])
    with pytest.raises(UserError, match=r"last\.ckpt: knows 2 classes, the data set has 3; set dataset\.classes"):
        tag_probabilities(run, dataset, reviewed.names)


def test_they_are_kept_for_as_long_as_they_are_the_classifiers(run, reviewed, classifier):
    first, kept = tag_probabilities(run, reviewed.dataset, reviewed.names), run / "tag_scores.json"
    (run / "fit" / "last.ckpt").write_bytes(b"is not read")
    assert tag_probabilities(run, reviewed.dataset, reviewed.names) == first
    torch.nn.init.uniform_(classifier.classify.weight, -2, 2)
    for damage in (
        lambda: kept.write_text("{"),
        lambda: kept.write_text(kept.read_text().replace("probabilities", "x")),
        lambda: kept.write_text(kept.read_text().replace("0.", "7.")),
        lambda: kept.write_text(json.dumps([])),
        lambda: set_manifest(run, "fit", digest="of another training"),
        kept.unlink,
    ):
        checkpoint_of(classifier, run / "fit")
        damage()
        assert tag_probabilities(run, reviewed.dataset, reviewed.names) != first
        kept.write_text(json.dumps({**json.loads(kept.read_text()), "probabilities": first}))
    (run / "fit" / "last.ckpt").unlink()
    assert tag_probabilities(run, reviewed.dataset, reviewed.names) == {}
