"""An SR830 read over VISA: a simulated one that answers as the manual says, and values given."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import pytest

from nrm_daq.lockin_settings import as_metadata, changed, check_outputs, given, warnings_of
from nrm_daq.lockin_watch import LockInWatch, Stretch
from nrm_daq.sr830 import POLES, SENSITIVITIES, SR830, TIME_CONSTANTS
from nrm_plugin.calibration.lockin import input_scale
from nrm_plugin.errors import DaqUnavailable, InvalidInput
from nrm_plugin.hookspecs import LockInSettings
from nrm_plugin.vocabulary import METADATA

pyvisa = pytest.importorskip("pyvisa")
pytest.importorskip("pyvisa_sim")

GPIB, SERIAL = "GPIB0::8::INSTR", "ASRL3::INSTR"
IDENTITY = "Stanford_Research_Systems,SR830,s/n31234,ver1.07"

#: Question, what is answered at first. Written as "! question = answer" the answer changes, as if
#: somebody turned a knob.
ANSWERS = {
    "SENS?": "17",  # 1 mV
    "OFLT?": "8",  # 100 ms
    "OFSL?": "3",  # 24 dB/oct
    "OEXP? 1": "40.00,1",  # 40 % offset, expand 10
    "OEXP? 2": "-12.50,0",
    "FPOP? 1": "1",
    "FPOP? 2": "1",
    "FREQ?": "1000.0",
    "PHAS?": "-90.00",
    "HARM?": "1",
    "SLVL?": "0.500",
    "FMOD?": "1",
    "ISRC?": "0",
    "SYNC?": "0",
    "LIAS?": "0",
    "OUTX?": "0",
}


def simulated(folder):
    """A VISA library with an SR830 on GPIB and one on RS-232, a strange and a mute instrument."""
    lines = ["spec: '1.0'", "devices:"]
    for name, identity in {"lockin": IDENTITY, "other": "ACME,PSU,1,2", "mute": ""}.items():
        lines += [
            f"  {name}:",
            "    eom:",
            '      GPIB INSTR: {q: "\\n", r: "\\n"}',
            '      ASRL INSTR: {q: "\\n", r: "\\r"}',
            "    error: '?'" if name != "mute" else "    error: {}",
        ]
        lines += ["    dialogues:", "      - {q: 'OUTX 0'}", "      - {q: 'OUTX 1'}"]
        if identity:
            lines += [f"      - {{q: '*IDN?', r: '{identity}'}}"]
        if name == "lockin":
            lines += ["    properties:"]
            for i, (question, answer) in enumerate(ANSWERS.items()):
                lines += [
                    f"      p{i}:",
                    f"        default: '{answer}'",
                    f"        getter: {{q: '{question}', r: '{{:s}}'}}",
                    f"        setter: {{q: '! {question} = {{:s}}'}}",
                    "        specs: {type: str}",
                ]
    lines += [
        "resources:",
        f"  {GPIB}: {{device: lockin}}",
        f"  {SERIAL}: {{device: lockin}}",
        "  GPIB0::9::INSTR: {device: other}",
        "  GPIB0::10::INSTR: {device: mute}",
    ]
    path = folder / "sr830.yaml"
    path.write_text("\n".join(lines))
    return f"{path}@sim"


@pytest.fixture
def library(tmp_path):
    return simulated(tmp_path)


@pytest.fixture
def lockin(library):
    with SR830(GPIB, library=library, timeout=0.2) as lockin:
        yield lockin


def turn(lockin, question, answer):
    """Change what the simulated instrument answers."""
    lockin._device.write(f"! {question} = {answer}")


# ---------------------------------------------------------------- tables


def test_tables_are_the_manuals():
    assert len(SENSITIVITIES) == 27
    assert (SENSITIVITIES[0], SENSITIVITIES[1], SENSITIVITIES[2]) == (2e-9, 5e-9, 10e-9)
    assert (SENSITIVITIES[17], SENSITIVITIES[25], SENSITIVITIES[26]) == (1e-3, 0.5, 1.0)
    assert len(TIME_CONSTANTS) == 20
    assert (TIME_CONSTANTS[0], TIME_CONSTANTS[8], TIME_CONSTANTS[19]) == (10e-6, 0.1, 30e3)
    assert POLES == (1, 2, 3, 4)


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize("address", [GPIB, SERIAL])
def test_snapshot_is_in_si(library, address):
    with SR830(address, library=library) as lockin:
        found = lockin.settings()
    assert found == LockInSettings(
        identity=IDENTITY,
        sensitivity=1e-3,
        time_constant=0.1,
        poles=4,
        offset_x=0.4,
        offset_y=-0.125,
        expand_x=10.0,
        expand_y=1.0,
        output_x=True,
        output_y=True,
        reference_frequency=1000.0,
        harmonic=1,
        phase=-math.pi / 2,
        sine_amplitude=0.5,
        internal_reference=True,
        synchronous=False,
        input="A",
    )
    check_outputs(found)
    assert warnings_of(found) == []


def test_metadata_has_the_vocabularys_keys(lockin):
    found = as_metadata(lockin.settings())
    assert found == {
        "lockin_sensitivity": 1e-3,
        "lockin_time_constant": 0.1,
        "lockin_poles": 4.0,
        "lockin_expand_x": 10.0,
        "lockin_expand_y": 1.0,
        "lockin_offset_x": 0.4,
        "lockin_offset_y": -0.125,
        "lockin_convention": "rms",
        "dither_frequency": 1000.0,
    }
    assert found.keys() <= METADATA.keys()
    assert "lockin_phase" not in found  # a matter of calibration


@pytest.mark.parametrize(
    ("sens", "oexp", "volts", "expected"),
    [
        ("17", "0.00,0", 10.0, 1e-3),  # full scale is 10 V
        ("17", "0.00,1", 10.0, 0.1e-3),  # expanded by 10: 10 V is a tenth of full scale
        ("17", "90.00,1", 1.0, 0.91e-3),  # 0.91 mV on 1 mV: (0.91 - 0.9) * 10 * 10 V = 1 V
        ("26", "-50.00,2", 0.0, -0.5),
        ("0", "0.00,0", -10.0, -2e-9),
    ],
)
def test_what_was_read_turns_volts_at_the_output_into_volts_at_the_input(
    lockin, sens, oexp, volts, expected
):
    turn(lockin, "SENS?", sens)
    turn(lockin, "OEXP? 1", oexp)
    known = as_metadata(lockin.settings())
    keys = ("lockin_sensitivity", "lockin_expand_x", "lockin_offset_x")
    gain, offset = input_scale(*(known[key] for key in keys))
    assert volts * gain + offset == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("question", "channel"), [("FPOP? 1", "CH1"), ("FPOP? 2", "CH2")])
def test_an_output_with_the_display_is_refused(lockin, question, channel):
    turn(lockin, question, "0")
    with pytest.raises(InvalidInput, match=rf"{channel} output carries its display"):
        check_outputs(lockin.settings())


@pytest.mark.parametrize("source", ["2", "3"])
def test_a_current_is_refused_and_no_sensitivity_in_volts(lockin, source):
    turn(lockin, "ISRC?", source)
    found = lockin.settings()
    assert "lockin_sensitivity" not in as_metadata(found)
    with pytest.raises(InvalidInput, match="measures a current"):
        check_outputs(found)


def test_a_harmonic_leaves_the_frequency_of_the_dither_open(lockin):
    turn(lockin, "HARM?", "2")
    found = lockin.settings()
    assert "dither_frequency" not in as_metadata(found)
    assert "harmonic 2" in warnings_of(found)[0]


def test_the_synchronous_filter_is_warned_of_where_it_works(lockin):
    turn(lockin, "SYNC?", "1")
    assert warnings_of(lockin.settings()) == []  # at 1 kHz it does nothing
    turn(lockin, "FREQ?", "150.0")
    assert "synchronous filter" in warnings_of(lockin.settings())[0]


def test_no_reference_is_no_frequency(lockin):
    turn(lockin, "FREQ?", "0.0")
    assert lockin.settings().reference_frequency is None
    assert "dither_frequency" not in as_metadata(lockin.settings())


def test_changed_names_what_differs_with_both_values(lockin):
    before = lockin.settings()
    turn(lockin, "FREQ?", "1000.5")  # an external reference is never quite the same
    assert changed(before, lockin.settings()) == {}
    turn(lockin, "SENS?", "18")
    turn(lockin, "FREQ?", "1010.0")
    assert changed(before, lockin.settings()) == {
        "sensitivity": (1e-3, 2e-3),
        "reference_frequency": (1000.0, 1010.0),
    }


def test_values_of_a_configuration_need_no_visa():
    values = {
        "lockin_sensitivity": 5e-3,
        "lockin_time_constant": 1e-3,
        "lockin_poles": 4,
        "lockin_expand_x": 1,
        "lockin_expand_y": 1,
        "lockin_offset_x": 0.2,
        "lockin_offset_y": 0,
        "lockin_convention": "rms",
        "dither_frequency": 970.0,
    }
    found = given(values)
    assert found.sensitivity == 5e-3
    assert found.offset_x == 0.2
    assert as_metadata(found) == values
    check_outputs(found)
    assert as_metadata(LockInSettings()) == {}  # nothing is made up
    assert "lockin_poles" not in as_metadata(given({"lockin_sensitivity": 1e-3}))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lockin_sensitivty": 1.0}, "lockin_sensitivity"),
        ({"lockin_sensitivity": math.nan}, "not believable"),
        ({"lockin_sensitivity": "much"}, "is a number"),
        ({"lockin_poles": 5}, "1 to 4"),
        ({"lockin_poles": 2.5}, "whole number"),
        ({"lockin_convention": "peak"}, "rms"),
        ({"spring_constant": 0.1}, "spring_constant"),
    ],
)
def test_bad_values_of_a_configuration_are_refused(values, said):
    with pytest.raises(InvalidInput, match=said):
        SR830.check(given(values))


# ---------------------------------------------------------------- what may be missing


def test_no_visa_library(tmp_path):
    with pytest.raises(DaqUnavailable, match="no VISA library"):
        SR830(GPIB, library=str(tmp_path / "libvisa.so"))


def test_no_instrument_there_names_those_that_are(library):
    with pytest.raises(
        DaqUnavailable, match=r"no lock-in answers at .GPIB0::1::INSTR.*GPIB0::8::INSTR"
    ):
        SR830("GPIB0::1::INSTR", library=library)


@pytest.mark.parametrize("address", ["", "lock-in", "GPIB0::eight::INSTR"])
def test_an_address_that_is_none(library, address):
    with pytest.raises(DaqUnavailable, match="no lock-in answers at"):
        SR830(address, library=library)


def test_an_instrument_that_is_no_sr830_is_named(library):
    with pytest.raises(DaqUnavailable, match="no SR830 but 'ACME,PSU,1,2'"):
        SR830("GPIB0::9::INSTR", library=library)


def test_an_instrument_that_does_not_answer(library):
    with pytest.raises(DaqUnavailable, match=r"no lock-in answers at .GPIB0::10"):
        SR830("GPIB0::10::INSTR", library=library, timeout=0.05)


@pytest.mark.parametrize("answer", ["27", "-1", "1.5", "nan", "inf", "abc", "1,2", " "])
def test_an_absurd_answer_is_an_error_that_shows_it(lockin, answer):
    turn(lockin, "SENS?", answer)
    with pytest.raises(DaqUnavailable, match=r"SENS\?"):
        lockin.settings()


# ---------------------------------------------------------------- the watch


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def watched(lockin):
    """A watch without its thread, and its clock."""
    clock = Clock()
    return LockInWatch(lockin, lockin.settings(), clock=clock), clock


def happened(lockin):
    return [fault for fault, has in lockin.status().items() if has]


def look(watch, clock, now):
    clock.now = now
    return watch.look()


def test_status_bits_have_the_manuals_meaning(lockin):
    turn(lockin, "LIAS?", "12")
    assert happened(lockin) == ["output overload", "reference unlocked"]
    turn(lockin, "LIAS?", "64")  # data storage was triggered: no fault
    assert happened(lockin) == []


def test_an_overload_spoils_the_time_since_the_last_look(lockin):
    watch, clock = watched(lockin)
    assert look(watch, clock, 1.0) == ()
    turn(lockin, "LIAS?", "1")
    assert look(watch, clock, 2.0) == ("input overload",)
    look(watch, clock, 3.0)
    turn(lockin, "LIAS?", "8")
    look(watch, clock, 4.0)
    turn(lockin, "LIAS?", "0")
    look(watch, clock, 5.0)
    assert watch.stretches == (
        Stretch(1.0, 3.0, ("input overload",)),
        Stretch(3.0, 4.0, ("reference unlocked",)),
    )
    assert watch.faults(0.0, 1.0) == ()
    assert watch.faults(2.9, 3.5) == ("input overload", "reference unlocked")
    assert watch.faults(4.0, 9.0) == ()


def test_a_change_of_range_spoils_the_ramps_until_it_is_taken_back(lockin):
    watch, clock = watched(lockin)
    look(watch, clock, 1.0)
    turn(lockin, "SENS?", "18")
    look(watch, clock, 2.0)
    look(watch, clock, 3.0)
    turn(lockin, "SENS?", "17")
    look(watch, clock, 4.0)  # taken back somewhere between 3 and 4
    look(watch, clock, 5.0)
    text = "sensitivity changed from 0.001 to 0.002"
    assert watch.stretches == (Stretch(1.0, 4.0, (text,)),)
    assert watch.faults(1.5, 2.5) == (text,)


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("OFLT?", "7", "time constant changed from 0.1 to 0.03"),
        ("OFSL?", "1", "poles changed from 4 to 2"),
        ("OEXP? 1", "40.00,0", "expand x changed from 10 to 1"),
        ("OEXP? 2", "0.00,0", "offset y changed from -0.125 to 0"),
        ("PHAS?", "0.00", "phase changed from -1.5708 to 0"),
    ],
)
def test_every_setting_that_matters_is_watched(lockin, question, answer, said):
    watch, clock = watched(lockin)
    turn(lockin, question, answer)
    assert look(watch, clock, 1.0) == (said,)


def test_an_instrument_that_falls_silent_spoils_that_time_and_no_more(lockin):
    watch, clock = watched(lockin)
    look(watch, clock, 1.0)
    turn(lockin, "LIAS?", "gone")
    (fault,) = look(watch, clock, 2.0)
    assert fault.startswith("not watched: the lock-in at")
    turn(lockin, "LIAS?", "0")
    assert look(watch, clock, 3.0) == ()
    assert [(s.begin, s.end) for s in watch.stretches] == [(1.0, 2.0)]


def test_the_watch_runs_beside_a_recording_and_forgets_what_was_before(lockin):
    turn(lockin, "LIAS?", "4")
    watch = LockInWatch(lockin, lockin.settings(), interval=0.01)
    with watch:
        turn(lockin, "LIAS?", "0")
        watch.look()
        before = time.monotonic()
        turn(lockin, "LIAS?", "2")
        deadline = before + 10.0
        while "filter overload" not in watch.faults(before, math.inf):
            assert time.monotonic() < deadline
            time.sleep(0.005)
    assert watch.stretches[-1].end >= before
    assert not watch._thread.is_alive()


@pytest.mark.parametrize("interval", [0.0, -1.0, math.nan, math.inf])
def test_an_absurd_interval_is_refused(lockin, interval):
    with pytest.raises(InvalidInput, match="asked every"):
        LockInWatch(lockin, LockInSettings(), interval=interval)


def test_nothing_is_imported_of_visa_until_an_instrument_is_opened():
    code = "import sys, nrm_daq.lockin_settings, nrm_daq.sr830; sys.exit('pyvisa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
