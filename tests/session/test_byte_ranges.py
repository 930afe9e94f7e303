"""Ranges of a growing film follow the examples and rules of RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.byte_ranges import ByteRange, choose_range, etag
from session.errors import RangeNotSatisfiableError

FILM = "0123456789abcdef0123456789abcdef"


def choose(header: str | None, if_range: str | None = None, size: int = 10_000) -> ByteRange:
    return choose_range(header, if_range, film_id=FILM, size=size)


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-499", 0, 500),
        ("bytes=500-999", 500, 1000),
        ("bytes=-500", 9500, 10_000),
        ("bytes=9500-", 9500, 10_000),
        ("bytes=0-0", 0, 1),
        ("bytes=-1", 9999, 10_000),
        ("bytes=9999-20000", 9999, 10_000),
        ("bytes=-20000", 0, 10_000),
        ("Bytes= 5-6 ", 5, 7),
    ],
)
def test_one_range_is_granted_within_what_is_committed(header: str, start: int, end: int) -> None:
    assert choose(header) == ByteRange(start, end, 10_000, is_partial=True)


@pytest.mark.parametrize(
    "header", [None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "items=0-5",
               "bytes=0-1,5-6", "bytes=--5", "bytes=0x1-5", "bytes=１-２"]
)  # fmt: skip
def test_anything_but_one_range_means_the_whole_film(header: str | None) -> None:
    assert choose(header) == ByteRange(0, 10_000, 10_000, is_partial=False)


@pytest.mark.parametrize(
    "header", ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=99999-"]
)
def test_a_range_after_the_committed_end_is_refused_with_the_size(header: str) -> None:
    with pytest.raises(RangeNotSatisfiableError, match="10000 bytes") as refusal:
        choose(header)
    assert refusal.value.size == 10_000


def test_a_reader_can_continue_after_the_film_has_grown() -> None:
    first = choose("bytes=0-", etag(FILM), size=700)
    later = choose(f"bytes={first.end}-", etag(FILM), size=900)
    assert (later.start, later.end, later.is_partial) == (700, 900, True)
    assert later.content_range == "bytes 700-899/900"


@pytest.mark.parametrize(
    "if_range", ['"another"', f'W/"{FILM}"', FILM, "Sat, 21 Nov 2026 07:00:00 GMT", ""]
)
def test_a_reader_of_another_film_gets_this_one_from_its_beginning(if_range: str) -> None:
    assert choose("bytes=700-", if_range) == ByteRange(0, 10_000, 10_000, is_partial=False)


@given(header=st.from_regex(r"bytes=\d{0,6}-\d{0,6}", fullmatch=True), size=st.integers(1, 99_999))
def test_no_range_ever_passes_the_committed_end(header: str, size: int) -> None:
    try:
        chosen = choose(header, size=size)
    except RangeNotSatisfiableError:
        return
    assert 0 <= chosen.start < chosen.end <= size
