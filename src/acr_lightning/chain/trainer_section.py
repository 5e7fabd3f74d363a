"""LightningCLI for one stage: parses a section, builds model, data and trainer, and runs nothing by itself."""

import logging
from collections.abc import Iterator
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.nn.modules.batchnorm import _BatchNorm

from acr_lightning.chain.messages import readable
from acr_lightning.chain.stage import Section
from acr_lightning.classes.argument_names import argument_names
from acr_lightning.errors import UserError
from acr_lightning.report.wandb_config import filterable
from acr_lightning.training.checkpoint_io import WholeCheckpointIO
from acr_lightning.training.whole_batch import OneMessage

NUM_CLASSES = "num_classes"  # comes from the data


class ConfigToLoggers(SaveConfigCallback):
    """Saves `config.yaml` beside the CSV log, and gives W&B the same values."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: D102
        values = yaml.safe_load(self.parser.dump(self.config, skip_none=False))
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(filterable(values))


class TrainerCLI(LightningCLI):
    """The Lightning command line behind a stage that needs a Trainer.

    Args:
        section: the stage's section.
        callbacks: what the stage always has, whatever the experiment's own callbacks.
        parse_only: check the values and build nothing.
        name: of the stage, for messages.

    Raises:
        UserError: a value does not fit; the message names it.
    """

    def __init__(
        self,
        section: Section,
        callbacks: list[Callback] | None = None,
        parse_only: bool = False,
        name: str = "",
    ) -> None:
        self.parse_only = parse_only
        self.asks = list(_asking(section["model"], "model"))
        parts = {part: section[part] for part in ("model", "data", "trainer")}
        try:
            super().__init__(
                LightningModule,
                LightningDataModule,
                args={"seed_everything": section["seed"], **parts},
                run=False,
                subclass_mode_model=True,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                seed_everything_default=0,
                trainer_defaults={"callbacks": [*(callbacks or []), *_progress_bar(section)]},
                save_config_callback=ConfigToLoggers,
                save_config_kwargs={"overwrite": True},
                parser_kwargs={"exit_on_error": False, "prog": "acr"},
            )
        except ArgumentError as error:
            raise UserError(f"{name}.{readable(error)}" if name else readable(error)) from None

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:  # noqa: D102
        for key in self.asks:
            parser.link_arguments("data.num_classes", key, apply_on="instantiate")

    def instantiate_classes(self) -> None:  # noqa: D102
        if not self.parse_only:
            torch.set_flush_denormal(True)  # tiny gradients become denormal numbers, on which a CPU is slow
            super().instantiate_classes()

    def values(self) -> Section:
        """All arguments of `model` and `data`, and all options of `trainer`, in their types, defaults among them."""
        config = self.config.as_dict()
        return {
            "model": config["model"].get("init_args", {}),
            "data": config["data"].get("init_args", {}),
            "trainer": config["trainer"],
        }

    def require_same_batchnorm(self) -> None:
        """BatchNorm that learns has to see the photos of all devices, which torch does on GPUs alone.

        Raises:
            UserError: several processes would train one on CPUs.
        """
        processes = self.trainer.num_devices * self.trainer.num_nodes
        if processes == 1 or self.trainer.strategy.root_device.type != "cpu":
            return
        self.model.train()
        if any(isinstance(module, _BatchNorm) and module.training for module in self.model.modules()):
            raise UserError(
                f"trainer.devices: {processes} processes on CPUs cannot learn BatchNorm together, so the result would "
                "be another one; set trainer.devices: 1, or freeze_batchnorm: true for the network"
            )

    def require_not_stopped(self) -> None:
        """Lightning returns from a run that a signal stopped as if it had ended; such a stage is not done.

        Raises:
            UserError: the run was stopped.
        """
        if self.trainer.received_sigterm or self.trainer.interrupted:
            raise UserError("stopped by a signal; the same command continues")

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        trainer = super()._instantiate_trainer(dict(config), callbacks)
        if trainer.num_devices * trainer.num_nodes > 1:
            options = for_several_processes(config, trainer.strategy.root_device.type)
            trainer = super()._instantiate_trainer(options, callbacks)
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # not where the experiment has a plugin for it
            trainer.strategy.checkpoint_io = WholeCheckpointIO()
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                # Lightning hands on an option that wandb has dropped, and wandb warns of it.
                logger._wandb_init.pop("anonymous", None)
        return trainer


def _progress_bar(section: Section) -> list[Callback]:
    """A progress bar, unless the Trainer is to have none (the logs of a cluster)."""
    return [] if section["trainer"].get("enable_progress_bar") is False else [RichProgressBar(leave=True)]


def _asking(node: Section, key: str) -> Iterator[str]:
    """Keys of the classes in a section that ask for the number of classes: networks, or the module itself."""
    if NUM_CLASSES in argument_names(node["class_path"], key).names:
        yield f"{key}.init_args.{NUM_CLASSES}"
    for name, value in (node.get("init_args") or {}).items():
        if isinstance(value, dict) and "class_path" in value:
            yield from _asking(value, f"{key}.init_args.{name}")


def for_several_processes(config: dict[str, Any], device: str) -> dict[str, Any]:
    """A trainer's options where it is one of several processes on this type of device (`cuda`, `cpu`)."""
    strategy = OneMessage() if config["strategy"] == "auto" else config["strategy"]
    # On CPUs torch cannot; `require_same_batchnorm` sees to it that there is nothing to synchronise.
    return {**config, "strategy": strategy, "sync_batchnorm": device != "cpu"}


def count_devices(trainer: Section, name: str) -> int:
    """How many devices a stage will run on.

    Raises:
        UserError: there are not so many.
    """
    options = {key: trainer[key] for key in ("accelerator", "devices", "num_nodes") if key in trainer}
    log = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        bare_trainer = Trainer(**options, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise UserError(f"{name}.trainer: {' '.join(str(error).split())}") from None
    finally:
        log.setLevel(level)
    return bare_trainer.num_devices * bare_trainer.num_nodes
