"""`acr review`: look through a run's labels, worst first, and decide on them."""

import secrets
import socket
from pathlib import Path
from typing import Any

from acr_lightning.artefacts import review_file
from acr_lightning.artefacts.manifest import require_trained
from acr_lightning.artefacts.own_files import require_own, write_own
from acr_lightning.chain.check import checked_dataset
from acr_lightning.chain.experiment_file import load
from acr_lightning.classes.bounded import PositiveInt
from acr_lightning.errors import UserError, shown
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
    photos: PositiveInt | None = None,
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
        photos: only so many, the most doubtful ones; null is all.
        take: a review.json whose decisions are added to the run's, instead of a page.
        replace: with --take: let it change decisions that are there; the file before is kept.
        check_tags: ask the classifier which tags it doubts: once, for all photos.
        port: of the server; 0 takes a free one.
        config: the run's experiment file, for its data set, where photos came later; KEY is one of its keys.
        **values: of the experiment.
    """
    require_trained(Path(run))
    given = config is not None or bool(values)
    experiment = load(CHAIN, config, values) if given else None
    dataset = required_dataset(Path(run)) if experiment is None else checked_dataset(experiment)
    notes = Notes()
    reviewed = reviewed_run(Path(run), dataset, notes, trusted=given)
    if take is not None:
        with folder_lock(reviewed.review):
            return _take(reviewed, Path(take), replace)
    if output is not None:
        require_own([output])
    with folder_lock(reviewed.review):
        reviewed.decisions()  # a damaged file is told before anything is computed
        state = _state(Path(run), reviewed, notes, photos, check_tags, experiment.packages() if experiment else [])
        if output is None:
            return _serve(reviewed, state, port)
    from acr_lightning.review.page import page_without_server

    write_own(output, page_without_server(reviewed, state))
    print(f"{output}: {len(state['photos'])} photos; acr review {run} --take review.json takes its decisions in")
    return 0


def _state(
    run: Path, reviewed: ReviewedRun, notes: Notes, photos: int | None, check_tags: bool, packages: list[str]
) -> dict[str, Any]:
    from acr_lightning.review.doubt import measure_all
    from acr_lightning.review.page import page_state
    from acr_lightning.review.tag_scores import tag_probabilities

    measures = measure_all(reviewed)
    probabilities = tag_probabilities(run, reviewed.dataset, reviewed.names, packages) if check_tags else {}
    state = page_state(reviewed, run.resolve().name, measures, probabilities, notes)
    return {**state, "photos": state["photos"][:photos]}


def _serve(reviewed: ReviewedRun, state: dict[str, Any], port: int) -> int:
    from aiohttp import web

    from acr_lightning.review.server import ADDRESS, ReviewServer

    try:
        listening = socket.create_server((ADDRESS, port))
    except (OSError, OverflowError) as error:
        raise UserError(f"--port: {port} cannot be listened at ({error}); leave it out for a free one") from None
    token = secrets.token_urlsafe(24)
    print(f"http://{ADDRESS}:{listening.getsockname()[1]}/{token}/  (Ctrl-C ends it)", flush=True)
    web.run_app(
        ReviewServer(reviewed, state, token).application(),
        sock=listening,
        print=None,
        access_log=None,
        shutdown_timeout=1,
    )
    decisions = len(reviewed.decisions())
    print(f"{reviewed.review}: decisions on {decisions} photos; acr run with the same --config goes on from them")
    return 0


def _take(reviewed: ReviewedRun, path: Path, replace: bool) -> int:
    """Take the decisions of a file in; what was decided before is only changed on request, and then kept beside it."""
    if not path.is_file():
        raise UserError(f"--take: {path}: no such file")
    before, more = reviewed.decisions(), review_file.read(path, reviewed.dataset.class_names)
    reviewed.require_known(more, str(path))
    changed = [name for name, one in more.items() if name in before and before[name] != one]
    if changed and not replace:
        raise UserError(
            f"{path}: decides otherwise than {reviewed.review} on {len(changed)} photos, such as {shown(changed[0])}; "
            "--replace takes its decisions, and keeps the file before"
        )
    if changed:
        kept = next(one for n in range(1, 10**6) if not (one := path_of_old(reviewed.review, n)).exists())
        review_file.write(kept, before)
        print(f"{kept}: the decisions before")
    reviewed.decide(more)
    print(f"{reviewed.review}: {len(more)} decisions taken in, {len(changed)} of them changed what was there")
    return 0


def path_of_old(path: Path, number: int) -> Path:
    """Where a file of decisions is kept that was replaced."""
    return path.with_name(f"{path.stem}.old-{number}{path.suffix}")
