"""Curves in the page of `nrm view`, in a real browser: every action by mouse and by keyboard."""

from __future__ import annotations

import csv
import re
import shutil
import time
import tomllib
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin.potential import with_potential
from nrm_plugin.simulate.sodiation import sodiation, write_log
from nrm_plugin.viewer.opening import opened
from nrm_plugin.viewer.page_server import serve
from nrm_plugin.viewer.sessions import Session

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="the program chromium is not installed"),
]

HOSTILE = "<img src=x onerror=alert(1)> \"&' \u0007 =1+1 " + "very long " * 60


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A map of 20 curves with potentials, processed in both directions, in its folder."""
    folder = tmp_path_factory.mktemp("made")
    curves, log, _ = sodiation((4, 5), seed=3)
    write_log(log, folder / "cv.csv")
    with_potential(curves, folder / "cv.csv", clock_offset=0.0).save(folder / "curves.h5")
    nrm.process(folder / "curves.h5", {"direction": "both"}, out=folder / "results.h5")
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(made, tmp_path / "files"))


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def show(browser):
    """Opens files as `nrm view` does, in a window; what the browser had to say is `page.said`."""
    servers, pages = [], []

    def open_page(*files: Path, feed=None, curves=True, **options):
        if feed is None:
            session = Session(opened(list(files)))
            server = serve(session)
            session.begin()
        else:
            server = serve(feed)
        servers.append(server)
        context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        page = context.new_page()
        pages.append(page)
        page.said, page.refused, page.asked = [], [], []
        page.on("console", lambda m: page.said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(server.url, wait_until="load")
        if feed is None:
            if curves:
                page.wait_for_selector("#curve-panel .plot:not(.is-empty)")
            page.wait_for_function("() => window.nrmTimes['nrm:first-curve']")
        return page

    yield open_page
    for page in pages:
        refusals = re.compile("status of (409|422)")  # those that a test asked for
        assert [text for text in page.said if not refusals.search(text)] == []
        assert all(url.startswith(("http://127.0.0.1:", "blob:", "data:")) for url in page.asked)
        page.context.close()
    for server in servers:
        server.stop()


def approach(folder: Path):
    """The results as they were made, of the approach."""
    return nrm.open_results(folder / "results.h5", decisions=False).sel(direction="approach")


def sentence(page, panel: str, k: int = 0) -> str:
    """What a screen reader says of a plot."""
    return page.locator(f"{panel} .plot > .sr-only").nth(2 * k).inner_text()


def says(page, panel: str, text: str, k: int = 0) -> None:
    """Wait until a plot says so."""
    page.wait_for_function(
        "([panel, k, text]) => document.querySelectorAll(`${panel} .plot`)[k]"
        ".querySelector('.sr-only').textContent.includes(text)",
        arg=[panel, k, text],
        timeout=15000,
    )


def limits(page) -> tuple[float, float]:
    """What is seen of the x axis of the curve."""
    handle = page.locator(".handle-wall, .handle-baseline").first
    return tuple(float(handle.get_attribute(f"aria-value{end}")) for end in ("min", "max"))


def status(page, text: str) -> None:
    page.wait_for_function(
        "text => document.getElementById('status').textContent.includes(text)", arg=text
    )


def area(page, panel: str = "#curve-panel", k: int = 0) -> dict[str, float]:
    return page.locator(f"{panel} .u-over").nth(k).bounding_box()


# What is shown


def test_the_curve_and_its_profiles_are_said_in_numbers(show, made):
    page = show(made / "results.h5")
    curve = sentence(page, "#curve-panel")
    assert curve.startswith("deflection (nm) against height (nm). Curve 0, approach;")
    found = re.search(r"contact at ([\d.]+) ± ([\d.]+) nm", curve)
    results = approach(made)
    assert float(found[1]) == pytest.approx(float(results.contact_height[0]) * 1e9, abs=0.01)
    assert float(found[2]) == pytest.approx(float(results.contact_height_stderr[0]) * 1e9, rel=0.1)
    assert "baseline from" in curve
    assert "wall from" in curve
    says(page, "#profile-panel", "E′ of the region: ", 1)
    moduli = sentence(page, "#profile-panel", 1)
    assert moduli.startswith("modulus (MPa) against distance from the electrode (nm).")
    told = float(
        re.search(r"E′: .*?, ([−\d.]+) MPa \([^)]*\) at 10 nm", moduli)[1].replace("−", "-")
    )
    depth = int(np.argmin(np.abs(results.depth.values - 10e-9)))
    assert told == pytest.approx(float(results.storage_modulus[0, depth]) / 1e6, abs=0.01)


def test_zoom_by_drag_wheel_and_keys_and_back(show, made):
    page = show(made / "results.h5")
    whole = limits(page)
    box = area(page)
    y = box["y"] + box["height"] * 0.3
    page.mouse.move(box["x"] + 0.5 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], y + 3, steps=4)
    page.mouse.up()
    # The handles lie outside now; the cursor tells what is seen.
    page.mouse.move(box["x"] + 2, y)
    left = page.locator("#curve-panel .plot-readout").inner_text()
    middle = whole[0] + 0.5 * (whole[1] - whole[0])
    assert float(re.search(r"height ([\d.]+) nm", left)[1]) == pytest.approx(middle, abs=2.0)
    page.mouse.dblclick(box["x"] + 30, y)
    assert limits(page) == pytest.approx(whole)
    page.mouse.move(box["x"] + 0.25 * box["width"], y)
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        "most => Number(document.querySelector('.handle-wall').ariaValueMax) < most - 10",
        arg=whole[1],
    )
    page.get_by_role("button", name="Whole", exact=True).click()
    assert limits(page) == pytest.approx(whole)
    page.locator("#curve-panel .plot").focus()
    page.keyboard.press("+")
    nearer = limits(page)
    assert nearer[1] - nearer[0] == pytest.approx((whole[1] - whole[0]) / 1.25, rel=0.01)
    page.keyboard.press("-")
    page.keyboard.press("+")
    page.keyboard.press("0")
    assert limits(page) == pytest.approx(whole)


def test_the_cursor_reads_values_by_mouse_and_keys_in_linked_plots(show, made):
    page = show(made / "results.h5")
    box = area(page, "#profile-panel", 0)
    page.mouse.move(box["x"] + box["width"] / 6, box["y"] + 40)
    readouts = page.locator("#profile-panel .plot-readout")
    distance = [
        re.search(r"electrode ([\d.]+) nm", readouts.nth(k).inner_text())[1] for k in (0, 1)
    ]
    assert distance[0] == distance[1]
    assert float(distance[0]) == pytest.approx(10.0, abs=0.5)
    assert "F*x" in readouts.nth(0).inner_text()
    assert re.search(r"E′ [−\d.]+ MPa \([−\d.]+ to [−\d.]+\)", readouts.nth(1).inner_text())
    plot = page.locator("#profile-panel .plot").nth(1)
    plot.focus()
    current = page.locator("#curve-panel h2").inner_text()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    spoken = plot.locator("[aria-live]").inner_text()
    assert float(re.search(r"electrode ([\d.]+) nm", spoken)[1]) > 20
    assert page.locator("#curve-panel h2").inner_text() == current  # arrows stayed in the plot


def test_views_directions_and_overlays_by_key_and_button(show, made):
    page = show(made / "results.h5")
    page.keyboard.press("v")
    says(page, "#curve-panel", "deflection above the baseline (nm) against distance")
    page.get_by_role("button", name="Referenced").click()
    says(page, "#curve-panel", "deflection (nm) against height (nm)")
    page.keyboard.press("d")
    says(page, "#curve-panel", "and the other direction")
    page.keyboard.press("d")
    page.keyboard.press("Control+a")
    page.keyboard.press("o")
    says(page, "#curve-panel", "19 other curves overlaid")
    page.get_by_role("button", name="Overlay").click()
    page.wait_for_function(
        "() => !document.querySelector('#curve-panel .sr-only').textContent.includes('overlaid')"
    )
    page.keyboard.press("b")
    says(page, "#profile-panel", "Moduli are hidden: blind.", 1)
    assert "MPa" not in sentence(page, "#profile-panel", 1)


def test_a_logarithmic_axis_on_demand(show, made):
    page = show(made / "results.h5")
    page.get_by_label("Axis of the moduli").select_option("log")
    assert sentence(page, "#profile-panel", 1).startswith("modulus (")
    assert page.locator("#profile-panel canvas").count() == 2


# The recipe


def test_windows_dragged_by_mouse_and_moved_by_keys_are_another_recipe(show, made, record_property):
    page = show(made / "results.h5")
    page.click("#tab-recipe")
    handle = page.locator(".handle-wall")
    before = float(handle.get_attribute("aria-valuenow"))
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 30
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 30, y, steps=6)
    page.mouse.up()
    page.wait_for_function(
        "() => document.querySelector('#curve-panel h2').textContent.includes('tried')"
    )
    page.wait_for_function(
        "at => Number(document.querySelector('.handle-wall').ariaValueNow) < at - 5", arg=before
    )
    assert page.locator("#recipe-contact-method").input_value() == "two-line"
    page.wait_for_function("() => window.nrmTimes['nrm:recipe-drawn']?.length >= 1")
    part = float(page.locator("#recipe-contact-two-line-wall").input_value())
    assert 0.05 < part < 0.95
    assert page.locator(".field.changed").count() == 3
    page.locator(".handle-baseline").focus()
    at = float(page.locator(".handle-baseline").get_attribute("aria-valuenow"))
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.wait_for_function(
        "at => Number(document.querySelector('.handle-baseline').ariaValueNow) > at + 10", arg=at
    )
    page.wait_for_function("() => window.nrmTimes['nrm:recipe-drawn']?.length >= 2")
    record_property(
        "ms to draw a changed recipe", page.evaluate("window.nrmTimes['nrm:recipe-drawn']")
    )
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function(
        "() => !document.querySelector('#curve-panel h2').textContent.includes('tried')"
    )
    page.wait_for_function(
        "at => Math.abs(Number(document.querySelector('.handle-wall').ariaValueNow) - at) < 0.01",
        arg=before,
    )


def test_a_value_is_tried_at_once_and_mistakes_are_said_beside_it(show, made):
    page = show(made / "results.h5")
    page.click("#tab-recipe")
    width = page.locator("#recipe-derivative-half_width")
    assert width.input_value() == "2"
    before = sentence(page, "#profile-panel", 1)
    width.fill("6")
    page.wait_for_function(
        "() => document.querySelector('#curve-panel h2').textContent.includes('tried')"
    )
    page.wait_for_function(
        "before => document.querySelectorAll('#profile-panel .sr-only')[2].textContent !== before",
        arg=before,
    )
    assert "1 value changed" in page.locator("#recipe-panel .note").inner_text()
    width.fill("six")
    wrong = page.locator("#recipe-derivative-half_width-wrong")
    assert wrong.inner_text() == "A number in nm is needed, such as 2."
    assert width.get_attribute("aria-invalid") == "true"
    assert page.get_by_role("button", name="Apply to all").is_disabled()
    width.fill("1e9")
    page.wait_for_function(
        "() => document.getElementById('recipe-derivative-half_width-wrong').textContent"
        ".includes('cannot be meant')"
    )
    width.fill("2")
    page.wait_for_function(
        "() => !document.querySelector('#curve-panel h2').textContent.includes('tried')"
    )
    assert not wrong.is_visible()


def test_applied_to_all_and_saved_under_a_name(show, folder):
    page = show(folder / "results.h5")
    page.click("#tab-recipe")
    page.fill("#recipe-depth-stop", "40")
    page.fill("#recipe-name", "shorter")
    page.press("#recipe-name", "Enter")
    status(page, "shorter.toml")
    saved = tomllib.loads((folder / "shorter.toml").read_text("utf-8"))
    assert saved["depth"]["stop"] == "40 nm"
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Overwrite").click()
    page.get_by_role("button", name="Save", exact=True).wait_for()
    page.get_by_role("button", name="Apply to all").click()
    page.wait_for_function(
        "() => document.querySelector('#recipe-panel .note').textContent.startsWith('As the')",
        timeout=60000,
    )
    page.wait_for_function("() => document.getElementById('recipe-depth-stop').value === '40'")
    results = approach(folder)
    assert float(results.depth[-1]) == pytest.approx(40e-9)


def test_processing_of_all_can_be_cancelled(show, tmp_path):
    curves, _, _ = sodiation((16, 16), seed=1)
    curves.save(tmp_path / "curves.h5")
    page = show(tmp_path / "curves.h5")
    page.click("#tab-recipe")
    page.fill("#recipe-depth-stop", "45")
    page.get_by_role("button", name="Process all").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#recipe-panel .progress button:focus")
    page.keyboard.press("Enter")  # the focus is on Cancel
    status(page, "ancelled")
    page.wait_for_selector("#recipe-panel .progress", state="hidden")
    assert page.locator("#recipe-depth-stop").input_value() == "45"  # still tried
    assert not (tmp_path / "curves-results.h5").exists()
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Process all").click()
    page.wait_for_function(
        "() => document.querySelector('#recipe-panel .note').textContent.startsWith('As the')",
        timeout=120000,
    )
    assert page.locator("#actions [data-action=exclude]").is_enabled()


# Decisions


def decided(folder: Path) -> list[dict]:
    path = folder / "results.decisions.toml"
    return tomllib.loads(path.read_text("utf-8")).get("decision", []) if path.exists() else []


def test_exclude_accept_undo_redo_and_the_list(show, folder):
    page = show(folder / "results.h5")
    page.click("#tab-decisions")
    page.keyboard.press("r")
    page.keyboard.type("tip <b>jumped</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector(".decision-exclude")
    (one,) = decided(folder)
    assert one["decision"] == "exclude"
    assert one["curves"] == [0]
    assert one["reason"] == "tip <b>jumped</b>"
    assert one["visible"] == ["potential", "moduli", "condition"]
    assert "tip <b>jumped</b>" in page.locator(".decision .reason").inner_text()
    assert "visible: potential, moduli, condition" in page.locator(".decision").inner_text()
    page.locator("#curve-panel .flags").get_by_text("excluded by hand").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_selector(".decision-exclude", state="detached")
    assert decided(folder) == []
    page.keyboard.press("Control+y")
    page.wait_for_selector(".decision-exclude")
    page.keyboard.press("u")
    page.wait_for_selector(".decision-exclude", state="detached")
    page.keyboard.press("U")
    page.wait_for_selector(".decision-exclude")
    # Blind, on many curves: a decision of its own, which says so.
    page.keyboard.press("b")
    page.keyboard.press("Control+a")
    page.get_by_role("button", name="Accept").click()
    page.get_by_role("dialog").get_by_role("button", name="Accept").click()
    page.wait_for_selector(".decision-accept")
    blind = decided(folder)[-1]
    assert blind["decision"] == "accept"
    assert blind["visible"] == []
    assert "blind" in page.locator(".decision-accept").inner_text()
    # A click in the list goes to its curves.
    page.keyboard.press("ArrowUp")
    page.wait_for_function(
        "() => !document.querySelector('#curve-panel h2').textContent.includes('Curve 0')"
    )
    page.locator(".decision-exclude .jump").click()
    page.wait_for_function(
        "() => document.querySelector('#curve-panel h2').textContent.includes('Curve 0')"
    )
    page.locator(".decision-exclude .clear").click()
    page.wait_for_selector(".decision-exclude", state="detached")
    assert [d["decision"] for d in decided(folder)] == ["accept"]


def test_excluding_can_be_called_off(show, folder):
    page = show(folder / "results.h5")
    page.get_by_role("button", name="Exclude").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    assert page.locator("dialog.ask[open]").count() == 0
    assert decided(folder) == []


def test_a_contact_is_moved_by_keys_with_a_preview_and_an_error(show, folder):
    page = show(folder / "results.h5")
    old = float(approach(folder).contact_height[0]) * 1e9
    page.keyboard.press("m")
    page.wait_for_selector(".handle-contact:focus")
    before = sentence(page, "#profile-panel", 1)
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "before => document.querySelectorAll('#profile-panel .sr-only')[2].textContent !== before",
        arg=before,
    )
    assert "contact by hand" in page.locator("#curve-panel .plot-legend").inner_text()
    assert re.search(
        r"was [\d.]+ ± [\d.]+ nm; moved 2\.9 nm up", page.locator(".against").inner_text()
    )
    assert decided(folder) == []  # a preview decides nothing
    page.fill("#contact-error", "0.8")
    page.fill("#contact-reason", "bump before the wall")
    page.keyboard.press("Enter")
    page.click("#tab-decisions")
    page.wait_for_selector(".decision-contact")
    (one,) = decided(folder)
    assert float(one["height"].split()[0]) == pytest.approx(old + 2.9, abs=0.02)
    assert one["stderr"] == "0.8 nm"
    assert float(one["old_height"].split()[0]) == pytest.approx(old, abs=0.01)
    assert one["reason"] == "bump before the wall"
    words = page.locator(".decision-contact").inner_text()
    assert re.search(r"contact by hand at [\d.]+ ± 0\.80 nm, was [\d.]+ ± [\d.]+ nm", words)
    says(page, "#curve-panel", "contact by hand at")
    assert not page.locator(".mover").is_visible()


def test_a_contact_is_moved_by_mouse_and_the_move_called_off(show, folder):
    page = show(folder / "results.h5")
    page.get_by_role("button", name="Move contact").click()
    handle = page.locator(".handle-contact")
    handle.wait_for()
    before = float(handle.get_attribute("aria-valuenow"))
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 30
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=5)
    page.mouse.up()
    assert float(handle.get_attribute("aria-valuenow")) > before + 5
    page.wait_for_function(
        "() => document.querySelector('#curve-panel h2').textContent.includes('tried')"
    )
    page.fill("#contact-error", "0")
    page.get_by_role("button", name="Confirm").click()
    status(page, "above 0")
    page.keyboard.press("Escape")
    page.wait_for_function(
        "() => !document.querySelector('#curve-panel h2').textContent.includes('tried')"
    )
    assert not page.locator(".mover").is_visible()
    assert decided(folder) == []
    # Another curve drops what was tried on this one.
    page.keyboard.press("m")
    handle.wait_for()
    page.get_by_role("button", name="Cancel").click()
    assert not page.locator(".mover").is_visible()


# Export


def exported(page, kind: str, tmp_path: Path) -> Path:
    page.keyboard.press("e")
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("button", name=kind).click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_csv_holds_what_is_seen_with_units_and_origin(show, made, tmp_path):
    page = show(made / "results.h5")
    says(page, "#profile-panel", "E′ of the region: ", 1)
    text = exported(page, "CSV", tmp_path).read_text("utf-8")
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert "# simulated data" in comments
    assert any(re.match(r"# files: results\.h5; curves\.h5$", line) for line in comments)
    assert any(line.startswith("# curve 0, number 0 in ") for line in comments)
    assert any(line.startswith("# wall window: height ") for line in comments)
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
    heading = rows[0]
    at = heading.index("deflection of curve 0, approach (nm)")
    detail = nrm.open(made / "curves.h5")[0]
    samples = [float(row[at]) for row in rows[1:] if row[at]]
    height = [
        float(row[heading.index("height of curve 0, approach (nm)")]) for row in rows[1:] if row[at]
    ]
    assert len(samples) == len(height) > 200
    assert max(height) == pytest.approx(detail.read("height").max() * 1e9, abs=0.5)
    results = approach(made)
    modulus = [
        float(row[heading.index("modulus of E′ (MPa)")])
        for row in rows[1:]
        if row[heading.index("modulus of E′ (MPa)")]
    ]
    expected = results.storage_modulus[0].values / 1e6
    assert modulus == pytest.approx(expected[np.isfinite(expected)], rel=1e-5)
    assert "modulus of E′, 95 % low (MPa)" in heading


def test_svg_has_real_text_and_lines_and_png_has_pixels(show, made, tmp_path):
    page = show(made / "results.h5", color_scheme="dark")
    root = ET.parse(exported(page, "SVG", tmp_path)).getroot()
    space = "{http://www.w3.org/2000/svg}"
    words = [text.text for text in root.iter(f"{space}text")]
    assert {"height (nm)", "deflection (nm)", "modulus (MPa)", "curve 0, approach"} <= set(words)
    paths = [path.get("d") for path in root.iter(f"{space}path")]
    assert max(map(len, paths)) > 2000
    assert not list(root.iter(f"{space}image"))
    assert root.find(f"{space}rect").get("fill") == "#ffffff"  # on white, in the dark too
    png = exported(page, "PNG", tmp_path).read_bytes()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 1920
    assert len(png) > 50_000


def test_blind_exports_hold_no_potential_and_no_moduli(show, made, tmp_path):
    page = show(made / "results.h5")
    page.keyboard.press("b")
    text = exported(page, "CSV", tmp_path).read_text("utf-8")
    assert "potential" not in text
    assert "modulus" not in text
    assert "lateral force" in text


# What files may hold


def test_hostile_names_are_text(show, made, tmp_path):
    curves = nrm.open(made / "curves.h5")[:3]
    path = tmp_path / "<b>&'x' =1.h5"
    replace(curves, metadata={**curves.metadata, "title": HOSTILE, "comment": HOSTILE}).save(path)
    page = show(path)
    assert page.locator("img").count() == 0
    assert page.evaluate("document.querySelectorAll('b').length") == 0
    text = exported(page, "CSV", tmp_path).read_text("utf-8")
    assert all(line.startswith("#") or "=1+1" not in line for line in text.splitlines())
    svg = exported(page, "SVG", tmp_path)
    assert not list(ET.parse(svg).getroot().iter("{http://www.w3.org/2000/svg}b"))


def test_curves_without_a_lateral_signal_say_so(show, made, tmp_path):
    curves = nrm.open(made / "curves.h5")[:3]
    kept = {n: c for n, c in curves.channels.items() if not n.startswith(("lateral", "lockin"))}
    replace(curves, channels=kept).save(tmp_path / "bare.h5")
    page = show(tmp_path / "bare.h5")
    says(page, "#curve-panel", "contact at")
    assert "lateral" in sentence(page, "#profile-panel", 0)
    assert page.locator("#profile-panel .plot.is-empty").count() == 2


def test_results_whose_curves_are_gone_are_looked_at_and_decided_on(show, folder):
    (folder / "curves.h5").unlink()
    moved = folder.rename(folder.with_name("elsewhere"))
    page = show(moved / "results.h5", curves=False)
    assert "--curves" in page.locator("#curve-panel .plot-empty").inner_text()
    says(page, "#profile-panel", "E′: ", 1)
    assert page.locator("#actions [data-action=contact]").is_disabled()
    page.click("#tab-recipe")
    assert page.locator("#recipe-depth-stop").is_disabled()
    page.keyboard.press("a")
    page.wait_for_function("() => window.document.body.innerText.includes('accepted')")
    assert [d["decision"] for d in decided(moved)] == ["accept"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing(show, made, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = show(made / "results.h5", bypass_csp=True, color_scheme=theme)
    for action in (
        "#tab-recipe",
        "#tab-decisions",
        "#actions [data-action=contact]",
        "#export button",
    ):
        page.click(action)
        page.wait_for_timeout(300)
        found = axe.Axe().run(page)
        violations = [(v["id"], v["nodes"][0]["html"]) for v in found.response["violations"]]
        assert violations == [], action


# Live


def test_the_live_panel_follows_a_recording_and_takes_markers(show):
    from nrm_plugin.viewer.live import LiveFeed

    began = time.time()
    marks: list[str] = []

    def mark(text: str) -> dict:
        marks.append(text)
        return {"text": text, "time": time.time(), "seconds": time.time() - began}

    channels = [{"name": "deflection", "label": "deflection", "unit": "nm", "factor": 1e9}]
    depth = (np.arange(121) * 0.5e-9).tolist()
    feed = LiveFeed(
        {
            "title": HOSTILE,
            "rate": 10_000.0,
            "simulated": True,
            "channels": channels,
            "depth": depth,
        },
        mark,
    )
    page = show(feed=feed, bypass_csp=True)
    page.wait_for_selector("body.is-live")
    page.wait_for_timeout(300)
    state = {
        "samples": 5000,
        "seconds": 0.5,
        "ring": 0.25,
        "ring_most": 0.5,
        "queued": 0.0,
        "overloads": ["deflection"],
        "lag": 0.3,
        "curves": 1,
    }
    feed.stream({"deflection": np.full(5000, 3e-9, np.float32)}, 10_000.0, state)
    page.wait_for_function(
        "() => document.querySelector('.live-state').textContent.includes('25 %')"
    )
    assert "Overload: deflection" in page.locator(".live-state").inner_text()
    assert page.locator(".streams .plot-readout").inner_text() == "deflection 3 nm"
    height = np.concatenate([np.linspace(3e-7, 0, 300), np.linspace(0, 3e-7, 300)])
    modulus = np.full(121, 4e6).tolist()
    region = {"label": "0.5 to 1.0 V", "potential": [0.5, 1.0], "n": 1}
    region |= {
        f"{part}{end}": modulus for part in ("storage", "loss") for end in ("", "_low", "_high")
    }
    curve = {
        "height": height.tolist(),
        "deflection": np.maximum(0, 6e-8 - height).tolist(),
        "lateral_x": [],
        "lateral_y": [],
        "units": {"deflection": "m", "lateral": "V"},
        "turn": 300,
    }
    trend = {
        "number": 7,
        "seconds": 0.4,
        "potential": 0.7,
        "wall_slope": -0.99,
        "wall_lateral": 4e-10,
        "contact": 6e-8,
    }
    feed.ramp(
        {
            "number": 7,
            "begin": 0.0,
            "stop": 0.4,
            "after": 0.2,
            "potential": 0.7,
            "complete": True,
            "curve": curve,
            "contact": 6e-8,
            "contact_stderr": 2e-10,
            "baseline": [3e-7, 8e-8],
            "wall": [4e-8, 0.0],
            "flags": [],
            "facts": {
                "F_max": 1.3e-8,
                "wall_slope": -0.99,
                "wall_lateral": 4e-10,
                "stick": "stick",
                "valid_from": 1e-9,
            },
            "profile": {
                "storage": modulus,
                "loss": modulus,
                "storage_stderr": modulus,
                "loss_stderr": modulus,
            },
            "error": None,
            "region": region,
            "trend": trend,
        }
    )
    says(page, ".live-curves", "Curve 7: contact at 60.00 ± 0.20 nm", 0)
    says(page, ".live-curves", "0.5 to 1.0 V: 1 curves", 1)
    assert "F_max 13 nN" in page.locator(".live-facts").inner_text()
    says(page, ".trends", "wall slope of 1 curves, the last one −0.99", 0)
    feed.alarm("The tip has changed at curve 7.", number=7, seconds=0.4, quantity="wall_slope")
    page.wait_for_selector(".alarm:has-text('The tip has changed')")
    page.keyboard.press("Space")
    page.keyboard.type("light <b>on</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector(".markers li:has-text('light <b>on</b>')")
    assert marks == ["light <b>on</b>"]
    assert page.evaluate("document.querySelectorAll('b, img').length") == 0
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in found] == []
    feed.ended("/somewhere/finished.h5")
    status(page, "finished.h5")
