"""The page in Firefox and in WebKit, the engine of Safari."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, free_port, kill, serving, speak
from tests.web.other_browsers import OTHER_BROWSERS, OtherBrowser

HLS_JS = Path(__file__).resolve().parents[2] / "web" / "vendor" / "hls.light.min.js"
SENTENCE = "This sentence takes about three seconds, all in all. "
LONG = 20 * SENTENCE
ATTEMPTS = 5
"""A busy machine may draw only one frame of a film."""
AUDIO_END_MARGIN_S = 0.1
"""The audio ends a little before the video, and players stop with it."""

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = pytest.mark.browser

RECORDER = """
// Records the greys that each video showed while it was visible, and the fragments appended.
const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
window.film = document.getElementById("film");
window.greys = { film: new Set(), idle: new Set() };
window.appended = [];
const record = (id) => {
  const video = document.getElementById(id);
  const isSpeaking = document.getElementById("stage").classList.contains("speaking");
  if (isSpeaking === (id === "film") && video.readyState >= 2) {
    context.drawImage(video, 0, 0, 8, 8); // the grey of a corner is the frame number
    window.greys[id].add(context.getImageData(0, 7, 1, 1).data[0]);
  }
};
const sample = () => {
  record("film");
  record("idle");
  requestAnimationFrame(sample);
};
requestAnimationFrame(sample);
const appendBuffer = SourceBuffer.prototype.appendBuffer;
SourceBuffer.prototype.appendBuffer = function (segment) {
  const at = String.fromCharCode(...segment.subarray(0, 2000)).indexOf("mfhd");
  const number = () => new DataView(segment.buffer, segment.byteOffset).getUint32(at + 8);
  window.appended.push(at < 0 ? "init" : number());
  appendBuffer.call(this, segment);
};
"""


@pytest.fixture(scope="module", params=OTHER_BROWSERS, ids=lambda browser: browser.name)
def other_browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    other: OtherBrowser = request.param
    if not other.is_installed:
        pytest.skip(f"needs Debian's packages {other.packages}")
    with other.start(tmp_path_factory.mktemp(other.name)) as browser:
        yield browser


class OtherPage(Page):
    """The page in a browser without Chromium's instrumentation."""

    def __init__(self, browser: Any, port: int, session: str, query: str = "") -> None:
        super().__init__(browser, port, session, query)
        self.run(RECORDER)

    def text(self, element: str) -> str:
        """The text of an element; WebKit's driver treats text that overflows as invisible."""
        return str(self.run(f"return document.getElementById('{element}').innerText"))

    def has_moved(self, video: str) -> bool:
        """Return True if a video was visible and moved since `clear_recording`."""
        return bool(self.run(f"return window.greys.{video}.size > 1"))

    def clear_recording(self) -> None:
        self.run("window.greys.idle.clear(); window.greys.film.clear()")

    def play(self, text: str) -> None:
        """Speak by another client's request; wait until the film has been shown and has ended."""
        self.clear_recording()
        for _ in range(ATTEMPTS):
            end_s = speak(self.port, self.session, text)["session"]["duration_s"]
            self.wait(partial(self.is_played_to, end_s))
            self.wait_for_idle_face()
            if self.has_moved("film"):
                return
        raise AssertionError(f"the film was played {ATTEMPTS} times, and its picture never moved")

    def is_played_to(self, end_s: float) -> bool:
        return bool(self.film("currentTime") > end_s - AUDIO_END_MARGIN_S)

    def wait_for_idle_face(self) -> None:
        """Wait until the idle face is visible and moves."""
        self.wait_until_silent()
        self.run("window.greys.idle.clear()")
        self.wait(lambda: self.has_moved("idle"))


@pytest.fixture
def other_page(
    other_browser: Any, port: int, request: pytest.FixtureRequest
) -> Iterator[OtherPage]:
    session = f"{other_browser.name}-{request.node.originalname[-30:]}"
    page = OtherPage(other_browser, port, session)
    yield page
    assert page.console_errors() == []
    assert page.text("error-text") == ""


def test_speech_is_shown_and_heard_after_every_silence(other_page: OtherPage) -> None:
    other_page.wait(lambda: other_page.has_moved("idle"))
    other_page.say("The first words")  # typed: browsers allow sound after a gesture
    other_page.wait(lambda: other_page.clips() == ["The first words"])
    other_page.play("And then some more")
    other_page.play(SENTENCE)
    assert other_page.text("player") == "MSE"
    assert other_page.clips()[:2] == ["The first words", "And then some more"]
    assert other_page.film("mozHasAudio ?? film.audioTracks.length === 1")
    assert other_page.film("muted") is False
    other_page.assert_each_fragment_came_once()


def test_escape_stops_the_speech_and_the_next_one_follows(other_page: OtherPage) -> None:
    other_page.say(LONG)
    other_page.wait(lambda: other_page.is_speaking() and other_page.film("currentTime") > 0.3)
    other_page.browser.find_element(By.ID, "text").send_keys(Keys.ESCAPE)
    other_page.wait(lambda: other_page.film("paused") and not other_page.is_speaking())
    other_page.wait(lambda: other_page.session_info()["state"] == "idle")
    stopped_s = other_page.session_info()["duration_s"]
    assert stopped_s < 40  # the whole text takes a minute
    other_page.play("And now something else")
    assert other_page.film("currentTime") > stopped_s
    assert other_page.film("volume") == 1


def test_starting_over_begins_a_new_film(other_page: OtherPage) -> None:
    other_page.play("The first film, which is a little longer")
    other_page.click("reset")
    other_page.click("reset")
    other_page.wait(lambda: other_page.clips() == [])
    other_page.play("The second film")
    numbers = other_page.appended()
    second = numbers[numbers.index("init", 1) :]
    assert second == ["init", *range(1, len(second))]


def test_the_page_reconnects_to_a_server_that_was_killed(
    other_browser: Any, tmp_path: Path
) -> None:
    port = free_port()
    with serving(tmp_path, port) as server:
        page = OtherPage(other_browser, port, "killed")
        page.play("Before the server died")
        page.say(LONG)
        page.wait(lambda: len(page.appended()) > 8)
        kill(server)
    with serving(tmp_path, port):
        page.wait(lambda: "ready" in page.text("status-text"))
        page.play("After it came back")
        page.assert_each_fragment_came_once()
        other_browser.get("about:blank")


@pytest.mark.skipif(not HLS_JS.exists(), reason="needs hls.js; see `make setup`")
def test_hls_js_plays_the_film_as_it_grows(other_browser: Any, port: int) -> None:
    page = OtherPage(other_browser, port, f"{other_browser.name}-hls", "&player=hls")
    page.play("The first words")
    page.play(SENTENCE)
    assert page.text("player") == "HLS"
    assert page.console_errors() == []


def test_the_native_player_is_refused_by_a_browser_without_one(
    other_browser: Any, port: int
) -> None:
    page = OtherPage(other_browser, port, f"{other_browser.name}-native", "&player=native")
    page.wait(lambda: "player=hls" in page.text("error-text"))
    page.console_errors()
