"""Ranks go on together, whatever has changed since a stage began."""

from types import SimpleNamespace

import pytest

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.chain import runner
from acr_lightning.system import launch
from acr_lightning.system.launch import Launch


def test_a_rank_goes_on_where_photos_or_decisions_came_meanwhile(tmp_path, monkeypatch):
    words, looks = {}, []

    def look(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            write_json(tmp_path / "label" / "manifest.json", {"status": "done", "digest": "of the old photos"})
        assert len(looks) < 4, "it waits for ever"

    monkeypatch.setattr(launch, "say", words.__setitem__)
    monkeypatch.setattr(launch, "is_said", words.__contains__)
    monkeypatch.setattr(launch, "told", words.__getitem__, raising=False)
    monkeypatch.setattr(launch, "time", SimpleNamespace(sleep=look))
    monkeypatch.setattr(runner, "is_done_before", lambda experiment, name: False)  # of the new photos it is not
    experiment = SimpleNamespace(folder=lambda name: tmp_path / name)
    write_json(tmp_path / "label" / "manifest.json", {"status": "done", "digest": "of the old photos"})
    runner.end_stage(experiment, "label", Launch(0, 2, 2))
    assert words == {f"ended {tmp_path / 'label'}": "of the old photos"}
    (tmp_path / "label" / "manifest.json").unlink()  # a disk of a network shows it late
    runner.end_stage(experiment, "label", Launch(1, 2, 2))
    assert len(looks) == 2
    words.clear()
    with pytest.raises(AssertionError, match="waits for ever"):
        runner.end_stage(experiment, "label", Launch(1, 2, 2))  # the first rank has said nothing
