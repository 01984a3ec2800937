"""SR844, SR860 and SR865A over VISA, and Zurich Instruments: each answers as its manual says."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from nrm_daq.lockin_settings import CompletedLockIn, as_metadata, check_outputs, given, warnings_of
from nrm_daq.lockin_watch import LockInWatch
from nrm_daq.sr844 import FULL_SCALES, LOW_PASSES, SR844
from nrm_daq.sr860 import FILTER_TIMES, SCALES, SR860, SR865A
from nrm_daq.visa_lockin import VisaLockIn
from nrm_daq.zurich import ZurichLockIn, ZurichSettings
from nrm_plugin.calibration.lockin import input_scale
from nrm_plugin.errors import DaqUnavailable, InvalidInput
from nrm_plugin.hookspecs import LockInSettings
from nrm_plugin.plugins import installed

pytest.importorskip("pyvisa")
pytest.importorskip("pyvisa_sim")

USB, GPIB = "USB0::0xB506::0x2000::003769::INSTR", "GPIB0::8::INSTR"

ANSWERS_860 = {
    "SCAL?": "9",  # 1 mV
    "OFLT?": "10",  # 100 ms
    "OFSL?": "3",
    "ADVFILT?": "0",
    "COFA? 0": "1",
    "COFP? 0": "90.00",
    "COFA? 1": "0",
    "COFP? 1": "33.00",  # it is off
    "CEXP? 0": "1",
    "CEXP? 1": "0",
    "COUT? 0": "0",
    "COUT? 1": "0",
    "CRAT? 0": "0",
    "CRAT? 1": "0",
    "FREQ?": "1.0000000000e+03",
    "PHAS?": "-90.0",
    "HARM?": "1",
    "SLVL?": "5.0e-01",
    "RSRC?": "1",
    "IVMD?": "0",
    "ISRC?": "1",
    "SYNC?": "0",
    "LIAS?": "0",
}

ANSWERS_844 = {
    "SENS?": "9",  # 3 mV
    "OFLT?": "6",  # 100 ms
    "OFSL?": "4",
    "DDEF? 1": "0",
    "DDEF? 2": "0",
    "FREQ?": "25000.0",
    "PHAS?": "45.00",
    "HARM?": "0",
    "FMOD?": "1",
    "LIAS?": "0",
}


def simulated(folder: Path, model: str, address: str, answers: dict[str, str]) -> str:
    """A VISA library with one instrument."""
    lines = ["spec: '1.0'", "devices:", "  lockin:", "    eom:"]
    lines += [f'      {kind} INSTR: {{q: "\\n", r: "\\n"}}' for kind in ("GPIB", "USB")]
    lines += ["    error: '?'", "    dialogues:", "      - {q: 'OUTX 1'}"]
    identity = f"Stanford_Research_Systems,{model},003769,V1.51"
    lines += [f"      - {{q: '*IDN?', r: '{identity}'}}", "    properties:"]
    for i, (question, answer) in enumerate(answers.items()):
        lines += [
            f"      p{i}:",
            f"        default: '{answer}'",
            f"        getter: {{q: '{question}', r: '{{:s}}'}}",
            f"        setter: {{q: '! {question} = {{:s}}'}}",
            "        specs: {type: str}",
        ]
    lines += ["resources:", f"  {address}: {{device: lockin}}"]
    path = folder / f"{model}.yaml"
    path.write_text("\n".join(lines))
    return f"{path}@sim"


def read(**known: Any) -> LockInSettings:
    """Settings that an instrument is read with: X and Y at its outputs, at the first harmonic."""
    common = {"output_x": True, "output_y": True, "harmonic": 1, "synchronous": False}
    return LockInSettings(**{**common, **known})


def turn(lockin: VisaLockIn, question: str, answer: str) -> None:
    lockin._device.write(f"! {question} = {answer}")


def happened(lockin: Any) -> list[str]:
    return [fault for fault, has in lockin.status().items() if has]


@pytest.fixture(params=[SR860, SR865A])
def modern(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SR860]:
    library = simulated(tmp_path, request.param.model, USB, ANSWERS_860)
    with request.param(USB, library=library, timeout=0.2) as lockin:
        yield lockin


@pytest.fixture
def radio(tmp_path: Path) -> Iterator[SR844]:
    library = simulated(tmp_path, "SR844", GPIB, ANSWERS_844)
    with SR844(GPIB, library=library, timeout=0.2) as lockin:
        yield lockin


def test_tables_are_the_manuals() -> None:
    assert len(SCALES) == 28
    assert [SCALES[i] for i in (0, 1, 2, 3, 9, 18, 27)] == [1, 0.5, 0.2, 0.1, 1e-3, 1e-6, 1e-9]
    assert len(FILTER_TIMES) == 22
    assert [FILTER_TIMES[i] for i in (0, 1, 10, 12, 21)] == [1e-6, 3e-6, 0.1, 1.0, 30e3]
    assert len(FULL_SCALES) == 15
    assert [FULL_SCALES[i] for i in (0, 1, 8, 13, 14)] == [1e-7, 3e-7, 1e-3, 0.3, 1.0]
    assert len(LOW_PASSES) == 18
    assert [LOW_PASSES[i] for i in (0, 1, 8, 17)] == [1e-4, 3e-4, 1.0, 30e3]


def test_an_sr860_in_si(modern: SR860) -> None:
    found = modern.settings()
    assert found == read(
        identity=modern.identity,
        sensitivity=1e-3,
        time_constant=0.1,
        poles=4,
        offset_x=0.9,
        offset_y=0.0,
        expand_x=10.0,
        expand_y=1.0,
        reference_frequency=1000.0,
        phase=-math.pi / 2,
        sine_amplitude=0.5,
        internal_reference=False,
        input="A-B",
    )
    check_outputs(found)
    assert warnings_of(found) == []
    # The manual's example: 10 uV beside 0.9 mV are 1 V at the output.
    gain, offset = input_scale(1e-3, 10.0, 0.9)
    assert gain * 1.0 + offset == pytest.approx(0.91e-3, rel=1e-12)


def test_what_an_sr860_cannot_be_recorded_with(modern: SR860) -> None:
    turn(modern, "COUT? 0", "1")
    with pytest.raises(InvalidInput, match="CH1 output carries"):
        check_outputs(modern.settings())
    turn(modern, "COUT? 0", "0")
    turn(modern, "CRAT? 1", "1")
    with pytest.raises(InvalidInput, match="CH2 output carries"):
        check_outputs(modern.settings())
    turn(modern, "CRAT? 1", "0")
    turn(modern, "CRAT? 0", "1")
    with pytest.raises(InvalidInput, match="CH1 output carries"):
        check_outputs(modern.settings())
    turn(modern, "CRAT? 0", "0")
    turn(modern, "IVMD?", "1")
    found = modern.settings()
    assert found.sensitivity is None
    with pytest.raises(InvalidInput, match="measures a current"):
        check_outputs(found)


@pytest.mark.parametrize(
    ("source", "internal"), [("0", True), ("1", False), ("2", False), ("3", False)]
)
def test_the_reference_of_an_sr860(modern: SR860, source: str, internal: bool) -> None:
    """Internal, external, dual, chopper: only the first is the instrument's own."""
    turn(modern, "RSRC?", source)
    assert modern.settings().internal_reference is internal


def test_advanced_filters_have_no_poles(modern: SR860) -> None:
    turn(modern, "ADVFILT?", "1")
    found = as_metadata(modern.settings())
    assert "lockin_poles" not in found
    assert "no known number of poles" in warnings_of(modern.settings())[0]
    assert found["lockin_time_constant"] == 0.1


@pytest.mark.parametrize(
    ("bits", "faults"),
    [
        (1, ["output overload of CH1"]),
        (8 + 16, ["reference unlocked", "input overload"]),
        (64, ["synchronous filter overload"]),
        (128 + 4096, []),  # a trigger, a capture
    ],
)
def test_status_of_an_sr860(modern: SR860, bits: int, faults: list[str]) -> None:
    turn(modern, "LIAS?", str(bits))
    assert happened(modern) == faults


def test_every_setting_of_an_sr860_is_watched(modern: SR860) -> None:
    watch = LockInWatch(modern, modern.settings())
    assert watch.look() == ()
    turn(modern, "CEXP? 1", "2")
    turn(modern, "COFA? 0", "0")
    assert set(watch.look()) == {"expand y changed from 1 to 100", "offset x changed from 0.9 to 0"}


@pytest.mark.parametrize("answer", ["28", "-1", "1.5", "x"])
def test_an_absurd_answer(modern: SR860, answer: str) -> None:
    turn(modern, "SCAL?", answer)
    with pytest.raises(DaqUnavailable, match=r"SCAL\?"):
        modern.settings()


def test_another_model_is_named(tmp_path: Path) -> None:
    library = simulated(tmp_path, "SR860", USB, ANSWERS_860)
    with pytest.raises(DaqUnavailable, match="no SR865A but 'Stanford_Research_Systems,SR860"):
        SR865A(USB, library=library, timeout=0.2)


def test_an_sr844_in_si(radio: SR844) -> None:
    found = radio.settings()
    assert found == read(
        identity=radio.identity,
        sensitivity=3e-3,
        time_constant=0.1,
        poles=4,
        reference_frequency=25e3,
        phase=math.pi / 4,
        internal_reference=True,
        input="A",
    )
    turn(radio, "OFSL?", "0")
    assert radio.settings().poles is None
    turn(radio, "HARM?", "1")
    assert radio.settings().harmonic == 2
    turn(radio, "DDEF? 1", "1")
    with pytest.raises(InvalidInput, match="CH1 output carries"):
        check_outputs(radio.settings())
    turn(radio, "LIAS?", str(1 + 16 + 64 + 512 + 8))
    assert happened(radio) == [
        "reference unlocked",
        "input overload",
        "filter overload",
        "output overload of CH2",
    ]


def test_what_an_sr844_does_not_say_a_configuration_does(radio: SR844) -> None:
    told = given({"lockin_expand_x": 10.0, "lockin_offset_x": -0.1, "lockin_sensitivity": 9.0})
    assert "does not say its expands and offsets" in warnings_of(radio.settings())[0]
    whole = CompletedLockIn(radio, told)
    known = as_metadata(whole.settings())
    assert known["lockin_expand_x"] == 10.0
    assert known["lockin_offset_x"] == -0.1
    assert known["lockin_sensitivity"] == 3e-3  # read
    watch = LockInWatch(whole, whole.settings())
    assert watch.look() == ()
    turn(radio, "SENS?", "10")
    assert watch.look() == ("sensitivity changed from 0.003 to 0.01",)


# ---------------------------------------------------------------- Zurich Instruments

NODES: dict[str, Any] = {
    "features/devtype": "MFLI",
    "demods/0/adcselect": 0,
    "demods/0/oscselect": 0,
    "demods/0/timeconstant": 1e-3,
    "demods/0/order": 8,
    "demods/0/harmonic": 1,
    "demods/0/phaseshift": 90.0,
    "demods/0/sinc": 0,
    "oscs/0/freq": 1234.5,
    "sigins/0/diff": 1,
    "sigins/0/max": 0.5,
    "sigins/0/min": -0.5,
    "extrefs/0/enable": 1,
    "extrefs/0/locked": 1,
    "auxouts/0/outputselect": 0,
    "auxouts/0/demodselect": 0,
    "auxouts/0/scale": 1e4,  # 10 V are 1 mV rms
    "auxouts/0/preoffset": 0.0,
    "auxouts/0/offset": -2.0,
    "auxouts/0/value": 1.0,
    "auxouts/0/limitlower": -10.0,
    "auxouts/0/limitupper": 10.0,
    "auxouts/1/outputselect": 1,
    "auxouts/1/demodselect": 0,
    "auxouts/1/scale": 1e4,
    "auxouts/1/preoffset": 1e-4,
    "auxouts/1/offset": 0.0,
    "auxouts/1/value": 1.0,
    "auxouts/1/limitlower": -10.0,
    "auxouts/1/limitupper": 10.0,
}


class DataServer:
    """Stands in for `zhinst.core.ziDAQServer`: nodes of one device, and what that raises."""

    nodes: ClassVar[dict[str, Any]] = {}
    level = 0

    def __init__(
        self, host: str, port: int, level: int, *, allow_version_mismatch: bool = False
    ) -> None:
        assert allow_version_mismatch
        if host != "localhost":
            raise RuntimeError("Unable to connect to server")
        type(self).level = level

    def _get(self, path: str) -> Any:
        prefix = "/dev3456/"
        if not path.startswith(prefix) or path.removeprefix(prefix) not in self.nodes:
            raise RuntimeError(f"Path {path} not found")
        return self.nodes[path.removeprefix(prefix)]

    def getDouble(self, path: str) -> float:
        return float(self._get(path))

    def getString(self, path: str) -> str:
        return str(self._get(path))

    def disconnect(self) -> None:
        pass


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Nodes of an instrument that a data server has."""
    core = SimpleNamespace(ziDAQServer=DataServer)
    package = ModuleType("zhinst")
    package.core = core  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zhinst", package)
    monkeypatch.setitem(sys.modules, "zhinst.core", core)
    monkeypatch.setattr(DataServer, "nodes", dict(NODES))
    return DataServer.nodes


def zurich(**settings: Any) -> ZurichLockIn:
    model = installed().choose("lockins", "zurich")
    lockin = model.connect(ZurichSettings(**{"address": "DEV3456", **settings}))
    assert isinstance(lockin, ZurichLockIn)
    return lockin


def test_outputs_of_another_demodulator(nodes: dict[str, Any]) -> None:
    nodes["auxouts/0/demodselect"] = 1
    found = zurich().settings()
    assert (found.output_x, found.output_y) == (False, True)


def test_an_mfli_in_si(nodes: dict[str, Any]) -> None:
    lockin = zurich()
    found = lockin.settings()
    assert found == read(
        identity="Zurich Instruments,MFLI,dev3456",
        sensitivity=1e-3,
        time_constant=1e-3,
        poles=8,
        offset_x=0.2,
        offset_y=-0.1,
        expand_x=1.0,
        expand_y=1.0,
        reference_frequency=1234.5,
        phase=math.pi / 2,
        internal_reference=False,
        input="A-B",
    )
    assert DataServer.level == 6
    check_outputs(found)
    # V = scale (X + preoffset) + offset, taken back
    for volts, offset, x in ((3.0, 0.2, 0.5e-3), (3.0, -0.1, 0.2e-3)):
        gain, zero = input_scale(1e-3, 1.0, offset)
        assert gain * volts + zero == pytest.approx(x)
    lockin.close()


@pytest.mark.parametrize(
    ("node", "value", "fault"),
    [
        ("sigins/0/max", 1.0, "input overload"),
        ("sigins/0/min", -1.0, "input overload"),
        ("extrefs/0/locked", 0, "reference unlocked"),
        ("auxouts/1/value", 10.0, "output overload"),
    ],
)
def test_status_of_an_mfli(nodes: dict[str, Any], node: str, value: float, fault: str) -> None:
    lockin = zurich()
    assert happened(lockin) == []
    nodes[node] = value
    assert happened(lockin) == [fault]


def test_an_mfli_is_watched(nodes: dict[str, Any]) -> None:
    lockin = zurich()
    watch = LockInWatch(lockin, lockin.settings())
    assert watch.look() == ()
    nodes["auxouts/0/scale"] = nodes["auxouts/1/scale"] = 2e4
    assert "sensitivity changed from 0.001 to 0.0005" in watch.look()
    del nodes["demods/0/order"]
    assert any("does not answer demods/0/order" in fault for fault in watch.look())


def test_outputs_of_an_mfli_that_are_not_x_and_y(nodes: dict[str, Any]) -> None:
    nodes["auxouts/0/outputselect"] = 2
    with pytest.raises(InvalidInput, match="CH1 output carries"):
        check_outputs(zurich().settings())
    nodes["auxouts/0/outputselect"] = 0
    nodes["auxouts/0/scale"] = 2e4
    with pytest.raises(InvalidInput, match="scales 20000 and 10000: give both the same"):
        zurich().settings()
    nodes["auxouts/0/scale"] = nodes["auxouts/1/scale"] = -1e4
    with pytest.raises(InvalidInput, match="above 0"):
        zurich().settings()


def test_a_current_of_an_mfli(nodes: dict[str, Any]) -> None:
    nodes["demods/0/adcselect"] = 1
    found = zurich().settings()
    assert found.sensitivity is None
    with pytest.raises(InvalidInput, match="measures a current"):
        check_outputs(found)


def test_an_hf2(nodes: dict[str, Any]) -> None:
    nodes["features/devtype"] = "HF2LI"
    for name in ("enable", "locked"):
        nodes[f"plls/0/{name}"] = nodes.pop(f"extrefs/0/{name}")
    nodes["status/flags/adcclip/0"] = 0
    lockin = zurich(port=8005)
    assert DataServer.level == 1
    assert lockin.settings().sensitivity == 1e-3
    assert happened(lockin) == []
    nodes["status/flags/adcclip/0"] = 1
    assert happened(lockin) == ["input overload"]


def test_no_server_and_no_device(nodes: dict[str, Any]) -> None:
    with pytest.raises(DaqUnavailable, match="no data server of LabOne answers at far:8004"):
        zurich(host="far")
    with pytest.raises(DaqUnavailable, match=r"has no dev1 \(.*connect the instrument in LabOne"):
        zurich(address="dev1")


def test_the_real_client_without_a_server() -> None:
    pytest.importorskip("zhinst.core")
    with pytest.raises(DaqUnavailable, match="no data server of LabOne answers at localhost:1 "):
        ZurichLockIn(ZurichSettings(address="dev3456", port=1))
