"""A file where a person says is replaced only if this program wrote it; and nothing but files ever is."""

import os
import re
import socket
import stat
import subprocess
import sys

import pytest

from acr_lightning.artefacts.atomic import MACHINE, atomic_write, write_text
from acr_lightning.artefacts.own_files import RECORD, is_own, require_own, write_all_own, write_own
from acr_lightning.errors import UserError

THEIRS = "is there and is not, or no longer, what this program wrote"


def test_what_this_program_wrote_is_replaced_wherever_it_is_moved(tmp_path):
    for content in ("one", "two", "one"):
        write_own(tmp_path / "here" / "page.html", content)
        assert (tmp_path / "here" / "page.html").read_text() == content
        assert is_own(tmp_path / "here" / "page.html")
    (tmp_path / "here").rename(tmp_path / "there")
    write_own(tmp_path / "there" / "page.html", b"three")
    assert (tmp_path / "there" / "page.html").read_bytes() == b"three"
    assert sorted(os.listdir(tmp_path / "there")) == [RECORD, "page.html"]


@pytest.mark.parametrize("name", ["a\nb", "\udcff", "  a", "n" * 250])
def test_a_file_may_have_any_name(tmp_path, name):
    for content in ("one", "two"):
        write_own(tmp_path / name, content)
    (tmp_path / "b").write_text("two")  # the end of a name in the record is no name
    with pytest.raises(UserError, match=THEIRS):
        write_own(tmp_path / "b", "three")


def test_what_a_person_made_stays(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(UserError, match=THEIRS):
        write_own(path, "ours")
    assert path.read_text() == "mine"
    assert os.listdir(tmp_path) == ["page.html"]


def test_what_a_person_changed_or_copied_to_another_name_is_theirs(tmp_path):
    write_own(tmp_path / "a.md", "ours")
    (tmp_path / "b.md").write_text("ours")
    (tmp_path / "a.md").write_text("ours, and a line of mine")
    for name in ("a.md", "b.md"):
        with pytest.raises(UserError, match=THEIRS):
            write_own(tmp_path / name, "ours again")
    assert (tmp_path / "a.md").read_text() == "ours, and a line of mine"
    (tmp_path / "a.md").unlink()
    write_own(tmp_path / "a.md", "ours again")


def test_of_several_files_all_are_written_or_none(tmp_path):
    (tmp_path / "b.md").write_text("mine")
    with pytest.raises(UserError, match=r"b\.md: is there"):
        write_all_own(tmp_path, {"a.md": "a", "b.md": "b"})
    assert os.listdir(tmp_path) == ["b.md"]
    (tmp_path / "b.md").unlink()
    for _ in range(2):
        write_all_own(tmp_path, {"a.md": "a", "b.md": "b"})
    assert sorted(os.listdir(tmp_path)) == [RECORD, "a.md", "b.md"]


def folder(path):
    path.mkdir()


def pipe(path):
    os.mkfifo(path)


def device(path):
    """Another name of the system's null device; never the system's own, which a failing test would destroy."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


def unix_socket(path):
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.close()


def link_to_a_file(path):
    (path.parent / "mine").write_text("mine")
    path.symlink_to("mine")


def link_to_nothing(path):
    path.symlink_to("gone")


@pytest.mark.parametrize("place", [folder, pipe, device, unix_socket])
@pytest.mark.parametrize("write", [write_own, write_text])
def test_what_is_no_file_is_never_replaced(tmp_path, place, write):
    place(tmp_path / "x")
    before = (tmp_path / "x").lstat()
    with pytest.raises(UserError, match=rf"x: is a {place.__name__.split('_')[-1]}, which is never replaced"):
        write(tmp_path / "x", "text")
    assert (tmp_path / "x").lstat() == before
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("place", [link_to_a_file, link_to_nothing])
def test_a_link_is_refused_where_a_person_says(tmp_path, place):
    place(tmp_path / "x")
    with pytest.raises(UserError, match="x: is a link"):
        write_own(tmp_path / "x", "text")
    assert (tmp_path / "x").is_symlink()
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("place", [folder, pipe, link_to_a_file])
def test_a_record_that_is_no_file_is_neither_read_nor_written(tmp_path, place):
    place(tmp_path / RECORD)
    with pytest.raises(UserError, match=rf"{re.escape(RECORD)}: is a"):
        write_own(tmp_path / "a", "text")
    assert not (tmp_path / "a").exists()
    if place is link_to_a_file:
        assert (tmp_path / "mine").read_text() == "mine"


def test_a_damaged_record_knows_no_file(tmp_path):
    for _ in range(2):  # the second has read the record
        write_own(tmp_path / "a", "text")
    (tmp_path / RECORD).write_bytes((tmp_path / RECORD).read_bytes()[:40] + b"\xff\0")
    with pytest.raises(UserError, match=THEIRS):
        write_own(tmp_path / "a", "text")
    write_own(tmp_path / "b", "text")
    write_own(tmp_path / "b", "text")


def test_the_record_of_a_write_that_was_killed_harms_nothing(tmp_path, monkeypatch):
    """Between the record's line and the file: the one before stays known."""
    write_own(tmp_path / "a", "one")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_own(tmp_path / "a", "two")
    assert (tmp_path / "a").read_text() == "one"
    write_own(tmp_path / "a", "three")
    assert (tmp_path / "a").read_text() == "three"


def test_leftovers_of_killed_processes_are_cleared_away_and_nothing_else(tmp_path):
    kill = f"""
import os
from acr_lightning.artefacts.atomic import atomic_write
with atomic_write({str(tmp_path / "a.png")!r}) as file:
    file.write(b"half")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", kill]).returncode == -9
    [left] = os.listdir(tmp_path)
    assert MACHINE in left
    others = {".mine.tmp", ".a.png.acr-mine.tmp", f".b.acr-{'0' * 8}-1-abcdefgh.tmp", f".b.acr-{MACHINE}-1-abcdefgh"}
    for name in others:
        (tmp_path / name).write_text("x")
    with atomic_write(tmp_path / "b.png") as file:  # another command, at work
        file.write(b"b")
        require_own([tmp_path / "a.png"])
    assert set(os.listdir(tmp_path)) == {*others, "b.png"}
