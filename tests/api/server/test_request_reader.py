"""Requests are recognised however their bytes arrive; gunicorn's parser decides where they end."""

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException

from api.server.chunk_scanner import MAX_FRAMING_BYTES
from api.server.request_reader import RequestReader

MAX_BODY_BYTES = 1000
HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

Parsed = tuple[str, bytes, bool]
"""Path, body, and whether another request may follow."""


def requests_of(data: bytes, step: int, max_body_bytes: int = MAX_BODY_BYTES) -> list[Parsed]:
    """Return the requests in `data`, which arrives in pieces of `step` bytes."""
    reader = RequestReader(Config(), ("192.0.2.1", 1), max_body_bytes=max_body_bytes)
    found = []
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        while (request := reader.read()) is not None:
            assert request.body is not None
            body = request.body.read()
            found.append((str(request.path), body, reader.finish()))
    return found


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n" * 3, [("/a", b"", True)] * 3),
        (b"\r\nGET /a HTTP/1.0\r\n\r\n", [("/a", b"", True)]),
        (HEAD + b"Content-Length: 5\r\n\r\nhello", [("/x", b"hello", True)]),
        (HEAD + b"Content-Length: 0\r\n\r\n" + CHUNKED + b"0\r\n\r\n", [("/x", b"", True)] * 2),
        (CHUNKED + b"5\r\nhello\r\n3 ;a=b\r\n\r\n.\r\n0\r\n\r\n", [("/x", b"hello\r\n.", True)]),
        (CHUNKED + b"1\r\na\r\n0\r\nX: y\r\n\r\n" + CHUNKED, [("/x", b"a", True)]),
    ],
)
def test_the_requests_are_the_same_however_their_bytes_are_divided(
    data: bytes, expected: list[Parsed], step: int
) -> None:
    assert requests_of(data, step) == expected


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /" + b"a" * 5000,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000,
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        HEAD + b"Content-Length: +5\r\n\r\nhello",
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhelloGET / HTTP/1.1\r\n",
        CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"fffffff\r\n",
        CHUNKED + b"1;" + b"x" * 9000,
        CHUNKED + b"1;" + b"x" * 8000 + b"\r\na\r\n" * 100,
    ],
)
def test_what_is_no_request_is_refused_as_soon_as_that_is_known(data: bytes, step: int) -> None:
    with pytest.raises(ParseException):
        requests_of(data, step)


def test_a_body_that_is_announced_as_too_long_is_not_waited_for() -> None:
    data = HEAD + b"Content-Length: 1001\r\n\r\nhello"
    reader = RequestReader(Config(), ("192.0.2.1", 1), max_body_bytes=MAX_BODY_BYTES)
    reader.feed(data)
    assert reader.read() is not None
    assert reader.body is not None
    assert reader.body.read(100) == b"hello"
    assert not reader.finish()


@pytest.mark.parametrize("chunk", [b"1;" + b"x" * 1000 + b"\r\na\r\n", b"1\r\na\r\n"])
def test_the_framing_of_a_body_may_not_be_large(chunk: bytes) -> None:
    count = 2 * MAX_FRAMING_BYTES // len(chunk)
    with pytest.raises(ParseException, match="between its chunks"):
        requests_of(CHUNKED + chunk * count, 1000, max_body_bytes=1 << 20)
