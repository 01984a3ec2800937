"""Values that a vendor's header holds, gathered under the vocabulary's names."""

from __future__ import annotations

from typing import Any

from nrm_plugin.errors import InvalidInput
from nrm_plugin.vocabulary import METADATA


class Found:
    """Values as they are found, each checked and with its place in the header."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.warnings: list[str] = []

    def add(self, key: str, value: float | str | None, where: str) -> None:
        """Keep a value; one that is absent is passed over, an impossible one is warned of."""
        if value is None or value == "":
            return
        try:
            self.values[key] = METADATA[key].check(key, value)
        except InvalidInput as error:
            self.warnings.append(f"{where} is left out: {error}")
            return
        self.sources[key] = f"header: {where}"

    def warn(self, text: str) -> None:
        """Keep a warning, once."""
        if text and text not in self.warnings:
            self.warnings.append(text)
