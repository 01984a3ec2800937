"""Calls that tests send to other processes, which import this module by its name."""

from __future__ import annotations

import os
import time
from pathlib import Path

from nrm_plugin.errors import InvalidInput


def square(number: int) -> int:
    if number == 7:
        raise InvalidInput("seven is refused")
    return number * number


def die_once(mark: Path, number: int) -> int:
    """End the process at the first call, and only then."""
    if not mark.exists():
        mark.touch()
        os._exit(9)
    return number


def always_die() -> None:
    os._exit(9)


def process_id(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def wait_for(begun: Path, mark: Path) -> str:
    """Say that it has begun, and wait until the mark is there."""
    begun.touch()
    while not mark.exists():
        time.sleep(0.02)
    return "waited"
