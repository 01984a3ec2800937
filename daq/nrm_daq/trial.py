"""Everything but recording, tried: what ``nrm acquire --check`` says."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_daq.acquisition import Acquisition, AcquisitionStopped
from nrm_daq.config import DaqConfig
from nrm_daq.dither_table import dither_metadata
from nrm_daq.dithered_recording import prepared_dither
from nrm_daq.hardware import Setup, connected, prepared
from nrm_daq.lockin_settings import as_metadata
from nrm_daq.run import asked_lock_in, described
from nrm_daq.segmentation import splitter_for
from nrm_plugin.demodulation import LockInPlan, found_frequencies, plain_rate
from nrm_plugin.demodulation.reference_tone import ENOUGH
from nrm_plugin.errors import DaqUnavailable
from nrm_plugin.text import with_unit

if TYPE_CHECKING:
    from nidaqmx import Task


def checked(config: DaqConfig) -> dict[str, Any]:
    """Try everything but recording: lock-in, board, terminals, ranges, rate, trigger.

    Raises
    ------
    DaqUnavailable, InvalidInput
    """
    with ExitStack() as stack:
        _, settings = asked_lock_in(config, stack)
        connection = stack.enter_context(connected(config))
        task, setup = stack.enter_context(prepared(connection, config))
        dither = stack.enter_context(prepared_dither(connection, config, setup))
        header = described(config, setup, settings, dither)
        digital = tried(task, setup, config)
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
    lines += dither.said() if dither else []
    splitter = splitter_for(setup.rate, config.split, config.channels)
    lines.append(
        f"ramps are found by {splitter.by}"
        if splitter
        else "no channel shows where ramps begin and end: the recording will not be cut into curves"
    )
    metadata = {**config.known_metadata(), **as_metadata(settings)}
    metadata |= dither_metadata(header["dither"] or {"tones": ()})
    lines += digital
    needed = ("lockin_sensitivity", "lockin_time_constant", "dither_amplitude")
    lacking = [k for k in (needed[2:] if digital else needed) if k not in metadata | header["made"]]
    given = digital or "lockin_output_x" in config.channels
    if given and lacking and not config.experiment:
        lines.append(f"missing, and needed for moduli: {', '.join(lacking)}")
    lines += header["warnings"]
    return {"setup": setup.values(), "channels": header["channels"], "said": lines}


def tried(task: Task, setup: Setup, config: DaqConfig) -> list[str]:
    """Say what a lock-in in software does; where its reference is recorded, by half a second of it.

    Raises
    ------
    DaqUnavailable
        If the board gives no samples.
    InvalidInput
        If there is no clear reference, or the filter cannot be made.
    """
    settings = config.digital()
    if settings is None:
        return []
    rate = plain_rate(setup.rate)
    if not settings.reference:
        return plan_text(LockInPlan.made(settings, rate, settings.frequencies))
    if config.trigger is not None:
        return [f"the lock-in's reference is {settings.reference}: seen when the trigger has come"]
    blocks: list[Any] = []
    frequencies = None
    with Acquisition(task, setup, block=max(1, round(0.1 * setup.rate)), total=ENOUGH) as board:
        row = list(config.channels).index(settings.reference)
        try:
            for block in board.blocks():
                blocks.append(block.values[row])
                head = np.concatenate(blocks)
                frequencies = found_frequencies(settings, rate, head, whole=len(head) == ENOUGH)
                if frequencies is not None:
                    break
        except AcquisitionStopped as error:
            raise DaqUnavailable(error.reason) from None
    return plan_text(LockInPlan.made(settings, rate, frequencies or ()))


def plan_text(plan: LockInPlan) -> list[str]:
    """What a lock-in in software is going to do, in words."""
    seen = f"the reference {plan.settings.reference}" if plan.settings.reference else "no reference"
    pairs = zip(plan.names, plan.tones, strict=True)
    return [
        f"lock-in in software, with {seen}: each value made of "
        f"{with_unit(plan.length / plan.rate, 's', 4)}, noise bandwidth "
        f"{with_unit(plan.filter_.noise_bandwidth, 'Hz', 4)}, "
        f"{with_unit(plan.rate / plan.interval, 'Hz', 7)} out, {plan.settings.convention}",
        *(f"{x}, {y}: {with_unit(tone.demodulated, 'Hz', 9)}" for (x, y), tone in pairs),
    ]
