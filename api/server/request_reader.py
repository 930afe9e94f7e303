"""Reading of requests from the bytes that have arrived, without waiting for more."""

import re

from gunicorn.config import Config
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import (
    InvalidRequestLine,
    LimitRequestHeaders,
    ParseException,
)
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from api.server.chunk_scanner import ChunkScanner
from api.server.live_body import LiveBody, is_streamed

MAX_HEAD_BYTES = 65_536
PIECE_BYTES = 8192
"""Largest piece that the parser gets unless it asks for more: it copies the rest of a piece for
each chunk of a body."""
MAX_PIECE_BYTES = 1 << 20
LINE_END_OR_HEAD_END = re.compile(rb"\r\n\r\n|(?<!\r)\n")
"""End of a head, or a line break that no head may contain."""
FIRST_LINE = re.compile(rb"(?:\r\n)?[^\n]+\n")
BEGINNING = re.compile(rb"\r?\Z|(?:\r\n)?(?:\Z|[!-~])")
"""Beginning of anything that may be a request; TLS begins with a control character."""

Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""


class NeedMoreData(Exception):
    """The parser needs bytes that have not arrived yet."""


class MissingHost(ParseException):
    """A request of HTTP/1.1 without `Host` (RFC 9112, section 3.2)."""

    def __str__(self) -> str:
        return "Host is missing; HTTP/1.1 requires it"


class IncompleteRequest(ParseException):
    """The client has closed its sending side before the request was complete."""

    def __str__(self) -> str:
        return "it is incomplete; send all of it before you close the connection"


class BodyTooLong(ParseException):
    """A chunked body or its framing is too large. (The application checks `Content-Length`.)"""

    def __init__(self, size: str) -> None:
        super().__init__(size)
        self._size = size

    def __str__(self) -> str:
        return f"the body has {self._size}"


class ReceivedBytes(Unreader):
    """Source of gunicorn's parser: bytes that were received before the parser runs."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__()
        self.data = bytearray(data)
        self.is_final = False
        """True if nothing will be added; the parser then meets the end of the stream."""

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next piece; raises NeedMoreData."""
        size = min(max(PIECE_BYTES, size_hint or 0), MAX_PIECE_BYTES)
        piece = bytes(self.data[:size])
        if not piece and not self.is_final:
            raise NeedMoreData
        del self.data[:size]
        return piece

    def put_back(self) -> None:
        """Prepend what the parser has returned to the data."""
        self.data[:0] = self.take_buffered()


class RequestReader:
    """Collects the bytes of one connection and returns its requests. One thread at a time.

    gunicorn's parser alone decides what a request is, and where it ends. This class decides only
    when the parser runs.
    """

    def __init__(self, config: Config, address: Address, *, max_body_bytes: int) -> None:
        self.request: Request | None = None
        """The request whose head has arrived."""
        self.body: LiveBody | None = None
        """The body of that request, if the application reads it while it arrives."""
        self._config = config
        self._address = address
        self._max_body_bytes = max_body_bytes
        self._received = ReceivedBytes()
        self._count = 0
        self._scanned = 0
        self._has_line = False
        self._length = 0
        self._scanner: ChunkScanner | None = None
        self._is_whole = False

    @property
    def size(self) -> int:
        """Number of bytes that are held."""
        return len(self._received.data)

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._received.data += data

    def read(self) -> Request | None:
        """Return the request once it has arrived as a whole; raises ParseException.

        A request whose body is too long is returned at once, so that it can be refused, and so is
        one whose body the application reads while it arrives.
        """
        if self.request is None and self._may_parse():
            self._parse_head()
        if self.body is not None:
            return self.request
        if self.request is None or not self._has_body():
            return None
        self._is_whole = not self._is_too_long()
        self._received.is_final = True
        return self.request

    def wants_continue(self) -> bool:
        """True once for a request whose client waits for `100 Continue`."""
        if self.request is None or not self.request._expected_100_continue:  # type: ignore[attr-defined]
            return False
        self.request._expected_100_continue = False  # type: ignore[attr-defined]
        return True

    def finish(self) -> bool:
        """Discard the rest of the request; False if the next one cannot be found.

        Called when the response is complete.
        """
        if self.body is not None:
            return self.body.finish()
        is_whole = self._is_whole and self._drain()
        self._received.put_back()
        self._received.is_final = False
        self.request, self._scanner, self._scanned, self._has_line = None, None, 0, False
        return is_whole

    def take_back(self) -> None:
        """Keep what has arrived after a body that the application has read."""
        if self.body is not None:
            self._received = ReceivedBytes(self.body.source.rest())
            self.request, self.body, self._scanned, self._has_line = None, None, 0, False

    def take_rest(self) -> bytes:
        """Remove and return what has arrived after the last request."""
        self.take_back()
        rest, self._received = bytes(self._received.data), ReceivedBytes()
        return rest

    def _may_parse(self) -> bool:
        """True if the head is complete, has its first line, or is too long or invalid."""
        data, start = self._received.data, max(0, self._scanned - 3)
        self._scanned = len(data)
        if LINE_END_OR_HEAD_END.search(data, start) or not BEGINNING.match(data):
            return True
        if not self._has_line and FIRST_LINE.match(data):
            self._has_line = True
            return True
        limit = MAX_HEAD_BYTES if self._has_line else self._config.limit_request_line + 4
        return len(data) > limit

    def _parse_head(self) -> None:
        """Have gunicorn parse the head; raises ParseException. Keeps the bytes if it needs more."""
        data = self._received.data
        if not BEGINNING.match(data):
            raise InvalidRequestLine(data[:16].decode("latin-1"))
        attempt = ReceivedBytes(bytes(data))
        try:
            request = Request(self._config, attempt, self._address, self._count + 1)
        except NeedMoreData:
            if len(data) > MAX_HEAD_BYTES:
                raise LimitRequestHeaders(f"at most {MAX_HEAD_BYTES} bytes are allowed") from None
            return
        if request.version and request.version >= (1, 1) and not has_host(request):
            raise MissingHost
        attempt.put_back()
        self._count += 1
        self._received, self.request = attempt, request
        if is_streamed(request) or self._announces_too_much(request):
            self.body = LiveBody(request, bytes(attempt.data))
            attempt.data.clear()
        else:
            self._expect_body(request)

    def _announces_too_much(self, request: Request) -> bool:
        """True for a body that only some routes accept; they read it while it arrives."""
        assert request.body is not None
        reader = request.body.reader
        return isinstance(reader, LengthReader) and reader.length > self._max_body_bytes

    def _expect_body(self, request: Request) -> None:
        assert request.body is not None
        reader = request.body.reader
        if isinstance(reader, LengthReader):
            self._length, self._scanner = reader.length, None
        else:
            self._length, self._scanner = 0, ChunkScanner()

    def _has_body(self) -> bool:
        """True if the body has arrived, or need not be read because it is too long.

        Raises BodyTooLong.
        """
        if self._scanner is None:
            return len(self._received.data) >= self._length or self._is_too_long()
        self._scanner.scan(self._received.data)
        if self._is_too_long():
            raise BodyTooLong(f"more than {self._max_body_bytes} bytes (max_body_bytes)")
        if self._scanner.has_tiny_chunks:
            most_bytes = self._scanner.most_framing_bytes
            raise BodyTooLong(f"more than {most_bytes} bytes between its chunks; send larger ones")
        return self._scanner.is_complete

    def _is_too_long(self) -> bool:
        size = self._length if self._scanner is None else self._scanner.decoded_bytes
        return size > self._max_body_bytes

    def _drain(self) -> bool:
        """Read the rest of the body; False if it is malformed or incomplete."""
        assert self.request is not None
        assert self.request.body is not None
        if getattr(self.request.body, "failed", False):
            return False
        try:
            while self.request.body.read(PIECE_BYTES):
                pass
        except (ParseException, OSError):
            return False
        return True


def has_host(request: Request) -> bool:
    """True if the request names its host."""
    return any(name == "HOST" for name, _ in request.headers)
