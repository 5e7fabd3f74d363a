"""An experiment: which stages a run has, where each lies, and the section that each runs with.

A section is the stage's defaults, then the chosen presets, then the experiment's values, then what all stages share
(data set, seed, `deterministic`), then the paths of what it reads.
"""

import copy
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acr_lightning.artefacts import review_file
from acr_lightning.chain.stage import Chain, Section, Stage
from acr_lightning.chain.values import class_paths, data_arguments, get_value, merge, set_value, with_full_names
from acr_lightning.classes.argument_names import argument_names
from acr_lightning.classes.class_names import build, import_class
from acr_lightning.classes.foreign_classes import OWN_PACKAGE
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.errors import UserError, expect, nearest

# Where results lie is left out of a digest.
ANYWHERE = Path("<folder>")


@dataclass(frozen=True)
class Experiment:
    """An experiment file with the command line's values in it.

    Attributes:
        chain: the stages that there are.
        run: folder of the results.
        values: the file's content.
        presets: the chosen recipes, by the word that chose them (`affinity`, `segment`).
    """

    chain: Chain
    run: Path
    values: dict[str, Any]
    presets: dict[str, str]

    def takes_part(self, name: str) -> bool:
        """Whether the experiment has a stage: one that a word chooses takes part only when it is chosen."""
        choice = self.chain.stages[name].choice
        return choice is None or choice in self.presets

    @property
    def stages(self) -> list[str]:
        """The stages that `acr run` does, in the chain's order: without those that are read from other runs.

        Raises:
            UserError: an unknown stage is named, or one that does not take part, or none is left.
        """
        names = self.values.get("stages") or [name for name in self.chain.stages if self._has_use(name)]
        names = names.split(",") if isinstance(names, str) else names
        for name in names:
            if name not in self.chain.stages:
                raise UserError(f"stages: no stage '{name}'.{nearest(name, self.chain.stages)}")
            self._require_part(name)
        own_names = [name for name in self.chain.stages if name in names and name not in self.others]
        if not own_names:
            raise UserError("stages: nothing is left to do, all of them are read from other runs")
        return own_names

    def _has_use(self, name: str) -> bool:
        """Whether a stage takes part, and one of its readers takes its result; CLIP's CAMs take no checkpoint."""
        reads = [
            _takes(self.own_section(reader), key)
            for reader in filter(self.takes_part, self.chain.stages)
            for key, sources in self.chain.stages[reader].reads.items()
            if name in sources
        ]
        return self.takes_part(name) and (any(reads) or not reads)

    @property
    def others(self) -> dict[str, Path]:
        """The stages that are read from other runs, `from`, each with its run."""
        return {name: Path(run) for name, run in (self.values.get("from") or {}).items()}

    def folder(self, name: str) -> Path:
        """Where a stage's results lie."""
        return self.others.get(name, self.run) / name

    def dataset_node(self) -> dict[str, Any]:
        """`class_path` and `init_args` of the data set; a UserError where the experiment names none."""
        node = self.values.get("dataset")
        if not isinstance(node, dict) or "class_path" not in node:
            raise UserError(
                "dataset: needs a class_path (VOC2012, COCO, TagFolder, Shapes); add --config FILE. `acr init FOLDER` "
                "writes one for your own photos, `acr list configs` names those that are shipped"
            )
        return node

    def dataset(self) -> TaggedDataset:
        """The data set; a UserError says why it cannot be made."""
        return build(self.dataset_node(), "dataset", TaggedDataset)

    def section(self, name: str) -> Section:
        """The complete section of a stage; a UserError where it would take part if it was chosen, and is not."""
        section = self.own_section(name, self.folder(name))
        for key, source in self.sources(name).items():
            set_value(section, key.split("."), str(self.folder(source) / self.chain.stages[source].writes))
        if self.decisions(name):
            set_value(section, self._review_key(name), str(self.review(name)))
        return section

    def own_section(self, name: str, folder: Path = ANYWHERE) -> Section:
        """The section without the paths of what the stage reads: all that its result depends on beside its input."""
        stage, values = self.chain.stages[name], self.values.get(name) or {}
        self._require_part(name)
        if stage.function is not None and stage.writes and "output" in values:
            raise UserError(f"{name}.output: is the stage's own folder in the run; give another --run")
        section = stage.defaults(folder)
        for word, preset in self.presets.items():
            merge(section, dict(self.chain.presets[word][preset].get(name, {})), name)
        merge(section, {key: value for key, value in values.items() if key != "preset"}, name)
        for part in (part for part in ("model", "data", "trainer") if part in section):
            expect(isinstance(section[part], dict), section[part], f"{name}.{part}", "a mapping")
        self._share(section, stage)
        return with_full_names(section, name)

    def _require_part(self, name: str) -> None:
        if not self.takes_part(name):
            choice = str(self.chain.stages[name].choice)
            presets = "|".join(self.chain.presets[choice])
            raise UserError(f"{name}: takes part only if chosen; add --{choice}={presets}")

    def sources(self, name: str) -> dict[str, str]:
        """For each key of a stage's section that the runner sets: the stage whose result goes there."""
        section, sources = self.own_section(name), {}
        for key, stages in self.chain.stages[name].reads.items():
            source = next((stage for stage in stages if self.takes_part(stage)), None)
            if source is not None and get_value(section, key.split(".")) is None and _takes(section, key):
                sources[key] = source
        return sources

    def review(self, name: str) -> Path:
        """The file of decisions on photos that a stage obeys: that which it names, or that beside the labels."""
        own = get_value(self.own_section(name), self._review_key(name))
        return Path(own or self.folder("label").parent / review_file.NAME)

    def decisions(self, name: str) -> dict[str, Any]:
        """What of people's decisions a stage's result depends on, by photo (see `Stage.obeys`).

        Raises:
            UserError: their file is damaged.
        """
        part = self.chain.stages[name].obeys
        return {} if part is None else review_file.obeyed(self.review(name), part)

    def _review_key(self, name: str) -> list[str]:
        return ["review"] if self.chain.stages[name].function else ["data", "review"]

    def splits(self, name: str) -> list[Split]:
        """The splits whose photos a stage's result depends on."""
        stage, section = self.chain.stages[name], self.own_section(name)
        splits = get_value(section, ["data", "splits"])
        if splits is None and _takes(section, "data.splits"):
            data = import_class(section["data"]["class_path"], f"{name}.data", object)
            splits = inspect.signature(data).parameters["splits"].default
        return list(dict.fromkeys((*stage.splits, *(splits if isinstance(splits, list | tuple) else ()))))

    def packages(self) -> list[str]:
        """The other packages that the experiment's classes come from: the user wrote them down, and trusts them."""
        return sorted({name.partition(".")[0] for name in class_paths(self.values)} - {OWN_PACKAGE})

    def _share(self, section: Section, stage: Stage) -> None:
        """Give a section what all stages share, where it has none of its own; and the trusted packages."""
        if _takes(section, "model.allow") and (packages := self.packages()):
            set_value(section, ["model", "allow"], packages)
        if stage.function is None:
            section["seed"] = section.get("seed", self.values.get("seed", 0))
            if self.values.get("deterministic"):
                section["trainer"].setdefault("deterministic", True)
            if _takes(section, "data.seed"):
                data_arguments(section).setdefault("seed", section["seed"])
        if self.values.get("dataset") is not None and stage.takes_dataset:
            data_arguments(section).setdefault("dataset", copy.deepcopy(self.dataset_node()))


def _takes(section: Section, key: str) -> bool:
    """Whether a section's class, perhaps a user's own, has an argument of this name."""
    part, _, name = key.partition(".")
    return not name or (part in section and name in argument_names(section[part]["class_path"], part).names)
