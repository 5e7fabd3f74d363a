import json

import pytest

from acr_lightning.errors import UserError
from acr_lightning.report.ablation import figures, read_row, write_tables


def run_with(folder, miou):
    records = [
        {"what": "cam", "miou": miou, "precision": 60.0, "recall": 70.0},
        {"what": "cam", "miou": 0.0, "precision": 0.0, "recall": 0.0},
    ]
    (folder / "evaluate").mkdir(parents=True)
    (folder / "evaluate" / "scores.json").write_text(json.dumps(records))
    return folder


def test_mean_and_deviation_by_hand(tmp_path):
    row = read_row("plain <CAM>", [run_with(tmp_path / str(miou), miou) for miou in (40.0, 42.0, 47.0)])
    # Mean 43; deviations -3, -1, 4: variance (9 + 1 + 16) / 2 = 13.
    assert row.cell("miou") == "43.0 ± 3.6"
    assert row.cell("recall") == "70.0 ± 0.0"
    single = read_row("one seed", [tmp_path / "40.0"])
    assert single.cell("miou") == "40.0"
    text = write_tables({"Strategy": [row, single]}, tmp_path, "VOC-6")
    assert (tmp_path / "ablation.md").read_text() == text
    assert "| plain <CAM> | 43.0 ± 3.6 | 60.0 ± 0.0 | 70.0 ± 0.0 |" in text
    page = (tmp_path / "ablation.html").read_text()
    assert "plain &lt;CAM&gt;" in page
    assert "40.0 42.0 47.0" in page


def test_gains_are_counted_seed_by_seed(tmp_path):
    control = read_row("control", [run_with(tmp_path / f"c{miou}", miou) for miou in (40.0, 44.0)])
    ours = read_row("With SRF", [run_with(tmp_path / f"o{miou}", miou) for miou in (47.0, 45.0)])
    assert "With SRF above the control, seed by seed: +7.0, +1.0; mean 4.0 ± 4.2" in write_tables(
        {"Game": [control, ours]}, tmp_path, ""
    )
    lines = [f"figure x.{line}" for line in ("control 42.0", "with_srf 46.0", "gain 4.0", "least_gain 1.0")]
    assert figures({"Game": [control, ours]}, "x") == lines
    assert figures({"Game": [ours]}, "x") == ["figure x.with_srf 46.0"]


def test_cams_of_val_are_a_column_of_their_own(tmp_path):
    def scored(name, of_val):
        run = run_with(tmp_path / name, 40.0)
        path = run / "evaluate" / "scores.json"
        record = {"what": "cam", "split": "val", "miou": of_val, "precision": 0.0, "recall": 0.0}
        path.write_text(json.dumps([*json.loads(path.read_text()), record]))
        return run

    control, ours = read_row("control", [scored("c", 30.0)]), read_row("ours", [scored("o", 32.5)])
    half = read_row("half", [scored("h", 50.0), run_with(tmp_path / "without", 40.0)])
    text = write_tables({"Game": [control, ours], "Half": [half]}, tmp_path, "")
    assert "| | mIoU | precision | recall | mIoU on val |" in text
    assert "| ours | 40.0 | 60.0 | 70.0 | 32.5 |" in text
    assert "| half | 40.0 ± 0.0 | 60.0 ± 0.0 | 70.0 ± 0.0 | – |" in text
    assert "<th>mIoU on val</th>" in (tmp_path / "ablation.html").read_text()
    assert "figure x.val_gain 2.5" in figures({"Game": [control, ours]}, "x")


def test_a_run_without_scores_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing/evaluate/scores\.json: no CAM score"):
        read_row("x", [tmp_path / "nothing"])


def test_figures_of_one_word_are_told_apart(tmp_path):
    first, plus = (read_row(name, [run_with(tmp_path / name, miou)]) for name, miou in (("ACR", 40.0), ("ACR+", 47.0)))
    assert figures({"one": [first, plus], "two": [first]}, "x") == ["figure x.acr 40.0", "figure x.acr_2 47.0"]
