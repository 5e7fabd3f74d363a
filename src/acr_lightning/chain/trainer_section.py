"""A section with model, data and trainer: its values checked, and what it describes built."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import yaml
from jsonargparse import ArgumentParser
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.nn.modules.batchnorm import _BatchNorm

from acr_lightning.chain.messages import parsed
from acr_lightning.chain.stage import Section
from acr_lightning.chain.values import get_value
from acr_lightning.classes.argument_names import argument_names
from acr_lightning.classes.bounded import Seed
from acr_lightning.errors import UserError
from acr_lightning.nets.checkpoint import require_learned_classes
from acr_lightning.system.launch import launched, require_srun
from acr_lightning.training.checkpoint_io import WholeCheckpointIO
from acr_lightning.training.one_message import OneMessage
from acr_lightning.training.time_left import StageBar

NUM_CLASSES = "num_classes"  # comes from the data


class Parts(NamedTuple):
    """What a section describes; `config` is the section with all defaults, in YAML's types."""

    model: LightningModule
    data: Any
    trainer: Trainer
    config: Section


def build(section: Section, name: str, callbacks: Sequence[Callback] = ()) -> Parts:
    """Build what a stage's section describes.

    Args:
        section: the stage's section.
        name: of the stage, for messages.
        callbacks: what the stage always has, beside the experiment's own.

    Raises:
        UserError: a value does not fit; the message names it.
    """
    parser = _parser(section)
    config = parsed(parser, section, f"{name}.")
    torch.set_flush_denormal(True)  # tiny gradients become denormal numbers, on which a CPU is slow
    seed_everything(config.seed, workers=True)
    objects = parser.instantiate(config)
    try:
        trainer = _trainer(vars(objects.trainer), callbacks)
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise UserError(f"{name}.trainer: {' '.join(str(error).split())}") from None
    _require_even_batches(config.as_dict(), trainer, name)
    if dataset := getattr(objects.data, "dataset", None):
        require_learned_classes(objects.model, dataset.class_names, f"{name}.model")
    return Parts(objects.model, objects.data, trainer, yaml.safe_load(parser.dump(config, skip_unset=False)))


def typed_values(section: Section, name: str) -> Section:
    """All arguments of `model` and `data`, and all options of `trainer`, in their types, defaults among them."""
    config = parsed(_parser(section), section, f"{name}.").as_dict()
    return {
        "model": config["model"].get("init_args", {}),
        "data": config["data"].get("init_args", {}),
        "trainer": config["trainer"],
    }


def _parser(section: Section) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--seed", type=Seed)
    parser.add_class_arguments(Trainer, "trainer", instantiate=False, fail_untyped=False)
    parser.add_subclass_arguments(LightningModule, "model", required=True, fail_untyped=False)
    parser.add_subclass_arguments(LightningDataModule, "data", required=True, fail_untyped=False)
    for key in _asking(section["model"], "model"):
        parser.link_arguments(f"data.{NUM_CLASSES}", key, apply_on="instantiate")
    return parser


def _asking(node: Section, key: str) -> Iterator[str]:
    """Keys of the classes in a section that ask for the number of classes: networks, or the module itself."""
    if NUM_CLASSES in argument_names(node["class_path"], key).names:
        yield f"{key}.init_args.{NUM_CLASSES}"
    for name, value in (node.get("init_args") or {}).items():
        if isinstance(value, dict) and "class_path" in value:
            yield from _asking(value, f"{key}.init_args.{name}")


def _trainer(options: dict[str, Any], callbacks: Sequence[Callback]) -> Trainer:
    own = options["callbacks"] or []
    bar = [] if options["enable_progress_bar"] is False else [StageBar(leave=True)]
    options = {**options, "callbacks": [*(own if isinstance(own, list) else [own]), *callbacks, *bar]}
    require_srun()
    if ranks := launched():  # they are there, however many the experiment would start
        options |= ranks.trainer_options()
    if options["deterministic"]:
        options["benchmark"] = False  # what cuDNN finds to be the fastest is another kernel every time
    trainer = Trainer(**options)
    if trainer.num_devices * trainer.num_nodes > 1:
        trainer = Trainer(**for_several_processes(options, trainer.strategy.root_device.type))
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # not where the experiment has a plugin for it
        trainer.strategy.checkpoint_io = WholeCheckpointIO()
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            # Lightning hands on an option that wandb has dropped, and wandb warns of it.
            logger._wandb_init.pop("anonymous", None)
    return trainer


def for_several_processes(options: dict[str, Any], device: str) -> dict[str, Any]:
    """A trainer's options where it is one of several processes on this type of device (`cuda`, `cpu`)."""
    strategy = OneMessage() if options["strategy"] == "auto" else options["strategy"]
    # On CPUs torch cannot; `require_same_batchnorm` sees to it that there is nothing to synchronise.
    return {**options, "strategy": strategy, "sync_batchnorm": device != "cpu"}


def _require_even_batches(values: Section, trainer: Trainer, name: str) -> None:
    """Refuse a batch that cannot be shared by the devices, or split into micro-batches."""
    batch, parts = get_value(values, ["data", "batch_size"]), get_value(values, ["model", "step", "micro_batches"]) or 1
    devices = trainer.num_devices * trainer.num_nodes
    if batch is not None and batch % devices:
        raise UserError(f"{name}.data.batch_size: {batch} photos cannot be shared evenly by {devices} devices")
    if batch is not None and batch // devices % parts:
        raise UserError(
            f"{name}.model.step.micro_batches: the {batch // devices} photos of a device cannot be split evenly in "
            f"{parts}"
        )


def require_same_batchnorm(trainer: Trainer, model: LightningModule) -> None:
    """Refuse BatchNorm that learns in several processes on CPUs: torch shows it the photos of all on GPUs alone."""
    processes = trainer.num_devices * trainer.num_nodes
    if processes == 1 or trainer.strategy.root_device.type != "cpu":
        return
    model.train()
    if any(isinstance(module, _BatchNorm) and module.training for module in model.modules()):
        raise UserError(
            f"trainer.devices: {processes} processes on CPUs cannot learn BatchNorm together, so the result would "
            "be another one; set trainer.devices: 1, or freeze_batchnorm: true for the network"
        )


def require_not_stopped(trainer: Trainer) -> None:
    """Refuse a run that a signal stopped, from which Lightning returns as if it had ended; its stage is not done."""
    if trainer.received_sigterm or trainer.interrupted:
        raise UserError("stopped by a signal; the same command continues")
