"""What a stage of the chain declares, and what the runner hands it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.review_file import Decision
from acr_lightning.data.tagged import Split

Section = dict[str, Any]
# Of a stage that needs a Trainer.
SECTION_KEYS = ("seed", "model", "data", "trainer")


def node(class_path: str, **arguments: Any) -> Section:
    """A class with its arguments, as experiment files write them."""
    return {"class_path": class_path, "init_args": arguments}


@dataclass(frozen=True)
class Job:
    """One call of a stage.

    Attributes:
        section: its complete section, paths of what it reads included.
        folder: of its results, in that of its run.
        inputs: folders of the stages that it reads or also reads and that are done; some may lie in other runs.
    """

    section: Section
    folder: Path
    inputs: Mapping[str, Path]


@dataclass(frozen=True)
class Stage:
    """A stage: importing its declaration is cheap, its libraries are loaded when it runs.

    Attributes:
        name: of its command, its section in an experiment file and its folder in a run.
        help: what it does, what it reads and writes; the first line is its title.
        defaults: its section before presets and experiment, from its folder.
        main: does it, where its section has model, data and trainer, and returns counts for the manifest; `left` among
            them says how many photos other shards have still to do.
        reads: which stage's result goes to which key of the section, where the experiment sets none: the first of the
            named stages that takes part.
        also_reads: stages whose results it takes if they are there.
        writes: its result, which others read: a path in its folder.
        function: whose arguments its section holds, and which does it; returns the same.
        choice: the word by which an experiment chooses it (`affinity: psa`); None for a stage of every experiment.
        check: refuses values of its section, by their keys: takes its name and the values.
        splits: those whose photos its result depends on, beside the `splits` that its data names.
        reads_tags: whether it reads the tags of those photos.
        sees_masks: whether a section of it reads true masks; otherwise its result is the same with and without them.
        has_classes: whether its result has numbers of classes, and so is none of other classes.
        obeys: what of a person's decision on a photo its result depends on (empty: nothing); its key `review`, or its
            data's, then names the file of the decisions.
    """

    name: str
    help: str
    defaults: Callable[[Path], Section]
    main: Callable[[Job], dict[str, Any]] | None = None
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    also_reads: tuple[str, ...] = ()
    writes: str = ""
    function: Callable[..., dict[str, Any]] | None = None
    choice: str | None = None
    check: Callable[[str, Section], None] | None = None
    splits: tuple[Split, ...] = ("train",)
    reads_tags: bool = True
    sees_masks: Callable[[Section], bool] = lambda section: False
    has_classes: bool = True
    obeys: Callable[[Decision], Any] | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its section."""
        return SECTION_KEYS if self.function is None else (*inspect.signature(self.function).parameters,)

    @property
    def takes_dataset(self) -> bool:
        """Whether its section has a data set."""
        return self.function is None or "dataset" in self.keys


@dataclass(frozen=True)
class Chain:
    """Stages in their order, and recipes.

    Attributes:
        stages: by name.
        presets: what a chosen word sets: word, name of the preset, stage, part of its section.
    """

    stages: Mapping[str, Stage]
    presets: Mapping[str, Mapping[str, Mapping[str, Section]]]

    def chosen_by(self, word: str) -> list[str]:
        """The stages that take part where this word chooses a preset."""
        return [name for name, stage in self.stages.items() if stage.choice == word]
