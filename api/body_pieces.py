"""The bytes of a request's body, one piece after the other as they arrive."""

from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain
from typing import IO

from flask import g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from api.problem import BadBody
from api.server.live_body import BodyBroken, BodyStalled

PIECE_BYTES = 1 << 16
MAX_KEPT_BYTES = 1 << 20
"""Longest beginning of a body that is kept while its fields are read."""


def body_pieces(max_bytes: int, setting: str) -> Iterator[bytes]:
    """Return the pieces of the body of the current request; raises BadBody.

    A body with more than `max_bytes`, the value of `setting`, is refused, before any of it is read
    if it announces its length. The body must not be compressed. With `g.keeps_body`, its
    beginning is kept in `g.received_body`.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise BadBody(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content-encoding = {encoding[:40]!r}: is not supported; send the bytes as they are",
        )
    request.max_content_length = max_bytes
    try:
        stream = request.stream
    except RequestEntityTooLarge:
        raise too_long(request.content_length, max_bytes, setting) from None
    pieces = pieces_of(stream, max_bytes, setting)
    if not g.get("keeps_body", False):
        return pieces
    g.received_body = KeptPieces(pieces)
    return g.received_body  # type: ignore[no-any-return]


class KeptPieces(Iterator[bytes]):
    """Pieces of a body whose beginning is kept, in case another head must receive it. One thread
    at a time."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        if self._kept is not None:
            self._kept.append(piece)
            self._kept_bytes += len(piece)
            if self._kept_bytes > MAX_KEPT_BYTES:
                self._kept = None
        return piece

    def again(self) -> Iterator[bytes] | None:
        """Return all pieces from the first one on; None if too many were read."""
        return None if self._kept is None else chain([*self._kept], self)


def pieces_of(stream: IO[bytes], max_bytes: int, setting: str) -> Iterator[bytes]:
    """Yield a body. Any thread, without the context of the request."""
    try:
        while piece := stream.read(PIECE_BYTES):
            yield piece
    except RequestEntityTooLarge:
        raise too_long(None, max_bytes, setting) from None
    except BodyStalled as error:
        raise BadBody(
            HTTPStatus.REQUEST_TIMEOUT, f"the body is incomplete: {error}; send it again, faster"
        ) from None
    except (BodyBroken, ClientDisconnected, ParseException) as error:
        raise BadBody(
            HTTPStatus.BAD_REQUEST, f"the body cannot be read to its end: {error}"
        ) from None


def too_long(length: int | None, max_bytes: int, setting: str) -> BadBody:
    """Return the error of a body that is too long; `length` is None if it is not known."""
    size = f"more than {max_bytes}" if length is None else str(length)
    return BadBody(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body has {size} bytes; at most {max_bytes} are allowed ({setting})",
    )
