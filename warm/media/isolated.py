"""Decoding in a process of its own: a file that crashes a decoder ends only that process."""

import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from isolation.item import Item
from isolation.process import WorkerProcess
from isolation.reading import Reader, ReadFailed, ReadLimits, read_isolated
from warm.media.sniff import MediaError, require_file

LIMITS = ReadLimits(item_cpu_s=60.0, item_s=120.0, memory_bytes=4 << 30)
"""Limits between two pictures, or two chunks of sound. The largest photo takes about 10 s."""
BACKGROUND_LIMITS = replace(LIMITS, item_s=900.0)
"""For a process of low priority, which may wait long for a processor."""


class DecoderFailedError(MediaError):
    """A decoder crashed, hung, or needed too much memory; the message names the file."""


def decode_isolated(
    reader: Reader,
    path: Path,
    *,
    limits: ReadLimits | None = None,
    start: Callable[[], WorkerProcess] | None = None,
    **arguments: Any,
) -> Generator[Item, None, None]:
    """Yield the items of `reader(path, **arguments)`, which runs in a process of its own.

    `reader` is a function at the top level of a module; arguments are keywords that JSON can
    express. The process ends with the last item, or when this generator is closed; `start` returns
    a process that was started beforehand. Raises every MediaError of the reader, and
    DecoderFailedError if the process fails in another way.
    """
    require_file(path)
    limits = limits or (LIMITS if os.nice(0) <= 0 else BACKGROUND_LIMITS)
    try:
        yield from read_isolated(
            reader, path, raises=MediaError, limits=limits, start=start, **arguments
        )
    except ReadFailed as error:
        raise DecoderFailedError(str(error)) from error
