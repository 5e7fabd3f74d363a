"""`acr predict` on pictures of every kind, and what it and the other commands write where a person says."""

import os
from pathlib import Path

import numpy as np
import pytest
from commands import here
from PIL import Image
from unreadable import UNREADABLE

from acr_lightning.artefacts.atomic import MACHINE
from acr_lightning.artefacts.palette import read_mask, write_mask
from acr_lightning.cli.main import main
from acr_lightning.cli.predict import find_pictures
from acr_lightning.errors import UserError


@pytest.fixture
def odd(tmp_path, shapes):
    """Pictures of every kind, all of one scene."""
    folder = tmp_path / "odd"
    (folder / "sub").mkdir(parents=True)
    scene = Image.fromarray(shapes.image(shapes.ids("val")[0])).crop((0, 0, 64, 48))
    scene.save(folder / "rgb.png")
    scene.convert("L").save(folder / "grey.png")
    scene.convert("CMYK").save(folder / "cmyk.jpg")
    scene.convert("RGBA").save(folder / "sub" / "rgba.png")
    scene.convert("P").save(folder / "palette.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    scene.save(folder / "rotated.jpg", exif=exif)
    deep = np.asarray(scene.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    scene.crop((0, 0, 1, 1)).save(folder / "one.png")
    (folder / "broken.jpg").write_bytes((folder / "cmyk.jpg").read_bytes()[:400])
    (folder / "text.png").write_text("no picture")
    for name, content in UNREADABLE.items():
        (folder / name).write_bytes(content)
    return folder


def test_every_picture_gets_its_mask_or_one_line(trained_run, odd, tmp_path, capsys):
    out = tmp_path / "masks"
    status = main(["predict", "--run", str(trained_run), "--images", str(odd), "--output", str(out), "--soft=true"])
    said = capsys.readouterr()
    assert status == 1
    assert sorted(line.partition(": ")[2].partition(":")[0].rpartition("/")[2] for line in said.err.splitlines()) == [
        *sorted(["broken.jpg", "text.png", *UNREADABLE])
    ]
    sizes = {path.relative_to(out).as_posix(): read_mask(path).shape for path in out.rglob("*.png")}
    usual = dict.fromkeys(("rgb.png", "grey.png", "cmyk.png", "sub/rgba.png", "palette.png", "deep.png"), (48, 64))
    assert sizes == {**usual, "rotated.png": (64, 48), "one.png": (1, 1)}
    # 16 bits are read as what they show, not cut off at white.
    assert (read_mask(out / "deep.png") == read_mask(out / "grey.png")).mean() > 0.99
    with np.load(out / "rgb.npz") as soft:
        assert soft["probabilities"].shape == (5, 48, 64)
        assert soft["probabilities"].dtype == np.uint8
    assert "8 masks in" in said.out
    assert f"{2 + len(UNREADABLE)} refused" in said.out


def test_places(tmp_path, shapes):
    scene = Image.fromarray(shapes.image(shapes.ids("val")[0]))
    for name in ("a.png", "b.png", "deep/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        scene.save(tmp_path / name)
    assert sorted(find_pictures([str(tmp_path)])) == ["a", "b", "deep/a"]
    assert sorted(find_pictures([str(tmp_path / "?.png")])) == ["a", "b"]
    with pytest.raises(UserError, match=r"would both become a\.png"):
        find_pictures([str(tmp_path / "a.png"), str(tmp_path / "deep" / "a.png")])
    with pytest.raises(UserError, match="no such picture"):
        find_pictures([str(tmp_path / "*.gif")])


def test_wrong_values_get_one_line(trained_run, capsys):
    assert main(["export", "--run", str(trained_run), "--format", "pickle"]) == 2
    assert "format" in capsys.readouterr().err
    assert main(["predict", "--run", "/nowhere", "--images", __file__]) == 2
    assert "run `acr segment` first" in capsys.readouterr().err


@pytest.fixture
def scenes(tmp_path, shapes):
    """A folder of two pictures."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name, image_id in zip("ab", shapes.ids("val"), strict=False):
        Image.fromarray(shapes.image(image_id)).crop((0, 0, 24, 16)).save(folder / f"{name}.jpg")
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["a.png", "a.npz", "b_overlay.jpg"])
def test_predict_replaces_its_own_results_and_nothing_else(trained_run, scenes, tmp_path, capsys, name):
    """In the very folder of the pictures, where nobody asks what lies beside them."""
    words = [
        "predict",
        "--run",
        trained_run,
        "--images",
        scenes / "?.jpg",
        "--output",
        scenes,
        "--soft",
        "--scales=[1]",
    ]
    (scenes / name).write_bytes(b"made by hand")
    before = files(scenes)
    assert here(*words) == 2
    assert f"acr predict: {scenes / name}: is there and is not, or no longer, what" in capsys.readouterr().err
    assert files(scenes) == before
    (scenes / name).unlink()
    for more in ([], [], ["--flip=false"]):
        assert here(*words, *more) == 0
        assert "2 masks in" in capsys.readouterr().out
    results = {f"{stem}{end}" for stem in "ab" for end in (".png", "_overlay.jpg", ".npz")}
    assert set(files(scenes)) == {"a.jpg", "b.jpg", ".acr_files", *results}
    read_mask(scenes / "a.png")


def test_what_an_earlier_prediction_wrote_is_no_picture(trained_run, scenes, capsys):
    words = ["predict", "--run", trained_run, "--images", scenes, "--output", scenes, "--scales=[1]"]
    for _ in range(2):
        assert here(*words) == 0
        assert "2 masks in" in capsys.readouterr().out
    Image.new("RGB", (8, 8)).save(scenes / "mine.png")
    assert sorted(find_pictures([str(scenes)])) == ["a", "b", "mine"]


def test_a_killed_prediction_leaves_nothing_to_the_next(trained_run, scenes, tmp_path, started):
    words = ["predict", "--run", trained_run, "--images", scenes, "--output", tmp_path / "out", "--scales=[1]"]
    (tmp_path / "out").mkdir()
    command = started(*words, until=lambda: True)
    command.kill()
    command.wait()
    dead = f".a.png.acr-{MACHINE}-{command.pid}-abcdefgh.tmp"  # what a kill within a write would have left
    for name in (dead, ".mine.tmp"):
        (tmp_path / "out" / name).write_text("x")
    assert here(*words) == 0
    assert [name for name in os.listdir(tmp_path / "out") if name.endswith(".tmp")] == [".mine.tmp"]


def test_export_replaces_its_own_files_and_nothing_else(trained_run, tmp_path, capsys):
    words = ["export", "--run", trained_run, "--height=32", "--width=32"]
    for name in ("net.onnx", "MODEL_CARD.md"):
        output = tmp_path / name.partition(".")[0] / "net.onnx"
        output.parent.mkdir()
        output.with_name(name).write_text("made by hand")
        assert here(*words, "--output", output) == 2
        assert f"{output.with_name(name)}: is there and is not" in capsys.readouterr().err
        assert files(output.parent) == {name: b"made by hand"}
        output.with_name(name).unlink()
        for _ in range(2):
            assert here(*words, "--output", output) == 0
        with output.with_name("MODEL_CARD.md").open("a") as card:
            card.write("A line of mine.")
        assert here(*words, "--output", output) == 2
        assert output.with_name("MODEL_CARD.md").read_text().endswith("A line of mine.")


def test_scores_packs_and_findings_replace_their_own_and_nothing_else(config, shapes, tmp_path, capsys):
    folder = str(tmp_path / "gt")
    for image_id in shapes.ids("val"):
        write_mask(tmp_path / "gt" / f"{image_id}.png", shapes.mask(image_id))
    for words, names in (
        (["score", folder, "--config", config, "--output"], ("scores.json", "scores.md", "confusion.csv")),
        (["data", "check", "--config", config, "--json"], ("scores",)),
    ):
        for number, name in enumerate(names):
            output = tmp_path / f"{words[0]}{number}" / "scores"
            theirs = output / name if len(names) > 1 else output
            theirs.parent.mkdir(parents=True)
            theirs.write_text("made by hand")
            assert here(*words, output) == 2
            assert f"{theirs}: is there and is not" in capsys.readouterr().err
            assert list(files(output.parent).values()) == [b"made by hand"]
            theirs.unlink()
            for _ in range(2):
                assert here(*words, output) == 0
            assert theirs.read_text() != "made by hand"


@pytest.mark.parametrize("place", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("mine")])
def test_no_pipe_folder_or_link_is_replaced(trained_run, tmp_path, capsys, place):
    path = tmp_path / "target.safetensors"
    place(path)
    write_mask(tmp_path / "gt" / "a.png", np.zeros((4, 4), np.uint8))
    before = path.lstat()
    for words in (
        ["export", "--run", trained_run, "--height=32", "--width=32", "--output", path],
        ["data", "check", "--config", "voc.yaml", "--json", path],
        ["score", tmp_path / "gt", "--config", "voc.yaml", "--pack", path],
        ["init", tmp_path, "--output", path],
    ):
        assert here(*words) == 2
        said = capsys.readouterr().err
        assert f"{path}: is a " in said, words
        assert said.count("\n") == 1, said
        assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--scales=[]", "scales: is empty"),
        ("--scales=[0]", "--scales: Expected float above 0, 10 at most, or null. Got value: 0"),
        ("--scales=[-1]", "--scales: Expected float above 0"),
        ("--scales=[1e9]", "--scales: Expected float above 0, 10 at most, or null. Got value: 1"),
        ("--scales=[.nan]", "--scales: Expected float above 0"),
        ("--window=0", "--window: Expected int, 1 to 16384, or null. Got value: 0"),
        ("--long_side=0", "--long_side: Expected int, 1 to 16384"),
        (f"--long_side={10**19}", "--long_side: Expected int, 1 to 16384"),
        ("--device=banana", "device: 'banana' cannot be used (Expected one of cpu, cuda"),
        ("--device=cuda:99", "device: 'cuda:99' cannot be used ("),
        ("--device=meta", "device: 'meta' cannot be used ("),
        ("--images=[]", "--images: is empty"),
    ],
)
def test_what_predict_cannot_do_gets_one_line(trained_run, scenes, tmp_path, capsys, option, message):
    words = ["predict", "--run", trained_run, "--output", tmp_path / "out"]
    assert here(*words, *([] if "images" in option else ["--images", scenes]), option) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_predict_just_can(trained_run, scenes, tmp_path):
    words = ["predict", "--run", trained_run, "--images", scenes, "--output", tmp_path / "out"]
    assert here(*words, "--scales=[0.01,10]", "--long_side=1", "--window=16384", "--device=cpu") == 0
    assert here(*words, "--scales=[1]", "--window=8") == 0


@pytest.mark.parametrize("side", ["0", "-32", str(10**19), "16385"])
def test_an_export_of_no_size_gets_one_line(trained_run, tmp_path, capsys, side):
    for name in ("height", "width"):
        words = ["export", "--run", trained_run, f"--{name}={side}", "--output", tmp_path / "n"]
        assert here(*words) == 2
        assert f"acr export: --{name}: Expected int, 1 to 16384" in capsys.readouterr().err


@pytest.mark.parametrize("place", [".", ".."])
def test_an_export_to_a_folder_is_refused(trained_run, capsys, place):
    assert here("export", "--run", trained_run, "--height=32", "--width=32", "--output", place) == 2
    assert f"acr export: {place}: is a folder, which is never replaced" in capsys.readouterr().err


def test_an_export_of_one_pixel(trained_run, tmp_path):
    words = ["export", "--run", trained_run, "--height=1", "--width=1"]
    assert here(*words, "--output", tmp_path / "n") == 0
