"""Photos in a bucket of a real S3 server on this machine: the same files as from the folder."""

import logging
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from results import contents
from test_affinity_stages import CPU, experiment_file
from tiny_coco import write_coco

from acr_lightning.artefacts.file_digests import FileDigests
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import run_stage
from acr_lightning.cli.main import main
from acr_lightning.data import remote_path
from acr_lightning.data.coco import COCO
from acr_lightning.data.remote_path import RemotePath, location
from acr_lightning.data.shapes_scenes import CLASS_NAMES
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.data.voc import VOC2012
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN

BUCKET = "s3://photos"
LISTS = {"train_list": "train", "seed_list": "val", "val_list": "val"}
STAGES = ("fit", "cam", "label", "segment", "evaluate")
FILES = {"cam": "cams/*.npz", "label": "labels/*.png", "evaluate": "[cs]*.*", "evaluate/predictions": "*.png"}


class Scenes(VOC2012):
    """Scenes that are there."""

    known_classes = CLASS_NAMES[:4]


@pytest.fixture(scope="module")
def server():
    """An S3 server, and the settings by which any program finds it."""
    pytest.importorskip("s3fs", reason="the extra `stream` is not installed")
    moto_server = pytest.importorskip("moto.server", reason="moto is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "FSSPEC_S3_ENDPOINT_URL": f"http://{host}:{port}", "FSSPEC_S3_KEY": "key", "FSSPEC_S3_SECRET": "secret",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        import fsspec.config

        fsspec.config.set_conf_env(fsspec.config.conf)
        yield settings
        del fsspec.config.conf["s3"]
    server.stop()


@pytest.fixture
def bucket(server):
    """A function that puts a folder into the bucket."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(BUCKET)
    system.mkdir(path)

    def put(folder, name):
        system.put(f"{folder}/", f"{path}/{name}/", recursive=True)
        remote_path._entries.cache_clear()
        return f"{BUCKET}/{name}"

    yield put
    system.rm(path, recursive=True)
    system.invalidate_cache()
    remote_path._entries.cache_clear()


def same(one, other, splits=("train", "seed", "val")):
    assert one.class_names == other.class_names
    for split in splits:
        assert one.ids(split) == other.ids(split)
        assert len(one.ids(split)) > 3
        for image_id in one.ids(split):
            assert one.tags(image_id).tolist() == other.tags(image_id).tolist()
            assert np.array_equal(one.image(image_id), other.image(image_id))
            assert one.has_mask(image_id) == other.has_mask(image_id)
            assert np.array_equal(one.mask(image_id), other.mask(image_id))


def test_voc(bucket, shapes_root):
    same(Scenes(bucket(shapes_root, "scenes"), **LISTS), Scenes(str(shapes_root), **LISTS))


def test_coco(bucket, tmp_path):
    write_coco(tmp_path / "coco", 2014)
    root = bucket(tmp_path / "coco", "coco")
    one, other = COCO(root, cache=str(tmp_path / "cache")), COCO(str(tmp_path / "coco"))
    for data in (one, other):
        data.make_masks(data.ids("val"))
    same(one, other, ("val",))
    assert one.ids("train") == other.ids("train")
    with pytest.raises(UserError, match=r"dataset\.cache: set it to a folder of this machine"):
        COCO(root)


@pytest.mark.parametrize("tags", ["tags.csv", "*.txt", None])
def test_a_folder_of_photos(bucket, shapes, tmp_path, tags):
    for split, number in (("train", 6), ("val", 4)):
        for image_id in shapes.ids(split)[:number]:
            names = [shapes.class_names[tag] for tag in shapes.tags(image_id)]
            folder = tmp_path / "photos" / split / names[0]
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(shapes.image_path(image_id), folder)
            (folder / f"{image_id}.txt").write_text(",".join(names))
            with (tmp_path / "photos" / "tags.csv").open("a") as file:
                start = "" if file.tell() else "image,tags\n"
                file.write(f"{start}{split}/{names[0]}/{image_id}.jpg,{names[0]}\n")
            mask = tmp_path / "photos" / "masks" / split / names[0] / f"{image_id}.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(shapes.mask_path(image_id), mask)
    (tmp_path / "photos" / ".hidden.jpg").write_bytes(b"")
    places = [bucket(tmp_path / "photos", "mine"), str(tmp_path / "photos")]
    arguments = {"tags": tags, "classes": list(shapes.class_names)}
    same(*(TagFolder(root, masks=f"{root}/masks", **arguments) for root in places))


def test_the_chain_makes_the_same_files(bucket, shapes_root, tmp_path):
    roots = {"folder": str(shapes_root), "bucket": bucket(shapes_root, "scenes")}
    config = experiment_file(tmp_path, shapes_root)
    for name, root in roots.items():
        changes = {
            "run": str(tmp_path / name),
            "dataset": {"class_path": "test_bucket.Scenes", "init_args": {"root": root, **LISTS}},
            "fit.data.num_workers": 1,
            "fit.trainer.max_epochs": 2,
            "segment.model": {"backbone": "test_resnet", "weights": None, "freeze_batchnorm": False, "rates": [1, 2]},
            "segment.data": {"crop": 48, "batch_size": 4, "num_workers": 0},
            "segment.trainer": {"max_epochs": 1, **CPU},
        }
        for stage in STAGES:
            run_stage(load(CHAIN, config, changes), stage)
    for stage, pattern in FILES.items():
        wanted = contents(tmp_path / "folder" / stage, pattern)
        assert contents(tmp_path / "bucket" / stage, pattern) == wanted
        assert len(wanted) > 4


def size_of(path):
    return len(path.read_bytes())


def test_a_forked_process_has_a_connection_of_its_own(bucket, shapes_root):
    photo = location(bucket(shapes_root, "scenes")) / "JPEGImages" / "train_00000.jpg"
    assert pickle.loads(pickle.dumps(photo)) == photo
    wanted = (shapes_root / "JPEGImages" / "train_00000.jpg").read_bytes()
    assert photo.read_bytes() == wanted
    with ProcessPoolExecutor(1, get_context("fork")) as pool:  # as loaders are
        assert pool.submit(size_of, photo).result(timeout=60) == len(wanted)


def test_another_content_is_another_digest(bucket, tmp_path):
    (tmp_path / "a").mkdir()
    digests = []
    for content in (b"one", b"two", b"one"):
        (tmp_path / "a" / "1.jpg").write_bytes(content)
        digests.append(FileDigests(None).of(location(bucket(tmp_path / "a", "a")) / "1.jpg"))
    assert digests[0] == digests[2] != digests[1]
    assert FileDigests(None).of(location(f"{BUCKET}/a/2.jpg")) == "missing"


@pytest.mark.parametrize("tag", [{}, {"ETag": 'W/"1"'}])
@pytest.mark.parametrize("times", [(1e9, 1e9, 2e9), (None, None, None)])
def test_a_store_that_does_not_know_the_content_is_asked_for_size_and_time(monkeypatch, tmp_path, tag, times):
    """A weak tag may be that of other bytes, too. Where there is no time either, the object is read."""
    from fsspec.implementations.memory import MemoryFileSystem

    reads, told = [], dict(tag)

    class Plain(MemoryFileSystem):
        def ls(self, path, detail=True, **options):
            return [{**entry, **told} for entry in super().ls(path, detail=True, **options)]

        def cat_file(self, path, **options):
            reads.append(path)
            return super().cat_file(path, **options)

    monkeypatch.setattr("fsspec.core.url_to_fs", lambda url: (system, url.removeprefix("plain:/")))
    system, files, digests = Plain(), FileDigests(tmp_path / "digests.json"), []
    for content, moment in zip((b"one", b"one", b"two"), times, strict=True):
        remote_path._entries.cache_clear()
        told["created"] = moment
        system.pipe_file("/plain/1.jpg", content)
        digests.append(files.of(location("plain://plain") / "1.jpg"))
    system.rm("/plain", recursive=True)
    remote_path._entries.cache_clear()
    assert digests[0] == digests[1] != digests[2]
    assert len(reads) == (2 if times[0] else 3)


def test_photos_are_kept_on_a_disk_where_an_address_says_so(bucket, shapes_root, tmp_path, monkeypatch):
    import fsspec.config

    monkeypatch.setitem(fsspec.config.conf, "simplecache", {"cache_storage": str(tmp_path / "kept")})
    root = f"simplecache::{bucket(shapes_root, 'scenes')}"
    same(Scenes(root, **LISTS), Scenes(str(shapes_root), **LISTS), ["val"])
    kept = {path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    assert (shapes_root / "JPEGImages" / "val_00000.jpg").read_bytes() in kept
    assert (shapes_root / "JPEGImages" / "train_00000.jpg").read_bytes() not in kept


def test_what_cannot_be_read_is_said_in_a_line(bucket, shapes_root, tmp_path, monkeypatch):
    root = bucket(shapes_root, "scenes")
    with pytest.raises(UserError, match="s3://photos/nothing: not a VOC 2012 folder"):
        Scenes(f"{BUCKET}/nothing")
    with pytest.raises(UserError, match="s3://photos/nothing: no such folder of photos"):
        TagFolder(f"{BUCKET}/nothing")
    with pytest.raises(UserError, match=r"s3://photos/scenes/JPEGImages/x\.jpg: no such photo"):
        Scenes(root, **LISTS).image("x")
    with pytest.raises(UserError, match="nosuch://b/x: cannot be reached"):
        location("nosuch://b/x").is_dir()
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda url: (_ for _ in ()).throw(ImportError("Install s3fs")))
    with pytest.raises(UserError, match=r"s3://b/1.jpg: Install s3fs; for s3 it is pip install '\.\[stream\]'"):
        location("s3://b/1.jpg").read_bytes()


def test_results_may_not_lie_in_a_bucket(capsys):
    assert main(["fit", "--config", "voc.yaml", "--run", "s3://bucket/runs"]) == 2
    assert "run: s3://bucket/runs is no folder, and results are renamed" in capsys.readouterr().err


def test_addresses():
    assert isinstance(location("a/b"), type(location(".")))
    for address in ("s3://b/a/1.jpg", "simplecache::s3://b/1.jpg", "zip://a::s3://b/c.zip", "memory://b"):
        assert str(location(address)) == address
        assert isinstance(location(address) / "x", RemotePath)
