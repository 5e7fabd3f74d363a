"""`acr score`: a folder of label maps, whoever made them."""

from pathlib import Path
from typing import Any

from acr_lightning.artefacts.own_files import require_own
from acr_lightning.chain.check import checked_dataset
from acr_lightning.chain.experiment_file import load
from acr_lightning.data.tagged import Split
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN


def score(
    folder: str,
    /,
    *,
    config: str,
    split: Split = "val",
    output: str | None = None,
    pack: str | None = None,
    **values: Any,
) -> int:
    """Score label maps `<id>.png` (0 background, 1..K) against the masks of an experiment's data set.

    Args:
        folder: of the label maps.
        config: an experiment file, for its data set; KEY is one of its keys, such as dataset.root.
        split: of the photos: train, seed, val or test.
        output: a folder to keep scores and the confusion matrix (pixels) in.
        pack: write what PASCAL VOC's server takes, results.tgz; a split without masks can be packed, too.
        **values: of the experiment.
    """
    if pack:
        require_own([pack])
    dataset = checked_dataset(load(CHAIN, config, values))
    from acr_lightning.data.images import image_size
    from acr_lightning.data.voc import VOC2012
    from acr_lightning.metrics.confusion import confusion_csv, scores
    from acr_lightning.metrics.folder_scores import count_folder
    from acr_lightning.metrics.voc_server import write_pack
    from acr_lightning.report.run_scores import print_and_keep

    ids, predictions, names = dataset.ids(split), Path(folder), ["background", *dataset.class_names]
    if not ids:
        raise UserError(f"--split: this {type(dataset).__name__} has no photos in the split '{split}'")
    if masked := dataset.scored(ids):
        counts = count_folder(predictions, masked, dataset.mask, len(names))
        photos = {"photos": len(masked), "of_photos": len(ids)}
        records = [{"what": predictions.name, "split": split, **photos, **scores(counts, names)}]
        print_and_keep(records, output, {"confusion.csv": confusion_csv(counts, names)})
    elif pack is None:
        raise UserError(f"split {split}: no masks to score with")
    if pack:
        if not isinstance(dataset, VOC2012):
            raise UserError(f"--pack: PASCAL VOC's server takes no predictions on {type(dataset).__name__}")
        sizes = {image_id: image_size(dataset.image_path(image_id)) for image_id in ids}
        write_pack(Path(pack), predictions, sizes, dataset.stored_labels())
        print(f"{pack}: {len(ids)} label maps, each as large as its photo")
    return 0
