"""A recording in a real browser: seen while it runs, a marker by the keyboard, then the file."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_pages import started
from viewer_pages import CHROMIUM, Watched

import nrm_plugin as nrm
from nrm_plugin.markers import markers_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="the program chromium is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="a signal ends the recording"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def test_a_recording_is_seen_from_its_begin_to_its_file(tmp_path: Path, browser: Any) -> None:
    with started(tmp_path) as (process, url):
        watched = Watched(browser, url, load=False)
        page = watched.page
        page.goto(url)
        watched.until("document.body.classList.contains('is-live')")
        watched.until("/curve 1 /.test(document.querySelector('.live-facts').textContent)", 60.0)
        facts = page.locator(".live-facts").inner_text()
        assert "F_max 9" in facts
        assert "wall slope \N{MINUS SIGN}1" in facts
        assert " curve" in page.locator(".live-state").inner_text()
        assert page.locator(".streams canvas").count() >= 5
        page.keyboard.press("Space")
        page.keyboard.type("Argon on")
        page.keyboard.press("Enter")
        watched.until("/Argon on/.test(document.querySelector('ol.markers').textContent)")
        process.send_signal(signal.SIGINT)
        watched.until("!document.body.classList.contains('is-live')", 60.0)
        watched.until("/wall slope/.test(document.querySelector('#facts').textContent)")
        assert "curve 0" in " ".join(page.locator("#facts").inner_text().split())
        watched.check()
        watched.close()
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60.0)
        assert process.returncode == 0, stdout
    (marker,) = markers_of(nrm.open(tmp_path / "out.h5").metadata)
    assert marker.text == "Argon on"
