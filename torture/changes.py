"""Content that is replaced under the same name: what was made of it is made again, and nothing else is."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from torture.attack import Attack
from torture.commands import call, command
from torture.tally import CHANGES
from torture.whole import CHAIN

REPLACED = ("another", "another, as old")
PHOTOS, MASKS, TAGS = "JPEGImages", "SegmentationClass", "Annotations"


def changes() -> Iterator[Attack]:
    """Photos, tags and masks of a stage that is done; the twin is a folder that is touched, or copied."""
    for stage, place, harmless in (
        ("cam", PHOTOS, "touched"), ("evaluate", MASKS, "copied"), ("cam", TAGS, "copied"),
        ("evaluate", PHOTOS, "copied"), ("evaluate", MASKS, "touched"),
    ):  # fmt: skip
        yield Attack(
            f"{place} that acr {stage} has read, or are {harmless}", CHANGES,
            lambda folder, what, place=place: _change(folder / "shapes", place, what),
            command("run", *CHAIN, f"--stages={stage}"), {what: what for what in REPLACED}, harmless,
            lambda folder, payload, outcome, stage=stage: f"{stage}: done before" in outcome.said,
        )  # fmt: skip
    score = ("evaluate", "--config", "tags.yaml", "--data.splits=[train]")

    def come(folder: Path, what: str) -> None:
        masks = folder / "shapes" / MASKS
        masks.rename(masks.with_name("kept"))
        masks.mkdir()
        call([*score], folder / "said.log", folder)
        if what == "come":
            shutil.copytree(masks.with_name("kept"), masks, dirs_exist_ok=True)

    yield Attack(
        "masks that come after a score", CHANGES, come, command(*score), {"all": "come"}, "stay away",
        lambda folder, payload, outcome: "done before" in outcome.said,
    )  # fmt: skip


def _change(root: Path, place: str, what: str) -> None:
    if what == "touched":
        for path in (root / place).iterdir():
            os.utime(path)
    elif what == "copied":
        shutil.copytree(root, root.with_name("copy"), copy_function=shutil.copyfile)
        shutil.rmtree(root)
        root.with_name("copy").rename(root)
    else:
        _replace(root / place, what)


def _replace(folder: Path, what: str) -> None:
    """Give every file of the folder the content of the next one."""
    paths = sorted(folder.glob("val*"))
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, [*contents[1:], contents[0]], strict=True):
        times = path.stat().st_atime, path.stat().st_mtime
        path.write_bytes(content)
        if what.endswith("as old"):
            os.utime(path, times)
