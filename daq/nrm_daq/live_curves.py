"""The curves of a running recording, each processed as soon as its ramp is over."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nrm_daq.config import DaqConfig
from nrm_daq.recording import RecordingContents
from nrm_daq.recording_metadata import FIRST_BLOCKS, Start
from nrm_daq.recording_tail import RecordingTail
from nrm_daq.recovery import config_of, latest
from nrm_daq.segmentation import in_units, splitter_for
from nrm_plugin.engine.kept_survey import KeptSurvey
from nrm_plugin.engine.workbench import Workbench
from nrm_plugin.errors import NrmError
from nrm_plugin.recipe import Recipe
from nrm_plugin.splitting import Curve
from nrm_plugin.viewer.growing_profiles import GrowingProfiles
from nrm_plugin.viewer.live_detail import described, signals, undescribed
from nrm_plugin.viewer.tip_watch import TipAlarm, TipWatch

#: Curves that are surveyed together; a survey is made when there are 1, 2, 4, 8 curves, and then
#: after so many more, of the latest.
TOGETHER = 16

#: A ramp whose end moves by more than this part of its length is shown again.
MOVED = 0.02


@dataclass(frozen=True, kw_only=True)
class FinishedRamp:
    """A ramp that is over, with the few before it.

    Attributes
    ----------
    number : int
        Of the ramp in the recording.
    ramps : tuple of Curve
        It is the last of them.
    recorded : RecordingContents
        Where their samples are.
    start : Start
        Of the recording.
    again : bool
        Whether it was taken to be over before, and had only paused.
    """

    number: int
    ramps: tuple[Curve, ...]
    recorded: RecordingContents
    start: Start
    again: bool


class RampSeeker:
    """Find ramps in what a tail reads, as they come to their end.

    Parameters
    ----------
    tail : RecordingTail
        Whose header was read.

    Attributes
    ----------
    found : int
        Ramps so far.
    start : Start or None
        When the recording began, once that is known.
    """

    def __init__(self, tail: RecordingTail) -> None:
        self._tail = tail
        self._config, self._channels = config_of(tail.header), tail.header["channels"]
        self._rate = float(tail.header["setup"]["rate"])
        self._splitter = splitter_for(self._rate, self._config.split, self._config.channels)
        self._ramps: deque[Curve] = deque(maxlen=TOGETHER)
        self._waiting: Curve | None = None  # was told before the splitter returned it
        self._blocks = 0
        self.start: Start | None = None
        self.found = 0

    def push(self, volts: NDArray[np.float32]) -> list[FinishedRamp]:
        """Take the next block; return the ramps that are over."""
        self._blocks += 1
        if self.start is None and (not self._triggered or self._blocks >= FIRST_BLOCKS):
            self._set_start()
        if self._splitter is None:
            self._tail.forget(self._tail.samples)
            return []
        try:
            finished = self._splitter.push(in_units(self._channels, volts))
            waiting = self._splitter.over()
        except NrmError:  # said when the file is made; the recording goes on
            self._splitter = None
            return []
        over = []
        for ramp in finished:
            told, self._waiting = self._waiting, None
            if told is None or told.start != ramp.start:
                over.append(self._told(ramp))
                continue
            self._ramps[-1] = ramp
            if abs(told.stop - ramp.stop) > MOVED * (ramp.stop - ramp.start):
                over.append(self._told(ramp, again=True))
        if waiting is not None and self._waiting is None:
            self._waiting = waiting
            over.append(self._told(waiting))
        self._forget()
        return over

    def _forget(self) -> None:
        """Keep what the next ramp, and a survey with the latest ones, can need."""
        now, longest = self._tail.samples, round(self._config.split.longest * self._rate)
        while self._ramps and self._ramps[0].start < now - TOGETHER * longest:
            self._ramps.popleft()
        self._tail.forget((self._ramps[0].start if self._ramps else now - longest) - 1)

    @property
    def _triggered(self) -> bool:
        return bool(self._tail.header.get("triggered"))

    def _set_start(self) -> Start:
        recorded = self._tail.contents()
        self.start = Start.of(recorded, recorded.known(), self._rate)
        return self.start

    def _told(self, ramp: Curve, *, again: bool = False) -> FinishedRamp:
        if not again:
            self._ramps.append(ramp)
            self.found += 1
        return FinishedRamp(
            number=self.found - 1,
            ramps=tuple(self._ramps),
            recorded=self._tail.contents(),
            start=self.start or self._set_start(),
            again=again,
        )


class CurveProcessor:
    """Make of finished ramps what pages are shown.

    The first curve stands alone; later ones are processed by what was learnt of those before.

    Parameters
    ----------
    config : DaqConfig
    rate : float
        In Hz.
    recipe : Recipe
    """

    def __init__(self, config: DaqConfig, rate: float, recipe: Recipe) -> None:
        self._config, self._rate, self._recipe = config, rate, recipe
        self._profiles, self._tip = GrowingProfiles(), TipWatch()
        self._survey: KeptSurvey | None = None

    def learn(self, over: FinishedRamp) -> None:
        """Survey the latest curves where it is time to: it takes longer than one curve does."""
        n = over.number + 1
        if over.again or (n % TOGETHER and n not in (1, 2, 4, 8)):
            return
        curves = latest(over.recorded, self._config, list(over.ramps), over.start)
        try:
            self._survey = Workbench(curves, self._recipe).learnt()
        except NrmError:  # what was learnt before will do
            return

    def event(self, over: FinishedRamp) -> tuple[dict[str, Any], list[TipAlarm]]:
        """Return the event ``ramp`` of a finished ramp, and what it alarms of."""
        curves = latest(over.recorded, self._config, list(over.ramps), over.start)
        last, ramp = curves.n_curves - 1, over.ramps[-1]
        flags: tuple[str, ...] = ()
        try:
            detail = Workbench(curves[last:], self._recipe, self._survey).curve(0)
            about, flags = described(detail), detail.flags
        except NrmError as error:
            about = undescribed(error)
        event = {
            "number": over.number,
            "begin": ramp.start / self._rate,
            "stop": ramp.stop / self._rate,
            "potential": ramp.potential,
            "complete": ramp.complete,
            "curve": signals(curves[last]),
            **about,
            "region": None,
            "trend": None,
        }
        if over.again or about["error"] is not None:
            return event, []
        facts, profile = about["facts"], about["profile"] or {}
        event["region"] = self._profiles.add(
            ramp.potential, profile.get("storage"), profile.get("loss"), flags
        )
        walls = {name: float(facts[name]) for name in ("wall_slope", "wall_lateral")}
        event["trend"] = {
            "number": over.number,
            "seconds": ramp.start / self._rate,
            "potential": ramp.potential,
            "contact": about["contact"],
            **walls,
        }
        hard = "no_hard_contact" not in flags
        return event, self._tip.add(over.number, **walls) if hard else []
