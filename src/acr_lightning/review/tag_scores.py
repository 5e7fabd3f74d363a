"""Which tags the classifier doubts: its probability of each class in each photo, kept beside the run's results.

It has learned from these very tags, so what it contradicts is what it could not learn; a wrong tag that it has learned
by heart is not found.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.artefacts.manifest import CHECKPOINT, part, read, result, stages_of
from acr_lightning.artefacts.text_file import read_json
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError

# In a run: what the classifier found, which is made again where it is gone.
NAME = "tag_scores.json"

Probabilities = dict[str, list[float]]


def tag_probabilities(
    run: Path, dataset: TaggedDataset, names: Sequence[str], packages: Sequence[str] = ()
) -> Probabilities:
    """The classifier's probability of each class `[K]` in each photo; one pass at the size of stage `cam`.

    Args:
        run: the folder of a run.
        dataset: its photos.
        names: their ids.
        packages: of whose code the checkpoint may name a classifier, beside this one.

    Returns:
        By id; nothing where the run has no classifier.

    Raises:
        UserError: the checkpoint or a photo is damaged.
    """
    stages = stages_of(run)
    if "fit" not in stages or not (stages["fit"] / CHECKPOINT).is_file():
        return {}
    size = part(read(stages["cam"]) if "cam" in stages else None, "config", "model", "init_args").get("long_side")
    long_side = size if type(size) is int and size > 0 else None
    key = f"{result(read(stages['fit']) or {})} at {long_side}"
    probabilities = _kept(run / NAME, key, dataset.num_classes)
    if not set(names) <= probabilities.keys():
        probabilities = probabilities_by(stages["fit"] / CHECKPOINT, dataset, names, long_side, packages)
        with suppress(OSError):
            write_json(run / NAME, {"made_by": key, "probabilities": probabilities})
    return probabilities


def _kept(path: Path, key: str, num_classes: int) -> Probabilities:
    """What an earlier call kept, if it was made by the same classifier; the file may be damaged, or anybody's."""
    with suppress(UserError, TypeError, AttributeError, KeyError):
        content = read_json(path) if path.is_file() else {}
        if content.get("made_by") == key:
            of_photos: Probabilities = content["probabilities"]
            if all(len(one) == num_classes and all(0 <= value <= 1 for value in one) for one in of_photos.values()):
                return of_photos
    return {}


def probabilities_by(
    checkpoint: Path, dataset: TaggedDataset, names: Sequence[str], long_side: int | None, packages: Sequence[str]
) -> Probabilities:
    """The same by this checkpoint, of photos that are brought to this long side first, pixels (None: as they are).

    Raises:
        UserError: it is of other classes, or it or a photo is damaged.
    """
    import torch
    from rich.console import Console
    from rich.progress import track

    from acr_lightning.cam.multiscale import scaled_views
    from acr_lightning.data.samples import to_tensor
    from acr_lightning.nets.checkpoint import load_network
    from acr_lightning.nets.classifier import Classifier

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    classifier: Classifier = load_network(checkpoint, Classifier, "acr fit", packages).to(device)  # type: ignore[type-abstract]
    if classifier.num_classes != dataset.num_classes:
        raise UserError(
            f"{checkpoint}: knows {classifier.num_classes} classes, the data set has {dataset.num_classes}; set "
            "dataset.classes to those that the run was made with"
        )
    probabilities = {}
    with torch.inference_mode():
        for name in track(names, "tags", console=Console(stderr=True)):
            image = to_tensor(dataset.image(name))[None].to(device)
            (view,) = scaled_views(image, (1.0,), False, long_side, classifier.multiple)
            logits = classifier(classifier.normalise(view)).class_logits[0].float()
            probabilities[name] = [round(value, 4) for value in logits.sigmoid().nan_to_num(0.5).tolist()]
    return probabilities
