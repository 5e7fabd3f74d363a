"""Downloads from a server on this machine, which cuts connections, knows no ranges, or has other files."""

import hashlib

import pytest
from archives import names

from acr_lightning.data_care import fetch as fetch_module
from acr_lightning.data_care.fetch import fetch
from acr_lightning.data_care.sources import Archive
from acr_lightning.errors import UserError

CONTENT = bytes(range(256)) * 4000  # a megabyte


@pytest.fixture(autouse=True)
def _a_file(server):
    server.files["/a.bin"] = CONTENT


def archive(server, content=CONTENT, **changes):
    md5 = hashlib.md5(content).hexdigest()
    return Archive((f"{server.url}/a.bin",), len(content), md5, "", "")._replace(**changes)


def test_whole_in_one_piece(server, tmp_path):
    told = []
    assert fetch(archive(server), tmp_path, told.append).read_bytes() == CONTENT
    assert names(tmp_path) == ["a.bin"]
    assert told[0] == 0
    assert told[-1] == len(CONTENT)
    assert server.requests == [("/a.bin", None)]


def test_an_address_may_be_written_in_capitals(server, tmp_path):
    capitals = archive(server)._replace(urls=(f"{server.url}/a.bin".replace("http", "HTTP"),))
    assert fetch(capitals, tmp_path, lambda done: None).read_bytes() == CONTENT


def test_a_second_call_verifies_and_asks_for_nothing(server, tmp_path):
    fetch(archive(server), tmp_path)
    fetch(archive(server), tmp_path)
    assert len(server.requests) == 1


def test_cut_connections_are_resumed_in_the_same_call(server, tmp_path):
    server.cut_after = [300_000, 1, 500_000]
    assert fetch(archive(server), tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, "bytes=300000-", "bytes=300001-", "bytes=800001-"]


def test_a_later_call_goes_on_where_an_earlier_one_was_cut(server, tmp_path):
    server.cut_after = [300_000, 0, 0, 0]
    with pytest.raises(UserError, match="the connection was cut; 300000 of 1024000 bytes are kept, the same command"):
        fetch(archive(server), tmp_path)
    assert names(tmp_path) == ["a.bin.part"]
    server.requests.clear()
    assert fetch(archive(server), tmp_path).read_bytes() == CONTENT
    assert server.requests == [("/a.bin", "bytes=300000-")]


def test_a_part_that_is_complete_is_only_verified(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch(archive(server), tmp_path).read_bytes() == CONTENT
    assert server.requests == []


def test_a_part_that_is_too_long_is_begun_again(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(archive(server), tmp_path).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_again(server, tmp_path):
    server.ranges, server.cut_after = False, [300_000]
    assert fetch(archive(server), tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, "bytes=300000-"]


def test_a_wrong_checksum_leaves_nothing_behind(server, tmp_path):
    with pytest.raises(
        UserError, match=r"a\.bin: its MD5 is [0-9a-f]{32}, expected 00; what was downloaded is removed"
    ):
        fetch(archive(server, md5="00"), tmp_path)
    assert names(tmp_path) == []


def test_a_part_of_another_file_is_found_out(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    with pytest.raises(UserError, match="its MD5 is"):
        fetch(archive(server), tmp_path)
    assert fetch(archive(server), tmp_path).read_bytes() == CONTENT  # the next call starts afresh


def test_a_users_file_of_that_name_is_not_touched(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"a\.bin: has 4 bytes, expected 1024000; remove it"):
        fetch(archive(server), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == b"mine"


def test_the_next_address_is_tried_and_gets_the_rest(server, tmp_path):
    server.files["/mirror/a.bin"] = CONTENT
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    urls = (f"{server.url}/gone/a.bin", f"{server.url}/mirror/a.bin")
    assert fetch(archive(server, urls=urls), tmp_path).read_bytes() == CONTENT
    assert server.requests[-1] == ("/mirror/a.bin", "bytes=1000-")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda server: server.files.clear(), "/a.bin: HTTP 404 Not Found$"),
        (lambda server: setattr(server, "status", 503), "/a.bin: HTTP 503"),
        (lambda server: setattr(server, "length", "abc"), "the file there has abc bytes, expected"),
        (lambda server: setattr(server, "length", "9" * 5000), "the file there has 9+ bytes, expected"),
        (lambda server: server.files.update({"/a.bin": CONTENT[:-1]}), "the file there has 1023999 bytes, expected"),
        (lambda server: (server.http.shutdown(), server.http.server_close()), "/a.bin: .*[Rr]efused"),
    ],
)
def test_what_cannot_be_had_is_said(server, tmp_path, act, message):
    act(server)
    with pytest.raises(UserError, match=message) as caught:
        fetch(archive(server), tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.bin").exists()


def test_an_answer_of_another_kind(server, tmp_path):
    server.answer = lambda request: request.wfile.write(b"SSH-2.0 hello\r\nworld\r\n")
    with pytest.raises(UserError, match=r"/a\.bin: SSH") as caught:
        fetch(archive(server), tmp_path)
    assert str(caught.value).isprintable()


def test_a_full_disk_while_writing(server, tmp_path):
    (tmp_path / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        fetch(archive(server), tmp_path)


def test_too_little_space_is_said_before_anything_is_asked_for(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch_module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match=r"are free, 0\.0 GB are needed; choose another folder"):
        fetch(archive(server), tmp_path)
    assert server.requests == []
