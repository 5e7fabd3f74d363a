"""The command: downloaded, verified, unpacked, and VOC's augmented list."""

import hashlib
from pathlib import Path

import pytest
from archives import tar_of

from acr_lightning.cli.main import main
from acr_lightning.data_care import download as download_module
from acr_lightning.data_care.download import _make_train_aug, download
from acr_lightning.data_care.sources import SOURCES, Archive


@pytest.mark.parametrize(
    "address",
    ["http://[::1", "http://host:port", "http:///x", "http://a b", "http://" + "x" * 70, "ftp://host", "None"],
)
def test_a_mirror_that_is_no_address(tmp_path, capsys, address):
    assert main(["data", "download", "voc2012", str(tmp_path / "new"), "--mirror", address]) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("acr data download: ")]
    assert address in line


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
        made[name] = (Archive((f"{server.url}/{old}",), len(content), md5, *SOURCES[name][0][-2:]),)
    return made


@pytest.mark.parametrize("below", ["file/deep", "x" * 300, "folder"])
def test_a_place_that_is_none(server, tmp_path, monkeypatch, capsys, below):
    monkeypatch.setattr(download_module, "SOURCES", sources(server))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder" / "archives" / "voc.tar" / "mine").mkdir(parents=True)
    assert main(["data", "download", "voc2012", str(tmp_path / below)]) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("acr data download: ")]
    assert str(tmp_path / below) in line


@pytest.mark.parametrize("order", [("voc2012", "sbd"), ("sbd", "voc2012")])
def test_voc_and_sbd_give_the_augmented_list(server, tmp_path, monkeypatch, capsys, order):
    monkeypatch.setattr(download_module, "SOURCES", sources(server))
    assert [download(name, str(tmp_path)) for name in order] == [0, 0]
    assert capsys.readouterr().out.splitlines()[-1].startswith("train_aug.txt: 4 ids")
    path = tmp_path / "VOC2012" / "ImageSets" / "Segmentation" / "train_aug.txt"
    assert path.read_text().split() == ["a", "b", "s", "t"]
    server.requests.clear()
    assert download(order[0], str(tmp_path)) == 0
    assert "unpacked before" in capsys.readouterr().out
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


def test_lists_as_the_literature_counts_them(tmp_path, capsys):
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
    _make_train_aug(tmp_path)
    assert capsys.readouterr().out == "train_aug.txt: 10582 ids, from VOC's and SBD's lists\n"


def test_sources_are_complete():
    for name, archives in SOURCES.items():
        for one in archives:
            assert len(one.md5) == 32, name
            assert one.size > 1e8
            assert all(url.startswith("http") and url.endswith(one.name) for url in one.urls)
            assert not Path(one.place).is_absolute()
