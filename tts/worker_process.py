"""One speech worker as seen from the process that uses it: started, asked, ended."""

import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tts.framing import Message, pack_message, unpack_message

COMMAND = (sys.executable, "-m", "tts.speech_worker")
ROOT = Path(__file__).resolve().parents[1]
"""The folder of the package `tts`."""
END_S = 1.0
"""How long a worker may take to end by itself when its requests end."""


class WorkerFailed(RuntimeError):
    """A speech worker that gave no answer; it has ended, and another must take its place."""


class WorkerDied(WorkerFailed):
    """A speech worker that ended before it had answered."""


class WorkerSlow(WorkerFailed):
    """A speech worker that was killed because its answer took too long."""


class WorkerProcess:
    """Owned by one thread at a time.

    The constructor returns while the worker still starts; `wait_until_ready` waits for that. The
    worker inherits nothing but its pipes and stderr, and runs in a session of its own, so that no
    signal of a terminal reaches it. It ends when its stdin ends, hence with this process.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """Raises OSError when no process can be started."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._poll = select.poll()  # select() takes no descriptor above 1023
        self._poll.register(self._answers, select.POLLIN)
        self._is_ready = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait_until_ready(self, patience_s: float) -> None:
        """Wait until it can be asked; raises WorkerFailed with the reason when it cannot start."""
        if self._is_ready:
            return
        header, _ = self._next_message(patience_s)
        if "error" in header:
            self.end()
            raise WorkerDied(str(header["error"]))
        self._is_ready = True

    def ask(self, request: Mapping[str, Any], *, patience_s: float) -> Message:
        """The answer to a request; raises WorkerDied, and WorkerSlow after `patience_s`."""
        left = memoryview(pack_message(request))
        try:
            while left:
                left = left[self._requests.write(left) :]
        except BrokenPipeError:
            raise self._died() from None
        return self._next_message(patience_s)

    def end(self) -> None:
        """End the process: by itself if it is idle, else killed."""
        with suppress(OSError):
            self._requests.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._answers.close()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self._answers.close()

    def _next_message(self, patience_s: float) -> Message:
        deadline_s = time.monotonic() + patience_s
        try:
            return unpack_message(lambda size: self._read(size, deadline_s))
        except EOFError:
            raise self._died() from None
        except TimeoutError:
            self.kill()
            raise WorkerSlow(f"gave no answer within {patience_s:g} s") from None
        except ValueError as error:  # a worker whose memory is damaged may write anything
            self.kill()
            raise WorkerDied(f"answered with bytes that are no message: {error}") from error

    def _read(self, size: int, deadline_s: float) -> bytes:
        """Exactly `size` bytes; raises EOFError and TimeoutError."""
        data = bytearray()
        while len(data) < size:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not self._poll.poll(math.ceil(left_s * 1000)):
                raise TimeoutError
            piece = os.read(self._answers.fileno(), size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _died(self) -> WorkerFailed:
        """The error of a worker that has closed its stdout: how it ended."""
        self.end()
        status = self._process.returncode
        if status == -signal.SIGPROF:
            return WorkerSlow("took too much processor time")
        if status < 0:
            return WorkerDied(f"died of {signal.Signals(-status).name}")
        return WorkerDied(f"ended with status {status}")
