"""One recording from start to end: lock-in, board, file, terminal."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_daq.acquisition import Acquisition, AcquisitionStopped
from nrm_daq.config import DaqConfig, scaling
from nrm_daq.hardware import Setup, connected, prepared
from nrm_daq.live_page import LivePage
from nrm_daq.lockin_settings import (
    CompletedLockIn,
    as_metadata,
    check_outputs,
    completed,
    warnings_of,
)
from nrm_daq.lockin_watch import LockInWatch
from nrm_daq.recording import Recording
from nrm_daq.recovery import recover, report_of
from nrm_daq.segmentation import splitter_for
from nrm_daq.status_line import StatusLine
from nrm_plugin import __version__
from nrm_plugin.errors import DaqUnavailable, InvalidInput, NrmError, OutputError
from nrm_plugin.files import check_output
from nrm_plugin.hookspecs import ConnectedLockIn, LockInSettings

if TYPE_CHECKING:
    from nrm_daq.device import BoardClock


def record(
    config: DaqConfig,
    out: Path,
    duration: float | None = None,
    *,
    overwrite: bool = False,
    quiet: bool = False,
    clock: BoardClock | None = None,
    ending: threading.Event | None = None,
    page: LivePage | None = None,
) -> dict[str, Any]:
    """Record until the time is up, somebody ends it, or something breaks.

    Parameters
    ----------
    config : DaqConfig
    out : Path
        The file; while it runs, ``out`` with ``.part`` behind it.
    duration : float, optional
        In s; without it until Ctrl-C.
    overwrite : bool
    quiet : bool
        Show nothing on the terminal.
    clock : BoardClock, optional
        Of the simulated board.
    ending : Event, optional
        Ends the recording when it is set.
    page : LivePage, optional
        Shows the recording while it runs, and the file afterwards, until it is closed.

    Returns
    -------
    dict
        As `report_of`.

    Raises
    ------
    DaqUnavailable, InvalidInput, OutputError
    """
    part = out.with_name(out.name + ".part")
    check_output(out, overwrite=overwrite)
    ending = ending or threading.Event()
    with ExitStack() as stack:
        lock_in, settings = _lock_in(config, stack)
        connection = stack.enter_context(connected(config, clock))
        task, setup = stack.enter_context(prepared(connection, config))
        total = None if duration is None else max(1, round(duration * setup.rate))
        header = described(config, setup, settings)
        display = StatusLine(config, setup, header["channels"], quiet=quiet)
        recording = stack.enter_context(Recording(part, header))
        stack.callback(_forget_empty, recording)
        stack.enter_context(_ended_by_signal(ending))
        if page is not None:
            page.start(recording, setup, out, ending)
        acquisition = stack.enter_context(
            Acquisition(
                task,
                setup,
                block=max(1, round(config.block * setup.rate)),
                total=total,
                triggered=config.trigger is not None,
                ending=ending,
            )
        )
        recording.note(began=acquisition.began)
        watch = LockInWatch(lock_in, settings, clock=time.time) if lock_in else None
        with display, watch or nullcontext():
            ended = _write_down(acquisition, recording, [display, page], watch)
        notes: dict[str, Any] = {"ended": ended}
        if watch is not None:
            notes["spoilt"] = _stretches(watch)
        if lock_in is not None:
            notes |= _afterwards(lock_in)
        try:
            recording.note(**notes)
            recording.flush()
        except OutputError as error:
            ended = ended or str(error)
    if not recording.samples:
        raise OutputError(out, ended or "it was ended before the first sample")
    return _finished(part, out, overwrite, ended, page)


def described(config: DaqConfig, setup: Setup, settings: LockInSettings) -> dict[str, Any]:
    """Return what a recording says of itself first."""
    channels = []
    for name, channel in config.channels.items():
        gain, offset, unit = scaling(name, channel)
        channels.append(
            {
                "name": name,
                "unit": unit,
                "gain": gain,
                "offset": offset,
                "terminal": channel.terminal,
                "range": channel.range,
            }
        )
    experiment = None
    if config.experiment:
        from nrm_plugin.experiment import read

        file = read(config.experiment)
        experiment = {"name": file.name, "text": file.text}
    warnings = warnings_of(settings)
    if abs(setup.rate / config.rate - 1.0) > 1e-6:
        warnings.append(f"the board samples at {setup.rate:.9g} Hz, not at {config.rate:.9g} Hz")
    return {
        "version": __version__,
        "config": config.model_dump(mode="json"),
        "setup": setup.values(),
        "channels": channels,
        "lock_in": asdict(settings),
        "experiment": experiment,
        "triggered": config.trigger is not None,
        "simulated": setup.device.simulated or config.backend == "simulated",
        "warnings": warnings,
    }


def checked(config: DaqConfig) -> dict[str, Any]:
    """Try everything but recording: lock-in, board, terminals, ranges, rate, trigger.

    Raises
    ------
    DaqUnavailable, InvalidInput
    """
    with ExitStack() as stack:
        _, settings = _lock_in(config, stack)
        connection = stack.enter_context(connected(config))
        _, setup = stack.enter_context(prepared(connection, config))
        header = described(config, setup, settings)
    device = setup.device
    lines = [
        f"{device.name}: {device.product} at {setup.place}, {setup.driver}",
        f"{setup.rate:.9g} samples per second of {len(header['channels'])} channels, "
        f"ring {setup.ring / setup.rate:g} s",
    ]
    if any(setup.delays):
        what = {"correct": "corrected", "keep": "not corrected"}[config.skew]
        lines.append(
            f"sampled one after the other, the last {1e6 * max(setup.delays):.3g} us after the "
            f"first: {what}"
        )
    lines += [
        f"{c['name']}: {c['terminal']}, {c['gain']:g} {c['unit']}/V" for c in header["channels"]
    ]
    splitter = splitter_for(setup.rate, config.split, config.channels)
    lines.append(
        f"ramps are found by {splitter.by}"
        if splitter
        else "no channel shows where ramps begin and end: the recording will not be cut into curves"
    )
    metadata = {**config.known_metadata(), **as_metadata(settings)}
    lacking = [
        k
        for k in ("lockin_sensitivity", "lockin_time_constant", "dither_amplitude")
        if k not in metadata
    ]
    if "lockin_output_x" in config.channels and lacking and not config.experiment:
        lines.append(f"missing, and needed for moduli: {', '.join(lacking)}")
    lines += header["warnings"]
    return {"setup": setup.values(), "channels": header["channels"], "said": lines}


def _forget_empty(recording: Recording) -> None:
    if not recording.samples:
        recording.remove()


def _lock_in(config: DaqConfig, stack: ExitStack) -> tuple[ConnectedLockIn | None, LockInSettings]:
    """Ask the lock-in what it is set to, or believe the configuration."""
    given = config.lock_in.given()
    if not config.lock_in.address or config.backend == "simulated":
        return None, given
    lock_in = stack.enter_context(closing(config.lock_in.connected()))
    settings = lock_in.settings()
    check_outputs(settings)
    read = as_metadata(settings)
    for key, value in as_metadata(given).items():
        actual = read.get(key)
        if actual is not None and actual != value and not np.isclose(actual, value, rtol=1e-3):
            raise InvalidInput(
                f"the lock-in has {key} = {actual}, the configuration says {value}: leave it out "
                "of the configuration, the instrument is asked"
            )
    return CompletedLockIn(lock_in, given), completed(settings, given)


def _write_down(
    acquisition: Acquisition,
    recording: Recording,
    displays: Sequence[StatusLine | LivePage | None],
    watch: LockInWatch | None,
) -> str:
    """Write block after block; return why it ended, empty where it was meant to."""
    noted = 0
    try:
        for block in acquisition.blocks():
            recording.append(block)
            if watch is not None and len(watch.stretches) != noted:
                noted = len(watch.stretches)
                recording.note(spoilt=_stretches(watch))
            for display in displays:
                if display is not None:
                    display.show(block, acquisition, watch)
    except AcquisitionStopped as error:
        return str(error)
    except OutputError as error:
        return str(AcquisitionStopped(recording.samples, str(error)))
    return ""


def _stretches(watch: LockInWatch) -> list[tuple[float, float, tuple[str, ...]]]:
    return [(s.begin, s.end, s.faults) for s in watch.stretches]


def _afterwards(lock_in: ConnectedLockIn) -> dict[str, Any]:
    try:
        return {"lock_in_after": asdict(lock_in.settings())}
    except DaqUnavailable as error:
        return {"not_asked": f"the lock-in was not asked again at the end: {error}"}


def _finished(
    part: Path, out: Path, overwrite: bool, ended: str, page: LivePage | None
) -> dict[str, Any]:
    """Make the file of the recording; whatever fails, the recording stays."""
    try:
        curves = recover(part, out, overwrite=overwrite)
        report = report_of(curves, out, ended)
    except NrmError as error:
        why = f"{ended}; " if ended else ""
        raise OutputError(
            out, f"{why}{error}; what was recorded is in {part}: nrm acquire --recover {part}"
        ) from None
    finally:
        if page is not None:
            page.let_go()
    part.unlink()
    if page is not None:
        page.ended(report)
    return report


@contextmanager
def _ended_by_signal(ending: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and a polite kill end the recording instead of the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()

    before = {n: signal.signal(n, end) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
