"""`nrm merge`: processor time against one reading of both files, and peak memory.

    python benchmarks/bench_merge.py [--curves 4096] [--hours 3] [--rate 50000] [--folder DIR]

An experiment is written once, by closed forms: curves of 2048 samples, and a board's stream of
deflection, X and Y as float32. Three hours at 50 kS/s are 6.5 GB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import processor_time

import nrm_plugin as nrm
from nrm_plugin.columns import Rows, scaled_copy
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import SEGMENT

SAMPLES, DURATION, SEED = 2048, 1.0, 7
PER_VOLT = 30e-9


class Experiment:
    """Ramps that follow each other, each with a layer and a contact of its own."""

    def __init__(self, curves: int, hours: float) -> None:
        rng = np.random.default_rng(SEED)
        self.begins = 5.0 + np.linspace(0.0, 3600.0 * hours - 10.0 - DURATION, curves)
        self.begins += rng.uniform(-0.1, 0.1, curves)
        self.layer = 20e-9 * np.exp(0.2 * rng.standard_normal(curves))
        self.turn = DURATION * (0.5 + 0.02 * rng.standard_normal(curves))

    def deflection(self, time: np.ndarray) -> np.ndarray:
        """Deflection in m at times in s."""
        number = np.clip(np.searchsorted(self.begins, time) - 1, 0, len(self.begins) - 1)
        own = time - self.begins[number]
        height = 400e-9 * np.abs(own - self.turn[number]) - 30e-9
        layer = self.layer[number]
        bent = np.where(height < 0.0, 10e-9 - height * 2.0 / 3.0, 0.0)
        soft = (height >= 0.0) & (height < layer)
        bent[soft] = 10e-9 * (1.0 - height[soft] / layer[soft]) ** 1.5
        bent[(own < 0.0) | (own > DURATION)] = 0.0
        return bent


class StreamColumn:
    """A channel of the board, made when it is asked for."""

    dtype = np.dtype("<f4")

    def __init__(self, experiment: Experiment, rows: Rows, rate: float, part: int) -> None:
        self.experiment, self.rows, self.rate, self.part = experiment, rows, rate, part

    def fill(self, first: int, stop: int, out, gain: float = 1.0, offset: float = 0.0) -> None:
        at = np.arange(self.rows.start(first), self.rows.start(stop))
        rng = np.random.default_rng((SEED, self.part, first))
        values = self.experiment.deflection(at / self.rate) / PER_VOLT * (1.0, 0.3, 0.1)[self.part]
        values += 3e-3 * rng.standard_normal(len(at))
        scaled_copy(out, values.astype(np.float32), gain, offset)


def write(folder: Path, curves: int, hours: float, rate: float) -> tuple[Path, Path]:
    """The two files, made if they are not there."""
    name = f"{curves}-{hours:g}-{rate:g}"
    daq, afm = folder / f"daq-{name}.h5", folder / f"afm-{name}.h5"
    experiment = Experiment(curves, hours)
    if not afm.exists():
        time = np.arange(SAMPLES) * DURATION / SAMPLES
        rng = np.random.default_rng(SEED)
        bent = experiment.deflection((experiment.begins[:, None] + time).ravel())
        bent += 0.1e-9 * rng.standard_normal(len(bent))
        height = 400e-9 * np.abs(time - 0.5 * DURATION)
        nrm.CurveSet.from_arrays(
            {
                "time": (np.tile(time, curves), "s"),
                "height": (np.tile(height, curves), "m"),
                "deflection": (bent, "m"),
            },
            np.full(curves, SAMPLES),
        ).save(afm)
    if not daq.exists():
        size, total = int(10 * rate), int(3600 * hours * rate)
        sizes = np.full(-(-total // size), size)
        sizes[-1] = total - size * (len(sizes) - 1)
        rows = Rows(sizes.astype(np.int64))
        names = ("deflection", "lockin_output_x", "lockin_output_y")
        channels = {
            n: Channel(n, "V", StreamColumn(experiment, rows, rate, part))
            for part, n in enumerate(names)
        }
        clock = np.concatenate([np.arange(n, dtype=np.float64) for n in sizes[:1]]) / rate
        from nrm_plugin.columns import RepeatedColumn

        if (sizes == size).all():
            channels["time"] = Channel("time", "s", RepeatedColumn(clock, rows))
        segments = np.array([(i, 0, n, "other") for i, n in enumerate(sizes)], SEGMENT)
        CurveSet(rows, channels, segments_from=lambda: segments).save(daq)
    return daq, afm


def read(daq: Path, afm: Path) -> None:
    """One reading of every channel of both."""
    for path in (daq, afm):
        curves = nrm.open(path)
        for first, stop in curves.blocks(1 << 21):
            for name in curves.channels:
                curves.read(name, slice(first, stop))


PEAK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from bench_merge import {call}
{call}({arguments})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
"""


def merge(daq: Path, afm: Path, out: Path) -> None:
    """What `nrm merge` does."""
    nrm.merge(daq, afm).save(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=4096)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=50e3)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        daq, afm = write(folder, given.curves, given.hours, given.rate)
        out = folder / "both.h5"
        costs = {}
        for call, arguments in (
            ("read", f"Path({str(daq)!r}), Path({str(afm)!r})"),
            ("merge", f"Path({str(daq)!r}), Path({str(afm)!r}), Path({str(out)!r})"),
        ):
            text = PEAK.format(here=str(Path(__file__).parent), call=call, arguments=arguments)
            before, wall = processor_time(), time.perf_counter()
            done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            costs[call] = processor_time() - before
            wall = time.perf_counter() - wall
            print(
                f"{call}: {costs[call]:.1f} s of processor time, {wall:.1f} s by the clock, "
                f"at most {float(done.stdout.split()[-1]):.0f} MB"
            )
        print(f"merge over one reading: {costs['merge'] / costs['read']:.2f}")


if __name__ == "__main__":
    main()
