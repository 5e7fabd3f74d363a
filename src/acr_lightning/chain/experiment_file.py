"""Experiment files: one file describes the whole chain.

Top-level keys: `run` (folder of the results), `dataset` (class_path and init_args), `seed`, `deterministic` (the same
bits twice on a GPU, of every stage), `stages` (which of the chain `acr run` does), `from` (stages that are read from
other runs), `engine` (what does the work photo by photo: `local`, this machine, or `ray`, a cluster; changes speed
only), `base` (another experiment file, whose values this one changes), and a section for each stage. In a section,
`model` and `data` may be written without `class_path`/`init_args` when the class is the stage's own. A value on the
command line wins over the file, the file over its base, that over presets and defaults.

A word chooses a preset, which may change several stages: `affinity: psa` is short for `affinity: {preset: psa}`, and so
is `segment: deeplabv2_resnet101`.
"""

import copy
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from acr_lightning.artefacts.text_file import read_yaml
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.messages import parsed
from acr_lightning.chain.stage import Chain
from acr_lightning.chain.values import merge, set_value, with_full_names
from acr_lightning.classes.bounded import Seed
from acr_lightning.data.id_list import shipped
from acr_lightning.errors import UserError, expect, nearest
from acr_lightning.system.pool import Engine, use_engine

# The keys beside the sections, and what they are.
SHARED = {
    "run": str | None, "dataset": dict | None, "seed": Seed, "stages": str | list[str] | None,
    "from": dict[str, str] | None, "deterministic": bool, "engine": Engine | None,
}  # fmt: skip
BASE = "base"
# Folders of shipped files: those whose name is part of the file's, and those of no experiments; others are data sets.
WITH_FOLDER, WITHOUT = ("methods", "plans"), ("presets", "wandb")


def top_keys(chain: Chain) -> list[str]:
    """The keys of an experiment."""
    return [*SHARED, *dict.fromkeys((*chain.stages, *chain.presets))]


def load(chain: Chain, config: str | None, overrides: Mapping[str, Any]) -> Experiment:
    """Read an experiment file, found in the working folder or among the shipped configs, and apply overrides.

    Its engine is this process's from here on.

    Args:
        chain: the stages that there are.
        config: path, or name of a shipped config; None starts from an empty experiment.
        overrides: dotted keys from the top of the file, with their values.

    Raises:
        UserError: the file is missing or no YAML mapping, a top-level key is unknown, or its engine is not installed.
    """
    values, where = _with_base(chain, config) if config else {}, config or "command line"
    for key, value in overrides.items():
        if key.partition(".")[0] not in values:
            _check_key(chain, key, where)
        if key in chain.presets and not isinstance(value, dict):
            key = f"{key}.preset"
        set_value(values, key.split("."), copy.deepcopy(value))
    _check(chain, values, where)
    values = {key: with_full_names(value, f"{where}: {key}") for key, value in values.items()}
    use_engine(values.get("engine"))
    run = values.get("run") or f"runs/{Path(config).stem if config else 'acr'}"
    if "://" in run:
        raise UserError(
            f"run: {run} is no folder, and results are renamed and locked as folders alone can be; give a folder on a "
            "disk, or one that a bucket is mounted to (only photos may lie in a bucket: dataset.root)"
        )
    return Experiment(chain, Path(run), values, dict(_presets(chain, values)))


def _presets(chain: Chain, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The words that choose a preset, each with its name."""
    for word, presets in chain.presets.items():
        name = (values.get(word) or {}).get("preset") or "none"
        known = ("none", *presets)
        if name not in known:
            raise UserError(f"{word}: no preset '{name}'.{nearest(str(name), known)} Known: {', '.join(known)}")
        if name != "none":
            yield word, name


def _check(chain: Chain, values: dict[str, Any], where: str) -> None:
    """Check the top-level keys, and of which kind their values are."""
    parser = ArgumentParser(exit_on_error=False, add_help=False)
    for key in values:
        _check_key(chain, key, where)
        parser.add_argument(f"--{key}", type=SHARED.get(key, dict | None))
    parsed(parser, values, f"{where}: ")
    for word in chain.presets.keys() - chain.stages.keys():
        for part in (values.get(word) or {}).keys() - {"preset"}:
            raise UserError(f"{where}: {word}.{part}: no such key. Its sections: {', '.join(chain.chosen_by(word))}")
    for name in values.get("from") or {}:
        if name not in chain.stages:
            raise UserError(f"{where}: from.{name}: no such stage.{nearest(name, chain.stages)}")


def _check_key(chain: Chain, key: str, where: str) -> None:
    """Check a key's first part; a key of a section, given without its stage, is recognised."""
    top, known = key.partition(".")[0], top_keys(chain)
    if top not in known:
        stage = next((name for name, stage in chain.stages.items() if top in stage.keys), None)
        hint = f" Did you mean '{stage}.{key}'?" if stage else nearest(top, known)
        raise UserError(f"{where}: {key}: no such key.{hint} Known: {', '.join(known)}")


def _with_base(chain: Chain, config: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The values of an experiment file, over those of its base; no file may be its own base, by way of others."""
    if config in above:
        raise UserError(f"{config}: is its own base ({' → '.join((*above, config))}); take `{BASE}` out of one of them")
    path = find(config)
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping, with a section for each stage that it changes")
    base = content.pop(BASE, None)
    values = {key: with_full_names(value, f"{path}: {key}") for key, value in content.items()}
    for word in chain.presets:
        if isinstance(values.get(word), str):  # `affinity: psa` is short for `affinity: {preset: psa}`
            values[word] = {"preset": values[word]}
    if base is None:
        return values
    expect(isinstance(base, str), base, f"{config}: {BASE}", "the name of an experiment file")
    base_values = _with_base(chain, base, (*above, config))
    merge(base_values, values, str(config))
    return base_values


def find(config: str) -> Path:
    """The path of a file in the working folder, or of a shipped one; a UserError where there is neither."""
    if os.path.isfile(config):
        return Path(config)
    known = shipped_configs()
    if config in known:
        return known[config]
    beside = [name for name in known if Path(name).parent == Path(config).parent]
    names = ", ".join(beside or [name for name in known if "/" not in name])
    own = (str(path) for path in Path(config).parent.glob("*.y*ml"))
    hint = nearest(config, own) or nearest(config, known)
    raise UserError(f"{config}: no such experiment file.{hint} Shipped: {names}")


def shipped_configs() -> dict[str, Path]:
    """The files that `--config` takes, by name: `voc.yaml` of `configs/voc`, but `methods/seam.yaml`."""
    paths = sorted(shipped("").glob("*/*.yaml"))
    return {
        path.name if path.parent.name not in WITH_FOLDER else f"{path.parent.name}/{path.name}": path
        for path in paths
        if path.parent.name not in WITHOUT
    }
