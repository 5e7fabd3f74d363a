"""`acr ablation`: variants of one experiment, with several seeds, in tables."""

import hashlib
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.text_file import read_yaml
from acr_lightning.chain.experiment_file import find
from acr_lightning.cli.run import run, words_of
from acr_lightning.cli.start import way_to_start
from acr_lightning.errors import UserError, nearest

KEYS = ("base", "run", "seeds", "stages", "common", "tables")


def ablation(*, config: str, **values: Any) -> int:
    """Every variant of an experiment with every seed, then ablation.md and ablation.html: mean ± deviation.

    Done variants are skipped, a killed one continues. The plan has the keys base, run, seeds, stages, common and
    tables. --run, --seeds and --stages set the plan's own; every other KEY is one of the experiment, for all variants.
    The exit status is that of the first run that failed.

    Args:
        config: the plan; shipped: ablation/voc6.yaml.
        **values: keys of the plan or of the experiment.
    """
    from acr_lightning.report.ablation import figures, read_row, write_tables

    plan = {**_read(config), **{key: value for key, value in values.items() if key in KEYS}}
    common = {**plan.get("common", {}), **{key: value for key, value in values.items() if key not in KEYS}}
    folder, seeds, start = Path(plan["run"]), plan["seeds"], way_to_start()
    for variants in plan["tables"].values():
        for variant, own in variants.items():
            for seed in seeds:
                place = _folder(folder, own, seed)
                print(f"ablation: {variant}, seed {seed} → {place}", file=sys.stderr, flush=True)
                of_this = {"run": str(place), "seed": seed, "stages": plan["stages"], **common, **own}
                if status := start(
                    ["run", *words_of(plan["base"], of_this)], partial(run, config=plan["base"], **of_this)
                ):
                    return status
    tables = {
        title: [read_row(variant, [_folder(folder, own, seed) for seed in seeds]) for variant, own in variants.items()]
        for title, variants in plan["tables"].items()
    }
    note = f"{plan['base']}, seeds {', '.join(map(str, seeds))}: CAMs at the best threshold for their masks, per cent."
    print(write_tables(tables, folder, note))
    print("\n".join(figures(tables, Path(config).stem)))
    return 0


def _read(config: str) -> dict[str, Any]:
    """The plan, with every key checked.

    Raises:
        UserError: the file is missing, no YAML mapping, or a key is unknown or missing.
    """
    path = find(config)
    plan = read_yaml(path)
    if not isinstance(plan, dict):
        raise UserError(f"{path}: expected a mapping with the keys {', '.join(KEYS)}")
    for key in plan:
        if key not in KEYS:
            raise UserError(f"{path}: {key}: no such key.{nearest(key, KEYS)} Known: {', '.join(KEYS)}")
    for key in ("base", "run", "seeds", "stages", "tables"):
        if not plan.get(key):
            raise UserError(f"{path}: {key} is missing")
    return plan


def _folder(folder: Path, values: dict[str, Any], seed: int) -> Path:
    """A variant's run; the same values give the same folder, whatever a table calls them."""
    name = "-".join(f"{key.rpartition('.')[2]}={value}" for key, value in sorted(values.items())) or "base"
    if len(name) > 100:
        name = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"{name}-seed{seed}"
