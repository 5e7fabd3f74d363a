"""The page: what it is told of a run, and the file that works without a server."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from acr_lightning.report.pictures import colour
from acr_lightning.report.templates import render
from acr_lightning.review.doubt import Measures, doubts
from acr_lightning.review.pictures import label_png, levels_png, photo_jpeg
from acr_lightning.review.reviewed_run import ReviewedRun
from acr_lightning.review.tag_scores import Probabilities

# Pixels of the long side, where pictures travel in the page; and above which a contradiction of a tag is shown.
SIDE, EVEN = 400, 0.5


def page_state(
    run: ReviewedRun,
    title: str,
    measures: Sequence[Measures],
    probabilities: Probabilities,
    notes: Iterable[str],
    most: int | None = None,
) -> dict[str, Any]:
    """What the page is told, most doubtful photos first; of the probabilities those that contradict a photo's tags.

    Args:
        run: what is reviewed.
        title: of the page.
        measures: of its labels, in the order of its names.
        probabilities: of the classes by the classifier, by photo; may be empty.
        notes: what cannot be shown.
        most: so many photos; None is all.
    """
    names, decisions = run.dataset.class_names, run.decisions()
    of_each = doubts(measures)
    photos = []
    for index in np.argsort([-doubt for doubt in of_each], kind="stable")[:most]:
        name, one = run.names[index], measures[index]
        tags, scores = run.tags(name), zip(names, probabilities.get(name, []), strict=False)
        photos.append(
            {
                "index": int(index), "id": name, "tags": tags, "doubt": round(of_each[index], 3),
                "measures": one._asdict(),
                "decision": decisions[name].content() if name in decisions else {},
                "probabilities": {of: value for of, value in scores if (1 - value if of in tags else value) > EVEN},
            }
        )  # fmt: skip
    return {
        "title": title,
        "classes": [{"name": name, "colour": colour(label)} for label, name in enumerate(names, 1)],
        "threshold": run.way.threshold,
        "refines": run.way.refiner is not None or run.way.vote is not None,
        "photos": photos,
        "notes": [*notes],
    }


def page(state: Mapping[str, Any], nonce: str = "") -> str:
    """The page as HTML; its script and style carry the nonce, so that a browser runs no others."""
    return render("page.html", "review", state=state, nonce=nonce)


def page_without_server(run: ReviewedRun, state: Mapping[str, Any]) -> str:
    """The page with all its pictures in it; decisions are downloaded as a file, which `acr review --take` takes in.

    Raises:
        UserError: a photo, label or CAM is missing or damaged.
    """
    from rich.progress import track

    photos = [{**one, "pictures": _pictures(run, one["id"])} for one in track(state["photos"], "page")]
    return page({**state, "photos": photos})


def _pictures(run: ReviewedRun, name: str) -> dict[str, Any]:
    """A photo's pictures as data URIs."""
    image, cam, prediction = run.dataset.image(name), run.cam(name), run.prediction(name)
    class_names = run.dataset.class_names
    return {
        "photo": _uri("jpeg", photo_jpeg(image, SIDE)),
        "label": _uri("png", label_png(run.label(name), SIDE)),
        "prediction": None if prediction is None else _uri("png", label_png(prediction, SIDE)),
        "cams": {
            class_names[at]: _uri("png", levels_png(one, SIDE)) for at, one in zip(cam.classes, cam.levels, strict=True)
        },
    }


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
