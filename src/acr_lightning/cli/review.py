"""`acr review`: look through a run's labels, worst first, and decide on them."""

from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import require_trained
from acr_lightning.artefacts.own_files import require_own, write_own
from acr_lightning.chain.check import checked_dataset
from acr_lightning.chain.experiment_file import load
from acr_lightning.classes.bounded import PositiveInt
from acr_lightning.report.notes import Notes
from acr_lightning.report.stranger import required_dataset
from acr_lightning.review.reviewed_run import ReviewedRun, reviewed_run
from acr_lightning.stages.chain import CHAIN
from acr_lightning.system.lock import folder_lock


def review(
    run: str,
    /,
    *,
    output: str | None = None,
    photos: PositiveInt = 2000,
    take: str | None = None,
    replace: bool = False,
    check_tags: bool = True,
    port: int = 0,
    config: str | None = None,
    **values: Any,
) -> int:
    """A page of a run's labels, the most doubtful first: accept, reject, another threshold, other tags.

    It is served at an address of this machine until Ctrl-C. Decisions are written to review.json in the run, and
    `acr run` with the same --config then does again what hangs on them: `label` (thresholds, tags), `segment` (without
    rejected photos), `cam` (tags that were added), and what comes after.

    Args:
        run: folder of a run whose stage `label` is done.
        output: write a page that works without a server instead; it downloads a review.json for --take.
        photos: at most so many, the most doubtful ones.
        take: a review.json whose decisions are added to the run's, instead of a page.
        replace: with --take: let it change decisions that are there; the file before is kept.
        check_tags: ask the classifier which tags it doubts: once, for all photos.
        port: of the server; 0 takes a free one.
        config: the run's experiment file, for its data set, where photos came later; KEY is one of its keys.
        **values: of the experiment.
    """
    require_trained(Path(run))
    has_experiment = config is not None or bool(values)
    experiment = load(CHAIN, config, values) if has_experiment else None
    dataset = required_dataset(Path(run)) if experiment is None else checked_dataset(experiment)
    notes = Notes()
    reviewed = reviewed_run(Path(run), dataset, notes, trusted=has_experiment)
    if take is not None:
        with folder_lock(reviewed.review):
            print("\n".join(reviewed.take(Path(take), replace)))
        return 0
    if output is not None:
        require_own([output])
    with folder_lock(reviewed.review):
        reviewed.decisions()  # a damaged file is told before anything is computed
        state = _state(Path(run), reviewed, notes, photos, check_tags, experiment.packages() if experiment else [])
        if output is None:
            from acr_lightning.review.server import serve

            serve(reviewed, state, port)
            count, after = len(reviewed.decisions()), "acr run with the same --config goes on from them"
            print(f"{reviewed.review}: decisions on {count} photos; {after}")
            return 0
    from acr_lightning.review.page import page_without_server

    write_own(output, page_without_server(reviewed, state))
    print(f"{output}: {len(state['photos'])} photos; acr review {run} --take review.json takes its decisions in")
    return 0


def _state(
    run: Path, reviewed: ReviewedRun, notes: Notes, photos: int, check_tags: bool, packages: list[str]
) -> dict[str, Any]:
    from acr_lightning.review.doubt import measure_all
    from acr_lightning.review.page import page_state
    from acr_lightning.review.tag_scores import tag_probabilities

    if photos < (count := len(reviewed.names)):
        notes.append(f"the {photos} most doubtful of {count} photos are shown; --photos {count} shows all")
    probabilities = tag_probabilities(run, reviewed.dataset, reviewed.names, packages) if check_tags else {}
    return page_state(reviewed, run.resolve().name, measure_all(reviewed), probabilities, notes, photos)
