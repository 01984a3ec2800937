"""Synthetic Bruker NanoScope files: the names that tests and scripts use.

`write_force`, `write_images` and `write_ascii` write what they are given; the ``example_``
functions make a physically sensible file and return its truth.
"""

from .nanoscope_ascii import write_ascii
from .nanoscope_binary import write_force, write_images
from .nanoscope_examples import (
    CurveTruth,
    ImageTruth,
    example_force_volume,
    example_images,
    example_peakforce,
    example_single_curve,
)
from .nanoscope_header import ForceChannel, ImageChannel, PeakForce, Sensitivity, as_printed

__all__ = [
    "CurveTruth",
    "ForceChannel",
    "ImageChannel",
    "ImageTruth",
    "PeakForce",
    "Sensitivity",
    "as_printed",
    "example_force_volume",
    "example_images",
    "example_peakforce",
    "example_single_curve",
    "write_ascii",
    "write_force",
    "write_images",
]
