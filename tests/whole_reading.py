"""Looks at everything that is in curves, as a user of each part of them would."""

from __future__ import annotations

import json
from pathlib import Path

import nrm_plugin as nrm
from nrm_plugin.cli.info import describe


def read_whole(curves: nrm.CurveSet, path: Path) -> None:
    """Read all channels, images, segments and columns, and describe the file."""
    for name in curves.channels:
        assert curves.read(name).shape == (curves.n_samples,)
    for image in curves.images:
        assert image.data.shape == image.raw.shape == image.shape
    segments = curves.segments
    assert (segments["stop"] <= curves.row_size[segments["curve"]]).all()
    assert all(len(column) == curves.n_curves for column in curves.curve_table.values())
    json.dumps(describe(str(path), curves), allow_nan=False)
