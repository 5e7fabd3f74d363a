"""`acr evaluate`: the stage, another split of it, the VOC server's pack, or any folder of predictions or CAMs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from acr_lightning.chain.experiment_file import SHARED, load
from acr_lightning.chain.runner import is_first_process, run_stage
from acr_lightning.cli import commands
from acr_lightning.cli.arguments import Arguments, parse
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN

USAGE = """more forms of acr evaluate:
  --config FILE --split SPLIT [--pack FILE.tgz]
      predict on another split (train, seed, val, test) and score it if it has masks, in <run>/evaluate_SPLIT;
      --pack writes and verifies what PASCAL VOC's server takes: --split test --pack results.tgz
  --pred DIR --gt DIR [--classes N|NAME,NAME,…] [--list FILE] [--output DIR]
      score any folder of label maps <id>.png (0 background, 1..N, N without background) against any folder of masks
      (255 is not scored); --list is a file with one id a line; --output keeps scores and the confusion matrix (pixels)
  --pred DIR --config FILE [--split SPLIT] [--output DIR] [--pack FILE.tgz]
      the same against the masks of the experiment's data set
  --cams DIR --config FILE [--split SPLIT] [--output DIR]
      score any folder of CAMs, at 256 thresholds and several background exponents in one pass (split: seed)
"""


@dataclass
class Options:
    """The options that make it more than the stage."""

    pred: str | None = None
    cams: str | None = None
    gt: str | None = None
    classes: Any = None
    list: str | None = None
    output: str | None = None
    split: Split | None = None
    pack: str | None = None


def evaluate(words: list[str]) -> int:
    """`acr evaluate`; returns the exit status."""
    found = parse(words)
    options = Options(**{key: value for key, value in found.values if key in Options.__annotations__})
    found.values = [(key, value) for key, value in found.values if key not in Options.__annotations__]
    if "--help" in found.flags:
        status = commands.stage("evaluate", words)
        print(USAGE)
        return status
    if options == Options():
        return commands.stage("evaluate", words)
    if found.words:
        raise UserError(f"'{found.words[0]}' is no option; values are given as --key=value")
    if options.split is not None and options.split not in get_args(Split):
        raise UserError(f"--split: no split '{options.split}'.{nearest(str(options.split), get_args(Split))}")
    if options.cams is not None:
        _cams(options, found)
    elif options.pred is None:
        _other_split(options, found)
    elif options.gt is None:
        _against_dataset(options, found)
    else:
        _against_folder(options, found)
    return 0


def _other_split(options: Options, found: Arguments) -> None:
    """The stage on one split, and the pack of what it predicted."""
    if unfit := [name for name in ("gt", "classes", "list", "output") if getattr(options, name) is not None]:
        raise UserError(f"--{unfit[0]} goes with --pred DIR")
    values = [(key if key.split(".")[0] in SHARED else f"evaluate.{key}", value) for key, value in found.values]
    experiment = load(CHAIN, found.config, values)
    chain_splits = experiment.section("evaluate")["data"]["init_args"].get("splits", ["val"])
    if options.split is None and len(chain_splits) != 1:
        raise UserError("--pack: say which split, with --split")
    split = options.split or chain_splits[0]
    # The chain's own result stays where it is when another split is asked for.
    folder = experiment.run / "evaluate"
    if chain_splits != [split]:
        folder = experiment.run / f"evaluate_{split}"
        experiment = load(CHAIN, found.config, [*values, ("evaluate.data.splits", [split])])
    if commands.shown_or_checked("evaluate", experiment, found):
        return
    dataset = experiment.dataset()
    ids = _ids(dataset, split)
    run_stage(experiment, "evaluate", "--force" in found.flags, folder)
    if is_first_process():
        table = folder / "scores.md"
        print(table.read_text(), end="")
        if options.pack:
            if not (folder / "predictions").is_dir():
                raise UserError(f"{experiment.run}: no network to predict with; run `acr segment` first")
            _pack(Path(options.pack), folder / "predictions", dataset, ids)


def _cams(options: Options, found: Arguments) -> None:
    """A folder of CAMs against the masks of an experiment's data set."""
    from acr_lightning.artefacts.atomic import write_json
    from acr_lightning.metrics.cam_scores import cam_curves
    from acr_lightning.report.run_scores import ORACLE, has_masks

    if unfit := [name for name in ("pred", "gt", "classes", "list", "pack") if getattr(options, name) is not None]:
        raise UserError(f"--{unfit[0]} does not go with --cams DIR")
    if not found.config:
        raise UserError("--cams: give the data set whose masks they are scored with, --config FILE")
    dataset, split = load(CHAIN, found.config, found.values).dataset(), options.split or "seed"
    ids = _ids(dataset, split)
    if not has_masks(dataset, ids):
        raise UserError(f"split {split}: no masks to score with")
    curves = cam_curves(Path(str(options.cams)), dataset, ids)
    best = [(ORACLE, curves.best)]
    rows = best + [(f"alpha {row['alpha']}: the background is (1 − max CAM)^alpha", row) for row in curves.exponents]
    records = [{"what": "cam", "split": split, "chosen": chosen, **row} for chosen, row in rows]
    if options.output:
        write_json(Path(options.output) / "sweep.json", curves.brief())
    _write_and_print(options, records)


def _against_dataset(options: Options, found: Arguments) -> None:
    """A folder of predictions against the masks of an experiment's data set."""
    from acr_lightning.report.run_scores import has_masks, score_folder

    if unfit := [name for name in ("classes", "list") if getattr(options, name) is not None]:
        raise UserError(f"--{unfit[0]} goes with --gt DIR; with --config the data set says it")
    if not found.config:
        raise UserError("--pred: give the masks, --gt DIR, or a data set, --config FILE")
    dataset = load(CHAIN, found.config, found.values).dataset()
    ids = _ids(dataset, options.split or "val")
    predictions = Path(str(options.pred))
    if has_masks(dataset, ids):
        counts = score_folder(predictions, dataset, ids)
        _show(options, counts, ["background", *dataset.class_names], options.split or "val")
    elif not options.pack:
        raise UserError(f"split {options.split or 'val'}: no masks to score with")
    if options.pack:
        _pack(Path(options.pack), predictions, dataset, ids)


def _against_folder(options: Options, found: Arguments) -> None:
    """A folder of predictions against a folder of masks."""
    from acr_lightning.metrics.folder_scores import score_folders

    if found.config or found.values or options.pack or options.split:
        raise UserError("--pred with --gt scores two folders; --config, --split and --pack do not go with it")
    names = _class_names(options.classes)
    num_classes: int | None = len(names) if names else options.classes
    id_list = Path(str(options.list)) if options.list else None
    counts, _ = score_folders(Path(str(options.pred)), Path(str(options.gt)), num_classes, id_list)
    names = names or [f"class {label}" for label in range(1, len(counts))]
    _show(options, counts, ["background", *names], Path(str(options.gt)).name)


def _show(options: Options, counts: NDArray[np.int64], names: list[str], split: str) -> None:
    """Print the table, and keep it with the confusion matrix if asked to."""
    from acr_lightning.metrics.confusion import scores, write_confusion

    if options.output:
        write_confusion(Path(options.output) / "confusion.csv", counts, names)
    _write_and_print(options, [{"what": Path(str(options.pred)).name, "split": split, **scores(counts, names)}])


def _write_and_print(options: Options, records: list[dict[str, Any]]) -> None:
    from acr_lightning.artefacts.atomic import write_json, write_text
    from acr_lightning.report.run_scores import table

    if options.output:
        write_json(Path(options.output) / "scores.json", records)
        write_text(Path(options.output) / "scores.md", table(records))
    print(table(records), end="")


def _pack(path: Path, predictions: Path, dataset: TaggedDataset, ids: list[str]) -> None:
    """Write a pack and verify what was written."""
    from acr_lightning.data.images import image_size
    from acr_lightning.data.voc import VOC2012
    from acr_lightning.metrics.voc_server import verify_pack, write_pack

    if not isinstance(dataset, VOC2012):
        raise UserError(f"--pack: PASCAL VOC's server takes no predictions on {type(dataset).__name__}")
    write_pack(path, predictions, ids, dataset.stored_labels())
    verify_pack(path, {image_id: image_size(dataset.image_path(image_id)) for image_id in ids})
    print(f"{path}: {len(ids)} label maps, verified")


def _ids(dataset: TaggedDataset, split: Split) -> list[str]:
    ids = dataset.ids(split)
    if not ids:
        raise UserError(f"--split: this {type(dataset).__name__} has no photos in the split '{split}'")
    return ids


def _class_names(classes: Any) -> list[str] | None:
    """The names given with `--classes`, or None where it is a number or not given."""
    if classes is None or isinstance(classes, int):
        return None
    names = classes.split(",") if isinstance(classes, str) else classes
    if not isinstance(names, list) or not all(str(name).strip() for name in names):
        raise UserError("--classes: expected a number, or names separated by commas")
    return [str(name).strip() for name in names]
