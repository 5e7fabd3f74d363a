"""What a person decided on a run's labels, photo by photo: `review.json` in the run.

Nothing but `acr review` writes it, and people. It is a person's work: what is damaged is never replaced.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.artefacts.cam_file import CamFile
from acr_lightning.artefacts.item_path import id_fault
from acr_lightning.artefacts.text_file import read_json
from acr_lightning.errors import UserError, expect, nearest, shown

NAME = "review.json"
# Another number means other fields, or another meaning of them.
VERSION = 1
ACCEPTED, REJECTED = "accepted", "rejected"


@dataclass(frozen=True)
class Decision:
    """What was decided on a photo.

    Attributes:
        verdict: `accepted`, `rejected`, or None. The network learns nothing from a rejected photo.
        threshold: the background score of its label, in 0..1; None is the run's.
        added: classes that it shows beside its tags.
        removed: tags that are wrong.
    """

    verdict: str | None = None
    threshold: float | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def tags(self, tags: Sequence[str]) -> list[str]:
        """The photo's tags as they are now."""
        return [tag for tag in dict.fromkeys((*tags, *self.added)) if tag not in self.removed]

    def cam(self, cam: CamFile, class_names: Sequence[str], path: Path) -> CamFile:
        """A photo's CAM without the classes that it does not show.

        Raises:
            UserError: there is no CAM of a class that was added; `path` is the CAM's.
        """
        present = [class_names[index] for index in cam.classes]
        for name in self.added:
            if name not in present:
                raise UserError(
                    f"{path}: has no CAM of the tag {shown(name)} that the review added; run `acr cam` with the same "
                    "--config, or `acr run`"
                )
        keep = [index for index, name in enumerate(present) if name not in self.removed]
        return replace(cam, classes=cam.classes[keep], levels=cam.levels[keep])

    def content(self) -> dict[str, Any]:
        """What was decided, as the file has it."""
        return {key: value for key, value in asdict(self).items() if value not in (None, ())}


def decision(value: Any, where: str, class_names: Sequence[str] | None = None) -> Decision:
    """A decision from what a file, or a page, says.

    Args:
        value: as `Decision.content` gives it.
        where: it is, for messages.
        class_names: of the data set; None takes any.

    Raises:
        UserError: it is none, or it names a class that there is not.
    """
    expect(isinstance(value, dict), value, where, "a mapping with verdict, threshold, added, removed")
    known = Decision.__dataclass_fields__
    for key in value:
        if key not in known:
            raise UserError(f"{where}.{key}: no such key.{nearest(key, known)} Known: {', '.join(known)}")
    verdict, threshold = value.get("verdict"), value.get("threshold")
    expect(verdict in (None, ACCEPTED, REJECTED), verdict, f"{where}.verdict", f"{ACCEPTED} or {REJECTED}")
    is_score = type(threshold) in (int, float) and 0 <= threshold <= 1
    expect(threshold is None or is_score, threshold, f"{where}.threshold", "a number in 0..1")
    added, removed = (_classes(value.get(key), f"{where}.{key}", class_names) for key in ("added", "removed"))
    for name in set(added) & set(removed):
        raise UserError(f"{where}: {shown(name)} is both added and removed; take it out of one")
    return Decision(verdict, threshold if threshold is None else float(threshold), added, removed)


def _classes(value: Any, where: str, class_names: Sequence[str] | None) -> tuple[str, ...]:
    names = [] if value is None else value
    fits = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    expect(fits, value, where, "a list of class names")
    for name in names:
        if class_names is not None and name not in class_names:
            known = f"{nearest(name, class_names)} Known: {', '.join(class_names)}"
            raise UserError(f"{where}: no class {shown(name)}.{known}")
    return tuple(dict.fromkeys(names))


def read(path: str | Path | None, class_names: Sequence[str] | None = None) -> dict[str, Decision]:
    """What was decided, by photo; nothing where there is no file, or none is named.

    Raises:
        UserError: the file is damaged, or holds what is no decision; the message says where. It is left as it is.
    """
    if path is None or not Path(path).exists():
        return {}
    path = Path(path)
    content = read_json(path, "mend it, or move it away to begin anew")
    fits = isinstance(content, dict) and set(content) == {"version", "photos"} and isinstance(content["photos"], dict)
    expect(fits, "something else", str(path), "a mapping with version and photos, as `acr review` writes it")
    expect(
        content["version"] == VERSION, content["version"], f"{path}: version", f"{VERSION}, as this program knows it"
    )
    for photo in content["photos"]:
        if fault := id_fault(photo):
            raise UserError(f"{path}: photo {shown(photo)} {fault}")
    photos = content["photos"].items()
    return {photo: decision(value, f"{path}: {shown(photo)}", class_names) for photo, value in photos}


def write(path: Path, decisions: Mapping[str, Decision]) -> None:
    """Write decisions, atomically; what decides nothing is left out."""
    photos = {photo: content for photo, one in decisions.items() if (content := one.content())}
    write_json(path, {"version": VERSION, "photos": photos})


def added_classes(path: str | Path | None, class_names: Sequence[str]) -> dict[str, list[int]]:
    """The classes that were added to photos, counted from 0; see `read` for the errors."""
    return {photo: [class_names.index(name) for name in one.added] for photo, one in read(path, class_names).items()}


def rejected(path: str | Path | None) -> set[str]:
    """The photos that were rejected; see `read` for the errors."""
    return {photo for photo, one in read(path).items() if one.verdict == REJECTED}


def obeyed(path: Path, part: Callable[[Decision], Any]) -> dict[str, Any]:
    """That part of each decision that says anything, by photo; see `read` for the errors."""
    return {photo: value for photo, one in read(path).items() if (value := part(one))}
