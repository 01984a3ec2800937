"""What pages get of a running recording: in order, bounded, previews given up first."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest

from nrm_plugin.errors import InvalidInput
from nrm_plugin.viewer.events import PREVIEWS, WAITING, Events, Listener
from nrm_plugin.viewer.live import LETTERS, LiveFeed

ABOUT = {"title": "out.h5", "rate": 1000.0, "simulated": True, "channels": []}


def taken(listener: Listener, kind: str = "") -> list[tuple[str, Any]]:
    """Messages as a browser's EventSource reads them."""
    found = []
    for message in listener.take():
        first, second, *rest = message.split("\n")
        assert rest == ["", ""]
        name = first.removeprefix("event: ")
        if kind in ("", name):
            found.append((name, json.loads(second.removeprefix("data: "))))
    return found


def test_everybody_who_listens_gets_what_comes_from_then_on() -> None:
    events = Events()
    events.post("before")
    calls: list[int] = []
    with events.listen(lambda: calls.append(1)) as one:
        events.post("a", {"x": np.array([1.0, np.nan, np.inf]), "n": np.int64(3)})
        with events.listen() as two:
            events.post("b", {"text": 'line\nbreak "quoted" </script>'})
            assert taken(two) == [("b", {"text": 'line\nbreak "quoted" </script>'})]
        assert events.listeners == 1
        assert taken(one) == [
            ("a", {"x": [1.0, None, None], "n": 3}),
            ("b", {"text": 'line\nbreak "quoted" </script>'}),
        ]
        assert taken(one) == []
    assert (events.listeners, len(calls)) == (0, 2)


def test_a_page_that_does_not_read_loses_previews_first_and_the_order_stays() -> None:
    events = Events()
    with events.listen() as listener:
        for k in range(1000):
            events.post("live", {"k": k}, preview=True)
            if k % 100 == 0:
                events.post("ramp", {"number": k // 100})
        got = taken(listener)
    assert [d["number"] for name, d in got if name == "ramp"] == list(range(10))
    assert [d["k"] for name, d in got if name == "live"] == list(range(1000 - PREVIEWS, 1000))
    assert [name for name, _ in got][:10] == ["ramp"] * 10


def test_a_page_that_left_too_much_is_told_to_load_anew() -> None:
    events = Events()
    with events.listen() as listener:
        for k in range(WAITING + 5):
            events.post("ramp", {"number": k})
        assert [name for name, _ in taken(listener)] == ["session", *["ramp"] * 4]


def test_posting_from_many_threads_loses_nothing() -> None:
    events = Events()
    with events.listen() as listener:

        def post(k: int) -> None:
            for number in range(20):
                events.post("ramp", {"k": k, "number": number})

        threads = [threading.Thread(target=post, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        got = [d for _, d in taken(listener)]
    for k in range(8):
        assert [d["number"] for d in got if d["k"] == k] == list(range(20))


# The stream


def streamed(sizes: list[int], rate: float = 1000.0) -> list[dict[str, Any]]:
    values = np.random.default_rng(1).normal(size=sum(sizes)).astype(np.float32)
    feed, at = LiveFeed(ABOUT), 0
    with feed.events.listen() as listener:
        frames = []
        for n in sizes:
            part = values[at : at + n]
            at += n
            feed.stream({"deflection": part, "height": -part}, rate, {"samples": at})
            frames += [d for _, d in taken(listener)]
    for frame in frames:
        first = round(frame["begin"] * rate)
        low, high = (frame["channels"]["deflection"][k] for k in ("low", "high"))
        bins = values[first : first + 5 * len(low)].reshape(-1, 5)
        np.testing.assert_allclose(low, bins.min(1), rtol=1e-5)
        np.testing.assert_allclose(high, bins.max(1), rtol=1e-5)
        np.testing.assert_allclose(frame["channels"]["height"]["low"], -bins.max(1), rtol=1e-5)
    return frames


@pytest.mark.parametrize("size", [1, 7, 40, 200, 333, 2000])
def test_frames_hold_the_extremes_of_every_sample(size: int) -> None:
    """However the stream comes in blocks: no gap between frames, and none shorter than FRAME."""
    frames = streamed([size] * (4000 // size))
    end = 0.0
    for frame in frames:
        assert frame["begin"] == pytest.approx(end)
        n = len(frame["channels"]["deflection"]["low"])
        assert n >= 39
        end += n * frame["bin"]
    assert end >= 4.0 - max(0.2, 2e-3 * size) - 0.01


def test_a_frame_leaves_out_what_is_older_than_two_seconds() -> None:
    (frame,) = streamed([10_003])
    assert frame["begin"] == pytest.approx(8.005)
    assert len(frame["channels"]["height"]["low"]) == 399


def test_samples_that_were_left_out_leave_a_gap() -> None:
    feed = LiveFeed(ABOUT)
    with feed.events.listen() as listener:
        feed.stream({"height": np.zeros(150, np.float32)}, 1e3, {"samples": 150})
        feed.stream({"height": np.ones(300, np.float32)}, 1e3, {"samples": 1000})
        ((_, frame),) = taken(listener)
    assert (frame["begin"], set(frame["channels"]["height"]["low"])) == (0.7, {1.0})


# What is kept for pages that open later


def test_a_page_that_opens_later_knows_what_there_was() -> None:
    feed = LiveFeed(ABOUT, lambda text: {"text": text, "time": 5.0, "seconds": 1.0})
    for k in range(3):
        region = {"label": "0.5 V", "n": k + 1}
        feed.ramp({"number": k, "trend": {"number": k, "wall_slope": 1.0}, "region": region})
    feed.alarm("the tip changed", number=2)
    assert feed.marker("  Argon\n on ") == {"text": "Argon on", "time": 5.0, "seconds": 1.0}
    known = json.loads(json.dumps(feed.snapshot()))
    assert (known["ramps"], known["last"]["number"], known["ended"]) == (3, 2, None)
    assert [t["number"] for t in known["trends"]] == [0, 1, 2]
    assert known["regions"] == [{"label": "0.5 V", "n": 3}]
    assert known["alarms"] == [{"text": "the tip changed", "number": 2}]
    assert [m["text"] for m in known["markers"]] == ["Argon on"]
    feed.ended("out.h5", stopped="")
    assert feed.snapshot()["ended"] == "out.h5"
    with pytest.raises(InvalidInput, match="nothing is being recorded"):
        feed.marker("too late")


@pytest.mark.parametrize("text", ["", " \n", "x" * (LETTERS + 1)])
def test_a_marker_has_a_text(text: str) -> None:
    with pytest.raises(InvalidInput, match="letters"):
        LiveFeed(ABOUT, lambda text: {}).marker(text)
