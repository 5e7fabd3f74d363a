"""The page: what the network makes of photos, then labels and CAMs, scores, curves, settings."""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from acr_lightning.artefacts import manifest
from acr_lightning.artefacts.own_files import require_own, write_own
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.report.collapse import collapse
from acr_lightning.report.curves import MEANINGS, Series, loss_series, plot, sweep_series
from acr_lightning.report.held_out import held_out, spread, where_tested
from acr_lightning.report.learned_from import KEY
from acr_lightning.report.notes import Notes
from acr_lightning.report.pictures import colour, last_monitor, pictures
from acr_lightning.report.run_scores import scored_on
from acr_lightning.report.score_files import read_scores
from acr_lightning.report.stranger import dataset_of, require_contained
from acr_lightning.report.summary import class_table, next_step, sentence
from acr_lightning.report.templates import render
from acr_lightning.version import __version__

# How many of the network's predictions the page begins with.
HELD_OUT = 8


def write_report(
    runs: list[Path],
    output: Path,
    images: int = 24,
    dataset: TaggedDataset | None = None,
    allow: Collection[str] = (),
) -> int:
    """Write one self-contained page, and nothing else.

    Args:
        runs: folders of runs.
        output: the page.
        images: how many photos are shown.
        dataset: of the photos; None: the runs may come from anyone, and the first may name its own (see `stranger`).
        allow: packages, beside this one, whose data set a run may name.

    Returns:
        How many photos are shown.

    Raises:
        UserError: a folder is no run, leads out of itself, or names a data set that is not allowed or cannot be made;
            or the page is there and this program did not write it.
    """
    notes = Notes()
    for run in runs:
        manifest.require_trained(run)
    require_own([output])
    if dataset is None:
        for run in runs:
            require_contained(run)
        dataset = dataset_of(runs[0], allow, notes)
    scores: dict[str, list[dict[str, Any]]] = {run.name: notes.without(partial(read_scores, run), []) for run in runs}
    shown: dict[str, Any] = {"rows": []}
    if dataset:
        tests = held_out(runs[0], dataset, HELD_OUT, notes)
        shown = {
            "tested": [(words, pictures(one, dataset, runs, notes, only_network=True)) for one, words in tests],
            "tested_on": where_tested(runs[0], dataset),
            "rows": [pictures(one, dataset, runs, notes) for one in spread(dataset.ids("seed"), images)],
            "classes": class_table(dataset, [row for rows in scores.values() for row in rows]),
            "legend": [(name, colour(label)) for label, name in enumerate(dataset.class_names, 1)],
        }
    page = render(
        "page.html",
        version=__version__,
        title=" · ".join(run.name for run in runs),
        summaries=[(run.name, sentence(run, dataset), next_step(run)) for run in runs],
        scores=scores,
        learned_from=KEY,
        scored_on=scored_on,
        curves=[curve for run in runs for curve in _curves(run, notes)],
        painted=[(run.name, source) for run in runs if (source := last_monitor(run))],
        settings={run.name: _settings(run) for run in runs},
        notes=notes,
        **shown,
    )
    write_own(output, page)
    return len(shown["rows"])


def _curves(run: Path, notes: Notes) -> list[tuple[str, Any]]:
    """Titled SVGs of one run: what its trainings logged, by the first word of the name, and the CAMs' sweeps."""
    curves, stages = [], manifest.stages_of(run)
    for stage in ("fit", "affinity_train", "segment"):
        series = loss_series(stages[stage], notes) if stage in stages else {}
        if warning := collapse({name: values[-1] for name, (_, values) in series.items()}):
            notes.append(f"{run.name}: {warning}")
        for group in dict.fromkeys(name.partition("/")[0] for name in series):
            part = {name: xy for name, xy in series.items() if name.partition("/")[0] == group}
            meaning = f"; {MEANINGS[group]}" if group in MEANINGS else ""
            curves.append((f"{run.name}: {stage}, {group}{meaning}", plot(part, "batch", "value")))
    if sweep := notes.without(partial(sweep_series, run), Series()):
        title = "background threshold"
        curves.append((f"{run.name}: CAM by {title} (uses masks)", plot(sweep, title, "%")))
    return curves


def _settings(run: Path) -> dict[str, str]:
    """The configuration of every stage's folder that has a manifest, in the order in which they were done."""
    manifests = manifest.manifests_of(run)
    return {name: yaml.safe_dump(one.get("config"), sort_keys=False) for name, one in manifests.items()}
