"""Downloads from a server on this machine, which cuts connections, knows no ranges, or has other files."""

import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from acr_lightning.cli.main import main
from acr_lightning.data_care import download as download_module
from acr_lightning.data_care import fetch as fetch_module
from acr_lightning.data_care.download import download
from acr_lightning.data_care.fetch import fetch
from acr_lightning.data_care.sources import SOURCES, Archive
from acr_lightning.data_care.train_aug import write_train_aug
from acr_lightning.data_care.unpack import unpack
from acr_lightning.errors import UserError

CONTENT = bytes(range(256)) * 4000  # a megabyte


class Server:
    """A server whose manners can be set; `requests` are the ranges that were asked for."""

    def __init__(self):
        self.files, self.requests = {}, []
        self.ranges, self.cut_after, self.status, self.shift, self.length = True, [], None, 0, None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append((self.path, self.headers.get("Range")))
                server.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # a client that leaves early is none
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request):
        content = self.files.get(request.path)
        if self.status or content is None:
            request.send_error(self.status or 404)
            return
        wanted, start = request.headers.get("Range"), 0
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                request.send_error(416)
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start + self.shift}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", self.length or str(len(content) - start))
        request.end_headers()
        body = content[start:]
        request.wfile.write(body[: self.cut_after.pop(0)] if self.cut_after else body)


@pytest.fixture
def server():
    made = Server()
    made.files["/a.bin"] = CONTENT
    yield made
    made.http.shutdown()
    made.http.server_close()


def archive(server, content=CONTENT, **changes):
    md5 = hashlib.md5(content).hexdigest()
    return Archive((f"{server.url}/a.bin",), len(content), md5, {})._replace(**changes)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_whole_in_one_piece(server, tmp_path):
    told = []
    assert fetch(archive(server), tmp_path, told.append).read_bytes() == CONTENT
    assert names(tmp_path) == ["a.bin"]
    assert told[0] == 0
    assert told[-1] == len(CONTENT)
    assert server.requests == [("/a.bin", None)]


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


@pytest.mark.parametrize(
    "address",
    ["http://[::1", "http://host:port", "http:///x", "http://a b", "http://" + "x" * 70, "ftp://host", "None"],
)
def test_a_mirror_that_is_no_address(tmp_path, capsys, address):
    assert main(["data", "download", "voc2012", str(tmp_path / "new"), "--mirror", address]) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("acr data download: ")]
    assert address in line


def test_an_answer_of_another_kind(server, tmp_path):
    server.answer = lambda request: request.wfile.write(b"SSH-2.0 hello\r\nworld\r\n")
    with pytest.raises(UserError, match=r"/a\.bin: SSH") as caught:
        fetch(archive(server), tmp_path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("below", ["file/deep", "x" * 300, "folder"])
def test_a_place_that_is_none(server, tmp_path, monkeypatch, capsys, below):
    monkeypatch.setattr(download_module, "SOURCES", sources(server))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder" / "archives" / "voc.tar" / "mine").mkdir(parents=True)
    assert main(["data", "download", "voc2012", str(tmp_path / below)]) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("acr data download: ")]
    assert f"{tmp_path / below}/archives: cannot be written to (" in line


def test_a_range_that_begins_elsewhere_is_refused(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    server.shift = 5
    with pytest.raises(UserError, match="asked for bytes from 1000, got 'bytes 1005-"):
        fetch(archive(server), tmp_path)
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:1000]


def test_a_full_disk_while_writing(server, tmp_path):
    (tmp_path / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"a\.bin\.part: no space left on the disk"):
        fetch(archive(server), tmp_path)


def test_too_little_space_is_said_before_anything_is_asked_for(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch_module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match=r"are free, 0\.0 GB are needed; choose another folder"):
        fetch(archive(server), tmp_path)
    assert server.requests == []


def tar_of(contents, mode="w:gz", **changes):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as file:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in changes.items():
                setattr(member, key, value)
            file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(contents, link=False):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name)
            if link:
                info.external_attr = 0o120777 << 16
            file.writestr(info, content)
    return buffer.getvalue()


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_unpacking(tmp_path, make):
    (tmp_path / "x").write_bytes(make({"top/inner/a.txt": b"a", "top/other.txt": b"b"}))
    unpack(tmp_path / "x", tmp_path / "data", {"top/inner": "deep/place"})
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
def test_a_member_that_leads_out_is_refused(tmp_path, name):
    (tmp_path / "x").write_bytes(UNSAFE[name])
    with pytest.raises(UserError, match=r"not unpacked, .* not safe"):
        unpack(tmp_path / "x", tmp_path / "data" / "deep", {"top": "top"})
    assert [path.name for path in tmp_path.rglob("*")].count("evil.txt") == 0
    assert names(tmp_path / "data" / "deep") == []


@pytest.mark.parametrize(
    "content",
    [b"no archive", tar_of({"top/a": b"a" * 5000})[:-30], zip_of({"top/a": b"a"})[:-5]],
    ids=["no archive", "tar", "zip"],  # a compressed tar has the second of its making in it
)
def test_a_damaged_archive_leaves_nothing(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError, match="damaged archive"):
        unpack(tmp_path / "x", tmp_path / "data", {"top": "top"})
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
    "damaged xz": (XZ[:50_000] + bytes(999) + XZ[50_999:], "damaged archive"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_archive_is_named(tmp_path, name):
    content, reason = ODD[name]
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        unpack(tmp_path / "x", tmp_path / "data", {"top": "top"})
    assert str(caught.value).isprintable()
    assert names(tmp_path / "data") == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "x").write_bytes(ZIP)
    with pytest.raises(UserError, match="x/deep: cannot be unpacked here"):
        unpack(tmp_path / "x", tmp_path / "x" / "deep", {"top": "top"})


def test_a_killed_unpacking_is_cleared_away(tmp_path):
    (tmp_path / "x").write_bytes(tar_of({"top/a": b"a"}))
    (tmp_path / "data" / ".x.unpacking" / "top").mkdir(parents=True)
    (tmp_path / "data" / ".x.unpacking" / "top" / "half").write_bytes(b"h")
    unpack(tmp_path / "x", tmp_path / "data", {"top": "top"})
    assert names(tmp_path / "data") == ["top"]
    assert names(tmp_path / "data" / "top") == ["a"]


def test_another_archive_is_named(tmp_path):
    (tmp_path / "x").write_bytes(tar_of({"else/a": b"a"}))
    with pytest.raises(UserError, match="has no folder top"):
        unpack(tmp_path / "x", tmp_path, {"top": "top"})


def sources(server):
    """VOC and SBD as tiny as can be: the lists alone."""
    lists = "VOCdevkit/VOC2012/ImageSets/Segmentation"
    contents = {
        "voc.tar": tar_of({f"{lists}/train.txt": b"a\nb\n", f"{lists}/val.txt": b"v\nw\n"}, "w"),
        "sbd.tgz": tar_of(
            {"benchmark_RELEASE/dataset/train.txt": b"b\nv\ns\n", "benchmark_RELEASE/dataset/val.txt": b"t\nw\n"}
        ),
    }
    made = {}
    for name, (old, content) in {
        "voc2012": ("voc.tar", contents["voc.tar"]),
        "sbd": ("sbd.tgz", contents["sbd.tgz"]),
    }.items():
        server.files[f"/{old}"] = content
        md5 = hashlib.md5(content).hexdigest()
        made[name] = (Archive((f"{server.url}/{old}",), len(content), md5, SOURCES[name][0].places),)
    return made


@pytest.mark.parametrize("order", [("voc2012", "sbd"), ("sbd", "voc2012")])
def test_voc_and_sbd_give_the_augmented_list(server, tmp_path, monkeypatch, order):
    monkeypatch.setattr(download_module, "SOURCES", sources(server))
    download(order[0], tmp_path)
    said = download(order[1], tmp_path)
    assert said[-1].startswith("train_aug.txt: 4 ids")
    path = tmp_path / "VOC2012" / "ImageSets" / "Segmentation" / "train_aug.txt"
    assert path.read_text().split() == ["a", "b", "s", "t"]
    server.requests.clear()
    assert "unpacked before" in download(order[0], tmp_path)[0]
    assert server.requests == []


def test_the_command_and_a_mirror(server, tmp_path, monkeypatch, capsys):
    made = sources(server)
    gone = made["voc2012"][0]._replace(urls=("http://127.0.0.1:9/voc.tar",))
    monkeypatch.setattr(download_module, "SOURCES", {"voc2012": (gone,)})
    assert main(["data", "download", "voc2012", str(tmp_path)]) == 2
    assert "http://127.0.0.1:9/voc.tar: " in capsys.readouterr().err
    assert main(["data", "download", "voc2012", str(tmp_path), "--mirror", server.url]) == 0
    assert (tmp_path / "VOC2012" / "ImageSets").is_dir()
    assert "verified, unpacked into" in capsys.readouterr().out
    assert main(["data", "download", "voc2021", str(tmp_path)]) == 2
    assert "Did you mean 'voc2012'?" in capsys.readouterr().err
    assert main(["data", "download"]) == 2


def test_lists_as_the_literature_counts_them(tmp_path):
    """1,464 of VOC, 8,498 and 2,857 of SBD that overlap with VOC's train and val, make 10,582."""
    voc, sbd = tmp_path / "VOC2012" / "ImageSets" / "Segmentation", tmp_path / "SBD"
    voc.mkdir(parents=True)
    sbd.mkdir()
    train, val = [f"t{n}" for n in range(1464)], [f"v{n}" for n in range(1449)]
    # Of SBD, 6,820 and 2,298 photos are in neither of VOC's lists.
    first = [f"s{n}" for n in range(6820)] + train[:1100] + val[:578]
    second = [f"u{n}" for n in range(2298)] + val[578:1137]
    for path, ids in (
        (voc / "train.txt", train),
        (voc / "val.txt", val),
        (sbd / "train.txt", first),
        (sbd / "val.txt", second),
    ):
        path.write_text("\n".join(ids))
    assert (len(first), len(second)) == (8498, 2857)
    assert write_train_aug(tmp_path / "VOC2012", sbd) == 10_582


def test_sources_are_complete():
    for name, archives in SOURCES.items():
        for one in archives:
            assert len(one.md5) == 32, name
            assert one.size > 1e8
            assert all(url.startswith("http") and url.endswith(one.name) for url in one.urls)
            assert all(not Path(place).is_absolute() for place in one.places.values())
