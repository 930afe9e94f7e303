"""Handle of a worker process: starts it, exchanges messages with it, stops it."""

import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from isolation.protocol import Message, Payload, pack_header, pack_message, unpack_message

ROOT = Path(__file__).resolve().parents[1]
"""The folder of the packages."""
EXIT_TIMEOUT_S = 1.0
"""Time for a worker to exit by itself after its stdin is closed."""


CANCEL_POLL_S = 0.05
"""Interval at which a request that waits for its answer checks whether it was cancelled."""
OUTSIDE_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals from the kernel (out of memory), an operator or a script; no request causes them."""


class WorkerFailed(RuntimeError):
    """A worker gave no answer; it has ended and must be replaced."""


class WorkerDied(WorkerFailed):
    """A worker ended before it answered."""


class WorkerKilled(WorkerDied):
    """A worker was killed from outside; its request did not cause that."""


class WorkerTimeout(WorkerFailed):
    """A worker was killed because its answer took too long."""


class RequestCancelled(RuntimeError):
    """A request was cancelled. A `WorkerProcess` that was answering it has ended."""


class WorkerProcess:
    """A running worker. Used by one thread at a time, except where noted.

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
        self.register_message(self._poll)
        self._end = select.poll()
        self.register_end(self._end)
        self._is_ready = False
        self._unsent = bytearray()
        """Messages queued by `post`."""

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    @property
    def is_usable(self) -> bool:
        """False if it has ended or does not read requests."""
        return not self._requests.closed and not self._end.poll(0)

    @property
    def has_message(self) -> bool:
        """True if it has written something, or has ended."""
        return bool(self._poll.poll(0))

    def state(self) -> str:
        """Return the state letter of its main thread in /proc, such as "R"; "" if unknown."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # other systems than Linux
            return ""
        return stat.rpartition(")")[2].split()[0]

    def register_end(self, poll: select.poll) -> None:
        """Have `poll` report the end of the process."""
        poll.register(self._requests, 0)

    def register_requests(self, poll: select.poll) -> None:
        """Have `poll` report the end of the process, and that `flush` can write more."""
        poll.register(self._requests, select.POLLOUT if self._unsent else 0)

    def register_message(self, poll: select.poll) -> None:
        """Have `poll` report a message, and the end of the process."""
        poll.register(self._answers, select.POLLIN)

    def wait_until_ready(self, timeout_s: float) -> None:
        """Wait until it accepts requests; raises WorkerFailed if it cannot start."""
        if self._is_ready:
            return
        header, _ = self.next_message(timeout_s)
        if "error" in header:
            self.stop()
            raise WorkerDied(str(header["error"]))
        self._is_ready = True

    def request(
        self,
        request: Mapping[str, Any],
        *,
        timeout_s: float,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Message:
        """Return the answer to a request; raises WorkerDied, or WorkerTimeout after `timeout_s`.

        Kills the worker and raises RequestCancelled soon after `is_cancelled` becomes true; an
        answer that takes less than `CANCEL_POLL_S` is awaited.
        """
        self.send(request)
        return self.next_message(timeout_s, is_cancelled)

    def send(self, request: Mapping[str, Any]) -> None:
        """Send a message without payload; raises WorkerFailed."""
        unsent = memoryview(pack_message(request))
        try:
            while unsent:
                unsent = unsent[self._requests.write(unsent) :]
        except BrokenPipeError:
            raise self.exit_error() from None

    def send_bytes(self, data: Payload, **header: Any) -> None:
        """Send a message with a payload while another thread receives; raises BrokenPipeError.

        Waits while the worker has no room. Only the thread that receives learns why the worker
        ended.
        """
        for part in (pack_header(header, len(data)), data):
            unsent = memoryview(part)
            while unsent:
                unsent = unsent[self._requests.write(unsent) :]

    def post(self, message: Mapping[str, Any]) -> None:
        """Queue a message without payload, which `flush` writes."""
        self._unsent += pack_message(message)

    @property
    def has_unsent(self) -> bool:
        """True if `flush` has not written all queued messages."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Write what the pipe takes of the queued messages, without waiting.

        If the process has ended they are dropped, and `next_message` reports it. From now on `send`
        must not be called, because the pipe does not block.
        """
        if not self._unsent:
            return
        try:
            os.set_blocking(self._requests.fileno(), False)
            del self._unsent[: self._requests.write(bytes(self._unsent)) or 0]
        except BrokenPipeError:
            self._unsent.clear()

    def interrupt(self) -> None:
        """Kill the process, so that its request fails. Any thread."""
        with suppress(ProcessLookupError):
            self._process.kill()

    def close_requests(self) -> None:
        """Have the process exit; `stop` then waits for it."""
        with suppress(OSError):
            self._requests.close()

    def stop(self) -> bool:
        """Stop the process: close its stdin, and kill it if it does not exit.

        Returns True if it exited by itself, or had ended before.
        """
        self.close_requests()
        try:
            self._process.wait(EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self._answers.close()
        return True

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self._answers.close()

    def next_message(
        self, timeout_s: float, is_cancelled: Callable[[], bool] = lambda: False
    ) -> Message:
        """Return the next message; raises the errors of `request`."""
        deadline_s = time.monotonic() + timeout_s
        try:
            return unpack_message(lambda size: self._read(size, deadline_s, is_cancelled))
        except RequestCancelled:
            self.kill()
            raise
        except EOFError:
            raise self.exit_error() from None
        except TimeoutError:
            self.kill()
            raise WorkerTimeout(f"gave no answer within {timeout_s:g} s") from None
        except ValueError as error:  # a worker with corrupted memory may write anything
            self.kill()
            raise WorkerDied(f"answered with bytes that are not a message: {error}") from error

    def _read(self, size: int, deadline_s: float, is_cancelled: Callable[[], bool]) -> bytearray:
        """Read exactly `size` bytes; raises EOFError, TimeoutError and RequestCancelled."""
        data = bytearray(size)
        unread = memoryview(data)
        while unread:
            self._wait_for_bytes(deadline_s, is_cancelled)
            count = os.readv(self._answers.fileno(), [unread])
            if not count:
                raise EOFError
            unread = unread[count:]
        return data

    def _wait_for_bytes(self, deadline_s: float, is_cancelled: Callable[[], bool]) -> None:
        while True:
            left_s = min(deadline_s - time.monotonic(), CANCEL_POLL_S)
            if left_s > 0 and self._poll.poll(math.ceil(1000 * left_s)):
                return
            if time.monotonic() >= deadline_s:
                raise TimeoutError
            if is_cancelled():
                raise RequestCancelled("the request was cancelled")

    def exit_error(self) -> WorkerFailed:
        """Return the error of a worker that closed its stdin or stdout, with its exit status."""
        if not self.stop():
            return WorkerDied("closed its input or output")
        status = self._process.returncode
        if status == -signal.SIGPROF:
            return WorkerTimeout("took too much CPU time")
        if -status in OUTSIDE_SIGNALS:
            return WorkerKilled(f"was killed by {signal.Signals(-status).name}")
        if status < 0:
            return WorkerDied(f"died of {signal.Signals(-status).name}")
        return WorkerDied(f"ended with status {status}")
