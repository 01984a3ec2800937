"""What the page is sent: a header of words and numbers, and arrays behind it.

Layout: the length of the header as uint32, little-endian; the header, JSON in UTF-8; zeros up to a
multiple of 8; then the arrays, each beginning at a multiple of 8.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nrm_plugin.columns import AnyArray

#: Types that a page can look at without copying.
TYPES = ("f4", "f8", "i4", "i1", "u1")


def json_ready(value: Any) -> Any:
    """Return a value in types that JSON has; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): json_ready(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return json_ready(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [json_ready(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def as_json(value: Any) -> bytes:
    """Write a value as JSON in UTF-8, nan as null."""
    text = json.dumps(json_ready(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")  # a lone surrogate of a vendor's header


def packed(header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> bytes:
    """Put a header and arrays into one piece.

    Parameters
    ----------
    header : mapping
    arrays : mapping of str to array
        Of one of `TYPES`.
    """
    places, parts, offset = {}, [], 0
    for name, array in arrays.items():
        kind = array.dtype.str[1:]
        if kind not in TYPES:
            raise ValueError(f"{name} is {array.dtype}: a page reads {', '.join(TYPES)}")
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        places[name] = {
            "type": kind,
            "offset": offset,
            "length": array.size,
            "shape": list(array.shape),
        }
        parts += [data, bytes(-len(data) % 8)]
        offset += len(data) + -len(data) % 8
    head = as_json({**header, "arrays": places})
    begin = len(head).to_bytes(4, "little") + head
    return b"".join([begin, bytes(-len(begin) % 8), *parts])
