"""Open streams of a voice process, and their fate when it dies."""

import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from isolation.process import WorkerFailed, WorkerKilled
from isolation.protocol import Payload
from tts.voice import SentenceFailed, VoiceUnavailable
from tts.workers.failures import Failures
from tts.workers.listener import SOUND_S
from tts.workers.stream import Stream, StreamLimits

MAX_RESTARTS = 20
"""Deaths of processes, caused by other texts, that a request survives."""

Post = Callable[[Mapping[str, Any]], None]
"""Sends a command to the process."""

log = logging.getLogger(__name__)


class StreamTable:
    """All streams that a process has to answer. Used by one thread."""

    def __init__(self, limits: StreamLimits, name: str) -> None:
        """`name` is that of the process in messages."""
        self._limits, self._name = limits, name
        self._failures = Failures(name)
        self._streams: dict[int, Stream] = {}
        self._ids = itertools.count(1)
        self._at_work: Stream | None = None
        """The stream of the present step; None if the process waits for requests."""

    def __len__(self) -> int:
        """Return the number of open streams."""
        return len(self._streams)

    @property
    def is_working(self) -> bool:
        """True if the process has something to do."""
        if self._at_work is not None:
            return True
        return any(stream.is_sent and not stream.is_seen for stream in self._streams.values())

    @property
    def is_idle_death(self) -> bool:
        """True if no text can be the cause should the process die now."""
        return self._at_work is None

    def add(self, stream: Stream) -> bool:
        """Open a stream; return False if it was refused, and so has received its error."""
        try:
            self._failures.check(stream.digest)
            if len(self._streams) >= self._limits.max_streams:
                raise VoiceUnavailable(  # noqa: TRY301 - the same end as that of a refused text
                    f"the {self._name} has {len(self._streams)} texts to speak; try again soon"
                )
        except (SentenceFailed, VoiceUnavailable) as error:
            stream.inbox.put(error)
            return False
        stream.id = next(self._ids)
        self._streams[stream.id] = stream
        return True

    def send(self, stream: Stream, post: Post) -> None:
        """Send the request to the process."""
        stream.is_sent, stream.is_seen = True, False
        post(stream.begin_command(self._limits.window_bytes))

    def send_all(self, post: Post) -> None:
        """Send all requests to a process that has just started."""
        for stream in self._streams.values():
            self.send(stream, post)

    def read(self, stream: Stream, size: int, post: Post) -> None:
        """Record that the client has taken a message of `size` bytes."""
        stream.unread_bytes -= size
        if stream.is_sent and stream.id in self._streams:
            post({"read": stream.id})

    def leave(self, stream: Stream, post: Post) -> None:
        """Cancel a stream, unless it has ended; the process confirms that with its end."""
        stream.has_left = True
        if stream.id in self._streams:
            if stream.is_sent:
                post({"cancel": stream.id})
            else:
                del self._streams[stream.id]

    def handle(self, header: Mapping[str, Any], payload: Payload, post: Post) -> bool:
        """Handle a message of the process; return True if it ends a stream.

        Raises KeyError, TypeError or ValueError for an invalid message.
        """
        if "step" in header:
            number = header["step"]
            self._at_work = None if number is None else self._streams[number]
            if self._at_work is not None:
                self._at_work.is_seen = True
            return False
        stream = self._streams[header["id"]]
        stream.is_seen = True
        if "message" in header:
            self._deliver(stream, header, payload)
            if not stream.has_left and stream.is_cancelled():
                self.leave(stream, post)  # the client may not ask for another message
            return False
        self._end(stream, self._outcome(stream, header))
        return True

    def replace_process(self, error: WorkerFailed) -> None:
        """Prepare all streams for the next process, or end them."""
        guilty, self._at_work = self._at_work, None
        for stream in list(self._streams.values()):
            stream.is_sent = False
            try:
                self._blame(stream, error, is_guilty=stream is guilty)
            except (SentenceFailed, VoiceUnavailable) as failure:
                self._end(stream, failure)
            else:
                if stream.has_left:
                    del self._streams[stream.id]

    def end_all(self, error: VoiceUnavailable) -> None:
        """End all streams with an error."""
        for stream in list(self._streams.values()):
            self._end(stream, error)

    def _deliver(self, stream: Stream, header: Mapping[str, Any], payload: Payload) -> None:
        message = dict(header["message"])
        if stream.unread_bytes >= self._limits.window_bytes:
            raise ValueError(f"{stream.unread_bytes} bytes are unread")
        if header["count"] != stream.count + 1:
            raise ValueError(f"message {header['count']} follows message {stream.count}")
        stream.count, stream.check = header["count"], int(header["check"])
        stream.unread_bytes += len(payload)
        stream.listener.add(float(message.get(SOUND_S, 0.0)))
        if not stream.has_left:
            stream.inbox.put((message, payload))

    def _outcome(self, stream: Stream, header: Mapping[str, Any]) -> Exception | None:
        """Return the error of the last message of a stream, or None."""
        if "refused" in header:
            return SentenceFailed(str(header["refused"]))
        if "unavailable" in header:
            return VoiceUnavailable(str(header["unavailable"]))
        if "failed" in header:
            log.error("the %s failed with a text: %s", self._name, header["traceback"])
            return SentenceFailed(f"makes the {self._name} fail ({header['failed']})")
        if not header["end"]:
            raise ValueError("the last message of a stream states no outcome")
        if not stream.has_left:
            self._failures.forget(stream.digest)
        return None

    def _end(self, stream: Stream, outcome: Exception | None) -> None:
        del self._streams[stream.id]
        if self._at_work is stream:
            self._at_work = None
        stream.inbox.put(outcome)

    def _blame(self, stream: Stream, error: WorkerFailed, *, is_guilty: bool) -> None:
        """Raise SentenceFailed or VoiceUnavailable unless the next process continues the stream."""
        is_outside = isinstance(error, WorkerKilled)
        stream.restarts += 1
        stream.killed += is_outside
        if is_guilty or is_outside:
            self._failures.handle(error, stream.digest, stream.killed)
        stream.is_suspect |= is_guilty and not is_outside
        if stream.restarts > MAX_RESTARTS:
            raise VoiceUnavailable(
                f"the {self._name} ended {stream.restarts} times; try again soon"
            )
