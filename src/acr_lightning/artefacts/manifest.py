"""A stage's folder says what it holds, `manifest.json`; a run says which stages lie in other runs, `from.json`."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.artefacts.checkpoint_file import stored_digest
from acr_lightning.artefacts.text_file import read_json
from acr_lightning.errors import UserError, shown

NAME = "manifest.json"
# What a manifest says, and of which kind it is.
KINDS = {
    "status": str, "digest": str, "inputs": dict, "code": str, "config": dict, "counts": dict, "written": str,
    "seconds": float, "cpu_seconds": float, "results": int, "classes": list,
}  # fmt: skip
FROM = "from.json"
CHECKPOINT = "last.ckpt"
# The stages that say which data set a run is about; one of pure supervision has only the second.
TRAINED = ("fit", "segment")


def read(folder: Path) -> dict[str, Any] | None:
    """The manifest of a stage's folder, or None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / NAME
    if not path.exists():
        return None
    remedy = "remove the folder to make the stage again"
    manifest = read_json(path, remedy)
    if not isinstance(manifest, dict) or not all(
        _is_of(kind, manifest.get(key, kind())) for key, kind in KINDS.items()
    ):
        raise UserError(f"{path}: not a manifest; {remedy}")
    return manifest


def _is_of(kind: type, value: Any) -> bool:
    """Whether a value is of its kind; seconds are finite."""
    return isinstance(value, kind) and (not isinstance(value, float) or 0 <= value < math.inf)


def made_by(folder: Path) -> str:
    """The code that made a stage's result, as its manifest names it."""
    return str((read(folder) or {}).get("code", "unknown"))


def is_done(folder: Path) -> bool:
    """Whether the folder holds a finished result, as it was when it was finished (see `is_intact`)."""
    manifest = read(folder)
    return manifest is not None and is_intact(folder, manifest)


def is_intact(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether a stage is done, with the checkpoint that it ended with, and no CAM or label map is gone since."""
    return (
        manifest.get("status") == "done"
        and not has_another_checkpoint(folder, manifest)
        and count_results(folder) >= manifest.get("results", 0)
    )


def count_results(folder: Path) -> int:
    """How many CAMs and label maps lie in a stage's folder."""
    names = (name for _, _, files in os.walk(folder) for name in files)
    return sum(name.endswith((".npz", ".png")) and not name.startswith(".") for name in names)


def has_another_checkpoint(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether a done stage's checkpoint is another one than it ended with, or gone."""
    return bool(manifest.get("checkpoint") != stored_digest(folder / CHECKPOINT))


def result(manifest: dict[str, Any]) -> str:
    """The digest of what a stage made: of its configuration, and of its checkpoint where it has one."""
    digests = (manifest.get("digest"), manifest.get("checkpoint"))
    return "+".join(str(digest) for digest in digests if digest is not None)


def part(manifest: Any, *keys: str) -> dict[str, Any]:
    """A mapping inside a manifest, at some keys below each other; empty where there is none."""
    for key in keys:
        manifest = manifest.get(key) if isinstance(manifest, dict) else None
    return manifest if isinstance(manifest, dict) else {}


def stages_of(run: Path) -> dict[str, Path]:
    """The folders of a run's stages that have a manifest, by name; those that `from.json` names lie in other runs."""
    others = _others(run)
    folders = {path.parent.name: path.parent for path in run.glob(f"*/{NAME}") if ".old-" not in path.parent.name}
    folders |= {stage: Path(os.path.normpath(run / other / stage)) for stage, other in others.items()}
    return {name: folder for name, folder in folders.items() if (folder / NAME).is_file()}


def manifests_of(run: Path) -> dict[str, dict[str, Any]]:
    """The manifests of a run's stages by name, in the order in which they were done."""
    manifests = {name: one for name, folder in stages_of(run).items() if (one := read(folder))}
    return dict(sorted(manifests.items(), key=lambda item: str(item[1].get("written"))))


def require_trained(run: Path) -> None:
    """Check that a folder is a run.

    Raises:
        UserError: it is none, or nothing in it was trained.
    """
    if not set(TRAINED) & stages_of(run).keys():
        raise UserError(f"{run}: not a run (no fit/{NAME}); give the folder that `acr run` wrote")


def network_of(run: Path) -> Path:
    """Where the trained network of a run lies: in its stage `segment`, which may be that of another run.

    Raises:
        UserError: it has none, or it is still being trained.
    """
    folder = stages_of(run).get("segment", run / "segment")
    if not (folder / CHECKPOINT).is_file():
        raise UserError(f"{folder / CHECKPOINT}: no such checkpoint; run `acr segment` first")
    if (manifest := read(folder)) and manifest.get("status") != "done":
        raise UserError(
            f"{folder}: the network is not trained to its end yet; let `acr run` end first, or run it again"
        )
    return folder / CHECKPOINT


def classes_of(folder: Path) -> list[str]:
    """The classes whose numbers a stage's result has; empty where its manifest, or an older version's, names none."""
    return [*map(str, (read(folder) or {}).get("classes", []))]


def require_classes(where: str | Path, known: Sequence[str], class_names: Sequence[str]) -> None:
    """Check that what has numbers of classes has those of a data set.

    Args:
        where: that is, as a message begins.
        known: its classes, in their order; empty where nobody has said them.
        class_names: of the data set.

    Raises:
        UserError: it has those of others, or of these in another order.
    """
    if known and [*known] != [*class_names]:
        names, others = (shown(", ".join(several)) for several in (known, class_names))
        raise UserError(
            f"{where} knows the classes {names}, and these are {others}; make it anew, or set dataset.classes to the "
            "former"
        )


def labels_of(place: Path) -> Path:
    """Where pseudo-labels lie: in a run's stage `label`, or in the folder itself."""
    of_run = place / "label" / "labels"
    return of_run if of_run.is_dir() else place


def write_from(run: Path, others: Mapping[str, Path]) -> None:
    """Write `from.json` where it says something else: for each stage the run that it is read from."""
    content = {stage: os.path.relpath(other, run) for stage, other in others.items()}
    if content != _others(run):
        write_json(run / FROM, content)


def _others(run: Path) -> dict[str, str]:
    """The runs that stages are read from, by stage, as `from.json` names them.

    Raises:
        UserError: the file is damaged.
    """
    path = run / FROM
    content = read_json(path) if path.is_file() else {}
    if not isinstance(content, dict) or not all(isinstance(other, str) for other in content.values()):
        raise UserError(f"{path}: no runs by stage; mend it")
    return content
