"""`acr predict` on pictures of every kind."""

import numpy as np
import pytest
from PIL import Image
from unreadable import UNREADABLE

from acr_lightning.artefacts.palette import read_mask
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
