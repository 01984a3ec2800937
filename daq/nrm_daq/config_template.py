"""A configuration to fill in, with the terminals, ranges and rates of the board that is there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nrm_daq.analog_input import AnalogInput
from nrm_daq.config import DaqConfig
from nrm_daq.hardware import Device, connected, devices
from nrm_plugin import plugins
from nrm_plugin.errors import DaqUnavailable
from nrm_plugin.text import as_toml, commented, quoted

#: What most recordings have, in the order in which terminals are given out.
_CHANNELS = {
    "deflection": "of the detector, top minus bottom",
    "lockin_output_x": "CH1 of the lock-in, set to X",
    "lockin_output_y": "CH2 of the lock-in, set to Y",
    "height": "the z sensor",
    "potential": "of the electrode, from the potentiostat",
}

#: Volts that a lock-in puts out.
_WANTED_RANGE = 10.0

#: A usual rate, in Hz.
_USUAL_RATE = 50e3

#: What the scale of the z sensor looks like.
_EXAMPLE = AnalogInput(terminal="any", scale="1 um/V", polarity="inverted")


def config_to_fill_in(config: DaqConfig) -> tuple[str, Device]:
    """Return a configuration as text, and the board that it is for.

    Parameters
    ----------
    config : DaqConfig
        Says by its backend where boards are looked for. That of the simulated electrode gives the
        scale of its z sensor, too.

    Raises
    ------
    DaqUnavailable
        If there is no board with analog inputs.
    """
    with connected(config) as connection:
        boards = [board for board in devices(connection) if board.terminals]
        if not boards:
            raise DaqUnavailable(
                f"no board with analog inputs was found at {connection.place}: connect one, and "
                "look for it in NI MAX"
            )
    board = boards[0]
    sensor = config.channels.get("height", _EXAMPLE)
    return "\n".join(_lines(config.backend, boards, sensor)) + "\n", board


def _lines(backend: str, boards: Sequence[Device], sensor: AnalogInput) -> list[str]:
    board = boards[0]
    n = min(len(_CHANNELS), len(board.terminals))
    most = board.largest_rate / (1 if board.simultaneous else n)
    rate = min(_USUAL_RATE, _rounded_down(most)) if most > 0 else _USUAL_RATE
    each = "of each channel" if board.simultaneous else f"of each of {n} channels, one by one"
    several = ", ".join(b.name for b in boards[1:])
    ranges = ", ".join(f"{r:g}" for r in board.ranges) or "not known"
    lines = [
        f"# What nrm acquire --config records with {commented(board.product)} (serial number "
        f"{board.serial}).",
        "# A line without # is read. Fill in what is marked ???, and try it with --check.",
        *([f"# Other boards that were found: {commented(several)}."] if several else []),
        "",
        f"backend = {quoted(backend)}",
        f"rate = {as_toml(rate, 'Hz')}  # at most {most:.6g} samples per second {each}",
        '# ring = "10 s"  # how long the driver keeps samples while this computer is busy',
        '# skew = "correct"  # where channels are sampled one by one: or "refuse", "keep"',
        '# experiment = "experiment.toml"  # calibrations and samples: nrm experiment writes one',
        "",
        f"# Analog inputs: {', '.join(board.terminals)}.",
        f"# Ranges, both ways: {ranges} V. Wiring: default, differential, rse, nrse or",
        "# pseudo-differential. Names of your own begin with aux_.",
    ]
    for i, (name, about) in enumerate(_CHANNELS.items()):
        here = "" if i < n else "# "
        terminal = board.terminals[i] if i < n else "???"
        lines += ["", f"{here}[channels.{name}]  # {about}"]
        lines.append(f"{here}terminal = {quoted(terminal)}  # ??? where it is connected")
        lines.append(f"{here}range = {as_toml(_range(board), 'V')}")
        lines.append('# wiring = "differential"')
        if name == "height":
            scale = sensor.scale if isinstance(sensor.scale, str) else as_toml(sensor.scale, "m/V")
            lines.append(f"{here}scale = {quoted(scale)}  # ??? of the sensor")
            lines.append(
                f"{here}polarity = {quoted(sensor.polarity)}  # ??? inverted: the voltage falls as "
                "the tip moves away"
            )
    return [*lines, *_lock_in_lines(), *_dither_lines(board), *_other_lines(board)]


def _lock_in_lines() -> list[str]:
    models = ", ".join(plugins.installed().all("lockins"))
    return [
        "",
        "# The lock-in: where it is asked, or what it is set to.",
        "[lock_in]",
        f'# model = "sr830"  # there are: {models}',
        '# address = "GPIB0::8::INSTR"',
        '# sensitivity = "1 mV"  # full scale, V rms',
        '# time_constant = "1 ms"',
        "# poles = 4  # 6 dB/oct each",
        "# expand_x = 1",
        "# expand_y = 1",
        '# offset_x = "0 %"  # of full scale',
        '# offset_y = "0 %"',
        '# frequency = "1 kHz"  # of the dither',
        "",
        "# Or a lock-in in software: record the raw lateral signal as channels.lateral and what",
        "# drives the dither as channels.reference, instead of lockin_output_x and _y.",
        '#   model = "digital"',
        "#   harmonics = [3]",
        "#   keep_raw = true  # every sample, too, in OUT.raw.h5",
    ]


def _dither_lines(board: Device) -> list[str]:
    if not board.outputs:
        return []
    return [
        "",
        f"# An output of the board as the dither's drive: {', '.join(board.outputs)}.",
        "# [dither]",
        f"# terminal = {quoted(board.outputs[0])}  # ??? where the shaker is connected",
        '# max_voltage = "1 V"  # ??? no sample is above, both ways',
        '# frequency = "1 kHz"',
        '# amplitude = "0.5 V"  # peak; "1 nm" needs sensitivity (nm/V at rest) and response, too',
        '# ramp = "0.2 s"  # in which it rises and falls',
    ]


def _other_lines(board: Device) -> list[str]:
    return [
        "",
        "# What the moduli need, unless an experiment file has it.",
        "[metadata]",
        '# dither_amplitude = "1 nm"  # ??? lateral motion of the sample, peak',
        '# spring_constant = "0.1 N/m"',
        '# deflection_sensitivity = "50 nm/V"',
        "",
        "# What tells ramps apart; by default the height.",
        "[split]",
        '# by = "auto"',
        '# travel = "50 nm"  # a ramp moves at least so far',
        "",
        "# A digital edge that starts the recording.",
        "# [trigger]",
        f"# terminal = {quoted(f'/{board.name}/PFI0')}",
        '# edge = "rising"',
    ]


def _range(board: Device) -> float:
    """Smallest range that takes a lock-in's output; else the largest there is."""
    enough = [r for r in board.ranges if r >= _WANTED_RANGE]
    return min(enough) if enough else max(board.ranges, default=_WANTED_RANGE)


def _rounded_down(rate: float) -> float:
    """Rate with two digits, not above."""
    step = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return float(math.floor(rate / step * (1 + 1e-12)) * step)
