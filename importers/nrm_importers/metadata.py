"""What a vendor's file says beside its numbers, under the vocabulary's names."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nrm_plugin.errors import InvalidInput
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet, Origin
from nrm_plugin.vocabulary import METADATA


class Metadata:
    """Values as they are read, each checked and with its place in the header, and warnings."""

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

    def free_name(self, name: str, original: str, taken: Container[str]) -> str:
        """Return `name`, with a number behind it if there is such a channel already."""
        if name not in taken:
            return name
        free = next(f"{name}_{i}" for i in itertools.count(2) if f"{name}_{i}" not in taken)
        self.warn(f"there are two channels {original}; the second is {free}")
        return free

    def attached(
        self, curves: CurveSet, path: Path, importer: str, header: str, images: Iterable[Image] = ()
    ) -> CurveSet:
        """Return the curves of a file with its metadata, images, warnings and verbatim header."""
        return replace(
            curves,
            metadata=self.values,
            metadata_source=self.sources,
            images=tuple(images),
            warnings=tuple(self.warnings),
            origins=(Origin(path.name, importer, header=header, path=str(path.absolute())),),
        )
