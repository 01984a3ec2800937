"""Files for the page of `nrm view`, and the page itself in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.simulate.sodiation import HardCarbon

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

INSTRUMENT = sim.Instrument(
    spring_constant=0.3,
    lateral_stiffness=80.0,
    dither_amplitude=1e-9,
    dither_frequency=1100.0,
    lock_in=sim.LockIn(time_constant=1e-3, poles=2),
    detector=sim.Detector(deflection_noise=0.15e-9, lateral_noise=8e-12, tilt=2e-4),
)
SAMPLE = HardCarbon(thickness_spread=0.2, modulus_spread=0.35)


def volume(
    grid: tuple[int, int] | int,
    *,
    potential: float | None = 1.0,
    seed: int = 1,
    start: int = 0,
    lateral: bool = True,
    short: tuple[int, ...] = (),
    title: str = "Hard carbon",
    images: bool = False,
) -> nrm.CurveSet:
    """Simulated curves: on a grid (rows, columns), or so many without positions.

    The curves in `short` end before the wall.
    """
    is_grid = isinstance(grid, tuple)
    curves, _ = sim.simulate(
        SAMPLE,
        INSTRUMENT,
        sim.Ramp(200e-9, samples=512, speed=200e-9, trigger=45e-9, stop_inside=0.02),
        grid=grid if is_grid else None,
        n_curves=None if is_grid else grid,
        pitch=100e-9,
        seed=seed,
    )
    n = curves.n_curves
    channels = {
        name: (curves.read(name).reshape(n, -1).copy(), channel.unit)
        for name, channel in curves.channels.items()
        if lateral or not name.startswith("lateral")
    }
    for i in short:
        channels["deflection"][0][i] = np.minimum(channels["deflection"][0][i], 3e-9)
    keep = ("x", "y", "row", "column") if is_grid else ()
    table = {name: curves.curve_table[name] for name in keep}
    if potential is not None:
        table["potential"] = np.full(n, potential)
    second = np.timedelta64(1_000_000, "us")
    begin = np.datetime64("2026-03-02T09:30:00", "us")
    table["start_time"] = begin + (np.arange(n) + start) * second
    metadata = {
        **curves.metadata,
        "title": title,
        "electrode": "hard carbon",
        "tip_radius": 10e-9,
        "poisson_ratio": 0.5,
    }
    y, x = np.mgrid[0:32, 0:32] / 32
    pictures = [nrm.Image("topography", 7e-8 * np.sin(6 * x) * y, "m", (0.8e-6, 0.8e-6))]
    return nrm.CurveSet.from_arrays(
        channels, curve_table=table, metadata=metadata, images=pictures if images else ()
    )


def processed(curves: nrm.CurveSet, folder: Path, name: str, **recipe: Any) -> Path:
    """Curves and their results beside each other; path of the results."""
    curves.save(folder / f"{name}-curves.h5")
    results = folder / f"{name}.h5"
    nrm.process(nrm.open(folder / f"{name}-curves.h5"), recipe or None, out=results)
    return results


def two_visits(folder: Path) -> Path:
    """Two visits of 8 x 8 places at 1.2 and 0.1 V, some curves flagged, with an image."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for k, potential in enumerate((1.2, 0.1)):
        made = volume(
            (8, 8),
            potential=potential,
            seed=k + 1,
            start=1000 * k,
            short=(3, 17, 40 + k),
            images=True,
        )
        made.save(folder / f"visit {k + 1}.h5")
        parts.append(nrm.open(folder / f"visit {k + 1}.h5"))
    return processed(nrm.merge(parts), folder, "both", direction="both")


@contextmanager
def served(*files: Path) -> Iterator[str]:
    """The address of a page that shows the files."""
    from nrm_plugin.viewer.opening import opened
    from nrm_plugin.viewer.page_server import serve
    from nrm_plugin.viewer.sessions import Session

    session = Session(opened(list(files)))
    with serve(session) as server:
        session.begin()
        try:
            yield server.url
        finally:
            session.close()


class Watched:
    """A page in a window of the browser, and what the browser had to say of it."""

    def __init__(
        self,
        browser: Any,
        url: str,
        *,
        ready: str = "nrm:first-map",
        load: bool = True,
        **options: Any,
    ):
        options.setdefault("viewport", {"width": 1280, "height": 720})
        self.url = url
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        if load:
            self.load(ready)

    def load(self, ready: str = "nrm:first-map") -> None:
        """Load it and wait for the first map (or another of the times that it measures)."""
        self.page.goto(self.url)
        self.until(f"!!(window.nrmTimes && window.nrmTimes[{ready!r}])")

    def until(self, expression: str, seconds: float = 20.0) -> None:
        """Wait for an expression: wait_for_function needs eval, which the page forbids."""
        for _ in range(int(seconds / 0.05)):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"not within {seconds:g} s: {expression}")

    def until_state(self, test: str) -> None:
        """Wait for what is true of the page's `state`."""
        module = repr(self.url + "state.js")
        self.until(f"import({module}).then((m) => {{ const state = m.get(); return {test}; }})")

    def state(self, *names: str) -> Any:
        """Values of the page's state."""
        found = self.page.evaluate(
            f"""async (names) => {{
                const {{ get }} = await import({self.url + "state.js"!r});
                return names.map((name) => get()[name]);
            }}""",
            list(names),
        )
        return found[0] if len(names) == 1 else found

    def check(self) -> None:
        """Nothing on the console, and nothing asked of anybody else."""
        assert self.said == [], self.said
        inside = (self.url, "data:", "blob:")
        foreign = [url for url in self.asked if not url.startswith(inside)]
        assert foreign == [], foreign

    def close(self) -> None:
        self.context.close()
