"""A stage's folder says what it holds: `manifest.json`, written when the stage starts and again when it is done.

The digest covers the stage's resolved configuration and the digests of what it read. What only changes speed
(devices, workers, loggers) is left out, so a run can go on with other hardware; so is where the run lies, so its folder
can be moved, and a stage's folder copied into another run that shares its settings.
"""

import hashlib
import itertools
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acr_lightning import __version__
from acr_lightning.artefacts.atomic import remove_leftovers, write_json
from acr_lightning.artefacts.checkpoint_file import stored_digest
from acr_lightning.errors import UserError

NAME = "manifest.json"
CHECKPOINT = "last.ckpt"
# Keys of a section that say how fast or how loud a stage runs, never what it computes.
SPEED_ONLY = {
    "trainer": {
        "accelerator", "devices", "num_nodes", "strategy", "logger", "enable_progress_bar", "enable_model_summary",
        "log_every_n_steps", "profiler", "benchmark", "default_root_dir", "plugins", "sync_batchnorm",
    },
    "data": {"num_workers", "shard", "photos_per_pass"},
    "": {"workers", "shard", "run", "force"},
}  # fmt: skip


def digest(section: dict[str, Any], inputs: dict[str, str], run: Path) -> str:
    """The SHA-256 of a stage's resolved section and of the digests of what it reads.

    Args:
        section: the configuration.
        inputs: digests by name.
        run: folder of the run; paths in it count from there.
    """
    text = json.dumps([_from_run(_that_matters(section), str(run)), inputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _from_run(value: Any, run: str) -> Any:
    """The value with every path inside the run's folder written as `<run>/…`."""
    if isinstance(value, dict):
        return {key: _from_run(item, run) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_from_run(item, run) for item in value]
    inside = isinstance(value, str) and (value == run or value.startswith(f"{run}/"))
    return f"<run>{value[len(run) :]}" if inside else value


def _that_matters(section: dict[str, Any]) -> dict[str, Any]:
    """A section without what changes speed only; a part of it that is a section itself, likewise."""
    kept = {key: value for key, value in section.items() if key not in SPEED_ONLY[""]}
    for key, value in kept.items():
        if key in SPEED_ONLY and isinstance(value, dict):
            kept[key] = _without(value, SPEED_ONLY[key])
        elif isinstance(value, dict) and "class_path" not in value:
            kept[key] = _that_matters(value)
    return kept


def _without(node: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """The node without these keys, looking into `init_args` too."""
    kept = {key: value for key, value in node.items() if key not in names}
    if isinstance(kept.get("init_args"), dict):
        kept["init_args"] = _without(kept["init_args"], names)
    return kept


def read(folder: Path) -> dict[str, Any] | None:
    """The manifest of a stage's folder, or None where there is none.

    Raises:
        UserError: the file is not JSON.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not a manifest ({error}); remove the folder to make the stage again") from None
    return manifest


def is_done(folder: Path, wanted: str) -> bool:
    """Whether the folder holds the finished result of this digest, and still the checkpoint that it ended with."""
    manifest = read(folder)
    return (
        manifest is not None
        and manifest["status"] == "done"
        and manifest["digest"] == wanted
        and not has_another_checkpoint(folder, manifest)
    )


def has_another_checkpoint(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether a done stage's checkpoint is another one than it ended with, or gone; older versions recorded none."""
    recorded = manifest.get("checkpoint")
    return recorded is not None and recorded != stored_digest(folder / CHECKPOINT)


def result(manifest: dict[str, Any]) -> str:
    """The digest of what a stage made: of its configuration, and of its checkpoint where it has one."""
    digests = (manifest["digest"], manifest.get("checkpoint"))
    return "+".join(digest for digest in digests if digest is not None)


def is_another(folder: Path, section: dict[str, Any], inputs: dict[str, str], run: Path) -> bool:
    """Whether the folder holds a result, finished or not, of another digest."""
    manifest = read(folder)
    return manifest is not None and manifest["digest"] != digest(section, inputs, run)


def start(
    folder: Path,
    stage: str,
    section: dict[str, Any],
    inputs: dict[str, str],
    run: Path,
    anew: bool = False,
    parts: bool = False,
) -> Path | None:
    """Open a stage's folder for this configuration.

    A folder begun with the same digest is continued. A folder of another configuration (or any, with `anew`) is moved
    aside, never deleted, so that results of two configurations cannot mix. Where `parts` have manifests of their own,
    only `anew` moves the whole.

    Returns:
        Where an older result was moved, or None.
    """
    wanted, moved = digest(section, inputs, run), None
    manifest = read(folder)
    if manifest is not None and (anew or manifest["digest"] != wanted):
        if anew or not parts:
            moved = _free_name(folder)
            folder.rename(moved)
        manifest = None
    if manifest is None:
        _write(folder, stage, section, inputs, run, status="started")
    return moved


def _free_name(folder: Path) -> Path:
    """The first of `<folder>.old-1`, `<folder>.old-2` … that is not taken."""
    names = (folder.with_name(f"{folder.name}.old-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def finish(
    folder: Path,
    stage: str,
    section: dict[str, Any],
    inputs: dict[str, str],
    run: Path,
    counts: dict[str, Any],
    seconds: float | None = None,
) -> None:
    """Say that the stage is done, what it made and how long that took; half-written leftovers of kills are removed."""
    remove_leftovers(folder)
    checkpoint = stored_digest(folder / CHECKPOINT)
    _write(folder, stage, section, inputs, run, status="done", counts=counts, seconds=seconds, checkpoint=checkpoint)


def _write(folder: Path, stage: str, section: dict[str, Any], inputs: dict[str, str], run: Path, **more: Any) -> None:
    write_json(
        folder / NAME,
        {
            "stage": stage,
            "digest": digest(section, inputs, run),
            "inputs": inputs,
            "config": section,
            "version": __version__,
            "python": platform.python_version(),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            **more,
        },
    )
