"""Fetching is bounded in time, size and steps, and every step is checked."""

import gzip
from collections.abc import Iterator

import pytest

from tests.warm.fetch.file_server import dripping, file_server, redirect, whole
from warm.fetch.checked_http import MAX_REDIRECTS, CheckedHttp
from warm.fetch.errors import BadAddress, FetchFailed, ForbiddenAddress
from warm.uploads.errors import UploadTooLarge

MB = 1 << 20


def fetch(url: str, max_bytes: int = MB, total_s: float = 20.0) -> bytes:
    with CheckedHttp("127.0.0.1").open(url, max_bytes, total_s=total_s) as chunks:
        return b"".join(chunks)


def test_a_file_is_fetched_and_redirects_are_followed() -> None:
    def answer(path: str) -> Iterator[bytes]:
        step = int(path.rpartition("/")[2])
        return whole(b"file") if step == 0 else redirect(f"{step - 1}", 301 + step % 2)

    with file_server(answer) as base:
        assert fetch(f"{base}/{MAX_REDIRECTS}") == b"file"
        with pytest.raises(FetchFailed, match="more than 5"):
            fetch(f"{base}/{MAX_REDIRECTS + 1}")


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://10.0.0.1/", ForbiddenAddress),
        ("http://[::1]/", ForbiddenAddress),
        ("//169.254.169.254/latest/meta-data/", ForbiddenAddress),
        ("file:///etc/passwd", BadAddress),
        ("http://2130706433/", BadAddress),
        ("http://a:b@127.0.0.1/", BadAddress),
    ],
)
def test_a_redirect_to_a_private_address_is_not_followed(
    location: str, error: type[Exception]
) -> None:
    with file_server(lambda _: redirect(location)) as base, pytest.raises(error):
        fetch(f"{base}/")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"",
    ],
)
def test_a_server_that_drips_is_given_up_after_the_total_time(head: bytes) -> None:
    with file_server(lambda _: dripping(head)) as base, pytest.raises(FetchFailed):
        fetch(f"{base}/", total_s=0.4)


def test_a_file_that_is_too_large_is_not_read_to_its_end() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"

    def answer(path: str) -> Iterator[bytes]:
        if path == "/announced":
            yield b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
            return
        yield endless
        while True:
            yield bytes(65_536)

    with file_server(answer) as base:
        for path in ("/announced", "/endless"):
            with pytest.raises(UploadTooLarge):
                fetch(base + path)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"220 smtp.example ESMTP\r\n",
        b"",
    ],
)
def test_what_is_not_a_whole_file_is_an_error(response: bytes) -> None:
    with file_server(lambda _: iter([response])) as base, pytest.raises(FetchFailed):
        fetch(f"{base}/")


def test_a_compressed_answer_is_refused_instead_of_expanded() -> None:
    bomb = gzip.compress(bytes(MB))
    with (
        file_server(lambda _: whole(bomb, "Content-Encoding: gzip\r\n")) as base,
        pytest.raises(FetchFailed, match="Content-Encoding"),
    ):
        fetch(f"{base}/")


def test_the_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with file_server(lambda _: whole(b"file")) as base:
        assert fetch(f"{base}/") == b"file"


def test_an_error_of_the_caller_is_not_taken_for_one_of_the_connection() -> None:
    with (
        file_server(lambda _: whole(b"file")) as base,
        pytest.raises(OSError, match="no room"),
        CheckedHttp("127.0.0.1").open(f"{base}/", 10),
    ):
        raise OSError("no room")


def test_a_post_is_sent_once_and_its_answer_is_returned_whatever_it_is() -> None:
    http, paths = CheckedHttp("127.0.0.1"), []

    def answer(path: str) -> Iterator[bytes]:
        paths.append(path)
        return redirect("http://127.0.0.1:1/") if path == "/moved" else whole(b"{}")

    with file_server(answer) as base:
        assert http.post(f"{base}/hook", b"{}", {"X-Signature": "a"}).status == 200
        assert http.post(f"{base}/moved", b"{}", {}).status == 302
        with pytest.raises(ForbiddenAddress):
            CheckedHttp().post(f"{base}/hook", b"{}", {})
    assert paths == ["/hook", "/moved"]


def test_a_port_that_is_not_of_the_web_is_refused_unless_its_host_is_allowed() -> None:
    with pytest.raises(ForbiddenAddress, match="port 25"):
        CheckedHttp().post("http://8.8.8.8:25/", b"", {})
