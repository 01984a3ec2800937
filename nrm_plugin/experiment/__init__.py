"""The experiment file: what the experimenter knows and the microscope's file doesn't.

Wiring, lock-in settings, calibrations, tip, cell: a TOML file with units, checked on reading.
"""

from nrm_plugin.experiment.experiment_file import Experiment
from nrm_plugin.experiment.templates import template
from nrm_plugin.experiment.updates import update
from nrm_plugin.experiment.validation import check, read
from nrm_plugin.requirements import Missing, missing

__all__ = ["Experiment", "Missing", "check", "missing", "read", "template", "update"]
