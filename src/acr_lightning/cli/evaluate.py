"""`acr evaluate`: the stage, another split of it, or any folder of predictions or CAMs."""

from pathlib import Path
from typing import Any

from acr_lightning.artefacts.own_files import require_own
from acr_lightning.chain.check import checked_dataset
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.runner import is_first_process, run_stage
from acr_lightning.cli import run as chain_commands
from acr_lightning.cli.score_folders import ids_of, score_against_folder, score_cams, score_predictions, write_pack
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN


def evaluate(
    *,
    config: str | None = None,
    split: Split | None = None,
    pack: str | None = None,
    pred: str | None = None,
    gt: str | None = None,
    classes: int | str | list[str] | None = None,
    list: str | None = None,
    cams: str | None = None,
    output: str | None = None,
    force: bool = False,
    print_config: bool = False,
    help: bool = False,
    **values: Any,
) -> int:
    """Predict with the network and score CAMs, pseudo-labels and network; or score any folder.

    --config FILE                              the stage: the network's predictions on `val`, and all scores
    --config FILE --split SPLIT [--pack FILE]  predictions and scores of another split, in <run>/evaluate_SPLIT
    --pred DIR --gt DIR                        score any folder of label maps <id>.png against any folder of masks
    --pred DIR --config FILE [--pack FILE]     the same against the masks of an experiment's data set
    --cams DIR --config FILE                   score any folder of CAMs at 256 thresholds and several exponents

    Args:
        config: an experiment file, or the name of a shipped one.
        split: train, seed, val or test.
        pack: write and verify what PASCAL VOC's server takes: --split test --pack results.tgz.
        pred: a folder of label maps: 0 background, 1..N.
        gt: a folder of masks; 255 is not scored.
        classes: (with --gt) N without background, or names separated by commas.
        list: (with --gt) a file with one id a line.
        cams: a folder of CAMs.
        output: (with --pred, --cams) keep scores and the confusion matrix (pixels) there.
        force: do it again; its old result is moved aside.
        print_config: print what would run.
        help: print this, and all values of the stage.
        **values: of the stage's section, or of the experiment.
    """
    if help:
        return chain_commands.stage("evaluate", config=config, help=True, **values)
    if pack is not None:
        require_own([pack])  # before hours of prediction
    options = {"gt": gt, "classes": classes, "list": list, "output": output, "pred": pred, "pack": pack, "split": split}
    if cams is not None:
        _refuse(options, ("pred", "gt", "classes", "list", "pack"), "does not go with --cams DIR")
        dataset = _dataset(config, values, "--cams: give the data set whose masks they are scored with, --config FILE")
        score_cams(Path(cams), dataset, split or "seed", output)
    elif pred is None:
        _refuse(options, ("gt", "classes", "list", "output"), "goes with --pred DIR")
        if split is None and pack is None:
            return chain_commands.stage("evaluate", config=config, force=force, print_config=print_config, **values)
        experiment = chain_commands.stage_experiment("evaluate", config, values)
        _other_split(experiment, split, pack, force, print_config)
    elif gt is None:
        _refuse(options, ("classes", "list"), "goes with --gt DIR; with --config the data set says it")
        dataset = _dataset(config, values, "--pred: give the masks, --gt DIR, or a data set, --config FILE")
        score_predictions(Path(pred), dataset, split or "val", output, pack)
    elif config or values or pack or split:
        raise UserError("--pred with --gt scores two folders; --config, --split and --pack do not go with it")
    else:
        score_against_folder(Path(pred), Path(gt), classes, list, output)
    return 0


def _dataset(config: str | None, values: dict[str, Any], message: str) -> TaggedDataset:
    """The experiment's data set; `message` says what to give where there is no experiment."""
    if config is None:
        raise UserError(message)
    return checked_dataset(load(CHAIN, config, values))


def _refuse(options: dict[str, Any], names: tuple[str, ...], why: str) -> None:
    """Raise a UserError if one of the options of these names has a value."""
    if unfit := [name for name in names if options[name] is not None]:
        raise UserError(f"--{unfit[0]} {why}")


def _other_split(
    experiment: Experiment, split: Split | None, pack: str | None, force: bool, print_config: bool
) -> None:
    """The stage on one split, and the pack of what it predicted."""
    chain_splits = experiment.section("evaluate")["data"]["init_args"].get("splits", ["val"])
    if split is None and len(chain_splits) != 1:
        raise UserError("--pack: say which split, with --split")
    split = split or chain_splits[0]
    folder = experiment.folder("evaluate")
    if chain_splits != [split]:  # the chain's own result stays where it is
        folder = folder.with_name(f"evaluate_{split}")
        experiment = experiment.with_values({"evaluate.data.splits": [split]})
    if print_config:
        chain_commands.print_sections(experiment.section("evaluate", folder))
        return
    dataset = checked_dataset(experiment)
    ids = ids_of(dataset, split)
    run_stage(experiment, "evaluate", force, folder)
    if is_first_process():
        print((folder / "scores.md").read_text(), end="")
        if pack:
            if not (folder / "predictions").is_dir():
                raise UserError(f"{experiment.run}: no network to predict with; run `acr segment` first")
            write_pack(Path(pack), folder / "predictions", dataset, ids)
