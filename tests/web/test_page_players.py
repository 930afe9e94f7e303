"""The players of the page other than the stream, and the choice among them."""

import http.client
from contextlib import closing
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.web.browsing import Page, ask, browser_tests, free_port, on_every_page, serving, speak

HLS_JS = Path(__file__).resolve().parents[2] / "web" / "vendor" / "hls.light.min.js"

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests
needs_hls_js = pytest.mark.skipif(
    not HLS_JS.exists(), reason="needs hls.js, which `make setup` downloads if npm is installed"
)


REFUSED_BY_A_PROXY = """
// A proxy answers the first request for the playlist, because the server is being restarted.
const plain = window.fetch;
window.playlistRequests = 0;
window.fetch = (address, ...others) => {
  if (!String(address).includes("live.m3u8") || (window.playlistRequests += 1) > 1) {
    return plain(address, ...others);
  }
  return Promise.resolve(new Response("<html>502 Bad Gateway</html>", { status: 502 }));
};
"""


@needs_hls_js
def test_hls_js_goes_on_after_an_answer_of_a_proxy(browser: Chrome, port: int) -> None:
    speak(port, "refused-playlist", "Before")
    with on_every_page(browser, REFUSED_BY_A_PROXY):
        page = Page(browser, port, "refused-playlist", "&player=hls")
        page.wait(lambda: page.run("return window.playlistRequests") > 1)
        speak(port, "refused-playlist", "After the restart")
        page.wait(page.is_speaking)
        page.wait_until_silent()
        assert page.console_errors() == []


@needs_hls_js
def test_hls_js_plays_the_film_as_it_grows_and_after_a_silence(browser: Chrome, port: int) -> None:
    page = Page(browser, port, "hls", "&player=hls")
    for text in ("The first words", "Then", "Yes, and then some more"):
        end_s = speak(port, "hls", text)["session"]["duration_s"]
        page.wait(page.is_speaking)
        page.wait(lambda end_s=end_s: page.film("currentTime") > end_s - 0.3)
        page.wait_until_silent()
    assert page.text("player") == "HLS"
    assert page.console_errors() == []


@needs_hls_js
def test_hls_js_plays_a_new_film_from_its_beginning(browser: Chrome, port: int) -> None:
    speak(port, "twice", "This was said before the page was opened")
    page = Page(browser, port, "twice", "&player=hls")
    speak(port, "twice", "The first film")
    page.wait_for_speech()
    ask(port, "POST", "/reset", {"session_id": "twice"})
    speak(port, "twice", "The second film")
    page.wait(lambda: page.is_speaking() and page.film("currentTime") < 1.5)


@needs_hls_js
def test_the_page_falls_back_to_hls_js_when_the_server_has_no_stream_left(
    browser: Chrome, tmp_path: Path
) -> None:
    port = free_port()
    with serving(tmp_path, port, max_watchers=1):
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as other_viewer:
            other_viewer.request("GET", "/session/stream")
            page = Page(browser, port, "crowded")
            page.wait(lambda: page.text("player") == "HLS")
        assert "max_watchers" in page.element("player", "title")
        speak(port, "crowded", "The playlist works all the same")
        page.wait(page.is_speaking)
        browser.get("about:blank")


def test_a_browser_without_video_frame_callbacks_shows_the_film(browser: Chrome, port: int) -> None:
    """Firefox has requestVideoFrameCallback since version 132, of October 2024."""
    older = "delete HTMLVideoElement.prototype.requestVideoFrameCallback"
    with on_every_page(browser, older):
        page = Page(browser, port, "older")
        assert page.film("requestVideoFrameCallback") is None
        page.record()
        page.say("Hello world")
        page.wait_for_speech()
        greys = {sample["grey"] for sample in page.samples() if sample["visible"] == "film"}
        assert len(greys) > 3
        assert page.console_errors() == []


def test_an_unknown_player_is_refused_with_the_names_of_the_others(
    browser: Chrome, port: int
) -> None:
    page = Page(browser, port, "unknown", "&player=vlc")
    page.wait(lambda: 'player = "vlc"' in page.text("error-text"))
    assert "mse, hls, native" in page.text("error-text")
    page.console_errors()


def test_the_native_player_is_refused_by_a_browser_without_one(browser: Chrome, port: int) -> None:
    with on_every_page(browser, "HTMLMediaElement.prototype.canPlayType = () => ''"):
        page = Page(browser, port, "none", "&player=native")
        page.wait(lambda: "player=hls" in page.text("error-text"))
        page.console_errors()


def test_a_film_that_cannot_be_streamed_is_offered_for_download(
    browser: Chrome, tmp_path: Path
) -> None:
    port = free_port()
    with serving(tmp_path, port, writer="concat"):
        page = Page(browser, port, "joined")
        page.wait(lambda: "writer" in page.text("notice"))
        page.say("Take me home")
        page.wait(lambda: page.clips() == ["Take me home"])
        page.wait(browser.find_element("id", "download").is_displayed)
        assert page.text("error-text") == ""
        browser.get("about:blank")
