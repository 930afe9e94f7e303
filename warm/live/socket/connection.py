"""One WebSocket connection on the loop, without its meaning: frames, pauses, the close."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

from websockets.exceptions import ProtocolError
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol

MAX_MESSAGE_BYTES = 1 << 20
MAX_TEXT_BYTES = 64 << 10
READ_BYTES = 16 << 10
"""Bytes that are parsed at once: as tiny frames they take a few milliseconds."""
HIGH_BYTES, LOW_BYTES = 128 << 10, 32 << 10
"""The client counts as slow from the first number of bytes that it has not taken to the second."""
MAX_UNSENT_BYTES = 8 << 20
"""A client that leaves this much unread, such as answers to its pings, is disconnected."""
FRAMES_PER_S, MOST_FRAMES = 2000, 4000
"""Frames that are read per second, and at once."""
LOST = Close(CloseCode.ABNORMAL_CLOSURE, "the connection was lost")
CLOSE_S = 3.0
"""Longest wait for the end of a connection that is being closed."""

STARTING = "starting"
"""Nothing is read before `start`."""

QUIET = logging.getLogger("warm.live.socket.protocol")
QUIET.setLevel(logging.CRITICAL)
"""For the protocol, which would log each connection."""


class Receiver(Protocol):
    """What a connection is for. Its methods are called on the loop's thread."""

    def on_text(self, data: bytes) -> None:
        """Receive a text message, which is not checked to be UTF-8."""
        ...

    def on_binary(self, data: bytes) -> None:
        """Receive a binary message, or a fragment of one."""
        ...

    def on_pong(self, payload: bytes) -> None:
        """Receive the answer to a ping."""
        ...

    def on_blocked(self, *, is_blocked: bool) -> None:
        """Learn that the client takes no more, or takes more again."""
        ...

    def on_closed(self, code: int, reason: str) -> None:
        """Learn that the connection has ended. Called once."""
        ...


class Connection(asyncio.BufferedProtocol):
    """An accepted WebSocket connection after its opening handshake."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receiver: Receiver, received: bytes = b""
    ) -> None:
        """`received`: bytes that came after the handshake."""
        self.heard_s = loop.time()
        """Time at which something was received last."""
        self._loop, self._receiver, self._received = loop, receiver, received
        self._protocol = ServerProtocol(state=State.OPEN, max_size=MAX_MESSAGE_BYTES, logger=QUIET)
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray(READ_BYTES)
        self._pauses = {STARTING}
        self._frames, self._frames_s = float(MOST_FRAMES), loop.time()
        self._text: bytearray | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._is_over = False

    @property
    def is_reading(self) -> bool:
        """True unless reading is paused."""
        return not self._pauses

    @property
    def is_open(self) -> bool:
        """True until the closing handshake begins."""
        return self._protocol.state is State.OPEN and not self._is_over

    def start(self) -> None:
        """Read the client's messages from now on; the connection must have been made."""
        received, self._received = self._received, b""
        if received:
            self._receive(received)
        self.resume(STARTING)

    def send_text(self, data: bytes) -> None:
        """Send a text message."""
        self._send(lambda: self._protocol.send_text(data))

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        self._send(lambda: self._protocol.send_binary(data))

    def send_ping(self, payload: bytes) -> None:
        """Send a ping."""
        self._send(lambda: self._protocol.send_ping(payload))

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; the connection ends with the client's answer or soon."""
        if self.is_open:
            self._send(lambda: self._protocol.send_close(code, shortened(reason)))
            self._close_later()

    def fail(self, code: int, reason: str) -> None:
        """Close the connection without waiting for the client."""
        if self.is_open:
            self._protocol.fail(code, shortened(reason))
            self._flush()

    def pause(self, cause: str) -> None:
        """Read no more until `resume` with the same cause."""
        if not self._pauses and self._transport is not None:
            self._transport.pause_reading()
        self._pauses.add(cause)

    def resume(self, cause: str) -> None:
        """End a pause."""
        if cause in self._pauses:
            self._pauses.discard(cause)
            self.heard_s = self._loop.time()
            if not self._pauses and self._transport is not None and self.is_open:
                self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start; called by the loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(HIGH_BYTES, LOW_BYTES)
        self._transport.pause_reading()

    def get_buffer(self, _sizehint: int) -> bytearray:
        """Return the place for received bytes; called by the loop."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take received bytes; called by the loop."""
        self._receive(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> None:
        """Note the end of the client's data; called by the loop, which then closes."""
        self._protocol.receive_eof()
        self._flush()

    def pause_writing(self) -> None:
        """Note that the client takes no more; called by the loop."""
        self._receiver.on_blocked(is_blocked=True)

    def resume_writing(self) -> None:
        """Note that the client takes more; called by the loop."""
        self._receiver.on_blocked(is_blocked=False)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - interface
        """End; called by the loop."""
        self._is_over = True
        if self._closing is not None:
            self._closing.cancel()
        protocol = self._protocol
        ours = protocol.close_sent if not protocol.close_rcvd_then_sent else None
        close = ours or protocol.close_rcvd or LOST
        self._receiver.on_closed(close.code, close.reason)

    def _receive(self, data: bytes) -> None:
        self.heard_s = self._loop.time()
        self._protocol.receive_data(data)
        self._flush()
        for event in self._protocol.events_received():
            self._frames -= 1
            if self.is_open:
                self._take(cast(Frame, event))
        self._limit_frames()

    def _take(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.PONG:
                self._receiver.on_pong(bytes(frame.data))
            case Opcode.BINARY:
                self._receiver.on_binary(bytes(frame.data))
            case Opcode.TEXT:
                self._add_text(frame)
            case Opcode.CONT if self._text is None:
                self._receiver.on_binary(bytes(frame.data))
            case Opcode.CONT:
                self._add_text(frame)

    def _add_text(self, frame: Frame) -> None:
        text = bytearray() if self._text is None else self._text
        text += frame.data
        self._text = None if frame.fin else text
        if len(text) > MAX_TEXT_BYTES:
            self.fail(
                CloseCode.MESSAGE_TOO_BIG, f"a text message has more than {MAX_TEXT_BYTES} bytes"
            )
        elif frame.fin:
            self._receiver.on_text(bytes(text))

    def _limit_frames(self) -> None:
        """Pause after too many frames."""
        now_s = self._loop.time()
        earned = (now_s - self._frames_s) * FRAMES_PER_S
        self._frames, self._frames_s = min(MOST_FRAMES, self._frames + earned), now_s
        if self._frames < 0 and self.is_open:
            self.pause("frames")
            self._loop.call_later(-self._frames / FRAMES_PER_S, self.resume, "frames")

    def _send(self, action: Callable[[], None]) -> None:
        """Send a frame, unless the connection is being closed."""
        if self.is_open and self._transport is not None:
            with suppress(ProtocolError):
                action()
            self._flush()

    def _flush(self) -> None:
        """Pass the protocol's bytes on."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        for data in self._protocol.data_to_send():
            if data is SEND_EOF:
                self._close_later()
                transport.write_eof()
            else:
                transport.write(data)
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            transport.abort()

    def _close_later(self) -> None:
        """Read until the client closes its side, for a limited time.

        Closing with unread data would reset the connection, and the client could lose the reason.
        """
        if self._closing is None and self._transport is not None:
            self._closing = self._loop.call_later(CLOSE_S, self._transport.abort)
            if self._pauses:
                self._transport.resume_reading()


def shortened(reason: str) -> str:
    """Return a reason that fits into a close frame, 123 bytes."""
    return reason.encode()[:120].decode(errors="ignore")
