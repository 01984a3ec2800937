"""The compiled loops: a library in C (the files beside this one), and functions that call it.

`nrm_kernels.h` says what every record and function means; records are numpy's structured arrays
with the same fields. A call releases the interpreter, so that blocks of curves run in threads; a
curve's result does not depend on its neighbours.

The library is built when the package is installed (`hatch_build.py`). It holds a hash of its
sources, and another one than that of the files here is refused.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import LibraryError
from nrm_plugin.kernels.build import library_path, sources_hash

#: Records: arrays of one of the types below.
RecordArray = NDArray[np.void]


def _numbers(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.float64) for name in names])


# ---------------------------------------------------------------- records, in the header's order

SIGNAL = np.dtype(
    [
        ("numbers", np.uintp),
        ("count", np.int64),
        ("kind", np.int64),
        ("gain", np.float64),
        ("offset", np.float64),
        ("limit", np.float64),
    ],
    align=True,
)
CONTACT_SETTINGS = _numbers(
    "two_lines",
    "baseline",
    "wall",
    "slope",
    "slope_stderr",
    "wave",
    "spikes",
    "other_slope",
    "other_slope_stderr",
    "soft_slope",
    "soft_slope_stderr",
    "turn",
)
CONTACT = _numbers(
    "contact",
    "stderr",
    "baseline_end",
    "baseline_slope",
    "baseline_at",
    "wall_begin",
    "wall_slope",
    "wall_slope_stderr",
    "wall_length",
    "wall_samples",
    "noise",
    "long_run",
    "spikes",
    "saturated",
    "other_contact",
    "half_contact",
    "outer_contact",
)
QUARTERS = 4
LATERAL_CHECK = np.dtype(
    [
        ("exponent", np.float64),
        ("stderr", np.float64),
        ("straight", np.float64),
        ("missing", np.float64),
        ("offset_x", np.float64),
        ("offset_y", np.float64),
        ("noise_x", np.float64),
        ("noise_y", np.float64),
        ("onset", np.float64),
        ("load", np.float64, (QUARTERS,)),
        ("wall_x", np.float64, (QUARTERS,)),
        ("wall_y", np.float64, (QUARTERS,)),
    ]
)
PROFILE_SETTINGS = _numbers(
    "method",
    "half_width",
    "amplitude",
    "lateral_stiffness",
    "spring_constant",
    "wall_slope",
    "doubt",
    "lateral_line",
)
LATERAL_BASELINE = _numbers(
    "in_phase",
    "quadrature",
    "slope_in_phase",
    "slope_quadrature",
    "noise_in_phase",
    "noise_quadrature",
    "correlation",
    "spread",
    "length",
    "bend_in_phase",
    "bend_quadrature",
    "rise_in_phase",
    "rise_quadrature",
)
CURVE = _numbers("delay", "settling", "cosine")
JOB = np.dtype(
    [
        ("height", SIGNAL),
        ("deflection", SIGNAL),
        ("in_phase", SIGNAL),
        ("quadrature", SIGNAL),
        ("turn_re", np.float64),
        ("turn_im", np.float64),
        ("backwards", np.int64),
        ("contact", CONTACT_SETTINGS),
        ("profile", PROFILE_SETTINGS),
        ("correlation", np.uintp),
        ("n_lags", np.int64),
        ("depth", np.uintp),
        ("shape", np.uintp),
        ("n_depths", np.int64),
        ("n_rows", np.int64),
        ("bin_width", np.float64),
        ("n_bins", np.int64),
    ],
    align=True,
)
NORMAL_CHANNEL = _numbers(
    "onset",
    "breaks",
    "first_force",
    "first_at",
    "largest_force",
    "largest_at",
    "adhesion",
    "adhesion_at",
    "pull_off",
    "work",
    "adhesion_work",
    "lateral_onset",
)
OPEN_BIN = _numbers("sum", "count")
TURN_STATE = _numbers("direction", "low", "low_at", "high", "high_at")
CONTACT_STATE = _numbers("inside", "baseline", "seen", "below", "dropped")

_RECORDS = (
    SIGNAL,
    CONTACT_SETTINGS,
    CONTACT,
    LATERAL_CHECK,
    PROFILE_SETTINGS,
    CURVE,
    JOB,
    OPEN_BIN,
    TURN_STATE,
    CONTACT_STATE,
    NORMAL_CHANNEL,
    LATERAL_BASELINE,
)

#: Kinds of recorded numbers, in the header's order.
_KINDS = tuple(
    np.dtype(kind) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
)

#: Derivative methods, in the header's order.
METHODS = ("local-linear", "savitzky-golay", "total-variation")

#: Columns of what `profiles` finds.
NORMAL, IN_PHASE, QUADRATURE, GRADIENT_X, GRADIENT_Y, STDERR_X, STDERR_Y = range(7)
N_COLUMNS = 7

#: Rows of results that `process` and `moduli` write: only the first without a lateral signal, those
#: up to the moduli, or all.
RESULTS = (
    "force_normal",
    "lateral_force_in_phase",
    "lateral_force_quadrature",
    "storage_modulus",
    "storage_modulus_stderr",
    "loss_modulus",
    "loss_modulus_stderr",
    "force_gradient_in_phase",
    "force_gradient_in_phase_stderr",
    "force_gradient_quadrature",
    "force_gradient_quadrature_stderr",
)

#: What is known of each bin of the lateral force.
BINS = ("in_phase", "quadrature", "count")

#: What a search through a stream met.
NOTHING, LIMIT, FALLING, RISING, ENTERED, LEFT = range(6)


# ---------------------------------------------------------------- the library


def _load() -> ctypes.CDLL:
    """Load the library and check that it is made of the sources here.

    Raises
    ------
    LibraryError
    """
    path = library_path()
    if not path.is_file():
        raise LibraryError(path, "is missing")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise LibraryError(path, f"cannot be loaded ({error})") from None
    library.nrm_sources.restype = ctypes.c_char_p
    if library.nrm_sources().decode() != sources_hash():
        raise LibraryError(path, "was built from other sources than those beside it")
    size = library.nrm_record_size
    size.argtypes, size.restype = [ctypes.c_int64], ctypes.c_int64
    sizes = [size(i) for i in range(len(_RECORDS) + 1)]
    if sizes != [*(record.itemsize for record in _RECORDS), -1]:
        raise LibraryError(path, "has records of other sizes than this Python")
    _declare(library)
    return library


def _declare(library: ctypes.CDLL) -> None:
    """Tell ctypes what functions take: n a number, d a real one, p an array."""
    kinds = {"n": ctypes.c_int64, "d": ctypes.c_double, "p": ctypes.c_void_p}
    for name, arguments in {
        "gather": "pnppnpn",
        "noise": "pn",
        "find_contacts": "pnpppnpp",
        "tail_slopes": "npppndnppp",
        "rough_baselines": "npppnp",
        "check_lateral": "npppppnppp",
        "profiles": "pnpppppnpppnpnpp",
        "samples_above": "pnpppppppnpppp",
        "trend_filter": "npppppp",
        "force_bins": "pnpppppnpppndnp",
        "normal_channel": "pnpppppnppp",
        "moduli": "dnnnppp",
        "lateral_baselines": "nppppnpdp",
        "process": "pnpppppppppp",
        "bin_means": "pnnppn",
        "next_turn": "pnnndpp",
        "next_contact": "pnnndddpp",
        "next_edge": "pnddpp",
    }.items():
        function = getattr(library, f"nrm_{name}")
        function.argtypes = [kinds[kind] for kind in arguments]
        function.restype = ctypes.c_int
    library.nrm_noise.restype = ctypes.c_double
    library.nrm_bin_means.restype = ctypes.c_int64


_library = _load()


def _check(code: int) -> None:
    """Raise if a function refuses its arguments."""
    if code == 1:
        raise ValueError("lengths of arrays contradict each other")
    if code:
        raise MemoryError("there is no memory for a curve of this length")


def _pointer(values: AnyArray | None, dtype: Any, size: int) -> int | None:
    """Address of an array of a kind, contiguous and of at least a size; None stays None.

    Raises
    ------
    ValueError
    """
    if values is None:
        return None
    if values.dtype != dtype or not values.flags.c_contiguous or values.size < size:
        raise ValueError(
            f"expected {size} {np.dtype(dtype)} in one piece, got {values.size} {values.dtype}"
        )
    return int(values.ctypes.data)


def _doubles(values: AnyArray | None, size: int) -> int | None:
    return _pointer(values, np.float64, size)


def _whole(values: AnyArray) -> FloatArray:
    """The same as float64 in one piece."""
    return np.ascontiguousarray(values, np.float64)


def record(dtype: np.dtype[np.void], **values: Any) -> RecordArray:
    """Make a record of a kind, of shape (); every field is named."""
    if set(values) != set(dtype.names or ()):
        raise ValueError(f"fields are {', '.join(dtype.names or ())}")
    made = np.zeros((), dtype)
    for name, value in values.items():
        made[name] = value
    return made


# ---------------------------------------------------------------- curves


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSignal:
    """Numbers as recorded; ``value = number * gain + offset`` in SI.

    Attributes
    ----------
    numbers : flat array
        Of any type.
    gain, offset : float
    limit : float
        What is larger in SI is no measurement and becomes nan.
    """

    numbers: AnyArray
    gain: float
    offset: float
    limit: float

    def at(self, samples: IntArray) -> FloatArray:
        """Values of some samples in SI; nan where there are no numbers at all."""
        if not self.numbers.size:
            return np.full(len(samples), np.nan)
        values = self.numbers[samples].astype(np.float64) * self.gain + self.offset
        values[~(np.abs(values) <= self.limit)] = np.nan
        return values

    def record(self, known: AnyArray) -> RecordArray:
        """Return the signal as the library takes it; `known` is kept alive meanwhile."""
        return record(
            SIGNAL,
            numbers=known.ctypes.data,
            count=known.size,
            kind=_KINDS.index(known.dtype),
            gain=self.gain,
            offset=self.offset,
            limit=self.limit,
        )

    def known(self) -> AnyArray:
        """Return the numbers in one piece, float64 where the library does not know their type."""
        numbers = np.ascontiguousarray(self.numbers)
        return numbers if numbers.dtype in _KINDS else numbers.astype(np.float64)


def gather(signal: RawSignal, first: IntArray, begin: IntArray, *, backwards: bool) -> FloatArray:
    """Take a part of every curve, in SI, turned around where it was recorded from the surface.

    Parameters
    ----------
    signal : RawSignal
    first : (n,) array of int
        Where the part of each curve begins in the signal.
    begin : (n + 1,) array of int
        Where it begins in the result, and the end.
    """
    n, out = len(begin) - 1, np.empty(int(begin[-1]))
    numbers = signal.known()
    given = signal.record(numbers)
    _check(
        _library.nrm_gather(
            _pointer(given, SIGNAL, 1),
            n,
            _pointer(first, np.int64, n),
            _pointer(begin, np.int64, n + 1),
            int(backwards),
            _doubles(out, 0),
            out.size,
        )
    )
    return out


def noise(values: FloatArray) -> float:
    """Standard deviation of white noise from second differences; slopes do not count."""
    values = _whole(values)
    return float(_library.nrm_noise(_doubles(values, 0), values.size))


def find_contacts(
    begin: IntArray, height: FloatArray, deflection: FloatArray, settings: RecordArray
) -> tuple[RecordArray, FloatArray]:
    """Find the solid contacts of curves.

    Parameters
    ----------
    begin : (n + 1,) array of int
        Where each curve begins in the flat arrays, and the end.
    height, deflection : flat arrays
        In m, from far away to the surface.
    settings : record of `CONTACT_SETTINGS`

    Returns
    -------
    contacts : (n,) array of `CONTACT`
        nan where nothing is found.
    clean : flat array
        Deflection without spikes and fringe.
    """
    begin, height = np.ascontiguousarray(begin, np.int64), _whole(height)
    deflection = _whole(deflection)
    n, size = len(begin) - 1, deflection.size
    contacts, clean = np.empty(n, CONTACT), np.empty(size)
    _check(
        _library.nrm_find_contacts(
            _pointer(settings, CONTACT_SETTINGS, 1),
            n,
            _pointer(begin, np.int64, n + 1),
            _doubles(height, size),
            _doubles(deflection, size),
            size,
            _doubles(clean, size),
            _pointer(contacts, CONTACT, n),
        )
    )
    return contacts, clean


def tail_slopes(
    begin: IntArray,
    height: FloatArray,
    deflection: FloatArray,
    sizes: IntArray,
    turn: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Slopes of the last samples of every curve, from the baseline's, and their errors.

    Parameters
    ----------
    begin, height, deflection
        As in `find_contacts`.
    sizes : (k,) array of int
        Samples of windows.
    turn : float
        Height at the end of each curve that is left out, in m.

    Returns
    -------
    slopes, errors : (n, k) arrays
        For windows of `sizes` samples; nan where a curve is too short.
    """
    begin, height = np.ascontiguousarray(begin, np.int64), _whole(height)
    deflection = _whole(deflection)
    n, size = len(begin) - 1, deflection.size
    slopes, errors = np.empty((n, len(sizes))), np.empty((n, len(sizes)))
    _check(
        _library.nrm_tail_slopes(
            n,
            _pointer(begin, np.int64, n + 1),
            _doubles(height, size),
            _doubles(deflection, size),
            size,
            turn,
            len(sizes),
            _pointer(sizes, np.int64, 0),
            _doubles(slopes, 0),
            _doubles(errors, 0),
        )
    )
    return slopes, errors


def rough_baselines(begin: IntArray, height: FloatArray, deflection: FloatArray) -> IntArray:
    """Samples of the baselines, (n,), as far as straight lines can tell."""
    begin, height = np.ascontiguousarray(begin, np.int64), _whole(height)
    deflection = _whole(deflection)
    n, size = len(begin) - 1, deflection.size
    ends = np.empty(n, np.int64)
    _check(
        _library.nrm_rough_baselines(
            n,
            _pointer(begin, np.int64, n + 1),
            _doubles(height, size),
            _doubles(deflection, size),
            size,
            _pointer(ends, np.int64, n),
        )
    )
    return ends


def check_lateral(
    begin: IntArray,
    clean: FloatArray,
    in_phase: FloatArray,
    quadrature: FloatArray,
    contacts: RecordArray,
    own: RecordArray | None = None,
    height: FloatArray | None = None,
) -> RecordArray:
    """Return what each curve's lateral signal says of itself, (n,) array of `LATERAL_CHECK`.

    `own`, (n,) array of `CURVE`, has the delays of the lock-in; none without it. Heights say where
    the wall is met; without them only the fitted wall is looked at.
    """
    height = None if height is None else _whole(height)
    begin, clean = np.ascontiguousarray(begin, np.int64), _whole(clean)
    in_phase, quadrature = _whole(in_phase), _whole(quadrature)
    contacts = np.ascontiguousarray(contacts, CONTACT)
    n, size = len(begin) - 1, clean.size
    checks = np.empty(n, LATERAL_CHECK)
    _check(
        _library.nrm_check_lateral(
            n,
            _pointer(begin, np.int64, n + 1),
            _doubles(height, size),
            _doubles(clean, size),
            _doubles(in_phase, size),
            _doubles(quadrature, size),
            size,
            _pointer(contacts, CONTACT, n),
            _pointer(own, CURVE, n),
            _pointer(checks, LATERAL_CHECK, n),
        )
    )
    return checks


def lateral_baselines(
    begin: IntArray,
    height: FloatArray,
    in_phase: FloatArray,
    quadrature: FloatArray,
    contacts: RecordArray,
    reach: float,
) -> RecordArray:
    """Return the lateral signal of each curve beyond `reach` (m), (n,) array of `LATERAL_BASELINE`.

    nan without a contact.
    """
    begin, height = np.ascontiguousarray(begin, np.int64), _whole(height)
    in_phase, quadrature = _whole(in_phase), _whole(quadrature)
    contacts = np.ascontiguousarray(contacts, CONTACT)
    n, size = len(begin) - 1, height.size
    baselines = np.empty(n, LATERAL_BASELINE)
    _check(
        _library.nrm_lateral_baselines(
            n,
            _pointer(begin, np.int64, n + 1),
            _doubles(height, size),
            _doubles(in_phase, size),
            _doubles(quadrature, size),
            size,
            _pointer(contacts, CONTACT, n),
            reach,
            _pointer(baselines, LATERAL_BASELINE, n),
        )
    )
    return baselines


def profiles(
    settings: RecordArray,
    begin: IntArray,
    height: FloatArray,
    clean: FloatArray,
    lateral: tuple[FloatArray, FloatArray] | None,
    contacts: RecordArray,
    own: RecordArray,
    correlation: FloatArray,
    depth: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Forces and their derivatives against the distance from the electrode.

    Parameters
    ----------
    settings : record of `PROFILE_SETTINGS`
    begin, height, clean
        As in `find_contacts`, and from it.
    lateral : (in phase, quadrature) or None
        Peak force in N.
    contacts : (n,) array of `CONTACT`
    own : (n,) array of `CURVE`
    correlation : (k,) array
        Autocorrelation of the lateral noise, from lag 0 on.
    depth : (m,) array
        Distances from the electrode in m, rising.

    Returns
    -------
    found : (n, 7, m) array
        Normal force, lateral force (2), gradient (2) towards the electrode and their standard
        errors (2); nan where there is no estimate.
    valid : (n,) array
        The smallest distance with an estimate, in m.
    """
    begin, height, clean = np.ascontiguousarray(begin, np.int64), _whole(height), _whole(clean)
    in_phase, quadrature = map(_whole, lateral) if lateral else (None, None)
    contacts, own = np.ascontiguousarray(contacts, CONTACT), np.ascontiguousarray(own, CURVE)
    correlation, depth = _whole(correlation), _whole(depth)
    n, size = len(begin) - 1, clean.size
    found, valid = np.empty((n, N_COLUMNS, len(depth))), np.empty(n)
    _check(
        _library.nrm_profiles(
            _pointer(settings, PROFILE_SETTINGS, 1),
            n,
            _pointer(begin, np.int64, n + 1),
            _doubles(height, size),
            _doubles(clean, size),
            _doubles(in_phase, size),
            _doubles(quadrature, size),
            size,
            _pointer(contacts, CONTACT, n),
            _pointer(own, CURVE, n),
            _doubles(correlation, 1),
            len(correlation),
            _doubles(depth, 0),
            len(depth),
            _doubles(found, 0),
            _doubles(valid, n),
        )
    )
    return found, valid


def samples_above(
    settings: RecordArray,
    height: FloatArray,
    clean: FloatArray,
    lateral: tuple[FloatArray, FloatArray],
    contact: RecordArray,
    own: RecordArray,
    depth: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distances and lateral forces of the samples of one curve above the hard contact.

    Parameters
    ----------
    settings, height, clean, lateral, depth
        As in `profiles`, of one curve.
    contact, own : records
        Of `CONTACT` and `CURVE`.

    Returns
    -------
    z, in_phase, quadrature : arrays
        In m and N, in the order of the samples.
    """
    height, clean, depth = _whole(height), _whole(clean), _whole(depth)
    in_phase, quadrature = map(_whole, lateral)
    contact, own = np.ascontiguousarray(contact, CONTACT), np.ascontiguousarray(own, CURVE)
    n, count = height.size, ctypes.c_int64()
    found = np.empty((3, n))
    z, x, y = found
    _check(
        _library.nrm_samples_above(
            _pointer(settings, PROFILE_SETTINGS, 1),
            n,
            _doubles(height, n),
            _doubles(clean, n),
            _doubles(in_phase, n),
            _doubles(quadrature, n),
            _pointer(contact, CONTACT, 1),
            _pointer(own, CURVE, 1),
            _doubles(depth, 1),
            len(depth),
            _doubles(z, n),
            _doubles(x, n),
            _doubles(y, n),
            ctypes.byref(count),
        )
    )
    return z[: count.value], x[: count.value], y[: count.value]


def force_bins(
    settings: RecordArray,
    begin: IntArray,
    height: FloatArray,
    clean: FloatArray,
    lateral: tuple[FloatArray, FloatArray],
    contacts: RecordArray,
    own: RecordArray,
    depth: FloatArray,
    width: float,
    n_bins: int,
) -> FloatArray:
    """Lateral force in bins of the distance from the electrode, from 0 on.

    Parameters
    ----------
    settings, begin, height, clean, lateral, contacts, own, depth
        As in `profiles`.
    width : float
        In m.

    Returns
    -------
    (n, 3, n_bins) array
        Named by `BINS`: means in N, nan in empty bins, and numbers of samples.
    """
    begin, height, clean = np.ascontiguousarray(begin, np.int64), _whole(height), _whole(clean)
    in_phase, quadrature = map(_whole, lateral)
    contacts, own = np.ascontiguousarray(contacts, CONTACT), np.ascontiguousarray(own, CURVE)
    n, size, depth = len(begin) - 1, clean.size, _whole(depth)
    bins = np.empty((n, len(BINS), n_bins))
    _check(
        _library.nrm_force_bins(
            _pointer(settings, PROFILE_SETTINGS, 1),
            n,
            _pointer(begin, np.int64, n + 1),
            _doubles(height, size),
            _doubles(clean, size),
            _doubles(in_phase, size),
            _doubles(quadrature, size),
            size,
            _pointer(contacts, CONTACT, n),
            _pointer(own, CURVE, n),
            _doubles(depth, 0),
            len(depth),
            width,
            n_bins,
            _doubles(bins, 0),
        )
    )
    return bins


def normal_channel(
    settings: RecordArray,
    begin: IntArray,
    height: FloatArray,
    clean: FloatArray,
    lateral: tuple[FloatArray, FloatArray] | None,
    contacts: RecordArray,
    own: RecordArray,
) -> RecordArray:
    """Return what each curve's normal force shows, (n,) array of `NORMAL_CHANNEL`.

    Arguments as in `profiles`.
    """
    begin, height, clean = np.ascontiguousarray(begin, np.int64), _whole(height), _whole(clean)
    in_phase, quadrature = map(_whole, lateral) if lateral else (None, None)
    contacts, own = np.ascontiguousarray(contacts, CONTACT), np.ascontiguousarray(own, CURVE)
    n, size = len(begin) - 1, clean.size
    found = np.empty(n, NORMAL_CHANNEL)
    _check(
        _library.nrm_normal_channel(
            _pointer(settings, PROFILE_SETTINGS, 1),
            n,
            _pointer(begin, np.int64, n + 1),
            _doubles(height, size),
            _doubles(clean, size),
            _doubles(in_phase, size),
            _doubles(quadrature, size),
            size,
            _pointer(contacts, CONTACT, n),
            _pointer(own, CURVE, n),
            _pointer(found, NORMAL_CHANNEL, n),
        )
    )
    return found


def moduli(
    amplitude: float, found: FloatArray, shape: FloatArray, n_rows: int
) -> NDArray[np.float32]:
    """Rows of results of what `profiles` finds.

    Parameters
    ----------
    amplitude : float
        Of the dither, peak, in m.
    found : (n, 7, m) array
    shape : (m,) array
        r_g.
    n_rows : int
        1, 7 or 11.

    Returns
    -------
    (n_rows, n, m) array
        Named by `RESULTS`.
    """
    found = _whole(found)
    n, _, m = found.shape
    rows = np.empty((n_rows, n, m), np.float32)
    factor = np.ascontiguousarray(shape, np.float32)
    _check(
        _library.nrm_moduli(
            amplitude,
            n_rows,
            n,
            m,
            _doubles(found, n * N_COLUMNS * m),
            _pointer(factor, np.float32, m),
            _pointer(rows, np.float32, 0),
        )
    )
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all curves of a direction share, for `process`.

    Attributes
    ----------
    turn : complex
        Factor of the lateral signal that takes the instrument's phase out.
    backwards : bool
        Whether samples were recorded from the surface on.
    contact, profile : records
        Of `CONTACT_SETTINGS` and `PROFILE_SETTINGS`.
    correlation : (k,) array
        Of the lateral noise, from lag 0 on.
    depth : (m,) array
        In m, rising.
    shape : (m,) array of float32
        r_g.
    n_rows : int
        Rows of results: 1 without a lateral signal, else 7 or 11.
    bin_width : float
        Of the bins of the lateral force, in m.
    n_bins : int
    """

    turn: complex
    backwards: bool
    contact: RecordArray
    profile: RecordArray
    correlation: FloatArray
    depth: FloatArray
    shape: NDArray[np.float32]
    n_rows: int
    bin_width: float
    n_bins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """What `process` finds for n curves.

    Attributes
    ----------
    contacts : (n,) array of `CONTACT`
    checks : (n,) array of `LATERAL_CHECK`
    normals : (n,) array of `NORMAL_CHANNEL`
    baselines : (n,) array of `LATERAL_BASELINE`
        Empty without a lateral signal.
    valid : (n,) array
        Smallest distance with an estimate, in m.
    rows : (n_rows, n, m) array of float32
        Named by `RESULTS`.
    bins : (3, n, n_bins) array of float32
        Named by `BINS`; empty without a lateral signal.
    """

    contacts: RecordArray
    checks: RecordArray
    normals: RecordArray
    baselines: RecordArray
    valid: FloatArray
    rows: NDArray[np.float32]
    bins: NDArray[np.float32]


def process(
    job: Job,
    height: RawSignal,
    deflection: RawSignal,
    lateral: tuple[RawSignal, RawSignal] | None,
    first: IntArray,
    length: IntArray,
    own: RecordArray,
) -> Processed:
    """Process curves from recorded numbers to results, one after the other.

    Parameters
    ----------
    job : Job
    height, deflection : RawSignal
        To m.
    lateral : (in phase, quadrature) or None
        To N, peak.
    first, length : (n,) arrays of int
        Samples of each curve's part in the signals.
    own : (n,) array of `CURVE`
    """
    first, length = (np.ascontiguousarray(part, np.int64) for part in (first, length))
    n, m = len(first), len(job.depth)
    signals = {"height": height, "deflection": deflection}
    if lateral is not None:
        signals |= {"in_phase": lateral[0], "quadrature": lateral[1]}
    known = {name: signal.known() for name, signal in signals.items()}
    given = np.zeros((), JOB)
    for name, signal in signals.items():
        given[name] = signal.record(known[name])
    given["turn_re"], given["turn_im"] = job.turn.real, job.turn.imag
    given["backwards"] = job.backwards
    given["contact"], given["profile"] = job.contact, job.profile
    given["correlation"], given["n_lags"] = _doubles(job.correlation, 1), len(job.correlation)
    given["depth"], given["n_depths"] = _doubles(job.depth, 0), m
    given["shape"] = _pointer(job.shape, np.float32, m)
    given["n_rows"], given["bin_width"], given["n_bins"] = job.n_rows, job.bin_width, job.n_bins
    made = Processed(
        contacts=np.empty(n, CONTACT),
        checks=np.zeros(n, LATERAL_CHECK),
        normals=np.empty(n, NORMAL_CHANNEL),
        baselines=np.empty(n if lateral else 0, LATERAL_BASELINE),
        valid=np.empty(n),
        rows=np.empty((job.n_rows, n, m), np.float32),
        bins=np.empty((len(BINS) if lateral else 0, n, job.n_bins), np.float32),
    )
    _check(
        _library.nrm_process(
            _pointer(given, JOB, 1),
            n,
            _pointer(first, np.int64, n),
            _pointer(length, np.int64, n),
            _pointer(own, CURVE, n),
            _pointer(made.contacts, CONTACT, n),
            _pointer(made.checks, LATERAL_CHECK, n),
            _pointer(made.normals, NORMAL_CHANNEL, n),
            _pointer(made.baselines, LATERAL_BASELINE, 0),
            _doubles(made.valid, n),
            _pointer(made.rows, np.float32, 0),
            _pointer(made.bins, np.float32, 0),
        )
    )
    return made


def trend_filter(
    z: FloatArray, values: FloatArray, weight: FloatArray, limit: FloatArray
) -> tuple[FloatArray, float]:
    """Straight pieces through values: least squares with a price on the changes of slope.

    Parameters
    ----------
    z, values, weight : (n,) arrays
        `z` rising, n > 2.
    limit : (n - 2,) array
        Positive.

    Returns
    -------
    fit : (n,) array
    gap : float
        Bound on how much larger the sum is than the smallest one.
    """
    z, values, weight, limit = map(_whole, (z, values, weight, limit))
    n, gap = len(z), np.empty(1)
    fit = np.empty(n)
    _check(
        _library.nrm_trend_filter(
            n,
            _doubles(z, n),
            _doubles(values, n),
            _doubles(weight, n),
            _doubles(limit, n - 2),
            _doubles(fit, n),
            _doubles(gap, 1),
        )
    )
    return fit, float(gap[0])


# ---------------------------------------------------------------- streams


def bin_means(values: FloatArray, width: int, carry: RecordArray, out: FloatArray) -> int:
    """Write the mean of every full bin of `width` samples; return how many.

    Parameters
    ----------
    carry : record of `OPEN_BIN`
        Of the bin that is not full; from one call to the next.
    """
    values = _whole(values)
    count = _library.nrm_bin_means(
        _doubles(values, 0),
        values.size,
        width,
        _pointer(carry, OPEN_BIN, 1),
        _doubles(out, 0),
        out.size,
    )
    if count < 0:
        raise ValueError("there is no room for all bins")
    return int(count)


def next_turn(
    values: FloatArray, first: int, at: int, limit: int, travel: float, state: RecordArray
) -> tuple[int, int]:
    """Find where a fall or a rise by `travel` after an extreme is complete.

    ``values[0]`` has the position `first`; the search begins at position `at` and ends before
    `limit`. Returns what was met and the position after it. `state` is a record of `TURN_STATE`.
    """
    values = _whole(values)
    position = ctypes.c_int64(at)
    met = _library.nrm_next_turn(
        _doubles(values, 0),
        values.size,
        first,
        limit,
        travel,
        _pointer(state, TURN_STATE, 1),
        ctypes.byref(position),
    )
    return met, position.value


def next_contact(
    values: FloatArray,
    first: int,
    at: int,
    limit: int,
    threshold: float,
    release: float,
    settle: float,
    state: RecordArray,
) -> tuple[int, int]:
    """Find where the signal rises above its baseline by `threshold`, or is back within `release`.

    The baseline follows the signal outside by steps of ``threshold / settle`` per value, like a
    running median: neither noise nor a short dip moves it. Until the first contact it drops to a
    signal that has stayed far below it for `settle` values: the stream began in contact.
    Positions as in `next_turn`; `state` is a record of `CONTACT_STATE`.
    """
    values = _whole(values)
    position = ctypes.c_int64(at)
    met = _library.nrm_next_contact(
        _doubles(values, 0),
        values.size,
        first,
        limit,
        threshold,
        release,
        settle,
        _pointer(state, CONTACT_STATE, 1),
        ctypes.byref(position),
    )
    return met, position.value


def next_edge(
    values: FloatArray, at: int, high: float, low: float, level: FloatArray
) -> tuple[int, int]:
    """Find where a marker goes above `high` or below `low`; ``level[0]`` is its level, or nan."""
    values = _whole(values)
    position = ctypes.c_int64(at)
    met = _library.nrm_next_edge(
        _doubles(values, 0), values.size, high, low, _doubles(level, 1), ctypes.byref(position)
    )
    return met, position.value
