"""Moments and time zones as people write them."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from nrm_plugin.errors import InvalidInput
from nrm_plugin.vocabulary import nearest


def moment(date: Any) -> np.datetime64:
    """Return a date, given as text or otherwise, as datetime64 in microseconds.

    Raises
    ------
    InvalidInput
    """
    try:
        date_time: Any = np.array(date, "M8[us]")
    except (TypeError, ValueError):
        date_time = np.array("NaT", "M8[us]")
    if date_time.shape != () or np.isnat(date_time):
        raise InvalidInput(f"{str(date)[:60]!r} is no date: write it as 2025-03-04T09:41:07")
    return np.datetime64(date_time[()], "us")


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its name.

    Raises
    ------
    InvalidInput
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        near = nearest(name, available_timezones())
        raise InvalidInput(
            f"there is no time zone {name[:60]!r}; names are as Europe/London or UTC.{near}"
        ) from None
