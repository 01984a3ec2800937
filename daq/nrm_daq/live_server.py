"""The process that shows a running recording: it reads the file that grows, and serves the page.

``python -m nrm_daq.live_server`` is started by `nrm_daq.live_page.LivePage`. Both talk in lines of
JSON. From the recorder: ``state`` (fill of the ring, lock-in), ``marked`` (a marker was written),
``remarked`` (one was typed on the terminal), ``over`` (no more samples come), ``ended`` (the file
is there). To it: ``url``, ``mark`` (write a marker), ``closed`` (the recording is not read any
more), ``said`` (for the terminal). When the recorder goes, this goes too.
"""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nrm_daq.live_curves import CurveProcessor, FinishedRamp, RampSeeker
from nrm_daq.recording_metadata import local
from nrm_daq.recording_tail import RecordingTail
from nrm_daq.recovery import config_of
from nrm_daq.segmentation import range_limits
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.recipe import Recipe, as_recipe
from nrm_plugin.viewer.live import LiveFeed
from nrm_plugin.viewer.page_server import Server, serve
from nrm_plugin.vocabulary import CHANNELS

#: Channels of the stream, in this order.
SHOWN = (
    "deflection",
    "lockin_output_x",
    "lockin_output_y",
    "lateral_in_phase",
    "lateral_quadrature",
    "height",
    "potential",
)

#: Time in s between two looks at the file, and longest wait for a marker to be written.
LOOK, PATIENCE = 0.02, 5.0

#: Ramps that wait to be processed, and that do when the recording is over; where they come faster,
#: the oldest are left out.
WAITING, LAST = 64, 4


class Wire:
    """Lines of JSON to and from the recorder."""

    def __init__(self, read: IO[str], write: IO[str]) -> None:
        self._read, self._write = read, write
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:
        """Send a message; nothing happens where nobody is left to read it."""
        with self._lock:
            try:
                self._write.write(json.dumps(message) + "\n")
                self._write.flush()
            except (OSError, ValueError):
                return

    def messages(self) -> Iterator[dict[str, Any]]:
        """Messages until the other side ends."""
        for line in self._read:
            yield json.loads(line)


class LiveView:
    """A recording that is followed, its curves processed, and pages that are told.

    Parameters
    ----------
    part : Path
        The recording.
    title : str
    recipe : Recipe
    wire : Wire
    """

    def __init__(self, part: Path, title: str, recipe: Recipe, wire: Wire) -> None:
        self._wire = wire
        self._tail = RecordingTail(part)
        self._tail.read(0)
        header = self._tail.header
        self._channels = header["channels"]
        self._rate = float(header["setup"]["rate"])
        self._limits = range_limits(self._channels)
        self._seeker = RampSeeker(self._tail)
        self._processor = CurveProcessor(config_of(header), self._rate, recipe)
        self._ramps: queue.Queue[FinishedRamp | None] = queue.Queue()
        self._state: Mapping[str, Any] = {}
        self._samples = 0  # shown so far
        self._over = threading.Event()
        self._answers: dict[int, queue.Queue[Mapping[str, Any]]] = {}
        self._asked = 0
        self._lock = threading.Lock()
        about = {
            "title": title,
            "rate": self._rate,
            "simulated": bool(header["simulated"]),
            "channels": [_described(c) for c in self._channels if c["name"] in SHOWN],
            "depth": list(recipe.depth.values),
        }
        self.feed = LiveFeed(about, self._mark)
        self._threads = [
            threading.Thread(target=self._follow, name="follow", daemon=True),
            threading.Thread(target=self._process, name="process", daemon=True),
        ]

    def start(self) -> None:
        """Begin to follow."""
        for thread in self._threads:
            thread.start()

    def state(self, state: Mapping[str, Any]) -> None:
        """Take note of how the recorder does."""
        self._state = state

    def marked(self, answer: Mapping[str, Any]) -> None:
        """Take note of a marker that was written, or could not be."""
        waiting = self._answers.get(int(answer["id"]))
        if waiting is not None:
            waiting.put(answer)

    def finish(self) -> None:
        """Read to the end, process what was found, and let go of the file."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._tail.__exit__()

    def _mark(self, text: str) -> dict[str, Any]:
        """Have the recorder write a marker."""
        answer: queue.Queue[Mapping[str, Any]] = queue.Queue(1)
        with self._lock:
            self._asked += 1
            number = self._asked
        self._answers[number] = answer
        try:
            self._wire.send(mark=number, text=text)
            written = answer.get(timeout=PATIENCE)
        except queue.Empty:
            raise InvalidInput("the recorder did not answer: the marker was not written") from None
        finally:
            del self._answers[number]
        if "error" in written:
            raise InvalidInput(f"the marker was not written: {written['error']}")
        return self._written(text, written)

    def remarked(self, remark: Mapping[str, Any]) -> None:
        """Show a marker that was made elsewhere."""
        self.feed.marked(self._written(str(remark["text"]), remark))

    def _written(self, text: str, written: Mapping[str, Any]) -> dict[str, Any]:
        """Return what pages are told of a marker."""
        moment = 1e-9 * written["time"]
        start = self._seeker.start
        return {
            "text": text,
            "time": moment,
            "local": local(moment).isoformat(timespec="milliseconds"),
            "seconds": None if start is None else moment - start.time,
        }

    # In threads of their own

    def _follow(self) -> None:
        """Read what has come; show the stream; seek ramps."""
        while True:
            over = self._over.is_set()
            try:
                blocks = self._tail.read(8)
                for volts in blocks:
                    self._show(volts)
                    for ramp in self._seeker.push(volts):
                        self._ramps.put(ramp)
            except Exception as error:  # the same
                self._wire.send(said=f"the live page does not follow any more: {_words(error)}")
                break
            if not blocks:
                if over:
                    break
                time.sleep(LOOK)
        self._ramps.put(None)

    def _show(self, volts: NDArray[np.float32]) -> None:
        values = {
            c["name"]: np.float32(c["gain"]) * v + np.float32(c["offset"])
            for c, v in zip(self._channels, volts, strict=True)
            if c["name"] in SHOWN
        }
        full = np.abs(volts).max(axis=1) > self._limits
        overloads = [c["name"] for c, one in zip(self._channels, full, strict=True) if one]
        self._samples += volts.shape[1]
        start, seconds = self._seeker.start, self._samples / self._rate
        state = {
            **self._state,
            "samples": self._samples,
            "seconds": seconds,
            "overloads": overloads + list(self._state.get("faults", ())),
            "curves": self._seeker.found,
        }
        if start is not None:
            state["lag"] = time.time() - start.time - seconds
        if values:
            self.feed.stream(values, self._rate, state)

    def _process(self) -> None:
        """Process ramps, one after the other."""
        while (over := self._ramps.get()) is not None:
            if self._ramps.qsize() > (LAST if self._over.is_set() else WAITING):
                continue
            try:
                event, alarms = self._processor.event(over)
            except Exception as error:  # a thread that dies in silence would show nothing more
                self._wire.send(said=f"curve {over.number} was not processed: {_words(error)}")
                continue
            event["after"] = time.time() - over.start.time - event["stop"]
            self.feed.ramp(event)
            for alarm in alarms:
                more = {"number": alarm.number, "quantity": alarm.quantity}
                self.feed.alarm(alarm.text, seconds=event["begin"], **more)
                self._wire.send(said=alarm.text)
            with contextlib.suppress(Exception):  # what was learnt before will do
                self._processor.learn(over)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, NrmError) else f"{type(error).__name__}: {error}"


def _described(channel: Mapping[str, Any]) -> dict[str, Any]:
    name, unit = str(channel["name"]), str(channel["unit"])
    factor, shown = {"m": (1e9, "nm")}.get(unit, (1.0, unit))
    label = CHANNELS[name].meaning.partition(",")[0]
    return {"name": name, "label": label, "unit": shown, "factor": factor}


def main() -> None:
    """Show a recording until the recorder ends."""
    wire = Wire(sys.stdin, sys.stdout)
    sys.stdout = sys.stderr  # nothing else may come between the lines
    messages = wire.messages()
    begin = next(messages, None)
    if begin is None:
        return
    try:
        recipe = as_recipe(begin["recipe"])
        view = LiveView(Path(begin["part"]), begin["title"], recipe, wire)
        server = serve(view.feed, int(begin["port"]))
    except NrmError as error:
        wire.send(failed=str(error))
        return
    view.start()
    wire.send(url=server.url)
    try:
        for message in messages:
            if "state" in message:
                view.state(message["state"])
            elif "marked" in message:
                view.marked(message["marked"])
            elif "remarked" in message:
                view.remarked(message["remarked"])
            elif "over" in message:
                view.finish()
                wire.send(closed=True)
            elif "ended" in message:
                view.feed.ended(**message["ended"])
                _show_file(server, Path(message["ended"]["path"]), begin["recipe"], wire)
    finally:
        server.stop()


def _show_file(server: Server, path: Path, recipe: str | None, wire: Wire) -> None:
    """Have the pages look at the finished file."""
    from nrm_plugin.viewer.opening import opened
    from nrm_plugin.viewer.sessions import Session

    try:
        session = Session(opened([path], recipe=recipe))
    except Exception as error:  # the last thing that the page showed stays
        wire.send(said=f"the page cannot show {path}: {_words(error)}")
        return
    server.show(session)
    session.begin()


if __name__ == "__main__":
    main()
