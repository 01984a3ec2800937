"""Curves from recorded numbers to results, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.kernels.force_distance import BINS, N_COLUMNS
from nrm_plugin.kernels.library import LIBRARY, check, doubles, pointer, whole
from nrm_plugin.kernels.raw_signal import RawSignal
from nrm_plugin.kernels.records import (
    CONTACT,
    CURVE,
    JOB,
    LATERAL_BASELINE,
    LATERAL_CHECK,
    NORMAL_CHANNEL,
    RecordArray,
)

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
    found = whole(found)
    n, _, m = found.shape
    rows = np.empty((n_rows, n, m), np.float32)
    factor = np.ascontiguousarray(shape, np.float32)
    check(
        LIBRARY.nrm_moduli(
            amplitude,
            n_rows,
            n,
            m,
            doubles(found, n * N_COLUMNS * m),
            pointer(factor, np.float32, m),
            pointer(rows, np.float32, 0),
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
    given["correlation"], given["n_lags"] = doubles(job.correlation, 1), len(job.correlation)
    given["depth"], given["n_depths"] = doubles(job.depth, 0), m
    given["shape"] = pointer(job.shape, np.float32, m)
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
    check(
        LIBRARY.nrm_process(
            pointer(given, JOB, 1),
            n,
            pointer(first, np.int64, n),
            pointer(length, np.int64, n),
            pointer(own, CURVE, n),
            pointer(made.contacts, CONTACT, n),
            pointer(made.checks, LATERAL_CHECK, n),
            pointer(made.normals, NORMAL_CHANNEL, n),
            pointer(made.baselines, LATERAL_BASELINE, 0),
            doubles(made.valid, n),
            pointer(made.rows, np.float32, 0),
            pointer(made.bins, np.float32, 0),
        )
    )
    return made
