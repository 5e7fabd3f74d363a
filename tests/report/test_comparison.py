import csv
import json
import re

import pytest

from acr_lightning.errors import UserError
from acr_lightning.report.comparison import tabulate
from acr_lightning.report.variant_row import control_of


def run_with(folder, miou, of_val=None, label=None, **fit):
    """A run with scores; with `batch`, `epochs` and `photos` of stage fit it says what it took."""
    rest = {"precision": 60.0, "recall": 70.0}
    records = [{"what": "cam", "miou": miou, **rest}, {"what": "cam", "miou": 0.0, "precision": 0.0, "recall": 0.0}]
    records += [] if of_val is None else [{"what": "cam", "split": "val", "miou": of_val, **rest}]
    records += [] if label is None else [{"what": "label", "miou": label, "precision": 1.0, "recall": 1.0}]
    (folder / "evaluate").mkdir(parents=True)
    (folder / "evaluate" / "scores.json").write_text(json.dumps(records))
    for stage, seconds in (("fit", 7200.0), ("cam", 3600.0)) if fit else ():
        (folder / stage).mkdir()
        config = {"data": {"init_args": {"batch_size": fit["batch"]}}}
        made = {
            "status": "done",
            "seconds": seconds,
            "cpu_seconds": 2 * seconds,
            "counts": fit if stage == "fit" else {},
            "config": config,
        }
        (folder / stage / "manifest.json").write_text(json.dumps(made))
    return folder


@pytest.fixture
def tabulated(tmp_path):
    """The Markdown and the figures of one table, from the scores of each variant's seeds."""

    def read(**variants):
        runs = {
            name: {seed: [run_with(tmp_path / f"{name}{seed}", *scores)] for seed, scores in enumerate(seeds)}
            for name, seeds in variants.items()
        }
        return tabulate({("Game",): runs}, tmp_path, "x")

    return read


def test_mean_and_deviation_by_hand(tabulated, tmp_path):
    text = tabulated(**{"plain <CAM> | *a*": [[40.0], [42.0], [47.0]], "one": [[40.0]]})
    # Mean 43; deviations -3, -1, 4: variance (9 + 1 + 16) / 2 = 13.
    assert text.startswith((tmp_path / "comparison.md").read_text())
    assert r"| plain \<CAM> \| \*a\* | 3 | 43.0 ± 3.6 | 60.0 ± 0.0 | 70.0 ± 0.0 |" in text
    assert "| one | 1 | 40.0 | 60.0 | 70.0 |" in text
    assert "| variant | random seeds | CAM | precision | recall |\n|" in text
    page = (tmp_path / "comparison.html").read_text()
    assert "<td>plain &lt;CAM&gt; | *a*</td><td>3</td><td>43.0 ± 3.6</td>" in page
    assert "<h2>Game</h2>" in page
    with (tmp_path / "comparison.csv").open() as file:
        rows = {(row["table"], row["variant"], row["column"]): row for row in csv.DictReader(file)}
    row = rows["Game", "plain <CAM> | *a*", "CAM"]
    assert (row["seeds"], row["values"]) == ("0 1 2", "40.0 42.0 47.0")
    assert (float(row["mean"]), float(row["deviation"])) == (43.0, pytest.approx(13**0.5))
    assert rows["Game", "one", "CAM"]["deviation"] == ""


def test_costs_by_hand(tmp_path):
    first = run_with(tmp_path / "a", 40.0, label=50.0, batch=4, epochs=3, photos=10)
    later = run_with(tmp_path / "b", 41.0, batch=5, epochs=2, photos=10)
    (tmp_path / "c" / "evaluate").mkdir(parents=True)
    (tmp_path / "c" / "evaluate" / "scores.json").write_text((later / "evaluate" / "scores.json").read_text())
    (tmp_path / "c" / "from.json").write_text('{"fit": "../a"}')
    runs = {
        "plain": {0: [first]},
        "ReCAM": {0: [later, first], 1: [tmp_path / "missing"]},  # its second run is not done
        "read": {0: [tmp_path / "c", first]},  # what it reads is what it goes on with
    }
    text = tabulate({("Methods",): runs}, tmp_path, "x")
    assert "| random seeds | CAM | precision | recall | label | hours | CPU seconds | steps | photos seen |" in text
    # Three epochs of 10 // 4 batches of 4, and with two of 10 // 5 of 5.
    assert "| plain | 1 | 40.0 | 60.0 | 70.0 | 50.0 | 3.00 | 21600 | 6 | 24 |" in text
    assert "| ReCAM | 1 | 41.0 | 60.0 | 70.0 | – | 5.00 | 36000 | 10 | 44 |" in text
    assert "| read | 1 | 41.0 | 60.0 | 70.0 | – | 2.00 | 14400 | 6 | 24 |" in text
    assert "figure x_methods_recam_photos_seen 44" in text.splitlines()


def test_the_batch_is_that_of_the_run_also_where_its_data_class_has_another_default(tmp_path):
    run = run_with(tmp_path / "a", 40.0, batch=4, epochs=3, photos=10)
    path = run / "fit" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "config": {}}))
    text = tabulate({("Own",): {"own": {0: [run]}}}, tmp_path, "x")
    assert "| own | 1 | 40.0 | 60.0 | 70.0 | 3.00 | 21600 | 6 | 24 |" in text


def test_gains_are_counted_seed_by_seed(tabulated):
    text = tabulated(
        control=[[40.0, 30.0], [44.0, 30.0]], ours=[[47.0, 32.5], [45.0, 32.5]], half=[[50.0, 31.0], [40.0]]
    )
    assert "| random seeds | CAM | precision | recall | CAM on val | gain | gain on val |" in text
    assert (
        "| ours | 2 | 46.0 ± 1.4 | 60.0 ± 0.0 | 70.0 ± 0.0 | 32.5 ± 0.0 | 4.0 ± 4.2 (+7.0, +1.0) | 2.5 ± 0.0 (" in text
    )
    assert "| half | 2 | 45.0 ± 7.1 | 60.0 ± 0.0 | 70.0 ± 0.0 | – | 3.0 ± 9.9 (+10.0, -4.0) | – |" in text
    assert "| control | 2 | 42.0 ± 2.8 | 60.0 ± 0.0 | 70.0 ± 0.0 | 30.0 ± 0.0 | – | – |" in text
    columns = ["cam 46.0", "precision 60.0", "recall 70.0", "cam_on_val 32.5", "gain 4.0", "gain_on_val 2.5"]
    lines = text.splitlines()
    assert [line for line in lines if "_ours_" in line] == [f"figure x_game_ours_{column}" for column in columns]


NAMES = [
    "plain", "control", "control by prototypes", "SEAM", "SEAM by prototypes", "SEAM by AdvCAM", "AdvCAM on plain",
    "control, long", "ACR, long", "ACR, long by prototypes", "ACR, short", "RIB on gone",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "control"),
    [
        ("plain", "control"), ("control", ""), ("SEAM", "control"), ("SEAM by prototypes", "control by prototypes"),
        ("SEAM by AdvCAM", "control"), ("control by prototypes", "control"), ("AdvCAM on plain", "plain"),
        ("ACR, long", "control, long"), ("ACR, short", "control"), ("RIB on gone", "control"),
        ("ACR, long by prototypes", "control by prototypes"), ("control, long", "control"),
    ],
)  # fmt: skip
def test_each_is_compared_with_what_is_most_like_it(name, control):
    assert control_of(name, NAMES) == control
    assert control_of(name, ["SEAM", name]) == ""


READ = {
    "control": [[40.0], [44.0]], "control by prototypes": [[50.0], [51.0]],
    "SEAM": [[41.0], [42.0]], "SEAM by prototypes": [[60.0], [56.0]],
    "SIPE": [[47.0], [48.0]],
}  # fmt: skip


def test_methods_by_readout_by_hand(tabulated, tmp_path):
    text = tabulated(**READ)
    head = "| method | CAM | gain | CAM by prototypes | gain by prototypes | steps | CPU seconds |\n|"
    assert text.index(head) < text.index("| variant | random seeds | CAM |")
    rows = [
        "| control | 42.0 ± 2.8 | – | 50.5 ± 0.7 | 8.5 ± 2.1 (+10.0, +7.0) | – | – |",
        "| SEAM | 41.5 ± 0.7 | -0.5 ± 2.1 (+1.0, -2.0) | 58.0 ± 2.8 | 7.5 ± 3.5 (+10.0, +5.0) | – | – |",
        "| SIPE | 47.5 ± 0.7 | 5.5 ± 2.1 (+7.0, +4.0) | – | – | – | – |",
    ]
    assert "\n".join(rows) in text
    assert "<th>gain by prototypes</th>" in (tmp_path / "comparison.html").read_text()
    assert "| method |" not in tabulated(again=[[40.0]], more=[[41.0]])


def places(svg, name):
    """Where a variant's points are, from left to right and from top to bottom."""
    (group,) = re.findall(rf'<g id="{re.escape(name)}">(.*?)</g>\s*</g>', svg, re.DOTALL)
    return [(float(x), float(y)) for x, y in re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', group)]


def test_the_figure_shows_each_seed_and_the_mean(tabulated, tmp_path):
    tabulated(**READ)
    page = (tmp_path / "comparison.html").read_text()
    assert '<g id="control by prototypes">' not in page
    (x_10, y), (x_5, _) = places(page, "SEAM by prototypes")
    a_point = (x_10 - x_5) / 5
    assert a_point > 0
    assert [x for x, _ in places(page, "SIPE")] == pytest.approx([x_10 - 3 * a_point, x_10 - 6 * a_point], abs=1e-3)
    assert [x for x, _ in places(page, "SEAM")] == pytest.approx([x_10 - 9 * a_point, x_10 - 12 * a_point], abs=1e-3)
    ((mean, at),) = places(page, "mean of SEAM by prototypes")
    assert (mean, at) == pytest.approx((x_10 - 2.5 * a_point, y), abs=1e-3)
    assert places(page, "SEAM")[0][1] < at < places(page, "SIPE")[0][1]


def test_without_gains_there_is_no_figure(tabulated, tmp_path):
    tabulated(one=[[40.0]], control=[[40.0], [41.0]])
    assert "<svg" not in (tmp_path / "comparison.html").read_text()


def test_without_a_control_of_the_same_seeds_nothing_is_gained(tabulated):
    assert "gain " not in tabulated(control=[[40.0], [44.0]], ours=[[47.0]]).partition("**Game**")[2]


def test_what_is_no_number_is_a_dash(tabulated):
    assert "| broken | 2 | – | 60.0 ± 0.0 |" in tabulated(broken=[[float("nan")], [40.0]], other=[[40.0]])


def test_runs_without_scores_are_refused(tmp_path):
    with pytest.raises(UserError, match="no run has a score; the data set needs masks"):
        tabulate({("Game",): {"x": {0: [tmp_path / "nothing"]}}}, tmp_path, "x")
    assert not [*tmp_path.iterdir()]


def test_figures_of_one_word_are_told_apart(tabulated):
    lines = tabulated(**{"ACR": [[40.0]], "ACR+": [[47.0]], "ACR-": [[47.0]]}).splitlines()
    assert [line for line in lines if "_cam" in line] == [
        "figure x_game_acr_cam 40.0", "figure x_game_acr_cam_2 47.0", "figure x_game_acr_cam_2_2 47.0",
    ]  # fmt: skip
