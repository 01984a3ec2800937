"""Make the sample files again: ``python sample_data/make_samples.py``.

Small files of every kind that is read, with known contents: no instrument recorded
them. They come from the writers of the tests, so the same numbers come out each time.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from writers import (  # noqa: E402
    ardf,
    gwyddion,
    igor,
    jpk,
    nanoscope,
    nanosurf,
    park,
    potentiostat,
    tables,
)


def main(folder: Path = HERE) -> None:
    """Write all samples into `folder`."""
    bruker = folder / "bruker"
    bruker.mkdir(parents=True, exist_ok=True)
    small = {"header_size": 16384}
    nanoscope.example_force_volume(
        bruker / "volume-3x5.spm", 3, 5, undeclared_maps=2, frame_direction="Down", **small
    )
    nanoscope.example_force_volume(
        bruker / "volume-2x3-hold-sensor.spm",
        2,
        3,
        n_hold=12,
        height_sensor=True,
        version=0x09400105,
        sensitivity_unit="",
        **small,
    )
    curve = nanoscope.example_single_curve(bruker / "lock-in-on-inputs.000", **small)
    for number in range(3):
        nanoscope.example_single_curve(
            bruker / f"series.{number:03d}",
            n_ext=128,
            n_ret=128,
            offsets=(200.0 * number, -100.0),
            date=f"09:4{number}:07 AM Tue Mar 04 2025",
            **small,
        )
    nanoscope.example_peakforce(
        bruker / "peakforce-2x3.pfc",
        peakforce=nanoscope.PeakForce(50.0, 2.0, 140.0, sample_points=250, marker=True),
        **small,
    )
    nanoscope.example_images(bruker / "friction.001", **small)
    exported = [replace(c, raw=c.raw[:, :448]) for c in curve.channels[:2]]
    nanoscope.write_ascii(
        bruker / "curve-exported.txt",
        exported,
        n_ext=curve.n_ext,
        n_ret=curve.n_ret,
        columns=["Time_s", "Calc_Ramp_nm", "Defl_V", "Height_Sensor_nm"],
        repeat=False,
    )
    park.write_samples(folder / "park")
    gwyddion.write_samples(folder / "gwyddion")
    potentiostat.write_samples(folder / "potentiostat")
    jpk.write_samples(folder / "jpk")
    igor.write_samples(folder / "asylum")
    ardf.write_samples(folder / "asylum")
    nanosurf.write_samples(folder / "nanosurf")
    tables.write_samples(folder / "table")


if __name__ == "__main__":
    main()
