"""`acr review` as a person uses it: in a browser, with a restart in between, and the chain goes on from it."""

import re
import shutil
import signal
import time

import numpy as np
import pytest
from browser import browser_page, shot
from commands import acr, start

from acr_lightning.artefacts import review_file
from acr_lightning.artefacts.palette import read_mask


@pytest.fixture
def serve():
    """Start a review and wait for its address; a server that is left is killed after the test."""
    servers = []

    def begin(run):
        server = start("review", run)
        servers.append(server)
        while not (server.out.exists() and (address := re.search(r"http://\S+/", server.out.read_text()))):
            assert server.poll() is None, server.communicate()[1]
            time.sleep(0.02)
        return server, address[0]

    yield begin
    for server in servers:
        if server.poll() is None:
            server.kill()
        server.wait()


def stop(server):
    server.send_signal(signal.SIGINT)
    out, err = server.communicate()
    assert server.returncode == 0, err
    return out


def drawn(page, fits):
    """The pixels that lie over the photo, once they fit and the label is the refined one."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pixels = page.evaluate(
            """() => { const canvas = document.querySelector("#label-view canvas");
            return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]; }"""
        )
        if fits(pixels) and page.locator("#label-note").inner_text() == "":
            return pixels
        page.wait_for_timeout(20)
    raise AssertionError("the label was not drawn")


def saving(page):
    return page.expect_response(lambda answer: answer.url.endswith("/decide") and answer.status == 200)


def test_a_review_in_a_browser_and_the_chain_goes_on(config, uninterrupted, serve, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(uninterrupted, run)
    before = {path.stem: read_mask(path) for path in (run / "label" / "labels").glob("*.png")}
    with browser_page() as page:
        server, address = serve(run)
        page.goto(address)
        photos = page.locator("#list button")
        assert photos.count() == 16  # those that the network learns from, not those of val
        listed = [photos.nth(at).get_attribute("data-photo") for at in range(16)]
        third = next(at for at in range(2, 15) if before[listed[at]].any())  # one without any class stays as it is
        names = [*listed[:2], *listed[third : third + 2]]
        page.wait_for_selector("#tags button.on")
        shot(page, "1_first")
        with saving(page):
            page.keyboard.press("r")
        with saving(page):
            page.keyboard.press("a")
        assert page.locator("#name").inner_text() == listed[2]
        assert page.locator("#progress").inner_text() == "2 of 16 decided: 1 accepted, 1 rejected"
        photos.nth(third).click()
        pixels = drawn(page, lambda pixels: len(pixels) > 4)
        with saving(page):
            page.locator("#threshold").fill("1")
        assert drawn(page, lambda now: now != pixels)
        shot(page, "2_threshold")
        page.keyboard.press("ArrowRight")
        wrong = page.locator("#tags button.on").first
        wrong_tag = wrong.evaluate("button => button.firstChild.textContent")
        with saving(page):
            wrong.click()
        shot(page, "3_tag")
        assert "decisions on 4 photos" in stop(server)
        page.keyboard.press("r")
        page.wait_for_selector("#error:not([hidden])")
        assert "acr review" in page.locator("#error").inner_text()
        assert photos.nth(third + 1).get_attribute("class") == ""  # what was not saved is not shown as decided
        shot(page, "4_not_saved")

        decisions = review_file.read(run / "review.json")
        assert decisions == {
            names[0]: review_file.Decision("rejected"), names[1]: review_file.Decision("accepted"),
            names[2]: review_file.Decision(threshold=1.0), names[3]: review_file.Decision(removed=(wrong_tag,)),
        }  # fmt: skip
        server, address = serve(run)
        page.goto(address)
        page.wait_for_selector("#tags button.on")
        classes = [page.locator(f'#list [data-photo="{name}"]').get_attribute("class") for name in names]
        assert classes[:2] == ["rejected", "accepted"]
        page.locator("#which").select_option("accepted")
        assert page.locator("#list button").count() == 1
        with saving(page):
            page.keyboard.press("a")  # taken back
        page.locator("#which").select_option("rejected")
        assert page.locator("#name").inner_text() == names[0]
        shot(page, "5_filtered")
        second = acr("review", run)
        assert (second.returncode, "in use by process" in second.stderr) == (2, True)
        stop(server)
    decisions.pop(names[1])
    assert review_file.read(run / "review.json") == decisions

    done = acr("run", "--config", config, "--stages=fit,cam,label,segment")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+): done before", done.stderr, re.MULTILINE) == ["fit", "cam"]
    assert re.search(r"label: .* changed; the result before was moved to", done.stderr)
    assert "segment: done, epochs 1, photos 15" in done.stderr
    after = {path.stem: read_mask(path) for path in (run / "label" / "labels").glob("*.png")}
    assert {name for name in after if not np.array_equal(after[name], before[name])} <= {names[2], names[3]}
    assert not np.array_equal(after[names[2]], before[names[2]])
