"""The command `acr`. Nothing heavy is imported before a command is known to need it."""

import functools
import importlib
import logging
import os
import sys
import warnings
from typing import TextIO

from acr_lightning.cli.exit_status import exit_status
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN
from acr_lightning.system.child_process import die_with
from acr_lightning.system.launch import is_first_process
from acr_lightning.system.processes import end_at_once_on_signals, end_well_on_signals
from acr_lightning.version import __version__

# Each command's module and function in this package, and what it is for.
COMMANDS = {
    "init": ("cli.init.init", "an experiment file for a folder of your own photos: acr init FOLDER"),
    "run": ("cli.run.run", "all stages of an experiment, each in its own process; done ones are skipped"),
    **{name: ("cli.run.stage", stage.help.partition("\n")[0]) for name, stage in CHAIN.stages.items()},
    "report": ("cli.report.report", "one HTML page: acr report RUN [RUN …]"),
    "score": (
        "cli.score.score",
        "score any folder of label maps, and pack it for VOC's server: acr score DIR --config FILE",
    ),
    "predict": ("cli.predict.predict", "masks for any pictures: acr predict --run DIR --images PHOTO|FOLDER|GLOB"),
    "export": ("cli.export.export", "the network as ONNX: acr export --run DIR"),
    "export-labels": ("cli.export_labels.export_labels", "labels or predictions for CVAT, Label Studio, COCO, YOLO …"),
    "review": ("cli.review.review", "look through a run's labels, worst first: accept, reject, mend: acr review RUN"),
    "data check": ("cli.data_check.check", "what is wrong with a data set, or with labels"),
    "data download": ("data_care.download.download", "voc2012, sbd or coco2014: resumes, verifies, unpacks"),
    "estimate": ("cli.estimate.estimate", "GiB, TFLOP and hours of an experiment's trainings, without a GPU"),
    "list": ("cli.listing.listing", "configs, methods, classes, presets or backbones that there are"),
    "compare": ("cli.compare.compare", "variants or methods × data sets × seeds on equal terms, in tables"),
}
# What other libraries log, some of it in each of a run's processes, and nobody acts on.
TALKING = (
    "",  # open_clip's
    "lightning.fabric.utilities.seed",
    "lightning.pytorch",
    "lightning.pytorch.trainer.connectors.data_connector",
    "lightning.pytorch.utilities.rank_zero",
    "timm.models._builder",
)
KNOWN = (
    "litlogger",
    "Automatic Mixed Precision (AMP)",  # the experiment says so, too
    "Seed set to",  # the experiment says which
    "GPU available: False",
    "TPU available: False",
    "to estimate number of stepping batches",
    "`max_epochs=",
    "No pretrained weights loaded",  # of CLIP, whose weights come from a file, and then they are
    "Unexpected keys (",  # of ImageNet's classifier, whose backbone alone is wanted
)
HELP = f"""usage: acr COMMAND --config FILE [--KEY=VALUE …]

From image tags to a segmentation network (ACR, CVPR 2023).

commands (acr COMMAND --help says more):
{{commands}}

options of the chain's commands:
  --config FILE     an experiment file, or the name of a shipped one, such as voc.yaml: acr list configs
  --run DIR         where results go (default: the experiment's `run`)
  --KEY=VALUE       any value of the experiment: acr fit --model.srf=null, acr run --fit.model.srf=null,
                    --dataset.root=DIR, acr fit --trainer.devices=4
  --stages A,B      (acr run) only these stages
  --from.fit=RUN    read a stage's result from another run
  --affinity NAME   a published recipe, as --proposals and --segment: acr list presets
  --shard 3/16      (what is done photo by photo) the third of sixteen parts, each a job on any machine
  --engine ray      do what is done photo by photo on a Ray cluster (docs/cluster.md)
  --force           do a stage again; its old result is moved aside. If it is killed, go on without --force
  --print_config    print what would run

version {__version__}
"""


def main(words: list[str] | None = None) -> int:
    """Run `acr`; returns the exit status: 0 done, 2 bad input, 130 or 143 interrupted.

    Args:
        words: of the command; None takes those that were typed, and the process then has nothing else to do.
    """
    if words is None:
        status = main(sys.argv[1:])
        end_at_once_on_signals()
        return status
    if not words or words[0] in ("--help", "-h", "help"):
        print(HELP.format(commands="\n".join(f"  {name:15} {text}" for name, (_, text) in COMMANDS.items())))
        return 0
    if words[0] in ("--version", "version"):
        print(f"acr {__version__}")
        return 0
    # A command of one word or of two, and the words after it.
    length = 2 if any(name.startswith(f"{words[0]} ") for name in COMMANDS) else 1
    command, rest = " ".join(words[:length]), words[length:]
    end_well_on_signals()
    if os.environ.get("LOCAL_RANK", "0") != "0":
        die_with(os.getppid())  # the first process of a distributed job started this one
    return exit_status(command, functools.partial(_dispatch, command, rest), "--force" in rest)


def _dispatch(command: str, rest: list[str]) -> int:
    if command not in COMMANDS:
        hint = nearest(command, COMMANDS)
        raise UserError(f"no such command '{command}'.{hint} Known: {', '.join(COMMANDS)}; see acr --help")
    _quieten()
    from acr_lightning.cli.call import call

    module, _, function = COMMANDS[command][0].rpartition(".")
    handler = getattr(importlib.import_module(f"acr_lightning.{module}"), function)
    # The stages share a function, which is told which one is meant.
    return call(handler, command, rest, (command,) if function == "stage" else ())


def _quieten() -> None:
    """Show this package's log, and hide what other libraries say that no user of `acr` can act on."""
    logging.getLogger("acr_lightning").handlers = [_Log()]
    # Of several ranks the first one says how it goes.
    logging.getLogger("acr_lightning").setLevel(logging.INFO if is_first_process() else logging.WARNING)
    for logger in TALKING:
        logging.getLogger(logger).addFilter(_worth_reading)
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # of processes that end, where one line will do
    for message in (
        ".*`srun` command is available.*",  # and was used, or is not wanted
        ".*(does not have many workers|DataLoader will create).*",  # two cores are two cores, and one is one
        ".*training batches .* smaller than the logging interval.*",  # steps are counted across epochs
        ".*isinstance.treespec, LeafSpec.*",  # torch and lightning among themselves
        ".*Couldn't infer the batch indices.*",  # results are named by id
        ".*Checkpoint directory .* exists and is not empty.*",  # that is how a run is continued
        ".*module.s. in eval mode at the start of training.*",  # frozen BatchNorm
        ".*your dataloader is not resumable.*",  # it is: data/datamodule.py
        ".*lr_scheduler.step.*before.*optimizer.step.*",  # one network rests in a warm-up phase
    ):
        warnings.filterwarnings("ignore", message=message)


class _Log(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at the time: in a terminal, a progress bar that shows lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _worth_reading(record: logging.LogRecord) -> bool:
    return not any(words in record.getMessage() for words in KNOWN)


if __name__ == "__main__":
    sys.exit(main())
