"""The chain, one file a stage: what it reads, what it writes, its defaults, and how it runs.

    fit → cam → (affinity) → label → segment → evaluate → report

A stage module has `READS` (stages that must be done before it), `ALSO_READS` (stages whose results it takes if they
are there), `defaults(run)` (its section of an experiment file, before the experiment's own values) and
`main(section, folder)`. Importing one is cheap; its libraries are loaded when it runs.
"""

import importlib
from types import ModuleType

# `affinity` (random walk) takes its place between `cam` and `label`.
CHAIN = ("fit", "cam", "label", "segment", "evaluate", "report")


def load(name: str) -> ModuleType:
    """The module of a stage."""
    return importlib.import_module(f"acr_lightning.stages.{name}")
