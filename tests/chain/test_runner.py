"""The runner with a chain of two tiny stages: it knows neither methods nor data."""

from pathlib import Path

import pytest

from acr_lightning.artefacts.manifest import read, stages_of
from acr_lightning.chain.check import check
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import is_done_before, run_stage
from acr_lightning.chain.stage import Chain, Stage
from acr_lightning.errors import UserError

calls = []


def make(output: str, text: str = "a", workers: int = 1) -> dict[str, int]:
    """Write a text.

    Args:
        output: the file.
        text: its content.
        workers: changes speed only.
    """
    calls.append("make")
    Path(output).write_text(text * workers)
    return {"letters": len(text)}


def use(source: str, output: str, times: int = 1) -> dict[str, int]:
    """Write a text several times."""
    calls.append("use")
    Path(output).write_text(Path(source).read_text() * times)
    return {"times": times}


def stage(function, name, **more):
    return Stage(
        name,
        f"{name} a text",
        lambda folder: {"output": str(folder / "text")},
        writes="text",
        function=function,
        **more,
    )


STAGES = (
    stage(make, "make"),
    stage(make, "louder", choice="loud"),
    stage(use, "use", reads={"source": ("louder", "make")}),
)
CHAIN = Chain(
    {one.name: one for one in STAGES},
    {"loud": {"very": {"louder": {"text": "A!"}}, "little": {"louder": {"text": "A"}}}},
)


@pytest.fixture
def experiment(tmp_path):
    calls.clear()
    return lambda **values: load(CHAIN, None, {"run": str(tmp_path / "run"), **values})


def do(experiment, *names):
    for name in names or experiment.stages:
        run_stage(experiment, name)


def test_a_folder_that_no_stage_made_is_left_alone(experiment, tmp_path):
    mine = tmp_path / "run" / "make" / "mine.txt"
    mine.parent.mkdir(parents=True)
    (mine.parent / ".hidden").touch()
    do(experiment(), "make")  # an empty folder, but for what no one sees, will do
    (mine.parent / "manifest.json").unlink()
    mine.write_text("mine")
    with pytest.raises(UserError, match=r"make: .*make is there, and no stage made it; move it"):
        do(experiment(), "make")
    assert mine.read_text() == "mine"


def test_where_a_stage_writes_is_the_runs_to_say(experiment, tmp_path):
    with pytest.raises(UserError, match=r"make\.output: is the stage's own folder in the run; give another --run"):
        do(experiment(**{"make.output": str(tmp_path / "elsewhere")}), "make")


def test_what_is_done_is_skipped_until_something_before_it_changes(experiment, tmp_path):
    do(experiment())
    do(experiment(), "make", "use")
    do(experiment(**{"make.workers": 3}), "make", "use")  # changes speed only
    assert calls == ["make", "use"]
    do(experiment(**{"make.text": "b"}))
    assert calls == ["make", "use"] * 2
    assert (tmp_path / "run" / "use" / "text").read_text() == "b"
    assert (tmp_path / "run" / "use.old-1" / "text").read_text() == "a"


def test_an_older_result_of_the_same_configuration_is_put_back(experiment, tmp_path, capsys):
    run = tmp_path / "run"
    do(experiment())
    do(experiment(**{"make.text": "b"}))
    assert not is_done_before(experiment(), "make")
    do(experiment())
    assert is_done_before(experiment(), "make")
    assert calls == ["make", "use"] * 2
    assert "it was put back" in capsys.readouterr().err
    texts = {path.parent.name: path.read_text() for path in run.glob("*/text")}
    assert texts == {"make": "a", "make.old-2": "b", "use": "a", "use.old-2": "b"}
    run_stage(experiment(**{"make.text": "b"}), "make", force=True)
    assert calls[-1] == "make"  # forced, it is made anew


def test_a_chosen_stage_takes_part_and_is_read_instead(experiment, tmp_path):
    assert experiment().stages == ["make", "use"]
    loud = experiment(loud="very")
    assert loud.stages == ["make", "louder", "use"]
    do(loud)
    assert (tmp_path / "run" / "use" / "text").read_text() == "A!"
    assert read(tmp_path / "run" / "use")["presets"] == {"loud": "very"}
    assert experiment(stages="louder,use", loud="little").stages == ["louder", "use"]
    with pytest.raises(UserError, match=r"louder: takes part only if chosen; add --loud=very\|little"):
        _ = experiment(stages="louder,use").stages


def test_a_stage_of_another_run(experiment, tmp_path):
    do(experiment(**{"make.text": "b"}), "make")
    other = {"run": str(tmp_path / "other"), "from.make": str(tmp_path / "run"), "make.text": "b"}
    assert experiment(**other).stages == ["use"]
    do(experiment(**other))
    assert (tmp_path / "other" / "use" / "text").read_text() == "b"
    assert stages_of(tmp_path / "other") == {
        name: tmp_path / run / name for run, name in (("run", "make"), ("other", "use"))
    }
    # Done from there, it is done beside a make of its own as well: only the input counts.
    do(experiment(**{**other, "from": {}}), "make")
    assert is_done_before(experiment(**{**other, "from": {}}), "use")
    with pytest.raises(UserError, match=r"make: is read from .*run; leave out from\.make"):
        run_stage(experiment(**other), "make")
    with pytest.raises(UserError, match=r"from\.mkae: no such stage\. Did you mean 'make'"):
        experiment(**{"from.mkae": "x"})
    with pytest.raises(UserError, match=r"use: needs the stage make, which is not done in .*nowhere"):
        check(experiment(**{"from.make": str(tmp_path / "nowhere")}), ["use"])


def test_own_paths_free_a_stage_from_the_chain(experiment, tmp_path):
    (tmp_path / "mine").write_text("c")
    do(experiment(**{"use.source": str(tmp_path / "mine")}), "use")
    assert (tmp_path / "run" / "use" / "text").read_text() == "c"


def test_a_moved_run_stays_done(experiment, tmp_path):
    do(experiment())
    (tmp_path / "run").rename(tmp_path / "moved")
    assert is_done_before(experiment(run=str(tmp_path / "moved")), "use")


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        ({"make.txet": "b"}, ["make"], r"make\.txet: no such key\. Did you mean 'text'"),
        ({"use.times": "often"}, ["make", "use"], r"use\.times: Expected int"),
        ({}, ["use"], r"use: needs the stage make, which is not done .* run `acr make`"),
    ],
)
def test_a_fault_of_any_stage_is_found_before_the_first_starts(experiment, values, names, message):
    with pytest.raises(UserError, match=message):
        check(experiment(**values), names)
    check(experiment(), ["make", "use"])
    assert not calls


def test_a_wrong_value_moves_nothing(experiment, tmp_path):
    do(experiment())
    with pytest.raises(UserError):
        run_stage(experiment(**{"use.times": "often"}), "use")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["make", "use"]
