"""The library in C: it is loaded, checked, and told what its functions take."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import LibraryError
from nrm_plugin.kernels.build import library_path, sources_hash
from nrm_plugin.kernels.records import RECORDS


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
    sizes = [size(i) for i in range(len(RECORDS) + 1)]
    if sizes != [*(record.itemsize for record in RECORDS), -1]:
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
        "tail_slopes": "npppnnpnppp",
        "rough_baselines": "npppnp",
        "noise_amounts": "nnppppp",
        "check_lateral": "npppppnppp",
        "profiles": "pnpppppnpppnpnpp",
        "samples_above": "pnpppppppnpppp",
        "trend_filter": "npppppp",
        "force_bins": "pnpppppnpppndnp",
        "normal_channel": "pnpppppnppp",
        "moduli": "dnnnppp",
        "lateral_baselines": "nppppnpdp",
        "process": "pnpppppppppp",
        "find_onsets": "nnppppppdp",
        "collect_paths": "pnnppppp",
        "likeness": "ppnnnppddp",
        "bin_means": "pnnppn",
        "next_turn": "pnnndpp",
        "next_contact": "pnnndddpp",
        "next_edge": "pnddpp",
        "tap_sums": "pnnnpnnp",
        "window_means": "pnpndp",
    }.items():
        function = getattr(library, f"nrm_{name}")
        function.argtypes = [kinds[kind] for kind in arguments]
        function.restype = ctypes.c_int
    library.nrm_noise.restype = ctypes.c_double
    library.nrm_bin_means.restype = ctypes.c_int64


LIBRARY = _load()


def check(code: int) -> None:
    """Raise if a function refuses its arguments."""
    if code == 1:
        raise ValueError("lengths of arrays contradict each other")
    if code:
        raise MemoryError("there is no memory for a curve of this length")


def pointer(values: AnyArray | None, dtype: Any, size: int) -> int | None:
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


def doubles(values: AnyArray | None, size: int) -> int | None:
    """Address of an array of float64; as `pointer`."""
    return pointer(values, np.float64, size)


def whole(values: AnyArray) -> FloatArray:
    """The same as float64 in one piece."""
    return np.ascontiguousarray(values, np.float64)
