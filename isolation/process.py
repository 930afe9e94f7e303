"""Handle of a worker process: starts it, exchanges messages with it, stops it."""

import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from isolation.protocol import Message, pack_message, unpack_message

ROOT = Path(__file__).resolve().parents[1]
"""The folder of the packages."""
EXIT_TIMEOUT_S = 1.0
"""Time for a worker to exit by itself after its stdin is closed."""


class WorkerFailed(RuntimeError):
    """A worker gave no answer; it has ended and must be replaced."""


class WorkerDied(WorkerFailed):
    """A worker ended before it answered."""


class WorkerTimeout(WorkerFailed):
    """A worker was killed because its answer took too long."""


class WorkerProcess:
    """A running worker. Used by one thread at a time.

    The constructor returns before the worker is ready; `wait_until_ready` waits for it. The worker
    inherits only its pipes and stderr, and runs in its own session, so that signals of a terminal
    do not reach it. It ends when its stdin is closed, and therefore with this process.
    """

    def __init__(self, command: Sequence[str], *, folder: Path | None = None) -> None:
        """Start the process, in a working directory; raises OSError if it cannot be started."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=folder,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._poll = select.poll()  # select() accepts no descriptor above 1023
        self._poll.register(self._answers, select.POLLIN)
        self._is_ready = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def wait_until_ready(self, timeout_s: float) -> None:
        """Wait until it accepts requests; raises WorkerFailed if it cannot start."""
        if self._is_ready:
            return
        header, _ = self.next_message(timeout_s)
        if "error" in header:
            self.stop()
            raise WorkerDied(str(header["error"]))
        self._is_ready = True

    def request(self, request: Mapping[str, Any], *, timeout_s: float) -> Message:
        """Return the answer to a request; raises WorkerDied, or WorkerTimeout after `timeout_s`."""
        self.send(request)
        return self.next_message(timeout_s)

    def send(self, request: Mapping[str, Any]) -> None:
        """Send a message without payload; raises WorkerFailed."""
        unsent = memoryview(pack_message(request))
        try:
            while unsent:
                unsent = unsent[self._requests.write(unsent) :]
        except BrokenPipeError:
            raise self._exit_error() from None

    def stop(self) -> None:
        """Stop the process: close its stdin, and kill it if it does not exit."""
        with suppress(OSError):
            self._requests.close()
        try:
            self._process.wait(EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._answers.close()

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self._answers.close()

    def next_message(self, timeout_s: float) -> Message:
        """Return the next message; raises WorkerDied, or WorkerTimeout after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        try:
            return unpack_message(lambda size: self._read(size, deadline_s))
        except EOFError:
            raise self._exit_error() from None
        except TimeoutError:
            self.kill()
            raise WorkerTimeout(f"gave no answer within {timeout_s:g} s") from None
        except ValueError as error:  # a worker with corrupted memory may write anything
            self.kill()
            raise WorkerDied(f"answered with bytes that are not a message: {error}") from error

    def _read(self, size: int, deadline_s: float) -> bytearray:
        """Read exactly `size` bytes; raises EOFError and TimeoutError."""
        data = bytearray(size)
        unread = memoryview(data)
        while unread:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not self._poll.poll(math.ceil(left_s * 1000)):
                raise TimeoutError
            count = os.readv(self._answers.fileno(), [unread])
            if not count:
                raise EOFError
            unread = unread[count:]
        return data

    def _exit_error(self) -> WorkerFailed:
        """Return the error of a worker that closed its stdout, with its exit status."""
        self.stop()
        status = self._process.returncode
        if status == -signal.SIGPROF:
            return WorkerTimeout("took too much CPU time")
        if status < 0:
            return WorkerDied(f"died of {signal.Signals(-status).name}")
        return WorkerDied(f"ended with status {status}")
