"""One experiment that two recorders saw: a microscope's file and a board's stream, and the truth.

The curves are those of `nrm_plugin.simulate`; here they follow each other in time, with waits that
the surface decides, aborted ramps, engage and withdraw moves, and clocks of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nrm_plugin import simulate as sim
from nrm_plugin.model import CurveSet

LAYERS = (sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j))
PER_VOLT = 30e-9
DAY = np.datetime64("2026-03-02T09:00:00", "us")


#: Begin, times, deflection, X and Y of a ramp.
Event = tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class DoubleRecording:
    """Two recordings and which curves of the microscope the board saw.

    Attributes
    ----------
    microscope, board : CurveSet
    begins : array
        When each curve of the microscope began, in samples of the board's stream; those that it
        did not see lie outside of it or in a pause.
    seen : array of bool
        Whether the whole curve is in the board's stream.
    rate : float
        Of the board, per second.
    skew : float
        By how much the board's clock runs faster.
    ahead : array
        Board's clock minus the microscope's at the begin of each curve, s.
    whole : CurveSet
        The curves with their lateral signals, as one recorder would have written them.
    """

    microscope: CurveSet
    board: CurveSet
    begins: np.ndarray
    seen: np.ndarray
    rate: float
    skew: float
    ahead: np.ndarray
    whole: CurveSet


def experiment(seed: int, n: int = 400, **changes: Any) -> tuple[CurveSet, np.ndarray]:
    """Curves on a rough electrode, and when each begins by a true clock (s)."""
    rng = np.random.default_rng((seed, 11))
    ramp = sim.Ramp(
        changes.get("length", 200e-9),
        changes.get("samples", 512),
        speed=400e-9,
        trigger=30e-9,
        adhesion=rng.uniform(0.0, 1e-9),
    )
    sample = sim.Sample(
        sim.Interphase(LAYERS, force=3e-9),
        sim.Electrode(lateral_stiffness=10.0),
        thickness_spread=0.15,
        modulus_spread=0.3,
    )
    instrument = sim.Instrument(
        lateral_stiffness=80.0,
        dither_frequency=5000.0,
        lock_in=sim.LockIn(phase=0.4, sensitivity=500e-6),
        detector=sim.Detector(
            deflection_noise=0.0,
            lateral_noise=changes.get("lateral_noise", 5e-12),
        ),
    )
    curves, _ = sim.simulate(sample, instrument, ramp, n_curves=n, seed=seed)
    duration = curves.row_size[0] * ramp.interval
    # The scanner waits on the way to the next place, longer where the surface is far.
    waits = 0.25 + np.abs(0.05 * rng.standard_normal(n)) + (np.arange(n) % 20 == 19) * 0.7
    return curves, 30.0 + np.cumsum(duration + waits) - duration - waits[0]


def double_recording(
    seed: int,
    n: int = 400,
    *,
    times: str = "exact",
    aborted: float = 0.05,
    paused: str = "",
    rate: float | None = None,
    late: int = 7,
    early: int = 5,
    **changes: Any,
) -> DoubleRecording:
    """Let two recorders see an experiment.

    Parameters
    ----------
    times : str
        What the microscope tells of the curves' begins: exact (0.5 ms), second, or none.
    aborted : float
        Ramps beside the recorded ones that the microscope broke off and did not write.
    paused : str
        Which recorder was paused for some minutes: microscope, board, or none.
    rate : float, optional
        Of the board.
    late, early : int
        Curves that the board misses at the begin and at the end.
    """
    rng = np.random.default_rng((seed, 12))
    whole, begins = experiment(seed, n, **changes)
    size = int(whole.row_size[0])
    time = whole.read("time", [0])
    interval = time[1] - time[0]
    duration = size * interval
    values = {name: whole.read(name).reshape(n, size) for name in whole.channels}
    bent = (
        values["deflection"] / PER_VOLT
        if whole.channels["deflection"].unit == "m"
        else values["deflection"]
    )
    own = bent + changes.get("noise", 0.1e-9) / PER_VOLT * rng.standard_normal(bent.shape)
    x, y = values["lockin_output_x"], values["lockin_output_y"]
    if paused == "microscope":  # it goes on later; nobody ramps meanwhile
        rested = np.arange(n) >= int(n * rng.uniform(0.3, 0.7))
        begins = begins + np.where(rested, rng.uniform(100.0, 600.0), 0.0)
    gone = np.flatnonzero(rng.random(n) < aborted)
    # Ramps that break off, each before the curve that is written.
    begins = begins + 0.75 * duration * np.cumsum(np.isin(np.arange(n), gone))
    events: list[Event] = [(begins[i], time, bent[i], x[i], y[i]) for i in range(n)]
    turn = int(np.argmax(bent[0]))
    for i in gone:
        stop = int(turn * rng.uniform(0.86, 0.97))
        way = np.concatenate([np.arange(stop), np.arange(stop, stop - int(0.2 * size), -1)])
        begin = begins[i] - 0.72 * duration
        events.append((begin, np.arange(len(way)) * interval, bent[i][way], x[i][way], y[i][way]))
    ends = begins[-1] + duration + 40.0
    for at, long in ((5.0, 8.0), (ends - 15.0, 9.0)):  # engaging and withdrawing press for seconds
        t = np.linspace(0.0, long, 900)
        press = 1.4 * bent.max() * np.clip(np.sin(np.pi * t / long) * 2.0, 0.0, 1.0)
        events.append((at, t, press, 0 * t, 0 * t))
    skew = rng.uniform(-50e-6, 50e-6)
    rate = rate or float(rng.choice([3e3, 5e3, 8e3]))
    gain = float(rng.choice([-1.0, 1.0]) * np.exp(rng.uniform(-1.5, 1.5)))
    begin = begins[late] - rng.uniform(0.05, 0.2) if late else 0.0
    end = begins[n - 1 - early] + duration + rng.uniform(0.05, 0.2) if early else ends
    length = int((end - begin) * rate)
    true = begin + np.arange(length) / rate / (1.0 + skew)
    stream = {name: np.zeros(length) for name in ("d", "x", "y")}
    rest = bent[:, :50].mean()
    stream["d"][:] = rest
    for name in "xy":
        stream[name][:] = values[f"lockin_output_{name}"][:, :50].mean()
    for at, t, d, x, y in sorted(events, key=lambda event: event[0]):
        a, b = np.searchsorted(true, [at, at + t[-1]])
        if b <= a:
            continue
        for name, v in (("d", d), ("x", x), ("y", y)):
            stream[name][a:b] = np.interp(true[a:b] - at, t, v)
    drift = 0.05 * bent.max() * np.sin(2 * np.pi * np.arange(length) / rate / 1500.0)
    noise = 0.1e-9 / PER_VOLT * rng.standard_normal(length)
    recorded = gain * (stream["d"] + drift + noise) + rng.uniform(-2.0, 2.0)
    in_stream = (begins - begin) * (1.0 + skew) * rate
    last = in_stream + duration * (1.0 + skew) * rate
    seen = (in_stream >= 0) & (last <= length)
    keep = np.ones(length, bool)
    offset = rng.uniform(-3.0, 3.0) * 3600.0
    row = int(10 * rate)
    if paused == "board":
        a = int(rng.uniform(0.3, 0.7) * length)
        b = a + int(rng.uniform(30.0, 60.0) * rate)
        keep[a:b] = False
        seen &= (last < a) | (in_stream > b)
    pieces = []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], keep.astype(int), [0]])))
    for a, b in edges.reshape(-1, 2):
        pieces += [(s, min(s + row, b)) for s in range(a, b, row)]
    channels = {
        "time": (np.concatenate([np.arange(b - a) / rate for a, b in pieces]), "s"),
        "deflection": (recorded[keep].astype(np.float32), "V"),
        "lockin_output_x": (stream["x"][keep].astype(np.float32), "V"),
        "lockin_output_y": (stream["y"][keep].astype(np.float32), "V"),
        "potential": (0.9 - 0.001 * np.flatnonzero(keep) / rate, "V"),
    }
    starts = np.array([a / rate for a, _ in pieces]) + offset
    sizes = np.array([b - a for a, b in pieces])
    segments = np.array(
        [(i, 0, m, "other") for i, m in enumerate(sizes)],
        np.dtype([("curve", "i4"), ("start", "i4"), ("stop", "i4"), ("kind", "U10")]),
    )
    lockin = {k: v for k, v in whole.metadata.items() if "lockin" in k or "dither" in k}
    moments = DAY + np.round(starts * 1e6).astype("m8[us]")
    board = CurveSet.from_arrays(channels, sizes, segments, {"start_time": moments}, lockin)
    table: dict[str, Any] = {"x": np.arange(n) * 5e-8, "y": np.zeros(n)}
    if times == "exact":
        told = begins + rng.uniform(-0.25e-3, 0.25e-3, n)
        table["start_time"] = DAY + np.round(told * 1e6).astype("m8[us]")
        table["start_time_uncertainty"] = np.full(n, 0.5e-3)
    elif times == "second":
        table["start_time"] = DAY + np.floor(begins).astype("m8[s]").astype("m8[us]")
        table["start_time_uncertainty"] = np.full(n, 1.0)
    metadata = {k: v for k, v in whole.metadata.items() if k not in lockin}
    recorded_by_microscope = {
        "time": (values["time"], "s"),
        "height": (values["height"], "m"),
        "deflection": (own * PER_VOLT, "m"),
    }
    microscope = CurveSet.from_arrays(
        recorded_by_microscope, segments=whole.segments, curve_table=table, metadata=metadata
    )
    return DoubleRecording(
        microscope=microscope,
        board=board,
        begins=in_stream,
        seen=seen,
        rate=rate,
        skew=skew,
        ahead=offset + in_stream / rate - begins,
        whole=whole,
    )
