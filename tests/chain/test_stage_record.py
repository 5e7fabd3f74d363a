import shutil
from pathlib import Path

import pytest
import torch

from acr_lightning.artefacts import checkpoint_file
from acr_lightning.artefacts.atomic import write_text
from acr_lightning.artefacts.manifest import is_done, read, result, stages_of, write_from
from acr_lightning.chain import stage_record

SECTION = {"model": {"init_args": {"lr": 0.1}}, "trainer": {"devices": 1, "max_epochs": 3}, "workers": 2}


@pytest.mark.parametrize(
    ("section", "same"),
    [
        ({**SECTION, "trainer": {"devices": 4, "max_epochs": 3}, "workers": 16}, True),
        ({**SECTION, "trainer": {"devices": 1, "max_epochs": 4}}, False),
        ({**SECTION, "model": {"init_args": {"lr": 0.2}}}, False),
    ],
)
def test_digest_ignores_speed_only(section, same):
    assert (stage_record.digest(section, {}) == stage_record.digest(SECTION, {})) is same
    assert stage_record.digest(SECTION, {"fit": "a"}) != stage_record.digest(SECTION, {"fit": "b"})


def test_where_kept_maps_lie_is_left_out_but_not_that_they_are_kept():
    """Which rounds them, whatever room there is."""

    def digest(**arguments):
        return stage_record.digest({"model": {"class_path": "a.B", "init_args": {"lr": 0.1, **arguments}}}, {})

    assert digest(cache="here") == digest(cache="there") == digest(cache="there", max_gb=1.0)
    assert digest(cache="here") != digest(cache=None)
    assert digest(cache="here") != digest(cache="here", lr=0.2)


def record(section=SECTION, stage="fit"):
    return stage_record.Record(stage, stage_record.digest(section, {}), {}, {}, section)


def test_another_configuration_moves_the_old_result_aside(tmp_path):
    folder, other = tmp_path / "fit", record({**SECTION, "model": {}})
    stage_record.start(folder, record())
    (folder / "last.ckpt").write_text("precious")
    stage_record.start(folder, record())  # goes on
    assert (folder / "last.ckpt").exists()
    assert not stage_record.holds(folder, record().digest)
    stage_record.finish(folder, record(), {"epochs": 3}, 1.0, 2.0)
    assert stage_record.holds(folder, record().digest)
    stage_record.start(folder, other)
    assert (tmp_path / "fit.old-1" / "last.ckpt").read_text() == "precious"
    assert not stage_record.holds(folder, record().digest)
    stage_record.start(folder, other, anew=True)
    assert stage_record.holds(tmp_path / "fit.old-2", other.digest, done=False)


@pytest.mark.parametrize(("name", "is_back"), [("label", True), ("report.html", False)])
def test_a_result_that_lies_elsewhere_is_made_again(tmp_path, name, is_back):
    """A page of other masks would stand where the older page's folder is put back."""
    folder = tmp_path / "label"
    first, second = (record({"output": str(tmp_path / name), "images": count}, "label") for count in (1, 2))
    for made in (first, second):
        stage_record.start(folder, made)
        stage_record.finish(folder, made, {}, 1.0, 1.0)
    assert stage_record.put_back(folder, first) is is_back


def test_a_stage_is_done_with_the_checkpoint_that_it_ended_with(tmp_path):
    folder, checkpoint = tmp_path / "fit", tmp_path / "fit" / "last.ckpt"

    def end():
        stage_record.start(folder, record())
        stage_record.finish(folder, record(), {"epochs": 3}, 1.0, 2.0)
        return result(read(folder))

    assert end() == record().digest  # a stage without a checkpoint
    checkpoint_file.write({"weight": torch.ones(3)}, checkpoint)
    first = end()
    shutil.copytree(folder, tmp_path / "copy")
    assert stage_record.holds(tmp_path / "copy", record().digest)
    checkpoint_file.write({"weight": torch.zeros(3)}, checkpoint)  # as another process may
    assert not stage_record.holds(folder, record().digest)
    assert end() != first
    assert stage_record.holds(folder, record().digest)
    checkpoint.unlink()
    assert not stage_record.holds(folder, record().digest)


def test_a_stage_is_done_with_all_of_its_results(tmp_path):
    folder = tmp_path / "cam"
    for place in ("cams/a.npz", "cams/beach/b.npz"):
        write_text(folder / place, "")
    stage_record.start(folder, record(stage="cam"))
    stage_record.finish(folder, record(stage="cam"), {}, 1.0, 2.0)
    assert stage_record.holds(folder, record().digest)
    assert is_done(folder)
    (folder / "cams" / "beach" / "b.npz").unlink()  # as a person was told to
    assert not stage_record.holds(folder, record().digest)
    assert not is_done(folder)
    stage_record.start(folder, record(stage="cam"))
    assert (folder / "cams" / "a.npz").exists()  # goes on with what is there


def test_a_finished_stage_keeps_nothing_half_written(tmp_path):
    folder = tmp_path / "label"
    stage_record.start(folder, record(stage="label"))
    (folder / "labels").mkdir()
    (folder / "labels" / ".a.png.x1y2.tmp").write_bytes(b"half")
    (folder / "labels" / "a.png").write_bytes(b"whole")
    stage_record.finish(folder, record(stage="label"), {}, 1.0, 2.0)
    assert [path.name for path in (folder / "labels").iterdir()] == ["a.png"]


def test_a_run_knows_its_stages_in_other_runs(tmp_path):
    for place in ("a/fit", "a/cam", "b/label", "b/label.old-1"):
        stage_record.start(tmp_path / place, record())
    write_from(tmp_path / "b", {"cam": tmp_path / "a", "fit": tmp_path / "gone"})
    assert stages_of(tmp_path / "b") == {"label": tmp_path / "b" / "label", "cam": tmp_path / "a" / "cam"}
    (tmp_path / "moved").mkdir()
    for run in ("a", "b"):
        (tmp_path / run).rename(tmp_path / "moved" / run)
    assert stages_of(tmp_path / "moved" / "b")["cam"] == tmp_path / "moved" / "a" / "cam"
    assert stages_of(Path("nowhere")) == {}
