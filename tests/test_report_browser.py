"""What a real browser makes of the report: figures, sorting, accessibility, print."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin.potential import read_log, with_potential
from nrm_plugin.report import write_report
from nrm_plugin.simulate.sodiation import sodiation, write_log

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="the program chromium is not installed"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Report with everything, under a name that an address must quote."""
    folder = tmp_path_factory.mktemp("a report #1")
    made, log, _ = sodiation((4, 6), seed=3)
    made.save(folder / "curves.h5")
    write_log(log, folder / "cv.csv")
    curves = with_potential(nrm.open(folder / "curves.h5"), folder / "cv.csv", clock_offset=0.0)
    results = nrm.process(curves)
    path = folder / "report.html"
    write_report(results, path, curves=curves, log=read_log(folder / "cv.csv"))
    return path


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, report):
    """The report in a window, and what the browser had to say of it."""
    opened = browser.new_page(viewport={"width": 1200, "height": 900})
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(report.as_uri(), wait_until="load")
    yield opened
    opened.close()


def test_it_opens_from_a_file_without_errors_and_asks_for_nothing_else(page, report):
    assert page.said == []
    assert [url for url in page.asked if not url.startswith("data:")] == [report.as_uri()]
    assert page.title() == "First sodiation of hard carbon (simulated) – 1D-NRM report"
    assert page.locator("header .banner").is_visible()


def test_all_figures_are_there_to_see(page):
    pictures = page.locator("figure img")
    assert pictures.count() >= 12
    for i in range(pictures.count()):
        picture = pictures.nth(i)
        assert picture.is_visible()
        size = picture.evaluate("p => [p.complete, p.naturalWidth, p.clientWidth, p.clientHeight]")
        assert size[0]
        assert min(size[1:]) > 100


@pytest.mark.parametrize("width", [1200, 800, 400])
def test_nothing_is_wider_than_the_window(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def keys(table, column: int) -> list[str]:
    return table.evaluate(
        "(t, i) => [...t.tBodies[0].rows].map(r => r.cells[i].dataset.key)", column
    )


def test_tables_sort_by_a_click_and_back_by_another(page):
    table = page.locator("table.sortable").filter(has_text="Effective places").last
    headings = table.locator("thead th")
    before = keys(table, 5)
    for column in range(headings.count()):
        heading = headings.nth(column)
        assert heading.get_attribute("aria-sort") == "none"
        for order in ("ascending", "descending"):
            heading.locator("button").click()
            assert heading.get_attribute("aria-sort") == order
            found = keys(table, column)
            numbers = [float(key) for key in found if key]
            assert found[: len(numbers)] == [key for key in found if key]  # nothing goes last
            assert np.all(np.diff(numbers) * (1 if order == "ascending" else -1) >= 0)
    assert sorted(keys(table, 5)) == sorted(before)  # no row was lost
    assert table.locator("thead th[aria-sort=none]").count() == headings.count() - 1


def test_words_sort_as_words_and_by_the_keyboard(page):
    table = page.locator("#measured ~ .table table.sortable").first
    table.locator("thead th").nth(2).locator("button").focus()
    page.keyboard.press("Enter")
    found = keys(table, 2)
    assert found == sorted(found)
    assert len(found) > 10


def test_the_accessibility_checker_finds_nothing(browser, report):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    # The checker is a script, which the page's own policy would not let in.
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(report.as_uri())
    found = axe.Axe().run(page)
    context.close()
    violations = [(v["id"], v["nodes"][0]["html"]) for v in found.response["violations"]]
    assert violations == []
    assert len(found.response["passes"]) > 20  # it did look


def test_it_prints(page, tmp_path):
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    # What is fixed in a table's repeated heading must be text, or it is missing there.
    shown = page.locator("th button").first.evaluate("b => getComputedStyle(b).display")
    assert shown == "contents"
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    pdf = (tmp_path / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert 4 <= pdf.count(b"/Type /Page\n") <= 20


def test_every_printed_page_says_that_its_data_are_simulated(page, tmp_path):
    if shutil.which("pdftotext") is None:
        pytest.skip("the program pdftotext (poppler) is not installed")
    import subprocess

    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    done = subprocess.run(
        ["pdftotext", tmp_path / "report.pdf", "-"],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    pages = done.stdout.split("\f")[:-1]
    assert len(pages) >= 4
    assert all("Simulated data" in one for one in pages)
