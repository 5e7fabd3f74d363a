from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from acr_lightning.artefacts import manifest
from acr_lightning.artefacts.atomic import atomic_write
from acr_lightning.artefacts.cam_file import is_whole, read_cam, write_cam
from acr_lightning.artefacts.palette import is_whole as is_whole_mask
from acr_lightning.artefacts.palette import read_mask, voc_palette, write_mask
from acr_lightning.errors import UserError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_half():
        with atomic_write(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_cam_round_trip_within_half_a_level(tmp_path, rng):
    scores = rng.random((2, 5, 7), dtype=np.float32)
    write_cam(tmp_path / "a.npz", np.array([0, 3]), scores)
    cam = read_cam(tmp_path / "a.npz")
    assert cam.classes.tolist() == [0, 3]
    assert np.abs(cam.scores - scores).max() <= 0.5 / 255 + 1e-6


def test_cam_without_tags(tmp_path):
    write_cam(tmp_path / "a.npz", np.zeros(0, np.int64), np.zeros((0, 4, 4), np.float32))
    assert read_cam(tmp_path / "a.npz").scores.shape == (0, 4, 4)


def test_a_cut_cam_file_is_not_whole(tmp_path, rng):
    path = tmp_path / "a.npz"
    write_cam(path, np.array([1]), rng.random((1, 64, 64), dtype=np.float32))
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert not is_whole(path), length
    with pytest.raises(UserError, match="damaged CAM file"):
        read_cam(path)


def test_palette_png_as_voc_has_it(tmp_path):
    mask = np.array([[0, 1, 15], [20, 255, 2]], np.uint8)
    write_mask(tmp_path / "m.png", mask)
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "P"
        colours = np.array(image.convert("RGB"))
    # aeroplane, person, tvmonitor and the void border, as the devkit's colour map has them
    assert colours[0, 1].tolist() == [128, 0, 0]
    assert colours[0, 2].tolist() == [192, 128, 128]
    assert colours[1, 0].tolist() == [0, 64, 128]
    assert colours[1, 1].tolist() == [224, 224, 192]
    assert len(np.unique(voc_palette(), axis=0)) == 256


def test_a_coloured_mask_is_refused(tmp_path):
    Image.new("RGB", (3, 3)).save(tmp_path / "m.png")
    with pytest.raises(UserError, match="palette or 8-bit grey"):
        read_mask(tmp_path / "m.png")


RUN = Path("runs/a")
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
    assert (manifest.digest(section, {}, RUN) == manifest.digest(SECTION, {}, RUN)) is same
    assert manifest.digest(SECTION, {"fit": "a"}, RUN) != manifest.digest(SECTION, {"fit": "b"}, RUN)


def test_digest_of_a_section_with_parts():
    parts = {"preset": "psa", "labels": {"workers": 1, "crf": "none"}, "train": SECTION}
    faster = {**parts, "labels": {"workers": 8, "crf": "none"}, "train": {**SECTION, "workers": 9}}
    assert manifest.digest(faster, {}, RUN) == manifest.digest(parts, {}, RUN)
    other = {**parts, "labels": {"workers": 1, "crf": "soft_cam"}}
    assert manifest.digest(other, {}, RUN) != manifest.digest(parts, {}, RUN)


def test_digest_counts_paths_from_the_run():
    def section(run, root="data"):
        return {"cams": f"{run}/cam/cams", "data": {"init_args": {"root": root, "scales": (0.5, 1.0)}}, "output": run}

    here = manifest.digest(section("runs/a"), {}, Path("runs/a"))
    assert manifest.digest(section("other/b"), {}, Path("other/b")) == here
    assert manifest.digest(section("runs/a", root="elsewhere"), {}, Path("runs/a")) != here
    assert manifest.digest(section("runs/ab"), {}, Path("runs/a")) != here  # another folder, not one inside


def test_a_stage_of_parts_stays_where_it_is(tmp_path):
    folder = tmp_path / "affinity"
    manifest.start(folder, "affinity", SECTION, {}, RUN, parts=True)
    (folder / "train").mkdir()
    assert manifest.start(folder, "affinity", {**SECTION, "model": {}}, {}, RUN, parts=True) is None
    assert (folder / "train").is_dir()
    assert manifest.read(folder)["digest"] == manifest.digest({**SECTION, "model": {}}, {}, RUN)
    assert manifest.start(folder, "affinity", SECTION, {}, RUN, anew=True, parts=True) == tmp_path / "affinity.old-1"


def test_another_configuration_moves_the_old_result_aside(tmp_path):
    folder = tmp_path / "fit"
    assert manifest.start(folder, "fit", SECTION, {}, RUN) is None
    (folder / "last.ckpt").write_text("precious")
    assert manifest.start(folder, "fit", SECTION, {}, RUN) is None  # goes on
    assert (folder / "last.ckpt").exists()
    manifest.finish(folder, "fit", SECTION, {}, RUN, {"epochs": 3})
    assert manifest.is_done(folder, manifest.digest(SECTION, {}, RUN))
    moved = manifest.start(folder, "fit", {**SECTION, "model": {}}, {}, RUN)
    assert moved == tmp_path / "fit.old-1"
    assert (moved / "last.ckpt").read_text() == "precious"
    assert not manifest.is_done(folder, manifest.digest(SECTION, {}, RUN))


def test_a_finished_stage_keeps_nothing_half_written(tmp_path):
    folder = tmp_path / "label"
    manifest.start(folder, "label", SECTION, {}, RUN)
    (folder / "labels").mkdir()
    (folder / "labels" / ".a.png.x1y2.tmp").write_bytes(b"half")
    (folder / "labels" / "a.png").write_bytes(b"whole")
    manifest.finish(folder, "label", SECTION, {}, RUN, {})
    assert [path.name for path in (folder / "labels").iterdir()] == ["a.png"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '"done"'])
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json: (damaged JSON|not a manifest) .*; remove the folder"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("kind", ["cam", "label map"])
def test_any_flipped_bit_is_noticed_or_changes_nothing(tmp_path, rng, kind):
    path = tmp_path / "a"
    if kind == "cam":
        path = path.with_suffix(".npz")
        write_cam(path, np.array([0, 3]), rng.random((2, 6, 7), dtype=np.float32))
        whole, read = is_whole, lambda: repr(vars(read_cam(path)))
    else:
        path = path.with_suffix(".png")
        write_mask(path, rng.integers(0, 5, (9, 8), dtype=np.uint8))
        whole, read = is_whole_mask, lambda: read_mask(path).tobytes()
    content, wanted, noticed = path.read_bytes(), read(), 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        if whole(path):
            assert read() == wanted, place
        else:
            noticed += 1
    assert noticed > len(content) / 2
