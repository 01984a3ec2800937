"""A microscope and an electrode whose truth is known.

For planning an experiment, for the demo, and for testing everything that handles curves: choose a
sample, an instrument and a ramp, and `simulate` returns a `CurveSet` like a real one, marked
``simulated``, together with the truth behind it.

>>> from nrm_plugin import simulate as sim
>>> layers = sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j)
>>> sample = sim.Sample(sim.Interphase(layers, force=3e-9))
>>> curves, truth = sim.simulate(sample, sim.Instrument(), sim.Ramp(), n_curves=4, seed=1)
>>> curves.n_curves
4
"""

from nrm_plugin.simulate.friction_scan import LoopTruth, Scan, friction_loops, wedge_loops
from nrm_plugin.simulate.instrument import (
    Aging,
    Detector,
    Instrument,
    LockIn,
    ResonantNoise,
    Scanner,
)
from nrm_plugin.simulate.measurement import Ramp, Truth, simulate
from nrm_plugin.simulate.sample import (
    Crust,
    Electrode,
    Film,
    Interphase,
    Layer,
    Relaxation,
    Sample,
    StiffnessTable,
    Voltammogram,
)

__all__ = [
    "Aging",
    "Crust",
    "Detector",
    "Electrode",
    "Film",
    "Instrument",
    "Interphase",
    "Layer",
    "LockIn",
    "LoopTruth",
    "Ramp",
    "Relaxation",
    "ResonantNoise",
    "Sample",
    "Scan",
    "Scanner",
    "StiffnessTable",
    "Truth",
    "Voltammogram",
    "friction_loops",
    "simulate",
    "wedge_loops",
]
