"""The live process's ends of its two sockets to the worker."""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from isolation.protocol import Payload
from warm.live.wire.control import MessageTooLong, pack_control, receive_control, send_control
from warm.live.wire.media import drop_sent, message_parts

MAX_UNSENT_BYTES = 4 << 20
"""Events that wait for a worker that does not read; further ones are refused."""
MAX_ANSWERS = 256

OnCall = Callable[[dict[str, Any], list[int]], None]

log = logging.getLogger(__name__)


class Link:
    """Receives calls, and sends answers and events. The loop's thread owns it."""

    def __init__(
        self, control: socket.socket, media: socket.socket, *, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Another thread may receive from `media`, which blocks."""
        self._control, self._media, self._loop = control, media, loop
        self._answers: deque[bytes] = deque()
        self._unsent: list[memoryview] = []

    def listen(self, on_call: OnCall, on_end: Callable[[], None]) -> None:
        """Pass calls on; `on_end` is called when the worker has ended."""

        def receive() -> None:
            try:
                received = receive_control(self._control)
            except BlockingIOError:
                return
            except ConnectionError:
                received = None
            if received is None:
                self._loop.remove_reader(self._control)
                on_end()
            else:
                on_call(*received)

        self._loop.add_reader(self._control, receive)

    def answer(self, call: int, answer: Mapping[str, Any]) -> None:
        """Send the answer to a call."""
        try:
            data = pack_control({"call": call, **answer})
        except MessageTooLong as error:
            data = pack_control({"call": call, "failed": str(error)})
        if (
            len(self._answers) < MAX_ANSWERS
        ):  # otherwise the worker has been stopped for a long time
            self._answers.append(data)
        self._send_answers()

    def emit(self, event: str, data: Mapping[str, Any], payload: Payload) -> bool:
        """Send an event; see `Emitter`."""
        if sum(map(len, self._unsent)) > MAX_UNSENT_BYTES:
            return False
        is_waiting = bool(self._unsent)
        self._unsent += message_parts({"event": event, "data": data}, [bytes(payload)])
        if not is_waiting:
            self._send_events()
        return True

    def _send_answers(self) -> None:
        try:
            while self._answers:
                send_control(self._control, self._answers[0])
                self._answers.popleft()
        except BlockingIOError:
            self._loop.add_writer(self._control, self._send_answers)
            return
        except OSError:  # the worker has ended, which `listen` reports
            self._answers.clear()
        self._loop.remove_writer(self._control)

    def _send_events(self) -> None:
        flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        try:
            while self._unsent:
                drop_sent(self._unsent, self._media.sendmsg(self._unsent[:64], [], flags))
        except BlockingIOError:
            self._loop.add_writer(self._media, self._send_events)
            return
        except OSError:
            self._unsent.clear()
        self._loop.remove_writer(self._media)
