"""Body of a request that a thread reads while it is still arriving."""

import time
from collections.abc import Callable, Iterator
from threading import Condition, Lock

from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from api.media_types import has_files

MAX_HELD_BYTES = 1 << 18
"""Bytes that are held for the application; the client waits while there are more."""
PIECE_BYTES = 1 << 16


class BodyStalled(OSError):
    """The client sends a body too slowly, or not at all."""


class BodyBroken(OSError):
    """The connection has ended within a body, or its framing is damaged."""


class NotArrived(OSError):
    """No further bytes have arrived of a body that is no longer waited for."""


def is_streamed(request: Request) -> bool:
    """True if the application reads the body while it arrives."""
    for name, value in request.headers:
        if name == "CONTENT-TYPE":
            return has_files(value)
    return False


class LiveBytes(Unreader):
    """Source of gunicorn's parser: bytes that another thread adds."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.on_room: Callable[[], None] = lambda: None
        """Called when more bytes should be received."""
        self.limit_s: Callable[[int], float] = lambda _received: 0.0
        """Longest time for receiving a number of bytes."""
        self.pause_s: float | None = None
        """Longest time from one piece to the next; None: `limit_s` applies."""
        self._data = bytearray(data)
        self._received = len(data)
        self._began_s = time.monotonic()
        self._changed = Condition()
        self._is_final = False
        self._is_paused = True
        """Nothing is received until `on_room` is called."""
        self._is_reading = True

    def feed(self, data: bytes) -> bool:
        """Add bytes that have arrived; False if no more should be received until `on_room`."""
        with self._changed:
            self._data += data
            self._received += len(data)
            self._is_paused = len(self._data) >= MAX_HELD_BYTES
            self._changed.notify_all()
            return not self._is_paused

    def end(self) -> None:
        """Signal that nothing will be added."""
        with self._changed:
            self._is_final = True
            self._changed.notify_all()

    def stop_waiting(self) -> None:
        """Have `chunk` raise NotArrived from now on instead of waiting."""
        with self._changed:
            self._is_reading = False
            self._changed.notify_all()

    def rest(self) -> bytes:
        """Return and remove everything that the parser has not used."""
        with self._changed:
            data = self.take_buffered() + bytes(self._data)
            self._data.clear()
        return data

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Wait for the next piece; empty at the end of the connection. Raises BodyStalled."""
        with self._changed:
            deadline_s = self._deadline_s()
            while not self._data and not self._is_final:
                self._wait(deadline_s)
            size = min(max(PIECE_BYTES, size_hint or 0), MAX_HELD_BYTES)
            piece = bytes(self._data[:size])
            del self._data[:size]
            return piece

    def _wait(self, deadline_s: float) -> None:
        if not self._is_reading:
            raise NotArrived
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise BodyStalled("it stopped arriving, or arrives too slowly")
        self._ask()
        self._changed.wait(left_s)

    def _ask(self) -> None:
        """Request more bytes, unless they are being received already."""
        if self._is_paused:
            self._is_paused = False
            self.on_room()

    def _deadline_s(self) -> float:
        """Time until which something must arrive."""
        now_s = time.monotonic()
        if self.pause_s is not None:
            return now_s + self.pause_s
        return self._began_s + self.limit_s(self._received)


class LiveBody:
    """The file `wsgi.input` of a body that is still arriving. Read by one thread at a time.

    gunicorn's parser removes the framing. Reads raise BodyStalled and BodyBroken.
    """

    def __init__(self, request: Request, received: bytes) -> None:
        """Take the place of a request's body, of which some bytes have arrived."""
        self.source = LiveBytes(received)
        self.is_complete = False
        """True if all of it was read."""
        self._pieces = self._checked(pieces_of(request, self.source))
        self._held = b""
        self._reading = Lock()

    def limit_pauses(self, pause_s: float) -> None:
        """Limit the pauses of the client to `pause_s`, in place of its overall pace."""
        self.source.pause_s = pause_s

    def read(self, size: int = -1) -> bytes:
        """Return what has arrived, at most `size` bytes, or wait for some; empty at the end.

        A negative size returns everything, at the end.
        """
        if size < 0:
            with self._reading:
                rest = b"".join((self._held, *self._pieces))
            self._held = b""
            return rest
        if not self._held:
            with self._reading:
                self._held = next(self._pieces, b"")
        piece, self._held = self._held[:size], self._held[size:]
        return piece

    def readline(self, size: int = -1) -> bytes:
        """Return the bytes up to and including the next line feed, or to the end."""
        line = bytearray()
        while not line.endswith(b"\n") and (size < 0 or len(line) < size):
            piece = self.read(PIECE_BYTES if size < 0 else size - len(line))
            if not piece:
                break
            end = piece.find(b"\n") + 1 or len(piece)
            line += piece[:end]
            self._held = piece[end:] + self._held
        return bytes(line)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines."""
        return iter(self.readline, b"")

    def finish(self) -> bool:
        """Discard what has arrived; True if that completes the body, so that a request may follow.

        A thread that still reads the body is woken, and gets NotArrived.
        """
        self.source.stop_waiting()
        if not self._reading.acquire(blocking=False):
            return False
        try:
            for _ in self._pieces:
                pass
        except OSError:
            return False
        finally:
            self._reading.release()
        return self.is_complete

    def _checked(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the pieces that are not empty; raises BodyBroken for invalid framing."""
        try:
            yield from filter(None, pieces)
        except (ParseException, NoMoreData) as error:
            raise BodyBroken(f"it is incomplete or not valid: {error}") from error
        self.is_complete = True


def pieces_of(request: Request, source: LiveBytes) -> Iterator[bytes]:
    """Return the pieces of a body without its framing, each as soon as it arrives."""
    assert request.body is not None
    reader = request.body.reader
    if isinstance(reader, LengthReader):
        return counted_pieces(source, reader.length)
    reader = ChunkedReader(request, source)
    request.body = Body(reader)
    assert reader.parser is not None
    return reader.parser


def counted_pieces(source: LiveBytes, length: int) -> Iterator[bytes]:
    """Yield `length` bytes as they arrive."""
    while length:
        piece = source.read(None, read_ahead=length)  # type: ignore[call-arg]
        if not piece:
            raise NoMoreData(b"")
        source.unread(piece[length:])
        yield piece[:length]
        length -= len(piece[:length])
