"""The pack for PASCAL VOC's server; every damaged one is refused with its reason."""

import gzip
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from acr_lightning.artefacts.palette import voc_palette, write_mask
from acr_lightning.errors import UserError
from acr_lightning.metrics.voc_server import pack_faults, verify_pack, write_pack

FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"
SIZES = {"2008_000006": (5, 7), "2008_000011": (6, 4), "2008_000012": (3, 8)}
VOC_LABELS = np.arange(21, dtype=np.uint8)


@pytest.fixture
def predictions(tmp_path, rng):
    for image_id, size in SIZES.items():
        write_mask(tmp_path / "predictions" / f"{image_id}.png", rng.integers(0, 21, size).astype(np.uint8))
    return tmp_path / "predictions"


@pytest.fixture
def pack(tmp_path, predictions):
    write_pack(tmp_path / "results.tgz", predictions, list(SIZES), VOC_LABELS)
    return tmp_path / "results.tgz"


def members(pack):
    """Name and content of every member, as the system's own reader finds them."""
    with tarfile.open(pack) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]


def test_a_pack_holds_the_list_and_nothing_else(pack, predictions):
    found = dict(members(pack))
    assert list(found) == [f"{FOLDER}/{image_id}.png" for image_id in SIZES]
    for image_id, size in SIZES.items():
        with Image.open(io.BytesIO(found[f"{FOLDER}/{image_id}.png"])) as image:
            assert image.mode == "P"
            assert image.size == (size[1], size[0])
            assert image.getpalette()[3:6] == [128, 0, 0]  # the devkit's red of label 1
            assert np.array_equal(np.array(image), np.array(Image.open(predictions / f"{image_id}.png")))
    assert pack_faults(pack, SIZES) == []


def test_the_same_predictions_give_the_same_bytes(pack, predictions, tmp_path):
    write_pack(tmp_path / "again.tar.gz", predictions, list(SIZES), VOC_LABELS)
    assert (tmp_path / "again.tar.gz").read_bytes() == pack.read_bytes()


def test_labels_of_a_subset_become_vocs_own(tmp_path):
    write_mask(tmp_path / "p" / "a.png", np.array([[0, 1, 2]], np.uint8))
    write_pack(tmp_path / "results.tgz", tmp_path / "p", ["a"], np.array([0, 8, 15], np.uint8))
    [(_, content)] = members(tmp_path / "results.tgz")
    assert np.array(Image.open(io.BytesIO(content))).tolist() == [[0, 8, 15]]  # cat and person


def test_missing_and_wrong_predictions_are_named_before_packing(predictions, tmp_path):
    with pytest.raises(UserError, match="1 of 4 label maps are missing: 2099_000001"):
        write_pack(tmp_path / "r.tgz", predictions, [*SIZES, "2099_000001"], VOC_LABELS)
    write_mask(predictions / "2008_000011.png", np.full((6, 4), 255, np.uint8))
    with pytest.raises(UserError, match=r"2008_000011\.png: holds the value 255"):
        write_pack(tmp_path / "r.tgz", predictions, list(SIZES), VOC_LABELS)
    with pytest.raises(UserError, match=r"r\.zip: the server takes a \.tgz"):
        write_pack(tmp_path / "r.zip", predictions, list(SIZES), VOC_LABELS)
    assert not list(tmp_path.glob("r.*"))


def encoded(image, form="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def palette_image(labels, palette=None):
    image = Image.fromarray(labels)
    image.putpalette((voc_palette() if palette is None else palette).tobytes())
    return image


FIRST, SECOND = (f"{FOLDER}/{image_id}.png" for image_id in list(SIZES)[:2])
LABELS = np.ones((6, 4), np.uint8)
NEGATIVE = 255 - voc_palette()
# What is done to the members of a good pack, and the reason for which the pack is then refused.
DAMAGES = {
    "missing id": (lambda m: m.pop(SECOND), f"{SECOND} is missing"),
    "surplus file": (lambda m: m.update({f"{FOLDER}/2007_000033.png": m[FIRST]}), "2007_000033.png is not on the list"),
    "text file": (lambda m: m.update({f"{FOLDER}/2008_000011.txt": b"x"}), "2008_000011.txt is not on the list"),
    "wrong folder": (lambda m: m.update({f"results/{SECOND}": m.pop(SECOND)}), f"does not lie in {FOLDER}"),
    "grey": (lambda m: m.update({SECOND: encoded(Image.fromarray(LABELS))}), "is grey, it must have VOC's palette"),
    "rgb": (
        lambda m: m.update({SECOND: encoded(palette_image(LABELS).convert("RGB"))}),
        "must be a palette or 8-bit grey PNG, this one is RGB",
    ),
    "other palette": (
        lambda m: m.update({SECOND: encoded(palette_image(LABELS, NEGATIVE))}),
        "the palette's colour of label 1 is not VOC's",
    ),
    "wrong size": (lambda m: m.update({SECOND: encoded(palette_image(LABELS.T.copy()))}), "is 6×4, its photo 4×6"),
    "255": (lambda m: m.update({SECOND: encoded(palette_image(LABELS * 255))}), "holds the value 255, labels are 0"),
    "21": (lambda m: m.update({SECOND: encoded(palette_image(LABELS * 21))}), "holds the value 21, labels are 0 to 20"),
    "truncated png": (lambda m: m.update({SECOND: m[SECOND][:50]}), "cannot be read as a mask"),
    "cut tail": (lambda m: m.update({SECOND: m[SECOND][:-16]}), f"{SECOND}: cannot be read as a mask"),
    "gif": (lambda m: m.update({SECOND: encoded(palette_image(LABELS), "GIF")}), "is a GIF file, not a PNG"),
    "empty file": (lambda m: m.update({SECOND: b""}), "cannot be read as a mask"),
    "absolute path": (lambda m: m.update({f"/{SECOND}": m.pop(SECOND)}), f"/{SECOND} has an absolute path"),
    "way out": (lambda m: m.update({f"../{SECOND}": m[SECOND]}), f"../{SECOND} leads out of the archive"),
}  # fmt: skip


def written(path, contents, extra=()):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in [*contents.items(), *extra]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def refused(path, reason):
    faults = pack_faults(path, SIZES)
    assert any(reason in fault for fault in faults), faults
    with pytest.raises(UserError) as caught:
        verify_pack(path, SIZES)
    assert str(caught.value).startswith(f"{path}: no valid pack: ")
    assert "\n" not in str(caught.value)
    return faults


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pack_is_refused_with_its_reason(pack, tmp_path, damage):
    change, reason = DAMAGES[damage]
    contents = dict(members(pack))
    change(contents)
    refused(written(tmp_path / "damaged.tgz", contents), reason)


def test_a_member_there_twice(pack, tmp_path):
    contents = dict(members(pack))
    path = written(tmp_path / "damaged.tgz", contents, [(SECOND, contents[SECOND])])
    assert refused(path, f"{SECOND} is there twice") == [f"{SECOND} is there twice"]


def test_links_are_refused(pack, tmp_path):
    with tarfile.open(tmp_path / "damaged.tgz", "w:gz") as archive:
        member = tarfile.TarInfo(FIRST)
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    refused(tmp_path / "damaged.tgz", f"{FIRST} is no plain file")


@pytest.mark.parametrize("length", [0, 20, 300, *range(-40, 0)])
def test_no_whole_archive(pack, length):
    content = pack.read_bytes()
    pack.write_bytes(content[:length] if length else b"no archive at all")
    refused(pack, "is no whole tar archive")


def test_a_plain_tar_cut_at_any_place(pack, tmp_path):
    content = gzip.decompress(pack.read_bytes())
    (tmp_path / "whole.tar").write_bytes(content)
    assert pack_faults(tmp_path / "whole.tar", SIZES) == []
    end = len(content.rstrip(b"\0")) // 512 * 512 + 512  # of the last member
    for length in (end, end + 1, end + 512, end + 1023, len(content) - 1):
        (tmp_path / "cut.tar").write_bytes(content[:length])
        refused(tmp_path / "cut.tar", "is no whole tar archive")


def test_a_checksum_that_is_wrong_and_what_follows_the_end(pack):
    content = pack.read_bytes()
    for damaged in (content[:-8] + b"\0" + content[-7:], content + b"more"):
        pack.write_bytes(damaged)
        refused(pack, "is no whole tar archive")


def test_every_fault_is_named_and_the_message_stays_short(tmp_path):
    path = written(tmp_path / "empty.tgz", {f"{FOLDER}/x{number}.png": b"" for number in range(9)})
    assert len(pack_faults(path, SIZES)) == 12
    with pytest.raises(UserError, match=r"x4\.png is not on the list … and 7 more$"):
        verify_pack(path, SIZES)


def test_folders_in_the_archive_are_harmless(pack, predictions, tmp_path):
    with tarfile.open(tmp_path / "by-hand.tar", "w") as archive:
        archive.add(predictions, FOLDER)
    assert pack_faults(tmp_path / "by-hand.tar", SIZES) == []


def test_no_such_pack(tmp_path):
    with pytest.raises(UserError, match="no such pack"):
        pack_faults(tmp_path / "nothing.tgz", SIZES)
