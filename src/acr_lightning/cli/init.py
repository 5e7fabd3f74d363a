"""`acr init`: an experiment file for a folder of photos."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from acr_lightning.artefacts.atomic import require_replaceable, write_text
from acr_lightning.data.tag_sources import TagSource, find_tags
from acr_lightning.errors import UserError, shown

# Fewer photos than this teach little about a class.
FEW = 10
# How many faults are printed; `acr data check` prints all.
SHOWN = 5
# Of the experiment file.
HEAD = """\
# Start with: acr run --config FILE, which is this one.
# All values of all stages: acr run --config FILE --print_config; what one means: acr fit --help
"""
TAIL = """\
# dataset.init_args.masks: a folder of <photo>.png (0 background, 1 the first class …), if there are any, to score with
# Often changed; these are the values of the base, set what you want to change:
# affinity: none # leave the walk out: labels sooner, and less exact
# fit.trainer.max_epochs, fit.data.batch_size, segment.model.backbone …: acr run --config FILE --KEY=VALUE
"""


def init(
    folder: str | None = None,
    /,
    *,
    output: str | None = None,
    small: bool = False,
    negatives: bool | str = False,
    classes: list[str] | None = None,
    good: str | None = None,
    bad: str | None = None,
) -> int:
    """Look at a folder of photos and its tags, and write an experiment file for it; the photos are only read.

    Tags come from a file in the FOLDER (CSV, JSON or XML, of many tools), from a text beside each photo, or from the
    subfolders that the photos lie in (dog/1.jpg); folders called train, val or test are splits.

    Args:
        folder: of the photos.
        output: the experiment file; FOLDER.yaml in the working folder if not given.
        small: settings for a computer without a GPU.
        negatives: also train on photos that the file names without a tag, as photos that show none of the classes; or
            the tag, or subfolder, of photos that show none: `--negatives=good`.
        classes: the classes, `[bus,train]`, if not all tags are meant, or one is called like a split.
        good: instead of the FOLDER: one of photos without a defect,
        bad: and beside it one of photos with a defect, each somewhere in the photo.

    Raises:
        UserError: there are no tags, or classes that none can have, or the file is there already or has no good name.
    """
    if good or bad:
        folder, negatives, classes = _parts(folder, good, bad)
    if folder is None:
        raise UserError("give the folder of the photos: acr init FOLDER, or --good DIR and --bad DIR")
    root = Path(folder)
    source = find_tags(root, classes, negatives)
    path = Path(output or f"{root.resolve().name}.yaml")
    if not path.name.isprintable():
        raise UserError(f"{shown(str(path))}: a name that cannot be typed; give another --output")
    require_replaceable(path, "a file")
    if path.exists():
        raise UserError(f"{path}: is there already; remove it, or give another --output")
    write_text(path, _experiment(root, path, source, small, negatives))
    print("\n".join(_understood(source)))
    for fault in source.faults[:SHOWN]:
        print(f"to mend: {fault}")
    if len(source.faults) > SHOWN:
        print(f"to mend: {len(source.faults) - SHOWN} more; see acr data check --config {shlex.quote(str(path))}")
    print(f"wrote {path}; next: acr run --config {shlex.quote(str(path))}")
    return 0


def _parts(folder: str | None, good: str | None, bad: str | None) -> tuple[str, str, list[str]]:
    """The folder of good and bad parts, what the good ones' is called, and the one class."""
    if folder or not good or not bad:
        raise UserError("--good and --bad go together, and instead of the FOLDER")
    for place in (good, bad):
        if not os.path.isdir(place):
            raise UserError(f"{place}: no such folder of photos")
    parents = {Path(place).absolute().parent for place in (good, bad)}
    if len(parents) > 1 or Path(good).name == Path(bad).name:
        raise UserError(f"{good} and {bad}: must lie beside each other in one folder; move one of them there")
    return os.fspath(Path(bad).parent), Path(good).name, [Path(bad).name]


def _understood(source: TagSource) -> Iterator[str]:
    """Three lines: the tags' form and the photos of each split, the classes, and what some photos are tagged with."""
    folder, train = source.folder, source.folder.ids("train")
    held_out = [one for one in folder.ids("val") if one not in {*train}]
    untagged = sum(not len(folder.tags(one)) for one in held_out)
    counts = {"to train on": len(train), "val": len(held_out) - untagged, "test": len(folder.ids("test"))}
    parts = [f"{count} {split}" for split, count in counts.items() if count]
    none = sum(not len(folder.tags(one)) for one in train)
    parts += [f"{none} of them with none of the classes"] * bool(none)
    parts += [f"{untagged} without a tag, on which the network is tried"] * bool(untagged)
    yield f"tags: {folder.form}{f' ({source.tags})' if source.tags else ''}; photos: {', '.join(parts)}"
    classes = [f"{name} {count}{' (few)' * (count < FEW)}" for name, count in source.photos.items()]
    more = f" and {len(classes) - 20} more" if len(classes) > 20 else ""
    yield f"classes: {len(folder.class_names)}, by photos to train on: {', '.join(classes[:20])}{more}"
    tagged = [one for one in dict.fromkeys(train + held_out) if len(folder.tags(one)) and one.isprintable()]
    photos = tagged[:: max(1, len(tagged) // SHOWN)][:SHOWN]
    tags = [", ".join(folder.class_names[tag] for tag in folder.tags(one)) for one in photos]
    yield f"for example: {'; '.join(map(' is '.join, zip(photos, tags, strict=True)))}"


def _experiment(root: Path, path: Path, source: TagSource, small: bool, negatives: bool | str) -> str:
    """The text of the experiment file; whatever somebody else has named stands in it as a value of YAML's writer."""
    values = {
        "base": f"tag_folder{'_parts' * isinstance(negatives, str)}{'_small' * small}.yaml",
        "run": f"runs/{path.stem}",
        "dataset": {
            "class_path": "TagFolder",
            "init_args": {
                "root": os.fspath(root), "tags": source.tags, "classes": [*source.folder.class_names],
                "negatives": negatives,
            },
        },
    }  # fmt: skip
    style: dict[str, Any] = {"sort_keys": False, "default_flow_style": None, "width": 110}
    text = yaml.safe_dump(values, allow_unicode=True, **style)
    if yaml.safe_load(text) != values:  # PyYAML leaves U+0085 as it is, and takes it for the end of a line
        text = yaml.safe_dump(values, **style)
    return f"{HEAD}\n{text}\n{TAIL}"
