"""The shipped configurations of nginx and Caddy: TLS, and all kinds of requests below a path."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from selenium.webdriver import Chrome

from tests.api.live_sockets import live_socket
from tests.deploy.reverse_proxies import INSTALL, PREFIX, missing, tls_proxy
from tests.web.browsing import Page, browser_tests, chromium, free_port, serving
from tests.web.live_page import LivePage

pytestmark = pytest.mark.slow

PATIENCE_S = 40.0
HLS_JS = Path(__file__).resolve().parents[2] / "web" / "vendor" / "hls.light.min.js"


def in_a_browser(test: Any) -> Any:
    """Mark a test that needs Chromium."""
    for mark in browser_tests:
        test = mark(test)
    return test


class Place(NamedTuple):
    """A server behind a proxy."""

    port: int
    """Of the proxy."""
    certificate: Path
    server_port: int
    program: str

    def address(self, path: str) -> str:
        return f"https://127.0.0.1:{self.port}{PREFIX}{path}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """The unix socket of the server, and its own port."""
    results, port = tmp_path_factory.mktemp("results"), free_port()
    server_socket = tmp_path_factory.mktemp("run") / "http.sock"
    host = f"127.0.0.1, unix:{server_socket}"
    with serving(results, port, host=host, trusted_proxies="unix"):
        yield server_socket, port


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def place(
    request: pytest.FixtureRequest,
    server: tuple[Path, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    if missing(request.param):
        pytest.skip(INSTALL[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    with tls_proxy(request.param, folder, server[0]) as port:
        yield Place(port, folder / "certificate.pem", server[1], request.param)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile"), "--ignore-certificate-errors") as browser:
        yield browser


@contextmanager
def asked(
    place: Place, method: str, path: str, body: object = None, **headers: str
) -> Iterator[http.client.HTTPResponse]:
    """The response to a request, whose body is still to be read."""
    context = ssl.create_default_context(cafile=place.certificate)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", place.port, timeout=PATIENCE_S, context=context
    )
    sent = None if body is None else json.dumps(body)
    with closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, sent, {"Content-Type": "application/json", **named})
        yield connection.getresponse()


def answer(place: Place, method: str, path: str, body: object = None) -> Any:
    """The JSON of a successful answer."""
    with asked(place, method, f"{PREFIX}{path}", body) as response:
        read = response.read()
    assert response.status in (200, 201, 202), read
    return json.loads(read)


def read_until(response: http.client.HTTPResponse, mark: bytes) -> bytes:
    """Read a response that does not end up to `mark`."""
    read, deadline = b"", time.monotonic() + PATIENCE_S
    while mark not in read:
        assert time.monotonic() < deadline, f"no {mark!r} in {PATIENCE_S:g} s, but {read[-300:]!r}"
        piece = response.read1(65536)
        assert piece, f"the response ended without {mark!r}"
        read += piece
    return read


def require_everything_below_the_path(page: Page, place: Place) -> None:
    """Require that the page has asked for nothing elsewhere, and has reported no error."""
    requested = page.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    inside = (place.address("/"), "blob:")
    assert [address for address in requested if not address.startswith(inside)] == []
    assert page.text("error-text") == ""
    assert page.console_errors() == []


def opened(kind: type[Page], browser: Chrome, place: Place, session: str, query: str = "") -> Page:
    """The page, opened through the proxy."""
    name = f"{session}-{place.program}"
    page = kind(browser, place.port, name, query, path=f"{PREFIX}/", scheme="https")
    page.port = place.server_port  # of the requests that do not come from the page
    return page


def test_the_path_without_its_slash_leads_to_the_page(place: Place) -> None:
    with asked(place, "GET", PREFIX) as response:
        assert response.status == 308
        assert response.getheader("Location", "").endswith(f"{PREFIX}/")
    with asked(place, "GET", f"{PREFIX}/") as response:
        assert response.status == 200
        assert b"<title>Warmtalk" in response.read()


def test_addresses_in_answers_have_the_path(place: Place) -> None:
    answer(place, "POST", "/speak", {"text": "One.", "session_id": "addresses"})
    info = answer(place, "GET", "/sessions/addresses")
    assert info["video_url"].startswith(f"{PREFIX}/"), info
    with asked(place, "GET", info["video_url"], Range="bytes=4-7") as response:
        assert (response.status, response.read()) == (206, b"ftyp")


@pytest.mark.parametrize("path", ["stream", "events"])
def test_an_endless_response_is_not_held_back(place: Place, path: str) -> None:
    session = f"endless-{path}"
    answer(place, "POST", "/speak", {"text": "A film begins.", "session_id": session})
    mark = {"stream": b"moof", "events": b"event: fragment"}[path]
    with asked(place, "GET", f"{PREFIX}/sessions/{session}/{path}") as response:
        assert response.status == 200
        answer(place, "POST", "/speak", {"text": "Hello.", "session_id": session})
        read_until(response, mark)


def test_events_of_a_spoken_text_arrive_before_its_end(place: Place) -> None:
    body = {"text": "A sentence that takes a moment. " * 30, "session_id": "sse", "lead_s": 1}
    with asked(place, "POST", f"{PREFIX}/speak", body, Accept="text/event-stream") as response:
        first = read_until(response, b"event: fragment")
        assert b"event: done" not in first
        answer(place, "POST", "/interrupt", {"session_id": "sse"})
        read_until(response, b"event: done")


def test_all_segments_of_the_playlist_can_be_fetched(place: Place) -> None:
    answer(place, "POST", "/speak", {"text": "Segments.", "session_id": "playlist"})
    path = f"{PREFIX}/sessions/playlist/live.m3u8"
    with asked(place, "GET", path) as response:
        lines = response.read().decode().splitlines()
    segments = [line for line in lines if line and not line.startswith("#")]
    assert segments
    for segment in segments:
        context = segment if segment.startswith("/") else f"{PREFIX}/sessions/playlist/{segment}"
        with asked(place, "GET", context, Range="bytes=0-9") as response:
            assert response.status == 206, segment


def test_a_live_socket_passes_and_speaks(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(place.certificate))
    base = f"wss://127.0.0.1:{place.port}{PREFIX}"
    with live_socket(base, "socket", "sound=pcm&rate=16000") as live:
        live.say(b"\x00\x20" * 8000, "u1", rate=16000)
        live.wait_for("finished", utterance="u1")
        assert any(any(sound.payload) for sound in live.sounds)


@in_a_browser
def test_the_page_shows_the_live_stream_and_speaks(browser: Chrome, place: Place) -> None:
    page = opened(LivePage, browser, place, "live")
    assert isinstance(page, LivePage)
    page.wait_until_live()
    page.watch()
    page.say("Live below a path.")
    page.wait(page.is_speaking)
    page.wait(lambda: max((each["mouth"] for each in page.pictures()), default=0) > 120)
    page.wait_until_silent()
    page.wait(lambda: page.clips() == ["Live below a path."])
    require_everything_below_the_path(page, place)
    browser.get("about:blank")


@in_a_browser
@pytest.mark.parametrize(("player", "name"), [("mse", "MSE"), ("hls", "HLS")])
def test_the_page_plays_the_growing_film(
    browser: Chrome, place: Place, player: str, name: str
) -> None:
    if player == "hls" and not HLS_JS.exists():
        pytest.skip("needs hls.js; see `make setup`")
    page = opened(Page, browser, place, player, f"&player={player}")
    page.say("Below a path.")
    page.wait_for_speech()
    page.wait(lambda: page.clips() == ["Below a path."])
    assert page.text("player") == name
    status_of = "return fetch(document.getElementById('download').href).then((r) => r.status)"
    assert page.run(status_of) == 200
    require_everything_below_the_path(page, place)
    browser.get("about:blank")
