"""The experiment file: what the experimenter knows and the microscope's file doesn't.

Wiring, lock-in settings, calibrations, tip, cell: a TOML file with units, checked on reading.
"""

from nrm_plugin.experiment.contents import Experiment
from nrm_plugin.experiment.needs import Missing, missing
from nrm_plugin.experiment.reading import check, read
from nrm_plugin.experiment.updating import update
from nrm_plugin.experiment.writing import template

__all__ = ["Experiment", "Missing", "check", "missing", "read", "template", "update"]
