"""The manifest of a stage's folder, written when the stage starts and again when it is done.

The digest covers the stage's configuration and the digests of what it read. What only changes speed (devices, workers,
loggers) is left out, so a run can go on with other hardware; so is where the stage and its inputs lie, so a run can be
moved, and a stage may read another run.
"""

import hashlib
import itertools
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import remove_leftovers, write_json
from acr_lightning.artefacts.checkpoint_file import stored_digest
from acr_lightning.artefacts.manifest import (
    CHECKPOINT,
    NAME,
    count_results,
    has_another_checkpoint,
    is_intact,
    read,
)
from acr_lightning.chain.code import code
from acr_lightning.chain.stage import Section
from acr_lightning.chain.values import flat, get_value, set_value
from acr_lightning.version import __version__

# Keys of a section that say how fast or how loud a stage runs, never what it computes.
SPEED_ONLY = {
    "trainer": {
        "accelerator", "devices", "num_nodes", "strategy", "logger", "enable_progress_bar", "enable_model_summary",
        "log_every_n_steps", "profiler", "benchmark", "default_root_dir", "plugins", "sync_batchnorm",
    },
    "data": {"num_workers", "shard", "photos_per_pass", "verify", "cache", "max_gb"},
    "model": {"max_gb"},
    "": {"workers", "shard", "verify"},
}  # fmt: skip

# How many changes a message lists.
SHOWN = 3


@dataclass(frozen=True)
class Record:
    """What a manifest says of a stage before it runs.

    Attributes:
        stage: its name.
        digest: see `digest`.
        inputs: digests of what it reads, by name.
        presets: the chosen recipes, by the word that chose them.
        config: its complete section.
        photos: what of its photos its result depends on: arguments of `TaggedDataset.fingerprint`.
        classes: those whose numbers its result has.
    """

    stage: str
    digest: str
    inputs: Mapping[str, str]
    presets: Mapping[str, str]
    config: Section
    photos: Mapping[str, Any] = field(default_factory=dict)
    classes: Sequence[str] = ()


def digest(section: Section, inputs: Mapping[str, str]) -> str:
    """The SHA-256 of a section, without the paths that the runner sets, and of the digests of what it reads."""
    text = json.dumps([that_matters(section), inputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def that_matters(section: Section) -> Section:
    """A section without what only changes speed; of a model's folder of kept maps only that there is one: it rounds."""
    rest = _without(section, SPEED_ONLY[""])
    parts = {key: _without(value, SPEED_ONLY.get(key, set())) for key, value in rest.items()}
    if get_value(parts, ["model", "cache"]):
        set_value(parts, ["model", "cache"], "kept")
    return parts


def _without(node: Any, names: set[str]) -> Any:
    """The node without these keys, looking into `init_args` too."""
    if not isinstance(node, dict):
        return node
    rest = {key: value for key, value in node.items() if key not in names}
    if "init_args" in rest:
        rest["init_args"] = _without(rest["init_args"], names)
    return rest


def difference(before: Mapping[str, Any], record: Record) -> str:
    """Which inputs and keys make the result that a manifest tells of another one than a stage's, in words."""
    old_config, new_config = that_matters(before.get("config") or {}), that_matters(record.config)
    old = {**(before.get("inputs") or {}), **dict(flat(old_config, record.stage))}
    new = {**record.inputs, **dict(flat(new_config, record.stage))}
    changes = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    return f"{', '.join(changes[:SHOWN])}{more} changed" if changes else "begun anew"


def holds(folder: Path, wanted: str, done: bool = True) -> bool:
    """Whether the folder holds the result of this digest; if `done`, finished, as it was then."""
    manifest = read(folder) or {}
    return bool(manifest.get("digest") == wanted) and (not done or is_intact(folder, manifest))


def put_back(folder: Path, record: Record) -> bool:
    """Rename an older result of this configuration, if there is one, back to its folder; whether the stage is done."""
    # The page lies outside, and is of another result.
    is_whole = Path(record.config.get("output", folder)).is_relative_to(folder)
    is_wanted = is_whole and not holds(folder, record.digest, done=False)
    older = sorted(folder.parent.glob(f"{folder.name}.old-*")) if is_wanted else []
    results = (path for done in (True, False) for path in older if holds(path, record.digest, done))
    if path := next(results, None):
        if folder.exists():
            folder.rename(_free_name(folder))
        path.rename(folder)
        say(f"{record.stage}: the result in {path} is of this configuration; it was put back")
    return holds(folder, record.digest)


def start(folder: Path, record: Record, anew: bool = False) -> None:
    """Open a stage's folder for this configuration, which one that was begun with the same digest goes on with.

    One of another configuration (or any, with `anew`) is moved aside, never deleted: results of two cannot mix.
    """
    manifest = read(folder)
    if holds(folder, record.digest, done=False) and not anew:
        if has_another_checkpoint(folder, manifest or {}):
            say(f"{record.stage}: {CHECKPOINT} is not the one that it ended with; goes on from what is there")
        return
    if manifest is not None:
        old_folder = folder.rename(_free_name(folder))
        say(f"{record.stage}: {difference(manifest, record)}; the result before was moved to {old_folder}")
    _write(folder, record, status="started", code=code())


def _free_name(folder: Path) -> Path:
    names = (folder.with_name(f"{folder.name}.old-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def finish(folder: Path, record: Record, counts: dict[str, Any], seconds: float, cpu: float) -> None:
    """Say that the stage is done, what it made and how long that took, `cpu` on all cores together.

    Half-written leftovers of kills are removed.
    """
    remove_leftovers(folder)
    first_code = str((read(folder) or {}).get("code") or code())
    made_by = first_code if first_code.endswith(code()) else f"{first_code}, then {code()}"
    _write(
        folder, record, status="done", code=made_by, counts=counts, seconds=seconds, cpu_seconds=cpu,
        checkpoint=stored_digest(folder / CHECKPOINT), results=count_results(folder),
    )  # fmt: skip


def _write(folder: Path, record: Record, **more: Any) -> None:
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    versions = {"version": __version__, "python": platform.python_version(), "written": moment}
    write_json(folder / NAME, {**vars(record), **versions, **more})


def say(text: str) -> None:
    """Tell the user what becomes of a stage."""
    print(text, file=sys.stderr, flush=True)
