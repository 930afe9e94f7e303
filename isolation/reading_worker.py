"""Main program of a process that reads one file: the counterpart of `isolation.reading`."""

import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from isolation.item import Item, pack_item
from isolation.protocol import Message, pack_header, read_exactly, unpack_message, write_exactly
from isolation.worker_setup import (
    limit_memory,
    lower_priority,
    redirect_to_null,
    reserve_stdout,
)

OPENCV_OUT_OF_MEMORY = -4
"""`cv2.error.code` of a failed allocation."""


def main() -> None:
    """Import the modules of the command line, read a request from stdin, and write the items of its
    reader to stdout."""
    answers = reserve_stdout()
    requests = open(0, "rb", buffering=0)  # noqa: SIM115 - open until the process ends
    for name in sys.argv[2:]:
        importlib.import_module(name)
    try:
        request, _ = unpack_message(lambda size: read_exactly(requests, size))
    except EOFError:  # a spare process that was not needed
        return
    threading.Thread(target=exit_with_parent, args=(requests,), daemon=True).start()
    lower_priority(0)
    redirect_to_null(2)  # decoders write lines that are not log records
    try:
        for header, payload in messages(requested_items(request)):
            write_exactly(answers, pack_header(header, len(payload)))
            write_exactly(answers, payload)
    except BrokenPipeError:  # the parent process has closed the generator
        pass


def exit_with_parent(requests: BinaryIO) -> None:
    """End this process when stdin is closed, even while a decoder hangs."""
    requests.read(1)
    os._exit(1)


def messages(items: Iterator[Item]) -> Iterator[Message]:
    """Yield the items of a reader as messages, then the end or its error."""
    try:
        yield from map(pack_item, items)
    except Exception as error:  # noqa: BLE001 - every error is an answer
        yield describe(error), b""
    else:
        yield {"end": True}, b""


def requested_items(request: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the items of the reader that a request names, within its limits."""
    module, name = request["reader"]
    reader = getattr(importlib.import_module(module), name)
    limit_memory(request["memory_bytes"])
    items = reader(Path(request["path"]), **request["arguments"])
    yield from timed(items, request["item_cpu_s"])


def timed(items: Iterator[Item], cpu_s: float) -> Iterator[Item]:
    """Yield items; SIGPROF ends the process if one takes more CPU time."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    for item in items:
        signal.setitimer(signal.ITIMER_PROF, 0)
        yield item
        signal.setitimer(signal.ITIMER_PROF, cpu_s)


def describe(error: Exception) -> dict[str, Any]:
    """Return the message of an error."""
    if is_out_of_memory(error):
        return {"out_of_memory": True}
    classes = [[each.__module__, each.__qualname__] for each in type(error).__mro__]
    return {"error": str(error), "classes": classes, "traceback": traceback.format_exc()}


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return True if memory ran out, which a reader may have reported as damage."""
    while error is not None:
        is_opencv = getattr(error, "code", None) == OPENCV_OUT_OF_MEMORY
        if is_opencv or isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    main()
