"""What is said in a run's middle of the time that it takes."""

import json

import pytest

from acr_lightning.report.summary import times


@pytest.fixture
def folders(tmp_path):
    """Two stages that took 20 and 5 minutes."""
    for name, seconds in (("segment", 1200.0), ("evaluate", 300.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps({"status": "done", "seconds": seconds}))
    return [tmp_path / "segment", tmp_path / "evaluate"]


def test_what_all_stages_took_before_is_told(folders):
    assert times(720, folders) == ", after 12 min; from here on it took 25 min before"
    assert times(0, folders[1:]) == "; from here on it took 5 min before"


@pytest.mark.parametrize("manifest", [None, {"status": "started"}, {"status": "started", "seconds": 9.0}])
def test_nothing_is_told_of_stages_that_were_not_done(folders, manifest):
    path = folders[0] / "manifest.json"
    path.unlink() if manifest is None else path.write_text(json.dumps(manifest))
    assert times(720, folders) == ", after 12 min"
    assert times(0, folders) == ""
