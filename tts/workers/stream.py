"""A request to a voice process and its messages, as the server sees them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from isolation.protocol import Message
from tts.workers.failures import digest_of
from tts.workers.listener import Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Limits of a voice process and of the requests to it."""

    start_s: float = 30.0
    """Time for the process to start."""
    step_s: float = 5.0
    """Wall-clock time of one step; the limit of its CPU time is lower (`stream_worker.run`)."""
    answer_s: float = 30.0
    """Time for a request to wait for its next message, while the process starts or works on
    others."""
    window_bytes: int = 1 << 20
    """Sound of one request that may wait for its client; 11 s of it."""
    max_streams: int = 256
    """Requests that are open at the same time."""


class Stream:
    """One open request. The thread of the process's keeper owns all members but `inbox`."""

    def __init__(
        self,
        request: Mapping[str, Any],
        *,
        ahead_s: float = 0.0,
        patience_s: float = 0.0,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """`ahead_s` is the sound that the listener has already, and `patience_s` the time for which
        other listeners may go first."""
        self.request = request
        self.patience_s = patience_s
        self.is_cancelled = is_cancelled
        self.digest = digest_of(request)
        self.inbox: SimpleQueue[Message | Exception | None] = SimpleQueue()
        """Messages for the client; at the end an exception or None."""
        self.listener = Listener(ahead_s)
        self.id = 0
        self.is_sent = False
        """True if the present process has received it."""
        self.is_seen = False
        """True if the present process has started on it."""
        self.is_suspect = False
        """True if a process died during it."""
        self.has_left = False
        """True if the client wants no further message."""
        self.count = 0
        """Number of messages received."""
        self.check = 0
        """Checksum of all of them, by the process."""
        self.unread_bytes = 0
        self.killed = 0
        """Number of processes that were killed from outside during this request."""
        self.restarts = 0

    def begin_command(self, window_bytes: int) -> dict[str, Any]:
        """Return the command that starts it, or continues it in another process."""
        return {
            "begin": self.id,
            "request": self.request,
            "ahead_s": self.listener.ahead_s(),
            "patience_s": self.patience_s,
            "is_suspect": self.is_suspect,
            "window_bytes": window_bytes,
            "skip": self.count,
            "check": self.check,
        }
