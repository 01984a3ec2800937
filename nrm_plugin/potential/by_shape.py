"""A potentiostat's clock by the shape of the potential: where the other recorder has it too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.potential.alignment import ZONE, microseconds, place_by_clocks, zone_words
from nrm_plugin.potential.log import Log
from nrm_plugin.potential.recorded_potential import POINTS, RecordedPotential

#: Points that are compared at once.
_AT_ONCE = 1 << 21
#: Part of the recording's variation that a log may leave unexplained; that with which a place
#: deserves a closer look; and by how much more every other place must leave to be none.
_PLACE, _LOOK, _OTHER = 0.05, 0.2, 3.0
#: Part of the points, and of their variation, that a place must cover.
_COVERED, _VARIED = 0.5, 0.3
#: Clocks of instruments do not run apart by more than this part of time.
_SKEW = 1e-3


@dataclass(frozen=True, kw_only=True)
class LaidLog:
    """How a log lies on a recording of the same potential.

    Attributes
    ----------
    begin, stderr : float
        Time of the log's time 0 in s since the recording's first point, and its standard error.
    skew, skew_stderr : float
        By how much the recorder's clock runs faster than the log's, as a part of time; 0 where
        that is less than three standard errors.
    gain, shift : float
        Recorded potential = gain x the log's + shift (V).
    residual : float
        Standard deviation of what is left, V.
    covered : float
        Part of the recording during which the log ran.
    left : float
        Part of the potential's variation that is not explained.
    """

    begin: float
    stderr: float
    skew: float
    skew_stderr: float
    gain: float
    shift: float
    residual: float
    covered: float
    left: float


@dataclass(frozen=True, kw_only=True)
class LogClock(LaidLog):
    """The same with what it says of the two clocks.

    Attributes
    ----------
    offset : float
        Added to the log's times (by its own clock) to have the recorder's, in s, as well known as
        `begin`; nan where one of the two tells no date.
    zone : float
        Multiple of half hours in the offset, s: what a wrong time zone would make.
    next_place : float
        Distance in s to the next place that fits as well, between which the clocks decided; nan
        where there is none.
    start : datetime64 or None
        When the log's time 0 was by the recorder's clock.
    """

    offset: float
    zone: float
    next_place: float
    start: np.datetime64 | None

    def sentences(self) -> Iterator[str]:
        """What was found, for people."""
        if np.isfinite(self.offset):
            yield (
                f"clock offset {self.offset:.2f} s +- {self.stderr:.2g} s, added to the log's "
                "times (--clock-offset)"
            )
            yield from zone_words(self.offset, self.zone)
        else:
            yield (
                f"the log's time 0 lies {self.begin:.2f} s +- {self.stderr:.2g} s after the "
                "recording's first sample"
                + ("" if self.start is None else f", at {self.start} (--log-start)")
            )
        if np.isfinite(self.next_place):
            yield (
                f"another place {self.next_place:.4g} s away fits as well, as cycles do that are "
                "alike: the clocks decided"
            )
        if self.skew:
            yield (
                f"the recorder's clock runs {1e6 * self.skew:+.0f} +- "
                f"{1e6 * self.skew_stderr:.2g} ppm against the log's"
            )
        yield (
            f"recorded potential = {self.gain:.4g} x the log's {self.shift:+.4g} V; "
            f"{1e3 * self.residual:.2g} mV are left"
        )
        yield f"the log ran during {100.0 * self.covered:.0f} % of the recording"

    def as_json(self) -> dict[str, float | str | None]:
        """For programs, in SI."""
        out: dict[str, float | str | None] = {
            name: float(value) if np.isfinite(value) else None
            for name, value in ((n, getattr(self, n)) for n in self.__dataclass_fields__)
            if name != "start"
        }
        return out | {"start": None if self.start is None else str(self.start)}


def clock_by_shape(log: Log, recorded: RecordedPotential) -> LogClock:
    """Find the log's place on a recording of the same potential.

    Every place where the two overlap by half is tried; gain and shift between the two potentials
    are free. Where more than one fits (cycles that are alike), the clocks decide: the one place
    that differs from what they say by a time zone and a few minutes at most.

    Raises
    ------
    InvalidInput
        If the potential does not vary, no place fits, or several do and the clocks do not tell.
    """
    few = slice(None, None, max(1, len(recorded.time) // POINTS))
    time, potential = recorded.time[few], recorded.potential[few]
    span = float(np.ptp(potential))
    noise = float(np.median(np.abs(np.diff(potential)))) if len(potential) > 2 else 0.0
    if len(time) < 8 or span <= max(1e-3, 6.0 * noise):
        raise InvalidInput("the recorded potential does not vary enough to lay a log on it")
    step = _step(time, potential)
    low, high = time[0] - log.time[-1], time[-1] - log.time[0]
    begins = np.arange(low, high, step)
    left = _left(log, time, potential, begins)
    places = _places(begins, left)
    if not places:
        raise _of_another(float(np.nanmin(left)) if np.isfinite(left).any() else np.nan)
    told = _told(log, recorded)
    fits: list[LaidLog] = []
    tried = (_refined(log, time, potential, place) for place in places)
    for fit in sorted((f for f in tried if f is not None), key=lambda f: f.left):
        if all(abs(fit.begin - other.begin) > step for other in fits):
            fits.append(fit)
    if not fits or fits[0].left > _PLACE:
        best = fits[0].left if fits else float(np.nanmin(left))
        raise _of_another(best)
    alike = [f for f in fits if f.left <= _OTHER * fits[0].left + 1e-9]
    chosen = alike[0] if len(alike) == 1 else _by_the_clocks(alike, told)
    offset = chosen.begin - told
    first = recorded.first
    return LogClock(
        **vars(chosen),
        offset=offset,
        zone=ZONE * round(offset / ZONE) if np.isfinite(offset) else 0.0,
        start=None if first is None else first + microseconds(chosen.begin),
        next_place=min(
            (abs(f.begin - chosen.begin) for f in alike if f is not chosen), default=np.nan
        ),
    )


def _by_the_clocks(alike: list[LaidLog], told: float) -> LaidLog:
    """The one of several places that the clocks point to, but for a time zone.

    Raises
    ------
    InvalidInput
        If none is plainly nearer than the others.
    """
    number = place_by_clocks(np.array([fit.begin for fit in alike]), told)
    if number is not None:
        return alike[number]
    shown = ", ".join(f"{fit.begin:.0f}" for fit in alike[:5])
    raise InvalidInput(
        f"the log fits the recording at {len(alike)} places ({shown} s after its begin), as cycles "
        "do that are alike, and the clocks do not tell which: give a clock offset to within a "
        "quarter of a cycle (--clock-offset)"
    )


def _of_another(left: float) -> InvalidInput:
    return InvalidInput(
        "the log is not of this recording: at the best place it leaves "
        f"{100.0 * left:.0f} % of the potential's variation unexplained"
    )


def _told(log: Log, recorded: RecordedPotential) -> float:
    """When the log began by its own clock, in s since the recording's first point; nan unknown."""
    if log.start is None or recorded.first is None:
        return np.nan
    return float((log.start - recorded.first) / np.timedelta64(1, "s"))


def _step(time: FloatArray, potential: FloatArray) -> float:
    """Time in which the potential changes by a few per cent of its span, s."""
    rate = np.abs(np.diff(potential)) / np.maximum(np.diff(time), 1e-9)
    usual = float(np.quantile(rate, 0.75))
    step = 0.03 * float(np.ptp(potential)) / max(usual, 1e-12)
    return float(np.clip(step, 1e-3, 0.05 * (time[-1] - time[0])))


def _left(log: Log, time: FloatArray, potential: FloatArray, begins: FloatArray) -> FloatArray:
    """Unexplained part of the variation at each place; nan where too little overlaps."""
    out = np.full(len(begins), np.nan)
    whole = float(np.sum((potential - potential.mean()) ** 2))
    rows = max(1, _AT_ONCE // len(time))
    for a in range(0, len(begins), rows):
        own = time[None, :] - begins[a : a + rows, None]
        inside = (own >= log.time[0]) & (own <= log.time[-1])
        theirs = np.interp(own, log.time, log.potential)
        n = np.maximum(inside.sum(axis=1), 1)
        x = np.where(inside, theirs, 0.0)
        y = np.where(inside, potential, 0.0)
        mean_x, mean_y = x.sum(axis=1) / n, y.sum(axis=1) / n
        x = np.where(inside, theirs - mean_x[:, None], 0.0)
        y = np.where(inside, potential - mean_y[:, None], 0.0)
        sxx, syy, sxy = (x * x).sum(axis=1), (y * y).sum(axis=1), (x * y).sum(axis=1)
        good = (n >= _COVERED * len(time)) & (syy >= _VARIED * whole) & (sxx > 0.0)
        part = 1.0 - sxy**2 / np.where(good, sxx * syy, 1.0)
        out[a : a + rows] = np.where(good, part, np.nan)
    return out


def _places(begins: FloatArray, left: FloatArray) -> list[float]:
    """Lowest points of what is left, where it is little enough for a closer look."""
    filled = np.where(np.isfinite(left), left, np.inf)
    padded = np.concatenate([[np.inf], filled, [np.inf]])
    lowest = (filled <= padded[:-2]) & (filled <= padded[2:]) & (filled < _LOOK)
    order = np.flatnonzero(lowest)
    order = order[np.argsort(filled[order])][:40]
    return [float(begins[i]) for i in order]


def _refined(log: Log, time: FloatArray, potential: FloatArray, begin: float) -> LaidLog | None:
    """Fit begin, gain and shift; and the skew, where it is known well enough to be seen."""
    plain = _fitted(log, time, potential, begin, 2)
    if plain is None:
        return None
    skewed = _fitted(log, time, potential, plain.begin, 3)
    if skewed is None or not (skewed.skew_stderr < abs(skewed.skew) / 3.0 <= _SKEW / 3.0):
        known = np.nan if skewed is None else skewed.skew_stderr
        return replace(plain, skew_stderr=known)
    return skewed


def _fitted(
    log: Log, time: FloatArray, potential: FloatArray, begin: float, n_clock: int
) -> LaidLog | None:
    """Gauss-Newton steps in gain, shift, begin and, with `n_clock` 3, skew."""
    slope = np.gradient(log.potential, log.time + 1e-12 * np.arange(len(log.time)))
    stretched = 1.0  # seconds of the recorder per second of the log
    fit = None
    for _ in range(12):
        own = (time - begin) / stretched
        inside = (own >= log.time[0]) & (own <= log.time[-1])
        if inside.sum() < 8:
            return None
        own, seen = own[inside], potential[inside]
        rate = np.interp(own, log.time, slope)
        theirs = np.interp(own, log.time, log.potential)
        columns = [theirs, np.ones(len(own)), -rate, -rate * own][: n_clock + 1]
        design = np.stack(columns, axis=1)
        scale = np.abs(design).max(axis=0)
        scale[scale == 0.0] = 1.0
        found, *_ = np.linalg.lstsq(design / scale, seen, rcond=None)
        found = found / scale
        gain = float(found[0])
        if gain == 0.0:
            return None
        rest = seen - design @ found
        residual = float(np.std(rest))
        together = float(np.mean(rest[1:] * rest[:-1])) / max(residual**2, 1e-300)
        together = min(max(together, 0.0), 1.0 - 1.0 / len(rest))
        inverse = np.linalg.pinv((design / scale).T @ (design / scale))
        spread = residual * np.sqrt((1.0 + together) / (1.0 - together) * np.diag(inverse)) / scale
        moved = float(found[2]) / gain
        turned = float(found[3]) / gain if n_clock == 3 else 0.0
        begin += moved
        stretched = min(max(stretched + turned, 1.0 - _SKEW), 1.0 + _SKEW)
        stderr = float(spread[2]) / abs(gain)
        fit = LaidLog(
            begin=begin,
            # Between points of the log the potential is not known.
            stderr=float(np.hypot(stderr, 0.05 * np.median(np.diff(log.time)))),
            skew=stretched - 1.0,
            skew_stderr=float(spread[3]) / abs(gain) if n_clock == 3 else np.nan,
            gain=gain,
            shift=float(found[1]),
            residual=residual,
            covered=float(inside.mean()),
            left=residual**2 / max(float(np.var(seen)), 1e-300),
        )
        if abs(moved) < 1e-3 * stderr and abs(turned) <= 1e-3 * fit.skew_stderr + 1e-15:
            break
    return fit


def moved(log: Log, clock: LogClock, recorded: RecordedPotential) -> Log:
    """The log by the recorder's clock, for `with_potential`."""
    if recorded.first is None:
        raise InvalidInput("the recording tells no date, so the log has no place by its clock")
    return replace(
        log,
        time=log.time * (1.0 + clock.skew),
        start=recorded.first + microseconds(clock.begin),
        time_zone="",
        start_uncertainty=clock.stderr,
        notes=(*log.notes, *clock.sentences()),
    )
