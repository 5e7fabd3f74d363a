"""Parsing sections before anything is built."""

from collections.abc import Iterable

from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.function_section import parse
from acr_lightning.errors import UserError


def check(experiment: Experiment, names: Iterable[str]) -> None:
    """Parse the sections of these stages without building anything.

    Raises:
        UserError: a key does not exist or a value does not fit.
    """
    for name in names:
        section, stage = experiment.section(name), experiment.chain.stages[name]
        try:
            if stage.function is not None:
                parse(stage.function, section)
            else:
                from acr_lightning.chain.trainer_section import TrainerCLI

                TrainerCLI(section, parse_only=True)
        except UserError as error:
            raise UserError(f"{name}: {error}") from None
