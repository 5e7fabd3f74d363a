"""`acr ablation`: variants of one experiment, with several seeds, in tables."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.text_file import read_yaml
from acr_lightning.chain.experiment_file import find
from acr_lightning.cli.arguments import parse
from acr_lightning.cli.commands import spawn
from acr_lightning.errors import UserError, nearest

KEYS = ("base", "run", "seeds", "stages", "common", "tables")
USAGE = """usage: acr ablation --config FILE [--KEY=VALUE …]

Runs every variant of an experiment with every seed (done ones are skipped, a killed one continues), then writes
ablation.md and ablation.html: mean ± deviation over the seeds.

FILE (shipped: ablation/voc6.yaml) has the keys base, run, seeds, stages, common and tables. Own keys are set by
--run, --seeds and --stages; every other --KEY=VALUE is a value of the experiment, for all variants.
"""


def ablation(words: list[str]) -> int:
    """Do it; returns the exit status of the first run that failed, or 0."""
    found = parse(words)
    if "--help" in found.flags or not found.config:
        print(USAGE)
        return 0 if "--help" in found.flags else 2
    own = {key: value for key, value in found.values if key in KEYS}
    plan = {**_read(found.config), **own}
    common = {**plan.get("common", {}), **{key: value for key, value in found.values if key not in KEYS}}
    folder, seeds = Path(plan["run"]), plan["seeds"]
    for variants in plan["tables"].values():
        for variant, values in variants.items():
            for seed in seeds:
                run = _folder(folder, values, seed)
                print(f"ablation: {variant}, seed {seed} → {run}", file=sys.stderr, flush=True)
                if status := spawn("run", _words(plan, {**common, **values}, run, seed)):
                    return status
    from acr_lightning.report.ablation import read_row, write_tables

    tables = {
        title: [
            read_row(variant, [_folder(folder, values, seed) for seed in seeds]) for variant, values in variants.items()
        ]
        for title, variants in plan["tables"].items()
    }
    note = f"{plan['base']}, seeds {', '.join(map(str, seeds))}: CAMs at the best threshold for their masks, per cent."
    print(write_tables(tables, folder, note))
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


def _words(plan: dict[str, Any], values: dict[str, Any], run: Path, seed: int) -> list[str]:
    words = ["--config", plan["base"], f"--run={run}", f"--seed={seed}", f"--stages={','.join(plan['stages'])}"]
    return words + [f"--{key}={json.dumps(value)}" for key, value in values.items()]
