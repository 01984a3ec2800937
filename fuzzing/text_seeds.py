"""Texts to begin with: what people write by hand, quantities, and requests of the viewer's page."""

from __future__ import annotations

from writers.study import WHOLE

_EXPERIMENT = """dither_amplitude = "1 nm"
title = "Third day"
[channels]
"Input1" = "lockin_output_x"      # BNC cable 3
"Input2" = "lockin_output_y"
[lock_in]
convention = "rms"
sensitivity = "2 mV"
expand_x = 1
offset_y = "10 %"
time_constant = "300 us"
poles = 4
phase = "23 deg"
[dither]
frequency = "1.1 kHz"
[cantilever]
spring_constant = "0.2 N/m"
spring_constant_stderr = "0.02 N/m"
[calibration]
lateral_sensitivity = "95 nm/V"
[electrolyte]
composition = "1 M LiPF6 in EC/DMC"
[measurement]
temperature = "25 °C"
[notes]
comment = \"\"\"
The reference electrode was renewed at noon.\"\"\"
"""

_RECIPE = """direction = "both"
shape_factor = 1.3
correct_slope = false
[depth]
stop = "60 nm"
step = 0.5e-9
[contact]
method = "two-line"
slope = "pooled"
[contact.two-line]
baseline = 0.4
wall = 0.3
[derivative]
method = "local-linear"
half_width = "2 nm"
[lateral]
lag = true
phase = "told"
"""

#: Hash of the file that the decisions of the seeds are about.
SHA256 = "ab" * 32

_DECISIONS = f"""# mine
format = "nrm decisions 1"
results = "r.h5"
[[origin]]
name = "a.spm"
sha256 = "{SHA256}"
[[decision]]
decision = "exclude"   # sure
origin = "a.spm"
curves = [1, "3-5", 12]
reason = "tip jumped"
time = 2026-11-29T12:00:00Z
visible = []
[[decision]]
decision = "contact"
curves = [8]
direction = "retract"
height = "123.4 nm"
stderr = "1.2 nm"
old_height = "120 nm"
visible = ["moduli"]
"""

_DAQ = """backend = "local"
rate = "50 kHz"
block = "0.2 s"
skew = "correct"
[channels.deflection]
terminal = "Dev1/ai0"
[channels.lockin_output_x]
terminal = "Dev1/ai1"
[channels.height]
terminal = "Dev1/ai3"
scale = "1.5 um/V"
polarity = "inverted"
[channels.potential]
terminal = "Dev1/ai4"
range = "5 V"
[lock_in]
sensitivity = "2 mV"
[split]
by = "deflection"
threshold = 0.2
pre = "0.1 s"
post = "0.1 s"
[dither]
terminal = "Dev1/ao0"
max_voltage = "1 V"
frequency = "1 kHz"
amplitude = "0.5 V"
[metadata]
dither_amplitude = "1 nm"
"""

_DIGITAL = """rate = "50 kHz"
[channels.lateral]
terminal = "Dev1/ai1"
range = "1 V"
[channels.reference]
terminal = "Dev1/ai2"
[lock_in]
model = "digital"
harmonics = [2, 3]
poles = 4
"""

_TABLE_MAP = """time = { column = "timestamp", unit = "s", scale = 1.6666667e-8 }
lateral_in_phase = { column = "x", unit = "V" }
height = { column = "auxin0", unit = "V", scale = "1.2 um/V" }
deflection = "Defl"
segment = 3
curves = { by = "height", travel = "100 nm" }
"""

_COLUMNS = "Frequency (Hz);PSD [pm^2/Hz]\n" + "\n".join(f"{i}e3;0,{i}5" for i in range(1, 9)) + "\n"
_PLAIN = "# a\n# b\nx / nm\ty\n" + "\n".join(f"{i}\t{i * i}.5" for i in range(8)) + "\n"


def _request(line: str, body: str = "", further: str = "") -> str:
    method, _, address = line.partition(" ")
    kind = "Content-Type: application/json\r\n" if method == "POST" else ""
    size = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} /secret/{address} HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"
    return f"{head}{kind}{size}{further}\r\n{body}"


_REQUESTS = (
    _request("GET index.html"),
    _request("GET lib/uPlot.min.css", further="Origin: http://127.0.0.1:80\r\n"),
    _request("GET api/session", further="Sec-Fetch-Site: same-origin\r\n"),
    _request("GET api/layout"),
    _request("GET api/flags?direction=approach"),
    _request("GET api/values?quantity=storage_modulus&depth=5e-9&direction=approach"),
    _request("GET api/values?quantity=contact_height"),
    _request("GET api/image?number=0"),
    _request("GET api/region?number=1&direction=approach"),
    _request("GET api/curve?number=2&direction=approach"),
    _request("GET api/decisions"),
    _request("GET api/live"),
    _request("POST api/curve", '{"number": 1, "contact": 6e-8}'),
    _request("POST api/curve", '{"number": 1, "recipe": {"derivative.half_width": "3 nm"}}'),
    _request(
        "POST api/recipe/check", '{"recipe": "direction = \\"both\\"\\n[depth]\\nstop = 6e-8"}'
    ),
    _request("POST api/recipe/save", '{"recipe": {}, "name": "mine.toml", "overwrite": true}'),
    _request("POST api/decisions", '{"decision": "exclude", "curves": [1, 2], "reason": "tip"}'),
    _request("POST api/decisions", '{"decision": "contact", "curves": [1], "height": 6e-8}'),
    _request("POST api/undo", "{}"),
    _request("POST api/redo", "{}"),
    _request("POST api/marker", '{"text": "rinsed"}'),
)

_QUANTITIES = (
    *("0.2 N/m", "1.5e-3 kHz", "25 °C", "90 deg", "10 %", "2 um", "2 μm", "1 1/s", "3 nN/nm^2"),
    *("1.2 um/V", "inf V", "nan", "-5", "1 mol/l*m", "1e400 m", "5 degF", "Force (nN)", "E / V"),
    *("2-5nm", "0.5 to 1.0 V", "12 mV vs. Li", "z [nm]", "Input 1 (V)", ".5 nm"),
)

#: Seeds of the targets whose inputs are texts.
TEXTS: dict[str, tuple[str, ...]] = {
    "experiment": (_EXPERIMENT,),
    "recipe": (_RECIPE,),
    "study": (WHOLE,),
    "decisions": (_DECISIONS,),
    "daq": (_DAQ, _DIGITAL),
    "table-map": (_TABLE_MAP,),
    "columns": (_COLUMNS, _PLAIN),
    "viewer": _REQUESTS,
    "quantity": _QUANTITIES,
}
