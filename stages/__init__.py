"""The chain, one file a stage: what it reads, what it writes, its defaults, and how it runs.

    fit → cam → (affinity) → label → segment → evaluate → report

A stage module has `READS` (stages that must be done before it; a function `reads(section)` where that depends on the
section), `ALSO_READS` (stages whose results it takes if they are there), `defaults(run)` (its section of an experiment
file, before the experiment's own values) and `main(section, folder)`. A stage of several parts names them in `PARTS`;
its section has a section for each. Importing one is cheap; its libraries are loaded when it runs.

`affinity` is there only for experiments that choose one of its presets; others neither do nor read it.
"""

import importlib
from types import ModuleType
from typing import Any

CHAIN = ("fit", "cam", "affinity", "label", "segment", "evaluate", "report")
OPTIONAL = "affinity"


def load(name: str) -> ModuleType:
    """The module of a stage."""
    return importlib.import_module(f"acr_lightning.stages.{name}")


def reads(name: str, section: dict[str, Any]) -> tuple[str, ...]:
    """The stages that must be done before this one, with this section."""
    module = load(name)
    found: tuple[str, ...] = module.reads(section) if hasattr(module, "reads") else module.READS
    return found
