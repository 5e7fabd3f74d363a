"""Debian's Chromium, driven by Playwright: the client from PyPI alone, which downloads nothing."""

import contextlib
import os
import shutil

import pytest

# Nothing of the browser's own may reach out.
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --no-proxy-server "
    "--disable-component-update --disable-sync"
)


@contextlib.contextmanager
def browser_page():
    """A page of a new browser; a test fails if the page's script does. Without a browser the test is skipped."""
    chromium = shutil.which("chromium")
    if chromium is None:
        (pytest.fail if os.environ.get("ACR_NEEDS_BROWSER") else pytest.skip)("no browser: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no client for the browser: pip install playwright")
    faults = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS.split())
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        yield page
        browser.close()
    assert not [fault for fault in faults if "ERR_CONNECTION" not in fault]  # of a server that the test stopped


def shot(page, name):
    """Keep a picture of the page, where ACR_SHOTS names a folder."""
    if folder := os.environ.get("ACR_SHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=f"{folder}/{name}.png")
