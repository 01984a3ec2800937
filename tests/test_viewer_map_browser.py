"""The page of `nrm view` in a real browser: map, histogram, lists, keys, layout."""

from __future__ import annotations

import numpy as np
import pytest
from made_results import map_places, results_of
from viewer_pages import CHROMIUM, Watched, processed, served, two_visits, volume

import nrm_plugin as nrm

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="the program chromium is not installed"),
]

ROWS = COLUMNS = 8


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return two_visits(tmp_path_factory.mktemp("a view #1"))


@pytest.fixture(scope="module")
def address(results):
    with served(results) as url:
        yield url


@pytest.fixture
def watched(browser, address):
    """The page with two visits of 8 x 8 places."""
    made = Watched(browser, address)
    made.until("document.querySelectorAll('#doubt-list [role=option]').length > 0")
    yield made
    made.check()
    made.close()


@pytest.fixture
def page(watched):
    return watched.page


def centre(page, row: int, column: int) -> tuple[float, float]:
    """Where a cell of the 8 x 8 map lies in the window: a square in the middle of the canvas."""
    box = page.locator("[aria-roledescription=map]").bounding_box()
    side = min(box["width"], box["height"]) - 2
    left = box["x"] + (box["width"] - side) / 2
    top = box["y"] + (box["height"] - side) / 2
    return left + (column + 0.5) * side / COLUMNS, top + (ROWS - row - 0.5) * side / ROWS


def click(page, row: int, column: int, *keys: str) -> None:
    for key in keys:
        page.keyboard.down(key)
    page.mouse.click(*centre(page, row, column))
    for key in keys:
        page.keyboard.up(key)


def drag(page, *points: tuple[float, float]) -> None:
    page.mouse.move(*points[0])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(x, y, steps=3)
    page.mouse.up()


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def button(page, name: str):
    return page.get_by_role("button", name=name, exact=True)


# ------------------------------------------------------------------ the map


def test_it_opens_with_map_facts_and_what_is_doubtful(watched, page):
    assert page.title() == "Hard carbon – nrm view"
    assert page.locator("#title").inner_text() == "Hard carbon"
    assert page.locator("#tab-doubt").get_attribute("aria-selected") == "true"
    assert page.locator("#doubt-heading").inner_text() == "6 doubtful"
    assert page.locator("#doubt-list [role=option]").count() == 6
    assert watched.state("session")["n_curves"] == 128
    times = page.evaluate("window.nrmTimes")
    assert times["nrm:first-map"][0] > 0


def test_a_click_shows_the_curve_of_the_place(watched, page):
    for row, column in [(0, 0), (0, 7), (7, 0), (7, 7), (3, 5)]:
        click(page, row, column)
        assert watched.state("current", "selected") == [
            row * COLUMNS + column,
            [row * COLUMNS + column],
        ]
    watched.until("document.querySelector('#facts').textContent.includes('29, row 3, col 5')")
    assert "Curve 29, row 3, column 5; storage modulus" in page.locator("#status").inner_text()


def test_the_arrows_go_from_curve_to_curve(watched, page):
    click(page, 3, 3)
    press(page, "ArrowRight", "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowDown")
    assert watched.state("current") == 4 * COLUMNS + 3
    click(page, 7, 7)
    press(page, "ArrowUp", "ArrowRight")
    assert watched.state("current") == 63


def test_a_rectangle_by_the_mouse_and_by_the_keys(watched, page):
    wanted = sorted(r * COLUMNS + c for r in (2, 3) for c in (4, 5, 6))
    (x0, y0), (x1, y1) = centre(page, 2, 4), centre(page, 3, 6)
    drag(page, (x0 - 9, y0 + 9), (x1 + 9, y1 - 9))
    assert sorted(watched.state("selected")) == wanted
    assert page.locator("#selected-count").inner_text() == "6 selected"
    assert page.locator("#status").inner_text() == "6 curves selected."
    press(page, "Escape")
    assert len(watched.state("selected")) == 1
    click(page, 2, 4)
    press(page, "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowUp")
    assert sorted(watched.state("selected")) == wanted
    assert watched.state("current") == 3 * COLUMNS + 6


def test_a_lasso_takes_what_lies_inside(watched, page):
    corners = [(1, 1), (1, 4), (4, 1), (1, 1)]
    for select_lasso in (lambda: button(page, "Lasso").click(), lambda: press(page, "f", "f")):
        select_lasso()
        points = [centre(page, *corner) for corner in corners]
        shift = [(-12, 12), (14, 12), (-12, -14), (-12, 12)]
        drag(page, *[(x + dx, y + dy) for (x, y), (dx, dy) in zip(points, shift, strict=True)])
        found = sorted(watched.state("selected"))
        triangle = [r * COLUMNS + c for r in range(1, 5) for c in range(1, 5) if r + c <= 5]
        assert found == triangle
        press(page, "Escape")
    press(page, "f")


def test_curves_are_added_and_taken_out_one_by_one(watched, page):
    click(page, 0, 1)
    click(page, 0, 3, "Control")
    click(page, 0, 5, "Control")
    click(page, 0, 3, "Control")
    assert sorted(watched.state("selected")) == [1, 5]
    press(page, "s")  # the current one, which was taken out
    assert sorted(watched.state("selected")) == [1, 3, 5]
    click(page, 1, 1)
    click(page, 2, 3, "Shift")
    assert sorted(watched.state("selected")) == [9, 10, 11, 17, 18, 19]
    press(page, "Control+a")
    assert len(watched.state("selected")) == 64
    button(page, "Clear").click()
    assert watched.state("selected") == [watched.state("current")]


def test_the_map_zooms_and_follows_the_curve(watched, page):
    click(page, 4, 4)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(100)
    click(page, 4, 4)  # the same place: it is what the wheel zooms about
    assert watched.state("current") == 36
    press(page, "0", "+", "+", "+")
    for _ in range(5):
        press(page, "ArrowLeft")
    page.wait_for_timeout(100)
    assert watched.state("current") == 32
    box = page.locator("[aria-roledescription=map]").bounding_box()
    press(page, "0")
    page.wait_for_timeout(100)
    page.mouse.click(box["x"] + box["width"] / 2 + 1, box["y"] + box["height"] / 2 - 1)
    assert watched.state("current") == 36
    page.locator("[data-action=zoomIn]").click()
    page.locator("[data-action=zoomOut]").click()
    page.locator("[data-action=zoomAll]").click()


def test_what_the_pointer_is_over_is_read_out(watched, page):
    page.mouse.move(*centre(page, 2, 6))
    assert page.locator("#place").inner_text().startswith("curve 22, row 2, column 6: ")
    assert "MPa" in page.locator("#place").inner_text()


# ------------------------------------------------------------------ what is shown


def test_quantities_by_menu_and_key(watched, page):
    names = [one["name"] for one in watched.state("session")["quantities"]]
    assert watched.state("quantity") == names[0] == "storage_modulus"
    press(page, "q")
    assert watched.state("quantity") == names[1]
    page.locator("#quantity").select_option("contact_height")
    watched.until(
        "document.querySelector('.histogram').getAttribute('aria-label').includes('height')"
    )
    assert page.locator("#distance").is_hidden()  # it has none
    page.locator("#quantity").select_option("storage_modulus")
    assert page.locator("#distance").is_visible()


def test_a_quantity_that_takes_time_does_not_hold_up_others(watched, page):
    for name in ("region", "thickness", "wall_slope"):
        page.locator("#quantity").select_option(name)
    watched.until_state("state.values.quantity.name === 'wall_slope'")
    page.locator("#quantity").select_option("thickness")
    watched.until_state("state.values.quantity.name === 'thickness'")
    page.locator("#quantity").select_option("region")
    watched.until("document.querySelectorAll('.classes button').length === 2")
    page.locator(".classes button").first.click()
    assert len(watched.state("selected")) == 64


def test_distances_by_slider_and_keys(watched, page, results):
    assert watched.state("depth") == 5e-9
    press(page, "]", "PageUp", "[", "PageUp")
    assert watched.state("depth") == pytest.approx(6e-9)
    watched.until("window.nrmTimes['nrm:depth-drawn']?.length >= 1")
    drawn = page.evaluate("window.nrmTimes['nrm:depth-drawn'].length")
    page.locator("#distance").focus()
    press(page, "ArrowRight")
    assert watched.state("depth") == pytest.approx(6.5e-9)
    assert page.locator("#distance-text").inner_text() == "6.5 nm"
    watched.until_state("state.values.depth > 6.4e-9")
    found = watched.page.evaluate(
        f"""async () => {{
            const {{ get }} = await import({watched.url + "state.js"!r});
            return [...get().values.values];
        }}"""
    )
    stored = nrm.open_results(results)["storage_modulus"].sel(depth=6.5e-9, direction="approach")
    assert np.allclose(np.array(found, float), stored.values, rtol=1e-6, equal_nan=True)
    watched.until(f"window.nrmTimes['nrm:depth-drawn'].length > {drawn}")


def test_layers_and_images_by_menu_and_key(watched, page):
    names = page.locator("#layer option").all_inner_texts()
    assert [name.split(" (")[0] for name in names[:2]] == [
        "1.0-1.5 V, visit 1",
        "0.005-0.5 V, visit 2",
    ]
    assert names[2] == "topography (m)"
    press(page, "l")
    assert watched.state("layer") == 1
    click(page, 0, 1)
    assert watched.state("current") == 65
    page.locator("#layer").select_option(label=names[2])
    watched.until(
        "document.querySelector('[aria-roledescription=map]').ariaLabel === 'Map: topography'"
    )
    assert page.locator("#quantity").is_hidden()
    click(page, 0, 2)  # the curve at that place of the image
    assert watched.state("current") == 66
    page.locator("#layer").focus()
    press(page, "Home")
    assert watched.state("layer", "image") == [0, None]


def test_directions(watched, page):
    page.locator("#direction").select_option("retract")
    watched.until_state("state.values.direction === 'retract'")


# ------------------------------------------------------------------ histogram and colours


def test_a_range_of_values_is_selected_by_typing_and_by_brushing(watched, page, results):
    page.locator("#quantity").select_option("contact_height")
    watched.until("document.querySelector('.select-line').textContent.includes('nm')")
    values = nrm.open_results(results)["contact_height"].sel(direction="approach").values[:64] * 1e9
    low, high = (float(f"{v:.4g}") for v in np.nanquantile(values, [0.25, 0.6]))
    page.get_by_label("Select values from").fill(str(low))
    page.get_by_label("Select values up to").fill(str(high))
    press(page, "Enter")
    wanted = np.flatnonzero((values >= low) & (values <= high))
    assert sorted(watched.state("selected")) == wanted.tolist()
    assert page.locator(".brushed").is_visible()
    box = page.locator(".histogram").bounding_box()
    y = box["y"] + 20
    drag(page, (box["x"] + 1, y), (box["x"] + box["width"] - 1, y))
    assert len(watched.state("selected")) == np.isfinite(values).sum()
    drag(page, (box["x"] + box["width"] / 2, y), (box["x"] + box["width"] + 30, y))
    inside = watched.state("selected")
    assert 0 < len(inside) < 64
    assert (
        values[inside].min()
        >= np.delete(values, inside)[np.isfinite(np.delete(values, inside))].max()
    )
    press(page, "Escape")
    watched.until("document.querySelector('.brushed').hidden")


def test_the_range_of_the_colours_by_mouse_and_keys(watched, page):
    lower, upper = page.locator("[role=slider].handle").all()
    robust = float(upper.get_attribute("aria-valuenow"))
    box = upper.bounding_box()
    drag(page, (box["x"] + 4, box["y"] + 8), (box["x"] - 60, box["y"] + 8))
    moved = float(upper.get_attribute("aria-valuenow"))
    assert moved < robust
    assert watched.state("range")[1] * 1e-6 == pytest.approx(moved)
    lower.focus()
    before = float(lower.get_attribute("aria-valuenow"))
    press(page, "ArrowRight")
    page.wait_for_timeout(60)
    press(page, "PageUp")
    page.wait_for_timeout(60)
    assert float(lower.get_attribute("aria-valuenow")) > before
    press(page, "Home")
    page.wait_for_timeout(60)
    assert watched.state("range") is None
    assert float(upper.get_attribute("aria-valuenow")) == pytest.approx(robust)


def test_classes_are_a_list_with_counts(watched, page, results):
    page.locator("#quantity").select_option("quality")
    watched.until("document.querySelectorAll('.classes button').length > 0")
    bits = nrm.open_results(results)["quality"].sel(direction="approach")
    masks = dict(zip(bits.attrs["flag_meanings"].split(), bits.attrs["flag_masks"], strict=True))
    wanted = np.flatnonzero(bits.values[:64] & masks["no_hard_contact"])
    button = page.locator(".classes button", has_text="no hard contact")
    assert button.inner_text() == f"no hard contact {len(wanted)}"
    button.click()
    assert sorted(watched.state("selected")) == wanted.tolist()


# ------------------------------------------------------------------ lists


def test_next_and_previous_doubtful_go_through_all_layers(watched, page):
    order = [
        int(text.split(",")[0])
        for text in page.locator("#doubt-list [role=option] > :first-child").all_inner_texts()
    ]
    assert sorted(order) == [3, 17, 40, 67, 81, 105]
    for curve in [*order, order[0]]:
        press(page, "n")
        assert watched.state("current") == curve
        assert watched.state("layer") == curve // 64
    press(page, "Shift+N")
    assert watched.state("current") == order[-1]
    button(page, "Next").click()
    assert watched.state("current") == order[0]
    page.locator("#doubt-list").focus()
    press(page, "End", "ArrowUp")
    assert watched.state("current") == order[-2]
    assert page.locator("#doubt-list [aria-selected=true]").count() == 1
    page.locator("#doubt-list [role=option]").nth(1).click()
    assert watched.state("current") == order[1]


def test_the_next_one_after_a_decision_is_the_one_that_followed(watched, page):
    order = [3, 17, 40, 67, 81, 105]
    press(page, "n", "n", "a", "Enter")
    watched.until("document.querySelector('#doubt-heading').textContent === '5 doubtful'")
    press(page, "n")
    assert watched.state("current") == order[2]
    press(page, "u")
    watched.until("document.querySelector('#doubt-heading').textContent === '6 doubtful'")
    press(page, "Shift+N")
    assert watched.state("current") == order[1]


def test_flags_narrow_the_list_and_select_their_curves(watched, page):
    flag = page.locator(".doubt-flag", has_text="no hard contact")
    assert flag.inner_text().split() == ["no", "hard", "contact", "6"]
    flag.click()
    assert page.locator("#doubt-heading").inner_text() == "6 with no hard contact"
    page.get_by_label("Select the 6 curves with no hard contact").click()
    assert sorted(watched.state("selected")) == [3, 17, 40, 67, 81, 105]
    press(page, "n", "n")  # looking at them keeps them selected
    assert len(watched.state("selected")) == 6


# ------------------------------------------------------------------ blind, theme, help, layout


def test_blind_hides_names_conditions_potential_and_moduli(watched, page):
    click(page, 1, 1)
    watched.until("document.querySelector('#facts').textContent.includes('1.20 V')")
    assert "visit 1.h5" in page.locator("body").inner_text()
    press(page, "b")
    watched.until("document.querySelector('#blind').ariaPressed === 'true'")
    watched.until(
        "!document.querySelector('[aria-roledescription=map]').ariaLabel.includes('modulus')"
    )
    press(page, "ArrowRight", "n")
    seen = page.locator("body").inner_text() + page.content() + page.title()
    for hidden in ("visit 1", "both.h5", "1.20 V", "1.0-1.5", "0.005-0.5", "hard carbon"):
        assert hidden not in seen, hidden
    page.locator("#tab-decisions").click()
    assert "both" not in page.locator("#side").inner_text()
    assert "modul" not in page.locator("#map-panel").inner_text().lower()
    assert watched.state("quantity") not in ("storage_modulus", "loss_modulus", "potential")
    page.locator("#blind").click()
    assert watched.state("quantity") == "storage_modulus"
    press(page, "b")
    for _ in range(30):
        press(page, "q")
        assert watched.state("quantity") not in (
            "storage_modulus",
            "viscosity",
            "potential",
            "region",
        )
    page.locator("#blind").click()
    watched.until("document.querySelector('#facts').textContent.includes('1.20 V')")


def test_the_theme_by_key_and_button_is_remembered(watched, page):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    press(page, "t", "t")
    assert watched.state("theme") == "dark"
    dark = page.evaluate(ground)
    assert dark != light
    watched.load()
    assert page.evaluate(ground) == dark
    page.locator("#theme").click()
    assert watched.state("theme") == "auto"
    assert page.evaluate(ground) == light


def test_a_dark_system_is_followed(browser, address):
    watched = Watched(browser, address, color_scheme="dark")
    assert watched.page.evaluate("document.documentElement.dataset.theme") == "dark"
    watched.page.emulate_media(color_scheme="light")
    watched.until("document.documentElement.dataset.theme === 'light'")
    watched.check()
    watched.close()


def test_help_lists_every_key_and_closes(watched, page):
    press(page, "?")
    dialog = page.locator("#help")
    assert dialog.is_visible()
    assert dialog.locator("kbd").count() >= 30
    before = watched.state("current")
    press(page, "n")  # keys of the page do not work through it
    assert watched.state("current") == before
    press(page, "Escape")
    assert dialog.is_hidden()
    page.locator("#help-button").click()
    assert dialog.is_visible()
    button(dialog, "Close").click()
    assert dialog.is_hidden()


def test_tabs_and_sizes_by_the_keyboard(watched, page):
    page.locator("#tab-doubt").focus()
    press(page, "ArrowRight")
    assert page.locator("#recipe-panel").is_visible()
    assert page.locator("#doubt-panel").is_hidden()
    press(page, "End")
    assert page.evaluate("document.activeElement.id") == "tab-decisions"
    press(page, "Home")
    width = page.locator("#map-panel").bounding_box()["width"]
    page.locator("#split-left").focus()
    press(page, "ArrowRight", "ArrowRight", "ArrowRight")
    wider = page.locator("#map-panel").bounding_box()["width"]
    assert wider > width + 50
    watched.load()
    assert page.locator("#map-panel").bounding_box()["width"] == pytest.approx(wider, abs=1)
    box = page.locator("#split-left").bounding_box()
    drag(page, (box["x"] + 3, box["y"] + 50), (box["x"] - 97, box["y"] + 50))
    assert page.locator("#map-panel").bounding_box()["width"] == pytest.approx(wider - 100, abs=3)
    page.locator("#split-left").dblclick()
    assert page.locator("#map-panel").bounding_box()["width"] == pytest.approx(width, abs=2)


def test_every_control_is_reached_by_tab(watched, page):
    reached = set()
    for _ in range(120):
        press(page, "Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.id || document.activeElement.getAttribute('aria-label')"
            )
        )
    for wanted in (
        "quantity",
        "distance",
        "layer",
        "direction",
        "doubt-list",
        "blind",
        "theme",
        "help-button",
        "tab-doubt",
        "split-left",
        "split-right",
        "split-curves",
        "Lower end of the colours",
        "Select values from",
    ):
        assert wanted in reached, wanted
    assert any("Map" in str(one) for one in reached)


# ------------------------------------------------------------------ accessibility, other files


def violations(watched) -> list[tuple[str, str]]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(watched.page)
    assert len(found.response["passes"]) > 15  # it did look
    return [(v["id"], v["nodes"][0]["html"][:200]) for v in found.response["violations"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing(browser, address, theme):
    # The checker is a script, which the page's own policy would not let in.
    watched = Watched(browser, address, color_scheme=theme, bypass_csp=True)
    watched.until("window.nrmTimes['nrm:first-curve']")
    assert violations(watched) == []
    watched.page.locator("#quantity").select_option("quality")
    press(watched.page, "n", "Control+a", "b")
    assert violations(watched) == []
    for tab in ("recipe", "decisions"):
        watched.page.locator(f"#tab-{tab}").click()
        assert violations(watched) == []
    press(watched.page, "?")
    assert violations(watched) == []
    watched.close()


def test_nothing_moves_where_the_system_asks_for_it(browser, address):
    watched = Watched(browser, address, reduced_motion="reduce")
    moving = """[...document.querySelectorAll('*')].filter((e) => {
        const s = getComputedStyle(e);
        return s.animationName !== 'none'
            || (s.transitionDuration !== '0s' && s.transitionProperty !== 'none');
    }).length"""
    assert watched.page.evaluate(moving) == 0
    watched.close()


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (1024, 640), (800, 900)])
def test_nothing_is_wider_than_the_window(browser, address, size):
    watched = Watched(browser, address, viewport={"width": size[0], "height": size[1]})
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    if size[0] >= 1100:  # otherwise the lists are below
        assert watched.page.evaluate("document.documentElement.scrollHeight") <= size[1]
    box = watched.page.locator("[aria-roledescription=map]").bounding_box()
    assert min(box["width"], box["height"]) > 150
    watched.check()
    watched.close()


HOSTILE = '<img src=x onerror="alert(1)">&amp;\u202e \x1b[31m "quoted" ' + "very long " * 60


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Files of other kinds, by what is in them."""
    folder = tmp_path_factory.mktemp("others")
    images = volume((2, 2), images=True).images
    nrm.CurveSet.from_arrays({}, images=images, metadata={"title": "Images only"}).save(
        folder / "images.h5"
    )
    return {
        "one": processed(volume(1), folder, "one"),
        "points": processed(volume(3), folder, "points"),
        "series": processed(volume(20, potential=None), folder, "series"),
        "no lateral": processed(volume((4, 4), lateral=False), folder, "no-lateral"),
        "images": folder / "images.h5",
        "hostile": processed(volume((4, 4), title=HOSTILE), folder, "hostile"),
    }


@pytest.mark.parametrize(
    ("kind", "n"),
    [("one", 1), ("points", 3), ("series", 20), ("no lateral", 16), ("images", 0), ("hostile", 16)],
)
def test_files_of_every_kind_are_shown(browser, others, kind, n):
    with served(others[kind]) as url:
        watched = Watched(browser, url, bypass_csp=True)
        page = watched.page
        assert watched.state("session")["n_curves"] == n
        press(page, "ArrowRight", "ArrowUp", "n", "q", "]", "l", "Control+a", "Escape")
        page.wait_for_timeout(200)
        if n > 1:
            assert watched.state("current") >= 1
        assert page.locator("#curves").is_visible() == (n > 0)
        assert violations(watched) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        if kind == "hostile":
            assert (
                page.locator("#title")
                .text_content()
                .startswith('<img src=x onerror="alert(1)">&amp;')
            )
            assert page.locator("img").count() == 0
        watched.check()
        watched.close()


def test_an_image_zooms_and_is_read_out(browser, others):
    with served(others["images"]) as url:
        watched = Watched(browser, url)
        page = watched.page
        page.wait_for_function("document.querySelector('#status').innerText === '1 image.'")
        box = page.locator("[aria-roledescription=map]").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

        def value(dx: float) -> float:
            page.mouse.move(middle[0] + dx, middle[1])
            text = page.locator("#place").inner_text()
            assert text.endswith(" nm")
            return float(text[:-3].replace("\u2212", "-"))

        near, far = value(5), value(100)
        assert near != far
        press(page, "+", "+", "+", "+", "+", "+", "+")
        page.wait_for_timeout(100)
        assert value(5) == near
        assert value(100) != far  # the same place shows a nearer part of the image now
        watched.check()
        watched.close()


def test_points_are_picked_along_the_strip(browser, others):
    with served(others["series"]) as url:
        watched = Watched(browser, url)
        box = watched.page.locator("[aria-roledescription=map]").bounding_box()
        left, width = box["x"] + 1 + 44, box["width"] - 2 - 54
        for number in (0, 7, 19):
            watched.page.mouse.click(
                left + (number + 0.5) * width / 20, box["y"] + box["height"] / 2
            )
            assert watched.state("current") == number
        press(watched.page, "ArrowLeft", "ArrowLeft")
        assert watched.state("current") == 17
        watched.check()
        watched.close()


def test_a_page_without_a_session_says_why(browser, tmp_path):
    results = processed(volume((2, 2)), tmp_path, "small")
    with served(results) as url:
        (tmp_path / "small.decisions.toml").write_text("format = 5")
        made = Watched(browser, url, load=False)
        made.page.goto(url)
        made.until("document.querySelector('#status').textContent.includes('line 1')")
        assert "small.decisions.toml" in made.page.locator("#status").inner_text()
        made.close()


@pytest.mark.slow
def test_a_map_of_65_536_curves_is_quick(browser, tmp_path):
    """Bounds of a quiet computer, or so many times what an empty page takes on a busy one."""
    rng = np.random.default_rng(1)
    places = map_places(256)
    wave = np.sin(places["row"] / 20) * np.cos(places["column"] / 30)
    modulus = 1e6 * np.exp(wave + 0.2 * rng.standard_normal(65536))[:, None]
    modulus = modulus * np.exp(-np.arange(31) / 20) * (1 + 0.2j)
    quality = np.where(rng.random(65536) < 0.05, 2, 0)
    path = tmp_path / "large.h5"
    nrm.save(results_of(modulus, quality=quality, **places), path)
    del modulus
    with served(path) as url:
        watched = Watched(browser, url)
        watched.until("!!window.nrmTimes['nrm:first-curve']")
        for column in range(20, 220, 20):
            box = watched.page.locator("[aria-roledescription=map]").bounding_box()
            x = box["x"] + box["width"] / 2 + (column - 128)
            watched.page.mouse.click(x, box["y"] + box["height"] / 2)
            press(watched.page, "]")
            watched.page.wait_for_timeout(300)
        drag(watched.page, centre(watched.page, 1, 1), centre(watched.page, 5, 5))
        assert len(watched.state("selected")) > 10_000
        times = {name: np.median(ms) for name, ms in watched.page.evaluate("nrmTimes").items()}
        watched.check()
        empty = []
        for _ in range(5):
            watched.page.goto(url + "style.css")
            entry = "performance.getEntriesByType('navigation')[0].duration"
            empty.append(watched.page.evaluate(entry))
        unit = np.median(empty)
        watched.close()
    assert times["nrm:first-map"] < max(3000, 150 * unit), (times, unit)
    assert times["nrm:drawn"] < max(100, 6 * unit), (times, unit)
    assert times["nrm:depth-drawn"] < max(300, 10 * unit), (times, unit)
