"""Tensors on disk: made once, whoever asks, within a bound."""

import errno
import logging
import multiprocessing
import os

import pytest
import torch

import acr_lightning.artefacts.kept_tensors as kept_tensors
from acr_lightning.artefacts.kept_tensors import KeptTensors

NAME, OTHER = "ab" * 32, "cd" * 32
TENSORS = [torch.arange(6, dtype=torch.uint8).view(2, 3), torch.tensor([0.1, torch.inf]).half(), torch.rand(3, 2).mT]


class Maker:
    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        return TENSORS


def same(tensors):
    return all(one.dtype == two.dtype and torch.equal(one, two) for one, two in zip(tensors, TENSORS, strict=True))


def test_made_once_for_all_who_share_the_folder(tmp_path):
    make = Maker()
    assert all(same(KeptTensors(tmp_path, 1.0).get(NAME, make)) for _ in range(3))
    assert make.count == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [KeptTensors(tmp_path, 1.0).path(NAME)]
    KeptTensors(tmp_path, 1.0).get(OTHER, make)
    assert make.count == 2


@pytest.mark.parametrize("damage", [lambda old: b"", lambda old: old[:-1], lambda old: b"\xff" * len(old)])
def test_a_damaged_file_is_made_again(tmp_path, damage):
    store, make = KeptTensors(tmp_path, 1.0), Maker()
    store.get(NAME, make)
    whole = store.path(NAME).read_bytes()
    store.path(NAME).write_bytes(damage(whole))
    assert same(store.get(NAME, make))
    assert make.count == 2
    assert store.path(NAME).read_bytes() == whole
    assert same(store.get(NAME, make))
    assert make.count == 2


def test_a_killed_maker_leaves_nothing_that_counts(tmp_path):
    store = KeptTensors(tmp_path, 1.0)

    def killed():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.get(NAME, killed)
    assert list(tmp_path.iterdir()) == []
    assert same(store.get(NAME, Maker()))


def test_beyond_the_bound_they_are_made_each_time(tmp_path):
    make = Maker()
    KeptTensors(tmp_path, 1.0).get(NAME, make)
    size = KeptTensors(tmp_path, 1.0).path(NAME).stat().st_size
    for room, makes in ((1.5, 2), (2.0, 1)):  # that of the first one counts, whoever wrote it
        make, store = Maker(), KeptTensors(tmp_path, room * size / 1e9)
        assert all(same(store.get(OTHER, make)) for _ in range(2))
        assert make.count == makes
        assert store.path(OTHER).exists() == (makes == 1)


def test_what_others_write_meanwhile_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_tensors, "LOOK_EVERY", 2)
    KeptTensors(tmp_path, 1.0).get(NAME, Maker())
    size = KeptTensors(tmp_path, 1.0).path(NAME).stat().st_size
    ours = KeptTensors(tmp_path, 4.5 * size / 1e9)
    names = [f"{at:064x}" for at in range(8)]
    for name in names[:2]:
        ours.get(name, Maker())
    for name in names[2:5]:
        KeptTensors(tmp_path, 1.0).get(name, Maker())
    ours.get(names[7], Maker())
    assert not ours.path(names[7]).exists()


def test_looking_costs_as_much_for_each_file_however_many_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_tensors, "LOOK_EVERY", 1)
    monkeypatch.setattr(kept_tensors, "FILES_A_LOOK", 4)
    store, looks = KeptTensors(tmp_path, 1.0), []
    glob = type(tmp_path).glob
    monkeypatch.setattr(type(tmp_path), "glob", lambda *words: looks.append(store.written) or glob(*words))
    for at in range(40):
        store.get(f"{at:064x}", Maker())
    assert looks == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22, 27, 33]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_once_and_nothing_more_is_kept(tmp_path, monkeypatch, caplog, number):
    """Not by each loader process, either, which shares the store with the one that was copied."""
    store, make = KeptTensors(tmp_path, 1.0), Maker()
    store.get(NAME, make)

    def full(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    others = [f"{at:064x}" for at in range(3)]
    process = multiprocessing.get_context("fork").Process(target=store.get, args=(others[0], make))
    process.start()
    process.join()
    assert process.exitcode == 0
    with caplog.at_level(logging.WARNING):
        assert all(same(store.get(name, make)) for name in others)
    assert caplog.messages == []  # the other process has said it
    again = KeptTensors(tmp_path, 1.0)
    assert all(same(again.get(name, make)) for name in others)
    assert caplog.messages == [f"{tmp_path}: {os.strerror(number)}; goes on more slowly, and keeps nothing more there"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [store.path(NAME)]
    assert same(store.get(NAME, None))


def test_a_folder_that_may_not_be_written_is_said(tmp_path, monkeypatch):
    """A person has named it: that is no full disk."""

    def refuse(descriptor):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Read-only file system"):
        KeptTensors(tmp_path, 1.0).get(NAME, Maker())
