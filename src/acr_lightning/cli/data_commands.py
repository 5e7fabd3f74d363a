"""`acr data check` and `acr data download`."""

from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.keys import check_classes
from acr_lightning.class_names import class_and_arguments
from acr_lightning.cli.arguments import Arguments, parse
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.data_care.finding import Finding, Report, from_error
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN

USAGE = """usage: acr data check --config FILE [--json FILE] [--workers N] [--dataset.KEY=VALUE …]
       acr data check --labels DIR [--config FILE | --classes N] [--json FILE] [--workers N]
       acr data check --pack FILE.tgz --config FILE [--split test]
       acr data download voc2012|sbd|coco2014 [DIR] [--mirror URL]

  check      decodes every photo and mask of an experiment's data set and compares size, palette, values and tags;
             with --labels a folder of label maps (pseudo-labels), with --pack an archive for PASCAL VOC's server.
             One line a problem: kind, id, file, what, what to do. Exit status 1 if there are problems.
  download   into DIR (default: data): resumes where it was cut, verifies size and MD5, unpacks to DIR/VOC2012,
             DIR/SBD and DIR/coco, and makes VOC's train_aug list as soon as VOC and SBD are both there.
"""
OWN = ("labels", "json", "workers", "classes", "pack", "split")


def data(words: list[str]) -> int:
    """`acr data …`; returns the exit status."""
    commands = {"check": check, "download": download}
    if not words or words[0] in ("--help", "-h"):
        print(USAGE)
        return 0
    if words[0] not in commands:
        raise UserError(
            f"data: no such command '{words[0]}'.{nearest(words[0], commands)} Known: {', '.join(commands)}"
        )
    return commands[words[0]](words[1:])


def check(words: list[str]) -> int:
    """`acr data check`: 0 if all is well, 1 if there are problems."""
    found = parse(words)
    options = {key: value for key, value in found.values if key in OWN}
    found.values = [(key, value) for key, value in found.values if key not in OWN]
    if "--help" in found.flags:
        print(USAGE)
        return 0
    if found.words:
        raise UserError(f"'{found.words[0]}' is no option; values are given as --key=value")
    for name in ("workers", "classes"):
        if not isinstance(options.get(name, 1), int):
            raise UserError(f"--{name}: expected a number, not '{options[name]}'")
    report = _report(options, found)
    from acr_lightning.data_care.print_report import print_report

    print_report(report)
    if "json" in options:
        write_json(str(options["json"]), report.as_json())
    return 1 if report.problems else 0


def download(words: list[str]) -> int:
    """`acr data download NAME [DIR]`."""
    from acr_lightning.data_care.download import download as get

    found = parse(words)
    values = dict(found.values)
    if "--help" in found.flags:
        print(USAGE)
        return 0
    if not 1 <= len(found.words) <= 2 or values.keys() - {"mirror"}:
        raise UserError("data download: expected voc2012|sbd|coco2014 [DIR] [--mirror URL]")
    mirror = str(values["mirror"]) if "mirror" in values else None
    for line in get(found.words[0], Path(found.words[1] if len(found.words) == 2 else "data"), mirror):
        print(line)
    return 0


def _report(options: dict[str, Any], found: Arguments) -> Report:
    from acr_lightning.data_care.check_dataset import check_dataset
    from acr_lightning.data_care.check_labels import check_labels

    workers = options.get("workers")
    if "labels" in options:
        dataset = load(CHAIN, found.config, found.values).dataset() if found.config or found.values else None
        if dataset and "classes" in options:
            raise UserError("--classes: the experiment's data set says it; leave one of --classes and --config out")
        return check_labels(Path(str(options["labels"])), dataset, options.get("classes"), workers)
    if not found.config and not found.values:
        raise UserError("data check: give --config FILE, or --labels DIR; see acr data --help")
    experiment = load(CHAIN, found.config, found.values)
    if "pack" in options:
        return _pack_report(Path(str(options["pack"])), experiment, options.get("split", "test"))
    if faults := _setup_faults(experiment):
        return Report([from_error("setup", "", fault) for fault in faults])
    return check_dataset(experiment.dataset(), workers)


def _setup_faults(experiment: Experiment) -> list[str]:
    """Why the data set cannot be made at all; then no photo can be checked."""
    node = experiment.dataset_node()
    check_classes(node, "dataset", TaggedDataset)
    made, arguments = class_and_arguments(node, "dataset", TaggedDataset)
    faults: list[str] = made.setup_faults(**arguments)
    return faults


def _pack_report(pack: Path, experiment: Experiment, split: Any) -> Report:
    from acr_lightning.data.images import image_size
    from acr_lightning.metrics.voc_server import pack_faults

    dataset = experiment.dataset()
    sizes = {image_id: image_size(dataset.image_path(image_id)) for image_id in dataset.ids(split)}
    faults = pack_faults(pack, sizes)
    return Report([Finding("pack", "", str(pack), fault, "write the pack again") for fault in faults])
