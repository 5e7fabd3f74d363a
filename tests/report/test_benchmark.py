import csv
import json

import pytest

from acr_lightning.report import benchmark


def run_with(folder, miou, batch=4, epochs=3, photos=10, label=None):
    records = [{"what": "cam", "miou": miou, "precision": 60.0, "recall": 70.0}]
    if label is not None:
        records.append({"what": "label", "miou": label, "precision": 1.0, "recall": 1.0, "chosen": "auto: Otsu"})
    (folder / "evaluate").mkdir(parents=True)
    (folder / "evaluate" / "scores.json").write_text(json.dumps(records))
    fit = {"epochs": epochs, "photos": photos}
    for stage, seconds, counts, megabytes in (("fit", 60.0, fit, 1536.0), ("cam", 30.0, {}, 1024.0)):
        (folder / stage).mkdir()
        made = {
            "status": "done", "seconds": seconds, "counts": counts, "megabytes": megabytes,
            "config": {"data": {"init_args": {"batch_size": batch}}},
        }  # fmt: skip
        (folder / stage / "manifest.json").write_text(json.dumps(made))
    return folder


def test_scores_and_costs_by_hand(tmp_path):
    first = run_with(tmp_path / "a0", 40.0, label=50.0), run_with(tmp_path / "a1", 44.0, label=52.0)
    later = run_with(tmp_path / "b0", 41.0, batch=5, epochs=2)
    rows = [
        benchmark.read_row("plain <CAM>", [(first[0], []), (first[1], [])]),
        benchmark.read_row("ReCAM", [(later, [first[0]]), (tmp_path / "missing", [])]),
    ]
    assert rows[0].cell("cam") == "42.0 ± 2.8"
    assert rows[0].values["steps"] == [6, 6]  # 3 epochs of 10 // 4 batches
    assert rows[0].values["photos seen"] == [24, 24]
    assert rows[0].values["minutes"] == [1.5, 1.5]
    assert rows[0].thresholds == ["auto: Otsu"]
    assert rows[1].values["photos seen"] == [20 + 24]  # those of the run that it began with, too
    assert rows[1].values["minutes"] == [2.5]
    text = benchmark.write_tables({"VOC-6": rows}, tmp_path)
    assert "| VOC-6 | seeds | cam | label | minutes | memory, GB | steps | photos seen | label threshold |" in text
    assert "| plain <CAM> | 2 | 42.0 ± 2.8 | 51.0 ± 1.4 | 2 | 1.5 | 6 | 24 | auto: Otsu |" in text
    assert "| ReCAM | 1 | 41.0 | – | 2 | 1.5 | 10 | 44 |  |" in text
    assert "plain &lt;CAM&gt;" in (tmp_path / "benchmark.html").read_text()
    with (tmp_path / "benchmark.csv").open() as file:
        found = {(row["method"], row["what"]): row for row in csv.DictReader(file)}
    assert found["plain <CAM>", "cam"]["values"] == "40.0 44.0"
    assert float(found["plain <CAM>", "label"]["deviation"]) == pytest.approx(2**0.5)
    assert benchmark.figures({"VOC-6": rows}) == [
        "figure benchmark.plain_cam.cam 42.0",
        "figure benchmark.plain_cam.label 51.0",
        "figure benchmark.recam.cam 41.0",
    ]
    assert "figure benchmark.coco.recam.cam 41.0" in benchmark.figures({"VOC-6": rows, "COCO": rows})


def test_figures_of_one_word_are_told_apart(tmp_path):
    runs = {"ACR": run_with(tmp_path / "a", 40.0), "ACR+": run_with(tmp_path / "b", 47.0)}
    rows = [benchmark.read_row(method, [(run, [])]) for method, run in runs.items()]
    assert benchmark.figures({"VOC-6": rows}) == ["figure benchmark.acr.cam 40.0", "figure benchmark.acr.cam_2 47.0"]
