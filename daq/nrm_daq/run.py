"""One recording from start to end: lock-in, board, file, terminal."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_daq.acquisition import Acquisition, AcquisitionStopped
from nrm_daq.analog_input import scaling
from nrm_daq.config import DaqConfig
from nrm_daq.digital_config import DigitalLockInTable
from nrm_daq.dithered_recording import Dither, prepared_dither
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
from nrm_daq.recording_metadata import local
from nrm_daq.recovery import recover, report_of
from nrm_daq.software_lockin import DemodulatedRecording
from nrm_daq.status_line import StatusLine
from nrm_daq.typed_remarks import TypedRemarks
from nrm_plugin import __version__
from nrm_plugin.demodulation import DigitalLockIn
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
    if config.keeps_raw:
        check_output(raw_of(out), overwrite=overwrite)
    ending = ending or threading.Event()
    with ExitStack() as stack:
        lock_in, settings = asked_lock_in(config, stack)
        connection = stack.enter_context(connected(config, clock))
        task, setup = stack.enter_context(prepared(connection, config))
        dither = stack.enter_context(prepared_dither(connection, config, setup))
        total = None if duration is None else max(1, round(duration * setup.rate))
        header = described(config, setup, settings, dither)
        display = StatusLine(config, setup, header["channels"], quiet=quiet)
        recording = _recording(part, header, config)
        stack.callback(recording.close)
        stack.callback(_forget_empty, recording)
        stack.enter_context(ended_by_signal(ending))
        if page is not None and isinstance(recording, DemodulatedRecording):
            recording.described = partial(
                page.start, recording, setup, out, ending, waited_for=False
            )
        elif page is not None:
            page.start(recording, setup, out, ending)
        if dither is not None:
            stack.enter_context(dither.started(ending))
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
        remarks = TypedRemarks(partial(_remarked, recording, display, page))
        with display, watch or nullcontext(), remarks:
            ended = _write_down(acquisition, recording, [display, page], watch)
        try:
            ended = ended or recording.finish()
        except OutputError as error:
            ended = str(error)
        if dither is not None:
            ended = ended or dither.problem
        notes: dict[str, Any] = {"ended": ended, **(dither.notes() if dither else {})}
        if watch is not None:
            notes["spoilt"] = _stretches(watch)
        if lock_in is not None:
            notes |= _afterwards(lock_in)
        try:
            recording.note(**notes)
            recording.flush()
        except OutputError as error:
            ended = ended or str(error)
    if dither is not None and dither.left_on:
        ended = f"{ended}; {dither.left_on}" if ended else dither.left_on
    made = [(one.path, out_of(one.path)) for one in recording.journals if one.samples]
    if not made:
        raise OutputError(out, ended or "it was ended before the first sample")
    return _finished(made, overwrite, ended, page)


def out_of(part: Path) -> Path:
    """Return the file that a recording becomes."""
    return part.with_name(part.name.removesuffix(".part"))


def raw_of(out: Path) -> Path:
    """Return the file of all samples, where a lock-in in software makes another of them."""
    return out.with_name(f"{out.stem}.raw{out.suffix}")


def _recording(
    part: Path, header: dict[str, Any], config: DaqConfig
) -> Recording | DemodulatedRecording:
    """Begin the file of the recording."""
    digital = config.digital()
    if digital is None:
        return Recording(part, header)
    raw = None
    if config.keeps_raw:
        raw = raw_of(out_of(part))
        raw = raw.with_name(raw.name + ".part")
    return DemodulatedRecording(part, header, digital, raw)


def described(
    config: DaqConfig, setup: Setup, settings: LockInSettings, dither: Dither | None = None
) -> dict[str, Any]:
    """Return what a recording says of itself first."""
    digital, channels = config.digital(), []
    raw = (digital.signal, digital.reference) if digital else ()
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
                **({"as_sampled": True} if name in raw else {}),  # the lock-in knows its delay
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
        "dither": dither.header() if dither else None,
        "experiment": experiment,
        "triggered": config.trigger is not None,
        "simulated": setup.device.simulated or config.backend == "simulated",
        "warnings": warnings,
        "made": _said_by(config, setup, digital) if digital else {},
    }


def _said_by(config: DaqConfig, setup: Setup, digital: DigitalLockIn) -> dict[str, float]:
    """Metadata of the samples that a lock-in in software works on."""
    taken = dict(zip(config.channels, setup.delays, strict=True))
    delay = taken[digital.signal] - taken.get(digital.reference, 0.0)
    said = {"lateral_delay": delay} if delay else {}
    for key, values in (("dither_amplitude", digital.motions), ("lockin_phase", digital.phases)):
        if values:
            said[key] = values[0]
    return said


def _forget_empty(recording: Recording | DemodulatedRecording) -> None:
    for one in recording.journals:
        if not one.samples:
            one.remove()


def asked_lock_in(
    config: DaqConfig, stack: ExitStack
) -> tuple[ConnectedLockIn | None, LockInSettings]:
    """Ask the lock-in what it is set to, or believe the configuration."""
    if isinstance(config.lock_in, DigitalLockInTable):
        return None, LockInSettings()
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
    recording: Recording | DemodulatedRecording,
    displays: Sequence[StatusLine | LivePage | None],
    watch: LockInWatch | None,
) -> str:
    """Write block after block; return why it ended, empty where it was meant to."""
    noted = 0
    faults = recording if isinstance(recording, DemodulatedRecording) else watch
    try:
        for block in acquisition.blocks():
            recording.append(block)
            if watch is not None and len(watch.stretches) != noted:
                noted = len(watch.stretches)
                recording.note(spoilt=_stretches(watch))
            for display in displays:
                if display is not None:
                    display.show(block, acquisition, faults)
    except AcquisitionStopped as error:
        return str(error)
    except OutputError as error:
        return str(AcquisitionStopped(recording.samples, str(error)))
    return ""


def _remarked(
    recording: Recording | DemodulatedRecording,
    display: StatusLine,
    page: LivePage | None,
    text: str,
) -> None:
    """Write down a remark that was typed on the terminal."""
    if not text:
        display.hold()
        return
    try:
        moment = recording.mark(text)
    except (NrmError, ValueError) as error:  # ValueError: the file was closed
        display.say(f"the remark was not written: {error}")
        return
    if page is not None:
        page.remarked(text, moment)
    display.say(f"marker at {local(1e-9 * moment):%H:%M:%S}: {text}")


def _stretches(watch: LockInWatch) -> list[tuple[float, float, tuple[str, ...]]]:
    return [(s.begin, s.end, s.faults) for s in watch.stretches]


def _afterwards(lock_in: ConnectedLockIn) -> dict[str, Any]:
    try:
        return {"lock_in_after": asdict(lock_in.settings())}
    except DaqUnavailable as error:
        return {"not_asked": f"the lock-in was not asked again at the end: {error}"}


def _finished(
    made: list[tuple[Path, Path]], overwrite: bool, ended: str, page: LivePage | None
) -> dict[str, Any]:
    """Make the files of the recording; whatever fails, the recording stays."""
    reports = []
    try:
        for part, out in made:
            curves = recover(part, out, overwrite=overwrite)
            reports.append(report_of(curves, out, ended))
    except NrmError as error:
        why = f"{ended}; " if ended else ""
        left = [str(part) for part, _ in made[len(reports) :]]
        commands = ", ".join(f"nrm acquire --recover {part}" for part in left)
        raise OutputError(
            out, f"{why}{error}; what was recorded is in {' and '.join(left)}: {commands}"
        ) from None
    finally:
        if page is not None:
            page.let_go()
        for part, _ in made[: len(reports)]:
            part.unlink()
    report, *more = reports
    if more:
        report["raw"] = more[0]
    if page is not None:
        page.ended(report)
    return report


@contextmanager
def ended_by_signal(ending: threading.Event) -> Iterator[None]:
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
