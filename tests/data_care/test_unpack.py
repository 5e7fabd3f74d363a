"""Archives, damaged and hostile ones too."""

import tarfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from archives import names, tar_of, zip_of

from acr_lightning.data_care.unpack import unpack
from acr_lightning.errors import UserError


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_unpacking(tmp_path, make):
    (tmp_path / "x").write_bytes(make({"top/inner/a.txt": b"a", "top/other.txt": b"b"}))
    unpack(tmp_path / "x", tmp_path / "data", "top/inner", "deep/place")
    assert (tmp_path / "data" / "deep" / "place" / "a.txt").read_bytes() == b"a"
    assert names(tmp_path / "data") == ["deep"]


UNSAFE = {
    "tar, way out": tar_of({"../evil.txt": b"x", "top/a.txt": b"a"}),
    "tar, link": tar_of({"top/a": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "zip, way out": zip_of({"top/../../evil.txt": b"x"}),
    "zip, absolute": zip_of({"/evil.txt": b"x"}),
    "zip, drive": zip_of({"C:\\evil.txt": b"x"}),
    "zip, no name": zip_of({"": b"x"}),
    "zip, link": zip_of({"top/a": b"/etc/passwd"}, link=True),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_no_member_leads_out(tmp_path, name):
    (tmp_path / "x").write_bytes(UNSAFE[name])
    with suppress(UserError):
        unpack(tmp_path / "x", tmp_path / "data" / "deep", "top", "top")
    others = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "data" / "deep")}
    assert others == {tmp_path / "x", tmp_path / "data"}
    assert not Path("/evil.txt").exists()
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize(
    "content",
    [b"no archive", tar_of({"top/a": b"a" * 5000})[:-30], zip_of({"top/a": b"a"})[:-5]],
    ids=["no archive", "tar", "zip"],  # a compressed tar has the second of its making in it
)
def test_a_damaged_archive_leaves_nothing(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError, match="x: cannot be unpacked"):
        unpack(tmp_path / "x", tmp_path / "data", "top", "top")
    assert names(tmp_path / "data") == []


def changed(content, at, value):
    """A zip of one member with a field set both before the member and in the directory at its end."""
    content, directory = bytearray(content), content.rindex(b"PK\x01\x02")
    content[at : at + 2] = content[directory + at + 2 : directory + at + 4] = value.to_bytes(2, "little")
    return bytes(content)


ZIP = zip_of({"top/a": b"a"})
XZ = tar_of({"top/a": np.random.default_rng(0).bytes(100_000)}, "w:xz")
ODD = {
    "encrypted": (changed(ZIP, 6, 1), "cannot be unpacked .*encrypted"),
    "unknown method": (changed(ZIP, 8, 99), "cannot be unpacked .*compression"),
    "newer version": (changed(ZIP, 4, 255), "cannot be unpacked .*version"),
    "damaged xz": (XZ[:50_000] + bytes(999) + XZ[50_999:], "cannot be unpacked"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_archive_is_named(tmp_path, name):
    content, reason = ODD[name]
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        unpack(tmp_path / "x", tmp_path / "data", "top", "top")
    assert str(caught.value).isprintable()
    assert names(tmp_path / "data") == []


def test_a_killed_unpacking_is_cleared_away(tmp_path):
    (tmp_path / "x").write_bytes(tar_of({"top/a": b"a"}))
    (tmp_path / "data" / ".x.unpacking" / "top").mkdir(parents=True)
    (tmp_path / "data" / ".x.unpacking" / "top" / "half").write_bytes(b"h")
    unpack(tmp_path / "x", tmp_path / "data", "top", "top")
    assert names(tmp_path / "data") == ["top"]
    assert names(tmp_path / "data" / "top") == ["a"]


def test_another_archive_is_named(tmp_path):
    (tmp_path / "x").write_bytes(tar_of({"else/a": b"a"}))
    with pytest.raises(UserError, match="has no folder top"):
        unpack(tmp_path / "x", tmp_path, "top", "top")
