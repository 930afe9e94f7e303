"""Main program of a process that reads one input while it arrives, from `isolation.arriving`."""

import importlib
import os
import sys
import threading
from typing import BinaryIO

from isolation.protocol import pack_header, read_exactly, unpack_message, write_exactly
from isolation.reading_worker import messages, timed
from isolation.worker_setup import limit_memory, redirect_to_null, reserve_stdout

MAX_HELD_BYTES = 1 << 20
"""Bytes that are held for the reader; the sender waits while there are more."""


class Incoming:
    """A file whose bytes are still arriving. Read by one thread."""

    def __init__(self, requests: BinaryIO) -> None:
        self._requests = requests
        self._data = bytearray()
        self._is_over = False
        self._changed = threading.Condition()
        threading.Thread(target=self._receive, daemon=True).start()

    def read(self, size: int = -1) -> bytes:
        """Return what has arrived, at most `size` bytes, or wait for some; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._data or self._is_over)
            piece = bytes(self._data if size < 0 else self._data[:size])
            del self._data[: len(piece)]
            self._changed.notify_all()
        return piece

    def _receive(self) -> None:
        """Receive until the end; if the sender closes the pipe early, this process ends."""
        try:
            while True:
                header, payload = unpack_message(lambda size: read_exactly(self._requests, size))
                self._add(bytes(payload), is_over="end" in header)
        except (EOFError, ValueError):
            os._exit(1)

    def _add(self, data: bytes, *, is_over: bool) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._data) < MAX_HELD_BYTES)
            self._data += data
            self._is_over = self._is_over or is_over
            self._changed.notify_all()


def main() -> None:
    """Import the modules of the command line, then read the input of one request."""
    answers = reserve_stdout()
    requests = open(0, "rb")  # noqa: SIM115 - open until the process ends
    for name in sys.argv[2:]:
        importlib.import_module(name)
    redirect_to_null(2)  # decoders write lines that are not log records
    write_exactly(answers, pack_header({}))
    try:
        request, _ = unpack_message(lambda size: read_exactly(requests, size))
    except EOFError:  # the process was not needed
        return
    module, name = request["reader"]
    reader = getattr(importlib.import_module(module), name)
    limit_memory(request["memory_bytes"])
    items = reader(Incoming(requests), **request["arguments"])
    try:
        for header, payload in messages(timed(items, request["item_cpu_s"])):
            write_exactly(answers, pack_header(header, len(payload)))
            write_exactly(answers, payload)
    except BrokenPipeError:  # nobody receives the items any more
        pass


if __name__ == "__main__":
    main()
