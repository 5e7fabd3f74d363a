"""What a page may show of a run that is given by its folder alone, and so may come from anyone."""

from collections.abc import Collection
from pathlib import Path

from acr_lightning.artefacts import manifest
from acr_lightning.artefacts.atomic import OnlyReadingError, only_reading
from acr_lightning.artefacts.file_digests import FileDigests
from acr_lightning.classes.foreign_classes import build_foreign
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.report.notes import Notes

REMEDY = "give the run's experiment instead, --config FILE"


def require_contained(run: Path) -> None:
    """Check that nothing in a run's folder leads out of it but to the very results that its stages were made from.

    Raises:
        UserError: a link does, or `from.json`.
    """
    inside = run.resolve()
    for path in run.rglob("*"):
        # W&B links to logs of its own in `<stage>/wandb`, of which nothing is read.
        if path.relative_to(run).parts[1:2] == ("wandb",):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise UserError(f"{path}: a link leads out of the run; remove it, or {REMEDY}")
    stages = {name: (folder, manifest.read(folder) or {}) for name, folder in manifest.stages_of(run).items()}
    # A run that somebody else wrote cannot know what digests this machine's other runs have.
    known = {name for name, (folder, _) in stages.items() if folder.resolve().is_relative_to(inside)}
    while more := {
        name
        for name, (_, content) in stages.items()
        if name not in known
        and any(stages[reader][1].get("inputs", {}).get(name) == manifest.result(content) for reader in known)
    }:
        known |= more
    for name in stages.keys() - known:
        raise UserError(f"{run / manifest.FROM}: {name} is not what the run's stages were made from; {REMEDY}")


def dataset_of(run: Path, allow: Collection[str], notes: Notes) -> TaggedDataset | None:
    """The data set that a run's manifests name, where its photos are those that the run was made from.

    Whoever sends a run may name any folder in it, but not the digest of photos that they have never seen.

    Args:
        run: the run.
        allow: packages, beside this one, whose data set may be made.
        notes: where it is said why there is none.

    Raises:
        UserError: the data set is not allowed, or cannot be made.
    """
    stages = manifest.stages_of(run)
    # Masks may have come after the training, for the test alone.
    for stage in ("evaluate", *manifest.TRAINED):
        content = manifest.read(stages[stage]) if stage in stages else None
        if node := manifest.part(content, "config", "data", "init_args").get("dataset"):
            where = f"{stages[stage] / manifest.NAME}: dataset"
            try:
                with only_reading():
                    dataset: TaggedDataset = build_foreign(node, where, TaggedDataset, allow)
                    if _is_of(dataset, content or {}):
                        return dataset
                why = "its photos are not those that the run was made from"
            except OnlyReadingError as error:
                why = str(error)
            notes.append(f"{where}: {why}, so none is shown; {REMEDY}")
    return None


def required_dataset(run: Path) -> TaggedDataset:
    """The data set of a run that may come from anyone.

    Raises:
        UserError: a link leads out of the run, or its photos are not here.
    """
    require_contained(run)
    if (dataset := dataset_of(run, (), Notes())) is None:
        raise UserError(f"{run}: the photos that it was made from are not here, or others; give --config FILE")
    return dataset


def _is_of(dataset: TaggedDataset, content: dict[str, object]) -> bool:
    """Whether a stage's manifest names this data set's photos by their content."""
    photos = manifest.part(content, "photos")
    try:
        digest = dataset.fingerprint(FileDigests(None).of, **photos)
    except (TypeError, UserError, KeyError):  # the manifest may say anything
        return False
    return bool(photos) and manifest.part(content, "inputs").get("dataset") == digest
