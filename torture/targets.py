"""What lies where a command is to write: nothing that this program did not make is replaced, whatever it is."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from torture.attack import Attack
from torture.commands import command
from torture.tally import TARGETS
from torture.whole import CHAIN, SCORE

HAND_MADE = "written by hand\n"
KINDS = ("a file", "a device", "a pipe", "a link", "a link to nothing", "a folder")
EXPORT = ("export", "--run=run", "--height=32", "--width=32")
PREDICT = ("predict", "--run=run", "--images=pictures", "--output=out", "--soft")
# Every writer whose place a user names, by what it writes.
WRITERS: dict[str, tuple[str, ...]] = {
    "out/val_00001.png": PREDICT,
    "out/val_00001_overlay.jpg": PREDICT,
    "out/val_00001.npz": PREDICT,
    "out/net.onnx": (*EXPORT, "--output=out/net.onnx"),
    "out/MODEL_CARD.md": (*EXPORT, "--output=out/net.onnx"),
    "out/page.html": ("report", "run", "--output=out/page.html"),
    "out/scores.json": (*SCORE, *CHAIN, "--output=out"),
    "out/scores.csv": (*SCORE, *CHAIN, "--output=out"),
    "out/scores.md": (*SCORE, *CHAIN, "--output=out"),
    "out/confusion.csv": (*SCORE, *CHAIN, "--output=out"),
    "out/pack.tgz": (*SCORE, *CHAIN, "--pack=out/pack.tgz"),
    "out/found.json": ("data", "check", *CHAIN, "--json=out/found.json"),
    "out/new.yaml": ("init", "tagged", "--output=out/new.yaml"),
}


def targets() -> Iterator[Attack]:
    """Each writer; the twin is a fresh place."""
    for place, words in WRITERS.items():
        yield Attack(
            f"what lies at {place} of acr {words[0]}", TARGETS,
            lambda folder, kind, place=place: _put(folder, folder / place, kind), command(*words),
            {kind: kind for kind in KINDS}, "nothing",
            worked=lambda folder, kind, outcome, place=place: not _is_there(folder / place, kind),
            reached=lambda folder, kind, outcome, place=place: _is_new(folder / place),
        )  # fmt: skip


def _put(folder: Path, place: Path, kind: str) -> None:
    """Put something into the place of a result, with what the commands read beside it."""
    place.parent.mkdir(exist_ok=True)
    (folder / "tagged" / "a").mkdir(parents=True)
    shutil.copy(folder / "pictures" / "val_00001.jpg", folder / "tagged" / "a")
    elsewhere = place.parent / "elsewhere"
    if kind == "a file":
        place.write_text(HAND_MADE)
    elif kind == "a device":
        try:
            os.mknod(place, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        except OSError:  # not everybody may make one
            os.mkfifo(place)
    elif kind == "a pipe":
        os.mkfifo(place)
    elif kind == "a folder":
        place.mkdir()
        (place / "own").write_text(HAND_MADE)
    elif kind.startswith("a link"):
        place.symlink_to(elsewhere.name)
        if kind == "a link":
            elsewhere.write_text(HAND_MADE)


def _is_there(place: Path, kind: str) -> bool:
    """Whether a place is as it was."""
    mode = place.lstat().st_mode if os.path.lexists(place) else 0
    if kind == "a file":
        return stat.S_ISREG(mode) and place.read_bytes() == HAND_MADE.encode()
    if kind in ("a device", "a pipe"):
        return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)
    if kind == "a folder":
        return [path.name for path in place.iterdir()] == ["own"] if stat.S_ISDIR(mode) else False
    elsewhere = place.parent / "elsewhere"
    return stat.S_ISLNK(mode) and (elsewhere.read_text() == HAND_MADE if kind == "a link" else not elsewhere.exists())


def _is_new(place: Path) -> bool:
    return place.is_file() and not place.is_symlink() and place.stat().st_size > 0
