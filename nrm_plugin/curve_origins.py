"""Which file each curve came from: what tells curves apart when results are made anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from nrm_plugin.columns import IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.files import sha256
from nrm_plugin.tables import source_curves


class NamedOrigin(NamedTuple):
    """A file that curves came from; the hash is empty where it is not known."""

    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveOrigins:
    """Which file each curve came from, and which number it has there.

    Attributes
    ----------
    labels : tuple of NamedOrigin
        The files, each with a name of its own: those of one name have a part of the hash in it.
    names : tuple of str
        Their names as they are.
    index : (n,) array of int
        For each curve, its file.
    number : (n,) array of int
        For each curve, its number in the file.
    """

    labels: tuple[NamedOrigin, ...]
    names: tuple[str, ...]
    index: IntArray
    number: IntArray

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        hashes: Sequence[str],
        table: Mapping[str, Any],
        n_curves: int,
    ) -> Self:
        """Find them from names and hashes of the files and the curve table."""
        source = np.asarray(table["source"] if "source" in table else np.zeros(n_curves), np.int64)
        names = list(names) or [""]
        hashes = [*hashes, *[""] * len(names)][: len(names)]
        distinct: dict[tuple[str, str], int] = {}  # one file given twice is one file
        to = [
            distinct.setdefault((h or f"{i} {n}", "" if h else n), len(distinct))
            for i, (n, h) in enumerate(zip(names, hashes, strict=True))
        ]
        first = [to.index(i) for i in range(len(distinct))]
        own = tuple(names[i] for i in first)
        often = {name for name in own if own.count(name) > 1} if len(set(own)) < len(own) else set()
        labels = tuple(
            NamedOrigin(
                f"{name} ({hashes[at][:8] or number})" if name in often else name, hashes[at]
            )
            for number, (name, at) in enumerate(zip(own, first, strict=True))
        )
        index = np.asarray(to, np.int64)[np.clip(source, 0, len(to) - 1)]
        number = source_curves({"source": source, **table})
        return cls(labels=labels, names=own, index=index, number=number)

    @classmethod
    def of_results(cls, results: Any) -> Self:
        """Those of a Dataset of results."""
        names, hashes = (
            [value] if isinstance(value, str) else list(value)
            for value in (results.attrs.get(f"source_{key}", []) for key in ("name", "sha256"))
        )
        table = {
            name: results[name].values for name in ("source", "source_curve") if name in results
        }
        return cls.of(names, hashes, table, results.sizes["curve"])

    @classmethod
    def of_curves(cls, curves: Any) -> Self:
        """Those of a `CurveSet`; its files are hashed, where they are not yet."""
        hashes = [o.sha256 or (sha256(o.path) if o.path else "") for o in curves.origins]
        table = curves.curve_table
        return cls.of([o.name for o in curves.origins], hashes, table, curves.n_curves)

    @cached_property
    def _order(self) -> tuple[IntArray, IntArray, IntArray]:
        """Curves by file and number: their order, the numbers in it, and where each file begins."""
        order = np.lexsort((self.number, self.index))
        begins = np.searchsorted(self.index[order], np.arange(len(self.labels) + 1))
        return order, self.number[order], begins

    @cached_property
    def repeated(self) -> bool:
        """Whether a curve of a file is here twice."""
        order, numbers, _ = self._order
        return bool(((np.diff(numbers) == 0) & (np.diff(self.index[order]) == 0)).any())

    def count(self, origin: int) -> int:
        """Curves of a file that are here."""
        begins = self._order[2]
        return int(begins[origin + 1] - begins[origin])

    def curves(self, origin: int, runs: IntArray) -> IntArray:
        """Curves that lie in runs of numbers in a file, in the order of these numbers."""
        order, numbers, begins = self._order
        part = slice(int(begins[origin]), int(begins[origin + 1]))
        there, here = order[part], numbers[part]
        first = np.searchsorted(here, runs[:, 0], "left")
        length = np.searchsorted(here, runs[:, 1], "right") - first
        if len(runs) == 1:
            return there[int(first[0]) : int(first[0] + length[0])]
        shift = np.repeat(first - np.r_[0, np.cumsum(length)[:-1]], length)
        found: IntArray = there[np.arange(len(shift)) + shift]
        return found

    def matching(self, wanted: NamedOrigin) -> int | None:
        """Which file it is that decisions are about, or None if it is not here.

        Raises
        ------
        InvalidInput
            If there is one of that name with other contents.
        """
        by_hash = [i for i, o in enumerate(self.labels) if o.sha256 and o.sha256 == wanted.sha256]
        if by_hash:
            return by_hash[0]
        named = [
            i
            for i, (label, name) in enumerate(zip(self.labels, self.names, strict=True))
            if wanted.name in (label.name, name)
        ]
        unsure = [i for i in named if not (self.labels[i].sha256 and wanted.sha256)]
        if len(unsure) == 1:
            return unsure[0]
        if unsure:
            raise InvalidInput(f"there are several files {wanted.name!r}; say which by its sha256")
        if named:
            raise InvalidInput(
                f"{wanted.name!r} was another file then (sha256 {wanted.sha256[:12]}..., now "
                f"{self.labels[named[0]].sha256[:12]}...)"
            )
        return None
