"""Sender of rendered frames to the live process: bounded queues, one thread."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warm.live.process.live_process import LiveProcess
from warm.live.wire.media import message_parts, send_parts

JOIN_S = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MediaMessage:
    """A message that waits for the sender."""

    session_id: str
    header: Mapping[str, Any]
    buffers: Sequence[NDArray[np.generic]] = ()
    frames: int = 0
    """Pictures in it; a message without pictures is never dropped."""


class MediaSender:
    """Queue and thread. The methods never block, and are for any thread."""

    def __init__(self, max_frames: int) -> None:
        """`max_frames`: of one session that may wait; older ones are dropped."""
        self.dropped = 0
        """Pictures that were dropped because the live process did not take them."""
        self._max_frames = max_frames
        self._queue: deque[MediaMessage] = deque()
        self._waiting: dict[str, int] = {}
        """Pictures in the queue, by session."""
        self._changed = Condition()
        self._process: LiveProcess | None = None
        self._is_closing = False
        self._thread: Thread | None = None

    def connect(self, process: LiveProcess | None) -> None:
        """Send to a process from now on; None: drop everything."""
        with self._changed:
            self._process = process
            self._queue.clear()
            self._waiting.clear()
            if self._thread is None and process is not None and not self._is_closing:
                self._thread = Thread(target=self._run, name="live-media", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def put(self, message: MediaMessage) -> None:
        """Queue a message; the oldest pictures of its session are dropped if too many wait."""
        with self._changed:
            if self._process is None:
                return
            self._queue.append(message)
            waiting = self._waiting.get(message.session_id, 0) + message.frames
            self._waiting[message.session_id] = waiting
            if waiting > self._max_frames and waiting > message.frames:
                self._drop(message.session_id, waiting - self._max_frames)
            self._changed.notify_all()

    def drop(self, session_id: str) -> None:
        """Drop all pictures of a session that wait."""
        with self._changed:
            self._drop(session_id, self._waiting.get(session_id, 0), is_counted=False)

    def close(self) -> None:
        """End the thread. The process must have ended, or been killed."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(JOIN_S)

    def _drop(self, session_id: str, frames: int, *, is_counted: bool = True) -> None:
        """Drop at least `frames` pictures of a session, the oldest first."""
        kept: deque[MediaMessage] = deque()
        while self._queue:
            message = self._queue.popleft()
            if message.session_id != session_id or not message.frames or frames <= 0:
                kept.append(message)
                continue
            frames -= message.frames
            self._waiting[session_id] = self._waiting.get(session_id, 0) - message.frames
            self.dropped += message.frames if is_counted else 0
        self._queue = kept

    def _run(self) -> None:
        while (next_one := self._next()) is not None:
            process, message = next_one
            try:
                send_parts(process.media, message_parts(message.header, message.buffers))
            except OSError:  # the process has ended, which the supervisor handles
                with self._changed:
                    if self._process is process:
                        self._process = None

    def _next(self) -> tuple[LiveProcess, MediaMessage] | None:
        """Wait for a message; None if the sender is closing."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closing or (self._queue and self._process is not None)
            )
            if self._is_closing or self._process is None:
                return None
            message = self._queue.popleft()
            left = self._waiting.pop(message.session_id, 0) - message.frames
            if left > 0:
                self._waiting[message.session_id] = left
            return self._process, message
