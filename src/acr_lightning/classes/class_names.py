"""Classes that an experiment file names: `VOC2012` is short for `acr_lightning.data.voc.VOC2012`.

An experiment file is its user's own and may name a class of any package (for others' files see `foreign_classes`).
Still only a class of the expected kind is called, so a slip runs nothing else.
"""

import importlib
import inspect
from typing import Any

from acr_lightning.classes.own_modules import admit
from acr_lightning.errors import UserError, nearest

SHORT = {
    name: f"acr_lightning.{module}.{name}"
    for module, names in {
        "data.voc": ("VOC2012",),
        "data.coco": ("COCO",),
        "data.tag_folder": ("TagFolder",),
        "data.shapes": ("Shapes",),
        "data.datamodule": ("TaggedCrops", "LabelledCrops", "TaggedPhotos", "UntaggedPhotos"),
        "nets.classifier": ("CamClassifier",),
        "nets.frozen_classifier": ("FrozenClassifier",),
        "nets.vit.mctformer": ("MCTFormer",),
        "methods.acr.module": ("ACR",),
        "methods.acr.reconstructor": ("Reconstructor",),
        "methods.occse.module": ("OCCSE",),
        "methods.plain.module": ("Plain",),
        "methods.recam.module": ("ReCAM",),
        "methods.seam.module": ("SEAM",),
        "methods.sipe.module": ("SIPE",),
        "methods.aeft.module": ("AEFT",),
        "methods.cda.data": ("PastedCrops",),
        "methods.clims.module": ("CLIMS",),
        "methods.cpn.module": ("CPN",),
        "methods.ppc.module": ("PPC",),
        "methods.rib.inference": ("RIB",),
        "methods.advcam.inference": ("AdvCAM",),
        "cam.cam_inference": ("CamInference",),
        "cam.prototype_inference": ("PrototypeInference",),
        "data.frozen_features": ("FrozenFeatures",),
        "labels.refiner": ("DenseCrf",),
        "labels.sam_refiner": ("SamRefiner",),
        "proposals.superpixels": ("Superpixels",),
        "proposals.sam": ("SamProposals",),
        "training.speed": ("ChannelsLast", "Compile"),
        "affinity.learner": ("AffinityLearner",),
        "affinity.walk_inference": ("AffinityWalk",),
        "segment.segmenter": ("Segmenter",),
        "segment.network_inference": ("NetworkInference",),
    }.items()
    for name in names
}


def full_path(class_path: str) -> str:
    """The import path of a class; a name that is not short is returned as it is."""
    return SHORT.get(class_path, class_path)


def import_class(class_path: str, where: str, base: type) -> Any:
    """Import a class.

    Args:
        class_path: short name or import path.
        where: the key that names it, for the message.
        base: what it must be a subclass of; `object` takes any class.

    Raises:
        UserError: there is no such class, or it is of another kind.
    """
    module, _, name = full_path(class_path).rpartition(".")
    try:
        admit(module)
        class_object = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, AttributeError, TypeError):  # TypeError of a relative name
        raise UserError(
            f"{where}: no class {class_path!r}.{nearest(class_path, SHORT)} "
            f"Known short names: {', '.join(SHORT)}; others by import path"
        ) from None
    if not (isinstance(class_object, type) and issubclass(class_object, base)):
        raise UserError(f"{where}: {class_path!r} is no {'class' if base is object else base.__name__}")
    return class_object


def class_and_arguments(node: dict[str, Any], where: str, base: type) -> tuple[Any, dict[str, Any]]:
    """The class and the arguments of a node with `class_path` and `init_args`; nothing is called yet.

    Raises:
        UserError: see `import_class`; or an argument is missing or unknown.
    """
    class_object, arguments = import_class(node["class_path"], where, base), node.get("init_args") or {}
    try:
        inspect.signature(class_object).bind(**arguments)
    except TypeError as error:
        raise UserError(f"{where}: {node['class_path']}: {error}") from None
    return class_object, arguments


def build(node: dict[str, Any], where: str, base: type) -> Any:
    """Make what a node with `class_path` and `init_args` describes (see `class_and_arguments` for the errors)."""
    class_object, arguments = class_and_arguments(node, where, base)
    return class_object(**arguments)
