"""`acr estimate`: which GPU an experiment wants, and for how long."""

from typing import Any

from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.chain.check import check
from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.trainer_section import build
from acr_lightning.classes.argument_names import argument_names
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN
from acr_lightning.training.cards import CARDS, SIZES, smallest
from acr_lightning.training.footprint import batch_like, footprint

HEAD = ("stage", "photos a GPU", "micro-batches", "GiB", "card of", "TFLOP")


def estimate(*, config: str | None = None, **values: Any) -> int:
    """GiB, TFLOP and hours of each training stage, counted without a GPU; neither photos nor weights are read.

    A classifier that is trained in micro-batches has a row for 1, 2, 4 … until a card of 8 GB holds it.

    Args:
        config: an experiment file, or the name of a shipped one.
        **values: of the experiment.
    """
    experiment = load(CHAIN, config, values)
    names = [name for name in experiment.stages if CHAIN.stages[name].writes == CHECKPOINT]
    if not names:
        raise UserError("stages: none of them trains, and only training is estimated")
    check(experiment, experiment.stages, to_come=[*map(experiment.folder, CHAIN.stages)])
    print(f"| {' | '.join([*HEAD, *(f'hours, {card.name}' for card in CARDS)])} |")
    print("|---" * (len(HEAD) + len(CARDS)) + "|")
    for name in names:
        section = experiment.section(name)
        options = section["trainer"]
        section |= {"model": _without_files(section["model"]), "trainer": {"logger": False, "accelerator": "cpu"}}
        objects = build(section, name)
        model: Any = objects.model
        data = objects.data
        devices, epochs = options.get("devices"), options.get("max_epochs") or 1
        gpus = (devices if isinstance(devices, int) and devices > 0 else 1) * options.get("num_nodes", 1)
        photos, precision = max(1, data.batch_size // gpus), str(options.get("precision") or "32-true")
        steps = epochs * (len(data.dataset.ids("train")) // data.batch_size)
        parts = getattr(model, "micro_batches", 1)
        can_split = "step" in argument_names(section["model"]["class_path"], "").names
        while photos % parts == 0:
            model.micro_batches = parts
            memory, work = footprint(model, batch_like(data, photos), precision, epochs)
            card = smallest(memory)
            hours = [f"{one.hours(work * steps, '16' in precision):.2g}" for one in CARDS]
            row = [name, photos, parts, f"{memory / 2**30:.3g}", f"{card or '> 80'} GB", f"{work / 1e12:.3g}", *hours]
            print(f"| {' | '.join(map(str, row))} |", flush=True)
            if card == SIZES[0] or not can_split:
                break
            parts *= 2
    return 0


def _without_files(value: Any) -> Any:
    """A model's section that reads no weights, which change no size."""
    if isinstance(value, list):
        return [_without_files(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: None if key in ("weights", "initial") else _without_files(one) for key, one in value.items()}
