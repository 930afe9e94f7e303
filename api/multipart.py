"""Reading of multipart bodies part by part, as their bytes arrive."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    Preamble,
)

from api.problem import BadBody

MAX_PARTS = 64
MAX_HELD_BYTES = 1 << 18
"""Most bytes that the decoder holds: a piece of the body, and the headers of a part."""
PIECE_BYTES = 1 << 16
MAX_HEADER_BYTES = 1 << 13
"""Largest headers of a part."""
MAX_BOUNDARY_BYTES = 200
"""RFC 2046 allows 70; some clients send more."""
PLAIN_ENCODINGS = {"", "7bit", "8bit", "binary"}


class IncompleteBody(BadBody):
    """The body ends before its last boundary, or is not in the format that its type announces."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, detail)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body. Its chunks must be read before the next part."""

    name: str
    filename: str | None
    """Name of the file at the client; None for a part without one."""
    headers: Headers
    chunks: Iterator[bytes]

    @property
    def charset(self) -> str:
        """Encoding of a text, by the headers of the part; UTF-8 without any."""
        _, _, parameters = self.headers.get("content-type", "").partition(";")
        name, _, value = parameters.strip().partition("=")
        return value.strip("\"' ") if name.strip().lower() == "charset" else "utf-8"


class MultipartReader:
    """Reads the parts of one body, without keeping it in memory. One thread."""

    def __init__(self, pieces: Iterator[bytes], boundary: str) -> None:
        """`pieces` are the bytes of the body; raises BadBody for an invalid boundary."""
        if not 0 < len(boundary) <= MAX_BOUNDARY_BYTES or not boundary.isascii():
            raise IncompleteBody(
                f"content-type: the boundary must have 1 to {MAX_BOUNDARY_BYTES} ASCII characters;"
                " multipart/form-data needs one"
            )
        self._pieces = pieces
        self._decoder = MultipartDecoder(
            boundary.encode(), MAX_HELD_BYTES + PIECE_BYTES, max_parts=MAX_PARTS
        )

    def parts(self) -> Iterator[Part]:
        """Yield the parts; raises BadBody."""
        while not isinstance(event := self._next(), Epilogue):
            if isinstance(event, Preamble):
                continue
            if not isinstance(event, Field | File):
                raise IncompleteBody("the multipart body is damaged: data outside of its parts")
            part = self._part(event)
            yield part
            for _ in part.chunks:
                pass
        for _ in self._pieces:
            pass

    def _part(self, event: Field | File) -> Part:
        if sum(len(name) + len(value) for name, value in event.headers) > MAX_HEADER_BYTES:
            raise IncompleteBody(
                f"the headers of a part are longer than {MAX_HEADER_BYTES} bytes; shorten them"
            )
        if not isinstance(event.name, str) or not event.name:
            raise IncompleteBody("Content-Disposition of a part has no `name`; name each part")
        encoding = event.headers.get("content-transfer-encoding", "").strip().lower()
        if encoding not in PLAIN_ENCODINGS:
            raise BadBody(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{event.name}: Content-Transfer-Encoding = {encoding[:40]!r} is not supported;"
                " send the bytes as they are",
            )
        filename = event.filename if isinstance(event, File) else None
        return Part(event.name, filename, event.headers, self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the part that has begun."""
        while True:
            event = self._next()
            if not isinstance(event, Data):
                raise IncompleteBody("the multipart body is damaged: a part has no data")
            if event.data:
                yield event.data
            if not event.more_data:
                return

    def _next(self) -> Event:
        """Return the next event; raises BadBody."""
        try:
            while isinstance(event := self._decoder.next_event(), NeedData):
                self._receive()
        except UnicodeDecodeError:
            raise IncompleteBody("the headers of a part are not UTF-8") from None
        except RequestEntityTooLarge:
            raise IncompleteBody(
                f"the body has more than {MAX_PARTS} parts, or a part whose headers are too long,"
                " or no boundary at all"
            ) from None
        except (ValueError, AttributeError):  # the latter if no line break follows the headers
            raise IncompleteBody(
                "the multipart body is damaged or incomplete: it must be a sequence of parts, each"
                " with Content-Disposition, and end with its boundary"
            ) from None
        return event

    def _receive(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            self._decoder.receive_data(None)
            return
        self._decoder.receive_data(piece)
