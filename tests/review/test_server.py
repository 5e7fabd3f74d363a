"""The server through HTTP: who is answered, what is shown, and that nothing but decisions is written."""

import asyncio
import io
import json
import re

import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
from review.conftest import EVIL, SIZE

from acr_lightning.artefacts import review_file
from acr_lightning.artefacts.review_file import Decision
from acr_lightning.review.doubt import measure
from acr_lightning.review.page import page_state
from acr_lightning.review.server import ReviewServer

TOKEN = "the-token"


@pytest.fixture
def ask(reviewed):
    """A request and its answer: status, headers, body."""
    measures = [measure(name, reviewed) for name in reviewed.names]
    probabilities = {name: [0.9, 0.1] for name in reviewed.names}
    server = ReviewServer(reviewed, page_state(reviewed, "<i>run</i>", measures, probabilities, []), TOKEN)

    def request(path, method="GET", host="127.0.0.1", **options):
        async def asked():
            async with TestClient(TestServer(server.application())) as client:
                headers = {"Host": host, **options.pop("headers", {})}
                async with client.request(method, path, headers=headers, **options) as answer:
                    return answer.status, answer.headers, await answer.read()

        return asyncio.run(asked())

    return request


def decide(ask, photo, content, **options):
    return ask(f"/{TOKEN}/decide", "POST", json={"photo": photo, "decision": content}, **options)


def state_of(body):
    text = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', body.decode(), re.DOTALL)[1]
    return json.loads(text)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("token", ["%20", "the-toke", "the-token2", "THE-TOKEN", "%F0%9F%90%88", "x"])
def test_only_who_knows_the_token_is_answered(ask, token):
    assert ask(f"/{TOKEN}/")[0] == ask(f"/{TOKEN}/photo/0")[0] == 200
    for path in ("", "photo/0", "decide"):
        assert ask(f"/{token}/{path}")[0] == 404
    assert ask(f"/{token}/decide", "POST", json={"photo": "a", "decision": {"verdict": "rejected"}})[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "[::1", "127.0.0.2", ""])
def test_a_name_that_somebody_points_here_is_not_answered(ask, host, run):
    for good in ("127.0.0.1:9", "localhost", "LOCALHOST:9999"):
        assert ask(f"/{TOKEN}/", host=good)[0] == 200
    assert ask(f"/{TOKEN}/", host=host)[0] in (400, 403)
    assert decide(ask, "a", {"verdict": "rejected"}, host=host)[0] in (400, 403)
    assert not (run / "review.json").exists()


@pytest.mark.parametrize(
    "path",
    ["photo/4", "photo/-1", "photo/0/..", "photo/../../tags.csv", "photo/%2e%2e%2ftags.csv", "photo/a", "x/0",
     "photo/999999999", "photo/9999999999", "..%2f..%2fphotos%2ftags.csv", "cam/0?class=../x", "review.json"],
)  # fmt: skip
def test_nothing_but_the_pictures_is_handed_out(ask, path):
    status, _, body = ask(f"/{TOKEN}/{path}")
    assert status == 404
    assert b"image,tags" not in body


def test_headers_keep_the_page_to_itself(ask):
    for path, status in ((f"/{TOKEN}/", 200), (f"/{TOKEN}/label/0", 200), ("/", 404)):
        got, headers, _ = ask(path)
        assert got == status
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
    policy = ask(f"/{TOKEN}/")[1]["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_names_are_text_in_the_page(ask, reviewed):
    body = ask(f"/{TOKEN}/")[2]
    assert b"<img src=x" not in body
    assert b"<i>run" not in body
    state = state_of(body)
    assert EVIL in [one["name"] for one in state["classes"]]
    assert [one["id"] for one in state["photos"] if EVIL in one["id"]] == [f"beach/{EVIL}"]


def test_the_most_doubtful_photo_is_the_first(ask):
    doubts = [one["doubt"] for one in state_of(ask(f"/{TOKEN}/")[2])["photos"]]
    assert doubts == sorted(doubts, reverse=True)
    assert len(set(doubts)) > 1


def test_of_the_classifier_the_page_is_told_what_contradicts_the_tags(ask):
    told = {one["id"]: one["probabilities"] for one in state_of(ask(f"/{TOKEN}/")[2])["photos"]}
    assert told == {"a": {EVIL: 0.9, "cat": 0.1}, f"beach/{EVIL}": {"cat": 0.1}, "beach/c": told["a"], "d": {}}


def picture(ask, path):
    status, _, body = ask(f"/{TOKEN}/{path}")
    assert status == 200, body
    return np.array(Image.open(io.BytesIO(body)))


def test_pictures_are_those_of_the_files(ask, reviewed):
    for index, name in enumerate(reviewed.names):
        assert picture(ask, f"photo/{index}").shape == (*SIZE, 3)
        assert np.array_equal(picture(ask, f"label/{index}?refined=true"), reviewed.label(name))
        cam = reviewed.cam(name)
        for one, levels in zip(cam.classes, cam.levels, strict=True):
            params = {"class": reviewed.dataset.class_names[one]}
            body = ask(f"/{TOKEN}/cam/{index}", params=params)[2]
            assert np.array_equal(np.array(Image.open(io.BytesIO(body))), levels)
        prediction = reviewed.prediction(name)
        if prediction is None:
            assert ask(f"/{TOKEN}/prediction/{index}")[0] == 404
        else:
            assert np.array_equal(picture(ask, f"prediction/{index}"), prediction)


def test_a_label_is_drawn_at_once_at_another_threshold(ask, reviewed, run):
    index, before = 0, contents(run)
    cam = reviewed.cam(reviewed.names[index])
    for threshold in (0.2, 0.8):
        wanted = np.where(cam.levels[0] / 255 > threshold, cam.classes[0] + 1, 0)
        for refined in ("true", "false"):
            got = picture(ask, f"label/{index}?threshold={threshold}&refined={refined}")
            assert np.array_equal(got, wanted)
    for bad in ("x", "2", "-1", "nan", ""):
        status, _, body = ask(f"/{TOKEN}/label/{index}?threshold={bad}")
        assert (status, b"threshold" in body) == (409, True)
    assert contents(run) == before


def test_decisions_are_kept_and_nothing_else_is_written(ask, run, reviewed):
    before, name = contents(run), f"beach/{EVIL}"
    content = {"verdict": "rejected", "threshold": 0.25, "removed": ["cat"]}
    status, _, body = decide(ask, name, content)
    assert (status, json.loads(body)) == (200, content)
    assert decide(ask, "a", {"verdict": "accepted", "added": [EVIL]})[0] == 200
    assert review_file.read(run / "review.json") == {
        name: Decision("rejected", 0.25, (), ("cat",)), "a": Decision("accepted", None, (EVIL,)),
    }  # fmt: skip
    photos = {one["id"]: one["decision"] for one in state_of(ask(f"/{TOKEN}/")[2])["photos"]}
    assert photos[name] == content
    assert decide(ask, name, {})[0] == 200  # taken back
    assert set(review_file.read(run / "review.json")) == {"a"}
    after = contents(run)
    assert after.keys() - before.keys() == {"review.json"}
    assert before.items() <= after.items()


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (409, {"json": {"photo": "a", "decision": {"verdict": "maybe"}}}),
        (409, {"json": {"photo": "a", "decision": {"added": ["dgo"]}}}),
        (409, {"json": {"photo": "a"}}),
        (400, {"json": {"photo": "../a", "decision": {}}}),
        (400, {"json": {"photo": ["a"], "decision": {}}}),
        (400, {"json": []}),
        (400, {"data": b"{", "headers": {"Content-Type": "application/json"}}),
        (400, {"data": b"[" * 60000, "headers": {"Content-Type": "application/json"}}),
        (400, {"data": b"\xff\xfe", "headers": {"Content-Type": "application/json"}}),
        (413, {"data": b" " * 100_000, "headers": {"Content-Type": "application/json"}}),
        (415, {"data": {"photo": "a", "decision": "{}"}}),
        (415, {"data": b'{"photo": "a", "decision": {}}', "headers": {"Content-Type": "text/plain"}}),
    ],
)
def test_what_is_no_decision_is_refused(ask, run, status, options):
    assert ask(f"/{TOKEN}/decide", "POST", **options)[0] == status
    assert not (run / "review.json").exists()


def test_a_damaged_file_is_never_replaced(ask, run):
    (run / "review.json").write_text("mine, but damaged")
    status, _, body = decide(ask, "a", {"verdict": "accepted"})
    assert (status, b"damaged JSON" in body) == (409, True)
    assert (run / "review.json").read_text() == "mine, but damaged"


def test_what_another_wrote_meanwhile_is_kept(ask, run):
    assert decide(ask, "a", {"verdict": "accepted"})[0] == 200
    review_file.write(run / "review.json", review_file.read(run / "review.json") | {"d": Decision("rejected")})
    assert decide(ask, "beach/c", {"verdict": "rejected"})[0] == 200
    assert set(review_file.read(run / "review.json")) == {"a", "d", "beach/c"}
