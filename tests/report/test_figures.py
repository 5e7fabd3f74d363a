import json
import sys

import pytest

from acr_lightning.report.figures import main


@pytest.fixture
def run(tmp_path):
    """Scores of a run, as the stages leave them."""
    score = {"split": "seed", "precision": 60.0, "recall": 70.0}
    records = [{"what": "cam", "miou": 44.44, **score}, {"what": "cam", "miou": 43.0, **score}]
    records.append({"what": "cam", "miou": 41.0, **score, "split": "val"})
    records.append({"what": "label", "miou": 47.0, **score})
    (tmp_path / "evaluate").mkdir()
    (tmp_path / "evaluate" / "scores.json").write_text(json.dumps(records))
    return tmp_path


def test_figures_and_gains(run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["figures", "x", f"plain={run}:cam", f"crf={run}:label"])
    main()
    assert capsys.readouterr().out.splitlines() == ["figure x.plain 44.4", "figure x.crf 47.0"]
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--gain", "crf-plain", "plain-crf"])
    main()
    gains = capsys.readouterr().out.splitlines()[-2:]
    assert gains == ["figure x.gain.crf 2.6", "figure x.gain.plain -2.6"]  # 47.0 - 44.44


def test_the_score_of_a_split(run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["figures", "x", f"plain={run}:cam", f"held_out={run}:cam@val"])
    main()
    assert capsys.readouterr().out.splitlines()[-2:] == ["figure x.plain 44.4", "figure x.held_out 41.0"]


@pytest.mark.parametrize(("wanted", "said"), [("network", "'network'$"), ("cam@train", "'cam' on train$")])
def test_a_missing_score_is_named(run, monkeypatch, wanted, said):
    monkeypatch.setattr(sys, "argv", ["figures", "x", f"network={run}:{wanted}"])
    with pytest.raises(SystemExit, match=f"no score of {said}"):
        main()
