"""The other ways to play the film, where the stream is not to be had."""

import http.client
from contextlib import closing
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.web.browsing import Page, ask, browser_tests, free_port, serving, speak

HLS_JS = Path(__file__).resolve().parents[2] / "web" / "vendor" / "hls.light.min.js"

pytest_plugins = ["page_fixtures"]
pytestmark = browser_tests
needs_hls_js = pytest.mark.skipif(
    not HLS_JS.exists(), reason="hls.js is not here; `make setup` fetches it where npm is"
)


def test_the_page_says_how_it_plays(page: Page) -> None:
    assert page.text("player") == "MSE"
    assert "Media Source" in page.run("return document.getElementById('player').title")


@needs_hls_js
def test_hls_js_plays_the_film_as_it_grows_and_after_a_silence(browser: Chrome, port: int) -> None:
    page = Page(browser, port, "hls", "&player=hls")
    for text in ("The first words", "Then", "Yes, and then some more"):
        end_s = speak(port, "hls", text)["session"]["duration_s"]
        page.wait(page.is_speaking)
        page.wait(lambda end_s=end_s: page.film("currentTime") > end_s - 0.3)
        page.wait(lambda: not page.is_speaking())
    assert page.text("player") == "HLS"
    assert page.complaints() == []


@needs_hls_js
def test_hls_js_takes_a_new_film_from_its_beginning(browser: Chrome, port: int) -> None:
    speak(port, "twice", "This was said before anybody looked")
    page = Page(browser, port, "twice", "&player=hls")
    speak(port, "twice", "The first film")
    page.hear_out()
    ask(port, "POST", "/reset", {"session_id": "twice"})
    speak(port, "twice", "The second film")
    page.wait(lambda: page.is_speaking() and page.film("currentTime") < 1.5)


@needs_hls_js
def test_who_finds_no_place_at_the_stream_is_given_the_playlist(
    browser: Chrome, tmp_path: Path
) -> None:
    port = free_port()
    with serving(tmp_path, port, max_watchers=1):
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as taken:
            taken.request("GET", "/session/stream")
            page = Page(browser, port, "crowded")
            page.wait(lambda: page.text("player") == "HLS")
        assert "max_watchers" in page.run("return document.getElementById('player').title")
        speak(port, "crowded", "I can be seen all the same")
        page.wait(page.is_speaking)
        browser.get("about:blank")


def test_a_browser_that_tells_of_no_pictures_shows_the_film_all_the_same(
    browser: Chrome, port: int
) -> None:
    """Firefox has requestVideoFrameCallback since version 132, of October 2024."""
    older = "delete HTMLVideoElement.prototype.requestVideoFrameCallback"
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": older})
    try:
        page = Page(browser, port, "older")
        assert page.film("requestVideoFrameCallback") is None
        page.watch()
        page.say("Hello world")
        page.hear_out()
        assert len({look["grey"] for look in page.looks() if look["seen"] == "film"}) > 3
        assert page.complaints() == []
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_a_player_that_does_not_exist_is_named(browser: Chrome, port: int) -> None:
    page = Page(browser, port, "unknown", "&player=vlc")
    page.wait(lambda: 'player = "vlc"' in page.text("error-text"))
    assert "mse, hls, native" in page.text("error-text")
    page.complaints()


def test_a_browser_without_a_player_of_its_own_says_so(browser: Chrome, port: int) -> None:
    older = "HTMLMediaElement.prototype.canPlayType = () => ''"
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": older})
    try:
        page = Page(browser, port, "none", "&player=native")
        page.wait(lambda: "player=hls" in page.text("error-text"))
        page.complaints()
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_a_film_that_cannot_be_watched_live_is_offered_for_download(
    browser: Chrome, tmp_path: Path
) -> None:
    port = free_port()
    with serving(tmp_path, port, writer="concat"):
        page = Page(browser, port, "joined")
        page.wait(lambda: "writer" in page.text("note"))
        page.say("Take me home")
        page.wait(lambda: page.clips() == ["Take me home"])
        page.wait(browser.find_element("id", "download").is_displayed)
        assert page.text("error-text") == ""
        browser.get("about:blank")
