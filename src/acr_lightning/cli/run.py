"""`acr run` and one command for each stage."""

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml

from acr_lightning.artefacts.manifest import made_by
from acr_lightning.chain.check import check as check_stages
from acr_lightning.chain.code import code
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.experiment_file import load, top_keys
from acr_lightning.chain.more_photos import other_photos, reused, values_after
from acr_lightning.chain.runner import end_stage, is_done_before, run_stage
from acr_lightning.cli.exit_status import same_command
from acr_lightning.cli.stage_help import print_help
from acr_lightning.cli.start import way_to_start
from acr_lightning.data_care.read_photos import read_photos
from acr_lightning.duration import duration
from acr_lightning.report.summary import times
from acr_lightning.stages.chain import CHAIN
from acr_lightning.system.launch import begin, is_first_process, launched, leave, of_first, require_srun


def run(
    *,
    config: str | None = None,
    force: bool = False,
    print_config: bool = False,
    check: bool | Literal["values"] = False,
    after: str | None = None,
    **values: Any,
) -> int:
    """All stages of an experiment, each in its own process; done ones are skipped, a killed one continues.

    Everything is checked before the first one starts. KEY is a key of the experiment: run, dataset, seed, deterministic
    (the same bits twice on a GPU), stages (a list), from (stages that are read from other runs: --from.fit=runs/other),
    or a stage's, such as fit.model.srf.

    Args:
        config: an experiment file, or the name of a shipped one.
        force: do the stages again; their old results are moved aside.
        print_config: print what would run.
        check: check everything, and run nothing; `--check=values` reads no photos.
        after: a run of fewer photos: the others are labelled with its networks, and the segmentation network is trained
            on from its own. Its results stay; give another --run.
        **values: of the experiment.
    """
    require_srun()
    experiment = load(CHAIN, config, values)
    if after:
        values = {**values_after(experiment, Path(after)), **values}
        experiment = load(CHAIN, config, values)
    if print_config:
        print_sections({name: experiment.section(name) for name in experiment.stages})
        return 0
    check_stages(experiment, experiment.stages, thorough=bool(check), build=bool(check))
    if check:
        photos = f"; {read_photos(experiment.dataset())} can be read" if check != "values" else ""
        print(f"acr run: checked the values and networks of {len(experiment.stages)} stages{photos}", file=sys.stderr)
        return 0
    return _run_stages(experiment, config, values, force)


def _run_stages(experiment: Experiment, config: str | None, values: dict[str, Any], force: bool) -> int:
    """Each stage that is not done in a process of its own; of several ranks, the first does what is no Trainer's."""
    ranks, start, seconds = launched(), None, dict[str, float]()
    if ranks:
        start = way_to_start()  # first: what torch starts next is not for copies of this process
        begin(ranks)
    _say_trained_again(experiment, force)
    for number, name in enumerate(experiment.stages, start=1):
        if not force and of_first(ranks, f"done {experiment.folder(name)}", partial(is_done_before, experiment, name)):
            _say_done(experiment, name)
        elif is_first_process() or CHAIN.stages[name].main:
            start = start or way_to_start()
            checks = not seconds and is_first_process()
            if checks and (status := start(["run", *words_of(config, values), "--check=values"])):
                return status
            so_far = times(sum(seconds.values()), [experiment.folder(one) for one in experiment.stages[number - 1 :]])
            _say(f"acr run: {name}, stage {number} of {len(experiment.stages)}{so_far}")
            since = time.monotonic()
            if status := start([name, *words_of(config, values), *(["--force"] if force else [])]):
                again = same_command(force)
                print(f"acr run: stage {name} failed (exit status {status}); {again} continues", file=sys.stderr)
                return status
            seconds[name] = time.monotonic() - since
        if ranks:
            end_stage(experiment, name, ranks)
    _say_seconds(experiment, seconds)
    if ranks:
        leave(ranks)
    return 0


def _say_trained_again(experiment: Experiment, force: bool) -> None:
    for name, text in ((name, other_photos(experiment, name)) for name in experiment.stages):
        if text and is_first_process() and not force:
            words = f"--after={experiment.run} --run={experiment.run}-2"
            print(f"{name}: is trained again, since it was on {text}; {words} goes on from it", file=sys.stderr)


def _say(text: str) -> None:
    if is_first_process():
        print(text, file=sys.stderr, flush=True)


def _say_done(experiment: Experiment, name: str) -> None:
    other, again = made_by(experiment.folder(name)), f"--stages={name} --force does it again"
    more = f", by other code ({other}; this is {code()}); {again}" if other != code() else ""
    _say(f"{name}: done before{more}")


def _say_seconds(experiment: Experiment, seconds: dict[str, float]) -> None:
    durations = ", ".join(f"{name} {duration(one)}" for name, one in seconds.items())
    page, together = experiment.run / "report.html", duration(sum(seconds.values()))
    if seconds and is_first_process():
        print(f"acr run: {durations}; together {together} → {page if page.exists() else page.parent}", file=sys.stderr)


def stage(
    name: str,
    /,
    *,
    config: str | None = None,
    force: bool = False,
    print_config: bool = False,
    help: bool = False,
    **values: Any,
) -> int:
    """One stage in this process; KEY is a key of its section, or of the experiment: run, dataset, seed, from.

    Args:
        name: of the stage.
        config: an experiment file, or the name of a shipped one.
        force: do it again; its old result is moved aside.
        print_config: print what would run.
        help: print all values.
        **values: of the stage's section, or of the experiment.
    """
    experiment = stage_experiment(name, config, values)
    if help:
        if (choice := CHAIN.stages[name].choice) and not experiment.takes_part(name):
            experiment = stage_experiment(name, config, {**values, choice: next(iter(CHAIN.presets[choice]))})
        print_help(experiment, name)
    elif print_config:
        print_sections(experiment.section(name))
    else:
        for line in reused(experiment, name) if is_first_process() else ():
            print(line, file=sys.stderr)
        run_stage(experiment, name, force)
    return 0


def stage_experiment(name: str, config: str | None, values: dict[str, Any]) -> Experiment:
    """The experiment of a stage's command, whose keys are those of the stage's section, or of the experiment.

    `shard` and `verify` are the stage's own keys or its data's.
    """
    of_data = {key: f"data.{key}" for key in ("shard", "verify") if CHAIN.stages[name].function is None}
    known, full_keys = top_keys(CHAIN), dict[str, Any]()
    for key, value in values.items():
        is_top = key.partition(".")[0] in known
        full_keys[key if is_top else f"{name}.{of_data.get(key, key)}"] = value
    return load(CHAIN, config, full_keys)


def words_of(config: str | None, values: dict[str, Any]) -> list[str]:
    """Values as words of a command line."""
    words = ["--config", config] if config else []
    for key, value in values.items():
        text = yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
        words.append(f"--{key}={text}")
    return words


def print_sections(value: Any) -> None:
    """Print a section, or several, as YAML."""
    # By way of JSON, so that what stands there twice is written twice, not as an alias.
    print(yaml.safe_dump(json.loads(json.dumps(value, default=str)), sort_keys=False), end="")
