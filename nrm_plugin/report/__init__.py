"""The report: one HTML file with what was measured, how, how well, and what came out.

>>> from nrm_plugin.report import write_report
>>> write_report(results, "report.html", curves=curves)        # doctest: +SKIP
"""

from nrm_plugin.report.conditions import Condition, conditions
from nrm_plugin.report.page import render, write_report
from nrm_plugin.report.study_checks import StudyChecks, study_checks
from nrm_plugin.report.study_page import write_study_report

__all__ = [
    "Condition",
    "StudyChecks",
    "conditions",
    "render",
    "study_checks",
    "write_report",
    "write_study_report",
]
