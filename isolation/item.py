"""Items that a reader yields: facts and an array."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NUMERIC_KINDS = "biuf"
"""Kinds of the dtypes of arrays: booleans, integers and floats."""


class Item(NamedTuple):
    """One result of a reader. It is passed between two processes as JSON and bytes."""

    facts: Mapping[str, Any]
    """JSON values: strings, numbers, booleans, None, and lists and mappings of these."""
    array: NDArray[Any] | None = None
    """Numbers of any shape."""


def pack_item(item: Item) -> tuple[dict[str, Any], memoryview]:
    """Return the header of an item and the bytes of its array."""
    if item.array is None:
        return {"facts": item.facts}, memoryview(b"")
    array = np.ascontiguousarray(item.array)
    header = {"facts": item.facts, "dtype": array.dtype.str, "shape": array.shape}
    return header, array.reshape(-1).view(np.uint8).data


def unpack_item(header: Mapping[str, Any], payload: Any) -> Item:
    """Return the item of a message; raises ValueError, KeyError or TypeError for another message.

    The array is writable if the payload is.
    """
    if "dtype" not in header:
        return Item(header["facts"])
    dtype = np.dtype(header["dtype"])
    if dtype.kind not in NUMERIC_KINDS:
        raise ValueError(f"an array of {dtype} is not numeric")
    return Item(header["facts"], np.frombuffer(payload, dtype).reshape(header["shape"]))
