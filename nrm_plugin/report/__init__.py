"""The report: one HTML file with what was measured, how, how well, and what came out.

>>> from nrm_plugin.report import write_report
>>> write_report(results, "report.html", curves=curves)        # doctest: +SKIP
"""

from nrm_plugin.report.conditions import Condition, conditions
from nrm_plugin.report.page import render, write_report

__all__ = ["Condition", "conditions", "render", "write_report"]
