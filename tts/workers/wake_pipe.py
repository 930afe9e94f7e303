"""Pipe that ends another thread's wait."""

import contextlib
import os
import select


class WakePipe:
    """A thread that polls it is woken by any other thread.

    Its descriptors are closed with the object, when no thread can use them any more: the number of
    a closed descriptor soon belongs to another file.
    """

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)

    def __del__(self) -> None:
        os.close(self._read_fd)
        os.close(self._write_fd)

    def wake(self) -> None:
        """End the present wait, or the next one."""
        with contextlib.suppress(BlockingIOError):  # it is full, and so will wake
            os.write(self._write_fd, b"\0")

    def register(self, poll: select.poll) -> None:
        """Have `poll` report `wake`."""
        poll.register(self._read_fd, select.POLLIN)

    def clear(self) -> None:
        """Forget all calls of `wake` so far."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read_fd, 4096)
