import hashlib
import json
import os

import pytest

from acr_lightning.artefacts import file_digests
from acr_lightning.artefacts.file_digests import FileDigests


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def digests(tmp_path, monkeypatch):
    monkeypatch.setattr(file_digests, "FRESH", -10.0)  # of old files; those of a test are all new
    return lambda: FileDigests(tmp_path / "known.json")


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_again_only_where_it_may_have_changed(photo, digests, monkeypatch):
    first = digests()
    assert first.of(photo) == digest_of(b"one")
    first.keep()
    read, real = [], hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, kind: read.append(file.name) or real(file, kind))
    assert digests().of(photo) == digest_of(b"one")
    assert read == []
    os.utime(photo, ns=(0, 0))  # touched, or copied
    assert digests().of(photo) == digest_of(b"one")
    assert read == [str(photo)]


def test_another_content_of_the_same_size_and_time_is_another_digest(photo, digests):
    before, known = photo.stat(), digests()
    assert known.of(photo) == digest_of(b"one")
    photo.write_bytes(b"two")
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert known.of(photo) == digest_of(b"two")


def test_what_was_just_written_is_not_remembered(photo, tmp_path):
    known = FileDigests(tmp_path / "known.json")
    known.of(photo)
    known.keep()
    assert not (tmp_path / "known.json").exists()


def test_a_missing_file_and_a_memory_that_cannot_be_read(photo, digests, tmp_path):
    assert digests().of(tmp_path / "gone.jpg") == "missing"
    for damaged in ("", "[]", "{", json.dumps({str(photo): 5}), json.dumps({str(photo): ["x"]})):
        (tmp_path / "known.json").write_text(damaged)
        assert digests().of(photo) == digest_of(b"one")
