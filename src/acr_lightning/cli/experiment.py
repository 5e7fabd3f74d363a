"""Experiment files: one file describes the whole chain.

Top-level keys: `run` (folder of the results), `dataset` (class_path and init_args), `seed`, `stages` (which of the
chain `acr run` does), `base` (another experiment file, whose values this one changes), and a section for each stage.
The data set and the seed are given to every section that does not set its own. In a section, `model` and `data` may be
written without `class_path`/`init_args` when the class is the stage's own. A value on the command line wins over the
file, the file over its base, that over the stage's defaults.

Two stages have presets, which may change the stages after them, too: `affinity: psa` is short for
`affinity: {preset: psa}`, and so is `segment: deeplabv2_resnet101`. A preset's values lie between the stages' defaults
and the experiment's own. The stage `affinity` takes part only when one is chosen.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from acr_lightning import stages
from acr_lightning.class_names import build, full_path
from acr_lightning.data.id_list import shipped
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError, nearest
from acr_lightning.foreign_classes import OWN_PACKAGE
from acr_lightning.stages import affinity_presets, segment_presets

SHARED = ("run", "dataset", "seed", "stages")
BASE = "base"
PRESETS = {"affinity": affinity_presets, "segment": segment_presets}
CLASS_NODE = {"class_path", "init_args"}


@dataclass(frozen=True)
class Experiment:
    """An experiment file with the command line's values in it.

    Attributes:
        run: folder of the results.
        values: the file's content.
    """

    run: Path
    values: dict[str, Any]

    def preset(self, stage: str) -> str | None:
        """The chosen preset of a stage that has some; None where none is.

        Raises:
            UserError: there is no such preset.
        """
        name = (self.values.get(stage) or {}).get("preset") or "none"
        known = ("none", *PRESETS[stage].PRESETS)
        if name not in known:
            raise UserError(f"{stage}: no preset '{name}'.{nearest(str(name), known)} Known: {', '.join(known)}")
        return None if name == "none" else str(name)

    def only_with(self, names: Iterable[str]) -> list[str]:
        """Those of these stages that the experiment has: all but `affinity`, or all."""
        return [name for name in names if name != stages.OPTIONAL or self.preset(name)]

    @property
    def stages(self) -> list[str]:
        """The stages that `acr run` does, in the chain's order.

        Raises:
            UserError: an unknown stage is named.
        """
        wanted = self.values.get("stages") or self.only_with(stages.CHAIN)
        wanted = wanted.split(",") if isinstance(wanted, str) else wanted
        for name in wanted:
            if name not in stages.CHAIN:
                raise UserError(f"stages: no stage '{name}'.{nearest(str(name), stages.CHAIN)}")
        return [name for name in stages.CHAIN if name in wanted]

    def dataset_node(self) -> dict[str, Any]:
        """`class_path` and `init_args` of the data set.

        Raises:
            UserError: the experiment names none.
        """
        node = self.values.get("dataset")
        if not isinstance(node, dict) or "class_path" not in node:
            raise UserError("dataset: needs a class_path (VOC2012, COCO, TagFolder, Shapes); add --config FILE")
        return node

    def dataset(self) -> TaggedDataset:
        """The data set.

        Raises:
            UserError: the experiment names none, or it cannot be made.
        """
        from acr_lightning.cli.keys import check_classes

        check_classes(self.dataset_node(), "dataset", TaggedDataset)
        made: TaggedDataset = build(self.dataset_node(), "dataset", TaggedDataset)
        return made

    def section(self, stage: str) -> dict[str, Any]:
        """The full section of a stage: defaults, presets, the experiment's values, the data set and the seed.

        Raises:
            UserError: the stage is `affinity`, and no preset is chosen.
        """
        module, values = stages.load(stage), self.values.get(stage) or {}
        section: dict[str, Any] = module.defaults(self.run)
        if stage == stages.OPTIONAL and not self.preset(stage):
            raise UserError(f"no affinity preset is chosen; add --affinity={'|'.join(affinity_presets.PRESETS)}")
        for chooser, presets in PRESETS.items():
            if name := self.preset(chooser):
                _merge(section, presets.section(name, stage, self.run), stage)
        _merge(section, values, stage)
        if stage != stages.OPTIONAL:
            section.pop("preset", None)  # its values are in the section now
        for part in getattr(module, "PARTS", ()):
            self._share(section[part], values.get(part) or {})
        if stage == "report":
            self._allow_own(section)
        elif not hasattr(module, "PARTS"):
            self._share(section, values)
        return section

    def _allow_own(self, section: dict[str, Any]) -> None:
        """Let the report make the data set of a package that the experiment itself names, when it meets it in a run."""
        if self.values.get("dataset") is not None:
            package = full_path(self.dataset_node()["class_path"]).partition(".")[0]
            if package != OWN_PACKAGE:
                section.setdefault("allow", [package])

    def _share(self, section: dict[str, Any], own: dict[str, Any]) -> None:
        """Give a section the data set and the seed, where the experiment's `own` values for it do not."""
        seed = self.values.get("seed")
        dataset = None if self.values.get("dataset") is None else copy.deepcopy(self.dataset_node())
        if dataset is not None:
            dataset["class_path"] = full_path(dataset["class_path"])
        if "data" in section:
            data = section["data"]["init_args"]
            if dataset is not None:
                data.setdefault("dataset", dataset)
            if seed is not None and "seed_everything" not in own:
                section["seed_everything"] = seed
                if section["data"]["class_path"].rpartition(".")[2] in ("TaggedImages", "PseudoLabels"):
                    data.setdefault("seed", seed)
        elif dataset is not None:
            section.setdefault("dataset", dataset)


def load(config: str | None, overrides: list[tuple[str, Any]]) -> Experiment:
    """Read an experiment file, found in the working folder or among the shipped configs, and apply overrides.

    Args:
        config: path, or name of a shipped config; None starts from an empty experiment.
        overrides: dotted keys from the top of the file, with their values.

    Raises:
        UserError: the file is missing or no YAML mapping, or a top-level key is unknown.
    """
    values = _with_base(config) if config else {}
    _write_out_presets(values)
    for key, value in overrides:
        if key in PRESETS and not isinstance(value, dict):
            key = f"{key}.preset"
        set_value(values, key.split("."), value)
    known = [*SHARED, *stages.CHAIN]
    for key in values:
        if key not in known:
            raise UserError(
                f"{config or 'command line'}: {key}: no such key.{nearest(key, known)} Known: {', '.join(known)}"
            )
        if key in stages.CHAIN and not isinstance(values[key] or {}, dict):
            raise UserError(f"{config}: {key}: expected a section (a mapping)")
    run = values.get("run") or f"runs/{Path(config).stem if config else 'acr'}"
    return Experiment(Path(run), values)


def _with_base(config: str) -> dict[str, Any]:
    """The values of an experiment file, over those of its base."""
    values = _read(config)
    if BASE not in values:
        return values
    base = values.pop(BASE)
    if BASE in (merged := _read(base)):
        raise UserError(f"{base}: is the base of {config}, so it may have none itself")
    _write_out_presets(values)
    _write_out_presets(merged)
    _merge(merged, values, str(config))
    return merged


def _write_out_presets(values: dict[str, Any]) -> None:
    """`affinity: psa` as `affinity: {preset: psa}`, in place."""
    for stage in PRESETS:
        if isinstance(values.get(stage), str):
            values[stage] = {"preset": values[stage]}


def find(config: str) -> Path:
    """The path of a file in the working folder, or of a shipped one.

    Raises:
        UserError: there is neither.
    """
    path = Path(config) if Path(config).is_file() else shipped(config)
    if not path.is_file():
        known = sorted(file.name for file in shipped("").glob("*.yaml"))
        raise UserError(f"{config}: no such experiment file.{nearest(config, known)} Shipped: {', '.join(known)}")
    return path


def _read(config: str) -> dict[str, Any]:
    path = find(config)
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping with sections ({', '.join(stages.CHAIN)})")
    return values


def set_value(node: dict[str, Any], keys: list[str], value: Any) -> None:
    """Set `a.b.c` in a nested mapping; `init_args` may be left out of the keys, and a class name sets `class_path`."""
    for key in keys[:-1]:
        if "class_path" in node and key not in CLASS_NODE:
            node = node.setdefault("init_args", {})
        if not isinstance(node.get(key), dict):
            node[key] = {}
        node = node[key]
    last = keys[-1]
    if "class_path" in node and last not in CLASS_NODE:
        node = node.setdefault("init_args", {})
    if isinstance(node.get(last), dict) and "class_path" in node[last] and isinstance(value, str):
        node[last] = {"class_path": value}
    else:
        node[last] = value


def _merge(base: dict[str, Any], values: dict[str, Any], where: str) -> None:
    """Put an experiment's section over a stage's defaults, in place."""
    for key, value in copy.deepcopy(values).items():
        if not isinstance(base.get(key), dict) or not isinstance(value, dict):
            base[key] = value
        elif "class_path" in base[key]:
            node = value if CLASS_NODE & value.keys() else {"init_args": value}
            if set(node) - CLASS_NODE:
                raise UserError(f"{where}.{key}: write either class_path and init_args, or the arguments alone")
            _merge_class(base[key], node, f"{where}.{key}")
        else:
            _merge(base[key], value, f"{where}.{key}")


def _merge_class(base: dict[str, Any], node: dict[str, Any], where: str) -> None:
    """The same for a node with `class_path`: another class does not inherit the default class's arguments."""
    path = full_path(node.get("class_path", base["class_path"]))
    if path != base["class_path"]:
        base.update(class_path=path, init_args={})
    _merge(base["init_args"], node.get("init_args") or {}, f"{where}.init_args")
