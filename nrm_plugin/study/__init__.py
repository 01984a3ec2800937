"""A study: samples under several conditions, processed, compared and reported by one command.

>>> study = read_study("study.toml")                                       # doctest: +SKIP
>>> run = run_study(study, "out")                                          # doctest: +SKIP
"""

from typing import Any

from nrm_plugin.study.study_file import read_study
from nrm_plugin.study.study_plan import Study

__all__ = ["Study", "StudyRun", "propose", "read_study", "run_study"]


def __getattr__(name: str) -> Any:
    # What runs and proposes is not needed to read a file.
    if name in ("StudyRun", "run_study"):
        from nrm_plugin.study import study_run

        return getattr(study_run, name)
    if name == "propose":
        from nrm_plugin.study.proposal import propose

        return propose
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
