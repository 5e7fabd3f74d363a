"""A run folder may come from anyone: nothing in it runs."""

import json
import pkgutil
import sys
import textwrap

import pytest
import yaml
from PIL import Image
from results import photos_of
from tiny_coco import write_coco

from acr_lightning.cli.main import main


@pytest.fixture
def photos(tmp_path):
    """The arguments of a `TagFolder`."""
    root = tmp_path / "photos"
    root.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (8, 6)).save(root / f"{name}.jpg")
    (root / "tags.csv").write_text("image,tags\na.jpg,dog\nb.jpg,cat\n")
    return {"root": str(root)}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Packages to import from; importing `stranger` leaves the file `ran`, and so does making `mine.Bystander`."""
    folder = tmp_path / "packages"
    ran = tmp_path / "ran"
    sources = {
        "stranger": f"""
            from pathlib import Path
            from acr_lightning.data.tag_folder import TagFolder
            Path({str(ran)!r}).touch()
            class Data(TagFolder): pass
            """,
        "mine": f"""
            from pathlib import Path
            from acr_lightning.data.tag_folder import TagFolder
            class Data(TagFolder): pass
            def lent(**arguments): return Data(**arguments)
            class Bystander:
                def __init__(self, **arguments): Path({str(ran)!r}).touch()
            """,
        "borrower": "from mine import Data",
    }
    for name, source in sources.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(str(folder))
    yield ran
    for name in sources:
        sys.modules.pop(name, None)


def write_manifest(run, dataset, seen=None):
    """As a finished stage `fit` leaves it that has seen the photos of a data set."""
    made = {"stage": "fit", "status": "done", "digest": "0", "written": "2026-01-01T00:00:00+00:00"}
    made |= photos_of(seen) if seen else {"inputs": {}}
    (run / "fit").mkdir(parents=True)
    made["config"] = {"data": {"init_args": {"dataset": dataset}}}
    (run / "fit" / "manifest.json").write_text(json.dumps(made))
    return run


def node(class_path, **arguments):
    return {"class_path": class_path, "init_args": arguments}


def test_the_own_data_sets_are_built(tmp_path, photos):
    own = node("acr_lightning.data.tag_folder.TagFolder", **photos)
    run = write_manifest(tmp_path / "run", own, seen=own)
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").read_text().count("<figcaption>photo") == 2


def test_no_photos_are_shown_that_the_run_was_not_made_from(tmp_path, photos, capsys):
    own = node("acr_lightning.data.tag_folder.TagFolder", **photos)
    run = write_manifest(tmp_path / "run", own, seen=own)
    Image.new("RGB", (8, 6), "red").save(tmp_path / "photos" / "a.jpg")  # the reader's, not the maker's
    assert main(["report", str(run)]) == 0
    assert "so none is shown" in capsys.readouterr().err
    page = (run / "report.html").read_text()
    assert "<figcaption>photo" not in page
    assert "give the run&#39;s experiment instead" in page or "give the run's experiment instead" in page


@pytest.mark.parametrize("kind", ["Shapes", "COCO"])
def test_a_report_writes_nothing_but_its_page(tmp_path, capsys, kind):
    root = tmp_path / "elsewhere"
    if kind == "COCO":
        write_coco(root, 2014)
    before = sorted(root.rglob("*"))
    path = {"Shapes": "acr_lightning.data.shapes.Shapes", "COCO": "acr_lightning.data.coco.COCO"}[kind]
    run = write_manifest(tmp_path / "run", node(path, root=str(root)))
    assert main(["report", str(run)]) == 0
    assert "would be written, where only reading is meant" in capsys.readouterr().err
    assert sorted(root.rglob("*")) == before
    assert sorted(one.name for one in run.iterdir()) == [".acr_files", "fit", "report.html"]


def test_no_link_leads_a_report_out_of_the_run(tmp_path, photos, capsys):
    own = node("acr_lightning.data.tag_folder.TagFolder", **photos)
    run = write_manifest(tmp_path / "run", own, seen=own)
    (run / "fit" / "monitor").mkdir()
    Image.new("RGB", (4, 4)).save(run / "fit" / "monitor" / "epoch_1.jpg")
    link = run / "fit" / "monitor" / "epoch_9999.jpg"
    link.symlink_to(run / "fit" / "monitor" / "epoch_1.jpg")
    assert main(["report", str(run)]) == 0
    link.unlink()
    link.symlink_to(tmp_path / "photos" / "a.jpg")
    assert main(["report", str(run)]) == 2
    assert f"{link}: a link leads out of the run; remove it, or" in capsys.readouterr().err


@pytest.mark.parametrize(("place", "status"), [("fit/wandb/run-1/logs/debug-core.log", 0), ("cam/cams/wandb/1.npz", 2)])
def test_wandbs_own_links_are_no_way_out(tmp_path, photos, place, status):
    own = node("acr_lightning.data.tag_folder.TagFolder", **photos)
    run = write_manifest(tmp_path / "run", own, seen=own)
    (tmp_path / "core-debug.log").write_text("of another folder")
    (run / place).parent.mkdir(parents=True)
    (run / place).symlink_to(tmp_path / "core-debug.log")
    assert main(["report", str(run)]) == status


@pytest.mark.parametrize("known", [True, False])
def test_a_stage_in_another_run_is_read_where_it_is_what_this_one_was_made_from(tmp_path, photos, capsys, known):
    own = node("acr_lightning.data.tag_folder.TagFolder", **photos)
    write_manifest(tmp_path / "other", own, seen=own)
    run = tmp_path / "run"
    (run / "cam").mkdir(parents=True)
    inputs = {"fit": "0" if known else "1"}
    (run / "cam" / "manifest.json").write_text(json.dumps({"stage": "cam", "status": "done", "inputs": inputs}))
    (run / "from.json").write_text(json.dumps({"fit": "../other"}))
    assert main(["report", str(run)]) == (0 if known else 2)
    assert ("fit is not what the run's stages were made from" in capsys.readouterr().err) is not known


REFUSED = {
    "a command": "os.system",
    "a class that runs a command": "subprocess.Popen",
    "a module that is run by importing it": "stranger.Data",
    "a foreign function through an own module": "acr_lightning.system.processes.subprocess.run",
    "a foreign module's function in an own module": "acr_lightning.cli.main.importlib.import_module",
    "an own module's foreign class": "acr_lightning.cli.run.Experiment",
    "an own function": "acr_lightning.system.processes.run_program",
    "an own class of another kind": "acr_lightning.segment.export.Deployed",
    "a name that begins like the own package": "acr_lightning_stranger.Data",
    "empty parts": "acr_lightning..stranger.Data",
    "a relative name": ".stranger.Data",
    "a line break": "os.system\n",
    "the package alone": "acr_lightning",
    "nothing": "",
}


@pytest.mark.parametrize("what", [what for what, path in REFUSED.items() if path.startswith("acr_lightning.c")])
def test_what_is_refused_is_really_there(what):
    """Otherwise it would be refused for not being found."""
    assert callable(pkgutil.resolve_name(REFUSED[what]))


@pytest.mark.parametrize("what", REFUSED)
def test_nothing_else_is_called_or_imported(tmp_path, packages, capsys, what):
    run = write_manifest(tmp_path / "run", node(REFUSED[what], command=f"touch {packages}"))
    assert main(["report", str(run)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(run / "fit" / "manifest.json") in said
    assert repr(REFUSED[what]) in said
    if not REFUSED[what].startswith("acr_lightning"):
        assert "a TaggedDataset of acr_lightning; if you trust the code of another package, add --allow PACKAGE" in said
    assert not packages.exists()
    assert "stranger" not in sys.modules


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        ("os.system", "no class_path with init_args"),
        (["os.system"], "no class_path with init_args"),
        ({"init_args": {"command": "true"}}, "no class_path with init_args"),
        ({"class_path": ["os.system"]}, "no class_path with init_args"),
        (node("acr_lightning.data.tagged.TaggedDataset"), "abstract"),
        (node("acr_lightning.data.tag_folder.TagFolder", root={"a": [node("os.system", command="true")]}), "init_args"),
        (node("acr_lightning.data.tag_folder.TagFolder", root=5), "cannot be made"),
        (node("acr_lightning.data.tag_folder.TagFolder", rot="a"), "root"),
        ({"class_path": "acr_lightning.data.tag_folder.TagFolder", "init_args": ["a"]}, "mapping"),
    ],
)
def test_a_data_set_that_cannot_be_made_gets_one_line(tmp_path, capsys, dataset, reason):
    run = write_manifest(tmp_path / "run", dataset)
    assert main(["report", str(run)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(run / "fit" / "manifest.json") in said
    assert reason in said


def test_a_package_of_ones_own_is_named(tmp_path, packages, photos, capsys):
    run = write_manifest(tmp_path / "run", node("mine.Data", **photos))
    assert main(["report", str(run)]) == 2
    assert main(["report", str(run), "--allow", "mine"]) == 0
    assert main(["report", str(run), "--allow=[other, mine]"]) == 0
    assert main(["report", str(run), "--alow=mine"]) == 2
    assert "Did you mean 'allow'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("class_path", "reason"),
    [("mine.lent", "is no TaggedDataset"), ("borrower.Data", "a TaggedDataset of acr_lightning, borrower;")],
)
def test_an_allowed_package_lends_nothing_else(tmp_path, packages, photos, capsys, class_path, reason):
    run = write_manifest(tmp_path / "run", node(class_path, **photos))
    assert main(["report", str(run), f"--allow={class_path.partition('.')[0]}"]) == 2
    assert reason in capsys.readouterr().err


def test_the_report_of_a_chain_knows_what_its_experiment_names(tmp_path, packages, photos):
    run = write_manifest(tmp_path / "run", node("mine.Data", **photos))
    content = {"run": str(run), "dataset": node("mine.Data", **photos)}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    assert main(["report", "--config", str(tmp_path / "mine.yaml")]) == 0
    assert (run / "report.html").read_text().count("<figcaption>photo") == 2


@pytest.mark.parametrize("words", [["data", "check"], ["fit"], ["score", "."], ["run", "--check"]])
@pytest.mark.parametrize("class_path", ["os.system", "mine.Bystander"])
def test_an_experiments_data_set_is_one_before_it_is_called(tmp_path, packages, capsys, words, class_path):
    """An experiment file is the user's own and may name any package; a slip must not run something else."""
    content = {"run": str(tmp_path / "run"), "dataset": node(class_path, command=f"touch {packages}")}
    (tmp_path / "slip.yaml").write_text(yaml.safe_dump(content))
    assert main([*words, "--config", str(tmp_path / "slip.yaml")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "dataset: " in said
    assert not packages.exists()
