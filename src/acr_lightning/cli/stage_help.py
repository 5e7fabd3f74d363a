"""`acr STAGE --help`: every value of the stage's section, with its docstring."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from acr_lightning import stages
from acr_lightning.class_names import SHORT


def print_help(name: str) -> None:
    """Print a stage's purpose, files and options."""
    module = stages.load(name)
    defaults: dict[str, Any] = module.defaults(Path("runs/NAME"))
    print(f"usage: acr {name} --config FILE [--KEY=VALUE …] [--run DIR] [--force] [--print_config]\n\n{module.__doc__}")
    for part in getattr(module, "PARTS", ()):
        print(f"\n--- {name}.{part}: its values are given as --{part}.KEY=VALUE\n")
        _print_options(f"{name}.{part}", getattr(module, part, None), defaults[part])
    if not hasattr(module, "PARTS"):
        _print_options(name, getattr(module, name, None), defaults)


def _print_options(name: str, function: Callable[..., Any] | None, defaults: dict[str, Any]) -> None:
    """The options of a function, or of the classes of a section with a Trainer."""
    from jsonargparse import ArgumentParser

    if "trainer" not in defaults:
        from acr_lightning.cli.function_cli import parser_of

        assert function is not None
        parser_of(function).print_help()
        return
    from lightning.pytorch import LightningDataModule, LightningModule, Trainer

    from acr_lightning.class_names import import_class

    for path in SHORT.values():
        importlib.import_module(path.rpartition(".")[0])
    parser = ArgumentParser(prog=f"acr {name}", usage="", add_help=False)
    for group, base in (("model", LightningModule), ("data", LightningDataModule)):
        made = import_class(defaults[group]["class_path"], group, base)
        parser.add_class_arguments(made, group, skip={"num_classes"})
    parser.add_class_arguments(Trainer, "trainer")
    parser.print_help()
