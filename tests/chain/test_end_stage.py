"""Ranks go on together, whatever has changed since a stage began."""

from types import SimpleNamespace

import pytest

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.chain import runner
from acr_lightning.chain.stage_record import Record
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


@pytest.mark.parametrize("is_done", [True, False])
def test_ranks_do_a_stage_together_or_not_at_all(tmp_path, monkeypatch, is_done):
    """Whatever another one has read meanwhile: a decision, a photo that came. The first one decides."""
    words, begun = {}, []

    def look(seconds):
        raise AssertionError("it waits for ever")

    def take_part(rank):
        ranks, digest = Launch(rank, 2, 2), "a" if is_done == (rank == 0) else "b"
        monkeypatch.setattr(runner, "record_of", lambda *names: Record("fit", digest, {}, {}, {}))
        monkeypatch.setattr(launch, "launched", lambda: ranks)
        monkeypatch.setattr(runner, "is_first_process", lambda: rank == 0)
        assert launch.of_first(ranks, "done", lambda: digest == "a") is is_done
        runner.run_stage(experiment, "fit")

    def run(experiment, record, folder, is_first):
        begun.append(is_first)
        if is_first:  # the other one comes meanwhile
            take_part(1)
            monkeypatch.setattr(runner, "is_first_process", lambda: True)

    for module in (launch, runner):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=look))
    monkeypatch.setattr(launch, "say", lambda key, value="": words.update({key: value}))
    monkeypatch.setattr(launch, "is_said", words.__contains__)
    monkeypatch.setattr(launch, "told", words.__getitem__)
    monkeypatch.setattr(launch, "begin", lambda ranks: False)
    monkeypatch.setattr(launch, "_meet_at", lambda port: None)
    monkeypatch.setattr(runner, "check", lambda *names, **options: None)
    monkeypatch.setattr(runner, "_run", run)
    stage = SimpleNamespace(function=None)
    experiment = SimpleNamespace(
        folder=lambda name: tmp_path / name, run=tmp_path, others={}, chain=SimpleNamespace(stages={"fit": stage})
    )
    write_json(tmp_path / "fit" / "manifest.json", {"status": "done", "digest": "a"})
    take_part(0)
    if is_done:
        take_part(1)
    assert begun == ([] if is_done else [True, False])
