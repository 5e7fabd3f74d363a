import os
import resource

import numpy as np
import pytest
from PIL import Image

from acr_lightning.artefacts import manifest
from acr_lightning.artefacts.atomic import atomic_write, naming
from acr_lightning.artefacts.cam_file import read_cam, write_cam
from acr_lightning.artefacts.item_path import without_result
from acr_lightning.artefacts.palette import read_mask, voc_palette, write_mask
from acr_lightning.data.images import read_image
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
        assert without_result(["a"], tmp_path, ".npz", read_cam) == ["a"], length
    with pytest.raises(UserError, match="damaged CAM file"):
        read_cam(path)


CLASSES, LEVELS = np.array([0, 3]), np.zeros((2, 4, 5), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "fault"),
    [
        ({"classes": CLASSES.astype(np.float32)}, "its arrays are of the types float32, uint8, uint8"),
        ({"levels": LEVELS.astype(np.int64)}, "its arrays are of the types int64, int64, uint8"),
        ({"levels": LEVELS[0]}, r"its arrays have the shapes \(2,\), \(4, 5\)"),
        ({"classes": CLASSES[:1]}, r"its arrays have the shapes \(1,\), \(2, 4, 5\)"),
        ({"background": LEVELS[0, 1:]}, r"its arrays have the shapes .*, \(3, 5\)"),
        ({"levels": LEVELS[:, 1:]}, "it is of 5×3 pixels, its photo of 5×4"),
        ({"classes": np.array([0, 4])}, "it has the class 4 of 4"),
        ({"classes": np.array([-1, 4])}, "it has the class -1 of 4"),
        ({"levels": np.array([print])}, "Object arrays cannot be loaded"),
    ],
)
def test_what_is_no_cam_of_a_photo_is_refused(tmp_path, arrays, fault):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **{"classes": CLASSES, "levels": LEVELS, **arrays})
    with pytest.raises(UserError, match=rf"a\.npz: damaged CAM file \({fault}.*\); delete it"):
        read_cam(path, num_classes=4, size=(4, 5))


@pytest.mark.parametrize("kind", ["cam", "label map"])
def test_any_flipped_bit_is_noticed_or_changes_nothing(tmp_path, rng, kind):
    path = tmp_path / "a.npz" if kind == "cam" else tmp_path / "a.png"
    if kind == "cam":
        write_cam(path, np.array([0, 3]), rng.random((2, 6, 7), dtype=np.float32))
        read_any, read = read_cam, lambda: repr(vars(read_cam(path)))
    else:
        write_mask(path, rng.integers(0, 5, (9, 8), dtype=np.uint8))
        read_any, read = read_mask, lambda: read_mask(path).tobytes()
    content, wanted, noticed = path.read_bytes(), read(), 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        if not without_result(["a"], tmp_path, path.suffix, read_any):
            assert read() == wanted, place
        else:
            noticed += 1
    assert noticed > len(content) / 2


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


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"[" * 100_000, b'{"caf\xe9": 1}', b'{"status": 1}', b'{"config": []}']
)
def test_a_damaged_manifest_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(UserError, match=r"manifest\.json: (damaged JSON|not a manifest|line 1 is not UTF-8)"):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[" * 100_000, "damaged JSON"), (b"[]", "no runs by stage"), (b'{"fit": 5}', "no runs by stage"),
        (b'{"fit": null}', "no runs by stage"),
    ],
)  # fmt: skip
def test_a_damaged_list_of_other_runs_is_named(tmp_path, content, fault):
    (tmp_path / "from.json").write_bytes(content)
    with pytest.raises(UserError, match=rf"from\.json: {fault}"):
        manifest.stages_of(tmp_path)


def test_a_refused_write_names_the_file_itself(tmp_path):
    long = tmp_path / ("a" * 300)  # longer than a disk allows
    with pytest.raises(OSError, match="File name too long") as caught, atomic_write(long):
        pass
    assert caught.value.filename == str(long)
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left") as caught, naming(tmp_path):
        os.write(full, b"more")
    os.close(full)
    assert caught.value.filename == str(tmp_path)


@pytest.mark.parametrize("read", [read_cam, read_mask, read_image])
def test_a_file_that_the_system_does_not_open_is_not_called_damaged(tmp_path, read):
    (tmp_path / "file").write_bytes(b"a")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))  # open ones stay open
    try:
        with pytest.raises(UserError, match=r"file: cannot be read \(Too many open files\)"):
            read(tmp_path / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
