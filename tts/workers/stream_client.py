"""Client of a process that synthesizes several sentences at the same time, in pieces."""

import sys
import time
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from queue import Empty
from typing import Any

from isolation.process import CANCEL_POLL_S, ROOT, RequestCancelled
from isolation.protocol import Message
from tts.voice import VoiceUnavailable
from tts.workers.stream import Stream, StreamLimits
from tts.workers.stream_keeper import StreamKeeper

BOOT = (
    "import os, sys; sys.path.insert(0, sys.argv[1]); "
    "os.environ.update(OPENBLAS_NUM_THREADS='1', OMP_NUM_THREADS='1'); "
    "from {module} import main; main()"
)


def worker_command(module: str) -> tuple[str, ...]:
    """Return the command that runs `main` of a module; libraries start no threads of their own."""
    return (sys.executable, "-P", "-c", BOOT.format(module=module), str(ROOT))


class StreamClient:
    """One process with a `Synthesizer`, for all requests of a family of voices.

    Thread-safe; many streams may be open. The process is started by `start` or the first request.
    If it dies it is started again, and open streams continue without a gap: the synthesis
    is repeated, and what was already received is skipped. A text in whose step the process died is
    tried once more, and refused from then on. `close` or garbage collection stops the process.
    """

    def __init__(
        self,
        command: Sequence[str],
        limits: StreamLimits | None = None,
        *,
        name: str = "voice process",
    ) -> None:
        """Return at once; `command` is that of a process that calls `stream_worker.run`."""
        self._limits = limits or StreamLimits()
        self._keeper = StreamKeeper(command, self._limits, name)
        self._close = weakref.finalize(self, self._keeper.close)

    def start(self) -> None:
        """Start the process in the background unless it runs; it is kept running from now on."""
        self._keeper.start()

    def close(self) -> None:
        """Stop the process; open streams fail."""
        self._close()

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        return self._keeper.pid

    @property
    def is_ready(self) -> bool:
        """True if the process has loaded its voice."""
        return self._keeper.is_ready

    @property
    def problem(self) -> str | None:
        """Reason why the process cannot start; None if it can or has not been tried."""
        return self._keeper.problem

    def stream(
        self,
        request: Mapping[str, Any],
        is_cancelled: Callable[[], bool] = lambda: False,
        *,
        ahead_s: float = 0.0,
        patience_s: float = 0.0,
    ) -> Generator[Message, None, None]:
        """Yield the messages of a request of JSON values; closing the generator cancels it.

        `ahead_s` is the sound that the listener has before this request; the request of the
        listener with the least sound left goes first, and `patience_s` counts as such sound. Raises
        SentenceFailed if the text cannot be spoken, VoiceUnavailable, and RequestCancelled soon
        after `is_cancelled` becomes true. Only the messages of one request wait for its client;
        other requests continue.
        """
        stream = Stream(request, ahead_s=ahead_s, patience_s=patience_s, is_cancelled=is_cancelled)
        self._keeper.open(stream)
        try:
            while (message := self._next(stream)) is not None:
                self._keeper.read(stream, len(message[1]))
                yield message
        finally:
            self._keeper.leave(stream)

    def _next(self, stream: Stream) -> Message | None:
        """Wait for the next message; None after the last one."""
        deadline_s = time.monotonic() + self._limits.answer_s
        while not stream.is_cancelled():
            try:
                item = stream.inbox.get(timeout=CANCEL_POLL_S)
            except Empty:
                self._check_wait(deadline_s)
                continue
            if isinstance(item, Exception):
                raise item
            return item
        raise RequestCancelled("the request was cancelled")

    def _check_wait(self, deadline_s: float) -> None:
        """Raise VoiceUnavailable if there will be no answer, or not in time."""
        if self._keeper.is_closed:
            raise VoiceUnavailable("the voices were closed")
        if time.monotonic() >= deadline_s:
            raise VoiceUnavailable(self._keeper.late_message())
