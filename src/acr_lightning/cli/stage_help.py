"""`acr STAGE --help`: every value of the stage's section, with its docstring."""

from pathlib import Path

from acr_lightning.chain.stage import Stage
from acr_lightning.class_names import import_class
from acr_lightning.stages.chain import CHAIN


def print_help(name: str) -> None:
    """Print a stage's purpose, files and options."""
    stage = CHAIN.stages[name]
    print(f"usage: acr {name} --config FILE [--KEY=VALUE …] [--run DIR] [--force] [--print_config]\n\n{stage.help}")
    _print_options(stage)


def _print_options(stage: Stage) -> None:
    """The options of a function, or of the classes of a section with a Trainer."""
    from jsonargparse import ArgumentParser

    if stage.function is not None:
        from acr_lightning.chain.function_section import parser_of

        parser_of(stage.function).print_help()
        return
    from lightning.pytorch import LightningDataModule, LightningModule, Trainer

    defaults = stage.defaults(Path("runs/NAME") / stage.name)
    parser = ArgumentParser(prog=f"acr {stage.name}", usage="", add_help=False)
    for group, base in (("model", LightningModule), ("data", LightningDataModule)):
        made = import_class(defaults[group]["class_path"], group, base)
        parser.add_class_arguments(made, group, skip={"num_classes"})
    parser.add_class_arguments(Trainer, "trainer")
    parser.print_help()
