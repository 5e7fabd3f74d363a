"""`acr review` without a server: the file that works by itself, and taking its decisions in."""

import json

import pytest
from browser import browser_page, shot
from commands import here
from review.conftest import EVIL

from acr_lightning.artefacts import review_file
from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.review_file import Decision


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_page_without_a_server_and_its_decisions_taken_in(run, tmp_path, capsys):
    before, output = contents(run), tmp_path / "page.html"
    review_file.write(run / "review.json", {"d": Decision("rejected", added=("cat",))})
    assert here("review", run, "--output", output, "--photos=4") == 0
    assert "4 photos; acr review" in capsys.readouterr().out
    assert contents(run).keys() - before.keys() == {"review.json"}
    with browser_page() as page:
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(output.as_uri())
        page.wait_for_selector("#tags button.on")
        shot(page, "6_offline")
        while page.locator("#name").inner_text() != f"beach/{EVIL}":
            page.keyboard.press("n")
        page.locator("#threshold").fill("0.75")
        page.wait_for_function("document.getElementById('label-note').textContent !== ''")
        counts = page.evaluate(
            """() => { const canvas = document.querySelector("#label-view canvas");
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return data.filter((value, at) => at % 4 === 3 && value > 0).length; }"""
        )
        page.locator("#tags button", has_text="cat").click()
        shot(page, "7_offline_changed")
        page.keyboard.press("r")
        with page.expect_download() as download:
            page.locator("#download").click()
        saved = tmp_path / "review.json"
        download.value.save_as(saved)
        assert page.title() == "Review: run"
        assert all(url.startswith(("file:", "data:", "blob:")) for url in requests)
    theirs, earlier = (
        {f"beach/{EVIL}": Decision("rejected", 0.75, removed=("cat",))},
        review_file.read(run / "review.json"),
    )
    assert review_file.read(saved) == theirs | earlier
    assert here("review", run, "--take", saved) == 0
    assert review_file.read(run / "review.json") == theirs | earlier
    levels = read_cam(run / "cam" / "cams" / f"beach/{EVIL}.npz").levels.max(axis=0)
    assert counts == (levels > 0.75 * 255).sum()


PAINTED = """view => { const canvas = document.querySelector(`#${view} canvas`);
    return canvas.width > 1 ? canvas.toDataURL() : ""; }"""


def test_a_slow_picture_of_before_is_not_shown(run, tmp_path):
    """Of another class of the photo, or of another photo; what is asked for last is shown, whatever comes last."""
    assert here("review", run, "--output", tmp_path / "page.html") == 0
    with browser_page() as page:
        page.add_init_script(
            """window.held = []; window.holds = false; window.decoded = 0;
            const decode = Image.prototype.decode;
            Image.prototype.decode = async function () {
              if (window.holds) await new Promise((go) => window.held.push(go));
              await decode.call(this);
              window.decoded += 1;
            };"""
        )
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_selector("#tags button.on")
        while page.locator("#name").inner_text() != f"beach/{EVIL}":
            page.keyboard.press("n")
        page.wait_for_function(f"({PAINTED})('cam-view')")
        (first, second), views = page.locator("#cam-class option").all_inner_texts(), {}
        for name in (second, first):
            before = page.evaluate(PAINTED, "cam-view")
            page.locator("#cam-class").select_option(name)
            page.wait_for_function(f"before => !['', before].includes(({PAINTED})('cam-view'))", arg=before)
            views[name] = page.evaluate(PAINTED, "cam-view")
        page.evaluate("holds = true; decoded = 0")
        page.locator("#cam-class").select_option(second)
        page.locator("#cam-class").select_option(first)
        page.wait_for_function("held.length === 2")
        for at, count in ((1, 1), (0, 2)):
            page.evaluate("at => held[at]()", at)
            page.wait_for_function("count => decoded === count", arg=count)
        assert page.evaluate(PAINTED, "cam-view") == views[first]
        # While those of the next photo are still to come, none of this one is shown.
        page.keyboard.press("n" if page.evaluate("shown.indexOf(current) === 0") else "p")
        assert [page.evaluate(PAINTED, view) for view in ("cam-view", "label-view", "prediction-view")] == [""] * 3


def test_a_page_without_a_server_keeps_what_is_taken_back_and_warns_until_it_is_downloaded(run, tmp_path):
    """By keys alone, and again after a download."""
    review_file.write(run / "review.json", {name: Decision("rejected") for name in ("a", "d")})
    assert here("review", run, "--output", tmp_path / "page.html") == 0
    with browser_page() as page:
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_selector("#tags button.on")

        def is_warned():
            event = "new Event('beforeunload', { cancelable: true })"
            return page.evaluate(f"() => !window.dispatchEvent({event})")

        assert not is_warned()
        while page.locator("#name").inner_text() != "a":
            page.keyboard.press("n")
        page.keyboard.press("r")  # taken back
        assert is_warned()
        with page.expect_download() as download:
            page.locator("#download").click()
        download.value.save_as(tmp_path / "review.json")
        assert not is_warned()
        page.keyboard.press("r")
        assert is_warned()
    assert here("review", run, "--take", tmp_path / "review.json", "--replace") == 0
    assert review_file.read(run / "review.json") == {"d": Decision("rejected")}


def take(run, path, decisions, *words):
    review_file.write(path, decisions)
    return here("review", run, "--take", path, *words)


def test_taking_in_never_replaces_what_was_decided_without_being_asked(run, tmp_path, capsys):
    path, own = tmp_path / "theirs.json", run / "review.json"
    review_file.write(own, {"a": Decision("accepted"), "d": Decision("rejected")})
    assert take(run, path, {"a": Decision("accepted"), "beach/c": Decision("rejected")}) == 0
    assert set(review_file.read(own)) == {"a", "d", "beach/c"}
    before = own.read_bytes()
    assert take(run, path, {"a": Decision("rejected")}) == 2
    assert "decides otherwise" in capsys.readouterr().err
    assert own.read_bytes() == before
    assert take(run, path, {"a": Decision("rejected")}, "--replace") == 0
    assert review_file.read(own)["a"] == Decision("rejected")
    assert (run / "review.old-1.json").read_bytes() == before
    assert take(run, path, {"a": Decision("accepted")}, "--replace") == 0
    assert (run / "review.old-2.json").is_file()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps({"version": 1, "photos": {"aa": {}}}), "no photo 'aa' has a label here. Did you mean 'a'?"),
        (json.dumps({"version": 1, "photos": {"a": {"added": ["kat"]}}}), "Did you mean 'cat'?"),
        ("{", "damaged JSON"),
        (None, "no such file"),
    ],
)
def test_what_cannot_be_taken_in_is_named(run, tmp_path, capsys, text, words):
    path, before = tmp_path / "theirs.json", contents(run)
    if text is not None:
        path.write_text(text)
    assert here("review", run, "--take", path) == 2
    assert words in capsys.readouterr().err
    assert contents(run) == before


def test_a_damaged_review_stops_the_command_before_it_computes(run, tmp_path, capsys):
    (run / "review.json").write_text("[]")
    assert here("review", run, "--output", tmp_path / "page.html") == 2
    assert "review.json: expected a mapping with version and photos" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
    assert (run / "review.json").read_text() == "[]"


def test_a_page_that_somebody_wrote_is_not_replaced(run, tmp_path):
    (tmp_path / "page.html").write_text("mine")
    assert here("review", run, "--output", tmp_path / "page.html") == 2
    assert (tmp_path / "page.html").read_text() == "mine"


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_port_that_there_is_not(run, port, capsys):
    assert here("review", run, f"--port={port}") == 2
    assert "--port" in capsys.readouterr().err
