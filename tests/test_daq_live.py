"""A recording with its live page: what pages get, what the file gets, what it costs (nothing)."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from daq_boards import NAMES, config_for, converted, known_board
from live_pages import Page, started

import nrm_plugin as nrm
from nrm_daq.device import SimulatedDaq
from nrm_daq.live_page import LiveOptions, LivePage
from nrm_daq.run import record
from nrm_plugin.cli import main
from nrm_plugin.markers import markers_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals end the recordings")


def until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def server_of(process: int) -> int:
    """Process that serves the page of a recorder."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            words = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == process and b"nrm_daq.live_server" in words:
            return int(stat.parent.name)
    raise AssertionError("no server")


@dataclass
class Seen:
    """A recording that was watched to its end, and what a page got of it."""

    folder: Path
    page: Page
    told: dict[str, Any]
    code: int
    marker: tuple[int, Any]
    empty: tuple[int, Any]
    late: dict[str, Any]
    after: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """12.6 s of the simulated electrode: 5 ramps; a marker after the second."""
    folder = tmp_path_factory.mktemp("live")
    with started(folder, "--duration", "12.6s", "--json") as (process, url), Page(url) as page:
        assert page.get("api/session")["live"] is True
        page.wait("ramp", 2)
        empty = page.post("api/marker", text="  ")
        marker = page.post("api/marker", text="Argon on: <b>\u00e4</b>")
        page.wait("ramp", 3)
        late = page.get("api/live")
        page.wait("session")
        after, kept = page.get("api/session"), page.get("api/live")
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60.0)
        yield Seen(
            folder=folder,
            page=page,
            told=json.loads(stdout),
            code=process.returncode,
            marker=marker,
            empty=empty,
            late=late,
            after=after,
            kept=kept,
        )


def test_it_ends_as_without_a_page(seen: Seen) -> None:
    assert (seen.code, seen.told["n_samples"], seen.told["stopped"]) == (0, 630_000, "")
    assert [path.name for path in seen.folder.iterdir()] == ["out.h5"]


def test_every_ramp_is_shown_once_in_order(seen: Seen) -> None:
    """As the finished file has them: numbers, times, potentials; soon after their end."""
    curves, ramps = nrm.open(seen.folder / "out.h5"), seen.page.of("ramp")
    complete = [s for s in curves.segments if s["kind"] == "retract"]
    assert [ramp["number"] for ramp in ramps] == list(range(len(ramps)))
    assert len(ramps) == len(complete) == 5
    starts = np.concatenate([[0], np.cumsum(curves.row_size)[:-1]])
    for ramp, potential in zip(ramps, curves.curve_table["potential"], strict=True):
        number = ramp["number"]
        mine = curves.segments[curves.segments["curve"] == number]
        assert ramp["begin"] == pytest.approx((starts[number] + mine["start"][0]) / 50e3, abs=1e-4)
        assert ramp["stop"] == pytest.approx((starts[number] + mine["stop"][-1]) / 50e3, abs=5e-3)
        assert ramp["potential"] == pytest.approx(potential, rel=1e-5)
        assert 0.0 < ramp["after"] < 10.0


def test_curves_are_processed_as_in_the_file(seen: Seen) -> None:
    """The first stands alone, others know those before: within the errors of all together."""
    results = nrm.process(seen.folder / "out.h5")
    depth = np.array(seen.late["depth"])
    for ramp, one in zip(seen.page.of("ramp"), range(results.sizes["curve"]), strict=True):
        row = results.isel(curve=one)
        assert ramp["error"] is None
        assert ramp["contact"] == pytest.approx(float(row.contact_height), abs=0.1e-9)
        assert ramp["facts"]["wall_slope"] == pytest.approx(float(row.wall_slope), rel=0.02)
        assert ramp["trend"]["wall_lateral"] == pytest.approx(
            float(row.wall_lateral_amplitude), rel=0.01
        )
        storage = np.array(ramp["profile"]["storage"], float)
        assert len(storage) == len(depth)
        error = np.abs(storage - row.storage_modulus.values) / row.storage_modulus_stderr.values
        assert np.nanmedian(error) < 0.2
        assert {f["name"] for f in ramp["flags"]} <= {"lag", "short_wall"}
        shown = ramp["curve"]
        assert len(shown["height"]) == len(shown["deflection"]) == len(shown["lateral_x"])
        assert np.argmin(shown["height"]) == pytest.approx(shown["turn"], abs=3)
        assert shown["units"] == {"deflection": "m", "lateral": "N"}


def test_profiles_grow(seen: Seen) -> None:
    ramps = seen.page.of("ramp")
    assert [(r["region"]["label"], r["region"]["n"]) for r in ramps] == [
        ("0.5-1.0 V", n) for n in range(1, 6)
    ]
    last = ramps[-1]["region"]
    inside = slice(4, 60)
    mean = np.mean([np.array(r["profile"]["storage"], float)[inside] for r in ramps], axis=0)
    shown, low, high = (
        np.array(last[f"storage{end}"], float)[inside] for end in ("", "_low", "_high")
    )
    np.testing.assert_allclose(shown, mean, rtol=1e-4, atol=10.0)
    assert (low < mean).all()
    assert (mean < high).all()


def test_the_stream_is_that_of_the_file(seen: Seen) -> None:
    """Several frames a second; every bin has the extremes of its samples."""
    curves = nrm.open(seen.folder / "out.h5")
    frames = seen.page.of("live")
    begins = np.array([frame["begin"] for frame in frames])
    assert len(frames) > 3.0 * (begins[-1] - begins[0])
    names = ["deflection", "lockin_output_x", "lockin_output_y", "height", "potential"]
    for name in names:
        whole = curves.read(name).astype(np.float32)
        for frame in frames:
            low, high = (np.array(frame["channels"][name][end]) for end in ("low", "high"))
            width = round(frame["bin"] * 50e3)
            first = round(frame["begin"] * 50e3)
            bins = whole[first : first + width * len(low)].reshape(-1, width)
            np.testing.assert_allclose(low, bins.min(1), rtol=2e-5, atol=1e-12)
            np.testing.assert_allclose(high, bins.max(1), rtol=2e-5, atol=1e-12)
    state = frames[-1]["state"]
    assert 0.0 <= state["ring"] <= state["ring_most"] < 0.5
    assert (state["overloads"], state["samples"]) == ([], 630_000)


def test_a_marker_is_in_the_file(seen: Seen) -> None:
    status, marker = seen.marker
    text = "Argon on: <b>\u00e4</b>"
    assert (status, marker["text"]) == (200, text)
    assert seen.empty[0] == 422
    assert "letters" in seen.empty[1]["error"]
    (found,) = markers_of(nrm.open(seen.folder / "out.h5").metadata)
    ends = np.cumsum(nrm.open(seen.folder / "out.h5").row_size) / 50e3
    assert (found.text, found.curve) == (text, int(np.searchsorted(ends, found.seconds)))
    assert found.seconds == pytest.approx(marker["seconds"], abs=0.002)
    assert found.time == marker["local"]
    assert [m["text"] for m in seen.page.of("marker")] == [text]
    assert text in CliRunner().invoke(main, ["info", str(seen.folder / "out.h5")]).output


def test_a_page_that_opens_late_knows_what_there_was(seen: Seen) -> None:
    late = seen.late
    assert late["ramps"] == 3
    assert late["last"] == seen.page.of("ramp")[2]
    assert [trend["number"] for trend in late["trends"]] == [0, 1, 2]
    assert [marker["text"] for marker in late["markers"]] == ["Argon on: <b>\u00e4</b>"]
    assert [c["name"] for c in late["channels"]][3] == "height"
    assert (late["channels"][3]["unit"], late["channels"][3]["factor"]) == ("nm", 1e9)


def test_then_the_page_shows_the_file(seen: Seen) -> None:
    (ended,) = seen.page.of("ended")
    assert ended["path"] == str(seen.folder / "out.h5")
    assert (ended["curves"], ended["stopped"]) == (5, "")
    assert (seen.after["live"], seen.after["n_curves"]) == (False, 5)
    assert (seen.after["title"], seen.after["files"][0]["name"]) == ("out.h5", "out.h5")
    assert [marker["text"] for marker in seen.after["markers"]] == ["Argon on: <b>\u00e4</b>"]


def test_what_was_live_is_still_told(seen: Seen) -> None:
    """The page keeps its trends beside the finished file."""
    kept = seen.kept
    assert (kept["ramps"], kept["ended"]) == (5, str(seen.folder / "out.h5"))
    assert [trend["number"] for trend in kept["trends"]] == [0, 1, 2, 3, 4]
    assert [marker["text"] for marker in kept["markers"]] == ["Argon on: <b>\u00e4</b>"]


# What may go wrong


def test_a_recorder_that_is_killed_leaves_markers_and_no_server(tmp_path: Path) -> None:
    with started(tmp_path) as (process, url), Page(url) as page:
        server = server_of(process.pid)
        page.wait("live", 3)
        assert page.post("api/marker", text="the last words")[0] == 200
        process.kill()
        process.communicate()
    until(lambda: not alive(server))
    part = tmp_path / "out.h5.part"
    result = CliRunner().invoke(main, ["acquire", "--recover", str(part)])
    assert result.exit_code == 0
    (found,) = markers_of(nrm.open(tmp_path / "out.h5").metadata)
    assert found.text == "the last words"


@pytest.fixture
def told() -> list[str]:
    return []


def assert_known(path: Path, n_samples: int) -> None:
    """Every sample of every channel is the one of the closed form."""
    curves = nrm.open(path)
    assert curves.n_samples == n_samples
    for channel, name in enumerate(NAMES[:5]):
        np.testing.assert_array_equal(curves.read(name), converted(channel, np.arange(n_samples)))


def recorded(
    folder: Path,
    told: list[str],
    seconds: float,
    meanwhile: Callable[[LivePage], None],
    port: int = 0,
) -> None:
    """Record the known board in real time while something is done to the page."""
    opened = threading.Event()

    def disturb() -> None:
        opened.wait(20.0)
        meanwhile(page)

    with (
        SimulatedDaq(known_board()) as daq,
        LivePage(LiveOptions(), say=told.append, opened=lambda _: opened.set()) as page,
    ):
        thread = threading.Thread(target=disturb)
        thread.start()
        report = record(config_for(daq), folder / "out.h5", seconds, quiet=True, page=page)
        thread.join()
    assert report["stopped"] == ""
    assert_known(folder / "out.h5", round(seconds * 50e3))


def request(page: LivePage) -> tuple[socket.socket, bytes]:
    parts = urllib.parse.urlsplit(page.url)
    assert parts.hostname is not None
    assert parts.port is not None
    made = socket.create_connection((parts.hostname, parts.port), 20.0)
    text = f"GET {parts.path}api/events HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
    return made, text.encode()


def test_clients_that_hang_close_and_come_back_cost_nothing(
    tmp_path: Path, told: list[str]
) -> None:
    """Ten that never read, ten that go at once, one that comes and goes ten times."""
    most: list[float] = []

    def disturb(page: LivePage) -> None:
        for _ in range(10):
            one, text = request(page)
            stack.enter_context(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            one.sendall(text)
        for _ in range(10):
            one, text = request(page)
            one.sendall(text)
            one.close()
        for _ in range(10):
            with Page(page.url) as other:
                other.wait("live", 1)
        with Page(page.url) as other:
            states = [frame["state"] for frame in other.wait("live", 5)]
            most.extend(state["ring_most"] for state in states)

    with ExitStack() as stack:
        recorded(tmp_path, told, 8.0, disturb)
    assert len(most) >= 5
    assert max(most) < 0.2
    assert all("no height" in sentence for sentence in told)  # nothing of it can be processed


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_dies_or_stands_still_costs_nothing(
    tmp_path: Path, told: list[str], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nrm_daq.live_page.PATIENCE", 1.0)
    recorded(tmp_path, told, 3.0, lambda page: os.kill(server_of(os.getpid()), number))
    assert told == (["the live page has ended, the recording goes on"] if number == 9 else [])


def test_a_port_in_use_is_said_and_the_recording_goes_on(tmp_path: Path, told: list[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            SimulatedDaq(known_board()) as daq,
            LivePage(LiveOptions(port), say=told.append, opened=told.append) as page,
        ):
            report = record(config_for(daq), tmp_path / "out.h5", 1.0, quiet=True, page=page)
            assert not page.wait(10.0)
    assert report["n_samples"] == 50_000
    (sentence,) = told
    assert "recording goes on" in sentence
    assert str(port) in sentence


@pytest.mark.parametrize("option", [["--port", "0"], ["--no-browser"], ["--recipe", "r.toml"]])
def test_options_of_the_page_need_it(tmp_path: Path, option: list[str]) -> None:
    arguments = ["acquire", "--simulate", "-o", str(tmp_path / "o.h5"), *option]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, "--live" in result.output) == (2, True)


def test_a_recipe_that_cannot_be_used_is_said_before(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text("nothing = 1\n")
    arguments = ["acquire", "--simulate", "-o", str(tmp_path / "o.h5"), "--live", "--recipe"]
    result = CliRunner().invoke(main, [*arguments, str(recipe)])
    assert result.exit_code != 0
    assert "nothing" in result.output
    assert list(tmp_path.iterdir()) == [recipe]
