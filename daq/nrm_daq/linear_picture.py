"""A picture of the linear regime: change of F*/A over the amplitude."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nrm_daq.linear_regime import LinearRegime
from nrm_plugin.files import replacing


def drawn(
    regime: LinearRegime, path: Path, per_volt: float | None, sentence: str, *, overwrite: bool
) -> None:
    """Draw it; the suffix says the kind of file.

    Parameters
    ----------
    regime : LinearRegime
    path : Path
    per_volt : float or None
        Motion per volt in m/V, where it is known.
    sentence : str
        Goes above.
    overwrite : bool
    """
    from matplotlib.figure import Figure

    scale, unit = (1.0, "V") if per_volt is None else (1e9 * per_volt, "nm")
    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axes = figure.subplots()
    change = 100.0 * (np.abs(regime.ratio / regime.constant) - 1.0)
    error = 100.0 * regime.stderr / abs(regime.constant)
    bound = 100.0 * regime.within
    axes.axhspan(-bound, bound, color="0.9", label=f"within {bound:.3g} %")
    axes.errorbar(scale * regime.volts, change, error, fmt="o-", ms=4, lw=1, capsize=2)
    if regime.up_to is not None:
        axes.axvline(scale * regime.up_to, color="0.4", ls="--", lw=1, label="linear up to here")
    axes.set_xscale("log")
    axes.set_xlabel(f"dither amplitude, peak ({unit})")
    axes.set_ylabel("change of F*/A (%)")
    axes.set_title(sentence, fontsize=7, wrap=True)
    axes.legend(fontsize=7)
    with replacing(path, overwrite=overwrite) as part:
        figure.savefig(part, format=path.suffix.lstrip(".").lower() or "png", dpi=200)
