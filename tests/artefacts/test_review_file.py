"""`review.json`: a person's work is read back as it was written, and what is no decision is named, never replaced."""

import json

import pytest

from acr_lightning.artefacts import review_file
from acr_lightning.artefacts.review_file import Decision
from acr_lightning.errors import UserError

CLASSES = ("cat", "dog", "<b>")
DECISIONS = {
    "beach/1": Decision("rejected", 0.25, ("dog",), ("<b>",)),
    "2": Decision("accepted"),
    "3": Decision(threshold=0.0),
}


def test_what_was_decided_is_read_back(tmp_path):
    path = tmp_path / "review.json"
    assert review_file.read(path) == {} == review_file.read(None)
    review_file.write(path, DECISIONS | {"undecided": Decision()})
    assert review_file.read(path, CLASSES) == DECISIONS
    assert review_file.rejected(path) == {"beach/1"}
    assert review_file.added_classes(path, CLASSES) == {"beach/1": [1], "2": [], "3": []}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "damaged JSON"),
        ('{"photos": {"a": {}, "a": {}}, "version": 1}', "stands there twice"),
        ([], "a mapping with version and photos"),
        ({"photos": {}}, "a mapping with version and photos"),
        ({"version": 2, "photos": {}}, "version: expected 1"),
        ({"version": 1, "photos": []}, "a mapping with version and photos"),
        ({"version": 1, "photos": {"../a": {}}}, "leads out of its folder"),
        ({"version": 1, "photos": {"a": "rejected"}}, "'a': expected a mapping"),
        ({"version": 1, "photos": {"a": {"treshold": 0.5}}}, "Did you mean 'threshold'"),
        ({"version": 1, "photos": {"a": {"verdict": "reject"}}}, "verdict: expected accepted or rejected"),
        ({"version": 1, "photos": {"a": {"threshold": 1.5}}}, "threshold: expected a number in 0..1"),
        ({"version": 1, "photos": {"a": {"threshold": True}}}, "threshold: expected a number in 0..1"),
        ('{"version": 1, "photos": {"a": {"threshold": NaN}}}', "threshold: expected a number in 0..1"),
        ({"version": 1, "photos": {"a": {"added": "dog"}}}, "added: expected a list of class names"),
        ({"version": 1, "photos": {"a": {"removed": ["dgo"]}}}, "no class 'dgo'. Did you mean 'dog'"),
        ({"version": 1, "photos": {"a": {"added": ["dog"], "removed": ["dog"]}}}, "both added and removed"),
    ],
)
def test_what_is_no_decision_is_named_and_left_alone(tmp_path, content, words):
    path = tmp_path / "review.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        review_file.read(path, CLASSES)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert path.read_text() == text
