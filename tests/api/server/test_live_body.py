"""Bodies of uploads and recordings are read while they are still arriving."""

from threading import Thread

import pytest
from gunicorn.config import Config

from api.server.live_body import MAX_HELD_BYTES, BodyBroken, BodyStalled, LiveBody
from api.server.request_reader import RequestReader
from tests.polling import wait_until

HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: audio/wav\r\n"
COUNTED = HEAD + b"Content-Length: 5\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def reader_of(data: bytes) -> RequestReader:
    """A reader that has received these bytes."""
    reader = RequestReader(Config(), ("192.0.2.1", 1), max_body_bytes=1024)
    reader.feed(data)
    return reader


def live_body(data: bytes) -> tuple[RequestReader, LiveBody]:
    """The body of a request whose first bytes have arrived."""
    reader = reader_of(data)
    assert reader.read() is not None
    assert reader.body is not None
    reader.body.source.limit_s = lambda _received: 10.0
    return reader, reader.body


@pytest.mark.parametrize(
    "media_type",
    [b"audio/wav", b"video/webm; codecs=opus", b"multipart/form-data; boundary=x", b"image/png"],
)
def test_a_request_with_media_begins_as_soon_as_its_head_has_arrived(media_type: bytes) -> None:
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\nContent-Type: "
    reader = reader_of(head + media_type + b"\r\n\r\n")
    assert reader.read() is not None
    assert reader.body is not None


def test_other_requests_begin_when_they_have_arrived_as_a_whole() -> None:
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Type: application/json"
    reader = reader_of(head + b"\r\n\r\n{")
    assert reader.read() is None
    reader.feed(b"}")
    assert reader.read() is not None
    assert reader.body is None


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize(
    ("head", "framed"),
    [(COUNTED, b"hello"), (CHUNKED, b"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n")],
)
def test_a_body_is_the_same_however_its_bytes_are_divided(
    head: bytes, framed: bytes, step: int
) -> None:
    reader, body = live_body(head)
    data = framed + NEXT

    def send() -> None:
        for start in range(0, len(data), step):
            body.source.feed(data[start : start + step])

    thread = Thread(target=send)
    thread.start()
    assert body.read() == b"hello"
    thread.join(10)
    assert reader.finish()
    reader.take_back()
    following = reader.read()
    assert following is not None
    assert following.path == "/next"


def test_a_piece_is_returned_before_the_next_one_arrives() -> None:
    _, body = live_body(CHUNKED + b"3\r\nabc")
    assert body.read(100) == b"abc"
    body.source.feed(b"\r\n2\r\nd")
    assert body.read(100) == b"d"
    body.source.feed(b"e\r\n0\r\n\r\n")
    assert body.read(1) == b"e"
    assert body.read(100) == b""
    assert body.is_complete


def test_lines_are_read_across_pieces() -> None:
    _, body = live_body(CHUNKED + b"5\r\na\nb\nc\r\n2\r\nd\n\r\n0\r\n\r\n")
    assert list(body) == [b"a\n", b"b\n", b"cd\n"]


def test_the_client_waits_while_the_application_reads_nothing() -> None:
    _, body = live_body(HEAD + b"Content-Length: 10000000\r\n\r\n")
    asked: list[bool] = []

    def send_more() -> None:
        asked.append(True)
        Thread(target=body.source.feed, args=(b"more",)).start()

    body.source.on_room = send_more
    assert not body.source.feed(bytes(MAX_HELD_BYTES))
    received = 0
    while not asked:
        received += len(body.read(1 << 20))
    assert received == MAX_HELD_BYTES + len(b"more")


def test_a_body_that_stops_arriving_fails_after_the_allowed_pause() -> None:
    _, body = live_body(CHUNKED + b"3\r\nabc")
    body.limit_pauses(0.05)
    assert body.read(10) == b"abc"
    with pytest.raises(BodyStalled):
        body.read(10)


@pytest.mark.parametrize(
    "framed", [b"2\r\nhe", b"2\r\nhe\r\n", b"5\r\nhello\r\nzz\r\n", b"5\r\nhelloXX"]
)
def test_a_body_that_breaks_off_is_not_complete(framed: bytes) -> None:
    reader, body = live_body(CHUNKED + framed)
    body.source.end()
    with pytest.raises(BodyBroken):
        body.read()
    assert not reader.finish()


def test_a_body_that_nobody_reads_is_followed_by_a_request_only_if_it_has_arrived() -> None:
    reader, _ = live_body(COUNTED + b"hello" + NEXT)
    assert reader.finish()
    reader, _ = live_body(COUNTED + b"hel")
    assert not reader.finish()


def test_the_end_of_the_connection_wakes_the_reading_thread() -> None:
    _, body = live_body(CHUNKED)
    errors: list[Exception] = []

    def read() -> None:
        try:
            body.read(1)
        except BodyBroken as error:
            errors.append(error)

    thread = Thread(target=read)
    thread.start()
    body.source.end()
    wait_until(lambda: errors, "the error of the reading thread")
    thread.join(10)
