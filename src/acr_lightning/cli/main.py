"""The command `acr`. Nothing heavy is imported before a command is known to need it."""

import importlib
import logging
import os
import sys
import warnings

from acr_lightning.cli.system_errors import lost_peer, system_error
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN
from acr_lightning.version import __version__

HELP = f"""usage: acr COMMAND --config FILE [--KEY=VALUE …]

From image tags to a segmentation network (ACR, CVPR 2023).

the chain:
  run        all stages of an experiment, each in its own process; done ones are skipped, a killed one continues
  fit        stage 1: train the classifier with ACR, from tags alone
  cam        stage 2: CAMs of every photo
  affinity   between the two, if chosen by --affinity=psa|irn|rib: spread the CAMs by a random walk
  label      stage 3: pseudo-labels from CAMs (background score, dense CRF)
  segment    stage 4: train the segmentation network on the pseudo-labels
  evaluate   stage 5: score CAMs, pseudo-labels and network; without masks, only predict
             (also another split, the VOC server's pack, any folder of predictions: acr evaluate --help)
  report     one HTML page: acr report RUN [RUN …] [--output FILE] [--allow PACKAGE]

with a trained network:
  predict    masks for any pictures: acr predict --run DIR --images PHOTO|FOLDER|GLOB [--output DIR]
  export     the network as ONNX or TorchScript: acr export --run DIR

beside the chain:
  data       acr data check --config FILE | --labels DIR: what is wrong with a data set, or with labels
             acr data download voc2012|sbd|coco2014 [DIR]: resumes, verifies, unpacks
  weights    ResNet38d's ImageNet weights: acr weights convert FILE.params OUT.safetensors
  ablation   variants of an experiment with several seeds, as tables: acr ablation --config ablation/voc6.yaml

options:
  --config FILE     an experiment file, or the name of a shipped one (voc.yaml, voc6.yaml, coco.yaml, demo.yaml,
                    tag_folder.yaml)
  --run DIR         where results go (default: the experiment's `run`)
  --KEY=VALUE       any value of the experiment: acr fit --model.srf=null, acr run --fit.model.srf=null,
                    --dataset.root=DIR, --trainer.devices=4
  --stages A,B      (acr run) only these stages
  --affinity NAME, --segment NAME
                    a published recipe: psa, irn, rib; deeplabv1_resnet38d, deeplabv2_resnet101, coco
  --shard 3/16      (acr cam, label, evaluate) do the third of sixteen parts, each a job of its own on any machine
  --force           do a stage again; its old result is moved aside
  --print_config    print what would run
  --version, --help also after a command: acr fit --help

version {__version__}
"""


# Where each command lies: module of this folder, function.
COMMANDS = {
    "run": ("commands", "run"),
    **{stage: ("commands", "stage") for stage in CHAIN.stages},
    "affinity": ("commands", "chosen"),
    "evaluate": ("evaluate_command", "evaluate"),
    "report": ("commands", "report"),
    "data": ("data_commands", "data"),
    "predict": ("use_commands", "predict"),
    "export": ("use_commands", "export"),
    "weights": ("weights", "weights"),
    "ablation": ("ablation", "ablation"),
}


def main(words: list[str] | None = None) -> int:
    """Run `acr`; returns the exit status: 0 done, 2 bad input, 130 or 143 interrupted."""
    words = sys.argv[1:] if words is None else words
    if not words or words[0] in ("--help", "-h", "help"):
        print(HELP)
        return 0
    if words[0] in ("--version", "version"):
        print(f"acr {__version__}")
        return 0
    command, rest = words[0], words[1:]
    try:
        return _dispatch(command, rest)
    except BrokenPipeError:  # `acr fit --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as stop:
        if type(stop).__name__ != "SIGTERMException":
            raise
        print(f"acr {command}: stopped by SIGTERM; the same command continues", file=sys.stderr)
        return 143
    except KeyboardInterrupt:
        print(f"acr {command}: interrupted; the same command continues", file=sys.stderr)
        return 130
    except Exception as error:
        message = _wrapped(error)
        if message is None:
            raise
        print(f"acr {command}: {message}", file=sys.stderr)
    return 2


def _dispatch(command: str, rest: list[str]) -> int:
    if command not in COMMANDS:
        raise UserError(f"no such command.{nearest(command, COMMANDS)} See acr --help")
    _quieten()
    module, function = COMMANDS[command]
    handler = getattr(importlib.import_module(f"acr_lightning.cli.{module}"), function)
    # The stages share a function, which is told which one is meant.
    status: int = handler(command, rest) if function in ("stage", "chosen") else handler(rest)
    return status


def _quieten() -> None:
    """Show this package's log, and hide what other libraries say that no user of `acr` can act on."""
    handler = logging.StreamHandler()
    logging.getLogger("acr_lightning").addHandler(handler)
    logging.getLogger("acr_lightning").setLevel(logging.INFO)
    logging.getLogger("lightning.pytorch").addFilter(_no_advertising)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_no_advertising)
    os.environ.setdefault("WANDB_SILENT", "true")
    for message in (
        ".*args parameter is intended to run from within Python.*",  # a section is handed over as a mapping
        ".*does not have many workers.*",  # two cores are two cores
        ".*isinstance.treespec, LeafSpec.*",  # torch and lightning among themselves
        ".*Couldn't infer the batch indices.*",  # results are named by id
        ".*Checkpoint directory .* exists and is not empty.*",  # that is how a run is continued
        ".*module.s. in eval mode at the start of training.*",  # frozen BatchNorm
        ".*your dataloader is not resumable.*",  # it is: data/datamodule.py
        ".*lr_scheduler.step.*before.*optimizer.step.*",  # one network rests in a warm-up phase
        ".*jsonargparse.*",  # lightning 2.6 calls what jsonargparse 5 will drop
    ):
        warnings.filterwarnings("ignore", message=message)


def _no_advertising(record: logging.LogRecord) -> bool:
    return "litlogger" not in record.getMessage()


def _wrapped(error: BaseException | None) -> str | None:
    """The one line for a person inside an error (jsonargparse and loader processes wrap what is raised)."""
    marker = "acr_lightning.errors.UserError: "
    caused = True
    while error is not None:
        # First: a loader process's UserError comes back as one whose text is that process's whole traceback.
        if marker in str(error):
            return str(error).rpartition(marker)[2].strip()
        # Lightning's own refusals are about values, too; by name, since importing Lightning takes seconds.
        if isinstance(error, UserError) or type(error).__name__ == "MisconfigurationException":
            return str(error)
        line = system_error(error) if isinstance(error, OSError) else lost_peer(error)
        if caused and line is not None:
            return line
        caused = error.__cause__ is not None  # a mistake made while a refusal is handled is a mistake
        error = error.__cause__ or error.__context__
    return None


if __name__ == "__main__":
    sys.exit(main())
