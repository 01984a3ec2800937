"""The server behind the page: what it tells, what it decides, and whom it refuses."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from viewer_client import Client

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.decisions import Decisions
from nrm_plugin.viewer.access import MOST, MOST_DECISIONS
from nrm_plugin.viewer.live import LiveFeed
from nrm_plugin.viewer.opening import opened
from nrm_plugin.viewer.page_server import PortInUse, serve
from nrm_plugin.viewer.sessions import Session

#: Curves 0 to 15 at 1.2 V, 16 to 31 at 0.2 V, on one grid of 4 x 4. Curve 5 never reaches a wall.
N, POTENTIALS, WITHOUT_WALL = 32, (1.2, 0.2), 5


def volume(seed: int, potential: float, cut: tuple[int, ...] = ()) -> nrm.CurveSet:
    layers = (sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j))
    curves, _ = sim.simulate(
        sim.Sample(sim.Interphase(layers, force=3e-9)),
        sim.Instrument(),
        sim.Ramp(samples=512),
        grid=(4, 4),
        pitch=100e-9,
        seed=seed,
    )
    n = curves.n_curves
    channels = {
        name: (curves.read(name).reshape(n, -1).copy(), channel.unit)
        for name, channel in curves.channels.items()
    }
    for number in cut:
        channels["deflection"][0][number] = 0.0
    table = {k: v for k, v in curves.curve_table.items() if k in ("x", "y", "row", "column")}
    begin = np.datetime64("2026-03-02T09:00:00", "us") + np.timedelta64(seed * 1_000_000_000, "us")
    table["potential"] = np.full(n, potential)
    table["start_time"] = begin + np.arange(n) * np.timedelta64(1_000_000, "us")
    image = nrm.Image("topography", np.arange(12.0).reshape(3, 4) * 1e-9, "m", (4e-7, 3e-7))
    about = {"title": "Two potentials", "tip_radius": 10e-9, "electrode": "hard carbon"}
    return nrm.CurveSet.from_arrays(
        channels,
        curve_table=table,
        metadata={**curves.metadata, **about},
        images=(image,),
    )


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two volumes, and the results of both in both directions."""
    folder = tmp_path_factory.mktemp("viewer")
    paths = []
    for number, potential in enumerate(POTENTIALS, 1):
        cut = (WITHOUT_WALL,) if number == 1 else ()
        paths.append(folder / f"volume-{number}.h5")
        volume(number, potential, cut).save(paths[-1])
    merged = nrm.join([nrm.open(path) for path in paths])
    nrm.process(merged, {"direction": "both"}, out=folder / "map.h5")
    return folder


@pytest.fixture(scope="module")
def looked_at(originals: Path) -> Iterator[tuple[Client, Session]]:
    """A server that nothing is decided on."""
    session = Session(opened([originals / "map.h5"]))
    with serve(session) as server:
        session.begin()
        yield Client(server.url), session


@pytest.fixture
def own(originals: Path, tmp_path: Path) -> Iterator[tuple[Client, Path]]:
    """A server on a copy that may be changed, and its folder."""
    for path in originals.glob("*.h5"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with serve(Session(opened([tmp_path / "map.h5"]))) as server:
        yield Client(server.url), tmp_path


# Who is let in.


def test_the_page_and_its_data_lie_below_the_secret(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    assert len(client.secret) >= 32
    page = client.get("")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("index.html").body == page.body
    assert client.get("api/session").json["n_curves"] == N
    assert client.raw(f"/{client.secret}").status == 307


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/api/session",
        "/index.html",
        "//",
        "/{half}/api/session",
        "/{secret}x/api/session",
        "/%00/",
        "/{upper}/api/session",
        "/%C3%A4/",
        "/./{secret}/api/session",
        "/../{secret}/",
    ],
)
def test_without_the_secret_nothing_is_told(looked_at: tuple[Client, Session], target: str) -> None:
    client, _ = looked_at
    half, upper = client.secret[:16], client.secret.upper()
    target = target.format(secret=client.secret, half=half, upper=f"{upper}G")
    found = client.raw(target)
    assert found.status == 403
    assert client.secret.encode() not in found.body
    assert list(found.json) == ["error"]


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost",
        "evil.localhost:{port}",
        "127.0.0.1:{port}.example.org",
        "[::1]:{port}",
        "0.0.0.0:{port}",
        "",
    ],
)
def test_another_host_is_refused(looked_at: tuple[Client, Session], host: str) -> None:
    client, _ = looked_at
    assert client.get("api/session", Host=host.format(port=client.port)).status == 403


def test_both_names_of_this_computer_are_known(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    for host in ("127.0.0.1", "localhost", "LOCALHOST"):
        assert client.get("api/session", Host=f"{host}:{client.port}").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_requests_of_other_pages_are_refused(
    looked_at: tuple[Client, Session], headers: dict[str, str]
) -> None:
    client, _ = looked_at
    headers = {name: value.format(port=client.port) for name, value in headers.items()}
    assert client.get("api/session", **headers).status == 403
    assert client.post("api/undo", {}, **headers).status == 403


def test_the_page_may_be_opened_from_anywhere(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    opened_by = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("", **opened_by).status == 200
    own_origin = {"Origin": f"http://127.0.0.1:{client.port}", "Sec-Fetch-Site": "same-origin"}
    assert client.get("api/session", **own_origin).status == 200


@pytest.mark.parametrize("address", ["", "api/session", "nothing", "api/values?quantity=none"])
def test_every_answer_says_what_a_browser_may_do(
    looked_at: tuple[Client, Session], address: str
) -> None:
    client, _ = looked_at
    for found in (client.get(address), client.get(address, Host="example.org")):
        policy = found.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert found.headers["referrer-policy"] == "no-referrer"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-store"
        assert "server" not in found.headers
        assert "access-control-allow-origin" not in found.headers


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "..\\app.py",
        "lib/../../app.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "jsconfig.json",
        "lib/",
        "lib",
        "lib/uPlot.d.ts",
        "index.html/",
        "INDEX.HTML",
        "index.html%00",
        "api",
        "api/",
        "api/session/",
        "api/nothing",
    ],
)
def test_nothing_but_the_page_is_served(looked_at: tuple[Client, Session], path: str) -> None:
    client, _ = looked_at
    found = client.get(path)
    assert found.status == 404
    assert found.json == {"error": "there is nothing at this address"}


def test_all_files_of_the_page_are_there(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    for name in ("style.css", "main.js", "lib/uPlot.iife.min.js", "lib/uPlot.min.css"):
        found = client.get(name)
        assert found.status == 200, name
        assert found.headers["content-type"].startswith(
            "text/css" if name.endswith("css") else "text/javascript"
        )


# What is sent.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"number": NaN}', 400),
        (b'{"number": 1e400}', 400),
        (b'{"number": true}', 400),
        (b'{"number": "x"}', 400),
        (b'{"number": 1.5}', 400),
        (b'{"number": []}', 400),
        (b'{"number": 99}', 422),
        (b'{"number": -1}', 422),
        (b'{"number": 12345678901234567890}', 400),
        (b'{"number": 123456789012}', 422),
        (b'{"number": 1, "direction": "sideways"}', 422),
        (b'{"number": 1, "direction": 5}', 400),
        (b'{"number": 1, "recipe": 5}', 400),
        (b'{"number": 1, "recipe": {"nothing": 1}}', 422),
        (b'{"number": 1, "recipe": {"derivative.half_width": "a lot"}}', 422),
        (b'{"number": 1, "recipe": {"__class__": 1}}', 422),
        (b'{"number": 1, "recipe": {"contact": [1]}}', 422),
        (b'{"number": 1, "recipe": "= ="}', 422),
        (b'{"number": 1, "recipe": "a = ' + b"[" * 20_000 + b'"}', 422),
        (b'{"number": 1, "recipe": "a = ' + b"9" * 5_000 + b'"}', 422),
        (b'{"number": 1, "recipe": {"shape_factor": "/etc/passwd"}}', 422),
        (b'{"number": 1, "contact": "here"}', 400),
        (b'{"number": 1, "contact": Infinity}', 400),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    looked_at: tuple[Client, Session], body: bytes, status: int
) -> None:
    client, _ = looked_at
    found = client.post("api/curve", body)
    assert found.status == status, found.json
    assert isinstance(found.json["error"], str)
    assert "Traceback" not in found.json["error"]
    assert "root:" not in found.json["error"]


@pytest.mark.parametrize(
    "query",
    [
        "values",
        "values?quantity=none",
        "values?quantity=storage_modulus&depth=nan",
        "values?quantity=storage_modulus&depth=x",
        "values?quantity=storage_modulus&direction=up",
        "curve",
        "curve?number=1e3",
        "curve?number=-1",
        "curve?number=32",
        "image?number=9",
        "region?number=99",
        "values?quantity=" + "x" * 3000,
    ],
)
def test_a_query_that_makes_no_sense_is_a_sentence(
    looked_at: tuple[Client, Session], query: str
) -> None:
    client, _ = looked_at
    found = client.get(f"api/{query}")
    assert found.status in (400, 422)
    assert list(found.json) == ["error"]


def test_too_much_is_refused_unread(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    assert client.post("api/curve", b"{}" + b" " * MOST).status == 413
    assert client.post("api/decisions", b"{}" + b" " * MOST).status == 422
    assert client.post("api/decisions", b"{}" + b" " * MOST_DECISIONS).status == 413
    told = {"Content-Type": "application/json", "Content-Length": "x"}
    assert client.raw(f"{client.base}api/curve", "POST", told).status in (400, 413)


def test_only_json_is_taken(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert client.post("api/undo", {}, **{"Content-Type": kind}).status == 415
    assert client.raw(f"{client.base}api/undo").status == 405
    assert client.raw(f"{client.base}api/layout", "DELETE").status == 405
    assert client.post("api/layout", {}).status == 405


# What is told.


def test_the_session_says_what_there_is(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    found = client.get("api/session").json
    assert found["title"] == "Two potentials"
    assert found["files"][0] == {"name": "map.h5", "importer": "results"}
    assert [one["name"] for one in found["files"][1:]] == ["volume-1.h5", "volume-2.h5"]
    assert found["has"] == {"curves": True, "results": True, "lateral": True, "images": True}
    assert found["directions"] == ["approach", "retract"]
    assert found["first_depth"] == 5e-9
    assert found["tip_radius"] == 1e-8
    assert found["simulated"] is True
    assert found["live"] is False
    assert [r["label"] for r in found["regions"]] == ["1.0-1.5 V", "0.005-0.5 V"]
    assert [(one["kind"], one["rows"], one["columns"]) for one in found["layers"]] == [
        ("grid", 4, 4)
    ] * 2
    assert found["layers"][0]["size"] == pytest.approx([4e-7, 4e-7])
    flags = {flag["name"]: flag["count"] for flag in found["flags"]}
    assert flags["no_hard_contact"] >= 1
    names = {quantity["name"] for quantity in found["quantities"]}
    assert {"storage_modulus", "thickness", "largest_force", "potential", "stick"} <= names
    fields = {one["name"]: one for one in found["recipe_fields"]}
    half_width = fields["derivative.half_width"]
    assert (half_width["value"], half_width["unit"], half_width["factor"]) == (2e-9, "nm", 1e9)
    assert fields["contact.method"]["choices"][0] == "grown"
    assert "hard carbon" in found["condition"]
    assert {check["name"] for check in found["checks"]} >= {"stick", "lateral_scale"}


def test_the_layout_has_every_curve(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    arrays = client.get("api/layout").arrays
    for number in range(2):
        curves = arrays[f"curve_{number}"]
        assert curves.tolist() == list(range(16 * number, 16 * number + 16))
        assert arrays[f"row_{number}"].tolist() == [i // 4 for i in range(16)]
        assert arrays[f"column_{number}"].tolist() == [i % 4 for i in range(16)]
        np.testing.assert_allclose(arrays[f"x_{number}"], np.tile(np.arange(4) * 1e-7, 4))


@pytest.mark.parametrize("direction", ["approach", "retract"])
def test_values_are_those_of_the_results(
    looked_at: tuple[Client, Session], originals: Path, direction: str
) -> None:
    client, _ = looked_at
    results = nrm.open_results(originals / "map.h5").sel(direction=direction)
    found = client.get(f"api/values?quantity=loss_modulus&depth=7.1e-9&direction={direction}")
    wanted = results["loss_modulus"].sel(depth=7e-9).values
    np.testing.assert_array_equal(found.arrays["values"], wanted)
    noise = np.abs(wanted) < 3 * results["loss_modulus_stderr"].sel(depth=7e-9).values
    np.testing.assert_array_equal(found.arrays["below_noise"], noise)
    assert found.json["depth"] == 7e-9
    assert (found.json["unit"], found.json["factor"]) == ("MPa", 1e-6)
    low, high = found.json["range"]
    assert np.nanmin(wanted) <= low < high <= np.nanmax(wanted)
    heights = client.get(f"api/values?quantity=contact_height&direction={direction}").arrays
    np.testing.assert_allclose(heights["values"], results["contact_height"], rtol=1e-6)


def test_what_follows_from_results_is_told_too(
    looked_at: tuple[Client, Session], originals: Path
) -> None:
    client, _ = looked_at
    results = nrm.open_results(originals / "map.h5").isel(direction=0)
    found = client.ready("api/values?quantity=thickness")
    wanted = nrm.statistics.thickness(results)
    measured = wanted["censored"].values == 0
    np.testing.assert_allclose(
        found.arrays["values"][measured], wanted["thickness"].values[measured], rtol=1e-6
    )
    np.testing.assert_array_equal(found.arrays["censored"], wanted["censored"])
    region = client.get("api/values?quantity=region").arrays["values"]
    assert region.tolist() == [0] * 16 + [1] * 16
    force = client.get("api/values?quantity=largest_force").arrays["values"]
    assert np.nanmedian(force) == pytest.approx(12e-9, rel=0.5)
    stick = client.get("api/values?quantity=stick").arrays["values"]
    assert stick[WITHOUT_WALL] == 0


def test_a_thickness_that_is_a_lower_bound_is_shown_as_its_bound(originals: Path) -> None:
    view = opened([originals / "map.h5"])
    nothing = np.full(N, np.nan)
    table = xr.Dataset(
        {
            "thickness": ("curve", np.r_[20e-9, nothing[1:]]),
            "thickness_low": ("curve", np.r_[18e-9, 30e-9, 5e-9, nothing[3:]]),
            "censored": ("curve", np.r_[0, 1, 2, np.full(N - 3, 3)]),
        }
    )
    view.shown.thickness = lambda direction=None: table  # type: ignore[method-assign]
    shown = view.shown.values("thickness")
    np.testing.assert_allclose(shown.values, np.r_[20e-9, 30e-9, nothing[2:]], rtol=1e-6)
    assert shown.censored is not None
    assert shown.censored[:4].tolist() == [0, 1, 2, 3]
    view.close()


def test_the_doubtful_are_ranked(looked_at: tuple[Client, Session], originals: Path) -> None:
    client, _ = looked_at
    arrays = client.get("api/flags").arrays
    quality = nrm.open_results(originals / "map.h5")["quality"].values[0]
    np.testing.assert_array_equal(arrays["quality"], quality)
    ranked = np.isfinite(arrays["doubt"])
    np.testing.assert_array_equal(ranked, quality != 0)
    assert sorted(arrays["doubt"][ranked]) == list(range(ranked.sum()))
    assert not arrays["by_hand"].any()


def test_images_come_as_they_are(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    found = client.get("api/image?number=0")
    np.testing.assert_allclose(found.arrays["image"], np.arange(12).reshape(3, 4) * 1e-9)
    assert found.json["unit"] == "m"


def test_a_curve_is_what_results_and_file_hold(
    looked_at: tuple[Client, Session], originals: Path
) -> None:
    client, _ = looked_at
    results = nrm.open_results(originals / "map.h5").isel(direction=0)
    found = client.get("api/curve?number=20")
    header, arrays = found.json, found.arrays
    assert header["source"] == {"name": "volume-2.h5", "number": 4}
    assert (header["row"], header["column"]) == (1, 0)
    assert header["region"] == "0.005-0.5 V"
    assert header["contact"] == results["contact_height"].values[20]
    assert header["windows"]["wall"] == [
        results["wall_begin"].values[20],
        results["wall_end"].values[20],
    ]
    for name in ("storage_modulus", "loss_modulus_stderr", "force_normal"):
        np.testing.assert_array_equal(arrays[name], results[name].values[20])
    curve = nrm.open(originals / "volume-2.h5")[4]
    height = curve.read("height")
    np.testing.assert_array_equal(arrays["height"], height[: len(arrays["height"])])
    assert {"deflection", "deflection_raw", "distance", "lateral_in_phase"} <= set(arrays)
    on_the_wall = arrays["height"] < min(header["windows"]["wall"]) + 2e-9
    assert on_the_wall.sum() > 3
    assert np.abs(arrays["distance"][on_the_wall]).max() < 2e-9
    assert header["facts"]["F_max"] == pytest.approx(12e-9, rel=0.5)
    flagged = client.get(f"api/curve?number={WITHOUT_WALL}").json
    assert "no_hard_contact" in [flag["name"] for flag in flagged["flags"]]
    assert all(flag["advice"] for flag in flagged["flags"])
    assert flagged["contact"] is None


def test_a_curve_is_processed_by_another_recipe(looked_at: tuple[Client, Session]) -> None:
    client, session = looked_at
    found = client.post("api/curve", {"number": 3, "recipe": {"derivative.half_width": 4e-9}})
    assert found.status == 200
    assert found.json["processed"] == "now"
    both = {"direction": "both", "half_width": 4e-9}
    assert session.view.curves is not None
    wanted = nrm.process(session.view.curves, nrm.Recipe().replace(**both)).isel(direction=0)
    np.testing.assert_array_equal(found.arrays["storage_modulus"], wanted["storage_modulus"][3])


def test_a_contact_that_is_dragged_moves_the_distances(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    before = client.post("api/curve", {"number": 3, "recipe": {"derivative.half_width": 2.1e-9}})
    moved = before.json["contact"] + 3e-9
    after = client.post("api/curve", {"number": 3, "contact": moved})
    assert after.json["contact"] == moved
    assert after.json["found"]["height"] == pytest.approx(before.json["contact"], abs=1e-15)
    shift = after.arrays["distance"] - before.arrays["distance"]
    np.testing.assert_allclose(shift, -3e-9, atol=1e-12)


def test_the_mean_of_the_region_stands_behind_a_curve(
    looked_at: tuple[Client, Session], originals: Path
) -> None:
    client, _ = looked_at
    found = client.ready("api/region?number=20")
    results = nrm.open_results(originals / "map.h5").isel(direction=0)
    wanted = nrm.statistics.mean_profile(results, "storage_modulus", np.arange(16, 32))
    np.testing.assert_allclose(found.arrays["storage"], wanted["mean"].values, rtol=1e-6)
    np.testing.assert_allclose(found.arrays["storage_high"], wanted["high"].values, rtol=1e-6)
    assert found.json["region"] == "0.005-0.5 V"
    assert found.json["n"] == 16


# What there may be to look at.


Pages = Callable[..., Client]


@pytest.fixture
def page_of() -> Iterator[Pages]:
    """Serves files, and stops serving them at the end."""
    with contextlib.ExitStack() as servers:

        def begin(*files: Path, curves: tuple[Path, ...] = ()) -> Client:
            session = Session(opened(list(files), list(curves)))
            return Client(servers.enter_context(serve(session)).url)

        yield begin


def test_curves_alone_are_processed_on_demand(originals: Path, page_of: Pages) -> None:
    client = page_of(originals / "volume-1.h5")
    found = client.get("api/session").json
    assert found["has"] == {"curves": True, "results": False, "lateral": True, "images": True}
    assert [q["name"] for q in found["quantities"]] == ["potential", "region", "curve_number"]
    curve = client.get("api/curve?number=2")
    assert curve.json["processed"] == "now"
    wanted = nrm.process(nrm.open(originals / "volume-1.h5"))
    np.testing.assert_array_equal(curve.arrays["loss_modulus"], wanted["loss_modulus"][2])


def test_what_is_missing_for_moduli_is_said(tmp_path: Path, page_of: Pages) -> None:
    curves = volume(3, 0.5)
    bare = {k: v for k, v in curves.metadata.items() if k != "dither_amplitude"}
    replace(curves, metadata=bare).save(tmp_path / "bare.h5")
    client = page_of(tmp_path / "bare.h5")
    curve = client.get("api/curve?number=0")
    assert "dither_amplitude" in curve.json["missing"]
    assert len(curve.arrays["deflection_raw"]) == len(curve.arrays["height"]) > 100


@pytest.mark.parametrize("left_out", ["height", "deflection", "sensitivity"])
def test_curves_that_cannot_be_processed_are_looked_at(
    tmp_path: Path, page_of: Pages, left_out: str
) -> None:
    curves = volume(3, 0.5)
    if left_out == "sensitivity":  # volts without a sensitivity
        volts = replace(curves.channels["deflection"], unit="V")
        curves = curves.with_channel(volts)
    else:
        others = {name: c for name, c in curves.channels.items() if name != left_out}
        curves = replace(curves, channels=others)
    curves.save(tmp_path / "odd.h5")
    client = page_of(tmp_path / "odd.h5")
    assert client.get("api/session").json["n_curves"] == 16
    curve = client.get("api/curve?number=3")
    assert curve.status == 200
    assert curve.json["missing"]
    wanted = {"height": "deflection_raw", "deflection": "height", "sensitivity": "deflection_raw"}
    assert len(curve.arrays[wanted[left_out]]) > 100
    assert client.post("api/curve", {"number": 3, "contact": 0.0}).status in (200, 422)


def test_images_alone(tmp_path: Path, page_of: Pages) -> None:
    image = nrm.Image("height", np.ones((2, 3)), "m")
    nrm.CurveSet.from_arrays({}, images=(image,)).save(tmp_path / "images.h5")
    client = page_of(tmp_path / "images.h5")
    found = client.get("api/session").json
    assert (found["n_curves"], found["layers"]) == (0, [])
    assert found["has"]["images"] is True
    assert client.get("api/layout").status == 200
    assert client.get("api/image?number=0").arrays["image"].shape == (2, 3)
    assert client.get("api/curve?number=0").status == 422


def test_results_alone_say_where_their_curves_are_missing(
    originals: Path, tmp_path: Path, page_of: Pages
) -> None:
    alone = tmp_path / "map.h5"
    alone.write_bytes((originals / "map.h5").read_bytes())
    client = page_of(alone)
    found = client.get("api/session").json
    assert found["has"]["curves"] is False
    assert "volume-1.h5" in found["warnings"][0]
    assert "--curves" in found["warnings"][0]
    curve = client.get("api/curve?number=4")
    assert "height" not in curve.arrays
    assert np.isfinite(curve.arrays["storage_modulus"]).any()
    assert client.post("api/curve", {"number": 4, "contact": 0.0}).status == 422
    given = page_of(alone, curves=tuple(sorted(originals.glob("volume-*.h5"))))
    assert given.get("api/session").json["has"]["curves"] is True


def test_other_curves_are_refused(originals: Path) -> None:
    with pytest.raises(nrm.InvalidInput, match="of 32 curves, and these are 16"):
        opened([originals / "map.h5"], [originals / "volume-1.h5"])
    with pytest.raises(nrm.InvalidInput, match="both results"):
        opened([originals / "map.h5", originals / "map.h5"])
    with pytest.raises(nrm.InvalidInput, match="has the recipe that it was made by"):
        opened([originals / "map.h5"], recipe=originals / "r.toml")


def test_hostile_words_come_as_text(tmp_path: Path, page_of: Pages) -> None:
    title = "</script><img src=x onerror=alert(1)> \u202e\u2028 " + "long " * 2000
    curves = volume(4, 0.5)
    about = {**curves.metadata, "title": title, "electrode": '"><b>'}
    nrm.process(replace(curves, metadata=about), out=tmp_path / "r.h5")
    client = page_of(tmp_path / "r.h5")
    found = client.get("api/session")
    assert found.json["title"] == title
    assert found.headers["content-type"] == "application/json"


def test_curves_are_found_where_they_were(tmp_path: Path, page_of: Pages) -> None:
    raw, made = tmp_path / "raw", tmp_path / "made"
    raw.mkdir()
    made.mkdir()
    volume(5, 0.5).save(raw / "a.h5")
    nrm.process(nrm.open(raw / "a.h5"), out=made / "r.h5")
    assert nrm.open_results(made / "r.h5").attrs["source_path"] == ["../raw/a.h5"]
    assert page_of(made / "r.h5").get("api/session").json["has"]["curves"] is True
    merged = nrm.join([nrm.open(raw / "a.h5"), nrm.open(raw / "a.h5")])
    merged.save(tmp_path / "both.h5")
    nrm.process(nrm.open(tmp_path / "both.h5"), out=tmp_path / "rr.h5")
    assert page_of(tmp_path / "rr.h5").get("api/session").json["has"]["curves"] is True


def test_a_file_that_is_another_by_now_is_named(tmp_path: Path) -> None:
    volume(5, 0.5).save(tmp_path / "a.h5")
    nrm.process(nrm.open(tmp_path / "a.h5"), out=tmp_path / "r.h5")
    volume(6, 0.5).save(tmp_path / "a.h5")
    session = Session(opened([tmp_path / "r.h5"]))
    with serve(session) as server:
        listener = Listener(Client(server.url))
        session.begin()
        listener.until("event: session")
        listener.close()
        assert "a.h5 is not the file" in Client(server.url).get("api/session").json["warnings"][0]


# In a notebook.


def test_a_view_in_a_cell_is_the_same_page(originals: Path) -> None:
    with nrm.view(originals / "map.h5", height=500) as shown:
        assert shown.url in shown._repr_html_()
        assert 'height="500"' in shown._repr_html_()
        assert shown._mime_() == ("text/html", shown._repr_html_())
        client = Client(shown.url)
        assert client.secret not in repr(shown)
        assert client.get("api/session").json["has"]["curves"] is True
        framed = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}
        page = client.get("", **framed, **{"Sec-Fetch-Dest": "iframe"})
        assert page.status == 200
        assert (
            "frame-ancestors 'self' http://127.0.0.1:*" in page.headers["content-security-policy"]
        )
    with pytest.raises(OSError):  # noqa: PT011  refused, in the words of the system
        client.get("api/session")


def test_a_view_of_what_is_in_memory_saves_nothing(originals: Path) -> None:
    curves = nrm.open(originals / "volume-1.h5")
    with nrm.view(nrm.process(curves), curves) as shown:
        client = Client(shown.url)
        found = client.post("api/decisions", {"decision": "exclude", "curves": [3]}).json
        assert found["by_hand"] == {"curves": [3], "values": [1]}
        assert "not saved" in found["message"]
        assert client.get("api/decisions").json["saved"] is False
        assert client.post("api/process", {}).status == 422
        assert client.post("api/recipe/save", {"name": "x"}).status == 422
    with nrm.view(curves) as shown:
        assert Client(shown.url).get("api/session").json["n_curves"] == 16
    assert not list(originals.glob("*.toml"))


@pytest.mark.parametrize("height", [0, -5, 10, 5.5, True, "tall"])
def test_a_view_has_a_height(originals: Path, height: object) -> None:
    with pytest.raises(nrm.InvalidInput, match="at least 200 pixels"):
        nrm.view(originals / "map.h5", height=height)  # type: ignore[arg-type]


# A recording.


def test_a_recording_becomes_a_finished_file(originals: Path) -> None:
    feed = LiveFeed({"title": "Running", "rate": 1000.0, "simulated": True, "channels": []})
    with serve(feed) as server:
        client = Client(server.url)
        listener = Listener(client)
        assert client.get("api/session").json["live"] is True
        assert client.get("api/live").json["ramps"] == 0
        assert client.get("api/layout").status == 409
        assert client.post("api/decisions", {"decision": "exclude", "curves": [1]}).status == 409
        assert client.post("api/marker", {"text": "x"}).status == 422  # nobody writes it down
        feed.alarm("the tip has changed")
        listener.until("the tip has changed")
        session = Session(opened([originals / "volume-1.h5"]))
        server.show(session)
        listener.until("event: session")
        session.begin()
        listener.until("event: warm")
        listener.close()
        assert client.get("api/session").json["n_curves"] == 16
        assert client.get("api/live").json["alarms"][0]["text"] == "the tip has changed"


# Decisions.


def test_decisions_are_saved_at_once_and_can_be_undone(own: tuple[Client, Path]) -> None:
    client, folder = own
    path = folder / "map.decisions.toml"
    asked = {
        "decision": "exclude",
        "curves": [3, 18],
        "reason": "tip jumped",
        "blind": False,
        "visible": ["moduli", "potential"],
    }
    found = client.post("api/decisions", asked)
    assert found.status == 200, found.json
    assert found.json["by_hand"] == {"curves": [3, 18], "values": [1, 1]}
    assert (found.json["undo"], found.json["redo"]) == (1, 0)
    results = nrm.open_results(folder / "map.h5")
    assert Decisions.for_results(results, folder / "map.h5").excluded.tolist() == [3, 18]
    assert "tip jumped" in path.read_text()
    assert client.get("api/flags").arrays["by_hand"][[3, 18, 4]].tolist() == [1, 1, 0]
    mean = client.ready("api/region?number=18").json
    assert (mean["region"], mean["n"]) == ("0.005-0.5 V", 15)
    with serve(Session(opened([folder / "map.h5"]))) as again:  # excluded curves stay on the map
        other = Client(again.url)
        assert [layer["n"] for layer in other.get("api/session").json["layers"]] == [16, 16]
        assert other.get("api/curve?number=18").json["region"] == "0.005-0.5 V"
    assert client.get("api/curve?number=18").json["by_hand"]["excluded"] is True
    client.post("api/decisions", {"decision": "accept", "curves": [WITHOUT_WALL], "blind": True})
    listed = client.get("api/decisions").json
    assert [one["visible"] for one in listed["decisions"] if one["decision"] == "exclude"] == [
        ["potential", "moduli"]
    ] * 2
    assert listed["decisions"][-1]["blind"] is True
    assert not np.isfinite(client.get("api/flags").arrays["doubt"][WITHOUT_WALL])
    assert client.post("api/undo", {}).json["by_hand"] == {"curves": [5], "values": [0]}
    assert client.post("api/undo", {}).json["by_hand"]["curves"] == [3, 18]
    assert Decisions.for_results(results, folder / "map.h5").excluded.tolist() == []
    assert client.post("api/redo", {}).json["by_hand"] == {"curves": [3, 18], "values": [1, 1]}
    assert Decisions.for_results(results, folder / "map.h5").excluded.tolist() == [3, 18]
    cleared = client.post("api/decisions", {"clear": "exclude", "curves": [3]})
    assert cleared.json["by_hand"] == {"curves": [3], "values": [0]}
    assert cleared.json["redo"] == 0


def test_a_contact_by_hand_keeps_what_was_found(own: tuple[Client, Path]) -> None:
    client, _ = own
    before = client.get("api/curve?number=7&direction=retract").json
    height = before["contact"] + 2e-9
    found = client.post(
        "api/decisions",
        {
            "decision": "contact",
            "curves": [7],
            "direction": "retract",
            "height": height,
            "stderr": 5e-10,
            "blind": True,
        },
    )
    assert found.json["by_hand"] == {"curves": [7], "values": [4]}
    after = client.get("api/curve?number=7&direction=retract")
    assert after.json["contact"] == pytest.approx(height, abs=1e-15)
    hand = after.json["by_hand"]["contact"]
    assert hand["old_height"] == pytest.approx(before["contact"], abs=1e-14)
    assert hand["stderr"] == pytest.approx(5e-10)
    assert client.get("api/curve?number=7").json["by_hand"]["contact"] is None


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"decision": "exclude"},
        {"decision": "exclude", "curves": []},
        {"decision": "exclude", "curves": [99]},
        {"decision": "exclude", "curves": [-1]},
        {"decision": "exclude", "curves": [1.5]},
        {"decision": "exclude", "curves": [True]},
        {"decision": "exclude", "curves": "1"},
        {"decision": "delete", "curves": [1]},
        {"decision": "contact", "curves": [1]},
        {"decision": "contact", "curves": [1], "height": "x"},
        {"decision": "contact", "curves": [1], "height": 2.0},
        {"decision": "contact", "curves": [1], "height": 0.5},
        {"decision": "contact", "curves": [1], "height": -2e-6},
        {"decision": "contact", "curves": [99], "height": 1e-9},
        {"decision": "contact", "curves": [-1], "height": 1e-9},
        {"decision": "contact", "curves": [1], "height": 1e-9, "stderr": -1e-9},
        {"decision": "contact", "curves": [1, 2], "height": 1e-9},
        {"decision": "exclude", "curves": [1], "reason": "x" * 5000},
        {"decision": "exclude", "curves": [1], "reason": 5},
        {"clear": "nothing", "curves": [1]},
        {"clear": "exclude", "curves": [99]},
    ],
)
def test_decisions_that_make_no_sense_change_nothing(
    own: tuple[Client, Path], asked: dict[str, object]
) -> None:
    client, folder = own
    found = client.post("api/decisions", asked)
    assert found.status in (400, 422), found.json
    assert not (folder / "map.decisions.toml").exists()


def test_a_file_that_a_person_changed_is_read_again(own: tuple[Client, Path]) -> None:
    client, folder = own
    path = folder / "map.decisions.toml"
    client.post("api/decisions", {"decision": "exclude", "curves": [3]})
    path.write_text(path.read_text() + "# looked at again on Monday\n")
    client.post("api/decisions", {"decision": "exclude", "curves": [4]})
    assert "# looked at again on Monday" in path.read_text()
    assert client.post("api/undo", {}).status == 200
    refused = client.post("api/undo", {})
    assert refused.status == 422
    assert "changed meanwhile, by hand" in refused.json["error"]
    path.write_text("format = 5")
    broken = client.post("api/decisions", {"decision": "exclude", "curves": [4]})
    assert broken.status == 422
    assert "map.decisions.toml" in broken.json["error"]
    assert path.read_text() == "format = 5"


def test_two_viewers_of_one_file_lose_nothing(own: tuple[Client, Path]) -> None:
    client, folder = own
    with command(str(folder / "map.h5"), "--no-browser", "--json") as process:
        assert process.stdout is not None
        clients = (client, Client(json.loads(process.stdout.readline())["url"]))
        statuses: list[int] = []

        def decide(one: Client, curves: range) -> None:
            for curve in curves:
                asked = {"decision": "exclude", "curves": [curve], "reason": f"curve {curve}"}
                statuses.append(one.post("api/decisions", asked).status)

        threads = [
            threading.Thread(target=decide, args=(one, range(k, N, 2)))
            for k, one in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * N
        for one in clients:
            assert one.get("api/decisions").json["summary"] == f"{N} curves excluded by hand"
        results = nrm.open_results(folder / "map.h5")
        np.testing.assert_array_equal(results["by_hand"], np.ones(N))
        results.close()
        assert not list(folder.glob(".map*"))


# Recipes.


def test_a_recipe_is_saved_beside_the_results(own: tuple[Client, Path]) -> None:
    client, folder = own
    asked = {"recipe": {"derivative.half_width": 3e-9}, "name": "wide"}
    assert client.post("api/recipe/save", asked).json == {"file": "wide.toml"}
    saved = nrm.Recipe.from_toml(folder / "wide.toml")
    assert saved.derivative.half_width == 3e-9
    assert saved.direction == "both"
    assert client.post("api/recipe/save", asked).status == 409
    assert client.post("api/recipe/save", {**asked, "overwrite": True}).status == 200
    (folder / "notes.toml").write_text("mine = true")
    other = {**asked, "name": "notes.toml", "overwrite": True}
    assert client.post("api/recipe/save", other).status == 409
    assert (folder / "notes.toml").read_text() == "mine = true"
    for name in ("../up", "a/b", "", ".hidden", "map.decisions.toml", "x" * 200, "a\nb", "C:x"):
        assert client.post("api/recipe/save", {**asked, "name": name}).status == 422, name
    checked = client.post("api/recipe/check", {"recipe": {"derivative.half_width": 3e-9}})
    assert checked.json["changed"] is True
    assert "half_width = 3e-09" in checked.json["recipe"]


class Listener:
    """Collects events in a thread, as a page does."""

    def __init__(self, client: Client) -> None:
        self.socket = socket.create_connection((client.host, client.port), timeout=60)
        asked = f"GET {client.base}api/events HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n\r\n"
        self.socket.sendall(asked.encode())
        self.text = ""
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        self.until(": here")

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.socket.recv(65536):
                self.text += data.decode()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)

    def until(self, word: str, seconds: float = 60.0) -> str:
        end = time.monotonic() + seconds
        while word not in self.text and time.monotonic() < end:
            time.sleep(0.02)
        assert word in self.text, self.text[-2000:]
        return self.text


def test_a_recipe_is_applied_to_all_curves(own: tuple[Client, Path]) -> None:
    client, folder = own
    client.post("api/decisions", {"decision": "exclude", "curves": [3]})
    before = (folder / "map.h5").read_bytes()
    listener = Listener(client)
    found = client.post("api/process", {"recipe": {"derivative.half_width": 3e-9}})
    assert found.json == {"job": 1, "file": "map.h5"}
    listener.until('"state":"done"')
    listener.until("event: session")
    listener.close()
    assert (folder / "map.h5").read_bytes() != before
    results = nrm.open_results(folder / "map.h5")
    assert "half_width = 3e-09" in results.attrs["recipe"]
    session = client.get("api/session").json
    assert "half_width = 3e-09" in session["recipe"]
    assert session["has"]["curves"] is True
    assert client.get("api/flags").arrays["by_hand"][3] == 1
    assert [path.name for path in folder.iterdir() if "part" in path.name] == []


def test_results_that_another_program_made_anew_are_read_again(own: tuple[Client, Path]) -> None:
    client, folder = own
    curves = nrm.join([nrm.open(folder / f"volume-{n}.h5") for n in (1, 2)])
    nrm.process(curves, {"direction": "both", "depth": {"stop": 40e-9}}, out=folder / "map.h5")
    listener = Listener(client)
    found = client.get("api/values?quantity=storage_modulus&depth=9e-9")
    assert (found.status, found.json["error"][:26]) == (409, "map.h5 was made anew meanw")
    listener.until("event: session")
    listener.close()
    assert client.get("api/session").json["depth"]["values"][-1] == 40e-9
    assert client.get("api/values?quantity=storage_modulus&depth=9e-9").status == 200


def test_values_that_were_read_while_something_was_decided_are_not_kept(originals: Path) -> None:
    view = opened([originals / "map.h5"])
    whole = view.shown.values("contact_height").values
    view.shown.forget()
    read = view.of_curves

    def meanwhile(name: str, direction: str | None = None) -> np.ndarray:
        values = read(name, direction) + 1.0
        view.shown.forget()
        return values

    view.of_curves = meanwhile  # type: ignore[method-assign]
    assert view.shown.values("contact_height").values == pytest.approx(whole + 1.0, nan_ok=True)
    view.of_curves = read  # type: ignore[method-assign]
    assert view.shown.values("contact_height").values == pytest.approx(whole, nan_ok=True)
    view.close()


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("decisions", {"decision": "exclude", "curves": [3]}),
        ("decisions", {"clear": "exclude", "curves": [7]}),
        ("undo", {}),
    ],
)
def test_nothing_is_decided_about_results_that_were_replaced_by_others(
    own: tuple[Client, Path], address: str, asked: dict[str, object]
) -> None:
    client, folder = own
    assert client.post("api/decisions", {"decision": "exclude", "curves": [7]}).status == 200
    decisions = folder / "map.decisions.toml"
    before = decisions.read_bytes()
    volume(3, 0.7).save(folder / "other.h5")
    other = nrm.join([nrm.open(folder / "other.h5"), nrm.open(folder / "volume-2.h5")])
    nrm.process(other, {"direction": "both"}, out=folder / "new.h5")
    (folder / "new.h5").replace(folder / "map.h5")
    refused = client.post(f"api/{address}", asked)
    assert refused.status == 409
    assert refused.json["error"] == (
        "map.h5 was made anew meanwhile: it is read again; nothing was changed"
    )
    assert decisions.read_bytes() == before
    now = client.post("api/decisions", {"decision": "exclude", "curves": [3]})
    assert now.status == 422
    assert "volume-1.h5" in now.json["error"]
    decisions.unlink()
    about = client.get("api/session").json
    assert [one["name"] for one in about["files"]] == ["map.h5", "other.h5", "volume-2.h5"]
    assert about["warnings"][0] == "map.h5 was replaced by results of other curves"
    assert client.post("api/decisions", {"decision": "exclude", "curves": [3]}).status == 200


def test_nothing_is_decided_about_curves_that_were_replaced_by_others(tmp_path: Path) -> None:
    volume(1, 1.2).save(tmp_path / "curves.h5")
    with serve(Session(opened([tmp_path / "curves.h5"]))) as server:
        client = Client(server.url)
        volume(3, 0.7).save(tmp_path / "other.h5")
        (tmp_path / "other.h5").replace(tmp_path / "curves.h5")
        refused = client.post("api/decisions", {"decision": "exclude", "curves": [3]})
        assert refused.status == 409
        assert "has changed since it was opened" in refused.json["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["curves.h5"]


def test_curves_that_are_moved_away_leave_their_results(own: tuple[Client, Path]) -> None:
    client, folder = own
    assert "height" in client.get("api/curve?number=3").arrays
    (folder / "volume-1.h5").rename(folder / "elsewhere.h5")
    listener = Listener(client)
    found = client.get("api/curve?number=4")
    assert found.status == 409
    assert found.json["error"] == "volume-1.h5 was changed or moved: only results are shown now"
    listener.until("event: session")
    listener.close()
    about = client.get("api/session").json
    assert not about["has"]["curves"]
    assert about["warnings"][0].startswith("volume-1.h5 was changed or moved")
    alone = client.get("api/curve?number=4")
    assert alone.status == 200
    assert "storage_modulus" in alone.arrays
    assert client.post("api/decisions", {"decision": "exclude", "curves": [4]}).status == 200


def test_a_recipe_that_cannot_be_leaves_the_results(own: tuple[Client, Path]) -> None:
    client, folder = own
    before = (folder / "map.h5").read_bytes()
    assert client.post("api/process", {"recipe": {"derivative.half_width": -1}}).status == 422
    assert client.post("api/process/cancel", {}).json == {"cancelled": False}
    assert (folder / "map.h5").read_bytes() == before


def test_a_length_that_cannot_be_is_refused_in_the_unit_of_its_field(
    looked_at: tuple[Client, Session],
) -> None:
    client, _ = looked_at
    for value, told in ((-3e-9, "-3 nm"), (1.0, "1000000000 nm"), (0.0, "0 nm")):
        refused = client.post("api/recipe/check", {"recipe": {"derivative.half_width": value}})
        assert refused.status == 422
        assert refused.json["error"] == (
            f"derivative.half_width: {told} cannot be meant; lengths are 1 pm to 100 µm"
        )
    absurd = client.post("api/recipe/check", {"recipe": {"depth.stop": 1e300}})
    assert absurd.json["error"].startswith("depth.stop: 1e+300 m cannot be meant")
    checked = client.post("api/recipe/check", {"recipe": {"depth.stop": 12.3456789e-9}}).json
    found = [one["value"] for one in checked["recipe_fields"] if one["name"] == "depth.stop"]
    assert found == [12.3456789e-9]


def test_pages_that_go_cost_nothing(own: tuple[Client, Path]) -> None:
    client, _ = own
    for _ in range(10):
        Listener(client).close()
    listener = Listener(client)
    client.post("api/decisions", {"decision": "exclude", "curves": [3]})
    listener.until("event: decisions")
    listener.close()
    assert client.get("api/session").status == 200


# The command.


@contextlib.contextmanager
def command(*words: str) -> Iterator[subprocess.Popen[str]]:
    """``nrm view`` in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "nrm_plugin", "view", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_command_prints_the_address_and_ends_with_ctrl_c(originals: Path) -> None:
    with command(str(originals / "map.h5"), "--no-browser") as process:
        client = Client(first_line(process))
        assert client.get("api/session").status == 200
        listener = Listener(client)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        listener.close()
    assert process.returncode == 130
    assert out == ""
    assert err == "nrm: stopped; decisions are saved\n"


def test_the_command_speaks_json(originals: Path) -> None:
    with command(str(originals / "volume-1.h5"), "--json") as process:
        told = json.loads(first_line(process))
        assert told["files"] == ["volume-1.h5"]
        assert Client(told["url"]).get("api/session").status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


def test_a_mistake_in_the_decisions_is_said_before_a_page_opens(own: tuple[Client, Path]) -> None:
    _, folder = own
    (folder / "map.decisions.toml").write_text("format = 5")
    with command(str(folder / "map.h5"), "--no-browser") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "map.decisions.toml, line 1" in err


def test_no_file_and_no_format(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("nothing that anyone knows\n")
    for name, code in (("none.h5", 1), ("x.txt", 3)):
        with command(str(tmp_path / name), "--no-browser") as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert out == ""
        assert name in err


def test_a_port_that_is_used_is_a_sentence(originals: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        session = Session(opened([originals / "map.h5"]))
        with pytest.raises(PortInUse, match=f"port {port} cannot be used: another program"):
            serve(session, port)
        session.close()
        with command(str(originals / "map.h5"), "--no-browser", "--port", str(port)) as process:
            _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"port {port}" in err


def test_only_this_computer_is_listened_to(looked_at: tuple[Client, Session]) -> None:
    client, _ = looked_at
    other = socket.gethostbyname(socket.gethostname())
    if other.startswith("127."):
        pytest.skip("this computer has no other address")
    with pytest.raises(OSError):  # noqa: PT011  refused or unreachable, as the system has it
        socket.create_connection((other, client.port), timeout=2)
